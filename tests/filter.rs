//! A second opinion on filters: the frames that `tcpdump` takes from the same files. Says loudly that it did nothing
//! where `tcpdump` is not installed. And what a filter does to a report.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test that cannot go on says where")]

mod common;

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use common::{Run, TestBench};
use network_security_monitor::capture::{self, Block, FileSource, Source};
use serde_json::Value;

/// Words of every kind: addresses, ports, ranges, flags, lengths on the wire, tags.
const EXPRESSIONS: [&str; 8] = [
    "tcp",
    "udp port 53 or icmp or arp",
    "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0",
    "greater 1000",
    "less 96 and not ip6",
    "net 10.0.0.0/8 and portrange 1-1023",
    "ip[6:2] & 0x3fff != 0 or vlan",
    "len - 20 > ip[2:2]",
];

/// Captures in which the two differ, and why that is no mistake of ours.
const EXPLAINED: [(&str, &str); 1] =
    [("brimdata_bad-caplen.pcap", "its record claims fewer bytes than were captured: for us the packet has those that are there")];

/// Lengths on the wire and bytes.
type Frames = Vec<(u32, Vec<u8>)>;

fn frames(source: &mut dyn Source) -> Option<(Frames, u64)> {
    let (mut block, mut found, mut left_out) = (Block::default(), Vec::new(), 0);
    while source.next_block(&mut block).ok()? {
        found.extend(block.frames.iter().map(|frame| (frame.origlen, block.data(frame).to_vec())));
        left_out += block.left_out;
    }
    Some((found, left_out))
}

/// What `tcpdump` writes; none where it cannot read the file to its end, or the filter means nothing to it.
fn theirs(path: &Path, expression: &str) -> Option<Frames> {
    let run = Command::new("tcpdump").args(["-w", "-", "-r"]).arg(path).arg(expression).output().unwrap();
    let written = run.status.success().then_some(run.stdout).filter(|written| !written.is_empty())?;
    let mut source = FileSource::from_reader("tcpdump".into(), Box::new(Cursor::new(written))).unwrap();
    frames(&mut source).map(|(found, _)| found)
}

#[test]
fn tcpdump_takes_the_same_frames() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        eprintln!("SKIPPED, NOTHING WAS CHECKED: tcpdump is not installed");
        return;
    }
    let (mut wrong, mut compared, mut passed, mut unread) = (Vec::new(), 0, 0, 0);
    let captures = common::samples().into_iter().map(|sample| sample.capture).chain(common::corpus());
    for path in captures {
        if EXPLAINED.iter().any(|(name, _)| path.ends_with(name)) {
            continue;
        }
        let Ok(mut whole) = FileSource::open(&path) else { continue };
        let Some((all, _)) = frames(&mut whole) else { continue };
        for expression in EXPRESSIONS {
            let Some(theirs) = theirs(&path, expression) else {
                unread += 1;
                continue;
            };
            let opened = Box::new(FileSource::open(&path).unwrap());
            let ours = capture::filtered(opened, expression).ok().and_then(|mut source| frames(&mut *source));
            let Some((ours, left_out)) = ours else {
                wrong.push(format!("{}: {expression}: refused, tcpdump takes {}", path.display(), theirs.len()));
                continue;
            };
            if ours != theirs || ours.len() as u64 + left_out != all.len() as u64 {
                let of = format!("{} and {left_out} left out of {}", ours.len(), all.len());
                wrong.push(format!("{}: {expression}: {of}, tcpdump takes {}", path.display(), theirs.len()));
            }
            compared += 1;
            passed += ours.len();
        }
    }
    eprintln!("{compared} pairs of capture and filter agree with tcpdump on {passed} frames; {unread} it does not read");
    assert!(compared > 100);
    common::all_well(&wrong);
}

/// The scan, and what it is told of: `analyze` of the port scan with these arguments.
fn analyze(bench: &TestBench, args: &[&str]) -> Run {
    let capture = common::sample("port-scan").capture;
    bench.nsm(["analyze", capture.to_str().unwrap(), "--format", "json,html"].iter().chain(args))
}

#[test]
fn a_filter_decides_what_is_analysed_and_the_report_says_so() {
    let bench = TestBench::new();
    analyze(&bench, &[]).expect_code(0);
    let (whole, scans) = (bench.summary("capture.pcap"), bench.alerts("capture.pcap").len());
    assert!(scans > 0);
    let frames = |summary: &Value, name: &str| summary.pointer(&format!("/capture/{name}")).and_then(Value::as_u64).unwrap();
    analyze(&bench, &["--force", "--filter", "udp"]).expect_code(0);
    let summary = bench.summary("capture.pcap");
    assert_eq!(frames(&summary, "frames"), frames(&whole, "frames"), "the frames of the capture, those left out included");
    let decoded = frames(&summary, "decoded");
    assert_eq!(frames(&summary, "filtered"), frames(&whole, "frames") - decoded);
    assert!(decoded < frames(&whole, "decoded") && bench.alerts("capture.pcap").is_empty());
    let manifest = common::json(&bench.reports().join("capture.pcap/manifest.json"));
    assert_eq!(manifest["choices"]["filter"], "udp");
    let page = fs::read_to_string(bench.reports().join("capture.pcap/report.html")).unwrap();
    assert!(page.contains("Only packets that match") && page.contains("that the filter did not match were left out"));
}

#[test]
fn carved_packets_are_those_that_were_analysed() {
    let bench = TestBench::new();
    let filter = "tcp[tcpflags] & (tcp-rst) == 0";
    analyze(&bench, &["--carve", "-f", filter]).expect_code(0);
    let carved = fs::read_dir(bench.reports().join("capture.pcap/carved")).unwrap();
    let carved = carved.map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|kind| kind == "pcapng")).unwrap();
    let (all, _) = frames(&mut FileSource::open(&carved).unwrap()).unwrap();
    let mut again = capture::filtered(Box::new(FileSource::open(&carved).unwrap()), filter).unwrap();
    let (matching, left_out) = frames(&mut *again).unwrap();
    assert!(!all.is_empty() && left_out == 0 && matching == all);
}

#[test]
fn a_report_is_kept_for_the_filter_it_was_made_with() {
    let bench = TestBench::new();
    for name in ["a.pcap", "b.pcap"] {
        bench.write(&format!("in/{name}"), common::sample("port-scan").bytes());
    }
    let run = |args: &[&str]| bench.nsm(["analyze", "in", "--format", "json"].iter().chain(args)).expect_code(0);
    run(&["-f", "tcp"]).expect_message("kept 0, redone 0, analysed 2");
    run(&["-f", "tcp"]).expect_message("kept 2, redone 0, analysed 0");
    run(&["-f", "udp"]).expect_message("kept 0, redone 2, analysed 0");
    run(&[]).expect_message("kept 0, redone 2, analysed 0");
}

#[test]
fn what_is_no_filter_is_told_before_anything_is_read() {
    let bench = TestBench::new();
    analyze(&bench, &["-f", "tcp prot 80"])
        .expect_code(2)
        .expect_message("the filter `tcp prot 80` cannot be used: ")
        .expect_message("hint: filters are written as for tcpdump");
    assert!(!bench.reports().exists());
    // It has a meaning for wireless networks.
    analyze(&bench, &["-f", "type mgt"]).expect_code(2).expect_message("the filter `type mgt` cannot be used: ");
    assert!(!bench.reports().join("capture.pcap").exists());
}
