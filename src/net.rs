//! Network addresses and the fixed hash.
//!
//! Knows what an address is (v4, multicast, private) and how it is written: as it is, or by its pseudonym if this run
//! writes those ([`crate::pseudonym`]). Knows nothing of packets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::pseudonym;

/// An IP address as 16 bytes; IPv4 is held as `::ffff:a.b.c.d`, so that one type, one order and one
/// hash serve both families.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Addr(pub u128);

const V4_PREFIX: u128 = 0xffff_0000_0000;

impl Addr {
    /// `0.0.0.0` is [`Addr::from_v4`]`(0)`; this is `::`, which also stands for "none".
    pub const UNSPECIFIED: Self = Self(0);

    #[must_use]
    pub const fn from_v4(value: u32) -> Self {
        Self(V4_PREFIX | value as u128)
    }

    #[must_use]
    pub const fn from_v4_bytes(bytes: [u8; 4]) -> Self {
        Self::from_v4(u32::from_be_bytes(bytes))
    }

    #[must_use]
    pub const fn from_v6_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.0 >> 32 == 0xffff
    }

    /// The IPv4 address as a number, where it is one.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are the address")]
    pub const fn v4(self) -> Option<u32> {
        if self.is_v4() { Some(self.0 as u32) } else { None }
    }

    /// `0.0.0.0` or `::`.
    #[must_use]
    pub const fn is_unspecified(self) -> bool {
        self.0 == 0 || self.0 == V4_PREFIX
    }

    /// 224.0.0.0/4 or `ff00::/8`.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        match self.v4() {
            Some(v4) => v4 >> 28 == 0xe,
            None => self.0 >> 120 == 0xff,
        }
    }

    /// 255.255.255.255. A directed broadcast cannot be told from a host without the netmask.
    #[must_use]
    pub const fn is_limited_broadcast(self) -> bool {
        self.0 == V4_PREFIX | 0xffff_ffff
    }

    /// Addresses that stand for a group and not for one host.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.is_multicast() || self.is_limited_broadcast() || self.is_unspecified()
    }

    /// RFC 1918, RFC 6598, link-local, loopback and RFC 4193 addresses: not routed on the Internet.
    #[must_use]
    pub const fn is_private(self) -> bool {
        match self.v4() {
            Some(v4) => {
                v4 >> 24 == 10 || v4 >> 20 == 0xac1 || v4 >> 16 == 0xc0a8 || v4 >> 22 == 0x191 || v4 >> 16 == 0xa9fe || v4 >> 24 == 127
            }
            None => self.0 == 1 || self.0 >> 121 == 0x7e || self.0 >> 118 == 0x3fa,
        }
    }

    /// The address that is written for this one: itself, or its pseudonym.
    #[must_use]
    pub fn shown(self) -> Self {
        match (pseudonym::current(), self.v4()) {
            (None, _) => self,
            (Some(pseudonyms), Some(v4)) => Self::from_v4(pseudonyms.v4(v4)),
            (Some(pseudonyms), None) => Self(pseudonyms.v6(self.0)),
        }
    }

    /// The address that is written like this, if the text is one.
    #[must_use]
    pub fn of_shown(text: &str) -> Option<Self> {
        let shown = Self::from(text.parse::<IpAddr>().ok()?);
        Some(match (pseudonym::current(), shown.v4()) {
            (None, _) => shown,
            (Some(pseudonyms), Some(v4)) => Self::from_v4(pseudonyms.real_v4(v4)),
            (Some(pseudonyms), None) => Self(pseudonyms.real_v6(shown.0)),
        })
    }

    /// As it is. What is written is its [`Display`](fmt::Display).
    #[must_use]
    pub fn ip(self) -> IpAddr {
        match self.v4() {
            Some(v4) => IpAddr::V4(Ipv4Addr::from(v4)),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::from_v4(u32::from(v4)),
            IpAddr::V6(v6) => Self(u128::from(v6)),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().ip().fmt(f)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Addr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Addr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IpAddr::deserialize(deserializer).map(Self::from)
    }
}

/// A link-layer address of 48 bits, in the low bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub u64);

impl Mac {
    /// Not burnt into a card but chosen by software (IEEE 802: second-lowest bit of the first byte).
    #[must_use]
    pub const fn is_locally_administered(self) -> bool {
        self.0 >> 41 & 1 == 1
    }

    #[must_use]
    pub fn from_bytes(bytes: [u8; 6]) -> Self {
        Self(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The address that is written for this one: itself, or its pseudonym.
    #[must_use]
    pub fn shown(self) -> Self {
        pseudonym::current().map_or(self, |pseudonyms| Self(pseudonyms.mac(self.0)))
    }

    /// As it is. What is written is its [`Display`](fmt::Display).
    #[must_use]
    pub fn plain(self) -> String {
        let [_, _, bytes @ ..] = self.0.to_be_bytes();
        bytes.map(|byte| format!("{byte:02x}")).join(":")
    }

    /// The other way round.
    #[must_use]
    pub fn of_plain(text: &str) -> Option<Self> {
        let byte = |part: &str| if part.len() == 2 { u8::from_str_radix(part, 16).ok() } else { None };
        let bytes: Vec<u8> = text.split(':').map(byte).collect::<Option<_>>()?;
        bytes.try_into().ok().map(Self::from_bytes)
    }

    /// The group bit: broadcast and multicast.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0 >> 40 & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown().plain())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Protocol numbers of IANA's registry that the code asks for by name.
pub mod ip_proto {
    use std::borrow::Cow;

    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const ICMP6: u8 = 58;
    pub const SCTP: u8 = 132;

    /// As tables and reports call a transport: its name, or the number of one without.
    #[must_use]
    pub fn name(proto: u8) -> Cow<'static, str> {
        match proto {
            ICMP => "icmp".into(),
            TCP => "tcp".into(),
            UDP => "udp".into(),
            ICMP6 => "icmpv6".into(),
            SCTP => "sctp".into(),
            other => other.to_string().into(),
        }
    }
}

/// Hash of 64 bits with a fixed seed: the same on every machine and in every run, because shards and
/// sketches depend on it. Two folded multiplies of wyhash, with its constants: after one, neighbouring
/// values still lie too evenly for a sketch that counts on chance.
#[must_use]
pub const fn mix(a: u64, b: u64) -> u64 {
    fold(fold(a ^ 0xa076_1d64_78bd_642f, b ^ 0xe703_7ed1_a0b4_28db) ^ 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are folded on purpose")]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

/// One folded multiply for each address and one for both: even enough to choose a shard by, in half of
/// [`mix`]'s time, and the same on every machine. The order of the two does not matter.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the two halves are folded on purpose")]
pub const fn spread(one: Addr, other: Addr, salt: u64) -> u64 {
    const fn part(addr: Addr) -> u64 {
        fold(addr.0 as u64 ^ 0xa076_1d64_78bd_642f, (addr.0 >> 64) as u64 ^ 0xe703_7ed1_a0b4_28db)
    }
    fold(part(one) ^ part(other) ^ 0x8ebc_6af0_9c88_c6e3, salt ^ 0x5899_65cc_7537_4cc3)
}

/// [`mix`] of an address.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the two halves are mixed on purpose")]
pub const fn mix_addr(addr: Addr) -> u64 {
    mix(addr.0 as u64, (addr.0 >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        Addr::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn transports_have_names_and_others_the_number_of_the_registry() {
        // Numbers of IANA's registry; 47 is GRE.
        assert_eq!([1, 6, 17, 58, 132, 47].map(ip_proto::name), ["icmp", "tcp", "udp", "icmpv6", "sctp", "47"]);
    }

    #[test]
    fn both_families_are_written_as_people_write_them() {
        assert_eq!(addr("192.0.2.7").to_string(), "192.0.2.7");
        assert_eq!(addr("2001:db8::1").to_string(), "2001:db8::1");
        assert_eq!(Mac::from_bytes([0, 0x25, 0xb3, 0xbf, 0x91, 0xee]).to_string(), "00:25:b3:bf:91:ee");
    }

    #[test]
    fn private_ranges_end_where_their_rfc_says() {
        for inside in [
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.0",
            "100.127.255.255",
            "169.254.9.9",
            "127.0.0.1",
            "::1",
            "fc00::",
            "fdff::1",
            "fe80::1",
            "febf::1",
        ] {
            assert!(addr(inside).is_private(), "{inside}");
        }
        for outside in [
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.169.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.255.0.0",
            "fe00::1",
            "fec0::1",
            "2001:db8::1",
        ] {
            assert!(!addr(outside).is_private(), "{outside}");
        }
    }

    #[test]
    fn groups_are_multicast_broadcast_and_unspecified() {
        for group in ["224.0.0.251", "239.255.255.250", "ff02::1", "255.255.255.255", "0.0.0.0", "::"] {
            assert!(addr(group).is_group(), "{group}");
        }
        assert!(!addr("240.0.0.1").is_group());
        assert!(!addr("fe80::1").is_group());
    }
}
