//! No bytes make it panic, and whatever is left of a damaged capture is accounted for.
//!
//! Captures are cut and their bits turned; a panic fails the test by itself. Every damaged capture is
//! measured; the tables of short ones, which hardly differ, are judged now and then.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::fs;
use std::sync::Arc;

use network_security_monitor::analysis;
use network_security_monitor::config::Config;
use network_security_monitor::error::Error;
use network_security_monitor::pipeline::{self, Measured, Options};
use rayon::{ThreadPool, ThreadPoolBuilder};

#[allow(dead_code, reason = "shared with the generators of captures")]
#[path = "../examples/common/prng.rs"]
mod prng;

#[path = "../examples/common/damage.rs"]
mod damage;

use damage::{Damage, places};

/// Cut at every byte up to here: file headers, and the first records whole.
const EVERY_CUT: usize = 4_096;
/// Of those, so many are judged; judging takes ten times as long as measuring so little.
const JUDGED: usize = 32;
const CUTS_BEYOND: usize = 200;
const FLIPS: usize = 200;
/// For each capture of the corpus.
const CORPUS_CASES: usize = 20;

/// Whether the damaged capture is judged too.
fn is_judged(damage: &Damage) -> bool {
    !matches!(*damage, Damage::Cut(length) if length < EVERY_CUT && !length.is_multiple_of(JUDGED))
}

thread_local! {
    /// Captures this small are measured fastest by one thread, many captures at a time.
    static ALONE: ThreadPool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
}

fn measured(bytes: &Arc<[u8]>, damage: &Damage) -> Result<Measured, Error> {
    let mut source = common::reader(damage.of(bytes))?;
    ALONE.with(|pool| pool.install(|| pipeline::measure(&mut source, &Config::default().base, &Options::default(), &mut |_| Ok(()))))
}

/// What is wrong with how a damaged capture was analysed, if anything.
fn problem(bytes: &Arc<[u8]>, damage: &Damage) -> Option<String> {
    let measured = match measured(bytes, damage) {
        Ok(measured) => measured,
        Err(Error::NotACapture { .. }) => return None,
        // A compressed stream may be damaged in its first bytes.
        Err(Error::Read { offset: 0, .. }) if bytes.starts_with(b"\x1f\x8b") => return None,
        Err(error) => return Some(format!("an error that is not about the format: {error}")),
    };
    if !common::adds_up(&measured.accounting) {
        return Some(format!("does not add up: {:?}", measured.accounting));
    }
    if !is_judged(damage) {
        return None;
    }
    analysis::judge("capture", &measured, &Config::default(), &|_| true).err().map(|error| error.to_string())
}

fn cuts(length: usize) -> Vec<Damage> {
    let beyond = places(1, CUTS_BEYOND, EVERY_CUT, length);
    (0..length.min(EVERY_CUT)).chain(beyond).map(Damage::Cut).collect()
}

fn flips(length: usize, count: usize) -> Vec<Damage> {
    damage::flips(places(2, count, 0, length)).collect()
}

/// All captures with all their damages, one piece of work each.
fn check(captures: impl Iterator<Item = (String, Arc<[u8]>)>, damages: impl Fn(usize) -> Vec<Damage>) {
    let work: Vec<(String, Arc<[u8]>, Damage)> = captures
        .flat_map(|(name, bytes)| damages(bytes.len()).into_iter().map(move |damage| (name.clone(), Arc::clone(&bytes), damage)))
        .collect();
    common::all_well(&common::for_each(&work, |(name, bytes, damage)| {
        problem(bytes, damage).map(|problem| format!("{name}, {}: {problem}", damage.in_words())).into_iter().collect()
    }));
}

fn samples() -> impl Iterator<Item = (String, Arc<[u8]>)> {
    common::samples().into_iter().map(|sample| (sample.name.clone(), sample.bytes()))
}

#[test]
fn a_capture_cut_anywhere_is_analysed_as_far_as_it_goes() {
    check(samples(), cuts);
}

#[test]
fn a_capture_with_a_turned_bit_is_analysed_as_far_as_it_goes() {
    check(samples(), |length| flips(length, FLIPS));
}

#[test]
fn captures_of_the_corpus_survive_cuts_and_turned_bits() {
    let captures = common::corpus().into_iter().map(|path| (path.display().to_string(), fs::read(path).unwrap().into()));
    check(captures, |length| places(3, CORPUS_CASES, 0, length).into_iter().map(Damage::Cut).chain(flips(length, CORPUS_CASES)).collect());
}
