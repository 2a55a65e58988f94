//! Many captures: several at once, those that are done kept, and one page over all.
//!
//! Knows which captures are worked on together and which reports need not be made again. A report is kept
//! if it is whole, has the seal of this user, and is the one that would be made: same content, version, settings,
//! choices, rules and baseline. What is in its manifest is believed only as far as it can be checked.

use std::fs;
use std::io::{BufReader, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde::Deserialize;

use super::capture_report::{self, Interrupted, Opened};
use super::content_hash::ContentHash;
use super::inputs::Input;
use super::progress::Progress;
use super::setup::{Setup, complain};
use super::{Outcome, alone, baseline};
use crate::capture::Source;
use crate::cli::Hash;
use crate::detect::Baseline;
use crate::error::Error;
use crate::panics;
use crate::report::batch::{self, Listed, Problem, Row};
use crate::report::{self, MANIFEST, Manifest, OutputDir, Owner, Provenance, Report, Seal};

/// Captures below this many bytes are worked on several at once, each by one thread; larger ones one after
/// another by all threads, so that memory does not grow with the number of files.
const SMALL: u64 = 16 << 20;
/// What a byte of a compressed capture may become.
const EXPANSION: u64 = 16;

pub(super) fn run(setup: &Setup<'_>, inputs: &[Input]) -> Result<Outcome, Error> {
    if inputs.is_empty() {
        complain("no capture could be analysed: there are no files");
        return Ok(Outcome::NothingAnalysed);
    }
    let top = setup.args.output.as_path();
    let output = OutputDir::plain(top)?;
    if !setup.args.force {
        spare_files_of_others(top)?;
    }
    let owner = Owner::of_new_files(top).map_err(|cause| Error::Write { path: top.to_owned(), cause })?;
    let total = inputs.iter().map(Input::bytes).sum();
    let run = Run {
        setup,
        inputs,
        top,
        owner,
        seal: seal(setup, top),
        provenance: comparable(&capture_report::provenance(setup, "", Vec::new())?)?,
        always: capture_report::always(setup)?,
        progress: Progress::over_files(inputs.len(), total, setup.terminal.quiet),
        state: Mutex::new(State { rows: inputs.iter().map(|_| None).collect(), ..State::default() }),
        broken: AtomicBool::new(false),
    };
    run.work();
    run.end(&output)
}

/// Files over all reports replace those of an earlier batch, and nothing that somebody else has written.
fn spare_files_of_others(top: &Path) -> Result<(), Error> {
    let is_there = |name: &str| fs::symlink_metadata(top.join(name)).is_ok();
    let ours = is_of_a_batch(&top.join("batch.json"));
    match batch::FILES.into_iter().find(|name| is_there(name)) {
        Some(name) if !ours => {
            let path = top.join(name);
            Err(Error::Usage(format!("{} is not from a batch of nsm: use -o to write elsewhere, or --force to replace it", path.display())))
        }
        _ => Ok(()),
    }
}

/// None where no report could be kept anyway. Where there is no key, reports are made anew: that is never wrong.
fn seal(setup: &Setup<'_>, top: &Path) -> Option<Seal> {
    if setup.args.hash == Hash::None {
        return None;
    }
    let found = Seal::of_user();
    if let Err(cause) = &found
        && !setup.args.force
        && is_of_a_batch(&top.join("batch.json"))
    {
        complain(&format!("no report is kept: what this user has written cannot be told from what was planted ({cause})"));
    }
    found.ok()
}

/// The file says that nsm wrote it.
fn is_of_a_batch(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Head {
        tool: String,
    }
    // A pipe or a device in its place would never end.
    let is_file = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    is_file
        .then(|| fs::File::open(path).ok())
        .flatten()
        .and_then(|file| serde_json::from_reader::<_, Head>(BufReader::new(file)).ok())
        .is_some_and(|head| head.tool == "nsm")
}

/// As it is read back from a manifest: numbers may differ in the last digit from those that were written.
fn comparable(provenance: &Provenance) -> Result<Provenance, Error> {
    let text = serde_json::to_string(provenance).and_then(|text| serde_json::from_str(&text));
    text.map_err(|cause| Error::Internal(cause.to_string()))
}

struct Run<'a> {
    setup: &'a Setup<'a>,
    inputs: &'a [Input],
    /// The output directory.
    top: &'a Path,
    owner: Owner,
    /// With which reports are known again; none are without.
    seal: Option<Seal>,
    /// What a report must come from to be kept, without its input.
    provenance: Provenance,
    /// The files it must have.
    always: Vec<String>,
    progress: Progress,
    state: Mutex<State>,
    /// Nothing more can be written: the error is in the state.
    broken: AtomicBool,
}

#[derive(Default)]
struct State {
    /// In the order of the inputs; none where the run has not come to it.
    rows: Vec<Option<Row>>,
    /// Inputs that turned out to be too large to be worked on beside others.
    deferred: Vec<usize>,
    outcome: Option<Outcome>,
    learned: Baseline,
    kept: usize,
    redone: usize,
    analysed: usize,
    failure: Option<Error>,
}

/// What became of one input.
enum Done {
    Kept(Box<Manifest>),
    /// A report was written; whether one was there before.
    Written(Box<capture_report::Written>, bool),
    NoReport(Problem, String),
    /// It is left to the end.
    Deferred,
    /// The user ended the run.
    GivenUp,
}

impl Run<'_> {
    fn work(&self) {
        // What a capture teaches is taken in the order of the inputs.
        let in_order = self.setup.args.save_baseline.is_some();
        let (small, mut large): (Vec<usize>, Vec<usize>) =
            (0..self.inputs.len()).partition(|place| !in_order && self.input(*place).is_some_and(is_small));
        let next = AtomicUsize::new(0);
        let workers = rayon::current_num_threads().min(small.len());
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    alone::stay_on_this_thread();
                    while let Some(place) = small.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.one(*place, true);
                    }
                });
            }
        });
        large.append(&mut self.state().deferred);
        large.sort_unstable();
        large.into_iter().for_each(|place| self.one(place, false));
    }

    fn input(&self, place: usize) -> Option<&Input> {
        self.inputs.get(place)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.setup.options.stop.load(Ordering::Relaxed) || self.broken.load(Ordering::Relaxed)
    }

    fn one(&self, place: usize, beside_others: bool) {
        let Some(input) = self.input(place).filter(|_| !self.has_ended()) else { return };
        let counter = Mutex::new(None);
        // A capture that brings a detector down must not take the others with it.
        let done = panics::caught(|| self.attempt(input, beside_others, &counter));
        let done = done.unwrap_or_else(|problem| Err(Error::Internal(problem)));
        let done = done.unwrap_or_else(|error| self.problem(input, error));
        let counter = counter.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !matches!(done, Done::Deferred | Done::GivenUp) {
            self.progress.done(input.bytes(), counter.as_ref());
        }
        self.take(place, input, done);
    }

    /// `counter` receives what the progress bar follows.
    fn attempt(&self, input: &Input, beside_others: bool, counter: &Mutex<Option<Arc<AtomicU64>>>) -> Result<Done, Error> {
        let Opened { source, position: bytes, before } = match capture_report::open(input, self.setup.filter()) {
            Err(Error::NotACapture { found, .. }) if input.found => return Ok(Done::NoReport(Problem::NotACapture, found)),
            opened => opened?,
        };
        if beside_others && !stays_small(&*source, input) {
            return Ok(Done::Deferred);
        }
        let place = self.top.join(&input.report);
        let hash = self.hash(input, beside_others || fs::symlink_metadata(place.join(MANIFEST)).is_ok());
        if self.has_ended() {
            return Ok(Done::GivenUp);
        }
        if let ContentHash::Known(sha256) = &hash
            && let Some(manifest) = self.kept(input, sha256)
        {
            report::remove_partials(&place, &[]).map_err(|cause| Error::Write { path: place, cause })?;
            return Ok(Done::Kept(Box::new(manifest)));
        }
        OutputDir::check_below(self.top, &input.report)?;
        let was_there = OutputDir::holds_report(&place);
        let output = OutputDir::replace(&place)?;
        self.progress.follow(Arc::clone(&bytes));
        *counter.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
        let written = capture_report::write(self.setup, input, (source, &before), output, hash, Interrupted::GiveUp, self.seal.as_ref())?;
        Ok(written.map_or(Done::GivenUp, |written| Done::Written(Box::new(written), was_there)))
    }

    fn hash(&self, input: &Input, at_once: bool) -> ContentHash {
        match self.setup.args.hash {
            Hash::None => ContentHash::None,
            Hash::Sha256 if at_once => ContentHash::now(input, &self.setup.options.stop),
            Hash::Sha256 => ContentHash::begin(input, &self.setup.options.stop),
        }
    }

    /// The manifest of the report that is there, if that is the one that would be made.
    fn kept(&self, input: &Input, sha256: &str) -> Option<Manifest> {
        // A baseline is learned from the tables, which only an analysis has.
        if self.setup.args.force || self.setup.args.save_baseline.is_some() {
            return None;
        }
        let manifest = report::whole(self.top, &input.report, self.owner, self.seal.as_ref()?)?;
        let record = report::Input {
            path: input.path.to_string_lossy().into_owned(),
            bytes: input.bytes(),
            sha256: Some(sha256.to_owned()),
            first_frame: None,
        };
        let wanted = Provenance {
            command_line: manifest.provenance.command_line.clone(),
            capture: record.path.clone(),
            inputs: vec![record],
            ..self.provenance.clone()
        };
        let is_listed = |name: &String| manifest.files.iter().any(|file| file.name == *name);
        let complete = manifest.result.as_ref().is_some_and(|findings| !findings.interrupted) && self.always.iter().all(is_listed);
        (complete && wanted == manifest.provenance).then_some(manifest)
    }

    /// An error of one input; one that will meet every other input too ends the run.
    fn problem(&self, input: &Input, error: Error) -> Done {
        let text = error.to_string();
        match error {
            Error::Write { ref cause, .. } if is_everywhere(cause.kind()) => {
                self.broken.store(true, Ordering::Relaxed);
                self.state().failure.get_or_insert(error);
                Done::GivenUp
            }
            Error::NotACapture { .. } if !input.found => Done::NoReport(Problem::NotACapture, text),
            Error::Open { .. } | Error::Read { .. } => Done::NoReport(Problem::Unreadable, text),
            _ => Done::NoReport(Problem::Failed, text),
        }
    }

    fn take(&self, place: usize, input: &Input, done: Done) {
        let mut state = self.state();
        let outcome = match done {
            Done::GivenUp => return,
            Done::Deferred => return state.deferred.push(place),
            Done::Kept(manifest) => {
                state.kept += 1;
                self.listed(&mut state, input, &manifest, None)
            }
            Done::Written(written, was_there) => {
                if was_there {
                    state.redone += 1;
                } else {
                    state.analysed += 1;
                }
                written.learned.iter().for_each(|learned| state.learned.merge(learned));
                self.listed(&mut state, input, &written.manifest, Some(&written.report))
            }
            Done::NoReport(problem, reason) => {
                self.tell_problem(&mut state, input, problem, &reason);
                batch::Outcome::NoReport(problem, reason)
            }
        };
        if let Some(row) = state.rows.get_mut(place) {
            *row = Some(Row { path: input.path.clone(), outcome });
        }
    }

    fn listed(&self, state: &mut State, input: &Input, manifest: &Manifest, fresh: Option<&Report>) -> batch::Outcome {
        let findings = manifest.result.clone().unwrap_or_default();
        state.outcome = state.outcome.max(Some(self.setup.judged(&findings)));
        let sha256 = manifest.provenance.inputs.first().and_then(|input| input.sha256.clone());
        let listed = Listed::new(input.report.clone(), findings, sha256, &manifest.files.iter().map(|file| file.name.as_str()));
        if fresh.is_some() || self.setup.terminal.verbose {
            self.progress.aside(|| {
                self.setup.say(&batch::line(&input.path, &listed.findings, fresh.is_none()));
                fresh.into_iter().for_each(|report| self.setup.say_alerts(report));
            });
        }
        batch::Outcome::Report(Box::new(listed))
    }

    fn tell_problem(&self, state: &mut State, input: &Input, problem: Problem, reason: &str) {
        // Other files of a directory need not be captures.
        let is_expected = problem == Problem::NotACapture && input.found;
        self.progress.aside(|| {
            if is_expected {
                self.setup.say(&format!("skipped {}: not a capture: {}", batch::shown(&input.path), report::visible(reason)));
            } else {
                complain(&format!("error: {}", report::visible(reason)));
            }
        });
        if !is_expected {
            state.outcome = state.outcome.max(Some(Outcome::Damaged));
        }
    }

    /// Writes the files over all reports, and says how it went.
    fn end(self, output: &OutputDir) -> Result<Outcome, Error> {
        let Self { setup, inputs, top, progress, state, .. } = self;
        drop(progress);
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.failure {
            return Err(error);
        }
        let batch = batch::Batch::new(state.rows.into_iter().flatten().collect(), inputs.len());
        for artifact in batch.render()? {
            output.write(&artifact.name, &artifact.bytes)?;
        }
        let summary = format!("kept {}, redone {}, analysed {}", state.kept, state.redone, state.analysed);
        setup.say(&batch.summary(&summary, &top.join("index.html")));
        if setup.options.stop.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        if state.kept + state.redone + state.analysed == 0 {
            complain("no capture could be analysed");
            return Ok(Outcome::NothingAnalysed);
        }
        if let Some(path) = &setup.args.save_baseline {
            let mut known = setup.baseline.clone().unwrap_or_default();
            known.merge(&state.learned);
            baseline::save(path, &known)?;
            setup.say(&format!("baseline saved to {}", path.display()));
        }
        Ok(state.outcome.unwrap_or(Outcome::Done))
    }
}

/// A file whose size is known and small. What is named without being a file (a pipe) may be of any size.
fn is_small(input: &Input) -> bool {
    !input.is_standard_input() && fs::metadata(&input.path).is_ok_and(|found| found.is_file() && found.len() < SMALL)
}

/// It is small when it is decompressed, too, as far as that can be told.
fn stays_small(source: &dyn Source, input: &Input) -> bool {
    source.facts().compression.is_none() || input.bytes() < SMALL / EXPANSION
}

/// What one file cannot be written for, no other can.
const fn is_everywhere(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}
