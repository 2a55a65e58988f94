//! ICMP echo over IPv4 (RFC 792).

use etherparse::IcmpEchoHeader;
use etherparse::icmpv4::DestUnreachableHeader;

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
    request_with(scene, at, ping, PAYLOAD);
}

pub fn reply(scene: &mut Scene, at: Nanos, ping: Ping) {
    reply_with(scene, at, ping, PAYLOAD);
}

pub fn request_with(scene: &mut Scene, at: Nanos, ping: Ping, payload: &[u8]) {
    let ident = scene.rng.u16();
    scene.put(at, wire::icmp4(ping.from, ping.to, ident, Icmpv4Type::EchoRequest(echo(ping)), payload));
}

pub fn reply_with(scene: &mut Scene, at: Nanos, ping: Ping, payload: &[u8]) {
    let ident = scene.rng.u16();
    scene.put(at, wire::icmp4(ping.to, ping.from, ident, Icmpv4Type::EchoReply(echo(ping)), payload));
}

/// A router on the way says that the request does not fit; it gives its address and the size that would (RFC 1191).
pub fn too_large(scene: &mut Scene, at: Nanos, ping: Ping, payload: &[u8], (router, next_hop_mtu): (Host, u16)) {
    let (ident, asked) = (scene.rng.u16(), scene.rng.u16());
    let request = wire::icmp4(ping.from, ping.to, asked, Icmpv4Type::EchoRequest(echo(ping)), payload);
    let kind = Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::FragmentationNeeded { next_hop_mtu });
    scene.put(at, wire::icmp4(router, ping.from, ident, kind, wire::quoted(&request)));
}

const fn echo(ping: Ping) -> IcmpEchoHeader {
    IcmpEchoHeader { id: ping.id, seq: ping.seq }
}
