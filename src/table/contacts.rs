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
use super::series::Series;
use crate::decode::Packet;
use crate::net::Addr;
use crate::time::{self, MINUTE, Nanos, SECOND};

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

/// Counts of one contact in one minute.
#[derive(Clone, Debug)]
pub struct Contact {
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    first_outcome_ordinal: u64,
    pub packets: u64,
    pub bytes_out: u64,
    pub bytes_back: u64,
    /// One bit per fingerprint of a SYN (TTL class, option layout): several hosts behind one address.
    pub fingerprints: u64,
    /// The longest that one connection lasted.
    pub longest: Nanos,
    pub series: Series,
    pub rate: Rate,
    /// Connections that began in this minute, also those that were under way when first seen.
    pub connections: u32,
    pub attempts: u32,
    /// By [`Outcome`], without `Unknown`.
    pub outcomes: [u32; 5],
    /// Attempts that came from the same port as the first.
    pub same_source_port: u32,
    /// Port the first attempt came from.
    pub source_port: u16,
    pub techniques: u16,
    /// Outcome of the earliest attempt (for the sequential test).
    pub first_outcome: Outcome,
}

/// The fastest this contact ever was.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// Most attempts in any sliding second; exact up to [`RECENT`], beyond that the most in any
    /// second of the clock (at most a factor of two below).
    pub peak: u32,
    /// Most attempts in ten consecutive seconds that begin on a multiple of ten.
    pub peak_ten: u32,
    /// Seconds of this minute, as bits, with more attempts than [`BUSY`].
    pub busy: u64,
    /// Made with the second attempt: most contacts have one.
    recent: Option<Box<Recent>>,
}

/// Attempts remembered for the sliding second.
pub const RECENT: usize = 16;
/// A second with more attempts than this is busy: the requirement's "more than 5 per second".
pub const BUSY: u32 = 5;

#[derive(Clone, Debug)]
struct Recent {
    second: Nanos,
    in_second: u32,
    in_ten: u32,
    times: [Nanos; RECENT],
}

impl Default for Recent {
    fn default() -> Self {
        Self { second: Nanos::MIN / 2, in_second: 0, in_ten: 0, times: [Nanos::MIN / 2; RECENT] }
    }
}

impl Rate {
    /// Another attempt at `ts`; `earlier` is the contact's only attempt before, if there was just one.
    fn add(&mut self, ts: Nanos, earlier: Option<Nanos>) {
        if self.recent.is_none() && earlier.is_none() {
            (self.peak, self.peak_ten) = (1, 1);
            return;
        }
        let recent = self.recent.get_or_insert_with(|| {
            let mut recent = Box::<Recent>::default();
            earlier.map(|earlier| recent.add(earlier));
            recent
        });
        self.peak = self.peak.max(recent.add(ts));
        self.peak_ten = self.peak_ten.max(recent.in_ten);
        if recent.in_second > BUSY {
            self.busy |= 1 << ((recent.second - time::pane(recent.second, MINUTE)) / SECOND);
        }
    }
}

impl Recent {
    /// Attempts in the second up to this one, or in its second of the clock, whichever is more.
    fn add(&mut self, ts: Nanos) -> u32 {
        let second = time::pane(ts, SECOND);
        if second != self.second {
            if time::pane(second, 10 * SECOND) != time::pane(self.second, 10 * SECOND) {
                self.in_ten = 0;
            }
            self.second = second;
            self.in_second = 0;
        }
        self.in_second += 1;
        self.in_ten += 1;
        self.times.rotate_right(1);
        self.times[0] = ts;
        let sliding: u32 = self.times.iter().map(|earlier| u32::from((0..SECOND).contains(&(ts - earlier)))).sum();
        self.in_second.max(sliding)
    }
}

#[derive(Debug, Default)]
pub struct Contacts {
    /// Seeded anew in every run, as that of the shard.
    hasher: RandomState,
    index: HashTable<u32>,
    rows: Pages<(ContactKey, Contact)>,
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
            if let Some((_, contact)) = self.rows.get_mut(place) {
                contact.rate.recent = None;
            }
        }
        self.settled = earlier;
        self.marks = [later, self.rows.len()];
    }

    /// The rows, in the order in which they began.
    #[must_use]
    pub const fn rows(&self) -> &Pages<(ContactKey, Contact)> {
        &self.rows
    }

    /// A connection began; its outcome comes with [`Self::ended`].
    pub fn began(&mut self, flow: &Flow, packet: &Packet) {
        let key = ContactKey::of(flow);
        let hash = hash(&self.hasher, &key);
        let (place, earlier) = match self.find(&key, hash) {
            Some(place) => {
                let contact = &self.rows[place].1;
                (place, (contact.rate.peak == 1).then_some(contact.first_ts))
            }
            None if self.rows.len() >= self.limit => {
                self.thinned += 1;
                return;
            }
            None => (self.open(key, hash, flow), None),
        };
        let contact = &mut self.rows[place].1;
        contact.connections += 1;
        contact.rate.add(flow.first_ts, earlier);
        contact.same_source_port += u32::from(flow.originator_port() == contact.source_port);
        if packet.options != 0 {
            contact.fingerprints |= 1 << (fingerprint(packet) & 63);
        }
    }

    fn find(&self, key: &ContactKey, hash: u64) -> Option<u32> {
        self.index.find(hash, |place| self.rows[*place].0 == *key).copied()
    }

    /// Adds a row; the sliding second goes on from the minute before.
    #[expect(clippy::cast_possible_truncation, reason = "the row limit keeps places far below 2^32")]
    fn open(&mut self, key: ContactKey, hash: u64, flow: &Flow) -> u32 {
        let before = ContactKey { minute: key.minute - MINUTE, ..key };
        let recent = self.find(&before, self::hash(&self.hasher, &before)).and_then(|place| self.rows[place].1.rate.recent.clone());
        let contact = Contact {
            first_ts: flow.first_ts,
            last_ts: flow.last_ts,
            first_ordinal: flow.first_ordinal,
            last_ordinal: flow.last_ordinal,
            first_outcome_ordinal: u64::MAX,
            packets: 0,
            bytes_out: 0,
            bytes_back: 0,
            fingerprints: 0,
            longest: 0,
            series: Series::default(),
            rate: Rate { recent, ..Rate::default() },
            connections: 0,
            attempts: 0,
            outcomes: [0; 5],
            same_source_port: 0,
            source_port: flow.originator_port(),
            techniques: 0,
            first_outcome: Outcome::Unknown,
        };
        let place = self.rows.len() as u32;
        self.rows.push((key, contact));
        let Self { rows, hasher, .. } = self;
        self.index.insert_unique(hash, place, |place| self::hash(hasher, &rows[*place].0));
        place
    }

    /// A connection ended: its packets, bytes and outcome are added to the minute in which it began.
    pub fn ended(&mut self, flow: &Flow) {
        let key = ContactKey::of(flow);
        let Some(place) = self.find(&key, hash(&self.hasher, &key)) else { return };
        let contact = &mut self.rows[place].1;
        contact.last_ts = contact.last_ts.max(flow.last_ts);
        contact.last_ordinal = contact.last_ordinal.max(flow.last_ordinal);
        contact.techniques |= flow.technique();
        contact.packets += flow.orig.packets + flow.resp.packets;
        contact.bytes_out += flow.orig.payload_bytes;
        contact.bytes_back += flow.resp.payload_bytes;
        contact.longest = contact.longest.max(flow.last_ts - flow.first_ts);
        contact.series.add(flow.first_ts - key.minute, flow.last_ts - flow.first_ts, flow.orig.payload_bytes);
        if !flow.is_attempt() {
            return;
        }
        contact.attempts += 1;
        let outcome = flow.outcome();
        if let Some(count) = contact.outcomes.get_mut(outcome as usize) {
            *count += 1;
        }
        if flow.first_ordinal < contact.first_outcome_ordinal {
            contact.first_outcome = outcome;
            contact.first_outcome_ordinal = flow.first_ordinal;
        }
    }
}

fn hash(hasher: &RandomState, key: &ContactKey) -> u64 {
    hasher.hash_one((key.source.0, key.target.0, key.minute / MINUTE, u32::from(key.port) << 8 | u32::from(key.proto)))
}

/// TTL class (the next of 32, 64, 128, 255) and layout of the SYN's options.
fn fingerprint(packet: &Packet) -> u16 {
    let class = match packet.ttl {
        0..=32 => 0,
        33..=64 => 1,
        65..=128 => 2,
        _ => 3,
    };
    packet.options.wrapping_mul(4).wrapping_add(class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MILLISECOND;

    fn rate(times_ms: &[Nanos]) -> Rate {
        let mut rate = Rate::default();
        for (number, ms) in times_ms.iter().enumerate() {
            rate.add(ms * MILLISECOND, (number == 1).then(|| times_ms[0] * MILLISECOND));
        }
        rate
    }

    #[test]
    fn six_attempts_across_a_second_boundary_are_six_in_one_second() {
        let rate = rate(&[700, 800, 900, 1_000, 1_100, 1_200]);
        assert_eq!(rate.peak, 6);
        assert_eq!(rate.busy, 0);
    }

    #[test]
    fn a_second_is_half_open() {
        // 0 and 1000 ms are one second apart: never in one window.
        assert_eq!(rate(&[0, 200, 400, 600, 800, 1_000]).peak, 5);
    }

    #[test]
    fn busy_seconds_and_tens_are_counted() {
        let times: Vec<Nanos> = (0..3).flat_map(|s| (0..20).map(move |n| s * 1_000 + n * 50)).collect();
        let rate = rate(&times);
        assert_eq!(rate.peak, 20);
        assert_eq!(rate.busy, 0b111);
        assert_eq!(rate.peak_ten, 60);
    }
}
