//! A flood of datagrams that are never complete.

use std::io;

use super::{scans_and_floods_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::pcapng::Interface;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MICROSECOND, Nanos, SECOND};
use crate::traffic::{browsing, flood};
use crate::wire;

const START: Nanos = BASE + 10 * SECOND;
const DATAGRAMS: u64 = 500;
const SECONDS: u64 = 6;
const UDP: u8 = 17;
const BODY: [u8; 32] = [0x46; 32];
/// Where the second fragment lies, in units of eight bytes: a gap after the first.
const FAR: u16 = 185;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(12);
    browsing::visits(&mut scene, BASE, 20, SECOND, web_server().port(80));
    for at in flood::beats(&mut scene, START, DATAGRAMS, SECONDS) {
        incomplete(&mut scene, at, web_server());
    }
    let expected = Expected::one("fragment_flood", "medium").against(web_server());
    Ok(Sample {
        name: "fragment-flood",
        title: "Fragment flood",
        shows: "1000 fragments a second for 6 s, no datagram complete (pcapng)",
        story: "Five hundred UDP datagrams a second arrive in fragments, two of each: the first 32 bytes and 32 bytes from far behind.\n\
            What lies between never comes, so that the server holds every one of them until it gives up.",
        cast: vec![
            ("198.18.0.0/15".into(), "forged senders (addresses reserved for tests)"),
            (web_server().ip.to_string(), "attacked web server"),
        ],
        timeline: vec![(START, "the flood begins"), (START + SECONDS * SECOND, "the flood ends")],
        filters: vec![("ip.flags.mf == 1 || ip.frag_offset > 0".into(), "the fragments")],
        file: capture_file::pcapng(&[Interface::ethernet("eth0", "uplink")], &[], &scene.into_frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["fragment_flood"])),
    })
}

/// Two fragments of a datagram whose middle never comes.
pub fn incomplete(scene: &mut Scene, at: Nanos, target: Host) {
    let from = flood::spoofed(scene);
    let (ident, source_port) = (scene.rng.u16(), scene.rng.u16());
    scene.put(at, wire::fragment(from, target, ident, UDP, (0, true), &first_part(source_port)));
    scene.put(at + 20 * MICROSECOND, wire::fragment(from, target, ident, UDP, (FAR, true), &BODY));
}

/// A UDP header that announces far more than ever comes, without a checksum, and the first bytes.
fn first_part(source_port: u16) -> Vec<u8> {
    const ANNOUNCED: u16 = 4_000;
    let header = [source_port | 0x0400, 40_000, ANNOUNCED, 0];
    header.into_iter().flat_map(u16::to_be_bytes).chain(BODY[8..].iter().copied()).collect()
}
