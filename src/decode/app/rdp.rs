//! Remote Desktop: who asks for a session, and how the login went.
//!
//! Only the connection request and its confirmation are in clear (MS-RDPBCGR 2.2.1.1, 2.2.1.2): they give
//! the user's name where the client tells it, and the kind of security. The outcome is inferred from how
//! much was said and how long it took, which differs by that security: with network level authentication
//! (CredSSP) the login comes before the session; without it the server paints its own login screen, and
//! whether a session that lasts is logged in cannot be told.

use super::identify::Recognised;
use super::{Dialogue, End, Ending, Fact, Interest, Login, LoginOutcome, Moment, Segment, name};
use crate::time::{Nanos, SECOND};

/// TPKT head (RFC 1006) and X.224 head up to its class.
const HEAD: usize = 11;
const REQUEST: u8 = 0xe0;
const CONFIRM: u8 = 0xd0;
const NEGOTIATION_REQUEST: u8 = 1;
const NEGOTIATION_RESPONSE: u8 = 2;
const NEGOTIATION_FAILURE: u8 = 3;
/// A cookie may be longer than a name; a request that is longer than this is none.
const LONGEST: usize = 1 << 10;

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    if client.is_empty() { confirms(server) } else { requests(client) }
}

/// Other protocols over TPKT (S7, MMS, H.323) ask for something else in the variable part.
fn requests(bytes: &[u8]) -> Recognised {
    const COOKIE: &[u8] = b"Cookie: ";
    const SECOND_MESSAGE: [u8; 7] = [3, 0, 0, 0, 2, 0xf0, 0x80];
    let head = begins_with(REQUEST, bytes);
    let (Recognised::Yes, Some(variable)) = (head, bytes.get(HEAD..)) else { return head };
    if declared_length(bytes) == Some(HEAD) {
        // An old client asks for nothing: its next message, MCS, decides.
        let mut fits = variable.iter().zip(SECOND_MESSAGE).enumerate();
        return judge(fits.all(|(at, (byte, want))| matches!(at, 2 | 3) || *byte == want), variable.len() >= SECOND_MESSAGE.len());
    }
    match variable {
        [NEGOTIATION_REQUEST, rest @ ..] => judge([0, 8, 0].iter().zip(rest).skip(1).all(|(want, byte)| want == byte), rest.len() >= 3),
        _ => judge(variable.iter().zip(COOKIE).all(|(byte, want)| byte == want), variable.len() >= COOKIE.len()),
    }
}

fn confirms(bytes: &[u8]) -> Recognised {
    let head = begins_with(CONFIRM, bytes);
    let (Recognised::Yes, Some(variable)) = (head, bytes.get(HEAD..)) else { return head };
    match variable {
        [] if declared_length(bytes) != Some(HEAD) => Recognised::Maybe,
        [NEGOTIATION_RESPONSE | NEGOTIATION_FAILURE, rest @ ..] => {
            judge([0, 8, 0].iter().zip(rest).skip(1).all(|(want, byte)| want == byte), rest.len() >= 3)
        }
        _ => Recognised::No,
    }
}

fn begins_with(code: u8, bytes: &[u8]) -> Recognised {
    let [.., low, indicator] = bytes.get(..5).unwrap_or_default() else {
        return judge([3, 0].iter().zip(bytes).all(|(want, byte)| want == byte), false);
    };
    let consistent = usize::from(*indicator) + 5 == usize::from(*low) && usize::from(*low) >= HEAD;
    let want = [(0, 3), (1, 0), (2, 0), (5, code)];
    let fits = consistent && want.iter().all(|(at, want)| bytes.get(*at).is_none_or(|byte| byte == want));
    judge(fits, bytes.len() >= HEAD)
}

const fn judge(fits: bool, enough: bool) -> Recognised {
    match (fits, enough) {
        (false, _) => Recognised::No,
        (true, false) => Recognised::Maybe,
        (true, true) => Recognised::Yes,
    }
}

fn declared_length(bytes: &[u8]) -> Option<usize> {
    bytes.get(2..4).and_then(|length| length.first_chunk()).map(|length| usize::from(u16::from_be_bytes(*length)))
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::new(Rdp::default())
}

/// Who checks the login, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    /// Before there is a session.
    NetworkLevel,
    /// In the session, by the login screen.
    InSession,
}

/// What a connection says and lasts at most, and a login needs at least.
struct Size {
    client: std::ops::RangeInclusive<u64>,
    server: std::ops::RangeInclusive<u64>,
    longest: Nanos,
}

impl Security {
    /// A failed login. The lower bounds are above what a look at the certificate takes. In session: ranges
    /// of NEMEA's detector of brute force; nobody reads a login screen and types in less.
    const fn failure(self) -> Size {
        match self {
            Self::NetworkLevel => Size { client: 1_000..=8_000, server: 500..=8_000, longest: 10 * SECOND },
            Self::InSession => Size { client: 1_000..=8_000, server: 3_000..=180_000, longest: 30 * SECOND },
        }
    }
}

/// A session that is painted: no failed login of network level has an answer of this size.
const SESSION_SERVER_BYTES: u64 = 20_000;

#[derive(Debug, Default)]
struct Rdp {
    client: Packet,
    server: Packet,
    user: String,
    security: Option<Security>,
    began: Option<Nanos>,
}

/// The first packet of an end, and how much that end has said.
#[derive(Debug, Default)]
struct Packet {
    held: Vec<u8>,
    read: bool,
    bytes: u64,
}

impl Packet {
    /// The packet, once, as soon as it is whole.
    fn take(&mut self, segment: &Segment<'_>) -> Option<Vec<u8>> {
        self.bytes = self.bytes.saturating_add(u64::from(segment.length));
        if self.read {
            return None;
        }
        self.held.extend_from_slice(segment.bytes.get(..LONGEST.saturating_sub(self.held.len())).unwrap_or(segment.bytes));
        let length = declared_length(&self.held).unwrap_or(HEAD).clamp(HEAD, LONGEST);
        let cut = segment.is_cut();
        self.read = segment.gap || cut || self.held.len() >= length;
        if !self.read {
            return None;
        }
        let mut packet = std::mem::take(&mut self.held);
        packet.truncate(length);
        (!segment.gap).then_some(packet)
    }
}

impl Dialogue for Rdp {
    fn held(&self) -> usize {
        self.client.held.capacity() + self.server.held.capacity()
    }

    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let began = *self.began.get_or_insert(segment.at.ts);
        match segment.from {
            End::Client => {
                if let Some(request) = self.client.take(segment) {
                    self.user = user(&request);
                }
            }
            End::Server => {
                if let Some(confirm) = self.server.take(segment) {
                    self.security = security(&confirm);
                }
            }
        }
        if self.server.read && self.security.is_none() {
            return Interest::Nothing;
        }
        self.judge_open(segment.at.ts.saturating_sub(began), segment.at, facts)
    }

    fn end(&mut self, ending: &Ending, facts: &mut Vec<Fact>) {
        let Some(security) = self.security else { return };
        let failure = security.failure();
        let failed = ending.closed
            && ending.duration <= failure.longest
            && failure.client.contains(&ending.client_bytes)
            && failure.server.contains(&ending.server_bytes);
        if failed {
            facts.push(self.login(LoginOutcome::Failed, ending.at));
        } else if is_session(security, ending.duration, ending.server_bytes) {
            facts.push(self.login(LoginOutcome::Succeeded, ending.at));
        }
    }
}

impl Rdp {
    /// Ends the reading as soon as the connection cannot be a failed login any more.
    fn judge_open(&self, duration: Nanos, at: Moment, facts: &mut Vec<Fact>) -> Interest {
        let Some(security) = self.security else { return Interest::Both };
        if is_session(security, duration, self.server.bytes) {
            facts.push(self.login(LoginOutcome::Succeeded, at));
            return Interest::Nothing;
        }
        let failure = security.failure();
        let too_much = self.client.bytes > *failure.client.end() || self.server.bytes > *failure.server.end();
        if security == Security::InSession && (too_much || duration > failure.longest) { Interest::Nothing } else { Interest::Both }
    }

    fn login(&self, outcome: LoginOutcome, at: Moment) -> Fact {
        Fact::Login(Login { user: self.user.clone(), outcome, certain: false, at })
    }
}

fn is_session(security: Security, duration: Nanos, server_bytes: u64) -> bool {
    security == Security::NetworkLevel && duration > security.failure().longest && server_bytes > SESSION_SERVER_BYTES
}

/// `Cookie: mstshash=user`; a load balancer's cookie names nobody.
fn user(request: &[u8]) -> String {
    let cookie = request.get(HEAD..).and_then(|variable| variable.strip_prefix(b"Cookie: mstshash="));
    name(cookie.and_then(|cookie| cookie.split(|b| matches!(b, b'\r' | b'\n')).next()).unwrap_or_default())
}

/// None where the server refused, or the packet is something else.
fn security(confirm: &[u8]) -> Option<Security> {
    const HYBRID: u32 = 2;
    const HYBRID_EXTENDED: u32 = 8;
    if confirm.get(5) != Some(&CONFIRM) {
        return None;
    }
    match confirm.get(HEAD..)? {
        [] => Some(Security::InSession),
        [NEGOTIATION_RESPONSE, _, 8, 0, protocol @ ..] => {
            let protocol = u32::from_le_bytes(*protocol.first_chunk()?);
            let network_level = protocol & (HYBRID | HYBRID_EXTENDED) != 0;
            Some(if network_level { Security::NetworkLevel } else { Security::InSession })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of MS-RDPBCGR 4.1.1: user eltons, TLS asked for.
    const ASKED: &[u8] = b"\x03\x00\x00\x2c\x27\xe0\x00\x00\x00\x00\x00Cookie: mstshash=eltons\r\n\x01\x00\x08\x00\x00\x00\x00\x00";
    /// The example of MS-RDPBCGR 4.1.2: standard security.
    const STANDARD: [u8; 19] = [3, 0, 0, 0x13, 0x0e, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 0, 0, 0, 0];

    fn confirmed(kind: u8, protocol: u8) -> [u8; 19] {
        [3, 0, 0, 0x13, 0x0e, 0xd0, 0, 0, 0x12, 0x34, 0, kind, 0, 8, 0, protocol, 0, 0, 0]
    }

    fn at(ts: Nanos) -> Moment {
        Moment { ts, ordinal: 0 }
    }

    fn ending(duration: Nanos, client_bytes: u64, server_bytes: u64) -> Ending {
        Ending { at: at(duration), duration, closed: true, reset_by_server: true, client_bytes, server_bytes }
    }

    fn listen(segments: &[(End, &[u8])], ending: &Ending) -> Vec<Fact> {
        let (mut rdp, mut facts) = (begin(), Vec::new());
        for (from, bytes) in segments {
            let length = u32::try_from(bytes.len()).unwrap();
            let segment = Segment { from: *from, bytes, length, gap: false, at: at(0) };
            if rdp.take(&segment, &mut facts) == Interest::Nothing {
                return facts;
            }
        }
        rdp.end(ending, &mut facts);
        facts
    }

    fn outcome(confirm: &[u8], ending: &Ending) -> Option<(String, LoginOutcome)> {
        match listen(&[(End::Client, ASKED), (End::Server, confirm)], ending).pop() {
            Some(Fact::Login(login)) => Some((login.user, login.outcome)),
            _ => None,
        }
    }

    #[test]
    fn a_short_exchange_before_the_session_is_a_failed_login_of_the_named_user() {
        let failed = Some(("eltons".to_owned(), LoginOutcome::Failed));
        assert_eq!(outcome(&confirmed(2, 2), &ending(2 * SECOND, 1_900, 2_600)), failed);
        assert_eq!(outcome(&STANDARD, &ending(4 * SECOND, 3_000, 60_000)), failed);
    }

    #[test]
    fn a_painted_session_that_lasts_is_a_success_with_network_level_authentication_only() {
        let succeeded = Some(("eltons".to_owned(), LoginOutcome::Succeeded));
        assert_eq!(outcome(&confirmed(2, 8), &ending(60 * SECOND, 30_000, 400_000)), succeeded);
        assert_eq!(outcome(&STANDARD, &ending(60 * SECOND, 30_000, 400_000)), None);
    }

    #[test]
    fn looking_at_the_certificate_or_being_refused_is_no_login() {
        assert_eq!(outcome(&confirmed(2, 2), &ending(SECOND, 600, 1_500)), None);
        assert_eq!(outcome(&confirmed(3, 2), &ending(SECOND, 1_900, 2_600)), None);
        let open = Ending { closed: false, ..ending(SECOND, 1_900, 2_600) };
        assert_eq!(outcome(&confirmed(2, 2), &open), None);
    }

    #[test]
    fn the_request_reads_the_same_byte_by_byte() {
        let confirm = confirmed(2, 2);
        let ending = ending(SECOND, 1_900, 2_600);
        let mut bytewise: Vec<(End, &[u8])> = ASKED.chunks(1).map(|byte| (End::Client, byte)).collect();
        bytewise.extend(confirm.chunks(1).map(|byte| (End::Server, byte)));
        assert_eq!(listen(&bytewise, &ending), listen(&[(End::Client, ASKED), (End::Server, &confirm)], &ending));
    }

    #[test]
    fn it_is_known_by_its_request_or_confirmation() {
        for length in 0..19 {
            assert_eq!(requests(&ASKED[..length]), Recognised::Maybe, "{length}");
        }
        assert_eq!(recognise(ASKED, b""), Recognised::Yes);
        assert_eq!(recognise(b"", &STANDARD), Recognised::Yes);
        let old = [3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 0, 0];
        assert_eq!(recognise(&old, b""), Recognised::Maybe);
        assert_eq!(recognise(&[&old[..], &[3, 0, 1, 0x9c, 2, 0xf0, 0x80, 0x7f, 0x65]].concat(), b""), Recognised::Yes);
    }

    #[test]
    fn a_controller_of_machines_is_not_taken_for_it() {
        let s7 = [3, 0, 0, 0x16, 0x11, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 0x0a, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2];
        assert_eq!(recognise(&s7, b""), Recognised::No);
        assert_eq!(recognise(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""), Recognised::No);
    }

    #[test]
    fn nothing_that_is_said_can_stop_it() {
        let mut state = 5_u64;
        for _ in 0..20_000 {
            let (mut request, mut confirm) = (ASKED.to_vec(), STANDARD.to_vec());
            state = crate::net::mix(state, 1);
            let [byte, one, other, ..] = state.to_le_bytes();
            let (one, other) = (usize::from(one) % request.len(), usize::from(other) % confirm.len());
            request[one] = byte;
            confirm[other] = byte;
            recognise(&request[..one], &confirm[..other]);
            recognise(&[], &confirm);
            listen(&[(End::Server, &confirm[other..]), (End::Client, &request), (End::Server, &confirm)], &ending(1, 2, 3));
        }
    }
}
