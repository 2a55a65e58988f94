//! An infected desktop asks for orders every minute.

use std::io;
use std::net::Ipv4Addr;

use super::office::{resolver, sites};
use super::{attacks_without, surf};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::browsing::ROUND_TRIP;
use crate::traffic::tcp::Session;
use crate::traffic::{dns, tls};

const START: Nanos = BASE + 2 * MINUTE;
const CALLS: u64 = 60;
const PERIOD: Nanos = MINUTE;
const JITTER: Nanos = 5 * SECOND;
const NAME: &str = "cdn-status.example.net";

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(33);
    let (infected, master) = (Host::local([10, 0, 5, 33]), Host::remote([203, 0, 113, 77]));
    surf(&mut scene, BASE, 64 * MINUTE, 50);
    dns::lookup(&mut scene, START - 40 * MILLISECOND, infected, resolver(), NAME, &[Ipv4Addr::new(203, 0, 113, 77)], 24 * MILLISECOND);
    for call in 0..CALLS {
        let at = START + call * PERIOD + scene.rng.between(0, 2 * JITTER);
        let mut session = Session::open(&mut scene, at, infected, master.port(443), ROUND_TRIP);
        tls::handshake_with(&mut session, NAME, 700);
        tls::exchange(&mut session, 180, if call % 20 == 19 { 310 } else { 90 });
        session.wait(200 * MILLISECOND);
        session.close();
    }
    let expected = Expected::one("beacon", "low").by(infected).against(master).ports(1);
    Ok(Sample {
        name: "beacon",
        title: "Beacon",
        shows: "a TLS connection to one address every 60 s, up to 5 s early or late, for an hour, amid browsing",
        story: "Once a minute, a few seconds early or late, a desktop opens a TLS connection to the same address outside, sends 180 bytes\n\
            and gets 90 back; three times it gets more. Its user, and those of five others, read web pages when they feel like it.",
        cast: vec![
            (infected.ip.to_string(), "infected desktop"),
            (master.ip.to_string(), "its master, named cdn-status.example.net"),
            (sites()[0].address.map(|part| part.to_string()).join("."), "one of five sites that everybody reads"),
        ],
        timeline: vec![(START, "the first call"), (START + CALLS * PERIOD, "the last call is over")],
        filters: vec![("ip.addr == 203.0.113.77 && tls.handshake.type == 1".into(), "the calls")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["beacon"])),
    })
}
