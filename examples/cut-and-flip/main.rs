//! Every capture, cut at 200 places and with a bit turned at 200 places:
//!
//! ```text
//! cargo run --release --example cut-and-flip -- [--nsm PROGRAM] [--places N] CAPTURE...
//! ```
//!
//! Each damaged capture is analysed, judged and rendered in this process: nothing may panic, every frame is in one
//! counter, nothing takes longer than a minute. With `--nsm` the program itself is run on four damages of each capture,
//! and must end in time with the exit code that the damage asks for. Half of the places are spread evenly, half are by
//! chance, the same in every run. The exit code is 1 where anything was wrong.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program which speaks to who runs it")]

#[path = "../common/damage.rs"]
mod damage;
#[path = "../common/prng.rs"]
#[allow(dead_code, reason = "shared with the generators of captures")]
mod prng;
mod program;
mod tally;
mod trial;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use damage::{Damage, flips, places};
use network_security_monitor::panics;
use tally::Tally;
use watch::Watch;

/// Cuts, and as many turned bits, of each capture.
const PLACES: usize = 200;
/// Damages of each capture that the program is run on: half cuts, half turned bits.
const BY_PROGRAM: usize = 4;
const WORKERS: usize = 2;

struct Wanted {
    nsm: Option<PathBuf>,
    places: usize,
    captures: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let Some(wanted) = arguments() else {
        eprintln!("usage: cut-and-flip [--nsm PROGRAM] [--places N] CAPTURE...");
        return ExitCode::from(2);
    };
    panics::remember();
    let (watch, tally, next) = (Watch::new(WORKERS), Tally::default(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (watch, tally, next, wanted) = (&watch, &tally, &next, &wanted);
                scope.spawn(move || {
                    trial::stay_on_this_thread();
                    while let Some(capture) = wanted.captures.get(next.fetch_add(1, Ordering::Relaxed)) {
                        try_capture(capture, wanted, &|what| watch.note(worker, what), tally);
                    }
                })
            })
            .collect();
        watch.over(|| workers.iter().all(thread::ScopedJoinHandle::is_finished));
    });
    print!("{tally}");
    ExitCode::from(u8::from(!tally.is_well()))
}

fn arguments() -> Option<Wanted> {
    let mut wanted = Wanted { nsm: None, places: PLACES, captures: Vec::new() };
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--nsm") => wanted.nsm = Some(arguments.next()?.into()),
            Some("--places") => wanted.places = arguments.next()?.to_str()?.parse().ok()?,
            Some(option) if option.starts_with('-') => return None,
            _ => wanted.captures.push(argument.into()),
        }
    }
    (!wanted.captures.is_empty()).then_some(wanted)
}

/// All damages of one capture.
fn try_capture(capture: &Path, wanted: &Wanted, begin: &dyn Fn(String), tally: &Tally) {
    let bytes: Arc<[u8]> = match fs::read(capture) {
        Ok(bytes) => bytes.into(),
        Err(cause) => return tally.wrong(format!("{}: {cause}", capture.display())),
    };
    begin(format!("{}, whole", capture.display()));
    let whole = trial::run(&bytes, Damage::Cut(bytes.len()), false);
    // No capture is not what is tried here.
    if whole.code == Some(trial::NO_CAPTURE) {
        return tally.passed_over();
    }
    let few = trial::affordable(&bytes, &whole);
    let cuts = spread(1, wanted.places, bytes.len()).into_iter().map(Damage::Cut).map(|cut| (cut, &bytes));
    let turned = flips(spread(2, wanted.places, few.len())).map(|flip| (flip, &few));
    let cases: Vec<_> = cuts.chain(turned).collect();
    tally.capture(few.len() < bytes.len());
    for (number, (damage, bytes)) in cases.iter().enumerate() {
        let words = format!("{}, {}", capture.display(), damage.in_words());
        begin(words.clone());
        let run = trial::run(bytes, *damage, number % trial::DRAWN == 0);
        tally.run(&words, &run);
        let Some(nsm) = wanted.nsm.as_ref().filter(|_| number % cases.len().div_ceil(BY_PROGRAM) == 1) else { continue };
        match program::run(nsm, bytes, *damage) {
            Ok(ended) => tally.program(&words, &ended, run.code),
            Err(problem) => tally.wrong(format!("{words}: {problem}")),
        }
    }
}

/// Places in so many bytes: half evenly from one end to the other, half by chance.
fn spread(seed: u64, count: usize, length: usize) -> Vec<usize> {
    let even = count / 2;
    let step = |number: usize| number * length / even.max(1);
    (0..even).map(step).chain(places(seed, count - even, 0, length)).filter(|place| *place < length).collect()
}
