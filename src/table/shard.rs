//! One virtual shard: the connections of its address pairs, and the contacts they make.
//!
//! Rows of a pair always come to the same shard, in frame order. Which worker runs it does not matter.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashSet, HashTable};
use serde::{Deserialize, Serialize};

use super::admission::{Admission, Limits, Request};
use super::contacts::Contacts;
use super::echoes::Echoes;
use super::facts::{Ends, Facts};
use super::flow::{Flow, FlowKey, Timeouts, tick_second, verdict};
use super::pages::Pages;
use super::part::Wire;
use super::sessions::{Labels, Sessions};
use super::told::Told;
use crate::decode::app::Fact;
use crate::decode::{Kind, Packet, flag};
use crate::net::Addr;
use crate::time::{Nanos, SECOND};

/// A connection that has ended, and the elapsed time at which it did.
#[derive(Clone, Debug)]
pub struct Ended {
    pub at: Nanos,
    pub flow: Flow,
    pub labels: Option<Box<Labels>>,
}

/// Connections of a shard that wait for the end of their second, mostly.
const MOSTLY_WAITING: usize = 256;

impl ShardTotals {
    #[must_use]
    pub const fn plus(self, other: &Self) -> Self {
        Self {
            attempts: self.attempts + other.attempts,
            tcp_packets: self.tcp_packets + other.tcp_packets,
            tcp_one_way: self.tcp_one_way + other.tcp_one_way,
            duplicates: self.duplicates + other.duplicates,
            packets: self.packets + other.packets,
            tcp_payload: self.tcp_payload + other.tcp_payload,
            tcp_missing: self.tcp_missing + other.tcp_missing,
            with_gaps: self.with_gaps + other.with_gaps,
            thinned: self.thinned + other.thinned,
        }
    }
}

/// A slot to look at, and the first frame of the connection that was meant: slots are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    slot: u32,
    first_ordinal: u64,
}

/// Numbers of a shard that sum over shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardTotals {
    pub attempts: u64,
    /// TCP packets of connections in which payload went or could have gone both ways.
    pub tcp_packets: u64,
    /// Those of connections of which one direction was never seen.
    pub tcp_one_way: u64,
    pub duplicates: u64,
    pub packets: u64,
    /// Payload of TCP captured in both directions, bytes.
    pub tcp_payload: u64,
    /// What its ends acknowledged besides and the capture does not hold, bytes; and of so many connections.
    pub tcp_missing: u64,
    pub with_gaps: u64,
    /// Connections left out because the table was full.
    pub thinned: u64,
}

/// Echoes of one connection that are looked at.
const MOST_ECHOES: u64 = 4_096;

#[derive(Debug)]
pub struct Shard {
    timeouts: Timeouts,
    limit: usize,
    /// Seeded anew in every run: no capture can be shaped to collide in it. Its order shows nowhere.
    hasher: RandomState,
    index: HashTable<u32>,
    flows: Pages<Flow>,
    free: Vec<u32>,
    /// Slots to look at when elapsed time reaches a second; an entry may be out of date.
    due: BTreeMap<i64, Vec<Due>>,
    pairs: hashbrown::HashMap<(Addr, Addr), u32, RandomState>,
    ended: Vec<Ended>,
    pub admission: Admission,
    pub contacts: Contacts,
    sessions: Sessions,
    pub facts: Facts,
    pub echoes: Echoes,
    /// What was just said, on its way into the tables.
    said: Vec<Fact>,
    pub totals: ShardTotals,
}

impl Shard {
    /// `sessions`: bytes for following conversations.
    #[must_use]
    pub fn new(timeouts: Timeouts, limits: Limits, sessions: usize) -> Self {
        Self {
            timeouts,
            limit: 0,
            hasher: RandomState::default(),
            index: HashTable::new(),
            flows: Pages::default(),
            free: Vec::new(),
            due: BTreeMap::new(),
            pairs: hashbrown::HashMap::default(),
            ended: Vec::new(),
            admission: Admission::new(limits),
            contacts: Contacts::default(),
            sessions: Sessions::new(sessions),
            facts: Facts::default(),
            echoes: Echoes::default(),
            said: Vec::new(),
            totals: ShardTotals::default(),
        }
    }

    /// Connections that are live, or have ended and wait for the end of the second.
    #[must_use]
    pub fn live(&self) -> usize {
        self.index.len() + self.ended.len()
    }

    /// Connections whose content nobody could follow.
    #[must_use]
    pub const fn unfollowed(&self) -> u64 {
        self.sessions.thinned
    }

    /// Room for more rows than there are now, until the next grant.
    pub fn grant(&mut self, flows: usize, contacts: usize, facts: usize, texts: usize) {
        self.limit = self.live() + flows;
        self.contacts.grant(contacts);
        self.facts.room.grant(facts);
        self.facts.texts.grant(texts);
    }

    /// Takes the next packet of this shard; returns its verdict bits.
    pub fn take(&mut self, packet: &Packet, wire: Wire<'_>) -> u8 {
        self.totals.packets += 1;
        let (key, forward) = FlowKey::of(packet);
        let hash = hash(&self.hasher, &key);
        match self.live_slot(&key, hash, packet, forward) {
            Some(slot) => self.take_known(slot, packet, forward, wire),
            None => self.take_new(key, hash, packet, forward, wire),
        }
    }

    /// A copy of what began at or after `from`, and of the connections that are open, to be judged while this shard
    /// goes on. Left out are those that began at or after `patience` and may yet be answered. Nobody listens to
    /// what is said in the copy.
    #[must_use]
    pub fn since(&self, from: Nanos, patience: Nanos) -> Self {
        let open = |flow: &&Flow| flow.is_two_way() || flow.first_ts < patience;
        let mut flows: Vec<Flow> = self.index.iter().map(|slot| self.flows[*slot]).filter(|flow| open(&flow)).collect();
        flows.sort_unstable_by_key(|flow| flow.first_ordinal);
        let under_way: HashSet<u32, RandomState> = flows.iter().filter_map(|flow| flow.contact).collect();
        let (contacts, places) = self.contacts.copy(|place, key| key.minute >= from || under_way.contains(&place));
        let mut copy = Self {
            admission: self.admission.since(from),
            contacts,
            facts: self.facts.since(from),
            ended: self.ended.clone(),
            sessions: self.sessions.unfollowing(),
            echoes: self.echoes.unwatching(),
            totals: self.totals,
            ..Self::new(self.timeouts, self.admission.limits(), 0)
        };
        for mut flow in flows {
            flow.contact = flow.contact.and_then(|place| places.get(place as usize).copied().flatten());
            copy.insert(&flow, hash(&copy.hasher, &flow.key));
        }
        copy
    }

    /// The conversations that `other` follows are followed here from now on, and an address that folds goes on
    /// folding. What was counted there is counted.
    pub fn go_on_from(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.sessions, &mut other.sessions);
        std::mem::swap(&mut self.echoes, &mut other.echoes);
        self.admission.go_on_from(&mut other.admission);
        self.totals = ShardTotals::default();
        (self.admission.folded_packets, self.admission.thinned) = (0, 0);
        (self.contacts.thinned, self.facts.room.thinned, self.facts.texts.thinned) = (0, 0, 0);
        (self.sessions.thinned, self.echoes.thinned) = (0, 0);
    }

    /// What a packet of this connection says, if anybody still listens.
    fn listen(&mut self, slot: u32, packet: &Packet, forward: bool, wire: Wire<'_>) {
        let flow = &mut self.flows[slot];
        if packet.payload_len == 0 || flow.wanted == 0 {
            return;
        }
        if packet.kind == Kind::Icmp {
            return self.listen_to_echo(slot, packet, wire);
        }
        let from_originator = forward == flow.low_is_originator;
        self.sessions.take(flow, packet, from_originator, wire, &mut self.said);
        if !self.said.is_empty() {
            self.facts.note(Ends::of(flow), &mut self.said);
        }
    }

    /// What an echo carries; a long series is known by its beginning.
    fn listen_to_echo(&mut self, slot: u32, packet: &Packet, wire: Wire<'_>) {
        let Self { flows, echoes, facts, .. } = self;
        let Facts { room, echoes: table, .. } = facts;
        let flow = &mut flows[slot];
        let told = flow.orig.packets + flow.resp.packets > MOST_ECHOES;
        if told || !packet.fragment && !echoes.take(packet, wire.payload(packet), &mut |key, row| table.add(room, key, row)) {
            flow.wanted = 0;
        }
    }

    /// The slot of the connection this packet continues. A connection that timed out before it, or
    /// that it cannot belong to, is ended here.
    fn live_slot(&mut self, key: &FlowKey, hash: u64, packet: &Packet, forward: bool) -> Option<u32> {
        let slot = *self.index.find(hash, |slot| self.flows[*slot].key == *key)?;
        let flow = &self.flows[slot];
        let deadline = self.timeouts.deadline(flow);
        if deadline <= packet.tick {
            self.end(slot, hash, deadline);
            None
        } else if flow.is_reused_by(packet, forward) {
            self.end(slot, hash, packet.tick);
            None
        } else {
            Some(slot)
        }
    }

    fn take_known(&mut self, slot: u32, packet: &Packet, forward: bool, wire: Wire<'_>) -> u8 {
        let flow = &mut self.flows[slot];
        let was_closed = flow.is_closed();
        let was_answered = flow.is_two_way();
        let mut bits = flow.take(packet, forward);
        // UDP and ICMP have no handshake: the first answer stands for it.
        let answered = flow.key.kind != Kind::Tcp && !was_answered && flow.is_two_way();
        if bits & verdict::HANDSHAKE != 0 || answered {
            let (source, target) = (flow.originator(), flow.responder());
            self.admission.completed(source, target, packet.tick);
        }
        if !was_closed && flow.is_closed() {
            let due = tick_second(self.timeouts.deadline(flow)) + 1;
            self.due.entry(due).or_default().push(Due { slot, first_ordinal: flow.first_ordinal });
        }
        if bits & verdict::DUPLICATE == 0 {
            if flow.is_two_way() && packet.kind != Kind::IcmpError && flow.is_met_again(packet.tick, forward) {
                bits |= verdict::MET;
            }
            self.listen(slot, packet, forward, wire);
        }
        bits
    }

    fn take_new(&mut self, key: FlowKey, hash: u64, packet: &Packet, forward: bool, wire: Wire<'_>) -> u8 {
        let stray = if packet.kind == Kind::Tcp && packet.flags & flag::SYN == 0 { verdict::STRAY } else { 0 };
        let mut flow = Flow::begin(key, packet, forward);
        let request = Request {
            source: packet.src,
            target: packet.dst,
            port: packet.dport,
            proto: packet.proto,
            bytes: u64::from(packet.ip_len),
            ts: packet.ts,
            tick: packet.tick,
            ordinal: packet.ordinal,
            pair_known: self.pairs.contains_key(&(key.low, key.high)),
        };
        if !self.admission.admits(&request) {
            let reply = flow.originator() != packet.src && packet.kind == Kind::Udp;
            return verdict::FOLDED | stray | if reply { verdict::UNSOLICITED } else { 0 };
        }
        if self.live() >= self.limit {
            self.totals.thinned += 1;
            return verdict::FOLDED | stray;
        }
        let met = if flow.originator() == packet.src { verdict::MET } else { 0 };
        let bits = flow.take(packet, forward) | verdict::ATTEMPT | met;
        flow.contact = self.contacts.began(&flow, packet);
        let slot = self.insert(&flow, hash);
        self.listen(slot, packet, forward, wire);
        bits
    }

    /// Takes a connection that somebody tells of, whole; returns the verdict bits of its opening packet.
    pub fn tell(&mut self, told: &Told) -> u8 {
        self.totals.packets += 1;
        let (mut flow, packet) = (told.flow(), &told.opening);
        self.said.extend(told.login.clone().map(Fact::Login));
        self.facts.note(Ends::of(&flow), &mut self.said);
        let (source, target) = (packet.src, packet.dst);
        let known = self.pairs.contains_key(&(flow.key.low, flow.key.high)) || self.admission.knows(source, target);
        if !self.admission.admits(&told.request(known)) {
            return verdict::FOLDED | told.verdict();
        }
        if self.live() >= self.limit {
            self.totals.thinned += 1;
            return verdict::FOLDED | told.verdict();
        }
        if !known {
            self.admission.remember(source, target, packet.tick);
        }
        if told.is_completed() {
            self.admission.completed(source, target, packet.tick);
        }
        flow.contact = self.contacts.began(&flow, packet);
        self.file(Ended { at: packet.tick, flow, labels: None });
        verdict::ATTEMPT | told.verdict()
    }

    #[expect(clippy::cast_possible_truncation, reason = "the row limit keeps slots far below 2^32")]
    fn insert(&mut self, flow: &Flow, hash: u64) -> u32 {
        *self.pairs.entry((flow.key.low, flow.key.high)).or_default() += 1;
        let (due, first_ordinal) = (tick_second(self.timeouts.deadline(flow)) + 1, flow.first_ordinal);
        let slot = if let Some(slot) = self.free.pop() {
            self.flows[slot] = *flow;
            slot
        } else {
            self.flows.push(*flow);
            (self.flows.len() - 1) as u32
        };
        let Self { flows, hasher, .. } = self;
        self.index.insert_unique(hash, slot, |slot| self::hash(hasher, &flows[*slot].key));
        self.due.entry(due).or_default().push(Due { slot, first_ordinal });
        slot
    }

    fn end(&mut self, slot: u32, hash: u64, at: Nanos) {
        let Ok(entry) = self.index.find_entry(hash, |other| *other == slot) else { return };
        entry.remove();
        let mut flow = self.flows[slot];
        self.free.push(slot);
        let labels = self.sessions.end(&mut flow, &mut self.said);
        self.facts.note(Ends::of(&flow), &mut self.said);
        if flow.key.kind == Kind::Icmp {
            let Facts { room, echoes, .. } = &mut self.facts;
            self.echoes.forget(flow.key.low, flow.key.high, flow.key.vlan, &mut |key, row| echoes.add(room, key, row));
        }
        let pair = (flow.key.low, flow.key.high);
        if let Some(count) = self.pairs.get_mut(&pair) {
            *count -= 1;
            if *count == 0 {
                self.pairs.remove(&pair);
            }
        }
        self.file(Ended { at, flow, labels });
    }

    /// A connection is over: it goes into the tables.
    fn file(&mut self, ended: Ended) {
        self.facts.served(&ended.flow, ended.labels.as_deref());
        self.count_ended(&ended.flow);
        self.contacts.ended(&ended.flow);
        self.ended.push(ended);
    }

    fn count_ended(&mut self, flow: &Flow) {
        self.totals.attempts += u64::from(flow.is_attempt());
        self.totals.duplicates += u64::from(flow.duplicates);
        // Of what is told nobody saw how many packets went which way.
        if flow.key.kind == Kind::Tcp && flow.told.is_none() && flow.was_conversation() {
            let packets = flow.orig.packets + flow.resp.packets;
            self.totals.tcp_packets += packets;
            self.totals.tcp_one_way += if flow.orig.packets == 0 || flow.resp.packets == 0 { packets } else { 0 };
            if flow.is_two_way() {
                let missing = flow.missing_bytes();
                self.totals.tcp_payload += flow.orig.payload_bytes + flow.resp.payload_bytes;
                self.totals.tcp_missing += missing;
                self.totals.with_gaps += u64::from(missing > 0);
            }
        }
    }

    /// Ends what has timed out before elapsed time reaches `tick` (a whole second), and hands over
    /// everything that had ended before it. When this is called decides nothing: the time at which a
    /// connection ends follows from its packets alone.
    pub fn sweep(&mut self, tick: Nanos, into: &mut Vec<Ended>) {
        while let Some(entry) = self.due.first_entry() {
            if *entry.key() > tick / SECOND {
                break;
            }
            for due in entry.remove() {
                self.review(due, tick);
            }
        }
        self.hand_over(tick, into);
    }

    /// Ends a connection that is due, or notes when to look again.
    fn review(&mut self, due: Due, tick: Nanos) {
        let Some(flow) = self.flows.get(due.slot as usize).filter(|flow| flow.first_ordinal == due.first_ordinal) else { return };
        let hash = hash(&self.hasher, &flow.key);
        if self.index.find(hash, |other| *other == due.slot).is_none() {
            return;
        }
        let deadline = self.timeouts.deadline(flow);
        if deadline < tick {
            self.end(due.slot, hash, deadline);
        } else {
            self.due.entry(tick_second(deadline) + 1).or_default().push(due);
        }
    }

    fn hand_over(&mut self, tick: Nanos, into: &mut Vec<Ended>) {
        into.extend(self.ended.extract_if(.., |ended| ended.at < tick));
        // What a flood needed once.
        self.ended.shrink_to(self.ended.len() + MOSTLY_WAITING);
    }

    /// The next second of elapsed time to sweep to, if anything is open.
    #[must_use]
    pub fn next_due(&self) -> Option<i64> {
        let waiting = self.ended.iter().map(|ended| tick_second(ended.at) + 1).min();
        self.due.keys().next().copied().into_iter().chain(waiting).min()
    }
}

fn hash(hasher: &RandomState, key: &FlowKey) -> u64 {
    let ports = u64::from(key.low_port) << 48
        | u64::from(key.high_port) << 32
        | u64::from(key.vlan) << 16
        | u64::from(key.proto) << 8
        | key.kind as u64;
    hasher.hash_one((key.low.0, key.high.0, ports))
}
