//! Crypto-PAn: addresses replaced so that what shares a prefix still does.
//!
//! J. Xu, J. Fan, M. Ammar, S. Moon: Prefix-Preserving IP Address Anonymization: Measurement-based Security Evaluation
//! and a New Cryptography-based Scheme (ICNP 2002). Bit *i* is turned or not as the first bit of the encrypted first
//! *i* bits says, which are filled up from a secret pad. The same key gives the same pseudonyms as the reference
//! implementation and what follows it (nfdump's nfanon, ipanon ...).

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Block};

use super::KEY;

/// Bits of an address.
const V4: u32 = 32;
const V6: u32 = 128;

pub(super) struct CryptoPan {
    cipher: Aes128,
    pad: u128,
}

impl CryptoPan {
    pub(super) fn new(key: &[u8; KEY]) -> Self {
        let (first, last) = key.split_at(KEY / 2);
        let block = |bytes: &[u8]| bytes.first_chunk::<16>().copied().unwrap_or_default();
        let cipher = Aes128::new(&block(first).into());
        let mut pad = Block::from(block(last));
        cipher.encrypt_block(&mut pad);
        Self { cipher, pad: u128::from_be_bytes(pad.into()) }
    }

    pub(super) fn v4(&self, real: u32) -> u32 {
        (self.shown(u128::from(real) << (V6 - V4), V4) >> (V6 - V4)) as u32
    }

    pub(super) fn v6(&self, real: u128) -> u128 {
        self.shown(real, V6)
    }

    pub(super) fn real_v4(&self, shown: u32) -> u32 {
        (self.real(u128::from(shown) << (V6 - V4), V4) >> (V6 - V4)) as u32
    }

    pub(super) fn real_v6(&self, shown: u128) -> u128 {
        self.real(shown, V6)
    }

    /// The pseudonym of an address that begins with the highest bit.
    fn shown(&self, real: u128, bits: u32) -> u128 {
        let mut blocks: Vec<Block> = (0..bits).map(|known| self.question(real, known)).collect();
        self.cipher.encrypt_blocks(&mut blocks);
        blocks.iter().zip(0..).fold(real, |shown, (answer, place)| shown ^ turned(answer) >> place)
    }

    /// The other way round, a bit after the other: each depends on the real ones before it.
    fn real(&self, shown: u128, bits: u32) -> u128 {
        (0..bits).fold(shown, |real, known| {
            let mut block = self.question(real, known);
            self.cipher.encrypt_block(&mut block);
            real ^ turned(&block) >> known
        })
    }

    /// The first bits of the address, and the pad after them.
    fn question(&self, real: u128, known: u32) -> Block {
        let after = u128::MAX.checked_shr(known).unwrap_or(0);
        (real & !after | self.pad & after).to_be_bytes().into()
    }
}

/// The first bit of a block, in its place.
fn turned(block: &Block) -> u128 {
    u128::from(block[0] >> 7) << (V6 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// The key of the reference implementation's sample trace.
    const SAMPLE: [u8; KEY] = [
        21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42,
        132, 34, 2,
    ];

    fn v4(key: &[u8; KEY], real: &str) -> String {
        Ipv4Addr::from(CryptoPan::new(key).v4(real.parse::<Ipv4Addr>().unwrap().into())).to_string()
    }

    #[test]
    fn agrees_with_the_published_sample_trace() {
        // sample_trace_raw.dat and sample_trace_sanitized.dat of the reference implementation.
        for (real, shown) in [
            ("128.11.68.132", "135.242.180.132"),
            ("129.118.74.4", "134.136.186.123"),
            ("130.132.252.244", "133.68.164.234"),
            ("141.223.7.43", "141.167.8.160"),
            ("141.233.145.108", "141.129.237.235"),
            ("152.163.225.39", "151.140.114.167"),
            ("165.247.96.84", "162.9.99.234"),
            ("192.102.249.13", "252.138.62.131"),
            ("207.155.9.214", "241.220.250.22"),
            ("208.147.89.59", "227.237.98.191"),
            ("216.35.217.178", "235.195.157.81"),
            ("24.0.250.221", "100.15.198.226"),
            ("24.13.62.231", "100.2.192.247"),
            ("4.3.88.225", "124.60.155.63"),
            ("63.14.55.111", "95.9.215.7"),
            ("64.14.118.196", "0.255.183.58"),
            ("10.185.25.118", "117.161.29.118"),
        ] {
            assert_eq!(v4(&SAMPLE, real), shown, "{real}");
        }
    }

    #[test]
    fn agrees_with_other_implementations() {
        // The documentation of yacryptopan (Python).
        assert_eq!(v4(b"32-char-str-for-AES-key-and-pad.", "192.0.2.1"), "192.0.125.244");
        // The tests of cryptopan (Go).
        for (real, shown) in [
            ("::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"),
            ("::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"),
            ("::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"),
            ("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"),
            ("2001:db8::2", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c"),
        ] {
            let real: Ipv6Addr = real.parse().unwrap();
            assert_eq!(Ipv6Addr::from(CryptoPan::new(&SAMPLE).v6(real.into())).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn as_many_bits_are_shared_as_before(key: [u8; KEY], one: u32, shared in 0..=32_u32, noise: u32) {
            // The other differs in the first bit after what is shared, if there is one.
            let other = one ^ 1_u32.checked_shl(31_u32.wrapping_sub(shared)).unwrap_or(0) ^ noise.checked_shr(shared + 1).unwrap_or(0);
            let addresses = CryptoPan::new(&key);
            let same = |a: u32, b: u32| (a ^ b).leading_zeros();
            prop_assert_eq!(same(one, other), shared);
            prop_assert_eq!(same(addresses.v4(one), addresses.v4(other)), shared);
            prop_assert_eq!(addresses.real_v4(addresses.v4(one)), one);
        }

        #[test]
        fn and_of_the_long_ones(key: [u8; KEY], one: u128, shared in 0..=128_u32, noise: u128) {
            let other = one ^ 1_u128.checked_shl(127_u32.wrapping_sub(shared)).unwrap_or(0) ^ noise.checked_shr(shared + 1).unwrap_or(0);
            let addresses = CryptoPan::new(&key);
            let same = |a: u128, b: u128| (a ^ b).leading_zeros();
            prop_assert_eq!(same(one, other), shared);
            prop_assert_eq!(same(addresses.v6(one), addresses.v6(other)), shared);
            prop_assert_eq!(addresses.real_v6(addresses.v6(one)), one);
        }
    }
}
