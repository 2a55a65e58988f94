//! Without libpcap there is no interface to watch, and this says so.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::{Block, Source, SourceFacts};
use super::{Counters, Interface, NOT_BUILT, Request};
use crate::error::Error;
use crate::warning::Warning;

/// There is none: it cannot be made.
#[derive(Debug)]
pub enum LiveSource {}

/// # Errors
/// Always: this was built without libpcap.
pub fn interfaces() -> Result<Vec<Interface>, Error> {
    Err(Error::Usage(NOT_BUILT.into()))
}

/// # Errors
/// Always: this was built without libpcap.
pub fn open(_: &Request, _: Arc<AtomicBool>) -> Result<LiveSource, Error> {
    Err(Error::Usage(NOT_BUILT.into()))
}

impl LiveSource {
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        match *self {}
    }

    #[must_use]
    pub fn reads(&self) -> Vec<PathBuf> {
        match *self {}
    }
}

impl Source for LiveSource {
    fn next_block(&mut self, _: &mut Block) -> Result<bool, Error> {
        match *self {}
    }

    fn warnings(&self) -> &[Warning] {
        match *self {}
    }

    fn facts(&self) -> SourceFacts {
        match *self {}
    }

    fn position(&self) -> u64 {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_libpcap_it_is_said_how_to_get_it() {
        let said = [interfaces().map(drop), open(&Request::new("eth0"), Arc::default()).map(drop)];
        for refused in said {
            assert!(refused.unwrap_err().to_string().contains("cargo build --release --features live"));
        }
    }
}
