//! DHCP messages as rows, in the order of time.

use super::context::Context;
use super::rows::{i64s, sketches, u8s, u16s, u32s, u64s};
use crate::error::Error;
use crate::net::Mac;
use crate::table::{Address, Distinct, schema as col};
use crate::time::Nanos;

/// Message types of RFC 2132 section 9.6.
pub(super) const DISCOVER: u8 = 1;
pub(super) const OFFER: u8 = 2;
pub(super) const ACK: u8 = 5;

/// Messages of one kind that offer the same, within one minute.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub minute: Nanos,
    pub vlan: u16,
    pub kind: u8,
    pub server: Address,
    pub router: Address,
    pub resolver: Address,
    pub relay: Address,
    pub messages: u64,
    pub clients: Distinct,
    pub frame_srcs: Distinct,
    pub made_up: u64,
    pub mac: Mac,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
}

pub(super) fn leases(context: &Context<'_>) -> Result<Vec<Lease>, Error> {
    let table = &context.tables.facts.leases;
    let (minutes, vlans, kinds) = (i64s(table, col::MINUTE)?, u16s(table, col::VLAN)?, u8s(table, col::KIND)?);
    let (servers, routers) = (u32s(table, col::SERVER)?, u32s(table, col::ROUTER)?);
    let (resolvers, relays) = (u32s(table, col::RESOLVER)?, u32s(table, col::RELAY)?);
    let (messages, made_up, macs) = (u64s(table, col::MESSAGES)?, u64s(table, col::MADE_UP)?, u64s(table, col::MAC)?);
    let (clients, frame_srcs) = (sketches(table, col::CLIENTS)?, sketches(table, col::FRAME_SRCS)?);
    let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let row = |row: usize| Lease {
        minute: minutes[row],
        vlan: vlans[row],
        kind: kinds[row],
        server: servers[row],
        router: routers[row],
        resolver: resolvers[row],
        relay: relays[row],
        messages: messages[row],
        clients: Distinct::from_bytes(clients.get(row).unwrap_or_default()),
        frame_srcs: Distinct::from_bytes(frame_srcs.get(row).unwrap_or_default()),
        made_up: made_up[row],
        mac: Mac(macs[row]),
        first_ts: first[row],
        last_ts: last[row],
        first_ordinal: first_ord[row],
        last_ordinal: last_ord[row],
    };
    let mut leases: Vec<Lease> = (0..table.height()).map(row).collect();
    leases.sort_by_key(|lease| (lease.first_ts, lease.first_ordinal));
    Ok(leases)
}
