//! Columns of a table as slices, for detectors that go through rows in order.

use polars::prelude::*;

use crate::error::Error;
use crate::table::Tables;
pub(super) use crate::table::internal;

macro_rules! slices {
    ($($(#[$doc:meta])* $name:ident: $kind:ty, $as:ident;)+) => {
        $(
            $(#[$doc])*
            pub(super) fn $name<'a>(table: &'a DataFrame, column: &str) -> Result<&'a [$kind], Error> {
                table.column(column).and_then(|column| column.$as()).and_then(|values| values.cont_slice()).map_err(internal)
            }
        )+
    };
}

slices! {
    u8s: u8, u8;
    u16s: u16, u16;
    u32s: u32, u32;
    u64s: u64, u64;
    i64s: i64, i64;
}

/// A column of sketches.
pub(super) fn sketches<'a>(table: &'a DataFrame, column: &str) -> Result<&'a BinaryChunked, Error> {
    table.column(column).and_then(|column| column.binary()).map_err(internal)
}

/// Runs a query; its result lies in one piece, so that its columns are slices.
pub(super) fn collect(query: LazyFrame) -> Result<DataFrame, Error> {
    let mut frame = query.collect().map_err(internal)?;
    frame.rechunk_mut();
    Ok(frame)
}

/// The contacts table as a query.
pub(super) fn contacts(tables: &Tables) -> LazyFrame {
    tables.contacts.clone().lazy()
}

/// A column of texts.
pub(super) fn texts<'a>(table: &'a DataFrame, column: &str) -> Result<&'a StringChunked, Error> {
    table.column(column).and_then(|column| column.str()).map_err(internal)
}

/// A column of times that may be missing.
pub(super) fn times<'a>(table: &'a DataFrame, column: &str) -> Result<&'a Int64Chunked, Error> {
    table.column(column).and_then(|column| column.i64()).map_err(internal)
}
