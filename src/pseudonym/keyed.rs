//! Words made of a keyed hash.

use crate::digest::Hmac;

/// Letters of a word, of five bits each: among a million words, two are alike once in two thousand keys.
const LETTERS: usize = 10;
/// Of RFC 4648, section 6, in lower case.
const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

pub(super) struct Keyed(Hmac);

impl Keyed {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(Hmac::new(key))
    }

    pub(super) fn hash(&self, message: &[u8]) -> [u8; 32] {
        self.0.of(message)
    }

    /// The first 64 bits.
    pub(super) fn number(&self, message: &[u8]) -> u64 {
        self.hash(message).first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }

    /// The kind's letter and ten more; nothing for nothing.
    pub(super) fn word(&self, kind: char, message: &[u8]) -> String {
        if message.is_empty() {
            return String::new();
        }
        let number = self.number(message);
        let letter = |place| ALPHABET.get(usize::try_from(number >> (5 * place) & 31).ok()?).map(|letter| char::from(*letter));
        std::iter::once(kind).chain((0..LETTERS).filter_map(letter)).collect()
    }
}
