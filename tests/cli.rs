//! The command line as a user meets it: exit codes, messages, and what is documented.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;

use common::{TestBench, root, sample};
use flate2::Compression;
use flate2::write::GzEncoder;
use network_security_monitor::detect::{DETECTORS, Detector};
use serde::Deserialize;
use serde_json::Value;

/// The sample that most of these tests read: one scan, nothing else.
fn scan() -> String {
    sample("port-scan").capture.to_str().unwrap().to_owned()
}

/// Fast, and enough where the files do not matter.
const LEAN: [&str; 4] = ["--format", "json", "--hash", "none"];

fn analyze(bench: &TestBench, args: &[&str]) -> common::Run {
    bench.nsm(["analyze"].iter().chain(args).chain(&LEAN))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

#[test]
fn a_capture_that_can_be_read_is_done() {
    analyze(&TestBench::new(), &[&scan()]).expect_code(0);
}

#[test]
fn a_file_that_does_not_exist_is_exit_code_1_with_a_hint() {
    analyze(&TestBench::new(), &["no-such.pcap"])
        .expect_code(1)
        .expect_message("cannot open no-such.pcap")
        .expect_message("hint: check the path");
}

#[test]
fn a_file_that_is_no_capture_is_exit_code_1_and_says_what_it_looks_like() {
    let bench = TestBench::new();
    bench.write("notes.txt", "just some notes, nothing else\n");
    analyze(&bench, &["notes.txt"]).expect_code(1).expect_message("notes.txt is not a capture: it looks like a text file");
    bench.write("empty.pcap", "");
    analyze(&bench, &["empty.pcap"]).expect_code(1).expect_message("the file is empty");
    assert!(!bench.reports().exists(), "nothing was analysed, and a report is there");
}

#[test]
fn a_directory_without_captures_is_exit_code_1() {
    let bench = TestBench::new();
    bench.write("captures/notes.txt", "notes");
    analyze(&bench, &["captures"]).expect_code(1).expect_message("no capture could be analysed");
}

#[test]
fn other_files_in_a_directory_do_not_matter() {
    let bench = TestBench::new();
    bench.write("captures/notes.txt", "notes");
    bench.write("captures/deep/scan.pcap", sample("port-scan").bytes());
    analyze(&bench, &["captures"]).expect_code(0).expect_message("notes.txt: not a capture");
    assert_eq!(bench.alerts("deep/scan.pcap").len(), 1);
}

#[test]
fn an_unreadable_input_among_others_is_exit_code_3() {
    let bench = TestBench::new();
    analyze(&bench, &[&scan(), "no-such.pcap"]).expect_code(3).expect_message("cannot open no-such.pcap");
    assert_eq!(bench.alerts("capture.pcap").len(), 1);
}

#[test]
fn a_damaged_capture_is_analysed_and_exit_code_3() {
    let bench = TestBench::new();
    let damaged = sample("damaged-length");
    analyze(&bench, &[damaged.capture.to_str().unwrap()]).expect_code(3);
    let summary = bench.summary("capture.pcap");
    assert_eq!(summary["warnings"][0]["kind"], "corrupt", "{summary:#}");
    assert_eq!(summary["capture"]["frames"], damaged.expectation().frames);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let bench = TestBench::new();
    let scan = scan();
    for args in [&["analyze"][..], &["analyze", &scan, "--format", "xml"], &["analyse", &scan], &["analyze", &scan, "--threads", "0"]] {
        bench.nsm(args).expect_code(2);
    }
    analyze(&bench, &[&scan, "--from", "2026-01-02", "--to", "2026-01-01"])
        .expect_code(2)
        .expect_message("--from must be earlier than --to");
}

#[test]
fn a_setting_that_cannot_be_used_is_named_with_its_path_and_range() {
    let bench = TestBench::new();
    analyze(&bench, &[&scan(), "--set", "scan.ports=1"])
        .expect_code(2)
        .expect_message("scan.ports")
        .expect_message("from 2 to 65535")
        .expect_message("hint:");
    analyze(&bench, &[&scan(), "--set", "scan.port=30"]).expect_code(2).expect_message("did you mean `scan.ports`?");
    bench.write("wrong.yaml", "scan: { ports: many }\n");
    analyze(&bench, &[&scan(), "-C", "wrong.yaml"]).expect_code(2).expect_message("scan.ports").expect_message("from 2 to 65535");
}

#[test]
fn fail_on_is_exit_code_4_from_that_severity_and_wins_over_damage() {
    let bench = TestBench::new();
    let scan = scan();
    analyze(&bench, &[&scan, "--fail-on", "medium", "--force"]).expect_code(4);
    analyze(&bench, &[&scan, "--fail-on", "critical", "--force"]).expect_code(0);
    let damaged = sample("damaged-cut").capture;
    let damaged = damaged.to_str().unwrap();
    analyze(&bench, &[damaged, "--fail-on", "medium", "--force"]).expect_code(4);
    analyze(&bench, &[damaged, "--fail-on", "critical", "--force"]).expect_code(3);
}

#[test]
fn a_report_is_replaced_only_with_force() {
    let bench = TestBench::new();
    let scan = scan();
    analyze(&bench, &[&scan]).expect_code(0);
    let before = common::tree(&bench.reports());
    analyze(&bench, &[&scan]).expect_code(2).expect_message("already holds a report").expect_message("--force");
    assert_eq!(common::tree(&bench.reports()), before);
    analyze(&bench, &[&scan, "--force"]).expect_code(0);
}

#[test]
fn standard_input_is_a_capture_like_any_other() {
    let bench = TestBench::new();
    bench.nsm_fed(["analyze", "-"].iter().chain(&LEAN), &sample("port-scan").bytes()).expect_code(0);
    let alerts = bench.alerts("stdin");
    assert_eq!((alerts.len(), &alerts[0]["type"]), (1, &Value::from("port_scan")));
    assert_eq!(alerts[0]["capture"]["file"], "-");
}

#[test]
fn a_compressed_capture_gives_the_same_alerts() {
    let bench = TestBench::new();
    let plain = sample("port-scan").bytes();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain).unwrap();
    bench.write("a/scan", &plain);
    bench.write("b/scan", encoder.finish().unwrap());
    analyze(&bench, &["a/scan", "b/scan"]).expect_code(0);
    let ids = |report| bench.alerts(report).iter().map(|alert| alert["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids("a/scan"), ids("b/scan"));
    assert_eq!(bench.summary("b/scan")["capture"]["compression"], "gzip");
}

#[test]
fn a_detector_can_be_chosen_or_left_out() {
    let bench = TestBench::new();
    let scan = scan();
    analyze(&bench, &[&scan, "--skip", "port_scan"]).expect_code(0);
    assert!(bench.alerts("capture.pcap").iter().all(|alert| alert["type"] != "port_scan"));
    analyze(&bench, &[&scan, "--only", "syn_flood,port_scan", "--force"]).expect_code(0);
    assert!(bench.alerts("capture.pcap").iter().any(|alert| alert["type"] == "port_scan"));
}

#[test]
fn an_unknown_detector_is_answered_with_the_nearest_one() {
    let bench = TestBench::new();
    for option in ["--only", "--skip"] {
        analyze(&bench, &[&scan(), option, "port_scam"]).expect_code(2).expect_message("did you mean port_scan?");
    }
    bench.nsm(["detectors", "sin_flood"]).expect_code(2).expect_message("did you mean syn_flood?");
}

#[test]
fn the_printed_configuration_is_a_configuration() {
    let bench = TestBench::new();
    let printed = bench.nsm(["config", "--set", "scan.ports=777"]).expect_code(0).stdout;
    bench.write("nsm.yaml", &printed);
    assert_eq!(bench.nsm(["config", "-C", "nsm.yaml"]).expect_code(0).stdout, printed);
    analyze(&bench, &[&scan(), "-C", "nsm.yaml"]).expect_code(0);
    assert_eq!(common::json(&bench.reports().join("capture.pcap/manifest.json"))["configuration"]["scan"]["ports"], 777);
}

#[test]
fn what_is_allowed_is_listed_as_suppressed() {
    let bench = TestBench::new();
    bench.write("nsm.yaml", "allow:\n  - { source: 203.0.113.66, detector: port_scan, reason: our own scanner }\n");
    analyze(&bench, &[&scan(), "-C", "nsm.yaml", "--fail-on", "low"]).expect_code(0);
    assert!(bench.alerts("capture.pcap").is_empty());
    let suppressed = &bench.summary("capture.pcap")["suppressed"];
    assert_eq!(suppressed[0]["type"], "port_scan");
    assert!(suppressed[0]["entry"].as_str().unwrap().contains("our own scanner"));
}

#[test]
fn the_list_of_detectors_is_complete_and_each_explains_itself() {
    let bench = TestBench::new();
    let list = bench.nsm(["detectors"]).expect_code(0).stdout;
    let listed: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, DETECTORS.map(Detector::id));
    for id in listed {
        let explained = bench.nsm(["detectors", id]).expect_code(0).stdout;
        assert!(explained.starts_with(&format!("# {id}: ")), "{explained}");
        for section in ["What it finds", "Why it matters", "How", "Thresholds", "False positives", "References"] {
            assert!(
                explained.lines().any(|line| line.starts_with('#') && line.contains(section)),
                "{id} has no section {section:?}:\n{explained}"
            );
        }
    }
}

#[test]
fn every_option_of_analyze_is_in_the_readme() {
    let help = TestBench::new().nsm(["analyze", "--help"]).expect_code(0).stdout;
    let is_flag_letter = |c: char| c.is_ascii_lowercase() || c == '-';
    let options: BTreeSet<&str> = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(|line| line.split_once("--"))
        .map(|(_, rest)| rest.split(|c| !is_flag_letter(c)).next().unwrap())
        .filter(|option| *option != "help")
        .collect();
    assert!(options.contains("output") && options.contains("set") && options.len() > 10, "{options:?}");
    let readme = readme();
    let missing: Vec<&&str> = options.iter().filter(|option| !readme.contains(&format!("--{option}"))).collect();
    assert!(missing.is_empty(), "not in README.md: {missing:?}");
}

#[test]
fn the_table_of_detectors_in_the_readme_is_the_catalogue() {
    let readme = readme();
    let rows = readme.lines().skip_while(|line| !line.starts_with("| detector |")).skip(2).take_while(|line| line.starts_with('|'));
    let ids: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(ids, DETECTORS.map(Detector::id));
}

#[test]
fn nothing_but_data_goes_to_standard_output() {
    let bench = TestBench::new();
    let run = analyze(&bench, &[&scan(), "-v"]).expect_code(0);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("Port scan"), "{}", run.stderr);
    let quiet = analyze(&bench, &[&scan(), "--force", "-q"]).expect_code(0);
    assert_eq!((quiet.stdout, quiet.stderr), (String::new(), String::new()));
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let bench = TestBench::new();
    let coloured = |args: &[&str]| analyze(&bench, args).expect_code(0).stderr.contains('\x1b');
    assert!(!coloured(&[&scan(), "--force"]));
    assert!(coloured(&[&scan(), "--force", "--color", "always"]));
}

#[test]
fn captures_of_one_name_in_two_directories_do_not_meet() {
    let bench = TestBench::new();
    bench.write("a/x.pcap", sample("port-scan").bytes());
    bench.write("b/x.pcap", sample("high-rate").bytes());
    analyze(&bench, &["a/x.pcap", "b/x.pcap"]).expect_code(0);
    let kinds = |report| bench.alerts(report).iter().map(|alert| alert["type"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert!(kinds("a/x.pcap").contains("port_scan") && !kinds("b/x.pcap").contains("port_scan"));
    assert!(kinds("b/x.pcap").contains("high_connection_rate"));
}

/// Named by their absolute paths, or with steps up, captures are told apart too.
#[test]
fn captures_of_one_name_do_not_meet_however_they_are_named() {
    let bench = TestBench::new();
    let a = bench.write("a/x.pcap", sample("port-scan").bytes());
    let b = bench.write("b/x.pcap", sample("high-rate").bytes());
    analyze(&bench, &[a.to_str().unwrap(), b.to_str().unwrap()]).expect_code(0);
    let reports = common::tree(&bench.reports());
    assert_eq!(reports.keys().filter(|name| name.ends_with("alerts.jsonl")).count(), 2, "{:?}", reports.keys());
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_report() {
    use std::os::unix::fs::PermissionsExt;
    let bench = TestBench::new();
    bench.nsm(["analyze", &scan()]).expect_code(0);
    let report = bench.reports().join("capture.pcap");
    let files = common::tree(&report);
    assert!(files.len() > 10, "{:?}", files.keys());
    for name in files.keys() {
        let mode = fs::metadata(report.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
}

#[test]
fn the_manifest_lists_every_file_with_its_hash() {
    let bench = TestBench::new();
    bench.nsm(["analyze", &scan()]).expect_code(0);
    let report = bench.reports().join("capture.pcap");
    let manifest = common::json(&report.join("manifest.json"));
    let listed: BTreeSet<&str> = manifest["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    let files = common::tree(&report);
    let written: BTreeSet<&str> = files.keys().map(String::as_str).filter(|name| *name != "manifest.json").collect();
    assert_eq!(listed, written);
    for file in manifest["files"].as_array().unwrap() {
        let bytes = &files[file["name"].as_str().unwrap()];
        assert_eq!((&file["bytes"], &file["sha256"]), (&Value::from(bytes.len()), &Value::from(sha256(bytes))), "{file}");
    }
    assert_eq!(manifest["inputs"][0]["sha256"], sha256(&sample("port-scan").bytes()));
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `alerts.jsonl` as one who consumes it would declare it; a field more or less breaks them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "fields are declared to be checked, not to be used")]
struct Line {
    id: String,
    status: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(deserialize_with = "Option::deserialize")]
    technique: Option<String>,
    title: String,
    message: String,
    severity: String,
    confidence: f64,
    attack: Vec<String>,
    first_seen: String,
    last_seen: String,
    detected_at: String,
    attackers: Vec<String>,
    attacker_count: u64,
    victims: Vec<String>,
    victim_count: u64,
    ports: Vec<u16>,
    port_count: u64,
    protocol: String,
    measured: Vec<Measurement>,
    window_s: f64,
    flow_count: u64,
    packet_count: u64,
    frames: Frames,
    community_ids: Vec<String>,
    capture: Capture,
    quality: Vec<String>,
    next_steps: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
struct Measurement {
    name: String,
    value: f64,
    unit: String,
    threshold: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frames {
    first: u64,
    last: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
struct Capture {
    file: String,
}

#[test]
fn every_line_of_alerts_has_the_documented_fields_and_no_others() {
    let check = |sample: &common::Sample| {
        let bench = TestBench::new();
        analyze(&bench, &[sample.capture.to_str().unwrap()]);
        let report = bench.reports().join(sample.capture.file_name().unwrap());
        let text = fs::read_to_string(report.join("alerts.jsonl")).unwrap();
        text.lines().filter_map(|line| wrong_with(line).map(|wrong| format!("{}: {wrong}: {line}", sample.name))).collect()
    };
    common::all_well(&common::for_each(&common::samples(), check));
}

fn wrong_with(line: &str) -> Option<String> {
    let alert: Line = match serde_json::from_str(line) {
        Ok(alert) => alert,
        Err(cause) => return Some(cause.to_string()),
    };
    let is_time = |text: &str| text.len() == "2024-01-01T00:00:00.000000000Z".len() && text.ends_with('Z');
    [
        (alert.id.len() == 16, "an id of 16 hexadecimal digits"),
        (alert.status == "final", "a final status"),
        (DETECTORS.iter().any(|detector| detector.id() == alert.kind), "a type of the catalogue"),
        ((0.0..=1.0).contains(&alert.confidence), "a confidence from 0 to 1"),
        ([&alert.first_seen, &alert.last_seen, &alert.detected_at].into_iter().all(|text| is_time(text)), "times with nine digits"),
        (alert.first_seen <= alert.last_seen, "an end after its beginning"),
        (alert.frames.first >= 1 && alert.frames.first <= alert.frames.last, "frames that exist"),
        // Forged senders are counted and not listed.
        (alert.attackers.len() as u64 <= alert.attacker_count.min(20), "up to 20 attackers, and their number"),
        (alert.victims.len() as u64 == alert.victim_count.min(20), "up to 20 victims, and their number"),
        (alert.ports.len() as u64 <= alert.port_count.min(20), "up to 20 ports, and their number"),
        (alert.community_ids.len() <= 20, "up to 20 community ids"),
        (!alert.measured.is_empty(), "what was measured"),
        (!alert.next_steps.is_empty(), "what to do next"),
    ]
    .into_iter()
    .find_map(|(holds, wanted)| (!holds).then(|| format!("it should have {wanted}")))
}

#[test]
fn completions_and_manual_are_printed() {
    let bench = TestBench::new();
    assert!(bench.nsm(["completions", "bash"]).expect_code(0).stdout.contains("nsm"));
    assert!(bench.nsm(["man"]).expect_code(0).stdout.contains(".TH nsm"));
}

#[cfg(not(feature = "live"))]
#[test]
fn without_libpcap_it_is_said_how_to_get_it() {
    let bench = TestBench::new();
    for args in [&["--list-interfaces"][..], &["--filter", "tcp", &scan()]] {
        bench.nsm(["analyze"].iter().chain(args)).expect_code(2).expect_message("cargo build --release --features live");
    }
    assert!(!bench.reports().exists());
}

#[cfg(feature = "live")]
#[test]
fn the_interfaces_are_a_table_on_standard_output() {
    let run = TestBench::new().nsm(["analyze", "--list-interfaces"]).expect_code(0);
    let mut lines = run.stdout.lines();
    assert_eq!(lines.next().unwrap().split_whitespace().collect::<Vec<_>>(), ["Interface", "State", "Addresses", "Description"]);
    assert!(lines.any(|line| line.starts_with("lo ") && line.contains("loopback")), "{}", run.stdout);
}
