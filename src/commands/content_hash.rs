//! The SHA-256 of an input: its identity.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use sha2::{Digest, Sha256};

use super::inputs::Input;

/// How an input comes to its hash.
pub(super) enum ContentHash {
    /// Switched off, or the input can be read only once.
    None,
    Known(String),
    /// Computed beside the analysis.
    Coming(JoinHandle<io::Result<String>>),
}

const BUFFER: u64 = 1 << 20;

impl ContentHash {
    /// Begins the hash on a thread of its own.
    pub(super) fn begin(input: &Input) -> Self {
        if !can_be_read_again(input) {
            return Self::None;
        }
        let path = input.path.clone();
        Self::Coming(thread::spawn(move || of_file(&path, &AtomicBool::new(false))))
    }

    /// The hash at once, before anything else is done with the input.
    pub(super) fn now(input: &Input, stop: &AtomicBool) -> Self {
        if !can_be_read_again(input) {
            return Self::None;
        }
        of_file(&input.path, stop).map_or(Self::None, Self::Known)
    }

    pub(super) fn join(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Known(hash) => Some(hash),
            Self::Coming(hash) => hash.join().ok()?.ok(),
        }
    }
}

/// A pipe can be read only once: reading it here would take bytes from the analysis.
fn can_be_read_again(input: &Input) -> bool {
    !input.is_standard_input() && fs::metadata(&input.path).is_ok_and(|metadata| metadata.is_file())
}

fn of_file(path: &Path, stop: &AtomicBool) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut hash = Sha256::new();
    let mut buffer = vec![0; usize::try_from(size.clamp(1, BUFFER)).unwrap_or(1)];
    while !stop.load(Ordering::Relaxed) {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            Ok(read) => hash.update(buffer.get(..read).unwrap_or_default()),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Err(io::Error::other("interrupted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let input = Input { path: dir.path().join("x"), report: "x".into(), found: false };
        fs::write(&input.path, b"abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let stop = AtomicBool::new(false);
        assert_eq!(ContentHash::now(&input, &stop).join().as_deref(), Some(sha256));
        assert_eq!(ContentHash::begin(&input).join().as_deref(), Some(sha256));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(ContentHash::now(&input, &stop).join(), None, "half a file has no hash");
    }
}
