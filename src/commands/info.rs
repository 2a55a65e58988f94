//! `nsm info`: facts and a verdict on each capture, to standard output.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::capture_report::{self, Opened};
use super::content_hash::ContentHash;
use super::inputs::{self, Input};
use super::progress::Progress;
use super::setup::{complain, told};
use super::{Outcome, print};
use crate::analysis;
use crate::capture::Source;
use crate::cli::{InfoArgs, Terminal};
use crate::config::Config;
use crate::decode::{Seen, Survey};
use crate::detect::Quality;
use crate::error::Error;
use crate::pipeline::{self, Measured, Options};
use crate::report::{self, Info};
use crate::warning::Warning;

pub(super) fn run(args: &InfoArgs, terminal: Terminal, out: &mut dyn Write) -> Result<Outcome, Error> {
    let inputs = inputs::collect(&args.paths, None).all;
    let (mut shown, mut outcome) = (0_usize, Outcome::Done);
    for input in &inputs {
        match one(input, terminal) {
            Ok(info) => {
                let between = if shown > 0 && !args.json { "\n" } else { "" };
                let text = if args.json { report::info_json(&info)? } else { report::info(&info) };
                print(out, &format!("{between}{text}"))?;
                shown += 1;
                outcome = outcome.max(if info.warnings.iter().any(Warning::is_damage) { Outcome::Damaged } else { Outcome::Done });
            }
            // Other files of a directory need not be captures.
            Err(Error::NotACapture { .. }) if input.found => {}
            Err(error) if inputs.len() > 1 => {
                complain(&format!("error: {}", told(&error)));
                outcome = outcome.max(Outcome::Damaged);
            }
            Err(error) => return Err(error),
        }
    }
    if shown == 0 {
        complain("no capture could be read");
        return Ok(Outcome::NothingAnalysed);
    }
    Ok(outcome)
}

fn one(input: &Input, terminal: Terminal) -> Result<Info, Error> {
    let is_file = fs::metadata(&input.path).is_ok_and(|metadata| metadata.is_file());
    let size = fs::metadata(&input.path).ok().filter(|_| is_file).map(|metadata| metadata.len());
    // A directory may hold large files that are no captures: whoever is not read is not hashed.
    let Opened { mut source, position, .. } = capture_report::open(input, None)?;
    let hash = ContentHash::begin(input, &Arc::default());
    let progress = Progress::start(&input.path.to_string_lossy(), size.unwrap_or_default(), position, terminal.quiet);
    let (measured, seen) = measure(&mut *source)?;
    drop(progress);
    Ok(facts(&input.path, size, hash.join().pop().flatten(), measured, seen))
}

/// Reads the capture once, as an analysis does, and looks at more of the frames.
fn measure(source: &mut dyn Source) -> Result<(Measured, Seen), Error> {
    let mut survey = Survey::new(source);
    let measured = pipeline::measure(&mut survey, &Config::default().base, &Options::default(), &mut |_| Ok(()))?;
    Ok((measured, survey.seen))
}

fn facts(path: &Path, size: Option<u64>, sha256: Option<String>, measured: Measured, seen: Seen) -> Info {
    let capture = analysis::capture(&measured, Some(seen.checksums));
    let protocols = analysis::protocols(&measured.layers, &measured.tables);
    Info {
        file: path.to_string_lossy().into_owned(),
        size,
        sha256,
        quality: Quality::of(&capture, &measured.tables),
        protocols,
        hosts: measured.tables.hosts.len() as u64,
        flows: measured.tables.flows,
        facts: measured.facts,
        accounting: measured.accounting,
        seen,
        span: measured.span,
        warnings: measured.warnings,
    }
}
