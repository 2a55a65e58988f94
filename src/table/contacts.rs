//! Who tried to reach which port of whom, minute by minute, and what came of it.
//!
//! A row is (minute of packet time, originator, responder, responder port, protocol). DESIGN speaks of
//! a row per second; no detector reads seconds of a contact except for its rates, and those are kept
//! exactly inside the row, so that a row per minute says the same in a fraction of the memory.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::flow::{Flow, Outcome};
use super::pages::Pages;
use super::rate::Rate;
use super::series::Start;
use crate::decode::Packet;
use crate::net::Addr;
use crate::time::{self, MINUTE, Nanos};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContactKey {
    pub minute: Nanos,
    pub source: Addr,
    pub target: Addr,
    pub port: u16,
    pub proto: u8,
}

impl ContactKey {
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        let port = flow.responder_port();
        Self { minute: time::pane(flow.first_ts, MINUTE), source: flow.originator(), target: flow.responder(), port, proto: flow.key.proto }
    }
}

pub type ContactRow = (ContactKey, Contact);

/// Counts of one contact in one minute. Most contacts have one connection, and there may be millions of
/// them: what only several can have is kept apart.
#[derive(Clone, Debug)]
pub struct Contact {
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    pub packets: u64,
    pub bytes_out: u64,
    pub bytes_back: u64,
    /// The longest that one connection lasted.
    pub longest: Nanos,
    many: Option<Box<Many>>,
    /// The connection that ended first, if one has.
    start: Option<Start>,
    /// Connections that began in this minute, also those that were under way when first seen.
    pub connections: u32,
    pub attempts: u32,
    /// Port the first attempt came from.
    pub source_port: u16,
    pub techniques: u16,
    /// Outcome of the earliest attempt (for the sequential test).
    pub first_outcome: Outcome,
    /// Of the first SYN.
    fingerprint: Option<u8>,
}

/// What a contact of several connections has.
#[derive(Clone, Debug, Default)]
struct Many {
    rate: Rate,
    /// Those that ended after the first.
    later: Vec<Start>,
    first_outcome_ordinal: u64,
    fingerprints: u64,
    outcomes: [u32; OUTCOMES],
    same_source_port: u32,
}

/// Of [`Outcome`], without `Unknown`.
const OUTCOMES: usize = 5;
/// Connections of one contact and minute that are kept one by one: five a second. What is faster has no
/// rhythm to look for but a rate.
const MOST_STARTS: usize = 300;

impl Contact {
    /// Of a connection that has just begun.
    fn begin(flow: &Flow, fingerprint: Option<u8>) -> Self {
        Self {
            first_ts: flow.first_ts,
            last_ts: flow.last_ts,
            first_ordinal: flow.first_ordinal,
            last_ordinal: flow.last_ordinal,
            packets: 0,
            bytes_out: 0,
            bytes_back: 0,
            longest: 0,
            many: None,
            start: None,
            connections: 1,
            attempts: 0,
            source_port: flow.originator_port(),
            techniques: 0,
            first_outcome: Outcome::Unknown,
            fingerprint,
        }
    }

    /// The same as [`Self::many`] would say of what there is so far.
    fn as_many(&self) -> Many {
        Many {
            first_outcome_ordinal: if self.attempts == 0 { u64::MAX } else { self.first_ordinal },
            fingerprints: self.fingerprints(),
            outcomes: self.outcomes(),
            same_source_port: self.same_source_port(),
            ..Many::default()
        }
    }

    /// Another connection has begun.
    fn add(&mut self, flow: &Flow, fingerprint: Option<u8>) {
        let mut many = self.many.take().unwrap_or_else(|| {
            let mut many = self.as_many();
            many.rate.add(self.first_ts);
            Box::new(many)
        });
        many.rate.add(flow.first_ts);
        many.same_source_port += u32::from(flow.originator_port() == self.source_port);
        many.fingerprints |= fingerprint.map_or(0, |bit| 1 << bit);
        self.many = Some(many);
        self.connections += 1;
    }

    /// One of its connections has ended.
    fn end(&mut self, flow: &Flow) {
        self.last_ts = self.last_ts.max(flow.last_ts);
        self.last_ordinal = self.last_ordinal.max(flow.last_ordinal);
        self.techniques |= flow.technique();
        self.packets += flow.orig.packets + flow.resp.packets;
        self.bytes_out += flow.orig.payload_bytes;
        self.bytes_back += flow.resp.payload_bytes;
        self.longest = self.longest.max(flow.last_ts - flow.first_ts);
        match (self.start, &mut self.many) {
            (None, _) => self.start = Some(Start::of(flow)),
            (Some(_), Some(many)) if many.later.len() + 1 < MOST_STARTS => many.later.push(Start::of(flow)),
            _ => {}
        }
        if flow.is_attempt() {
            self.count(flow.outcome(), flow.first_ordinal);
        }
    }

    fn count(&mut self, outcome: Outcome, ordinal: u64) {
        self.attempts += 1;
        let Some(many) = &mut self.many else {
            self.first_outcome = outcome;
            return;
        };
        if let Some(count) = many.outcomes.get_mut(outcome as usize) {
            *count += 1;
        }
        if ordinal < many.first_outcome_ordinal {
            self.first_outcome = outcome;
            many.first_outcome_ordinal = ordinal;
        }
    }

    /// By [`Outcome`], without `Unknown`.
    #[must_use]
    pub fn outcomes(&self) -> [u32; OUTCOMES] {
        let only = || std::array::from_fn(|outcome| u32::from(self.attempts > 0 && self.first_outcome as usize == outcome));
        self.many.as_ref().map_or_else(only, |many| many.outcomes)
    }

    /// Connections that came from the same port as the first.
    #[must_use]
    pub fn same_source_port(&self) -> u32 {
        self.many.as_ref().map_or(1, |many| many.same_source_port)
    }

    /// One bit per fingerprint of a SYN (TTL class, option layout): several hosts behind one address.
    #[must_use]
    pub fn fingerprints(&self) -> u64 {
        self.many.as_ref().map_or_else(|| self.fingerprint.map_or(0, |bit| 1 << bit), |many| many.fingerprints)
    }

    /// Most in any second, most in ten, and busy seconds as bits: see [`Rate`].
    #[must_use]
    pub fn rates(&self) -> (u32, u32, u64) {
        self.many.as_ref().map_or((1, 1, 0), |many| (many.rate.peak, many.rate.peak_ten, many.rate.busy))
    }

    /// Its connections as [`Start::write`] writes them.
    pub fn write_starts(&self, into: &mut Vec<u8>) {
        let later = self.many.iter().flat_map(|many| &many.later);
        Start::write(self.start.iter().chain(later).copied().collect(), into);
    }
}

#[derive(Debug, Default)]
pub struct Contacts {
    /// Seeded anew in every run, as that of the shard.
    hasher: RandomState,
    index: HashTable<u32>,
    rows: Pages<ContactRow>,
    limit: usize,
    /// Rows whose recent attempts have been forgotten, and those there were one and two minutes ago.
    settled: usize,
    marks: [usize; 2],
    /// Attempts that found the table full.
    pub thinned: u64,
}

impl Contacts {
    /// Room for more rows than there are now, until the next grant.
    pub fn grant(&mut self, rows: usize) {
        self.limit = self.rows.len() + rows;
    }

    /// A minute of elapsed time has passed: what began two minutes ago or earlier needs its recent
    /// attempts no more, neither for itself nor for the minute after it.
    pub fn settle(&mut self) {
        let [earlier, later] = self.marks;
        for place in self.settled..earlier {
            if let Some(many) = self.rows.get_mut(place).and_then(|(_, contact)| contact.many.as_mut()) {
                many.rate.settle();
            }
        }
        self.settled = earlier;
        self.marks = [later, self.rows.len()];
    }

    /// The rows, in the order in which they began, when nothing more will come.
    #[must_use]
    pub fn into_rows(self) -> Pages<ContactRow> {
        self.rows
    }

    /// The rows so far.
    #[must_use]
    pub const fn rows(&self) -> &Pages<ContactRow> {
        &self.rows
    }

    /// A connection began; its outcome comes with [`Self::ended`]. Returns its place, if there is room.
    pub fn began(&mut self, flow: &Flow, packet: &Packet) -> Option<u32> {
        let key = ContactKey::of(flow);
        let hash = hash(&self.hasher, &key);
        let fingerprint = (packet.options != 0).then(|| fingerprint(packet));
        if let Some(place) = self.find(&key, hash) {
            self.rows[place].1.add(flow, fingerprint);
            Some(place)
        } else if self.rows.len() < self.limit {
            Some(self.open(key, hash, Contact::begin(flow, fingerprint)))
        } else {
            self.thinned += 1;
            None
        }
    }

    fn find(&self, key: &ContactKey, hash: u64) -> Option<u32> {
        self.index.find(hash, |place| self.rows[*place].0 == *key).copied()
    }

    /// Adds a row; the sliding second goes on from the minute before.
    #[expect(clippy::cast_possible_truncation, reason = "the row limit keeps places far below 2^32")]
    fn open(&mut self, key: ContactKey, hash: u64, mut contact: Contact) -> u32 {
        let before = ContactKey { minute: key.minute - MINUTE, ..key };
        let before = self.find(&before, self::hash(&self.hasher, &before)).and_then(|place| self.rows[place].1.many.as_ref());
        if let Some(mut rate) = before.and_then(|many| Rate::after(&many.rate)) {
            rate.add(contact.first_ts);
            contact.many = Some(Box::new(Many { rate, ..contact.as_many() }));
        }
        let place = self.rows.len() as u32;
        self.rows.push((key, contact));
        let Self { rows, hasher, .. } = self;
        self.index.insert_unique(hash, place, |place| self::hash(hasher, &rows[*place].0));
        place
    }

    /// A connection ended: its packets, bytes and outcome are added to the minute in which it began.
    pub fn ended(&mut self, flow: &Flow) {
        if let Some(place) = flow.contact {
            self.rows[place].1.end(flow);
        }
    }
}

fn hash(hasher: &RandomState, key: &ContactKey) -> u64 {
    hasher.hash_one((key.source.0, key.target.0, key.minute / MINUTE, u32::from(key.port) << 8 | u32::from(key.proto)))
}

/// A number below 64 from the TTL class (the next of 32, 64, 128, 255) and the layout of the SYN's options.
fn fingerprint(packet: &Packet) -> u8 {
    let class = match packet.ttl {
        0..=32 => 0,
        33..=64 => 1,
        65..=128 => 2,
        _ => 3,
    };
    (packet.options.wrapping_mul(4).wrapping_add(class) & 63) as u8
}
