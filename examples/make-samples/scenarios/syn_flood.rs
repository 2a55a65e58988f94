//! Twenty thousand half-open connections from forged addresses.

use std::io;

use super::{scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::{browsing, flood, probe};

const START: Nanos = BASE + 20 * SECOND;
const RATE: u64 = 2_000;
const SECONDS: u64 = 10;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(9);
    let server = web_server().port(80);
    browsing::visits(&mut scene, BASE, 45, SECOND, server);
    let times = flood::beats(&mut scene, START, RATE, SECONDS);
    flood::syn(&mut scene, &times, server, 20);
    for late in 0..4 {
        probe::unanswered(&mut scene, START + 3 * SECOND + late * 700 * MILLISECOND, Host::remote([192, 0, 2, 240]), server);
    }
    let expected = Expected::one("syn_flood", "medium").against(web_server());
    Ok(Sample {
        name: "syn-flood",
        title: "SYN flood",
        shows: "20 000 SYN in 10 s from forged sources to one port, one in 20 answered, visitors in between",
        story: "Two thousand SYNs a second from as many forged addresses arrive at the web server for ten seconds. Its backlog is full:\n\
            one in twenty gets a SYN-ACK, which nobody acknowledges. A visitor a second comes before, during and after; one of them\n\
            tries four times during the flood and gets no answer.",
        cast: vec![
            ("198.18.0.0/15".into(), "forged senders (addresses reserved for tests)"),
            (web_server().ip.to_string(), "attacked web server, port 80"),
            ("192.0.2.10 to 192.0.2.54".into(), "visitors"),
            ("192.0.2.240".into(), "a visitor who gets no answer"),
        ],
        timeline: vec![(BASE, "ordinary visits"), (START, "the flood begins"), (START + SECONDS * SECOND, "the flood ends")],
        filters: vec![
            ("tcp.flags == 0x002 && ip.src == 198.18.0.0/15".into(), "the flood"),
            ("ip.addr == 192.0.2.0/24".into(), "the visitors"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["syn_flood"])),
    })
}
