//! LDAP (RFC 4511): who binds, and whether he may.
//!
//! Searches and their results are counted and passed over. A simple bind's password is looked at only to
//! tell a login from an unauthenticated bind (RFC 4513 section 5.1.2), which has none.

use super::ber::{self, Header};
use super::framed::{Frame, Framed};
use super::identify::Recognised;
use super::{Dialogue, End, Fact, Interest, Login, LoginOutcome, Segment, ntlm};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const ENUMERATED: u8 = 10;
const OCTETS: u8 = 4;

const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const SIMPLE: u8 = 0x80;

const SUCCESS: &[u8] = &[0];
const INVALID_CREDENTIALS: &[u8] = &[49];

/// Enough of a message to see its operation: its own header, a message number, the operation's header.
const HEAD: usize = 18;
/// A longer one is none; servers accept 10 MiB at most by default.
const MOST_LENGTH: usize = 1 << 26;

#[derive(Debug, Default)]
struct Ldap {
    client: Framed,
    server: Framed,
    asked: Option<Bind>,
}

/// A bind that waits for its answer; the protocol allows one at a time.
#[derive(Debug)]
struct Bind {
    number: Vec<u8>,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    /// Neither name nor password, or one without the other.
    None,
    Password(String),
    Ntlm(String),
    /// A mechanism that hides the user.
    Hidden,
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::<Ldap>::default()
}

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    let of_client = first_message(client, &[BIND_REQUEST, SEARCH_REQUEST, EXTENDED_REQUEST]);
    let of_server = first_message(server, &[BIND_RESPONSE, SEARCH_ENTRY, SEARCH_DONE, EXTENDED_RESPONSE]);
    match (of_client, of_server) {
        (Recognised::No, _) | (_, Recognised::No) => Recognised::No,
        (Recognised::Yes, _) | (_, Recognised::Yes) => Recognised::Yes,
        _ => Recognised::Maybe,
    }
}

/// Whether the bytes begin with a message of one of these operations, as far as they go.
fn first_message(bytes: &[u8], operations: &[u8]) -> Recognised {
    match head(bytes) {
        Head::Cut => Recognised::Maybe,
        Head::Known { operation, content, .. } if operations.contains(&operation) => begins_operation(operation, content),
        _ => Recognised::No,
    }
}

/// The first element inside an operation: a bind's version, a search's base, an extension's name, a result.
fn begins_operation(operation: u8, content: &[u8]) -> Recognised {
    let fits: fn(&[u8]) -> bool = match operation {
        BIND_REQUEST => |start| matches!(start, [INTEGER, 1, 2 | 3]),
        SEARCH_REQUEST | SEARCH_ENTRY => |start| matches!(start, [OCTETS, ..]),
        EXTENDED_REQUEST => |start| matches!(start, [0x80, _, b'0'..=b'2']),
        _ => |start| matches!(start, [ENUMERATED, 1, ..]),
    };
    match content.get(..3) {
        Some(start) if fits(start) => Recognised::Yes,
        Some(_) => Recognised::No,
        None => Recognised::Maybe,
    }
}

fn begins(bytes: &[u8]) -> bool {
    matches!(head(bytes), Head::Known { operation, content, .. } if (0x42..=0x79).contains(&operation) && !content.is_empty())
}

/// What stands before the content of an operation.
enum Head<'a> {
    Known { number: &'a [u8], operation: u8, content: &'a [u8], length: usize },
    Cut,
    Invalid,
}

fn head(bytes: &[u8]) -> Head<'_> {
    let length = match (bytes, ber::header(bytes)) {
        ([], _) | ([SEQUENCE, ..], Header::Cut) => return Head::Cut,
        (_, Header::Known { tag: SEQUENCE, header, content }) if content < MOST_LENGTH => header + content,
        _ => return Head::Invalid,
    };
    let inside = match ber::header(bytes) {
        Header::Known { header, .. } => bytes.get(header..).unwrap_or_default(),
        _ => return Head::Invalid,
    };
    // A message number has one to four bytes; what is longer, or no number at all, is another protocol.
    match inside {
        [] | [INTEGER] => return Head::Cut,
        [INTEGER, 1..=4, ..] => {}
        _ => return Head::Invalid,
    }
    let Some((number, rest)) = ber::expect(INTEGER, inside) else { return Head::Cut };
    match ber::header(rest) {
        Header::Known { tag, header, .. } => {
            Head::Known { number, operation: tag, content: rest.get(header..).unwrap_or_default(), length }
        }
        Header::Cut => Head::Cut,
        Header::Invalid => Head::Invalid,
    }
}

fn frame(bytes: &[u8]) -> Frame {
    match (head(bytes), ber::header(bytes)) {
        (Head::Known { operation: BIND_REQUEST | BIND_RESPONSE, length, .. }, _) => Frame::wanted(bytes.len(), length),
        (Head::Known { length, .. }, _) => Frame::Skip(length),
        // A whole message shorter than that has no operation.
        (Head::Cut, _) if bytes.len() < HEAD => Frame::Need(bytes.len() + 1),
        _ => Frame::Broken,
    }
}

impl Dialogue for Ldap {
    fn held(&self) -> usize {
        self.client.held() + self.server.held()
    }

    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let Self { client, server, asked } = self;
        let stream = match segment.from {
            End::Client => client,
            End::Server => server,
        };
        let goes_on = stream.take(segment, begins, frame, |message| match head(message) {
            Head::Known { number, operation: BIND_REQUEST, .. } => {
                *asked = proof(message).map(|proof| Bind { number: number.to_vec(), proof });
            }
            Head::Known { number, operation: BIND_RESPONSE, content, .. } => {
                let bind = asked.take_if(|bind| bind.number == number);
                facts.extend(answered(bind, content).map(|(outcome, user)| {
                    Fact::Login(Login { user: super::name(user.as_bytes()), outcome, certain: true, at: segment.at })
                }));
            }
            _ => {}
        });
        // TLS after StartTLS, or a security layer after SASL: nothing more can be read.
        if goes_on { Interest::Both } else { Interest::Nothing }
    }
}

/// How a bind proves who it is.
fn proof(message: &[u8]) -> Option<Proof> {
    let Head::Known { content, .. } = head(message) else { return None };
    let (_, rest) = ber::expect(INTEGER, content)?;
    let (name, rest) = ber::expect(OCTETS, rest)?;
    Some(match ber::element(rest) {
        Some((SIMPLE, password, _)) if name.is_empty() || password.is_empty() => Proof::None,
        Some((SIMPLE, ..)) => Proof::Password(super::name(name)),
        _ => match ntlm::user(rest) {
            Some(user) if user.is_empty() => Proof::None,
            Some(user) => Proof::Ntlm(user),
            None => Proof::Hidden,
        },
    })
}

/// What an answer makes of a bind. That a hidden user got in, his ticket has told before.
fn answered(bind: Option<Bind>, content: &[u8]) -> Option<(LoginOutcome, String)> {
    let (result, _) = ber::expect(ENUMERATED, content)?;
    match (result, bind.map(|bind| bind.proof)) {
        (SUCCESS, Some(Proof::Password(user) | Proof::Ntlm(user))) => Some((LoginOutcome::Succeeded, user)),
        (INVALID_CREDENTIALS, Some(Proof::Password(user) | Proof::Ntlm(user))) => Some((LoginOutcome::Failed, user)),
        (INVALID_CREDENTIALS, Some(Proof::Hidden) | None) => Some((LoginOutcome::Failed, String::new())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::Moment;

    fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [&[tag, u8::try_from(content.len()).unwrap()][..], &content].concat()
    }

    fn bind(number: u8, name: &str, password: &str) -> Vec<u8> {
        let bind = tlv(BIND_REQUEST, &[&[2, 1, 3], &tlv(OCTETS, &[name.as_bytes()]), &tlv(SIMPLE, &[password.as_bytes()])]);
        tlv(SEQUENCE, &[&[2, 1, number], &bind])
    }

    fn result(number: u8, code: u8) -> Vec<u8> {
        tlv(SEQUENCE, &[&[2, 1, number], &tlv(BIND_RESPONSE, &[&[10, 1, code, 4, 0, 4, 0]])])
    }

    fn talk(pieces: &[(End, &[u8])]) -> (Vec<(LoginOutcome, String)>, Interest) {
        let (mut dialogue, mut facts, mut interest) = (begin(), Vec::new(), Interest::Both);
        for (from, bytes) in pieces {
            let length = u32::try_from(bytes.len()).unwrap();
            interest = dialogue.take(&Segment { from: *from, bytes, length, gap: false, at: Moment::default() }, &mut facts);
        }
        let login = |fact| if let Fact::Login(login) = fact { Some((login.outcome, login.user)) } else { None };
        (facts.into_iter().filter_map(login).collect(), interest)
    }

    #[test]
    fn a_bind_is_judged_by_its_answer_however_it_is_cut() {
        const DN: &str = "cn=zoe,dc=example";
        for (code, outcome) in [(0, Some(LoginOutcome::Succeeded)), (49, Some(LoginOutcome::Failed)), (53, None)] {
            let (asked, answer) = (bind(1, DN, "secret"), result(1, code));
            let expected: Vec<_> = outcome.into_iter().map(|outcome| (outcome, DN.to_owned())).collect();
            assert_eq!(talk(&[(End::Client, &asked), (End::Server, &answer)]).0, expected);
            let bytes: Vec<(End, &[u8])> =
                asked.chunks(1).map(|byte| (End::Client, byte)).chain(answer.chunks(1).map(|byte| (End::Server, byte))).collect();
            assert_eq!(talk(&bytes).0, expected);
        }
    }

    #[test]
    fn a_bind_without_name_or_without_password_is_no_login() {
        for (name, password) in [("", ""), ("cn=zoe", ""), ("", "secret")] {
            assert!(talk(&[(End::Client, &bind(1, name, password)), (End::Server, &result(1, 0))]).0.is_empty());
        }
    }

    #[test]
    fn what_follows_start_tls_is_not_waited_for() {
        assert_eq!(talk(&[(End::Client, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")]).1, Interest::Nothing);
    }

    #[test]
    fn bytes_of_other_protocols_are_not_taken_for_ldap() {
        let asked = bind(1, "cn=zoe", "secret");
        (0..asked.len()).for_each(|length| assert_ne!(recognise(&asked[..length], &[]), Recognised::No, "{length}"));
        assert_eq!(recognise(&asked, &[]), Recognised::Yes);
        // SNMP over TCP: a sequence and a number too, but then a community.
        assert_eq!(recognise(b"\x30\x26\x02\x01\x01\x04\x06public", &[]), Recognised::No);
        assert_eq!(recognise(b"0123456789", &[]), Recognised::No);
    }
}
