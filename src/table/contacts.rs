//! Who tried to reach which port of whom, minute by minute, and what came of it.
//!
//! A row is (minute of packet time, originator, responder, responder port, protocol, VLAN): on a router's
//! trunk a connection is seen in two VLANs, and is no faster for it. DESIGN speaks of a row per second; no
//! detector reads seconds of a contact except for its rates, and those are kept inside the row ([`Rate`]),
//! so that a row per minute says the same in a fraction of the memory.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::flow::{Flow, Outcome};
use super::pages::Pages;
use super::rate::Rate;
use super::series::Start;
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
    pub vlan: u16,
}

impl ContactKey {
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        let port = flow.responder_port();
        Self {
            minute: time::pane(flow.first_ts, MINUTE),
            source: flow.originator(),
            target: flow.responder(),
            port,
            proto: flow.key.proto,
            vlan: flow.key.vlan,
        }
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
    /// The connection that ended first, if one has: an option of it would make every row larger by a ninth.
    start: Start,
    has_ended: bool,
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
            start: Start::default(),
            has_ended: false,
            connections: 1,
            attempts: 0,
            source_port: flow.originator_port(),
            techniques: 0,
            first_outcome: Outcome::Unknown,
            fingerprint,
        }
    }

    /// What there is so far, as if several connections were to come.
    fn as_many(&self) -> Many {
        Many {
            first_outcome_ordinal: if self.attempts == 0 { u64::MAX } else { self.first_ordinal },
            fingerprints: self.fingerprints(),
            outcomes: self.outcomes(),
            same_source_port: self.same_source_port(),
            ..Many::default()
        }
    }

    /// What a contact that begins at that time in the next minute goes on from, if its first second reaches
    /// back to this one.
    fn rate_until(&self, next: Nanos) -> Option<Rate> {
        match &self.many {
            Some(many) => Rate::after(&many.rate),
            None => (0..SECOND).contains(&(next - self.first_ts)).then(|| Rate::after_one(self.first_ts)),
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
        if !self.has_ended {
            (self.start, self.has_ended) = (Start::of(flow), true);
        } else if let Some(many) = &mut self.many
            && many.later.len() + 1 < MOST_STARTS
        {
            many.later.push(Start::of(flow));
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
        let first = self.has_ended.then_some(&self.start);
        Start::write(first.into_iter().chain(later).copied().collect(), into);
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

    /// A copy of the rows that are wanted, by place and key; and for every row of this table its place in the copy.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the row limit keeps places far below 2^32")]
    pub fn copy(&self, wanted: impl Fn(u32, &ContactKey) -> bool) -> (Self, Vec<Option<u32>>) {
        let mut copy = Self { thinned: self.thinned, ..Self::default() };
        let mut places = Vec::with_capacity(self.rows.len());
        for (place, (key, contact)) in self.rows.iter().enumerate() {
            places.push(wanted(place as u32, key).then(|| copy.add(*key, hash(&copy.hasher, key), contact.clone())));
        }
        (copy, places)
    }

    /// Minutes of the rows, in the order in which they began.
    pub fn minutes(&self) -> impl Iterator<Item = Nanos> {
        self.rows.iter().map(|(key, _)| key.minute)
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
    fn open(&mut self, key: ContactKey, hash: u64, mut contact: Contact) -> u32 {
        let before = ContactKey { minute: key.minute - MINUTE, ..key };
        let before = self.find(&before, self::hash(&self.hasher, &before)).map(|place| &self.rows[place].1);
        if let Some(mut rate) = before.and_then(|before| before.rate_until(contact.first_ts)) {
            rate.add(contact.first_ts);
            contact.many = Some(Box::new(Many { rate, ..contact.as_many() }));
        }
        self.add(key, hash, contact)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the row limit keeps places far below 2^32")]
    fn add(&mut self, key: ContactKey, hash: u64, contact: Contact) -> u32 {
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
    let service = u64::from(key.vlan) << 32 | u64::from(key.port) << 8 | u64::from(key.proto);
    hasher.hash_one((key.source.0, key.target.0, key.minute / MINUTE, service))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Kind, flag};
    use crate::net::ip_proto;
    use crate::time::MILLISECOND;

    /// The packet that opens connection `number`, so many milliseconds into the minute.
    fn opening(number: u64, ms: Nanos) -> Packet {
        Packet {
            kind: Kind::Tcp,
            proto: ip_proto::TCP,
            flags: flag::SYN,
            src: Addr::from_v4(1),
            dst: Addr::from_v4(2),
            // The third comes from the first's port.
            sport: if number == 2 { 1_000 } else { 1_000 + number as u16 },
            dport: 80,
            ts: ms * MILLISECOND,
            tick: ms * MILLISECOND,
            ordinal: 10 + number,
            options: 7 + number as u16,
            ttl: 64,
            ..Packet::default()
        }
    }

    /// The connection, refused if `refused`.
    fn flow(opening: &Packet, refused: bool) -> Flow {
        let (key, forward) = super::super::flow::FlowKey::of(opening);
        let mut flow = Flow::begin(key, opening, forward);
        flow.take(opening, forward);
        if refused {
            let (src, dst, sport, dport) = (opening.dst, opening.src, opening.dport, opening.sport);
            let (ts, ordinal) = (opening.ts + MILLISECOND, opening.ordinal + 100);
            let answer = Packet { src, dst, sport, dport, ts, tick: ts, ordinal, flags: flag::RST | flag::ACK, ..*opening };
            flow.take(&answer, !forward);
        }
        flow
    }

    /// What the table says of connections that begin in this order and end in that.
    fn contact(begins: &[(u64, Nanos, bool)], ends: &[usize]) -> Contact {
        let mut contacts = Contacts::default();
        contacts.grant(10);
        let mut flows: Vec<Flow> = Vec::new();
        for (number, ms, refused) in begins {
            let opening = opening(*number, *ms);
            let mut flow = flow(&opening, *refused);
            flow.contact = contacts.began(&flow, &opening);
            flows.push(flow);
        }
        ends.iter().for_each(|place| contacts.ended(&flows[*place]));
        let rows: Vec<ContactRow> = contacts.into_rows().iter().cloned().collect();
        assert_eq!(rows.len(), 1);
        rows.into_iter().next().unwrap().1
    }

    fn starts(contact: &Contact) -> Vec<u16> {
        let mut bytes = Vec::new();
        contact.write_starts(&mut bytes);
        Start::read(&bytes).map(|start| start.ms).collect()
    }

    #[test]
    fn one_connection_is_told_without_what_only_several_have() {
        let one = contact(&[(0, 500, true)], &[0]);
        assert_eq!((one.connections, one.attempts, one.outcomes(), one.first_outcome), (1, 1, [0, 1, 0, 0, 0], Outcome::Refused));
        assert_eq!((one.same_source_port(), one.fingerprints().count_ones(), one.rates(), starts(&one)), (1, 1, (1, 1, 0), vec![500]));
    }

    /// Unanswered at 0.5 s, refused at 0.6 s, refused at 0.7 s from the port of the first: in whatever order they end.
    #[test]
    fn several_connections_add_up_the_same_in_every_order_of_their_ends() {
        let begins = [(0, 500, false), (1, 600, true), (2, 700, true)];
        for ends in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let several = contact(&begins, &ends);
            assert_eq!((several.connections, several.attempts, several.outcomes()), (3, 3, [1, 2, 0, 0, 0]), "{ends:?}");
            assert_eq!((several.first_outcome, several.first_ordinal, several.packets), (Outcome::Unanswered, 10, 5), "{ends:?}");
            assert_eq!((several.same_source_port(), several.fingerprints().count_ones()), (2, 3), "{ends:?}");
            assert_eq!((several.rates(), starts(&several)), ((3, 3, 0), vec![500, 600, 700]), "{ends:?}");
        }
    }

    /// The first ends before the second begins, and is not forgotten.
    #[test]
    fn what_ended_before_others_began_counts() {
        let mut contacts = Contacts::default();
        contacts.grant(10);
        for (number, ms) in (0..).zip([500, 600, 700]) {
            let opening = opening(number, ms);
            let mut flow = flow(&opening, number > 0);
            flow.contact = contacts.began(&flow, &opening);
            contacts.ended(&flow);
        }
        let (_, several) = contacts.into_rows().iter().next().cloned().unwrap();
        assert_eq!(
            (several.outcomes(), several.first_outcome, starts(&several)),
            ([1, 2, 0, 0, 0], Outcome::Unanswered, vec![500, 600, 700])
        );
    }

    /// One at 59.95 s, and five up to 60.4 s: six in one second, in whichever minute they lie.
    #[test]
    fn a_burst_across_two_minutes_is_as_fast_as_within_one() {
        let mut contacts = Contacts::default();
        contacts.grant(10);
        for (number, ms) in (0..).zip([59_950, 60_000, 60_100, 60_200, 60_300, 60_400]) {
            let opening = opening(number, ms);
            contacts.began(&flow(&opening, true), &opening);
        }
        let peaks: Vec<u32> = contacts.into_rows().iter().map(|(_, contact)| contact.rates().0).collect();
        assert_eq!(peaks, [1, 6]);
    }
}
