//! Numbered replies as FTP (RFC 959 section 4.2) and SMTP (RFC 5321 section 4.2) write them: three digits and a
//! text, over several lines where a hyphen follows the digits.
//!
//! Knows their form only; what a code means is the protocols' affair.

use super::lines::word;

/// One line of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply<'a> {
    pub code: u16,
    pub text: &'a [u8],
    /// The line that begins the reply: its code is known before the rest is there.
    pub first: bool,
}

/// Where the server is in a reply of several lines.
#[derive(Debug, Default)]
pub(super) struct Replies {
    inside: Option<u16>,
}

impl Replies {
    /// None for lines that carry no code of their own.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Option<Reply<'a>> {
        let (code, more, text) = split(line)?;
        let first = self.inside.is_none();
        if self.inside.is_some_and(|open| open != code) {
            return None;
        }
        self.inside = more.then_some(code);
        Some(Reply { code, text, first })
    }

    /// Lines were lost: the next one with a code begins a reply.
    pub fn forget(&mut self) {
        self.inside = None;
    }
}

/// What a server said first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening<'a> {
    TooFew,
    NoReply,
    /// Its text may still grow where the line is not whole.
    Reply {
        code: u16,
        text: &'a [u8],
        whole: bool,
    },
}

/// Reads the first line of a server's first bytes.
pub(super) fn opening(server: &[u8]) -> Opening<'_> {
    let end = server.iter().position(|byte| *byte == b'\n');
    let line = end.and_then(|end| server.get(..end)).unwrap_or(server).trim_ascii_end();
    if end.is_none() && server.len() <= 4 && is_begun(server) {
        return Opening::TooFew;
    }
    match split(line) {
        Some((code @ 100..=599, _, text)) if line.len() > 3 => Opening::Reply { code, text, whole: end.is_some() },
        _ => Opening::NoReply,
    }
}

fn is_begun(server: &[u8]) -> bool {
    server.iter().enumerate().all(|(at, byte)| match at {
        0 => (b'1'..=b'5').contains(byte),
        1 | 2 => byte.is_ascii_digit(),
        _ => matches!(byte, b' ' | b'-'),
    })
}

fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_first_chunk::<3>()?;
    let code = digits.iter().try_fold(0_u16, |code, digit| digit.is_ascii_digit().then(|| code * 10 + u16::from(digit - b'0')))?;
    match rest.split_first() {
        None => Some((code, false, rest)),
        Some((b' ', text)) => Some((code, false, text.trim_ascii())),
        Some((b'-', text)) => Some((code, true, text.trim_ascii())),
        Some(_) => None,
    }
}

/// Whether a text begins with a status of RFC 3463 (`4.7.0`), as SMTP's replies do.
pub(super) fn has_enhanced_status(text: &[u8]) -> bool {
    let (status, _) = word(text);
    matches!(status, [b'2' | b'4' | b'5', b'.', b'0'..=b'9', b'.', b'0'..=b'9', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_several_lines_begins_once() {
        // RFC 959 section 4.2: the other lines may begin with anything, digits of another code too.
        let mut replies = Replies::default();
        let read: Vec<_> =
            [&b"123-First line"[..], b"Second line", b"234 A line beginning with numbers", b"123 The last line", b"230 next"]
                .iter()
                .filter_map(|line| replies.read(line))
                .map(|reply| (reply.code, reply.first))
                .collect();
        assert_eq!(read, [(123, true), (123, false), (230, true)]);
    }

    #[test]
    fn the_opening_waits_for_digits_and_refuses_the_rest() {
        for few in [&b""[..], b"2", b"220", b"220 ", b"220-"] {
            assert_eq!(opening(few), Opening::TooFew, "{few:?}");
        }
        for other in [&b"+OK"[..], b"HTTP/1.1 200", b"2200", b"900 x\r\n", b"220\n"] {
            assert_eq!(opening(other), Opening::NoReply, "{other:?}");
        }
        assert_eq!(opening(b"220-a\r\nb"), Opening::Reply { code: 220, text: b"a", whole: true });
    }

    #[test]
    fn enhanced_status_codes_are_told_from_host_names() {
        assert!(has_enhanced_status(b"4.7.0 too many"));
        assert!(!has_enhanced_status(b"mail.example.org"));
    }
}
