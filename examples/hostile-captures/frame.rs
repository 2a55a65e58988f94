//! Frames as bytes: headers one in another, without checksums. And the pcap records around them.

use std::io::{self, Write};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
pub const ARP: u16 = 0x0806;

/// Seconds of 2024-03-05T09:00:00Z.
pub const START: u64 = 1_709_629_200;

/// Little endian, microseconds, Ethernet.
pub fn pcap_header(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])
}

/// A record at so many microseconds after the start.
pub fn record(out: &mut dyn Write, micros: u64, frame: &[u8]) -> io::Result<()> {
    let seconds = u32::try_from(START + micros / 1_000_000).unwrap_or(u32::MAX);
    let micros = u32::try_from(micros % 1_000_000).unwrap_or_default();
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    for word in [seconds, micros, length, length] {
        out.write_all(&word.to_le_bytes())?;
    }
    out.write_all(frame)
}

/// Low 16 bits, or of a length, all.
#[expect(clippy::cast_possible_truncation, reason = "it is what is asked for")]
pub const fn low16(number: u64) -> u16 {
    number as u16
}

#[expect(clippy::cast_possible_truncation, reason = "it is what is asked for")]
pub const fn low32(number: u64) -> u32 {
    number as u32
}

/// A port that is no well-known one.
pub const fn port(number: u64) -> u16 {
    low16(1_024 + number % 64_000)
}

pub fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind.to_be_bytes(), payload].concat()
}

pub fn ipv4(from: u32, to: u32, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let total = low16(20 + payload.len() as u64).to_be_bytes();
    let head = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
    [&head[..], &from.to_be_bytes(), &to.to_be_bytes(), payload].concat()
}

#[derive(Clone, Copy)]
pub struct Pair {
    pub from: (u32, u16),
    pub to: (u32, u16),
}

impl Pair {
    pub const fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

pub fn tcp(pair: Pair, (seq, ack): (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    let ports = [pair.from.1.to_be_bytes(), pair.to.1.to_be_bytes()].concat();
    let segment = [&ports[..], &seq.to_be_bytes(), &ack.to_be_bytes(), &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0], payload].concat();
    ethernet(IPV4, &ipv4(pair.from.0, pair.to.0, TCP, &segment))
}

pub fn udp(pair: Pair, payload: &[u8]) -> Vec<u8> {
    let length = low16(8 + payload.len() as u64);
    let head = [pair.from.1, pair.to.1, length, 0].map(u16::to_be_bytes).concat();
    ethernet(IPV4, &ipv4(pair.from.0, pair.to.0, UDP, &[&head[..], payload].concat()))
}

pub fn echo(from: u32, to: u32, payload: &[u8]) -> Vec<u8> {
    ethernet(IPV4, &ipv4(from, to, ICMP, &[&[8, 0, 0, 0, 0, 1, 0, 1][..], payload].concat()))
}
