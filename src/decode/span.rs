//! A stretch of a frame: the bytes captured of it, and how many the wire had.
//!
//! Knows lengths only. Every read is checked; what is not there is `None` and never a panic.

use super::Reason;
use crate::capture::{Block, FrameRef};

#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    /// What was captured of the stretch.
    pub bytes: &'a [u8],
    /// Where it begins in the block's buffer.
    pub start: u32,
    /// What the stretch has by the headers around it; never less than what was captured.
    pub wire: u32,
    /// It goes on elsewhere (in other fragments), so that lengths beyond its end are no contradiction.
    pub open: bool,
}

impl<'a> Span<'a> {
    pub fn of_frame(block: &'a Block, frame: &FrameRef) -> Self {
        let bytes = block.data(frame);
        Self { bytes, start: frame.start, wire: frame.origlen.max(frame.caplen), open: false }
    }

    pub fn first<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.bytes.first_chunk()
    }

    /// `N` bytes at an offset.
    pub fn at<const N: usize>(&self, offset: usize) -> Option<&'a [u8; N]> {
        self.bytes.get(offset..)?.first_chunk()
    }

    pub fn u16_at(&self, offset: usize) -> Option<u16> {
        self.at(offset).map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub fn u8_at(&self, offset: usize) -> Option<u8> {
        self.bytes.get(offset).copied()
    }

    /// What follows `count` bytes; empty where they were not all captured.
    pub fn after(&self, count: usize) -> Self {
        let rest = self.bytes.get(count..).unwrap_or_default();
        let passed = length(self.bytes.len() - rest.len());
        Self { bytes: rest, start: self.start.saturating_add(passed), wire: self.wire.saturating_sub(length(count)), open: self.open }
    }

    /// Its first `len` bytes; all of it where it is shorter.
    pub fn limit(&self, len: u32) -> Self {
        let bytes = self.bytes.get(..len as usize).unwrap_or(self.bytes);
        Self { bytes, wire: self.wire.min(len), ..*self }
    }

    /// The packet of `len` bytes at its beginning, which may go on where the span is open.
    pub fn packet(&self, len: u32) -> Self {
        Self { wire: len, open: false, ..self.limit(len) }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Why a header of `needed` bytes could not be read: the capture cut it, or it was never there.
    pub fn why_short(&self, needed: usize) -> Reason {
        if self.bytes.len() < needed && self.wire >= length(needed) { Reason::CutHeader } else { Reason::BadHeader }
    }
}

/// A length in memory as a packet's: a frame is far below 4 GiB.
pub(super) fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
