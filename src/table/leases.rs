//! DHCP messages: who offers what to whom, minute by minute.

use super::distinct::Distinct;
use super::keyed::Merge;
use crate::decode::app::Lease;
use crate::net::{Addr, Mac, mix};
use crate::time::{self, MINUTE, Nanos};

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseKey {
    pub minute: Nanos,
    pub vlan: u16,
    /// Message type of RFC 2132 section 9.6.
    pub kind: u8,
    pub server: Addr,
    /// Router and DNS server that are offered, and the relay that passed it on.
    pub router: Addr,
    pub resolver: Addr,
    pub relay: Addr,
}

impl LeaseKey {
    #[must_use]
    pub const fn of(lease: &Lease) -> Self {
        let Lease { kind, server, router, resolver, relay, vlan, at, .. } = lease;
        Self {
            minute: time::pane(at.ts, MINUTE),
            vlan: *vlan,
            kind: *kind,
            server: *server,
            router: *router,
            resolver: *resolver,
            relay: *relay,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    pub messages: u64,
    /// Hardware addresses of clients by the message, and of the frames' senders.
    pub clients: Distinct,
    pub frame_srcs: Distinct,
    /// Messages whose client address is locally administered: not burnt into a card.
    pub made_up: u64,
    /// The sender of the first frame.
    pub mac: Mac,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
}

impl LeaseRow {
    #[must_use]
    pub fn of(lease: &Lease) -> Self {
        let (mut clients, mut frame_srcs) = (Distinct::default(), Distinct::default());
        clients.insert(mix(lease.client.0, 0));
        frame_srcs.insert(mix(lease.frame_src.0, 0));
        Self {
            messages: 1,
            clients,
            frame_srcs,
            made_up: u64::from(lease.client.is_locally_administered()),
            mac: lease.frame_src,
            first_ts: lease.at.ts,
            last_ts: lease.at.ts,
            first_ordinal: lease.at.ordinal,
            last_ordinal: lease.at.ordinal,
        }
    }
}

impl Merge for LeaseRow {
    fn merge(&mut self, other: &Self) {
        self.messages += other.messages;
        self.clients.merge(&other.clients);
        self.frame_srcs.merge(&other.frame_srcs);
        self.made_up += other.made_up;
        if other.first_ordinal < self.first_ordinal {
            (self.first_ordinal, self.mac) = (other.first_ordinal, other.mac);
        }
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
    }
}
