//! `nsm report`: the files of a report written again from its stored tables.

use std::io::Write;

use super::stored_report::{Found, StoredReport, find};
use super::{Outcome, print, report_files};
use crate::cli::{Format, Render};
use crate::error::Error;
use crate::report::{OutputDir, visible};

pub(super) fn run(args: &Render, out: &mut dyn Write) -> Result<Outcome, Error> {
    for found in find(&args.reports)? {
        let place = one(args, &found)?;
        print(out, &format!("{}\n", visible(&place.to_string_lossy())))?;
    }
    Ok(Outcome::Done)
}

fn one(args: &Render, found: &Found) -> Result<std::path::PathBuf, Error> {
    let stored = StoredReport::open(&found.dir)?;
    let verdict = stored.verdict(&[], None)?;
    let measured = stored.measured(verdict.rules.ask_for_flows())?;
    let report = verdict.on(stored.input(), &measured)?;
    drop(measured);
    let mut manifest = stored.manifest.clone();
    let choices = &mut manifest.provenance.choices;
    let place = args.output.as_ref().map_or_else(|| found.dir.clone(), |output| output.join(&found.inside));
    if args.output.is_some() {
        let output = OutputDir::create(&place, args.force)?;
        output.begin()?;
        choices.formats = args.format.iter().map(|format| format.name()).collect();
        manifest.files = stored.copy_measured(&output, |_| true)?;
        report_files::write(&report, manifest, &args.format, output)?;
    } else {
        // What was there in other formats is written too, lest the files of one report tell two stories.
        let formats: Vec<Format> =
            Format::ALL.into_iter().filter(|format| args.format.contains(format) || choices.formats.contains(&format.name())).collect();
        choices.formats = formats.iter().map(|format| format.name()).collect();
        let output = OutputDir::create(&place, true)?;
        manifest.files = stored.only_from_packets();
        report_files::write(&report, manifest, &formats, output)?;
    }
    Ok(place)
}
