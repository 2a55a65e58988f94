//! M: whole TCP conversations, many at a time.
//!
//! A handshake, one request, a response of full segments whose number is heavy-tailed, and a close. Conversations
//! begin at an even pace; a heap by time interleaves those that are open, so that memory holds only them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use crate::packet::{self, ACK, FIN, MINIMUM, PSH, Payload, Route, SYN, Segment, TCP_HEADERS};
use crate::prng::SplitMix64;
use crate::{BASE, Out};

/// At scale 1.
const CONVERSATIONS: u64 = 300_000;
/// Microseconds between two beginnings: with the last conversation's end, 300 000 take some 63 s.
const PACE: u64 = 193;
const CLIENTS: u64 = 4_000;
const SERVERS: u32 = 400;
/// 10.16.0.0, where the clients live, and 203.0.112.0, where the servers do.
const CLIENT_NET: u32 = 0x0a10_0000;
const SERVER_NET: u32 = 0xcb00_7000;
const WINDOW: u16 = 64_240;
const SEGMENT_SIZE: usize = 1_460;
/// The client acknowledges every so many segments, and the last.
const ACKNOWLEDGED: u32 = 3;
/// The response length follows a Pareto distribution: shape, least and greatest number of segments.
const SHAPE: f64 = 1.1;
const LEAST: f64 = 1.0;
const GREATEST: f64 = 2_000.0;

pub fn write(out: &mut Out, scale: u64) -> io::Result<()> {
    let mut world = World::new();
    let mut open = BinaryHeap::new();
    let mut begun = 0;
    loop {
        if begun < CONVERSATIONS * scale && open.peek().is_none_or(|Reverse(next): &Reverse<Conversation>| next.at >= begun * PACE) {
            open.push(Reverse(world.conversation(begun)));
            begun += 1;
            continue;
        }
        let Some(Reverse(mut conversation)) = open.pop() else { return Ok(()) };
        if conversation.step(&world, out)? {
            open.push(Reverse(conversation));
        }
    }
}

/// What conversations share.
struct World {
    chance: SplitMix64,
    /// Cumulated popularity of the servers (Zipf).
    popularity: Vec<f64>,
    /// Ports the clients will use next.
    ports: Vec<u16>,
    services: [Service; 2],
    filler: Payload,
    empty: Payload,
}

struct Service {
    port: u16,
    request: Payload,
    /// The first segment of the response.
    first: Payload,
}

impl World {
    fn new() -> Self {
        let mut chance = SplitMix64::new(7);
        let mut total = 0.0;
        let popularity = (1..=SERVERS).map(|rank| {
            total += 1.0 / f64::from(rank);
            total
        });
        let popularity = popularity.collect();
        let services = [web(&mut chance), encrypted_web(&mut chance)];
        let filler = Payload::new(noise(&mut chance, SEGMENT_SIZE));
        let ports = (0..CLIENTS).map(|_| 1_024 + chance.u16() % 60_000).collect();
        Self { chance, popularity, ports, services, filler, empty: Payload::new(Vec::new()) }
    }

    fn conversation(&mut self, number: u64) -> Conversation {
        let client = usize::try_from(self.chance.between(0, CLIENTS)).unwrap_or(0);
        let server = self.server();
        // Three servers in four speak TLS only.
        let service = usize::from(server % 4 != 3);
        let route = Route {
            source: CLIENT_NET + u32::try_from(client).unwrap_or(0),
            target: SERVER_NET + server,
            source_port: self.ports[client],
            target_port: self.services[service].port,
        };
        self.ports[client] = self.ports[client].checked_add(1).unwrap_or(1_024);
        Conversation {
            at: number * PACE,
            number,
            route,
            service,
            round_trip: self.chance.between(4_000, 80_000),
            client_seq: self.chance.u32(),
            server_seq: self.chance.u32(),
            segments: self.segments(),
            sent: 0,
            next: Step::Syn,
        }
    }

    fn server(&mut self) -> u32 {
        let total = self.popularity.last().copied().unwrap_or(1.0);
        let point = unit(&mut self.chance) * total;
        u32::try_from(self.popularity.partition_point(|&upto| upto < point)).unwrap_or(0)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between LEAST and GREATEST")]
    fn segments(&mut self) -> u32 {
        let quantile = 1.0 - unit(&mut self.chance);
        (LEAST * quantile.powf(-1.0 / SHAPE)).min(GREATEST) as u32
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Syn,
    SynAck,
    Established,
    Request,
    Response,
    Acknowledge,
    ClientFin,
    ServerFin,
    LastAck,
}

struct Conversation {
    /// Time of the next packet, microseconds from the start.
    at: u64,
    number: u64,
    route: Route,
    service: usize,
    round_trip: u64,
    client_seq: u32,
    server_seq: u32,
    segments: u32,
    /// Segments of the response sent.
    sent: u32,
    next: Step,
}

impl Conversation {
    /// Writes the next packet. False when it was the last.
    fn step(&mut self, world: &World, out: &mut Out) -> io::Result<bool> {
        let service = &world.services[self.service];
        let (flags, payload) = match self.next {
            Step::Syn => (SYN, &world.empty),
            Step::SynAck => (SYN | ACK, &world.empty),
            Step::Established | Step::Acknowledge | Step::LastAck => (ACK, &world.empty),
            Step::Request => (PSH | ACK, &service.request),
            Step::Response if self.sent == 0 => (ACK, &service.first),
            Step::Response => (ACK, &world.filler),
            Step::ClientFin | Step::ServerFin => (FIN | ACK, &world.empty),
        };
        self.send(flags, payload, out)?;
        let Some((next, pause)) = self.following() else { return Ok(false) };
        self.next = next;
        self.at += pause;
        Ok(true)
    }

    fn send(&mut self, flags: u8, payload: &Payload, out: &mut Out) -> io::Result<()> {
        let from_server = matches!(self.next, Step::SynAck | Step::Response | Step::ServerFin);
        let (route, seq, peer) = if from_server {
            (self.route.back(), &mut self.server_seq, self.client_seq)
        } else {
            (self.route, &mut self.client_seq, self.server_seq)
        };
        let ack = if flags & ACK == 0 { 0 } else { peer };
        let mut frame = [0; MINIMUM];
        packet::tcp(&mut frame, route, Segment { seq: *seq, ack, flags, window: WINDOW }, payload);
        *seq = seq.wrapping_add(u32::from(payload.len())).wrapping_add(u32::from(flags & (SYN | FIN) != 0));
        let head = if payload.bytes.is_empty() { frame.as_slice() } else { &frame[..TCP_HEADERS] };
        out.frame(BASE + self.at, head, &payload.bytes)
    }

    /// What comes next, and after how many microseconds.
    fn following(&mut self) -> Option<(Step, u64)> {
        const TURN: u64 = 40;
        const SERIALISED: u64 = 12;
        Some(match self.next {
            Step::Syn => (Step::SynAck, self.round_trip),
            Step::SynAck => (Step::Established, TURN),
            Step::Established => (Step::Request, TURN),
            Step::Request => (Step::Response, self.round_trip),
            Step::Response => {
                self.sent += 1;
                let due = self.sent == self.segments || self.sent.is_multiple_of(ACKNOWLEDGED);
                if due { (Step::Acknowledge, TURN) } else { (Step::Response, SERIALISED) }
            }
            Step::Acknowledge if self.sent < self.segments => (Step::Response, self.round_trip / 8),
            Step::Acknowledge => (Step::ClientFin, TURN),
            Step::ClientFin => (Step::ServerFin, self.round_trip),
            Step::ServerFin => (Step::LastAck, TURN),
            Step::LastAck => return None,
        })
    }
}

impl PartialEq for Conversation {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Conversation {}

impl PartialOrd for Conversation {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Conversation {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Conversation {
    const fn key(&self) -> (u64, u64) {
        (self.at, self.number)
    }
}

fn web(chance: &mut SplitMix64) -> Service {
    let request = b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: bench-captures\r\nAccept: */*\r\n\r\n".to_vec();
    // No length is stated: the response ends with the connection.
    let head = b"HTTP/1.1 200 OK\r\nServer: example\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n".to_vec();
    Service { port: 80, request: Payload::new(request), first: Payload::new(filled(chance, head)) }
}

/// One record of application data each way, the response in as many records as it takes.
fn encrypted_web(chance: &mut SplitMix64) -> Service {
    const REQUEST: u16 = 512;
    let record = |length: u16| [&[23, 3, 3], length.to_be_bytes().as_slice()].concat();
    let request = [record(REQUEST), noise(chance, usize::from(REQUEST))].concat();
    let first = filled(chance, record(16_384));
    Service { port: 443, request: Payload::new(request), first: Payload::new(first) }
}

fn filled(chance: &mut SplitMix64, head: Vec<u8>) -> Vec<u8> {
    let rest = noise(chance, SEGMENT_SIZE - head.len());
    [head, rest].concat()
}

fn noise(chance: &mut SplitMix64, len: usize) -> Vec<u8> {
    (0..len).map(|_| chance.u16().to_be_bytes()[0]).collect()
}

/// 0 up to, not including, 1.
fn unit(chance: &mut SplitMix64) -> f64 {
    f64::from(chance.u32()) / 4_294_967_296.0
}
