//! A ping flood.

use std::io;

use super::{scans_and_floods_without, web_server};
use crate::capture_file;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MICROSECOND, Nanos, SECOND};
use crate::traffic::icmp::{self, Ping};
use crate::traffic::{browsing, flood};

const START: Nanos = BASE + 10 * SECOND;
const RATE: u64 = 600;
const SECONDS: u64 = 8;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(11);
    browsing::visits(&mut scene, BASE, 25, SECOND, web_server().port(80));
    let sources: Vec<_> = (0..300).map(|_| flood::spoofed(&mut scene)).collect();
    for (index, at) in flood::beats(&mut scene, START, RATE, SECONDS).into_iter().enumerate() {
        let from = scene.pick(&sources);
        let ping = Ping { from, to: web_server(), id: scene.rng.u16(), seq: scene.rng.u16() };
        icmp::request(&mut scene, at, ping);
        if index % 8 == 0 {
            icmp::reply(&mut scene, at + 150 * MICROSECOND, ping);
        }
    }
    let expected = Expected::one("icmp_flood", "medium").against(web_server());
    Ok(Sample {
        name: "icmp-flood",
        title: "ICMP flood",
        shows: "600 pings a second for 8 s from 300 forged sources",
        story: "Six hundred echo requests a second from 300 forged addresses arrive at the web server for eight seconds; the server\n\
            limits its replies to one in eight.",
        cast: vec![
            ("198.18.0.0/15".into(), "forged senders (addresses reserved for tests)"),
            (web_server().ip.to_string(), "attacked web server"),
        ],
        timeline: vec![(START, "the flood begins"), (START + SECONDS * SECOND, "the flood ends")],
        filters: vec![("icmp.type == 8".into(), "the flood")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["icmp_flood"])),
    })
}
