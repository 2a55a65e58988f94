//! An input taken apart into what the two ends of a connection say in turns.
//!
//! Each turn is a head of two bytes and what is said. First byte: bit 0 the server speaks, bit 1 something before it
//! was lost, bit 2 the capture has not all of it, the upper five bits and the second byte its length. `examples/
//! fuzz-seeds.rs` of the package writes the same.

use crate::decode::app::End;

pub struct Turn<'a> {
    pub from: End,
    pub gap: bool,
    /// Bytes that were sent and not captured.
    pub missing: u32,
    pub bytes: &'a [u8],
}

pub struct Turns<'a>(pub &'a [u8]);

impl<'a> Iterator for Turns<'a> {
    type Item = Turn<'a>;

    fn next(&mut self) -> Option<Turn<'a>> {
        let (&[head, low], rest) = self.0.split_first_chunk()?;
        let length = usize::from(head >> 3) << 8 | usize::from(low);
        let (bytes, rest) = rest.split_at(length.min(rest.len()));
        self.0 = rest;
        let from = if head & 1 == 0 { End::Client } else { End::Server };
        Some(Turn { from, gap: head & 2 != 0, missing: u32::from(head & 4 != 0) * 100, bytes })
    }
}

/// Which of `count` things the first byte chooses, unless `NSM_FUZZ_ONLY` names one; and the rest of the input.
pub fn choose<'a>(data: &'a [u8], only: Option<usize>, count: usize) -> Option<(usize, &'a [u8])> {
    let (first, rest) = data.split_first()?;
    Some((only.unwrap_or(usize::from(*first) % count), rest))
}

/// The place of the name in `NSM_FUZZ_ONLY`, where there is one.
pub fn only(names: &[&str]) -> Option<usize> {
    let wanted = std::env::var("NSM_FUZZ_ONLY").ok()?;
    let place = names.iter().position(|name| *name == wanted);
    Some(place.unwrap_or_else(|| panic!("NSM_FUZZ_ONLY is none of {names:?}")))
}
