//! Tables that detectors read as plain rows: hosts, resolved names, traffic over time and its mixture.

use polars::prelude::*;

use super::frames::{columns, parsed};
use crate::error::Error;
use crate::net::Addr;
use crate::table::{Counts, FEATURES, HostTotals, Tables, internal, schema as col};
use crate::time::Nanos;

const HOSTS: &str = "hosts";
const RESOLVED: &str = "resolved";
const TIMELINE: &str = "timeline";
const MIXTURE: &str = "mixture";

type Get<R, T> = (&'static str, fn(&R) -> T);

const OF_HOST: [Get<HostTotals, u64>; 6] = [
    (col::ORIGINATED, |host| host.originated),
    (col::RESPONDED, |host| host.responded),
    (col::PACKETS_SENT, |host| host.packets_sent),
    (col::PACKETS_RECEIVED, |host| host.packets_received),
    (col::BYTES_SENT, |host| host.bytes_sent),
    (col::BYTES_RECEIVED, |host| host.bytes_received),
];
const OF_BUCKET: [Get<Counts, u64>; 8] = [
    (col::FIRST_ORD, |counts| counts.first_ordinal),
    (col::LAST_ORD, |counts| counts.last_ordinal),
    (col::PACKETS, |counts| counts.packets),
    (col::BYTES, |counts| counts.bytes),
    (col::TCP, |counts| counts.tcp),
    (col::UDP, |counts| counts.udp),
    (col::ICMP, |counts| counts.icmp),
    (col::SYN, |counts| counts.syn),
];
/// Entropy in bits of each of [`FEATURES`].
const ENTROPIES: [&str; FEATURES.len()] =
    ["source_entropy_bits", "destination_entropy_bits", "source_port_entropy_bits", "destination_port_entropy_bits"];

/// Each table by its name.
pub fn frames(tables: &Tables) -> Result<[(&'static str, DataFrame); 4], Error> {
    let made = (hosts(tables), resolved(tables), timeline(tables), mixture(tables));
    let frame = |columns: Vec<Column>| DataFrame::new_infer_height(columns).map_err(internal);
    Ok([(HOSTS, frame(made.0)?), (RESOLVED, frame(made.1)?), (TIMELINE, frame(made.2)?), (MIXTURE, frame(made.3)?)])
}

/// Takes a table that was read. What is wrong with it comes back in words.
pub fn put(tables: &mut Tables, name: &str, frame: &DataFrame) -> Result<(), String> {
    let taken = match name {
        HOSTS => read_hosts(frame).map(|rows| tables.hosts = rows),
        RESOLVED => read_resolved(frame).map(|rows| tables.facts.resolved = rows),
        TIMELINE => read_timeline(frame).map(|rows| tables.timeline.1 = rows),
        MIXTURE => read_mixture(frame).map(|rows| tables.mixture.1 = rows),
        _ => None,
    };
    taken.ok_or_else(|| "a column holds something else than it should".to_owned())
}

fn numbers<R, T: Copy>(rows: &[R], name: &str, value: impl Fn(&R) -> T) -> Column
where
    Series: NamedFrom<Vec<T>, [T]>,
{
    Column::new(name.into(), rows.iter().map(value).collect::<Vec<T>>())
}

fn hosts(tables: &Tables) -> Vec<Column> {
    let rows = &tables.hosts;
    let addresses: Vec<Addr> = rows.iter().map(|(address, _)| *address).collect();
    let times = [numbers(rows, col::FIRST_TS, |(_, host)| host.first_ts), numbers(rows, col::LAST_TS, |(_, host)| host.last_ts)];
    let counts = OF_HOST.map(|(name, value)| numbers(rows, name, |(_, host)| value(host)));
    columns(col::ADDRESS, &addresses).into_iter().chain(times).chain(counts).collect()
}

fn read_hosts(frame: &DataFrame) -> Option<Vec<(Addr, HostTotals)>> {
    let (first, last) = (times(frame, col::FIRST_TS)?, times(frame, col::LAST_TS)?);
    let mut counts = Vec::new();
    for (name, _) in OF_HOST {
        counts.push(slice(frame, name)?);
    }
    let [originated, responded, packets_sent, packets_received, bytes_sent, bytes_received] = counts.try_into().ok()?;
    let row = |(row, address): (usize, Addr)| {
        Some((
            address,
            HostTotals {
                first_ts: *first.get(row)?,
                last_ts: *last.get(row)?,
                originated: *originated.get(row)?,
                responded: *responded.get(row)?,
                packets_sent: *packets_sent.get(row)?,
                packets_received: *packets_received.get(row)?,
                bytes_sent: *bytes_sent.get(row)?,
                bytes_received: *bytes_received.get(row)?,
            },
        ))
    };
    addresses(frame)?.into_iter().enumerate().map(row).collect()
}

fn resolved(tables: &Tables) -> Vec<Column> {
    let addresses: Vec<Addr> = tables.facts.resolved.iter().map(|(address, _)| *address).collect();
    let names: Vec<&str> = tables.facts.resolved.iter().map(|(_, name)| &**name).collect();
    columns(col::ADDRESS, &addresses).into_iter().chain([Column::new(col::NAME.into(), names)]).collect()
}

fn read_resolved(frame: &DataFrame) -> Option<Vec<(Addr, Box<str>)>> {
    let names = frame.column(col::NAME).ok()?.str().ok()?;
    addresses(frame)?.into_iter().zip(names.iter()).map(|(address, name)| Some((address, name?.into()))).collect()
}

fn timeline(tables: &Tables) -> Vec<Column> {
    let rows = &tables.timeline.1;
    let counts = OF_BUCKET.map(|(name, value)| numbers(rows, name, |(_, counts)| value(counts)));
    [numbers(rows, col::TS, |(ts, _)| *ts)].into_iter().chain(counts).collect()
}

fn read_timeline(frame: &DataFrame) -> Option<Vec<(Nanos, Counts)>> {
    let mut counts = Vec::new();
    for (name, _) in OF_BUCKET {
        counts.push(slice(frame, name)?);
    }
    let [first_ordinal, last_ordinal, packets, bytes, tcp, udp, icmp, syn] = counts.try_into().ok()?;
    let row = |(row, ts): (usize, &Nanos)| {
        Some((
            *ts,
            Counts {
                first_ordinal: *first_ordinal.get(row)?,
                last_ordinal: *last_ordinal.get(row)?,
                packets: *packets.get(row)?,
                bytes: *bytes.get(row)?,
                tcp: *tcp.get(row)?,
                udp: *udp.get(row)?,
                icmp: *icmp.get(row)?,
                syn: *syn.get(row)?,
            },
        ))
    };
    times(frame, col::TS)?.iter().enumerate().map(row).collect()
}

fn mixture(tables: &Tables) -> Vec<Column> {
    let rows = &tables.mixture.1;
    let entropies = ENTROPIES.iter().enumerate().map(|(place, name)| numbers(rows, name, move |(_, _, entropies)| entropies[place]));
    let counts = [numbers(rows, col::TS, |(ts, _, _)| *ts), numbers(rows, col::PACKETS, |(_, packets, _)| *packets)];
    counts.into_iter().chain(entropies).collect()
}

fn read_mixture(frame: &DataFrame) -> Option<Vec<(Nanos, u64, [f64; FEATURES.len()])>> {
    let (times, packets) = (times(frame, col::TS)?, slice(frame, col::PACKETS)?);
    let mut entropies = Vec::new();
    for name in ENTROPIES {
        entropies.push(frame.column(name).ok()?.f64().ok()?.cont_slice().ok()?);
    }
    let row = |((row, ts), packets): ((usize, &Nanos), &u64)| {
        let of_row: Option<Vec<f64>> = entropies.iter().map(|values| values.get(row).copied()).collect();
        Some((*ts, *packets, of_row?.try_into().ok()?))
    };
    times.iter().enumerate().zip(packets).map(row).collect()
}

fn addresses(frame: &DataFrame) -> Option<Vec<Addr>> {
    parsed(frame.column(&format!("{}{}", col::ADDRESS, super::frames::BYTES)).ok()?)
}

fn slice<'a>(frame: &'a DataFrame, name: &str) -> Option<&'a [u64]> {
    frame.column(name).ok()?.u64().ok()?.cont_slice().ok()
}

fn times<'a>(frame: &'a DataFrame, name: &str) -> Option<&'a [Nanos]> {
    frame.column(name).ok()?.i64().ok()?.cont_slice().ok()
}
