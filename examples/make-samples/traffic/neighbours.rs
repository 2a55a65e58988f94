//! IPv6 neighbour discovery: solicitations and advertisements (RFC 4861, sections 4.3 and 4.4).

use std::net::Ipv6Addr;

use crate::host::{self, Host};
use crate::scene::Scene;
use crate::time::{MICROSECOND, Nanos};
use crate::wire::{self, Icmpv6Type};

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Flags `solicited` and `override`.
const SOLICITED_OVERRIDE: [u8; 4] = [0x60, 0, 0, 0];
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

pub fn solicit(scene: &mut Scene, at: Nanos, asker: Host, target: Host) {
    let kind = Icmpv6Type::Unknown { type_u8: SOLICITATION, code_u8: 0, bytes5to8: [0; 4] };
    let body = body(target.v6(), SOURCE_LINK_ADDRESS, asker.mac);
    scene.put(at, wire::icmp6(asker, host::solicited_node(target.v6()), kind, &body));
}

/// A solicitation and its answer.
pub fn resolve(scene: &mut Scene, at: Nanos, asker: Host, target: Host) {
    solicit(scene, at, asker, target);
    let kind = Icmpv6Type::Unknown { type_u8: ADVERTISEMENT, code_u8: 0, bytes5to8: SOLICITED_OVERRIDE };
    let body = body(target.v6(), TARGET_LINK_ADDRESS, target.mac);
    scene.put(at + 210 * MICROSECOND, wire::icmp6(target, asker, kind, &body));
}

/// The target address and one link-layer address option, its length in units of eight bytes.
fn body(target: Ipv6Addr, option: u8, mac: [u8; 6]) -> Vec<u8> {
    target.octets().into_iter().chain([option, 1]).chain(mac).collect()
}
