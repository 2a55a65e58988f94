//! Stored tables give the same verdict as the packets did, and other verdicts with other settings.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on says where")]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use common::TestBench;
use network_security_monitor::analysis;
use network_security_monitor::capture::{FileSource, Source};
use network_security_monitor::config::Config;
use network_security_monitor::error::Error;
use network_security_monitor::pipeline::{self, Options};
use network_security_monitor::report::OutputDir;
use network_security_monitor::stored;

fn opened(report: &Path, name: &str) -> Result<File, Error> {
    File::open(report.join(name)).map_err(|cause| Error::Open { path: name.into(), cause })
}

/// Judges what a source gives, stores it, reads it back and judges that.
fn difference(name: &str, source: &mut dyn Source) -> Vec<String> {
    let (config, dir) = (Config::default(), tempfile::tempdir().unwrap());
    let measured = pipeline::measure(source, &config.base, &Options::default(), &mut |_| Ok(())).unwrap();
    let want = analysis::judge("capture", &measured, &config, &|_| true).unwrap();
    stored::write(&measured, &OutputDir::create(dir.path(), false).unwrap()).unwrap();
    drop(measured);
    let read = stored::read(&|name| opened(dir.path(), name), &config.base, false).unwrap();
    let got = analysis::judge("capture", &read, &config, &|_| true).unwrap();
    let files = |report| common::text_files(report, Vec::new());
    common::difference(&files(want), &files(got)).map(|difference| format!("{name}: {difference}")).into_iter().collect()
}

#[test]
fn the_verdict_on_stored_tables_of_a_sample_is_that_on_its_packets() {
    common::all_well(&common::for_each(&common::samples(), |sample| {
        difference(&sample.name, &mut common::source(sample.bytes()).unwrap())
    }));
}

#[test]
fn the_verdict_on_stored_tables_of_the_corpus_is_that_on_its_packets() {
    common::all_well(&common::for_each(&common::corpus(), |path| {
        difference(&path.display().to_string(), &mut FileSource::open(path).unwrap())
    }));
}

/// A report of the mixed incident, made with these options besides.
fn analyzed(more: &[&str]) -> TestBench {
    report_of("mixed-incident", more)
}

fn report_of(sample: &str, more: &[&str]) -> TestBench {
    let bench = TestBench::new();
    let capture = common::samples().into_iter().find(|known| known.name == sample).unwrap();
    let path = bench.write("a.pcap", capture.bytes());
    let args = ["analyze", path.file_name().unwrap().to_str().unwrap(), "--format", "csv,json,parquet"];
    bench.nsm(args.iter().chain(more)).expect_code(0);
    bench
}

fn read(bench: &TestBench, name: &str) -> String {
    fs::read_to_string(bench.path().join(name)).unwrap()
}

#[test]
fn unchanged_settings_write_the_same_report_again() {
    let bench = analyzed(&["--set", "scan.ports=20", "--skip", "dga"]);
    let run = bench.nsm(["judge", "reports", "-o", "judged", "--format", "csv,json,parquet"]).expect_code(0);
    assert!(run.stdout.contains("a.pcap: 0 appear, 0 disappear, 0 change, "), "{}", run.stdout);
    let (mut then, mut now) = (common::tree(&bench.path().join("reports/a.pcap")), common::tree(&bench.path().join("judged/a.pcap")));
    assert!(then.remove("manifest.json").is_some() && now.remove("manifest.json").is_some());
    assert_eq!(common::difference(&then, &now), None);
    let listed = |dir: &str| common::json(&bench.path().join(dir).join("a.pcap/manifest.json"))["files"].clone();
    assert_eq!(listed("reports"), listed("judged"));
}

#[test]
fn other_settings_show_what_appears_and_what_disappears() {
    // Its expect.json says that these settings find what the defaults do not, or only suspect.
    let bench = report_of("below-threshold", &[]);
    let changes = |run: &common::Run, kind: &str| {
        ['+', '-', '~'].map(|mark| {
            let lines = run.stdout.lines().filter(|line| line.trim_start().starts_with(mark) && line.contains(kind));
            lines.count()
        })
    };
    let looser = bench
        .nsm(["judge", "reports", "--set", "scan.ports=12", "--set", "scan.block_pairs=49", "-o", "looser", "--fail-on", "medium"])
        .expect_code(4);
    assert_eq!((changes(&looser, "block_scan"), changes(&looser, "port_scan")), ([1, 0, 0], [0, 1, 1]), "{}", looser.stdout);
    let back = bench.nsm(["judge", "looser", "--set", "scan.ports=15", "--set", "scan.block_pairs=50"]).expect_code(0);
    assert_eq!((changes(&back, "block_scan"), changes(&back, "port_scan")), ([0, 1, 0], [1, 0, 1]), "{}", back.stdout);
    let file = bench.write("allow.yaml", "scan: { ports: 12, block_pairs: 49 }\nallow: [{ detector: port_scan }]\n");
    let allowed = bench.nsm(["judge", "looser", "-C", file.to_str().unwrap(), "--only", "port_scan", "--fail-on", "low"]).expect_code(0);
    assert_eq!((changes(&allowed, "block_scan"), changes(&allowed, "port_scan")), ([0, 1, 0], [0, 1, 0]), "{}", allowed.stdout);
}

#[test]
fn judging_reads_no_packet_and_needs_no_capture() {
    let bench = analyzed(&[]);
    fs::remove_file(bench.path().join("a.pcap")).unwrap();
    let run = bench.nsm(["judge", "reports"]).expect_code(0);
    assert!(run.stdout.contains("0 appear, 0 disappear, 0 change"), "{}", run.stdout);
}

/// The same bytes, though the report is of a directory and not of a file.
#[test]
fn rotated_captures_are_judged_under_their_common_name() {
    let bench = TestBench::new();
    let capture = common::sample("port-scan").bytes();
    bench.write("in/a.pcap", &capture);
    bench.write("in/0.txt", "no capture");
    bench.nsm(["analyze", "in", "--as-one", "--format", "csv,json,parquet"]).expect_code(0);
    let run = bench.nsm(["judge", "reports/in", "-o", "judged", "--format", "csv,json,parquet"]).expect_code(0);
    assert!(run.stdout.starts_with("reports/in: 0 appear, 0 disappear, 0 change, "), "{}", run.stdout);
    assert_eq!(read(&bench, "reports/in/alerts.jsonl"), read(&bench, "judged/alerts.jsonl"));
}

#[test]
fn several_reports_have_a_directory_each_and_a_broken_one_stops_no_other() {
    let bench = TestBench::new();
    for name in ["a/x.pcap", "b/x.pcap"] {
        bench.write(name, common::sample("port-scan").bytes());
        bench.nsm(["analyze", name, "--format", "json,parquet"]).expect_code(0);
    }
    let reports = ["reports/a/x.pcap", "reports/b/x.pcap"];
    bench.nsm(["judge", reports[0], reports[1], "-o", "judged", "--format", "json,parquet"]).expect_code(0);
    for report in reports {
        assert!(bench.path().join("judged").join(report).join("manifest.json").exists(), "{report}");
    }
    fs::write(bench.path().join("reports/a/x.pcap/tables/names.parquet"), "spoiled").unwrap();
    let run = bench.nsm(["judge", "reports"]).expect_code(3).expect_message("names.parquet cannot be used");
    assert_eq!(run.stdout.lines().filter(|line| line.contains("0 appear")).count(), 1, "{}", run.stdout);
    bench.nsm(["judge", "a/x.pcap"]).expect_code(2).expect_message("a report is the directory");
}

/// What has no right hash keeps none: neither a table that the manifest does not list, nor connections that changed.
#[test]
fn what_the_manifest_does_not_vouch_for_is_not_used() {
    let bench = analyzed(&[]);
    let manifest = bench.path().join("reports/a.pcap/manifest.json");
    let whole = fs::read_to_string(&manifest).unwrap();
    let mut emptied: serde_json::Value = serde_json::from_str(&whole).unwrap();
    emptied["files"] = serde_json::json!([]);
    fs::write(&manifest, emptied.to_string()).unwrap();
    bench.nsm(["judge", "reports"]).expect_code(1).expect_message("the manifest lists no such file");
    fs::write(&manifest, whole).unwrap();
    fs::write(bench.path().join("reports/a.pcap/flows.csv"), "spoiled").unwrap();
    bench
        .nsm(["report", "reports", "-o", "again"])
        .expect_code(1)
        .expect_message("flows.csv cannot be used: it is not what the manifest says");
    bench.nsm(["report", "reports"]).expect_code(1).expect_message("flows.csv cannot be used");
}

#[test]
fn what_shapes_the_tables_cannot_be_judged_anew() {
    let bench = analyzed(&[]);
    bench.nsm(["judge", "reports", "--set", "flow.tcp_idle_s=60"]).expect_code(2).expect_message("flow.tcp_idle_s: shapes the tables");
}

#[test]
fn rules_may_ask_for_connections_that_no_rule_asked_for_before() {
    let bench = analyzed(&[]);
    let rules = bench.write(
        "rules/any.yaml",
        "id: any-web\ntitle: Somebody spoke to port 80\nseverity: low\ntable: flows\nwhere: port = 80\nmeasure: COUNT(*) AS seen\nunit: connections\nthreshold: 1\nmessage: \"{attackers} did it {seen} times\"\n",
    );
    let known = bench.nsm(["rules", "check", "rules"]);
    assert_eq!(known.code, 0, "{}", known.stderr);
    let later =
        bench.nsm(["judge", "reports", "--rules", rules.to_str().unwrap(), "-o", "judged", "--format", "json,parquet"]).expect_code(0);
    assert!(later.stdout.contains("rule:any-web"), "{}", later.stdout);
    bench.nsm(["analyze", "a.pcap", "--format", "json,parquet", "--rules", "rules", "-o", "at-once"]).expect_code(0);
    assert_eq!(read(&bench, "judged/a.pcap/alerts.jsonl"), read(&bench, "at-once/a.pcap/alerts.jsonl"));
    // A rule that has changed meanwhile cannot be taken for the one that was run.
    bench.write("rules/any.yaml", read(&bench, "rules/any.yaml").replace("threshold: 1", "threshold: 2"));
    bench.nsm(["judge", "at-once"]).expect_code(2).expect_message("which the report was made with, cannot be used since: it has changed");
}

#[test]
fn a_report_is_rendered_again_with_the_same_bytes() {
    let bench = analyzed(&[]);
    let before = common::tree(&bench.path().join("reports/a.pcap"));
    for name in ["alerts.jsonl", "alerts.csv", "summary.json"] {
        fs::write(bench.path().join("reports/a.pcap").join(name), "spoiled").unwrap();
    }
    bench.nsm(["report", "reports", "--format", "csv"]).expect_code(0);
    assert_eq!(common::difference(&before, &common::tree(&bench.path().join("reports/a.pcap"))), None);
    bench.nsm(["report", "reports", "--format", "png", "-o", "again"]).expect_code(0);
    assert!(bench.path().join("again/a.pcap/charts/traffic.png").exists());
    assert!(!bench.path().join("again/a.pcap/alerts.csv").exists());
}

#[test]
fn tables_that_were_changed_damaged_or_not_stored_are_named() {
    let bench = analyzed(&[]);
    let contacts = bench.path().join("reports/a.pcap/tables/contacts.parquet");
    let whole = fs::read(&contacts).unwrap();
    fs::write(&contacts, &whole[..whole.len() / 2]).unwrap();
    bench.nsm(["judge", "reports"]).expect_code(1).expect_message("contacts.parquet cannot be used: it is not what the manifest says");
    // With a manifest that agrees, the damage itself is found.
    for damage in [&whole[..whole.len() / 2], b"PAR1", b"", &[&whole[..100], &[0xff; 64], &whole[164..]].concat()] {
        fs::write(&contacts, damage).unwrap();
        let report = bench.path().join("reports/a.pcap");
        let read = stored::read(&|name| opened(&report, name), &Config::default().base, false);
        assert!(read.err().is_none_or(|error| error.to_string().contains("contacts.parquet cannot be used")), "{} bytes", damage.len());
    }
    fs::remove_dir_all(bench.path().join("reports/a.pcap/tables")).unwrap();
    bench.nsm(["judge", "reports"]).expect_code(1).expect_message("cannot be used");
    bench.nsm(["judge", "nowhere"]).expect_code(1);
    bench.nsm(["judge", "."]).expect_code(1);
    fs::remove_file(bench.path().join("reports/a.pcap/manifest.json")).unwrap();
    bench.nsm(["judge", "reports"]).expect_code(2).expect_message("no report there");
}

/// Every table opens in DuckDB or Polars of Python, whichever is there, with its version and its addresses.
#[test]
fn the_tables_open_elsewhere() {
    const SCRIPT: &str = r#"
import sys, glob, os
try:
    import duckdb
    read = lambda f, q: duckdb.sql(q.replace('TABLE', "'" + f + "'")).fetchall()
except ImportError:
    import polars
    read = lambda f, q: polars.SQLContext(t=polars.scan_parquet(f)).execute(q.replace('TABLE', 't')).collect().rows()
for f in sorted(glob.glob(sys.argv[1] + '/tables/*.parquet')):
    print(os.path.basename(f)[:-8], read(f, 'SELECT COUNT(*) FROM TABLE')[0][0])
f = sys.argv[1] + '/tables/flows.parquet'
for row in read(f, 'SELECT source, source_port, target, port, first_ord FROM TABLE ORDER BY first_ord LIMIT 5'):
    print('flow', *row)
"#;
    let ask =
        |module: &str| Command::new("python3").args(["-c", &format!("import {module}")]).output().is_ok_and(|run| run.status.success());
    if !ask("duckdb") && !ask("polars") {
        eprintln!("SKIPPED: neither DuckDB nor Polars of Python is here; the tables were not opened elsewhere");
        return;
    }
    let bench = analyzed(&[]);
    let report = bench.path().join("reports/a.pcap");
    let run = Command::new("python3").args(["-c", SCRIPT]).arg(&report).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let shown = String::from_utf8(run.stdout).unwrap();
    // What the CSV of the same connections says.
    let mut flows: Vec<Vec<String>> = csv::Reader::from_path(report.join("flows.csv"))
        .unwrap()
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let number = flows.len();
    assert!(shown.lines().any(|line| line == format!("flows {number}")), "{shown}");
    flows.sort_by_key(|row| row[22].parse::<u64>().unwrap());
    for row in &flows[..5] {
        let line = format!("flow {} {} {} {} {}", row[4], row[5], row[6], row[7], row[22]);
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    assert_eq!(shown.lines().filter(|line| !line.starts_with("flow ")).count(), fs::read_dir(report.join("tables")).unwrap().count() - 1);
}
