//! From frames to packet rows: as far as the bytes go, with the reason kept where they end.
//!
//! Sees bytes and never judges them. Never panics, whatever the bytes are.
//!
//! Two ways through a frame give the same row: `fast` reads the headers that nearly every frame
//! has, `walk` everything else. What lies in a tunnel is read as if there were no tunnel; where the
//! inside makes no sense, the outer packet is the row.

pub mod app;

mod checksum;
mod claims;
mod ether;
mod fast;
mod icmp;
mod layers;
mod link;
mod network;
mod packet;
mod ppp;
mod span;
mod survey;
mod transport;
mod tunnel;
mod walk;
mod wireless;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use checksum::Checksums;
pub use layers::{Layer, LayerCount, LayerCounts};
pub use packet::{Accounting, Claim, ClaimKind, Kind, Packet, Reason, flag};
pub use survey::{Seen, Survey};

use crate::capture::{Block, FrameRef};
use crate::net::Mac;
use layers::LayerSet;

/// Rows of some frames of one block. Reused between calls: [`PacketBatch::clear`] keeps capacity.
#[derive(Debug, Default)]
pub struct PacketBatch {
    pub packets: Vec<Packet>,
    pub claims: Vec<Claim>,
    pub accounting: Accounting,
    pub layers: LayerCounts,
}

impl PacketBatch {
    pub fn clear(&mut self) {
        self.packets.clear();
        self.claims.clear();
        self.accounting = Accounting::default();
        self.layers = LayerCounts::default();
    }

    fn walk(&mut self, block: &Block, frame: &FrameRef) {
        let mut row = Packet::default();
        let decoded = walk::read(block, frame, &mut row);
        if decoded.is_packet {
            self.packets.push(row);
        }
        self.claims.extend(decoded.claim);
        self.layers.add(decoded.layers, 1, u64::from(frame.origlen));
        match decoded.reason {
            None => self.accounting.decoded += 1,
            Some(reason) => self.accounting.reasons[reason as usize] += 1,
        }
    }

    fn count(&mut self, frames: &[FrameRef]) {
        let accounting = &mut self.accounting;
        for frame in frames {
            accounting.frames += 1;
            accounting.captured_bytes += u64::from(frame.caplen);
            accounting.wire_bytes += u64::from(frame.origlen);
            accounting.cut_frames += u64::from(frame.caplen < frame.origlen);
        }
    }
}

/// Decodes `frames` of the block and appends their rows in frame order. A range that reaches beyond
/// the block's end gives nothing.
pub fn decode(block: &Block, frames: Range<usize>, batch: &mut PacketBatch) {
    let frames = block.frames.get(frames).unwrap_or_default();
    batch.count(frames);
    batch.packets.reserve(frames.len());
    let mut run = Run::default();
    for frame in frames {
        if let Some(layers) = fast::read(block.data(frame), frame, &mut batch.packets) {
            run.add(layers, frame, &mut batch.layers);
            batch.accounting.decoded += 1;
        } else {
            batch.walk(block, frame);
        }
    }
    run.end(&mut batch.layers);
}

/// Sender and receiver of an Ethernet frame, whatever it carries.
#[must_use]
pub fn ethernet_ends(data: &[u8], link: u16) -> Option<(Mac, Mac)> {
    let [to, from] = data.first_chunk::<12>().map(|head| head.as_chunks::<6>().0)? else { return None };
    (link == link::ETHERNET).then(|| (Mac::from_bytes(*from), Mac::from_bytes(*to)))
}

/// [`decode`] without the fast path, so that a test can hold the two against each other.
#[doc(hidden)]
pub fn decode_general(block: &Block, frames: Range<usize>, batch: &mut PacketBatch) {
    let frames = block.frames.get(frames).unwrap_or_default();
    batch.count(frames);
    for frame in frames {
        batch.walk(block, frame);
    }
}

/// Frames with the same layers, counted together: they come in long runs.
#[derive(Default)]
struct Run {
    layers: LayerSet,
    frames: u64,
    bytes: u64,
}

impl Run {
    #[inline]
    fn add(&mut self, layers: LayerSet, frame: &FrameRef, counts: &mut LayerCounts) {
        if layers != self.layers {
            self.end(counts);
            *self = Self { layers, frames: 0, bytes: 0 };
        }
        self.frames += 1;
        self.bytes += u64::from(frame.origlen);
    }

    fn end(&self, counts: &mut LayerCounts) {
        counts.add(self.layers, self.frames, self.bytes);
    }
}
