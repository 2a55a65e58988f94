//! DNS (RFC 1035), with mDNS (RFC 6762) and LLMNR (RFC 4795), which share its message: what was asked,
//! and what came back.
//!
//! Tells each message by itself. Which answer belongs to which question it does not know.

use super::dns_message::{Cursor, HEADER, Header, Stop};
use super::framed::{Frame, Framed};
use super::identify::Recognised;
use super::{Address, Datagram, Dialogue, End, Fact, Interest, Moment, Query, Segment};

/// Facts that one message may give, however many records it has.
const MOST_ADDRESSES: usize = 64;
const USUAL_PORTS: [u16; 3] = [53, 5353, 5355];
/// Names of NetBIOS: the same message, another protocol.
const NETBIOS_PORT: u16 = 137;

pub(super) fn datagram(datagram: &Datagram<'_>, facts: &mut Vec<Fact>) -> bool {
    if datagram.src_port == NETBIOS_PORT || datagram.dst_port == NETBIOS_PORT {
        return false;
    }
    let usual = USUAL_PORTS.contains(&datagram.src_port) || USUAL_PORTS.contains(&datagram.dst_port);
    let before = facts.len();
    let known = match read(datagram.bytes, wire(datagram.length), datagram.at, facts) {
        Message::Sound { strange } => usual || !strange,
        // A port speaks for a message that is damaged, and for one of another shape.
        Message::Broken => usual,
        Message::Foreign => false,
    };
    if !known {
        facts.truncate(before);
    }
    known
}

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    match (opening(client, false), opening(server, true)) {
        (Recognised::No, _) | (_, Recognised::No) => Recognised::No,
        (Recognised::Yes, _) | (_, Recognised::Yes) => Recognised::Yes,
        _ => Recognised::Maybe,
    }
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::<Conversation>::default()
}

/// Judges the first message of a stream by all that was said of it.
fn opening(stream: &[u8], response: bool) -> Recognised {
    let Some((length, message)) = prefixed(stream) else { return Recognised::Maybe };
    let mut cursor = Cursor::new(message, length);
    match cursor.opening(response) {
        Ok(()) => Recognised::Yes,
        Err(Stop::Cut) => Recognised::Maybe,
        Err(Stop::Broken) => Recognised::No,
    }
}

fn wire(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// What a message turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Message {
    /// All that was captured of it fits. Strange: no resolver would send it so.
    Sound {
        strange: bool,
    },
    /// Its question is whole, what follows is not what the header says.
    Broken,
    Foreign,
}

/// Reads a message of `length` bytes of which these were captured, and tells what it says.
fn read(bytes: &[u8], length: usize, at: Moment, facts: &mut Vec<Fact>) -> Message {
    let mut cursor = Cursor::new(bytes, length);
    let Ok(header) = cursor.header() else { return Message::Foreign };
    if header.questions != 1 {
        return read_without_question(&mut cursor, &header);
    }
    let Ok(question) = cursor.question() else { return Message::Foreign };
    if question.is_netbios() {
        return Message::Foreign;
    }
    let name = question.name();
    let before = facts.len();
    let mut answer_bytes = 0;
    let mut outcome = cursor.answers(header.answers, &mut answer_bytes, |address| {
        if header.resolves() && facts.len() - before < MOST_ADDRESSES {
            facts.push(Fact::Address(Address { name: name.clone(), address, at }));
        }
    });
    if outcome.is_ok() {
        outcome = cursor.records(header.others);
    }
    if outcome == Err(Stop::Broken) {
        facts.truncate(before);
    }
    let rcode = header.response.then_some(header.rcode);
    facts.push(Fact::Query(Query { name, qtype: question.qtype, rcode, answer_bytes, at }));
    match outcome {
        Ok(()) => Message::Sound { strange: !cursor.is_at_end() || header.is_strange() || question.is_strange() },
        Err(Stop::Cut) => Message::Sound { strange: header.is_strange() || question.is_strange() },
        Err(Stop::Broken) => Message::Broken,
    }
}

/// mDNS asks several questions at once and answers without repeating them; a refusal may be a mere header.
fn read_without_question(cursor: &mut Cursor<'_>, header: &Header) -> Message {
    let walked = (0..header.questions)
        .try_for_each(|_| cursor.question().map(drop))
        .and_then(|()| cursor.records(u32::from(header.answers) + header.others));
    if walked == Err(Stop::Broken) { Message::Foreign } else { Message::Sound { strange: true } }
}

/// DNS over TCP: messages in both directions, each after its length.
#[derive(Debug, Default)]
struct Conversation {
    client: Framed,
    server: Framed,
}

impl Dialogue for Conversation {
    fn held(&self) -> usize {
        self.client.held() + self.server.held()
    }

    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let (stream, begins): (_, fn(&[u8]) -> bool) = match segment.from {
            End::Client => (&mut self.client, |bytes| opening(bytes, false) == Recognised::Yes),
            End::Server => (&mut self.server, |bytes| opening(bytes, true) == Recognised::Yes),
        };
        let goes_on = stream.take(segment, begins, frame, |framed| {
            if let Some((length, message)) = prefixed(framed) {
                read(message, length, segment.at, facts);
            }
        });
        if goes_on { Interest::Both } else { Interest::Nothing }
    }
}

fn frame(bytes: &[u8]) -> Frame {
    match prefixed(bytes) {
        None => Frame::Need(2),
        Some((..HEADER, _)) => Frame::Broken,
        Some((length, _)) => Frame::wanted(bytes.len(), 2 + length),
    }
}

/// The length that a message is said to have, and what is there of it.
fn prefixed(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (prefix, message) = bytes.split_first_chunk()?;
    Some((usize::from(u16::from_be_bytes(*prefix)), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Addr;

    /// `dig +short www.example.com`: the question, 12 + 17 + 4 bytes.
    const QUESTION: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03wWw\x07Example\x03com\0\0\x01\0\x01";
    /// Its answer: an alias of 10 bytes (`cdn`, `example` by pointer, with a pointer to `com`), then the alias's address.
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01\
        \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03cdn\xc0\x10\xc0\x2d\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07";

    fn at() -> Moment {
        Moment { ts: 5, ordinal: 9 }
    }

    fn told(bytes: &[u8], length: usize, port: u16) -> (bool, Vec<Fact>) {
        let mut facts = Vec::new();
        let datagram = Datagram {
            from: End::Client,
            bytes,
            length: u32::try_from(length).unwrap(),
            src: Addr::from_v4(1),
            src_port: 40_000,
            dst: Addr::from_v4(2),
            dst_port: port,
            vlan: 0,
            frame_src: crate::net::Mac(0),
            at: at(),
        };
        (super::datagram(&datagram, &mut facts), facts)
    }

    fn query(rcode: Option<u8>, answer_bytes: u32) -> Fact {
        Fact::Query(Query { name: "www.example.com".into(), qtype: 1, rcode, answer_bytes, at: at() })
    }

    fn asked(labels: &[&[u8]], qtype: u8) -> Vec<u8> {
        let mut message = QUESTION[..HEADER].to_vec();
        for label in labels {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend_from_slice(label);
        }
        message.extend_from_slice(&[0, 0, qtype, 0, 1]);
        message
    }

    fn name_of(message: &[u8]) -> String {
        match told(message, message.len(), 53).1.first() {
            Some(Fact::Query(query)) => query.name.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        messages.iter().flat_map(|message| [&u16::try_from(message.len()).unwrap().to_be_bytes(), *message].concat()).collect()
    }

    fn segment(from: End, bytes: &[u8], length: usize, gap: bool) -> Segment<'_> {
        Segment { from, bytes, length: u32::try_from(length).unwrap(), gap, at: at() }
    }

    #[test]
    fn an_alias_resolves_to_the_name_that_was_asked() {
        assert_eq!(told(QUESTION, QUESTION.len(), 9_999), (true, vec![query(None, 0)]));
        let address = Address { name: "www.example.com".into(), address: Addr::from_v4(0xc000_0207), at: at() };
        // 6 bytes of alias, 4 of address.
        assert_eq!(told(ANSWER, ANSWER.len(), 9_999), (true, vec![Fact::Address(address), query(Some(0), 10)]));
    }

    #[test]
    fn a_cut_answer_gives_its_question_and_what_is_whole_before_the_cut() {
        for cut in 0..ANSWER.len() {
            let (known, facts) = told(&ANSWER[..cut], ANSWER.len(), 9_999);
            // The question ends at byte 33, headers of the two records at 45 and 63.
            let answer_bytes = if cut < 45 { 0 } else { 6 } + if cut < 63 { 0 } else { 4 };
            let expected = if cut < 33 { vec![] } else { vec![query(Some(0), answer_bytes)] };
            assert_eq!((known, facts), (cut >= 33, expected), "{cut}");
        }
    }

    #[test]
    fn a_damaged_answer_is_dns_by_its_port_only_and_gives_its_question() {
        let mut damaged = ANSWER.to_vec();
        // The length of the alias goes beyond the message.
        damaged[43] = 0xff;
        assert_eq!(told(&damaged, damaged.len(), 53), (true, vec![query(Some(0), 0)]));
        assert_eq!(told(&damaged, damaged.len(), 9_999), (false, vec![]));
    }

    #[test]
    fn pointers_that_do_not_lead_back_are_damage() {
        let mut circle = ANSWER.to_vec();
        // The second record's name, at byte 51, points to itself.
        circle[52] = 51;
        assert!(!told(&circle, circle.len(), 9_999).0);
        let mut question = QUESTION.to_vec();
        question[12..14].copy_from_slice(b"\xc0\x0c");
        assert!(!told(&question, question.len(), 53).0);
    }

    #[test]
    fn every_dot_parts_two_labels_and_raw_bytes_are_escaped() {
        assert_eq!(name_of(&asked(&[b"a.b\\", b"J\xe4\x00 -", b"TLD"], 10)), "a\\046b\\092.j\\228\\000\\032-.tld");
        assert_eq!(name_of(&asked(&[], 2)), "");
    }

    #[test]
    fn a_name_too_long_for_its_escapes_keeps_its_end() {
        let raw = [0xf0_u8; 60];
        let name = name_of(&asked(&[&raw, &raw, &raw, b"t1", b"example", b"com"], 10));
        // 255 less `.t1.example.com` leaves 240: sixty escapes of four bytes, one label without its dot.
        assert_eq!(name, format!("{}.t1.example.com", "\\240".repeat(60)));
        let odd = name_of(&asked(&[&raw, &raw, &raw, b"t12", b"example", b"com"], 10));
        assert_eq!(odd, format!("{}.t12.example.com", "\\240".repeat(59)));
    }

    #[test]
    fn names_of_netbios_are_not_dns() {
        assert!(!told(&asked(&[b"FHEPFCELEHFCEPFFFACACACACACACABM"], 32), 50, 53).0);
        assert!(!told(QUESTION, QUESTION.len(), 137).0);
        assert!(told(&asked(&[b"fhepfcelehfcepfffacacacacacacabm"], 32), 50, 9_999).0);
    }

    #[test]
    fn several_questions_are_mdns_without_facts() {
        let mut two = [QUESTION, b"\x03ftp\xc0\x10\0\x01\0\x01"].concat();
        two[5] = 2;
        assert_eq!(told(&two, two.len(), 5353), (true, vec![]));
        assert_eq!(told(&two, two.len(), 9_999), (false, vec![]));
    }

    #[test]
    fn a_stream_is_known_by_its_first_message_and_not_by_the_beginning_of_another_protocol() {
        let (client, server) = (framed(&[QUESTION]), framed(&[ANSWER]));
        assert_eq!(recognise(&client, &[]), Recognised::Yes);
        assert_eq!(recognise(&[], &server), Recognised::Yes);
        assert_eq!(recognise(&[], &[]), Recognised::Maybe);
        assert_eq!(recognise(&client[..20], &[]), Recognised::Maybe);
        assert_eq!(recognise(&server, &client), Recognised::No);
        let foreign: [&[u8]; 6] = [
            b"GET / HTTP/1.1\r\n",
            b"SSH-2.0-x\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x8a\x11\x90",
            b"\0\0\0\x55\xffSMBr",
            b"USER x\r\n",
            &[0; 32],
        ];
        for other in foreign {
            assert_eq!(recognise(other, &[]), Recognised::No, "{other:?}");
        }
    }

    #[test]
    fn a_stream_tells_the_same_in_whatever_pieces_it_comes() {
        let stream = framed(&[ANSWER, ANSWER, ANSWER]);
        let mut whole = Vec::new();
        begin().take(&segment(End::Server, &stream, stream.len(), false), &mut whole);
        assert_eq!(whole.len(), 6);
        for size in 1..stream.len() {
            let (mut dialogue, mut facts) = (begin(), Vec::new());
            for piece in stream.chunks(size) {
                dialogue.take(&segment(End::Server, piece, piece.len(), false), &mut facts);
            }
            assert_eq!(facts, whole, "{size}");
        }
    }

    #[test]
    fn after_a_gap_the_next_message_is_found() {
        let stream = framed(&[ANSWER]);
        let (mut dialogue, mut facts) = (begin(), Vec::new());
        dialogue.take(&segment(End::Server, &stream[..20], 20, false), &mut facts);
        dialogue.take(&segment(End::Server, &stream[30..], stream.len() - 30, true), &mut facts);
        assert_eq!(facts, vec![]);
        dialogue.take(&segment(End::Server, &stream, stream.len(), false), &mut facts);
        assert_eq!(facts.len(), 2);
    }

    #[test]
    fn a_message_too_long_to_hold_gives_its_question_and_the_next_is_found() {
        let mut long = ANSWER.to_vec();
        long.resize(60_000, 0);
        let stream = framed(&[&long, ANSWER]);
        let (mut dialogue, mut facts) = (begin(), Vec::new());
        for piece in stream.chunks(1_460) {
            dialogue.take(&segment(End::Server, piece, piece.len(), false), &mut facts);
        }
        assert_eq!(facts.len(), 4);
    }

    #[test]
    fn no_bytes_stop_it() {
        let mut state = 1_u64;
        for round in 0_usize..20_000 {
            let mut bytes = ANSWER.to_vec();
            for _ in 0..=round % 7 {
                state = crate::net::mix(state, 3);
                let [place, value, ..] = state.to_le_bytes();
                let place = usize::from(place) % bytes.len();
                bytes[place] = value;
            }
            told(&bytes, bytes.len() + round % 3, 53);
            let (stream, mut facts, mut dialogue) = (framed(&[&bytes]), Vec::new(), begin());
            recognise(&stream, &bytes);
            let cut = round % stream.len();
            dialogue.take(&segment(End::Client, &stream[..cut], cut + round % 5, round % 2 == 0), &mut facts);
            dialogue.take(&segment(End::Client, &stream[cut..], stream.len() - cut, false), &mut facts);
        }
    }
}
