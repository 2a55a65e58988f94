//! The part of SSH that is in clear, of one end: greeting (RFC 4253 section 4.2) and binary packets
//! (section 6) up to and including NEWKEYS.
//!
//! Knows where encryption begins. Knows nothing of logins.

use super::super::{End, Fact, Segment, name};

pub(super) const GREETING: &[u8] = b"SSH-";

/// What OpenSSH says instead of its greeting when too many are waiting to log in, or (since 9.8) when
/// the source has failed too often.
const REFUSALS: [&[u8]; 2] = [b"Exceeded MaxStartups", b"Not allowed at this time"];

pub(super) fn is_refusal(line: &[u8]) -> bool {
    REFUSALS.iter().any(|refusal| line.starts_with(refusal))
}

const NEWKEYS: u8 = 21;
/// Replies of the key exchanges (RFC 4253, 5656, 4419): the server's NEWKEYS follows in the same segment.
const KEX_REPLIES: std::ops::RangeInclusive<u8> = 31..=33;
/// Length, padding length and message code: all that is read of a packet.
const HEAD: usize = 6;
/// OpenSSH's own limit.
const LONGEST_PACKET: u32 = 256 << 10;
/// RFC 4253 allows a greeting 255 bytes; other lines of a server are held to that too.
const LONGEST_LINE: usize = 255;
const MOST_LINES: u32 = 64;

/// What the next segment of one end was.
pub(super) enum Heard {
    /// All of it in clear.
    Clear,
    /// So much of it encrypted; and whether something before it was lost.
    Encrypted { length: u32, gap: bool },
    /// The server wants no more clients now.
    Refusal,
    /// The beginning of the encryption cannot be found any more.
    Lost,
}

#[derive(Debug)]
enum Step {
    Greeting { lines: u32 },
    Head,
    Rest { left: u32, last: bool },
    Encrypted,
}

#[derive(Debug)]
pub(super) struct Handshake {
    end: End,
    step: Step,
    /// A line or a packet's head, unfinished.
    held: Vec<u8>,
    packets: u32,
    /// Message code of the last packet.
    code: u8,
    /// The last segment was captured in part, which is all that a gap before the next one need mean.
    cut: bool,
}

/// A segment's bytes: first those captured, then those known by number only.
struct Bytes<'a> {
    captured: &'a [u8],
    missing: u32,
}

impl Handshake {
    pub(super) fn held(&self) -> usize {
        self.held.capacity()
    }

    pub(super) fn new(end: End) -> Self {
        Self { end, step: Step::Greeting { lines: 0 }, held: Vec::new(), packets: 0, code: 0, cut: false }
    }

    pub(super) const fn has_greeted(&self) -> bool {
        !matches!(self.step, Step::Greeting { .. })
    }

    /// Packets that were begun in clear.
    pub(super) const fn packets(&self) -> u32 {
        self.packets
    }

    pub(super) fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Heard {
        let captured = u32::try_from(segment.bytes.len()).unwrap_or(u32::MAX);
        let mut bytes = Bytes { captured: segment.bytes, missing: segment.length.saturating_sub(captured) };
        let was_cut = std::mem::replace(&mut self.cut, bytes.missing > 0);
        let lost = segment.gap && !was_cut;
        match self.step {
            Step::Encrypted => bytes.encrypted(lost),
            _ if lost => Heard::Lost,
            _ => self.read(&mut bytes, facts),
        }
    }

    fn read(&mut self, bytes: &mut Bytes<'_>, facts: &mut Vec<Fact>) -> Heard {
        loop {
            match self.step {
                Step::Encrypted => return bytes.encrypted(false),
                _ if bytes.is_empty() => return Heard::Clear,
                Step::Greeting { lines } => {
                    if let Some(end) = self.line(bytes, lines, facts) {
                        return end;
                    }
                }
                Step::Head => {
                    if !self.head(bytes) {
                        return Heard::Lost;
                    }
                }
                Step::Rest { left, last } => {
                    let left = bytes.skip(left);
                    self.step = match (left, last) {
                        (1.., _) => Step::Rest { left, last },
                        (0, true) => Step::Encrypted,
                        (0, false) => Step::Head,
                    };
                }
            }
        }
    }

    /// Reads on in a line; says how the reading ends if it does.
    fn line(&mut self, bytes: &mut Bytes<'_>, lines: u32, facts: &mut Vec<Fact>) -> Option<Heard> {
        let ended = bytes.line(&mut self.held);
        if self.held.len() > LONGEST_LINE || lines > MOST_LINES {
            return Some(Heard::Lost);
        }
        if !ended && bytes.missing == 0 {
            return None;
        }
        let line = std::mem::take(&mut self.held);
        if self.end == End::Server && is_refusal(&line) {
            return Some(Heard::Refusal);
        }
        let Some(greeting) = line.strip_prefix(GREETING) else {
            self.step = Step::Greeting { lines: lines + 1 };
            return (self.end == End::Client || !ended).then_some(Heard::Lost);
        };
        self.greet(greeting, ended, facts).or_else(|| {
            // A greeting that was cut is taken for the whole of its segment.
            bytes.missing = if ended { bytes.missing } else { 0 };
            None
        })
    }

    fn greet(&mut self, greeting: &[u8], whole: bool, facts: &mut Vec<Fact>) -> Option<Heard> {
        let mut parts = greeting.splitn(2, |b| *b == b'-');
        let version = parts.next().unwrap_or_default();
        if let (true, Some(software)) = (whole, parts.next()) {
            facts.push(Fact::Software(self.end, name(software)));
        }
        self.step = Step::Head;
        // The packets of version 1 are others; 1.99 is how a server offers both.
        (!version.starts_with(b"2") && version != b"1.99").then_some(Heard::Lost)
    }

    fn head(&mut self, bytes: &mut Bytes<'_>) -> bool {
        bytes.fill(&mut self.held, HEAD);
        let [a, b, c, d, _, code] = self.held[..] else {
            return bytes.missing == 0 || self.infer_newkeys(bytes);
        };
        self.held.clear();
        self.packets = self.packets.saturating_add(1);
        self.code = code;
        let length = u32::from_be_bytes([a, b, c, d]);
        // Two bytes of it, padding length and message code, are read already.
        self.step = Step::Rest { left: length.saturating_sub(2), last: code == NEWKEYS };
        (2..=LONGEST_PACKET).contains(&length)
    }

    /// What the capture cut off can only have been NEWKEYS.
    fn infer_newkeys(&mut self, bytes: &mut Bytes<'_>) -> bool {
        bytes.missing = 0;
        self.step = Step::Encrypted;
        self.end == End::Server && KEX_REPLIES.contains(&self.code)
    }
}

impl Bytes<'_> {
    fn is_empty(&self) -> bool {
        self.captured.is_empty() && self.missing == 0
    }

    fn encrypted(&self, gap: bool) -> Heard {
        match u32::try_from(self.captured.len()).unwrap_or(u32::MAX).saturating_add(self.missing) {
            0 => Heard::Clear,
            length => Heard::Encrypted { length, gap },
        }
    }

    /// Moves a line, or the beginning of one, to `held`; whether it has ended.
    fn line(&mut self, held: &mut Vec<u8>) -> bool {
        let end = self.captured.iter().position(|b| *b == b'\n');
        let (line, rest) = self.captured.split_at_checked(end.map_or(self.captured.len(), |end| end + 1)).unwrap_or_default();
        held.extend_from_slice(line.get(..=LONGEST_LINE).unwrap_or(line));
        self.captured = rest;
        end.is_some()
    }

    fn fill(&mut self, held: &mut Vec<u8>, size: usize) {
        let wanted = size.saturating_sub(held.len()).min(self.captured.len());
        let (part, rest) = self.captured.split_at_checked(wanted).unwrap_or_default();
        held.extend_from_slice(part);
        self.captured = rest;
    }

    /// Passes over so many bytes; what is left of them for the next segment.
    fn skip(&mut self, count: u32) -> u32 {
        let captured = usize::try_from(count).unwrap_or(usize::MAX).min(self.captured.len());
        self.captured = self.captured.get(captured..).unwrap_or_default();
        let left = count.saturating_sub(u32::try_from(captured).unwrap_or(u32::MAX));
        let missing = left.min(self.missing);
        self.missing -= missing;
        left - missing
    }
}
