//! Frames: headers, lengths and checksums, all of them correct.
//!
//! Knows how a packet is laid out. Knows nothing of conversations or time.

use std::fmt::Debug;

use etherparse::err::packet::BuildVecWriteError;
use etherparse::{
    ArpEthIpv4Packet, ArpOperation, IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader, TcpOptionElement,
};
pub use etherparse::{Icmpv4Type, Icmpv6Type};

use crate::host::{Endpoint, Host};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const URG: u8 = 0x20;

/// What an ordinary system offers when it opens a connection.
pub const ORDINARY_OPTIONS: &[TcpOptionElement] = &[
    TcpOptionElement::MaximumSegmentSize(1460),
    TcpOptionElement::SelectiveAcknowledgementPermitted,
    TcpOptionElement::Noop,
    TcpOptionElement::Noop,
    TcpOptionElement::Noop,
    TcpOptionElement::WindowScale(7),
];
/// What a raw-socket scanner sends.
pub const SCANNER_OPTIONS: &[TcpOptionElement] = &[TcpOptionElement::MaximumSegmentSize(1460)];

const ETHERNET_HEADER: usize = 14;
const IPV4_HEADER: usize = 20;
/// The smallest Ethernet frame, without its check sequence.
const ETHERNET_MINIMUM: usize = 60;

#[derive(Default)]
pub struct Segment<'a> {
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub options: &'a [TcpOptionElement],
    pub payload: &'a [u8],
}

pub fn tcp(from: Endpoint, to: Endpoint, ident: u16, segment: &Segment) -> Vec<u8> {
    let mut header = TcpHeader::new(from.port, to.port, segment.seq, segment.window);
    header.acknowledgment_number = segment.ack;
    header.fin = segment.flags & FIN != 0;
    header.syn = segment.flags & SYN != 0;
    header.rst = segment.flags & RST != 0;
    header.psh = segment.flags & PSH != 0;
    header.ack = segment.flags & ACK != 0;
    header.urg = segment.flags & URG != 0;
    sound(header.set_options(segment.options));
    built(|out| link(from.host, to.host).ip(ip(from.host, to.host, ident)).tcp_header(header).write_to_vec(out, segment.payload))
}

pub fn udp(from: Endpoint, to: Endpoint, ident: u16, payload: &[u8]) -> Vec<u8> {
    built(|out| link(from.host, to.host).ip(ip(from.host, to.host, ident)).udp(from.port, to.port).write_to_vec(out, payload))
}

pub fn icmp4(from: Host, to: Host, ident: u16, kind: Icmpv4Type, payload: &[u8]) -> Vec<u8> {
    built(|out| link(from, to).ip(ip(from, to, ident)).icmpv4(kind).write_to_vec(out, payload))
}

/// Neighbour discovery is only valid with hop limit 255 (RFC 4861, section 7.1).
pub fn icmp6(from: Host, to: Host, kind: Icmpv6Type, payload: &[u8]) -> Vec<u8> {
    let from = Host { ttl: 255, ..from };
    built(|out| link(from, to).ip(ip(from, to, 0)).icmpv6(kind).write_to_vec(out, payload))
}

/// A packet of any IP protocol, payload as given.
pub fn raw(from: Host, to: Host, ident: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    built(|out| link(from, to).ip(ip(from, to, ident)).write_to_vec(out, IpNumber(protocol), payload))
}

/// One fragment of an IPv4 datagram; `offset` counts units of eight bytes.
pub fn fragment(from: Host, to: Host, ident: u16, protocol: u8, (offset, more): (u16, bool), payload: &[u8]) -> Vec<u8> {
    let fragment_offset = sound(IpFragOffset::try_from(offset));
    let header = Ipv4Header { dont_fragment: false, more_fragments: more, fragment_offset, ..ipv4(from, to, ident) };
    let headers = IpHeaders::Ipv4(header, etherparse::Ipv4Extensions::default());
    built(|out| link(from, to).ip(headers).write_to_vec(out, IpNumber(protocol), payload))
}

/// `target_mac` all zero in a request.
pub fn arp(operation: ArpOperation, sender: Host, target: Host, ether_destination: [u8; 6], target_mac: [u8; 6]) -> Vec<u8> {
    let packet = ArpEthIpv4Packet {
        operation,
        sender_mac: sender.mac,
        sender_ipv4: sender.v4().octets(),
        target_mac,
        target_ipv4: target.v4().octets(),
    };
    built(|out| PacketBuilder::ethernet2(sender.mac, ether_destination).arp(packet.into()).write_to_vec(out))
}

/// What an ICMP error quotes of an IPv4 frame: the IP header and eight bytes (RFC 792).
pub fn quoted(frame: &[u8]) -> &[u8] {
    &frame[ETHERNET_HEADER..frame.len().min(ETHERNET_HEADER + IPV4_HEADER + 8)]
}

/// The same frame with an 802.1Q tag.
pub fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    let tag = [0x81, 0x00].into_iter().chain(vlan.to_be_bytes());
    addresses.iter().copied().chain(tag).chain(rest.iter().copied()).collect()
}

/// The IPv4 packet alone, as a tunnel interface shows it: without link header and padding.
pub fn without_link(frame: &[u8]) -> Vec<u8> {
    let packet = &frame[ETHERNET_HEADER..];
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    packet[..length].to_vec()
}

/// Fills a frame up to the Ethernet minimum, as the sender's network card does.
pub fn padded(mut frame: Vec<u8>) -> Vec<u8> {
    if frame.len() < ETHERNET_MINIMUM {
        frame.resize(ETHERNET_MINIMUM, 0);
    }
    frame
}

fn built(write: impl FnOnce(&mut Vec<u8>) -> Result<(), BuildVecWriteError>) -> Vec<u8> {
    let mut frame = Vec::new();
    sound(write(&mut frame));
    frame
}

/// The scenarios only ask for packets that exist; if one does not, the generator is wrong and must stop.
fn sound<T, E: Debug>(result: Result<T, E>) -> T {
    #[expect(clippy::expect_used, reason = "a generator that cannot build its packets has nothing to go on with")]
    result.expect("a packet that the format can express")
}

fn link(from: Host, to: Host) -> etherparse::PacketBuilderStep<etherparse::Ethernet2Header> {
    PacketBuilder::ethernet2(from.mac, to.mac)
}

fn ip(from: Host, to: Host, ident: u16) -> IpHeaders {
    if from.ip.is_ipv4() && to.ip.is_ipv4() {
        return IpHeaders::Ipv4(ipv4(from, to, ident), etherparse::Ipv4Extensions::default());
    }
    let header = Ipv6Header { hop_limit: from.ttl, source: from.v6().octets(), destination: to.v6().octets(), ..Ipv6Header::default() };
    IpHeaders::Ipv6(header, etherparse::Ipv6Extensions::default())
}

fn ipv4(from: Host, to: Host, ident: u16) -> Ipv4Header {
    Ipv4Header {
        identification: ident,
        dont_fragment: true,
        time_to_live: from.ttl,
        source: from.v4().octets(),
        destination: to.v4().octets(),
        ..Ipv4Header::default()
    }
}
