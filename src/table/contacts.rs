//! Who tried to reach which port of whom, minute by minute, and what came of it.
//!
//! A row is (minute of packet time, originator, responder, responder port, protocol). DESIGN speaks of
//! a row per second; no detector reads seconds of a contact except for its rates, and those are kept
//! exactly inside the row, so that a row per minute says the same in a fraction of the memory.

use hashbrown::HashMap;

use super::flow::{Flow, Outcome};
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
    pub attempts: u32,
    /// By [`Outcome`], without `Unknown`.
    pub outcomes: [u32; 5],
    /// Outcome of the earliest attempt, and its ordinal (for the sequential test).
    pub first_outcome: Outcome,
    first_outcome_ordinal: u64,
    pub techniques: u16,
    pub packets: u64,
    pub bytes_out: u64,
    pub bytes_back: u64,
    /// Port the first attempt came from.
    pub source_port: u16,
    /// Attempts that came from that same port.
    pub same_source_port: u32,
    /// One bit per fingerprint of a SYN (TTL class, option layout): several hosts behind one address.
    pub fingerprints: u64,
    pub rate: Rate,
}

/// The fastest this contact ever was.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// Most attempts in any sliding second; exact up to [`RECENT`], beyond that the most in any
    /// second of the clock (at most a factor of two below).
    pub peak: u32,
    /// Seconds of this minute, as bits, with more attempts than [`BUSY`].
    pub busy: u64,
    /// Most attempts in ten consecutive seconds that begin on a multiple of ten.
    pub peak_ten: u32,
    second: Nanos,
    in_second: u32,
    in_ten: u32,
    recent: Option<Box<[Nanos; RECENT]>>,
}

/// Attempts remembered for the sliding second.
pub const RECENT: usize = 16;
/// A second with more attempts than this is busy: the requirement's "more than 5 per second".
pub const BUSY: u32 = 5;

impl Rate {
    fn add(&mut self, ts: Nanos) {
        let second = time::pane(ts, SECOND);
        if second != self.second || self.in_second == 0 {
            if time::pane(second, 10 * SECOND) != time::pane(self.second, 10 * SECOND) {
                self.in_ten = 0;
            }
            self.second = second;
            self.in_second = 0;
        }
        self.in_second += 1;
        self.in_ten += 1;
        self.peak_ten = self.peak_ten.max(self.in_ten);
        if self.in_second > BUSY {
            self.busy |= 1 << ((second - time::pane(second, MINUTE)) / SECOND);
        }
        let within = self.recent_within(ts);
        self.peak = self.peak.max(self.in_second).max(within);
    }

    /// Remembers `ts`; how many of the last attempts lie within the second up to it.
    fn recent_within(&mut self, ts: Nanos) -> u32 {
        let recent = self.recent.get_or_insert_with(|| Box::new([Nanos::MIN / 2; RECENT]));
        recent.rotate_right(1);
        recent[0] = ts;
        recent.iter().map(|earlier| u32::from((0..SECOND).contains(&(ts - earlier)))).sum()
    }
}

#[derive(Debug)]
pub struct Contacts {
    pub rows: HashMap<ContactKey, Contact, foldhash::fast::RandomState>,
    limit: usize,
    /// Attempts that found the table full.
    pub thinned: u64,
}

impl Contacts {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { rows: HashMap::default(), limit, thinned: 0 }
    }

    /// A connection began; its outcome comes with [`Self::ended`].
    pub fn began(&mut self, flow: &Flow, packet: &Packet) {
        let key = ContactKey::of(flow);
        if !self.rows.contains_key(&key) {
            if self.rows.len() >= self.limit {
                self.thinned += 1;
                return;
            }
            self.rows.insert(key, self.opened(&key, flow));
        }
        if let Some(contact) = self.rows.get_mut(&key) {
            contact.rate.add(flow.first_ts);
            contact.same_source_port += u32::from(flow.originator_port() == contact.source_port);
            if packet.options != 0 {
                contact.fingerprints |= 1 << (fingerprint(packet) & 63);
            }
        }
    }

    /// A new row; the sliding second goes on from the minute before.
    fn opened(&self, key: &ContactKey, flow: &Flow) -> Contact {
        let before = self.rows.get(&ContactKey { minute: key.minute - MINUTE, ..*key });
        Contact {
            first_ts: flow.first_ts,
            last_ts: flow.last_ts,
            first_ordinal: flow.first_ordinal,
            last_ordinal: flow.last_ordinal,
            attempts: 0,
            outcomes: [0; 5],
            first_outcome: Outcome::Unknown,
            first_outcome_ordinal: u64::MAX,
            techniques: 0,
            packets: 0,
            bytes_out: 0,
            bytes_back: 0,
            source_port: flow.originator_port(),
            same_source_port: 0,
            fingerprints: 0,
            rate: Rate { recent: before.and_then(|before| before.rate.recent.clone()), ..Rate::default() },
        }
    }

    /// A connection ended: its packets, bytes and outcome are added to the minute in which it began.
    pub fn ended(&mut self, flow: &Flow) {
        let Some(contact) = self.rows.get_mut(&ContactKey::of(flow)) else { return };
        contact.first_ts = contact.first_ts.min(flow.first_ts);
        contact.last_ts = contact.last_ts.max(flow.last_ts);
        contact.first_ordinal = contact.first_ordinal.min(flow.first_ordinal);
        contact.last_ordinal = contact.last_ordinal.max(flow.last_ordinal);
        contact.techniques |= flow.technique();
        contact.packets += flow.orig.packets + flow.resp.packets;
        contact.bytes_out += flow.orig.payload_bytes;
        contact.bytes_back += flow.resp.payload_bytes;
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
        times_ms.iter().for_each(|ms| rate.add(ms * MILLISECOND));
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
