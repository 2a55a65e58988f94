//! Lines of the text protocols: cuts what one end says into lines and holds the one that is unfinished.
//!
//! Ends at LF, with or without CR before it. Knows nothing of what the lines mean.

use super::identify::Recognised;
use super::{Interest, Segment};

/// Longer than any line that names a user; what is beyond is dropped. Two ends hold two of them.
pub(super) const MOST_LINE: usize = 2 << 10;

/// The unfinished line of one end.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    /// More of this line was said than is held.
    cut: bool,
}

/// One line, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub text: &'a [u8],
    /// Nothing of it is missing at its end. Names are taken from whole lines only.
    pub whole: bool,
}

impl Lines {
    /// Bytes kept of what is unfinished.
    pub fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Gives each line that the segment completes, until one is answered with [`Interest::Nothing`].
    ///
    /// After a gap the segment is taken to begin a line: these protocols take turns, and each turn begins
    /// a segment. A line whose rest the capture lacks is given as far as it goes: a reply's code comes first.
    pub fn take(&mut self, segment: &Segment<'_>, mut each: impl FnMut(Line<'_>) -> Interest) -> Interest {
        if segment.gap {
            self.forget();
        }
        for piece in segment.bytes.split_inclusive(|byte| *byte == b'\n') {
            self.hold(piece);
            if piece.ends_with(b"\n") && self.give(&mut each) == Interest::Nothing {
                return Interest::Nothing;
            }
        }
        if segment.is_cut() && !self.held.is_empty() {
            self.cut = true;
            return self.give(&mut each);
        }
        Interest::Both
    }

    fn hold(&mut self, piece: &[u8]) {
        let text = piece.strip_suffix(b"\n").unwrap_or(piece);
        let room = MOST_LINE.saturating_sub(self.held.len());
        self.cut |= text.len() > room;
        self.held.extend(text.iter().take(room));
    }

    fn give(&mut self, each: &mut impl FnMut(Line<'_>) -> Interest) -> Interest {
        let text = self.held.strip_suffix(b"\r").unwrap_or(&self.held);
        let interest = each(Line { text, whole: !self.cut });
        self.forget();
        interest
    }

    fn forget(&mut self) {
        self.held.clear();
        self.cut = false;
    }
}

/// The first word of a text and what follows the blanks after it.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    (word, rest.trim_ascii())
}

/// Whether one of the words is in the text, in capitals or not.
pub(super) fn mentions(text: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())))
}

/// Whether the text is one of the words, in capitals or not.
pub(super) fn is_one_of(text: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether the bytes begin with one of the words; Maybe while they are the beginning of one.
pub(super) fn begins(bytes: &[u8], words: &[&str]) -> Recognised {
    let starts = |long: &[u8], short: &[u8]| long.get(..short.len()).is_some_and(|start| start.eq_ignore_ascii_case(short));
    if words.iter().any(|word| starts(bytes, word.as_bytes())) {
        return Recognised::Yes;
    }
    if words.iter().any(|word| starts(word.as_bytes(), bytes)) { Recognised::Maybe } else { Recognised::No }
}

/// Judges the first lines of a client by their commands: those that only this protocol has decide, those
/// that it shares leave it open. A command ends at a blank, a colon or the end of its line.
pub(super) fn commands(client: &[u8], own: &[&[&str]], shared: &[&str]) -> Recognised {
    for line in client.split_inclusive(|byte| *byte == b'\n') {
        let own = command(line, own.iter().copied().flatten());
        let shared = command(line, shared.iter());
        match (own, shared) {
            (Recognised::Yes, _) => return Recognised::Yes,
            (_, Recognised::Yes) => {}
            (Recognised::No, Recognised::No) => return Recognised::No,
            _ => return Recognised::Maybe,
        }
    }
    Recognised::Maybe
}

fn command<'a>(line: &[u8], commands: impl Iterator<Item = &'a &'a str>) -> Recognised {
    let mut begun = Recognised::No;
    for known in commands {
        match begins(line, &[known]) {
            Recognised::Yes => match line.get(known.len()) {
                Some(b' ' | b':' | b'\r' | b'\n') => return Recognised::Yes,
                Some(_) => {}
                None => begun = Recognised::Maybe,
            },
            Recognised::Maybe => begun = Recognised::Maybe,
            Recognised::No => {}
        }
    }
    begun
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Dialogue, End, Fact, Login, LoginOutcome, Moment};
    use super::*;

    pub fn segment(from: End, bytes: &[u8]) -> Segment<'_> {
        Segment { from, bytes, length: u32::try_from(bytes.len()).unwrap(), gap: false, at: Moment::default() }
    }

    /// A dialogue as it is read in the RFCs: `C: ` and `S: ` before each line.
    pub fn turns(script: &str) -> Vec<(End, Vec<u8>)> {
        script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| {
                let from = if line.starts_with("C:") { End::Client } else { End::Server };
                (from, format!("{}\r\n", line.get(3..).unwrap_or_default()).into_bytes())
            })
            .collect()
    }

    pub fn play(mut dialogue: Box<dyn Dialogue>, segments: &[Segment<'_>]) -> (Vec<Fact>, Interest) {
        let mut facts = Vec::new();
        for segment in segments {
            if dialogue.take(segment, &mut facts) == Interest::Nothing {
                return (facts, Interest::Nothing);
            }
        }
        (facts, Interest::Both)
    }

    /// The facts of a script; the same when each byte comes alone, and no panic wherever it is cut.
    pub fn told(begin: fn() -> Box<dyn Dialogue>, script: &str) -> (Vec<Fact>, Interest) {
        let turns = turns(script);
        let whole: Vec<_> = turns.iter().map(|(from, bytes)| segment(*from, bytes)).collect();
        let single: Vec<_> = turns.iter().flat_map(|(from, bytes)| bytes.chunks(1).map(|byte| segment(*from, byte))).collect();
        let told = play(begin(), &whole);
        assert_eq!(told, play(begin(), &single), "byte by byte");
        for kept in 0..80 {
            let cut: Vec<_> =
                whole.iter().map(|whole| Segment { bytes: whole.bytes.get(..kept).unwrap_or(whole.bytes), ..*whole }).collect();
            play(begin(), &cut);
        }
        told
    }

    /// Logins alone, as (user, outcome, certain).
    pub fn logins(facts: &[Fact]) -> Vec<(&str, LoginOutcome, bool)> {
        let login = |fact| {
            if let &Fact::Login(Login { ref user, outcome, certain, .. }) = fact { Some((user.as_str(), outcome, certain)) } else { None }
        };
        facts.iter().filter_map(login).collect()
    }

    /// Pseudo-random bytes (xorshift) with line ends, given to a dialogue in pieces with gaps, must be survived.
    pub fn survives_noise(begin: fn() -> Box<dyn Dialogue>, recognise: fn(&[u8], &[u8]) -> Recognised) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let alphabet = b"\r\n\n :-+*{}\"\\235AUTHLOGINplain\xff\xfa\xfb\xf0=";
        for _ in 0..300 {
            let mut dialogue = begin();
            for _ in 0..40 {
                let bytes: Vec<u8> = (0..next() % 90)
                    .map(|_| {
                        let chance = next();
                        let [low, ..] = (chance >> 32).to_le_bytes();
                        if chance % 3 == 0 { low } else { alphabet[usize::try_from(chance >> 8).unwrap() % alphabet.len()] }
                    })
                    .collect();
                recognise(&bytes, b"");
                recognise(b"", &bytes);
                let from = if next() % 2 == 0 { End::Client } else { End::Server };
                let mut piece = segment(from, &bytes);
                piece.gap = next() % 8 == 0;
                piece.length += u32::from(next() % 8 == 0);
                dialogue.take(&piece, &mut Vec::new());
            }
        }
    }

    fn read(pieces: &[Segment<'_>]) -> Vec<(String, bool)> {
        let mut lines = Lines::default();
        let mut given = Vec::new();
        for piece in pieces {
            lines.take(piece, |line| {
                given.push((String::from_utf8_lossy(line.text).into_owned(), line.whole));
                Interest::Both
            });
            assert!(lines.held.len() <= MOST_LINE);
        }
        given
    }

    #[test]
    fn lines_end_with_lf_and_may_come_in_pieces() {
        let pieces = [segment(End::Client, b"one\r\ntw"), segment(End::Client, b"o\nthree\r"), segment(End::Client, b"\n\n")];
        let want = ["one", "two", "three", ""].map(|line| (line.to_owned(), true));
        assert_eq!(read(&pieces), want);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_not() {
        let long = [vec![b'x'; MOST_LINE + 1], b"\nnext\n".to_vec()].concat();
        assert_eq!(read(&[segment(End::Client, &long)]), [("x".repeat(MOST_LINE), false), ("next".to_owned(), true)]);
        let fits = [vec![b'x'; MOST_LINE], b"\n".to_vec()].concat();
        assert_eq!(read(&[segment(End::Client, &fits)]), [("x".repeat(MOST_LINE), true)]);
    }

    #[test]
    fn what_a_gap_or_the_snap_length_cut_is_not_joined_with_what_follows() {
        let after = Segment { gap: true, ..segment(End::Server, b"230 in\r\n") };
        assert_eq!(read(&[segment(End::Server, b"530 Lo"), after]), [("230 in".to_owned(), true)]);
        let cut = Segment { length: 20, ..segment(End::Server, b"530 Lo") };
        assert_eq!(read(&[cut, after]), [("530 Lo".to_owned(), false), ("230 in".to_owned(), true)]);
    }

    #[test]
    fn a_shared_command_leaves_open_what_its_successor_decides() {
        assert_eq!(commands(b"US", &[&["PASV"]], &["USER"]), Recognised::Maybe);
        assert_eq!(commands(b"USER a\r\n", &[&["PASV"]], &["USER"]), Recognised::Maybe);
        assert_eq!(commands(b"user a\r\npasv\r\n", &[&["PASV"]], &["USER"]), Recognised::Yes);
        assert_eq!(commands(b"USERS\r\n", &[&["PASV"]], &["USER"]), Recognised::No);
    }
}
