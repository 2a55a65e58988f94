//! Names of hosts, label by label.
//!
//! A label becomes a word of everything from it to the end of the name: equal parents stay equal, and what is called
//! `www` in two domains is not seen to be called the same. The public suffix (`com`, `co.uk`) names nobody and stays,
//! but only below it is there a name: `dev` alone is a host. Names that are addresses, and those that ask for the name
//! of one (`1.2.0.192.in-addr.arpa`, whole or in part), hold the address's pseudonym.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use psl::{Psl, Type};

use super::Pseudonyms;

const REVERSE_V4: &str = "in-addr.arpa";
const REVERSE_V6: &str = "ip6.arpa";

impl Pseudonyms {
    #[must_use]
    pub fn name(&self, real: &str) -> String {
        let real = real.trim_end_matches('.').to_ascii_lowercase();
        if let Some(address) = self.literal(&real) {
            return address;
        }
        if let Some((host, port)) = real.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
            return format!("{}:{port}", self.literal(host).unwrap_or_else(|| self.labels(host)));
        }
        for (suffix, of) in [(REVERSE_V4, Self::reverse_v4 as fn(&Self, &str) -> Option<String>), (REVERSE_V6, Self::reverse_v6)] {
            if let Some(labels) = real.strip_suffix(suffix) {
                if labels.is_empty() {
                    return real;
                }
                if let Some(shown) = labels.strip_suffix('.').and_then(|labels| of(self, labels)) {
                    return format!("{shown}.{suffix}");
                }
            }
        }
        self.labels(&real)
    }

    fn labels(&self, real: &str) -> String {
        let (own, public) = real.split_at(real.len() - public_suffix(real).map_or(0, |suffix| suffix.len() + 1));
        let mut shown = Vec::new();
        let mut rest = Some(own);
        while let Some(labels) = rest {
            let (label, after) = labels.split_once('.').map_or((labels, None), |(label, after)| (label, Some(after)));
            shown.push(if label.is_empty() {
                String::new()
            } else {
                self.names.word('n', real.get(own.len() - labels.len()..).unwrap_or_default().as_bytes())
            });
            rest = after;
        }
        shown.join(".") + public
    }

    /// An address as a name, perhaps in brackets.
    fn literal(&self, real: &str) -> Option<String> {
        let inner = real.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let shown = self.ip(inner.unwrap_or(real).parse().ok()?);
        Some(if inner.is_some() { format!("[{shown}]") } else { shown.to_string() })
    }

    pub(super) fn ip(&self, real: IpAddr) -> IpAddr {
        match real {
            IpAddr::V4(real) => Ipv4Addr::from(self.v4(real.into())).into(),
            // As [`crate::net::Addr`] has it.
            IpAddr::V6(real) => match real.to_ipv4_mapped() {
                Some(real) => Ipv4Addr::from(self.v4(real.into())).into(),
                None => Ipv6Addr::from(self.v6(real.into())).into(),
            },
        }
    }

    /// Up to four numbers, the last one first: bits that are not there change nothing before them.
    fn reverse_v4(&self, labels: &str) -> Option<String> {
        let given: Vec<u8> = labels.rsplit('.').map(|label| label.parse().ok()).collect::<Option<_>>()?;
        let mut real = [0; 4];
        real.get_mut(..given.len())?.copy_from_slice(&given);
        let shown = self.v4(u32::from_be_bytes(real)).to_be_bytes();
        Some(shown.iter().take(given.len()).rev().map(u8::to_string).collect::<Vec<_>>().join("."))
    }

    /// Up to 32 hexadecimal digits, the last one first.
    fn reverse_v6(&self, labels: &str) -> Option<String> {
        let digit = |label: &str| if label.len() == 1 { u128::from_str_radix(label, 16).ok() } else { None };
        let given: Vec<u128> = labels.rsplit('.').map(digit).collect::<Option<_>>()?;
        let shift = |place: usize| 124_usize.checked_sub(4 * place);
        let real = given.iter().enumerate().try_fold(0, |real, (place, digit)| Some(real | digit << shift(place)?))?;
        let shown = self.v6(real);
        let digits = (0..given.len()).rev().filter_map(shift).map(|shift| format!("{:x}", shown >> shift & 15));
        Some(digits.collect::<Vec<_>>().join("."))
    }
}

/// The suffix of a name that is under one of the registries' (and not of a company that lets others have names there).
fn public_suffix(name: &str) -> Option<&str> {
    let mut rest = name;
    loop {
        let suffix = psl::List.suffix(rest.as_bytes()).filter(psl::Suffix::is_known)?;
        let (own, found) = name.split_at_checked(name.len().checked_sub(suffix.as_bytes().len())?)?;
        if suffix.typ() == Some(Type::Icann) {
            let found = found.split_once('.').filter(|(_, rest)| is_wildcard(rest)).map_or(found, |(_, rest)| rest);
            return own.strip_suffix('.').filter(|own| !own.is_empty()).map(|_| found);
        }
        rest = found.split_once('.')?.1;
    }
}

/// Whether the list has any label below this (`*.pg`): then the label is somebody's name all the same.
fn is_wildcard(rest: &str) -> bool {
    /// No one's name.
    const ANY: &str = "0-any-0";
    let below = format!("{ANY}.{rest}");
    psl::List.suffix(format!("host.{below}").as_bytes()).is_some_and(|suffix| suffix.as_bytes() == below.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::{KEY, Pseudonyms};

    fn pseudonyms() -> Pseudonyms {
        Pseudonyms::new(&[7; KEY])
    }

    fn name(real: &str) -> String {
        pseudonyms().name(real)
    }

    #[test]
    fn equal_parents_stay_equal_and_equal_labels_elsewhere_do_not() {
        let (www, mail, other) = (name("www.example.com"), name("mail.example.com"), name("www.example.org"));
        let parent = |name: &str| name.split_once('.').unwrap().1.to_owned();
        assert_eq!(parent(&www), parent(&mail));
        assert_eq!(parent(&www), name("example.com"));
        assert_ne!(www.split('.').next(), mail.split('.').next());
        assert_ne!(www.split('.').next(), other.split('.').next());
        assert_eq!([name("WWW.Example.COM"), name("www.example.com.")], [www.clone(), www]);
    }

    #[test]
    fn only_what_registries_give_stays() {
        let kept = |real: &str| name(real).trim_start_matches(|c: char| c != '.').to_owned();
        assert_eq!(kept("shop.co.uk"), ".co.uk");
        assert_eq!(kept("example.com"), ".com");
        // Of a provider's suffix only the registry's part.
        assert!(!name("somebody.github.io").contains("github"));
        assert_eq!(name("somebody.github.io").rsplit('.').next(), Some("io"));
        // Any label below `pg` and `kawasaki.jp` is a suffix to the list, and somebody's name.
        for (real, stays) in [("intranet.secretbank.pg", "pg"), ("www.secretcorp.kawasaki.jp", "kawasaki.jp")] {
            assert!(!name(real).contains("secret") && name(real).ends_with(stays), "{}", name(real));
        }
        assert!(!name("00:11:22:33:44:55").contains("11"), "{}", name("00:11:22:33:44:55"));
        // A host may be called as a suffix is, and networks have suffixes that nobody listed.
        for real in ["dev", "fileserver", "contoso.corp", "printer.local", "github.io", "co.uk"] {
            assert!(
                !real.split('.').any(|label| name(real).split('.').any(|shown| shown == label && label != "io" && label != "uk")),
                "{real}"
            );
        }
    }

    #[test]
    fn names_that_are_addresses_have_their_pseudonym() {
        let shown = pseudonyms().ip("192.0.2.1".parse().unwrap()).to_string();
        let v6 = pseudonyms().ip("2001:db8::1".parse().unwrap()).to_string();
        assert_eq!([name("192.0.2.1"), name("192.0.2.1:8080")], [shown.clone(), format!("{shown}:8080")]);
        assert_eq!([name("[2001:db8::1]:443"), name("2001:db8::1")], [format!("[{v6}]:443"), v6]);
        let [a, b, c, d]: [&str; 4] = shown.split('.').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(name("1.2.0.192.in-addr.arpa"), format!("{d}.{c}.{b}.{a}.in-addr.arpa"));
        assert_eq!(name("2.0.192.in-addr.arpa"), format!("{c}.{b}.{a}.in-addr.arpa"));
        assert_eq!(name("in-addr.arpa"), "in-addr.arpa");
        // Not an address: no label of it stays.
        assert!(!name("host.2.0.192.in-addr.arpa").contains("192"));
    }

    #[test]
    fn a_long_reverse_name_turns_back_into_the_pseudonym() {
        let real = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
        let digits = |name: &str| name.trim_end_matches(".ip6.arpa").split('.').rev().collect::<String>();
        let want: std::net::Ipv6Addr = pseudonyms().ip("2001:db8::1".parse().unwrap()).to_string().parse().unwrap();
        let whole = name(&format!("{real}.ip6.arpa"));
        assert_eq!(u128::from_str_radix(&digits(&whole), 16).unwrap(), u128::from(want));
        let part = name("8.b.d.0.1.0.0.2.ip6.arpa");
        assert_eq!(digits(&part), digits(&whole)[..8]);
    }
}
