//! ICMP echo over IPv4 (RFC 792).

use etherparse::IcmpEchoHeader;

use crate::host::Host;
use crate::scene::Scene;
use crate::time::Nanos;
use crate::wire::{self, Icmpv4Type};

/// The payload of the common `ping`.
const PAYLOAD: &[u8; 56] = b"\x00\x01\x02\x03\x04\x05\x06\x07abcdefghijklmnopqrstuvwxyz0123456789!\"#$%&'()*+,";

#[derive(Clone, Copy)]
pub struct Ping {
    pub from: Host,
    pub to: Host,
    pub id: u16,
    pub seq: u16,
}

pub fn request(scene: &mut Scene, at: Nanos, ping: Ping) {
    let ident = scene.rng.u16();
    scene.put(at, wire::icmp4(ping.from, ping.to, ident, Icmpv4Type::EchoRequest(echo(ping)), PAYLOAD));
}

pub fn reply(scene: &mut Scene, at: Nanos, ping: Ping) {
    let ident = scene.rng.u16();
    scene.put(at, wire::icmp4(ping.to, ping.from, ident, Icmpv4Type::EchoReply(echo(ping)), PAYLOAD));
}

const fn echo(ping: Ping) -> IcmpEchoHeader {
    IcmpEchoHeader { id: ping.id, seq: ping.seq }
}
