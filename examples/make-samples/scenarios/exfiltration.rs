//! 120 MB leave for an address that nobody asked the name of.

use std::io;

use super::attacks_without;
use super::office::{desk, resolver, sites};
use crate::capture_file;
use crate::host::{Endpoint, Host};
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing::{self, ROUND_TRIP};
use crate::traffic::tcp::Session;
use crate::traffic::{dns, tls};

/// Headers, and little else.
pub const SNAPLEN: u32 = 96;
const START: Nanos = BASE + 90 * SECOND;
const MEGABYTES: usize = 120;
const PACE: Nanos = 60 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(37);
    let (thief, outside) = (desk(2), Host::remote([203, 0, 113, 140]));
    for (index, site) in (0..).zip(sites()) {
        let at = BASE + 5 * SECOND + index * 11 * SECOND;
        dns::lookup(&mut scene, at, thief, resolver(), site.name, &[site.address.into()], 9 * MILLISECOND);
        browsing::visit(&mut scene, at + 20 * MILLISECOND, thief, Host::remote(site.address).port(80));
    }
    let end = upload(&mut scene, START, thief, outside.port(443), MEGABYTES, PACE);
    let expected = Expected::one("exfiltration", "low").by(thief).against(outside);
    Ok(Sample {
        name: "exfiltration",
        title: "Exfiltration",
        shows: "120 MB sent to one address outside in 2 min, captured on the sending host with 96 bytes of each frame",
        story: "A desktop reads five web pages and then sends 120 MB through one TLS connection to an address outside whose name it never\n\
            asked for; next to nothing comes back. The capture was taken on the desktop itself: the frames are the large ones that\n\
            the network card divides later, and of each only the first 96 bytes were kept.",
        cast: vec![(thief.ip.to_string(), "desktop that sends"), (outside.ip.to_string(), "destination")],
        timeline: vec![(START, "the upload begins"), (end, "it is over")],
        filters: vec![("frame.cap_len < frame.len".into(), "frames that were cut"), ("ip.dst == 203.0.113.140".into(), "the upload")],
        file: capture_file::snapped(&scene.into_frames(), SNAPLEN)?,
        expect: Expectation::only(vec![expected], &attacks_without(&["exfiltration"])),
    })
}

/// So many million bytes in one TLS connection, seen where segments are still whole; when it is over.
pub fn upload(scene: &mut Scene, at: Nanos, client: Host, server: Endpoint, megabytes: usize, pace: Nanos) -> Nanos {
    /// 44 segments of 1460 bytes: the most that fits a packet of 64 KiB.
    const LARGE: usize = 44 * 1_460;
    let mut session = Session::open(scene, at, client, server, ROUND_TRIP);
    tls::handshake_with(&mut session, "upload.example.org", 900);
    let data = tls::records(&mut session, LARGE);
    session.client_uploads((megabytes * 1_000_000).div_ceil(LARGE), &data, pace);
    session.close()
}
