//! What `nsm compare` calls new, gone and changed, held against the CSV files of the two reports.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::TestBench;
use serde_json::Value;

fn bench() -> TestBench {
    let bench = TestBench::new();
    for (name, sample) in [("before.pcap", "office"), ("after.pcap", "ssh-brute-force")] {
        let capture = common::samples().into_iter().find(|known| known.name == sample).unwrap();
        bench.write(name, capture.bytes());
    }
    bench.nsm(["analyze", "before.pcap", "after.pcap", "--format", "csv,json,parquet"]).expect_code(0);
    bench
}

fn compare(bench: &TestBench, before: &str, after: &str) -> Value {
    let run = bench.nsm(["compare", before, after, "--json"]).expect_code(0);
    serde_json::from_str(&run.stdout).unwrap()
}

/// A column of a CSV file.
fn column(path: &Path, name: &str) -> BTreeSet<String> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let place = reader.headers().unwrap().iter().position(|head| head == name).unwrap();
    reader.records().map(|row| row.unwrap()[place].to_owned()).collect()
}

fn addresses(rows: &Value) -> BTreeSet<String> {
    rows.as_array().unwrap().iter().map(|row| row["address"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn hosts_and_alerts_of_one_side_only_are_new_or_gone() {
    let bench = bench();
    let found = compare(&bench, "reports/before.pcap", "reports/after.pcap");
    let hosts = |name: &str| column(&bench.reports().join(name).join("hosts.csv"), "address");
    let (old, new) = (hosts("before.pcap"), hosts("after.pcap"));
    assert_eq!(addresses(&found["hosts"]["new"]), &new - &old);
    assert_eq!(addresses(&found["hosts"]["gone"]), &old - &new);
    assert_eq!(found["hosts"]["stayed"], (&new & &old).len());
    let kinds: Vec<&str> = found["alerts"]["new"].as_array().unwrap().iter().map(|row| row["type"].as_str().unwrap()).collect();
    let told: Vec<Value> = bench.alerts("after.pcap");
    assert_eq!(kinds, told.iter().map(|alert| alert["type"].as_str().unwrap()).collect::<Vec<_>>());
    assert!(kinds.contains(&"brute_force"));
}

#[test]
fn a_capture_is_analysed_where_there_is_no_report() {
    let bench = bench();
    let of_reports = compare(&bench, "reports/before.pcap", "reports/after.pcap");
    assert_eq!(compare(&bench, "before.pcap", "after.pcap"), of_reports);
}

#[test]
fn nothing_differs_from_itself() {
    let bench = bench();
    let found = compare(&bench, "reports/after.pcap", "after.pcap");
    for what in ["alerts", "hosts", "services"] {
        assert_eq!([&found[what]["new"], &found[what]["gone"], &found[what]["changed"]].map(|rows| rows.as_array().unwrap().len()), [0; 3]);
        assert!(found[what]["stayed"].as_u64().unwrap() > 0, "{what}");
    }
    assert_eq!(found["talkers"], Value::Array(Vec::new()));
    let shown = bench.nsm(["compare", "before.pcap", "after.pcap"]).expect_code(0).stdout;
    assert!(shown.contains("+ high") || shown.contains("+ medium") || shown.contains("+ critical"), "{shown}");
}

#[test]
fn damage_of_a_side_is_said_and_other_services_and_talkers_are_told() {
    let bench = bench();
    let whole = std::fs::read(bench.path().join("after.pcap")).unwrap();
    bench.write("cut.pcap", &whole[..whole.len() - 5]);
    bench.nsm(["compare", "after.pcap", "cut.pcap"]).expect_code(3).expect_message("cut.pcap: warning: the capture ends inside the record");
    // The same hosts with twice and more the bytes: the capture read twice over.
    bench.write("twice.pcap", [whole.as_slice(), &whole[24..], &whole[24..]].concat());
    let found = compare(&bench, "after.pcap", "twice.pcap");
    let rows = found["talkers"].as_array().unwrap();
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row["bytes"].as_u64().unwrap() >= 2 * row["bytes_before"].as_u64().unwrap()), "{found:#}");
    assert_eq!((found["hosts"]["new"].as_array().unwrap().len(), found["hosts"]["gone"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn what_cannot_be_compared_is_named() {
    let bench = bench();
    bench.nsm(["compare", "before.pcap", "nowhere"]).expect_code(1).expect_message("nowhere");
    bench.write("notes.txt", "nothing");
    bench.nsm(["compare", "before.pcap", "notes.txt"]).expect_code(1).expect_message("not a capture");
}
