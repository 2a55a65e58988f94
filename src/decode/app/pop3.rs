//! POP3 (RFC 1939, RFC 5034): who logs in to fetch mail, and with what outcome.
//!
//! Answers carry no name of what they answer: commands wait in the order they were given. Mail is not read.

use std::collections::VecDeque;

use super::conversation::{Talk, conversation};
use super::identify::Recognised;
use super::lines::{Line, begins, commands, is_one_of, mentions, word};
use super::sasl::Exchange;
use super::{Dialogue, End, Fact, Interest, Login, LoginOutcome, Segment, name};

const OWN: [&str; 7] = ["APOP", "CAPA", "STLS", "UIDL", "RETR", "TOP", "XTND"];
/// After `+OK` these too are POP3's; without it they may be those of FTP or SMTP.
const OWN_AFTER_OK: [&str; 5] = ["USER", "PASS", "AUTH", "STAT", "LIST"];
const SHARED: [&str; 9] = ["USER", "PASS", "AUTH", "QUIT", "NOOP", "STAT", "LIST", "DELE", "RSET"];

/// What is given only to who is logged in.
const INSIDE: [&str; 6] = ["STAT", "LIST", "UIDL", "RETR", "TOP", "DELE"];

/// Refusals that do not speak of user and password (RFC 2449, RFC 3206, and mail without TLS).
const OTHER_REASONS: [&str; 4] = ["[IN-USE]", "[LOGIN-DELAY]", "[SYS/", "plaintext"];

/// Most commands that may wait for their answers.
const MOST_WAITING: usize = 32;

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    if server.is_empty() {
        return commands(client, &[&OWN], &SHARED);
    }
    match begins(server, &["+OK", "-ERR"]) {
        // With a text: a bare status may be that of Redis.
        Recognised::Yes if begins(server, &["+OK ", "-ERR [", "-ERR too many"]) == Recognised::Yes => {
            if client.is_empty() {
                Recognised::Yes
            } else {
                commands(client, &[&OWN, &OWN_AFTER_OK], &SHARED)
            }
        }
        Recognised::Yes => commands(client, &[&OWN, &OWN_AFTER_OK], &SHARED),
        other => other,
    }
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    conversation::<Session>()
}

#[derive(Debug, Default)]
struct Session {
    user: String,
    waiting: VecDeque<Asked>,
    /// Open from AUTH to its verdict; the client's lines are answers then.
    exchange: Option<Exchange>,
    /// The server's greeting, which answers nothing, has passed.
    opened: bool,
}

/// A command that waits for its answer.
#[derive(Debug)]
enum Asked {
    Password { user: String },
    Exchange,
    Tls,
    Other,
}

impl Talk for Session {
    /// The ends take turns: after lost answers, the next one is for the last command.
    fn resume(&mut self, from: End) {
        self.opened = true;
        let kept = match from {
            End::Client => 0,
            End::Server => 1,
        };
        self.waiting.drain(..self.waiting.len().saturating_sub(kept));
        match &mut self.exchange {
            Some(exchange) if !self.waiting.is_empty() => exchange.spoil(),
            _ => self.exchange = None,
        }
    }

    fn say(&mut self, line: Line<'_>) -> Interest {
        self.opened = true;
        if let Some(exchange) = &mut self.exchange {
            exchange.answer(line.text, line.whole);
            return Interest::Both;
        }
        let (verb, arguments) = word(line.text);
        if self.waiting.is_empty() && is_one_of(verb, &INSIDE) {
            return Interest::Nothing;
        }
        let asked = self.asked(verb, arguments, line.whole);
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(asked);
        Interest::Both
    }

    fn answer(&mut self, line: Line<'_>, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let (status, text) = word(line.text);
        let accepted = status.eq_ignore_ascii_case(b"+OK");
        if !accepted && !status.eq_ignore_ascii_case(b"-ERR") {
            return Interest::Both;
        }
        let greeting = !std::mem::replace(&mut self.opened, true);
        let (user, outcome) = match self.waiting.pop_front() {
            None if greeting => (String::new(), (!accepted).then_some(LoginOutcome::Dropped)),
            None => (String::new(), told(accepted, text)),
            Some(Asked::Password { user }) => (user, judged(accepted, text)),
            Some(Asked::Exchange) => match self.exchange.take().filter(Exchange::is_answered) {
                Some(exchange) => (exchange.into_user(), judged(accepted, text)),
                None => (String::new(), None),
            },
            Some(Asked::Tls) if accepted => return Interest::Nothing,
            Some(Asked::Tls | Asked::Other) => (String::new(), None),
        };
        let Some(outcome) = outcome else { return Interest::Both };
        facts.push(Fact::Login(Login { user, outcome, certain: true, at: segment.at }));
        if outcome == LoginOutcome::Failed { Interest::Both } else { Interest::Nothing }
    }
}

impl Session {
    fn asked(&mut self, verb: &[u8], arguments: &[u8], whole: bool) -> Asked {
        let (first, rest) = word(arguments);
        if is_one_of(verb, &["USER", "APOP"]) {
            // One word: a client that says more may say its password.
            self.user = if whole { name(first) } else { String::new() };
        }
        if is_one_of(verb, &["PASS", "APOP"]) {
            return Asked::Password { user: self.user.clone() };
        }
        if verb.eq_ignore_ascii_case(b"AUTH") && !first.is_empty() {
            self.exchange = Some(Exchange::begin(first, if whole { rest } else { &[] }));
            return Asked::Exchange;
        }
        if verb.eq_ignore_ascii_case(b"STLS") { Asked::Tls } else { Asked::Other }
    }
}

/// The answer to a password.
fn judged(accepted: bool, text: &[u8]) -> Option<LoginOutcome> {
    match accepted {
        true => Some(LoginOutcome::Succeeded),
        false if mentions(text, &OTHER_REASONS) => None,
        false => Some(LoginOutcome::Failed),
    }
}

/// An answer to a command that was not captured: only its words tell.
fn told(accepted: bool, text: &[u8]) -> Option<LoginOutcome> {
    if accepted {
        mentions(text, &["logged in"]).then_some(LoginOutcome::Succeeded)
    } else {
        mentions(text, &["[AUTH]", "authentication failed", "login failed", "invalid password"]).then_some(LoginOutcome::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{logins, play, segment, survives_noise, told};
    use super::*;

    #[test]
    fn passwords_are_judged_by_their_own_answers() {
        let (facts, interest) = told(
            begin,
            "S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
             C: USER mrose
             S: -ERR no such mailbox
             C: USER tim
             S: +OK
             C: PASS tanstaaf
             S: -ERR [AUTH] Authentication failed.
             C: APOP ursel c4c9334bac560ecc979e58001b3e22fb
             S: -ERR permission denied
             C: AUTH PLAIN
             S: +
             C: AHRpbQB0YW5zdGFhZg==
             S: +OK maildrop locked and ready",
        );
        let want = [("tim", LoginOutcome::Failed, true), ("ursel", LoginOutcome::Failed, true), ("tim", LoginOutcome::Succeeded, true)];
        assert_eq!(logins(&facts), want);
        assert_eq!(interest, Interest::Nothing);
        assert!(!format!("{facts:?}").contains("tanstaaf"));
    }

    #[test]
    fn commands_given_at_once_keep_their_answers() {
        let (facts, _) = told(begin, "S: +OK hi\nC: USER tim\nC: PASS a\nC: STAT\nS: +OK\nS: -ERR bad\nS: -ERR not logged in");
        assert_eq!(logins(&facts), [("tim", LoginOutcome::Failed, true)]);
    }

    #[test]
    fn refusals_for_other_reasons_are_no_failed_logins() {
        for refused in [
            "C: USER a\nS: +OK\nC: PASS b\nS: -ERR [IN-USE] Do you have another POP session running?",
            "C: AUTH KERBEROS_V4\nS: -ERR unrecognized authentication type",
            "C: AUTH LOGIN\nS: +\nC: *\nS: -ERR aborted",
        ] {
            assert_eq!(logins(&told(begin, &format!("S: +OK hi\n{refused}")).0), [], "{refused}");
        }
    }

    #[test]
    fn a_capture_that_begins_in_the_middle_tells_the_answer_that_is_there() {
        let server = Segment { gap: true, ..segment(End::Server, b"-ERR wrong\r\n") };
        let (facts, _) = play(begin(), &[segment(End::Client, b"PASS b\r\n"), server]);
        assert_eq!(logins(&facts), [("", LoginOutcome::Failed, true)]);
        assert_eq!(logins(&told(begin, "S: +OK hi\nS: +OK\nS: -ERR [AUTH] no").0), [("", LoginOutcome::Failed, true)]);
    }

    #[test]
    fn a_full_server_tls_and_mail_end_the_interest() {
        let (facts, interest) = told(begin, "S: -ERR too many connections");
        assert_eq!((logins(&facts), interest), (vec![("", LoginOutcome::Dropped, true)], Interest::Nothing));
        assert_eq!(told(begin, "S: +OK hi\nC: STLS\nS: +OK Begin TLS").1, Interest::Nothing);
        assert_eq!(told(begin, "S: +OK hi\nC: STLS\nS: -ERR no").1, Interest::Both);
    }

    #[test]
    fn pop3_is_told_from_ftp_and_redis() {
        for (client, server) in [(&b""[..], &b"+OK Dovecot ready.\r\n"[..]), (b"USER a\r\n", b"+OK\r\n"), (b"CAPA\r\n", b"")] {
            assert_eq!(recognise(client, server), Recognised::Yes, "{}", server.escape_ascii());
        }
        for (client, server) in [(&b""[..], &b"+O"[..]), (b"USER a\r\nPASS b\r\n", b""), (b"", b"+OK\r\n")] {
            assert_eq!(recognise(client, server), Recognised::Maybe, "{}", server.escape_ascii());
        }
        for (client, server) in [(&b"USER a\r\n"[..], &b"331 Password\r\n"[..]), (b"*1\r\n$4\r\nPING\r\n", b"+OK\r\n"), (b"FEAT\r\n", b"")]
        {
            assert_eq!(recognise(client, server), Recognised::No, "{}", server.escape_ascii());
        }
    }

    #[test]
    fn noise_is_survived() {
        survives_noise(begin, recognise);
    }
}
