//! A virtual router and the two machines that take turns at being it (VRRP version 2, RFC 3768).

use std::net::Ipv4Addr;

use super::arp;
use crate::host::{Host, group};
use crate::scene::Scene;
use crate::time::{Nanos, SECOND};
use crate::wire;

const PROTOCOL: u8 = 112;
const VERSION_AND_TYPE: u8 = 0x21;
const GROUP_ID: u8 = 5;

/// The address that both share, with the link-layer address that section 7.3 gives it.
pub fn router(ip: impl Into<Ipv4Addr>) -> Host {
    Host { mac: [0, 0, 0x5e, 0, 1, GROUP_ID], ip: ip.into().into(), ttl: 64 }
}

/// The one that is master says so every second; it begins with an announcement of the address.
pub fn master(scene: &mut Scene, at: Nanos, seconds: u64, (real, router): (Host, Host), priority: u8) {
    arp::announce(scene, at, router);
    let from = Host { mac: router.mac, ttl: 255, ..real };
    for second in 0..seconds {
        let ident = scene.rng.u16();
        scene.put(at + second * SECOND, wire::raw(from, group([224, 0, 0, 18]), ident, PROTOCOL, &advertisement(router, priority)));
    }
}

fn advertisement(router: Host, priority: u8) -> Vec<u8> {
    let mut out = vec![VERSION_AND_TYPE, GROUP_ID, priority, 1, 0, 1, 0, 0];
    out.extend(router.v4().octets());
    out.extend([0; 8]);
    let checksum = checksum(&out).to_be_bytes();
    out[6..8].copy_from_slice(&checksum);
    out
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    u16::try_from(folded & 0xffff).map_or(0, |folded| !folded)
}
