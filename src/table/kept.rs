//! Connections that have ended, one by one, for rules that ask for them.
//!
//! Kept only where somebody asks: everything else reads contacts, and `flows.csv` has them all. As many
//! as there is room for, those that ended first; the others are counted.

use super::flow::{ConnState, Outcome};
use super::pages::Pages;
use super::shard::Ended;
use crate::decode::app::Service;
use crate::net::Addr;
use crate::time::Nanos;

#[derive(Clone, Debug)]
pub struct KeptFlow {
    pub source: Addr,
    pub target: Addr,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    /// Both ways, and those of the responder.
    pub packets: u64,
    pub packets_back: u64,
    /// Payload of the originator and of the responder.
    pub bytes_out: u64,
    pub bytes_back: u64,
    pub retransmitted: u32,
    pub source_port: u16,
    pub port: u16,
    pub vlan: u16,
    pub proto: u8,
    pub state: ConnState,
    pub outcome: Outcome,
    pub service: Service,
    pub server_name: Option<Box<str>>,
}

impl KeptFlow {
    fn of(Ended { flow, labels, .. }: &Ended) -> Self {
        let (orig, resp) = (&flow.orig, &flow.resp);
        Self {
            source: flow.originator(),
            target: flow.responder(),
            first_ts: flow.first_ts,
            last_ts: flow.last_ts,
            first_ordinal: flow.first_ordinal,
            last_ordinal: flow.last_ordinal,
            packets: orig.packets + resp.packets,
            packets_back: resp.packets,
            bytes_out: orig.payload_bytes,
            bytes_back: resp.payload_bytes,
            retransmitted: orig.retransmitted + resp.retransmitted,
            source_port: flow.originator_port(),
            port: flow.responder_port(),
            vlan: flow.key.vlan,
            proto: flow.key.proto,
            state: flow.state(),
            outcome: flow.outcome(),
            service: flow.service,
            server_name: labels.as_ref().map(|labels| labels.server_name.as_str().into()),
        }
    }

    /// The name that the client asked the server for; empty where none was seen.
    #[must_use]
    pub fn server_name(&self) -> &str {
        self.server_name.as_deref().unwrap_or_default()
    }
}

#[derive(Debug)]
pub struct KeptFlows {
    rows: Pages<KeptFlow>,
    limit: usize,
    /// Connections that found no room.
    pub thinned: u64,
}

impl KeptFlows {
    /// With room for so many.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { rows: Pages::default(), limit, thinned: 0 }
    }

    /// From 0 to 1.
    #[must_use]
    pub fn fullness(&self) -> f64 {
        self.rows.len() as f64 / self.limit.max(1) as f64
    }

    /// A copy of those that began at or after `from`.
    #[must_use]
    pub fn since(&self, from: Nanos) -> Self {
        let mut copy = Self { thinned: self.thinned, ..Self::new(self.limit) };
        self.rows.iter().filter(|row| row.first_ts >= from).for_each(|row| copy.rows.push(row.clone()));
        copy
    }

    pub fn take(&mut self, ended: &Ended) {
        if self.rows.len() < self.limit {
            self.rows.push(KeptFlow::of(ended));
        } else {
            self.thinned += 1;
        }
    }

    #[must_use]
    pub fn into_rows(self) -> Pages<KeptFlow> {
        self.rows
    }
}
