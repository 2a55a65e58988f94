//! Sessions by which one host administers another.

use std::collections::{BTreeMap, BTreeSet};

use super::super::alert::FrameSpan;
use super::super::context::Context;
use super::super::rows::{i64s, u8s, u16s, u32s, u64s};
use super::execution::Use;
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, schema as col};
use crate::time::Nanos;

/// Where people and programs log in to administer a host, and what a client sends at least once it is in: a key
/// exchange, or some keys.
const INTERACTIVE: [(u16, u64); 6] = [(22, 500), (23, 20), (3389, 500), (5900, 20), (5985, 500), (5986, 500)];
/// Windows' own: also what every member of a domain asks its servers. A login takes as much.
const WINDOWS: [u16; 3] = [135, 139, 445];
const WINDOWS_LEAST: u64 = 300;
/// Who answers here is a domain controller.
const KERBEROS: u16 = 88;
/// A host whose Windows ports more hosts use is a server.
const FEW_CLIENTS: usize = 2;

/// Sessions of one host with another on one port, in one minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub source: Address,
    pub target: Address,
    pub port: u16,
    pub first: Nanos,
    pub last: Nanos,
    pub frames: FrameSpan,
    pub connections: u64,
    pub packets: u64,
    /// Opened a share that only administrators may open, or began at a port where one logs in.
    pub certain: bool,
    /// It did so through Windows' shares.
    pub windows: bool,
}

/// Sessions in which data flowed both ways and somebody may have logged in, in time order.
pub(super) fn find(context: &Context<'_>, uses: &[Use]) -> Result<Vec<Session>, Error> {
    let table = &context.tables.contacts;
    if table.height() == 0 {
        return Ok(Vec::new());
    }
    let disks: BTreeSet<(Address, Address)> = uses.iter().filter(|used| used.is_disk()).map(|used| (used.client, used.server)).collect();
    let refused = refused(context)?;
    let (sources, targets, ports) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u16s(table, col::PORT)?);
    let (protos, data, packets) = (u8s(table, col::PROTO)?, u32s(table, col::DATA)?, u64s(table, col::PACKETS)?);
    let (out, back) = (u64s(table, col::BYTES_OUT)?, u64s(table, col::BYTES_BACK)?);
    let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let scanning: BTreeSet<Address> = context.scans.scans.iter().map(|scan| scan.source).collect();
    let mut controllers: BTreeSet<Address> = BTreeSet::new();
    let mut clients: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    let mut sessions = Vec::new();
    for row in 0..table.height() {
        let (source, target, port) = (sources[row], targets[row], ports[row]);
        let windows = WINDOWS.contains(&port);
        let enough =
            if windows { WINDOWS_LEAST } else { INTERACTIVE.iter().find(|(of, _)| *of == port).map_or(u64::MAX, |(_, least)| *least) };
        if protos[row] != ip_proto::TCP || data[row] == 0 || back[row] == 0 {
            continue;
        }
        if port == KERBEROS {
            controllers.insert(target);
        }
        if windows {
            clients.entry(target).or_default().insert(source);
        }
        let inside = || context.address(target).is_private() && !context.address(source).is_group() && source != target;
        let failed = || refused.contains(&(source, target, port));
        let scanned = || scanning.contains(&source) && context.scans.explains(source, target, first[row]);
        if enough != u64::MAX && out[row] >= enough && inside() && !failed() && !scanned() {
            let administers = windows && disks.contains(&(source, target));
            sessions.push(Session {
                source,
                target,
                port,
                first: first[row],
                last: last[row],
                frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
                connections: u64::from(data[row]),
                packets: packets[row],
                certain: administers || !windows,
                windows: administers,
            });
        }
    }
    let is_server =
        |target: &Address| controllers.contains(target) || clients.get(target).is_some_and(|clients| clients.len() > FEW_CLIENTS);
    sessions.retain(|session| session.certain || !is_server(&session.target));
    sessions.sort_unstable_by_key(|session| (session.first, session.frames.first, session.source, session.target, session.port));
    Ok(sessions)
}

/// Where logins only failed: nobody got in.
fn refused(context: &Context<'_>) -> Result<BTreeSet<(Address, Address, u16)>, Error> {
    let table = &context.tables.facts.logins;
    let mut outcomes: BTreeMap<(Address, Address, u16), (u64, u64)> = BTreeMap::new();
    if table.height() > 0 {
        let (clients, servers, ports) = (u32s(table, col::CLIENT)?, u32s(table, col::SERVER)?, u16s(table, col::PORT)?);
        let (failed, succeeded) = (u64s(table, col::FAILED)?, u64s(table, col::SUCCEEDED)?);
        let (failed_too, succeeded_too) = (u64s(table, col::FAILED_INFERRED)?, u64s(table, col::SUCCEEDED_INFERRED)?);
        for row in 0..table.height() {
            let (bad, good) = outcomes.entry((clients[row], servers[row], ports[row])).or_default();
            *bad += failed[row] + failed_too[row];
            *good += succeeded[row] + succeeded_too[row];
        }
    }
    Ok(outcomes.into_iter().filter(|(_, (bad, good))| *bad > 0 && *good == 0).map(|(key, _)| key).collect())
}
