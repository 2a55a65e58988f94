//! What was asked of DNS, minute by minute: by whom, for names below which domain, and with what result.
//!
//! A tunnel writes its data into the part of a name left of the domain; so a row knows how many such parts
//! there were, how long they are and how even their characters. Whether that is a tunnel is not known here.

use psl::Psl;

use super::distinct::Distinct;
use super::keyed::Merge;
use super::weights::{FRACTION, weight};
use crate::decode::app::{Moment, Query};
use crate::net::{Addr, mix, mix_addr};
use crate::time::{self, MINUTE, Nanos};

/// In [`NameKey::result`]: the question itself. Response codes are below 16.
pub const QUESTION: u8 = 255;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKey {
    pub minute: Nanos,
    pub client: Addr,
    /// Registered domain, see [`parts`].
    pub domain: Box<str>,
    pub qtype: u16,
    /// Response code, or [`QUESTION`].
    pub result: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRow {
    pub messages: u64,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    /// Whole names.
    pub names: Distinct,
    pub servers: Distinct,
    /// Of the parts beside the domain, dots not counted: the sum of their bytes, the most bytes of one, and the
    /// sum of their entropies in thousandths of a bit per byte.
    pub name_bytes: u64,
    pub longest: u32,
    pub entropy_millibits: u64,
    /// Data of the answers.
    pub answer_bytes: u64,
}

impl NameRow {
    /// The row of one message between a client and a server, whichever of the two sent it.
    #[must_use]
    pub fn of(query: &Query, client: Addr, server: Addr) -> (NameKey, Self) {
        let (domain, beside) = parts(&query.name);
        let Moment { ts, ordinal } = query.at;
        let result = query.rcode.unwrap_or(QUESTION);
        let key = NameKey { minute: time::pane(ts, MINUTE), client, domain: domain.into(), qtype: query.qtype, result };
        let text = Text::of(beside);
        let (mut names, mut servers) = (Distinct::default(), Distinct::default());
        names.insert(hash(query.name.as_bytes()));
        servers.insert(mix_addr(server));
        let row = Self {
            messages: 1,
            first_ts: ts,
            last_ts: ts,
            first_ordinal: ordinal,
            last_ordinal: ordinal,
            names,
            servers,
            name_bytes: u64::from(text.bytes),
            longest: text.bytes,
            entropy_millibits: text.entropy_millibits(),
            answer_bytes: u64::from(query.answer_bytes),
        };
        (key, row)
    }
}

impl Merge for NameRow {
    fn merge(&mut self, other: &Self) {
        self.messages += other.messages;
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
        self.names.merge(&other.names);
        self.servers.merge(&other.servers);
        self.name_bytes += other.name_bytes;
        self.longest = self.longest.max(other.longest);
        self.entropy_millibits += other.entropy_millibits;
        self.answer_bytes += other.answer_bytes;
    }
}

/// The registered domain of a name and what stands beside it.
///
/// The domain is one label below the public suffix. Names below a suffix that nobody listed (of a local
/// network, of an invented top) have the last two labels instead. Addresses asked for by name share one
/// domain. And some tunnels speak without any domain, straight to their server: where a name ends in data,
/// its constant part is its beginning.
#[must_use]
pub fn parts(name: &str) -> (&str, &str) {
    for reverse in ["in-addr.arpa", "ip6.arpa"] {
        if name.strip_suffix(reverse).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')) {
            return ending(name, reverse.len());
        }
    }
    match psl::List.suffix(name.as_bytes()).filter(psl::Suffix::is_known) {
        Some(suffix) => {
            let (suffix, rest) = ending(name, suffix.as_bytes().len());
            let label = rest.rsplit('.').next().filter(|label| !label.is_empty());
            ending(name, label.map_or(0, |label| label.len() + 1) + suffix.len())
        }
        None => unlisted(name),
    }
}

/// Parts a name before its last bytes.
fn ending(name: &str, length: usize) -> (&str, &str) {
    let (rest, domain) = name.split_at_checked(name.len().saturating_sub(length)).unwrap_or(("", name));
    (domain, rest.strip_suffix('.').unwrap_or(rest))
}

fn unlisted(name: &str) -> (&str, &str) {
    let mut from_last = name.rsplit('.');
    let (top, second) = (from_last.next().unwrap_or_default(), from_last.next());
    let second_is_data = second.is_some_and(is_data);
    if is_data(top) || second_is_data && is_hex(top) {
        return match name.split_once('.') {
            Some((first, rest)) if !is_data(first) => (first, rest),
            _ => ("", name),
        };
    }
    match second {
        Some(second) if !second_is_data => ending(name, second.len() + 1 + top.len()),
        _ => ending(name, top.len()),
    }
}

/// A label nobody would choose for a domain of a network of his own: longer than 24 bytes, or 16 digits of
/// a hexadecimal number and more. (The longest listed top label has 24.)
fn is_data(label: &str) -> bool {
    label.len() > 24 || label.len() >= 16 && is_hex(label)
}

fn is_hex(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Eight bytes at a time, each mixed with all before it. The length makes the last ones, filled up with
/// zeros, unlike ones that end in zeros.
fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(mix(bytes.len() as u64, 0), |hash, chunk| {
        let mut eight = [0; 8];
        eight.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        mix(hash, u64::from_le_bytes(eight))
    })
}

/// Most bytes of a name that are looked at, as many as a name may have.
const LONGEST: usize = 255;

/// The bytes of labels.
struct Text {
    bytes: u32,
    /// Sum over the different bytes of [`weight`] of their number.
    weight: u64,
}

impl Text {
    fn of(labels: &str) -> Self {
        let mut counts = [0_u8; 256];
        let mut text = Self { bytes: 0, weight: 0 };
        for byte in unescaped(labels).take(LONGEST) {
            if let Some(count) = counts.get_mut(usize::from(byte)) {
                let before = weight(u64::from(*count));
                *count += 1;
                text.weight += weight(u64::from(*count)) - before;
                text.bytes += 1;
            }
        }
        text
    }

    /// Shannon's entropy: with n bytes of which c are the same, log n - (sum of c log c) / n.
    fn entropy_millibits(&self) -> u64 {
        let bits = weight(u64::from(self.bytes)).saturating_sub(self.weight) * 1_000;
        let unit = u64::from(self.bytes.max(1)) << FRACTION;
        (bits + unit / 2) / unit
    }
}

/// The bytes that labels stand for: `\ddd` is one, dots are none.
fn unescaped(labels: &str) -> impl Iterator<Item = u8> {
    let mut bytes = labels.bytes().filter(|byte| *byte != b'.');
    std::iter::from_fn(move || match bytes.next()? {
        b'\\' => Some(bytes.by_ref().take(3).fold(0_u8, |value, digit| value.wrapping_mul(10).wrapping_add(digit.wrapping_sub(b'0')))),
        byte => Some(byte),
    })
}

#[cfg(test)]
mod tests {
    use super::super::keyed::{Keyed, Room, merged};
    use super::*;

    fn entropy(labels: &str) -> u64 {
        Text::of(labels).entropy_millibits()
    }

    #[test]
    fn the_domain_is_one_label_below_the_public_suffix() {
        assert_eq!(parts("yrb0pe.t1.biillpi.com"), ("biillpi.com", "yrb0pe.t1"));
        assert_eq!(parts("a.b.example.co.uk"), ("example.co.uk", "a.b"));
        assert_eq!(parts("example.co.uk"), ("example.co.uk", ""));
        assert_eq!(parts("co.uk"), ("co.uk", ""));
        assert_eq!(parts("com"), ("com", ""));
        assert_eq!(parts(""), ("", ""));
        // cloudfront.net is a suffix in the list's private part: each customer is a domain.
        assert_eq!(parts("x.d111abcdef8.cloudfront.net"), ("d111abcdef8.cloudfront.net", "x"));
    }

    #[test]
    fn names_of_addresses_share_one_domain() {
        assert_eq!(parts("8.8.8.8.in-addr.arpa"), ("in-addr.arpa", "8.8.8.8"));
        assert_eq!(parts("1.0.0.ip6.arpa"), ("ip6.arpa", "1.0.0"));
        assert_eq!(parts("in-addr.arpa"), ("in-addr.arpa", ""));
        assert_eq!(parts("xin-addr.arpa").0, "xin-addr.arpa");
    }

    #[test]
    fn an_unlisted_suffix_has_the_last_two_labels() {
        assert_eq!(parts("b9e0019706e3b69f0d.cyberops.com.dccore200.local"), ("dccore200.local", "b9e0019706e3b69f0d.cyberops.com"));
        assert_eq!(parts("vaaaakardli.pirate.sea"), ("pirate.sea", "vaaaakardli"));
        assert_eq!(parts("pirate.sea"), ("pirate.sea", ""));
        assert_eq!(parts("wpad"), ("wpad", ""));
    }

    #[test]
    fn a_name_that_ends_in_data_belongs_to_its_beginning() {
        let (one, two) = ("91f003f500f61221810aea000004863c691580ecad66f64ac7ddb87b89c7", "6c798b8d6e990002e3772bc8");
        for data in [two.into(), format!("{one}.{two}"), format!("{one}.{one}.edf0dbda"), format!("{one}.fe")] {
            assert_eq!(parts(&format!("dnscat.{data}")), ("dnscat", data.as_str()));
            assert_eq!(parts(&data).0, "");
        }
        assert_eq!(parts("e6b1f0f2-9a40-4b9c-8c28-7d4e8d1c1f11.local"), ("local", "e6b1f0f2-9a40-4b9c-8c28-7d4e8d1c1f11"));
    }

    #[test]
    fn entropy_is_shannons() {
        // Eight of one kind: 0. Two kinds evenly: 1 bit. Sixteen kinds once each: 4 bits. aab: log2(3) - 2/3 = 0.918.
        assert_eq!(
            [entropy(""), entropy("aaaaaaaa"), entropy("a.b"), entropy("0123456789abcdef"), entropy("aab")],
            [0, 0, 1_000, 4_000, 918]
        );
    }

    #[test]
    fn an_escape_is_one_byte() {
        let text = Text::of("a\\228\\046.b");
        assert_eq!((text.bytes, text.entropy_millibits()), (4, 2_000));
    }

    #[test]
    fn hashes_tell_lengths_and_places_apart() {
        let names: [&[u8]; 7] = [b"", b"\0", b"a", b"a\0", b"aaaaaaaabbbbbbbb", b"bbbbbbbbaaaaaaaa", b"aaaaaaaa"];
        let hashes: std::collections::BTreeSet<u64> = names.iter().map(|name| hash(name)).collect();
        assert_eq!(hashes.len(), names.len());
    }

    #[test]
    fn any_sharing_out_over_shards_gives_the_same_rows() {
        let query = |number: u64, rcode| Query {
            name: format!("x{}.example.com", number % 70),
            qtype: 16,
            rcode,
            answer_bytes: 10,
            at: Moment { ts: i64::try_from(number).unwrap() * 40 * time::MILLISECOND, ordinal: number },
        };
        let rows_of = |shards: u64| {
            let mut tables: Vec<Keyed<NameKey, NameRow>> = (0..shards).map(|_| Keyed::default()).collect();
            for number in 0..2_000 {
                let mut room = Room::default();
                room.grant(1);
                let (key, row) = NameRow::of(&query(number, (number % 2 == 1).then_some(0)), Addr::from_v4(1), Addr::from_v4(2));
                tables[usize::try_from(number % shards).unwrap()].add(&mut room, key, row);
            }
            merged(tables)
        };
        let rows = rows_of(1);
        for ((key, row), (other_key, other)) in rows.iter().zip(rows_of(7)) {
            assert_eq!((key, row.messages, row.names.to_bytes()), (&other_key, other.messages, other.names.to_bytes()));
        }
        // 80 s at 25 a second: the first minute has 1 500, of which every second one is a question, 35 even names of 70.
        let (key, row) = &rows[1];
        assert_eq!((key.minute, key.result, &*key.domain), (0, QUESTION, "example.com"));
        assert_eq!((row.messages, row.names.count(), row.servers.count(), row.answer_bytes), (750, 35, 1, 7_500));
        assert_eq!((row.first_ordinal, row.last_ordinal, row.longest), (0, 1_498, 3));
    }
}
