//! The reports of a capture that goes on: one for each period, in a directory named for when it began.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};

use super::super::capture_report;
use super::super::flow_files::{FlowFiles, Wanted};
use super::super::report_files;
use super::super::setup::Setup;
use super::desk::ToDesk;
use crate::capture::SourceFacts;
use crate::cli::Format;
use crate::error::Error;
use crate::pipeline::{Measured, Period};
use crate::report::{FileRecord, Manifest, OutputDir, PendingFile, Report};
use crate::stored;
use crate::table::Ended;
use crate::time::{self, Nanos};
use crate::warning::Warning;

/// Lots of ended connections that may wait for the writer: some seconds of a busy network on a disk that is slow.
const AHEAD: usize = 1_024;

pub(super) struct Periods<'a> {
    setup: &'a Setup<'a>,
    name: String,
    top: PathBuf,
}

/// A period that is going on: where its report will be, and its connections on their way there.
pub(super) struct Open {
    place: PathBuf,
    files: Result<(OutputDir, FlowFiles), Error>,
}

/// A period that has ended, with what is known of it beside its tables.
pub(super) struct Closed {
    pub period: Period,
    pub open: Open,
    pub facts: SourceFacts,
    pub warnings: Vec<Warning>,
    /// The latest packet time.
    pub latest: Nanos,
}

/// What was found in a period, and whether its report could be written.
pub(super) struct Verdict {
    pub report: Report,
    pub place: PathBuf,
    pub written: Result<(), Error>,
    /// The latest packet time, if the capture goes on.
    pub goes_on: Option<Nanos>,
}

impl Open {
    /// Connections that have ended, for the report.
    pub(super) fn offer(&mut self, ended: &[Ended]) {
        if let Ok((_, flows)) = &mut self.files {
            flows.offer(ended);
        }
    }
}

impl<'a> Periods<'a> {
    pub(super) fn begin(setup: &'a Setup<'a>, name: &str) -> Result<Self, Error> {
        let inside = directory_name(name);
        OutputDir::check_below(&setup.args.output, Path::new(&inside))?;
        let top = setup.args.output.join(inside);
        OutputDir::plain(&top)?;
        Ok(Self { setup, name: name.to_owned(), top })
    }

    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// A period that begins at this packet time.
    pub(super) fn open(&self, begins: Nanos) -> Open {
        let moment = time::rfc3339(begins).replace(':', "-");
        let moment = moment.split('.').next().unwrap_or_default();
        let names = std::iter::once(format!("{moment}Z")).chain((2..).map(|number| format!("{moment}Z-{number}")));
        // More than one in a second is rare, and soon found.
        let free = names.map(|name| self.top.join(name)).find(|place| std::fs::symlink_metadata(place).is_err());
        let place = free.unwrap_or_else(|| self.top.clone());
        let begun = OutputDir::create(&place, false);
        let files = begun.and_then(|output| FlowFiles::begin(&output, Wanted::of(self.setup), AHEAD).map(|flows| (output, flows)));
        Open { place, files }
    }

    /// Writes the reports of periods as they come, and says of each that it is done.
    pub(super) fn write_all(&self, closed: &Receiver<Closed>, desk: &Sender<ToDesk>, done: &Sender<()>) {
        for Closed { period, open, facts, warnings, latest } in closed {
            let measured = period.finish(facts, warnings, &mut |_| Ok(()));
            let letter = match measured.and_then(|measured| self.report(measured, open, Some(latest))) {
                Ok(verdict) => ToDesk::Settled(Box::new(verdict)),
                Err(error) => ToDesk::Problem(error),
            };
            // Who is gone needs no answer.
            let _ = desk.send(letter);
            let _ = done.send(());
        }
    }

    /// A period of a capture in which nothing came.
    pub(super) fn open_empty(&self) -> Open {
        self.open(time::parse(&self.setup.analysed_at).unwrap_or_default())
    }

    /// Judges a period as a whole and writes its report. A report that cannot be written is no reason to stop.
    pub(super) fn report(&self, mut measured: Measured, open: Open, goes_on: Option<Nanos>) -> Result<Verdict, Error> {
        let Open { place, files } = open;
        let files = files.map(|(output, flows)| {
            let (files, lost, problem) = flows.end_offered();
            if lost > 0 || problem.is_some() {
                let problem = problem.map_or_else(|| "the disk was too slow".into(), |problem| problem.to_string());
                measured.warnings.push(Warning::FlowsLost { connections: lost, problem });
            }
            (output, files)
        });
        let report = capture_report::judge(self.setup, &self.name, &measured)?;
        let written = files.and_then(|(output, files)| self.write(&report, measured, files, output));
        Ok(Verdict { report, place, written, goes_on })
    }

    fn write(&self, report: &Report, measured: Measured, files: Vec<PendingFile>, output: OutputDir) -> Result<(), Error> {
        output.begin()?;
        let mut files: Vec<FileRecord> = files.into_iter().map(PendingFile::commit).collect::<Result<_, _>>()?;
        if self.setup.wants(Format::Parquet) {
            files.extend(stored::write(&measured, &output)?);
        }
        drop(measured);
        let manifest = Manifest {
            provenance: capture_report::provenance(self.setup, &self.name, Vec::new())?,
            analysed_at: self.setup.analysed_at.clone(),
            result: None,
            files,
        };
        report_files::write(report, manifest, &self.setup.args.format, output).map(drop)
    }
}

/// The name of an interface as that of a directory.
fn directory_name(interface: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '@');
    let name: String = interface.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    format!("live-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_interface_leads_out_of_the_directory() {
        let names = ["eth0", "stdin", "../x", "wlan 0/1", ".."].map(directory_name);
        assert_eq!(names, ["live-eth0", "live-stdin", "live-.._x", "live-wlan_0_1", "live-.."]);
    }
}
