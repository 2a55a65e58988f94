//! HTTP requests of a client to a server, minute by minute.

use super::keyed::Merge;
use crate::decode::app::{Request, RequestKind};
use crate::net::Addr;
use crate::time::{self, Nanos, SECOND};

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey {
    pub minute: Nanos,
    pub client: Addr,
    pub server: Addr,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Requests whose headers were complete.
    pub complete: u64,
    /// Answers of 5xx.
    pub errors: u64,
    /// Connections that ended before their headers were complete.
    pub unfinished: u64,
    /// The longest that one of these was open.
    pub longest_unfinished: Nanos,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    /// Most complete requests in any second of the clock.
    pub peak: u64,
    second: Nanos,
    in_second: u64,
    /// Method and path that most requests had, and by how many they outvoted others (Boyer and Moore).
    pub path: u64,
    pub path_votes: u64,
}

impl RequestRow {
    #[must_use]
    pub const fn of(request: &Request) -> Self {
        let Request { kind, path, at } = request;
        let complete = matches!(kind, RequestKind::Complete) as u64;
        let longest_unfinished = if let RequestKind::Unfinished { open } = kind { *open } else { 0 };
        Self {
            complete,
            errors: matches!(kind, RequestKind::ServerError) as u64,
            unfinished: matches!(kind, RequestKind::Unfinished { .. }) as u64,
            longest_unfinished,
            first_ts: at.ts,
            last_ts: at.ts,
            first_ordinal: at.ordinal,
            last_ordinal: at.ordinal,
            peak: complete,
            second: time::pane(at.ts, SECOND),
            in_second: complete,
            path: *path,
            path_votes: complete,
        }
    }
}

/// A client and server in two VLANs are rows of two shards: the peak is then that of either.
impl Merge for RequestRow {
    fn merge(&mut self, other: &Self) {
        if other.in_second == 0 {
            // An error, or a connection that ended: no request of its second.
        } else if other.second == self.second {
            self.in_second += other.in_second;
        } else {
            self.second = other.second;
            self.in_second = other.in_second;
        }
        self.peak = self.peak.max(self.in_second).max(other.peak);
        self.complete += other.complete;
        self.errors += other.errors;
        self.unfinished += other.unfinished;
        self.longest_unfinished = self.longest_unfinished.max(other.longest_unfinished);
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
        if other.path == self.path {
            self.path_votes += other.path_votes;
        } else if other.path_votes > self.path_votes {
            (self.path, self.path_votes) = (other.path, other.path_votes - self.path_votes);
        } else {
            self.path_votes -= other.path_votes;
        }
    }
}
