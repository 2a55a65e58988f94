//! Decoded rows on their way to the shards: which row goes where.

use std::sync::atomic::{AtomicU8, Ordering};

use super::SHARDS;
use super::flow::verdict;
use super::neighbours::{ETHERNET, Link, Neighbours};
use super::shard::Shard;
use super::victims::Victims;
use crate::capture::FrameRef;
use crate::decode::{Packet, PacketBatch};
use crate::net::{Addr, Mac, spread};

/// The bytes behind the rows: a block, and the frames of this batch in it.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'a> {
    pub bytes: &'a [u8],
    pub frames: &'a [FrameRef],
}

impl<'a> Wire<'a> {
    /// The captured payload of a packet.
    #[must_use]
    pub fn payload(&self, packet: &Packet) -> &'a [u8] {
        let start = packet.payload_start as usize;
        self.bytes.get(start..start + packet.payload_caplen as usize).unwrap_or_default()
    }

    /// The captured bytes of a packet's frame, and its link type.
    #[must_use]
    pub fn frame(&self, packet: &Packet) -> Option<(&'a [u8], u16)> {
        // Frames of a batch nearly always follow one another without a gap in their numbers.
        let guess =
            packet.ordinal.checked_sub(self.frames.first()?.ordinal).and_then(|place| self.frames.get(usize::try_from(place).ok()?));
        let frame = guess.filter(|frame| frame.ordinal == packet.ordinal).or_else(|| {
            let place = self.frames.binary_search_by_key(&packet.ordinal, |frame| frame.ordinal).ok()?;
            self.frames.get(place)
        })?;
        let start = frame.start as usize;
        Some((self.bytes.get(start..start + frame.caplen as usize)?, frame.link))
    }

    /// Who sent a packet's frame, by its Ethernet header; nobody where it has none.
    #[must_use]
    pub fn frame_src(&self, packet: &Packet) -> Mac {
        let source = self.frame(packet).filter(|(_, link)| *link == ETHERNET).and_then(|(frame, _)| frame.get(6..12)?.try_into().ok());
        source.map(Mac::from_bytes).unwrap_or_default()
    }
}

/// A run of decoded rows, partitioned by address pair and by target. Workers decode and partition
/// several of them side by side; the store takes them in order.
#[derive(Debug)]
pub struct Part {
    pub batch: PacketBatch,
    by_pair: Vec<Vec<u32>>,
    by_target: Vec<Vec<u32>>,
    /// What each packet meant to its connection, written by the shard of its pair, read afterwards by the
    /// shard of its target and by the table of neighbours. Every row belongs to one shard, so that no two workers write the same one.
    verdicts: Vec<AtomicU8>,
}

impl Default for Part {
    fn default() -> Self {
        Self { batch: PacketBatch::default(), by_pair: vec![Vec::new(); SHARDS], by_target: vec![Vec::new(); SHARDS], verdicts: Vec::new() }
    }
}

impl Part {
    /// Sorts the rows of [`Self::batch`] by their shards, keeping their order within each.
    pub fn partition(&mut self) {
        self.by_pair.iter_mut().chain(&mut self.by_target).for_each(Vec::clear);
        let rows = self.batch.packets.len();
        if self.verdicts.len() < rows {
            self.verdicts.resize_with(rows, AtomicU8::default);
        }
        for (row, packet) in (0_u32..).zip(&self.batch.packets) {
            self.by_pair[pair_shard(packet)].push(row);
            self.by_target[target_shard(packet)].push(row);
        }
    }

    pub(super) fn give_pairs(&self, number: usize, shard: &mut Shard, wire: Wire<'_>) {
        for row in &self.by_pair[number] {
            let verdict = shard.take(&self.batch.packets[*row as usize], wire);
            self.verdicts[*row as usize].store(verdict, Ordering::Relaxed);
        }
    }

    pub(super) fn give_targets(&self, number: usize, victims: &mut Victims) {
        for row in &self.by_target[number] {
            let verdict = self.verdicts[*row as usize].load(Ordering::Relaxed);
            victims.take(&self.batch.packets[*row as usize], verdict);
        }
    }

    pub(super) fn give_neighbours(&self, neighbours: &mut Neighbours, wire: Wire<'_>) {
        for (packet, verdict) in self.batch.packets.iter().zip(&self.verdicts) {
            let verdict = verdict.load(Ordering::Relaxed);
            if verdict & verdict::MET == 0 {
                continue;
            }
            if let Some(link) = wire.frame(packet).and_then(|frame| Link::of(frame, packet)) {
                neighbours.take(packet, verdict, link);
            }
        }
    }
}

/// The same for both directions of a pair.
#[expect(clippy::cast_possible_truncation, reason = "a shard's number is small")]
pub(super) const fn pair_shard(packet: &Packet) -> usize {
    spread(packet.src, packet.dst, packet.vlan as u64) as usize % SHARDS
}

#[expect(clippy::cast_possible_truncation, reason = "a shard's number is small")]
pub(super) const fn target_shard(packet: &Packet) -> usize {
    spread(packet.receiver(), Addr::UNSPECIFIED, 0) as usize % SHARDS
}
