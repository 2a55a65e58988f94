//! Damage to a capture: cut somewhere, or one bit turned.

use std::io::{Cursor, Read};
use std::sync::Arc;

use super::prng::SplitMix64;

#[derive(Clone, Copy, Debug)]
pub enum Damage {
    /// Only so many bytes are left.
    Cut(usize),
    /// This bit of this byte is turned.
    Flip(usize, u8),
}

impl Damage {
    /// The damaged bytes, as they are read.
    pub fn of(&self, bytes: &Arc<[u8]>) -> Box<dyn Read + Send> {
        match *self {
            Self::Cut(length) => Box::new(Cursor::new(Arc::clone(bytes)).take(length as u64)),
            Self::Flip(place, bit) => {
                let mut damaged = bytes.to_vec();
                if let Some(byte) = damaged.get_mut(place) {
                    *byte ^= 1 << bit;
                }
                Box::new(Cursor::new(damaged))
            }
        }
    }

    pub fn in_words(&self) -> String {
        match self {
            Self::Cut(length) => format!("cut after {length} bytes"),
            Self::Flip(place, bit) => format!("bit {bit} of byte {place} turned"),
        }
    }
}

/// So many places by chance in `from..to`; none where that is empty.
pub fn places(seed: u64, count: usize, from: usize, to: usize) -> Vec<usize> {
    let mut chance = SplitMix64::new(seed);
    if from >= to {
        return Vec::new();
    }
    (0..count).filter_map(|_| usize::try_from(chance.between(from as u64, to as u64)).ok()).collect()
}

/// Turned bits, each of the eight in turn.
pub fn flips(places: Vec<usize>) -> impl Iterator<Item = Damage> {
    (0_u8..8).cycle().zip(places).map(|(bit, place)| Damage::Flip(place, bit))
}
