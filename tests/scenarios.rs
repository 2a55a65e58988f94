//! Every sample is judged as its `expect.json` says: what must be found, and what must not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use common::{Expectation, Expected, Sample, Story, TestBench};
use network_security_monitor::detect::{DETECTORS, Severity};
use serde_json::Value;

/// Distinct counts of more than 64 members that were folded are estimates; their standard error is
/// 3.25 % (1.04 / sqrt 1024).
const FOLDED_TOLERANCE: f64 = 0.03;

fn rank(name: &str) -> usize {
    Severity::ALL.iter().position(|severity| severity.name() == name).unwrap()
}

fn severity(alert: &Value) -> usize {
    rank(alert["severity"].as_str().unwrap())
}

fn lists(list: &Value, wanted: Option<&String>) -> bool {
    wanted.is_none_or(|wanted| list.as_array().unwrap().iter().any(|address| address == wanted.as_str()))
}

fn has_ports(alert: &Value, wanted: Option<u64>, folded: bool) -> bool {
    let Some(wanted) = wanted else { return true };
    let got = alert["port_count"].as_u64().unwrap();
    let tolerance = if folded { (wanted as f64 * FOLDED_TOLERANCE).ceil() } else { 0.0 };
    wanted.abs_diff(got) as f64 <= tolerance
}

fn matches(alert: &Value, expected: &Expected, folded: bool) -> bool {
    alert["type"] == expected.kind.as_str()
        && expected.technique.as_ref().is_none_or(|technique| alert["technique"] == technique.as_str())
        && severity(alert) >= rank(&expected.severity_at_least)
        && lists(&alert["attackers"], expected.attacker.as_ref())
        && lists(&alert["victims"], expected.victim.as_ref())
        && has_ports(alert, expected.port_count, folded)
}

fn shown(alert: &Value) -> String {
    let text = |key: &str| alert[key].to_string();
    format!(
        "{} {} {} by {} against {}, {} ports: {}",
        text("severity"),
        text("type"),
        text("technique"),
        text("attackers"),
        text("victims"),
        text("port_count"),
        text("message")
    )
}

fn judged(sample: &Sample, expect: &Expectation, alerts: &[Value], folded: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for expected in &expect.alerts {
        let found = alerts.iter().filter(|alert| matches(alert, expected, folded)).count();
        if found != expected.count {
            wrong.push(format!("{found} alerts instead of {} match {expected:?}", expected.count));
        }
    }
    for kind in &expect.absent {
        let found = alerts.iter().filter(|alert| alert["type"] == kind.as_str()).count();
        if found > 0 {
            wrong.push(format!("{found} of {kind}, which must not appear"));
        }
    }
    if let Some(limit) = &expect.no_other_at_or_above {
        let expected = |alert: &Value| expect.alerts.iter().any(|expected| matches(alert, expected, folded));
        let others = alerts.iter().filter(|alert| severity(alert) >= rank(limit) && !expected(alert));
        wrong.extend(others.map(|alert| format!("at or above {limit} and not expected: {}", shown(alert))));
    }
    let found: Vec<String> = alerts.iter().map(|alert| format!("      {}", shown(alert))).collect();
    wrong.iter().map(|wrong| format!("{}: {wrong}\n    found:\n{}", sample.name, found.join("\n"))).collect()
}

/// The stages of an incident in the order in which they were first reached.
fn stages(incident: &Value) -> Vec<&str> {
    let mut stages = Vec::new();
    for step in incident["steps"].as_array().unwrap() {
        let stage = step["stage"].as_str().unwrap();
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    stages
}

fn tells(incident: &Value, story: &Story) -> bool {
    let mut reached = stages(incident).into_iter();
    lists(&incident["attackers"], Some(&story.attacker)) && story.stages.iter().all(|wanted| reached.any(|stage| stage == wanted))
}

fn untold(sample: &Sample, expect: &Expectation, incidents: &[Value]) -> Vec<String> {
    let missing = expect.incidents.iter().filter(|story| incidents.iter().filter(|incident| tells(incident, story)).count() != 1);
    missing.map(|story| format!("{}: not told as one incident: {story:?}\n    told:\n      {incidents:?}", sample.name)).collect()
}

fn check(sample: &Sample) -> Vec<String> {
    let (bench, expect) = (TestBench::new(), sample.expectation());
    let run = bench.nsm(["analyze", sample.capture.to_str().unwrap(), "--format", "json", "--hash", "none"]);
    let report = sample.capture.file_name().unwrap().to_str().unwrap();
    let (alerts, summary) = (bench.alerts(report), bench.summary(report));
    let mut wrong = Vec::new();
    if run.code != expect.exit_code {
        wrong.push(format!("{}: exit code {} instead of {}: {}", sample.name, run.code, expect.exit_code, run.stderr));
    }
    if summary["capture"]["frames"] != expect.frames {
        wrong.push(format!("{}: {} frames instead of {}", sample.name, summary["capture"]["frames"], expect.frames));
    }
    let folded = summary["totals"]["folded_packets"].as_u64().unwrap() > 0;
    wrong.extend(judged(sample, &expect, &alerts, folded));
    wrong.extend(untold(sample, &expect, &bench.incidents(report)));
    wrong
}

#[test]
fn every_sample_is_judged_as_it_was_made() {
    common::all_well(&common::for_each(&common::samples(), check));
}

/// How much is said of one type: the worst severity, and how often.
fn weight(sample: &Sample, kind: &str, set: Option<&str>) -> (Option<usize>, usize) {
    let bench = TestBench::new();
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", *set]).collect();
    let run = ["analyze", sample.capture.to_str().unwrap(), "--only", kind, "--format", "json", "--hash", "none"];
    bench.nsm(run.iter().chain(&set)).expect_code(0);
    let alerts = bench.alerts(sample.capture.file_name().unwrap().to_str().unwrap());
    (alerts.iter().map(severity).max(), alerts.len())
}

#[test]
fn what_is_missed_by_little_is_found_with_a_little_less() {
    let check = |sample: &Sample| {
        let missed = sample.expectation().just_below;
        let wrong = missed.iter().filter(|missed| weight(sample, &missed.kind, None) >= weight(sample, &missed.kind, Some(&missed.set)));
        wrong.map(|missed| format!("{}: {missed:?} makes no difference", sample.name)).collect()
    };
    common::all_well(&common::for_each(&common::samples(), check));
}

/// Whether a second server is one too many is no matter of a number; two that offer the same are among the
/// samples.
const WITHOUT_NUMBER: &str = "rogue_dhcp";

#[test]
fn every_detector_has_a_sample_it_finds_and_one_it_misses_by_little() {
    let expectations: Vec<Expectation> = common::samples().iter().map(Sample::expectation).collect();
    for detector in DETECTORS {
        let id = detector.id();
        let found = expectations.iter().any(|expect| expect.alerts.iter().any(|alert| alert.kind == id));
        assert!(found, "no sample expects {id}");
        let missed = expectations.iter().any(|expect| expect.just_below.iter().any(|missed| missed.kind == id));
        assert!(missed || id == WITHOUT_NUMBER, "no sample is just below the threshold of {id}");
    }
}
