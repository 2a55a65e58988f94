//! `flows.csv` and `tables/flows.parquet`: written by a thread of its own while the capture is read.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::setup::Setup;
use crate::capture::Source;
use crate::cli::Format;
use crate::config::Settings;
use crate::error::Error;
use crate::pipeline::{self, Measured, Options};
use crate::report::flows::FlowsCsv;
use crate::report::{OutputDir, PendingFile};
use crate::stored::{self, FlowsParquet};
use crate::table::Ended;

/// Lots of ended connections that may wait for the writer ...
const AHEAD: usize = 4;
/// ... and how many a lot is at most: at the end of a flood hundreds of thousands end at once, some 300 bytes each.
const LOT: usize = 16_384;

pub(super) const CSV: &str = "flows.csv";

/// Which of the two files are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub csv: bool,
    pub parquet: bool,
}

impl Wanted {
    pub(super) fn of(setup: &Setup<'_>) -> Self {
        Self { csv: setup.wants(Format::Csv), parquet: setup.wants(Format::Parquet) }
    }
}

/// Reads the capture and writes its connections meanwhile. The files take their names when they are committed.
pub(super) fn measure(
    source: &mut dyn Source,
    settings: &Settings,
    options: &Options,
    output: &OutputDir,
    wanted: Wanted,
) -> Result<(Measured, Vec<PendingFile>), Error> {
    let files = FlowFiles::begin(output, wanted)?;
    let measured = pipeline::measure(source, settings, options, &mut |ended| {
        files.take(ended);
        Ok(())
    });
    let files = files.end()?;
    Ok((measured?, files))
}

/// The files while they are written; none if none is wanted.
pub(super) struct FlowFiles {
    writer: Option<Writer>,
}

struct Writer {
    sender: SyncSender<Vec<Ended>>,
    thread: JoinHandle<Result<Vec<PendingFile>, Error>>,
}

impl FlowFiles {
    pub(super) fn begin(output: &OutputDir, wanted: Wanted) -> Result<Self, Error> {
        let csv = wanted.csv.then(|| output.writer(CSV)).transpose()?;
        let parquet = wanted.parquet.then(|| output.writer(&stored::file_name(stored::FLOWS))).transpose()?;
        if csv.is_none() && parquet.is_none() {
            return Ok(Self { writer: None });
        }
        let (sender, receiver) = sync_channel(AHEAD);
        let thread = thread::spawn(move || write(csv, parquet, &receiver));
        Ok(Self { writer: Some(Writer { sender, thread }) })
    }

    /// Hands connections to the writer, and waits while it is too far behind.
    pub(super) fn take(&self, ended: &[Ended]) {
        if let Some(writer) = &self.writer {
            // A writer that has stopped says why at the end.
            let _ = ended.chunks(LOT).try_for_each(|lot| writer.sender.send(lot.to_vec()));
        }
    }

    /// The files, complete but for their names.
    pub(super) fn end(self) -> Result<Vec<PendingFile>, Error> {
        let Some(Writer { sender, thread }) = self.writer else { return Ok(Vec::new()) };
        drop(sender);
        thread.join().map_err(|_| Error::Internal("the writer of connections stopped".into()))?
    }
}

fn write(
    mut csv: Option<PendingFile>,
    mut parquet: Option<PendingFile>,
    receiver: &Receiver<Vec<Ended>>,
) -> Result<Vec<PendingFile>, Error> {
    write_all(csv.as_mut(), parquet.as_mut(), receiver)?;
    Ok(csv.into_iter().chain(parquet).collect())
}

fn write_all(csv: Option<&mut PendingFile>, parquet: Option<&mut PendingFile>, receiver: &Receiver<Vec<Ended>>) -> Result<(), Error> {
    let failed = |name: &str| {
        let path = name.into();
        move |cause| Error::Write { path, cause }
    };
    let parquet_name = stored::file_name(stored::FLOWS);
    let mut csv = csv.map(FlowsCsv::new).transpose().map_err(failed(CSV))?;
    let mut parquet = parquet.map(FlowsParquet::new).transpose()?;
    for ended in receiver {
        if let Some(csv) = &mut csv {
            csv.write(&ended).map_err(failed(CSV))?;
        }
        if let Some(parquet) = &mut parquet {
            parquet.write(&ended).map_err(failed(&parquet_name))?;
        }
    }
    parquet.map_or(Ok(()), FlowsParquet::finish).map_err(failed(&parquet_name))
}
