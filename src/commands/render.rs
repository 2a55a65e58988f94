//! `nsm report`: the files of a report written again from its stored tables.

use std::io::Write;
use std::path::PathBuf;

use super::inputs::Input;
use super::setup::spared;
use super::stored_report::{StoredReport, find};
use super::{Outcome, print, report_files};
use crate::cli::{Format, Render};
use crate::error::Error;
use crate::report::{OutputDir, visible};

pub(super) fn run(args: &Render, out: &mut dyn Write) -> Result<Outcome, Error> {
    let found = find(&args.reports)?;
    let mut outcome = Outcome::Done;
    for place in &found {
        match one(args, place) {
            Ok(written) => print(out, &format!("{}\n", visible(&written.to_string_lossy())))?,
            Err(error) if found.len() > 1 => outcome = outcome.max(spared(place, &error)),
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

fn one(args: &Render, found: &Input) -> Result<PathBuf, Error> {
    let stored = StoredReport::open(&found.path)?;
    let verdict = stored.verdict(&[], None)?;
    let measured = stored.measured(verdict.rules.ask_for_flows())?;
    let report = verdict.on(stored.capture(), &measured)?;
    drop(measured);
    let mut manifest = stored.manifest.clone();
    // The verdict is that of this version, whichever measured.
    env!("CARGO_PKG_VERSION").clone_into(&mut manifest.provenance.version);
    let choices = &mut manifest.provenance.choices;
    if let Some(output) = &args.output {
        OutputDir::check_below(output, &found.report)?;
    }
    let place = args.output.as_ref().map_or_else(|| found.path.clone(), |output| output.join(&found.report));
    let formats = if args.output.is_some() {
        args.format.clone()
    } else {
        // What was there in other formats is written too, lest the files of one report tell two stories.
        Format::ALL.into_iter().filter(|format| args.format.contains(format) || choices.formats.contains(&format.name())).collect()
    };
    choices.formats = formats.iter().map(|format| format.name()).collect();
    if args.output.is_some() {
        choices.carve = false;
        stored.spare(&place)?;
        let output = OutputDir::create(&place, args.force)?;
        output.begin()?;
        manifest.files = stored.copy_measured(&output, &formats)?;
        report_files::write(&report, manifest, &formats, output)?;
    } else {
        manifest.files = stored.keep_measured(&report)?;
        let output = OutputDir::create(&place, true)?;
        output.begin()?;
        report_files::write(&report, manifest, &formats, output)?;
    }
    Ok(place)
}
