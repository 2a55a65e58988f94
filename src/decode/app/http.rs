//! HTTP/1 (RFC 9112): requests and whether they were completed, errors of the server, logins, names.
//!
//! Reads heads only. A body is passed over by its length, or not seen at all: while nobody waits for an
//! answer only the client is listened to, while a body is uploaded only the server.

use std::collections::VecDeque;

use super::http_auth::{self, Credentials};
use super::http_head::{self, Body, Parsed, RequestHead};
use super::identify::Recognised;
use super::{Dialogue, End, Ending, Fact, Interest, Login, LoginOutcome, MOST_HELD, Moment, Request, RequestKind, Segment};

/// Most requests without an answer that are remembered.
const MOST_WAITING: usize = 32;

#[derive(Debug, Default)]
struct Http {
    client: Stream,
    server: Stream,
    /// Requests without an answer, in order.
    waiting: VecDeque<Waiting>,
    client_heard: bool,
    server_heard: bool,
    /// Answers were let pass on purpose since the last one that was read.
    server_unheeded: bool,
    host_told: bool,
    agent_told: bool,
    /// Who is logged in, as told.
    user: Option<String>,
    /// What follows is no HTTP: a tunnel, or another protocol by agreement.
    over: bool,
}

/// Where one end's stream is.
#[derive(Debug, Default)]
struct Stream {
    /// The beginning of a head that is not complete.
    held: Vec<u8>,
    place: Place,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    Body(u64),
    /// Somewhere; a segment that begins with a head says where.
    Lost,
}

impl From<Body> for Place {
    fn from(body: Body) -> Self {
        match body {
            Body::Length(length) => Self::Body(length),
            Body::Unknown => Self::Lost,
        }
    }
}

impl Stream {
    fn lose(&mut self) {
        self.held.clear();
        self.place = Place::Lost;
    }

    /// What follows the body at the beginning of these bytes; none while it goes on.
    fn pass_body<'a>(&mut self, left: u64, data: &'a [u8]) -> Option<&'a [u8]> {
        match usize::try_from(left).ok().and_then(|left| data.get(left..)) {
            Some(rest) => {
                self.place = Place::Head;
                Some(rest)
            }
            None => {
                self.place = Place::Body(left.saturating_sub(u64::try_from(data.len()).unwrap_or_default()));
                None
            }
        }
    }

    /// Keeps the beginning of a head. One that is too long loses its middle: its first line and its end matter.
    fn hold(&mut self, mut held: Vec<u8>) {
        if held.len() > MOST_HELD {
            held.truncate(MOST_HELD / 2);
        }
        self.held = held;
    }
}

/// A request that waits for its answer.
#[derive(Debug, Default)]
struct Waiting {
    path: u64,
    is_connect: bool,
    is_head: bool,
    credentials: Option<Box<Credentials>>,
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::<Http>::default()
}

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    let answer = match http_head::status(server) {
        Parsed::Complete(..) => Recognised::Yes,
        Parsed::Partial => Recognised::Maybe,
        Parsed::Invalid => Recognised::No,
    };
    match (request(client), answer) {
        (Recognised::Yes, _) | (_, Recognised::Yes) => Recognised::Yes,
        (Recognised::Maybe, Recognised::Maybe) => Recognised::Maybe,
        _ => Recognised::No,
    }
}

/// Methods whose name and a slash are enough: no other protocol begins so.
const COMMON: [&[u8]; 6] = [b"GET /", b"POST /", b"HEAD /", b"PUT /", b"DELETE /", b"OPTIONS /"];

fn request(client: &[u8]) -> Recognised {
    let method = client.iter().take_while(|byte| http_head::is_method(**byte)).count();
    match client.get(method..) {
        _ if COMMON.iter().any(|start| client.starts_with(start)) || http_head::begins_request(client) => Recognised::Yes,
        _ if method > http_head::MOST_METHOD => Recognised::No,
        None | Some([]) => Recognised::Maybe,
        Some([b' ', target @ ..]) if method >= 3 && target.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') => Recognised::Maybe,
        Some(_) => Recognised::No,
    }
}

impl Dialogue for Http {
    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        match segment.from {
            End::Client => self.client_says(segment, facts),
            End::Server => self.server_says(segment, facts),
        }
        let interest = self.interest();
        self.server_unheeded |= interest == Interest::Client;
        interest
    }

    fn end(&mut self, ending: &Ending, facts: &mut Vec<Fact>) {
        if !self.client.held.trim_ascii().is_empty() {
            facts.push(Fact::Request(Request { kind: RequestKind::Unfinished { open: ending.duration }, path: 0, at: ending.at }));
        }
    }
}

impl Http {
    fn interest(&self) -> Interest {
        // An end that was never heard may not have been captured: no use to wait for it.
        let uploading = !matches!(self.client.place, Place::Head);
        match self {
            Self { over: true, .. } => Interest::Nothing,
            Self { client_heard: true, waiting, .. } if waiting.is_empty() => Interest::Client,
            Self { server_heard: true, .. } if uploading && !self.waiting.is_empty() => Interest::Server,
            _ => Interest::Both,
        }
    }

    fn client_says(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) {
        self.client_heard = true;
        if segment.gap {
            self.client.lose();
        }
        let mut data = segment.bytes;
        while !data.is_empty() {
            data = match self.client.place {
                Place::Body(left) => self.client.pass_body(left, data).unwrap_or_default(),
                Place::Lost if http_head::begins_request(data) => {
                    self.client.place = Place::Head;
                    data
                }
                Place::Lost => break,
                Place::Head => self.client_head(data, segment.at, facts),
            };
        }
        if is_cut(segment) {
            // Nobody knows whether the rest of the head came; its first line did.
            let held = std::mem::take(&mut self.client.held);
            if let Some(head) = http_head::request_line(held.trim_ascii_start()) {
                self.requested(&head, segment.at, facts);
            }
            self.client.lose();
        }
    }

    /// Reads or keeps the head, or more of the head that is kept; gives back what follows it.
    fn client_head<'a>(&mut self, data: &'a [u8], at: Moment, facts: &mut Vec<Fact>) -> &'a [u8] {
        let mut held = std::mem::take(&mut self.client.held);
        let before = held.len();
        if before > 0 {
            held.extend_from_slice(data);
            // Parsed again only when it is complete: a head that comes byte by byte must not cost its square.
            if http_head::end(&held, before.saturating_sub(3)).is_none() {
                self.client.hold(held);
                return &[];
            }
        }
        match http_head::request(if before > 0 { &held } else { data }) {
            Parsed::Complete(head, used) => {
                self.requested(&head, at, facts);
                self.client.place = head.body.into();
                data.get(used.saturating_sub(before)..).unwrap_or_default()
            }
            Parsed::Partial => {
                self.client.hold(if before > 0 { held } else { data.to_vec() });
                &[]
            }
            Parsed::Invalid => {
                self.client.lose();
                &[]
            }
        }
    }

    fn requested(&mut self, head: &RequestHead<'_>, at: Moment, facts: &mut Vec<Fact>) {
        facts.push(Fact::Request(Request { kind: RequestKind::Complete, path: head.path, at }));
        if let Some(host) = head.host.filter(|_| !self.host_told) {
            self.host_told = true;
            facts.push(Fact::ServerName(super::name(without_port(host)).to_ascii_lowercase()));
        }
        if let Some(agent) = head.agent.filter(|_| !self.agent_told) {
            self.agent_told = true;
            facts.push(Fact::Software(End::Client, super::name(agent)));
        }
        if self.waiting.len() < MOST_WAITING {
            let credentials = head.authorization.and_then(http_auth::credentials).map(Box::new);
            self.waiting.push_back(Waiting { path: head.path, is_connect: head.is_connect, is_head: head.is_head, credentials });
        }
    }

    fn server_says(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) {
        self.server_heard = true;
        if segment.gap {
            self.server.lose();
            // Answers were lost: who asks one after the other waits for the last.
            if !std::mem::take(&mut self.server_unheeded) {
                self.waiting.drain(..self.waiting.len().saturating_sub(1));
            }
        }
        let mut data = segment.bytes;
        while !data.is_empty() && !self.over {
            data = match self.server.place {
                Place::Body(left) => self.server.pass_body(left, data).unwrap_or_default(),
                Place::Lost if matches!(http_head::status(data), Parsed::Invalid) => break,
                Place::Lost | Place::Head => self.server_head(data, segment.at, facts),
            };
        }
        if is_cut(segment) {
            self.server.lose();
        }
    }

    /// Reads or keeps the head of an answer; gives back what follows it, where that matters.
    fn server_head<'a>(&mut self, data: &'a [u8], at: Moment, facts: &mut Vec<Fact>) -> &'a [u8] {
        let mut held = std::mem::take(&mut self.server.held);
        let before = held.len();
        self.server.place = Place::Head;
        if before > 0 {
            held.extend_from_slice(data);
        }
        let bytes = if before > 0 { &held } else { data };
        let (status, end) = match http_head::status(bytes) {
            Parsed::Complete(status, _) if !self.needs_whole_head(status) => (status, None),
            Parsed::Complete(status, _) => match http_head::end(bytes, before.saturating_sub(3)) {
                None if bytes.len() < MOST_HELD => {
                    self.server.held = bytes.to_vec();
                    return &[];
                }
                end => (status, end),
            },
            Parsed::Partial => {
                self.server.held = bytes.to_vec();
                return &[];
            }
            Parsed::Invalid => {
                self.server.lose();
                return &[];
            }
        };
        let body = self.answered(status, end.and_then(|end| bytes.get(..end)), at, facts);
        self.server.place = body.into();
        end.and_then(|end| data.get(end.saturating_sub(before)..)).unwrap_or_default()
    }

    /// The status is enough, except where another answer follows or the head decides what the answer means.
    fn needs_whole_head(&self, status: u16) -> bool {
        let is_digest = |waiting: &Waiting| waiting.credentials.as_ref().is_some_and(|credentials| credentials.is_digest);
        status < 200 || self.waiting.len() > 1 || (is_refusal(status) && self.waiting.front().is_some_and(is_digest))
    }

    fn answered(&mut self, status: u16, head: Option<&[u8]>, at: Moment, facts: &mut Vec<Fact>) -> Body {
        if status < 200 {
            self.over = status == 101;
            return Body::Length(0);
        }
        let request = self.waiting.pop_front().unwrap_or_default();
        self.over = request.is_connect && status < 300;
        if status >= 500 {
            facts.push(Fact::Request(Request { kind: RequestKind::ServerError, path: request.path, at }));
        }
        if let Some(credentials) = request.credentials {
            self.judged(*credentials, status, head, at, facts);
        }
        match head {
            Some(_) if request.is_head || status == 204 || status == 304 => Body::Length(0),
            Some(head) => http_head::answer_body(head),
            None => Body::Unknown,
        }
    }

    /// Tells of a login when it fails, and when it first succeeds: credentials come with every request.
    fn judged(&mut self, credentials: Credentials, status: u16, head: Option<&[u8]>, at: Moment, facts: &mut Vec<Fact>) {
        let Credentials { user, is_digest } = credentials;
        let stale = is_digest && head.is_some_and(http_auth::is_stale);
        let outcome = match status {
            _ if is_refusal(status) && !stale => LoginOutcome::Failed,
            200..400 if self.user.as_ref() != Some(&user) => LoginOutcome::Succeeded,
            _ => return,
        };
        self.user = (outcome == LoginOutcome::Succeeded).then(|| user.clone());
        facts.push(Fact::Login(Login { user, outcome, certain: true, at }));
    }
}

/// 401 of a server, 407 of a proxy.
fn is_refusal(status: u16) -> bool {
    status == 401 || status == 407
}

fn is_cut(segment: &Segment<'_>) -> bool {
    usize::try_from(segment.length).is_ok_and(|length| length > segment.bytes.len())
}

/// `host:port` without the port; addresses of IPv6 stand in brackets.
fn without_port(host: &[u8]) -> &[u8] {
    let port = host.iter().rposition(|byte| *byte == b':').filter(|at| host.get(at + 1..).is_some_and(|port| port.iter().all(u8::is_ascii_digit)));
    port.and_then(|port| host.get(..port)).unwrap_or(host)
}
