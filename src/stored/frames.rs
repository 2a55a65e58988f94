//! One table in a Parquet file: addresses shown there, ranked here.

use std::io::{self, Read, Seek, Write};

use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::write::KeyValueMetadata;
use polars::prelude::*;
use rayon::prelude::*;

use crate::error::Error;
use crate::net::Addr;
use crate::table::{internal, schema as col};

/// Columns that hold addresses, in whichever table.
const ADDRESSES: [&str; 8] = [col::SOURCE, col::TARGET, col::CLIENT, col::SERVER, col::ROUTER, col::RESOLVER, col::RELAY, col::ADDRESS];
/// The address itself, beside its text.
pub const BYTES: &str = "_bytes";

/// The frame with its addresses as text, and as 16 bytes.
pub fn shown(frame: &DataFrame, addresses: &[Addr]) -> Result<DataFrame, Error> {
    let mut shown = frame.clone();
    for name in ADDRESSES {
        let Ok(ranks) = frame.column(name).and_then(|ranks| ranks.u32()) else { continue };
        let found: Vec<Addr> =
            ranks.into_no_null_iter().map(|rank| addresses.get(rank as usize).copied().unwrap_or(Addr::UNSPECIFIED)).collect();
        let [text, bytes] = columns(name, &found);
        shown.with_column(text).and_then(|shown| shown.with_column(bytes)).map_err(internal)?;
    }
    Ok(shown)
}

/// A column of addresses: as text, and as bytes.
pub fn columns(name: &str, addresses: &[Addr]) -> [Column; 2] {
    let text: Vec<String> = addresses.par_iter().map(Addr::to_string).collect();
    let bytes: BinaryChunked = addresses.iter().map(|address| Some(address.bytes())).collect();
    [Column::new(name.into(), text), bytes.with_name(format!("{name}{BYTES}").into()).into_column()]
}

pub fn write(table: &str, frame: &DataFrame, writer: impl Write) -> io::Result<()> {
    options(table, writer).finish(&mut frame.clone()).map(|_| ()).map_err(io::Error::other)
}

/// How every table is written.
pub fn options<W: Write>(table: &str, writer: W) -> ParquetWriter<W> {
    let about = [("nsm.schema_version", col::VERSION.to_string()), ("nsm.table", table.to_owned())];
    let about = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    ParquetWriter::new(writer)
        .with_compression(ParquetCompression::Zstd(None))
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(about)))
}

/// A table as it was read: its addresses are not ranks yet, for the ranks depend on all tables.
#[derive(Debug)]
pub struct Unranked {
    /// Columns of addresses are left as they are in the template, and empty.
    frame: DataFrame,
    addresses: Vec<(PlSmallStr, Vec<Addr>)>,
    order: Vec<PlSmallStr>,
    /// Rows beyond those that were asked for.
    pub left_out: u64,
}

/// Reads a table that has the columns of the template, and perhaps more; at most so many rows.
/// As many as `limit` there may be: more is none of our files, and would not fit.
pub fn read<R: MmapBytesReader + Read + Seek>(file: R, template: &DataFrame, (most, limit): (usize, usize)) -> Result<Unranked, String> {
    let is_address =
        |name: &str| ADDRESSES.contains(&name) && template.column(name).is_ok_and(|column| *column.dtype() == DataType::UInt32);
    let stored = |name: &PlSmallStr| if is_address(name) { format!("{name}{BYTES}") } else { name.to_string() };
    let order: Vec<PlSmallStr> = template.get_column_names_owned();
    let unreadable = |cause: PolarsError| format!("it cannot be read: {cause}");
    let mut reader = ParquetReader::new(file);
    let rows = reader.num_rows().map_err(unreadable)?;
    if rows.min(most) > limit {
        return Err(format!("it claims {rows} rows, and the memory for tables (memory.max_mib) holds {limit} at most"));
    }
    let reader = reader.with_columns(Some(order.iter().map(stored).collect())).with_slice(Some((0, rows.min(most))));
    let mut read = reader.finish().map_err(unreadable)?;
    read.rechunk_mut();
    let (mut columns, mut addresses) = (Vec::new(), Vec::new());
    for wanted in template.columns() {
        let name = wanted.name();
        let found = read.column(&stored(name)).map_err(|_| format!("it has no column {name}"))?;
        if is_address(name) {
            addresses.push((name.clone(), parsed(found).ok_or_else(|| format!("its column {name}{BYTES} holds something else"))?));
        } else if found.dtype() == wanted.dtype() && (found.null_count() == 0 || is_optional(name)) {
            columns.push(found.clone());
        } else {
            return Err(format!("its column {name} holds something else"));
        }
    }
    let frame = DataFrame::new(read.height(), columns).map_err(|cause| cause.to_string())?;
    Ok(Unranked { frame, addresses, order, left_out: rows.saturating_sub(most) as u64 })
}

/// Moments of what need not have happened.
fn is_optional(column: &str) -> bool {
    [col::FIRST_FAILURE, col::LAST_FAILURE, col::FIRST_SUCCESS, col::LAST_SUCCESS].contains(&column)
}

pub fn parsed(column: &Column) -> Option<Vec<Addr>> {
    let address = |bytes: Option<&[u8]>| Some(Addr::from_v6_bytes(bytes?.try_into().ok()?));
    column.binary().ok()?.iter().map(address).collect()
}

/// Every address that some tables name, sorted: the place in here is the rank.
pub fn addresses<'a>(frames: impl Iterator<Item = &'a Unranked>) -> Vec<Addr> {
    let named = frames.flat_map(|frame| &frame.addresses).flat_map(|(_, addresses)| addresses.iter().copied());
    let mut all: Vec<Addr> = named.chain([Addr::UNSPECIFIED]).collect();
    all.par_sort_unstable();
    all.dedup();
    all
}

impl Unranked {
    /// With ranks in place of addresses.
    #[expect(clippy::cast_possible_truncation, reason = "there are far fewer than 2^32 addresses")]
    pub fn ranked(mut self, all: &[Addr]) -> Result<DataFrame, Error> {
        for (name, addresses) in std::mem::take(&mut self.addresses) {
            let rank = |address: &Addr| all.binary_search(address).unwrap_or_default() as u32;
            let ranks: Vec<u32> = addresses.par_iter().map(rank).collect();
            self.frame.with_column(Column::new(name, ranks)).map_err(internal)?;
        }
        self.frame.select(self.order).map_err(internal)
    }

    /// A table without ranks is as it was read.
    pub fn into_frame(self) -> DataFrame {
        self.frame
    }
}
