//! The addresses inside of what the user wrote: a path, the command line, a rule's sentence.
//!
//! Other words stay: they are the user's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Pseudonyms;

/// Bytes of the longest address with a prefix length: eight groups, the last two as four numbers, `/128`.
const LONGEST: usize = 45 + 4;

impl Pseudonyms {
    /// The text with the pseudonyms of all its addresses; a network's are as long as it is.
    #[must_use]
    pub fn text(&self, real: &str) -> String {
        let mut shown = String::with_capacity(real.len());
        let mut rest = real;
        let mut before = None;
        while let Some(next) = rest.chars().next() {
            let found = if next.is_ascii_hexdigit() || next == ':' { self.address(rest, before) } else { None };
            let (pseudonym, taken) = found.unwrap_or_else(|| (next.into(), next.len_utf8()));
            shown.push_str(&pseudonym);
            let (done, after) = rest.split_at(taken);
            before = done.chars().next_back();
            rest = after;
        }
        shown
    }

    /// The longest address that the text begins with, and how much of the text it is.
    fn address(&self, text: &str, before: Option<char>) -> Option<(String, usize)> {
        // The middle of a word or of a longer number is no beginning.
        if before.is_some_and(|before| before.is_ascii_alphanumeric()) {
            return None;
        }
        let length = text.bytes().take(LONGEST).take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'-')).count();
        let end = |length: &usize| text.as_bytes().get(*length).is_none_or(|after| !after.is_ascii_alphanumeric());
        (2..=length).rev().filter(end).find_map(|length| {
            let (word, after) = text.split_at_checked(length)?;
            // `::` is more often something else.
            word.contains(|letter: char| letter.is_ascii_hexdigit()).then_some(())?;
            self.mac_text(word).map(|shown| (shown, length)).or_else(|| {
                let (shown, more) = self.network(word.parse().ok()?, after);
                Some((shown, length + more))
            })
        })
    }

    /// Six bytes between colons or hyphens.
    fn mac_text(&self, word: &str) -> Option<String> {
        let between = ['-', ':'].into_iter().find(|between| word.split(*between).count() == 6)?;
        let byte = |part: &str| if part.len() == 2 { u64::from_str_radix(part, 16).ok() } else { None };
        let real = word.split(between).try_fold(0, |mac, part| Some(mac << 8 | byte(part)?))?;
        let [_, _, bytes @ ..] = self.mac(real).to_be_bytes();
        Some(bytes.map(|byte| format!("{byte:02x}")).join(&between.to_string()))
    }

    /// An address, or with `/24` after it and nothing set beyond, a network: with the length of what was after it.
    fn network(&self, real: IpAddr, after: &str) -> (String, usize) {
        let digits: String = after.strip_prefix('/').unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        let shown = self.ip(real);
        let network = digits.parse::<u32>().ok().and_then(|bits| match (real, shown) {
            (IpAddr::V4(real), IpAddr::V4(shown)) if bits <= 32 => {
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                (u32::from(real) & host == 0).then(|| IpAddr::from(Ipv4Addr::from(u32::from(shown) & !host)))
            }
            (IpAddr::V6(real), IpAddr::V6(shown)) if bits <= 128 => {
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                (u128::from(real) & host == 0).then(|| IpAddr::from(Ipv6Addr::from(u128::from(shown) & !host)))
            }
            _ => None,
        });
        network.map_or_else(|| (shown.to_string(), 0), |network| (format!("{network}/{digits}"), digits.len() + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KEY, Pseudonyms};

    fn pseudonyms() -> Pseudonyms {
        Pseudonyms::new(&[7; KEY])
    }

    fn of(address: &str) -> String {
        pseudonyms().ip(address.parse().unwrap()).to_string()
    }

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        let (v4, v6) = (of("10.0.0.7"), of("2001:db8::1"));
        for (real, want) in [
            ("10.0.0.7", v4.clone()),
            ("cases/host-10.0.0.7.pcap", format!("cases/host-{v4}.pcap")),
            ("10.0.0.7.cap", format!("{v4}.cap")),
            ("udp://10.0.0.7:514", format!("udp://{v4}:514")),
            ("https://[2001:db8::1]:8443/x", format!("https://[{v6}]:8443/x")),
            ("host 10.0.0.7 or host 2001:db8::1.", format!("host {v4} or host {v6}.")),
            ("from=10.0.0.7,10.0.0.7", format!("from={v4},{v4}")),
            ("ÿ10.0.0.7ÿ", format!("ÿ{v4}ÿ")),
        ] {
            assert_eq!(pseudonyms().text(real), want);
        }
        let mac = pseudonyms().text("ether host 00:25:b3:bf:91:ee");
        assert!(mac.starts_with("ether host ") && !mac.contains("25:b3") && mac.len() == 28, "{mac}");
        assert_eq!(pseudonyms().text("00-25-b3-bf-91-ee").matches('-').count(), 5);
    }

    #[test]
    fn other_words_and_numbers_stay() {
        for text in ["reports/monday.pcap", "scan.ports=30", "1.2.3", "2024-03-05T09:12:02", "net::Addr", "a :: b", "dead:beef", "abc", ""]
        {
            assert_eq!(pseudonyms().text(text), text, "{text}");
        }
    }

    #[test]
    fn a_network_stays_one_of_the_same_length() {
        let shown = pseudonyms().text("net 10.1.0.0/16");
        let inside = of("10.1.200.3");
        let prefix = inside.rsplitn(3, '.').nth(2).unwrap();
        assert_eq!(shown, format!("net {prefix}.0.0/16"));
        assert_eq!(pseudonyms().text("10.0.0.7/24"), format!("{}/24", of("10.0.0.7")));
    }
}
