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
    let (report, _) = stored.judged()?;
    let mut manifest = stored.manifest.clone();
    // The verdict is that of this version, whichever measured.
    env!("CARGO_PKG_VERSION").clone_into(&mut manifest.provenance.version);
    let choices = &mut manifest.provenance.choices;
    let (place, formats, output);
    if let Some(top) = &args.output {
        OutputDir::check_below(top, &found.report)?;
        place = top.join(&found.report);
        stored.spare(&place)?;
        formats = args.format.clone();
        choices.carve = false;
        output = OutputDir::create(&place, args.force)?;
        output.begin()?;
        manifest.files = stored.copy_measured(&output, &formats)?;
    } else {
        place = found.path.clone();
        // What was there in other formats is written too, lest the files of one report tell two stories.
        let wanted = |format: &Format| args.format.contains(format) || choices.formats.contains(&format.name());
        formats = Format::ALL.into_iter().filter(wanted).collect();
        manifest.files = stored.keep_measured(&report)?;
        output = OutputDir::create(&place, true)?;
        output.begin()?;
    }
    choices.formats = formats.iter().map(|format| format.name()).collect();
    report_files::write(&report, manifest, &formats, output, None)?;
    Ok(place)
}
