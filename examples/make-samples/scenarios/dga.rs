//! An infected desktop looks for the one domain of the day that exists.

use std::io;
use std::net::Ipv4Addr;

use super::office::{desk, resolver};
use super::{attacks_without, surf};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::dns;

const START: Nanos = BASE + 2 * MINUTE;
const DOMAINS: u64 = 40;
const PACE: Nanos = 7 * SECOND;
const SUFFIXES: [&str; 4] = ["com", "net", "org", "info"];

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(35);
    let infected = desk(1);
    surf(&mut scene, BASE, 9 * MINUTE, 30);
    for number in 0..DOMAINS {
        let at = START + number * PACE + scene.rng.between(0, SECOND);
        ask(&mut scene, at, infected, false);
    }
    for number in 0..2 {
        ask(&mut scene, START + DOMAINS * PACE + number * PACE, infected, true);
    }
    let expected = Expected::one("dga", "medium").by(infected);
    Ok(Sample {
        name: "dga",
        title: "Domain generation algorithm",
        shows: "40 made-up domains that do not exist within 5 min, then two that do",
        story: "A desktop asks for forty domains that a computation gave it, seven seconds apart. None exists. The next two do. The names\n\
            are random letters below real top-level domains, since only such could be registered; whether one is, chance decides.",
        cast: vec![(infected.ip.to_string(), "infected desktop"), (resolver().ip.to_string(), "resolver")],
        timeline: vec![(START, "the first domain"), (START + DOMAINS * PACE, "a domain that exists")],
        filters: vec![("dns.flags.rcode == 3".into(), "domains that do not exist")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["dga"])),
    })
}

/// A domain of random letters.
pub fn ask(scene: &mut Scene, at: Nanos, client: Host, exists: bool) {
    let len = scene.rng.between(14, 19);
    let letters: String = (0..len).map(|_| char::from(scene.pick(b"abcdefghijklmnopqrstuvwxyz"))).collect();
    let name = format!("{letters}.{}", scene.pick(&SUFFIXES));
    let address = [Ipv4Addr::new(192, 0, 2, 199)];
    dns::lookup(scene, at, client, resolver(), &name, if exists { &address } else { &[] }, 31 * MILLISECOND);
}
