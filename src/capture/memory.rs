//! Frames from memory: what tests and library users feed, in blocks as small as a live capture's.

use super::{Block, Clock, FrameRef, Source, SourceFacts};
use crate::error::Error;
use crate::time::{EARLIEST, LATEST, Nanos};
use crate::warning::Warning;

/// Frames in a block unless set otherwise.
const BLOCK_FRAMES: usize = 4_096;
/// Bytes after which a block is closed anyway, so that positions in it fit.
const BLOCK_BYTES: usize = 16 << 20;

/// A capture held in memory.
#[derive(Debug, Default)]
pub struct MemorySource {
    frames: Vec<FrameRef>,
    /// Frames one after the other, in order.
    bytes: Vec<u8>,
    /// Frames handed out, and their bytes.
    next: usize,
    position: usize,
    block_frames: usize,
    warnings: Vec<Warning>,
    facts: SourceFacts,
}

impl MemorySource {
    /// Frames of one link type, with their times.
    #[must_use]
    pub fn new(link: u16, frames: Vec<(Nanos, Vec<u8>)>) -> Self {
        let mut source = Self { block_frames: BLOCK_FRAMES, ..Self::default() };
        let mut clock = Clock::default();
        for (ordinal, (ts, data)) in (1..).zip(frames) {
            let ts = ts.clamp(EARLIEST, LATEST);
            let offset = source.bytes.len() as u64;
            let caplen = u32::try_from(data.len()).unwrap_or(u32::MAX);
            let data = data.get(..caplen as usize).unwrap_or_default();
            source.bytes.extend_from_slice(data);
            let tick = clock.tick(0, ts);
            source.frames.push(FrameRef { ts, tick, ordinal, offset, start: 0, caplen, origlen: caplen, link, interface: 0 });
        }
        if clock.jumps() > 0 {
            source.warnings.push(Warning::ClockJumps { jumps: clock.jumps() });
        }
        source.facts = SourceFacts {
            format: "memory".into(),
            link_types: vec![link],
            interfaces: 1,
            clock_jumps: clock.jumps(),
            ..SourceFacts::default()
        };
        source
    }

    /// Everything another source yields, with its frame numbers, offsets, elapsed times and warnings.
    ///
    /// # Errors
    /// When the other source cannot be read.
    pub fn from_source(other: &mut dyn Source) -> Result<Self, Error> {
        let mut source = Self { block_frames: BLOCK_FRAMES, ..Self::default() };
        let mut block = Block::default();
        while other.next_block(&mut block)? {
            for frame in &block.frames {
                source.bytes.extend_from_slice(block.data(frame));
                source.frames.push(*frame);
            }
        }
        source.warnings = other.warnings().to_vec();
        source.facts = SourceFacts { format: "memory".into(), compression: None, ..other.facts() };
        Ok(source)
    }

    /// Hands out blocks of so many frames, at least one.
    #[must_use]
    pub fn block_frames(mut self, frames: usize) -> Self {
        self.block_frames = frames.max(1);
        self
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.frames.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

impl Source for MemorySource {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        block.clear();
        for frame in self.frames.iter().skip(self.next).take(self.block_frames) {
            let Ok(start) = u32::try_from(block.bytes.len()) else { break };
            let end = self.position + frame.caplen as usize;
            block.bytes.extend_from_slice(self.bytes.get(self.position..end).unwrap_or_default());
            block.frames.push(FrameRef { start, ..*frame });
            self.position = end;
            if block.bytes.len() >= BLOCK_BYTES {
                break;
            }
        }
        self.next += block.frames.len();
        Ok(!block.frames.is_empty())
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn facts(&self) -> SourceFacts {
        self.facts.clone()
    }

    fn position(&self) -> u64 {
        self.position as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Reading, drain, pcap_of, read, source};
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn frames_come_back_in_blocks_of_any_size_alike() {
        let frames: Vec<_> = (0_u8..20).map(|n| (Nanos::from(n) * SECOND, vec![n; usize::from(n)])).collect();
        let mut blocks = Vec::new();
        for size in [1, 7, 65_536] {
            let mut source = MemorySource::new(1, frames.clone()).block_frames(size);
            let mut block = Block::default();
            assert!(source.next_block(&mut block).unwrap());
            blocks.push(block.frames.len());
            let rest = drain(&mut source).unwrap();
            assert_eq!(block.frames.len() + rest.frames.len(), 20);
            let last = rest.data.last().cloned().unwrap_or_else(|| block.data(&block.frames[19]).to_vec());
            assert_eq!(last, [19; 19]);
            // 0 + 1 + … + 19.
            assert_eq!(source.position(), 190);
        }
        assert_eq!(blocks, [1, 7, 20]);
    }

    #[test]
    fn elapsed_time_is_the_captures() {
        let at = |seconds| (seconds * SECOND, vec![]);
        let got = drain(&mut MemorySource::new(1, vec![at(100), at(50), at(52)])).unwrap();
        assert_eq!(got.frames.iter().map(|f| f.tick / SECOND).collect::<Vec<_>>(), [0, 0, 2]);
        assert_eq!(got.warnings, [Warning::ClockJumps { jumps: 1 }]);
    }

    #[test]
    fn a_copy_of_another_source_says_the_same() {
        let file = pcap_of(&[60, 0, 1_514]);
        let mut copy = MemorySource::from_source(&mut source(std::io::Cursor::new(file.clone())).unwrap()).unwrap().block_frames(1);
        assert_eq!((copy.len(), copy.is_empty()), (3, false));
        let want = read(&file);
        let facts = SourceFacts { format: "memory".into(), ..want.facts };
        assert_eq!(drain(&mut copy).unwrap(), Reading { facts, ..want });
    }
}
