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
