//! Texts of rules that live as long as the program.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The text, kept for good.
///
/// An alert's type, units and technique ids are static: those of the detectors are constants, and no
/// alert pays for a copy. A rule's are known when it is loaded, and are leaked once each; the same text
/// is never leaked twice, so that what is lost is bounded by the distinct rules a process ever loads.
pub fn interned(text: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = known.get(text) {
        return kept;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.insert(kept);
    kept
}

/// A list of texts, kept for good; as [`interned`].
pub fn interned_list(texts: &[&'static str]) -> &'static [&'static str] {
    static KNOWN: Mutex<BTreeSet<&'static [&'static str]>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = known.get(texts) {
        return kept;
    }
    let kept: &'static [&'static str] = Box::leak(texts.to_vec().into_boxed_slice());
    known.insert(kept);
    kept
}
