//! Telnet (RFC 854): who logs in at a terminal, as far as prompts and answers let it be told.
//!
//! There is no protocol for logging in, only text for people: a prompt asks for a user, another for a password,
//! then the server complains, asks again, or lets in. Only the complaint is certain.

use super::identify::Recognised;
use super::lines::mentions;
use super::{Dialogue, End, Fact, Interest, Login, LoginOutcome, MOST_NAME, Segment, name};

const IAC: u8 = 0xff;
const SUBNEGOTIATION: u8 = 0xfa;
const SUBNEGOTIATION_END: u8 = 0xf0;

const USER_PROMPTS: [&str; 6] = ["login:", "username:", "user name:", "user:", "login as:", "account:"];
const PASSWORD_PROMPTS: [&str; 3] = ["password:", "passwd:", "passcode:"];
const FAILED: [&str; 8] = ["incorrect", "failed", "denied", "invalid", "bad password", "authentication fail", "logon failure", "wrong"];
/// Said of earlier logins to who is let in; may count failed ones.
const LET_IN: [&str; 4] = ["last login", "last failed login", "last successful login", "logged in"];
const WELCOME: [&str; 2] = ["welcome", "successful"];

/// A complaint is short; a longer line is a message of the day.
const MOST_COMPLAINT: usize = 80;
/// How much of the text after the password is kept to judge it.
const MOST_HEARD: usize = 1 << 10;
/// A server that has said so much without asking anyone to log in will not.
const MOST_UNASKED: usize = 64 << 10;

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    match (negotiates(client), negotiates(server)) {
        (Recognised::Yes, _) | (_, Recognised::Yes) => Recognised::Yes,
        (Recognised::Maybe, Recognised::Maybe) => Recognised::Maybe,
        (Recognised::Maybe, Recognised::No) if client.is_empty() => prompts(server),
        _ => Recognised::No,
    }
}

/// An option of IANA's registry is offered, asked for or refused.
fn negotiates(bytes: &[u8]) -> Recognised {
    match bytes {
        [] | [IAC] | [IAC, SUBNEGOTIATION..=0xfe] => Recognised::Maybe,
        [IAC, SUBNEGOTIATION..=0xfe, 0..=49 | 138..=140, rest @ ..] if rest.first().is_none_or(|next| *next == IAC || next.is_ascii()) => {
            Recognised::Yes
        }
        _ => Recognised::No,
    }
}

/// Text that asks for a user without any negotiation, before the client has spoken.
fn prompts(server: &[u8]) -> Recognised {
    let other_protocol =
        matches!(server, [b'0'..=b'9' | b'+' | b'*' | b'-', ..]) || server.starts_with(b"SSH-") || server.starts_with(b"RFB ");
    if other_protocol || !server.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return Recognised::No;
    }
    let line = server.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    if ends_with(line, &USER_PROMPTS) { Recognised::Yes } else { Recognised::Maybe }
}

fn ends_with(line: &[u8], words: &[&str]) -> bool {
    let line = line.trim_ascii();
    let ends = |word: &str| {
        line.len().checked_sub(word.len()).and_then(|at| line.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
    };
    words.iter().any(|word| ends(word))
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::new(Telnet::default())
}

#[derive(Debug, Default)]
struct Telnet {
    client: Stripper,
    server: Stripper,
    terminal: Terminal,
}

impl Dialogue for Telnet {
    fn held(&self) -> usize {
        let Terminal { user, line, heard, .. } = &self.terminal;
        user.capacity() + line.capacity() + heard.capacity()
    }

    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let Self { client, server, terminal } = self;
        let stripper = match segment.from {
            End::Client => client,
            End::Server => server,
        };
        if segment.gap {
            *stripper = Stripper::default();
            terminal.resume(segment.from);
        }
        let text = segment.bytes.iter().filter_map(|byte| stripper.text(*byte));
        match segment.from {
            End::Client => {
                text.for_each(|byte| terminal.typed(byte));
                Interest::Both
            }
            End::Server => {
                let before = terminal.unasked;
                text.for_each(|byte| terminal.shown(byte));
                if terminal.unasked == before { Interest::Both } else { terminal.judge(segment, facts) }
            }
        }
    }
}

/// Takes the commands out of one end's bytes.
#[derive(Clone, Copy, Debug, Default)]
enum Stripper {
    #[default]
    Text,
    Command,
    Option,
    Subnegotiation,
    CommandInSubnegotiation,
}

impl Stripper {
    fn text(&mut self, byte: u8) -> Option<u8> {
        let (next, text) = match (*self, byte) {
            (Self::Text, IAC) => (Self::Command, None),
            (Self::Text, byte) => (Self::Text, Some(byte)),
            // Escaped: a byte of text.
            (Self::Command, IAC) => (Self::Text, Some(IAC)),
            (Self::Command, SUBNEGOTIATION) => (Self::Subnegotiation, None),
            (Self::Command, 0xfb..=0xfe) => (Self::Option, None),
            (Self::Command | Self::Option, _) | (Self::CommandInSubnegotiation, SUBNEGOTIATION_END) => (Self::Text, None),
            (Self::Subnegotiation, IAC) => (Self::CommandInSubnegotiation, None),
            (Self::Subnegotiation | Self::CommandInSubnegotiation, _) => (Self::Subnegotiation, None),
        };
        *self = next;
        text
    }
}

#[derive(Debug, Default)]
struct Terminal {
    phase: Phase,
    /// What was typed at the user's prompt.
    user: Vec<u8>,
    /// The server's unfinished line.
    line: Vec<u8>,
    /// This line has asked already; what follows on it is the echo.
    line_asked: bool,
    /// What the server said since it asked for the password.
    heard: Vec<u8>,
    /// Bytes that the server showed since it last asked anything.
    unasked: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Outside,
    /// The user is typed.
    User,
    /// The user was typed; `more` was typed since, the password ahead of its prompt.
    Named { more: bool },
    /// The password is typed, and not kept.
    Password,
    /// The password was sent.
    Sent,
}

impl Terminal {
    fn resume(&mut self, from: End) {
        match from {
            // The user may be among what was lost: the next line typed may be the password.
            End::Client => {
                self.user.clear();
                if self.phase == Phase::User {
                    self.phase = Phase::Named { more: false };
                }
            }
            End::Server => self.line.clear(),
        }
    }

    fn typed(&mut self, byte: u8) {
        let enter = matches!(byte, b'\r' | b'\n');
        if enter {
            self.end_line();
        }
        match self.phase {
            Phase::User if enter && !self.user.is_empty() => self.phase = Phase::Named { more: false },
            Phase::User if matches!(byte, 8 | 127) => {
                self.user.pop();
            }
            Phase::User if byte >= b' ' && self.user.len() < MOST_NAME => self.user.push(byte),
            Phase::Named { .. } if byte >= b' ' => self.phase = Phase::Named { more: true },
            Phase::Password if enter => self.phase = Phase::Sent,
            _ => {}
        }
    }

    fn shown(&mut self, byte: u8) {
        self.unasked = self.unasked.saturating_add(1);
        if matches!(self.phase, Phase::Password | Phase::Sent) && self.heard.len() < MOST_HEARD {
            self.heard.push(byte);
        }
        if matches!(byte, b'\r' | b'\n') {
            self.end_line();
        } else if self.line.len() < MOST_COMPLAINT {
            self.line.push(byte);
        }
    }

    /// Of either end: not every terminal echoes it.
    fn end_line(&mut self) {
        self.line.clear();
        self.line_asked = false;
    }

    /// At the end of a segment the server has said what it wanted to say.
    fn judge(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let asks_user = !self.line_asked && ends_with(&self.line, &USER_PROMPTS) && !mentions(&self.line, &["last login"]);
        let asks_password = !self.line_asked && ends_with(&self.line, &PASSWORD_PROMPTS);
        let outcome = self.outcome(asks_user || asks_password);
        if let Some((outcome, certain)) = outcome {
            facts.push(Fact::Login(Login { user: name(&self.user), outcome, certain, at: segment.at }));
            self.phase = Phase::Outside;
        }
        if outcome.is_some_and(|(outcome, _)| outcome == LoginOutcome::Succeeded) {
            return Interest::Nothing;
        }
        if asks_user {
            self.user.clear();
            self.ask(Phase::User);
        } else if asks_password {
            let sent_ahead = self.phase == Phase::Named { more: true };
            self.ask(if sent_ahead { Phase::Sent } else { Phase::Password });
        }
        if self.unasked > MOST_UNASKED { Interest::Nothing } else { Interest::Both }
    }

    fn ask(&mut self, phase: Phase) {
        self.phase = phase;
        self.line_asked = true;
        self.heard.clear();
        self.unasked = 0;
    }

    /// With whether it is certain. Asking again is a refusal, whatever greeting precedes it.
    fn outcome(&self, asks_again: bool) -> Option<(LoginOutcome, bool)> {
        let in_time = matches!(self.phase, Phase::Password | Phase::Sent);
        if !in_time {
            return None;
        }
        let complains = |line: &[u8]| line.len() <= MOST_COMPLAINT && mentions(line, &FAILED);
        if mentions(&self.heard, &LET_IN) {
            return Some((LoginOutcome::Succeeded, false));
        }
        if self.heard.split(|byte| matches!(byte, b'\r' | b'\n')).any(complains) {
            return Some((LoginOutcome::Failed, true));
        }
        if self.phase == Phase::Password {
            return None;
        }
        if asks_again {
            return Some((LoginOutcome::Failed, false));
        }
        (mentions(&self.heard, &WELCOME) || is_shell_prompt(&self.line)).then_some((LoginOutcome::Succeeded, false))
    }
}

/// `$`, `router>`, `root@host:~# `, but no rule drawn with the same sign.
fn is_shell_prompt(line: &[u8]) -> bool {
    match line.trim_ascii() {
        [.., before, sign @ (b'$' | b'#' | b'>' | b'%')] => before != sign,
        [b'$' | b'#' | b'>' | b'%'] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{logins, play, segment, survives_noise};
    use super::*;

    const OPTIONS: &[u8] = b"\xff\xfd\x18\xff\xfb\x01\xff\xfa\x18login:\xff\xff\xff\xf0";

    fn heard(turns: &[(End, &[u8])]) -> (Vec<Fact>, Interest) {
        let segments: Vec<_> = turns.iter().map(|(from, bytes)| segment(*from, bytes)).collect();
        for kept in 0..40 {
            let cut: Vec<_> =
                segments.iter().map(|whole| Segment { bytes: whole.bytes.get(..kept).unwrap_or(whole.bytes), ..*whole }).collect();
            play(begin(), &cut);
        }
        play(begin(), &segments)
    }

    #[test]
    fn a_user_typed_letter_by_letter_with_echo_and_correction_is_read() {
        let turns: [(End, &[u8]); 12] = [
            (End::Server, OPTIONS),
            (End::Server, b"host login: "),
            (End::Client, b"a"),
            (End::Server, b"a"),
            (End::Client, b"x\x7f"),
            (End::Server, b"x\x08 \x08"),
            (End::Client, b"\xff\xfd\x01dm\r\0"),
            (End::Server, b"dm\r\nPassword: "),
            (End::Client, b"secret\r\0"),
            (End::Server, b"\r\n"),
            (End::Server, b"Login incorrect\r\n"),
            (End::Server, b"host login: "),
        ];
        let (facts, interest) = heard(&turns);
        assert_eq!(logins(&facts), [("adm", LoginOutcome::Failed, true)]);
        assert_eq!(interest, Interest::Both);
        let single: Vec<_> = turns.iter().flat_map(|(from, bytes)| bytes.chunks(1).map(|byte| segment(*from, byte))).collect();
        assert_eq!(logins(&play(begin(), &single).0), [("adm", LoginOutcome::Failed, true)]);
    }

    #[test]
    fn each_way_in_and_out_after_the_password_is_known() {
        for (said, want) in [
            (&b"\r\nLast login: Fri Mar  3 18:49 from a\r\n$ "[..], Some((LoginOutcome::Succeeded, false))),
            (b"\r\nLast failed login: Fri\r\nThere were 2 failed login attempts\r\n# ", Some((LoginOutcome::Succeeded, false))),
            (b"\r\nBusyBox v1.1\r\n\r\n~ # ", Some((LoginOutcome::Succeeded, false))),
            (b"\r\nrouter>", Some((LoginOutcome::Succeeded, false))),
            (b"\r\n% Login invalid\r\n\r\nUsername: ", Some((LoginOutcome::Failed, true))),
            (b"\r\nPassword: ", Some((LoginOutcome::Failed, false))),
            (b"\r\nWelcome to Acme\r\nlogin: ", Some((LoginOutcome::Failed, false))),
            (b"\r\n##########", None),
            (b"\r\n", None),
        ] {
            let (facts, _) = heard(&[
                (End::Server, b"login: "),
                (End::Client, b"root\r\n"),
                (End::Server, b"Password: "),
                (End::Client, b"x\r\n"),
                (End::Server, said),
            ]);
            let got: Vec<_> = logins(&facts).into_iter().map(|(user, outcome, certain)| (user.to_owned(), outcome, certain)).collect();
            let want: Vec<_> = want.into_iter().map(|(outcome, certain)| ("root".to_owned(), outcome, certain)).collect();
            assert_eq!(got, want, "{}", said.escape_ascii());
        }
    }

    #[test]
    fn a_password_sent_ahead_of_its_prompt_is_not_the_user() {
        let (facts, _) = heard(&[
            (End::Server, b"login: "),
            (End::Client, b"root\r\nsecret\r\n"),
            (End::Server, b"Password: "),
            (End::Server, b"\r\n# "),
        ]);
        assert_eq!(logins(&facts), [("root", LoginOutcome::Succeeded, false)]);
    }

    #[test]
    fn a_banner_that_warns_is_no_failed_login() {
        let (facts, _) =
            heard(&[(End::Server, b"Unauthorized access is denied\r\nlogin: "), (End::Client, b"a\r\n"), (End::Server, b"Password: ")]);
        assert_eq!(logins(&facts), []);
    }

    #[test]
    fn telnet_is_known_by_negotiation_or_prompt() {
        for (client, server) in [(&b""[..], &b"\xff\xfd\x01"[..]), (b"\xff\xfb\x1f\xff\xfd\x03", b""), (b"", b"Welcome\r\nhost login: ")] {
            assert_eq!(recognise(client, server), Recognised::Yes, "{}", server.escape_ascii());
        }
        for (client, server) in [(&b""[..], &b""[..]), (b"", b"\xff\xfd"), (b"", b"Welcome\r\n")] {
            assert_eq!(recognise(client, server), Recognised::Maybe, "{}", server.escape_ascii());
        }
        for (client, server) in [
            (&b""[..], &b"\xff\xd8\xff\xe0"[..]),
            (b"GET / HTTP/1.1\r\n", b""),
            (b"", b"220 FTP\r\n"),
            (b"hello", b"Welcome\r\nlogin: "),
            (b"\xff\xff\xff\xff", b""),
        ] {
            assert_eq!(recognise(client, server), Recognised::No, "{}", server.escape_ascii());
        }
    }

    #[test]
    fn noise_is_survived() {
        survives_noise(begin, recognise);
    }
}
