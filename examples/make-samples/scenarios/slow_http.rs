//! Sixty connections whose requests never end.

use std::io;

use super::{attacks_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing::{self, ROUND_TRIP};
use crate::traffic::tcp::Session;

const START: Nanos = BASE + 40 * SECOND;
const CONNECTIONS: u64 = 60;
const HELD: u64 = 65;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(43);
    let slow = Host::remote([203, 0, 113, 93]);
    browsing::visits(&mut scene, BASE, 30, 4 * SECOND, web_server().port(80));
    for number in 0..CONNECTIONS {
        hold(&mut scene, START + number * 220 * MILLISECOND, slow, HELD);
    }
    let expected = Expected::one("slow_http", "medium").technique("slow_headers").by(slow).against(web_server());
    Ok(Sample {
        name: "slow-http",
        title: "Slow HTTP",
        shows: "60 connections of one client, each with a request whose headers never end, held for a minute",
        story: "One client opens sixty connections to the web server and begins a request in each. Every ten seconds it adds a header, and\n\
            never the empty line that would end them, as Slowloris does. After a minute it hangs up. Others visit the server.",
        cast: vec![(slow.ip.to_string(), "holds connections"), (web_server().ip.to_string(), "web server")],
        timeline: vec![(START, "the first connection"), (START + (HELD + 1) * SECOND, "the first ones are dropped")],
        filters: vec![("ip.src == 203.0.113.93 && tcp.len > 0".into(), "headers, one by one")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["slow_http"])),
    })
}

/// A request that goes on for so many seconds.
pub fn hold(scene: &mut Scene, at: Nanos, client: Host, seconds: u64) {
    const EVERY: u64 = 10;
    let mut session = Session::open(scene, at, client, web_server().port(80), ROUND_TRIP);
    session.client_says(b"GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:123.0)\r\n");
    for _ in 0..seconds / EVERY {
        session.wait(EVERY * SECOND);
        let value = session.scene.rng.between(1, 5_000);
        session.client_says(format!("X-a: {value}\r\n").as_bytes());
    }
    session.abort();
}
