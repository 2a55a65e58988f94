//! The SHA-256 of an input: its identity.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use super::inputs::Input;
use crate::digest;

/// How an input comes to its hash.
pub(super) enum ContentHash {
    /// Switched off, or the input can be read only once.
    None,
    Known(String),
    /// Of each file, computed beside the analysis.
    Coming(JoinHandle<Vec<Option<String>>>),
}

impl ContentHash {
    /// Begins the hash on a thread of its own; `stop` ends it without one.
    pub(super) fn begin(input: &Input, stop: &Arc<AtomicBool>) -> Self {
        if !can_be_read_again(input) {
            return Self::None;
        }
        let (files, stop) = (input.files().to_vec(), Arc::clone(stop));
        Self::Coming(thread::spawn(move || files.iter().map(|path| of_file(path, &stop).ok()).collect()))
    }

    /// The hash of an input of one file at once, before anything else is done with the input.
    pub(super) fn now(input: &Input, stop: &AtomicBool) -> Self {
        if !can_be_read_again(input) {
            return Self::None;
        }
        of_file(&input.path, stop).map_or(Self::None, Self::Known)
    }

    /// Of each file, in their order.
    pub(super) fn join(self) -> Vec<Option<String>> {
        match self {
            Self::None => Vec::new(),
            Self::Known(hash) => vec![Some(hash)],
            Self::Coming(hashes) => hashes.join().unwrap_or_default(),
        }
    }
}

/// A pipe can be read only once: reading it here would take bytes from the analysis.
fn can_be_read_again(input: &Input) -> bool {
    !input.is_standard_input() && input.files().iter().all(|path| fs::metadata(path).is_ok_and(|metadata| metadata.is_file()))
}

fn of_file(path: &Path, stop: &AtomicBool) -> io::Result<String> {
    digest::copy(&mut File::open(path)?, &mut io::sink(), stop).map(|(_, hash)| hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let input = Input { path: dir.path().join("x"), ..Input::default() };
        fs::write(&input.path, b"abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let (stop, want) = (Arc::new(AtomicBool::new(false)), vec![Some(sha256.to_owned())]);
        assert_eq!(ContentHash::now(&input, &stop).join(), want);
        assert_eq!(ContentHash::begin(&input, &stop).join(), want);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(ContentHash::now(&input, &stop).join().is_empty(), "half a file has no hash");
    }
}
