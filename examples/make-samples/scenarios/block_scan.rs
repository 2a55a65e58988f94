//! A few ports of many hosts, in no order.

use std::io;

use super::{scanner, scans_and_floods_without};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::probe::{self, Port};

const PORTS: [u16; 9] = [22, 23, 445, 1_433, 3_306, 3_389, 5_900, 6_379, 9_200];
const HOSTS: u8 = 14;
const START: Nanos = BASE + 20 * SECOND;
const PACE: Nanos = 700 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(50);
    browsing::visits(&mut scene, BASE, 40, 3 * SECOND, Host::local([198, 51, 100, 10]).port(80));
    probes(&mut scene, START, (HOSTS, &PORTS), PACE);
    let expected = Expected::one("block_scan", "medium").by(scanner());
    Ok(Sample {
        name: "block-scan",
        title: "Block scan",
        shows: "9 ports of 14 hosts tried in random order in a minute and a half",
        story: "The scanner tries nine ports behind which data and desktops live on fourteen hosts, in random order, so that neither one\n\
            host nor one port stands out. A third of the hosts refuse, the others are silent. Visitors read web pages.",
        cast: vec![(scanner().ip.to_string(), "scanner"), ("198.51.100.20 to 198.51.100.33".into(), "scanned hosts")],
        timeline: vec![(START, "the first probe"), (START + (u64::from(HOSTS) * PORTS.len() as u64 - 1) * PACE, "the last probe")],
        filters: vec![("ip.src == 203.0.113.66 && tcp.flags == 0x002".into(), "the probes")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["block_scan", "port_scan", "host_sweep"])),
    })
}

/// Every port of every host once, in random order.
pub fn probes(scene: &mut Scene, start: Nanos, (hosts, ports): (u8, &[u16]), pace: Nanos) {
    let mut pairs: Vec<(u8, u16)> = (0..hosts).flat_map(|host| ports.iter().map(move |port| (host, *port))).collect();
    scene.shuffle(&mut pairs);
    for (index, (host, port)) in (0..).zip(pairs) {
        let source = scanner().port(scene.fresh_port(scanner()));
        let state = if host % 3 == 0 { Port::Closed } else { Port::Filtered };
        probe::syn(scene, start + index * pace, source, Host::local([198, 51, 100, 20 + host]).port(port), state);
    }
}
