//! Much that looks a little like an attack, and none that is one.

use std::io;

use super::{block_scan, ports, scanner, scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::{browsing, probe};

const PORTS_AT: Nanos = BASE + MINUTE;
const HOSTS_AT: Nanos = BASE + 8 * MINUTE;
const BUSY_AT: Nanos = BASE + 15 * MINUTE;
const KNOCKING_AT: Nanos = BASE + 22 * MINUTE;
const BLOCK_AT: Nanos = BASE + 28 * MINUTE;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(18);
    few_ports(&mut scene);
    few_hosts(&mut scene);
    busy_server(&mut scene);
    slow_knocking(&mut scene);
    block_scan::probes(&mut scene, BLOCK_AT, (7, &[22, 23, 445, 1_433, 3_306, 3_389, 5_900]), 6 * SECOND);
    Ok(Sample {
        name: "below-threshold",
        title: "Below the thresholds",
        shows: "12 ports, 20 hosts, 49 pairs of host and port, 200 completed connections/s, 4 attempts/s: no alarm",
        story: "Five things that stay below what counts as an attack, minutes apart: a client tries twelve ports of one server, another\n\
            tries one port of twenty hosts, fifty clients open 200 connections a second and complete them all, one client is refused\n\
            four times a second, and seven ports of seven hosts are tried within five minutes. None of it may raise an alert of medium\n\
            severity; an early word at low severity about the twelve ports and the twenty hosts is welcome.",
        cast: vec![
            ("203.0.113.41".into(), "tries twelve ports of 198.51.100.10"),
            ("10.0.5.42".into(), "tries port 8443 of twenty hosts"),
            ("192.0.2.101 to 192.0.2.150".into(), "busy clients of 198.51.100.10, port 80"),
            ("10.0.5.44".into(), "is refused by 10.0.1.20, port 8080"),
            (scanner().ip.to_string(), "tries seven ports of seven hosts"),
        ],
        timeline: vec![
            (PORTS_AT, "twelve ports"),
            (HOSTS_AT, "twenty hosts"),
            (BUSY_AT, "200 connections a second for four seconds"),
            (KNOCKING_AT, "four attempts a second for ten seconds"),
            (BLOCK_AT, "seven ports of seven hosts"),
        ],
        filters: vec![("tcp.flags == 0x002".into(), "all attempts")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![], &scans_and_floods_without(&["port_scan", "host_sweep"])).just_below(&[
            ("port_scan", "scan.ports=12"),
            ("host_sweep", "scan.hosts=20"),
            ("block_scan", "scan.block_pairs=49"),
        ]),
    })
}

fn few_ports(scene: &mut Scene) {
    for (index, port) in (0..).zip(ports(scene, &[], 12)) {
        probe::refused(scene, PORTS_AT + index * 3 * SECOND, Host::remote([203, 0, 113, 41]), web_server().port(port), 18 * MILLISECOND);
    }
}

fn few_hosts(scene: &mut Scene) {
    for last in 1..=20_u8 {
        let at = HOSTS_AT + Nanos::from(last) * 5 * SECOND;
        let target = Host::local([10, 0, 7, last]).port(8_443);
        probe::refused(scene, at, Host::local([10, 0, 5, 42]), target, MILLISECOND);
    }
}

/// Fifty clients with a connection every quarter of a second each.
fn busy_server(scene: &mut Scene) {
    for index in 0..800 {
        let client = Host::remote([192, 0, 2, 101 + u8::try_from(index % 50).unwrap_or(0)]);
        browsing::visit(scene, BUSY_AT + index * 5 * MILLISECOND, client, web_server().port(80));
    }
}

fn slow_knocking(scene: &mut Scene) {
    let (client, server) = (Host::local([10, 0, 5, 44]), Host::local([10, 0, 1, 20]));
    for index in 0..40 {
        probe::refused(scene, KNOCKING_AT + index * 250 * MILLISECOND, client, server.port(8_080), MILLISECOND / 2);
    }
}
