//! What is hostile about files before a single frame is looked at: compression, lengths, numbers of blocks.

use std::io::{self, Read, Write};

use crate::frame::{self, Pair, low32, port};
use crate::pcapng;

const MIB: u64 = 1 << 20;
/// What a bomb becomes at scale 1.
const BOMB: u64 = 256 * MIB;
const MEMBERS: u64 = 500_000;
const BLOCKS: u64 = 5_000_000;

fn bomb(mut into: impl Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(&mut into)?;
    io::copy(&mut io::repeat(0).take(BOMB * scale), &mut into).map(drop)
}

pub fn bomb_gzip(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
    bomb(&mut encoder, scale)?;
    encoder.finish().map(drop)
}

pub fn bomb_zstd(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(out, 3)?;
    encoder.window_log(27)?;
    bomb(&mut encoder, scale)?;
    encoder.finish().map(drop)
}

pub fn bomb_lz4(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(out);
    bomb(&mut encoder, scale)?;
    encoder.finish().map(drop).map_err(io::Error::other)
}

/// A capture of one frame, to be compressed before what is empty.
fn small() -> io::Result<Vec<u8>> {
    let mut capture = Vec::new();
    frame::pcap_header(&mut capture)?;
    frame::record(&mut capture, 0, &datagram(0))?;
    Ok(capture)
}

fn datagram(number: u64) -> Vec<u8> {
    frame::udp(Pair { from: (0x0a00_0001, port(number)), to: (0x0a00_0002, 4_000) }, b"hello")
}

pub fn members_gzip(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    let compressed = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data)?;
        encoder.finish()
    };
    out.write_all(&compressed(&small()?)?)?;
    let nothing = compressed(b"")?;
    (0..MEMBERS * scale).try_for_each(|_| out.write_all(&nothing))
}

pub fn members_zstd(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    out.write_all(&zstd::encode_all(&small()?[..], 1)?)?;
    // RFC 8878, 3.1.1: magic number, no flags, a window of 2^(10 + 17) bytes, one last raw block of no bytes.
    let nothing = [0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 1, 0, 0];
    (0..MEMBERS * scale).try_for_each(|_| out.write_all(&nothing))
}

pub fn members_lz4(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    let compressed = |data: &[u8]| {
        let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max4MB);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(data)?;
        encoder.finish().map_err(io::Error::other)
    };
    out.write_all(&compressed(&small()?)?)?;
    // The encoder writes no frame for nothing: that of one byte without its block.
    let one = compressed(b"x")?;
    let nothing = [&one[..7], &[0; 4][..]].concat();
    (0..MEMBERS * scale).try_for_each(|_| out.write_all(&nothing))
}

pub fn length_pcap(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..100_000 * scale).try_for_each(|n| frame::record(out, n * 1_000, &datagram(n)))?;
    for word in [low32(frame::START), 0, 0xffff_fff0, 0xffff_fff0] {
        out.write_all(&word.to_le_bytes())?;
    }
    io::copy(&mut io::repeat(0x41).take(64 * MIB * scale), out).map(drop)
}

pub fn length_pcapng(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    pcapng::section(out)?;
    pcapng::interface(out, b"")?;
    (0..100_000 * scale).try_for_each(|n| pcapng::packet(out, 0, 1_700_000_000_000_000 + n * 1_000, &datagram(n)))?;
    out.write_all(&6_u32.to_le_bytes())?;
    out.write_all(&0xffff_fffc_u32.to_le_bytes())?;
    io::copy(&mut io::repeat(0x41).take(64 * MIB * scale), out).map(drop)
}

pub fn huge_records(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    const LENGTH: u32 = 128 << 20;
    frame::pcap_header(out)?;
    for n in 0..6 * scale {
        for word in [low32(frame::START + n), 0, LENGTH, LENGTH] {
            out.write_all(&word.to_le_bytes())?;
        }
        let head = datagram(n);
        out.write_all(&head)?;
        io::copy(&mut io::repeat(0).take(u64::from(LENGTH) - head.len() as u64), out)?;
    }
    Ok(())
}

pub fn blocks_unknown(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    pcapng::section(out)?;
    (0..BLOCKS * scale).try_for_each(|_| pcapng::block(out, 0x0bad_0bad, b""))
}

pub fn blocks_unusable(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    pcapng::section(out)?;
    (0..BLOCKS / 5 * scale).try_for_each(|n| pcapng::packet(out, low32(n), n, b"lost"))
}

pub fn interfaces(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    pcapng::section(out)?;
    (0..100_000 * scale).try_for_each(|_| pcapng::interface(out, b""))?;
    (0..100_000 * scale).try_for_each(|n| pcapng::packet(out, low32(n), 1_700_000_000_000_000 + n * 1_000, &datagram(n)))
}

pub fn sections(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    (0..100_000 * scale).try_for_each(|n| {
        pcapng::section(out)?;
        pcapng::interface(out, b"")?;
        pcapng::packet(out, 0, 1_700_000_000_000_000 + n * 1_000, &datagram(n))
    })
}

pub fn names(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    pcapng::section(out)?;
    pcapng::interface(out, b"")?;
    (0..500_000 * scale).try_for_each(|n| {
        let name = format!("host-{n:07}.{}\0", "x".repeat(200));
        let length = u16::try_from(4 + name.len()).map_err(io::Error::other)?;
        let mut body = [&1_u16.to_le_bytes()[..], &length.to_le_bytes(), &low32(n).to_be_bytes(), name.as_bytes()].concat();
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend([0; 4]);
        pcapng::block(out, 4, &body)
    })
}

pub fn options(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    pcapng::section(out)?;
    // A comment of no bytes, again and again.
    let many = [1, 0, 0, 0].repeat((1 << 18) - 16);
    (0..100 * scale).try_for_each(|_| pcapng::interface(out, &many))
}
