//! Batches: many captures in one run, runs that are interrupted and resumed, and files that are no captures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::cast_possible_truncation, reason = "chance within the bounds that are asked for")]

mod common;
#[allow(dead_code, reason = "shared with the generators, which use more of it")]
#[path = "../examples/common/prng.rs"]
mod prng;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{TestBench, sample, tree};
use prng::SplitMix64;
use serde_json::Value;
use sha2::{Digest, Sha256};

type Files = BTreeMap<String, Vec<u8>>;

/// Fast, and enough where the files do not matter.
const LEAN: [&str; 2] = ["--format", "csv,json"];
const FILE_HEADER: usize = 24;

fn analyze(bench: &TestBench, args: &[&str]) -> common::Run {
    bench.nsm(["analyze"].iter().chain(args).chain(&LEAN))
}

/// A capture of the first `packets` packets of a sample (classic pcap, little-endian).
fn cut(bytes: &[u8], packets: usize) -> Vec<u8> {
    let mut end = FILE_HEADER;
    for _ in 0..packets {
        let Some(length) = bytes.get(end + 8..end + 12) else { break };
        end += 16 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
    }
    bytes[..end.min(bytes.len())].to_vec()
}

/// Small captures, each different, some with alerts.
fn captures(bench: &TestBench, number: usize) {
    let scan = sample("port-scan").bytes();
    for n in 0..number {
        bench.write(&format!("in/{:02}/{n}.pcap", n % 7), cut(&scan, 20 + 3 * n));
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn batch(bench: &TestBench) -> Value {
    common::json(&bench.reports().join("batch.json"))
}

fn row<'a>(batch: &'a Value, path: &str) -> &'a Value {
    batch["captures"].as_array().unwrap().iter().find(|row| row["path"] == path).unwrap_or_else(|| panic!("no row of {path}: {batch:#}"))
}

/// Everything below a directory but the moments and command lines of manifests, and the seals of these.
fn comparable(directory: &Path) -> Files {
    let mut files = tree(directory);
    files.retain(|name, _| !name.ends_with("/manifest.seal"));
    for (name, bytes) in &mut files {
        if name.ends_with("/manifest.json") {
            let mut manifest: Value = serde_json::from_slice(bytes).unwrap();
            manifest["analysed_at"] = Value::Null;
            manifest["command_line"] = Value::Null;
            *bytes = serde_json::to_vec(&manifest).unwrap();
        }
    }
    files
}

fn assert_same(want: &Files, got: &Files) {
    assert_eq!(common::difference(want, got), None);
}

/// Every file under its final name is whole: where a manifest is, each file it lists has its hash; a file that
/// has no manifest beside it is what the undisturbed run has under that name.
fn assert_nothing_partial(reports: &Path, undisturbed: &Files) {
    if !reports.is_dir() {
        return;
    }
    let files = comparable(reports);
    for (name, bytes) in &files {
        let hidden = name.rsplit('/').next().unwrap().starts_with('.');
        assert!(hidden || undisturbed.get(name) == Some(bytes), "{name} is not what it should be");
        if let Some(report) = name.strip_suffix("manifest.json") {
            let manifest: Value = serde_json::from_slice(bytes).unwrap();
            for file in manifest["files"].as_array().unwrap() {
                let listed = format!("{report}{}", file["name"].as_str().unwrap());
                assert_eq!(files.get(&listed).map(|bytes| sha256(bytes)).as_deref(), file["sha256"].as_str(), "{listed}");
            }
        }
    }
}

fn start(bench: &TestBench, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_nsm"))
        .args(["analyze"].iter().chain(args).chain(&LEAN))
        .current_dir(bench.path())
        .env("XDG_STATE_HOME", common::state_home())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A file may go while the tree is read.
fn manifests(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| if entry.path().is_dir() { manifests(&entry.path()) } else { usize::from(entry.file_name() == "manifest.json") })
        .sum()
}

fn kill_and_resume(files: usize, kills: usize) {
    let bench = TestBench::new();
    captures(&bench, files);
    let began = Instant::now();
    analyze(&bench, &["in", "-o", "whole"]).expect_code(0);
    let whole_run = began.elapsed();
    let undisturbed = comparable(&bench.path().join("whole"));
    let mut chance = SplitMix64::new(files as u64);
    for kill in 0..kills {
        let mut child = start(&bench, &["in"]);
        thread::sleep(whole_run.mul_f64(chance.between(1, 100) as f64 / 100.0 / (kill as f64 / 2.0 + 1.0)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_nothing_partial(&bench.reports(), &undisturbed);
    }
    let done = manifests(&bench.reports());
    let resumed = analyze(&bench, &["in"]).expect_code(0);
    if done > 0 {
        assert!(!resumed.stderr.contains("kept 0,"), "{done} reports were done:\n{}", resumed.stderr);
    }
    assert_same(&undisturbed, &comparable(&bench.reports()));
    analyze(&bench, &["in"]).expect_code(0).expect_message(&format!("kept {files}, redone 0, analysed 0"));
    assert_same(&undisturbed, &comparable(&bench.reports()));
}

#[test]
fn a_batch_that_was_killed_and_resumed_ends_with_the_bytes_of_an_undisturbed_one() {
    kill_and_resume(40, 3);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test batch -- --ignored"]
fn a_batch_of_200_files_killed_ten_times_ends_with_the_bytes_of_an_undisturbed_one() {
    for _ in 0..10 {
        kill_and_resume(200, 1);
    }
    kill_and_resume(200, 10);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_whole_reports_or_none_and_the_same_command_resumes() {
    let bench = TestBench::new();
    captures(&bench, 60);
    analyze(&bench, &["in", "-o", "whole"]).expect_code(0);
    let undisturbed = comparable(&bench.path().join("whole"));
    let mut child = start(&bench, &["in", "-j", "2"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while manifests(&bench.reports()) < 3 && Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(130));
    let files = tree(&bench.reports());
    let manifests = files.keys().filter(|name| name.ends_with("/manifest.json")).count();
    let directories: BTreeSet<&str> = files.keys().filter_map(|name| Some(name.rsplit_once('/')?.0)).collect();
    assert!((3..60).contains(&manifests), "{manifests}");
    assert_eq!(directories.len(), manifests, "a report without a manifest");
    assert!(files.keys().all(|name| !name.contains("partial")));
    let listed = batch(&bench);
    assert_eq!(listed["captures"].as_array().unwrap().len(), manifests);
    assert!(listed["interrupted"].as_str().unwrap().starts_with(&format!("interrupted: {manifests} of 60")), "{listed:#}");
    analyze(&bench, &["in"]).expect_code(0).expect_message(&format!("kept {manifests}, redone 0, analysed {}", 60 - manifests));
    assert_same(&undisturbed, &comparable(&bench.reports()));
}

#[test]
fn what_is_no_capture_damaged_or_missing_stops_nothing() {
    let bench = TestBench::new();
    bench.write("in/scan.pcap", sample("port-scan").bytes());
    bench.write("in/again.pcap", sample("port-scan").bytes());
    bench.write("in/damaged.pcap", sample("damaged-length").bytes());
    bench.write("in/empty.pcap", "");
    bench.write("in/notes.txt", "only notes\n");
    fs::create_dir_all(bench.path().join("in/nothing/here")).unwrap();
    analyze(&bench, &["in", "missing.pcap"])
        .expect_code(3)
        .expect_message("cannot open missing.pcap")
        .expect_message("skipped in/notes.txt: not a capture: it looks like a text file")
        .expect_message("kept 0, redone 0, analysed 3; 2 not a capture; 1 unreadable");
    let batch = batch(&bench);
    let status = |path| row(&batch, path)["status"].as_str().unwrap();
    assert_eq!(
        ["in/scan.pcap", "in/damaged.pcap", "in/empty.pcap", "in/notes.txt", "missing.pcap"].map(status),
        ["analysed", "damaged", "not_a_capture", "not_a_capture", "unreadable"]
    );
    assert_eq!(row(&batch, "in/scan.pcap")["same_as"]["path"], "in/again.pcap");
    assert_eq!(row(&batch, "in/again.pcap").get("same_as"), None);
    assert_eq!(row(&batch, "in/scan.pcap")["sha256"], sha256(&sample("port-scan").bytes()));
    assert_eq!(batch["totals"]["duplicates"], 1);
    let frames = sample("port-scan").expectation().frames;
    assert_eq!(row(&batch, "in/scan.pcap")["result"]["frames"], frames);
}

#[test]
fn a_path_that_cannot_be_read_stops_nothing() {
    let bench = TestBench::new();
    bench.write("in/a.pcap", sample("port-scan").bytes());
    // Permissions do not bind root: a directory and a link to nothing cannot be read by anybody.
    fs::create_dir(bench.path().join("dir.pcap")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", bench.path().join("link.pcap")).unwrap();
    #[cfg(not(unix))]
    fs::create_dir(bench.path().join("link.pcap")).unwrap();
    analyze(&bench, &["in", "link.pcap", "dir.pcap"]).expect_code(3).expect_message("error: cannot open link.pcap");
    assert_eq!(batch(&bench)["totals"]["analysed"], 1);
    assert_eq!(batch(&bench)["totals"]["unreadable"], 1);
}

#[test]
fn reports_are_kept_untouched_until_something_changes() {
    let bench = TestBench::new();
    captures(&bench, 6);
    analyze(&bench, &["in"]).expect_code(0);
    let touched = |name: &str| fs::metadata(bench.reports().join(name)).unwrap().modified().unwrap();
    let (kept, changed) = ("00/0.pcap/manifest.json", "03/3.pcap/manifest.json");
    let before = (touched(kept), touched(changed));
    bench.write("in/03/3.pcap", cut(&sample("port-scan").bytes(), 90));
    analyze(&bench, &["in"]).expect_code(0).expect_message("kept 5, redone 1, analysed 0");
    assert_eq!(touched(kept), before.0);
    assert!(touched(changed) > before.1);
    assert_eq!(row(&batch(&bench), "in/03/3.pcap")["result"]["frames"], 90);
    for (change, what) in [
        (&["--set", "scan.ports=40"][..], "a setting"),
        (&["--skip", "port_scan"], "the detectors"),
        (&["--from", "2020-01-01"], "the period"),
        (&["--force"], "nothing, but --force"),
    ] {
        let args: Vec<&str> = ["in"].iter().chain(change).copied().collect();
        let run = analyze(&bench, &args).expect_code(0);
        assert!(run.stderr.contains("kept 0, redone 6, analysed 0"), "{what} changed:\n{}", run.stderr);
    }
    bench.nsm(["analyze", "in", "--format", "json", "--from", "2020-01-01"]).expect_code(0).expect_message("kept 0, redone 6");
    assert!(!bench.reports().join("00/0.pcap/alerts.csv").exists(), "a format that is no longer asked for");
}

#[test]
fn without_a_hash_nothing_is_kept() {
    let bench = TestBench::new();
    captures(&bench, 3);
    analyze(&bench, &["in", "--hash", "none"]).expect_code(0);
    analyze(&bench, &["in", "--hash", "none"]).expect_code(0).expect_message("kept 0, redone 3");
    analyze(&bench, &["in"]).expect_code(0).expect_message("kept 0, redone 3");
}

#[test]
fn a_baseline_is_learned_from_every_capture_and_not_from_kept_reports() {
    let bench = TestBench::new();
    captures(&bench, 5);
    analyze(&bench, &["in", "--save-baseline", "first.json"]).expect_code(0);
    analyze(&bench, &["in", "--save-baseline", "second.json", "-j", "2"]).expect_code(0).expect_message("kept 0, redone 5");
    let [first, second] = ["first.json", "second.json"].map(|name| fs::read(bench.path().join(name)).unwrap());
    assert!(first == second);
}

#[test]
fn a_planted_manifest_is_not_believed() {
    let bench = TestBench::new();
    captures(&bench, 1);
    analyze(&bench, &["in"]).expect_code(0);
    let report = bench.reports().join("00/0.pcap");
    let whole = comparable(&bench.reports());
    let manifest = fs::read(report.join("manifest.json")).unwrap();
    let tampered = |change: &dyn Fn(&mut Value)| {
        let mut forged: Value = serde_json::from_slice(&manifest).unwrap();
        change(&mut forged);
        fs::write(report.join("manifest.json"), serde_json::to_vec_pretty(&forged).unwrap()).unwrap();
        analyze(&bench, &["in"]).expect_code(0).expect_message("kept 0, redone 1, analysed 0");
        assert_same(&whole, &comparable(&bench.reports()));
    };
    tampered(&|manifest| manifest["files"] = Value::Array(Vec::new()));
    tampered(&|manifest| manifest["files"][0]["sha256"] = "0".repeat(64).into());
    tampered(&|manifest| manifest["files"][0]["name"] = "../../../in/00/0.pcap".into());
    tampered(&|manifest| manifest["inputs"][0]["sha256"] = "0".repeat(64).into());
    tampered(&|manifest| manifest["version"] = "0.0.1".into());
    tampered(&|manifest| manifest["result"] = Value::Null);
    tampered(&|manifest| manifest["configuration"]["scan"]["ports"] = 16.into());
    fs::write(report.join("manifest.json"), "{").unwrap();
    analyze(&bench, &["in"]).expect_code(0).expect_message("redone 1");
    fs::write(report.join("alerts.csv"), "nothing happened\n").unwrap();
    analyze(&bench, &["in"]).expect_code(0).expect_message("redone 1");
    assert_same(&whole, &comparable(&bench.reports()));
}

#[cfg(unix)]
#[test]
fn file_names_may_hold_any_byte() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let bench = TestBench::new();
    let names: [&[u8]; 6] = [b"10:00:05 a b.pcap", b"new\nline.pcap", b"\xff\xfe.pcap", b"=cmd.pcap", b"<script>alert(1)<.pcap", b"-q"];
    fs::create_dir(bench.path().join("in")).unwrap();
    for name in names {
        fs::write(bench.path().join("in").join(OsStr::from_bytes(name)), sample("port-scan").bytes()).unwrap();
    }
    let run = analyze(&bench, &["in"]).expect_code(0).expect_message("analysed 6").expect_message("in/new\\nline.pcap: ");
    assert!(run.stderr.contains("in/\\xff\\xfe.pcap: "), "{}", run.stderr);
    for name in names {
        assert!(bench.reports().join(OsStr::from_bytes(name)).join("alerts.csv").is_file(), "{name:?}");
    }
    let batch = batch(&bench);
    assert_eq!(row(&batch, "in/\u{fffd}\u{fffd}.pcap")["path_bytes"], "696e2ffffe2e70636170");
    let page = fs::read_to_string(bench.reports().join("index.html")).unwrap();
    assert_eq!(page.matches("<script").count(), 1, "the one that sorts and filters");
    for link in ["./10%3A00%3A05%20a%20b.pcap/alerts.csv", "./%FF%FE.pcap/alerts.csv", "./new%0Aline.pcap/alerts.csv"] {
        assert!(page.contains(&format!("href=\"{link}\"")), "{link}");
    }
    let table = fs::read_to_string(bench.reports().join("batch.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + names.len());
    analyze(&bench, &["in"]).expect_code(0).expect_message("kept 6, redone 0, analysed 0");
}

#[test]
fn the_worst_comes_first_and_threads_do_not_matter() {
    let bench = TestBench::new();
    captures(&bench, 12);
    bench.write("in/z-rate.pcap", sample("high-rate").bytes());
    bench.write("in/damaged.pcap", sample("damaged-length").bytes());
    bench.write("in/notes.txt", "notes");
    analyze(&bench, &["in", "-o", "one", "-j", "1"]).expect_code(3);
    analyze(&bench, &["in", "-o", "two", "-j", "2"]).expect_code(3);
    let [one, two] = ["one", "two"].map(|name| comparable(&bench.path().join(name)));
    assert_same(&one, &two);
    let batch: Value = serde_json::from_slice(&one["batch.json"]).unwrap();
    let rows = batch["captures"].as_array().unwrap();
    let badness: Vec<Option<Vec<u64>>> = rows
        .iter()
        .map(|row| {
            let alerts = row["result"]["alerts"].as_object()?;
            Some(["critical", "high", "medium", "low", "info"].map(|severity| alerts[severity].as_u64().unwrap()).to_vec())
        })
        .collect();
    assert!(badness.is_sorted_by(|a, b| a >= b), "{badness:?}");
    assert!(badness[0] > badness[badness.len() - 2], "nothing to sort: {badness:?}");
    let alerts = |severity: &str| -> u64 {
        one.iter()
            .filter(|(name, _)| name.ends_with("/summary.json"))
            .map(|(_, bytes)| serde_json::from_slice::<Value>(bytes).unwrap()["alerts"]["by_severity"][severity].as_u64().unwrap())
            .sum()
    };
    for severity in ["critical", "high", "medium", "low", "info"] {
        assert_eq!(batch["totals"]["alerts"][severity], alerts(severity), "the summaries of the reports say otherwise: {severity}");
    }
}

/// Time and memory are measured by hand; this shows that nothing is used up on the way (files, threads), that
/// every capture has its row and its report, and that all of them are known again.
#[test]
fn five_thousand_captures_are_a_batch_like_any_other() {
    const MANY: usize = 5_000;
    let bench = TestBench::new();
    let scan = sample("port-scan").bytes();
    for n in 0..MANY {
        // A hundred different ones, from one packet to a hundred.
        bench.write(&format!("in/{:02}/{n}.pcap", n % 50), cut(&scan, 1 + n % 100));
    }
    analyze(&bench, &["in"]).expect_code(0);
    let first = batch(&bench);
    assert_eq!(first["captures"].as_array().unwrap().len(), MANY);
    assert_eq!(manifests(&bench.reports()), MANY);
    let frames: u64 = first["captures"].as_array().unwrap().iter().map(|row| row["result"]["frames"].as_u64().unwrap()).sum();
    assert_eq!(frames, (MANY as u64 / 100) * (1..=100).sum::<u64>());
    let again = analyze(&bench, &["in"]).expect_code(0);
    assert!(again.stderr.contains("kept 5000, redone 0, analysed 0"), "{}", again.stderr);
    assert_eq!(batch(&bench), first);
}

#[test]
fn reports_below_the_input_are_not_analysed() {
    let bench = TestBench::new();
    captures(&bench, 3);
    analyze(&bench, &["in", "-o", "in/reports"]).expect_code(0).expect_message("analysed 3");
    let before = comparable(&bench.path().join("in/reports"));
    analyze(&bench, &["in", "-o", "in/reports"]).expect_code(0).expect_message("kept 3, redone 0, analysed 0");
    assert_same(&before, &comparable(&bench.path().join("in/reports")));
}

#[test]
fn nothing_to_analyse_is_exit_code_1() {
    let bench = TestBench::new();
    fs::create_dir(bench.path().join("in")).unwrap();
    analyze(&bench, &["in"]).expect_code(1).expect_message("no capture could be analysed");
    assert!(!bench.reports().exists());
    bench.write("in/notes.txt", "notes");
    analyze(&bench, &["in"]).expect_code(1).expect_message("no capture could be analysed");
}

#[test]
fn kept_reports_count_for_the_exit_code() {
    let bench = TestBench::new();
    bench.write("in/scan.pcap", sample("port-scan").bytes());
    for _ in 0..2 {
        analyze(&bench, &["in", "--fail-on", "medium"]).expect_code(4);
        analyze(&bench, &["in"]).expect_code(0).expect_message("kept 1");
    }
}

#[test]
fn files_of_others_are_not_overwritten() {
    let bench = TestBench::new();
    captures(&bench, 1);
    bench.write("reports/index.html", "<h1>mine</h1>");
    analyze(&bench, &["in"]).expect_code(2).expect_message("index.html is not from a batch of nsm").expect_message("--force");
    assert_eq!(fs::read(bench.reports().join("index.html")).unwrap(), b"<h1>mine</h1>");
    analyze(&bench, &["in", "--force"]).expect_code(0);
    analyze(&bench, &["in"]).expect_code(0).expect_message("kept 1");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files_over_all_reports() {
    use std::os::unix::fs::PermissionsExt;
    let bench = TestBench::new();
    captures(&bench, 1);
    analyze(&bench, &["in"]).expect_code(0);
    for name in ["index.html", "batch.csv", "batch.json"] {
        assert_eq!(fs::metadata(bench.reports().join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}
