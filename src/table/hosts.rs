//! Totals per address, from connections that have ended.

use hashbrown::HashMap;

use super::admission::{Fold, FoldKey};
use super::flow::{Flow, Side};
use crate::net::Addr;
use crate::time::Nanos;

#[derive(Clone, Copy, Debug)]
pub struct HostTotals {
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub originated: u64,
    pub responded: u64,
    pub packets_sent: u64,
    pub packets_received: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

#[derive(Clone, Debug)]
pub struct Hosts {
    pub rows: HashMap<Addr, HostTotals, foldhash::fast::RandomState>,
    limit: usize,
    /// Connections whose address found the table full.
    pub thinned: u64,
}

impl Hosts {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { rows: HashMap::default(), limit, thinned: 0 }
    }

    /// Without any host, and as much room.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self::new(self.limit)
    }

    /// From 0 to 1.
    #[must_use]
    pub fn fullness(&self) -> f64 {
        self.rows.len() as f64 / self.limit.max(1) as f64
    }

    pub fn take(&mut self, flow: &Flow) {
        if let Some(host) = self.host(flow.originator(), flow.first_ts, flow.last_ts) {
            host.originated += 1;
            host.add(&flow.orig, &flow.resp);
        }
        if let Some(host) = self.host(flow.responder(), flow.first_ts, flow.last_ts) {
            host.responded += 1;
            host.add(&flow.resp, &flow.orig);
        }
    }

    /// What a flood made and no connection was kept for counts for the address it was folded into.
    pub fn take_fold(&mut self, key: &FoldKey, fold: &Fold) {
        for (address, sent) in [(key.source, true), (key.target, false)] {
            if address == Addr::UNSPECIFIED {
                continue;
            }
            let Some(host) = self.host(address, fold.first_ts, fold.last_ts) else { continue };
            if sent {
                host.packets_sent += fold.packets;
                host.bytes_sent += fold.bytes;
            } else {
                host.packets_received += fold.packets;
                host.bytes_received += fold.bytes;
            }
        }
    }

    fn host(&mut self, address: Addr, first_ts: Nanos, last_ts: Nanos) -> Option<&mut HostTotals> {
        if self.rows.len() >= self.limit && !self.rows.contains_key(&address) {
            self.thinned += 1;
            return None;
        }
        let host = self.rows.entry(address).or_insert(HostTotals {
            first_ts,
            last_ts,
            originated: 0,
            responded: 0,
            packets_sent: 0,
            packets_received: 0,
            bytes_sent: 0,
            bytes_received: 0,
        });
        host.first_ts = host.first_ts.min(first_ts);
        host.last_ts = host.last_ts.max(last_ts);
        Some(host)
    }
}

impl HostTotals {
    fn add(&mut self, sent: &Side, received: &Side) {
        self.packets_sent += sent.packets;
        self.packets_received += received.packets;
        self.bytes_sent += sent.ip_bytes;
        self.bytes_received += received.ip_bytes;
    }
}
