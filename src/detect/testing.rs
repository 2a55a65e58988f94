//! Small captures made by hand, for the tests of detectors: packets go through the tables as those of
//! a file do.

use super::Detector;
use super::alert::Alert;
use super::baseline::Baseline;
use super::context::{self, Context};
use crate::capture::FrameRef;
use crate::config::Config;
use crate::decode::app::{Fact, Login, LoginOutcome, Moment, Query, Service};
use crate::decode::{Claim, ClaimKind, Kind, Packet, flag};
use crate::net::{Addr, Mac, ip_proto};
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
    claims: Vec<Claim>,
    /// Bytes of the frames, one after another; most packets have none.
    bytes: Vec<u8>,
    frames: Vec<(usize, usize)>,
    /// Sender and receiver of the frames that follow.
    link: Option<(Mac, Mac)>,
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
        self.add_carrying(packet, &[]);
    }

    /// A packet of which the payload, or the frame's header, is to be seen.
    fn add_carrying(&mut self, packet: Packet, payload: &[u8]) {
        let (start, ordinal) = (self.bytes.len(), self.next_ordinal());
        if let Some((src, dst)) = self.link {
            self.bytes.extend(&dst.0.to_be_bytes()[2..]);
            self.bytes.extend(&src.0.to_be_bytes()[2..]);
            self.bytes.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, packet.proto, 0, 0]);
            self.bytes.extend(&packet.src.bytes()[12..]);
            self.bytes.extend(&packet.dst.bytes()[12..]);
        }
        let payload_start = self.bytes.len() as u32;
        self.bytes.extend(payload);
        self.frames.push((start, self.bytes.len() - start));
        let (payload_caplen, ts, tick) = (payload.len() as u32, self.now, self.now - Self::START);
        self.packets.push(Packet { ts, tick, ordinal, ttl: 60, payload_start, payload_caplen, ..packet });
        self.now += 1_000;
    }

    fn next_ordinal(&self) -> u64 {
        (self.packets.len() + self.claims.len()) as u64 + 1
    }

    /// The frames that follow go from one machine to another.
    pub(super) fn between(&mut self, src: u64, dst: u64) -> &mut Self {
        self.link = Some((Mac(src), Mac(dst)));
        self
    }

    /// An ARP message: `mac` says it has `sender`, and asks for or tells `target`.
    pub(super) fn arp(&mut self, kind: ClaimKind, mac: u64, sender: u32, target: u32) {
        let (ts, tick, ordinal, mac) = (self.now, self.now - Self::START, self.next_ordinal(), Mac(mac));
        let (sender, target) = (address(sender), address(target));
        self.claims.push(Claim { ts, tick, ordinal, kind, vlan: 0, frame_src: mac, mac, sender, target });
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

    /// How a closed port answers a SYN: with sequence number 0 (RFC 9293, section 3.10.7.1).
    pub(super) fn refusal(&mut self, src: u32, sport: u16, dst: u32, dport: u16) {
        self.tcp(src, sport, dst, dport, flag::RST | flag::ACK);
        if let Some(packet) = self.packets.last_mut() {
            packet.seq = 0;
        }
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

    /// An echo request or reply with an identifier and sequence number, and a payload.
    pub(super) fn echo_with(&mut self, src: u32, dst: u32, reply: bool, seq: u32, payload: &[u8]) {
        let (src, dst, payload_len) = (address(src), address(dst), payload.len() as u32);
        let sport = if reply { 0 } else { 8 };
        let (ip_len, kind) = (payload_len + 28, Kind::Icmp);
        self.add_carrying(Packet { src, dst, sport, seq, ip_len, payload_len, proto: ip_proto::ICMP, kind, ..Packet::default() }, payload);
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
        let at = Moment { ts: self.now, ordinal: self.next_ordinal() };
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

    pub(super) fn tables(&self, config: &Config) -> Tables {
        let mut store = Store::new(&table::Settings::of(&config.base));
        let mut part = Part::default();
        part.batch.packets.extend(&self.packets);
        part.batch.claims.extend(&self.claims);
        part.partition();
        let frames: Vec<FrameRef> = self.packets.iter().zip(&self.frames).map(frame).collect();
        store.push(Wire { bytes: &self.bytes, frames: &frames }, &[part]);
        self.facts.iter().for_each(|(ends, fact)| store.note(*ends, fact.clone()));
        store.finish(&mut |_| Ok(())).unwrap()
    }

    /// What one detector finds with the default configuration.
    pub(super) fn judge(&self, detector: &dyn Detector) -> Vec<Alert> {
        self.judge_against(detector, None)
    }

    /// What it finds knowing what was learned before.
    pub(super) fn judge_against(&self, detector: &dyn Detector, baseline: Option<&Baseline>) -> Vec<Alert> {
        let config = Config::default();
        let tables = self.tables(&config);
        let times = || self.packets.iter().map(|packet| packet.ts);
        let capture =
            context::Capture { span: times().min().zip(times().max()), frames: self.packets.len() as u64, ..context::Capture::default() };
        detector.detect(&Context::new(&tables, &config, capture).unwrap().with_baseline(baseline)).unwrap()
    }
}

fn frame((packet, (start, length)): (&Packet, &(usize, usize))) -> FrameRef {
    let (ts, tick, ordinal) = (packet.ts, packet.tick, packet.ordinal);
    FrameRef {
        ts,
        tick,
        ordinal,
        offset: 0,
        start: *start as u32,
        caplen: *length as u32,
        origlen: packet.ip_len + 14,
        link: 1,
        interface: 0,
    }
}
