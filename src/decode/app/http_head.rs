//! Heads of HTTP/1 messages: what of them matters here.
//!
//! Knows nothing of connections: a head is there, or it is not yet.

use std::mem::MaybeUninit;

use crate::net::mix;

/// Most header fields that are read; a request with more is read by its first line.
const MOST_FIELDS: usize = 96;

/// A head that may not be there yet.
#[derive(Debug)]
pub(super) enum Parsed<T> {
    /// It is this one, in so many bytes.
    Complete(T, usize),
    Partial,
    /// No head begins here.
    Invalid,
}

/// How long the body after a head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Length(u64),
    /// In chunks, or up to the end of the connection.
    Unknown,
}

#[derive(Debug)]
pub(super) struct RequestHead<'a> {
    /// Hash of method and path; never 0.
    pub path: u64,
    pub is_connect: bool,
    /// HEAD: the answer has no body, whatever length it says.
    pub is_head: bool,
    pub host: Option<&'a [u8]>,
    pub agent: Option<&'a [u8]>,
    /// To the server or to a proxy.
    pub authorization: Option<&'a [u8]>,
    pub body: Body,
}

impl RequestHead<'_> {
    fn new(method: &[u8], target: &[u8]) -> Self {
        Self {
            path: path_hash(method, target),
            is_connect: method == b"CONNECT",
            is_head: method == b"HEAD",
            host: None,
            agent: None,
            authorization: None,
            body: Body::Length(0),
        }
    }
}

/// The head of a request at the beginning of these bytes.
pub(super) fn request(bytes: &[u8]) -> Parsed<RequestHead<'_>> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(used)) => {
            let mut head = RequestHead::new(request.method.unwrap_or_default().as_bytes(), request.path.unwrap_or_default().as_bytes());
            for field in request.headers.iter() {
                read_field(&mut head, field.name.as_bytes(), field.value);
            }
            Parsed::Complete(head, used)
        }
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(_) => by_first_line(bytes),
    }
}

/// Tools of attackers send what no standard allows; servers answer it all the same.
fn by_first_line(bytes: &[u8]) -> Parsed<RequestHead<'_>> {
    match (first_line(bytes), end(bytes, 0)) {
        (Some((method, target)), Some(end)) => {
            Parsed::Complete(RequestHead { body: Body::Unknown, ..RequestHead::new(method, target) }, end)
        }
        (Some(_), None) => Parsed::Partial,
        (None, _) => Parsed::Invalid,
    }
}

/// A request of which only the first line is known.
pub(super) fn request_line(bytes: &[u8]) -> Option<RequestHead<'_>> {
    first_line(bytes).map(|(method, target)| RequestHead { body: Body::Unknown, ..RequestHead::new(method, target) })
}

/// Method and target, where the bytes begin with a whole request line.
fn first_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let method = bytes.iter().position(|byte| !is_method(*byte)).filter(|length| (3..=MOST_METHOD).contains(length))?;
    let (method, rest) = bytes.split_at_checked(method)?;
    let line = rest.strip_prefix(b" ")?.split(|byte| *byte == b'\n').next().filter(|line| line.len() + method.len() + 1 < bytes.len())?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let target = line.strip_suffix(b" HTTP/1.1").or_else(|| line.strip_suffix(b" HTTP/1.0"))?;
    Some((method, target))
}

pub(super) fn begins_request(bytes: &[u8]) -> bool {
    first_line(bytes).is_some()
}

/// The longest registered method has 16 letters, Microsoft's own have up to 16.
pub(super) const MOST_METHOD: usize = 20;

pub(super) fn is_method(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'-' || byte == b'_'
}

/// Judged by length first: there are a dozen fields in a request, and few that matter.
fn read_field<'a>(head: &mut RequestHead<'a>, name: &[u8], value: &'a [u8]) {
    let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
    match name.len() {
        4 if is(b"host") => head.host = Some(value),
        10 if is(b"user-agent") => head.agent = Some(value),
        13 if is(b"authorization") => head.authorization = Some(value),
        19 if is(b"proxy-authorization") => head.authorization = head.authorization.or(Some(value)),
        14 | 17 => {
            if let Some(body) = body_of(name, value) {
                head.body = later(head.body, body);
            }
        }
        _ => {}
    }
}

fn body_of(name: &[u8], value: &[u8]) -> Option<Body> {
    if name.eq_ignore_ascii_case(b"transfer-encoding") {
        return Some(Body::Unknown);
    }
    let length = || std::str::from_utf8(value).ok()?.trim().parse().ok();
    name.eq_ignore_ascii_case(b"content-length").then(|| length().map_or(Body::Unknown, Body::Length))
}

/// A transfer encoding overrides a length (RFC 9112 section 6.3).
fn later(before: Body, now: Body) -> Body {
    if before == Body::Unknown { before } else { now }
}

/// Bytes of a status line up to the status.
pub(super) const STATUS_LINE: usize = 12;

/// The status of an answer at the beginning of these bytes.
pub(super) fn status(bytes: &[u8]) -> Parsed<u16> {
    const START: &[u8] = b"HTTP/1.";
    if bytes.len() < STATUS_LINE {
        return if START.starts_with(bytes) || bytes.starts_with(START) { Parsed::Partial } else { Parsed::Invalid };
    }
    match bytes.strip_prefix(START) {
        Some([b'0' | b'1', b' ', hundreds @ b'1'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..]) => {
            let digit = |byte: &u8| u16::from(byte - b'0');
            Parsed::Complete(digit(hundreds) * 100 + digit(tens) * 10 + digit(ones), STATUS_LINE)
        }
        _ => Parsed::Invalid,
    }
}

/// The body that the whole head of an answer announces, where its status and request allow one.
pub(super) fn answer_body(head: &[u8]) -> Body {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut answer, head, &mut fields);
    if !matches!(parsed, Ok(httparse::Status::Complete(_))) {
        return Body::Unknown;
    }
    let bodies = answer.headers.iter().filter_map(|field| body_of(field.name.as_bytes(), field.value));
    bodies.reduce(later).unwrap_or(Body::Unknown)
}

/// Where a head ends: behind its empty line. Looks from `from` on.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// The path alone: random queries are how a flood gets past caches.
fn path_hash(method: &[u8], target: &[u8]) -> u64 {
    let path = target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let length = u64::try_from(path.len()).unwrap_or_default();
    let hash = [method, path].iter().flat_map(|part| part.chunks(8)).fold(length, |hash, chunk| {
        let word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        mix(hash, word)
    });
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(line: &str) -> u64 {
        request_line(format!("{line} HTTP/1.1\r\n").as_bytes()).unwrap().path
    }

    #[test]
    fn one_path_is_one_hash_whatever_its_query() {
        assert_eq!(path("GET /a/long/path?x=1"), path("GET /a/long/path?y"));
        assert_ne!(path("GET /a/long/path"), path("GET /a/long/pat"));
        assert_ne!(path("GET /a"), path("POST /a"));
    }

    #[test]
    fn a_transfer_encoding_overrides_a_length_whichever_comes_first() {
        for fields in ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"] {
            let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
            assert!(matches!(request(head.as_bytes()), Parsed::Complete(RequestHead { body: Body::Unknown, .. }, _)));
        }
        assert_eq!(answer_body(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n"), Body::Length(12));
    }

    #[test]
    fn a_request_that_breaks_the_rules_is_read_by_its_first_line() {
        let head = b"GET /a b HTTP/1.1\r\nbad header\r\n\r\nrest";
        assert!(matches!(request(head), Parsed::Complete(RequestHead { body: Body::Unknown, .. }, used) if used == head.len() - 4));
        assert!(matches!(request(b"\x16\x03\x01\x02\x00"), Parsed::Invalid));
        assert!(matches!(request(b"GET / HTTP/1.1\r\nHost: a\r\n"), Parsed::Partial));
    }
}
