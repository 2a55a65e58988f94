//! What a report calls addresses, names and users if it must not say them: always the same, and only by a secret key.
//!
//! Knows how one word is replaced by another, and whether this run does so. Does not know where words come from, and
//! decides nothing by them: what is judged are real addresses and names; only what is written is replaced. That is why
//! the key is set once for the whole process: the text of an address is made in one place ([`crate::net`]'s `Display`),
//! and no caller can forget it.
//!
//! - **Addresses**: Crypto-PAn ([`prefix`]), every address without exception. Two addresses that share their first *k*
//!   bits, and no more, have pseudonyms that share their first *k* bits, and no more; no two addresses have the same
//!   pseudonym. IPv4 addresses stay IPv4, over 32 bits, and IPv6 addresses IPv6, over 128.
//! - **Hardware addresses**: 46 keyed bits; whether it is a group stays, and it is marked as locally administered, so
//!   that nobody takes its first half for a maker. Broadcast and zero, which name nobody, stay.
//! - **Names** label by label ([`name`]): equal parents stay equal, public suffixes stay.
//! - **Users and other words** as a whole.
//! - **What the user wrote** (paths, the command line, a configuration): the addresses in it ([`text`]).
//!
//! Each kind has a key of its own, so that equal words of two kinds cannot be compared.
//!
//! What this does not hide: times, sizes and ports; how near to one another addresses are; what is known of an address
//! by its role. Who knows the real address behind one pseudonym knows the beginning of its neighbours, and who may have
//! captures of his choice pseudonymized with the same key learns them all.

mod keyed;
mod name;
mod prefix;
mod text;

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::digest;
use keyed::Keyed;
use prefix::CryptoPan;

/// Bytes of a key: half for the cipher, half for the padding.
pub const KEY: usize = 32;

/// How the manifest calls it.
pub const METHOD: &str = "addresses: Crypto-PAn (AES-128); names, users and hardware addresses: HMAC-SHA-256";

/// The pseudonyms of this run; none if it says what there is.
static CURRENT: OnceLock<Pseudonyms> = OnceLock::new();

/// From now on this process writes pseudonyms. The first key stays.
pub fn install(pseudonyms: Pseudonyms) {
    let _ = CURRENT.set(pseudonyms);
}

/// The pseudonyms that are written, if any.
pub fn current() -> Option<&'static Pseudonyms> {
    CURRENT.get()
}

/// What a report says of itself.
#[must_use]
pub fn sentence() -> Option<String> {
    current().map(|pseudonyms| format!("addresses, names and users are pseudonyms, made with the key {}", pseudonyms.check()))
}

/// The name as this run writes it.
#[must_use]
pub fn name(real: &str) -> Cow<'_, str> {
    current().map_or(Cow::Borrowed(real), |pseudonyms| pseudonyms.name(real).into())
}

/// The user as this run writes it.
#[must_use]
pub fn user(real: &str) -> Cow<'_, str> {
    current().map_or(Cow::Borrowed(real), |pseudonyms| pseudonyms.user(real).into())
}

/// A captured text that is neither: a banner, the name of a share.
#[must_use]
pub fn word(real: &str) -> Cow<'_, str> {
    current().map_or(Cow::Borrowed(real), |pseudonyms| pseudonyms.word(real).into())
}

/// What the user wrote, with other addresses.
#[must_use]
pub fn text(real: &str) -> Cow<'_, str> {
    current().map_or(Cow::Borrowed(real), |pseudonyms| pseudonyms.text(real).into())
}

/// Everything that one key decides.
pub struct Pseudonyms {
    addresses: CryptoPan,
    names: Keyed,
    users: Keyed,
    macs: Keyed,
    words: Keyed,
    check: String,
}

impl Pseudonyms {
    #[must_use]
    pub fn new(key: &[u8; KEY]) -> Self {
        let whole = Keyed::new(key);
        let part = |purpose: &str| Keyed::new(&whole.hash(format!("nsm pseudonyms: {purpose}").as_bytes()));
        Self {
            addresses: CryptoPan::new(key),
            names: part("names"),
            users: part("users"),
            macs: part("hardware addresses"),
            words: part("words"),
            check: digest::hex(&whole.hash(b"nsm pseudonyms: check")[..4]),
        }
    }

    /// Of the content of a key file: 32 bytes, or 64 hexadecimal digits.
    ///
    /// # Errors
    /// What the file holds instead, as the end of a sentence.
    pub fn of_file(content: &[u8]) -> Result<Self, String> {
        if let Ok(key) = <&[u8; KEY]>::try_from(content) {
            return Ok(Self::new(key));
        }
        let digits = content.trim_ascii();
        let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let key: Option<Vec<u8>> =
            digits.chunks(2).map(|pair| pair.iter().try_fold(0, |byte, digit| Some(byte << 4 | value(digit)?))).collect();
        match key.as_deref().map(<&[u8; KEY]>::try_from) {
            Some(Ok(key)) if digits.len() == 2 * KEY => Ok(Self::new(key)),
            _ => Err(format!("a key is 32 bytes or 64 hexadecimal digits, and this is neither ({} bytes)", content.len())),
        }
    }

    /// Eight hexadecimal digits by which two reports are seen to be made with the same key, and that do not tell it.
    #[must_use]
    pub fn check(&self) -> &str {
        &self.check
    }

    #[must_use]
    pub fn v4(&self, real: u32) -> u32 {
        self.addresses.v4(real)
    }

    #[must_use]
    pub fn v6(&self, real: u128) -> u128 {
        self.addresses.v6(real)
    }

    /// The address whose pseudonym this is.
    #[must_use]
    pub fn real_v4(&self, shown: u32) -> u32 {
        self.addresses.real_v4(shown)
    }

    #[must_use]
    pub fn real_v6(&self, shown: u128) -> u128 {
        self.addresses.real_v6(shown)
    }

    /// Of a hardware address, in the low 48 bits.
    #[must_use]
    pub fn mac(&self, real: u64) -> u64 {
        const BROADCAST: u64 = 0xffff_ffff_ffff;
        const GROUP: u64 = 1 << 40;
        const LOCAL: u64 = 2 << 40;
        if real == 0 || real == BROADCAST {
            return real;
        }
        let hash = self.macs.number(&real.to_be_bytes()) & BROADCAST;
        hash & !(GROUP | LOCAL) | LOCAL | real & GROUP
    }

    #[must_use]
    pub fn user(&self, real: &str) -> String {
        self.users.word('u', real.as_bytes())
    }

    #[must_use]
    pub fn word(&self, real: &str) -> String {
        self.words.word('w', real.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_bytes_or_digits_and_nothing_else() {
        let bytes: Vec<u8> = (0..32).collect();
        let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let of = |content: &[u8]| Pseudonyms::of_file(content).map(|pseudonyms| pseudonyms.check).ok();
        let check = of(&bytes);
        assert!(check.is_some());
        assert_eq!([of(digits.as_bytes()), of(format!(" {digits}\r\n").as_bytes())], [check.clone(), check.clone()]);
        assert_ne!(of(&[7; 32]), check);
        let mut wrong: Vec<Vec<u8>> = ["", "secret", &digits[1..], &digits[2..], &format!("0{digits}"), &format!("{digits}00")]
            .map(|text| text.as_bytes().to_vec())
            .into();
        wrong.extend([
            bytes[1..].to_vec(),
            [&bytes[..], &[0]].concat(),
            digits.replace('a', "g").into_bytes(),
            digits.replace("03", "é").into_bytes(),
        ]);
        for content in wrong {
            assert_eq!(of(&content), None, "{content:?}");
        }
    }

    #[test]
    fn a_hardware_address_says_neither_its_maker_nor_more_than_that_it_is_a_group() {
        let pseudonyms = Pseudonyms::new(&[7; KEY]);
        let (one, other, group) = (0x0025_b3bf_91ee, 0x0025_b3bf_91ef, 0x0100_5e00_00fb);
        let shown = [one, other, group].map(|mac| pseudonyms.mac(mac));
        assert!(shown.iter().all(|mac| mac >> 48 == 0 && mac >> 41 & 1 == 1));
        assert_eq!(shown.map(|mac| mac >> 40 & 1), [0, 0, 1]);
        assert_ne!(shown[0] >> 24, shown[1] >> 24);
        assert_eq!([0, 0xffff_ffff_ffff].map(|mac| pseudonyms.mac(mac)), [0, 0xffff_ffff_ffff]);
    }

    #[test]
    fn equal_words_of_two_kinds_are_not_equal() {
        let pseudonyms = Pseudonyms::new(&[7; KEY]);
        let (user, word, name) = (pseudonyms.user("anna"), pseudonyms.word("anna"), pseudonyms.name("anna"));
        assert_eq!([&user, &word, &name].map(String::len), [11, 11, 11]);
        assert!(user[1..] != word[1..] && word[1..] != name[1..] && user[1..] != name[1..]);
        assert_eq!([pseudonyms.user(""), pseudonyms.word(""), pseudonyms.name("")], ["", "", ""]);
    }

    #[test]
    fn without_a_key_everything_is_written_as_it_is() {
        assert_eq!([name("a.example"), user("anna"), word("c$"), text("10.0.0.1")], ["a.example", "anna", "c$", "10.0.0.1"]);
    }
}
