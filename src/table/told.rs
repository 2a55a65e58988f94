//! A connection that somebody tells of, such as a server in its log: nobody captured its packets.
//!
//! It counts as the one packet that must have opened it, and what came of it is what is told. Knows how that
//! becomes a [`Flow`] and what it means to the totals of its target; does not know who tells.

use super::admission::Request;
use super::flow::{Flow, FlowKey, Outcome, pattern, verdict};
use crate::decode::app::{Login, Service};
use crate::decode::{Kind, Packet, flag};
use crate::net::{Addr, ip_proto};
use crate::time::Nanos;

/// Lengths of headers without options, bytes: IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293), UDP (RFC 768).
const IPV4: u32 = 20;
const IPV6: u32 = 40;
const TCP: u32 = 20;
const UDP: u32 = 8;

#[derive(Clone, Debug)]
pub struct Told {
    /// See [`Told::opening`].
    pub opening: Packet,
    pub outcome: Outcome,
    /// From its beginning to its end; 0 where nobody says.
    pub lasted: Nanos,
    /// Payload of the source, and of the target.
    pub bytes_out: u64,
    pub bytes_back: u64,
    pub service: Service,
    /// Somebody tried to log in.
    pub login: Option<Login>,
}

impl Told {
    /// The packet that opened a connection of TCP, or of UDP if `udp`, without anything in it that is not known.
    /// Who numbers and stamps it is the caller.
    #[must_use]
    pub fn opening((src, sport): (Addr, u16), (dst, dport): (Addr, u16), udp: bool) -> Packet {
        let network = if src.is_v4() && dst.is_v4() { IPV4 } else { IPV6 };
        let ip_len = network + if udp { UDP } else { TCP };
        let (kind, proto, flags) = if udp { (Kind::Udp, ip_proto::UDP, 0) } else { (Kind::Tcp, ip_proto::TCP, flag::SYN) };
        Packet { src, sport, dst, dport, kind, proto, flags, ip_len, wire_len: ip_len, ..Packet::default() }
    }

    /// Gives it its number in the order of all that is told and captured, from 1.
    pub const fn number(&mut self, ordinal: u64) {
        self.opening.ordinal = ordinal;
        if let Some(login) = &mut self.login {
            login.at.ordinal = ordinal;
        }
    }

    /// The connection, which has ended.
    pub(super) fn flow(&self) -> Flow {
        let (key, forward) = FlowKey::of(&self.opening);
        let mut flow = Flow::begin(key, &self.opening, forward);
        // Ports are no guess at the direction where it is told.
        (flow.low_is_originator, flow.direction_certain) = (forward, true);
        flow.pattern = flow.pattern & !pattern::REPLY_ONLY | pattern::TOLD;
        flow.take(&self.opening, forward);
        flow.told = Some(self.outcome);
        flow.established = key.kind == Kind::Tcp && self.outcome == Outcome::Empty;
        flow.last_ts = flow.first_ts.saturating_add(self.lasted);
        flow.orig.payload_bytes = self.bytes_out;
        flow.orig.ip_bytes = flow.orig.ip_bytes.saturating_add(self.bytes_out);
        (flow.resp.payload_bytes, flow.resp.ip_bytes) = (self.bytes_back, self.bytes_back);
        flow.service = self.service;
        flow
    }

    pub(super) const fn is_completed(&self) -> bool {
        matches!(self.outcome, Outcome::Empty | Outcome::Data)
    }

    /// What the opening packet meant to its target. Where nobody says what came of it, it is taken for answered:
    /// the clients of a busy server are no flood.
    pub(super) const fn verdict(&self) -> u8 {
        let answered = self.is_completed() || matches!(self.outcome, Outcome::Unknown);
        match self.opening.kind {
            Kind::Tcp if answered => verdict::HANDSHAKE,
            Kind::Udp if answered => verdict::ANSWERED,
            _ => 0,
        }
    }

    pub(super) fn request(&self, pair_known: bool) -> Request {
        let Packet { src, dst, dport, proto, ip_len, ts, tick, ordinal, .. } = self.opening;
        Request { source: src, target: dst, port: dport, proto, bytes: u64::from(ip_len), ts, tick, ordinal, pair_known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::ConnState;
    use crate::time::SECOND;

    fn told(udp: bool, from: u16, outcome: Outcome) -> Flow {
        let opening = Told::opening((Addr::from_v4(9), from), (Addr::from_v4(5), 40_000), udp);
        let told = Told { opening, outcome, lasted: SECOND, bytes_out: 10, bytes_back: 20, service: Service::Unknown, login: None };
        told.flow()
    }

    #[test]
    fn what_came_of_it_is_what_is_told_whatever_its_one_packet_says() {
        let states = [
            (Outcome::Unanswered, ConnState::S0),
            (Outcome::Refused, ConnState::Rej),
            (Outcome::HalfOpen, ConnState::S1),
            (Outcome::Empty, ConnState::Sf),
            (Outcome::Data, ConnState::Sf),
            (Outcome::Unknown, ConnState::Oth),
        ];
        for (outcome, state) in states {
            for udp in [false, true] {
                let flow = told(udp, 0, outcome);
                assert_eq!((flow.outcome(), flow.state(), flow.is_attempt()), (outcome, state, true));
                assert_eq!((flow.orig.packets, flow.resp.packets, flow.last_ts - flow.first_ts), (1, 0, SECOND));
            }
        }
    }

    /// From port 53 to a high one looks like an answer of DNS.
    #[test]
    fn who_asked_whom_is_not_guessed_from_ports() {
        let flow = told(true, 53, Outcome::Data);
        assert_eq!((flow.originator(), flow.originator_port(), flow.responder_port()), (Addr::from_v4(9), 53, 40_000));
    }

    /// RFC 791, 8200, 9293 and 768: 20 or 40 bytes of IP, 20 of TCP or 8 of UDP.
    #[test]
    fn an_opening_packet_is_its_headers() {
        let length = |addr: Addr, udp| Told::opening((addr, 1), (addr, 2), udp).ip_len;
        let (v4, v6) = (Addr::from_v4(1), Addr::from_v6_bytes([1; 16]));
        assert_eq!([length(v4, false), length(v4, true), length(v6, false), length(v6, true)], [40, 28, 60, 48]);
    }
}
