//! A desktop that begins to do what neither it nor its peers ever did.

use std::io;

use super::{attacks_without, office};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::browsing;
use crate::wire;

/// Active minutes of every desktop.
pub const MINUTES: u64 = 44;
const START: Nanos = BASE + 40 * MINUTE + 2 * SECOND;
const PEERS: u8 = 45;
const PIECES: u64 = 28;
const PIECE: [u8; 1_000] = [0x5a; 1_000];

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(53);
    working_day(&mut scene, MINUTES);
    give(&mut scene, START, office::desk(3));
    let expected = Expected::one("host_anomaly", "low").by(office::desk(3));
    Ok(Sample {
        name: "host-anomaly",
        title: "Host anomaly",
        shows: "after 40 min of reading pages, a desktop sends 1.3 MB to 45 addresses over UDP within a minute",
        story: "Six desktops read a few pages every minute. In the forty-first minute one of them begins to send pieces of a file to 45\n\
            addresses it never spoke with, over UDP, 28 kilobytes each. All of them answer. No single thing of it is an attack;\n\
            it is what neither this desktop nor its peers ever did.",
        cast: vec![
            (office::desk(3).ip.to_string(), "desktop that changes its ways"),
            ("198.18.7.1 to 198.18.7.45".into(), "whom it serves"),
        ],
        timeline: vec![(BASE, "pages are read"), (START, "pieces are sent")],
        filters: vec![("udp && ip.addr == 198.18.7.0/24".into(), "the pieces")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&[])),
    })
}

/// Each of the six desktops reads one to three pages in every minute.
pub fn working_day(scene: &mut Scene, minutes: u64) {
    for minute in 0..minutes {
        for number in 0..6 {
            for _ in 0..scene.rng.between(1, 4) {
                let at = BASE + minute * MINUTE + scene.rng.between(SECOND, 57 * SECOND);
                let site = scene.pick(&office::sites());
                browsing::visit(scene, at, office::desk(number), Host::remote(site.address).port(80));
            }
        }
    }
}

/// Pieces of a file to many peers; each of them acknowledges every tenth.
pub fn give(scene: &mut Scene, start: Nanos, from: Host) {
    let source = from.port(51_413);
    for peer in 1..=PEERS {
        let to = Host::remote([198, 18, 7, peer]).port(20_000 + u16::from(peer) * 37);
        for piece in 0..PIECES {
            let at = start + Nanos::from(peer) * 1_200 * MILLISECOND + piece * 30 * MILLISECOND;
            let (ident, answer_ident) = (scene.rng.u16(), scene.rng.u16());
            scene.put(at, wire::udp(source, to, ident, &PIECE));
            if piece % 10 == 9 {
                scene.put(at + 30 * MILLISECOND, wire::udp(to, source, answer_ident, &[0x61; 20]));
            }
        }
    }
}
