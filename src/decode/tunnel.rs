//! Tunnels: where in a packet another one begins.
//!
//! Knows the tunnels' own headers. Whether the inside makes sense shows when it is read.

use etherparse::ip_number;

use super::layers::Layer;
use super::network::Ip;
use super::span::Span;
use super::walk::Proto;
use super::{Kind, Packet};

const VXLAN: u16 = 4789;
/// What Linux used before the port was assigned.
const VXLAN_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;
const GTP_U: u16 = 2152;
const TEREDO: u16 = 3544;

/// A tunnel's kind, the first header inside, and where it begins.
pub(super) type Inside<'a> = Option<(Layer, Proto, Span<'a>)>;

/// Whether UDP between these ports may be a tunnel.
#[inline]
pub(super) const fn is_tunnel(sport: u16, dport: u16) -> bool {
    matches!(dport, VXLAN | VXLAN_LINUX | GENEVE | GTP_U | TEREDO) || sport == TEREDO
}

/// What the packet carries, if it is a tunnel's.
pub(super) fn inside<'a>(ip: &Ip<'a>, packet: &Packet) -> Inside<'a> {
    if ip.is_later() || ip.stopped.is_some() {
        return None;
    }
    match etherparse::IpNumber(ip.proto) {
        ip_number::IPV4 => versioned(ip.payload, 4).map(|span| (Layer::IpInIp, Proto::Ip, span)),
        ip_number::IPV6 => versioned(ip.payload, 6).map(|span| (Layer::IpInIp, Proto::Ip, span)),
        ip_number::GRE => gre(ip.payload).map(|(proto, span)| (Layer::Gre, proto, span)),
        ip_number::UDP if packet.kind == Kind::Udp && is_tunnel(packet.sport, packet.dport) => udp(ip, packet),
        _ => None,
    }
}

fn udp<'a>(ip: &Ip<'a>, packet: &Packet) -> Inside<'a> {
    let payload = ip.payload.after(8).limit(packet.payload_len);
    match packet.dport {
        VXLAN | VXLAN_LINUX => vxlan(payload).map(|span| (Layer::Vxlan, Proto::Ethernet, span)),
        GENEVE => geneve(payload).map(|(proto, span)| (Layer::Geneve, proto, span)),
        GTP_U => gtp_u(payload).map(|span| (Layer::Gtpu, Proto::Ip, span)),
        _ => teredo(payload).map(|span| (Layer::Teredo, Proto::Ip, span)),
    }
}

fn versioned(span: Span, version: u8) -> Option<Span> {
    (span.u8_at(0)? >> 4 == version).then_some(span)
}

/// RFC 2784 and 2890; version 1 is PPTP's (RFC 2637).
fn gre(span: Span) -> Option<(Proto, Span)> {
    let [flags, version, high, low] = *span.first()?;
    let (checksum, routing, key, sequence) = (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x20 != 0, flags & 0x10 != 0);
    let acknowledged = version & 0x80 != 0;
    let protocol = u16::from_be_bytes([high, low]);
    let fields = |present: &[bool]| 4 + 4 * present.iter().filter(|present| **present).count();
    let (len, proto) = match version & 7 {
        // Source routes were withdrawn; a packet that has them is no plausible tunnel.
        0 if !routing => (fields(&[checksum, key, sequence]), Proto::EtherType(protocol)),
        1 if protocol == 0x880b => (fields(&[key, sequence, acknowledged]), Proto::Ppp),
        _ => return None,
    };
    let payload = Some(span.after(len)).filter(|payload| !payload.is_empty())?;
    Some(match protocol {
        0x88be if sequence => (Proto::Ethernet, payload.after(ERSPAN_2)),
        0x88be => (Proto::Ethernet, payload),
        0x22eb => (Proto::Ethernet, payload.after(erspan_3(payload)?)),
        _ => (proto, payload),
    })
}

/// Mirrored traffic of switches: type II has eight bytes before the frame, type I, which has no GRE
/// sequence number, none.
const ERSPAN_2: usize = 8;

/// Type III has twelve, and eight more where its last bit says so.
fn erspan_3(span: Span) -> Option<usize> {
    Some(if span.u8_at(11)? & 1 == 1 { 20 } else { 12 })
}

/// RFC 7348: the flag of a valid network identifier, the identifier, an Ethernet frame.
fn vxlan(span: Span) -> Option<Span> {
    let [flags, _, _, _, _, _, _, reserved] = *span.first()?;
    (flags & 0x08 != 0 && reserved == 0).then(|| span.after(8))
}

/// RFC 8926.
fn geneve(span: Span) -> Option<(Proto, Span)> {
    let [version_and_options, _, high, low, _, _, _, _] = *span.first()?;
    let options = usize::from(version_and_options & 0x3f) * 4;
    (version_and_options >> 6 == 0).then(|| (Proto::EtherType(u16::from_be_bytes([high, low])), span.after(8 + options)))
}

/// 3GPP TS 29.281: a packet of a user (message type 255), with or without extension headers.
fn gtp_u(span: Span) -> Option<Span> {
    let [flags, kind, ..] = *span.first::<8>()?;
    if flags & 0xf0 != 0x30 || kind != 255 {
        return None;
    }
    let (optional, extended) = (flags & 0x07, flags & 0x04 != 0);
    if optional == 0 {
        return Some(span.after(8));
    }
    let mut next = span.u8_at(11)?;
    let mut rest = span.after(12);
    while extended && next != 0 {
        let len = usize::from(rest.u8_at(0).filter(|units| *units > 0)?) * 4;
        next = rest.u8_at(len - 1)?;
        rest = rest.after(len);
    }
    Some(rest)
}

/// RFC 4380: authentication and origin indications may stand before the IPv6 packet.
fn teredo(mut span: Span) -> Option<Span> {
    if span.first() == Some(&[0, 1]) {
        let [_, _, id, authentication] = *span.first()?;
        // Identifier and value of those lengths, a nonce of eight bytes, a confirmation byte.
        span = span.after(4 + usize::from(id) + usize::from(authentication) + 9);
    }
    if span.first() == Some(&[0, 0]) {
        span = span.after(8);
    }
    versioned(span, 6)
}
