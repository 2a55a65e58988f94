//! All tables while they grow: packet batches go in, ended connections and complete tables come out.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::SHARDS;
use super::admission::Limits;
use super::claims::Claims;
use super::flow::{Timeouts, tick_second};
use super::frames::{Gathered, Tables};
use super::hosts::Hosts;
use super::kept::KeptFlows;
use super::mixture::Mixture;
use super::neighbours::Neighbours;
use super::part::{Part, Wire, pair_shard, target_shard};
use super::served::Served;
use super::shard::{Ended, Shard};
use super::timeline::Timeline;
use super::told::Told;
use super::victims::Victims;
use crate::capture::FrameRef;
use crate::config;
use crate::decode::Packet;
use crate::error::Error;
use crate::time::{self, MINUTE, Nanos, SECOND, from_seconds};

/// What shapes tables (and is therefore not a matter of judgement).
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub claims_per_second: u32,
    pub max_memory: u64,
    /// Rules ask for connections one by one.
    pub keep_flows: bool,
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
            keep_flows: false,
        }
    }
}

/// Bytes that one row of each table may take, with its share of the hash table: for turning the
/// memory limit into row counts. Measured sizes, rounded up.
const FLOW_BYTES: u64 = 560;
const CONTACT_BYTES: u64 = 470;
const FACT_BYTES: u64 = 900;
const KEPT_BYTES: u64 = 320;
const VICTIM_BYTES: u64 = 2_600;
const CLAIM_BYTES: u64 = 160;
const NEIGHBOUR_BYTES: u64 = 160;
const HOST_BYTES: u64 = 160;

/// Batches below this are worked off by the calling thread: starting workers would cost more.
const WORTH_SHARING: usize = 2_048;

/// Connections that end between two batches, mostly; the room for more is given back, for after a flood it is 100 MB.
const MOSTLY_ENDED: usize = 16_384;

const SECONDS_PER_MINUTE: i64 = 60;
/// Rows that one shard may add in a second of elapsed time however many others do, while there is room:
/// above what `fold.flows_per_pair` admits to one pair.
const BURST: usize = 8_192;

/// Most rows of a table over all shards.
#[derive(Clone, Copy, Debug)]
struct Caps {
    flows: usize,
    contacts: usize,
    victims: usize,
    facts: usize,
    texts: usize,
}

#[derive(Debug)]
pub struct Store {
    shards: Vec<Shard>,
    victims: Vec<Victims>,
    claims: Claims,
    neighbours: Neighbours,
    hosts: Hosts,
    /// Where rules ask for connections one by one; room is then taken from the contacts.
    kept: Option<KeptFlows>,
    served: Served,
    timeline: Timeline,
    mixture: Mixture,
    caps: Caps,
    flows: u64,
    /// The second of elapsed time that is being taken.
    swept: i64,
    ended: Vec<Ended>,
}

/// Rows of so many bytes that so many of 32 parts of the memory hold.
fn rows(settings: &Settings, share: u64, bytes: u64) -> usize {
    usize::try_from(settings.max_memory / 32 * share / bytes).unwrap_or(usize::MAX)
}

impl Store {
    /// Most connections that are kept one by one.
    #[must_use]
    pub fn kept_rows(settings: &Settings) -> usize {
        rows(settings, 4, KEPT_BYTES)
    }

    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        // A quarter for live connections, a third for contacts, the rest for the others: 32 parts in all.
        let rows = |share, bytes| rows(settings, share, bytes);
        let caps = Caps {
            flows: rows(8, FLOW_BYTES),
            contacts: rows(if settings.keep_flows { 7 } else { 11 }, CONTACT_BYTES),
            victims: rows(4, VICTIM_BYTES),
            facts: rows(2, FACT_BYTES),
            texts: rows(3, FACT_BYTES),
        };
        // An eighth of the memory beside the tables: with 1 GiB, 2 MiB for a shard.
        let sessions = usize::try_from(settings.max_memory / 8).unwrap_or(usize::MAX) / SHARDS;
        let mut store = Self {
            shards: (0..SHARDS).map(|_| Shard::new(settings.timeouts, settings.limits, sessions)).collect(),
            victims: (0..SHARDS).map(|_| Victims::default()).collect(),
            claims: Claims::new(rows(1, CLAIM_BYTES), settings.claims_per_second),
            neighbours: Neighbours::new(rows(1, NEIGHBOUR_BYTES)),
            hosts: Hosts::new(rows(2, HOST_BYTES)),
            kept: settings.keep_flows.then(|| KeptFlows::new(Self::kept_rows(settings))),
            served: Served::default(),
            timeline: Timeline::default(),
            mixture: Mixture::default(),
            caps,
            flows: 0,
            swept: i64::MIN,
            ended: Vec::new(),
        };
        store.share_out_room();
        store
    }

    /// Takes the next frames, their bytes and what was decoded of them, in order; all of one second of elapsed time
    /// ([`tick_second`]). Returns the connections that ended before that second, in the order of their
    /// end. What happens between two seconds does not depend on how their frames are cut into parts.
    pub fn push(&mut self, wire: Wire<'_>, parts: &[Part]) -> &[Ended] {
        self.ended.clear();
        self.ended.shrink_to(MOSTLY_ENDED);
        let rows: usize = parts.iter().map(|part| part.batch.packets.len()).sum();
        let shared = rows >= WORTH_SHARING;
        if let Some(first) = wire.frames.first() {
            self.enter(tick_second(first.tick), shared);
        }
        parts.iter().flat_map(|part| &part.batch.claims).for_each(|claim| self.claims.take(claim));
        if shared {
            self.aggregate_shared(wire, parts);
        } else {
            self.aggregate_here(wire, parts);
        }
        &self.ended
    }

    /// A copy of what began at or after `from`, and of all connections that are open: finished, it says what the tables
    /// would say if the capture ended now. Connections that began at or after `patience` and have no answer yet are
    /// left out: most will have one.
    #[must_use]
    pub fn since(&self, from: Nanos, patience: Nanos) -> Self {
        let (shards, victims) = rayon::join(
            || self.shards.par_iter().map(|shard| shard.since(from, patience)).collect(),
            || self.victims.par_iter().map(|victims| victims.since(from)).collect(),
        );
        let mut copy = Self {
            shards,
            victims,
            claims: self.claims.since(from),
            neighbours: self.neighbours.since(from),
            hosts: self.hosts.emptied(),
            kept: self.kept.as_ref().map(|kept| kept.since(from)),
            served: Served::default(),
            timeline: self.timeline.since(from),
            mixture: self.mixture.since(from),
            caps: self.caps,
            flows: 0,
            swept: self.swept,
            ended: Vec::new(),
        };
        copy.share_out_room();
        copy
    }

    /// A copy of all there is, open connections included.
    #[must_use]
    pub fn so_far(&self) -> Self {
        Self { hosts: self.hosts.clone(), served: self.served, flows: self.flows, ..self.since(Nanos::MIN, Nanos::MAX) }
    }

    /// Begins a new period of a capture that goes on, and gives back all there was so far. The new one has what began at
    /// or after `from`, so that nothing is missed that crosses the turn, and the connections that are open: these
    /// are in both.
    #[must_use]
    pub fn turn(&mut self, from: Nanos) -> Self {
        let mut next = self.since(from, Nanos::MAX);
        next.shards.iter_mut().zip(&mut self.shards).for_each(|(next, shard)| next.go_on_from(shard));
        next.victims.iter_mut().for_each(Victims::forget_thinned);
        next.neighbours.forget_thinned();
        next.claims.thinned = 0;
        next.kept.iter_mut().for_each(|kept| kept.thinned = 0);
        std::mem::replace(self, next)
    }

    /// The first minute since which there are at most so many contacts.
    #[must_use]
    pub fn minute_of_last(&self, contacts: usize) -> Nanos {
        let count = |mut minutes: BTreeMap<Nanos, usize>, minute| {
            *minutes.entry(minute).or_default() += 1;
            minutes
        };
        let minutes = self.shards.iter().flat_map(|shard| shard.contacts.minutes()).fold(BTreeMap::new(), count);
        let mut left = contacts;
        let fits = |(_, rows): &(&Nanos, &usize)| {
            let fits = **rows <= left;
            left = left.saturating_sub(**rows);
            fits
        };
        let last = minutes.keys().next_back().copied();
        minutes.iter().rev().take_while(fits).last().map(|(minute, _)| *minute).or(last).unwrap_or(Nanos::MIN)
    }

    /// Since when a new period is to know what was before: at most so long before `now`, at most a quarter of the room,
    /// and whole minutes, as rows are minutes.
    #[must_use]
    pub fn lead_in(&self, now: Nanos, at_most: Nanos) -> Nanos {
        time::pane(now.saturating_sub(at_most), MINUTE).max(self.minute_of_last(self.caps.contacts / 4))
    }

    /// How full the fullest table is, from 0 to 1.
    #[must_use]
    pub fn fullness(&self) -> f64 {
        let of = |rows: usize, cap: usize| rows as f64 / cap.max(1) as f64;
        let sum = |rows: fn(&Shard) -> usize| self.shards.iter().map(rows).sum::<usize>();
        [
            of(sum(|shard| shard.contacts.rows().len()), self.caps.contacts),
            of(sum(|shard| shard.facts.room.rows), self.caps.facts),
            of(sum(|shard| shard.facts.texts.rows), self.caps.texts),
            of(self.victims.iter().map(Victims::held).sum(), self.caps.victims),
            self.hosts.fullness(),
            self.claims.fullness(),
            self.neighbours.fullness(),
            self.kept.as_ref().map_or(0.0, KeptFlows::fullness),
        ]
        .into_iter()
        .fold(0.0, f64::max)
    }

    /// Takes a connection that somebody tells of, in order with what is pushed; returns the connections that
    /// ended before its second, as [`Self::push`] does.
    pub fn tell(&mut self, told: &Told) -> &[Ended] {
        let packet = &told.opening;
        self.ended.clear();
        self.enter(tick_second(packet.tick), false);
        let verdict = self.shards[pair_shard(packet)].tell(told);
        self.victims[target_shard(packet)].take(packet, verdict);
        let Packet { ts, tick, ordinal, wire_len: origlen, .. } = *packet;
        let frame = FrameRef { ts, tick, ordinal, offset: 0, start: 0, caplen: 0, origlen, link: 0, interface: 0 };
        self.timeline.take_frames(&[frame]);
        self.timeline.take_packets(std::slice::from_ref(packet));
        self.mixture.take(std::slice::from_ref(packet));
        &self.ended
    }

    /// Adds what an application said, for the tests of detectors.
    #[cfg(test)]
    pub fn note(&mut self, ends: super::facts::Ends, fact: crate::decode::app::Fact) {
        if let Some(shard) = self.shards.first_mut() {
            shard.facts.note(ends, &mut vec![fact]);
        }
    }

    /// A new second of elapsed time: collects the connections that have ended before it, and shares out
    /// anew what room is left in the tables.
    fn enter(&mut self, second: i64, shared: bool) {
        if second <= self.swept {
            return;
        }
        if second.div_euclid(SECONDS_PER_MINUTE) > self.swept.div_euclid(SECONDS_PER_MINUTE) {
            self.shards.iter_mut().for_each(|shard| shard.contacts.settle());
        }
        self.swept = second;
        self.collect(second * SECOND, shared);
        self.share_out_room();
    }

    /// The connections that have ended before elapsed time reaches `limit`, in the order of their end.
    fn collect(&mut self, limit: Nanos, shared: bool) {
        let mut ended = std::mem::take(&mut self.ended);
        if shared {
            let sweep = |shard: &mut Shard| {
                let mut ended = Vec::new();
                shard.sweep(limit, &mut ended);
                ended
            };
            let lots: Vec<Vec<Ended>> = self.shards.par_iter_mut().map(sweep).collect();
            ended.reserve_exact(lots.iter().map(Vec::len).sum());
            lots.into_iter().for_each(|lot| ended.extend(lot));
        } else {
            self.shards.iter_mut().for_each(|shard| shard.sweep(limit, &mut ended));
        }
        self.count(&mut ended);
        self.ended = ended;
    }

    /// One address pair or one target is one shard, and may need most of a table alone; so a shard's
    /// limit is not an even share but what it holds and a part of the room that is left in all.
    fn share_out_room(&mut self) {
        let room = |cap: usize, used: usize| {
            let free = cap.saturating_sub(used);
            (free / SHARDS).max(free.min(BURST))
        };
        let flows = room(self.caps.flows, self.shards.iter().map(Shard::live).sum());
        let contacts = room(self.caps.contacts, self.shards.iter().map(|shard| shard.contacts.rows().len()).sum());
        let facts = room(self.caps.facts, self.shards.iter().map(|shard| shard.facts.room.rows).sum());
        let texts = room(self.caps.texts, self.shards.iter().map(|shard| shard.facts.texts.rows).sum());
        for shard in &mut self.shards {
            shard.grant(flows, contacts, facts, texts);
        }
        let victims = room(self.caps.victims, self.victims.iter().map(Victims::held).sum());
        self.victims.iter_mut().for_each(|shard| shard.grant(victims));
    }

    fn aggregate_here(&mut self, wire: Wire<'_>, parts: &[Part]) {
        for (number, shard) in self.shards.iter_mut().enumerate() {
            parts.iter().for_each(|part| part.give_pairs(number, shard, wire));
        }
        for (number, victims) in self.victims.iter_mut().enumerate() {
            parts.iter().for_each(|part| part.give_targets(number, victims));
        }
        parts.iter().for_each(|part| part.give_neighbours(&mut self.neighbours, wire));
        take_over_time(&mut self.timeline, &mut self.mixture, wire.frames, parts);
    }

    fn aggregate_shared(&mut self, wire: Wire<'_>, parts: &[Part]) {
        let Self { shards, victims, neighbours, timeline, mixture, .. } = self;
        rayon::join(
            || {
                shards
                    .par_iter_mut()
                    .enumerate()
                    .for_each(|(number, shard)| parts.iter().for_each(|part| part.give_pairs(number, shard, wire)));
                let targets = || {
                    victims
                        .par_iter_mut()
                        .enumerate()
                        .for_each(|(number, victims)| parts.iter().for_each(|part| part.give_targets(number, victims)));
                };
                rayon::join(|| parts.iter().for_each(|part| part.give_neighbours(neighbours, wire)), targets);
            },
            || take_over_time(timeline, mixture, wire.frames, parts),
        );
    }

    /// Puts connections that have ended in the order of their end, and counts them.
    fn count(&mut self, ended: &mut [Ended]) {
        ended.sort_unstable_by_key(|ended| (ended.at, ended.flow.first_ordinal));
        for Ended { flow, .. } in ended.iter() {
            self.hosts.take(flow);
            self.served.take(flow);
        }
        if let Some(kept) = &mut self.kept {
            ended.iter().for_each(|ended| kept.take(ended));
        }
        self.flows += ended.len() as u64;
    }

    /// Ends everything that is open. The rows go to `last`, in order, before the tables are built.
    ///
    /// # Errors
    /// When `last` fails; and when Polars refuses a column, which would be a defect of ours.
    pub fn finish(mut self, last: &mut dyn FnMut(&[Ended]) -> Result<(), Error>) -> Result<Tables, Error> {
        let shared = self.shards.iter().map(Shard::live).sum::<usize>() >= WORTH_SHARING;
        // Time goes on without packets: what is open ends in its order, and is not all held at once.
        while let Some(second) = self.shards.iter().filter_map(Shard::next_due).min() {
            self.ended.clear();
            self.collect(second * SECOND, shared);
            last(&self.ended)?;
            self.share_out_room();
        }
        let victims = self.victims.into_iter().map(Victims::finish).collect();
        let Self { shards, claims, neighbours, hosts, kept, served, timeline, mixture, flows, .. } = self;
        Tables::build(Gathered { shards, victims, claims, neighbours, hosts, kept, served, timeline, mixture, flows })
    }
}

fn take_over_time(timeline: &mut Timeline, mixture: &mut Mixture, frames: &[FrameRef], parts: &[Part]) {
    timeline.take_frames(frames);
    for part in parts {
        timeline.take_packets(&part.batch.packets);
        mixture.take(&part.batch.packets);
    }
}
