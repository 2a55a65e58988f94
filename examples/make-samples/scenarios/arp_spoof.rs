//! A machine says it is the gateway, and is believed.

use std::io;

use super::attacks_without;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::{arp, browsing};

const SPOOF_AT: Nanos = BASE + 2 * MINUTE;
const LIES: u64 = 60;
const PACE: Nanos = 2 * SECOND;
const END: Nanos = BASE + 5 * MINUTE;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(39);
    let (victim, liar, gateway) = (Host::local([10, 0, 5, 31]), Host::local([10, 0, 5, 66]), gateway());
    arp::resolve(&mut scene, BASE + SECOND, victim, gateway);
    arp::resolve(&mut scene, SPOOF_AT - 3 * SECOND, liar, victim);
    arp::ask(&mut scene, SPOOF_AT - 2 * SECOND, liar, gateway);
    // The gateway still asks for its neighbours now and then, and says so who it is.
    for step in 0..12 {
        let neighbour = Host::local([10, 0, 5, 31 + u8::try_from(step % 6).unwrap_or(0)]);
        arp::ask(&mut scene, BASE + 11 * SECOND + step * 23 * SECOND, gateway, neighbour);
        if neighbour == victim {
            arp::answer(&mut scene, BASE + 11 * SECOND + step * 23 * SECOND + MILLISECOND, victim, gateway);
        }
    }
    for lie in 0..LIES {
        let at = SPOOF_AT + lie * PACE;
        arp::answer(&mut scene, at, Host { mac: liar.mac, ..gateway }, victim);
    }
    let mut at = BASE + 5 * SECOND;
    while at < END {
        let by_liar = at > SPOOF_AT && at < SPOOF_AT + LIES * PACE;
        let outside = Host::remote([192, 0, 2, 80]);
        let server = if by_liar { Host { mac: liar.mac, ttl: outside.ttl - 1, ..outside } } else { outside };
        browsing::visit(&mut scene, at, victim, server.port(80));
        at += 3 * SECOND + scene.rng.between(0, 8 * SECOND);
    }
    let expected = Expected::one("arp_spoof", "high").technique("arp").by_machine(liar).against(gateway);
    Ok(Sample {
        name: "arp-spoof",
        title: "ARP spoofing",
        shows: "a machine claims the gateway's address every 2 s for 2 min; the victim's traffic then goes through it",
        story: "Seen at the port of one desktop: another machine on the network tells it every two seconds, unasked, that the gateway's\n\
            address is its own. The true gateway still asks for its neighbours now and then, so that the address changes hands again\n\
            and again. While this lasts, the desktop's packets go to the other machine, which passes them on.",
        cast: vec![
            (victim.ip.to_string(), "victim"),
            (format!("{} (02:00:0a:00:05:42)", liar.ip), "claims the gateway's address"),
            (format!("{} (02:00:5e:00:00:01)", gateway.ip), "gateway"),
        ],
        timeline: vec![(SPOOF_AT, "the first lie"), (SPOOF_AT + LIES * PACE, "the lies end")],
        filters: vec![
            ("arp.opcode == 2 && arp.src.proto_ipv4 == 10.0.5.1".into(), "who claims to be the gateway"),
            ("eth.dst == 02:00:0a:00:05:42 && tcp".into(), "packets that go through the machine"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["arp_spoof"])),
    })
}

/// The gateway by its inner address; its link-layer address is that of all that is outside.
fn gateway() -> Host {
    Host { mac: Host::remote([192, 0, 2, 80]).mac, ..Host::local([10, 0, 5, 1]) }
}
