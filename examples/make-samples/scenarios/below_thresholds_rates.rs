//! Scans and floods, each just too small or too slow to be called one.

use std::io;

use super::ip_protocol_scan::bare;
use super::{fragment_flood, ports, scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::icmp::{self, Ping};
use crate::traffic::probe::{self, Port};
use crate::traffic::{arp, browsing, dns, flood, neighbours};
use crate::wire::{self, ACK, Segment};

const SCANS_AT: Nanos = BASE + MINUTE;
const SEARCHES_AT: Nanos = BASE + 12 * MINUTE;
const FLOODS_AT: Nanos = BASE + 20 * MINUTE;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(55);
    browsing::visits(&mut scene, BASE, 60, 30 * SECOND, web_server().port(80));
    scans(&mut scene);
    searches(&mut scene);
    floods(&mut scene);
    Ok(Sample {
        name: "below-thresholds-rates",
        title: "Below the thresholds of scans and floods",
        shows: "4 ports, 3 hosts, 29 ports by 12 sources, 29 addresses, 9 protocols, 5 attempts/s, 250 pings/s and the like: no alarm",
        story: "Scans and floods, each just too small or too slow to be called one, on other hosts each time: four ports of one host; one\n\
            port of three hosts; twenty-nine ports of one host by twelve sources; eleven hosts pinged, twenty-nine asked for by ARP\n\
            and by neighbour discovery; nine IP protocols; five refused attempts a second; 250 SYNs in one second, 950 stray segments, 1900\n\
            datagrams, 250 pings or 480 fragments a second from forged senders; a megabyte of answers that nobody asked for, from four servers.",
        cast: vec![
            ("203.0.113.41".into(), "tries four ports of 198.51.100.10"),
            ("203.0.113.42".into(), "tries port 8443 of three hosts"),
            ("10.0.5.44".into(), "is refused five times a second"),
            ("10.0.5.23 and 10.0.5.24".into(), "look for addresses"),
            ("198.18.0.0/15".into(), "forged senders (addresses reserved for tests)"),
        ],
        timeline: vec![(SCANS_AT, "scans"), (SEARCHES_AT, "searches"), (FLOODS_AT, "floods")],
        filters: vec![("tcp.flags == 0x002".into(), "all attempts"), ("ip.src == 198.18.0.0/15".into(), "the floods")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![], &[scans_and_floods_without(&[]), vec!["high_connection_rate"]].concat()).just_below(&[
            ("distributed_scan", "scan.distributed_ports=29"),
            ("host_discovery", "discovery.arp_targets=29"),
            ("host_discovery", "discovery.nd_targets=29"),
            ("host_discovery", "discovery.icmp_hosts=11"),
            ("ip_protocol_scan", "discovery.protocols=9"),
            ("high_connection_rate", "rate.attempts_per_s=4"),
            ("syn_flood", "flood.syn_per_s=240"),
            ("tcp_flood", "flood.tcp_per_s=900"),
            ("udp_flood", "flood.udp_per_s=1850"),
            ("icmp_flood", "flood.icmp_per_s=240"),
            ("fragment_flood", "flood.fragments_per_s=470"),
            ("reflection_attack", "flood.reflection_sources=4"),
        ]),
    })
}

fn scans(scene: &mut Scene) {
    let (four, three) = (Host::remote([203, 0, 113, 41]), Host::remote([203, 0, 113, 42]));
    for (index, port) in (0..).zip([21, 22, 8_081, 8_082]) {
        probe::refused(scene, SCANS_AT + index * 3 * SECOND, four, web_server().port(port), 18 * MILLISECOND);
    }
    for index in 0..3 {
        let target = Host::local([198, 51, 100, 31 + index]).port(8_443);
        probe::refused(scene, SCANS_AT + MINUTE + Nanos::from(index) * 3 * SECOND, three, target, 18 * MILLISECOND);
    }
    let chosen = ports(scene, &[], 29);
    for (index, port) in (0..).zip(chosen) {
        let member = Host::remote([203, 0, 113, 110 + u8::try_from(index % 12).unwrap_or(0)]);
        let source = member.port(scene.fresh_port(member));
        probe::syn(scene, SCANS_AT + 2 * MINUTE + index * 2 * SECOND, source, Host::local([198, 51, 100, 40]).port(port), Port::Filtered);
    }
    for index in 0..50 {
        let at = SCANS_AT + 6 * MINUTE + index * 201 * MILLISECOND;
        probe::refused(scene, at, Host::local([10, 0, 5, 44]), Host::local([10, 0, 1, 20]).port(8_080), MILLISECOND / 2);
    }
    for (index, protocol) in (0..).zip([2, 41, 47, 50, 103, 89, 112, 132, 115]) {
        bare(scene, SCANS_AT + 8 * MINUTE + index * SECOND, protocol, index >= 2);
    }
}

fn searches(scene: &mut Scene) {
    let (asker, pinger) = (Host::local([10, 0, 5, 23]), Host::local([10, 0, 5, 24]));
    let six = |number| Host::local([0x2001, 0xdb8, 5, 0, 0, 0, 0, number]);
    for number in 1..=29_u8 {
        let after = Nanos::from(number) * 50 * MILLISECOND;
        arp::ask(scene, SEARCHES_AT + after, asker, Host::local([10, 0, 5, 100 + number]));
        neighbours::solicit(scene, SEARCHES_AT + 2 * MINUTE + after, six(0x1023), six(u16::from(number)));
    }
    for number in 1..=11 {
        let ping = Ping { from: pinger, to: Host::remote([10, 0, 6, number]), id: 0x4d2, seq: u16::from(number) };
        icmp::request(scene, SEARCHES_AT + 4 * MINUTE + Nanos::from(number) * 20 * MILLISECOND, ping);
    }
}

fn floods(scene: &mut Scene) {
    let target = |last| Host::local([198, 51, 100, last]);
    let times = flood::beats(scene, FLOODS_AT, 250, 1);
    flood::syn(scene, &times, target(50).port(80), 20);
    for at in flood::beats(scene, FLOODS_AT + 2 * MINUTE, 950, 3) {
        let from = flood::spoofed(scene).port(1_024 + scene.rng.u16() % 64_000);
        let (seq, ack) = (scene.rng.u32(), scene.rng.u32());
        probe::put(scene, at, from, target(51).port(80), &Segment { flags: ACK, seq, ack, window: 512, ..Segment::default() });
    }
    for at in flood::beats(scene, FLOODS_AT + 4 * MINUTE, 1_900, 3) {
        let from = flood::spoofed(scene).port(0xc000 | scene.rng.u16());
        let ident = scene.rng.u16();
        scene.put(at, wire::udp(from, target(52).port(40_987), ident, &[0x41; 18]));
    }
    for at in flood::beats(scene, FLOODS_AT + 6 * MINUTE, 250, 4) {
        let ping = Ping { from: flood::spoofed(scene), to: target(53), id: scene.rng.u16(), seq: scene.rng.u16() };
        icmp::request(scene, at, ping);
    }
    for at in flood::beats(scene, FLOODS_AT + 8 * MINUTE, 240, 3) {
        fragment_flood::incomplete(scene, at, target(54));
    }
    for index in 0..760_u32 {
        let reflector = Host::remote([203, 0, 113, 100 + u8::try_from(index % 4).unwrap_or(0)]);
        dns::amplified(
            scene,
            FLOODS_AT + 10 * MINUTE + Nanos::from(index) * 40 * MILLISECOND,
            reflector,
            target(55).port(31_337),
            "example.net",
            1_400,
        );
    }
}
