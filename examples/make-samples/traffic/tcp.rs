//! A TCP session from the handshake to the close, seen next to the client.

use crate::host::{Endpoint, Host};
use crate::scene::Scene;
use crate::time::{MICROSECOND, MILLISECOND, Nanos};
use crate::wire::{self, ACK, FIN, ORDINARY_OPTIONS, PSH, RST, SYN, Segment};

const SEGMENT_SIZE: usize = 1460;
/// How long either side needs to put the next frame on the wire.
const TURN: Nanos = 60 * MICROSECOND;
/// The window in the handshake, and after it, scaled by 7.
const OPENING_WINDOW: u16 = 64_240;
const WINDOW: u16 = 502;
/// First retransmission time-out of a server that hears no acknowledgement (RFC 6298 allows at least this for short paths).
const RETRANSMIT_AFTER: Nanos = 240 * MILLISECOND;

pub struct Session<'a> {
    pub scene: &'a mut Scene,
    client: Endpoint,
    server: Endpoint,
    now: Nanos,
    round_trip: Nanos,
    client_seq: u32,
    server_seq: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl<'a> Session<'a> {
    /// The three-way handshake.
    pub fn open(scene: &'a mut Scene, at: Nanos, client: Host, server: Endpoint, round_trip: Nanos) -> Self {
        let client = client.port(scene.fresh_port(client));
        let (client_seq, server_seq) = (scene.rng.u32(), scene.rng.u32());
        let mut session = Self { scene, client, server, now: at, round_trip, client_seq, server_seq };
        session.send(Side::Client, SYN, &[]);
        session.wait(session.round_trip);
        session.send(Side::Server, SYN | ACK, &[]);
        session.wait(TURN);
        session.send(Side::Client, ACK, &[]);
        session.wait(TURN);
        session
    }

    /// The client speaks and the server acknowledges.
    pub fn client_says(&mut self, payload: &[u8]) {
        self.stream(Side::Client, payload);
    }

    /// The server speaks and the client acknowledges.
    pub fn server_says(&mut self, payload: &[u8]) {
        self.stream(Side::Server, payload);
    }

    /// As [`Self::server_says`], but the first segment is lost after the capture point and comes again.
    pub fn server_repeats(&mut self, payload: &[u8]) {
        let (first, rest) = payload.split_at(payload.len().min(SEGMENT_SIZE));
        let before = self.server_seq;
        self.send(Side::Server, ACK, first);
        self.wait(RETRANSMIT_AFTER);
        self.server_seq = before;
        self.send(Side::Server, ACK, first);
        self.wait(TURN);
        self.send(Side::Client, ACK, &[]);
        self.wait(TURN);
        self.stream(Side::Server, rest);
    }

    /// A question and its answer; each segment acknowledges what came before, as where both sides answer at once.
    pub fn ask(&mut self, question: &[u8], answer: &[u8]) {
        self.send(Side::Client, PSH | ACK, question);
        self.wait(self.round_trip);
        self.send(Side::Server, PSH | ACK, answer);
        self.wait(TURN);
    }

    /// Large segments, as the sending host itself sees them before its network card divides them.
    pub fn client_uploads(&mut self, segments: usize, payload: &[u8], pace: Nanos) {
        for index in 0..segments {
            self.send(Side::Client, PSH | ACK, payload);
            if index % 2 == 1 {
                self.wait(TURN);
                self.send(Side::Server, ACK, &[]);
            }
            self.wait(pace);
        }
    }

    pub const fn now(&self) -> Nanos {
        self.now
    }

    pub const fn wait(&mut self, pause: Nanos) {
        self.now += pause;
    }

    /// The client ends the session in an orderly way.
    pub fn close(mut self) -> Nanos {
        self.send(Side::Client, FIN | ACK, &[]);
        self.wait(self.round_trip);
        self.send(Side::Server, FIN | ACK, &[]);
        self.wait(TURN);
        self.send(Side::Client, ACK, &[]);
        self.now
    }

    /// The server ends the session in an orderly way.
    pub fn server_closes(mut self) -> Nanos {
        self.send(Side::Server, FIN | ACK, &[]);
        self.wait(TURN);
        self.send(Side::Client, FIN | ACK, &[]);
        self.wait(self.round_trip);
        self.send(Side::Server, ACK, &[]);
        self.now
    }

    /// The client drops the session.
    pub fn abort(mut self) -> Nanos {
        self.send(Side::Client, RST | ACK, &[]);
        self.now
    }

    /// Segments of one side; every second and the last one acknowledged.
    fn stream(&mut self, side: Side, payload: &[u8]) {
        let count = payload.len().div_ceil(SEGMENT_SIZE);
        for (index, chunk) in payload.chunks(SEGMENT_SIZE).enumerate() {
            let last = index + 1 == count;
            self.send(side, if last { PSH | ACK } else { ACK }, chunk);
            self.wait(TURN);
            if last || index % 2 == 1 {
                self.acknowledge(side);
            }
        }
    }

    fn acknowledge(&mut self, sender: Side) {
        if sender == Side::Client {
            self.wait(self.round_trip);
            self.send(Side::Server, ACK, &[]);
        } else {
            self.send(Side::Client, ACK, &[]);
        }
        self.wait(TURN);
    }

    fn send(&mut self, side: Side, flags: u8, payload: &[u8]) {
        let (from, to, seq, peer_seq) = match side {
            Side::Client => (self.client, self.server, self.client_seq, self.server_seq),
            Side::Server => (self.server, self.client, self.server_seq, self.client_seq),
        };
        let opening = flags & SYN != 0;
        let segment = Segment {
            flags,
            seq,
            ack: if flags & ACK == 0 { 0 } else { peer_seq },
            window: if opening { OPENING_WINDOW } else { WINDOW },
            options: if opening { ORDINARY_OPTIONS } else { &[] },
            payload,
        };
        let ident = self.scene.rng.u16();
        self.scene.put(self.now, wire::tcp(from, to, ident, &segment));
        let consumed = payload.len() + usize::from(opening) + usize::from(flags & FIN != 0);
        match side {
            Side::Client => self.client_seq = advanced(seq, consumed),
            Side::Server => self.server_seq = advanced(seq, consumed),
        }
    }
}

/// Sequence numbers count bytes modulo 2³².
#[expect(clippy::cast_possible_truncation, reason = "modulo 2³² is what the protocol means")]
const fn advanced(seq: u32, by: usize) -> u32 {
    seq.wrapping_add(by as u32)
}
