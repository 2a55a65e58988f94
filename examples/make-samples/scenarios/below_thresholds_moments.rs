//! A moment that is unlike all others, of which there are too few.

use std::io;

use super::{attacks_without, traffic_anomaly};
use crate::capture_file;
use crate::sample::{Expectation, Sample};
use crate::scene::Scene;
use crate::time::{BASE, Nanos, SECOND};

const SECONDS: u64 = 28;
const START: Nanos = BASE + 20 * SECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(56);
    traffic_anomaly::steady(&mut scene, SECONDS);
    traffic_anomaly::fetch(&mut scene, START);
    Ok(Sample {
        name: "below-thresholds-moments",
        title: "Too short to tell what is usual",
        shows: "one second of some 900 packets amid 28 s of three pages a second: no alarm",
        story: "Three pages a second are read from a web server of the intranet, and somebody fetches a file of 900 kB within one second.\n\
            The capture is half a minute long, which is too short to say what is usual.",
        cast: vec![("10.0.5.63".into(), "fetches the file"), ("10.0.1.20".into(), "web server")],
        timeline: vec![(BASE, "pages are read"), (START, "the file is fetched")],
        filters: vec![("ip.addr == 10.0.5.63".into(), "the file")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![], &[attacks_without(&[]), vec!["traffic_anomaly", "host_anomaly"]].concat())
            .just_below(&[("traffic_anomaly", "anomaly.min_buckets=25")]),
    })
}
