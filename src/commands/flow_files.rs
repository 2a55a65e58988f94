//! `flows.csv` and `tables/flows.parquet`: written by a thread of its own while the capture is read.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::capture::Source;
use crate::config::Settings;
use crate::error::Error;
use crate::pipeline::{self, Measured, Options};
use crate::report::flows::FlowsCsv;
use crate::report::{OutputDir, PendingFile};
use crate::stored::{self, FlowsParquet};
use crate::table::Ended;

/// Lots of ended connections that may wait for the writer.
const AHEAD: usize = 4;

pub(super) const CSV: &str = "flows.csv";

/// Which of the two files are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub csv: bool,
    pub parquet: bool,
}

/// Reads the capture and writes its connections meanwhile. The files take their names when they are committed.
pub(super) fn measure(
    source: &mut dyn Source,
    settings: &Settings,
    options: &Options,
    output: &OutputDir,
    wanted: Wanted,
) -> Result<(Measured, Vec<PendingFile>), Error> {
    if wanted == (Wanted { csv: false, parquet: false }) {
        return Ok((pipeline::measure(source, settings, options, &mut |_| Ok(()))?, Vec::new()));
    }
    let csv = wanted.csv.then(|| output.writer(CSV)).transpose()?;
    let parquet = wanted.parquet.then(|| output.writer(&stored::file_name(stored::FLOWS))).transpose()?;
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        let writer = scope.spawn(move || write(csv, parquet, &receiver));
        let measured = pipeline::measure(source, settings, options, &mut |ended| {
            // A writer that has stopped says why when it is joined.
            let _ = sender.send(ended.to_vec());
            Ok(())
        });
        drop(sender);
        let files = writer.join().map_err(|_| Error::Internal("the writer of connections stopped".into()))??;
        Ok((measured?, files))
    })
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
