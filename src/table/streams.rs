//! One end's bytes in the order in which they were sent: repetitions dropped, what comes early held back.
//!
//! Bounded: a hole that is not filled while a few segments wait behind it is given up. Knows sequence
//! numbers and no protocol.

use crate::decode::app::Moment;

/// Segments held back behind a hole before it is given up; a window of reordering beyond anything but loss.
const MOST_EARLY: usize = 16;
/// The same in bytes.
const MOST_EARLY_BYTES: usize = 24 << 10;

/// Payload of one TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    pub seq: u32,
    /// What was captured of it.
    pub bytes: &'a [u8],
    /// Its length on the wire, at least that of `bytes`.
    pub length: u32,
    pub at: Moment,
}

#[derive(Debug, Default)]
pub struct Stream {
    next: Option<u32>,
    /// Something before the next byte will never be seen.
    gap: bool,
    /// By sequence number.
    early: Vec<Early>,
}

#[derive(Debug)]
struct Early {
    seq: u32,
    bytes: Box<[u8]>,
    length: u32,
    at: Moment,
}

impl Early {
    const fn piece(&self) -> Piece<'_> {
        Piece { seq: self.seq, bytes: &self.bytes, length: self.length, at: self.at }
    }
}

impl Stream {
    /// A stream whose first byte has this number; where that is not known, the first piece begins it and
    /// something may be missing before it.
    #[must_use]
    pub const fn new(first: Option<u32>) -> Self {
        Self { next: first, gap: first.is_none(), early: Vec::new() }
    }

    /// Nobody wants the next bytes: what comes after them begins anew.
    pub fn skip(&mut self) {
        self.next = None;
        self.gap = true;
        self.early.clear();
    }

    /// Takes a piece; gives on what is now in order, each with whether something is missing before it.
    pub fn take(&mut self, piece: &Piece<'_>, give: &mut impl FnMut(&Piece<'_>, bool)) {
        let next = *self.next.get_or_insert(piece.seq);
        if is_before(next, piece.seq) {
            if self.has_room(piece) {
                self.hold(piece, next);
                return;
            }
            self.flush(give);
            // What waited may reach beyond the piece, and what the capture lacks of it is no reason to go back.
            self.give_up_before(piece.seq);
        }
        self.give(piece, give);
        while self.early.first().is_some_and(|early| self.next.is_some_and(|next| !is_before(next, early.seq))) {
            let early = self.early.remove(0);
            self.give(&early.piece(), give);
        }
    }

    /// Gives on what was held back: the holes before it will not be filled any more.
    pub fn flush(&mut self, give: &mut impl FnMut(&Piece<'_>, bool)) {
        for early in std::mem::take(&mut self.early) {
            self.give_up_before(early.seq);
            self.give(&early.piece(), give);
        }
    }

    /// What is missing before this number will not be waited for.
    fn give_up_before(&mut self, seq: u32) {
        if self.next.is_none_or(|next| is_before(next, seq)) {
            self.gap = true;
            self.next = Some(seq);
        }
    }

    /// Gives on the part of a piece that is new.
    fn give(&mut self, piece: &Piece<'_>, give: &mut impl FnMut(&Piece<'_>, bool)) {
        let next = self.next.unwrap_or(piece.seq);
        let known = next.wrapping_sub(piece.seq);
        if known >= piece.length {
            return;
        }
        let bytes = piece.bytes.get(known as usize..).unwrap_or_default();
        let new = Piece { seq: next, bytes, length: piece.length - known, at: piece.at };
        give(&new, std::mem::take(&mut self.gap));
        self.next = Some(piece.seq.wrapping_add(piece.length));
        self.gap = (bytes.len() as u64) < u64::from(new.length);
    }

    /// Bytes held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.early.iter().map(|early| early.bytes.len()).sum()
    }

    fn has_room(&self, piece: &Piece<'_>) -> bool {
        self.early.len() < MOST_EARLY && self.held() + piece.bytes.len() <= MOST_EARLY_BYTES
    }

    fn hold(&mut self, piece: &Piece<'_>, next: u32) {
        let ahead = |seq: u32| seq.wrapping_sub(next);
        let place = self.early.partition_point(|early| ahead(early.seq) < ahead(piece.seq));
        if self.early.get(place).is_some_and(|early| early.seq == piece.seq && early.length >= piece.length) {
            return;
        }
        self.early.insert(place, Early { seq: piece.seq, bytes: piece.bytes.into(), length: piece.length, at: piece.at });
    }
}

/// Sequence numbers compared modulo 2^32 (RFC 9293 section 3.4).
const fn is_before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

    /// What a stream that begins at `first` makes of pieces `(from, to)` of the alphabet; `|` where something is missing.
    fn read(first: u32, pieces: &[(usize, usize)], end: bool) -> String {
        let mut stream = Stream::new(Some(first));
        let mut text = String::new();
        let mut give = |piece: &Piece<'_>, gap: bool| {
            text.push_str(if gap { "|" } else { "" });
            text.push_str(std::str::from_utf8(piece.bytes).unwrap());
        };
        for (from, to) in pieces {
            let seq = first.wrapping_add(*from as u32);
            stream.take(&Piece { seq, bytes: &TEXT[*from..*to], length: (to - from) as u32, at: Moment::default() }, &mut give);
        }
        if end {
            stream.flush(&mut give);
        }
        text
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        for first in [0, 1_000, u32::MAX - 3] {
            assert_eq!(read(first, &[(0, 3), (3, 9)], false), "abcdefghi");
            assert_eq!(read(first, &[(3, 9), (0, 3)], false), "abcdefghi");
            assert_eq!(read(first, &[(0, 3), (0, 3), (1, 5), (3, 9), (6, 9), (2, 4)], false), "abcdefghi");
            assert_eq!(read(first, &[(6, 9), (3, 6), (9, 10), (0, 3)], false), "abcdefghij");
        }
    }

    #[test]
    fn a_hole_is_given_up_at_the_end_or_when_too_much_waits_behind_it() {
        assert_eq!(read(7, &[(0, 2), (4, 6)], false), "ab");
        assert_eq!(read(7, &[(0, 2), (4, 6), (8, 9)], true), "ab|ef|i");
        let mut pieces = vec![(0, 1)];
        pieces.extend((2..=2 + MOST_EARLY).map(|at| (at, at + 1)));
        assert_eq!(read(7, &pieces, false), format!("a|{}", std::str::from_utf8(&TEXT[2..=2 + MOST_EARLY]).unwrap()));
    }

    #[test]
    fn what_the_snapshot_length_cut_is_a_gap_before_the_next_piece() {
        let mut stream = Stream::new(Some(10));
        let mut seen = Vec::new();
        let mut give = |piece: &Piece<'_>, gap: bool| seen.push((piece.bytes.len(), gap));
        for (seq, captured, length) in [(10, 4, 100), (110, 5, 5)] {
            stream.take(&Piece { seq, bytes: &TEXT[..captured], length, at: Moment::default() }, &mut give);
        }
        assert_eq!(seen, [(4, false), (5, true)]);
    }

    #[test]
    fn what_was_given_on_is_not_given_again_because_the_capture_lacks_what_came_before_it() {
        let (mut stream, mut seen) = (Stream::new(Some(0)), Vec::new());
        let mut give = |piece: &Piece<'_>, gap: bool| seen.push((piece.seq, piece.length, gap));
        let most = MOST_EARLY as u32;
        // A hole at 0, so many pieces of ten bytes behind it, the last one cut; then one of them once more.
        for (seq, captured) in (1..=most).map(|at| (10 * at, if at == most { 3 } else { 10 })).chain([(50, 10)]) {
            stream.take(&Piece { seq, bytes: &TEXT[..captured], length: 10, at: Moment::default() }, &mut give);
        }
        assert_eq!(seen, (1..=most).map(|at| (10 * at, 10, at == 1)).collect::<Vec<_>>());
    }

    #[test]
    fn after_skipping_the_stream_begins_anew() {
        let mut stream = Stream::new(Some(0));
        let mut seen = Vec::new();
        stream.skip();
        stream.take(&Piece { seq: 5_000, bytes: b"x", length: 1, at: Moment::default() }, &mut |piece, gap| seen.push((piece.seq, gap)));
        assert_eq!(seen, [(5_000, true)]);
    }
}
