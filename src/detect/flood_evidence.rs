//! What the table of contacts says of a flood: who sent it, to which ports, and whether the target had
//! asked for it.
//!
//! The table of victims counts packets and knows neither; the table of contacts knows both, but of a
//! spoofed flood only what was admitted.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use polars::prelude::*;

use super::context::{Context, listed, share};
use super::flood_seconds::{Flood, column};
use super::rows::{collect, contacts, i64s, internal, sketches, u8s, u16s, u32s, u64s};
use crate::error::Error;
use crate::net::{Addr, ip_proto};
use crate::table::{Address, Distinct, pattern, schema as col};
use crate::time::{self, MINUTE, Nanos};

/// Which end of a contact the flooded host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

impl End {
    const fn column(self) -> &'static str {
        match self {
            Self::Source => col::SOURCE,
            Self::Target => col::TARGET,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Row {
    minute: Nanos,
    other: Address,
    port: u16,
    proto: u8,
    attempts: u64,
    refused: u64,
    /// Connections in which data went both ways.
    data: u64,
    packets: u64,
    /// Most connections that began in a second.
    opened: u64,
    techniques: u16,
}

/// Packets for which no connection was kept.
#[derive(Clone, Debug)]
struct Folded {
    minute: Nanos,
    proto: u8,
    packets: u64,
    ports: u64,
}

type ByHost<T> = HashMap<Address, Vec<T>, foldhash::fast::FixedState>;

/// The contacts of all flooded hosts, in both directions.
pub(super) struct Evidence {
    toward: ByHost<Row>,
    from: ByHost<Row>,
    folded_toward: ByHost<Folded>,
    folded_from: ByHost<Folded>,
}

/// What reached a target while it was flooded.
#[derive(Clone, Debug, Default)]
pub(super) struct Toward {
    /// Attempts by source (of UDP and ICMP, where a flood is one attempt, packets), most first.
    pub sources: Vec<(Address, u64)>,
    /// Share of attempts that went to the port with the most.
    pub top_port_share: f64,
    pub top_port: u16,
    pub ports: u64,
    /// Share of attempts that were refused.
    pub refused: f64,
}

impl Evidence {
    pub(super) fn of(context: &Context<'_>, hosts: impl Iterator<Item = Address>) -> Result<Self, Error> {
        let mut hosts: Vec<Address> = hosts.collect();
        hosts.sort_unstable();
        hosts.dedup();
        if hosts.is_empty() {
            return Ok(Self {
                toward: ByHost::default(),
                from: ByHost::default(),
                folded_toward: ByHost::default(),
                folded_from: ByHost::default(),
            });
        }
        Ok(Self {
            toward: rows(context, &hosts, End::Target)?,
            from: rows(context, &hosts, End::Source)?,
            folded_toward: folded(context, &hosts, End::Target)?,
            folded_from: folded(context, &hosts, End::Source)?,
        })
    }

    pub(super) fn toward(&self, flood: &Flood, protos: &[u8]) -> Toward {
        let mut sources: BTreeMap<Address, u64> = BTreeMap::new();
        let mut ports: BTreeMap<u16, u64> = BTreeMap::new();
        let (mut attempts, mut refused) = (0, 0);
        for row in
            self.toward.get(&flood.target).into_iter().flatten().filter(|row| is_within(row.minute, flood) && protos.contains(&row.proto))
        {
            *sources.entry(row.other).or_default() += row.weight();
            *ports.entry(row.port).or_default() += row.attempts.max(row.opened);
            attempts += row.attempts;
            refused += row.refused;
        }
        let folded = self
            .folded_toward
            .get(&flood.target)
            .into_iter()
            .flatten()
            .filter(|fold| is_within(fold.minute, flood) && protos.contains(&fold.proto));
        let (folded_packets, folded_ports) = folded.fold((0, 0), |(packets, ports), fold| (packets + fold.packets, fold.ports.max(ports)));
        let (top_port, most) =
            ports.iter().max_by_key(|(port, count)| (**count, std::cmp::Reverse(**port))).map_or((0, 0), |(port, count)| (*port, *count));
        // Of folded packets only the number of ports is known: few ports mean that one may dominate.
        let all = ports.values().sum::<u64>() + if folded_ports > FEW_PORTS { folded_packets } else { 0 };
        let mut sources: Vec<_> = sources.into_iter().collect();
        sources.sort_by_key(|(address, count)| (std::cmp::Reverse(*count), *address));
        if !protos.contains(&ip_proto::TCP) {
            leave_out_bystanders(&mut sources, minutes(flood));
        }
        Toward {
            sources,
            top_port_share: share(most, all),
            top_port,
            ports: folded_ports.max(ports.len() as u64).min(ALL_PORTS),
            refused: share(refused, attempts),
        }
    }

    /// The packets answer what the flooded host itself sent: it began more than was begun with it, and
    /// enough to explain them.
    pub(super) fn is_provoked(&self, flood: &Flood, protos: &[u8]) -> bool {
        let wanted = |row: &&Row| is_within(row.minute, flood) && protos.contains(&row.proto);
        let weights = |rows: Option<&Vec<Row>>| rows.into_iter().flatten().filter(wanted).map(Row::begun).sum::<u64>();
        let (own, others) = (weights(self.from.get(&flood.target)), weights(self.toward.get(&flood.target)));
        let folded = self
            .folded_from
            .get(&flood.target)
            .into_iter()
            .flatten()
            .filter(|fold| is_within(fold.minute, flood) && protos.contains(&fold.proto));
        own >= others && (own + folded.map(|fold| fold.packets).sum::<u64>()) * 2 >= flood.counted
    }

    /// The host answers what it is asked: most connections toward it carry data both ways, and there are
    /// enough of them to explain the packets. A question and its answer, each from a new port, are one.
    pub(super) fn is_served(&self, flood: &Flood, protos: &[u8]) -> bool {
        let rows = self.toward.get(&flood.target).into_iter().flatten();
        let (attempts, answered) = rows
            .filter(|row| is_within(row.minute, flood) && protos.contains(&row.proto))
            .fold((0, 0), |(attempts, answered), row| (attempts + row.attempts, answered + row.data));
        answered * 2 >= attempts && answered * 2 >= flood.counted
    }

    /// Connections of the flooded host, at least: those that began in the busiest seconds, and what was
    /// folded. A few long ones of which one direction was captured bring as many packets as a flood.
    pub(super) fn connections(&self, flood: &Flood, protos: &[u8]) -> u64 {
        let both = [self.toward.get(&flood.target), self.from.get(&flood.target)];
        let rows = both.into_iter().flatten().flatten().filter(|row| is_within(row.minute, flood) && protos.contains(&row.proto));
        rows.map(|row| row.opened).sum::<u64>() + flood.counts.folded
    }
}

/// Who sent less than this part of what the strongest source did was there in the same minute, and no more ...
const BYSTANDER: u64 = 100;
/// ... and so was who sent no more than this in each minute of the flood, as `ping` does ...
const BYSTANDER_PER_MINUTE: u64 = 60;
/// ... where the others explain nearly all of it.
const EXPLAINED: f64 = 0.8;

/// A client that asked the flooded host for a name is none of the flood's sources. Where the strongest do not explain it, the
/// sources are forged or many, and all are kept.
fn leave_out_bystanders(sources: &mut Vec<(Address, u64)>, minutes: u64) {
    let most = sources.first().map_or(0, |(_, packets)| *packets);
    let is_strong = |packets: u64| packets.saturating_mul(BYSTANDER) >= most && packets > BYSTANDER_PER_MINUTE * minutes;
    let strong = sources.partition_point(|(_, packets)| is_strong(*packets));
    let sum = |sources: &[(Address, u64)]| sources.iter().map(|(_, packets)| packets).sum::<u64>();
    if share(sum(&sources[..strong]), sum(sources)) >= EXPLAINED {
        sources.truncate(strong);
    }
}

/// Minutes of the clock that a flood touches.
fn minutes(flood: &Flood) -> u64 {
    u64::try_from((time::pane(flood.last, MINUTE) - time::pane(flood.first, MINUTE)) / MINUTE).unwrap_or_default() + 1
}

impl Row {
    /// How much of a flood it can be.
    const fn weight(&self) -> u64 {
        if matches!(self.proto, ip_proto::UDP | ip_proto::ICMP | ip_proto::ICMP6) {
            self.packets
        } else if self.attempts > self.opened {
            self.attempts
        } else {
            self.opened
        }
    }

    /// What its source began: attempts; for ICMP packets, as all pings of a pair are one attempt.
    const fn begun(&self) -> u64 {
        if self.techniques & (pattern::REPLY_ONLY | pattern::MIDSTREAM) != 0 {
            0
        } else if matches!(self.proto, ip_proto::ICMP | ip_proto::ICMP6) {
            self.packets
        } else {
            self.attempts
        }
    }
}

/// There are no more, whatever a sketch estimates.
const ALL_PORTS: u64 = 65_536;
/// Few ports, as an attacker names them by hand.
const FEW_PORTS: u64 = 3;

impl Toward {
    /// One port gets most of it.
    pub(super) fn has_one_port(&self) -> bool {
        self.top_port_share > 0.5
    }

    /// The sources that sent most, as an alert lists them.
    pub(super) fn listed_sources(&self, context: &Context<'_>) -> Vec<String> {
        let strongest: Vec<Addr> = self.sources.iter().take(super::alert::LISTED).map(|(source, _)| context.address(*source)).collect();
        listed(strongest).0
    }
}

fn is_within(minute: Nanos, flood: &Flood) -> bool {
    (time::pane(flood.first, MINUTE)..=flood.last).contains(&minute)
}

fn those(hosts: &[Address], end: End) -> Result<LazyFrame, Error> {
    Ok(DataFrame::new(hosts.len(), vec![Column::new(end.column().into(), hosts)]).map_err(internal)?.lazy())
}

fn rows(context: &Context<'_>, hosts: &[Address], end: End) -> Result<ByHost<Row>, Error> {
    let mut by_host = ByHost::default();
    if context.tables.contacts.height() == 0 {
        return Ok(by_host);
    }
    let wanted = [
        col::MINUTE,
        col::SOURCE,
        col::TARGET,
        col::PORT,
        col::PROTO,
        col::ATTEMPTS,
        col::REFUSED,
        col::DATA,
        col::PACKETS,
        col::PEAK_1S,
        col::TECHNIQUES,
    ];
    let key = || [column(end.column())];
    let frame = collect(contacts(context.tables).select(wanted.map(column)).join(
        those(hosts, end)?,
        key(),
        key(),
        JoinArgs::new(JoinType::Inner),
    ))?;
    let (minutes, sources, targets) = (i64s(&frame, col::MINUTE)?, u32s(&frame, col::SOURCE)?, u32s(&frame, col::TARGET)?);
    let (ports, protos, attempts) = (u16s(&frame, col::PORT)?, u8s(&frame, col::PROTO)?, u32s(&frame, col::ATTEMPTS)?);
    let (refused, packets, opened) = (u32s(&frame, col::REFUSED)?, u64s(&frame, col::PACKETS)?, u32s(&frame, col::PEAK_1S)?);
    let (techniques, data) = (u16s(&frame, col::TECHNIQUES)?, u32s(&frame, col::DATA)?);
    for row in 0..frame.height() {
        let (host, other) = if end == End::Target { (targets[row], sources[row]) } else { (sources[row], targets[row]) };
        by_host.entry(host).or_default().push(Row {
            minute: minutes[row],
            other,
            port: ports[row],
            proto: protos[row],
            attempts: u64::from(attempts[row]),
            refused: u64::from(refused[row]),
            data: u64::from(data[row]),
            packets: packets[row],
            opened: u64::from(opened[row]),
            techniques: techniques[row],
        });
    }
    Ok(by_host)
}

fn folded(context: &Context<'_>, hosts: &[Address], end: End) -> Result<ByHost<Folded>, Error> {
    let mut by_host = ByHost::default();
    if context.tables.folds.height() == 0 {
        return Ok(by_host);
    }
    let key = || [column(end.column())];
    let frame = collect(context.tables.folds.clone().lazy().join(those(hosts, end)?, key(), key(), JoinArgs::new(JoinType::Inner)))?;
    let (hosts, minutes, protos) = (u32s(&frame, end.column())?, i64s(&frame, col::MINUTE)?, u8s(&frame, col::PROTO)?);
    let (packets, ports) = (u64s(&frame, col::PACKETS)?, sketches(&frame, col::PORTS)?);
    for row in 0..frame.height() {
        by_host.entry(hosts[row]).or_default().push(Folded {
            minute: minutes[row],
            proto: protos[row],
            packets: packets[row],
            ports: Distinct::from_bytes(ports.get(row).unwrap_or_default()).count(),
        });
    }
    Ok(by_host)
}

/// The protocols of a flood, for [`Evidence`].
pub(super) const TCP: &[u8] = &[ip_proto::TCP];
pub(super) const UDP: &[u8] = &[ip_proto::UDP];
pub(super) const ICMP: &[u8] = &[ip_proto::ICMP, ip_proto::ICMP6];
pub(super) const ANY: &[u8] = &[ip_proto::TCP, ip_proto::UDP, ip_proto::ICMP, ip_proto::ICMP6];
