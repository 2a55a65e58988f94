//! One end's bytes put in order, against a model: the byte at each sequence number is known, so that whatever is given
//! on can be checked by its number.
//!
//! First five bytes: where the stream begins and whether that is known. Then pieces of four bytes: how far from the
//! last piece's end it begins (16 bits, signed), its length, and how much of it was captured.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nsm_fuzz::decode::app::Moment;
use nsm_fuzz::streams::{Piece, Stream};

/// As `table::streams` has it.
const MOST_EARLY_BYTES: usize = 24 << 10;

const fn byte_at(seq: u32) -> u8 {
    (seq.wrapping_mul(0x9e37_79b9) >> 24) as u8
}

/// What has been given on so far.
struct Model {
    /// Where the last piece that was given on ended.
    end: Option<u32>,
    /// Not all of the last piece was captured, or nobody wanted what came after it.
    broken: bool,
}

impl Model {
    fn take(&mut self, piece: &Piece<'_>, gap: bool) {
        assert!(piece.length > 0, "nothing is given on");
        assert!(piece.bytes.len() as u64 <= u64::from(piece.length));
        for (offset, byte) in (0..).zip(piece.bytes) {
            assert_eq!(*byte, byte_at(piece.seq.wrapping_add(offset)), "another byte at {} + {offset}", piece.seq);
        }
        let follows = self.end == Some(piece.seq) && !self.broken;
        assert_eq!(gap, !follows, "{} after {:?}", piece.seq, self.end);
        if let Some(end) = self.end {
            assert!(piece.seq.wrapping_sub(end) < 1 << 31, "given twice: {} after {end}", piece.seq);
        }
        self.end = Some(piece.seq.wrapping_add(piece.length));
        self.broken = (piece.bytes.len() as u64) < u64::from(piece.length);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((head, data)) = data.split_first_chunk::<5>() else { return };
    let [known, first @ ..] = *head;
    let first = u32::from_be_bytes(first);
    let first = (known & 1 == 0).then_some(first);
    let mut stream = Stream::new(first);
    let mut model = Model { end: first, broken: first.is_none() };
    let mut place = first.unwrap_or_default();
    for &[high, low, length, captured] in data.as_chunks().0 {
        if (high, low) == (0x80, 0) {
            stream.skip();
            model = Model { end: None, broken: true };
            continue;
        }
        let seq = place.wrapping_add_signed(i16::from_be_bytes([high, low]).into());
        let length = u32::from(length) << 2;
        let captured = length.saturating_sub(u32::from(captured >> 6) * u32::from(captured & 0x3f));
        let bytes: Vec<u8> = (0..captured).map(|offset| byte_at(seq.wrapping_add(offset))).collect();
        stream.take(&Piece { seq, bytes: &bytes, length, at: Moment::default() }, &mut |piece, gap| model.take(piece, gap));
        assert!(stream.held() <= MOST_EARLY_BYTES);
        place = seq.wrapping_add(length);
    }
    stream.flush(&mut |piece, gap| model.take(piece, gap));
    assert_eq!(stream.held(), 0);
});
