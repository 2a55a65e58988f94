//! TCP, UDP and SCTP headers, and what is left of a packet that has none to read.
//!
//! Fills the transport's part of a row. Knows nothing of addresses.

use etherparse::TcpHeaderSlice;

use super::layers::Layer;
use super::network::{Ip, Size};
use super::span::Span;
use super::{Kind, Packet, Reason, flag, icmp};
use crate::net::{ip_proto, mix};

/// How far a transport was read.
pub(super) struct Body {
    pub reason: Option<Reason>,
    pub layer: Option<Layer>,
}

/// Reads what the packet carries into `packet`, whose IP part is filled already.
pub(super) fn read(packet: &mut Packet, ip: &Ip) -> Body {
    body(packet, ip.payload);
    if ip.is_later() {
        packet.kind = Kind::Fragment;
        packet.ack = if ip.last_at > 0 { ip.last_at + packet.payload_len } else { 0 };
        return Body { reason: Some(Reason::LaterFragment), layer: None };
    }
    if ip.stopped.is_some() {
        return Body { reason: ip.stopped, layer: Some(Layer::OtherIp) };
    }
    let (layer, reason) = match (ip.proto, ip.v6) {
        (ip_proto::TCP, _) => (Layer::Tcp, tcp(packet, ip.payload)),
        (ip_proto::UDP, _) => (Layer::Udp, udp(packet, ip.payload)),
        (ip_proto::SCTP, _) => (Layer::Sctp, sctp(packet, ip.payload)),
        (ip_proto::ICMP, false) => (Layer::Icmp, icmp::read(packet, ip)),
        (ip_proto::ICMP6, true) => (Layer::Icmpv6, icmp::read(packet, ip)),
        _ => (Layer::OtherIp, Some(Reason::OtherTransport)),
    };
    let contradiction = (ip.size == Size::Contradicts).then_some(Reason::BadHeader);
    Body { reason: reason.or(contradiction), layer: Some(layer) }
}

/// States where the payload is: what is left after the headers.
pub(super) fn body(packet: &mut Packet, payload: Span) {
    packet.payload_len = payload.wire;
    packet.payload_start = payload.start;
    packet.payload_caplen = super::span::length(payload.bytes.len());
}

fn tcp(packet: &mut Packet, segment: Span) -> Option<Reason> {
    let Ok(header) = TcpHeaderSlice::from_slice(segment.bytes) else { return Some(broken_tcp(packet, segment)) };
    tcp_fields(packet, segment);
    if packet.flags & flag::SYN != 0 {
        packet.options = option_hash(header.options());
    }
    body(packet, segment.after(header.slice().len()));
    None
}

/// A TCP header that was cut or states a length it cannot have: what can be read of it.
fn broken_tcp(packet: &mut Packet, segment: Span) -> Reason {
    tcp_fields(packet, segment);
    let stated = segment.u8_at(12).map_or(20, |byte| usize::from(byte >> 4) * 4);
    let needed = if segment.bytes.len() < 20 { 20 } else { stated };
    body(packet, segment.after(needed.max(20)));
    segment.why_short(needed)
}

/// The fixed fields, as far as they were captured. Without its flags a segment stays
/// [`Kind::Other`]: taken for TCP it would look like a probe with no flag set.
fn tcp_fields(packet: &mut Packet, segment: Span) {
    ports(packet, segment);
    packet.seq = segment.at(4).map_or(0, |bytes| u32::from_be_bytes(*bytes));
    packet.ack = segment.at(8).map_or(0, |bytes| u32::from_be_bytes(*bytes));
    packet.window = segment.u16_at(14).unwrap_or_default();
    if let Some(flags) = segment.u8_at(13) {
        packet.flags = flags;
        packet.kind = Kind::Tcp;
    }
}

/// Hash of the option kinds in their order, padding included; 0 where there are none.
pub(super) fn option_hash(mut options: &[u8]) -> u16 {
    let mut hash = 0;
    while let Some((&kind, rest)) = options.split_first() {
        if kind == 0 {
            break;
        }
        hash = mix(hash, u64::from(kind));
        // Padding is one byte; any other option states its length, kind and length included.
        let passed = if kind == 1 { 0 } else { rest.first().map_or(usize::MAX, |len| usize::from(*len).saturating_sub(1).max(1)) };
        options = rest.get(passed..).unwrap_or_default();
    }
    let [high, low, ..] = hash.to_be_bytes();
    u16::from_be_bytes([high, low])
}

fn udp(packet: &mut Packet, datagram: Span) -> Option<Reason> {
    if ports(packet, datagram) {
        packet.kind = Kind::Udp;
    }
    body(packet, datagram.after(8));
    let Some(stated) = datagram.u16_at(4).filter(|_| datagram.bytes.len() >= 8) else { return Some(datagram.why_short(8)) };
    packet.seq = datagram.u16_at(6).map_or(0, u32::from);
    match u32::from(stated) {
        // Left open by segmentation offload and jumbograms.
        0 => None,
        1..8 => Some(Reason::BadHeader),
        stated => {
            body(packet, datagram.limit(stated).after(8));
            (stated > datagram.wire && !datagram.open).then_some(Reason::BadHeader)
        }
    }
}

fn sctp(packet: &mut Packet, common: Span) -> Option<Reason> {
    if ports(packet, common) {
        packet.kind = Kind::Sctp;
    }
    body(packet, common.after(12));
    (common.bytes.len() < 12).then(|| common.why_short(12))
}

/// The port numbers, which TCP, UDP and SCTP have at the same place.
pub(super) fn ports(packet: &mut Packet, header: Span) -> bool {
    let Some([a, b, c, d]) = header.first() else { return false };
    packet.sport = u16::from_be_bytes([*a, *b]);
    packet.dport = u16::from_be_bytes([*c, *d]);
    true
}
