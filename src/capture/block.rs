//! A block: the bytes of many frames in one buffer, and where each frame is in it.

use crate::time::Nanos;

/// Frames read together. The buffer holds record headers and frames as they were in the input, so
/// that reading a file copies nothing.
#[derive(Debug, Default)]
pub struct Block {
    pub bytes: Vec<u8>,
    pub frames: Vec<FrameRef>,
    /// Frames that the source read here and left out because nobody asked for them.
    pub left_out: u64,
}

/// One frame of a [`Block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRef {
    /// Packet time.
    pub ts: Nanos,
    /// Elapsed capture time that never runs backwards, see [`super::Clock`]; time-outs use it.
    pub tick: Nanos,
    /// Number of the frame in its input, from 1, as Wireshark counts.
    pub ordinal: u64,
    /// Byte offset of the record in the (decompressed) input.
    pub offset: u64,
    /// Where the frame begins in [`Block::bytes`].
    pub start: u32,
    /// Bytes captured. Never reaches beyond [`Block::bytes`].
    pub caplen: u32,
    /// Bytes on the wire, as the capture says; at least `caplen`.
    pub origlen: u32,
    /// Link type number of the tcpdump.org registry.
    pub link: u16,
    /// Which interface of the input it came from, numbered from 0 through all sections.
    pub interface: u16,
}

impl Block {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.left_out = 0;
    }

    /// The captured bytes of a frame of this block.
    #[must_use]
    pub fn data(&self, frame: &FrameRef) -> &[u8] {
        let start = frame.start as usize;
        self.bytes.get(start..start + frame.caplen as usize).unwrap_or_default()
    }
}
