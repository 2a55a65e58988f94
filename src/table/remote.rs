//! Administration of Windows hosts from afar: shares opened and pipes used, minute by minute.

use super::keyed::Merge;
use crate::decode::app::Moment;
use crate::net::Addr;
use crate::time::Nanos;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteKey {
    pub minute: Nanos,
    pub client: Addr,
    pub server: Addr,
    pub port: u16,
    /// `admin$`, `c$`, `svcctl`, `exe` ...
    pub what: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteRow {
    pub count: u64,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
}

impl RemoteRow {
    #[must_use]
    pub const fn at(at: Moment) -> Self {
        Self { count: 1, first_ts: at.ts, last_ts: at.ts, first_ordinal: at.ordinal, last_ordinal: at.ordinal }
    }
}

impl Merge for RemoteRow {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
    }
}
