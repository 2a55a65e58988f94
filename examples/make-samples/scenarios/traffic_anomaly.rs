//! A moment that is unlike all others.

use std::io;

use super::attacks_without;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::tcp::Session;
use crate::traffic::{browsing, http};

const SECONDS: u64 = 90;
const START: Nanos = BASE + 60 * SECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(52);
    let server = Host::local([10, 0, 1, 20]);
    steady(&mut scene, SECONDS);
    fetch(&mut scene, START);
    let expected = Expected::one("traffic_anomaly", "info").technique("volume");
    Ok(Sample {
        name: "traffic-anomaly",
        title: "Traffic anomaly",
        shows: "one second of some 900 packets amid a minute and a half of three pages a second",
        story: "Three pages a second are read from a web server of the intranet, steadily. Within one second somebody fetches a file of\n\
            900 kB: nothing bad, and unlike any other second.",
        cast: vec![("10.0.5.63".into(), "fetches the file"), (server.ip.to_string(), "web server")],
        timeline: vec![(BASE, "pages are read"), (START, "the file is fetched")],
        filters: vec![("ip.addr == 10.0.5.63".into(), "the file")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&[])),
    })
}

/// A file of 900 kB, within a second.
pub fn fetch(scene: &mut Scene, at: Nanos) {
    let mut session = Session::open(scene, at, Host::local([10, 0, 5, 63]), Host::local([10, 0, 1, 20]).port(80), MILLISECOND);
    http::fetch(&mut session, "files.example.com", "/image", 900_000);
    session.close();
}

/// Three short pages a second.
pub fn steady(scene: &mut Scene, seconds: u64) {
    browsing::visits(scene, BASE, 3 * seconds, SECOND / 3, Host::local([10, 0, 1, 20]).port(80));
}
