//! A scan below every short window.

use std::io;

use super::{ports, scanner, scans_and_floods_without, web_server};
use crate::capture_file;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MINUTE, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::probe::{self, Port};

const PORTS: usize = 50;
const START: Nanos = BASE + MINUTE;
const PACE: Nanos = 45 * SECOND;
const OPEN: [u16; 2] = [80, 443];

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(5);
    browsing::visits(&mut scene, BASE, 40, MINUTE, web_server().port(80));
    let chosen = ports(&mut scene, &OPEN, PORTS);
    for (index, port) in (0..).zip(chosen) {
        let state = match index % 2 {
            _ if OPEN.contains(&port) => Port::Open,
            0 => Port::Closed,
            _ => Port::Filtered,
        };
        let source = scanner().port(scene.fresh_port(scanner()));
        let jitter = scene.rng.between(0, 2 * SECOND);
        probe::syn(&mut scene, START + index * PACE + jitter, source, web_server().port(port), state);
    }
    let expected = Expected::one("port_scan", "medium").by(scanner()).against(web_server()).ports(PORTS as u64);
    Ok(Sample {
        name: "slow-scan",
        title: "Slow scan",
        shows: "one probe every 45 s: 50 ports in 38 min",
        story: "A patient scanner sends one SYN every 45 seconds: no more than seven in any five minutes, 50 ports in all. Two are open,\n\
            half of the others are closed, the rest silent. A visitor reads a web page every minute.",
        cast: vec![(scanner().ip.to_string(), "slow scanner"), (web_server().ip.to_string(), "scanned server")],
        timeline: vec![(START, "the first probe"), (START + (PORTS as Nanos - 1) * PACE, "the last probe")],
        filters: vec![("ip.addr == 203.0.113.66".into(), "the whole scan")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["port_scan"])),
    })
}
