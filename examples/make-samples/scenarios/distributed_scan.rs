//! A scan shared by many scanners, each of them inconspicuous.

use std::io;

use super::{ports, scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::probe::{self, Port};

const SOURCES: u8 = 12;
const PORTS_EACH: usize = 4;
const START: Nanos = BASE + 20 * SECOND;
const PACE: Nanos = 1_250 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(6);
    browsing::visits(&mut scene, BASE, 30, 3 * SECOND, web_server().port(80));
    let chosen = ports(&mut scene, &[], usize::from(SOURCES) * PORTS_EACH);
    for (index, port) in (0..).zip(chosen) {
        let member = Host::remote([203, 0, 113, 10 + u8::try_from(index % u64::from(SOURCES)).unwrap_or(0)]);
        let source = member.port(scene.fresh_port(member));
        let state = if index % 3 == 0 { Port::Closed } else { Port::Filtered };
        probe::syn(&mut scene, START + index * PACE, source, web_server().port(port), state);
    }
    let count = u64::from(SOURCES) * PORTS_EACH as u64;
    let expected = Expected::one("distributed_scan", "medium").against(web_server()).ports(count);
    Ok(Sample {
        name: "distributed-scan",
        title: "Distributed scan",
        shows: "12 sources probe 4 ports each of one server in a minute",
        story: "Twelve machines share the work: each probes four ports of one server, together 48 different ports within a minute. None\n\
            of them alone does anything remarkable.",
        cast: vec![("203.0.113.10 to 203.0.113.21".into(), "scanners"), (web_server().ip.to_string(), "scanned server")],
        timeline: vec![(START, "the first probe"), (START + (count - 1) * PACE, "the last probe")],
        filters: vec![("ip.src == 203.0.113.0/24 && tcp.flags == 0x002".into(), "the probes")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["distributed_scan"])),
    })
}
