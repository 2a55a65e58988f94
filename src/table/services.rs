//! Which services were spoken where, by content, and under which names: one row for the whole capture.

use super::distinct::Distinct;
use super::keyed::Merge;
use super::sessions::Labels;
use crate::decode::app::Service;
use crate::net::{Addr, mix_addr};
use crate::time::Nanos;

use super::flow::Flow;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceKey {
    pub server: Addr,
    pub port: u16,
    pub proto: u8,
    pub service: Service,
    /// TLS SNI or HTTP host; empty where none was given.
    pub name: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    pub connections: u64,
    pub clients: Distinct,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    /// JA4 and software of the first client that showed any, software of the server.
    pub ja4: (u64, Box<str>),
    pub client_software: (u64, Box<str>),
    pub server_software: (u64, Box<str>),
}

impl ServiceRow {
    #[must_use]
    pub fn of(flow: &Flow, labels: Option<&Labels>) -> Self {
        let mut clients = Distinct::default();
        clients.insert(mix_addr(flow.originator()));
        let first = |text: Option<&String>| (flow.first_ordinal, text.map(|text| text.as_str().into()).unwrap_or_default());
        Self {
            connections: 1,
            clients,
            first_ts: flow.first_ts,
            last_ts: flow.last_ts,
            first_ordinal: flow.first_ordinal,
            ja4: first(labels.map(|labels| &labels.ja4)),
            client_software: first(labels.map(|labels| &labels.client_software)),
            server_software: first(labels.map(|labels| &labels.server_software)),
        }
    }
}

impl Merge for ServiceRow {
    fn merge(&mut self, other: &Self) {
        self.connections += other.connections;
        self.clients.merge(&other.clients);
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        earlier(&mut self.ja4, &other.ja4);
        earlier(&mut self.client_software, &other.client_software);
        earlier(&mut self.server_software, &other.server_software);
    }
}

/// Keeps the text of the earlier connection; none is later than any.
fn earlier(kept: &mut (u64, Box<str>), other: &(u64, Box<str>)) {
    if !other.1.is_empty() && (kept.1.is_empty() || other.0 < kept.0) {
        kept.clone_from(other);
    }
}
