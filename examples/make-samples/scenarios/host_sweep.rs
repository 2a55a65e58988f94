//! One machine tries port 445 of a whole network.

use std::io;

use super::scans_and_floods_without;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::probe::{self, Port};

const PORT: u16 = 445;
const START: Nanos = BASE + 10 * SECOND;
const PACE: Nanos = 40 * MILLISECOND;
const ANSWERING: [u8; 8] = [5, 17, 40, 41, 99, 128, 200, 251];
const REFUSING: [u8; 10] = [2, 8, 33, 64, 77, 111, 150, 180, 222, 240];

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(3);
    browsing::visits(&mut scene, BASE, 20, SECOND, Host::local([10, 0, 5, 80]).port(80));
    sweep(&mut scene, START, infected());
    let expected = Expected::one("host_sweep", "medium").technique("syn").by(infected()).ports(1);
    Ok(Sample {
        name: "host-sweep",
        title: "Host sweep",
        shows: "SYN to port 445 of 254 hosts in 10 s, 8 of them answer",
        story: "An infected desktop looks for file servers: it sends a SYN to port 445 of every address of 10.0.6.0/24 in order. Eight\n\
            hosts answer SYN-ACK (and are reset), ten refuse, the others do not exist; those probes are sent a second time.",
        cast: vec![(infected().ip.to_string(), "infected desktop"), ("10.0.6.1 to 10.0.6.254".into(), "swept network")],
        timeline: vec![
            (BASE, "ordinary visits to an internal web server"),
            (START, "the sweep begins"),
            (START + 254 * PACE, "the sweep ends"),
        ],
        filters: vec![
            ("ip.src == 10.0.5.23 && tcp.flags == 0x002".into(), "the probes"),
            ("tcp.srcport == 445 && tcp.flags == 0x012".into(), "the hosts that answer"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["host_sweep"])),
    })
}

pub fn infected() -> Host {
    Host::local([10, 0, 5, 23])
}

/// The sweep of 10.0.6.0/24.
pub fn sweep(scene: &mut Scene, start: Nanos, from: Host) {
    for (index, last) in (0..).zip(1..=254_u8) {
        let state = match last {
            _ if ANSWERING.contains(&last) => Port::Open,
            _ if REFUSING.contains(&last) => Port::Closed,
            _ => Port::FilteredAndRepeated,
        };
        let source = from.port(scene.fresh_port(from));
        probe::syn(scene, start + index * PACE, source, Host::remote([10, 0, 6, last]).port(PORT), state);
    }
}
