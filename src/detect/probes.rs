//! Failed first contacts: the rows of the contacts table that a scan would leave.
//!
//! Knows which contacts count as probes. Does not know when probes are a scan. An attempt of which somebody
//! told, and not what came of it, is a probe that proves less.

use hashbrown::{HashMap, HashSet};
use polars::prelude::*;

use super::rows::{collect, contacts, i64s, internal, u8s, u16s, u32s, u64s};
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, Outcome, Tables, pattern, schema as col};
use crate::time::Nanos;

/// How a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    Syn,
    Fin,
    Null,
    Xmas,
    Ack,
    Maimon,
    SynFin,
    Udp,
    Sctp,
}

impl Class {
    /// The class of a contact row, by protocol and technique bits.
    fn of(proto: u8, techniques: u16) -> Option<Self> {
        match proto {
            ip_proto::UDP => Some(Self::Udp),
            ip_proto::SCTP => Some(Self::Sctp),
            ip_proto::TCP => [
                (pattern::XMAS, Self::Xmas),
                (pattern::NULL, Self::Null),
                (pattern::SYN_FIN, Self::SynFin),
                (pattern::FIN, Self::Fin),
                (pattern::MAIMON, Self::Maimon),
                (pattern::ACK, Self::Ack),
                (pattern::SYN, Self::Syn),
            ]
            .into_iter()
            .find_map(|(bit, class)| (techniques & bit != 0).then_some(class)),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::Fin => "fin",
            Self::Null => "null",
            Self::Xmas => "xmas",
            Self::Ack => "ack",
            Self::Maimon => "maimon",
            Self::SynFin => "syn_fin",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    pub(super) const fn protocol(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            _ => "tcp",
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "what came back is many yes or no")]
/// One port of one host that was asked and gave nothing but "open" or a refusal, in one minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub source: Address,
    pub target: Address,
    pub port: u16,
    pub class: Class,
    pub ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    pub attempts: u32,
    pub packets: u64,
    pub refused: bool,
    /// Only the refusal was captured.
    pub implied: bool,
    /// The port answered that it is open.
    pub open: bool,
    /// A handshake was completed: the scanner used its system's connect().
    pub connected: bool,
    /// What came of it nobody told: it may have worked.
    pub untold: bool,
    pub fingerprints: u64,
    /// Port the first attempt came from.
    pub source_port: u16,
}

/// What the chosen sources did: their probes, and what worked for them.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Sorted by source, class and time.
    pub probes: Vec<Probe>,
    /// Sorted by source and time.
    pub successes: Vec<Success>,
}

/// A contact in which data was exchanged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Success {
    pub source: Address,
    pub target: Address,
    pub port: u16,
    pub proto: u8,
    pub ts: Nanos,
    pub bytes_out: u64,
}

impl Probes {
    /// The successes of one source.
    pub(super) fn probes_of(&self, source: Address) -> &[Probe] {
        let start = self.probes.partition_point(|probe| probe.source < source);
        let end = self.probes.partition_point(|probe| probe.source <= source);
        &self.probes[start..end]
    }

    pub(super) fn successes_of(&self, source: Address) -> &[Success] {
        let start = self.successes.partition_point(|success| success.source < source);
        let end = self.successes.partition_point(|success| success.source <= source);
        &self.successes[start..end]
    }
}

/// Fewest failed contacts that any scan detector can say anything about: three stealth probes.
const LEAST: u32 = 3;
/// Ports of a distributed scan are counted from here, whatever the settings; fewer is a service or two.
const LEAST_DISTRIBUTED: u32 = 5;

/// Probes of all sources that failed often enough, or that asked a target which many sources asked.
pub(super) fn find(tables: &Tables) -> Result<Probes, Error> {
    if tables.contacts.height() < LEAST as usize {
        return Ok(Probes::default());
    }
    let failed = contacts(tables).filter(col(col::ATTEMPTS).gt(lit(0)).and(col(col::DATA).eq(lit(0))));
    let per_source = failed.clone().group_by([col(col::SOURCE)]).agg([len().alias(col::COUNT)]).filter(col(col::COUNT).gt_eq(lit(LEAST)));
    let per_target = failed
        .group_by([col(col::TARGET)])
        .agg([col(col::PORT).n_unique().alias(col::COUNT), col(col::SOURCE).n_unique().alias(col::SOURCES)])
        .filter(col(col::COUNT).gt_eq(lit(LEAST_DISTRIBUTED)).and(col(col::SOURCES).gt_eq(lit(LEAST_DISTRIBUTED))));
    let sources = addresses(&collect(per_source)?, col::SOURCE)?;
    let targets = addresses(&collect(per_target)?, col::TARGET)?;
    if sources.is_empty() && targets.is_empty() {
        return Ok(Probes::default());
    }
    read(tables, &sources, &targets)
}

fn addresses(frame: &DataFrame, column: &str) -> Result<HashSet<Address>, Error> {
    Ok(frame.column(column).and_then(|ids| ids.u32()).map_err(internal)?.into_no_null_iter().collect())
}

fn read(tables: &Tables, sources: &HashSet<Address>, targets: &HashSet<Address>) -> Result<Probes, Error> {
    let table = &tables.contacts;
    let (source, target, port, proto) =
        (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u16s(table, col::PORT)?, u8s(table, col::PROTO)?);
    let (attempts, data, refused) = (u32s(table, col::ATTEMPTS)?, u32s(table, col::DATA)?, u32s(table, col::REFUSED)?);
    let (half_open, empty, outcome) = (u32s(table, col::HALF_OPEN)?, u32s(table, col::EMPTY)?, u8s(table, col::FIRST_OUTCOME)?);
    let unanswered = u32s(table, col::UNANSWERED)?;
    let (first_ts, last_ts) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord, packets) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?, u64s(table, col::PACKETS)?);
    let source_port = u16s(table, col::SOURCE_PORT)?;
    let (techniques, fingerprints, bytes_out) =
        (u16s(table, col::TECHNIQUES)?, u64s(table, col::FINGERPRINTS)?, u64s(table, col::BYTES_OUT)?);

    let mut found = Probes::default();
    let mut worked: HashMap<(Address, Address, u16, u8), (), foldhash::fast::FixedState> = HashMap::default();
    let groups: Vec<bool> = tables.addresses.iter().map(|address| address.is_group()).collect();
    for row in 0..table.height() {
        if groups[target[row] as usize] || !(sources.contains(&source[row]) || targets.contains(&target[row])) {
            continue;
        }
        if data[row] > 0 {
            worked.insert((source[row], target[row], port[row], proto[row]), ());
            let (source, target, port, proto) = (source[row], target[row], port[row], proto[row]);
            found.successes.push(Success { source, target, port, proto, ts: first_ts[row], bytes_out: bytes_out[row] });
        } else if attempts[row] > 0
            && (outcome[row] != Outcome::Unknown as u8 || techniques[row] & pattern::TOLD != 0)
            && let Some(class) = Class::of(proto[row], techniques[row])
        {
            found.probes.push(Probe {
                source: source[row],
                target: target[row],
                port: port[row],
                class,
                ts: first_ts[row],
                last_ts: last_ts[row],
                first_ordinal: first_ord[row],
                last_ordinal: last_ord[row],
                attempts: attempts[row],
                packets: packets[row],
                refused: refused[row] > 0,
                implied: techniques[row] & pattern::REPLY_ONLY != 0,
                open: half_open[row] + empty[row] > 0,
                connected: empty[row] > 0,
                untold: [unanswered, refused, half_open, empty].iter().all(|outcome| outcome[row] == 0),
                fingerprints: fingerprints[row],
                source_port: source_port[row],
            });
        }
    }
    // A port that worked at any time is a service with a bad moment, and no probe.
    let number = |class: Class| match class {
        Class::Udp => ip_proto::UDP,
        Class::Sctp => ip_proto::SCTP,
        _ => ip_proto::TCP,
    };
    found.probes.retain(|probe| !worked.contains_key(&(probe.source, probe.target, probe.port, number(probe.class))));
    found.probes.sort_by_key(|probe| (probe.source, probe.class, probe.ts, probe.first_ordinal));
    found.successes.sort_by_key(|success| (success.source, success.ts, success.target, success.port));
    Ok(found)
}
