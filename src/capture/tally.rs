//! What is counted while records are walked, whatever their format: frame numbers, the capture
//! clock, and the oddities that become warnings. Knows nothing of record layouts.

use super::{Clock, FrameRef, SourceFacts};
use crate::net::Addr;
use crate::time::Nanos;
use crate::warning::Warning;

/// Skipped blocks that get a warning of their own; the rest are counted in one more.
const SKIPPED_SHOWN: u64 = 19;
/// Names kept of name-resolution blocks, so that no capture can fill the memory with them.
const NAMES_KEPT: usize = 10_000;
/// Link types kept for the report. Real captures have one to five.
const LINK_TYPES_KEPT: usize = 64;
/// The longest name there is, RFC 1035 section 2.3.4.
const NAME_BYTES: usize = 255;

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub facts: SourceFacts,
    pub warnings: Vec<Warning>,
    frames: u64,
    clock: Clock,
    clamped: Oddity,
    oversized: Oddity,
    skipped: u64,
    first_not_shown: u64,
}

/// A record as its format describes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Which of the clock's interfaces stamped it.
    pub interface: usize,
    pub ts: Nanos,
    pub offset: u64,
    pub start: u32,
    pub caplen: u32,
    pub origlen: u32,
    pub link: u16,
}

/// Frames of which the same odd thing is to be said.
#[derive(Clone, Copy, Debug, Default)]
struct Oddity {
    frames: u64,
    first: u64,
}

impl Oddity {
    const fn at(&mut self, frame: u64) {
        if self.frames == 0 {
            self.first = frame;
        }
        self.frames += 1;
    }
}

impl Tally {
    /// Frames so far, which is the number of the last one too.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Numbers a record and gives it its place in elapsed time.
    #[inline]
    pub fn frame(&mut self, record: Record) -> FrameRef {
        self.frames += 1;
        if record.caplen > record.origlen {
            self.oversized.at(self.frames);
        }
        FrameRef {
            ts: record.ts,
            tick: self.clock.tick(record.interface, record.ts),
            ordinal: self.frames,
            offset: record.offset,
            start: record.start,
            caplen: record.caplen,
            origlen: record.origlen.max(record.caplen),
            link: record.link,
            // The clock's places end far below.
            interface: u16::try_from(record.interface).unwrap_or(u16::MAX),
        }
    }

    /// The next frame's time did not fit and was clamped.
    pub const fn clamped(&mut self) {
        self.clamped.at(self.frames + 1);
    }

    /// A block is left out and reading goes on. The problem is put into words only while it is shown.
    pub fn skipped(&mut self, offset: u64, problem: impl FnOnce() -> String) {
        self.skipped += 1;
        if self.skipped <= SKIPPED_SHOWN {
            self.warnings.push(Warning::Skipped { offset, problem: problem() });
        } else if self.skipped == SKIPPED_SHOWN + 1 {
            self.first_not_shown = offset;
        }
    }

    pub fn interface(&mut self, link: u16, snaplen: u32) {
        self.facts.snaplen = self.facts.snaplen_with(1, snaplen);
        self.facts.interfaces = self.facts.interfaces.saturating_add(1);
        if self.facts.link_types.len() < LINK_TYPES_KEPT && !self.facts.link_types.contains(&link) {
            self.facts.link_types.push(link);
        }
    }

    /// Kept sorted, so that a name said a thousand times is one name.
    pub fn name(&mut self, addr: Addr, name: &[u8]) {
        if name.is_empty() || name.len() > NAME_BYTES || self.facts.names.len() >= NAMES_KEPT {
            return;
        }
        let entry = (addr, String::from_utf8_lossy(name).into_owned());
        if let Err(place) = self.facts.names.binary_search(&entry) {
            self.facts.names.insert(place, entry);
        }
    }

    pub fn facts(&self) -> SourceFacts {
        SourceFacts { clock_jumps: self.clock.jumps(), ..self.facts.clone() }
    }

    /// Turns what was counted into warnings, once the input has ended.
    pub fn finish(&mut self) {
        let more = self.skipped.saturating_sub(SKIPPED_SHOWN);
        if more > 0 {
            let problem = format!("it and {} later ones could not be used either", more - 1);
            self.warnings.push(Warning::Skipped { offset: self.first_not_shown, problem });
        }
        let Oddity { frames, first } = self.clamped;
        if frames > 0 {
            self.warnings.push(Warning::ClampedTime { frames, first });
        }
        let Oddity { frames, first } = self.oversized;
        if frames > 0 {
            self.warnings.push(Warning::CaplenAboveOriglen { frames, first });
        }
        if self.clock.jumps() > 0 {
            self.warnings.push(Warning::ClockJumps { jumps: self.clock.jumps() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_skipped_blocks_are_twenty_warnings_and_a_count() {
        let mut tally = Tally::default();
        for block in 0..50 {
            tally.skipped(block * 100, || "bad".into());
        }
        tally.finish();
        assert_eq!(tally.warnings.len(), 20);
        // 19 shown; the twentieth stands for itself and the 30 after it.
        let last = Warning::Skipped { offset: 1_900, problem: "it and 30 later ones could not be used either".into() };
        assert_eq!(tally.warnings.last(), Some(&last));
    }

    #[test]
    fn an_interface_without_a_snapshot_length_leaves_the_capture_without_one() {
        let of = |lengths: &[u32]| {
            let mut tally = Tally::default();
            lengths.iter().for_each(|snaplen| tally.interface(1, *snaplen));
            tally.facts().snaplen
        };
        assert_eq!([of(&[]), of(&[96]), of(&[96, 262_144, 128]), of(&[0])], [0, 96, 262_144, 0]);
        assert_eq!([of(&[0, 96]), of(&[96, 0]), of(&[96, 0, 128])], [0; 3]);
    }

    #[test]
    fn names_are_kept_once_and_up_to_a_limit() {
        let mut tally = Tally::default();
        for host in 0..20_000_u32 {
            tally.name(Addr::from_v4(host), b"a");
            tally.name(Addr::from_v4(host), b"a");
        }
        tally.name(Addr::from_v4(1), &[b'x'; 256]);
        assert_eq!(tally.facts.names.len(), 10_000);
    }
}
