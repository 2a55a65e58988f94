//! A flood of acknowledgements that belong to no connection.

use std::io;

use super::{scans_and_floods_without, web_server};
use crate::capture_file;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MICROSECOND, Nanos, SECOND};
use crate::traffic::{browsing, flood, probe};
use crate::wire::{ACK, RST, Segment};

const START: Nanos = BASE + 10 * SECOND;
const RATE: u64 = 1_500;
const SECONDS: u64 = 5;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(13);
    let server = web_server().port(80);
    browsing::visits(&mut scene, BASE, 20, SECOND, server);
    for (index, at) in flood::beats(&mut scene, START, RATE, SECONDS).into_iter().enumerate() {
        let source = flood::spoofed(&mut scene);
        let from = source.port(1_024 + scene.rng.u16() % 64_000);
        let (seq, ack) = (scene.rng.u32(), scene.rng.u32());
        probe::put(&mut scene, at, from, server, &Segment { flags: ACK, seq, ack, window: 512, ..Segment::default() });
        if index % 10 == 0 {
            probe::put(&mut scene, at + 80 * MICROSECOND, server, from, &Segment { flags: RST, seq: ack, ..Segment::default() });
        }
    }
    let expected = Expected::one("tcp_flood", "medium").against(web_server());
    Ok(Sample {
        name: "tcp-flood",
        title: "TCP flood",
        shows: "1500 bare ACK a second for 5 s from forged sources, without any connection",
        story: "Fifteen hundred bare acknowledgements a second from forged addresses arrive at port 80 for five seconds. None belongs to\n\
            a connection; the server answers one in ten with RST. A visitor a second reads a page throughout.",
        cast: vec![
            ("198.18.0.0/15".into(), "forged senders (addresses reserved for tests)"),
            (web_server().ip.to_string(), "attacked web server, port 80"),
        ],
        timeline: vec![(START, "the flood begins"), (START + SECONDS * SECOND, "the flood ends")],
        filters: vec![("tcp.flags == 0x010 && ip.src == 198.18.0.0/15".into(), "the flood")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["tcp_flood"])),
    })
}
