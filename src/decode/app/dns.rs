//! DNS (RFC 1035), with mDNS (RFC 6762) and LLMNR (RFC 4795), which share its message: what was asked,
//! and what came back.
//!
//! Only the name of the question is read, and it comes first, where nothing is before it to point to.
//! The names of records are stepped over: no pointer is followed, so none can lead in a circle. Knows
//! one message from another, not which answer belongs to which question.

use super::identify::Recognised;
use super::{Address, Datagram, Dialogue, End, Fact, Interest, MOST_HELD, Moment, Query, Segment};
use crate::net::Addr;

const HEADER: usize = 12;
/// The root's name, type, class.
const SHORTEST_QUESTION: usize = 5;
/// The root's name, type, class, time to live, length of no data.
const SHORTEST_RECORD: usize = 11;
/// A name on the wire, its last zero included; and as text, escapes included.
const LONGEST_NAME: usize = 255;
/// Facts that one message may give, however many records it has.
const MOST_ADDRESSES: usize = 64;
const USUAL_PORTS: [u16; 3] = [53, 5353, 5355];
/// What each end of a connection may hold of an unfinished message.
const HELD: usize = MOST_HELD / 2;

pub(super) fn datagram(datagram: &Datagram<'_>, facts: &mut Vec<Fact>) -> bool {
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
    let Some((prefix, message)) = stream.split_first_chunk() else { return Recognised::Maybe };
    let length = usize::from(u16::from_be_bytes(*prefix));
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
        Ok(()) => Message::Sound { strange: cursor.at < length || header.is_strange() || question.is_strange() },
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

/// Why reading stopped: the capture ends here, or the message does and should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Cut,
    Broken,
}

struct Header {
    response: bool,
    rcode: u8,
    questions: u16,
    answers: u16,
    /// Records of the other two sections.
    others: u32,
}

impl Header {
    const fn resolves(&self) -> bool {
        self.response && self.rcode == 0
    }

    /// A question that holds an answer or a result. mDNS has known answers in its questions.
    const fn is_strange(&self) -> bool {
        !self.response && (self.rcode != 0 || self.answers != 0)
    }
}

struct Question<'a> {
    /// Labels as on the wire, each after its length.
    labels: &'a [u8],
    qtype: u16,
    class: u16,
}

impl Question<'_> {
    /// The name service of NetBIOS (RFC 1002) uses the same message; its names are 32 letters from A to P,
    /// its types NB and NBSTAT.
    fn is_netbios(&self) -> bool {
        let Some((32, rest)) = self.labels.split_first() else { return false };
        matches!(self.qtype, 32 | 33) && rest.get(..32).is_some_and(|name| name.iter().all(|byte| matches!(byte, b'A'..=b'P')))
    }

    /// No type, or a class other than IN, CH, HS, NONE and ANY. The top bit is mDNS's: answer me alone.
    const fn is_strange(&self) -> bool {
        self.qtype == 0 || !matches!(self.class & 0x7fff, 1 | 3 | 4 | 254 | 255)
    }

    /// The name as text. If it is too long for all its escapes, its end is kept, where the domain is.
    fn name(&self) -> String {
        let mut text = String::with_capacity(self.labels.len());
        let mut rest = self.labels;
        while let Some((length, tail)) = rest.split_first()
            && let Some((label, tail)) = tail.split_at_checked(usize::from(*length))
            && !label.is_empty()
        {
            if !text.is_empty() {
                text.push('.');
            }
            label.iter().for_each(|byte| push_escaped(&mut text, *byte));
            rest = tail;
        }
        keep_end(text)
    }
}

/// A dot within a label and the backslash are escaped too, so that every dot parts two labels.
fn push_escaped(text: &mut String, byte: u8) {
    if byte.is_ascii_graphic() && byte != b'.' && byte != b'\\' {
        text.push(char::from(byte.to_ascii_lowercase()));
    } else {
        text.push('\\');
        [byte / 100, byte / 10 % 10, byte % 10].iter().for_each(|digit| text.push(char::from(b'0' + digit)));
    }
}

fn keep_end(mut text: String) -> String {
    let Some(mut start) = text.len().checked_sub(LONGEST_NAME).filter(|start| *start > 0) else { return text };
    // An escape of four bytes is kept whole or not at all.
    if let Some(back) = (1..=3).find(|back| text.as_bytes().get(start.wrapping_sub(*back)) == Some(&b'\\')) {
        start += 4 - back;
    }
    text.drain(..start);
    text
}

/// A place in a message.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Of the message on the wire, at least that of `bytes`.
    length: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8], length: usize) -> Self {
        Self { bytes: bytes.get(..length).unwrap_or(bytes), at: 0, length }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).copied();
        self.step(N)?;
        found.ok_or(Stop::Cut)
    }

    /// Goes on by so many bytes, which must have been on the wire.
    const fn step(&mut self, bytes: usize) -> Result<(), Stop> {
        if self.length - self.at < bytes {
            return Err(Stop::Broken);
        }
        self.at += bytes;
        Ok(())
    }

    fn number(&mut self) -> Result<u16, Stop> {
        self.take().map(u16::from_be_bytes)
    }

    /// A header whose operation is a query, whose result is one of RFC 6895 and whose sections fit in the message.
    fn header(&mut self) -> Result<Header, Stop> {
        let [_, _, high, low] = self.take()?;
        let rcode = low & 0x0f;
        if high & 0x78 != 0 || rcode > 11 || self.length < HEADER {
            return Err(Stop::Broken);
        }
        let questions = self.number()?;
        let answers = self.number()?;
        let others = u32::from(self.number()?) + u32::from(self.number()?);
        let least = HEADER + SHORTEST_QUESTION * usize::from(questions) + SHORTEST_RECORD * (usize::from(answers) + wire(others));
        if least > self.length {
            return Err(Stop::Broken);
        }
        Ok(Header { response: high & 0x80 != 0, rcode, questions, answers, others })
    }

    fn question(&mut self) -> Result<Question<'a>, Stop> {
        let start = self.at;
        self.step_over_name()?;
        let labels = self.bytes.get(start..self.at).ok_or(Stop::Cut)?;
        Ok(Question { labels, qtype: self.number()?, class: self.number()? })
    }

    fn step_over_name(&mut self) -> Result<(), Stop> {
        let start = self.at;
        loop {
            let [length] = self.take()?;
            match length {
                0 => return Ok(()),
                1..=63 => self.step(usize::from(length))?,
                0xc0.. => {
                    let [low] = self.take()?;
                    let target = usize::from(length & 0x3f) << 8 | usize::from(low);
                    return if (HEADER..start).contains(&target) { Ok(()) } else { Err(Stop::Broken) };
                }
                _ => return Err(Stop::Broken),
            }
            if self.at - start >= LONGEST_NAME {
                return Err(Stop::Broken);
            }
        }
    }

    /// The answers: how long their data is, and the addresses among them. A record whose header was captured counts,
    /// whether its data was or not.
    fn answers(&mut self, count: u16, bytes: &mut u32, mut found: impl FnMut(Addr)) -> Result<(), Stop> {
        for _ in 0..count {
            let (kind, length) = self.record_header()?;
            let data = self.bytes.get(self.at..).and_then(|rest| rest.get(..usize::from(length)));
            self.step(usize::from(length))?;
            *bytes += u32::from(length);
            if let Some(address) = address(kind, data.ok_or(Stop::Cut)?) {
                found(address);
            }
        }
        Ok(())
    }

    fn records(&mut self, count: u32) -> Result<(), Stop> {
        (0..count).try_for_each(|_| {
            let (_, length) = self.record_header()?;
            self.step(usize::from(length))
        })
    }

    fn record_header(&mut self) -> Result<(u16, u16), Stop> {
        self.step_over_name()?;
        let kind = self.number()?;
        // Class and time to live say nothing that is told.
        self.step(6)?;
        Ok((kind, self.number()?))
    }

    /// The beginning of a stream: one question from this end, in a message in which nothing is out of place.
    fn opening(&mut self, response: bool) -> Result<(), Stop> {
        let header = self.header()?;
        if header.response != response || header.questions != 1 || header.is_strange() {
            return Err(Stop::Broken);
        }
        if self.question()?.is_strange() {
            return Err(Stop::Broken);
        }
        match self.records(u32::from(header.answers) + header.others) {
            Ok(()) if self.at < self.length => Err(Stop::Broken),
            // What is there of a long answer fits: more of it would not tell more.
            Ok(()) | Err(Stop::Cut) => Ok(()),
            broken => broken,
        }
    }
}

fn address(kind: u16, data: &[u8]) -> Option<Addr> {
    match kind {
        1 => data.try_into().ok().map(Addr::from_v4_bytes),
        28 => data.try_into().ok().map(Addr::from_v6_bytes),
        _ => None,
    }
}

/// DNS over TCP: messages in both directions, each after its length.
#[derive(Debug, Default)]
struct Conversation {
    client: Stream,
    server: Stream,
}

impl Dialogue for Conversation {
    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        match segment.from {
            End::Client => self.client.take(segment, false, facts),
            End::Server => self.server.take(segment, true, facts),
        }
        Interest::Both
    }
}

/// The messages of one end.
#[derive(Debug, Default)]
struct Stream {
    /// Of the message that is not complete yet, its length first.
    held: Vec<u8>,
    /// What is still to come of a message that was told already.
    skip: usize,
    /// Where the next message begins is not known.
    lost: bool,
}

impl Stream {
    fn take(&mut self, segment: &Segment<'_>, response: bool, facts: &mut Vec<Fact>) {
        if segment.gap {
            self.lose();
        }
        if self.lost && opening(segment.bytes, response) != Recognised::Yes {
            return;
        }
        self.lost = false;
        self.feed(segment.bytes, segment.at, facts);
        let missing = wire(segment.length).saturating_sub(segment.bytes.len());
        if missing > 0 {
            self.miss(missing, segment.at, facts);
        }
    }

    fn lose(&mut self) {
        *self = Self { lost: true, ..Self::default() };
    }

    fn feed(&mut self, mut bytes: &[u8], at: Moment, facts: &mut Vec<Fact>) {
        while !bytes.is_empty() && !self.lost {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.held.is_empty()
                && let Some((prefix, rest)) = bytes.split_first_chunk()
                && let Some((message, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*prefix)))
            {
                self.read(message, message.len(), at, facts);
                bytes = rest;
                continue;
            }
            let wanted = self.wanted().min(HELD).saturating_sub(self.held.len()).min(bytes.len());
            let (more, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
            self.held.extend_from_slice(more);
            bytes = rest;
            if self.held.len() >= self.wanted().min(HELD) {
                self.tell(at, facts);
            }
        }
    }

    /// Length of the message and of its length, or of the latter as long as that is all there is to want.
    fn wanted(&self) -> usize {
        self.held.first_chunk().map_or(2, |prefix| 2 + usize::from(u16::from_be_bytes(*prefix)))
    }

    /// Tells what is held of a message. What it lacks is skipped.
    fn tell(&mut self, at: Moment, facts: &mut Vec<Fact>) {
        let wanted = self.wanted();
        let held = std::mem::take(&mut self.held);
        self.skip = wanted.saturating_sub(held.len());
        if let Some(message) = held.get(2..) {
            self.read(message, wanted - 2, at, facts);
        }
    }

    fn read(&mut self, message: &[u8], length: usize, at: Moment, facts: &mut Vec<Fact>) {
        if read(message, length, at, facts) == Message::Foreign {
            self.lose();
        }
    }

    /// Bytes went by that were not captured.
    fn miss(&mut self, missing: usize, at: Moment, facts: &mut Vec<Fact>) {
        if self.held.len() >= 2 {
            self.tell(at, facts);
        }
        match self.skip.checked_sub(missing) {
            Some(rest) if self.held.is_empty() => self.skip = rest,
            _ => self.lose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(!told(&asked(&[b"FHEPFCELEHFCEPFFFACACACACACACABM"], 32), 50, 137).0);
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
    fn a_stream_of_cut_segments_gives_its_questions() {
        let stream = framed(&[ANSWER]);
        let (mut dialogue, mut facts) = (begin(), Vec::new());
        for _ in 0..3 {
            dialogue.take(&segment(End::Server, &stream[..40], stream.len(), false), &mut facts);
        }
        assert_eq!(facts, vec![query(Some(0), 0); 3]);
    }

    #[test]
    fn a_stream_holds_no_more_than_its_share_of_an_endless_message() {
        let mut long = ANSWER.to_vec();
        long.resize(60_000, 0);
        let stream = framed(&[&long, ANSWER]);
        let (mut end, mut facts) = (Stream::default(), Vec::new());
        for piece in stream.chunks(1_460) {
            end.take(&segment(End::Server, piece, piece.len(), false), true, &mut facts);
            assert!(end.held.len() <= HELD);
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
            let (stream, mut facts, mut end) = (framed(&[&bytes]), Vec::new(), Stream::default());
            recognise(&stream, &bytes);
            let cut = round % stream.len();
            end.take(&segment(End::Client, &stream[..cut], cut + round % 5, round % 2 == 0), false, &mut facts);
            end.take(&segment(End::Client, &stream[cut..], stream.len() - cut, false), false, &mut facts);
        }
    }
}
