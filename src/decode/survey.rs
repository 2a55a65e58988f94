//! A source that looks at the frames that pass: what is worth knowing of a capture and not worth measuring
//! in every analysis.

use super::Checksums;
use crate::capture::{Block, FrameRef, Source, SourceFacts};
use crate::error::Error;
use crate::time::Nanos;
use crate::warning::Warning;

/// Checksums of all frames up to here are checked, and from then on of every [`CHECK_EVERY`]th: enough for a
/// share of one in a hundred, at a hundredth of the cost.
const CHECK_ALL: u64 = 4_096;
const CHECK_EVERY: u64 = 64;

/// What was seen of all frames, and of the checksums of some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Shortest and longest frame on the wire, bytes.
    pub sizes: Option<(u32, u32)>,
    /// Frames stamped earlier than the one before them.
    pub out_of_order: u64,
    /// The longest time without a frame.
    pub silence: Nanos,
    pub checksums: Checksums,
    last: Option<(Nanos, Nanos)>,
}

pub struct Survey<'a> {
    source: &'a mut dyn Source,
    pub seen: Seen,
}

impl<'a> Survey<'a> {
    pub fn new(source: &'a mut dyn Source) -> Self {
        Self { source, seen: Seen::default() }
    }
}

impl Seen {
    fn take(&mut self, block: &Block, frame: &FrameRef) {
        let (least, most) = self.sizes.get_or_insert((frame.origlen, frame.origlen));
        *least = (*least).min(frame.origlen);
        *most = (*most).max(frame.origlen);
        if let Some((ts, tick)) = self.last {
            self.out_of_order += u64::from(frame.ts < ts);
            self.silence = self.silence.max(frame.tick - tick);
        }
        self.last = Some((frame.ts, frame.tick));
        if frame.ordinal <= CHECK_ALL || frame.ordinal.is_multiple_of(CHECK_EVERY) {
            self.checksums.take(block, frame);
        }
    }
}

impl Source for Survey<'_> {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        let more = self.source.next_block(block)?;
        for frame in &block.frames {
            self.seen.take(block, frame);
        }
        Ok(more)
    }

    fn end(&mut self) {
        self.source.end();
    }

    fn warnings(&self) -> &[Warning] {
        self.source.warnings()
    }

    fn facts(&self) -> SourceFacts {
        self.source.facts()
    }

    fn position(&self) -> u64 {
        self.source.position()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    /// Frames of these seconds and lengths, from frame 1; a step of time as the clock has it.
    fn seen(frames: &[(i64, u32)]) -> Seen {
        let (mut seen, mut tick) = (Seen::default(), 0);
        for (ordinal, (second, origlen)) in (1..).zip(frames) {
            let ts = second * SECOND;
            tick = tick.max(ts);
            let frame = FrameRef { ts, tick, ordinal, offset: 0, start: 0, caplen: 0, origlen: *origlen, link: 1, interface: 0 };
            seen.take(&Block::default(), &frame);
        }
        seen
    }

    #[test]
    fn sizes_order_and_silence_are_those_of_the_frames() {
        let seen = seen(&[(10, 60), (12, 1_514), (11, 54), (30, 70), (31, 70)]);
        assert_eq!((seen.sizes, seen.out_of_order, seen.silence), (Some((54, 1_514)), 1, 18 * SECOND));
    }

    #[test]
    fn nothing_and_a_single_frame_have_no_silence() {
        assert_eq!(seen(&[]), Seen::default());
        assert_eq!((seen(&[(5, 60)]).sizes, seen(&[(5, 60)]).silence), (Some((60, 60)), 0));
    }
}
