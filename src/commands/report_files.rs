//! The files of a report that are written from its result alone, and the manifest that closes it.

use crate::cli::Format;
use crate::error::Error;
use crate::report::{self, Findings, Formats, Manifest, OutputDir, Report};

/// Writes them beside those that the manifest lists already. The manifest comes last.
pub(super) fn write(report: &Report, mut manifest: Manifest, formats: &[Format], output: OutputDir) -> Result<(), Error> {
    for artifact in report::render(report, kinds(formats))? {
        manifest.files.push(output.write(&artifact.name, &artifact.bytes)?);
    }
    manifest.files.sort_by(|a, b| a.name.cmp(&b.name));
    manifest.result = Some(Findings::of(report));
    output.finish(&manifest.files, &manifest.render()?)
}

fn kinds(formats: &[Format]) -> Formats {
    let wants = |format| formats.contains(&format);
    Formats { json: wants(Format::Json), csv: wants(Format::Csv), png: wants(Format::Png) }
}
