//! What was measured of a capture, as files: everything that a verdict is made from, without a packet.
//!
//! `tables/*.parquet` are the tables, one file each; `tables/capture.json` is what belongs to no row. Read
//! back they give the same [`Measured`], so that [`crate::analysis::judge`] gives the same alerts. This
//! module knows how a table looks in a file; it does not know what a detector makes of it.
//!
//! # The schema, version 1
//!
//! `nsm tables` lists every table and column with type, unit and meaning ([`documentation`]). In all of them
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
mod schema;
mod small;

use std::fs::File;
use std::io::Read;

use polars::prelude::DataFrame;

pub use flows::FlowsParquet;
pub use schema::documentation;

use crate::config::Settings;
use crate::error::Error;
use crate::panics;
use crate::pipeline::Measured;
use crate::report::{FileRecord, OutputDir};
use crate::table::{self, Store, Tables};
use crate::warning::Warning;

/// Directory of the tables within a report.
pub const DIRECTORY: &str = "tables";
/// Connections one by one, written while they end ([`FlowsParquet`]).
pub const FLOWS: &str = "flows";
const CAPTURE: &str = "capture.json";
/// What [`Tables::thinned`] calls connections kept one by one.
const KEPT: &str = "kept_flows";
/// Bytes of the narrowest row in memory: no table of ours has more rows than the memory has room for.
const LEAST_ROW: u64 = 128;
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

/// Opens a file of a report by its name there; or says why not.
pub type Door<'a> = dyn Fn(&str) -> Result<File, Error> + 'a;

/// Reads what [`write`] wrote; connections one by one only if `keep_flows`.
///
/// # Errors
/// When a file cannot be opened or is not one that nsm wrote.
pub fn read(open: &Door<'_>, settings: &Settings, keep_flows: bool) -> Result<Measured, Error> {
    let facts = read_capture(open)?;
    let shape = table::Settings { keep_flows, ..table::Settings::of(settings) };
    // An empty store says which tables there are, with which columns.
    let mut tables = Store::new(&shape).finish(&mut |_| Ok(()))?;
    let limit = usize::try_from(shape.max_memory / LEAST_ROW).unwrap_or(usize::MAX);
    let mut read = Vec::new();
    let mut left_out = 0;
    for (name, template) in tables.frames() {
        let most = if name == FLOWS { Store::kept_rows(&shape) } else { usize::MAX };
        let frame = take(open, name, |file| frames::read(file, template, (most, limit)))?;
        left_out += frame.left_out;
        read.push((name, frame));
    }
    let addresses = frames::addresses(read.iter().map(|(_, frame)| frame));
    for (name, frame) in read {
        put(&mut tables, name, frame.ranked(&addresses)?)?;
    }
    tables.addresses = addresses;
    for (name, template) in small::frames(&tables)? {
        take(open, name, |file| small::put(&mut tables, name, &frames::read(file, &template, (usize::MAX, limit))?.into_frame()))?;
    }
    let mut measured = facts.into_measured(tables);
    if left_out > 0 && !measured.tables.thinned.iter().any(|(table, _)| table == KEPT) {
        // As an analysis with such rules would have said.
        measured.tables.thinned.push((KEPT.into(), left_out));
        measured.warnings.push(Warning::Thinned { table: KEPT.into(), rows: left_out });
    }
    Ok(measured)
}

fn read_capture(open: &Door<'_>) -> Result<capture::Facts, Error> {
    let name = format!("{DIRECTORY}/{CAPTURE}");
    let mut text = Vec::new();
    let read = open(&name)?.take(CAPTURE_LIMIT).read_to_end(&mut text).map_err(|cause| cause.to_string());
    read.and_then(|_| capture::read(&text)).map_err(|problem| Error::Stored { path: name.into(), problem })
}

/// Reads one table. The file may be anything: what the reader of Parquet stops at is an error like any other.
fn take<T>(open: &Door<'_>, table: &str, read: impl FnOnce(File) -> Result<T, String>) -> Result<T, Error> {
    let name = file_name(table);
    let file = open(&name)?;
    let outcome = panics::caught(|| read(file)).unwrap_or_else(|problem| Err(format!("it is damaged: {problem}")));
    outcome.map_err(|problem| Error::Stored { path: name.into(), problem })
}

/// Puts a frame in its place.
fn put(tables: &mut Tables, name: &str, frame: DataFrame) -> Result<(), Error> {
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
        FLOWS => tables.kept_flows.get_or_insert_default(),
        unknown => return Err(Error::Internal(format!("no place for the table {unknown}"))),
    };
    *place = frame;
    Ok(())
}
