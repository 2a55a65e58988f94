//! Services where none is known.

use std::io;

use super::{LAN_ROUND_TRIP, attacks_without};
use crate::capture_file;
use crate::host::{Endpoint, Host};
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MINUTE, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::tcp::Session;

const START: Nanos = BASE + MINUTE;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(51);
    let (desktop, outside) = (Host::local([10, 0, 5, 61]), Host::remote([203, 0, 113, 90]));
    let (clerk, appliance) = (Host::local([10, 0, 5, 62]), Host::local([10, 0, 1, 30]));
    browsing::visits(&mut scene, BASE, 60, 3 * SECOND, Host::local([10, 0, 1, 20]).port(80));
    talk(&mut scene, START, desktop, outside.port(31_337));
    talk(&mut scene, START + 20 * SECOND, clerk, appliance.port(7_788));
    let expected = vec![
        Expected::one("unusual_port", "low").by(desktop).against(outside).ports(1),
        Expected::one("unusual_port", "info").by(clerk).against(appliance).ports(1),
    ];
    Ok(Sample {
        name: "unusual-port",
        title: "Unusual ports",
        shows: "data exchanged with port 31337 outside, a known back door, and with port 7788 of an appliance",
        story: "A desktop talks to port 31337 of an address outside, where back doors have listened for decades; another desktop talks to\n\
            port 7788 of an appliance, which no registry knows. Others read pages of the intranet.",
        cast: vec![
            (desktop.ip.to_string(), "talks to a back door"),
            (outside.ip.to_string(), "back door on port 31337"),
            (clerk.ip.to_string(), "talks to the appliance"),
            (appliance.ip.to_string(), "appliance with a port of its own"),
        ],
        timeline: vec![(START, "port 31337"), (START + 20 * SECOND, "port 7788")],
        filters: vec![("tcp.port in {31337, 7788}".into(), "the conversations")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(expected, &attacks_without(&[])),
    })
}

/// A few questions and answers in a protocol nobody knows.
pub fn talk(scene: &mut Scene, at: Nanos, client: Host, server: Endpoint) {
    let mut session = Session::open(scene, at, client, server, LAN_ROUND_TRIP);
    for size in [48, 200, 90] {
        let (question, answer) = (session.scene.noise(size), session.scene.noise(3 * size));
        session.ask(&question, &answer);
        session.wait(2 * SECOND);
    }
    session.close();
}
