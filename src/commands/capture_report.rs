//! One capture to one report: reads, judges, writes every file of the report, and tells of its alerts.
//!
//! Knows the order in which the files of a report come to be. Does not know whether there are other captures.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::carve;
use super::chosen::Chosen;
use super::content_hash::ContentHash;
use super::flow_files::{self, Wanted};
use super::inputs::{Input, size};
use super::pseudonymize;
use super::report_files;
use super::setup::Setup;
use crate::analysis;
use crate::capture::{Chain, FileSource, Source, filtered};
use crate::cli::Format;
use crate::detect::Baseline;
use crate::error::Error;
use crate::pipeline::Measured;
use crate::report::{self, Choices, FileRecord, Manifest, OutputDir, PendingFile, Provenance, Report, Seal};
use crate::stored;
use crate::time;
use crate::warning::Warning;

/// A report that was written.
pub(super) struct Written {
    pub report: Report,
    pub manifest: Manifest,
    /// What the capture teaches of its hosts, if that is asked for.
    pub learned: Option<Baseline>,
}

/// What to do when the user ends the run while the capture is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// The report is written of what was read.
    Report,
    /// There is none: the next run makes it whole.
    GiveUp,
}

/// An input that can be read, and how far it was read, for another thread.
pub(super) struct Opened {
    pub source: Box<dyn Source>,
    pub position: Arc<AtomicU64>,
    /// Its files before anything was read of them, the hash included.
    pub before: Vec<Option<Stamp>>,
}

/// Only the frames that match the filter, if there is one, are read.
pub(super) fn open(input: &Input, filter: Option<&str>) -> Result<Opened, Error> {
    let opened = open_whole(input)?;
    let source = match filter {
        Some(expression) => filtered(opened.source, expression)?,
        None => opened.source,
    };
    Ok(Opened { source, ..opened })
}

fn open_whole(input: &Input) -> Result<Opened, Error> {
    let before = input.files().iter().map(|path| stamp(path)).collect();
    if !input.parts.is_empty() {
        let chain = Chain::new(&input.parts)?;
        return Ok(Opened { position: chain.progress_counter(), source: Box::new(chain), before });
    }
    let file = if input.is_standard_input() {
        FileSource::from_reader(PathBuf::from("-"), Box::new(io::stdin()))?
    } else {
        FileSource::open(&input.path)?
    };
    Ok(Opened { position: file.progress_counter(), source: Box::new(file), before })
}

/// Nothing if the run was interrupted and the report given up. With a seal, a later batch knows the report again.
pub(super) fn write(
    setup: &Setup<'_>,
    input: &Input,
    (mut source, before): (Box<dyn Source>, &[Option<Stamp>]),
    output: OutputDir,
    hash: ContentHash,
    interrupted: Interrupted,
    seal: Option<&Seal>,
) -> Result<Option<Written>, Error> {
    let read = flow_files::measure(&mut *source, &setup.config.base, &setup.options, &output, Wanted::of(setup));
    drop(source);
    let (mut measured, flow_files) = match read {
        Ok(_) if interrupted == Interrupted::GiveUp && setup.options.stop.load(Ordering::Relaxed) => {
            drop(read);
            output.abandon();
            return Ok(None);
        }
        Ok(read) => read,
        Err(error) => {
            output.abandon();
            return Err(error);
        }
    };
    let has_changed = || input.files().iter().zip(before).any(|(path, before)| stamp(path) != *before);
    if has_changed() {
        measured.warnings.push(Warning::InputChanged);
    }
    let name = input.path.to_string_lossy();
    let mut report = judge(setup, &name, &measured)?;
    let learned = setup.args.save_baseline.is_some().then(|| Baseline::of(&measured.tables)).transpose()?;
    output.begin()?;
    let mut files: Vec<FileRecord> = flow_files.into_iter().map(PendingFile::commit).collect::<Result<_, _>>()?;
    if setup.args.carve {
        let was_changed = has_changed();
        let (carved, warning) = carve::run(input, setup.filter(), &report, &setup.config, &setup.options, &output)?;
        files.extend(carved);
        let changed = (!was_changed && has_changed()).then_some(Warning::InputChanged);
        for warning in warning.into_iter().chain(changed) {
            report.warnings.push(warning.clone());
            measured.warnings.push(warning);
        }
    }
    if setup.wants(Format::Parquet) {
        files.extend(stored::write(&measured, &output)?);
    }
    drop(measured);
    let manifest = Manifest {
        provenance: provenance(setup, &name, recorded(input, before, &report, hash))?,
        analysed_at: setup.analysed_at.clone(),
        result: None,
        files,
    };
    let manifest = report_files::write(&report, manifest, &setup.args.format, output, seal)?;
    setup.tell(&report);
    Ok(Some(Written { report, manifest, learned }))
}

/// What the detectors, the rules and the baseline of this run say of it.
pub(super) fn judge(setup: &Setup<'_>, name: &str, measured: &Measured) -> Result<Report, Error> {
    let chosen = Chosen { only: &setup.args.only, skip: &setup.args.skip };
    analysis::judge_with(name, measured, &setup.config, &setup.rules, setup.baseline.as_ref(), &|id| chosen.runs(id))
}

/// The files of the input, as the manifest names them.
fn recorded(input: &Input, before: &[Option<Stamp>], report: &Report, hash: ContentHash) -> Vec<report::Input> {
    let hashes = hash.join().into_iter().chain(std::iter::repeat(None));
    let record = |((path, before), sha256): ((&PathBuf, &Option<Stamp>), Option<String>)| {
        let shown = path.to_string_lossy().into_owned();
        let first_frame = report.facts.parts.iter().find(|part| part.file == shown).map(|part| part.first_frame);
        // A file that grew meanwhile has a hash, but perhaps not that of what was analysed.
        report::Input { path: shown, bytes: size(path), sha256: sha256.filter(|_| stamp(path) == *before), first_frame }
    };
    input.files().iter().zip(before).zip(hashes).map(record).collect()
}

/// What changes when somebody writes to a file.
pub(super) type Stamp = (u64, SystemTime);

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.len(), found.modified().ok()?))
}

/// Everything that decides the results.
pub(super) fn provenance(setup: &Setup<'_>, capture: &str, inputs: Vec<report::Input>) -> Result<Provenance, Error> {
    let choices = Choices {
        formats: setup.args.format.iter().map(|format| format.name()).collect(),
        from: setup.options.from.map(time::rfc3339),
        to: setup.options.to.map(time::rfc3339),
        filter: setup.filter().map(pseudonymize::filter),
        only: setup.args.only.clone(),
        skip: setup.args.skip.clone(),
        carve: setup.args.carve,
    };
    let made = Provenance::new(setup.command_line, capture, inputs, &setup.config, choices, &setup.rules)?;
    Ok(Provenance { baseline: setup.baseline_file.clone(), ..made })
}

/// The files that a report has whatever its capture holds.
pub(super) fn always(setup: &Setup<'_>) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = report::always(report_files::kinds(&setup.args.format)).into_iter().map(str::to_owned).collect();
    if setup.wants(Format::Csv) {
        names.push(flow_files::CSV.into());
    }
    if setup.wants(Format::Parquet) {
        names.extend(stored::file_names(&setup.config.base)?);
    }
    Ok(names)
}
