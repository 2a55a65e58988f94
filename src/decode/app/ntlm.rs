//! NTLM messages (MS-NLMP), wherever a protocol carries them: raw, in SPNEGO, in Base64.
//!
//! Reads who wants to log in. The responses, from which a password could be guessed, are never read.

const SIGNATURE: &[u8] = b"NTLMSSP\0";
const AUTHENTICATE: u32 = 3;
const NEGOTIATE_UNICODE: u32 = 1;

/// Who the first AUTHENTICATE message (type 3) in these bytes names: `DOMAIN\user`, or the user alone where
/// there is no domain; empty for an anonymous one. None where there is no such message.
pub(super) fn user(bytes: &[u8]) -> Option<String> {
    let start = bytes.windows(SIGNATURE.len()).position(|window| window == SIGNATURE)?;
    let message = bytes.get(start..)?;
    if u32_at(message, 8)? != AUTHENTICATE {
        return None;
    }
    let unicode = u32_at(message, 60).is_some_and(|flags| flags & NEGOTIATE_UNICODE != 0);
    let user = text(field(message, 36)?, unicode);
    let domain = field(message, 28).map(|domain| text(domain, unicode)).unwrap_or_default();
    Some(qualified(&domain, &user))
}

/// `DOMAIN\user`, as Windows writes it; a domain that says nothing is left out.
pub(super) fn qualified(domain: &str, user: &str) -> String {
    let name = if domain.is_empty() || domain == "." || user.is_empty() { user.to_owned() } else { format!("{domain}\\{user}") };
    super::name(name.as_bytes())
}

/// Text of Windows: UTF-16 or its code page, of which only ASCII is the same everywhere. Ends at its first NUL.
pub(super) fn text(bytes: &[u8], unicode: bool) -> String {
    if !unicode {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        return String::from_utf8_lossy(text).into_owned();
    }
    let units = bytes.chunks_exact(2).map(|pair| pair.iter().rev().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
    char::decode_utf16(units.take_while(|unit| *unit != 0)).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// What a field descriptor (length, maximum, offset) points to.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16_at(message, at)?);
    let offset = usize::try_from(u32_at(message, at + 4)?).ok()?;
    message.get(offset..offset.checked_add(length)?)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

/// An AUTHENTICATE message laid out as MS-NLMP section 2.2.1.3 says, with empty responses.
#[cfg(test)]
pub(super) fn authenticate(domain: &str, user: &str) -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (domain, user) = (utf16(domain), utf16(user));
    let descriptor = |length: usize, offset: usize| {
        let length = u16::try_from(length).unwrap().to_le_bytes();
        [&length[..], &length, &u32::try_from(offset).unwrap().to_le_bytes()].concat()
    };
    let empty = descriptor(0, 64);
    let (domain_at, user_at) = (descriptor(domain.len(), 64), descriptor(user.len(), 64 + domain.len()));
    [SIGNATURE, &[3, 0, 0, 0], &empty, &empty, &domain_at, &user_at, &empty, &empty, &[1, 0, 0, 0], &domain, &user].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_found_inside_other_bytes_and_only_in_type_3() {
        let message = authenticate("CORP", "zoë");
        let wrapped = [&b"\xa1\x81\xaa"[..], &message].concat();
        assert_eq!(user(&wrapped).as_deref(), Some("CORP\\zoë"));
        let mut negotiate = message.clone();
        negotiate[8] = 1;
        assert_eq!(user(&negotiate), None);
        assert_eq!(user(&authenticate("", "")).as_deref(), Some(""));
    }

    #[test]
    fn a_message_cut_anywhere_is_survived() {
        let message = authenticate("CORP", "zoe");
        (0..message.len()).for_each(|length| assert!(user(&message[..length]).is_none_or(|user| "CORP\\zoe".starts_with(&user))));
    }
}
