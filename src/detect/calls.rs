//! Who called which service how often: the contacts of the whole capture by caller and destination.
//!
//! Knows which contacts can be calls at all (a new connection to one host, by a protocol that has no
//! rhythm of its own); does not judge them.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use polars::prelude::{BinaryChunked, DataFrame};
use rayon::prelude::*;

use super::alert::FrameSpan;
use super::context::Context;
use super::rhythm::Call;
use super::rows::{i64s, sketches, u8s, u16s, u32s, u64s};
use crate::error::Error;
use crate::net::{ip_proto, mix};
use crate::table::{Address, Start, Tables, schema as col};
use crate::time::{MILLISECOND, MINUTE, Nanos, SECOND};

/// No configuration asks for fewer calls.
const LEAST: u32 = 4;
/// More calls in a second than this, on average, are not gone through one by one.
const DENSE: i64 = 2;
/// A minute with a call in every second, on average.
pub(super) const STROBE_PER_MINUTE: u32 = 60;
/// UDP protocols that repeat themselves by design: DNS, DHCP, NTP, NetBIOS, SNMP, IKE, syslog, RIP,
/// DHCPv6, RADIUS, SSDP, STUN, WS-Discovery, NAT-PMP, mDNS, LLMNR, BACnet. Sorted.
const CLOCKWORK: [u16; 25] = [
    53, 67, 68, 123, 137, 138, 161, 162, 500, 514, 520, 546, 547, 1645, 1812, 1813, 1900, 3478, 3702, 4500, 5350, 5351, 5353, 5355, 47_808,
];
/// The same for TCP: DNS has its own detectors, and BGP tries again by a timer.
const TCP_CLOCKWORK: [u16; 2] = [53, 179];

/// All calls of one host to one destination.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub source: Address,
    /// The addresses of the destination, which has one or a name with several; sorted.
    pub targets: Vec<Address>,
    pub port: u16,
    pub proto: u8,
    pub first: Nanos,
    pub last: Nanos,
    pub frames: FrameSpan,
    pub connections: u64,
    pub attempts: u64,
    pub failed: u64,
    pub packets: u64,
    pub bytes_out: u64,
    pub bytes_back: u64,
    /// Most minutes in a row with a call in every second, on average.
    pub strobe_minutes: u64,
    /// In time order; empty where they are too many for a rhythm.
    pub times: Vec<Call>,
}

/// Callers and destinations with enough calls to ask for a rhythm, in the order of their addresses.
pub(super) fn find(context: &Context<'_>) -> Result<Vec<Calls>, Error> {
    let rows = Rows::of(&context.tables.contacts)?;
    let same = same_name(context.tables);
    let key = |row: u32| rows.key(row as usize, &same);
    // Most contacts are of hosts that hardly meet: counters shared by chance leave few of them to sort.
    let height = u32::try_from(context.tables.contacts.height()).unwrap_or(u32::MAX);
    let mut counters = vec![0_u32; (height as usize).next_power_of_two().max(64)];
    let mask = counters.len() - 1;
    let place = |row: u32| {
        let (source, target, service) = key(row);
        usize::try_from(mix(u64::from(source) << 32 | u64::from(target), u64::from(service))).unwrap_or_default() & mask
    };
    let mut kept: Vec<(u32, u32)> = Vec::new();
    for row in (0..height).filter(|row| rows.calls(*row as usize)) {
        let at = place(row);
        counters[at] = counters[at].saturating_add(rows.connections[row as usize]);
        kept.push((row, u32::try_from(at).unwrap_or_default()));
    }
    let mut rest: Vec<(Key, u32)> =
        kept.into_iter().filter(|(_, at)| counters[*at as usize] >= LEAST).map(|(row, _)| (key(row), row)).collect();
    rest.sort_unstable();
    let groups: Vec<&[(Key, u32)]> = rest.chunk_by(|a, b| a.0 == b.0).collect();
    Ok(groups.into_par_iter().filter_map(|group| rows.group(context, group)).collect())
}

/// Source, destination, port and protocol.
type Key = (Address, Address, u32);

struct Rows<'a> {
    minutes: &'a [i64],
    sources: &'a [u32],
    targets: &'a [u32],
    ports: &'a [u16],
    protos: &'a [u8],
    connections: &'a [u32],
    attempts: &'a [u32],
    failures: [&'a [u32]; 3],
    first: &'a [i64],
    last: &'a [i64],
    first_ord: &'a [u64],
    last_ord: &'a [u64],
    packets: &'a [u64],
    out: &'a [u64],
    back: &'a [u64],
    series: &'a BinaryChunked,
}

impl<'a> Rows<'a> {
    fn of(table: &'a DataFrame) -> Result<Self, Error> {
        Ok(Self {
            minutes: i64s(table, col::MINUTE)?,
            sources: u32s(table, col::SOURCE)?,
            targets: u32s(table, col::TARGET)?,
            ports: u16s(table, col::PORT)?,
            protos: u8s(table, col::PROTO)?,
            connections: u32s(table, col::CONNECTIONS)?,
            attempts: u32s(table, col::ATTEMPTS)?,
            failures: [u32s(table, col::UNANSWERED)?, u32s(table, col::REFUSED)?, u32s(table, col::HALF_OPEN)?],
            first: i64s(table, col::FIRST_TS)?,
            last: i64s(table, col::LAST_TS)?,
            first_ord: u64s(table, col::FIRST_ORD)?,
            last_ord: u64s(table, col::LAST_ORD)?,
            packets: u64s(table, col::PACKETS)?,
            out: u64s(table, col::BYTES_OUT)?,
            back: u64s(table, col::BYTES_BACK)?,
            series: sketches(table, col::SERIES)?,
        })
    }

    /// New connections, by a protocol without a rhythm of its own. A long connection that is silent for
    /// longer than its time-out goes on as connections that were under way when first seen.
    fn calls(&self, row: usize) -> bool {
        let port = &self.ports[row];
        let clockwork = match self.protos[row] {
            ip_proto::TCP => TCP_CLOCKWORK.contains(port),
            ip_proto::UDP => CLOCKWORK.binary_search(port).is_ok(),
            _ => true,
        };
        !clockwork && self.attempts[row] > 0 && self.attempts[row] >= self.connections[row] / 2
    }

    fn key(&self, row: usize, same: &HashMap<Address, Address, FixedState>) -> Key {
        let target = self.targets[row];
        let target = if same.is_empty() { target } else { same.get(&target).copied().unwrap_or(target) };
        (self.sources[row], target, u32::from(self.ports[row]) << 8 | u32::from(self.protos[row]))
    }

    /// The rows of one key, in the order of their minutes.
    fn group(&self, context: &Context<'_>, group: &[(Key, u32)]) -> Option<Calls> {
        let head = group.first()?.1 as usize;
        let rows = || group.iter().map(|(_, row)| *row as usize);
        let connections: u64 = rows().map(|row| u64::from(self.connections[row])).sum();
        let settings = &context.settings(self.sources[head]).beacon;
        let (first, last) = (rows().map(|row| self.first[row]).min()?, rows().map(|row| self.last[row]).max()?);
        if connections < u64::from(settings.connections) || is_no_call(context, self.sources[head], self.targets[head]) {
            return None;
        }
        let mut targets: Vec<Address> = rows().map(|row| self.targets[row]).collect();
        targets.sort_unstable();
        targets.dedup();
        let sparse = i64::try_from(connections).is_ok_and(|connections| connections <= DENSE * ((last - first) / SECOND + 1));
        Some(Calls {
            source: self.sources[head],
            targets,
            port: self.ports[head],
            proto: self.protos[head],
            first,
            last,
            frames: FrameSpan { first: rows().map(|row| self.first_ord[row]).min()?, last: rows().map(|row| self.last_ord[row]).max()? },
            connections,
            attempts: rows().map(|row| u64::from(self.attempts[row])).sum(),
            failed: rows().map(|row| self.failures.iter().map(|failed| u64::from(failed[row])).sum::<u64>()).sum(),
            packets: rows().map(|row| self.packets[row]).sum(),
            bytes_out: rows().map(|row| self.out[row]).sum(),
            bytes_back: rows().map(|row| self.back[row]).sum(),
            strobe_minutes: self.strobe_minutes(group),
            times: if sparse { self.times(group) } else { Vec::new() },
        })
    }

    fn strobe_minutes(&self, group: &[(Key, u32)]) -> u64 {
        let busy: Vec<i64> = group
            .iter()
            .map(|(_, row)| *row as usize)
            .filter(|row| self.connections[*row] >= STROBE_PER_MINUTE)
            .map(|row| self.minutes[row])
            .collect();
        busy.chunk_by(|a, b| b - a <= MINUTE).map(|run| run.len() as u64).max().unwrap_or_default()
    }

    fn times(&self, group: &[(Key, u32)]) -> Vec<Call> {
        let mut times: Vec<Call> = Vec::new();
        for row in group.iter().map(|(_, row)| *row as usize) {
            let starts = Start::read(self.series.get(row).unwrap_or_default());
            times.extend(
                starts.map(|start| Call { ts: self.minutes[row] + i64::from(start.ms) * MILLISECOND, bytes: u64::from(start.bytes_out) }),
            );
        }
        times.sort_unstable();
        times
    }
}

/// Groups of hosts, a host that talks to itself, and callers from outside: they are clients of a server
/// here, or its monitors, and not hosts of this network that report to someone.
fn is_no_call(context: &Context<'_>, source: Address, target: Address) -> bool {
    let (from, to) = (context.address(source), context.address(target));
    let loopback = to.v4().is_some_and(|v4| v4 >> 24 == 127);
    let broadcast = to.is_private() && to.v4().is_some_and(|v4| v4 & 0xff == 0xff);
    to.is_group() || from.is_unspecified() || source == target || loopback || broadcast || to.is_private() && !from.is_private()
}

/// For every address of a name with several addresses, the first of them.
fn same_name(tables: &Tables) -> HashMap<Address, Address, FixedState> {
    let mut names: HashMap<&str, Vec<Address>, FixedState> = HashMap::default();
    for (address, name) in &tables.facts.resolved {
        if let Some(id) = tables.addresses.binary_search(address).ok().and_then(|place| u32::try_from(place).ok()) {
            names.entry(name).or_default().push(id);
        }
    }
    let mut same = HashMap::default();
    for addresses in names.into_values().filter(|addresses| addresses.len() > 1) {
        let first = addresses.iter().min().copied().unwrap_or_default();
        same.extend(addresses.into_iter().map(|address| (address, first)));
    }
    same
}
