//! Answers to questions the victim never asked.

use std::io;

use super::{scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, Nanos, SECOND};
use crate::traffic::{browsing, dns, flood};

const START: Nanos = BASE + 10 * SECOND;
const RATE: u64 = 150;
const SECONDS: u64 = 20;
const REFLECTORS: u8 = 40;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(14);
    browsing::visits(&mut scene, BASE, 35, SECOND, web_server().port(80));
    let target = web_server().port(31_337);
    let times = flood::beats(&mut scene, START, RATE, SECONDS);
    for (index, at) in (0..).zip(times) {
        let reflector = Host::remote([203, 0, 113, 100 + u8::try_from(index % u64::from(REFLECTORS)).unwrap_or(0)]);
        let size = scene.rng.between(600, 860);
        dns::amplified(&mut scene, at, reflector, target, "example.net", usize::try_from(size).unwrap_or(0));
    }
    let expected = Expected::one("reflection_attack", "medium").against(web_server());
    Ok(Sample {
        name: "reflection",
        title: "DNS reflection attack",
        shows: "3000 big DNS answers in 20 s from 40 open resolvers, no question asked",
        story: "Somebody asks 40 open resolvers for all records of a name and forges the sender: the answers, some 800 bytes each,\n\
            all go to a web server that never asked. The questions are not in the capture, as the victim cannot see them.",
        cast: vec![
            ("203.0.113.100 to 203.0.113.139".into(), "open resolvers, abused as reflectors"),
            (web_server().ip.to_string(), "victim"),
        ],
        timeline: vec![(START, "the answers begin"), (START + SECONDS * SECOND, "the answers end")],
        filters: vec![
            ("dns.flags.response == 1 && ip.dst == 198.51.100.10".into(), "the answers"),
            ("dns.flags.response == 0".into(), "nothing: no question was asked"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["reflection_attack"])),
    })
}
