//! Blocks of pcapng, little endian.

use std::io::{self, Write};

pub fn block(out: &mut dyn Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let padding = [0; 3];
    let padding = &padding[..body.len().next_multiple_of(4) - body.len()];
    let length = u32::try_from(12 + body.len() + padding.len()).map_err(io::Error::other)?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(padding)?;
    out.write_all(&length.to_le_bytes())
}

pub fn section(out: &mut dyn Write) -> io::Result<()> {
    block(out, 0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
}

/// Ethernet, with options as bytes.
pub fn interface(out: &mut dyn Write, options: &[u8]) -> io::Result<()> {
    block(out, 1, &[&[1, 0, 0, 0, 0, 0, 4, 0][..], options].concat())
}

/// A frame at so many units of the interface's clock.
pub fn packet(out: &mut dyn Write, interface: u32, time: u64, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    let [high, low] = [time >> 32, time & 0xffff_ffff].map(super::frame::low32);
    let head: Vec<u8> = [interface, high, low, length, length].iter().flat_map(|word| word.to_le_bytes()).collect();
    block(out, 6, &[&head, frame].concat())
}
