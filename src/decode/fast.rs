//! The headers that nearly every frame has, read in one go: Ethernet II with at most one 802.1Q tag,
//! IPv4 without options and fragments or IPv6 without extension headers, TCP or UDP.
//!
//! Anything else, and anything the least bit odd, is `None` and takes the general way. What is
//! read here is read there to the same row; a test holds them against each other.
//!
//! The parts are small structures that live in registers, and the row is written once, where it
//! stays: a row built field by field and then moved stalls the processor on every frame.

use super::layers::{Layer, LayerSet};
use super::span::length;
use super::{Kind, Packet, flag, transport, tunnel};
use crate::capture::FrameRef;
use crate::net::{Addr, ip_proto};

const ETHERNET: u32 = 14;
const TAG: u32 = 4;

/// Appends the row of a common frame and says which layers it has.
#[inline]
pub(super) fn read(data: &[u8], frame: &FrameRef, rows: &mut Vec<Packet>) -> Option<LayerSet> {
    if frame.link != 1 {
        return None;
    }
    let (head, rest) = data.split_first_chunk::<14>()?;
    let layers = LayerSet::default().with(Layer::Ethernet);
    let untagged = Below { len: ETHERNET, vlan: 0, layers };
    match [head[12], head[13]] {
        [0x08, 0x00] => packet(rest, frame, untagged, ipv4, rows),
        [0x86, 0xdd] => packet(rest, frame, untagged, ipv6, rows),
        [0x81, 0x00] => {
            let (tag, rest) = rest.split_first_chunk::<4>()?;
            let vlan = u16::from_be_bytes([tag[0] & 0x0f, tag[1]]);
            let tagged = Below { len: ETHERNET + TAG, vlan, layers: layers.with(Layer::Vlan) };
            match [tag[2], tag[3]] {
                [0x08, 0x00] => packet(rest, frame, tagged, ipv4, rows),
                [0x86, 0xdd] => packet(rest, frame, tagged, ipv6, rows),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What was read below the network layer.
#[derive(Clone, Copy)]
struct Below {
    len: u32,
    vlan: u16,
    layers: LayerSet,
}

#[derive(Clone, Copy)]
struct Network {
    src: Addr,
    dst: Addr,
    header: u32,
    len: u32,
    id: u16,
    ttl: u8,
    proto: u8,
    layer: Layer,
}

#[derive(Clone, Copy)]
struct Transport {
    ports: [u8; 4],
    seq: u32,
    ack: u32,
    /// Length of its own header.
    header: u32,
    payload_len: u32,
    payload_caplen: u32,
    window: u16,
    options: u16,
    kind: Kind,
    flags: u8,
    layer: Layer,
}

#[inline]
fn packet(
    data: &[u8],
    frame: &FrameRef,
    below: Below,
    network: impl Fn(&[u8]) -> Option<(Network, &[u8])>,
    rows: &mut Vec<Packet>,
) -> Option<LayerSet> {
    let (network, payload) = network(data)?;
    let carried = network.len.checked_sub(network.header)?;
    if below.len + network.len > frame.origlen {
        return None;
    }
    // Captured, and no padding of the link.
    let payload = payload.get(..carried as usize).unwrap_or(payload);
    let transport = match network.proto {
        ip_proto::TCP => tcp(payload, carried)?,
        ip_proto::UDP => udp(payload, carried)?,
        _ => return None,
    };
    let [a, b, c, d] = transport.ports;
    rows.push(Packet {
        src: network.src,
        dst: network.dst,
        reporter: Addr::UNSPECIFIED,
        ts: frame.ts,
        tick: frame.tick,
        ordinal: frame.ordinal,
        seq: transport.seq,
        ack: transport.ack,
        ip_len: network.len,
        payload_len: transport.payload_len,
        payload_start: frame.start.saturating_add(below.len + network.header + transport.header),
        payload_caplen: transport.payload_caplen,
        wire_len: frame.origlen,
        sport: u16::from_be_bytes([a, b]),
        dport: u16::from_be_bytes([c, d]),
        vlan: below.vlan,
        window: transport.window,
        ip_id: network.id,
        options: transport.options,
        proto: network.proto,
        kind: transport.kind,
        flags: transport.flags,
        ttl: network.ttl,
        icmp_type: 0,
        fragment: false,
    });
    Some(below.layers.with(network.layer).with(transport.layer))
}

#[inline]
fn ipv4(data: &[u8]) -> Option<(Network, &[u8])> {
    let (head, payload) = data.split_first_chunk::<20>()?;
    let [0x45, _, len_high, len_low, id_high, id_low, fragment, offset, ttl, proto, _, _, addresses @ ..] = head else {
        return None;
    };
    // Any offset, or more fragments.
    if fragment & 0x3f != 0 || *offset != 0 {
        return None;
    }
    let (src, dst) = addresses.split_first_chunk()?;
    let network = Network {
        src: Addr::from_v4_bytes(*src),
        dst: Addr::from_v4_bytes(*dst.first_chunk()?),
        header: 20,
        len: u32::from(u16::from_be_bytes([*len_high, *len_low])),
        id: u16::from_be_bytes([*id_high, *id_low]),
        ttl: *ttl,
        proto: *proto,
        layer: Layer::Ipv4,
    };
    Some((network, payload))
}

#[inline]
fn ipv6(data: &[u8]) -> Option<(Network, &[u8])> {
    let (head, payload) = data.split_first_chunk::<40>()?;
    let [first, _, _, _, len_high, len_low, proto, ttl, addresses @ ..] = head;
    let (src, dst) = addresses.split_first_chunk()?;
    // A length of nothing is left open, or there is no transport.
    let carried = u16::from_be_bytes([*len_high, *len_low]);
    if first >> 4 != 6 || carried == 0 {
        return None;
    }
    let network = Network {
        src: Addr::from_v6_bytes(*src),
        dst: Addr::from_v6_bytes(*dst.first_chunk()?),
        header: 40,
        len: 40 + u32::from(carried),
        id: 0,
        ttl: *ttl,
        proto: *proto,
        layer: Layer::Ipv6,
    };
    Some((network, payload))
}

#[inline]
fn tcp(segment: &[u8], carried: u32) -> Option<Transport> {
    let [p0, p1, p2, p3, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = *segment.first_chunk::<20>()?;
    let header = usize::from(offset >> 4) * 4;
    let options = segment.get(20..header)?;
    Some(Transport {
        ports: [p0, p1, p2, p3],
        seq: u32::from_be_bytes([s0, s1, s2, s3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        header: length(header),
        payload_len: carried.saturating_sub(length(header)),
        payload_caplen: length(segment.len().saturating_sub(header)),
        window: u16::from_be_bytes([w0, w1]),
        options: if flags & flag::SYN == 0 || options.is_empty() { 0 } else { transport::option_hash(options) },
        kind: Kind::Tcp,
        flags,
        layer: Layer::Tcp,
    })
}

#[inline]
fn udp(datagram: &[u8], carried: u32) -> Option<Transport> {
    let [a, b, c, d, len_high, len_low, sum_high, sum_low] = *datagram.first_chunk::<8>()?;
    let stated = u32::from(u16::from_be_bytes([len_high, len_low]));
    let tunnel = tunnel::is_tunnel(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if stated < 8 || stated > carried || tunnel {
        return None;
    }
    Some(Transport {
        ports: [a, b, c, d],
        seq: u32::from(u16::from_be_bytes([sum_high, sum_low])),
        ack: 0,
        header: 8,
        payload_len: stated - 8,
        payload_caplen: length(datagram.len()).min(stated) - 8,
        window: 0,
        options: 0,
        kind: Kind::Udp,
        flags: 0,
        layer: Layer::Udp,
    })
}
