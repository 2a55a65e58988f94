//! A second DHCP server, which names itself as router and resolver.

use std::io;

use super::attacks_without;
use super::office::resolver;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MINUTE, Nanos, SECOND};
use crate::traffic::dhcp::{self, Server};
use crate::traffic::{arp, browsing};

const ROGUE_AT: Nanos = BASE + 6 * MINUTE;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(40);
    let (gateway, rogue) = (Host::local([10, 0, 5, 1]), Host::local([10, 0, 5, 99]));
    let server = Server { host: gateway, terms: Some((gateway, resolver())) };
    let other = Server { host: rogue, terms: Some((rogue, rogue)) };
    browsing::visits(&mut scene, BASE, 30, 20 * SECOND, Host::local([10, 0, 1, 20]).port(80));
    for number in 0..8 {
        dhcp::lease_from(&mut scene, BASE + 5 * SECOND + Nanos::from(number) * 31 * SECOND, client(number), server);
    }
    for number in 8..13 {
        let at = ROGUE_AT + Nanos::from(number - 8) * 40 * SECOND;
        dhcp::contested(&mut scene, at, client(number), (other, server));
        arp::resolve(&mut scene, at + SECOND, client(number), rogue);
    }
    let expected = Expected::one("rogue_dhcp", "high").by(rogue);
    Ok(Sample {
        name: "rogue-dhcp",
        title: "Rogue DHCP server",
        shows: "a second DHCP server answers faster and names itself as router and resolver; five clients take its lease",
        story: "Eight clients get their addresses from the gateway. Then a second machine answers such questions too, a little faster, and\n\
            gives itself as router and resolver. Both servers offer to the next five clients, and all five take the first offer.",
        cast: vec![
            (gateway.ip.to_string(), "gateway and DHCP server"),
            (rogue.ip.to_string(), "second DHCP server"),
            ("10.0.5.120 to 10.0.5.132".into(), "clients"),
        ],
        timeline: vec![(BASE + 5 * SECOND, "the first lease"), (ROGUE_AT, "the second server appears")],
        filters: vec![
            ("dhcp.option.dhcp == 2".into(), "the offers"),
            ("dhcp.option.router == 10.0.5.99".into(), "leases of the second server"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["rogue_dhcp"])),
    })
}

fn client(number: u8) -> Host {
    Host::local([10, 0, 5, 120 + number])
}
