//! Leases under hardware addresses that do not exist.

use std::io;

use super::attacks_without;
use super::office::resolver;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::dhcp::{self, Server};

const START: Nanos = BASE + 90 * SECOND;
const CLIENTS: u8 = 80;
const PACE: Nanos = 370 * MILLISECOND;
/// So many addresses are left.
const POOL: u8 = 55;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(41);
    let (starver, gateway) = (Host::local([10, 0, 5, 67]), Host::local([10, 0, 5, 1]));
    let server = Server { host: gateway, terms: Some((gateway, resolver())) };
    browsing::visits(&mut scene, BASE, 15, 10 * SECOND, Host::local([10, 0, 1, 20]).port(80));
    for number in 0..5 {
        dhcp::lease_from(&mut scene, BASE + Nanos::from(number) * 9 * SECOND, Host::local([10, 0, 5, 120 + number]), server);
    }
    for number in 0..CLIENTS {
        let client = made_up(&mut scene, [10, 0, 5, 140 + number]);
        let at = START + Nanos::from(number) * PACE;
        dhcp::discover(&mut scene, at, starver, client, (number < POOL).then_some(server));
    }
    let expected = Expected::one("dhcp_starvation", "medium").by_machine(starver);
    Ok(Sample {
        name: "dhcp-starvation",
        title: "DHCP starvation",
        shows: "80 DHCP clients with random hardware addresses in 30 s, all in frames of one machine",
        story: "After five clients got their leases, one machine searches for DHCP servers under eighty hardware addresses within half a\n\
            minute, all of them random and locally administered. The server offers what it has left, until nothing is left.",
        cast: vec![("02:00:0a:00:05:43".into(), "asks under eighty names"), (gateway.ip.to_string(), "gateway and DHCP server")],
        timeline: vec![(START, "the first made-up client"), (START + Nanos::from(POOL) * PACE, "the server has nothing left")],
        filters: vec![("dhcp.option.dhcp == 1".into(), "the searches"), ("dhcp.option.dhcp == 2".into(), "the offers")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["dhcp_starvation"])),
    })
}

/// A random, locally administered hardware address, and the address it might be given.
pub fn made_up(scene: &mut Scene, ip: [u8; 4]) -> Host {
    let mut mac = [0; 6];
    mac.copy_from_slice(&scene.noise(6));
    // Locally administered, one machine.
    mac[0] = mac[0] & 0xfc | 2;
    Host { mac, ..Host::local(ip) }
}
