//! The reports of a capture that goes on: one for each period, in a directory named for when it began.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use rayon::ThreadPool;

use super::super::capture_report;
use super::super::flow_files::{FlowFiles, Wanted};
use super::super::report_files;
use super::super::setup::Setup;
use super::desk::ToDesk;
use crate::capture::SourceFacts;
use crate::cli::Format;
use crate::error::Error;
use crate::panics;
use crate::pipeline::{Measured, Period};
use crate::report::{FileRecord, Manifest, OutputDir, PendingFile, Report};
use crate::stored;
use crate::table::Ended;
use crate::time::{self, Nanos};
use crate::warning::Warning;

/// Connections that may wait for a slow disk: some 50 MB, and ten seconds of a network with 10 000 of them a second.
const MOST_WAITING: usize = 100_000;

pub(super) struct Periods<'a> {
    setup: &'a Setup<'a>,
    name: String,
    top: PathBuf,
    /// Threads for judging: the one that measures shares its own with nobody.
    judging: &'a ThreadPool,
}

/// A period that is going on: its connections are on their way to files that a thread of its own makes, so that nobody
/// waits for the disk.
pub(super) struct Open {
    sender: Sender<Vec<Ended>>,
    waiting: Arc<AtomicUsize>,
    keeper: JoinHandle<Result<Kept, Error>>,
    /// Connections that the keeper took, and those that it had no room for.
    taken: u64,
    lost: u64,
}

/// What is there of a report before it is written: its directory, and the connections; or why they are missing.
struct Kept {
    place: PathBuf,
    output: OutputDir,
    flows: Result<Vec<PendingFile>, Error>,
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
    /// Connections that have ended, for the report. Those that find no room are counted.
    pub(super) fn offer(&mut self, ended: &[Ended]) {
        let has_room = self.waiting.load(Ordering::Relaxed) + ended.len() <= MOST_WAITING;
        // Counted before it is sent: who takes it counts it back.
        self.waiting.fetch_add(ended.len(), Ordering::Relaxed);
        if has_room && self.sender.send(ended.to_vec()).is_ok() {
            self.taken += ended.len() as u64;
        } else {
            self.waiting.fetch_sub(ended.len(), Ordering::Relaxed);
            self.lost += ended.len() as u64;
        }
    }
}

impl Kept {
    /// Makes the directory of a period that began then, and writes its connections as they come.
    fn keep(top: &Path, begins: Nanos, wanted: Wanted, connections: &Receiver<Vec<Ended>>, waiting: &AtomicUsize) -> Result<Self, Error> {
        let (place, output) = directory(top, begins)?;
        let flows = FlowFiles::begin(&output, wanted).and_then(|flows| {
            for ended in connections {
                let number = ended.len();
                flows.take(&ended);
                waiting.fetch_sub(number, Ordering::Relaxed);
            }
            flows.end()
        });
        Ok(Self { place, output, flows })
    }
}

/// A new directory for the report of a period that began then.
fn directory(top: &Path, begins: Nanos) -> Result<(PathBuf, OutputDir), Error> {
    let moment = time::rfc3339(begins).replace(':', "-");
    let moment = moment.split('.').next().unwrap_or_default();
    let names = std::iter::once(format!("{moment}Z")).chain((2..).map(|number| format!("{moment}Z-{number}")));
    for place in names.map(|name| top.join(name)) {
        // Who makes it has it: another nsm may watch the same.
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&place) {
            Ok(()) => return OutputDir::create(&place, false).map(|output| (place, output)),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(Error::Write { path: place, cause }),
        }
    }
    Err(Error::Internal("no name is left for a report".into()))
}

impl<'a> Periods<'a> {
    pub(super) fn begin(setup: &'a Setup<'a>, name: &str, judging: &'a ThreadPool) -> Result<Self, Error> {
        let inside = directory_name(name);
        OutputDir::check_below(&setup.args.output, Path::new(&inside))?;
        let top = setup.args.output.join(inside);
        OutputDir::plain(&top)?;
        Ok(Self { setup, name: name.to_owned(), top, judging })
    }

    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// A period that begins at this packet time.
    pub(super) fn open(&self, begins: Nanos) -> Open {
        let (sender, connections) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (top, wanted, count) = (self.top.clone(), Wanted::of(self.setup), Arc::clone(&waiting));
        let keeper = thread::spawn(move || Kept::keep(&top, begins, wanted, &connections, &count));
        Open { sender, waiting, keeper, taken: 0, lost: 0 }
    }

    /// Writes the reports of periods as they come, and says of each that it is done.
    pub(super) fn write_all(&self, closed: &Receiver<Closed>, desk: &Sender<ToDesk>, done: &Sender<()>) {
        for Closed { period, open, facts, warnings, latest } in closed {
            let judged = self.judging.install(|| {
                panics::caught(|| {
                    let measured = period.finish(facts, warnings, &mut |_| Ok(()))?;
                    self.report(measured, open, Some(latest))
                })
            });
            let letter = match judged.unwrap_or_else(|problem| Err(Error::Internal(problem))) {
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
        let Open { sender, keeper, taken, lost, .. } = open;
        drop(sender);
        let kept = keeper.join().map_err(|_| Error::Internal("the writer of connections stopped".into()))?;
        // Where there was no room at the beginning, there may be now.
        let began = measured.span.map_or(0, |(first, _)| first);
        let kept = kept.or_else(|error| directory(&self.top, began).map(|(place, output)| Kept { place, output, flows: Err(error) }));
        let (place, output, files) = match kept {
            Ok(Kept { place, output, flows }) => {
                let problem = flows.as_ref().err().map(ToString::to_string);
                let missing = if problem.is_some() { taken + lost } else { lost };
                if missing > 0 {
                    let problem = problem.unwrap_or_else(|| "the disk was too slow".into());
                    measured.warnings.push(Warning::FlowsLost { connections: missing, problem });
                }
                (place, Ok(output), flows.unwrap_or_default())
            }
            Err(error) => (self.top.clone(), Err(error), Vec::new()),
        };
        let report = capture_report::judge(self.setup, &self.name, &measured)?;
        let written = output.and_then(|output| self.write(&report, measured, files, output));
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
        report_files::write(report, manifest, &self.setup.args.format, output, None).map(drop)
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
