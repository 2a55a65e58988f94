//! Logins by SASL (RFC 4422) inside SMTP, POP3 and IMAP: who wants to log in, where the mechanism lets it be read.
//!
//! Passwords pass by here undecoded or are left behind in the decoded message; only the user is kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::lines::is_one_of;
use super::name;

/// One exchange, from the command that names the mechanism to the server's verdict.
#[derive(Debug)]
pub(super) struct Exchange {
    mechanism: Mechanism,
    user: String,
    answers: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    /// RFC 4616.
    Plain,
    /// User and password, each asked for.
    Login,
    /// RFC 2195.
    CramMd5,
    /// `user=` before the token, RFC 7628 writes it otherwise.
    Xoauth2,
    /// One that hides the user, or an exchange of which a part is missing.
    Opaque,
}

impl Exchange {
    /// `initial` is the client's first answer where it came with the command (RFC 4954, RFC 4959).
    pub fn begin(mechanism: &[u8], initial: &[u8]) -> Self {
        let mechanism = match () {
            () if is_one_of(mechanism, &["PLAIN"]) => Mechanism::Plain,
            () if is_one_of(mechanism, &["LOGIN"]) => Mechanism::Login,
            () if is_one_of(mechanism, &["CRAM-MD5"]) => Mechanism::CramMd5,
            () if is_one_of(mechanism, &["XOAUTH2"]) => Mechanism::Xoauth2,
            () => Mechanism::Opaque,
        };
        let mut exchange = Self { mechanism, user: String::new(), answers: 0 };
        if !initial.is_empty() {
            exchange.answer(initial, true);
        }
        exchange
    }

    /// An answer of the client, in base64. A lone asterisk takes the attempt back.
    pub fn answer(&mut self, line: &[u8], whole: bool) {
        if line == b"*" {
            self.spoil();
            self.answers = 0;
            return;
        }
        self.answers = self.answers.saturating_add(1);
        if self.answers == 1 && whole && self.mechanism != Mechanism::Opaque {
            self.user = STANDARD.decode(line.trim_ascii()).ok().and_then(|message| user(self.mechanism, &message)).unwrap_or_default();
        }
    }

    /// A part is missing: the next answer may be the password.
    pub fn spoil(&mut self) {
        self.mechanism = Mechanism::Opaque;
    }

    /// Whether the client gave anything to judge; otherwise the mechanism itself was refused.
    pub fn is_answered(&self) -> bool {
        self.answers > 0
    }

    pub fn into_user(self) -> String {
        self.user
    }
}

fn user(mechanism: Mechanism, message: &[u8]) -> Option<String> {
    match mechanism {
        Mechanism::Plain => plain(message),
        // A message with parts is that of PLAIN, and holds a password.
        Mechanism::Login => (!message.contains(&0)).then(|| name(message)),
        Mechanism::CramMd5 => message.iter().rposition(|byte| *byte == b' ').and_then(|end| message.get(..end)).map(name),
        Mechanism::Xoauth2 => message.strip_prefix(b"user=")?.split(|byte| *byte == 1).next().map(name),
        Mechanism::Opaque => None,
    }
}

/// `authorize NUL user NUL password`. With fewer parts the last could be taken for the user: none then.
fn plain(message: &[u8]) -> Option<String> {
    let mut parts = message.split(|byte| *byte == 0);
    let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    // `user NUL password NUL` is no such message; what stands second is not the user.
    (!password.is_empty()).then(|| name(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_of(mechanism: &str, answers: &[&[u8]]) -> String {
        let mut exchange = Exchange::begin(mechanism.as_bytes(), b"");
        answers.iter().for_each(|answer| exchange.answer(STANDARD.encode(answer).as_bytes(), true));
        exchange.into_user()
    }

    #[test]
    fn the_user_is_read_and_the_password_is_not() {
        // RFC 4616 section 4, RFC 2195 section 2 (the answer is given there in base64 too).
        assert_eq!(user_of("PLAIN", &[b"\0tim\0tanstaaftanstaaf"]), "tim");
        assert_eq!(user_of("plain", &[b"Ursel\0Kurt\0xipj3plmq"]), "Kurt");
        assert_eq!(user_of("LOGIN", &[b"tim", b"secret"]), "tim");
        assert_eq!(user_of("CRAM-MD5", &[b"tim b913a602c7eda7a495b4e6e7334d3890"]), "tim");
        let mut cram = Exchange::begin(b"CRAM-MD5", b"");
        cram.answer(b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw", true);
        assert_eq!(cram.into_user(), "tim");
        assert_eq!(user_of("XOAUTH2", &[b"user=tim@example.org\x01auth=Bearer token\x01\x01"]), "tim@example.org");
    }

    #[test]
    fn a_malformed_answer_gives_no_user() {
        assert_eq!(user_of("PLAIN", &[b"tim\0secret"]), "");
        assert_eq!(user_of("PLAIN", &[b"secret"]), "");
        assert_eq!(user_of("CRAM-MD5", &[b"secret"]), "");
        assert_eq!(user_of("SCRAM-SHA-1", &[b"n,,n=user,r=abc"]), "");
    }

    #[test]
    fn after_a_gap_no_answer_is_taken_for_the_user() {
        let mut exchange = Exchange::begin(b"LOGIN", b"");
        exchange.spoil();
        exchange.answer(STANDARD.encode(b"secret").as_bytes(), true);
        assert!(exchange.is_answered());
        assert_eq!(exchange.into_user(), "");
    }

    #[test]
    fn an_attempt_taken_back_is_none() {
        let mut exchange = Exchange::begin(b"LOGIN", b"dGlt");
        exchange.answer(b"*", true);
        assert!(!exchange.is_answered());
    }
}
