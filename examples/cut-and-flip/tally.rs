//! What came of all runs, and the table of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::program::Ended;
use super::trial::Trial;
use super::watch::LONGEST;

#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    captures: u64,
    /// Of those, captures whose bits were turned in their beginning only.
    shortened: u64,
    no_captures: u64,
    runs: u64,
    panics: u64,
    errors: u64,
    slowest: (Duration, String),
    by_program: u64,
    slowest_program: (Duration, String),
    codes: BTreeMap<i32, u64>,
    wrong: Vec<String>,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn passed_over(&self) {
        self.counts().no_captures += 1;
    }

    pub fn capture(&self, is_shortened: bool) {
        let mut counts = self.counts();
        counts.captures += 1;
        counts.shortened += u64::from(is_shortened);
    }

    pub fn wrong(&self, what: String) {
        eprintln!("WRONG {what}");
        self.counts().wrong.push(what);
    }

    pub fn run(&self, words: &str, trial: &Trial) {
        if let Some(panicked) = &trial.panicked {
            self.counts().panics += 1;
            self.wrong(format!("{words}: panicked: {panicked}"));
        }
        if let Some(wrong) = &trial.wrong {
            self.counts().errors += 1;
            self.wrong(format!("{words}: {wrong}"));
        }
        if trial.took > LONGEST {
            self.wrong(format!("{words}: took {:?}", trial.took));
        }
        let mut counts = self.counts();
        counts.runs += 1;
        slower(&mut counts.slowest, trial.took, words);
    }

    pub fn program(&self, words: &str, ended: &Ended, asked_for: Option<i32>) {
        match ended.code {
            Some(code) => *self.counts().codes.entry(code).or_default() += 1,
            None if ended.took >= LONGEST => self.wrong(format!("{words}: the program did not end within {LONGEST:?}")),
            None => self.wrong(format!("{words}: a signal ended the program: {}", ended.said)),
        }
        if ended.code.is_some() && ended.code != asked_for {
            self.wrong(format!("{words}: exit code {:?} where {asked_for:?} is asked for: {}", ended.code, ended.said));
        }
        let mut counts = self.counts();
        counts.by_program += 1;
        slower(&mut counts.slowest_program, ended.took, words);
    }

    pub fn is_well(&self) -> bool {
        let counts = self.counts();
        counts.wrong.is_empty() && counts.captures > 0
    }
}

fn slower(slowest: &mut (Duration, String), took: Duration, words: &str) {
    if took > slowest.0 {
        *slowest = (took, words.to_owned());
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        writeln!(f, "captures              {} (and {} files that are none)", counts.captures, counts.no_captures)?;
        writeln!(f, "bits turned in a part {} captures, in their beginning only", counts.shortened)?;
        writeln!(f, "runs in process       {}", counts.runs)?;
        writeln!(f, "panics                {}", counts.panics)?;
        writeln!(f, "accounting, errors    {}", counts.errors)?;
        writeln!(f, "slowest run           {:.2} s ({})", counts.slowest.0.as_secs_f64(), counts.slowest.1)?;
        writeln!(f, "runs of the program   {}", counts.by_program)?;
        writeln!(f, "exit codes            {:?}", counts.codes)?;
        writeln!(f, "slowest of them       {:.2} s ({})", counts.slowest_program.0.as_secs_f64(), counts.slowest_program.1)?;
        writeln!(f, "wrong                 {}", counts.wrong.len())
    }
}
