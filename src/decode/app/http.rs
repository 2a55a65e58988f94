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
    /// Answers were let pass on purpose since the last one that was read.
    server_unheeded: bool,
    told: Told,
    /// Who is logged in, as told.
    user: Option<String>,
    /// What follows is no HTTP: a tunnel, or another protocol by agreement.
    over: bool,
}

/// Names that are told once.
#[derive(Debug, Default)]
struct Told {
    host: bool,
    agent: bool,
}

/// Where one end's stream is.
#[derive(Debug, Default)]
struct Stream {
    /// It has ever said something.
    is_heard: bool,
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
            Body::Length(0) => Self::Head,
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
        if let Some(rest) = usize::try_from(left).ok().and_then(|left| data.get(left..)) {
            self.place = Place::Head;
            return Some(rest);
        }
        self.place = Place::Body(left.saturating_sub(u64::try_from(data.len()).unwrap_or_default()));
        None
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
    fn held(&self) -> usize {
        self.client.held.capacity() + self.server.held.capacity()
    }

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
        if self.over {
            Interest::Nothing
        } else if self.waiting.is_empty() && self.client.is_heard {
            Interest::Client
        } else if uploading && !self.waiting.is_empty() && self.server.is_heard {
            Interest::Server
        } else {
            Interest::Both
        }
    }

    fn client_says(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) {
        self.client.is_heard = true;
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
        if segment.is_cut() {
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
        let mut known = std::mem::take(&mut self.client.held);
        let before = known.len();
        if before > 0 {
            known.extend_from_slice(data);
            // Parsed again only when it is complete: a head that comes byte by byte must not cost its square.
            if http_head::end(&known, before.saturating_sub(3)).is_none() {
                self.client.hold(known);
                return &[];
            }
        }
        match http_head::request(if before > 0 { &known } else { data }) {
            Parsed::Complete(head, used) => {
                self.requested(&head, at, facts);
                self.client.place = head.body.into();
                data.get(used.saturating_sub(before)..).unwrap_or_default()
            }
            Parsed::Partial => {
                self.client.hold(if before > 0 { known } else { data.to_vec() });
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
        if let Some(host) = head.host.filter(|_| !self.told.host) {
            self.told.host = true;
            facts.push(Fact::ServerName(super::name(without_port(host)).to_ascii_lowercase()));
        }
        if let Some(agent) = head.agent.filter(|_| !self.told.agent) {
            self.told.agent = true;
            facts.push(Fact::Software(End::Client, super::name(agent)));
        }
        if self.waiting.len() < MOST_WAITING {
            let credentials = head.authorization.and_then(http_auth::credentials).map(Box::new);
            self.waiting.push_back(Waiting { path: head.path, is_connect: head.is_connect, is_head: head.is_head, credentials });
        }
    }

    fn server_says(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) {
        self.server.is_heard = true;
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
        if segment.is_cut() {
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

/// `host:port` without the port; addresses of IPv6 stand in brackets.
fn without_port(host: &[u8]) -> &[u8] {
    let port =
        host.iter().rposition(|byte| *byte == b':').filter(|at| host.get(at + 1..).is_some_and(|port| port.iter().all(u8::is_ascii_digit)));
    port.and_then(|port| host.get(..port)).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Talk {
        http: Http,
        facts: Vec<Fact>,
        interest: Option<Interest>,
    }

    impl Talk {
        fn say(mut self, from: End, text: &str) -> Self {
            self.hear(from, text.as_bytes(), false);
            self
        }

        fn after_gap(mut self, from: End, text: &str) -> Self {
            self.hear(from, text.as_bytes(), true);
            self
        }

        fn client(self, text: &str) -> Self {
            self.say(End::Client, text)
        }

        fn server(self, text: &str) -> Self {
            self.say(End::Server, text)
        }

        fn hear(&mut self, from: End, bytes: &[u8], gap: bool) {
            let length = u32::try_from(bytes.len()).unwrap();
            self.interest = Some(self.http.take(&Segment { from, bytes, length, gap, at: Moment::default() }, &mut self.facts));
        }

        fn logins(&self) -> Vec<(LoginOutcome, &str)> {
            let login = |fact| if let &Fact::Login(Login { ref user, outcome, .. }) = fact { Some((outcome, user.as_str())) } else { None };
            self.facts.iter().filter_map(login).collect()
        }

        fn requests(&self) -> Vec<RequestKind> {
            self.facts.iter().filter_map(|fact| if let Fact::Request(request) = fact { Some(request.kind) } else { None }).collect()
        }

        fn ended(mut self) -> Self {
            let ending =
                Ending { at: Moment::default(), duration: 9, closed: true, reset_by_server: false, client_bytes: 0, server_bytes: 0 };
            self.http.end(&ending, &mut self.facts);
            self
        }
    }

    const GET: &str = "GET /a?b HTTP/1.1\r\nHost: Example.org:8080\r\nUser-Agent: curl/8\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    /// `zoe:secret`
    const BASIC: &str = "GET / HTTP/1.1\r\nAuthorization: Basic em9lOnNlY3JldA==\r\n\r\n";
    const REFUSED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn names_are_told_once_and_requests_each() {
        let talk = Talk::default().client(GET).server(OK).client(GET).after_gap(End::Server, OK);
        let names: Vec<&Fact> = talk.facts.iter().filter(|fact| !matches!(fact, Fact::Request(_))).collect();
        assert_eq!(names, [&Fact::ServerName("example.org".to_owned()), &Fact::Software(End::Client, "curl/8".to_owned())]);
        assert_eq!(talk.requests(), [RequestKind::Complete; 2]);
    }

    #[test]
    fn only_what_may_hold_the_next_head_is_asked_for() {
        let talk = Talk::default().client(GET);
        assert_eq!(talk.interest, Some(Interest::Both));
        let talk = talk.server(OK);
        assert_eq!(talk.interest, Some(Interest::Client));
        let talk = talk.client("POST / HTTP/1.1\r\nContent-Length: 9000\r\n\r\nabc");
        assert_eq!(talk.interest, Some(Interest::Server));
        let talk = talk.after_gap(End::Server, "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(talk.interest, Some(Interest::Server));
        let talk = talk.server("HTTP/1.1 502 Bad Gateway\r\n");
        assert_eq!(talk.interest, Some(Interest::Client));
        assert_eq!(talk.requests(), [RequestKind::Complete, RequestKind::Complete, RequestKind::ServerError]);
        let talk = talk.after_gap(End::Client, "CONNECT a:443 HTTP/1.1\r\n\r\n").after_gap(End::Server, "HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(talk.interest, Some(Interest::Nothing));
    }

    #[test]
    fn answers_match_pipelined_requests_in_order() {
        let talk = Talk::default().client(&[GET, BASIC, GET].concat()).server(&[OK, REFUSED, OK].concat());
        assert_eq!(talk.logins(), [(LoginOutcome::Failed, "zoe")]);
        assert_eq!(talk.interest, Some(Interest::Client));
    }

    #[test]
    fn a_refusal_counts_only_where_credentials_were_sent() {
        assert!(Talk::default().client(GET).server(REFUSED).logins().is_empty());
        let talk = Talk::default().client(BASIC).server(REFUSED).client(BASIC).server(OK).client(BASIC).after_gap(End::Server, OK);
        assert_eq!(talk.logins(), [(LoginOutcome::Failed, "zoe"), (LoginOutcome::Succeeded, "zoe")]);
        let digest = "GET / HTTP/1.1\r\nAuthorization: Digest username=\"zoe\"\r\n\r\n";
        let stale = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest nonce=\"x\", stale=true\r\n\r\n";
        assert!(Talk::default().client(digest).server(stale).logins().is_empty());
        assert_eq!(Talk::default().client(digest).server(REFUSED).logins(), [(LoginOutcome::Failed, "zoe")]);
    }

    #[test]
    fn a_head_that_never_ends_is_unfinished_and_bounded() {
        let mut talk = Talk::default().client("GET / HTTP/1.1\r\n");
        for _ in 0..10_000 {
            talk = talk.client("X-a: b\r\n");
        }
        assert!(talk.http.client.held.len() <= MOST_HELD);
        assert_eq!(talk.ended().requests(), [RequestKind::Unfinished { open: 9 }]);
        assert!(Talk::default().client(GET).ended().requests() == [RequestKind::Complete]);
    }

    #[test]
    fn an_overlong_head_still_ends() {
        let mut talk = Talk::default().client("GET / HTTP/1.1\r\n");
        for _ in 0..3_000 {
            talk = talk.client("X-a: b\r\n");
        }
        assert_eq!(talk.client("\r\n").ended().requests(), [RequestKind::Complete]);
    }

    #[test]
    fn a_gap_is_recovered_from_at_the_next_head() {
        let talk = Talk::default().client("GET / HTTP/1.1\r\nHo").after_gap(End::Client, "rest of something\r\n").client(GET);
        assert_eq!(talk.ended().requests(), [RequestKind::Complete]);
    }

    #[test]
    fn byte_by_byte_says_the_same_as_whole() {
        let post = "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        let turns = [(post, "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"), (BASIC, REFUSED), (GET, OK)];
        let (mut whole, mut pieces) = (Talk::default(), Talk::default());
        for (client, server) in turns {
            whole = whole.client(client).server(server);
            for (from, text) in [(End::Client, client), (End::Server, server)] {
                text.as_bytes().chunks(1).for_each(|byte| pieces.hear(from, byte, false));
            }
        }
        assert_eq!(pieces.facts, whole.facts);
    }

    #[test]
    fn any_bytes_are_survived() {
        let mut state = 1;
        for turn in 0..20_000_u64 {
            state = crate::net::mix(state, turn);
            let start = [GET, BASIC, OK, REFUSED, "\r\n\r\n", "HTTP/1.1 "][usize::from(state.to_le_bytes()[0]) % 6].as_bytes();
            let cut = usize::from(state.to_le_bytes()[1]) % (start.len() + 1);
            let bytes = [&start[..cut], &state.to_le_bytes()].concat();
            let mut talk = Talk::default();
            talk.hear(if state & 1 == 0 { End::Client } else { End::Server }, &bytes, state & 2 == 0);
            talk.hear(End::Client, &bytes, false);
            talk.hear(End::Server, &bytes, false);
        }
    }

    #[test]
    fn requests_are_known_by_their_line_and_not_by_their_letters() {
        assert_eq!(recognise(b"GET /", &[]), Recognised::Yes);
        assert_eq!(recognise(b"PROPFIND http://a/ HTTP/1.1\r\n", &[]), Recognised::Yes);
        assert_eq!(recognise(&[], b"HTTP/1.1 200"), Recognised::Yes);
        assert_eq!(recognise(b"PROPF", &[]), Recognised::Maybe);
        for other in [&b"USER zoe\r\n"[..], b"OPTIONS sip:a SIP/2.0\r\n", b"PRI * HTTP/2.0\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01"] {
            assert_eq!(recognise(other, &[]), Recognised::No, "{}", String::from_utf8_lossy(other));
        }
        assert_eq!(recognise(&[], b"220 ready\r\n"), Recognised::No);
    }
}
