//! IMAP (RFC 9051, RFC 5530): who logs in to read mail, and with what outcome.
//!
//! Each command has a tag that its answer repeats, so several may be under way. Mail is not read.

use super::conversation::{Talk, conversation};
use super::identify::Recognised;
use super::lines::{Line, begins, is_one_of, mentions, word};
use super::sasl::Exchange;
use super::{Dialogue, End, Fact, Interest, Login, LoginOutcome, Segment, name};

const COMMANDS: [&str; 12] =
    ["CAPABILITY", "NOOP", "LOGOUT", "LOGIN", "AUTHENTICATE", "STARTTLS", "ID", "SELECT", "EXAMINE", "UID", "LSUB", "NAMESPACE"];

/// What is given only to who is logged in.
const INSIDE: [&str; 4] = ["SELECT", "EXAMINE", "UID", "FETCH"];

/// Refusals that do not speak of user and password (RFC 5530).
const OTHER_REASONS: [&str; 5] = ["[UNAVAILABLE]", "[PRIVACYREQUIRED]", "[CONTACTADMIN]", "[INUSE]", "[LIMIT]"];

/// Most commands that may be under way, and the longest tag.
const MOST_WAITING: usize = 16;
const MOST_TAG: usize = 32;

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    match begins(server, &["* OK", "* PREAUTH", "* BYE", "* CAPABILITY"]) {
        Recognised::Maybe if server.is_empty() => tagged(client, &COMMANDS),
        Recognised::No => match tagged(server, &["OK", "NO", "BAD"]) {
            Recognised::Yes => tagged(client, &COMMANDS),
            other => other,
        },
        decided => decided,
    }
}

/// Whether the first word can be a tag and the second is one of these. Tags are letters and digits in practice;
/// `AUTH LOGIN` is said in SMTP and POP3.
fn tagged(bytes: &[u8], words: &[&str]) -> Recognised {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    let (tag, rest) = word(line);
    let (verb, arguments) = word(rest);
    let can_be_tag = tag.len() <= MOST_TAG && tag.iter().all(u8::is_ascii_alphanumeric) && !is_one_of(tag, &["AUTH", "HELP"]);
    if !can_be_tag || (end.is_some() && verb.is_empty()) {
        return Recognised::No;
    }
    match begins(verb, words) {
        _ if is_one_of(verb, words) && (end.is_some() || !arguments.is_empty()) => Recognised::Yes,
        Recognised::No => Recognised::No,
        _ if end.is_some() || !arguments.is_empty() => Recognised::No,
        _ => Recognised::Maybe,
    }
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    conversation::<Session>()
}

#[derive(Debug, Default)]
struct Session {
    waiting: Vec<Waiting>,
    next: Next,
    opened: bool,
}

/// A command that waits for the answer with its tag.
#[derive(Debug)]
struct Waiting {
    tag: Vec<u8>,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    Login { user: String },
    Exchange(Exchange),
    Tls,
}

/// What the client's next line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Command,
    /// Of the exchange under way.
    Answer,
    /// It begins with the user, announced as so many bytes.
    User(usize),
    /// The rest of a command that announced bytes.
    Rest,
}

impl Talk for Session {
    /// An exchange goes on unseen: what is left of it, such as a password, is no command either way.
    fn resume(&mut self, _from: End) {
        self.opened = true;
        self.next = Next::Command;
        for waiting in &mut self.waiting {
            if let Asked::Exchange(exchange) = &mut waiting.asked {
                exchange.spoil();
                exchange.answer(b"", false);
            }
        }
    }

    fn say(&mut self, line: Line<'_>) -> Interest {
        self.opened = true;
        match self.next {
            Next::Command => return self.command(line),
            Next::Answer => self.exchange_goes_on(line),
            Next::User(length) => {
                if let Some(Waiting { asked: Asked::Login { user }, .. }) = self.waiting.last_mut() {
                    *user = line.text.get(..length).map(name).unwrap_or_default();
                }
                self.next = after(line.text);
            }
            Next::Rest => self.next = after(line.text),
        }
        Interest::Both
    }

    fn answer(&mut self, line: Line<'_>, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let greeting = !std::mem::replace(&mut self.opened, true);
        let (tag, rest) = word(line.text);
        let (status, text) = word(rest);
        let (user, outcome) = match tag {
            b"*" if greeting && status.eq_ignore_ascii_case(b"BYE") => (String::new(), Some(LoginOutcome::Dropped)),
            b"*" if status.eq_ignore_ascii_case(b"PREAUTH") => return Interest::Nothing,
            b"*" | b"+" => return Interest::Both,
            _ if !is_one_of(status, &["OK", "NO", "BAD"]) => return Interest::Both,
            tag => match self.waiting.iter().position(|waiting| waiting.tag == tag).map(|at| self.waiting.remove(at).asked) {
                None => (String::new(), told(status, text)),
                Some(Asked::Login { user }) => (user, judged(status, text)),
                Some(Asked::Tls) if status.eq_ignore_ascii_case(b"OK") => return Interest::Nothing,
                Some(Asked::Tls) => return Interest::Both,
                Some(Asked::Exchange(exchange)) => {
                    self.next = Next::Command;
                    if !exchange.is_answered() {
                        return Interest::Both;
                    }
                    (exchange.into_user(), judged(status, text))
                }
            },
        };
        let Some(outcome) = outcome else { return Interest::Both };
        facts.push(Fact::Login(Login { user, outcome, certain: true, at: segment.at }));
        if outcome == LoginOutcome::Failed { Interest::Both } else { Interest::Nothing }
    }
}

impl Session {
    fn exchange_goes_on(&mut self, line: Line<'_>) {
        if let Some(Waiting { asked: Asked::Exchange(exchange), .. }) = self.waiting.last_mut() {
            exchange.answer(line.text, line.whole);
        }
    }

    fn command(&mut self, line: Line<'_>) -> Interest {
        let (tag, rest) = word(line.text);
        let (verb, arguments) = word(rest);
        self.next = after(line.text);
        if verb.eq_ignore_ascii_case(b"LOGIN") {
            let user = if line.whole { user(arguments) } else { String::new() };
            self.wait(tag, Asked::Login { user });
            // The user's own length is announced where nothing precedes it.
            if let Some(length) = announced(line.text).filter(|_| arguments.starts_with(b"{")) {
                self.next = Next::User(length);
            }
        } else if verb.eq_ignore_ascii_case(b"AUTHENTICATE") {
            let (mechanism, initial) = word(arguments);
            self.wait(tag, Asked::Exchange(Exchange::begin(mechanism, if line.whole { initial } else { &[] })));
            self.next = Next::Answer;
        } else if verb.eq_ignore_ascii_case(b"STARTTLS") {
            self.wait(tag, Asked::Tls);
        } else if self.waiting.is_empty() && is_one_of(verb, &INSIDE) {
            return Interest::Nothing;
        }
        Interest::Both
    }

    fn wait(&mut self, tag: &[u8], asked: Asked) {
        if self.waiting.len() == MOST_WAITING {
            self.waiting.remove(0);
        }
        self.waiting.push(Waiting { tag: tag.iter().take(MOST_TAG).copied().collect(), asked });
    }
}

/// The answer to a login. BAD means that the command was not understood.
fn judged(status: &[u8], text: &[u8]) -> Option<LoginOutcome> {
    if status.eq_ignore_ascii_case(b"OK") {
        Some(LoginOutcome::Succeeded)
    } else {
        (status.eq_ignore_ascii_case(b"NO") && !mentions(text, &OTHER_REASONS)).then_some(LoginOutcome::Failed)
    }
}

/// The answer to a command that was not captured: only its words tell.
fn told(status: &[u8], text: &[u8]) -> Option<LoginOutcome> {
    if status.eq_ignore_ascii_case(b"OK") {
        mentions(text, &["logged in", "LOGIN completed", "AUTHENTICATE completed"]).then_some(LoginOutcome::Succeeded)
    } else {
        mentions(text, &["[AUTHENTICATIONFAILED]", "LOGIN failed"]).then_some(LoginOutcome::Failed)
    }
}

/// What follows a line: more of its command where it ends with a number of bytes.
fn after(line: &[u8]) -> Next {
    if announced(line).is_some() { Next::Rest } else { Next::Command }
}

/// The literal `{5}` or `{5+}` (RFC 7888) at the end of a line.
fn announced(line: &[u8]) -> Option<usize> {
    let open = line.iter().rposition(|byte| *byte == b'{')?;
    let digits = line.get(open..)?.strip_prefix(b"{")?.strip_suffix(b"}")?;
    std::str::from_utf8(digits.strip_suffix(b"+").unwrap_or(digits)).ok()?.parse().ok()
}

/// The first argument: an atom, or quoted. A literal is on the next line.
fn user(arguments: &[u8]) -> String {
    let Some(quoted) = arguments.strip_prefix(b"\"") else {
        let (atom, password) = word(arguments);
        // Alone it may be the password of a user who was left out.
        return if password.is_empty() || atom.starts_with(b"{") { String::new() } else { name(atom) };
    };
    let mut user = Vec::new();
    let mut escaped = false;
    for byte in quoted {
        match byte {
            b'"' if !escaped => return name(&user),
            b'\\' if !escaped => escaped = true,
            byte => {
                user.push(*byte);
                escaped = false;
            }
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{logins, segment, survives_noise, told};
    use super::*;

    #[test]
    fn answers_find_their_commands_by_tag() {
        let (facts, interest) = told(
            begin,
            "S: * OK [CAPABILITY IMAP4rev1] ready
             C: a1 LOGIN tim tanstaaf
             C: a2 login \"o\\\"hara\" \"tanstaaf\"
             C: a3 NOOP
             S: a2 NO [AUTHENTICATIONFAILED] Authentication failed.
             S: a3 OK NOOP completed
             S: a1 NO LOGIN failed.
             C: a4 AUTHENTICATE PLAIN
             S: +
             C: AHRpbQB0YW5zdGFhZg==
             S: a4 OK Success (tls protection)",
        );
        let want = [("o\"hara", LoginOutcome::Failed, true), ("tim", LoginOutcome::Failed, true), ("tim", LoginOutcome::Succeeded, true)];
        assert_eq!(logins(&facts), want);
        assert_eq!(interest, Interest::Nothing);
        assert!(!format!("{facts:?}").contains("tanstaaf"));
    }

    #[test]
    fn announced_users_and_passwords_are_told_apart() {
        // RFC 9051 section 4.3: the literal follows the line that announces it, the command goes on after it.
        let (facts, _) = told(
            begin,
            "S: * OK hi
             C: a LOGIN {11}
             S: + Ready for additional command text
             C: FRED FOOBAR {7}
             S: + Ready for additional command text
             C: b LOGIN fat man
             S: a NO no
             C: c LOGIN tim {3+}
             C: man
             S: c NO no",
        );
        assert_eq!(logins(&facts), [("FRED FOOBAR", LoginOutcome::Failed, true), ("tim", LoginOutcome::Failed, true)]);
    }

    #[test]
    fn refusals_for_other_reasons_are_no_failed_logins() {
        for refused in [
            "C: a LOGIN b c\nS: a NO [PRIVACYREQUIRED] Plaintext authentication disallowed",
            "C: a LOGIN b c\nS: a BAD Unknown command",
            "C: a AUTHENTICATE FOO\nS: a NO Unsupported authentication mechanism.",
            "C: a AUTHENTICATE LOGIN\nS: + VXNlcm5hbWU6\nC: *\nS: a NO aborted",
        ] {
            assert_eq!(logins(&told(begin, &format!("S: * OK hi\n{refused}")).0), [], "{refused}");
        }
    }

    #[test]
    fn a_full_server_tls_and_mail_end_the_interest() {
        let (facts, interest) = told(begin, "S: * BYE Too many connections");
        assert_eq!((logins(&facts), interest), (vec![("", LoginOutcome::Dropped, true)], Interest::Nothing));
        assert_eq!(told(begin, "S: * OK hi\nC: a STARTTLS\nS: a OK Begin TLS").1, Interest::Nothing);
        assert_eq!(told(begin, "S: * OK hi\nC: a STARTTLS\nS: a NO later").1, Interest::Both);
        assert_eq!(told(begin, "S: * PREAUTH hi").1, Interest::Nothing);
        assert_eq!(told(begin, "S: * OK hi\nC: a SELECT INBOX").1, Interest::Nothing);
    }

    #[test]
    fn after_lost_bytes_the_outcome_is_told_without_a_user() {
        let mut dialogue = begin();
        let mut facts = Vec::new();
        dialogue.take(&segment(End::Client, b"a AUTHENTICATE LOGIN\r\n"), &mut facts);
        dialogue.take(&Segment { gap: true, ..segment(End::Client, b"dGFuc3RhYWY=\r\n") }, &mut facts);
        dialogue.take(&segment(End::Server, b"a NO no\r\nb NO [AUTHENTICATIONFAILED] no\r\n"), &mut facts);
        assert_eq!(logins(&facts), [("", LoginOutcome::Failed, true); 2]);
    }

    #[test]
    fn imap_is_known_by_greeting_or_tagged_command() {
        for (client, server) in [
            (&b""[..], &b"* OK Dovecot ready.\r\n"[..]),
            (b"a1 LOGIN x y\r\n", b""),
            (b"A CAPABILITY\r\n", b""),
            (b"a1 LOGIN x y\r\n", b"a1 NO failed\r\n"),
        ] {
            assert_eq!(recognise(client, server), Recognised::Yes, "{}", client.escape_ascii());
        }
        for (client, server) in [(&b""[..], &b"*"[..]), (b"a1", b""), (b"a1 LOG", b""), (b"", b"a1 NO failed\r\n")] {
            assert_eq!(recognise(client, server), Recognised::Maybe, "{}", client.escape_ascii());
        }
        for (client, server) in
            [(&b"GET / HTTP/1.1\r\n"[..], &b""[..]), (b"USER a\r\n", b""), (b"", b"220 x\r\n"), (b"*1\r\n", b""), (b"", b"SSH-2.0-x\r\n")]
        {
            assert_eq!(recognise(client, server), Recognised::No, "{} {}", client.escape_ascii(), server.escape_ascii());
        }
    }

    #[test]
    fn noise_is_survived() {
        survives_noise(begin, recognise);
    }
}
