//! A port scan over IPv6, seen on a trunk with VLAN tags.

use std::io;

use super::{port_scan, scans_and_floods_without};
use crate::capture_file;
use crate::host::Host;
use crate::pcapng::Interface;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::{Frame, Scene};
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::{browsing, neighbours};
use crate::wire;

const VLAN: u16 = 20;
const PORTS: usize = 200;
const OPEN: [u16; 5] = [22, 25, 80, 443, 8443];
const START: Nanos = BASE + 10 * SECOND;
const PACE: Nanos = 25 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(8);
    neighbours::resolve(&mut scene, BASE, router(), server());
    for index in 0..20 {
        let reader = Host::remote([0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0x30 + index]);
        browsing::visit(&mut scene, BASE + SECOND + Nanos::from(index) * SECOND, reader, server().port(80));
    }
    port_scan::scan(&mut scene, START, scanner(), server(), &OPEN, PORTS, PACE);
    let tag = |frame: Frame| Frame { bytes: wire::tagged(&frame.bytes, VLAN), ..frame };
    let frames: Vec<Frame> = scene.into_frames().into_iter().map(tag).collect();
    let expected = Expected::one("port_scan", "medium").technique("syn").by(scanner()).against(server()).ports(PORTS as u64);
    Ok(Sample {
        name: "ipv6-scan",
        title: "Port scan over IPv6",
        shows: "half-open scan of 200 ports over IPv6 with a VLAN tag (pcapng)",
        story: "The same scan as in `port-scan`, but over IPv6 and captured on a trunk port: every frame carries the tag of VLAN 20.\n\
            The router first resolves the server by neighbour discovery; twenty visitors read web pages.",
        cast: vec![(scanner().ip.to_string(), "scanner"), (server().ip.to_string(), "scanned server"), (router().ip.to_string(), "router")],
        timeline: vec![(START, "the scan begins"), (START + (PORTS as Nanos - 1) * PACE, "the last first probe")],
        filters: vec![("vlan.id == 20 && ipv6.src == 2001:db8:bad::66".into(), "the probes and resets of the scanner")],
        file: capture_file::pcapng(&[Interface::ethernet("trunk0", "trunk port")], &[], &frames)?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["port_scan"])),
    })
}

fn scanner() -> Host {
    Host::remote([0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0x66])
}

fn server() -> Host {
    Host::local([0x2001, 0xdb8, 0x20, 0, 0, 0, 0, 0x10])
}

fn router() -> Host {
    Host::remote([0xfe80, 0, 0, 0, 0, 0, 0, 1])
}
