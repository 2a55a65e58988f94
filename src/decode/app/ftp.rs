//! FTP (RFC 959, RFC 4217): who logs in at the control connection, and with what outcome.
//!
//! Follows the dialogue until a login succeeds or TLS begins. Transfers and their connections are not its concern.

use super::conversation::{Talk, conversation};
use super::identify::Recognised;
use super::lines::{Line, commands, mentions, word};
use super::replies::{Opening, Replies, has_enhanced_status, opening};
use super::{Dialogue, End, Fact, Interest, Login, LoginOutcome, Segment, name};

const OWN: [&str; 20] = [
    "AUTH TLS",
    "AUTH SSL",
    "AUTH TLS-C",
    "AUTH TLS-P",
    "FEAT",
    "SYST",
    "PASV",
    "EPSV",
    "PORT",
    "EPRT",
    "CWD",
    "PWD",
    "XPWD",
    "TYPE",
    "OPTS",
    "CLNT",
    "PBSZ",
    "PROT",
    "RETR",
    "NLST",
];
/// After a numbered reply these too are FTP's; without one they may be POP3's.
const OWN_AFTER_REPLY: [&str; 2] = ["USER", "PASS"];
const SHARED: [&str; 8] = ["USER", "PASS", "QUIT", "NOOP", "HELP", "LIST", "STAT", "DELE"];

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

/// A whole line only: the word that speaks for SMTP may be its last.
fn greeting(code: u16, text: &[u8], whole: bool) -> Recognised {
    let ftp = match code {
        331 | 332 => return Recognised::Yes,
        220 if mentions(text, &["ftp"]) => true,
        230 | 530 => mentions(text, &["log", "password", "user"]),
        421 => mentions(text, &["ftp", "connections", "users", "clients", "sessions"]) && !word(text).0.contains(&b'.'),
        _ => false,
    };
    if has_enhanced_status(text) {
        Recognised::No
    } else if whole && ftp && !mentions(text, &["smtp"]) {
        Recognised::Yes
    } else {
        Recognised::Maybe
    }
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    conversation::<Session>()
}

#[derive(Debug, Default)]
struct Session {
    replies: Replies,
    user: String,
    asked: Asked,
    /// Something was said before: a refusal now is no refusal to talk at all.
    opened: bool,
    banner_told: bool,
}

/// What the next reply answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    /// Not seen.
    #[default]
    Unknown,
    User,
    Password,
    Other,
}

impl Talk for Session {
    fn resume(&mut self, from: End) {
        self.opened = true;
        match from {
            End::Client => self.asked = Asked::Unknown,
            End::Server => self.replies.forget(),
        }
    }

    fn say(&mut self, line: Line<'_>) -> Interest {
        let (verb, argument) = word(line.text);
        self.opened = true;
        self.asked = if verb.eq_ignore_ascii_case(b"USER") {
            self.user = if line.whole { name(argument) } else { String::new() };
            Asked::User
        } else if verb.eq_ignore_ascii_case(b"PASS") {
            Asked::Password
        } else {
            Asked::Other
        };
        Interest::Both
    }

    fn answer(&mut self, line: Line<'_>, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let Some(reply) = self.replies.read(line.text) else { return Interest::Both };
        if reply.code == 220 && !self.banner_told && reply.text.iter().any(u8::is_ascii_alphanumeric) {
            self.banner_told = true;
            facts.push(Fact::Software(End::Server, name(reply.text)));
        }
        if !reply.first {
            return Interest::Both;
        }
        if let Some(outcome) = self.outcome(reply.code, reply.text) {
            let user = if outcome == LoginOutcome::Dropped { String::new() } else { self.user.clone() };
            facts.push(Fact::Login(Login { user, outcome, certain: true, at: segment.at }));
        }
        self.go_on(reply.code)
    }
}

impl Session {
    fn outcome(&self, code: u16, text: &[u8]) -> Option<LoginOutcome> {
        match code {
            421 if !self.opened => Some(LoginOutcome::Dropped),
            230 | 232 => Some(LoginOutcome::Succeeded),
            430 | 530..=532 | 535 if self.is_refusal(text) => {
                let crowded = mentions(text, &["too many connections", "too many users", "too many clients", "maximum number"]);
                Some(if crowded { LoginOutcome::Dropped } else { LoginOutcome::Failed })
            }
            _ => None,
        }
    }

    /// The same code asks others to log in first; to a user alone, or to what was not seen, the words decide.
    fn is_refusal(&self, text: &[u8]) -> bool {
        match self.asked {
            Asked::Password => true,
            Asked::User | Asked::Unknown => mentions(text, &["incorrect", "fail", "denied", "invalid", "cannot log in", "maximum number"]),
            Asked::Other => false,
        }
    }

    fn go_on(&mut self, code: u16) -> Interest {
        let was_opened = std::mem::replace(&mut self.opened, true);
        self.asked = match code {
            // The password comes next, even if it is not seen.
            331 | 332 => Asked::Password,
            100..=199 => self.asked,
            _ => Asked::Other,
        };
        match code {
            421 if !was_opened => Interest::Nothing,
            // Logged in; TLS begins; or transfers, which only who is logged in has.
            230 | 232 | 234 | 125 | 150 | 226 | 227 | 229 | 250 | 257 => Interest::Nothing,
            _ => Interest::Both,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{logins, play, segment, survives_noise, told};
    use super::*;

    #[test]
    fn each_refused_password_is_one_failed_login_of_the_user_named_before() {
        let (facts, interest) = told(
            begin,
            "S: 220 FTP Service
             C: USER admin
             S: 331 Password required for admin.
             C: PASS merlin
             S: 530 Login incorrect.
             C: SYST
             S: 530 Please login with USER and PASS.
             C: USER root
             S: 331-Be quick.
             S: 331 Password required for root.
             C: PASS hunter2
             S: 230-Welcome
             S: 230 Logged in.",
        );
        assert_eq!(facts.first(), Some(&Fact::Software(End::Server, "FTP Service".to_owned())));
        assert_eq!(logins(&facts), [("admin", LoginOutcome::Failed, true), ("root", LoginOutcome::Succeeded, true)]);
        assert_eq!(interest, Interest::Nothing);
        assert!(!format!("{facts:?}").contains("merlin"));
    }

    #[test]
    fn a_request_to_log_in_first_is_no_failed_login() {
        let (facts, _) = told(begin, "S: 220 FTP\nC: CWD /\nS: 530 Please login with USER and PASS.");
        assert_eq!(logins(&facts), []);
        let (facts, _) = told(begin, "S: 220 FTP\nC: USER a\nS: 530 Non-anonymous sessions must use encryption.");
        assert_eq!(logins(&facts), []);
    }

    #[test]
    fn the_server_alone_tells_outcomes_too() {
        let (facts, _) = told(begin, "S: 220 FTP\nS: 331 Password required.\nS: 530 No.\nS: 331 Password required.\nS: 530 No.");
        assert_eq!(logins(&facts), [("", LoginOutcome::Failed, true); 2]);
        let middle = Segment { gap: true, ..segment(End::Server, b"530 Login incorrect.\r\n") };
        assert_eq!(logins(&play(begin(), &[middle]).0), [("", LoginOutcome::Failed, true)]);
    }

    #[test]
    fn a_server_that_is_full_drops_the_login_and_one_that_times_out_does_not() {
        let (facts, interest) = told(begin, "S: 421 There are too many connections from your internet address.");
        assert_eq!((logins(&facts), interest), (vec![("", LoginOutcome::Dropped, true)], Interest::Nothing));
        let (facts, _) = told(begin, "S: 220 FTP\nS: 421 Timeout.");
        assert_eq!(logins(&facts), []);
    }

    #[test]
    fn nothing_is_read_once_tls_begins() {
        assert_eq!(told(begin, "S: 220 FTP\nC: AUTH TLS\nS: 234 Go ahead").1, Interest::Nothing);
        assert_eq!(told(begin, "S: 220 FTP\nC: AUTH TLS\nS: 500 What?").1, Interest::Both);
    }

    #[test]
    fn ftp_is_told_from_smtp_and_pop3() {
        for (client, server) in [
            (&b""[..], &b"220 FTP Service\r\n"[..]),
            (b"USER a\r\n", b"220 Welcome\r\n"),
            (b"", b"331 Password required"),
            (b"", b"530 Login incorrect.\r\n"),
            (b"USER a\r\nPASS b\r\nPASV\r\n", b""),
            (b"", b"421 Too many connections (8) from this IP\r\n"),
        ] {
            assert_eq!(recognise(client, server), Recognised::Yes, "{}", server.escape_ascii());
        }
        for (client, server) in
            [(&b""[..], &b""[..]), (b"", b"220 Welc"), (b"", b"220 mail.ftp.example"), (b"USER a\r\n", b""), (b"US", b"220 x\r\n")]
        {
            assert_eq!(recognise(client, server), Recognised::Maybe, "{}", server.escape_ascii());
        }
        for (client, server) in [
            (&b"EHLO a\r\n"[..], &b"220 mail.ftp.example.org ESMTP\r\n"[..]),
            (b"", b"+OK POP3\r\n"),
            (b"GET / HTTP/1.1\r\n", b""),
            (b"", b"HTTP/1.1 200 OK\r\n"),
            (b"", b"535 5.7.8 Error\r\n"),
        ] {
            assert_eq!(recognise(client, server), Recognised::No, "{}", server.escape_ascii());
        }
    }

    #[test]
    fn noise_is_survived() {
        survives_noise(begin, recognise);
    }
}
