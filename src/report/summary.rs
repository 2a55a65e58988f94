//! `summary.json`: the capture, its accounting and the findings as counts.
//!
//! Keys come in the order written here, those of maps in alphabetical order: the file can be compared
//! as text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::json;
use super::model::{HostRow, Report, Totals};
use super::names::names;
use crate::decode::Reason;
use crate::detect::{Alert, Quality, Severity};
use crate::error::Error;
use crate::net::Addr;
use crate::time::{SECOND, rfc3339};

/// Raised whenever a key changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;
const TALKERS: usize = 15;

#[derive(Serialize)]
struct Summary<'a> {
    version: u32,
    capture: Capture<'a>,
    totals: Totals,
    alerts: Alerts<'a>,
    suppressed: Vec<Silenced<'a>>,
    top_talkers: Vec<Talker<'a>>,
    warnings: Vec<Finding>,
}

#[derive(Serialize)]
struct Capture<'a> {
    file: &'a str,
    format: &'a str,
    compression: Option<&'a str>,
    link_types: &'a [u16],
    interfaces: u32,
    snaplen: u32,
    frames: u64,
    decoded: u64,
    partly_decoded: Counted,
    not_decoded: Counted,
    filtered: u64,
    cut_frames: u64,
    /// On the wire.
    bytes: u64,
    captured_bytes: u64,
    first_packet: Option<String>,
    last_packet: Option<String>,
    duration_s: f64,
    clock_jumps: u64,
    #[serde(rename = "dropped_by_capture")]
    dropped: u64,
    /// What alerts repeat of the checks.
    quality: Vec<&'static str>,
    verdict: &'static str,
    checks: &'a Quality,
}

#[derive(Serialize)]
struct Counted {
    total: u64,
    by_reason: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Alerts<'a> {
    total: usize,
    by_severity: BySeverity,
    by_type: BTreeMap<&'a str, u64>,
}

/// How many alerts there are of each severity, worst first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BySeverity {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
    pub info: u64,
}

impl BySeverity {
    pub fn of<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Self {
        let mut counts = Self::default();
        for alert in alerts {
            match alert.severity {
                Severity::Critical => counts.critical += 1,
                Severity::High => counts.high += 1,
                Severity::Medium => counts.medium += 1,
                Severity::Low => counts.low += 1,
                Severity::Info => counts.info += 1,
            }
        }
        counts
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            critical: self.critical + other.critical,
            high: self.high + other.high,
            medium: self.medium + other.medium,
            low: self.low + other.low,
            info: self.info + other.info,
        }
    }

    /// The worst that occurs.
    pub fn worst(self) -> Option<Severity> {
        self.present().next().map(|(severity, _)| severity)
    }

    /// Those that occur, worst first.
    pub fn present(self) -> impl Iterator<Item = (Severity, u64)> {
        let counts = [self.info, self.low, self.medium, self.high, self.critical];
        Severity::ALL.into_iter().zip(counts).rev().filter(|(_, count)| *count > 0)
    }
}

#[derive(Serialize)]
struct Silenced<'a> {
    entry: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    attackers: &'a [String],
    victims: &'a [String],
}

#[derive(Serialize)]
struct Talker<'a> {
    address: Addr,
    name: Option<&'a str>,
    packets: u64,
    bytes_sent: u64,
    bytes_received: u64,
}

#[derive(Serialize)]
struct Finding {
    kind: &'static str,
    message: String,
}

pub fn render(report: &Report) -> Result<Vec<u8>, Error> {
    json::pretty(&Summary {
        version: SCHEMA_VERSION,
        capture: capture(report),
        totals: report.totals,
        alerts: alerts(report),
        suppressed: report.suppressed.iter().map(silenced).collect(),
        top_talkers: talkers(report),
        warnings: report.warnings.iter().map(|warning| Finding { kind: warning.kind(), message: warning.to_string() }).collect(),
    })
}

/// The hosts with the most bytes, sent and received, the loudest first.
pub fn loudest(report: &Report, limit: usize) -> Vec<&HostRow> {
    let mut hosts: Vec<&HostRow> = report.hosts.iter().collect();
    hosts.sort_by_key(|host| (u64::MAX - host.bytes_sent.saturating_add(host.bytes_received), host.address));
    hosts.truncate(limit);
    hosts
}

fn capture(report: &Report) -> Capture<'_> {
    let (facts, accounting) = (&report.facts, &report.accounting);
    let (first, last) = report.span.unzip();
    Capture {
        file: &report.input,
        format: &facts.format,
        compression: facts.compression.as_deref(),
        link_types: &facts.link_types,
        interfaces: facts.interfaces,
        snaplen: facts.snaplen,
        frames: accounting.frames,
        decoded: accounting.decoded,
        partly_decoded: counted(report, accounting.partly_decoded(), Reason::is_partial),
        not_decoded: counted(report, accounting.not_decoded(), |reason| !reason.is_partial()),
        filtered: accounting.filtered,
        cut_frames: accounting.cut_frames,
        bytes: accounting.wire_bytes,
        captured_bytes: accounting.captured_bytes,
        first_packet: first.map(rfc3339),
        last_packet: last.map(rfc3339),
        duration_s: report.span.map_or(0.0, |(first, last)| (i128::from(last) - i128::from(first)) as f64 / SECOND as f64),
        clock_jumps: facts.clock_jumps,
        dropped: facts.dropped,
        quality: report.quality.weaknesses(),
        verdict: report.quality.worst().verdict(),
        checks: &report.quality,
    }
}

fn counted(report: &Report, total: u64, keep: impl Fn(Reason) -> bool) -> Counted {
    let reasons = Reason::ALL.into_iter().zip(report.accounting.reasons);
    Counted { total, by_reason: reasons.filter(|(reason, _)| keep(*reason)).map(|(reason, count)| (reason.name(), count)).collect() }
}

fn alerts(report: &Report) -> Alerts<'_> {
    let mut by_type = BTreeMap::new();
    for alert in &report.alerts {
        *by_type.entry(alert.kind).or_default() += 1;
    }
    Alerts { total: report.alerts.len(), by_severity: BySeverity::of(&report.alerts), by_type }
}

fn silenced(suppressed: &super::model::Suppressed) -> Silenced<'_> {
    let alert = &suppressed.alert;
    Silenced { entry: &suppressed.entry, kind: alert.kind, attackers: &alert.attackers, victims: &alert.victims }
}

fn talkers(report: &Report) -> Vec<Talker<'_>> {
    let names = names(report);
    loudest(report, TALKERS)
        .into_iter()
        .map(|host| Talker {
            address: host.address,
            name: names.get(&host.address).copied(),
            packets: host.packets_sent.saturating_add(host.packets_received),
            bytes_sent: host.bytes_sent,
            bytes_received: host.bytes_received,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::example;
    use super::*;

    fn parsed(report: &Report) -> Value {
        serde_json::from_slice(&render(report).unwrap()).unwrap()
    }

    #[test]
    fn every_frame_is_in_exactly_one_counter() {
        let capture = &parsed(&example::report())["capture"];
        let number = |pointer: &str| capture.pointer(pointer).and_then(Value::as_u64).unwrap();
        assert_eq!(
            number("/frames"),
            number("/decoded") + number("/partly_decoded/total") + number("/not_decoded/total") + number("/filtered")
        );
        for part in ["partly_decoded", "not_decoded"] {
            let reasons = capture[part]["by_reason"].as_object().unwrap();
            assert_eq!(reasons.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), number(&format!("/{part}/total")));
        }
    }

    #[test]
    fn alerts_add_up_by_severity_and_by_type() {
        let report = example::report();
        let alerts = &parsed(&report)["alerts"];
        for by in ["by_severity", "by_type"] {
            let sum: u64 = alerts[by].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
            assert_eq!(sum, report.alerts.len() as u64, "{by}");
        }
        assert_eq!(alerts["by_severity"]["high"], 1);
        assert_eq!(alerts["by_type"]["port_scan"], 1);
    }

    #[test]
    fn talkers_are_sorted_by_bytes_in_both_directions() {
        let talkers = &parsed(&example::report())["top_talkers"];
        // 198.51.100.7 sent 9,000,000 bytes and received 1,000; 192.0.2.10 received 9,000,000 and sent 2,000,000.
        assert_eq!(talkers[0]["address"], "192.0.2.10");
        assert_eq!(talkers[1]["address"], "198.51.100.7");
    }

    #[test]
    fn every_check_is_listed_and_only_what_makes_findings_wrong_is_repeated_by_alerts() {
        let capture = &parsed(&example::report())["capture"];
        assert_eq!((&capture["verdict"], &capture["quality"]), (&"poor".into(), &serde_json::json!(["one-way traffic"])));
        let states: Vec<&str> = capture["checks"].as_array().unwrap().iter().map(|check| check["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["poor", "ok", "weak"]);
        assert_eq!(capture["checks"][2]["measured"], "654 of 1,000 (65.4 %) frames are cut by the snapshot length");
        assert_eq!(parsed(&example::empty())["capture"]["verdict"], "good");
    }

    #[test]
    fn an_empty_capture_has_no_times_and_no_duration() {
        let summary = parsed(&example::empty());
        assert_eq!(summary["capture"]["first_packet"], Value::Null);
        assert_eq!(summary["capture"]["duration_s"], 0.0);
        assert_eq!(summary["version"], 1);
    }

    #[test]
    fn keys_keep_their_order() {
        let text = String::from_utf8(render(&example::report()).unwrap()).unwrap();
        let places: Vec<usize> =
            ["\"version\"", "\"capture\"", "\"frames\"", "\"totals\"", "\"alerts\"", "\"suppressed\"", "\"top_talkers\"", "\"warnings\""]
                .iter()
                .map(|key| text.find(key).unwrap())
                .collect();
        assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn the_span_of_a_capture_from_1677_to_2262_does_not_overflow() {
        let mut report = example::report();
        report.span = Some((i64::MIN, i64::MAX));
        assert!(parsed(&report)["capture"]["duration_s"].as_f64().unwrap() > 1.8e10);
    }
}
