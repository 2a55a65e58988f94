//! The finished tables as Polars frames, sorted by their keys.

use std::path::Path;

use polars::prelude::*;
use rayon::prelude::*;

use super::admission::{Fold, FoldKey};
use super::claims::{ClaimCounts, ClaimKey, Claims};
use super::contacts::{Contact, ContactKey};
use super::fact_frames::{FactFrames, FactRows};
use super::hosts::{HostTotals, Hosts};
use super::mixture::{FEATURES, Mixture};
use super::schema as col;
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
    /// What arrived at whom, by the second (busy) or minute.
    pub victims: DataFrame,
    /// What a flood made and no connection was kept for, by the minute.
    pub folds: DataFrame,
    /// Who asked for or announced which address, by the minute.
    pub claims: DataFrame,
    /// What applications said.
    pub facts: FactFrames,
    pub hosts: Vec<(Addr, HostTotals)>,
    /// Width in seconds, and the buckets in time order.
    pub timeline: (i64, Vec<(Nanos, Counts)>),
    /// Width in seconds; per pane packets and the entropy of each feature in bits.
    pub mixture: (i64, Vec<(Nanos, u64, [f64; FEATURES.len()])>),
    pub totals: ShardTotals,
    pub flows: u64,
    pub folded_packets: u64,
    /// Rows left out by table, where a limit was reached.
    pub thinned: Vec<(&'static str, u64)>,
}

impl Tables {
    pub(super) fn build(
        shards: Vec<Shard>,
        victims: Vec<Closed>,
        claims: Claims,
        hosts: Hosts,
        timeline: Timeline,
        mixture: Mixture,
        flows: u64,
    ) -> Result<Self, Error> {
        let totals = shards.iter().fold(ShardTotals::default(), |sum, shard| sum.plus(&shard.totals));
        let folded_packets = shards.iter().map(|shard| shard.admission.folded_packets).sum();
        let thinned = [
            ("flows", totals.thinned),
            ("folds", shards.iter().map(|shard| shard.admission.thinned).sum()),
            ("facts", shards.iter().map(|shard| shard.facts.room.thinned + shard.facts.texts.thinned).sum()),
            ("neighbours", shards.iter().map(|shard| shard.facts.nearby.thinned).sum()),
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
            contact_tables.push(shard.contacts);
            fact_tables.push(shard.facts);
        }
        let facts = FactRows::of(fact_tables);
        // By reference: this table is the largest, and is not to be held twice.
        let mut contact_rows: Vec<&(ContactKey, Contact)> = contact_tables.iter().flat_map(|contacts| contacts.rows().iter()).collect();
        contact_rows.par_sort_unstable_by_key(|(key, _)| *key);
        let folds = merged(fold_rows);
        let mut victim_rows: Vec<(VictimKey, Arrivals)> = victims.into_iter().flat_map(|victims| victims.rows).collect();
        victim_rows.par_sort_unstable_by_key(|(key, _)| *key);
        let mut claim_rows: Vec<(ClaimKey, ClaimCounts)> = claims.rows.into_iter().collect();
        claim_rows.par_sort_unstable_by_key(|(key, _)| *key);
        let mut hosts = hosts;
        folds.iter().for_each(|(key, fold)| hosts.take_fold(key, fold));
        let mut hosts: Vec<(Addr, HostTotals)> = hosts.rows.into_iter().collect();
        hosts.par_sort_unstable_by_key(|(address, _)| *address);

        let addresses = Addresses::of(&contact_rows, &victim_rows, &folds, &claim_rows, facts.addresses());
        Ok(Self {
            contacts: contacts_frame(&contact_rows, &addresses)?,
            victims: victims_frame(&victim_rows, &addresses)?,
            folds: folds_frame(&folds, &addresses)?,
            claims: claims_frame(&claim_rows, &addresses)?,
            facts: facts.frames(&addresses)?,
            addresses: addresses.0,
            hosts,
            timeline: timeline.finish(),
            mixture: mixture.finish(),
            totals,
            flows,
            folded_packets,
            thinned: thinned.into_iter().filter(|(_, rows)| *rows > 0).collect(),
        })
    }

    /// The address behind a number of the frames.
    #[must_use]
    pub fn address(&self, id: Address) -> Addr {
        self.addresses.get(id as usize).copied().unwrap_or(Addr::UNSPECIFIED)
    }

    /// The tables that are stored, by name.
    #[must_use]
    pub const fn stored(&self) -> [(&'static str, &DataFrame); 12] {
        [
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
            ("neighbours", &self.facts.neighbours),
        ]
    }

    /// Writes one table as Parquet, with its addresses as 16 bytes and as text.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_parquet(&self, table: &DataFrame, writer: impl std::io::Write, path: &Path) -> Result<(), Error> {
        let mut stored = table.clone();
        for column in [col::SOURCE, col::TARGET, col::CLIENT, col::SERVER, col::ROUTER, col::RESOLVER, col::RELAY, col::ADDRESS] {
            let Ok(ids) = table.column(column).and_then(|ids| ids.u32()) else { continue };
            let addresses: Vec<Addr> = ids.into_no_null_iter().map(|id| self.address(id)).collect();
            let text: Vec<String> = addresses.iter().map(Addr::to_string).collect();
            let bytes: BinaryChunked = addresses.iter().map(|address| Some(address.bytes().to_vec())).collect();
            stored.with_column(Column::new(column.into(), text)).map_err(internal)?;
            stored.with_column(bytes.with_name(format!("{column}_bytes").into()).into_column()).map_err(internal)?;
        }
        ParquetWriter::new(writer)
            .with_compression(ParquetCompression::Zstd(None))
            .finish(&mut stored)
            .map(|_| ())
            .map_err(|cause| Error::Write { path: path.to_path_buf(), cause: std::io::Error::other(cause) })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(crate) fn internal(cause: PolarsError) -> Error {
    Error::Internal(cause.to_string())
}

/// Folds of the same key from several shards, merged and sorted.
fn merged(mut rows: Vec<(FoldKey, Fold)>) -> Vec<(FoldKey, Fold)> {
    rows.sort_by_key(|(key, _)| *key);
    rows.dedup_by(|(key, later), (kept, fold)| {
        let same = key == kept;
        if same {
            fold.merge(later);
        }
        same
    });
    rows
}

pub(super) struct Addresses(Vec<Addr>);

impl Addresses {
    fn of(
        contacts: &[&(ContactKey, Contact)],
        victims: &[(VictimKey, Arrivals)],
        folds: &[(FoldKey, Fold)],
        claims: &[(ClaimKey, ClaimCounts)],
        others: impl Iterator<Item = Addr>,
    ) -> Self {
        let mut all: Vec<Addr> = vec![Addr::UNSPECIFIED];
        all.extend(contacts.iter().flat_map(|(key, _)| [key.source, key.target]));
        all.extend(victims.iter().map(|(key, _)| key.target));
        all.extend(folds.iter().flat_map(|(key, _)| [key.source, key.target]));
        all.extend(claims.iter().flat_map(|(key, _)| [key.sender, key.target]));
        all.extend(others);
        all.par_sort_unstable();
        all.dedup();
        Self(all)
    }

    #[expect(clippy::cast_possible_truncation, reason = "row limits keep addresses far below 2^32")]
    pub(super) fn id(&self, address: Addr) -> Address {
        self.0.binary_search(&address).unwrap_or_default() as Address
    }
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

fn contacts_frame(rows: &[&(ContactKey, Contact)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::SOURCE, rows, |(key, _)| addresses.id(key.source)),
            column(col::TARGET, rows, |(key, _)| addresses.id(key.target)),
            column(col::PORT, rows, |(key, _)| key.port),
            column(col::PROTO, rows, |(key, _)| key.proto),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
            column(col::CONNECTIONS, rows, |(_, row)| row.connections),
            column(col::ATTEMPTS, rows, |(_, row)| row.attempts),
            column(col::UNANSWERED, rows, |(_, row)| row.outcomes[0]),
            column(col::REFUSED, rows, |(_, row)| row.outcomes[1]),
            column(col::HALF_OPEN, rows, |(_, row)| row.outcomes[2]),
            column(col::EMPTY, rows, |(_, row)| row.outcomes[3]),
            column(col::DATA, rows, |(_, row)| row.outcomes[4]),
            column(col::FIRST_OUTCOME, rows, |(_, row)| row.first_outcome as u8),
            column(col::TECHNIQUES, rows, |(_, row)| row.techniques),
            column(col::PACKETS, rows, |(_, row)| row.packets),
            column(col::BYTES_OUT, rows, |(_, row)| row.bytes_out),
            column(col::BYTES_BACK, rows, |(_, row)| row.bytes_back),
            column(col::SOURCE_PORT, rows, |(_, row)| row.source_port),
            column(col::SAME_SOURCE_PORT, rows, |(_, row)| row.same_source_port),
            column(col::FINGERPRINTS, rows, |(_, row)| row.fingerprints),
            column(col::PEAK_1S, rows, |(_, row)| row.rate.peak),
            column(col::PEAK_10S, rows, |(_, row)| row.rate.peak_ten),
            column(col::BUSY_SECONDS, rows, |(_, row)| row.rate.busy),
            column(col::LONGEST, rows, |(_, row)| row.longest),
            sketches(col::SERIES, rows.iter().map(|(_, row)| row.series.to_bytes())),
        ],
    )
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

/// The number of a claim's kind in column [`col::KIND`].
#[must_use]
pub const fn claim_kind_number(kind: ClaimKind) -> u8 {
    kind as u8
}

pub(super) fn sketches(name: &str, rows: impl Iterator<Item = Vec<u8>>) -> Column {
    rows.map(Some).collect::<BinaryChunked>().with_name(name.into()).into_column()
}
