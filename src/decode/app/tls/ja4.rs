//! JA4, the fingerprint of a TLS client: FoxIO's published definition (technical_details/JA4.md,
//! BSD-3-Clause).
//!
//! Knows how to write one. Knows nothing of how a hello travels.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::client_hello::{ClientHello, extension, is_grease};
use crate::digest::hex;

/// Of TLS over TCP.
pub(super) fn ja4(hello: &ClientHello<'_>) -> String {
    let mut ciphers: Vec<u16> = hello.ciphers.iter().copied().filter(|cipher| !is_grease(*cipher)).collect();
    let mut extensions: Vec<u16> = hello.extensions.iter().map(|(kind, _)| *kind).filter(|kind| !is_grease(*kind)).collect();
    let version = version(hello);
    let target = if extensions.contains(&extension::SERVER_NAME) { 'd' } else { 'i' };
    let (cipher_count, extension_count) = (ciphers.len().min(99), extensions.len().min(99));
    let protocol = protocol(hello.first_protocol().unwrap_or_default());

    ciphers.sort_unstable();
    extensions.retain(|kind| ![extension::SERVER_NAME, extension::ALPN].contains(kind));
    extensions.sort_unstable();
    let ciphers = digest(&hexadecimal(ciphers));
    let extensions = digest(&with_algorithms(hexadecimal(extensions), hello));
    format!("t{version}{target}{cipher_count:02}{extension_count:02}{protocol}_{ciphers}_{extensions}")
}

/// The highest that is offered.
fn version(hello: &ClientHello<'_>) -> &'static str {
    match hello.supported_versions().filter(|version| !is_grease(*version)).max().unwrap_or(hello.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character of the first protocol, of its hexadecimal form where these are no letters or digits.
fn protocol(name: &[u8]) -> String {
    match (name.first(), name.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            [char::from(*first), char::from(*last)].iter().collect()
        }
        (Some(first), Some(last)) => format!("{:x}{:x}", first >> 4, last & 0x0f),
        _ => "00".to_owned(),
    }
}

fn with_algorithms(extensions: String, hello: &ClientHello<'_>) -> String {
    let algorithms = hexadecimal(hello.signature_algorithms().filter(|algorithm| !is_grease(*algorithm)));
    if extensions.is_empty() || algorithms.is_empty() { extensions } else { extensions + "_" + &algorithms }
}

fn hexadecimal(numbers: impl IntoIterator<Item = u16>) -> String {
    let mut text = String::new();
    for number in numbers {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{number:04x}");
    }
    text
}

/// The first 12 digits of SHA-256, zeros for nothing.
fn digest(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    hex(&Sha256::digest(text)[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello with these extension types, and an extension's content where it matters.
    fn fingerprint(version: u16, ciphers: &[u16], extensions: &[(u16, &[u8])]) -> String {
        ja4(&ClientHello { version, ciphers: ciphers.to_vec(), extensions: extensions.to_vec(), whole: true })
    }

    #[test]
    fn lists_hash_as_the_definition_shows() {
        assert_eq!(digest("002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9"), "8daaf6152771");
        let extensions = "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01";
        assert_eq!(digest(extensions), "6d807ffa2a79");
        assert_eq!(digest(&format!("{extensions}_0403,0804,0401,0503,0805,0501,0806,0601")), "e5627efa2ab1");
    }

    #[test]
    fn protocols_are_written_as_the_definition_shows() {
        let shown: [(&[u8], &str); 9] = [
            (b"h2", "h2"),
            (b"http/1.1", "h1"),
            (b"", "00"),
            (b"x", "xx"),
            (&[0xab], "ab"),
            (&[0xab, 0xcd], "ad"),
            (&[0x30, 0xab], "3b"),
            (&[0x30, 0x31, 0xab, 0xcd], "3d"),
            (&[0x30, 0xab, 0xcd, 0x31], "01"),
        ];
        for (name, want) in shown {
            assert_eq!(protocol(name), want);
        }
    }

    #[test]
    fn what_is_absent_is_zeros() {
        assert_eq!(fingerprint(0x0301, &[], &[]), "t10i000000_000000000000_000000000000");
        assert_eq!(fingerprint(0x0300, &[0x1a1a], &[(extension::SERVER_NAME, b"")]), "ts3d000100_000000000000_000000000000");
    }

    #[test]
    fn counts_stop_at_99() {
        let many: Vec<u16> = (0..200).map(|number| number * 0x101 + 1).collect();
        assert!(fingerprint(0x0303, &many, &[]).starts_with("t12i9900"));
    }
}
