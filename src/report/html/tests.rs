//! The page as a whole: what it says first, that nothing in it can act, and that it stays small.

use super::super::example;
use super::super::manifest::tests::provenance;
use super::super::manifest::{Choices, Input, Provenance};
use super::super::model::{Report, Suppressed};
use super::super::output::FileRecord;
use super::html;
use crate::capture::ChainPart;
use crate::detect::{self, Alert, Picture, Probe, Severity};
use crate::net::Addr;
use crate::time::{HOUR, SECOND};
use crate::warning::Warning;

fn page(report: &Report, provenance: &Provenance) -> String {
    String::from_utf8(html(report, provenance).unwrap()).unwrap()
}

fn report_of(alerts: Vec<Alert>) -> Report {
    let incidents = detect::incidents(&alerts, HOUR);
    Report { alerts, incidents, ..example::report() }
}

fn attack() -> Report {
    report_of(example::report().alerts)
}

/// What a browser would show, roughly: the text between the tags, without style and script.
fn text(page: &str) -> String {
    let mut shown = String::new();
    let mut rest = without(&without(page, "style"), "script");
    while let Some(start) = rest.find('<') {
        shown.push_str(&rest[..start]);
        rest = rest[start..].split_once('>').unwrap().1.to_owned();
    }
    shown + &rest
}

fn without(page: &str, element: &str) -> String {
    let (before, rest) = page.split_once(&format!("<{element}>")).unwrap();
    let (_, after) = rest.split_once(&format!("</{element}>")).unwrap();
    format!("{before}{after}")
}

/// The names of all elements and attributes: what markup there is, whatever the texts say. Sorted, as the order of
/// hosts follows their texts.
fn skeleton(page: &str) -> Vec<String> {
    let page = without(&without(page, "style"), "script");
    let tags = page.split('<').skip(1).map(|part| part.split_once('>').unwrap().0);
    // Without the values of attributes.
    let names = |tag: &str| tag.split('"').step_by(2).collect::<String>();
    let mut skeleton: Vec<String> = tags.map(names).collect();
    skeleton.sort_unstable();
    skeleton
}

const HOSTILE: [&str; 7] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style></script><svg onload=alert(1)>",
    "javascript:alert(1)",
    "evil\u{202e}cod.exe\u{200b}\x1b[2J",
    "&lt;b&gt;&amp;{{7*7}}]]>-->",
];

/// Every text of report and provenance that a capture, a user or a file can decide.
fn told(text: &str) -> (Report, Provenance) {
    let owned = || text.to_owned();
    let mut report = example::report();
    report.input = owned();
    report.facts.parts = vec![ChainPart { file: format!("{text}.part"), first_frame: 1, frames: 1 }];
    report.facts.names = vec![(report.hosts[0].address, owned())];
    report.resolved = vec![(report.hosts[1].address, text.into())];
    report.services[0].names = vec![owned(), owned()];
    report.services[0].service = owned();
    report.protocols[0].protocol = owned();
    report.warnings = vec![Warning::Rule { problem: owned() }, Warning::Skipped { offset: 1, problem: owned() }];
    for alert in &mut report.alerts {
        alert.title = owned();
        alert.message = owned();
        alert.next_steps = vec![owned()];
        alert.attackers = vec!["198.51.100.7".into(), owned()];
        alert.victims = vec![owned()];
        alert.community_ids = vec![owned()];
    }
    // As a rule of the user may name its type, technique and values.
    let leaked: &'static str = Box::leak(owned().into_boxed_str());
    report.alerts[1].kind = leaked;
    report.alerts[1].technique = Some(leaked);
    report.alerts[1].attack = Box::leak(Box::new([leaked]));
    report.alerts[1].protocol = leaked;
    report.alerts[0].measured[0].name = leaked;
    report.alerts[0].measured[0].unit = leaked;
    report.alerts[0].quality = vec![leaked];
    report.suppressed = vec![Suppressed { alert: report.alerts[1].clone(), entry: owned() }];
    report.incidents = detect::incidents(&report.alerts, HOUR);
    let file = FileRecord { name: owned(), bytes: 1, sha256: owned() };
    let provenance = Provenance {
        tool: owned(),
        version: owned(),
        command_line: vec![owned(), owned()],
        capture: owned(),
        inputs: vec![Input { path: owned(), bytes: 1, sha256: Some(owned()), first_frame: None }],
        configuration: serde_json::json!({ text: text }),
        choices: Choices {
            formats: vec![owned()],
            from: Some(owned()),
            to: Some(owned()),
            filter: Some(owned()),
            only: vec![owned()],
            skip: vec![owned()],
            carve: false,
        },
        rules: vec![file.clone()],
        baseline: Some(file),
        pseudonymized: None,
    };
    (report, provenance)
}

#[test]
fn hostile_texts_change_no_markup_wherever_they_stand() {
    let page_of = |text: &str| {
        let (report, provenance) = told(text);
        page(&report, &provenance)
    };
    let harmless = skeleton(&page_of("plain"));
    for text in HOSTILE {
        let page = page_of(text);
        assert_eq!(skeleton(&page), harmless, "{text}");
        assert_eq!(page.matches("<script").count(), 1, "{text}");
        assert_eq!(page.matches("</style").count(), 1, "{text}");
        assert!(!page.contains("<img") && !page.contains("<svg onload"), "{text}");
        let deceptive: String = page.chars().filter(|c| *c != '\n' && super::super::escape::is_deceptive(*c)).collect();
        assert_eq!(deceptive, "", "{text}");
    }
}

#[test]
fn hostile_texts_can_still_be_read() {
    let (report, provenance) = told(HOSTILE[0]);
    // The title of the page, the summary, the table, the finding, the timeline, the custody.
    assert!(page(&report, &provenance).matches("&lt;script&gt;alert(1)&lt;/script&gt;").count() > 20);
}

#[test]
fn nothing_is_loaded_and_nothing_outside_is_referred_to() {
    let page = page(&attack(), &provenance());
    for loader in ["src=", "url(", "@import", "<link", "<iframe", "<object", "<base", "http://", "https://", "file:"] {
        assert!(!page.contains(loader), "{loader}");
    }
    assert!(page.split("href=\"").skip(1).all(|rest| rest.starts_with('#')));
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn every_link_leads_somewhere() {
    let page = page(&attack(), &provenance());
    for target in page.split("href=\"#").skip(1).map(|rest| rest.split_once('"').unwrap().0) {
        assert!(page.contains(&format!("id=\"{target}\"")), "{target}");
    }
}

#[test]
fn the_same_report_is_the_same_page() {
    assert_eq!(page(&attack(), &provenance()), page(&attack(), &provenance()));
}

#[test]
fn the_first_screen_answers_what_to_whom_when_how_sure_and_what_next() {
    let text = text(&page(&attack(), &provenance()));
    let first = &text[..text.find("Traffic over time").unwrap()];
    for answer in [
        // The flood and the scan of one attacker are one story.
        "An attempt to overload a target, then a search for reachable hosts and services",
        "SYN flood against 192.0.2.10",
        "198.51.100.7 (scanner.example)",
        "2023-08-05 15:03:31 to 15:03:36 UTC (5.00 s)",
        "Very likely (90 %)",
        "30,000 packets/s, against a threshold of 256",
        "Look at 198.51.100.7",
    ] {
        assert!(first.contains(answer), "{answer:?} is not in {first}");
    }
    assert_eq!(first.matches("Look at 198.51.100.7").count(), 1, "advice that two alerts give is given once");
}

#[test]
fn a_quiet_capture_says_so_and_what_limits_it() {
    let mut report = report_of(vec![example::alert("traffic_anomaly", Severity::Info, example::START, example::START + SECOND)]);
    report.warnings = vec![Warning::ClockJumps { jumps: 3 }];
    let mut provenance = provenance();
    provenance.choices.skip = vec!["syn_flood".into()];
    let text = text(&page(&report, &provenance));
    for said in [
        "Nothing hostile was found",
        "1 finding below medium severity",
        "One way: 90 of 100 (90.0 %) packets",
        "Cut frames: 654 of 1,000 (65.4 %) frames are cut by the snapshot length; detectors that read contents see less",
        "The capture clock jumped 3 times",
        "5 packets could not be decoded in full",
        "These detectors were not run: syn_flood",
    ] {
        assert!(text.contains(said), "{said:?}");
    }
}

#[test]
fn a_weak_capture_is_not_called_sound_although_no_finding_is_weakened() {
    let mut report = attack();
    report.quality.checks.retain(|check| check.weakness.is_none());
    let whole = text(&page(&report, &provenance()));
    let (first, rest) = whole.split_once("Traffic over time").unwrap();
    assert!(first.contains("As evidence the capture is usable with care:Cut frames: 654 of 1,000 (65.4 %) frames are cut"), "{first}");
    assert!(rest.contains("Verdict on the capture as evidence: usable with care."));
    assert!(!whole.contains("Nothing about the quality"), "{first}");
    report.quality.checks.retain(|check| check.name != "cut_frames");
    let sound = text(&page(&report, &provenance()));
    assert!(sound.contains("Nothing about the quality of the capture weakens this.") && !sound.contains("As evidence the capture is"));
    assert!(sound.contains("Verdict on the capture as evidence: good."));
}

#[test]
fn the_page_says_of_every_check_what_info_says() {
    let report = attack();
    let page = text(&page(&report, &provenance()));
    let (_, section) = page.split_once("Quality of the capture").unwrap();
    for check in &report.quality.checks {
        for said in [check.state.name(), &check.measured, check.meaning] {
            assert!(section.contains(said), "{said:?} of {}", check.name);
        }
    }
}

#[test]
fn what_is_worth_a_look_is_not_called_clear() {
    let report = report_of(vec![example::alert("beacon", Severity::Low, example::START, example::START + SECOND)]);
    let text = text(&page(&report, &provenance()));
    assert!(text.contains("No clear attack was found, but 1 finding is worth a look"));
    assert!(!text.contains("Nothing hostile was found"));
}

#[test]
fn an_empty_capture_has_a_page_too() {
    let text = text(&page(&example::empty(), &provenance()));
    assert!(text.contains("The capture holds no packets"));
    assert!(!text.contains("Nothing hostile was found"), "nothing can be said of nothing");
}

#[test]
fn findings_show_what_was_measured_against_which_threshold() {
    let text = text(&page(&attack(), &provenance()));
    assert!(text.contains("SYN rate") && text.contains("threshold 256"));
    assert!(text.contains("T1046") && text.contains("Network Service Discovery"));
    assert!(text.contains("a b.pcap") && text.contains("nsm analyze 'a b.pcap'"));
}

#[test]
fn files_read_as_one_are_each_in_the_custody() {
    let mut report = attack();
    let mut provenance = provenance();
    let input =
        |path: &str, sha256: Option<&str>, first_frame| Input { path: path.into(), bytes: 24, sha256: sha256.map(Into::into), first_frame };
    // As the user named them; their packets came in the other order, and one was no capture.
    provenance.inputs =
        vec![input("late.pcap", Some("bbbb"), Some(1_001)), input("notes.txt", None, None), input("early.pcap", Some("aaaa"), Some(1))];
    let part = |file: &str, first_frame, frames| ChainPart { file: file.into(), first_frame, frames };
    report.facts.parts = vec![part("early.pcap", 1, 1_000), part("late.pcap", 1_001, 7)];
    let whole = text(&page(&report, &provenance));
    let (_, custody) = whole.split_once("Chain of custody").unwrap();
    for said in ["2 files read as one", "early.pcap11,00024aaaa", "late.pcap1,001724bbbb", "Filenotes.txt"] {
        assert!(custody.contains(said), "{said:?} is not in {custody}");
    }
    assert_eq!(custody.matches("late.pcap").count(), 1);

    report.facts.parts = (0..2_000).map(|number| part(&format!("{number}.pcap"), number * 10 + 1, 10)).collect();
    provenance.inputs = (0..2_000).map(|number| input(&format!("{number}.pcap"), None, Some(number * 10 + 1))).collect();
    let many = text(&page(&report, &provenance));
    assert!(many.contains("2,000 files read as one") && many.contains("1,900 more are in manifest.json."));
    assert!(many.contains("99.pcap99110") && !many.contains("100.pcap"));
}

#[test]
fn a_hostile_capture_does_not_make_a_large_page() {
    let mut report = example::report();
    let mut scan = report.alerts[1].clone();
    // As many probes as ports, everywhere: the fullest picture there can be.
    let points = (0..65_536).map(|port| Probe { ts: example::START + i64::from(port * 7_919 % 65_536), value: port, open: port % 2 == 0 });
    scan.picture = Picture::Probes { axis: "port", points: points.collect() };
    let bare = report.alerts[1].clone();
    report.alerts = (0..20_000)
        .map(|number| Alert {
            title: format!("Port scan {number}"),
            attackers: vec![format!("10.0.{}.{}", number / 256, number % 256)],
            picture: if number < 300 { scan.picture.clone() } else { Picture::None },
            ..bare.clone()
        })
        .collect();
    report.incidents = detect::incidents(&report.alerts, HOUR);
    report.hosts = (0..100_000).map(|number| super::super::model::HostRow { address: Addr::from_v4(number), ..report.hosts[0] }).collect();
    report.resolved = (0..50_000).map(|number| (Addr::from_v4(number), "x".repeat(250).into())).collect();
    report.warnings = vec![Warning::Rule { problem: "y".repeat(1_000) }; 5_000];
    let page = page(&report, &provenance());
    assert!(page.len() < 4_000_000, "{} bytes", page.len());
    let text = text(&page);
    assert!(text.contains("19,700 more findings are not shown in full here"));
    assert!(text.contains("The 50 of 100,000 hosts with the most bytes"));
    assert!(text.contains("4,950 more are in summary.json"));
}

#[test]
fn absurd_times_and_values_make_a_page_without_harm() {
    let mut report = attack();
    report.span = Some((i64::MIN, i64::MAX));
    for alert in &mut report.alerts {
        (alert.first_seen, alert.last_seen) = (i64::MIN, i64::MAX);
        alert.packet_count = u64::MAX;
        for measured in &mut alert.measured {
            (measured.value, measured.threshold) = (f64::NAN, Some(f64::INFINITY));
        }
    }
    report.timeline.buckets[0].packets = u64::MAX;
    report.timeline.buckets[0].bytes = u64::MAX;
    let page = page(&report, &provenance());
    assert!(!page.contains("left:NaN") && !page.contains("width:NaN") && !page.contains("MNaN"));
}
