//! `--carve`: what is behind an alert, read back by other readers than the one that wrote it.

#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{Sample, TestBench, for_each, sample, samples};
use flate2::Compression;
use flate2::write::GzEncoder;
use network_security_monitor::capture::{Block, FileSource, FrameRef, Source};
use pcap_parser::pcapng::{OptionCode, PcapNGOption};
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block as PcapBlock, PcapBlockOwned, PcapError, PcapNGReader};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A packet as pcap-parser reads it.
#[derive(Debug)]
struct Carved {
    link: i32,
    ts: i64,
    origlen: u32,
    data: Vec<u8>,
    /// From the comment.
    frame: u64,
    source: String,
}

/// A carved file as pcap-parser reads it.
#[derive(Debug, Default)]
struct Reading {
    /// Of the section, then of the statistics at the end.
    comments: Vec<String>,
    program: String,
    resolutions: Vec<u8>,
    packets: Vec<Carved>,
}

fn text(options: &[PcapNGOption], code: OptionCode) -> String {
    let found = options.iter().find(|option| option.code == code).expect("the option is there");
    String::from_utf8(found.as_bytes().unwrap().to_vec()).unwrap()
}

fn read(path: &Path) -> Reading {
    let mut reader = PcapNGReader::new(1 << 20, fs::File::open(path).unwrap()).unwrap();
    let (mut reading, mut links) = (Reading::default(), Vec::new());
    loop {
        match reader.next() {
            Ok((length, PcapBlockOwned::NG(block))) => {
                match block {
                    PcapBlock::SectionHeader(section) => {
                        reading.comments.push(text(&section.options, OptionCode::Comment));
                        reading.program = text(&section.options, OptionCode::ShbUserAppl);
                    }
                    PcapBlock::InterfaceDescription(interface) => {
                        links.push(interface.linktype.0);
                        reading.resolutions.push(interface.if_tsresol);
                    }
                    PcapBlock::EnhancedPacket(packet) => {
                        let comment = text(&packet.options, OptionCode::Comment);
                        let (number, source) = comment.strip_prefix("frame ").unwrap().split_once(" of ").unwrap();
                        reading.packets.push(Carved {
                            link: links[packet.if_id as usize],
                            ts: i64::try_from(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low)).unwrap(),
                            origlen: packet.origlen,
                            data: packet.packet_data().to_vec(),
                            frame: number.parse().unwrap(),
                            source: source.to_owned(),
                        });
                    }
                    PcapBlock::InterfaceStatistics(statistics) => reading.comments.push(text(&statistics.options, OptionCode::Comment)),
                    other => panic!("{other:?}"),
                }
                reader.consume(length);
            }
            Ok(_) => panic!("no pcapng"),
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(PcapError::Eof) => return reading,
            Err(cause) => panic!("{}: {cause:?}", path.display()),
        }
    }
}

/// Every frame of a capture, by its number.
fn frames(path: &Path) -> BTreeMap<u64, (FrameRef, Vec<u8>)> {
    let (mut source, mut block, mut found) = (FileSource::open(path).unwrap(), Block::default(), BTreeMap::new());
    while source.next_block(&mut block).unwrap() {
        found.extend(block.frames.iter().map(|frame| (frame.ordinal, (*frame, block.data(frame).to_vec()))));
    }
    found
}

type Row = BTreeMap<String, String>;

fn index(report: &Path) -> Vec<Row> {
    csv::Reader::from_path(report.join("carved/index.csv")).unwrap().deserialize().map(|row| row.unwrap()).collect()
}

fn carve(bench: &TestBench, capture: &Path, args: &[&str]) -> common::Run {
    let fixed = ["--carve", "--format", "json", "--force"].map(AsRef::as_ref);
    bench.nsm([["analyze".as_ref(), capture.as_os_str()].as_slice(), &fixed, &args.iter().map(AsRef::as_ref).collect::<Vec<_>>()].concat())
}

/// The report of a sample and its directory.
fn carved(bench: &TestBench, sample: &Sample, args: &[&str]) -> std::path::PathBuf {
    carve(bench, &sample.capture, args).expect_code(sample.expectation().exit_code);
    bench.reports().join(sample.capture.file_name().unwrap())
}

fn is_there(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: {tool} is not installed");
    }
    there
}

fn tshark(file: &Path, filter: &str) -> usize {
    let output = Command::new("tshark").args(["-n", "-r"]).arg(file).args(["-Y", filter]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().count()
}

/// Types whose alerts count every packet of their connections, both ways: what was selected packet by packet
/// must be as many as what was counted connection by connection.
const COUNTED_WHOLE: [&str; 12] = [
    "beacon",
    "block_scan",
    "brute_force",
    "distributed_scan",
    "exfiltration",
    "high_connection_rate",
    "host_anomaly",
    "host_sweep",
    "icmp_tunnel",
    "long_connection",
    "password_spray",
    "slow_http",
];

#[test]
fn every_alert_of_every_sample_has_its_packets_as_they_were() {
    let problems = for_each(&samples(), |sample| {
        let bench = TestBench::new();
        let report = carved(&bench, sample, &[]);
        let (rows, source) = (index(&report), frames(&sample.capture));
        let alerts = common::alerts(&report);
        let mut problems = Vec::new();
        if rows.len() != alerts.len() {
            problems.push(format!("{}: {} rows for {} alerts", sample.name, rows.len(), alerts.len()));
        }
        for (row, alert) in rows.iter().zip(&alerts) {
            problems.extend(check(&report, row, alert, &source).into_iter().map(|what| format!("{}: {what}", sample.name)));
        }
        problems
    });
    common::all_well(&problems);
}

fn check(report: &Path, row: &Row, alert: &Value, source: &BTreeMap<u64, (FrameRef, Vec<u8>)>) -> Vec<String> {
    let kind = alert["type"].as_str().unwrap();
    let mut wrong = Vec::new();
    let mut expect = |good: bool, what: String| {
        if !good {
            wrong.push(format!("{kind}: {what}"));
        }
    };
    expect(row["alert_id"] == alert["id"], "another alert".into());
    if row["file"].is_empty() {
        return vec![format!("{kind}: no packets")];
    }
    let path = report.join(&row["file"]);
    let bytes = fs::read(&path).unwrap();
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    expect(row["sha256"] == hash && row["bytes"] == bytes.len().to_string(), "hash or size".into());
    let manifest = common::json(&report.join("manifest.json"));
    let listed = manifest["files"].as_array().unwrap().iter().any(|file| file["name"] == row["file"] && file["sha256"] == hash);
    expect(listed, "not in the manifest".into());
    let reading = read(&path);
    expect(reading.packets.len().to_string() == row["packets"], format!("{} packets in the file", reading.packets.len()));
    expect(reading.program.starts_with("nsm "), reading.program.clone());
    expect(reading.resolutions.iter().all(|resolution| *resolution == 9), "no nanoseconds".into());
    let first = &reading.comments[0];
    expect(first.contains(alert["id"].as_str().unwrap()) && first.contains(kind), first.clone());
    for packet in &reading.packets {
        let (frame, data) = &source[&packet.frame];
        let same = (packet.ts, packet.origlen, packet.link, &packet.data) == (frame.ts, frame.origlen, frame.link.into(), data);
        expect(same, format!("frame {} is not what it was", packet.frame));
        expect(packet.source.starts_with("capture.pcap"), packet.source.clone());
    }
    expect(reading.packets.windows(2).all(|pair| pair[0].frame < pair[1].frame), "out of order".into());
    let (counted, matched) = (alert["packet_count"].as_u64().unwrap(), row["packets_matched"].parse::<u64>().unwrap());
    let agrees = if COUNTED_WHOLE.contains(&kind) { matched == counted } else { matched >= counted };
    expect(agrees, format!("{matched} packets matched, {counted} counted"));
    wrong
}

/// The file of the only alert of a type in a sample.
fn file_of(bench: &TestBench, name: &str, kind: &str) -> std::path::PathBuf {
    let report = carved(bench, &sample(name), &[]);
    let row = index(&report).into_iter().find(|row| row["type"] == kind).unwrap();
    report.join(&row["file"])
}

#[test]
fn the_attack_is_in_the_file() {
    if !is_there("tshark") {
        return;
    }
    let bench = TestBench::new();
    let scan = file_of(&bench, "port-scan", "port_scan");
    let source = sample("port-scan").capture;
    let probes = "tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == 203.0.113.66";
    // The sample's README: 1000 ports, some asked twice.
    assert!(tshark(&scan, probes) >= 1_000);
    assert_eq!(tshark(&scan, probes), tshark(&source, probes));
    assert_eq!(tshark(&scan, "frame"), tshark(&source, "ip.addr == 203.0.113.66 && ip.addr == 198.51.100.10"));
    let ssh = file_of(&bench, "ssh-brute-force", "brute_force");
    // 40 connections from their handshake on, with what was said in them.
    assert_eq!(tshark(&ssh, "tcp.flags.syn == 1 && tcp.flags.ack == 0"), 40);
    let source = sample("ssh-brute-force").capture;
    for what in ["ssh.protocol", "tcp.len > 0", "tcp.flags.fin == 1", "frame"] {
        let from_attacker = tshark(&source, &format!("ip.addr == 203.0.113.82 && {what}"));
        assert_eq!((tshark(&ssh, what), from_attacker > 0), (from_attacker, true), "{what}");
    }
    let tunnel = file_of(&bench, "dns-tunnel", "dns_tunnel");
    let (asked, answered) = (tshark(&tunnel, "dns.flags.response == 0"), tshark(&tunnel, "dns.flags.response == 1"));
    assert!(asked >= 200 && answered >= 200, "{asked} queries, {answered} answers");
    let spoof = file_of(&bench, "arp-spoof", "arp_spoof");
    assert!(tshark(&spoof, "arp.src.hw_mac == 02:00:0a:00:05:42 && arp.src.proto_ipv4 == 10.0.5.1") > 0, "the lie");
    assert!(tshark(&spoof, "ip && eth.addr == 02:00:0a:00:05:42") > 0, "what was diverted by it");
    let rogue = file_of(&bench, "rogue-dhcp", "rogue_dhcp");
    assert!(tshark(&rogue, "dhcp.option.dhcp == 2 && ip.src == 10.0.5.99") > 0, "offers of the rogue server");
    assert!(tshark(&rogue, "dhcp.option.dhcp == 2 && ip.src == 10.0.5.1") > 0, "offers of the true one");
}

#[test]
fn a_limit_keeps_the_first_packets_and_says_so_everywhere() {
    let bench = TestBench::new();
    let scan = sample("port-scan");
    let whole = read(&file_of(&bench, "port-scan", "port_scan"));
    assert_eq!(whole.comments[1], "all 1314 packets behind the alert");
    carve(&bench, &scan.capture, &["--set", "carve.max_packets=10"]).expect_code(0).expect_message("max_mib: 1, left out: 0;");
    let report = bench.reports().join("capture.pcap");
    let row = &index(&report)[0];
    assert_eq!((&row["packets"][..], &row["packets_matched"][..], &row["capped_by"][..]), ("10", "1314", "carve.max_packets"));
    let cut = read(&report.join(&row["file"]));
    assert_eq!(cut.comments[1], "the first 10 of 1314 packets behind the alert; carve.max_packets kept the rest out");
    let numbers = |reading: &Reading| reading.packets.iter().take(10).map(|packet| packet.frame).collect::<Vec<_>>();
    assert_eq!((numbers(&cut), cut.packets.len()), (numbers(&whole), 10));
    assert_eq!(row["first_frame"], cut.packets[0].frame.to_string());
    assert_eq!(row["last_frame"], cut.packets[9].frame.to_string());
    let warnings = &bench.summary("capture.pcap")["warnings"];
    assert_eq!(warnings[0]["kind"], "carved", "{warnings}");
}

/// UDP from 192.0.2.66 to port 9 of 192.0.2.1, so many packets of a second with a payload of 1000 bytes each.
fn udp_flood(packets: u32) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    // Lengths: 8 and 1000 bytes of UDP, 20 of IP, 14 of Ethernet.
    let macs = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x42, 8, 0];
    // Each has a number of its own, or it would be taken for the one before, captured twice.
    let ip = |number: u32| [&[0x45, 0, 4, 4][..], &number.to_be_bytes()[2..], &[0, 0, 64, 17, 0, 0, 192, 0, 2, 66, 192, 0, 2, 1]].concat();
    let udp = [0x9c, 0x40, 0, 9, 3, 0xf0, 0, 0];
    for number in 0..packets {
        for field in [1_700_000_000, number * (1_000_000 / packets), 1_042, 1_042] {
            file.extend(field.to_le_bytes());
        }
        file.extend([&macs[..], &ip(number), &udp, &[0x5a; 1_000]].concat());
    }
    file
}

/// Block, fields and end of options (12, 20, 4), the frame of 1042 bytes padded, and the comment as an option,
/// padded.
fn cost(comment: usize) -> u64 {
    36 + 1_044 + 4 + comment.next_multiple_of(4) as u64
}

#[test]
fn a_limit_in_bytes_keeps_the_first_packets_and_says_so() {
    let bench = TestBench::new();
    // A name of characters that are written with five each.
    let escaped = if cfg!(unix) { "\u{1}" } else { "a" };
    for name in ["flood.pcap", &format!("{}.pcap", escaped.repeat(150))] {
        let capture = bench.write(name, udp_flood(3_000));
        carve(&bench, &capture, &["--set", "carve.max_mib=1"]).expect_code(0).expect_message("max_mib: 1, left out: 0;");
        let report = bench.reports().join(name);
        let row = index(&report).into_iter().find(|row| row["type"] == "udp_flood").unwrap();
        assert_eq!((&row["packets_matched"][..], &row["capped_by"][..], &row["connections"][..]), ("3000", "carve.max_mib", ""));
        let reading = read(&report.join(&row["file"]));
        let written = reading.packets.len();
        assert_eq!((&row["packets"], &row["last_frame"]), (&written.to_string(), &written.to_string()));
        assert!(reading.packets.iter().map(|packet| packet.frame).eq(1..=written as u64), "not the first ones");
        assert_eq!(reading.comments[1], format!("the first {written} of 3000 packets behind the alert; carve.max_mib kept the rest out"));
        let costs = |frame: usize| cost(format!("frame {frame} of {}", reading.packets[0].source).len());
        let taken: u64 = (1..=written).map(costs).sum();
        assert!(taken <= 1 << 20 && taken + costs(written + 1) > 1 << 20, "{written} packets take {taken} bytes");
        // What is said of the whole file comes on top: up to 4096 bytes at its beginning, little at its end.
        let size: u64 = row["bytes"].parse().unwrap();
        assert!((taken..taken + 4_096 + 512).contains(&size), "{size} bytes of which the packets are {taken}");
    }
}

#[test]
fn whether_connections_were_followed_is_said_in_the_file_and_in_the_index() {
    let bench = TestBench::new();
    for (name, kind, connections, said) in [
        ("port-scan", "port_scan", "followed", " and in the rest of their TCP connections, up to 300 s before and after; at most"),
        // From 18 647 addresses.
        ("syn-flood", "syn_flood", "too_many", "; the rest of their TCP connections, which are more than 4096, is left out; at most"),
        ("udp-flood", "udp_flood", "", ".pcap; at most"),
    ] {
        let report = carved(&bench, &sample(name), &[]);
        let row = index(&report).into_iter().find(|row| row["type"] == kind).unwrap();
        assert_eq!(row["connections"], connections, "{name}");
        let comment = &read(&report.join(&row["file"])).comments[0];
        assert!(comment.contains(said), "{name}: {comment}");
    }
}

#[test]
fn only_the_worst_alerts_are_carved_when_there_are_too_many() {
    let bench = TestBench::new();
    carve(&bench, &sample("intrusion").capture, &["--set", "carve.max_alerts=2"]).expect_code(0).expect_message("max_mib: 0, left out: 4;");
    let report = bench.reports().join("capture.pcapng");
    assert_eq!(index(&report).len(), 2);
    assert_eq!(common::alerts(&report).len(), 6);
}

#[test]
fn what_can_be_read_only_once_is_refused_before_anything_is_analysed() {
    let bench = TestBench::new();
    bench
        .nsm_fed(["analyze", "-", "--carve"], &sample("port-scan").bytes())
        .expect_code(2)
        .expect_message("--carve reads a capture twice")
        .expect_message("save it to a file first");
    assert!(!bench.reports().exists());
}

#[test]
fn a_compressed_capture_gives_the_same_files() {
    let bench = TestBench::new();
    let plain = sample("port-scan").bytes();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain).unwrap();
    let paths = [bench.write("a/scan", &plain), bench.write("b/scan", encoder.finish().unwrap())];
    let args = ["analyze", "--carve", "--format", "json"].map(AsRef::as_ref).into_iter().chain(paths.iter().map(|path| path.as_os_str()));
    bench.nsm(args).expect_code(0);
    let all = common::tree(&bench.reports());
    let below = |directory: &str| {
        let of = all.iter().filter(|(name, _)| name.contains(directory) && name.contains("/carved/"));
        of.map(|(name, bytes)| (name.rsplit('/').next().unwrap().to_owned(), bytes.clone())).collect::<BTreeMap<_, _>>()
    };
    let (a, b) = (below("/a/scan/"), below("/b/scan/"));
    assert_eq!(a.keys().collect::<Vec<_>>(), ["alert-1-port_scan.pcapng", "index.csv"]);
    assert!(a == b, "the files differ");
}

#[test]
fn a_period_cuts_what_is_carved_and_keeps_the_numbers() {
    let bench = TestBench::new();
    let scan = sample("port-scan").capture;
    let all = frames(&scan);
    let middle = all[&700].0.ts;
    let report = {
        let to = format!("{}.{:09}", middle / 1_000_000_000, middle % 1_000_000_000);
        carve(&bench, &scan, &["--to", &to]).expect_code(0);
        bench.reports().join("capture.pcap")
    };
    let reading = read(&report.join(&index(&report)[0]["file"]));
    assert!(reading.packets.len() > 100);
    for packet in &reading.packets {
        assert!(packet.ts < middle && all[&packet.frame].1 == packet.data, "frame {}", packet.frame);
    }
}

#[test]
fn a_report_without_carving_leaves_no_carved_files_of_the_one_before() {
    let bench = TestBench::new();
    let report = carved(&bench, &sample("port-scan"), &[]);
    assert!(report.join("carved/index.csv").exists());
    bench
        .nsm(["analyze".as_ref(), sample("port-scan").capture.as_os_str(), "--force".as_ref(), "--format".as_ref(), "json".as_ref()])
        .expect_code(0);
    assert!(common::files_of(&report.join("carved")).is_empty());
}
