//! A connection that is kept open all day.

use std::io;

use super::attacks_without;
use crate::capture_file;
use crate::host::{Endpoint, Host};
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, HOUR, MINUTE, Nanos, SECOND};
use crate::traffic::browsing::{self, ROUND_TRIP};
use crate::traffic::tcp::Session;
use crate::traffic::tls;

const START: Nanos = BASE + 3 * MINUTE;
const HOURS: u64 = 13;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(44);
    let (inside, outside) = (Host::local([10, 0, 5, 34]), Host::remote([203, 0, 113, 44]));
    browsing::visits(&mut scene, BASE, 52, 15 * MINUTE, Host::local([10, 0, 1, 20]).port(80));
    let end = keep(&mut scene, START, inside, outside.port(443), HOURS * HOUR);
    let expected = Expected::one("long_connection", "low").by(inside).against(outside).ports(1);
    Ok(Sample {
        name: "long-connection",
        title: "Long connection",
        shows: "one TLS connection to an address outside, open for 13 h, with a sign of life every 4 min",
        story: "A desktop opens a TLS connection to an address outside in the morning and keeps it until late in the evening. Every four\n\
            minutes a few bytes go out and a few come back.",
        cast: vec![(inside.ip.to_string(), "desktop"), (outside.ip.to_string(), "other end")],
        timeline: vec![(START, "the connection is opened"), (end, "it is closed")],
        filters: vec![("ip.addr == 203.0.113.44".into(), "the connection")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["long_connection"])),
    })
}

/// A TLS connection with a sign of life every four minutes; when it was closed.
pub fn keep(scene: &mut Scene, at: Nanos, client: Host, server: Endpoint, length: Nanos) -> Nanos {
    const EVERY: Nanos = 4 * MINUTE;
    let mut session = Session::open(scene, at, client, server, ROUND_TRIP);
    tls::handshake(&mut session, "push.example.net");
    for beat in 1..length / EVERY {
        session.wait(at + beat * EVERY - session.now());
        let late = session.scene.rng.between(0, 3 * SECOND);
        session.wait(late);
        tls::exchange(&mut session, 48, 48);
    }
    session.wait(at + length - session.now());
    session.close()
}
