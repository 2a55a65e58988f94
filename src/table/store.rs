//! All tables while they grow: packet batches go in, ended connections and complete tables come out.

use rayon::prelude::*;

use super::SHARDS;
use super::admission::Limits;
use super::claims::Claims;
use super::flow::{Timeouts, tick_second};
use super::frames::Tables;
use super::hosts::Hosts;
use super::mixture::Mixture;
use super::part::Part;
use super::shard::{Ended, Shard};
use super::timeline::Timeline;
use super::victims::Victims;
use crate::capture::FrameRef;
use crate::config;
use crate::error::Error;
use crate::time::{Nanos, SECOND, from_seconds};

/// What shapes tables (and is therefore not a matter of judgement).
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub claims_per_second: u32,
    pub max_memory: u64,
}

impl Settings {
    /// What the configuration says of it.
    #[must_use]
    pub fn of(settings: &config::Settings) -> Self {
        let config::Settings { flow, fold, memory, .. } = settings;
        Self {
            timeouts: Timeouts {
                tcp_idle: from_seconds(flow.tcp_idle_s),
                tcp_half_open: from_seconds(flow.tcp_half_open_s),
                tcp_closed: from_seconds(flow.tcp_closed_s),
                udp_idle: from_seconds(flow.udp_idle_s),
                icmp_idle: from_seconds(flow.icmp_idle_s),
                other_idle: from_seconds(flow.other_idle_s),
            },
            limits: Limits {
                pairs_per_target: fold.pairs_per_second,
                pairs_per_source: fold.pairs_per_source,
                flows_per_pair: fold.flows_per_pair,
            },
            claims_per_second: fold.claims_per_second,
            max_memory: memory.max_mib << 20,
        }
    }
}

/// Bytes that one row of each table may take, with its share of the hash table: for turning the
/// memory limit into row counts. Measured sizes, rounded up.
const FLOW_BYTES: u64 = 560;
const CONTACT_BYTES: u64 = 420;
const VICTIM_BYTES: u64 = 2_600;
const CLAIM_BYTES: u64 = 160;
const HOST_BYTES: u64 = 160;

/// Batches below this are worked off by the calling thread: starting workers would cost more.
const WORTH_SHARING: usize = 2_048;

#[derive(Debug)]
pub struct Store {
    shards: Vec<Shard>,
    victims: Vec<Victims>,
    claims: Claims,
    hosts: Hosts,
    timeline: Timeline,
    mixture: Mixture,
    flows: u64,
    swept: i64,
    ended: Vec<Ended>,
}

impl Store {
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        // A quarter for live connections, a half for contacts, the rest for the others.
        let rows = |share: u64, bytes: u64| usize::try_from(settings.max_memory / 16 * share / bytes).unwrap_or(usize::MAX);
        let (flows, contacts) = (rows(4, FLOW_BYTES) / SHARDS, rows(8, CONTACT_BYTES) / SHARDS);
        let victims = rows(2, VICTIM_BYTES) / SHARDS;
        Self {
            shards: (0..SHARDS).map(|_| Shard::new(settings.timeouts, settings.limits, flows, contacts)).collect(),
            victims: (0..SHARDS).map(|_| Victims::new(victims)).collect(),
            claims: Claims::new(rows(1, CLAIM_BYTES), settings.claims_per_second),
            hosts: Hosts::new(rows(1, HOST_BYTES)),
            timeline: Timeline::default(),
            mixture: Mixture::default(),
            flows: 0,
            swept: 0,
            ended: Vec::new(),
        }
    }

    /// Takes the next frames and what was decoded of them, in order. Returns the connections that have
    /// ended, in the order of their end; that order does not depend on how the frames are cut into parts.
    pub fn push(&mut self, frames: &[FrameRef], parts: &[Part]) -> &[Ended] {
        parts.iter().flat_map(|part| &part.batch.claims).for_each(|claim| self.claims.take(claim));
        let rows: usize = parts.iter().map(|part| part.batch.packets.len()).sum();
        if rows < WORTH_SHARING {
            self.aggregate_here(frames, parts);
        } else {
            self.aggregate_shared(frames, parts);
        }
        self.ended.clear();
        if let Some(last) = frames.last() {
            self.sweep(last.tick);
        }
        &self.ended
    }

    fn aggregate_here(&mut self, frames: &[FrameRef], parts: &[Part]) {
        for (number, shard) in self.shards.iter_mut().enumerate() {
            parts.iter().for_each(|part| part.give_pairs(number, shard));
        }
        for (number, victims) in self.victims.iter_mut().enumerate() {
            parts.iter().for_each(|part| part.give_targets(number, victims));
        }
        take_over_time(&mut self.timeline, &mut self.mixture, frames, parts);
    }

    fn aggregate_shared(&mut self, frames: &[FrameRef], parts: &[Part]) {
        let Self { shards, victims, timeline, mixture, .. } = self;
        rayon::join(
            || {
                shards.par_iter_mut().enumerate().for_each(|(number, shard)| parts.iter().for_each(|part| part.give_pairs(number, shard)));
                victims
                    .par_iter_mut()
                    .enumerate()
                    .for_each(|(number, victims)| parts.iter().for_each(|part| part.give_targets(number, victims)));
            },
            || take_over_time(timeline, mixture, frames, parts),
        );
    }

    /// Once a second of elapsed time, collects the connections that have ended before it.
    fn sweep(&mut self, tick: Nanos) {
        let second = tick_second(tick);
        if second <= self.swept {
            return;
        }
        self.swept = second;
        let limit = second * SECOND;
        let parts: Vec<Vec<Ended>> = self
            .shards
            .par_iter_mut()
            .map(|shard| {
                let mut ended = Vec::new();
                shard.sweep(limit, &mut ended);
                ended
            })
            .collect();
        self.collect(&parts);
    }

    fn collect(&mut self, parts: &[Vec<Ended>]) {
        self.ended = parts.concat();
        self.ended.par_sort_unstable_by_key(|ended| (ended.at, ended.flow.first_ordinal));
        self.ended.iter().for_each(|ended| self.hosts.take(&ended.flow));
        self.flows += self.ended.len() as u64;
    }

    /// Ends everything that is open. The rows go to `last`, in order, before the tables are built.
    ///
    /// # Errors
    /// When Polars refuses a column, which would be a defect of ours.
    pub fn finish(mut self, last: &mut dyn FnMut(&[Ended])) -> Result<Tables, Error> {
        let parts = self
            .shards
            .par_iter_mut()
            .map(|shard| {
                let mut ended = Vec::new();
                shard.finish(&mut ended);
                ended
            })
            .collect::<Vec<_>>();
        self.collect(&parts);
        drop(parts);
        last(&self.ended);
        self.ended = Vec::new();
        let victims = self.victims.into_iter().map(Victims::finish).collect();
        Tables::build(self.shards, victims, self.claims, self.hosts, self.timeline, self.mixture, self.flows)
    }
}

fn take_over_time(timeline: &mut Timeline, mixture: &mut Mixture, frames: &[FrameRef], parts: &[Part]) {
    timeline.take_frames(frames);
    for part in parts {
        timeline.take_packets(&part.batch.packets);
        mixture.take(&part.batch.packets);
    }
}
