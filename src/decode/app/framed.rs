//! Messages that say their own length, cut out of one end's segments.
//!
//! Holds the beginning of one message at most; the rest of a long one, and messages that nobody asks for,
//! are counted and not kept. Knows nothing of what the messages mean.

use super::{MOST_HELD, Segment};

/// What the bytes from the beginning of a message say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// That many bytes are needed, from the beginning of the message, to say more; at most [`MOST_HELD`].
    Need(usize),
    /// A message of that many bytes that is not wanted.
    Skip(usize),
    /// The first `known` bytes are there, which is what is wanted of a message of `length` bytes.
    Message { known: usize, length: usize },
    /// No message begins here.
    Broken,
}

impl Frame {
    /// A wanted message of `length` bytes of which `there` are there: as much of it as may be held.
    pub(super) fn wanted(there: usize, length: usize) -> Self {
        let known = length.min(MOST_HELD);
        if there < known { Self::Need(known) } else { Self::Message { known, length } }
    }
}

/// The stream of one end.
#[derive(Debug, Default)]
pub(super) struct Framed {
    held: Vec<u8>,
    /// Bytes up to the next message.
    skip: usize,
    lost: bool,
}

impl Framed {
    /// Bytes kept of what is unfinished.
    pub(super) fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Calls `each` with every message that `frame` wants and this segment completes. After a gap the stream
    /// goes on with the next segment that begins with a message, according to `begins`. Says whether the
    /// messages go on: false where none begins though one should.
    pub(super) fn take(
        &mut self,
        segment: &Segment<'_>,
        begins: fn(&[u8]) -> bool,
        frame: fn(&[u8]) -> Frame,
        mut each: impl FnMut(&[u8]),
    ) -> bool {
        if segment.gap {
            self.lose();
        }
        if self.lost && !begins(segment.bytes) {
            return true;
        }
        self.lost = false;
        let goes_on = self.cut(segment.bytes, frame, &mut each);
        if segment.is_cut() || !goes_on {
            self.lose();
        }
        goes_on
    }

    fn lose(&mut self) {
        *self = Self { lost: true, ..Self::default() };
    }

    fn cut(&mut self, mut data: &[u8], frame: fn(&[u8]) -> Frame, each: &mut impl FnMut(&[u8])) -> bool {
        loop {
            let skipped = self.skip.min(data.len());
            self.skip -= skipped;
            data = data.get(skipped..).unwrap_or_default();
            if self.skip > 0 || (data.is_empty() && self.held.is_empty()) {
                return true;
            }
            let held = std::mem::take(&mut self.held);
            let message = if held.is_empty() { data } else { &held };
            let length = match frame(message) {
                Frame::Need(needed) => {
                    let missing = needed.min(MOST_HELD).saturating_sub(held.len());
                    let (next, rest) = data.split_at(missing.min(data.len()));
                    data = rest;
                    self.held = held;
                    self.held.extend_from_slice(next);
                    if next.len() < missing {
                        return true;
                    }
                    // Nothing more may be held of it, and that says too little.
                    if missing == 0 {
                        return false;
                    }
                    continue;
                }
                Frame::Skip(length) => length,
                Frame::Message { known, length } => {
                    each(message.get(..known).unwrap_or(message));
                    length
                }
                Frame::Broken => return false,
            };
            self.skip = length.saturating_sub(held.len());
            // A message of no bytes would be found for ever.
            if held.is_empty() && length == 0 {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::{End, Moment};

    /// One byte of length, then that many; a message whose first byte is `s` is not wanted.
    fn frame(bytes: &[u8]) -> Frame {
        match bytes {
            [] | [_] => Frame::Need(2),
            [0, ..] => Frame::Broken,
            [length, b's', ..] => Frame::Skip(usize::from(*length) + 1),
            [length, ..] => Frame::wanted(bytes.len(), usize::from(*length) + 1),
        }
    }

    fn segment(bytes: &[u8], gap: bool) -> Segment<'_> {
        Segment { from: End::Client, bytes, length: u32::try_from(bytes.len()).unwrap(), gap, at: Moment::default() }
    }

    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut framed, mut seen) = (Framed::default(), Vec::new());
        for piece in pieces {
            framed.take(&segment(piece, false), |_| true, frame, |message| seen.push(message.to_vec()));
        }
        seen
    }

    #[test]
    fn messages_are_the_same_however_the_stream_is_cut() {
        let stream = b"\x02ab\x05sssss\x01c\x03def";
        let whole = cut(&[stream]);
        assert_eq!(whole, [&b"\x02ab"[..], b"\x01c", b"\x03def"]);
        for at in 0..stream.len() {
            let (one, two) = stream.split_at(at);
            assert_eq!(cut(&[one, two]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(cut(&bytes), whole);
    }

    #[test]
    fn after_a_gap_the_next_message_at_the_beginning_of_a_segment_counts() {
        let (mut framed, mut seen) = (Framed::default(), Vec::new());
        let begins = |bytes: &[u8]| bytes.starts_with(b"\x02");
        for (bytes, gap) in [(&b"\x05ab"[..], false), (b"cde", true), (b"xyz", false), (b"\x02ok", false)] {
            framed.take(&segment(bytes, gap), begins, frame, |message| seen.push(message.to_vec()));
        }
        assert_eq!(seen, [b"\x02ok"]);
    }
}
