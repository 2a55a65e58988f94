//! The echo of an attack elsewhere.

use std::io;

use super::{scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::{browsing, probe};

const START: Nanos = BASE + 10 * SECOND;
const PACE: Nanos = 120 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(19);
    browsing::visits(&mut scene, BASE, 35, 2 * SECOND, web_server().port(80));
    let mut addresses: Vec<u8> = (11..=254).collect();
    scene.shuffle(&mut addresses);
    let flooded = Host::remote([203, 0, 113, 80]).port(443);
    let echoes = addresses.len() as Nanos * 2;
    for (index, &last) in (0..echoes).zip(addresses.iter().cycle()) {
        // The second time round, another network of ours.
        let network = if index < echoes / 2 { [198, 51, 100] } else { [10, 99, 0] };
        let to = Host::local([network[0], network[1], network[2], last]).port(1_024 + scene.rng.u16() % 64_000);
        let (seq, ack) = (scene.rng.u32(), scene.rng.u32());
        let echo = if scene.chance(60) { probe::syn_ack(seq, ack) } else { probe::refusal(ack) };
        probe::put(&mut scene, START + index * PACE, flooded, to, &echo);
    }
    Ok(Sample {
        name: "backscatter",
        title: "Backscatter",
        shows: "SYN-ACK and RST from one port to 488 addresses that never asked: no scan",
        story: "Somebody floods a server elsewhere and forges our addresses. What we see is its echo: SYN-ACKs and RSTs from one port of\n\
            that server to all our addresses, to ports nobody uses. The server is a victim; it scans nobody.",
        cast: vec![
            ("203.0.113.80".into(), "server flooded elsewhere"),
            ("198.51.100.0/24 and 10.99.0.0/24".into(), "our addresses, forged by the attacker"),
        ],
        timeline: vec![(START, "the first echo"), (START + echoes * PACE, "the last echo")],
        filters: vec![("ip.src == 203.0.113.80".into(), "the backscatter")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![], &scans_and_floods_without(&[])),
    })
}
