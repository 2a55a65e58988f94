//! SMTP (RFC 5321) with AUTH (RFC 4954): who logs in to send, and with what outcome.
//!
//! Mail itself is not read: nothing is of interest once a message begins, a login succeeds or TLS does.

use super::conversation::{Talk, conversation};
use super::identify::Recognised;
use super::lines::{Line, commands, is_one_of, mentions, word};
use super::replies::{Opening, Replies, has_enhanced_status, opening};
use super::sasl::Exchange;
use super::{Dialogue, End, Fact, Interest, Login, LoginOutcome, Segment};

const OWN: [&str; 6] = ["EHLO", "HELO", "MAIL FROM", "RCPT TO", "VRFY", "EXPN"];
/// After a numbered reply these too are SMTP's; without one they may be POP3's or anyone's.
const OWN_AFTER_REPLY: [&str; 4] = ["STARTTLS", "AUTH PLAIN", "AUTH LOGIN", "AUTH CRAM-MD5"];
const SHARED: [&str; 6] = ["QUIT", "NOOP", "HELP", "RSET", "AUTH", "STARTTLS"];

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    match opening(server) {
        Opening::TooFew if server.is_empty() => commands(client, &[&OWN], &SHARED),
        Opening::TooFew => Recognised::Maybe,
        Opening::NoReply => Recognised::No,
        Opening::Reply { code, text, whole } => match greeting(code, text, whole) {
            Recognised::Maybe => commands(client, &[&OWN, &OWN_AFTER_REPLY], &SHARED),
            decided => decided,
        },
    }
}

fn greeting(code: u16, text: &[u8], whole: bool) -> Recognised {
    match code {
        220 if whole && mentions(text, &["esmtp"]) => Recognised::Yes,
        220 if whole && mentions(text, &["smtp"]) && !mentions(text, &["ftp"]) => Recognised::Yes,
        421 if whole && mentions(text, &["smtp"]) => Recognised::Yes,
        // RFC 5321 section 4.2.2: the server's domain follows the code.
        421 if whole && word(text).0.contains(&b'.') => Recognised::Yes,
        235 | 250 | 334 | 354 | 421 | 450..=454 | 530 | 535 | 550..=554 if has_enhanced_status(text) => Recognised::Yes,
        331 | 332 | 230 | 227 | 229 => Recognised::No,
        _ => Recognised::Maybe,
    }
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    conversation::<Session>()
}

#[derive(Debug, Default)]
struct Session {
    replies: Replies,
    /// Open from the client's AUTH to the server's verdict; the client's lines are answers then.
    exchange: Option<Exchange>,
    /// The client has asked for TLS, or the server has greeted already: another 220 begins it.
    tls_is_next: bool,
    opened: bool,
}

impl Talk for Session {
    fn resume(&mut self, _from: End) {
        self.opened = true;
        self.replies.forget();
        if let Some(exchange) = &mut self.exchange {
            exchange.spoil();
        }
    }

    fn say(&mut self, line: Line<'_>) -> Interest {
        self.opened = true;
        if let Some(exchange) = &mut self.exchange {
            exchange.answer(line.text, line.whole);
            return Interest::Both;
        }
        let (verb, arguments) = word(line.text);
        if verb.eq_ignore_ascii_case(b"AUTH") {
            let (mechanism, initial) = word(arguments);
            self.exchange = Some(Exchange::begin(mechanism, if line.whole { initial } else { &[] }));
        }
        self.tls_is_next |= verb.eq_ignore_ascii_case(b"STARTTLS");
        if is_one_of(verb, &["DATA", "BDAT"]) { Interest::Nothing } else { Interest::Both }
    }

    fn answer(&mut self, line: Line<'_>, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let Some(reply) = self.replies.read(line.text).filter(|reply| reply.first) else { return Interest::Both };
        let was_opened = std::mem::replace(&mut self.opened, true);
        let crowded = reply.code == 421 || reply.code >= 500 && mentions(reply.text, &["too many"]);
        let outcome = match reply.code {
            _ if !was_opened && crowded => Some(LoginOutcome::Dropped),
            235 => Some(LoginOutcome::Succeeded),
            535 => Some(LoginOutcome::Failed),
            _ => None,
        };
        let exchange = if reply.code == 235 || reply.code >= 400 { self.exchange.take() } else { None };
        if let Some(outcome) = outcome {
            let user = exchange.map(Exchange::into_user).unwrap_or_default();
            facts.push(Fact::Login(Login { user, outcome, certain: true, at: segment.at }));
        }
        let tls = reply.code == 220 && std::mem::replace(&mut self.tls_is_next, true);
        let over = tls || reply.code == 354 || matches!(outcome, Some(LoginOutcome::Succeeded | LoginOutcome::Dropped));
        if over { Interest::Nothing } else { Interest::Both }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{logins, segment, survives_noise, told};
    use super::*;

    #[test]
    fn users_are_read_from_every_way_to_log_in() {
        // `printf '\0tim\0tanstaaf' | base64`, `printf tim | base64`, `printf tanstaaf | base64`.
        let (facts, interest) = told(
            begin,
            "S: 220 mail.example.org ESMTP
             C: EHLO me
             S: 250-mail.example.org
             S: 250 AUTH PLAIN LOGIN
             C: AUTH PLAIN AHRpbQB0YW5zdGFhZg==
             S: 535 5.7.8 Error: authentication failed
             C: AUTH PLAIN
             S: 334
             C: AHRpbQB0YW5zdGFhZg==
             S: 535 5.7.8 Error: authentication failed
             C: AUTH LOGIN dGlt
             S: 334 UGFzc3dvcmQ6
             C: dGFuc3RhYWY=
             S: 535 5.7.8 Error: authentication failed
             C: auth login
             S: 334 VXNlcm5hbWU6
             C: dGlt
             S: 334 UGFzc3dvcmQ6
             C: dGFuc3RhYWY=
             S: 235 2.7.0 Authentication successful",
        );
        let failed = ("tim", LoginOutcome::Failed, true);
        assert_eq!(logins(&facts), [failed, failed, failed, ("tim", LoginOutcome::Succeeded, true)]);
        assert_eq!(interest, Interest::Nothing);
        assert!(!format!("{facts:?}").contains("tanstaaf"));
    }

    #[test]
    fn a_refused_mechanism_or_mail_is_no_failed_login() {
        let (facts, _) = told(
            begin,
            "S: 220 a ESMTP
             C: AUTH NTLM
             S: 504 5.5.4 Unrecognized authentication type
             C: MAIL FROM:<a@example.org>
             S: 530 5.7.0 Authentication required",
        );
        assert_eq!(logins(&facts), []);
    }

    #[test]
    fn mail_and_tls_end_the_interest() {
        assert_eq!(told(begin, "S: 220 a ESMTP\nC: EHLO b\nS: 250 a\nC: DATA").1, Interest::Nothing);
        assert_eq!(told(begin, "S: 220-a ESMTP\nS: 220 hello\nC: STARTTLS\nS: 220 2.0.0 Ready").1, Interest::Nothing);
        assert_eq!(told(begin, "S: 220-a ESMTP\nS: 220 hello\nC: STARTTLS\nS: 454 4.7.0 Not now").1, Interest::Both);
    }

    #[test]
    fn a_server_that_is_full_drops_the_login() {
        let (facts, _) = told(begin, "S: 421 4.7.0 a.example.org Error: too many connections from 192.0.2.1");
        assert_eq!(logins(&facts), [("", LoginOutcome::Dropped, true)]);
        let (facts, _) = told(begin, "S: 220 a ESMTP\nS: 421 4.4.2 timeout exceeded");
        assert_eq!(logins(&facts), []);
    }

    #[test]
    fn after_lost_bytes_the_password_is_not_taken_for_the_user() {
        let mut dialogue = begin();
        let mut facts = Vec::new();
        dialogue.take(&segment(End::Client, b"AUTH LOGIN\r\n"), &mut facts);
        dialogue.take(&Segment { gap: true, ..segment(End::Client, b"dGFuc3RhYWY=\r\n") }, &mut facts);
        dialogue.take(&segment(End::Server, b"535 no\r\n"), &mut facts);
        assert_eq!(logins(&facts), [("", LoginOutcome::Failed, true)]);
    }

    #[test]
    fn smtp_is_told_from_ftp_and_pop3() {
        for (client, server) in [
            (&b""[..], &b"220 mail01 ESMTP Postfix (Ubuntu)\r\n"[..]),
            (b"EHLO a\r\n", b"220 welcome\r\n"),
            (b"HELO a\r\n", b""),
            (b"", b"535 5.7.8 Error"),
            (b"", b"421 mx.example.org Too many connections\r\n"),
        ] {
            assert_eq!(recognise(client, server), Recognised::Yes, "{}", server.escape_ascii());
        }
        for (client, server) in [(&b""[..], &b"220 mail01"[..]), (b"EH", b""), (b"AUTH PLAIN x\r\n", b"")] {
            assert_eq!(recognise(client, server), Recognised::Maybe, "{}", server.escape_ascii());
        }
        for (client, server) in
            [(&b"USER a\r\n"[..], &b"220 FTP\r\n"[..]), (b"", b"331 Password required"), (b"", b"+OK\r\n"), (b"\x16\x03\x01", b"")]
        {
            assert_eq!(recognise(client, server), Recognised::No, "{}", server.escape_ascii());
        }
    }

    #[test]
    fn noise_is_survived() {
        survives_noise(begin, recognise);
    }
}
