//! What was measured of a capture, as files: everything that a verdict is made from, without a packet.
//!
//! `tables/*.parquet` are the tables, one file each; `tables/capture.json` is what belongs to no row. Read
//! back they give the same [`Measured`], so that [`crate::analysis::judge`] gives the same alerts. This
//! module knows how a table looks in a file; it does not know what a detector makes of it.
//!
//! # The schema, version 1
//!
//! `nsm rules columns` lists the columns of most tables with their meaning. In the files
//!
//! - every column of addresses is text (`source`), with the 16 bytes beside it (`source_bytes`; IPv4 as
//!   ::ffff:a.b.c.d);
//! - moments (`ts`, `minute`, `first_ts`, ...) are nanoseconds since 1970-01-01 UTC, durations nanoseconds;
//! - `first_ord` and `last_ord` are frame numbers of the capture, from 1;
//! - hardware addresses (`mac`, `frame_src`) are numbers of 48 bits;
//! - sets (`sources`, `hosts`, `names`, ...) are binary: at most 64 hashes of 8 bytes, or 1 024 registers of a
//!   HyperLogLog.
//!
//! The footer of each file says `nsm.schema_version` and `nsm.table`. The version is raised when a column
//! changes its meaning or goes; new columns may come without it.

mod capture;
mod flows;
mod frames;
mod small;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use polars::prelude::DataFrame;

pub use flows::FlowsParquet;

use crate::config::Settings;
use crate::error::Error;
use crate::panics;
use crate::pipeline::Measured;
use crate::report::{FileRecord, OutputDir};
use crate::table::{self, Store, Tables};

/// Directory of the tables within a report.
pub const DIRECTORY: &str = "tables";
/// Connections one by one, written while they end ([`FlowsParquet`]).
pub const FLOWS: &str = "flows";
const CAPTURE: &str = "capture.json";
/// More than any `capture.json` of ours.
const CAPTURE_LIMIT: u64 = 64 << 20;

/// The name of a table's file within a report.
#[must_use]
pub fn file_name(table: &str) -> String {
    format!("{DIRECTORY}/{table}.parquet")
}

/// Writes everything but [`FLOWS`].
///
/// # Errors
/// When a file cannot be written.
pub fn write(measured: &Measured, output: &OutputDir) -> Result<Vec<FileRecord>, Error> {
    let tables = &measured.tables;
    let small = small::frames(tables)?;
    let small = small.iter().map(|(name, frame)| (*name, frame));
    let large = tables.frames().into_iter().filter(|(name, _)| *name != FLOWS);
    let mut files = Vec::new();
    for (name, frame) in large.chain(small) {
        let mut file = output.writer(&file_name(name))?;
        frames::write(name, &frames::shown(frame, &tables.addresses)?, &mut file).map_err(|cause| file.failed(cause))?;
        files.push(file.commit()?);
    }
    files.push(output.write(&format!("{DIRECTORY}/{CAPTURE}"), &capture::write(measured)?)?);
    Ok(files)
}

/// The files of every report that has its tables stored, [`FLOWS`] among them.
///
/// # Errors
/// Only for defects of ours.
pub fn file_names(settings: &Settings) -> Result<Vec<String>, Error> {
    let tables = Store::new(&table::Settings::of(settings)).finish(&mut |_| Ok(()))?;
    let names = tables.frames().into_iter().map(|(name, _)| name).chain(small::frames(&tables)?.into_iter().map(|(name, _)| name));
    Ok(names.chain([FLOWS]).map(file_name).chain([format!("{DIRECTORY}/{CAPTURE}")]).collect())
}

/// Reads what [`write`] wrote into the report `dir`; connections one by one only if `keep_flows`.
///
/// # Errors
/// When a file is missing or is not one that nsm wrote.
pub fn read(dir: &Path, settings: &Settings, keep_flows: bool) -> Result<Measured, Error> {
    let dir = dir.join(DIRECTORY);
    let facts = read_capture(&dir)?;
    let shape = table::Settings { keep_flows, ..table::Settings::of(settings) };
    // An empty store says which tables there are, with which columns.
    let mut tables = Store::new(&shape).finish(&mut |_| Ok(()))?;
    let mut read = Vec::new();
    for (name, template) in tables.frames() {
        let most = (name == FLOWS).then(|| Store::kept_rows(&shape));
        read.push((name, open(&dir, name, |file| frames::read(file, template, most))?));
    }
    let addresses = frames::addresses(read.iter().map(|(_, frame)| frame));
    for (name, frame) in read {
        put(&mut tables, name, frame.ranked(&addresses)?);
    }
    tables.addresses = addresses;
    for (name, template) in small::frames(&tables)? {
        open(&dir, name, |file| small::put(&mut tables, name, &frames::read(file, &template, None)?.into_frame()))?;
    }
    Ok(facts.into_measured(tables))
}

fn read_capture(dir: &Path) -> Result<capture::Facts, Error> {
    let path = dir.join(CAPTURE);
    let mut text = Vec::new();
    let read = regular(&path).and_then(|file| file.take(CAPTURE_LIMIT).read_to_end(&mut text));
    let read = read.map_err(|cause| if cause.kind() == io::ErrorKind::NotFound { "it is not there".to_owned() } else { cause.to_string() });
    read.and_then(|_| capture::read(&text)).map_err(|problem| Error::Stored { path, problem })
}

/// Reads one table. The file may be anything: what the reader of Parquet stops at is an error like any other.
fn open<T>(dir: &Path, table: &str, read: impl FnOnce(File) -> Result<T, String>) -> Result<T, Error> {
    let path = dir.join(format!("{table}.parquet"));
    let outcome = match regular(&path) {
        Ok(file) => panics::caught(|| read(file)).unwrap_or_else(|problem| Err(format!("it is damaged: {problem}"))),
        Err(cause) => Err(cause.to_string()),
    };
    outcome.map_err(|problem| Error::Stored { path, problem })
}

/// A pipe or a device in place of a table would never end.
fn regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is not a file")) }
}

/// Puts a frame in its place.
fn put(tables: &mut Tables, name: &str, frame: DataFrame) {
    let facts = &mut tables.facts;
    let place = match name {
        "contacts" => &mut tables.contacts,
        "victims" => &mut tables.victims,
        "folds" => &mut tables.folds,
        "claims" => &mut tables.claims,
        "neighbours" => &mut tables.neighbours,
        "logins" => &mut facts.logins,
        "names" => &mut facts.names,
        "services" => &mut facts.services,
        "requests" => &mut facts.requests,
        "leases" => &mut facts.leases,
        "remote" => &mut facts.remote,
        "echoes" => &mut facts.echoes,
        _ => tables.kept_flows.get_or_insert_default(),
    };
    *place = frame;
}
