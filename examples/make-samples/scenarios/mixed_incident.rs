//! A bad morning: reconnaissance from outside, an infected machine inside, and a flood to cover it.

use std::io;

use super::office::{chores, desk, resolver, sites};
use super::{host_sweep, port_scan, scanner, web_server};
use crate::capture_file;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::{browsing, flood};

const SCAN_AT: Nanos = BASE + 4 * MINUTE;
const SWEEP_AT: Nanos = BASE + 10 * MINUTE;
const FLOOD_AT: Nanos = BASE + 16 * MINUTE;
const END: Nanos = BASE + 20 * MINUTE;
const PORTS: usize = 300;
const OPEN: [u16; 3] = [22, 80, 443];
const FLOOD_RATE: u64 = 700;
const FLOOD_SECONDS: u64 = 12;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(17);
    background(&mut scene);
    port_scan::scan(&mut scene, SCAN_AT, scanner(), web_server(), &OPEN, PORTS, 20 * MILLISECOND);
    host_sweep::sweep(&mut scene, SWEEP_AT, host_sweep::infected());
    let times = flood::beats(&mut scene, FLOOD_AT, FLOOD_RATE, FLOOD_SECONDS);
    flood::syn(&mut scene, &times, web_server().port(80), 20);
    let expected = vec![
        Expected::one("port_scan", "medium").technique("syn").by(scanner()).against(web_server()).ports(PORTS as u64),
        Expected::one("host_sweep", "medium").technique("syn").by(host_sweep::infected()).ports(1),
        Expected::one("syn_flood", "medium").against(web_server()),
    ];
    let absent = ["udp_flood", "icmp_flood", "fragment_flood", "tcp_flood", "reflection_attack", "distributed_scan", "ip_protocol_scan"];
    Ok(Sample {
        name: "mixed-incident",
        title: "Mixed incident",
        shows: "20 min: a port scan, later a sweep from inside, then a SYN flood, amid office traffic",
        story: "Among twenty minutes of browsing, mail, printing and name lookups, three things happen. A scanner on the Internet tries\n\
            300 ports of the web server. Six minutes later a desktop inside sends SYNs to port 445 of the whole neighbouring network.\n\
            After another six minutes a SYN flood from forged addresses hits the web server for twelve seconds.",
        cast: vec![
            (scanner().ip.to_string(), "scanner"),
            (host_sweep::infected().ip.to_string(), "infected desktop"),
            (web_server().ip.to_string(), "web server: scanned, later flooded"),
            ("198.18.0.0/15".into(), "forged senders of the flood"),
            ("10.0.5.31 to 10.0.5.36".into(), "ordinary desktops"),
            ("192.0.2.10 to 192.0.2.89".into(), "visitors of the web server"),
        ],
        timeline: vec![
            (BASE, "ordinary traffic begins"),
            (SCAN_AT, "port scan"),
            (SWEEP_AT, "sweep of port 445"),
            (FLOOD_AT, "SYN flood"),
            (FLOOD_AT + FLOOD_SECONDS * SECOND, "the flood ends"),
            (END, "ordinary traffic ends"),
        ],
        filters: vec![
            ("ip.addr == 203.0.113.66".into(), "the port scan"),
            ("ip.addr == 10.0.5.23 && tcp.port == 445".into(), "the sweep"),
            ("ip.src == 198.18.0.0/15".into(), "the flood"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(expected, &absent),
    })
}

fn background(scene: &mut Scene) {
    chores(scene);
    browsing::visits(scene, BASE, 80, 15 * SECOND, web_server().port(80));
    for page in 0..9 {
        let jitter = scene.rng.between(0, 30 * SECOND);
        // The web server itself is not among the sites.
        let site = scene.pick(&sites()[1..]);
        browsing::page(scene, BASE + 15 * SECOND + page * 2 * MINUTE + jitter, desk(page), resolver(), site);
    }
}
