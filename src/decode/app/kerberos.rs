//! Kerberos 5 (RFC 4120) over TCP and UDP: who asked for a ticket of his own, and whether he got it.
//!
//! Only the authentication service is a login; tickets for services are not. What is encrypted stays so.

use kerberos_parser::krb5::{ErrorCode, KrbError, PrincipalName};
use kerberos_parser::krb5_parser::{parse_as_rep, parse_as_req};

use super::ber::{self, Header};
use super::framed::{Frame, Framed};
use super::identify::Recognised;
use super::{Datagram, Dialogue, End, Fact, Interest, Login, LoginOutcome, MOST_HELD, Moment, Segment};

/// Application tags of the messages to and from a key distribution centre.
const AS_REQ: u8 = 0x6a;
const AS_REP: u8 = 0x6b;
const TGS_REQ: u8 = 0x6c;
const TGS_REP: u8 = 0x6d;
const ERROR: u8 = 0x7e;

/// Over TCP a length of four bytes stands before each message (section 7.2.2).
const MARK: usize = 4;
/// No ticket is larger; a greater length is none.
const MOST_LENGTH: usize = 1 << 20;

#[derive(Debug, Default)]
struct Kerberos {
    client: Framed,
    server: Framed,
    asked: Asked,
}

/// The last request of the client.
#[derive(Debug, Default)]
enum Asked {
    #[default]
    Unknown,
    Login(String),
    Ticket,
}

/// What one message means for a login.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Login(String),
    Ticket,
    Outcome(LoginOutcome, String),
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::<Kerberos>::default()
}

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    match (marked(client, &[AS_REQ, TGS_REQ]), marked(server, &[AS_REP, TGS_REP, ERROR])) {
        (Recognised::No, _) | (_, Recognised::No) => Recognised::No,
        (Recognised::Yes, _) | (_, Recognised::Yes) => Recognised::Yes,
        _ => Recognised::Maybe,
    }
}

/// Whether the bytes begin with a length and a message that is just so long.
fn marked(bytes: &[u8], tags: &[u8]) -> Recognised {
    let Some((mark, message)) = bytes.split_first_chunk::<MARK>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Recognised::Maybe } else { Recognised::No };
    };
    match (usize::try_from(u32::from_be_bytes(*mark)), ber::header(message)) {
        (Ok(length), _) if length > MOST_LENGTH => Recognised::No,
        (Ok(length), Header::Known { header, content, .. }) if length == header + content => begins_message(message, tags),
        (Ok(_), Header::Cut) if message.first().is_none_or(|tag| tags.contains(tag)) => Recognised::Maybe,
        _ => Recognised::No,
    }
}

/// Whether the bytes begin with a message of one of these kinds: its tag, a sequence, and in it version 5.
fn begins_message(bytes: &[u8], tags: &[u8]) -> Recognised {
    let Header::Known { tag, header, .. } = ber::header(bytes) else { return Recognised::Maybe };
    let sequence = bytes.get(header..).unwrap_or_default();
    // The fields of a request are counted from 1, those of an answer from 0.
    let first = if tag == AS_REQ || tag == TGS_REQ { 0xa1 } else { 0xa0 };
    let version = [first, 3, 2, 1, 5];
    match ber::header(sequence) {
        _ if !tags.contains(&tag) => Recognised::No,
        Header::Cut => Recognised::Maybe,
        Header::Known { tag: 0x30, header, .. } => {
            let fields = sequence.get(header..).unwrap_or_default();
            if fields.starts_with(&version) {
                Recognised::Yes
            } else if version.starts_with(fields) {
                Recognised::Maybe
            } else {
                Recognised::No
            }
        }
        _ => Recognised::No,
    }
}

fn begins(bytes: &[u8]) -> bool {
    marked(bytes, &[AS_REQ, AS_REP, TGS_REQ, TGS_REP, ERROR]) == Recognised::Yes
}

fn frame(bytes: &[u8]) -> Frame {
    let Some((mark, message)) = bytes.split_first_chunk::<MARK>() else { return Frame::Need(MARK) };
    let Ok(length) = usize::try_from(u32::from_be_bytes(*mark)).map(|length| length + MARK) else { return Frame::Broken };
    match message.first() {
        _ if length <= MARK || length > MOST_LENGTH => Frame::Broken,
        None => Frame::Need(MARK + 1),
        Some(&TGS_REQ) => Frame::Message { known: bytes.len().min(length), length },
        Some(&(AS_REQ | AS_REP | ERROR)) if length <= MOST_HELD => Frame::wanted(bytes.len(), length),
        Some(&(AS_REQ | AS_REP | ERROR | TGS_REP)) => Frame::Skip(length),
        Some(_) => Frame::Broken,
    }
}

impl Dialogue for Kerberos {
    fn held(&self) -> usize {
        self.client.held() + self.server.held()
    }

    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let Self { client, server, asked } = self;
        let stream = match segment.from {
            End::Client => client,
            End::Server => server,
        };
        stream.take(segment, begins, frame, |bytes| match read(bytes.get(MARK..).unwrap_or_default()) {
            Some(Said::Login(user)) => *asked = Asked::Login(user),
            Some(Said::Ticket) => *asked = Asked::Ticket,
            Some(Said::Outcome(outcome, named)) => match std::mem::take(asked) {
                Asked::Login(user) if named.is_empty() => facts.push(login(outcome, user, segment.at)),
                Asked::Ticket if outcome == LoginOutcome::Failed => {}
                _ => facts.push(login(outcome, named, segment.at)),
            },
            None => {}
        });
        Interest::Both
    }
}

/// Reads a datagram. Stateless: who a refusal is for is known only where the refusal says so.
pub(super) fn datagram(datagram: &Datagram<'_>, facts: &mut Vec<Fact>) -> bool {
    let tags = [AS_REQ, AS_REP, TGS_REQ, TGS_REP, ERROR];
    let fits = match ber::header(datagram.bytes) {
        Header::Known { header, content, .. } => u32::try_from(header + content) == Ok(datagram.length),
        _ => false,
    };
    if !fits || begins_message(datagram.bytes, &tags) != Recognised::Yes {
        return false;
    }
    if let Some(Said::Outcome(outcome, user)) = read(datagram.bytes) {
        facts.push(login(outcome, user, datagram.at));
    }
    true
}

fn login(outcome: LoginOutcome, user: String, at: Moment) -> Fact {
    Fact::Login(Login { user, outcome, certain: true, at })
}

fn read(message: &[u8]) -> Option<Said> {
    match *message.first()? {
        AS_REQ => {
            let user = parse_as_req(message).ok().and_then(|(_, request)| request.req_body.cname);
            Some(Said::Login(user.as_ref().map(principal).unwrap_or_default()))
        }
        TGS_REQ => Some(Said::Ticket),
        AS_REP => Some(Said::Outcome(LoginOutcome::Succeeded, principal(&parse_as_rep(message).ok()?.1.cname))),
        ERROR => refusal(&error(message)?),
        _ => None,
    }
}

#[expect(deprecated, reason = "the trait that replaces it is of a crate that would be needed for nothing else")]
fn error(message: &[u8]) -> Option<KrbError<'_>> {
    kerberos_parser::krb5_parser::parse_krb_error(message).ok().map(|(_, error)| error)
}

/// That the server wants a proof first (25) is how every login begins, and no refusal.
fn refusal(error: &KrbError<'_>) -> Option<Said> {
    let refused = matches!(
        error.error_code,
        ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN | ErrorCode::KDC_ERR_CLIENT_REVOKED | ErrorCode::KDC_ERR_PREAUTH_FAILED
    );
    refused.then(|| Said::Outcome(LoginOutcome::Failed, error.cname.as_ref().map(principal).unwrap_or_default()))
}

fn principal(name: &PrincipalName) -> String {
    super::name(name.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        let length = u8::try_from(content.len()).unwrap();
        let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [head, content].concat()
    }

    fn number(tag: u8, value: u8) -> Vec<u8> {
        tlv(tag, &[&[2, 1, value]])
    }

    fn principal_name(tag: u8, names: &[&str]) -> Vec<u8> {
        let names: Vec<u8> = names.iter().flat_map(|name| tlv(0x1b, &[name.as_bytes()])).collect();
        tlv(tag, &[&tlv(0x30, &[&number(0xa0, 1), &tlv(0xa1, &[&tlv(0x30, &[&names])])])])
    }

    fn realm(tag: u8) -> Vec<u8> {
        tlv(tag, &[&tlv(0x1b, &[b"EXAMPLE.COM"])])
    }

    fn time(tag: u8) -> Vec<u8> {
        tlv(tag, &[&tlv(0x18, &[b"20260101000000Z"])])
    }

    /// An AS-REQ as RFC 4120 section 5.4.1 lays it out, without pre-authentication.
    fn request(user: &str) -> Vec<u8> {
        let options = tlv(0xa0, &[&tlv(3, &[&[0, 0, 0, 0, 0]])]);
        let etypes = tlv(0xa8, &[&tlv(0x30, &[&[2, 1, 18]])]);
        let fields = [
            options,
            principal_name(0xa1, &[user]),
            realm(0xa2),
            principal_name(0xa3, &["krbtgt", "EXAMPLE.COM"]),
            time(0xa5),
            number(0xa7, 7),
            etypes,
        ];
        let body = tlv(0xa4, &[&tlv(0x30, &[&fields.concat()])]);
        tlv(AS_REQ, &[&tlv(0x30, &[&number(0xa1, 5), &number(0xa2, 10), &body])])
    }

    /// A KRB-ERROR as section 5.9.1 lays it out, without a client's name, as Active Directory sends it.
    fn error(code: u8) -> Vec<u8> {
        let fields = [
            number(0xa0, 5),
            number(0xa1, 30),
            time(0xa4),
            number(0xa5, 0),
            number(0xa6, code),
            realm(0xa9),
            principal_name(0xaa, &["krbtgt", "EXAMPLE.COM"]),
        ];
        tlv(ERROR, &[&tlv(0x30, &[&fields.concat()])])
    }

    fn mark(message: &[u8]) -> Vec<u8> {
        [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
    }

    fn talk(pieces: &[(End, &[u8])]) -> Vec<(LoginOutcome, String)> {
        let (mut dialogue, mut facts) = (begin(), Vec::new());
        for (from, bytes) in pieces {
            let length = u32::try_from(bytes.len()).unwrap();
            dialogue.take(&Segment { from: *from, bytes, length, gap: false, at: Moment::default() }, &mut facts);
        }
        logins(facts)
    }

    fn logins(facts: Vec<Fact>) -> Vec<(LoginOutcome, String)> {
        let login = |fact| if let Fact::Login(login) = fact { Some((login.outcome, login.user)) } else { None };
        facts.into_iter().filter_map(login).collect()
    }

    #[test]
    fn a_refusal_takes_its_user_from_the_request_and_a_demand_for_proof_is_none() {
        for (code, failed) in [(6, true), (18, true), (24, true), (25, false), (52, false)] {
            let (asked, refused) = (mark(&request("zoe")), mark(&error(code)));
            let expected = if failed { vec![(LoginOutcome::Failed, "zoe".to_owned())] } else { Vec::new() };
            assert_eq!(talk(&[(End::Client, &asked), (End::Server, &refused)]), expected, "{code}");
            let bytes: Vec<(End, &[u8])> =
                asked.chunks(1).map(|byte| (End::Client, byte)).chain(refused.chunks(1).map(|byte| (End::Server, byte))).collect();
            assert_eq!(talk(&bytes), expected, "{code}, byte by byte");
        }
    }

    #[test]
    fn datagrams_are_known_by_version_and_length_and_survive_any_cut() {
        let message = error(24);
        let read = |bytes: &[u8]| {
            let mut facts = Vec::new();
            let length = u32::try_from(bytes.len()).unwrap();
            let none = crate::net::Addr::UNSPECIFIED;
            let (frame_src, at) = (crate::net::Mac::default(), Moment::default());
            let is_kerberos = datagram(
                &Datagram { from: End::Server, bytes, length, src: none, src_port: 88, dst: none, dst_port: 1, vlan: 0, frame_src, at },
                &mut facts,
            );
            (is_kerberos, logins(facts))
        };
        assert_eq!(read(&message), (true, vec![(LoginOutcome::Failed, String::new())]));
        assert_eq!(read(&request("zoe")), (true, Vec::new()));
        (0..message.len()).for_each(|length| assert_eq!(read(&message[..length]), (false, Vec::new())));
    }

    #[test]
    fn a_connection_is_known_once_the_version_is_there() {
        let stream = mark(&request("zoe"));
        for length in 0..stream.len() {
            assert_ne!(recognise(&stream[..length], &[]), Recognised::No, "{length}");
        }
        assert_eq!(recognise(&stream, &[]), Recognised::Yes);
        assert_eq!(recognise(b"GET / HTTP/1.1\r\n", &[]), Recognised::No);
    }
}
