//! The classic pcap format, microseconds, little endian.
//!
//! Knows the file header and the record header. Knows nothing of what the frames carry.

use std::io::{self, Write};

pub const ETHERNET: u32 = 1;
/// Bytes before the first record.
pub const FILE_HEADER: usize = 24;
/// Bytes before each frame.
pub const RECORD_HEADER: usize = 16;

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
/// Longer than any frame: nothing is cut.
pub const WHOLE_FRAMES: u32 = 262_144;

pub struct PcapWriter<W: Write> {
    out: W,
    snaplen: u32,
}

impl<W: Write> PcapWriter<W> {
    pub fn new(mut out: W, link_type: u32, snaplen: u32) -> io::Result<Self> {
        let mut header = [0; FILE_HEADER];
        header[..4].copy_from_slice(&MAGIC_MICROSECONDS.to_le_bytes());
        header[4..6].copy_from_slice(&2_u16.to_le_bytes());
        header[6..8].copy_from_slice(&4_u16.to_le_bytes());
        header[16..20].copy_from_slice(&snaplen.to_le_bytes());
        header[20..].copy_from_slice(&link_type.to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out, snaplen })
    }

    /// Writes one frame, as far as the snap length lets it, given in two parts so that a shared payload need not be copied.
    pub fn frame(&mut self, at_micros: u64, head: &[u8], payload: &[u8]) -> io::Result<()> {
        let seconds = u32::try_from(at_micros / 1_000_000).map_err(io::Error::other)?;
        let micros = u32::try_from(at_micros % 1_000_000).map_err(io::Error::other)?;
        let length = u32::try_from(head.len() + payload.len()).map_err(io::Error::other)?;
        let captured = length.min(self.snaplen);
        let mut record = [0; RECORD_HEADER];
        record[..4].copy_from_slice(&seconds.to_le_bytes());
        record[4..8].copy_from_slice(&micros.to_le_bytes());
        record[8..12].copy_from_slice(&captured.to_le_bytes());
        record[12..].copy_from_slice(&length.to_le_bytes());
        self.out.write_all(&record)?;
        let captured = usize::try_from(captured).map_err(io::Error::other)?;
        let of_head = head.len().min(captured);
        self.out.write_all(&head[..of_head])?;
        self.out.write_all(&payload[..captured - of_head])
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
