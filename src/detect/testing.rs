//! Small captures made by hand, for the tests of detectors: packets go through the tables as those of
//! a file do.

use super::Detector;
use super::alert::Alert;
use super::context::{self, Context};
use crate::capture::FrameRef;
use crate::config::Config;
use crate::decode::app::{Fact, Login, LoginOutcome, Moment, Query, Service};
use crate::decode::{Kind, Packet, flag};
use crate::net::{Addr, ip_proto};
use crate::table::{self, Ends, Part, Store, Tables, Wire};
use crate::time::{Nanos, SECOND};

/// 255.255.255.255 as the number of a host.
pub(super) const BROADCAST: u32 = u32::MAX;

/// The host of a number, as alerts write it: 5 is 10.0.0.5, unless the number is a whole address.
pub(super) fn host(number: u32) -> String {
    address(number).to_string()
}

pub(super) fn address(number: u32) -> Addr {
    Addr::from_v4(if number >> 24 == 0 { 10 << 24 | number } else { number })
}

/// Packets in the order of their making; times must not decrease much.
#[derive(Default)]
pub(super) struct Capture {
    packets: Vec<Packet>,
    facts: Vec<(Ends, Fact)>,
    now: Nanos,
}

impl Capture {
    /// The first moment: a full minute.
    pub(super) const START: Nanos = 1_700_000_040 * SECOND;

    pub(super) fn at_us(&mut self, microseconds: i64) -> &mut Self {
        self.now = Self::START + microseconds * 1_000;
        self
    }

    pub(super) fn at_ms(&mut self, milliseconds: i64) -> &mut Self {
        self.at_us(milliseconds * 1_000)
    }

    fn add(&mut self, packet: Packet) {
        let ordinal = self.packets.len() as u64 + 1;
        let numbered = Packet { ts: self.now, tick: self.now - Self::START, ordinal, ttl: 60, ..packet };
        self.packets.push(numbered);
        self.now += 1_000;
    }

    pub(super) fn tcp(&mut self, src: u32, sport: u16, dst: u32, dport: u16, flags: u8) {
        self.segment(src, sport, dst, dport, flags, 0);
    }

    fn segment(&mut self, src: u32, sport: u16, dst: u32, dport: u16, flags: u8, payload_len: u32) {
        let (src, dst) = (address(src), address(dst));
        let (seq, ip_len) = (self.packets.len() as u32, 40 + payload_len);
        self.add(Packet {
            src,
            dst,
            sport,
            dport,
            flags,
            seq,
            payload_len,
            ip_len,
            proto: ip_proto::TCP,
            kind: Kind::Tcp,
            ..Packet::default()
        });
    }

    pub(super) fn syn_from(&mut self, src: u32, sport: u16, dst: u32, dport: u16) {
        self.tcp(src, sport, dst, dport, flag::SYN);
    }

    pub(super) fn syn(&mut self, src: u32, dst: u32, dport: u16) {
        self.syn_from(src, 40_000, dst, dport);
    }

    /// SYN, SYN-ACK, ACK.
    pub(super) fn handshake(&mut self, src: u32, dst: u32, dport: u16) {
        let sport = 10_000 + (self.packets.len() / 3 % 50_000) as u16;
        self.opened(src, sport, dst, dport);
    }

    pub(super) fn handshake_from(&mut self, src: u32, sport: u16, dst: u32, dport: u16) {
        self.opened(src, sport, dst, dport);
    }

    /// So many bytes of payload in one segment.
    pub(super) fn data(&mut self, src: u32, sport: u16, dst: u32, dport: u16, bytes: u32) {
        self.segment(src, sport, dst, dport, flag::ACK | flag::PSH, bytes);
    }

    fn opened(&mut self, src: u32, sport: u16, dst: u32, dport: u16) {
        self.tcp(src, sport, dst, dport, flag::SYN);
        self.tcp(dst, dport, src, sport, flag::SYN | flag::ACK);
        self.tcp(src, sport, dst, dport, flag::ACK);
    }

    /// A handshake, and 100 bytes each way.
    pub(super) fn conversation(&mut self, src: u32, sport: u16, dst: u32, dport: u16) {
        self.opened(src, sport, dst, dport);
        self.segment(src, sport, dst, dport, flag::ACK | flag::PSH, 100);
        self.segment(dst, dport, src, sport, flag::ACK | flag::PSH, 100);
    }

    pub(super) fn udp(&mut self, src: u32, sport: u16, dst: u32, dport: u16) {
        self.udp_of(100, src, sport, dst, dport);
    }

    pub(super) fn udp_of(&mut self, payload_len: u32, src: u32, sport: u16, dst: u32, dport: u16) {
        let (src, dst) = (address(src), address(dst));
        self.add(Packet {
            src,
            dst,
            sport,
            dport,
            payload_len,
            ip_len: payload_len + 28,
            proto: ip_proto::UDP,
            kind: Kind::Udp,
            ..Packet::default()
        });
    }

    pub(super) fn echo(&mut self, src: u32, dst: u32) {
        self.icmp(src, dst, 8);
    }

    pub(super) fn echo_reply(&mut self, src: u32, dst: u32) {
        self.icmp(src, dst, 0);
    }

    fn icmp(&mut self, src: u32, dst: u32, icmp_type: u16) {
        let (src, dst) = (address(src), address(dst));
        self.add(Packet {
            src,
            dst,
            sport: icmp_type,
            ip_len: 84,
            payload_len: 56,
            proto: ip_proto::ICMP,
            kind: Kind::Icmp,
            ..Packet::default()
        });
    }

    pub(super) fn first_fragment(&mut self, src: u32, dst: u32) {
        let (src, dst) = (address(src), address(dst));
        self.add(Packet {
            src,
            dst,
            sport: 4_000,
            dport: 4_001,
            ip_len: 1_500,
            payload_len: 8_000,
            proto: ip_proto::UDP,
            kind: Kind::Udp,
            fragment: true,
            ..Packet::default()
        });
    }

    pub(super) fn later_fragment(&mut self, src: u32, dst: u32) {
        let (src, dst) = (address(src), address(dst));
        self.add(Packet { src, dst, ip_len: 1_500, proto: ip_proto::UDP, kind: Kind::Fragment, fragment: true, ..Packet::default() });
    }

    /// The last of six pieces.
    pub(super) fn last_fragment(&mut self, src: u32, dst: u32) {
        let (src, dst) = (address(src), address(dst));
        self.add(Packet {
            src,
            dst,
            ip_len: 1_500,
            ack: 6 * 1_480,
            proto: ip_proto::UDP,
            kind: Kind::Fragment,
            fragment: true,
            ..Packet::default()
        });
    }

    /// What was said between two hosts, just now.
    pub(super) fn said(&mut self, client: u32, server: u32, port: u16, service: Service, fact: impl FnOnce(Moment) -> Fact) {
        let at = Moment { ts: self.now, ordinal: self.packets.len() as u64 + 1 };
        self.facts.push((Ends { client: address(client), server: address(server), port, service }, fact(at)));
    }

    /// A login whose outcome the server gave.
    pub(super) fn login(&mut self, client: u32, server: u32, service: Service, user: &str, outcome: LoginOutcome) {
        self.login_at(client, server, 21, service, user, outcome);
    }

    pub(super) fn login_at(&mut self, client: u32, server: u32, port: u16, service: Service, user: &str, outcome: LoginOutcome) {
        let user = user.to_owned();
        self.said(client, server, port, service, |at| Fact::Login(Login { user, outcome, certain: true, at }));
    }

    /// A question to DNS.
    pub(super) fn question(&mut self, client: u32, server: u32, name: &str, qtype: u16) {
        self.dns(client, server, name, qtype, None, 0);
        self.udp(client, 40_000, server, 53);
    }

    /// A question and its answer.
    pub(super) fn lookup(&mut self, client: u32, server: u32, name: &str, qtype: u16, rcode: u8, answer_bytes: u32) {
        self.question(client, server, name, qtype);
        self.answer(client, server, name, qtype, rcode, answer_bytes);
    }

    /// An answer of DNS.
    pub(super) fn answer(&mut self, client: u32, server: u32, name: &str, qtype: u16, rcode: u8, answer_bytes: u32) {
        self.dns(client, server, name, qtype, Some(rcode), answer_bytes);
        self.udp(server, 53, client, 40_000);
    }

    fn dns(&mut self, client: u32, server: u32, name: &str, qtype: u16, rcode: Option<u8>, answer_bytes: u32) {
        let name = name.to_owned();
        self.said(client, server, 53, Service::Dns, |at| Fact::Query(Query { name, qtype, rcode, answer_bytes, at }));
    }

    fn tables(&self, config: &Config) -> Tables {
        let mut store = Store::new(&table::Settings::of(&config.base));
        let mut part = Part::default();
        part.batch.packets.extend(&self.packets);
        part.partition();
        let frames: Vec<FrameRef> = self.packets.iter().map(frame).collect();
        store.push(Wire { bytes: &[], frames: &frames }, &[part]);
        self.facts.iter().for_each(|(ends, fact)| store.note(*ends, fact.clone()));
        store.finish(&mut |_| {}).unwrap()
    }

    /// What one detector finds with the default configuration.
    pub(super) fn judge(&self, detector: &dyn Detector) -> Vec<Alert> {
        let config = Config::default();
        let tables = self.tables(&config);
        let times = || self.packets.iter().map(|packet| packet.ts);
        let capture =
            context::Capture { span: times().min().zip(times().max()), frames: self.packets.len() as u64, ..context::Capture::default() };
        detector.detect(&Context::new(&tables, &config, capture).unwrap()).unwrap()
    }
}

fn frame(packet: &Packet) -> FrameRef {
    let length = packet.ip_len + 14;
    FrameRef { ts: packet.ts, tick: packet.tick, ordinal: packet.ordinal, offset: 0, start: 0, caplen: length, origlen: length, link: 1 }
}
