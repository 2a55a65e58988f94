//! `nsm judge`: another verdict on stored tables, and how it differs from the report's.

use std::io::Write;
use std::path::Path;

use super::chosen::Chosen;
use super::inputs::Input;
use super::setup::spared;
use super::stored_report::{StoredReport, Verdict, find};
use super::{Outcome, changed, now, print, report_files};
use crate::cli::Judge;
use crate::config::{Config, SECTIONS};
use crate::error::Error;
use crate::report::{Choices, Difference, Manifest, OutputDir, Provenance, Report, Told, alert_lines, visible};
use crate::warning::Warning;

pub(super) fn run(args: &Judge, command_line: &[String], out: &mut dyn Write) -> Result<Outcome, Error> {
    let found = find(&args.reports)?;
    let mut outcome = Outcome::Done;
    for place in &found {
        outcome = outcome.max(match one(args, place, command_line, out) {
            Err(error) if found.len() > 1 => spared(place, &error),
            judged => judged?,
        });
    }
    Ok(outcome)
}

fn one(args: &Judge, place: &Input, command_line: &[String], out: &mut dyn Write) -> Result<Outcome, Error> {
    let stored = StoredReport::open(&place.path)?;
    let verdict = verdict(args, &stored)?;
    let mut measured = stored.measured(verdict.rules.ask_for_flows())?;
    // The packets of the alerts belong to the report that is judged.
    measured.warnings.retain(|warning| !matches!(warning, Warning::Carved { .. }));
    let report = verdict.on(stored.capture(), &measured)?;
    drop(measured);
    print(out, &told(&place.path, &stored.told()?, &report)?)?;
    if let Some(output) = &args.output {
        OutputDir::check_below(output, &place.report)?;
        write(args, &stored, &verdict, &report, &output.join(&place.report), command_line)?;
    }
    let reached = args.fail_on.is_some_and(|limit| report.alerts.iter().any(|alert| alert.severity >= limit));
    Ok(if reached { Outcome::Alerts } else { Outcome::Done })
}

/// The report's own, with what the command line changes.
fn verdict(args: &Judge, stored: &StoredReport) -> Result<Verdict, Error> {
    let mut verdict = stored.verdict(&args.rules, args.baseline.as_deref())?;
    verdict.config = changed(stored.config.clone(), &args.settings)?;
    refuse_other_tables(&stored.config, &verdict.config)?;
    if !args.only.is_empty() {
        verdict.only.clone_from(&args.only);
    }
    if !args.skip.is_empty() {
        verdict.skip.clone_from(&args.skip);
    }
    Chosen { only: &verdict.only, skip: &verdict.skip }.check(&verdict.rules, &verdict.config)?;
    Ok(verdict)
}

/// The tables are what they are: what shapes them can only be chosen when packets are read.
fn refuse_other_tables(then: &Config, now: &Config) -> Result<(), Error> {
    let shaping = SECTIONS.iter().filter(|section| section.shapes_tables).flat_map(|section| section.settings);
    for setting in shaping {
        if then.base.get(setting.path) != now.base.get(setting.path) {
            let problem = "shapes the tables, and those are stored already; analyze the capture again to change it".to_owned();
            return Err(Error::Setting { key: setting.path.to_owned(), problem });
        }
    }
    Ok(())
}

/// What differs, worst first.
fn told(dir: &Path, before: &[Told], report: &Report) -> Result<String, Error> {
    let lines = String::from_utf8_lossy(&alert_lines(report)?).into_owned();
    let after = Told::all(&lines).map_err(Error::Internal)?;
    let difference = Difference::of(before, &after);
    let (stays, changes): (Vec<_>, Vec<_>) = difference.both.iter().partition(|(old, new)| old.line == new.line);
    let line = |mark: &str, told: &Told| {
        format!("  {mark:<3} {:<8}  {:<20}  {}\n", told.severity.name(), visible(&told.kind), visible(&told.title))
    };
    let mut text = format!(
        "{}: {} appear, {} disappear, {} change, {} stay\n",
        visible(&dir.to_string_lossy()),
        difference.only_after.len(),
        difference.only_before.len(),
        changes.len(),
        stays.len()
    );
    text.extend(difference.only_after.iter().map(|told| line("+", told)));
    text.extend(difference.only_before.iter().map(|told| line("-", told)));
    for (old, new) in changes {
        text.push_str(&line("~", new));
        if old.severity != new.severity {
            text.push_str(&line("was", old));
        }
    }
    Ok(text)
}

fn write(args: &Judge, stored: &StoredReport, verdict: &Verdict, report: &Report, to: &Path, command_line: &[String]) -> Result<(), Error> {
    stored.spare(to)?;
    let output = OutputDir::create(to, args.force)?;
    output.begin()?;
    let then = &stored.manifest.provenance;
    let choices = Choices {
        formats: args.format.iter().map(|format| format.name()).collect(),
        only: verdict.only.clone(),
        skip: verdict.skip.clone(),
        carve: false,
        ..then.choices.clone()
    };
    let made = Provenance::new(command_line, &then.capture, then.inputs.clone(), &verdict.config, choices, &verdict.rules)?;
    let provenance = Provenance { baseline: verdict.baseline.as_ref().map(|(_, file)| file.clone()), ..made };
    let files = stored.copy_measured(&output, &args.format)?;
    report_files::write(report, Manifest { provenance, analysed_at: now(), result: None, files }, &args.format, output, None).map(|_| ())
}
