//! A flood of small datagrams at a game server.

use std::io;

use super::{scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::{browsing, flood};
use crate::wire;

const START: Nanos = BASE + 10 * SECOND;
const RATE: u64 = 3_000;
const SECONDS: u64 = 8;
const PORT: u16 = 40_987;
const PAYLOAD: [u8; 18] = [0x41; 18];

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(10);
    browsing::visits(&mut scene, BASE, 25, SECOND, web_server().port(80));
    let target = Host::local([198, 51, 100, 30]);
    players(&mut scene, target);
    for at in flood::beats(&mut scene, START, RATE, SECONDS) {
        let source = flood::spoofed(&mut scene);
        let from = source.port(0xc000 | scene.rng.u16());
        let ident = scene.rng.u16();
        scene.put(at, wire::udp(from, target.port(PORT), ident, &PAYLOAD));
    }
    let expected = Expected::one("udp_flood", "medium").against(target);
    Ok(Sample {
        name: "udp-flood",
        title: "UDP flood",
        shows: "24 000 small datagrams in 8 s from forged sources to one port",
        story: "Three thousand datagrams of 18 bytes a second from forged addresses arrive at one port of a game server for eight\n\
            seconds. Four players talk with the server before and during the flood; nobody answers the flood.",
        cast: vec![
            ("198.18.0.0/15".into(), "forged senders (addresses reserved for tests)"),
            (target.ip.to_string(), "attacked game server, UDP port 40987"),
            ("192.0.2.201 to 192.0.2.204".into(), "players"),
        ],
        timeline: vec![(START, "the flood begins"), (START + SECONDS * SECOND, "the flood ends")],
        filters: vec![("udp.dstport == 40987 && ip.src == 198.18.0.0/15".into(), "the flood")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["udp_flood"])),
    })
}

/// Four players send ten datagrams a second each, all answered.
fn players(scene: &mut Scene, server: Host) {
    for player in 0..4_u8 {
        let from = Host::remote([192, 0, 2, 201 + player]).port(50_000 + u16::from(player));
        for step in 0..180 {
            let at = BASE + step * 100 * MILLISECOND + Nanos::from(player) * 7 * MILLISECOND;
            let (ident, answer_ident) = (scene.rng.u16(), scene.rng.u16());
            scene.put(at, wire::udp(from, server.port(PORT), ident, &[0x50; 32]));
            scene.put(at + 2 * MILLISECOND, wire::udp(server.port(PORT), from, answer_ident, &[0x53; 64]));
        }
    }
}
