//! A network as people write it: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::net::Addr;

/// Bits before an IPv4 address in the 16 bytes of an [`Addr`].
const V4_OFFSET: u8 = 96;

/// The addresses that share their first bits. No bit after the prefix is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    network: Addr,
    /// Bits of the 128 that count.
    length: u8,
}

impl Prefix {
    #[must_use]
    pub fn contains(&self, addr: Addr) -> bool {
        addr.is_v4() == self.network.is_v4() && addr.0 & mask(self.length) == self.network.0
    }

    /// The other lies inside this one, or is the same.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(other.network)
    }

    /// How much more it says than a shorter one: bits of the 128.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(128 - length.min(128))).unwrap_or(0)
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let ip: IpAddr = address.parse().map_err(|_| format!("`{text}` is not a network such as 10.0.0.0/8 or 2001:db8::/32"))?;
        let (offset, most) = if ip.is_ipv4() { (V4_OFFSET, 32) } else { (0, 128) };
        let bits: u8 = match bits {
            Some(bits) => {
                bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(|| format!("`{text}`: the part after / must be 0 to {most}"))?
            }
            None => most,
        };
        let (addr, length) = (Addr::from(ip), offset + bits);
        let prefix = Self { network: Addr(addr.0 & mask(length)), length };
        if prefix.network == addr { Ok(prefix) } else { Err(format!("`{text}` has bits set after the prefix; did you mean {prefix}?")) }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.network.is_v4() { self.length - V4_OFFSET } else { self.length };
        // The pseudonym of a network's first address has other bits after the prefix.
        let network = Addr(self.network.shown().0 & mask(self.length));
        write!(f, "{}/{shown}", network.ip())
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        Addr::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn a_prefix_ends_where_its_length_says() {
        let cases = [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.255", "192.0.2.127"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("fe80::1", "fe80::1", "fe80::2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ];
        for (prefix, inside, outside) in cases {
            let prefix: Prefix = prefix.parse().unwrap();
            assert!(prefix.contains(addr(inside)), "{prefix} {inside}");
            assert!(!prefix.contains(addr(outside)), "{prefix} {outside}");
        }
    }

    #[test]
    fn a_prefix_is_written_as_it_is_read() {
        for (text, shown) in
            [("10.0.0.0/8", "10.0.0.0/8"), ("192.0.2.7", "192.0.2.7/32"), ("2001:DB8::/32", "2001:db8::/32"), ("::1", "::1/128")]
        {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "10.0.0/8", "host", "10.0.0.0/8/8"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        assert!("10.1.0.0/8".parse::<Prefix>().unwrap_err().contains("did you mean 10.0.0.0/8?"));
    }

    #[test]
    fn a_wider_network_covers_a_narrower_one_of_its_family() {
        let prefix = |text: &str| text.parse::<Prefix>().unwrap();
        assert!(prefix("10.0.0.0/8").covers(&prefix("10.1.0.0/16")));
        assert!(!prefix("10.1.0.0/16").covers(&prefix("10.0.0.0/8")));
        assert!(!prefix("::/0").covers(&prefix("10.0.0.0/8")));
    }
}
