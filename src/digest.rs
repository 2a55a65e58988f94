//! SHA-256 of bytes and of streams, written in hexadecimal digits.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

const BUFFER: usize = 256 << 10;

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash of what is whole in memory.
#[must_use]
pub fn of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// HMAC-SHA-256 (RFC 2104) under one key.
pub struct Hmac {
    /// Hashes that have taken the padded key already.
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    /// With a key of at most a block of the hash, 64 bytes; of a longer one, only so many count.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        const BLOCK: usize = 64;
        let begun = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Sha256::new_with_prefix(block)
        };
        Self { inner: begun(0x36), outer: begun(0x5c) }
    }

    #[must_use]
    pub fn of(&self, message: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(message).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}

/// Copies a stream to its end: how many bytes it had, and their hash.
///
/// # Errors
/// When reading or writing fails, and when `stop` becomes true: half a stream has no hash.
pub fn copy(from: &mut dyn Read, to: &mut dyn Write, stop: &AtomicBool) -> io::Result<(u64, String)> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; BUFFER]);
    while !stop.load(Ordering::Relaxed) {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hex(&hash.finalize()))),
            Ok(read) => {
                let part = buffer.get(..read).unwrap_or_default();
                hash.update(part);
                to.write_all(part)?;
                bytes += read as u64;
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Err(io::Error::other("interrupted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_hash_is_that_of_all_bytes_and_half_a_stream_has_none() {
        let (mut copied, stop) = (Vec::new(), AtomicBool::new(false));
        assert_eq!(copy(&mut &b"abc"[..], &mut copied, &stop).unwrap(), (3, OF_ABC.to_owned()));
        assert_eq!((copied.as_slice(), of(b"abc").as_str()), (&b"abc"[..], OF_ABC));
        stop.store(true, Ordering::Relaxed);
        assert!(copy(&mut &b"abc"[..], &mut io::sink(), &stop).is_err());
    }

    #[test]
    fn a_keyed_hash_is_that_of_the_standard() {
        // RFC 4231, sections 4.2 to 4.4.
        for (key, message, want) in [
            (&[0x0b; 20][..], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ] {
            assert_eq!(hex(&Hmac::new(key).of(message)), want);
        }
    }
}
