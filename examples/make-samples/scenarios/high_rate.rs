//! One client knocks twenty times a second.

use std::io;

use super::scans_and_floods_without;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::{browsing, probe};

const START: Nanos = BASE + 10 * SECOND;
const ATTEMPTS: Nanos = 200;
const PACE: Nanos = 50 * MILLISECOND;
const PORT: u16 = 8_080;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(15);
    let (client, server) = (Host::local([10, 0, 5, 40]), Host::local([10, 0, 1, 20]));
    browsing::visits(&mut scene, BASE, 30, SECOND, server.port(80));
    for index in 0..ATTEMPTS {
        probe::refused(&mut scene, START + index * PACE, client, server.port(PORT), MILLISECOND / 2);
    }
    let expected = Expected::one("high_connection_rate", "medium").by(client).against(server).ports(1);
    Ok(Sample {
        name: "high-rate",
        title: "High connection rate",
        shows: "20 refused connection attempts a second to one port for 10 s",
        story: "A client tries to connect to one port of an internal server twenty times a second for ten seconds and is refused each\n\
            time. Others visit the same server on another port.",
        cast: vec![(client.ip.to_string(), "client"), (server.ip.to_string(), "server; port 8080 is closed")],
        timeline: vec![(START, "the first attempt"), (START + ATTEMPTS * PACE, "the last attempt is over")],
        filters: vec![("tcp.port == 8080".into(), "the attempts and refusals")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&[])),
    })
}
