//! One capture to one report: reads, judges, and writes every file of the report.
//!
//! Knows the order in which the files of a report come to be. Does not know whether there are other captures.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use super::chosen::Chosen;
use super::content_hash::ContentHash;
use super::flow_files::{self, Wanted};
use super::inputs::Input;
use super::setup::Setup;
use crate::analysis;
use crate::capture::FileSource;
use crate::cli::Format;
use crate::detect::Baseline;
use crate::error::Error;
use crate::report::{self, Choices, FileRecord, Findings, Manifest, OutputDir, PendingFile, Provenance, Report};
use crate::stored;
use crate::time;

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

pub(super) fn open(input: &Input) -> Result<FileSource, Error> {
    if input.is_standard_input() {
        return FileSource::from_reader(PathBuf::from("-"), Box::new(io::stdin()));
    }
    FileSource::open(&input.path)
}

/// Nothing if the run was interrupted and the report given up.
pub(super) fn write(
    setup: &Setup<'_>,
    input: &Input,
    mut source: FileSource,
    output: OutputDir,
    hash: ContentHash,
    interrupted: Interrupted,
) -> Result<Option<Written>, Error> {
    let before = stamp(input);
    let size = fs::metadata(&input.path).map(|metadata| metadata.len()).unwrap_or_default();
    let wanted = Wanted { csv: setup.wants(Format::Csv), parquet: setup.wants(Format::Parquet) };
    let read = flow_files::measure(&mut source, &setup.config.base, &setup.options, &output, wanted);
    drop(source);
    let (measured, flow_files) = match read {
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
    let name = input.path.to_string_lossy();
    let chosen = Chosen { only: &setup.args.only, skip: &setup.args.skip };
    let report = analysis::judge_with(&name, &measured, &setup.config, &setup.rules, setup.baseline.as_ref(), &|id| chosen.runs(id))?;
    let learned = setup.args.save_baseline.is_some().then(|| Baseline::of(&measured.tables)).transpose()?;
    output.begin()?;
    let mut files: Vec<FileRecord> = flow_files.into_iter().map(PendingFile::commit).collect::<Result<_, _>>()?;
    if setup.wants(Format::Parquet) {
        files.extend(stored::write(&measured, &output)?);
    }
    drop(measured);
    for artifact in report::render(&report, setup.formats())? {
        files.push(output.write(&artifact.name, &artifact.bytes)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    // A file that grew meanwhile has a hash, but perhaps not that of what was analysed.
    let sha256 = hash.join().filter(|_| stamp(input) == before);
    let input = report::Input { path: name.into_owned(), bytes: size, sha256 };
    let manifest = Manifest {
        provenance: provenance(setup, vec![input])?,
        analysed_at: setup.analysed_at.clone(),
        result: Some(Findings::of(&report)),
        files,
    };
    output.finish(&manifest.files, &manifest.render()?)?;
    Ok(Some(Written { report, manifest, learned }))
}

/// What changes when somebody writes to the input.
fn stamp(input: &Input) -> Option<(u64, SystemTime)> {
    let found = fs::metadata(&input.path).ok()?;
    Some((found.len(), found.modified().ok()?))
}

/// Everything that decides the results.
pub(super) fn provenance(setup: &Setup<'_>, inputs: Vec<report::Input>) -> Result<Provenance, Error> {
    Ok(Provenance {
        tool: "nsm".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        command_line: setup.command_line.to_vec(),
        inputs,
        configuration: serde_json::to_value(&setup.config).map_err(|cause| Error::Internal(cause.to_string()))?,
        choices: Choices {
            formats: setup.args.format.iter().map(|format| format.name()).collect(),
            from: setup.options.from.map(time::rfc3339),
            to: setup.options.to.map(time::rfc3339),
            only: setup.args.only.clone(),
            skip: setup.args.skip.clone(),
        },
        rules: setup.rules.files.iter().map(|file| FileRecord::of(file.path.to_string_lossy(), file.text.as_bytes())).collect(),
        baseline: setup.baseline_file.clone(),
    })
}

/// The files that a report has whatever its capture holds.
pub(super) fn always(setup: &Setup<'_>) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = report::always(setup.formats()).into_iter().map(str::to_owned).collect();
    if setup.wants(Format::Csv) {
        names.push(flow_files::CSV.into());
    }
    if setup.wants(Format::Parquet) {
        names.extend(stored::file_names(&setup.config.base)?);
    }
    Ok(names)
}
