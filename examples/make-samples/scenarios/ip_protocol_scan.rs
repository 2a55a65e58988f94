//! Which IP protocols does a host speak? As `nmap -sO` asks.

use std::io;

use super::{scanner, scans_and_floods_without, web_server};
use crate::capture_file;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::icmp::{self, Ping};
use crate::traffic::probe;
use crate::wire::{self, Icmpv4Type};

const START: Nanos = BASE + 10 * SECOND;
const PACE: Nanos = 80 * MILLISECOND;
const ROUND_TRIP: Nanos = 18 * MILLISECOND;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// The host speaks these, or a firewall swallows them.
const SILENT: [u8; 5] = [2, 41, 47, 50, 103];

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(7);
    browsing::visits(&mut scene, BASE, 30, SECOND, web_server().port(80));
    let mut protocols: Vec<u8> = (1..=254).collect();
    scene.shuffle(&mut protocols);
    for (index, protocol) in (0..).zip(protocols) {
        ask(&mut scene, START + index * PACE, protocol);
    }
    let expected = Expected::one("ip_protocol_scan", "medium").by(scanner()).against(web_server());
    Ok(Sample {
        name: "ip-protocol-scan",
        title: "IP protocol scan",
        shows: "one packet of each of 254 IP protocols to one host",
        story: "The scanner sends one packet of every IP protocol from 1 to 254, most of them empty. TCP, UDP and ICMP are answered in\n\
            their own way, a few are swallowed, and for all others the host says ICMP protocol unreachable.",
        cast: vec![(scanner().ip.to_string(), "scanner"), (web_server().ip.to_string(), "scanned server")],
        timeline: vec![(START, "the scan begins"), (START + 253 * PACE, "the last protocol")],
        filters: vec![("ip.src == 203.0.113.66".into(), "the probes"), ("icmp.type == 3 && icmp.code == 2".into(), "protocol unreachable")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["ip_protocol_scan"])),
    })
}

fn ask(scene: &mut Scene, at: Nanos, protocol: u8) {
    let (from, to) = (scanner(), web_server());
    let source = from.port(41_234);
    match protocol {
        ICMP => {
            let ping = Ping { from, to, id: 7, seq: 1 };
            icmp::request(scene, at, ping);
            icmp::reply(scene, at + ROUND_TRIP, ping);
        }
        TCP => probe::flagged(scene, at, source, to.port(80), probe::ACK_ONLY, true),
        UDP => probe::udp(scene, at, source, to.port(40_125), true),
        _ => bare(scene, at, protocol, SILENT.contains(&protocol)),
    }
}

/// An IP header and nothing behind it, which is refused unless the host keeps silent.
pub fn bare(scene: &mut Scene, at: Nanos, protocol: u8, silent: bool) {
    let (ident, answer_ident) = (scene.rng.u16(), scene.rng.u16());
    let probe = wire::raw(scanner(), web_server(), ident, protocol, &[]);
    if !silent {
        let kind = Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::Protocol);
        scene.put(at + ROUND_TRIP, wire::icmp4(web_server(), scanner(), answer_ident, kind, wire::quoted(&probe)));
    }
    scene.put(at, probe);
}
