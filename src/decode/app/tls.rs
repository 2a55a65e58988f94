//! TLS: which server a client asks for by name, and the fingerprint of the client.
//!
//! Both are in the ClientHello, the first message and in clear; nothing after it is read. Read by hand
//! and not by a parsing crate: the fingerprint needs extensions as bare numbers in their order, one that
//! is malformed must not hide the others, and a hello that the capture cut short still has its name.

mod client_hello;
mod ja4;

use super::identify::Recognised;
use super::{Dialogue, End, Ending, Fact, Interest, MOST_HELD, Segment, name};
use client_hello::ClientHello;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Type, version and length.
const RECORD_HEAD: usize = 5;
/// Type and length.
const MESSAGE_HEAD: usize = 4;

/// First bytes that are judged.
const JUDGED: usize = 11;

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    if client.is_empty() { begins_with(SERVER_HELLO, server) } else { begins_with(CLIENT_HELLO, client) }
}

/// Whether these are the first bytes of a record that begins with such a message: type 22, version 3.0 to
/// 3.4, length; message type, length below 64 KiB, version again.
fn begins_with(message: u8, bytes: &[u8]) -> Recognised {
    let fits = |(at, byte): (usize, &u8)| match at {
        0 => *byte == HANDSHAKE,
        1 | 9 => *byte == 3,
        2 | 10 => *byte <= 4,
        3 => *byte <= 0x40,
        5 => *byte == message,
        6 => *byte == 0,
        _ => true,
    };
    if !bytes.iter().take(JUDGED).enumerate().all(fits) {
        Recognised::No
    } else if bytes.len() < JUDGED {
        Recognised::Maybe
    } else {
        Recognised::Yes
    }
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::new(Tls::default())
}

#[derive(Debug, Default)]
struct Tls {
    /// Head of a record, unfinished.
    head: Vec<u8>,
    /// Bytes of the record that are still to come.
    left: usize,
    /// Handshake message, put together from its records.
    message: Vec<u8>,
}

/// How far the message has come.
enum Progress {
    Unfinished,
    /// Whole, or as much as is held.
    Enough,
    /// It will not become a ClientHello any more.
    Over,
}

impl Dialogue for Tls {
    fn held(&self) -> usize {
        self.head.capacity() + self.message.capacity()
    }

    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        // The client speaks first: if the server does, the client was not captured.
        if segment.from == End::Server {
            return Interest::Nothing;
        }
        if segment.gap {
            self.report(facts);
            return Interest::Nothing;
        }
        let cut = segment.is_cut();
        match self.read(segment.bytes) {
            Progress::Unfinished if !cut => Interest::Client,
            Progress::Over => Interest::Nothing,
            Progress::Enough | Progress::Unfinished => {
                self.report(facts);
                Interest::Nothing
            }
        }
    }

    fn end(&mut self, _ending: &Ending, facts: &mut Vec<Fact>) {
        self.report(facts);
    }
}

impl Tls {
    fn read(&mut self, mut bytes: &[u8]) -> Progress {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = split(bytes, RECORD_HEAD.saturating_sub(self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                match self.head[..] {
                    [HANDSHAKE, 3, _, high, low] => self.left = usize::from(u16::from_be_bytes([high, low])),
                    [_, _, _, _, _] => return Progress::Over,
                    _ => return Progress::Unfinished,
                }
                self.head.clear();
            }
            let (fragment, rest) = split(bytes, self.left);
            self.left -= fragment.len();
            self.message.extend_from_slice(fragment.get(..MOST_HELD.saturating_sub(self.message.len())).unwrap_or(fragment));
            bytes = rest;
            match self.progress() {
                Progress::Unfinished => {}
                progress => return progress,
            }
        }
        Progress::Unfinished
    }

    fn progress(&self) -> Progress {
        match self.message[..] {
            [CLIENT_HELLO, ..] if self.body().is_some() || self.message.len() >= MOST_HELD => Progress::Enough,
            [] | [CLIENT_HELLO, ..] => Progress::Unfinished,
            _ => Progress::Over,
        }
    }

    /// The message's body, once it is whole.
    fn body(&self) -> Option<&[u8]> {
        let [_, high, mid, low, body @ ..] = &self.message[..] else { return None };
        body.get(..usize::try_from(u32::from_be_bytes([0, *high, *mid, *low])).ok()?)
    }

    fn report(&self, facts: &mut Vec<Fact>) {
        let Some(hello) = self.body().or(self.message.get(MESSAGE_HEAD..)).and_then(ClientHello::read) else { return };
        if let Some(server) = hello.server_name() {
            facts.push(Fact::ServerName(name(server).to_ascii_lowercase()));
        }
        if hello.whole && self.body().is_some() {
            facts.push(Fact::Ja4(ja4::ja4(&hello)));
        }
    }
}

fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::Moment;
    use client_hello::tests::hello;

    /// RFC 8446 section 5.1: one handshake message in records of at most `size` bytes.
    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |fragment: &[u8]| {
            let [high, low] = u16::try_from(fragment.len()).unwrap().to_be_bytes();
            [&[HANDSHAKE, 3, 1, high, low], fragment].concat()
        };
        message.chunks(size).flat_map(record).collect()
    }

    fn listen(segments: &[&[u8]], length: impl Fn(usize) -> usize) -> Vec<Fact> {
        let (mut tls, mut facts) = (Tls::default(), Vec::new());
        for bytes in segments {
            let length = u32::try_from(length(bytes.len())).unwrap();
            let segment = Segment { from: End::Client, bytes, length, gap: false, at: Moment::default() };
            if tls.take(&segment, &mut facts) == Interest::Nothing {
                return facts;
            }
        }
        let at = Moment::default();
        tls.end(&Ending { at, duration: 0, closed: true, reset_by_server: false, client_bytes: 0, server_bytes: 0 }, &mut facts);
        facts
    }

    #[test]
    fn a_hello_reads_the_same_however_it_is_cut_into_records_and_segments() {
        let want = listen(&[&records(&hello(), 9_999)], |length| length);
        assert_eq!(want, [Fact::ServerName("www.example.org".into()), Fact::Ja4("t13d1516h2_8daaf6152771_e5627efa2ab1".into())]);
        for size in [1, 7, 100] {
            let records = records(&hello(), size);
            let bytewise: Vec<&[u8]> = records.chunks(1).collect();
            assert_eq!(listen(&bytewise, |length| length), want);
            assert_eq!(listen(&[&records], |length| length), want);
        }
    }

    #[test]
    fn a_hello_that_was_captured_in_part_has_no_fingerprint_but_may_have_a_name() {
        let records = records(&hello(), 9_999);
        for cut in 0..records.len() {
            let facts = listen(&[&records[..cut]], |_| records.len());
            assert!(!facts.iter().any(|fact| matches!(fact, Fact::Ja4(_))), "{cut}");
        }
        let facts = listen(&[&records[..records.len() - 1]], |_| records.len());
        assert_eq!(facts, [Fact::ServerName("www.example.org".into())]);
    }

    #[test]
    fn it_is_known_by_both_hellos_and_by_nothing_else() {
        let records = records(&hello(), 9_999);
        for length in 0..11 {
            assert_eq!(recognise(&records[..length], b""), Recognised::Maybe);
        }
        assert_eq!(recognise(&records[..11], b""), Recognised::Yes);
        assert_eq!(recognise(b"", &[22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3]), Recognised::Yes);
        assert_eq!(recognise(b"", &[21, 3, 3, 0, 2, 2, 40]), Recognised::No);
        assert_eq!(recognise(b"GET / HTTP/1.1\r\n", b""), Recognised::No);
    }

    #[test]
    fn nothing_that_is_said_can_stop_it() {
        let mut state = 3_u64;
        for _ in 0..20_000 {
            let mut records = records(&hello(), 400);
            for _ in 0..4 {
                state = crate::net::mix(state, 1);
                let at = usize::try_from(state >> 16).unwrap() % records.len();
                records[at] = state.to_le_bytes()[0];
            }
            listen(&[&records], |length| length);
        }
    }
}
