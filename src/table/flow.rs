//! One connection: what its packets did, and what that means.
//!
//! "Failed", "answered", "half-open" and "data exchanged" are decided here and nowhere else. States and
//! history letters are those of Zeek's `conn.log`. Knows nothing of tables, windows or judgement.

use super::sessions;
use crate::decode::app::Service;
use crate::decode::{Kind, Packet, flag};
use crate::net::{Addr, ip_proto};
use crate::time::{MILLISECOND, Nanos, SECOND};

/// A connection's identity: both ends in canonical order, protocol and VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    pub low: Addr,
    pub high: Addr,
    pub low_port: u16,
    pub high_port: u16,
    pub vlan: u16,
    pub proto: u8,
    pub kind: Kind,
}

impl FlowKey {
    /// The key of a packet, and whether the packet goes from the low to the high end.
    #[must_use]
    pub fn of(packet: &Packet) -> (Self, bool) {
        let (sport, dport) = match packet.kind {
            Kind::Icmp => icmp_class(packet.proto, packet.sport),
            Kind::Fragment | Kind::Other => (0, 0),
            Kind::IcmpError if packet.proto == ip_proto::ICMP || packet.proto == ip_proto::ICMP6 => icmp_class(packet.proto, packet.sport),
            _ => (packet.sport, packet.dport),
        };
        let kind = if packet.kind == Kind::IcmpError { quoted_kind(packet.proto) } else { packet.kind };
        let forward = (packet.src, sport) <= (packet.dst, dport);
        let (low, low_port, high, high_port) =
            if forward { (packet.src, sport, packet.dst, dport) } else { (packet.dst, dport, packet.src, sport) };
        (Self { low, high, low_port, high_port, vlan: packet.vlan, proto: packet.proto, kind }, forward)
    }
}

/// An ICMP request and its reply are one connection, keyed by the request's type on both ends; the
/// identifier is left out, so that a flood of identifiers is one flow.
fn icmp_class(proto: u8, icmp_type: u16) -> (u16, u16) {
    let request = match (proto, icmp_type) {
        (ip_proto::ICMP, 0) => 8,
        (ip_proto::ICMP, 14) => 13,
        (ip_proto::ICMP, 16) => 15,
        (ip_proto::ICMP, 18) => 17,
        (ip_proto::ICMP6, 129) => 128,
        (_, other) => other,
    };
    (request, request)
}

fn quoted_kind(proto: u8) -> Kind {
    match proto {
        ip_proto::TCP => Kind::Tcp,
        ip_proto::UDP => Kind::Udp,
        ip_proto::ICMP | ip_proto::ICMP6 => Kind::Icmp,
        ip_proto::SCTP => Kind::Sctp,
        _ => Kind::Other,
    }
}

/// How the originator opened: the technique of a probe, as bits so that a contact may hold several.
pub mod pattern {
    pub const SYN: u16 = 1;
    pub const FIN: u16 = 1 << 1;
    pub const NULL: u16 = 1 << 2;
    pub const XMAS: u16 = 1 << 3;
    pub const ACK: u16 = 1 << 4;
    pub const MAIMON: u16 = 1 << 5;
    pub const SYN_FIN: u16 = 1 << 6;
    pub const UDP: u16 = 1 << 7;
    pub const ICMP: u16 = 1 << 8;
    pub const SCTP: u16 = 1 << 9;
    pub const OTHER: u16 = 1 << 10;
    /// Only the answer was captured; what was asked follows from it.
    pub const REPLY_ONLY: u16 = 1 << 11;
    /// The connection was already under way when its first packet was seen: no attempt.
    pub const MIDSTREAM: u16 = 1 << 12;
    /// The handshake was completed and no payload followed: how a connect scan opens.
    pub const CONNECT: u16 = 1 << 13;
    /// The packet died on the way (ICMP time exceeded): how traceroute asks, and no attempt.
    pub const EXPIRED: u16 = 1 << 14;
    /// Somebody told of the connection, and nobody captured it ([`crate::table::Told`]).
    pub const TOLD: u16 = 1 << 15;
    /// TCP opened without a SYN and without state.
    pub const STEALTH: u16 = FIN | NULL | XMAS | ACK | MAIMON | SYN_FIN;
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// No answer at all.
    Unanswered,
    /// RST, ABORT or an ICMP error.
    Refused,
    /// The target said yes, and the originator never completed the handshake.
    HalfOpen,
    /// Handshake completed, no payload either way.
    Empty,
    /// Payload was exchanged (UDP, ICMP: answered).
    Data,
    /// Under way when first seen, or only its replies were, or nobody told: nothing can be said.
    Unknown,
}

impl Outcome {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Refused => "refused",
            Self::HalfOpen => "half_open",
            Self::Empty => "empty",
            Self::Data => "data",
            Self::Unknown => "unknown",
        }
    }
}

/// Zeek's `conn_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnState {
    S0,
    S1,
    Sf,
    Rej,
    S2,
    S3,
    Rsto,
    Rstr,
    Rstos0,
    Rstrh,
    Sh,
    Shr,
    Oth,
}

impl ConnState {
    /// Of a connection of which only its outcome is known.
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Unanswered => Self::S0,
            Outcome::Refused => Self::Rej,
            Outcome::HalfOpen => Self::S1,
            Outcome::Empty | Outcome::Data => Self::Sf,
            Outcome::Unknown => Self::Oth,
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::Sf => "SF",
            Self::Rej => "REJ",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::Rsto => "RSTO",
            Self::Rstr => "RSTR",
            Self::Rstos0 => "RSTOS0",
            Self::Rstrh => "RSTRH",
            Self::Sh => "SH",
            Self::Shr => "SHR",
            Self::Oth => "OTH",
        }
    }
}

/// What one end sent.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what was seen of a connection is many yes or no")]
pub struct Side {
    pub packets: u64,
    /// IP bytes, headers included.
    pub ip_bytes: u64,
    /// Payload bytes of TCP, UDP or ICMP, retransmissions included.
    pub payload_bytes: u64,
    pub retransmitted: u32,
    /// Bytes of the sequence space that were passed over and did not come later; TCP alone.
    missing: u32,
    isn: u32,
    next_seq: u32,
    last_ts: Nanos,
    last: Likeness,
    letters: u32,
    /// The last piece of elapsed time in which a frame of this end was looked at; 0 is none.
    met: u32,
    seq_known: bool,
    syn: bool,
    fin: bool,
    rst: bool,
    /// This end's SYN carried ACK.
    syn_ack: bool,
    /// This end acknowledged something after its SYN.
    acked: bool,
}

/// What two captures of one packet have in common and two packets hardly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Likeness {
    seq: u32,
    ack: u32,
    ip_len: u32,
    ip_id: u16,
    flags: u8,
}

impl Likeness {
    const fn of(packet: &Packet) -> Self {
        Self { seq: packet.seq, ack: packet.ack, ip_len: packet.ip_len, ip_id: packet.ip_id, flags: packet.flags }
    }
}

/// Letters kept; what follows adds nothing that a person reads.
const HISTORY: usize = 14;

#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub key: FlowKey,
    /// The low end of the key opened the connection.
    pub low_is_originator: bool,
    /// A SYN (or, for other protocols, a first packet that is no known reply) showed the direction.
    pub direction_certain: bool,
    /// Time of the first frame; where the clock jumps back, later frames may be stamped earlier.
    pub first_ts: Nanos,
    /// The latest time of any frame.
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    pub last_tick: Nanos,
    pub orig: Side,
    pub resp: Side,
    pub pattern: u16,
    pub icmp_errors: u32,
    pub duplicates: u32,
    /// The handshake was seen through to its end.
    pub established: bool,
    /// What came of it by the word of somebody else, where no packet can tell.
    pub(super) told: Option<Outcome>,
    /// What is spoken, once the content has told.
    pub service: Service,
    /// The ends whose payload is still read, as bits, and where ([`super::sessions`]; 0 is nowhere).
    pub(super) wanted: u8,
    pub(super) session: u32,
    /// Its row in [`super::contacts`], if there was room for one.
    pub(super) contact: Option<u32>,
    history: [u8; HISTORY],
    history_len: u8,
}

/// What a packet meant to its connection, for the counters of its target.
pub mod verdict {
    /// The packet completes a TCP handshake (sent by the originator).
    pub const HANDSHAKE: u8 = 1;
    /// TCP without SYN and without a connection it could belong to.
    pub const STRAY: u8 = 1 << 1;
    /// An answer nobody here asked for.
    pub const UNSOLICITED: u8 = 1 << 2;
    /// The packet made no state of its own, because a flood admits none.
    pub const FOLDED: u8 = 1 << 3;
    /// The same packet was seen a moment before: a mirror port's copy.
    pub const DUPLICATE: u8 = 1 << 4;
    /// The first packet of an attempt.
    pub const ATTEMPT: u8 = 1 << 5;
    /// Belongs to a connection whose other end has spoken.
    pub const ANSWERED: u8 = 1 << 6;
    /// Its frame is to be looked at ([`crate::table`]: neighbours): whose it really was.
    pub const MET: u8 = 1 << 7;
}

/// How often the frames of a connection that goes on are looked at. A poisoned ARP cache lasts longer.
const MEET_AGAIN: Nanos = 10 * SECOND;

/// Copies of one packet on a mirror port come within this time; research on SPAN ports saw < 2 ms.
const DUPLICATE_WITHIN: Nanos = 2 * MILLISECOND;

impl Flow {
    /// A connection that begins with `packet`, which goes from the low end if `forward`.
    #[must_use]
    pub fn begin(key: FlowKey, packet: &Packet, forward: bool) -> Self {
        let opening = opening(packet);
        let sender_is_originator = !opening.reversed;
        Self {
            key,
            low_is_originator: forward == sender_is_originator,
            direction_certain: opening.certain,
            first_ts: packet.ts,
            last_ts: packet.ts,
            first_ordinal: packet.ordinal,
            last_ordinal: packet.ordinal,
            last_tick: packet.tick,
            orig: Side::default(),
            resp: Side::default(),
            pattern: opening.pattern,
            icmp_errors: 0,
            duplicates: 0,
            established: false,
            told: None,
            service: Service::Unknown,
            wanted: sessions::BOTH,
            session: 0,
            contact: None,
            history: [0; HISTORY],
            history_len: 0,
        }
    }

    /// Takes one packet of this connection; returns its verdict bits.
    pub fn take(&mut self, packet: &Packet, forward: bool) -> u8 {
        self.last_tick = packet.tick;
        self.last_ts = self.last_ts.max(packet.ts);
        self.last_ordinal = packet.ordinal;
        if packet.kind == Kind::IcmpError {
            match icmp_error(packet) {
                IcmpError::Unreachable => self.icmp_errors += 1,
                IcmpError::Expired => self.pattern |= pattern::EXPIRED,
                IcmpError::Other => {}
            }
            return 0;
        }
        let from_originator = forward == self.low_is_originator;
        let duplicate = self.side(from_originator).repeats(packet);
        self.side(from_originator).count(packet);
        if duplicate {
            self.duplicates += 1;
            return verdict::DUPLICATE;
        }
        let mut bits = 0;
        if packet.kind == Kind::Tcp {
            bits |= self.take_tcp(packet, from_originator);
        } else {
            self.letter(if packet.payload_len > 0 { b'D' } else { b'-' }, from_originator);
        }
        if self.pattern & pattern::REPLY_ONLY != 0 && !from_originator && self.orig.packets == 0 {
            bits |= verdict::UNSOLICITED;
        }
        let other = if from_originator { &self.resp } else { &self.orig };
        if other.packets > 0 {
            bits |= verdict::ANSWERED;
        } else if packet.kind == Kind::Tcp && !self.orig.syn && packet.flags & flag::SYN == 0 {
            bits |= verdict::STRAY;
        }
        bits
    }

    fn take_tcp(&mut self, packet: &Packet, from_originator: bool) -> u8 {
        let mut bits = 0;
        if from_originator && !self.established && self.orig.syn && self.resp.syn_ack && packet.flags & (flag::SYN | flag::RST) == 0 {
            self.established = true;
            bits = verdict::HANDSHAKE;
        }
        let retransmitted = self.side(from_originator).advance(packet);
        for (letter, seen) in [
            (b'S', packet.flags & (flag::SYN | flag::ACK) == flag::SYN),
            (b'H', packet.flags & (flag::SYN | flag::ACK) == flag::SYN | flag::ACK),
            (b'T', retransmitted),
            (b'D', packet.payload_len > 0 && !retransmitted),
            (b'A', packet.payload_len == 0 && packet.flags & (flag::SYN | flag::FIN | flag::RST | flag::ACK) == flag::ACK),
            (b'F', packet.flags & flag::FIN != 0),
            (b'R', packet.flags & flag::RST != 0),
            (b'W', packet.window == 0 && packet.flags & (flag::SYN | flag::FIN | flag::RST) == 0 && packet.flags & flag::ACK != 0),
        ] {
            if seen {
                self.letter(letter, from_originator);
            }
        }
        bits
    }

    fn side(&mut self, originator: bool) -> &mut Side {
        if originator { &mut self.orig } else { &mut self.resp }
    }

    /// Records a letter the first time that end earns it; lower case for the responder.
    fn letter(&mut self, letter: u8, from_originator: bool) {
        let bit = 1_u32 << (letter & 31);
        let side = self.side(from_originator);
        if side.letters & bit != 0 {
            return;
        }
        side.letters |= bit;
        if let Some(place) = self.history.get_mut(usize::from(self.history_len)) {
            *place = if from_originator { letter } else { letter.to_ascii_lowercase() };
            self.history_len += 1;
        }
    }

    /// A SYN that cannot belong to this connection: its sender's earlier SYN had another initial
    /// sequence number, or the connection is over. As Wireshark splits streams.
    #[must_use]
    pub fn is_reused_by(&self, packet: &Packet, forward: bool) -> bool {
        if packet.kind != Kind::Tcp || packet.flags & (flag::SYN | flag::ACK | flag::RST) != flag::SYN {
            return false;
        }
        let side = if forward == self.low_is_originator { &self.orig } else { &self.resp };
        if side.syn { side.isn != packet.seq } else { self.is_closed() || side.packets > 0 }
    }

    /// The sender's frame is to be looked at: the first of it in every [`MEET_AGAIN`], since an address may
    /// change hands while a connection lasts.
    pub fn is_met_again(&mut self, tick: Nanos, forward: bool) -> bool {
        let piece = u32::try_from(tick / MEET_AGAIN).unwrap_or(u32::MAX - 1) + 1;
        let side = self.side(forward == self.low_is_originator);
        std::mem::replace(&mut side.met, piece) != piece
    }

    /// Both ends have spoken.
    #[must_use]
    pub const fn is_two_way(&self) -> bool {
        self.orig.packets > 0 && self.resp.packets > 0
    }

    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.orig.rst || self.resp.rst || (self.orig.fin && self.resp.fin)
    }

    #[must_use]
    pub const fn originator(&self) -> Addr {
        if self.low_is_originator { self.key.low } else { self.key.high }
    }

    #[must_use]
    pub const fn responder(&self) -> Addr {
        if self.low_is_originator { self.key.high } else { self.key.low }
    }

    #[must_use]
    pub const fn originator_port(&self) -> u16 {
        if self.low_is_originator { self.key.low_port } else { self.key.high_port }
    }

    #[must_use]
    pub const fn responder_port(&self) -> u16 {
        if self.low_is_originator { self.key.high_port } else { self.key.low_port }
    }

    /// Zeek's history letters; `^` first where the direction was turned round.
    #[must_use]
    pub fn history(&self) -> String {
        let letters = self.history.iter().take(usize::from(self.history_len)).map(|letter| char::from(*letter));
        let flipped = (self.pattern & (pattern::REPLY_ONLY | pattern::MIDSTREAM) != 0 && self.first_sender_was_responder()).then_some('^');
        flipped.into_iter().chain(letters.filter(|letter| *letter != '-')).collect()
    }

    fn first_sender_was_responder(&self) -> bool {
        self.history.first().is_some_and(u8::is_ascii_lowercase)
    }

    #[must_use]
    pub const fn state(&self) -> ConnState {
        if let Some(told) = self.told {
            return ConnState::of(told);
        }
        let (orig, resp) = (&self.orig, &self.resp);
        if !matches!(self.key.kind, Kind::Tcp) {
            return match (orig.packets > 0, resp.packets > 0) {
                (true, true) => ConnState::Sf,
                (true, false) => ConnState::S0,
                (false, true) => ConnState::Shr,
                (false, false) => ConnState::Oth,
            };
        }
        match (orig.syn && !orig.syn_ack, resp.syn_ack) {
            (true, true) => match (orig.rst, resp.rst, orig.fin, resp.fin) {
                (_, _, true, true) => ConnState::Sf,
                (true, _, _, _) => ConnState::Rsto,
                (false, true, _, _) => ConnState::Rstr,
                (false, false, true, false) => ConnState::S2,
                (false, false, false, true) => ConnState::S3,
                (false, false, false, false) => ConnState::S1,
            },
            (true, false) => {
                if resp.rst {
                    ConnState::Rej
                } else if orig.rst {
                    ConnState::Rstos0
                } else if orig.fin {
                    ConnState::Sh
                } else if resp.packets == 0 {
                    ConnState::S0
                } else {
                    ConnState::Oth
                }
            }
            (false, true) => {
                if resp.rst {
                    ConnState::Rstrh
                } else if resp.fin {
                    ConnState::Shr
                } else {
                    ConnState::Oth
                }
            }
            (false, false) => ConnState::Oth,
        }
    }

    /// What became of it. Meaningful once the connection has ended; before, the answer so far.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        if let Some(told) = self.told {
            return told;
        }
        let (orig, resp) = (&self.orig, &self.resp);
        if self.pattern & pattern::MIDSTREAM != 0 {
            return Outcome::Unknown;
        }
        if matches!(self.key.kind, Kind::Tcp) {
            if orig.syn && resp.syn_ack {
                return if orig.payload_bytes > 0 || resp.payload_bytes > 0 {
                    Outcome::Data
                } else if self.established {
                    Outcome::Empty
                } else {
                    Outcome::HalfOpen
                };
            }
            return if self.pattern & pattern::REPLY_ONLY != 0 && resp.syn_ack {
                Outcome::Unknown
            } else if resp.rst || self.icmp_errors > 0 {
                Outcome::Refused
            } else if resp.packets > 0 || self.was_conversation() {
                Outcome::Unknown
            } else {
                Outcome::Unanswered
            };
        }
        if resp.packets > 0 && orig.packets > 0 {
            Outcome::Data
        } else if self.icmp_errors > 0 {
            Outcome::Refused
        } else if orig.packets == 0 {
            Outcome::Unknown
        } else {
            Outcome::Unanswered
        }
    }

    /// TCP packets that only an answer explains, whether it was captured or not: payload, or a SYN
    /// followed by an acknowledgement.
    #[must_use]
    pub const fn was_conversation(&self) -> bool {
        let (orig, resp) = (&self.orig, &self.resp);
        orig.payload_bytes + resp.payload_bytes > 0 || (orig.syn && !orig.syn_ack && orig.acked) || (resp.syn_ack && resp.acked)
    }

    /// Bytes of payload that one end acknowledged and the capture does not hold. Where only one direction was
    /// captured, nobody acknowledges.
    #[must_use]
    pub const fn missing_bytes(&self) -> u64 {
        if matches!(self.key.kind, Kind::Tcp) && self.is_two_way() && self.was_conversation() {
            self.orig.never_seen(&self.resp) + self.resp.never_seen(&self.orig)
        } else {
            0
        }
    }

    /// The technique bits of this connection once it has ended. A stealth probe is one that never
    /// got beyond its opening packet (repeated) and its refusal; anything longer was under way.
    #[must_use]
    pub const fn technique(&self) -> u16 {
        if self.pattern & pattern::STEALTH != 0
            && (self.orig.payload_bytes > 0 || self.orig.packets > 4 || self.resp.packets > self.orig.packets)
        {
            return self.pattern & !pattern::STEALTH | pattern::MIDSTREAM;
        }
        if self.established && self.orig.payload_bytes == 0 && self.resp.payload_bytes == 0 {
            return self.pattern | pattern::CONNECT;
        }
        self.pattern
    }

    /// The originator tried to open something here (and was not found under way).
    #[must_use]
    pub const fn is_attempt(&self) -> bool {
        let technique = self.technique();
        technique & pattern::MIDSTREAM == 0
            && (technique & pattern::EXPIRED == 0 || self.resp.packets > 0 || self.icmp_errors > 0)
            && (technique & pattern::REPLY_ONLY == 0 || self.resp.rst || self.icmp_errors > 0)
            && !matches!(self.key.kind, Kind::Fragment)
    }
}

impl Side {
    /// Sequence number of the first byte of payload, where the SYN was seen.
    pub(super) const fn first_byte(&self) -> Option<u32> {
        if self.syn { Some(self.isn.wrapping_add(1)) } else { None }
    }

    pub(super) const fn was_reset(&self) -> bool {
        self.rst
    }

    fn count(&mut self, packet: &Packet) {
        self.packets += 1;
        self.ip_bytes += u64::from(packet.ip_len);
        self.payload_bytes += u64::from(packet.payload_len);
        self.last_ts = packet.ts;
        self.last = Likeness::of(packet);
    }

    /// The packet just seen once more, within a moment. An IP identification of 0 identifies nothing.
    fn repeats(&self, packet: &Packet) -> bool {
        self.packets > 0
            && packet.ip_id != 0
            && !packet.fragment
            && self.last == Likeness::of(packet)
            && (packet.ts - self.last_ts).abs() < DUPLICATE_WITHIN
    }

    /// Moves the sequence space on; true if the payload was seen before.
    fn advance(&mut self, packet: &Packet) -> bool {
        let length = packet
            .payload_len
            .wrapping_add(u32::from(packet.flags & flag::SYN != 0))
            .wrapping_add(u32::from(packet.flags & flag::FIN != 0));
        if packet.flags & flag::SYN != 0 && !self.syn {
            self.isn = packet.seq;
            self.syn = true;
            self.syn_ack = packet.flags & flag::ACK != 0;
        }
        self.fin |= packet.flags & flag::FIN != 0;
        self.rst |= packet.flags & flag::RST != 0;
        self.acked |= self.syn && packet.flags & (flag::SYN | flag::RST | flag::ACK) == flag::ACK;
        self.note_hole(packet);
        let end = packet.seq.wrapping_add(length);
        let seen_before = self.seq_known && length > 0 && before_or_at(end, self.next_seq);
        if !self.seq_known || before_or_at(self.next_seq, end) {
            self.next_seq = end;
            self.seq_known = packet.flags & flag::RST == 0;
        }
        if seen_before {
            self.retransmitted += 1;
            // Came late into a hole, or once more: of the two the first, so that nothing is called missing that came.
            self.missing = self.missing.saturating_sub(packet.payload_len);
        }
        seen_before
    }

    /// Bytes between what was seen so far and this packet.
    const fn note_hole(&mut self, packet: &Packet) {
        let hole = packet.seq.wrapping_sub(self.next_seq);
        if hole != 0 && hole <= LARGEST_HOLE && self.seq_known && packet.flags & (flag::SYN | flag::RST) == 0 {
            self.missing = self.missing.saturating_add(hole);
        }
    }

    /// Bytes of this end that the other one had when it last spoke, and that were not captured.
    const fn never_seen(&self, other: &Self) -> u64 {
        let beyond = other.last.ack.wrapping_sub(self.next_seq);
        let says = other.last.flags & (flag::RST | flag::ACK) == flag::ACK;
        let tail = if says && self.seq_known && beyond <= LARGEST_HOLE { beyond } else { 0 };
        self.missing as u64 + tail as u64
    }
}

/// A hole in the sequence space beyond this is a forged or stray number: more than twice the largest receive
/// window that common systems grow to by themselves (6 MiB, Linux's `tcp_rmem`).
const LARGEST_HOLE: u32 = 16 << 20;

/// Sequence numbers compared modulo 2^32 (RFC 9293 section 3.4).
const fn before_or_at(a: u32, b: u32) -> bool {
    b.wrapping_sub(a) < 1 << 31
}

struct Opening {
    pattern: u16,
    /// The sender of the first packet is the responder.
    reversed: bool,
    certain: bool,
}

enum IcmpError {
    /// RFC 792 type 3; RFC 4443 type 1, and type 4 for an unknown next header.
    Unreachable,
    /// RFC 792 type 11; RFC 4443 type 3.
    Expired,
    Other,
}

const fn icmp_error(packet: &Packet) -> IcmpError {
    match (packet.src.is_v4(), packet.icmp_type) {
        (true, 3) | (false, 1 | 4) => IcmpError::Unreachable,
        (true, 11) | (false, 3) => IcmpError::Expired,
        _ => IcmpError::Other,
    }
}

/// What the first packet of a connection says about who opened it and how.
fn opening(packet: &Packet) -> Opening {
    match packet.kind {
        Kind::Tcp => tcp_opening(packet),
        Kind::Udp => {
            let reversed = is_service(packet.sport) && packet.dport >= FIRST_UNPRIVILEGED && !is_service(packet.dport)
                || is_udp_service(packet.sport) && !is_udp_service(packet.dport);
            Opening { pattern: pattern::UDP | if reversed { pattern::REPLY_ONLY } else { 0 }, reversed, certain: !reversed }
        }
        Kind::Icmp => {
            let reversed = matches!((packet.proto, packet.sport), (ip_proto::ICMP, 0 | 14 | 16 | 18) | (ip_proto::ICMP6, 129));
            Opening { pattern: pattern::ICMP | if reversed { pattern::REPLY_ONLY } else { 0 }, reversed, certain: true }
        }
        // The quoted header is the attempt, as its sender wrote it; the error answers it.
        Kind::IcmpError => {
            let asked = match packet.proto {
                ip_proto::UDP => pattern::UDP,
                ip_proto::TCP => pattern::SYN,
                ip_proto::ICMP | ip_proto::ICMP6 => pattern::ICMP,
                _ => pattern::OTHER,
            };
            Opening { pattern: asked | pattern::REPLY_ONLY, reversed: false, certain: true }
        }
        Kind::Sctp => Opening { pattern: pattern::SCTP, reversed: false, certain: false },
        Kind::Fragment => Opening { pattern: pattern::OTHER | pattern::MIDSTREAM, reversed: false, certain: false },
        Kind::Other => Opening { pattern: pattern::OTHER, reversed: false, certain: false },
    }
}

fn tcp_opening(packet: &Packet) -> Opening {
    const JUDGED: u8 = flag::FIN | flag::SYN | flag::RST | flag::PSH | flag::ACK | flag::URG;
    let known = |pattern| Opening { pattern, reversed: false, certain: true };
    let looks_like_a_reply =
        packet.sport < FIRST_UNPRIVILEGED && packet.dport >= FIRST_UNPRIVILEGED || is_service(packet.sport) && !is_service(packet.dport);
    match packet.flags & JUDGED {
        flags if flags & (flag::SYN | flag::FIN) == flag::SYN | flag::FIN => known(pattern::SYN_FIN),
        flags if flags & (flag::SYN | flag::ACK | flag::RST) == flag::SYN => known(pattern::SYN),
        flags if flags & (flag::SYN | flag::ACK) == flag::SYN | flag::ACK => {
            Opening { pattern: pattern::SYN | pattern::REPLY_ONLY, reversed: true, certain: true }
        }
        // RFC 9293 section 3.10.7.1: a closed port answers a segment without ACK by <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
        flags if flags & (flag::RST | flag::ACK) == flag::RST | flag::ACK && packet.seq == 0 => {
            Opening { pattern: pattern::SYN | pattern::REPLY_ONLY, reversed: true, certain: true }
        }
        0 => known(pattern::NULL),
        flags
            if flags & (flag::ACK | flag::RST) == 0 && flags & (flag::FIN | flag::PSH | flag::URG) == flag::FIN | flag::PSH | flag::URG =>
        {
            known(pattern::XMAS)
        }
        flag::FIN => known(pattern::FIN),
        _ if looks_like_a_reply => Opening { pattern: pattern::MIDSTREAM, reversed: true, certain: false },
        flags if flags == flag::FIN | flag::ACK && packet.payload_len == 0 => {
            Opening { pattern: pattern::MAIMON, reversed: false, certain: false }
        }
        flag::ACK if packet.payload_len == 0 => Opening { pattern: pattern::ACK, reversed: false, certain: false },
        _ => Opening { pattern: pattern::MIDSTREAM, reversed: false, certain: false },
    }
}

const FIRST_UNPRIVILEGED: u16 = 1024;

/// Ports on which servers listen although they are above 1023, for guessing a direction; below 1024
/// every port counts as one.
fn is_service(port: u16) -> bool {
    port != 0 && port < FIRST_UNPRIVILEGED
        || matches!(
            port,
            1434 | 1900
                | 3306
                | 3389
                | 3478
                | 3702
                | 5060
                | 5353
                | 5432
                | 5683
                | 5900
                | 6379
                | 8080
                | 8443
                | 10_001
                | 11_211
                | 27_015
                | 37_810
        )
}

/// Ports that answer over UDP. What comes from one of them to any other port is an answer, also to a
/// port below 1024: whoever forges a query chooses the port that the answer goes to.
const fn is_udp_service(port: u16) -> bool {
    matches!(
        port,
        17 | 19
            | 53
            | 67
            | 69
            | 88
            | 111
            | 123
            | 137
            | 138
            | 161
            | 162
            | 389
            | 443
            | 500
            | 514
            | 520
            | 1434
            | 1900
            | 3478
            | 3702
            | 4500
            | 5060
            | 5353
            | 5683
            | 10_001
            | 11_211
            | 27_015
            | 37_810
    )
}

/// Time without a packet after which a connection has ended, by what it is and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub tcp_idle: Nanos,
    pub tcp_half_open: Nanos,
    pub tcp_closed: Nanos,
    pub udp_idle: Nanos,
    pub icmp_idle: Nanos,
    pub other_idle: Nanos,
}

impl Timeouts {
    #[must_use]
    pub const fn of(&self, flow: &Flow) -> Nanos {
        match flow.key.kind {
            Kind::Tcp if flow.is_closed() => self.tcp_closed,
            Kind::Tcp if flow.established || flow.orig.payload_bytes > 0 || flow.resp.payload_bytes > 0 => self.tcp_idle,
            Kind::Tcp => self.tcp_half_open,
            Kind::Udp => self.udp_idle,
            Kind::Icmp | Kind::IcmpError => self.icmp_idle,
            Kind::Sctp | Kind::Fragment | Kind::Other => self.other_idle,
        }
    }

    /// Elapsed time at which the connection ends if nothing more comes.
    #[must_use]
    pub const fn deadline(&self, flow: &Flow) -> Nanos {
        flow.last_tick.saturating_add(self.of(flow))
    }
}

/// Elapsed time in whole seconds.
#[must_use]
pub const fn tick_second(tick: Nanos) -> i64 {
    tick.div_euclid(SECOND)
}
