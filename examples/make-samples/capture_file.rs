//! Frames as a file: classic pcap or pcapng, whole or damaged on purpose.

use std::io;

use crate::pcap::{ETHERNET, FILE_HEADER, PcapWriter, RECORD_HEADER, WHOLE_FRAMES};
use crate::pcapng::{self, Interface};
use crate::scene::Frame;
use crate::time::{MICROSECOND, Nanos};

pub struct CaptureFile {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    /// Whole frames in it.
    pub frames: usize,
    pub first: Nanos,
    pub last: Nanos,
}

/// A classic capture of one Ethernet interface.
pub fn pcap(frames: &[Frame]) -> io::Result<CaptureFile> {
    snapped(frames, WHOLE_FRAMES)
}

/// The same, of each frame no more than `snaplen` bytes.
pub fn snapped(frames: &[Frame], snaplen: u32) -> io::Result<CaptureFile> {
    let mut writer = PcapWriter::new(Vec::new(), ETHERNET, snaplen)?;
    for frame in frames {
        writer.frame(frame.at / MICROSECOND, &frame.bytes, &[])?;
    }
    Ok(described("capture.pcap", writer.finish()?, frames))
}

pub fn pcapng(interfaces: &[Interface], names: &[pcapng::Name], frames: &[Frame]) -> io::Result<CaptureFile> {
    Ok(described("capture.pcapng", pcapng::section(interfaces, names, frames)?, frames))
}

/// The last record loses its last `missing` bytes, as when the disk was full.
pub fn cut(frames: &[Frame], missing: usize) -> io::Result<CaptureFile> {
    let mut bytes = pcap(frames)?.bytes;
    bytes.truncate(bytes.len() - missing);
    Ok(described("capture.pcap", bytes, frames))
}

/// The record after `whole` frames claims an impossible captured length.
pub fn corrupted(frames: &[Frame], whole: usize) -> io::Result<CaptureFile> {
    const IMPOSSIBLE: u32 = 0xdead_beef;
    let mut bytes = pcap(frames)?.bytes;
    let before = &frames[..whole];
    let record = FILE_HEADER + before.iter().map(|frame| RECORD_HEADER + frame.bytes.len()).sum::<usize>();
    bytes[record + 8..record + 12].copy_from_slice(&IMPOSSIBLE.to_le_bytes());
    Ok(described("capture.pcap", bytes, before))
}

fn described(name: &'static str, bytes: Vec<u8>, frames: &[Frame]) -> CaptureFile {
    let first = frames.first().map_or(0, |frame| frame.at);
    let last = frames.last().map_or(0, |frame| frame.at);
    CaptureFile { name, bytes, frames: frames.len(), first, last }
}
