//! The finished tables as Polars frames, sorted by their keys.

use std::borrow::Cow;

use polars::prelude::*;
use rayon::prelude::*;

use super::admission::{Fold, FoldKey};
use super::claims::{ClaimCounts, ClaimKey, Claims};
use super::contacts::ContactRow;
use super::fact_frames::{FactFrames, FactRows};
use super::gather::{Gather, bytes, gather, numbers, order, texts};
use super::hosts::{HostTotals, Hosts};
use super::kept::{KeptFlow, KeptFlows};
use super::keyed::merged_rows;
use super::mixture::{FEATURES, Mixture};
use super::neighbours::{NeighbourKey, NeighbourRow, Neighbours};
use super::pages::Pages;
use super::schema as col;
use super::served::Served;
use super::shard::{Shard, ShardTotals};
use super::timeline::{Counts, Timeline};
use super::victims::{Arrivals, Closed, SUMS, VictimKey};
use crate::decode::ClaimKind;
use crate::error::Error;
use crate::net::Addr;
use crate::time::Nanos;

/// An address in the frames: its rank in [`Tables::addresses`].
pub type Address = u32;

/// Everything a detector may read.
#[derive(Debug)]
pub struct Tables {
    /// Sorted; frames hold positions in here.
    pub addresses: Vec<Addr>,
    /// Who tried to reach which port of whom, by the minute.
    pub contacts: DataFrame,
    /// Connections one by one, where rules ask for them.
    pub kept_flows: Option<DataFrame>,
    /// What arrived at whom, by the second (busy) or minute.
    pub victims: DataFrame,
    /// What a flood made and no connection was kept for, by the minute.
    pub folds: DataFrame,
    /// Who asked for or announced which address, by the minute.
    pub claims: DataFrame,
    /// Link-layer addresses that frames of an address came from or went to, for the whole capture.
    pub neighbours: DataFrame,
    /// What applications said.
    pub facts: FactFrames,
    pub hosts: Vec<(Addr, HostTotals)>,
    pub served: Served,
    /// Width in seconds, and the buckets in time order.
    pub timeline: (i64, Vec<(Nanos, Counts)>),
    /// Width in seconds; per pane packets and the entropy of each feature in bits.
    pub mixture: (i64, Vec<(Nanos, u64, [f64; FEATURES.len()])>),
    pub totals: ShardTotals,
    pub flows: u64,
    pub folded_packets: u64,
    /// Rows left out by table, where a limit was reached.
    pub thinned: Vec<(Cow<'static, str>, u64)>,
}

/// All that was gathered, when nothing more will come.
pub(super) struct Gathered {
    pub shards: Vec<Shard>,
    pub victims: Vec<Closed>,
    pub claims: Claims,
    pub neighbours: Neighbours,
    pub hosts: Hosts,
    pub kept: Option<KeptFlows>,
    pub served: Served,
    pub timeline: Timeline,
    pub mixture: Mixture,
    pub flows: u64,
}

impl Tables {
    pub(super) fn build(gathered: Gathered) -> Result<Self, Error> {
        let Gathered { shards, victims, claims, neighbours, mut hosts, kept, served, timeline, mixture, flows } = gathered;
        let totals = shards.iter().fold(ShardTotals::default(), |sum, shard| sum.plus(&shard.totals));
        let folded_packets = shards.iter().map(|shard| shard.admission.folded_packets).sum();
        let thinned = [
            ("flows", totals.thinned),
            ("kept_flows", kept.as_ref().map_or(0, |kept| kept.thinned)),
            ("folds", shards.iter().map(|shard| shard.admission.thinned).sum()),
            ("facts", shards.iter().map(|shard| shard.facts.room.thinned + shard.facts.texts.thinned).sum()),
            ("neighbours", neighbours.thinned()),
            ("echoes", shards.iter().map(|shard| shard.echoes.thinned).sum()),
            ("sessions", shards.iter().map(Shard::unfollowed).sum()),
            ("contacts", shards.iter().map(|shard| shard.contacts.thinned).sum()),
            ("victims", victims.iter().map(|victims| victims.thinned).sum()),
            ("claims", claims.thinned),
            ("hosts", hosts.thinned),
        ];
        let mut fold_rows = Vec::new();
        let mut contact_tables = Vec::new();
        let mut fact_tables = Vec::new();
        for shard in shards {
            fold_rows.extend(shard.admission.folds);
            contact_tables.push(shard.contacts.into_rows());
            fact_tables.push(shard.facts);
        }
        let facts = FactRows::of(fact_tables);
        let contact_order = order(&contact_tables, |(key, _)| *key);
        let folds = merged_rows(fold_rows);
        let mut victim_rows: Vec<(VictimKey, Arrivals)> = victims.into_iter().flat_map(|victims| victims.rows).collect();
        victim_rows.par_sort_unstable_by_key(|(key, _)| *key);
        let mut claim_rows: Vec<(ClaimKey, ClaimCounts)> = claims.rows.into_iter().collect();
        claim_rows.par_sort_unstable_by_key(|(key, _)| *key);
        folds.iter().for_each(|(key, fold)| hosts.take_fold(key, fold));
        let mut hosts: Vec<(Addr, HostTotals)> = hosts.rows.into_iter().collect();
        hosts.par_sort_unstable_by_key(|(address, _)| *address);

        let neighbour_rows = neighbours.finish();
        let kept = kept.map(KeptFlows::into_rows);
        let kept_addresses = kept.iter().flat_map(Pages::iter).flat_map(|row| [row.source, row.target]);
        let others = facts.addresses().chain(neighbour_rows.iter().map(|(key, _)| key.address)).chain(kept_addresses);
        let addresses = Addresses::of(&contact_tables, &victim_rows, &folds, &claim_rows, others);
        Ok(Self {
            contacts: contacts_frame(contact_tables, &contact_order, &addresses)?,
            kept_flows: kept.map(|flows| kept_flows_frame(flows, &addresses)).transpose()?,
            victims: victims_frame(&victim_rows, &addresses)?,
            folds: folds_frame(&folds, &addresses)?,
            claims: claims_frame(&claim_rows, &addresses)?,
            neighbours: neighbours_frame(&neighbour_rows, &addresses)?,
            facts: facts.frames(&addresses)?,
            addresses: addresses.0,
            hosts,
            served,
            timeline: timeline.finish(),
            mixture: mixture.finish(),
            totals,
            flows,
            folded_packets,
            thinned: thinned.into_iter().filter(|(_, rows)| *rows > 0).map(|(table, rows)| (table.into(), rows)).collect(),
        })
    }

    /// The address behind a number of the frames.
    #[must_use]
    pub fn address(&self, id: Address) -> Addr {
        self.addresses.get(id as usize).copied().unwrap_or(Addr::UNSPECIFIED)
    }

    /// Every frame by its name.
    #[must_use]
    pub fn frames(&self) -> Vec<(&'static str, &DataFrame)> {
        let mut frames = vec![
            ("contacts", &self.contacts),
            ("victims", &self.victims),
            ("folds", &self.folds),
            ("claims", &self.claims),
            ("logins", &self.facts.logins),
            ("names", &self.facts.names),
            ("services", &self.facts.services),
            ("requests", &self.facts.requests),
            ("leases", &self.facts.leases),
            ("remote", &self.facts.remote),
            ("echoes", &self.facts.echoes),
            ("neighbours", &self.neighbours),
        ];
        frames.extend(self.kept_flows.iter().map(|flows| ("flows", flows)));
        frames
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(crate) fn internal(cause: PolarsError) -> Error {
    Error::Internal(cause.to_string())
}

pub(super) struct Addresses(Vec<Addr>);

impl Addresses {
    fn of(
        contacts: &[Pages<ContactRow>],
        victims: &[(VictimKey, Arrivals)],
        folds: &[(FoldKey, Fold)],
        claims: &[(ClaimKey, ClaimCounts)],
        others: impl Iterator<Item = Addr>,
    ) -> Self {
        let mut all: Vec<Addr> = vec![Addr::UNSPECIFIED];
        // Of each shard once: there are many more contacts than addresses.
        let of_shard = |rows: &Pages<ContactRow>| unique(rows.iter().flat_map(|(key, _)| [key.source, key.target]).collect());
        all.extend(contacts.par_iter().flat_map_iter(of_shard).collect::<Vec<Addr>>());
        all.extend(victims.iter().map(|(key, _)| key.target));
        all.extend(folds.iter().flat_map(|(key, _)| [key.source, key.target]));
        all.extend(claims.iter().flat_map(|(key, _)| [key.sender, key.target]));
        all.extend(others);
        Self(unique(all))
    }

    #[expect(clippy::cast_possible_truncation, reason = "row limits keep addresses far below 2^32")]
    pub(super) fn id(&self, address: Addr) -> Address {
        self.0.binary_search(&address).unwrap_or_default() as Address
    }
}

fn unique(mut addresses: Vec<Addr>) -> Vec<Addr> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses.shrink_to_fit();
    addresses
}

/// A column from one value of every row.
pub(super) fn column<R: Sync, T: Send>(name: &str, rows: &[R], value: impl Fn(&R) -> T + Sync + Send) -> Column
where
    Series: NamedFrom<Vec<T>, [T]>,
{
    Column::from(Series::new(name.into(), rows.par_iter().map(value).collect::<Vec<T>>()))
}

pub(super) fn frame(rows: usize, columns: Vec<Column>) -> Result<DataFrame, Error> {
    DataFrame::new(rows, columns).map_err(internal)
}

/// The largest table: its rows are given up as its columns grow.
fn contacts_frame(shards: Vec<Pages<ContactRow>>, order: &[u32], addresses: &Addresses) -> Result<DataFrame, Error> {
    let rows = order.len();
    let columns: Vec<Box<dyn Gather<ContactRow> + '_>> = vec![
        numbers(col::MINUTE, rows, |(key, _): &ContactRow| key.minute),
        numbers(col::SOURCE, rows, |(key, _): &ContactRow| addresses.id(key.source)),
        numbers(col::TARGET, rows, |(key, _): &ContactRow| addresses.id(key.target)),
        numbers(col::PORT, rows, |(key, _): &ContactRow| key.port),
        numbers(col::PROTO, rows, |(key, _): &ContactRow| key.proto),
        numbers(col::VLAN, rows, |(key, _): &ContactRow| key.vlan),
        numbers(col::FIRST_TS, rows, |(_, row): &ContactRow| row.first_ts),
        numbers(col::LAST_TS, rows, |(_, row): &ContactRow| row.last_ts),
        numbers(col::FIRST_ORD, rows, |(_, row): &ContactRow| row.first_ordinal),
        numbers(col::LAST_ORD, rows, |(_, row): &ContactRow| row.last_ordinal),
        numbers(col::CONNECTIONS, rows, |(_, row): &ContactRow| row.connections),
        numbers(col::ATTEMPTS, rows, |(_, row): &ContactRow| row.attempts),
        numbers(col::UNANSWERED, rows, |(_, row): &ContactRow| row.outcomes()[0]),
        numbers(col::REFUSED, rows, |(_, row): &ContactRow| row.outcomes()[1]),
        numbers(col::HALF_OPEN, rows, |(_, row): &ContactRow| row.outcomes()[2]),
        numbers(col::EMPTY, rows, |(_, row): &ContactRow| row.outcomes()[3]),
        numbers(col::DATA, rows, |(_, row): &ContactRow| row.outcomes()[4]),
        numbers(col::FIRST_OUTCOME, rows, |(_, row): &ContactRow| row.first_outcome as u8),
        numbers(col::TECHNIQUES, rows, |(_, row): &ContactRow| row.techniques),
        numbers(col::PACKETS, rows, |(_, row): &ContactRow| row.packets),
        numbers(col::BYTES_OUT, rows, |(_, row): &ContactRow| row.bytes_out),
        numbers(col::BYTES_BACK, rows, |(_, row): &ContactRow| row.bytes_back),
        numbers(col::SOURCE_PORT, rows, |(_, row): &ContactRow| row.source_port),
        numbers(col::SAME_SOURCE_PORT, rows, |(_, row): &ContactRow| row.same_source_port()),
        numbers(col::FINGERPRINTS, rows, |(_, row): &ContactRow| row.fingerprints()),
        numbers(col::PEAK_1S, rows, |(_, row): &ContactRow| row.rates().0),
        numbers(col::PEAK_10S, rows, |(_, row): &ContactRow| row.rates().1),
        numbers(col::BUSY_SECONDS, rows, |(_, row): &ContactRow| row.rates().2),
        numbers(col::LONGEST, rows, |(_, row): &ContactRow| row.longest),
        bytes(col::SERIES, |(_, row): &ContactRow, into| row.write_starts(into)),
    ];
    frame(rows, gather(shards, order, columns))
}

fn kept_flows_frame(flows: Pages<KeptFlow>, addresses: &Addresses) -> Result<DataFrame, Error> {
    let shards = vec![flows];
    let order = order(&shards, |row| (row.first_ts, row.first_ordinal));
    let rows = order.len();
    let columns: Vec<Box<dyn Gather<KeptFlow> + '_>> = vec![
        numbers(col::FIRST_TS, rows, |row: &KeptFlow| row.first_ts),
        numbers(col::LAST_TS, rows, |row: &KeptFlow| row.last_ts),
        numbers(col::DURATION, rows, |row: &KeptFlow| (row.last_ts - row.first_ts).max(0)),
        numbers(col::SOURCE, rows, |row: &KeptFlow| addresses.id(row.source)),
        numbers(col::SOURCE_PORT, rows, |row: &KeptFlow| row.source_port),
        numbers(col::TARGET, rows, |row: &KeptFlow| addresses.id(row.target)),
        numbers(col::PORT, rows, |row: &KeptFlow| row.port),
        numbers(col::PROTO, rows, |row: &KeptFlow| row.proto),
        numbers(col::VLAN, rows, |row: &KeptFlow| row.vlan),
        texts(col::CONN_STATE, |row: &KeptFlow| row.state.name()),
        texts(col::OUTCOME, |row: &KeptFlow| row.outcome.name()),
        texts(col::SERVICE, |row: &KeptFlow| row.service.name()),
        texts(col::SERVER_NAME, KeptFlow::server_name),
        numbers(col::PACKETS, rows, |row: &KeptFlow| row.packets),
        numbers(col::PACKETS_BACK, rows, |row: &KeptFlow| row.packets_back),
        numbers(col::BYTES_OUT, rows, |row: &KeptFlow| row.bytes_out),
        numbers(col::BYTES_BACK, rows, |row: &KeptFlow| row.bytes_back),
        numbers(col::RETRANSMITTED, rows, |row: &KeptFlow| row.retransmitted),
        numbers(col::FIRST_ORD, rows, |row: &KeptFlow| row.first_ordinal),
        numbers(col::LAST_ORD, rows, |row: &KeptFlow| row.last_ordinal),
    ];
    frame(rows, gather(shards, &order, columns))
}

fn victims_frame(rows: &[(VictimKey, Arrivals)], addresses: &Addresses) -> Result<DataFrame, Error> {
    let mut columns = vec![
        column(col::TS, rows, |(key, _)| key.ts),
        column(col::TARGET, rows, |(key, _)| addresses.id(key.target)),
        column(col::BUSY, rows, |(key, _)| u8::from(key.busy)),
        column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
        column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
    ];
    columns.extend(SUMS.iter().enumerate().map(|(place, name)| column(name, rows, move |(_, row)| row.sums()[place])));
    columns.extend([
        column(col::REFLECTED_PORT, rows, |(_, row)| row.reflected_port),
        column(col::TARGET_PORT, rows, |(_, row)| row.target_port),
        column(col::TTLS, rows, |(_, row)| row.ttls),
        sketches(col::SOURCES, rows.iter().map(|(_, row)| row.sources.to_bytes())),
        sketches(col::REFLECTORS, rows.iter().map(|(_, row)| row.reflectors.to_bytes())),
    ]);
    frame(rows.len(), columns)
}

fn folds_frame(rows: &[(FoldKey, Fold)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::SOURCE, rows, |(key, _)| addresses.id(key.source)),
            column(col::TARGET, rows, |(key, _)| addresses.id(key.target)),
            column(col::PROTO, rows, |(key, _)| key.proto),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
            column(col::PACKETS, rows, |(_, row)| row.packets),
            sketches(col::HOSTS, rows.iter().map(|(_, row)| row.hosts.to_bytes())),
            sketches(col::PORTS, rows.iter().map(|(_, row)| row.ports.to_bytes())),
        ],
    )
}

fn claims_frame(rows: &[(ClaimKey, ClaimCounts)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::VLAN, rows, |(key, _)| key.vlan),
            column(col::KIND, rows, |(key, _)| claim_kind_number(key.kind)),
            column(col::MAC, rows, |(key, _)| key.mac.0),
            column(col::SOURCE, rows, |(key, _)| addresses.id(key.sender)),
            column(col::TARGET, rows, |(key, _)| addresses.id(key.target)),
            column(col::COUNT, rows, |(_, row)| row.count),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
            column(col::FRAME_SRC, rows, |(_, row)| row.frame_src.0),
        ],
    )
}

fn neighbours_frame(rows: &[(NeighbourKey, NeighbourRow)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::VLAN, rows, |(key, _)| key.vlan),
            column(col::ADDRESS, rows, |(key, _)| addresses.id(key.address)),
            column(col::MAC, rows, |(key, _)| key.mac.0),
            column(col::ROLE, rows, |(key, _)| key.role as u8),
            column(col::COUNT, rows, |(_, row)| row.count),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
        ],
    )
}

/// The number of a claim's kind in column [`col::KIND`].
#[must_use]
pub const fn claim_kind_number(kind: ClaimKind) -> u8 {
    kind as u8
}

pub(super) fn sketches(name: &str, rows: impl Iterator<Item = Vec<u8>>) -> Column {
    rows.map(Some).collect::<BinaryChunked>().with_name(name.into()).into_column()
}
