//! A second opinion: frames, and who sent how many packets and how much payload to whom, as `tshark`
//! sees them. Says loudly that it did nothing where `tshark` is not installed.
//!
//! Both sides are summed over the unordered pair of ends, so that time-outs, which cut one conversation
//! into several flows, make no difference.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test that cannot go on says where")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use network_security_monitor::pipeline::Options;

/// Captures in which the two differ, and why that is no mistake of ours. Whatever is not listed must agree.
const EXPLAINED: [(&str, &str); 8] = [
    ("samples/damaged-cut/capture.pcap", CUT_RECORD),
    ("scottymace_cnc1.pcap", CUT_RECORD),
    ("hadrielk_be_test017.pcapng", CUSTOM_BLOCKS),
    ("hadrielk_le_test017.pcapng", CUSTOM_BLOCKS),
    (
        "ntop_fuzz-2006-06-26-2594.pcap",
        "a TCP header of 12 bytes, which tshark calls malformed and shows the ports of: no connection for us",
    ),
    ("OISF_fuzz.pcap", "the length of its second record is impossible, from which tshark concludes that all record headers are longer"),
    ("the-tcpdump-group_brcm-tag.pcap", "its link types are newer than some versions of tshark, which then read nothing"),
    (
        "zeek_gtp1_gn_normal_incl_fragmentation.pcap",
        "the outer packets are fragments that cut the inner ones short: we count payload by the inner header's word, tshark what is there",
    ),
];
const CUT_RECORD: &str = "the last record is cut short: we analyse what is left of it, tshark drops it";
const CUSTOM_BLOCKS: &str = "it holds custom blocks only, which tshark counts as frames (capinfos counts no packets)";

const UDP_HEADER: u64 = 8;
const FRAGMENT_HEADER: u64 = 8;
/// Differences shown of one capture.
const SHOWN: usize = 6;

type End = (IpAddr, u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Conversation {
    tcp: bool,
    low: End,
    high: End,
}

/// Packets and payload bytes, from the low end and from the high one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    packets: [u64; 2],
    payload: [u64; 2],
}

#[derive(Default)]
struct Traffic(BTreeMap<Conversation, Sums>);

impl Traffic {
    fn add(&mut self, tcp: bool, from: End, to: End, packets: u64, payload: u64) {
        if packets == 0 {
            return;
        }
        let direction = usize::from(from > to);
        let sums = self.0.entry(Conversation { tcp, low: from.min(to), high: from.max(to) }).or_default();
        sums.packets[direction] += packets;
        sums.payload[direction] += payload;
    }
}

/// What one of the two says of a capture.
struct Opinion {
    frames: u64,
    traffic: Traffic,
    /// Packets that a flood made and no conversation was kept for.
    folded: u64,
}

fn ours(path: &Path) -> Opinion {
    let (report, flows) = common::analyze_bytes(fs::read(path).unwrap(), &Options::default()).unwrap();
    let mut traffic = Traffic::default();
    let mut reader = csv::Reader::from_reader(flows.as_slice());
    for row in reader.deserialize() {
        let row: BTreeMap<String, String> = row.unwrap();
        let number = |name: &str| row[name].parse::<u64>().unwrap();
        let end = |side: &str| (row[side].parse().unwrap(), row[&format!("{side}_port")].parse().unwrap());
        let (originator, responder): (End, End) = (end("originator"), end("responder"));
        let tcp = row["protocol"] == "tcp";
        // Later fragments are kept under port 0 on both sides.
        if (tcp || row["protocol"] == "udp") && (originator.1, responder.1) != (0, 0) {
            traffic.add(tcp, originator, responder, number("orig_packets"), number("orig_payload_bytes"));
            traffic.add(tcp, responder, originator, number("resp_packets"), number("resp_payload_bytes"));
        }
    }
    Opinion { frames: report.accounting.frames, traffic, folded: report.totals.folded_packets }
}

const FIELDS: [&str; 14] = [
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.len",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "ip.len",
    "ip.hdr_len",
    "ipv6.plen",
];

fn tsharks(path: &Path) -> Opinion {
    let mut command = Command::new("tshark");
    // Fragments stay what they are: the first one carries the ports.
    command.args(["-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-T", "fields", "-E", "occurrence=a"]);
    command.args(FIELDS.iter().flat_map(|field| ["-e", field])).arg("-r").arg(path);
    // A damaged capture makes it fail at the end, after all that could be read.
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let mut traffic = Traffic::default();
    for line in output.lines() {
        if let Some((tcp, from, to, payload)) = innermost(line) {
            traffic.add(tcp, from, to, 1, payload);
        }
    }
    Opinion { frames: output.lines().count() as u64, traffic, folded: 0 }
}

/// The innermost TCP or UDP of a frame, its ends and the length of its payload. What an ICMP error quotes
/// is not of the frame. The values of a field come in the order in which its protocol occurs. Of a
/// fragment, only its own part of the datagram counts.
fn innermost(line: &str) -> Option<(bool, End, End, u64)> {
    let mut fields: Vec<_> = line.split('\t').map(|values| values.split(',')).collect();
    let protocols = fields.first_mut()?.next()?.split(':');
    let mut next = |place: usize| fields.get_mut(place).and_then(Iterator::next);
    let (mut ends, mut room, mut found) = (None, 0, None);
    for protocol in protocols {
        match protocol {
            "ip" => (ends, room, found) = (addresses(next(1), next(2)), number(next(11)).saturating_sub(number(next(12))), None),
            "ipv6" => (ends, room, found) = (addresses(next(3), next(4)), number(next(13)), None),
            "ipv6.fraghdr" => room = room.saturating_sub(FRAGMENT_HEADER),
            "tcp" => found = ports(next(5), next(6)).map(|ports| (true, ports, number(next(7)))),
            "udp" => {
                let datagram = number(next(10));
                found = ports(next(8), next(9)).map(|ports| (false, ports, datagram.min(room).saturating_sub(UDP_HEADER)));
            }
            "icmp" | "icmpv6" => break,
            _ => {}
        }
    }
    let ((source, target), (tcp, (source_port, target_port), payload)) = (ends?, found?);
    Some((tcp, (source, source_port), (target, target_port), payload))
}

fn addresses(source: Option<&str>, target: Option<&str>) -> Option<(IpAddr, IpAddr)> {
    Some((source?.parse().ok()?, target?.parse().ok()?))
}

fn ports(source: Option<&str>, target: Option<&str>) -> Option<(u16, u16)> {
    Some((source?.parse().ok()?, target?.parse().ok()?))
}

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Where the two differ, in words.
fn differences(ours: &Opinion, theirs: &Opinion) -> Vec<String> {
    let mut found = Vec::new();
    if ours.frames != theirs.frames {
        found.push(format!("frames: {} instead of {}", ours.frames, theirs.frames));
    }
    if ours.folded > 0 {
        return found;
    }
    let all: BTreeSet<&Conversation> = ours.traffic.0.keys().chain(theirs.traffic.0.keys()).collect();
    for conversation in all {
        let (mine, their) = (ours.traffic.0.get(conversation), theirs.traffic.0.get(conversation));
        if mine != their {
            found.push(format!("{conversation:?}: {mine:?} instead of {their:?}"));
        }
    }
    found
}

fn check(path: &Path) -> (Vec<String>, bool, usize) {
    let (ours, theirs) = (ours(path), tsharks(path));
    let found = differences(&ours, &theirs);
    let sample = path.strip_prefix(common::root()).ok().filter(|path| path.starts_with("samples"));
    let name = sample.unwrap_or(path.file_name().unwrap().as_ref()).display().to_string();
    let explained = EXPLAINED.iter().any(|(capture, _)| *capture == name);
    let mut problems = Vec::new();
    if !found.is_empty() && !explained {
        let shown = found.iter().take(SHOWN).map(|difference| format!("\n    {difference}")).collect::<String>();
        problems.push(format!("{name}: {} differences:{shown}", found.len()));
    }
    (problems, ours.folded == 0, ours.traffic.0.len())
}

fn compare(captures: &[PathBuf]) {
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("SKIPPED: tshark is not installed, nothing was compared with a second opinion");
        return;
    }
    let counted = std::sync::Mutex::new((0, 0, 0));
    let problems = common::for_each(captures, |path| {
        let (problems, compared, conversations) = check(path);
        let mut counted = counted.lock().unwrap();
        counted.0 += 1;
        if compared {
            counted.1 += 1;
            counted.2 += conversations;
        }
        problems
    });
    let (captures, compared, conversations) = counted.into_inner().unwrap();
    eprintln!("frames of {captures} captures and {conversations} conversations of {compared} compared with tshark");
    common::all_well(&problems);
}

#[test]
fn tshark_sees_the_same_in_the_samples() {
    compare(&common::samples().into_iter().map(|sample| sample.capture).collect::<Vec<_>>());
}

#[test]
fn tshark_sees_the_same_in_the_corpus() {
    compare(&common::corpus());
}
