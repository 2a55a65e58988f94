//! The pcapng format, little endian, one section.
//!
//! Block and option numbers are those of draft-ietf-opsawg-pcapng.

use std::io;
use std::net::IpAddr;

use crate::scene::Frame;
use crate::time::{Nanos, SECOND};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Longer than any frame: nothing is cut.
pub const WHOLE_FRAMES: u32 = 262_144;

pub struct Interface {
    pub name: &'static str,
    pub description: &'static str,
    pub link_type: u16,
    /// Most bytes kept of a frame.
    pub snaplen: u32,
    pub resolution: Resolution,
    /// Added to every timestamp of this interface when it is read.
    pub offset_s: u64,
}

/// The unit of timestamps, as a fraction of a second.
#[derive(Clone, Copy)]
pub enum Resolution {
    /// 10⁻ⁿ
    PowerOfTen(u8),
    /// 2⁻ⁿ
    PowerOfTwo(u8),
}

pub struct Name {
    pub ip: IpAddr,
    pub name: &'static str,
}

impl Interface {
    /// Nanoseconds, no offset: what a present-day capture tool writes.
    pub const fn ethernet(name: &'static str, description: &'static str) -> Self {
        Self { name, description, link_type: 1, snaplen: WHOLE_FRAMES, resolution: Resolution::PowerOfTen(9), offset_s: 0 }
    }

    fn ticks(&self, at: Nanos) -> u64 {
        let since = u128::from(at - self.offset_s * SECOND);
        let per_second: u128 = match self.resolution {
            Resolution::PowerOfTen(digits) => 10_u128.pow(u32::from(digits)),
            Resolution::PowerOfTwo(bits) => 1 << bits,
        };
        // Rounded up, so that reading it back never gives an earlier nanosecond.
        u64::try_from((since * per_second).div_ceil(u128::from(SECOND))).unwrap_or(u64::MAX)
    }
}

impl Resolution {
    const fn option(self) -> u8 {
        match self {
            Self::PowerOfTen(digits) => digits,
            Self::PowerOfTwo(bits) => bits | 0x80,
        }
    }
}

/// A whole section: header, interfaces, names, packets, statistics.
pub fn section(interfaces: &[Interface], names: &[Name], frames: &[Frame]) -> io::Result<Vec<u8>> {
    let mut out = block(SECTION_HEADER, &section_header())?;
    for interface in interfaces {
        out.extend(block(INTERFACE_DESCRIPTION, &description(interface)?)?);
    }
    if !names.is_empty() {
        out.extend(block(NAME_RESOLUTION, &resolution(names)?)?);
    }
    for frame in frames {
        let interface = usize::try_from(frame.interface).ok().and_then(|index| interfaces.get(index));
        let interface = interface.ok_or_else(|| io::Error::other("a frame of an interface that is not described"))?;
        out.extend(block(ENHANCED_PACKET, &packet(interface, frame)?)?);
    }
    for (index, interface) in (0..).zip(interfaces) {
        out.extend(block(INTERFACE_STATISTICS, &statistics(index, interface, frames)?)?);
    }
    Ok(out)
}

fn section_header() -> Vec<u8> {
    let mut body = BYTE_ORDER_MAGIC.to_le_bytes().to_vec();
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    // The length of the section is not stated.
    body.extend(u64::MAX.to_le_bytes());
    body.extend(option(4, b"make-samples"));
    body.extend(END_OF_OPTIONS);
    body
}

fn description(interface: &Interface) -> io::Result<Vec<u8>> {
    let mut body = interface.link_type.to_le_bytes().to_vec();
    body.extend(0_u16.to_le_bytes());
    body.extend(interface.snaplen.to_le_bytes());
    body.extend(option(2, interface.name.as_bytes()));
    body.extend(option(3, interface.description.as_bytes()));
    body.extend(option(9, &[interface.resolution.option()]));
    if interface.offset_s > 0 {
        let offset = i64::try_from(interface.offset_s).map_err(io::Error::other)?;
        body.extend(option(14, &offset.to_le_bytes()));
    }
    body.extend(END_OF_OPTIONS);
    Ok(body)
}

fn resolution(names: &[Name]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    for entry in names {
        let (kind, mut value) = match entry.ip {
            IpAddr::V4(ip) => (1_u16, ip.octets().to_vec()),
            IpAddr::V6(ip) => (2_u16, ip.octets().to_vec()),
        };
        value.extend_from_slice(entry.name.as_bytes());
        value.push(0);
        let length = u16::try_from(value.len()).map_err(io::Error::other)?;
        body.extend(kind.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(aligned(value));
    }
    // The record that ends the list; options could follow it.
    body.extend([0; 4]);
    Ok(body)
}

fn packet(interface: &Interface, frame: &Frame) -> io::Result<Vec<u8>> {
    let length = u32::try_from(frame.bytes.len()).map_err(io::Error::other)?;
    let mut body = frame.interface.to_le_bytes().to_vec();
    body.extend(timestamp(interface.ticks(frame.at)));
    let captured = length.min(interface.snaplen);
    body.extend(captured.to_le_bytes());
    body.extend(length.to_le_bytes());
    let captured = usize::try_from(captured).map_err(io::Error::other)?;
    body.extend(aligned(frame.bytes[..captured].to_vec()));
    Ok(body)
}

fn statistics(index: u32, interface: &Interface, frames: &[Frame]) -> io::Result<Vec<u8>> {
    let own = || frames.iter().filter(|frame| frame.interface == index);
    let (first, last) = (own().next(), own().next_back());
    let end = last.map_or(interface.offset_s * SECOND, |frame| frame.at);
    let mut body = index.to_le_bytes().to_vec();
    body.extend(timestamp(interface.ticks(end)));
    if let Some(first) = first {
        body.extend(option(2, &timestamp(interface.ticks(first.at))));
        body.extend(option(3, &timestamp(interface.ticks(end))));
    }
    let received = u64::try_from(own().count()).map_err(io::Error::other)?;
    body.extend(option(4, &received.to_le_bytes()));
    body.extend(option(5, &0_u64.to_le_bytes()));
    body.extend(END_OF_OPTIONS);
    Ok(body)
}

/// The upper half comes first, whatever the byte order.
fn timestamp(ticks: u64) -> [u8; 8] {
    ticks.rotate_left(32).to_le_bytes()
}

const END_OF_OPTIONS: [u8; 4] = [0; 4];

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let mut out = code.to_le_bytes().to_vec();
    out.extend(length.to_le_bytes());
    out.extend(aligned(value.to_vec()));
    out
}

fn aligned(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn block(kind: u32, body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(12 + body.len()).map_err(io::Error::other)?.to_le_bytes();
    Ok([kind.to_le_bytes().as_slice(), &length, body, &length].concat())
}
