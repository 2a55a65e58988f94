//! A shell inside ping.

use std::io;

use super::attacks_without;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::icmp::{self, Ping};

const START: Nanos = BASE + MINUTE;
const ECHOES: u16 = 80;
const PACE: Nanos = 700 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(36);
    let (inside, outside) = (Host::local([10, 0, 5, 35]), Host::remote([203, 0, 113, 90]));
    browsing::visits(&mut scene, BASE, 20, 9 * SECOND, Host::local([10, 0, 1, 20]).port(80));
    ordinary(&mut scene);
    for seq in 1..=ECHOES {
        let at = START + Nanos::from(seq) * PACE + scene.rng.between(0, 200 * MILLISECOND);
        exchange(&mut scene, at, Ping { from: inside, to: outside, id: 0x6d31, seq });
    }
    let expected = Expected::one("icmp_tunnel", "medium").by(inside).against(outside);
    Ok(Sample {
        name: "icmp-tunnel",
        title: "ICMP tunnel",
        shows: "80 pings whose payload is encrypted data of many lengths, answered with other data",
        story: "A desktop pings a host outside eighty times in a minute. Requests and replies carry encrypted data, of another length and\n\
            content each time, and no reply returns what was sent. Before that, another desktop pings its gateway as people do.",
        cast: vec![
            (inside.ip.to_string(), "inner end of the tunnel"),
            (outside.ip.to_string(), "outer end of the tunnel"),
            ("10.0.5.31".into(), "pings the gateway"),
        ],
        timeline: vec![(BASE + 10 * SECOND, "ordinary pings"), (START, "the tunnel")],
        filters: vec![("icmp && ip.addr == 203.0.113.90".into(), "the tunnel"), ("icmp && ip.addr == 10.0.5.1".into(), "ordinary pings")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["icmp_tunnel"])),
    })
}

/// A request and a reply that has nothing to do with it.
pub fn exchange(scene: &mut Scene, at: Nanos, ping: Ping) {
    for (reply, after) in [(false, 0), (true, browsing::ROUND_TRIP)] {
        let len = usize::try_from(scene.rng.between(90, 620)).unwrap_or(90);
        let data = scene.noise(len);
        let put = if reply { icmp::reply_with } else { icmp::request_with };
        put(scene, at + after, ping, &data);
    }
}

fn ordinary(scene: &mut Scene) {
    for seq in 1..=10 {
        let ping = Ping { from: Host::local([10, 0, 5, 31]), to: Host::local([10, 0, 5, 1]), id: 0x21, seq };
        icmp::request(scene, BASE + (9 + Nanos::from(seq)) * SECOND, ping);
        icmp::reply(scene, BASE + (9 + Nanos::from(seq)) * SECOND + MILLISECOND, ping);
    }
}
