//! A keyed hash: HMAC-SHA-256 (RFC 2104), and words made of it.

use sha2::{Digest, Sha256};

/// Bytes that SHA-256 takes at once.
const BLOCK: usize = 64;
/// Letters of a word, of five bits each: among a million words, two are alike once in two thousand keys.
const LETTERS: usize = 10;
/// Of RFC 4648, section 6, in lower case.
const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

pub(super) struct Keyed {
    /// Hashes that have taken the padded key already.
    inner: Sha256,
    outer: Sha256,
}

impl Keyed {
    /// `key` is not longer than a block; what is beyond is ignored.
    pub(super) fn new(key: &[u8]) -> Self {
        let begun = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Sha256::new_with_prefix(block)
        };
        Self { inner: begun(0x36), outer: begun(0x5c) }
    }

    pub(super) fn hash(&self, message: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(message).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::hex;

    #[test]
    fn agrees_with_the_published_vectors() {
        // RFC 4231, test cases 1 to 3.
        for (key, message, want) in [
            (&[0x0b; 20][..], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ] {
            assert_eq!(hex(&Keyed::new(key).hash(message)), want);
        }
    }
}
