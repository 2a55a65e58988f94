//! The message of DNS (RFC 1035 section 4), walked without being copied.
//!
//! Only the name of a question is read, and the first comes where nothing is before it to point to. All
//! other names are stepped over: no pointer is followed, so none can lead in a circle. What a message
//! means is not known here.

use crate::net::Addr;

pub(super) const HEADER: usize = 12;
/// The root's name, type, class.
const SHORTEST_QUESTION: usize = 5;
/// The root's name, type, class, time to live, length of no data.
const SHORTEST_RECORD: usize = 11;
/// A name on the wire, its last zero included; and as text, escapes included.
const LONGEST_NAME: usize = 255;

/// Why reading stopped: the capture ends here, or the message does and should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Cut,
    Broken,
}

pub(super) struct Header {
    pub(super) response: bool,
    pub(super) rcode: u8,
    pub(super) questions: u16,
    pub(super) answers: u16,
    /// Records of the other two sections.
    pub(super) others: u32,
}

impl Header {
    pub(super) const fn resolves(&self) -> bool {
        self.response && self.rcode == 0
    }

    /// A question that holds an answer or a result. mDNS has known answers in its questions.
    pub(super) const fn is_strange(&self) -> bool {
        !self.response && (self.rcode != 0 || self.answers != 0)
    }
}

pub(super) struct Question<'a> {
    /// Labels as on the wire, each after its length.
    labels: &'a [u8],
    pub(super) qtype: u16,
    class: u16,
}

impl Question<'_> {
    /// The name service of NetBIOS (RFC 1002) uses the same message; its names are 32 letters from A to P,
    /// its types NB and NBSTAT.
    pub(super) fn is_netbios(&self) -> bool {
        let Some((32, rest)) = self.labels.split_first() else { return false };
        matches!(self.qtype, 32 | 33) && rest.get(..32).is_some_and(|name| name.iter().all(|byte| matches!(byte, b'A'..=b'P')))
    }

    /// No type, or a class other than IN, CH, HS, NONE and ANY. The top bit is mDNS's: answer me alone.
    pub(super) const fn is_strange(&self) -> bool {
        self.qtype == 0 || !matches!(self.class & 0x7fff, 1 | 3 | 4 | 254 | 255)
    }

    /// The name as text. If it is too long for all its escapes, its end is kept, where the domain is.
    pub(super) fn name(&self) -> String {
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
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Of the message on the wire, at least that of `bytes`.
    length: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], length: usize) -> Self {
        Self { bytes: bytes.get(..length).unwrap_or(bytes), at: 0, length }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.at == self.length
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
    pub(super) fn header(&mut self) -> Result<Header, Stop> {
        let [_, _, high, low] = self.take()?;
        let rcode = low & 0x0f;
        if high & 0x78 != 0 || rcode > 11 || self.length < HEADER {
            return Err(Stop::Broken);
        }
        let questions = self.number()?;
        let answers = self.number()?;
        let others = u32::from(self.number()?) + u32::from(self.number()?);
        let records = SHORTEST_RECORD as u64 * (u64::from(answers) + u64::from(others));
        let least = (HEADER + SHORTEST_QUESTION * usize::from(questions)) as u64 + records;
        if least > self.length as u64 {
            return Err(Stop::Broken);
        }
        Ok(Header { response: high & 0x80 != 0, rcode, questions, answers, others })
    }

    pub(super) fn question(&mut self) -> Result<Question<'a>, Stop> {
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
    pub(super) fn answers(&mut self, count: u16, bytes: &mut u32, mut found: impl FnMut(Addr)) -> Result<(), Stop> {
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

    pub(super) fn records(&mut self, count: u32) -> Result<(), Stop> {
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
    pub(super) fn opening(&mut self, response: bool) -> Result<(), Stop> {
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
