//! What ICMP echo requests and replies carry, minute by minute.
//!
//! An ordinary ping sends the same short pattern again and again, and gets back what it sent. Only pairs
//! that do otherwise make rows: payload beyond the usual length, replies unlike their request or without
//! one. What is kept of a pair between two packets is bounded, and so is the number of pairs.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::distinct::Distinct;
use super::keyed::Merge;
use super::weights::{FRACTION, LONGEST, weight};
use crate::decode::Packet;
use crate::net::{Addr, ip_proto, mix};
use crate::time::{self, MINUTE, Nanos};

/// Payload of the usual ping programs is not longer (Windows 32, Linux and BSD 56, Nagios 56 bytes).
pub const USUAL: u32 = 64;
/// Where the usual programs put a time stamp; what follows it is the same in every request.
const STAMP: usize = 24;
/// Requests that wait for their reply, per pair.
const WAITING: usize = 32;
/// Pairs that a shard watches at a time.
const MOST_PAIRS: usize = 128;
/// Bytes of a payload whose entropy is taken.
const SAMPLE: usize = LONGEST;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EchoKey {
    pub minute: Nanos,
    /// Who asks.
    pub source: Addr,
    pub target: Addr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchoRow {
    pub requests: u64,
    pub replies: u64,
    /// Replies that do not carry what their request did (and not merely less of it).
    pub unlike: u64,
    /// Replies without a request.
    pub unasked: u64,
    /// Packets with more than [`USUAL`] bytes of payload; the following are about them.
    pub large: u64,
    pub large_bytes: u64,
    /// Sum over packets, thousandths of a bit per byte.
    pub entropy_millibits: u64,
    pub lengths: Distinct,
    /// Payloads that differ in length or behind the place of a time stamp.
    pub contents: Distinct,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
}

impl Merge for EchoRow {
    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.replies += other.replies;
        self.unlike += other.unlike;
        self.unasked += other.unasked;
        self.large += other.large;
        self.large_bytes += other.large_bytes;
        self.entropy_millibits += other.entropy_millibits;
        self.lengths.merge(&other.lengths);
        self.contents.merge(&other.contents);
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
    }
}

/// What a request carried.
#[derive(Clone, Copy, Debug)]
struct Request {
    seq: u32,
    length: u32,
    hash: u64,
    /// Its first [`USUAL`] bytes: some servers send no more back.
    head: [u8; USUAL as usize],
}

#[derive(Debug, Default)]
struct Pair {
    waiting: VecDeque<Request>,
    /// Packets since the last row.
    pending: Option<Box<(EchoKey, EchoRow)>>,
    told: bool,
}

/// Pairs that are watched. Its hash is seeded anew in every run; its order shows nowhere.
#[derive(Debug, Default)]
pub struct Echoes {
    pairs: HashMap<(Addr, Addr, u16), Pair, foldhash::fast::RandomState>,
    /// Pairs that were not watched because too many were.
    pub thinned: u64,
}

/// Whether a packet is an echo request; none if it is no echo.
fn is_request(packet: &Packet) -> Option<bool> {
    match (packet.proto, packet.sport) {
        (ip_proto::ICMP, 8) | (ip_proto::ICMP6, 128) => Some(true),
        (ip_proto::ICMP, 0) | (ip_proto::ICMP6, 129) => Some(false),
        _ => None,
    }
}

impl Echoes {
    /// Watches nobody, and knows who was not watched.
    #[must_use]
    pub fn unwatching(&self) -> Self {
        Self { thinned: self.thinned, ..Self::default() }
    }

    /// Takes an ICMP packet; gives a row when there is something to tell. False if the rest of the
    /// connection will tell nothing either.
    pub fn take(&mut self, packet: &Packet, payload: &[u8], tell: &mut dyn FnMut(EchoKey, EchoRow)) -> bool {
        let Some(request) = is_request(packet) else { return false };
        let (source, target) = if request { (packet.src, packet.dst) } else { (packet.dst, packet.src) };
        let place = (source, target, packet.vlan);
        if !self.pairs.contains_key(&place) && self.pairs.len() >= MOST_PAIRS {
            self.thinned += 1;
            return false;
        }
        let pair = self.pairs.entry(place).or_default();
        let row = pair.row(packet, payload, request);
        let key = EchoKey { minute: time::pane(packet.ts, MINUTE), source, target };
        pair.add(key, row, tell);
        true
    }

    /// The connection of a pair is over.
    pub fn forget(&mut self, one: Addr, other: Addr, vlan: u16, tell: &mut dyn FnMut(EchoKey, EchoRow)) {
        for place in [(one, other, vlan), (other, one, vlan)] {
            let Some(pair) = self.pairs.remove(&place) else { continue };
            if let Some(pending) = pair.pending.filter(|_| pair.told) {
                tell(pending.0, pending.1);
            }
        }
    }
}

impl Pair {
    fn row(&mut self, packet: &Packet, payload: &[u8], request: bool) -> EchoRow {
        let (ts, ordinal, length) = (packet.ts, packet.ordinal, packet.payload_len);
        let mut row = EchoRow {
            requests: u64::from(request),
            replies: u64::from(!request),
            unlike: 0,
            unasked: 0,
            large: 0,
            large_bytes: 0,
            entropy_millibits: 0,
            lengths: Distinct::default(),
            contents: Distinct::default(),
            first_ts: ts,
            last_ts: ts,
            first_ordinal: ordinal,
            last_ordinal: ordinal,
        };
        if request {
            self.wait(packet, payload);
        } else if let Some(asked) = self.waiting.iter().rev().find(|asked| asked.seq == packet.seq) {
            row.unlike = u64::from(!asked.is_answered_by(payload, length));
        } else {
            row.unasked = 1;
        }
        if length > USUAL {
            row.large = 1;
            row.large_bytes = u64::from(length);
            row.entropy_millibits = entropy_millibits(payload);
            row.lengths.insert(mix(u64::from(length), 0));
            let body = payload.get(STAMP..).unwrap_or_default();
            row.contents.insert(mix(hash(body), u64::from(length)));
        }
        row
    }

    fn wait(&mut self, packet: &Packet, payload: &[u8]) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        let mut head = [0; USUAL as usize];
        head.iter_mut().zip(payload).for_each(|(kept, byte)| *kept = *byte);
        self.waiting.push_back(Request { seq: packet.seq, length: packet.payload_len, hash: hash(payload), head });
    }

    fn add(&mut self, key: EchoKey, row: EchoRow, tell: &mut dyn FnMut(EchoKey, EchoRow)) {
        let pending = match self.pending.take() {
            Some(mut pending) if pending.0.minute == key.minute || !self.told => {
                pending.1.merge(&row);
                pending
            }
            Some(earlier) => {
                tell(earlier.0, earlier.1);
                Box::new((key, row))
            }
            None => Box::new((key, row)),
        };
        // One large packet is a test of the path; a row for each would let a flood fill the table.
        if pending.1.large > 1 || pending.1.unlike > 0 || pending.1.unasked > 0 {
            self.told = true;
            tell(pending.0, pending.1);
        } else {
            self.pending = Some(pending);
        }
    }
}

impl Request {
    /// The reply carries the same, or the beginning of it where it was cut on the way or in the capture.
    fn is_answered_by(&self, payload: &[u8], length: u32) -> bool {
        if length == self.length && hash(payload) == self.hash {
            return true;
        }
        let cut = length < self.length || length == self.length && payload.len() < length as usize;
        cut && self.head.iter().zip(payload).all(|(sent, received)| sent == received)
    }
}

/// A hash with a fixed seed: sketches depend on it.
fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(place, byte)| *place = *byte);
        mix(hash, u64::from_le_bytes(word))
    })
}

/// Shannon's entropy of the first bytes, without floats, which may differ from machine to machine: with n
/// bytes of which c are the same, log n - (sum of c log c) / n.
fn entropy_millibits(payload: &[u8]) -> u64 {
    let mut counts = [0_u64; 256];
    let sample = payload.get(..payload.len().min(SAMPLE)).unwrap_or_default();
    for byte in sample {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let n = sample.len() as u64;
    if n == 0 {
        return 0;
    }
    let parts: u64 = counts.iter().map(|count| weight(*count)).sum();
    (weight(n).saturating_sub(parts) * 1_000 / n) >> FRACTION
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    #[derive(Default)]
    struct Watch {
        echoes: Echoes,
        rows: Vec<(EchoKey, EchoRow)>,
        ordinal: u64,
    }

    impl Watch {
        fn echo(&mut self, asker: u32, target: u32, reply: bool, seq: u32, payload: &[u8]) {
            self.ordinal += 1;
            let (src, dst) = if reply { (target, asker) } else { (asker, target) };
            let packet = Packet {
                src: Addr::from_v4(src),
                dst: Addr::from_v4(dst),
                proto: ip_proto::ICMP,
                sport: if reply { 0 } else { 8 },
                seq,
                payload_len: payload.len() as u32,
                ordinal: self.ordinal,
                ts: self.ordinal.cast_signed() * SECOND,
                ..Packet::default()
            };
            let Self { echoes, rows, .. } = self;
            assert!(echoes.take(&packet, payload, &mut |key, row| rows.push((key, row))));
        }

        fn sum(&self, value: impl Fn(&EchoRow) -> u64) -> u64 {
            self.rows.iter().map(|(_, row)| value(row)).sum()
        }
    }

    #[test]
    fn ordinary_pings_make_no_row() {
        let mut watch = Watch::default();
        for seq in 0..100 {
            watch.echo(1, 2, false, seq, &[seq as u8; 56]);
            watch.echo(1, 2, true, seq, &[seq as u8; 56]);
        }
        assert!(watch.rows.is_empty());
    }

    #[test]
    fn what_came_before_the_first_row_is_counted_with_it() {
        let mut watch = Watch::default();
        watch.echo(1, 2, false, 0, &[1; 56]);
        watch.echo(1, 2, true, 0, &[1; 56]);
        watch.echo(1, 2, false, 1, &[1; 56]);
        watch.echo(1, 2, true, 1, &[2; 56]);
        watch.echo(1, 2, true, 9, &[2; 56]);
        assert_eq!([watch.sum(|row| row.requests), watch.sum(|row| row.replies)], [2, 3]);
        assert_eq!([watch.sum(|row| row.unlike), watch.sum(|row| row.unasked)], [1, 1]);
    }

    #[test]
    fn long_payloads_are_counted_by_length_and_by_what_follows_the_time_stamp() {
        let mut watch = Watch::default();
        let mut payload = vec![0; 100];
        for n in 0..4_u8 {
            payload[0] = n;
            payload[40] = n / 2;
            watch.echo(1, 2, false, u32::from(n), &payload);
        }
        watch.echo(1, 2, false, 7, &[0; 101]);
        watch.echoes.forget(Addr::from_v4(2), Addr::from_v4(1), 0, &mut |key, row| watch.rows.push((key, row)));
        let mut contents = Distinct::default();
        watch.rows.iter().for_each(|(_, row)| contents.merge(&row.contents));
        // Two contents of 100 bytes, one of 101.
        assert_eq!((contents.count(), watch.sum(|row| row.large), watch.sum(|row| row.large_bytes)), (3, 5, 501));
    }

    #[test]
    fn one_large_packet_of_a_pair_makes_no_row() {
        let mut watch = Watch::default();
        (10..100).for_each(|asker| watch.echo(asker, 2, false, 1, &[7; 1_000]));
        assert!(watch.rows.is_empty());
    }

    #[test]
    fn entropy_is_shannons() {
        // One value: 0 bits. Two, four and 256 values alike: 1, 2 and 8 bits.
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(
            [entropy_millibits(&[5; 99]), entropy_millibits(&[1, 2]), entropy_millibits(&[1, 2, 3, 4]), entropy_millibits(&all)],
            [0, 1_000, 2_000, 8_000]
        );
    }
}
