//! A half-open scan of a thousand ports of one server, as `nmap -sS` does it.

use std::io;

use super::{ports, scanner, scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::{Frame, Scene};
use crate::time::{BASE, MICROSECOND, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::probe::{self, Port};

pub const PORTS: usize = 1_000;
const OPEN: [u16; 12] = [21, 22, 25, 53, 80, 110, 143, 443, 587, 993, 3306, 8080];
const SCAN_AT: Nanos = BASE + 5 * SECOND;
const PACE: Nanos = 6 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    Ok(Sample {
        name: "port-scan",
        title: "Port scan",
        shows: "half-open scan of 1000 ports of one server in 6 s, 12 of them open",
        story: "A machine on the Internet sends a SYN to 1000 ports of one server in random order, all from one source port and with\n\
            the small window of a scanner. Twelve ports answer SYN-ACK, which the scanner resets; some ports are closed (RST), and\n\
            a firewall swallows the rest. About one in five of the swallowed probes is sent again after a second: a repetition is no\n\
            second attempt.",
        cast: vec![
            (scanner().ip.to_string(), "scanner"),
            (web_server().ip.to_string(), "scanned server"),
            ("192.0.2.10-19".into(), "visitors of its web site"),
        ],
        timeline: vec![
            (BASE, "a visitor every second"),
            (SCAN_AT, "the scan begins"),
            (SCAN_AT + PORTS as Nanos * PACE, "the last first probe"),
        ],
        filters: vec![
            ("ip.addr == 203.0.113.66 && tcp.flags == 0x002".into(), "the probes"),
            ("ip.src == 198.51.100.10 && tcp.flags == 0x012 && ip.dst == 203.0.113.66".into(), "the open ports"),
            ("tcp.analysis.retransmission".into(), "the repeated probes"),
        ],
        file: capture_file::pcap(&frames())?,
        expect: expectation(),
    })
}

pub fn expectation() -> Expectation {
    let scan = Expected::one("port_scan", "medium").technique("syn").by(scanner()).against(web_server()).ports(PORTS as u64);
    Expectation::only(vec![scan], &scans_and_floods_without(&["port_scan"]))
}

pub fn frames() -> Vec<Frame> {
    let mut scene = Scene::new(1);
    browsing::visits(&mut scene, BASE, 10, SECOND + 70 * MILLISECOND, web_server().port(80));
    scan(&mut scene, SCAN_AT, scanner(), web_server(), &OPEN, PORTS, PACE);
    scene.into_frames()
}

/// Half-open probes of `count` ports, one every `pace`.
pub fn scan(scene: &mut Scene, start: Nanos, from: Host, to: Host, open: &[u16], count: usize, pace: Nanos) {
    let from = from.port(scene.fresh_port(from));
    let mut at = start;
    for port in ports(scene, open, count) {
        let state = if open.contains(&port) { Port::Open } else { guarded(scene) };
        let jitter = scene.rng.between(0, pace / 2 / MICROSECOND) * MICROSECOND;
        probe::syn(scene, at + jitter, from, to.port(port), state);
        at += pace;
    }
}

/// What most ports do behind a firewall with some holes.
fn guarded(scene: &mut Scene) -> Port {
    match scene.rng.between(0, 10) {
        0 => Port::Closed,
        1 | 2 => Port::FilteredAndRepeated,
        _ => Port::Filtered,
    }
}
