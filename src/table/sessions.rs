//! What the connections of a shard are talking: the protocol by content, and the dialogue that reads it.
//!
//! Holds the little that must be kept between two packets, bounded in number; the facts go to the
//! tables of the shard. Knows no protocol itself.

use super::flow::Flow;
use super::part::Wire;
use super::streams::{Piece, Stream};
use crate::decode::app::{self, Datagram, Dialogue, End, Ending, Fact, Identified, Interest, Moment, Segment, Service};
use crate::decode::{Kind, Packet};

/// Bytes of a conversation that is followed, without what is held of its unfinished messages.
const SESSION_BYTES: usize = 512;
/// Segments and bytes from which a protocol must be known.
const OPENING_SEGMENTS: usize = 8;
const OPENING_BYTES: usize = 1_024;
/// Datagrams after which an unknown protocol is left alone.
const OPENING_DATAGRAMS: u64 = 2;

/// Which ends' payload is still wanted, as bits in [`Flow::wanted`].
const CLIENT: u8 = 1;
const SERVER: u8 = 2;
pub const BOTH: u8 = CLIENT | SERVER;

const fn bit(end: End) -> u8 {
    match end {
        End::Client => CLIENT,
        End::Server => SERVER,
    }
}

/// What was learnt of a connection besides its facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// TLS SNI or HTTP host.
    pub server_name: String,
    pub ja4: String,
    /// What client and server call their software.
    pub client_software: String,
    pub server_software: String,
}

#[derive(Debug, Default)]
struct Session {
    client: Stream,
    server: Stream,
    talk: Talk,
    labels: Option<Box<Labels>>,
    /// Bytes held for it, as counted in [`Sessions::held`].
    held: usize,
}

#[derive(Debug, Default)]
enum Talk {
    #[default]
    Over,
    /// The protocol is not known yet; what was said is kept for its reader.
    Opening(Vec<Said>),
    Dialogue(Box<dyn Dialogue>),
}

#[derive(Debug)]
struct Said {
    from: End,
    bytes: Box<[u8]>,
    length: u32,
    gap: bool,
    at: Moment,
}

#[derive(Debug, Default)]
pub struct Sessions {
    slots: Vec<Session>,
    free: Vec<u32>,
    /// Bytes of all conversations, and the most they may take.
    held: usize,
    budget: usize,
    /// Conversations that were not followed, or not to their end, because there was no room.
    pub thinned: u64,
}

impl Sessions {
    /// Follows conversations in so many bytes.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Follows nothing, and knows what was not followed.
    #[must_use]
    pub fn unfollowing(&self) -> Self {
        Self { thinned: self.thinned, ..Self::default() }
    }

    /// Takes the payload of a packet of a connection that still wants it.
    pub fn take(&mut self, flow: &mut Flow, packet: &Packet, from_originator: bool, wire: Wire<'_>, facts: &mut Vec<Fact>) {
        let from = if from_originator { End::Client } else { End::Server };
        if flow.wanted & bit(from) == 0 || packet.fragment {
            return;
        }
        match packet.kind {
            Kind::Tcp => self.take_segment(flow, packet, from, wire.payload(packet), facts),
            Kind::Udp => take_datagram(flow, packet, from, wire, facts),
            _ => flow.wanted = 0,
        }
    }

    fn take_segment(&mut self, flow: &mut Flow, packet: &Packet, from: End, payload: &[u8], facts: &mut Vec<Fact>) {
        if flow.session == 0 && (is_foreign(flow, packet, from, payload) || !self.open(flow)) {
            flow.wanted = 0;
            return;
        }
        let Some(session) = self.slots.get_mut(flow.session as usize - 1) else { return };
        let Session { client, server, talk, .. } = session;
        let at = Moment { ts: packet.ts, ordinal: packet.ordinal };
        let piece = Piece { seq: packet.seq, bytes: payload, length: packet.payload_len, at };
        let stream = if from == End::Client { client } else { server };
        let before = facts.len();
        let mut wanted = flow.wanted;
        stream.take(&piece, &mut |piece, gap| {
            let segment = Segment { from, bytes: piece.bytes, length: piece.length, gap, at: piece.at };
            wanted = talk.take(&segment, &mut flow.service, wanted, facts);
        });
        session.want(flow, wanted);
        session.label(&facts[before..]);
        let now = session.bytes();
        self.held = self.held + now - std::mem::replace(&mut session.held, now);
        if self.held > self.budget && now > SESSION_BYTES {
            session.want(flow, 0);
            self.thinned += 1;
            self.held -= session.held - SESSION_BYTES;
            session.held = SESSION_BYTES;
        }
        if flow.wanted == 0 && session.labels.is_none() {
            self.close(flow);
        }
    }

    fn open(&mut self, flow: &mut Flow) -> bool {
        if self.held + SESSION_BYTES > self.budget {
            self.thinned += 1;
            return false;
        }
        let session = Session {
            client: Stream::new(flow.orig.first_byte()),
            server: Stream::new(flow.resp.first_byte()),
            talk: Talk::Opening(Vec::new()),
            labels: None,
            held: SESSION_BYTES,
        };
        self.held += SESSION_BYTES;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Session::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = session;
        }
        flow.session = slot + 1;
        true
    }

    fn close(&mut self, flow: &mut Flow) {
        if let Some(session) = flow.session.checked_sub(1).and_then(|slot| self.slots.get_mut(slot as usize)) {
            self.held -= session.held;
            *session = Session::default();
            self.free.push(flow.session - 1);
        }
        flow.session = 0;
    }

    /// The connection has ended: what its dialogue can still tell, and what was learnt besides.
    pub fn end(&mut self, flow: &mut Flow, facts: &mut Vec<Fact>) -> Option<Box<Labels>> {
        let session = self.slots.get_mut(flow.session.checked_sub(1)? as usize)?;
        let Session { client, server, mut talk, labels, held } = std::mem::take(session);
        session.labels = labels;
        session.held = held;
        let before = facts.len();
        for (mut stream, from) in [(client, End::Client), (server, End::Server)] {
            let mut wanted = flow.wanted;
            stream.flush(&mut |piece, gap| {
                let segment = Segment { from, bytes: piece.bytes, length: piece.length, gap, at: piece.at };
                wanted = talk.take(&segment, &mut flow.service, wanted, facts);
            });
            flow.wanted = wanted;
        }
        if let Talk::Dialogue(dialogue) = &mut talk {
            dialogue.end(&ending(flow), facts);
        }
        session.label(&facts[before..]);
        let labels = session.labels.take();
        self.close(flow);
        labels
    }
}

/// The first segment of a connection belongs to no protocol that is known here: nothing is begun for it.
fn is_foreign(flow: &Flow, packet: &Packet, from: End, payload: &[u8]) -> bool {
    let side = if from == End::Client { &flow.orig } else { &flow.resp };
    let is_first = side.first_byte().is_none_or(|first| first == packet.seq);
    let judged = || if from == End::Client { app::identify(payload, &[]) } else { app::identify(&[], payload) };
    is_first && judged() == Identified::Unknown
}

impl Session {
    /// What it takes, roughly: what is held of unfinished messages is most of it.
    fn bytes(&self) -> usize {
        let talk = match &self.talk {
            Talk::Over => 0,
            Talk::Opening(said) => said.iter().map(|said| said.bytes.len()).sum(),
            Talk::Dialogue(dialogue) => dialogue.held(),
        };
        SESSION_BYTES + self.client.held() + self.server.held() + talk
    }

    fn want(&mut self, flow: &mut Flow, wanted: u8) {
        let dropped = flow.wanted & !wanted;
        flow.wanted = wanted;
        if dropped & CLIENT != 0 {
            self.client.skip();
        }
        if dropped & SERVER != 0 {
            self.server.skip();
        }
        if wanted == 0 {
            self.talk = Talk::Over;
        }
    }

    fn label(&mut self, facts: &[Fact]) {
        for fact in facts {
            let (field, text): (fn(&mut Labels) -> &mut String, _) = match fact {
                Fact::ServerName(name) => (|labels| &mut labels.server_name, name),
                Fact::Ja4(ja4) => (|labels| &mut labels.ja4, ja4),
                Fact::Software(End::Client, software) => (|labels| &mut labels.client_software, software),
                Fact::Software(End::Server, software) => (|labels| &mut labels.server_software, software),
                _ => continue,
            };
            let field = field(self.labels.get_or_insert_default());
            if field.is_empty() {
                field.clone_from(text);
            }
        }
    }
}

impl Talk {
    /// Takes the next segment; says whose payload is wanted from here on.
    fn take(&mut self, segment: &Segment<'_>, service: &mut Service, wanted: u8, facts: &mut Vec<Fact>) -> u8 {
        if wanted & bit(segment.from) == 0 {
            return wanted;
        }
        match self {
            Self::Over => 0,
            Self::Dialogue(dialogue) => bits(dialogue.take(segment, facts)),
            Self::Opening(said) => {
                let first = |end: End| {
                    let mut bytes: Vec<u8> =
                        said.iter().filter(|said| said.from == end).flat_map(|said| said.bytes.iter().copied()).collect();
                    if segment.from == end {
                        bytes.extend(segment.bytes.iter().take(OPENING_BYTES.saturating_sub(bytes.len())));
                    }
                    bytes
                };
                // Nearly every protocol is known by its first segment, which needs no copy then.
                let identified = match (said.is_empty(), segment.from) {
                    (true, End::Client) => app::identify(segment.bytes, &[]),
                    (true, End::Server) => app::identify(&[], segment.bytes),
                    (false, _) => app::identify(&first(End::Client), &first(End::Server)),
                };
                match identified {
                    Identified::As(known) => {
                        *service = known;
                        let said = std::mem::take(said);
                        self.begin(known, &said, segment, facts)
                    }
                    Identified::NotYet if said.len() < OPENING_SEGMENTS => {
                        let Segment { from, bytes, length, gap, at } = *segment;
                        said.push(Said {
                            from,
                            bytes: bytes.get(..bytes.len().min(OPENING_BYTES)).unwrap_or_default().into(),
                            length,
                            gap,
                            at,
                        });
                        wanted
                    }
                    Identified::NotYet | Identified::Unknown => 0,
                }
            }
        }
    }

    /// The reader is found: it is told what was said so far.
    fn begin(&mut self, service: Service, said: &[Said], segment: &Segment<'_>, facts: &mut Vec<Fact>) -> u8 {
        let Some(mut dialogue) = app::dialogue(service) else {
            *self = Self::Over;
            return 0;
        };
        let earlier =
            said.iter().map(|said| Segment { from: said.from, bytes: &said.bytes, length: said.length, gap: said.gap, at: said.at });
        let mut wanted = BOTH;
        for segment in earlier.chain([*segment]) {
            if wanted & bit(segment.from) != 0 {
                wanted = bits(dialogue.take(&segment, facts));
            }
        }
        *self = Self::Dialogue(dialogue);
        wanted
    }
}

const fn bits(interest: Interest) -> u8 {
    match interest {
        Interest::Both => BOTH,
        Interest::Client => CLIENT,
        Interest::Server => SERVER,
        Interest::Nothing => 0,
    }
}

fn take_datagram(flow: &mut Flow, packet: &Packet, from: End, wire: Wire<'_>, facts: &mut Vec<Fact>) {
    let datagram = Datagram {
        from,
        bytes: wire.payload(packet),
        length: packet.payload_len,
        src: packet.src,
        src_port: packet.sport,
        dst: packet.dst,
        dst_port: packet.dport,
        vlan: packet.vlan,
        frame_src: wire.frame_src(packet),
        at: Moment { ts: packet.ts, ordinal: packet.ordinal },
    };
    match app::datagram(flow.service, &datagram, facts) {
        Identified::As(service) => flow.service = service,
        Identified::Unknown if flow.service == Service::Unknown && flow.orig.packets + flow.resp.packets >= OPENING_DATAGRAMS => {
            flow.wanted = 0;
        }
        Identified::NotYet | Identified::Unknown => {}
    }
}

const fn ending(flow: &Flow) -> Ending {
    Ending {
        at: Moment { ts: flow.last_ts, ordinal: flow.last_ordinal },
        duration: flow.last_ts - flow.first_ts,
        closed: flow.is_closed(),
        reset_by_server: flow.resp.was_reset(),
        client_bytes: flow.orig.payload_bytes,
        server_bytes: flow.resp.payload_bytes,
    }
}
