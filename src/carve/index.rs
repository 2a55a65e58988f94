//! `carved/index.csv`: which file holds the packets of which alert, how many, and its hash.

use super::connections::Rest;
use super::{Capped, Job};
use crate::error::Error;
use crate::report::{FileRecord, cell, table};

pub(super) const NAME: &str = "carved/index.csv";

const HEAD: [&str; 12] = [
    "rank",
    "alert_id",
    "type",
    "file",
    "packets",
    "packets_matched",
    "bytes",
    "first_frame",
    "last_frame",
    "sha256",
    "capped_by",
    "connections",
];

/// One alert.
#[derive(Debug)]
pub(super) struct Row {
    rank: usize,
    alert_id: String,
    kind: &'static str,
    written: u64,
    matched: u64,
    /// First and last frame written.
    frames: Option<(u64, u64)>,
    capped: Capped,
    rest: Rest,
    /// None where no packet was found, and no file was made.
    pub file: Option<FileRecord>,
}

impl Row {
    pub fn of(job: &Job) -> Self {
        Self {
            rank: job.rank,
            alert_id: job.alert.id(),
            kind: job.alert.kind,
            written: job.written,
            matched: job.matched,
            frames: (job.written > 0).then_some((job.first, job.last)),
            capped: job.capped,
            rest: job.connections.rest(),
            file: None,
        }
    }

    fn cells(&self) -> [String; HEAD.len()] {
        let file = |of: fn(&FileRecord) -> String| self.file.as_ref().map(of).unwrap_or_default();
        let frame = |of: fn((u64, u64)) -> u64| self.frames.map(|frames| of(frames).to_string()).unwrap_or_default();
        let capped_by = match self.capped {
            Capped::No => "",
            Capped::Packets => "carve.max_packets",
            Capped::Bytes => "carve.max_mib",
        };
        let connections = match self.rest {
            Rest::None => "",
            Rest::Followed => "followed",
            Rest::TooMany => "too_many",
        };
        [
            self.rank.to_string(),
            self.alert_id.clone(),
            self.kind.to_owned(),
            file(|file| file.name.clone()),
            self.written.to_string(),
            self.matched.to_string(),
            file(|file| file.bytes.to_string()),
            frame(|frames| frames.0),
            frame(|frames| frames.1),
            file(|file| file.sha256.clone()),
            capped_by.to_owned(),
            connections.to_owned(),
        ]
        .map(|text| cell(&text).into_owned())
    }
}

pub(super) fn render(rows: &[Row]) -> Result<Vec<u8>, Error> {
    table(HEAD, rows.iter().map(Row::cells))
}
