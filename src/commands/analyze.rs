//! `nsm analyze`: resolves what was asked for, and runs it: one capture, or a batch.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::batch;
use super::capture_report::{self, Interrupted, Opened};
use super::chosen::Chosen;
use super::content_hash::ContentHash;
use super::inputs::{self, Input};
use super::live::{self, Feed};
use super::progress::Progress;
use super::setup::{self, Setup};
use super::{Outcome, baseline, carve, configured, now, pseudonymize};
use crate::capture::check_filter;
use crate::cli::{Analyze, Hash, Terminal, shown};
use crate::error::Error;
use crate::outlet::Outlets;
use crate::pipeline::Options;
use crate::pseudonym;
use crate::report::OutputDir;
use crate::rules::Rules;

pub(super) fn run(args: &Analyze, terminal: Terminal, command_line: &[String]) -> Result<Outcome, Error> {
    args.live.filter.as_deref().map(check_filter).transpose()?;
    let pseudonyms = pseudonymize::asked_for(args)?;
    let mut config = configured(&args.settings)?;
    if let Some(mebibytes) = args.max_memory {
        config.set("memory.max_mib", &mebibytes.to_string())?;
    }
    // What is wrong with the configuration is said of the user's own words; whatever comes now may be of a capture.
    pseudonyms.into_iter().for_each(pseudonym::install);
    let (from, to) = args.period()?;
    let stop = stop_on_interrupt()?;
    // Who is told may need files and rights that are given up next.
    let outlets = Outlets::start(&args.destinations()?, &config.base.outlet, args.notification.notify_from)?;
    let feed = args.live.interface.as_deref().map(|interface| Feed::open(args, interface, &stop)).transpose()?;
    let (baseline, baseline_file) = args.baseline.as_deref().map(baseline::load).transpose()?.unzip();
    args.save_baseline.as_deref().map(baseline::check_target).transpose()?;
    use_threads(args.threads)?;
    // In parallel: the pool of threads must be there.
    let rules = Rules::load(&args.rules)?;
    pseudonymize::check_paths(rules.files.iter().map(|file| file.path.as_path()))?;
    Chosen { only: &args.only, skip: &args.skip }.check(&rules, &config)?;
    let options = Options { batch_rows: args.batch_rows.get(), from, to, keep_flows: rules.ask_for_flows(), stop };
    let command_line = &pseudonymize::command_line(args, shown(command_line));
    let setup =
        Setup { args, terminal, config, rules, options, baseline, baseline_file, outlets: &outlets, analysed_at: now(), command_line };
    let outcome = match feed {
        Some(feed) => live::run(&setup, feed),
        None => captures(&setup),
    };
    drop(setup);
    setup::delivered(terminal, &outlets.finish());
    outcome
}

/// The captures that were asked for: one, several read as one, or a batch.
fn captures(setup: &Setup<'_>) -> Result<Outcome, Error> {
    let args = setup.args;
    if args.as_one {
        let input = inputs::collect_as_one(&args.paths, &args.output)?;
        pseudonymize::check_inputs([&input])?;
        return single(setup, &input);
    }
    let inputs = inputs::collect(&args.paths, Some(&args.output));
    pseudonymize::check_inputs(&inputs.all)?;
    if args.carve {
        carve::check(&inputs.all)?;
    }
    match inputs.all.as_slice() {
        [input] if !inputs.are_batch => single(setup, input),
        all => batch::run(setup, all),
    }
}

/// One pool of threads for everything that is done in parallel. (Polars sizes its own from the
/// environment, see `main`; the two never work at the same time.)
fn use_threads(threads: Option<NonZeroUsize>) -> Result<(), Error> {
    let Some(threads) = threads else { return Ok(()) };
    if threads.get() > MOST_THREADS {
        return Err(Error::Usage(format!("--threads must lie between 1 and {MOST_THREADS}")));
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global().map_err(|cause| Error::Internal(cause.to_string()))
}

/// More threads than any machine has cores only cost memory.
pub const MOST_THREADS: usize = 1_024;

/// Ctrl-C ends the reading; a second one ends at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = flag::register_conditional_shutdown(signal, Outcome::Interrupted as i32, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)));
        registered.map_err(|cause| Error::Internal(format!("cannot watch for Ctrl-C: {cause}")))?;
    }
    Ok(stop)
}

/// A report of one capture. If the user ends the reading, it is written of what was read.
fn single(setup: &Setup<'_>, input: &Input) -> Result<Outcome, Error> {
    let Opened { source, position, before } = capture_report::open(input, setup.filter())?;
    let place = setup.args.output.join(&input.report);
    OutputDir::check_below(&setup.args.output, &input.report)?;
    let output = OutputDir::create(&place, setup.args.force)?;
    let hash = if setup.args.hash == Hash::Sha256 { ContentHash::begin(input, &setup.options.stop) } else { ContentHash::None };
    let progress = Progress::start(&input.path.to_string_lossy(), input.bytes(), position, setup.terminal.quiet);
    let written = capture_report::write(setup, input, (source, &before), output, hash, Interrupted::Report, None)?;
    drop(progress);
    let Some(written) = written else { return Ok(Outcome::Interrupted) };
    setup.show(&written.report, &place);
    if setup.options.stop.load(Ordering::Relaxed) {
        return Ok(Outcome::Interrupted);
    }
    if let (Some(path), Some(learned)) = (&setup.args.save_baseline, &written.learned) {
        let mut known = setup.baseline.clone().unwrap_or_default();
        known.merge(learned);
        baseline::save(path, &known)?;
        setup.say(&format!("baseline saved to {}", path.display()));
    }
    Ok(written.manifest.result.as_ref().map_or(Outcome::Done, |findings| setup.judged(findings)))
}
