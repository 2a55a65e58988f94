//! Every other way to scan ports, each by its own scanner on its own victim, two minutes apart.

use std::io;

use super::{ports, scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::tcp::Session;
use crate::traffic::{browsing, probe};

const PORTS: usize = 40;
const OPEN: [u16; 4] = [22, 80, 443, 8080];
const PACE: Nanos = 50 * MILLISECOND;
/// A kernel sends one ICMP error a second, and a scanner that wants an answer waits for it.
const UDP_PACE: Nanos = SECOND;
const APART: Nanos = 2 * MINUTE;
const TECHNIQUES: [&str; 7] = ["connect", "fin", "null", "xmas", "ack", "maimon", "udp"];
const ROUND_TRIP: Nanos = 18 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(2);
    browsing::visits(&mut scene, BASE, 90, 10 * SECOND, web_server().port(80));
    for (index, technique) in (0..).zip(TECHNIQUES) {
        scan(&mut scene, technique, start(index), scanner(index), victim(index));
    }
    let steps = (0..).zip(["connect scan", "FIN scan", "NULL scan", "Xmas scan", "ACK scan", "Maimon scan (FIN+ACK)", "UDP scan"]);
    let expected = (0..).zip(TECHNIQUES).map(|(index, technique)| {
        let alert = Expected::one("port_scan", "medium").technique(technique);
        alert.by(scanner(index)).against(victim(index)).ports(PORTS as u64)
    });
    Ok(Sample {
        name: "connect-and-stealth-scans",
        title: "Connect scan and stealth scans",
        shows: "connect, FIN, NULL, Xmas, ACK, Maimon and UDP scans of 40 ports each",
        story: "Seven scanners scan 40 ports of seven servers, one after another. The connect scan completes each handshake and drops\n\
            the connection. FIN, NULL, Xmas and Maimon probes get a RST from closed ports and silence from open ones; a bare ACK\n\
            gets a RST from every port; the UDP probes get ICMP port unreachable from all but a few ports. An ordinary visitor reads\n\
            a web page every ten seconds.",
        cast: vec![
            ("203.0.113.71 to 203.0.113.77".into(), "scanners, in this order"),
            ("198.51.100.21 to 198.51.100.27".into(), "their victims, in this order"),
            (web_server().ip.to_string(), "a web server with visitors, not scanned"),
        ],
        timeline: steps.map(|(index, what)| (start(index), what)).collect(),
        filters: vec![
            ("tcp.flags == 0x001 && ip.dst == 198.51.100.22".into(), "FIN probes"),
            ("tcp.flags == 0x000".into(), "NULL probes"),
            ("tcp.flags == 0x029".into(), "Xmas probes"),
            ("ip.addr == 203.0.113.75".into(), "the ACK scan and its answers"),
            ("icmp.type == 3 && icmp.code == 3".into(), "closed UDP ports"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(expected.collect(), &scans_and_floods_without(&["port_scan"])),
    })
}

const fn start(index: u8) -> Nanos {
    BASE + MINUTE + index as Nanos * APART
}

fn scanner(index: u8) -> Host {
    Host::remote([203, 0, 113, 71 + index])
}

fn victim(index: u8) -> Host {
    Host::local([198, 51, 100, 21 + index])
}

fn scan(scene: &mut Scene, technique: &str, start: Nanos, from: Host, to: Host) {
    let source = from.port(scene.fresh_port(from));
    let mut at = start;
    for port in ports(scene, &OPEN, PORTS) {
        let (open, target) = (OPEN.contains(&port), to.port(port));
        match technique {
            "connect" if open => {
                Session::open(scene, at, from, target, ROUND_TRIP).abort();
            }
            "connect" => probe::refused(scene, at, from, target, ROUND_TRIP),
            "fin" => probe::flagged(scene, at, source, target, probe::FIN_ONLY, !open),
            "null" => probe::flagged(scene, at, source, target, probe::NO_FLAGS, !open),
            "xmas" => probe::flagged(scene, at, source, target, probe::XMAS, !open),
            "ack" => probe::flagged(scene, at, source, target, probe::ACK_ONLY, true),
            "maimon" => probe::flagged(scene, at, source, target, probe::MAIMON, !open),
            _ => probe::udp(scene, at, source, target, !open && port % 40 != 7),
        }
        at += if technique == "udp" { UDP_PACE } else { PACE };
    }
}
