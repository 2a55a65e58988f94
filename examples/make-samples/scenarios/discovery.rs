//! Three ways to find out which hosts exist.

use std::io;

use super::scans_and_floods_without;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos};
use crate::traffic::icmp::{self, Ping};
use crate::traffic::{arp, neighbours};

const ARP_AT: Nanos = BASE + MINUTE;
const ICMP_AT: Nanos = BASE + 5 * MINUTE;
const ND_AT: Nanos = BASE + 10 * MINUTE;
const ND_TARGETS: u16 = 120;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(4);
    ordinary(&mut scene);
    arp_sweep(&mut scene);
    icmp_sweep(&mut scene);
    nd_sweep(&mut scene);
    let found = |technique, by| Expected::one("host_discovery", "low").technique(technique).by(by);
    let expected = vec![found("arp", arp_asker()), found("icmp", pinger()), found("nd", nd_asker())];
    Ok(Sample {
        name: "discovery",
        title: "Host discovery",
        shows: "ARP sweep of a /24, ICMP sweep of a /24, neighbour discovery sweep",
        story: "Three machines look for others. The first asks by ARP for every address of its own network; fourteen exist. The second\n\
            pings every address of the next network; twenty answer. The third asks by IPv6 neighbour solicitation for 120 addresses\n\
            in a row; three exist. Before that, a few hosts resolve their gateway as always.",
        cast: vec![
            (arp_asker().ip.to_string(), "ARP sweep of 10.0.5.0/24"),
            (pinger().ip.to_string(), "ICMP sweep of 10.0.6.0/24"),
            (nd_asker().ip.to_string(), "neighbour discovery sweep of 2001:db8:5::/64"),
        ],
        timeline: vec![(ARP_AT, "ARP sweep"), (ICMP_AT, "ICMP sweep"), (ND_AT, "neighbour discovery sweep")],
        filters: vec![
            ("arp.opcode == 1 && arp.src.proto_ipv4 == 10.0.5.23".into(), "the ARP questions"),
            ("icmp.type == 8".into(), "the pings"),
            ("icmpv6.type == 135".into(), "the neighbour solicitations"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(expected, &scans_and_floods_without(&["host_discovery"])),
    })
}

fn arp_asker() -> Host {
    Host::local([10, 0, 5, 23])
}

fn pinger() -> Host {
    Host::local([10, 0, 5, 24])
}

fn nd_asker() -> Host {
    Host::local([0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x1023])
}

fn ordinary(scene: &mut Scene) {
    for last in 30..40_u8 {
        arp::resolve(scene, BASE + Nanos::from(last) * 500 * MILLISECOND, Host::local([10, 0, 5, last]), Host::local([10, 0, 5, 1]));
    }
}

fn arp_sweep(scene: &mut Scene) {
    for last in (1..=254).filter(|&last| last != 23) {
        let at = ARP_AT + Nanos::from(last) * 12 * MILLISECOND;
        let target = Host::local([10, 0, 5, last]);
        if last == 1 || (30..43).contains(&last) {
            arp::resolve(scene, at, arp_asker(), target);
        } else {
            arp::ask(scene, at, arp_asker(), target);
        }
    }
}

fn icmp_sweep(scene: &mut Scene) {
    for last in 1..=254_u8 {
        let at = ICMP_AT + Nanos::from(last) * 20 * MILLISECOND;
        let ping = Ping { from: pinger(), to: Host::remote([10, 0, 6, last]), id: 0x4d2, seq: u16::from(last) };
        icmp::request(scene, at, ping);
        if last % 13 == 1 {
            icmp::reply(scene, at + 2 * MILLISECOND, ping);
        }
    }
}

fn nd_sweep(scene: &mut Scene) {
    for number in 1..=ND_TARGETS {
        let at = ND_AT + Nanos::from(number) * 25 * MILLISECOND;
        let target = Host::local([0x2001, 0xdb8, 5, 0, 0, 0, 0, number]);
        if matches!(number, 1 | 16 | 83) {
            neighbours::resolve(scene, at, nd_asker(), target);
        } else {
            neighbours::solicit(scene, at, nd_asker(), target);
        }
    }
}
