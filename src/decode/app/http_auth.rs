//! HTTP credentials (RFC 7617, RFC 7616, NTLM over HTTP): who wants to log in.
//!
//! A password is decoded together with its user and dropped at once; it leaves this module in no form.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::ntlm;

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Credentials that prove a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub user: String,
    /// A refusal may mean no more than that the server's nonce is too old.
    pub is_digest: bool,
}

/// What an `Authorization` field proves; none for tokens, and while NTLM is only being negotiated.
pub(super) fn credentials(value: &[u8]) -> Option<Credentials> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at_checked(space)?;
    let rest = rest.trim_ascii();
    let is = |wanted: &[u8]| scheme.eq_ignore_ascii_case(wanted);
    if is(b"Basic") {
        Some(Credentials { user: basic(rest), is_digest: false })
    } else if is(b"Digest") {
        Some(Credentials { user: digest(rest), is_digest: true })
    } else if is(b"NTLM") || is(b"Negotiate") {
        let user = ntlm::user(&BASE64.decode(rest).ok()?).filter(|user| !user.is_empty())?;
        Some(Credentials { user, is_digest: false })
    } else {
        None
    }
}

fn basic(encoded: &[u8]) -> String {
    let decoded = BASE64.decode(encoded).unwrap_or_default();
    let colon = decoded.iter().position(|byte| *byte == b':').unwrap_or_default();
    super::name(decoded.get(..colon).unwrap_or_default())
}

fn digest(parameters: &[u8]) -> String {
    const NAME: &[u8] = b"username=";
    let named = |parameter: &&[u8]| parameter.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME));
    let user = parameters.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).find(named).unwrap_or_default();
    let user = user.get(NAME.len()..).unwrap_or_default();
    let user = user.strip_prefix(b"\"").unwrap_or(user);
    super::name(user.strip_suffix(b"\"").unwrap_or(user))
}

/// Whether the head of a refusal asks for the same credentials with a new nonce (RFC 7616 section 3.3).
pub(super) fn is_stale(head: &[u8]) -> bool {
    let says = |wanted: &[u8]| head.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted));
    says(b"stale=true") || says(b"stale=\"true\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(value: &str) -> Option<String> {
        credentials(value.as_bytes()).map(|credentials| credentials.user)
    }

    #[test]
    fn users_are_those_of_the_examples_in_the_standards() {
        assert_eq!(user("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").as_deref(), Some("Aladdin"), "RFC 7617 section 2");
        assert_eq!(
            user("Digest username=\"Mufasa\", realm=\"http-auth@example.org\"").as_deref(),
            Some("Mufasa"),
            "RFC 7616 section 3.9.1"
        );
    }

    #[test]
    fn only_the_message_that_proves_a_password_counts_in_ntlm() {
        let mut message = ntlm::authenticate("CORP", "zoe");
        assert_eq!(user(&format!("Negotiate {}", BASE64.encode(&message))).as_deref(), Some("CORP\\zoe"));
        message[8] = 1;
        assert_eq!(user(&format!("NTLM {}", BASE64.encode(&message))), None);
        assert_eq!(user("Bearer abc"), None);
    }

    #[test]
    fn a_password_without_a_user_is_not_taken_for_one() {
        assert_eq!(user(&format!("Basic {}", BASE64.encode("secret"))).as_deref(), Some(""));
        assert_eq!(user(&format!("Basic {}", BASE64.encode(":secret"))).as_deref(), Some(""));
    }
}
