//! Rotated captures are one timeline: what is cut into files and read as one is told as if it had never been cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::path::Path;

use common::TestBench;
use serde_json::Value;

/// A capture in so many files of about as many packets each; their names are not in the order of their times.
fn rotated(bench: &TestBench, capture: &[u8], files: usize) {
    // The samples are written in the byte order of this test: 24 bytes of head, 16 before each packet.
    assert_eq!(capture[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    let mut starts = vec![24];
    while *starts.last().unwrap() < capture.len() {
        let start = *starts.last().unwrap();
        let length = u32::from_le_bytes(capture[start + 8..start + 12].try_into().unwrap());
        starts.push(start + 16 + length as usize);
    }
    let each = (starts.len() - 1).div_ceil(files);
    for (number, packets) in starts.chunks(each).filter(|packets| packets[0] < capture.len()).enumerate() {
        let end = starts.get((number + 1) * each).copied().unwrap_or(capture.len());
        let part = [&capture[..24], &capture[packets[0]..end]].concat();
        bench.write(&format!("rotated/{}.pcap", files - number), part);
    }
}

fn capture(sample: &str) -> std::sync::Arc<[u8]> {
    common::samples().into_iter().find(|known| known.name == sample).unwrap().bytes()
}

/// Alerts without the name of the capture.
fn alerts(bench: &TestBench, name: &str) -> Vec<Value> {
    let without_name = |mut alert: Value| {
        alert.as_object_mut().unwrap().remove("capture");
        alert
    };
    bench.alerts(name).into_iter().map(without_name).collect()
}

#[test]
fn an_attack_across_files_is_one_alert_and_the_same_one() {
    for (sample, files) in [("port-scan", 2), ("mixed-incident", 5), ("ssh-brute-force", 3), ("syn-flood", 2)] {
        let bench = TestBench::new();
        let capture = capture(sample);
        bench.write("whole.pcap", &capture);
        rotated(&bench, &capture, files);
        bench.nsm(["analyze", "whole.pcap", "--format", "csv,json"]).expect_code(0);
        bench.nsm(["analyze", "rotated", "--as-one", "--format", "csv,json"]).expect_code(0);
        let whole = alerts(&bench, "whole.pcap");
        assert!(!whole.is_empty());
        assert_eq!(alerts(&bench, "rotated"), whole, "{sample}");
        for name in ["flows.csv", "hosts.csv", "timeline.csv"] {
            let read = |report: &str| std::fs::read_to_string(bench.reports().join(report).join(name)).unwrap();
            assert_eq!(read("rotated"), read("whole.pcap"), "{sample}, {name}");
        }
    }
}

#[test]
fn the_manifest_says_which_frames_are_in_which_file() {
    let bench = TestBench::new();
    rotated(&bench, &capture("port-scan"), 2);
    bench.write("rotated/notes.txt", "no capture");
    bench.nsm(["analyze", "rotated", "--as-one", "--format", "json"]).expect_code(0);
    let inputs = common::json(&bench.reports().join("rotated/manifest.json"))["inputs"].clone();
    let row = |file: &str| inputs.as_array().unwrap().iter().find(|input| input["path"] == format!("rotated/{file}")).unwrap().clone();
    assert_eq!(row("2.pcap")["first_frame"], 1);
    let frames = bench.summary("rotated")["capture"]["frames"].as_u64().unwrap();
    assert_eq!(row("1.pcap")["first_frame"], frames.div_ceil(2) + 1);
    assert!(row("1.pcap")["sha256"].as_str().unwrap().len() == 64 && row("notes.txt")["first_frame"].is_null());
    let warnings = bench.summary("rotated")["warnings"].clone();
    assert_eq!((warnings.as_array().unwrap().len(), warnings[0]["kind"].as_str()), (1, Some("no_captures")));
}

#[test]
fn a_damaged_file_among_them_is_named_and_stops_nothing() {
    let bench = TestBench::new();
    let whole = capture("port-scan");
    rotated(&bench, &whole, 3);
    let middle = bench.path().join("rotated/2.pcap");
    let bytes = std::fs::read(&middle).unwrap();
    std::fs::write(&middle, &bytes[..bytes.len() - 7]).unwrap();
    bench.nsm(["analyze", "rotated", "--as-one", "--format", "json"]).expect_code(3);
    let summary = bench.summary("rotated");
    assert!(summary["warnings"][0]["message"].as_str().unwrap().starts_with("rotated/2.pcap: the capture ends inside the record"));
    bench.write("whole.pcap", &whole);
    bench.nsm(["analyze", "whole.pcap", "--format", "json"]).expect_code(0);
    assert_eq!(summary["capture"]["frames"], bench.summary("whole.pcap")["capture"]["frames"], "a record that was cut is a frame");
}

#[test]
fn the_packets_of_an_alert_are_carved_from_all_files() {
    let bench = TestBench::new();
    let capture = capture("port-scan");
    bench.write("whole.pcap", &capture);
    rotated(&bench, &capture, 2);
    bench.nsm(["analyze", "whole.pcap", "--format", "csv", "--carve"]).expect_code(0);
    bench.nsm(["analyze", "rotated", "--as-one", "--format", "csv", "--carve"]).expect_code(0);
    let packets = |report: &str| {
        let mut index = csv::Reader::from_path(bench.reports().join(report).join("carved/index.csv")).unwrap();
        let place = index.headers().unwrap().iter().position(|head| head == "packets_written" || head == "packets").unwrap();
        index.records().map(|row| row.unwrap()[place].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(packets("rotated"), packets("whole.pcap"));
}

#[test]
fn standard_input_has_no_order_and_several_paths_have_one_report() {
    let bench = TestBench::new();
    bench.nsm(["analyze", "-", "x.pcap", "--as-one"]).expect_code(2).expect_message("standard input is no file");
    rotated(&bench, &capture("port-scan"), 2);
    bench.nsm(["analyze", "rotated/1.pcap", "rotated/2.pcap", "--as-one", "--format", "json"]).expect_code(0);
    assert!(Path::new(&bench.reports().join("as-one/alerts.jsonl")).exists());
    assert_eq!(bench.summary("as-one")["capture"]["file"], "2 captures as one");
}
