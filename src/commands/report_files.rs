//! The files of a report that are written from its result alone, and the manifest that closes it.

use crate::cli::Format;
use crate::error::Error;
use crate::report::{self, Findings, Formats, Manifest, OutputDir, Report, Seal};

/// Writes them beside those that the manifest lists already, and then the manifest, with a seal if it is to be known again.
pub(super) fn write(
    report: &Report,
    mut manifest: Manifest,
    formats: &[Format],
    output: OutputDir,
    seal: Option<&Seal>,
) -> Result<Manifest, Error> {
    for artifact in report::render(report, &manifest.provenance, kinds(formats))? {
        manifest.files.push(output.write(&artifact.name, &artifact.bytes)?);
    }
    manifest.files.sort_by(|a, b| a.name.cmp(&b.name));
    manifest.result = Some(Findings::of(report));
    output.finish(&manifest.files, &manifest.render()?, seal)?;
    Ok(manifest)
}

/// What [`report::render`] knows of; tables are written where they are.
pub(super) fn kinds(formats: &[Format]) -> Formats {
    let wants = |format| formats.contains(&format);
    Formats { json: wants(Format::Json), csv: wants(Format::Csv), png: wants(Format::Png), html: wants(Format::Html) }
}
