//! Headers in headers, as deep as a frame of 64 KiB lets them.

use std::io::{self, Write};

use crate::frame::{self, IPV4, IPV6, low16};

const FRAMES: u64 = 1_000;
const FROM: u32 = 0x0a00_0001;
const TO: u32 = 0x0a00_0002;

/// The same frame again and again, in its own file.
fn repeated(out: &mut dyn Write, scale: u64, frame: &[u8]) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..FRAMES * scale).try_for_each(|n| frame::record(out, n * 1_000, frame))
}

/// IPv4 headers, each with what is before its payload; the outermost first.
fn nested(depth: u64, protocol: u8, between: &[u8]) -> Vec<u8> {
    let step = 20 + between.len() as u64;
    let headers = (0..depth).flat_map(|level| {
        let total = low16((depth - level) * step).to_be_bytes();
        let head = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
        [&head[..], &FROM.to_be_bytes(), &TO.to_be_bytes(), between].concat()
    });
    headers.collect()
}

pub fn ip_in_ip(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    repeated(out, scale, &frame::ethernet(IPV4, &nested(3_000, 4, b"")))
}

pub fn gre(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    repeated(out, scale, &frame::ethernet(IPV4, &nested(2_500, 47, &[0, 0, 8, 0])))
}

pub fn vlan(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    repeated(out, scale, &frame::ethernet(0x8100, &[0, 1, 0x81, 0].repeat(16_000)))
}

pub fn mpls(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    repeated(out, scale, &frame::ethernet(0x8847, &[0, 1, 0, 64].repeat(16_000)))
}

pub fn extensions(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    const DEPTH: usize = 8_000;
    // Destination options of 8 bytes, each naming another.
    let chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(DEPTH);
    let length = low16(chain.len() as u64).to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], 60, 64];
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(chain);
    repeated(out, scale, &frame::ethernet(IPV6, &packet))
}
