//! `nsm info`: facts held against `capinfos`, verdicts on captures made for them.

#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::cast_possible_truncation, reason = "a test that cannot go on says where")]

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use common::{TestBench, for_each, sample, samples};
use serde_json::Value;

/// The internet checksum (RFC 1071).
fn checksum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [10, 0, 0, 80];

/// A capture in the making.
struct Pcap {
    bytes: Vec<u8>,
    micros: u32,
    /// TCP checksums of what the client sends are left to its network card.
    offload: bool,
    /// Bytes kept of a frame.
    snaplen: usize,
}

impl Pcap {
    fn new() -> Self {
        let head = [&0xa1b2_c3d4_u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 8], &262_144_u32.to_le_bytes(), &1_u32.to_le_bytes()].concat();
        Self { bytes: head, micros: 0, offload: false, snaplen: 262_144 }
    }

    fn record(&mut self, second: u32, frame: &[u8]) {
        self.micros += 1_000;
        let kept = &frame[..frame.len().min(self.snaplen)];
        for field in [second, self.micros, kept.len() as u32, frame.len() as u32] {
            self.bytes.extend(field.to_le_bytes());
        }
        self.bytes.extend(kept);
    }

    /// A segment of the client's connection from `port`, with right checksums unless they are offloaded.
    fn segment(&mut self, from_client: bool, port: u16, flags: u8, (seq, ack): (u32, u32), payload: usize) {
        let (src, dst, sport, dport) = if from_client { (CLIENT, SERVER, port, 80) } else { (SERVER, CLIENT, 80, port) };
        let data = vec![b'x'; payload];
        let total = (40 + payload) as u16;
        let mut ip =
            [&[0x45, 0][..], &total.to_be_bytes(), &(self.micros as u16 + 1).to_be_bytes(), &[0x40, 0, 64, 6, 0, 0], &src, &dst].concat();
        let sum = checksum(&[&ip]).to_be_bytes();
        ip[10..12].copy_from_slice(&sum);
        let ports = [sport.to_be_bytes(), dport.to_be_bytes()].concat();
        let mut tcp = [&ports[..], &seq.to_be_bytes(), &ack.to_be_bytes(), &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]].concat();
        let pseudo = [&src[..], &dst, &[0, 6], &(20 + payload as u16).to_be_bytes()].concat();
        let sum = if self.offload && from_client { !checksum(&[&pseudo]) } else { checksum(&[&pseudo, &tcp, &data]) };
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let macs = if from_client { [[2, 0, 0, 0, 0, 0x80], [2, 0, 0, 0, 0, 5]] } else { [[2, 0, 0, 0, 0, 5], [2, 0, 0, 0, 0, 0x80]] };
        let frame = [&macs.concat()[..], &[8, 0], &ip, &tcp, &data].concat();
        self.record(1_700_000_000, &frame);
    }

    /// A whole connection in which the server sends so many segments of 1000 bytes; those whose number `lost`
    /// tells arrived at the client and not here.
    fn download(&mut self, port: u16, segments: u32, lost: impl Fn(u32) -> bool) {
        self.segment(true, port, 0x02, (1_000, 0), 0);
        self.segment(false, port, 0x12, (5_000, 1_001), 0);
        self.segment(true, port, 0x10, (1_001, 5_001), 0);
        self.segment(true, port, 0x18, (1_001, 5_001), 100);
        let mut seq = 5_001;
        for number in 0..segments {
            if !lost(number) {
                self.segment(false, port, 0x10, (seq, 1_101), 1_000);
            }
            seq += 1_000;
            self.segment(true, port, 0x10, (1_101, seq), 0);
        }
        self.segment(false, port, 0x11, (seq, 1_101), 0);
        self.segment(true, port, 0x11, (1_101, seq + 1), 0);
        self.segment(false, port, 0x10, (seq + 1, 1_102), 0);
    }
}

/// `nsm info --json` of one capture.
fn info(bench: &TestBench, name: &str, bytes: &[u8]) -> Value {
    bench.write(name, bytes);
    serde_json::from_str(&bench.nsm(["info", "--json", name]).stdout).unwrap()
}

fn check<'a>(info: &'a Value, name: &str) -> (&'a str, &'a str) {
    let found = info["quality"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
    (found["state"].as_str().unwrap(), found["measured"].as_str().unwrap())
}

#[test]
fn a_whole_capture_is_good_and_its_checksums_are_right() {
    let mut pcap = Pcap::new();
    pcap.download(40_000, 50, |_| false);
    let info = info(&TestBench::new(), "a.pcap", &pcap.bytes);
    assert_eq!(info["verdict"], "good", "{info:#}");
    // 4 + 2 * 50 + 3 frames of 54 bytes, and 50 * 1000 + 100 bytes of payload.
    assert_eq!((info["frames"].as_u64(), info["bytes"].as_u64()), (Some(107), Some(107 * 54 + 50_100)));
    assert_eq!((info["smallest_frame"].as_u64(), info["largest_frame"].as_u64()), (Some(54), Some(1_054)));
    assert_eq!((info["flows"].as_u64(), info["hosts"].as_u64()), (Some(1), Some(2)));
    assert!(check(&info, "gaps").1.starts_with("0 of 50,100 "), "{info:#}");
    assert!(check(&info, "checksums").1.starts_with("0 of 107 "), "{info:#}");
}

#[test]
fn what_arrived_and_was_not_captured_is_a_gap() {
    let bench = TestBench::new();
    let lossy = |lost: fn(u32) -> bool| {
        let mut pcap = Pcap::new();
        pcap.download(40_000, 100, lost);
        info(&bench, "lossy.pcap", &pcap.bytes)
    };
    // Of 100 segments of 1000 bytes and a request of 100.
    let within = lossy(|number| number == 10 || number == 50 || number == 51);
    assert_eq!(
        check(&within, "gaps"),
        ("ok", "3,000 of 100,100 (3.0 %) bytes of TCP payload arrived and were not captured, in 1 connections")
    );
    assert_eq!(lossy(|number| number % 16 == 0)["verdict"], "usable with care");
    assert_eq!(check(&lossy(|number| number % 5 == 0), "gaps").0, "poor");
    // The last ones: only the client's acknowledgements and the end of the connection tell.
    assert!(check(&lossy(|number| number >= 90), "gaps").1.starts_with("10,000 of 100,100 "));
}

#[test]
fn a_gap_at_the_very_end_is_told_by_the_acknowledgement_alone() {
    let mut pcap = Pcap::new();
    pcap.segment(true, 40_000, 0x02, (1_000, 0), 0);
    pcap.segment(false, 40_000, 0x12, (5_000, 1_001), 0);
    pcap.segment(true, 40_000, 0x18, (1_001, 5_001), 100);
    pcap.segment(true, 40_000, 0x10, (1_101, 25_001), 0);
    let info = info(&TestBench::new(), "tail.pcap", &pcap.bytes);
    assert!(check(&info, "gaps").1.starts_with("20,000 of 20,100 "), "{info:#}");
}

#[test]
fn retransmissions_and_disorder_are_no_gaps() {
    let mut pcap = Pcap::new();
    pcap.segment(true, 40_000, 0x02, (1_000, 0), 0);
    pcap.segment(false, 40_000, 0x12, (5_000, 1_001), 0);
    for seq in [5_001, 7_001, 6_001, 8_001, 5_001, 8_001] {
        pcap.segment(false, 40_000, 0x10, (seq, 1_001), 1_000);
    }
    pcap.segment(true, 40_000, 0x10, (1_001, 9_001), 0);
    // Numbers far from all others are forged and not lost.
    pcap.segment(false, 40_000, 0x10, (900_000_000, 1_001), 10);
    let info = info(&TestBench::new(), "disorder.pcap", &pcap.bytes);
    assert!(check(&info, "gaps").1.starts_with("0 of 6,010 "), "{info:#}");
}

#[test]
fn offloaded_checksums_name_the_machine_and_change_no_verdict() {
    let mut pcap = Pcap::new();
    pcap.offload = true;
    pcap.download(40_000, 50, |_| false);
    let info = info(&TestBench::new(), "own.pcap", &pcap.bytes);
    // 2 + 50 + 1 frames of the client besides the SYN.
    let (state, measured) = check(&info, "checksums");
    assert!(measured.starts_with("54 of 107 ") && measured.ends_with("all sent by 02:00:00:00:00:05"), "{measured}");
    assert_eq!((state, info["verdict"].as_str()), ("note", Some("good")));
}

#[test]
fn cut_frames_are_counted_and_their_checksums_left_alone() {
    let mut pcap = Pcap::new();
    pcap.snaplen = 60;
    pcap.download(40_000, 50, |_| false);
    let info = info(&TestBench::new(), "cut.pcap", &pcap.bytes);
    // The request and the 50 segments are longer than 60 bytes.
    assert_eq!((check(&info, "cut_frames").0, info["cut_frames"].as_u64()), ("weak", Some(51)));
    assert_eq!((info["checksums_checked"].as_u64(), check(&info, "gaps").0), (Some(56), "ok"));
}

/// An alert says the same of the capture as `nsm info` does.
#[test]
fn alerts_refer_to_the_verdict() {
    let bench = TestBench::new();
    let mut pcap = Pcap::new();
    pcap.download(40_000, 100, |number| number % 5 == 0);
    let mut bytes = sample("port-scan").bytes().to_vec();
    // After the scan, whose times are earlier by less than an hour or later: each format's own header apart.
    bytes.extend(&pcap.bytes[24..]);
    let info = info(&bench, "both.pcap", &bytes);
    assert_eq!(check(&info, "gaps").0, "poor");
    bench.nsm(["analyze", "both.pcap", "--format", "json", "--hash", "none"]).expect_code(0);
    let alert = &bench.alerts("both.pcap")[0];
    let said: Vec<&str> = alert["quality"].as_array().unwrap().iter().map(|weakness| weakness.as_str().unwrap()).collect();
    assert!(said.contains(&"gaps: more than 5 % of the TCP payload that arrived was not captured"), "{said:?}");
    let weak = ["one_way", "duplicates", "clock_jumps", "dropped", "thinned", "gaps"].iter().filter(|name| check(&info, name).0 != "ok");
    assert_eq!(said.len(), weak.count());
    assert_eq!(bench.summary("both.pcap")["capture"]["quality"], alert["quality"]);
}

/// So does the report of a quiet capture, in which no alert could say it.
#[test]
fn a_report_has_every_check_in_the_words_of_info() {
    let bench = TestBench::new();
    let mut pcap = Pcap::new();
    pcap.snaplen = 60;
    pcap.download(40_000, 50, |_| false);
    let info = info(&bench, "cut.pcap", &pcap.bytes);
    bench.nsm(["analyze", "cut.pcap", "--format", "json,html"]).expect_code(0);
    let capture = &bench.summary("cut.pcap")["capture"];
    assert_eq!((&capture["verdict"], &info["verdict"]), (&"usable with care".into(), &"usable with care".into()));
    // An analysis does not look at checksums, which weaken nothing.
    let checks: Vec<&Value> = info["quality"].as_array().unwrap().iter().filter(|check| check["name"] != "checksums").collect();
    assert_eq!(capture["checks"].as_array().unwrap().iter().collect::<Vec<_>>(), checks);
    assert_eq!(bench.alerts("cut.pcap").len(), 0);
    let page = std::fs::read_to_string(bench.reports().join("cut.pcap/report.html")).unwrap();
    let (first, rest) = page.split_once("id=\"traffic\"").unwrap();
    let (_, cut) = check(&info, "cut_frames");
    assert!(first.contains("Nothing hostile was found") && first.contains(cut) && rest.contains(cut), "{cut}");
}

#[test]
fn several_captures_are_told_in_turn_and_damage_is_exit_code_3() {
    let bench = TestBench::new();
    let paths = ["port-scan", "damaged-length"].map(|name| sample(name).capture);
    let run = bench.nsm(["info".as_ref(), paths[0].as_os_str(), paths[1].as_os_str()]).expect_code(3);
    let verdicts: Vec<&str> = run.stdout.lines().filter_map(|line| line.strip_prefix("Quality:")).map(str::trim).collect();
    assert_eq!(verdicts, ["good", "poor"]);
    assert!(run.stdout.contains("Link types:       Ethernet (1)"), "{}", run.stdout);
    bench.nsm(["info".as_ref(), paths[0].as_os_str()]).expect_code(0);
    bench.nsm(["info", "no-such.pcap"]).expect_code(1).expect_message("cannot open no-such.pcap");
    bench.nsm(["info".as_ref(), paths[0].as_os_str(), "no-such.pcap".as_ref()]).expect_code(3).expect_message("cannot open");
}

/// Whoever packs an archive chooses the names in it.
#[cfg(unix)]
#[test]
fn a_file_name_cannot_write_to_the_terminal() {
    let bench = TestBench::new();
    let name = "in/a\u{1b}]0;owned\u{7}\nnsm: all is well.pcap";
    let shown = "a\\u{1b}]0;owned\\u{7}\\nnsm: all is well.pcap";
    // The magic of pcap, and nothing after it that could be read.
    let path = bench.write(name, [0xd4, 0xc3, 0xb2, 0xa1, 9, 9]);
    bench.write("in/b.pcap", sample("port-scan").bytes());
    let (hostile, good) = (path.as_os_str(), "in/b.pcap".as_ref());
    let arguments: [&[&OsStr]; 4] = [
        &["info".as_ref(), hostile],
        &["info".as_ref(), hostile, good],
        &["analyze".as_ref(), hostile, "--quiet".as_ref()],
        &["analyze".as_ref(), hostile, good, "--quiet".as_ref()],
    ];
    for arguments in arguments {
        let told = bench.nsm(arguments).expect_message(shown).stderr;
        assert!(!told.contains('\u{1b}') && !told.lines().any(|line| line.starts_with("nsm: all is well")), "{arguments:?}: {told:?}");
    }
    // Our own line breaks stay.
    bench.nsm(arguments[0]).expect_code(1).expect_message("\n\nhint: nsm reads pcap");
}

#[test]
fn standard_input_has_facts_but_no_hash() {
    let bench = TestBench::new();
    let run = bench.nsm_fed(["info", "-", "--json"], &sample("port-scan").bytes()).expect_code(0);
    let info: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&info["frames"], &info["sha256"], &info["size"]), (&Value::from(1_414), &Value::Null, &Value::Null));
}

/// The columns of `capinfos -T`, machine-readable.
fn capinfos(path: &Path) -> Option<BTreeMap<String, String>> {
    let output = Command::new("capinfos").args(["-T", "-M", "-S", "-c", "-s", "-d", "-a", "-e", "-H"]).arg(path).output();
    let Ok(output) = output else {
        eprintln!("skipped: capinfos is not installed");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    Some(lines.next().unwrap().into_iter().zip(lines.next()?).collect())
}

#[test]
fn facts_are_those_of_capinfos() {
    let problems = for_each(&samples(), |sample| {
        let Some(theirs) = capinfos(&sample.capture) else { return Vec::new() };
        let run = TestBench::new().nsm(["info".as_ref(), "--json".as_ref(), sample.capture.as_os_str()]);
        let ours: Value = serde_json::from_str(&run.stdout).unwrap();
        let mut wrong = Vec::new();
        for (theirs, column, ours) in [
            (&theirs["Number of packets"], "frames", ours["frames"].to_string()),
            (&theirs["File size (bytes)"], "size", ours["size"].to_string()),
            (&theirs["Data size (bytes)"], "bytes", ours["bytes"].to_string()),
            (&theirs["SHA256"], "sha256", ours["sha256"].as_str().unwrap().to_owned()),
        ] {
            // A record that the end of the file cuts is a frame here and none there.
            if *theirs != ours && sample.name != "damaged-cut" {
                wrong.push(format!("{}: {column} is {ours} instead of {theirs}", sample.name));
            }
        }
        wrong
    });
    common::all_well(&problems);
}
