//! Rows of the table of requests, for detectors that judge web servers.

use super::alert::FrameSpan;
use super::context::Context;
use super::rows::{i64s, u16s, u32s, u64s};
use crate::error::Error;
use crate::table::{Address, schema as col};
use crate::time::Nanos;

/// Where web servers listen, whether or not their bytes can be read. Sorted.
pub(super) const WEB_PORTS: [u16; 9] = [80, 443, 3000, 5000, 8000, 8008, 8080, 8443, 8888];
/// Those of them where what is said is encrypted.
pub(super) const TLS_PORTS: [u16; 2] = [443, 8443];

/// Requests of one client to one server in one minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub minute: Nanos,
    pub client: Address,
    pub server: Address,
    pub port: u16,
    pub complete: u64,
    pub errors: u64,
    pub unfinished: u64,
    pub longest_unfinished: Nanos,
    pub peak: u64,
    pub path: u64,
    pub votes: u64,
    pub first: Nanos,
    pub last: Nanos,
    pub frames: FrameSpan,
}

/// All rows that `matters` picks, by server, port, client and in time order.
pub(super) fn asked(context: &Context<'_>, matters: impl Fn(&Asked) -> bool) -> Result<Vec<Asked>, Error> {
    let table = &context.tables.facts.requests;
    if table.height() == 0 {
        return Ok(Vec::new());
    }
    let (minutes, clients, servers) = (i64s(table, col::MINUTE)?, u32s(table, col::CLIENT)?, u32s(table, col::SERVER)?);
    let (ports, complete, errors) = (u16s(table, col::PORT)?, u64s(table, col::COMPLETE)?, u64s(table, col::ERRORS)?);
    let (unfinished, longest) = (u64s(table, col::UNFINISHED)?, i64s(table, col::LONGEST_UNFINISHED)?);
    let (peaks, paths, votes) = (u64s(table, col::PEAK)?, u64s(table, col::PATH)?, u64s(table, col::PATH_VOTES)?);
    let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let row = |row: usize| Asked {
        minute: minutes[row],
        client: clients[row],
        server: servers[row],
        port: ports[row],
        complete: complete[row],
        errors: errors[row],
        unfinished: unfinished[row],
        longest_unfinished: longest[row],
        peak: peaks[row],
        path: paths[row],
        votes: votes[row],
        first: first[row],
        last: last[row],
        frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
    };
    let mut rows: Vec<Asked> = (0..table.height()).map(row).filter(matters).collect();
    rows.sort_unstable_by_key(|row| (row.server, row.port, row.client, row.minute));
    Ok(rows)
}

/// The frames of several spans together.
pub(super) fn frames(spans: impl Iterator<Item = FrameSpan> + Clone) -> FrameSpan {
    FrameSpan {
        first: spans.clone().map(|span| span.first).min().unwrap_or_default(),
        last: spans.map(|span| span.last).max().unwrap_or_default(),
    }
}
