//! The report of a monitor as a directory, with the files of `nsm analyze` but the connections one by one.

use std::path::Path;

use crate::config::Config;
use crate::error::Error;
use crate::pipeline::Measured;
use crate::report::{self, Choices, Findings, Formats, Manifest, OutputDir, Provenance, Report};
use crate::rules::Rules;
use crate::stored;
use crate::time::rfc3339;

const ALL: Formats = Formats { json: true, csv: true, png: true, html: true };
const NAMES: [&str; 5] = ["csv", "html", "json", "parquet", "png"];

/// Writes it; what a report is there is replaced only if `replace`.
pub(super) fn write(report: &Report, measured: &Measured, config: &Config, dir: &Path, replace: bool) -> Result<Manifest, Error> {
    let output = OutputDir::create(dir, replace)?;
    output.begin()?;
    let choices = Choices { formats: NAMES.map(str::to_owned).to_vec(), ..Choices::default() };
    let provenance = Provenance::new(&[], &report.input, Vec::new(), config, choices, &Rules::default())?;
    let mut files = stored::write(measured, &output)?;
    for artifact in report::render(report, &provenance, ALL)? {
        files.push(output.write(&artifact.name, &artifact.bytes)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    // A library asks no clock: the verdict is as of the last moment it was told of.
    let analysed_at = rfc3339(report.span.unwrap_or_default().1);
    let manifest = Manifest { provenance, analysed_at, result: Some(Findings::of(report)), files };
    output.finish(&manifest.files, &manifest.render()?, None)?;
    Ok(manifest)
}
