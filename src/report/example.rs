//! A small report for the tests of the formats.

use super::model::{Bucket, HostRow, ProtocolRow, Report, Timeline, Totals};
use crate::capture::SourceFacts;
use crate::decode::{Accounting, Reason};
use crate::detect::{Alert, Check, FrameSpan, Measured, Picture, Probe, Quality, Rate, Severity, State};
use crate::net::Addr;
use crate::table::BusyService;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// 2023-08-05 15:03:31 UTC.
pub const START: Nanos = 1_691_247_811 * SECOND;

pub fn alert(kind: &'static str, severity: Severity, first_seen: Nanos, last_seen: Nanos) -> Alert {
    Alert {
        kind,
        technique: None,
        title: kind.replace('_', " "),
        message: kind.replace('_', " "),
        severity,
        confidence: 0.9,
        attack: &["T1046"],
        first_seen,
        last_seen,
        detected_at: last_seen,
        attackers: vec!["198.51.100.7".into()],
        attacker_count: 1,
        victims: vec!["192.0.2.10".into()],
        victim_count: 1,
        ports: vec![22, 80],
        port_count: 2,
        protocol: "tcp",
        measured: Vec::new(),
        window_s: 300.0,
        flow_count: 1_000,
        packet_count: 2_000,
        frames: FrameSpan { first: 1, last: 99 },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: vec!["look at 198.51.100.7".into()],
        picture: Picture::None,
    }
}

/// Ten seconds with a flood and a scan: 100 frames of which 2 are partly and 3 not decoded and 5
/// filtered out.
pub fn report() -> Report {
    Report {
        input: "office.pcap".into(),
        facts: SourceFacts { format: "pcap".into(), link_types: vec![1], interfaces: 1, snaplen: 65_535, ..SourceFacts::default() },
        accounting: accounting(),
        span: Some((START, START + 10 * SECOND)),
        totals: Totals { flows: 4, hosts: 2, attempts: 3, folded_packets: 0 },
        warnings: Vec::new(),
        alerts: vec![flood(), scan()],
        suppressed: Vec::new(),
        hosts: vec![host([192, 0, 2, 10], 2_000_000, 9_000_000), host([198, 51, 100, 7], 9_000_000, 1_000)],
        resolved: vec![(Addr::from_v4_bytes([198, 51, 100, 7]), "scanner.example".into())],
        services: vec![service()],
        protocols: vec![protocol("transport", "tcp", 80), protocol("transport", "udp", 10), protocol("service", "http", 30)],
        incidents: Vec::new(),
        timeline: Timeline { width_s: 1, buckets: (0..10).map(bucket).collect() },
        quality: quality(),
    }
}

pub fn empty() -> Report {
    Report {
        input: "empty.pcap".into(),
        facts: SourceFacts { format: "pcap".into(), ..SourceFacts::default() },
        accounting: Accounting::default(),
        span: None,
        totals: Totals::default(),
        warnings: Vec::new(),
        alerts: Vec::new(),
        suppressed: Vec::new(),
        hosts: Vec::new(),
        resolved: Vec::new(),
        services: Vec::new(),
        protocols: Vec::new(),
        incidents: Vec::new(),
        timeline: Timeline { width_s: 1, buckets: Vec::new() },
        quality: Quality { checks: Vec::new() },
    }
}

/// One-way traffic, which alerts repeat; no duplicates; and cut frames, which weaken no alert.
fn quality() -> Quality {
    let check = |name, state, measured: &str, meaning, weakness| Check { name, state, measured: measured.into(), meaning, weakness };
    let one_way = "90 of 100 (90.0 %) packets of TCP conversations are in one-sided ones";
    let cut = "654 of 1,000 (65.4 %) frames are cut by the snapshot length";
    Quality {
        checks: vec![
            check("one_way", State::Poor, one_way, "answers were not captured", Some("one-way traffic")),
            check("duplicates", State::Ok, "0 of 100 (0.0 %) packets were captured twice within 2 ms", "", None),
            check("cut_frames", State::Weak, cut, "detectors that read contents see less", None),
        ],
    }
}

fn accounting() -> Accounting {
    let reasons = Reason::ALL.map(|reason| match reason {
        Reason::LaterFragment => 2,
        Reason::OtherNetwork => 3,
        _ => 0,
    });
    Accounting { frames: 100, decoded: 90, reasons, filtered: 5, captured_bytes: 12_000_000, wire_bytes: 12_345_678, cut_frames: 1 }
}

fn flood() -> Alert {
    let seconds = (0..5).map(|second| Rate { ts: START + second * SECOND, packets: 30_000, sources: 9_000 }).collect();
    Alert {
        title: "SYN flood against 192.0.2.10".into(),
        message: "30,000 SYN/s".into(),
        detected_at: START + 2 * SECOND,
        measured: vec![
            Measured { name: "SYN rate", value: 30_000.0, unit: "packets/s", threshold: Some(256.0) },
            Measured { name: "distinct sources", value: 37_000.0, unit: "addresses", threshold: None },
        ],
        picture: Picture::Rates { unit: "SYN/s", threshold: 256.0, seconds },
        ..alert("syn_flood", Severity::High, START, START + 5 * SECOND)
    }
}

fn scan() -> Alert {
    let points = (1..200).map(|port| Probe { ts: START + i64::from(port) * 10 * MILLISECOND, value: port, open: port == 80 }).collect();
    Alert {
        title: "Port scan of 192.0.2.10 by 198.51.100.7".into(),
        picture: Picture::Probes { axis: "destination port", points },
        ..alert("port_scan", Severity::Medium, START + SECOND, START + 3 * SECOND)
    }
}

fn host(address: [u8; 4], bytes_sent: u64, bytes_received: u64) -> HostRow {
    HostRow {
        address: Addr::from_v4_bytes(address),
        first_seen: START,
        last_seen: START + SECOND,
        bytes_sent,
        bytes_received,
        ..HostRow::default()
    }
}

fn service() -> BusyService {
    BusyService {
        address: Addr::from_v4_bytes([192, 0, 2, 10]),
        port: 80,
        proto: 6,
        service: "http".into(),
        names: vec!["www.example".into()],
        connections: 3,
        bytes: 1_500,
    }
}

fn protocol(layer: &'static str, name: &str, packets: u64) -> ProtocolRow {
    ProtocolRow { layer, protocol: name.into(), packets, bytes: packets * 100 }
}

fn bucket(second: i64) -> Bucket {
    Bucket { ts: START + second * SECOND, packets: 10, bytes: 1_000, tcp: 8, udp: 1, icmp: 0, other: 1, syn: 4 }
}
