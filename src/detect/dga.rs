#![doc = include_str!("docs/dga.md")]

use hashbrown::{HashMap, HashSet};
use psl::Psl;

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, listed, share};
use super::flood_seconds::{measured, steps};
use super::names::{self, NAME_ERROR, NO_ERROR, NameServers, Row};
use super::wording::{counted, percent};
use crate::config::Settings;
use crate::error::Error;
use crate::pseudonym;
use crate::stats::rounded;
use crate::table::{Address, Distinct};
use crate::time::{self, Nanos, from_seconds};

pub(super) struct Dga;

const DOCUMENTATION: &str = include_str!("docs/dga.md");

/// As many times dns.nonexistent leave no doubt; and where names are readable, they are worth a look.
const MANY: u32 = 5;
/// Of readable names so many must not exist.
const NEARLY_ALL: f64 = 0.8;
/// Domains quoted in the message.
const EXAMPLES: usize = 3;

impl Detector for Dga {
    fn id(&self) -> &'static str {
        "dga"
    }

    fn summary(&self) -> &'static str {
        "one host asking for many domains that do not exist"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let findings = names::without_relayed(findings(context)?, |one, other| one.asked(context, other));
        let servers = NameServers::of(context, findings.iter().map(|finding| &finding.servers))?;
        Ok(findings.iter().map(|finding| finding.alert(context, &servers)).collect())
    }
}

fn findings<'a>(context: &Context<'a>) -> Result<Vec<Finding<'a>>, Error> {
    let mut rows = names::rows(context, |row| matches!(row.result, NO_ERROR | NAME_ERROR))?;
    let existing: Domains = rows.iter().filter(|row| row.result == NO_ERROR).map(|row| row.domain).collect();
    rows.retain(|row| row.result == NO_ERROR || !existing.contains(row.domain) && can_be_registered(row.domain));
    rows.sort_unstable_by_key(|row| (row.client, row.first, row.frames.first, row.domain, row.qtype));
    let gap = from_seconds(context.config.base.alert.join_gap_s);
    let of_client = rows.chunk_by(|a, b| a.client == b.client);
    Ok(of_client.flat_map(|rows| windows(context, rows)).fold(Vec::new(), |mut findings: Vec<Finding>, window| {
        match findings.last_mut() {
            Some(last) if last.client == window.client && window.first - last.last < gap => last.join(window),
            _ => findings.push(window),
        }
        findings
    }))
}

type Domains<'a> = HashSet<&'a str, foldhash::fast::FixedState>;
type Counts<'a> = HashMap<&'a str, u32, foldhash::fast::FixedState>;

/// One label below a public suffix that is listed: what anybody may register. Not so a single label (a
/// browser's probe, a host's short name) or a name completed with the top of a local network.
fn can_be_registered(domain: &str) -> bool {
    let bytes = domain.as_bytes();
    !domain.starts_with('_')
        && domain.rsplit('.').next() != Some("arpa")
        && psl::List.suffix(bytes).is_some_and(|suffix| suffix.is_known() && suffix.as_bytes().len() < bytes.len())
}

/// The label that was made up. One label below several suffixes is one try: people and browsers do that.
fn label(domain: &str) -> &str {
    domain.split_once('.').map_or(domain, |(label, _)| label)
}

/// Distinct labels of one kind in the window.
#[derive(Default)]
struct Window<'a> {
    missing: Counts<'a>,
    existing: Counts<'a>,
    /// Of the missing.
    pairs: Pairs,
}

impl<'a> Window<'a> {
    fn add(&mut self, row: &Row<'a>) {
        let label = label(row.domain);
        let missing = row.result == NAME_ERROR;
        let count = if missing { &mut self.missing } else { &mut self.existing }.entry(label).or_default();
        *count += 1;
        if missing && *count == 1 {
            let pairs = Pairs::of(label);
            self.pairs = Pairs { readable: self.pairs.readable + pairs.readable, all: self.pairs.all + pairs.all };
        }
    }

    fn remove(&mut self, row: &Row<'a>) {
        let label = label(row.domain);
        let missing = row.result == NAME_ERROR;
        let counts = if missing { &mut self.missing } else { &mut self.existing };
        let Some(count) = counts.get_mut(label) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(label);
            if missing {
                let pairs = Pairs::of(label);
                self.pairs = Pairs { readable: self.pairs.readable - pairs.readable, all: self.pairs.all - pairs.all };
            }
        }
    }

    fn verdict(&self, settings: &Settings) -> Option<Verdict> {
        let dns = &settings.dns;
        let (missing, existing) = (self.missing.len() as u64, self.existing.len() as u64);
        let (threshold, many) = (u64::from(dns.nonexistent), u64::from(dns.nonexistent) * u64::from(MANY));
        let (share, readable) = (share(missing, missing + existing), share(self.pairs.readable, self.pairs.all));
        let verdict = |severity| Some(Verdict { severity, missing, existing, share, readable });
        match () {
            () if missing < threshold || share < dns.nonexistent_share => None,
            () if readable < dns.readable => verdict(if missing < many { Severity::Medium } else { Severity::High }),
            () if missing >= many && share >= NEARLY_ALL => verdict(Severity::Low),
            () => None,
        }
    }
}

/// What a window showed when it showed most.
#[derive(Clone, Copy)]
struct Verdict {
    severity: Severity,
    missing: u64,
    existing: u64,
    share: f64,
    readable: f64,
}

impl Verdict {
    const fn weight(&self) -> (Severity, u64) {
        (self.severity, self.missing)
    }
}

/// Slides the window over the answers of a client; every answer at which it shows an algorithm is a finding,
/// and findings with common answers are one.
fn windows<'a>(context: &Context<'a>, rows: &[Row<'a>]) -> Vec<Finding<'a>> {
    let Some(head) = rows.first() else { return Vec::new() };
    let settings = context.settings(head.client);
    let missing = rows.iter().filter(|row| row.result == NAME_ERROR).count();
    if missing < settings.dns.nonexistent as usize {
        return Vec::new();
    }
    let width = from_seconds(settings.dns.window_s);
    let mut window = Window::default();
    let mut findings: Vec<Finding> = Vec::new();
    // The first row of the window, and the first that is not told.
    let (mut start, mut told) = (0, 0);
    for (number, row) in rows.iter().enumerate() {
        while let Some(old) = rows.get(start).filter(|old| row.first - old.first >= width) {
            window.remove(old);
            start += 1;
        }
        window.add(row);
        let Some(verdict) = window.verdict(settings).filter(|_| row.result == NAME_ERROR) else { continue };
        match findings.last_mut() {
            Some(last) if start < told => last.grow(verdict, rows.get(told..=number).unwrap_or_default()),
            _ => findings.extend(Finding::of(verdict, row.first, rows.get(start..=number).unwrap_or_default())),
        }
        told = number + 1;
    }
    findings
}

struct Finding<'a> {
    client: Address,
    crossed: Nanos,
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
    answers: u64,
    worst: Verdict,
    /// Domains that do not exist, in the order they were asked for.
    domains: Vec<&'a str>,
    seen: Domains<'a>,
    servers: Distinct,
}

impl<'a> Finding<'a> {
    fn of(verdict: Verdict, crossed: Nanos, rows: &[Row<'a>]) -> Option<Self> {
        let head = rows.iter().find(|row| row.result == NAME_ERROR)?;
        let mut finding = Self {
            client: head.client,
            crossed,
            first: head.first,
            last: head.last,
            frames: head.frames,
            answers: 0,
            worst: verdict,
            domains: Vec::new(),
            seen: Domains::default(),
            servers: Distinct::default(),
        };
        finding.grow(verdict, rows);
        Some(finding)
    }

    fn grow(&mut self, verdict: Verdict, rows: &[Row<'a>]) {
        for row in rows.iter().filter(|row| row.result == NAME_ERROR) {
            self.last = self.last.max(row.last);
            self.frames = FrameSpan { first: self.frames.first.min(row.frames.first), last: self.frames.last.max(row.frames.last) };
            self.answers += row.messages;
            self.servers.merge(&Distinct::from_bytes(row.servers));
            if self.seen.insert(row.domain) {
                self.domains.push(row.domain);
            }
        }
        if verdict.weight() > self.worst.weight() {
            self.worst = verdict;
        }
    }

    fn join(&mut self, later: Self) {
        self.last = self.last.max(later.last);
        self.frames = FrameSpan { first: self.frames.first.min(later.frames.first), last: self.frames.last.max(later.frames.last) };
        self.answers += later.answers;
        self.servers.merge(&later.servers);
        self.domains.extend(later.domains.into_iter().filter(|domain| self.seen.insert(domain)));
        if later.worst.weight() > self.worst.weight() {
            self.worst = later.worst;
        }
    }

    /// This client asked the other, which passed it on: a resolver.
    fn asked(&self, context: &Context<'_>, other: &Finding<'_>) -> bool {
        self.client != other.client
            && self.first <= other.last
            && other.first <= self.last
            && names::serves(&self.servers, context.address(other.client))
    }

    fn alert(&self, context: &Context<'_>, servers: &NameServers) -> Alert {
        let dns = &context.settings(self.client).dns;
        let client = context.address(self.client);
        let asked = servers.addresses(&self.servers);
        let (ports, protocol) = servers.ports(&asked);
        let (victims, _) = listed(asked);
        let worst = self.worst;
        let made_up = worst.readable < dns.readable;
        let count = self.domains.len() as u64;
        let examples = self.domains.iter().take(EXAMPLES).map(|domain| pseudonym::name(domain)).collect::<Vec<_>>().join(", ");
        Alert {
            kind: "dga",
            technique: Some(if made_up { "random" } else { "words" }),
            title: format!("Many domains that do not exist, asked for by {client}"),
            message: format!(
                "{client} asked for {} that do not exist within {}, such as {examples}; at worst {} within {:.0} s, {} of the domains it was answered about, and {} of their letter pairs can be pronounced{}",
                counted(count, "domain"),
                time::duration(self.last - self.first),
                worst.missing,
                dns.window_s,
                percent(worst.share),
                percent(worst.readable),
                if made_up {
                    ", as of names that an algorithm made up"
                } else {
                    ": words, by an algorithm or by a script that looks up names"
                },
            ),
            severity: worst.severity,
            confidence: match worst.severity {
                Severity::High | Severity::Critical => 0.8,
                Severity::Medium => 0.6,
                Severity::Low | Severity::Info => 0.3,
            },
            attack: &["T1568.002"],
            first_seen: self.first,
            last_seen: self.last,
            detected_at: self.crossed,
            attackers: vec![client.to_string()],
            attacker_count: 1,
            victims,
            victim_count: self.servers.count(),
            port_count: ports.len() as u64,
            ports,
            protocol,
            measured: vec![
                measured("domains that do not exist", worst.missing as f64, "domains", Some(f64::from(dns.nonexistent))),
                measured("domains that exist", worst.existing as f64, "domains", None),
                measured("share that does not exist", rounded(worst.share, 2), "share of answered domains", Some(dns.nonexistent_share)),
                measured("readability", rounded(worst.readable, 2), "share of letter pairs", Some(dns.readable)),
            ],
            window_s: dns.window_s,
            flow_count: 0,
            packet_count: self.answers,
            frames: self.frames,
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Look for a domain among them that did exist: with it the program found its server.",
                "Find the program on the host that asks for them; search for some of the domains in threat intelligence.",
                "If the host checks lists of domains (a mail filter, a crawler), add it to the allow-list.",
            ]),
            picture: Picture::None,
        }
    }
}

/// How a label reads: of the pairs of neighbours in it, those that speech knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pairs {
    readable: u64,
    all: u64,
}

impl Pairs {
    /// A vowel beside a consonant, and what stands together in many languages of Latin letters, is
    /// readable. A letter beside a digit is not. Numbers and hyphens say nothing, nor does a label in
    /// another script (`xn--`).
    fn of(label: &str) -> Self {
        if label.starts_with("xn--") {
            return Self::default();
        }
        let mut pairs = Self::default();
        for pair in label.as_bytes().windows(2) {
            let &[one, two] = pair else { continue };
            let counts = one.is_ascii_alphanumeric() && two.is_ascii_alphanumeric() && !(one.is_ascii_digit() && two.is_ascii_digit());
            pairs.all += u64::from(counts);
            pairs.readable += u64::from(counts && is_readable(one, two));
        }
        pairs
    }
}

fn is_readable(one: u8, two: u8) -> bool {
    let letters = one.is_ascii_alphabetic() && two.is_ascii_alphabetic();
    letters && (is_vowel(one) != is_vowel(two) || TOGETHER.iter().any(|pair| **pair == [one, two]))
}

const fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// Pairs of consonants, then of vowels.
const TOGETHER: [&[u8; 2]; 82] = [
    b"st", b"th", b"ch", b"ck", b"sh", b"ph", b"wh", b"nd", b"nt", b"ng", b"nk", b"nc", b"ns", b"mp", b"mb", b"ll", b"ss", b"tt", b"ff",
    b"pp", b"rr", b"nn", b"mm", b"dd", b"gg", b"cc", b"tr", b"dr", b"pr", b"br", b"cr", b"gr", b"fr", b"pl", b"bl", b"cl", b"gl", b"fl",
    b"sl", b"sp", b"sc", b"sk", b"sm", b"sn", b"sw", b"tw", b"rt", b"rd", b"rs", b"rn", b"rm", b"rk", b"rl", b"rc", b"ld", b"lt", b"ls",
    b"lk", b"ct", b"ft", b"pt", b"ts", b"ds", b"ks", b"cs", b"ms", b"ps", b"ea", b"ee", b"ou", b"oo", b"io", b"ia", b"ai", b"ie", b"ei",
    b"au", b"ue", b"ay", b"ey", b"oy", b"ui",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Capture, host};
    use crate::net::mix;
    use crate::time::SECOND;

    const CLIENT: u32 = 5;
    const SERVER: u32 = 53;
    const WORDS: [&str; 8] = ["garden", "market", "silver", "winter", "planet", "letter", "morning", "island"];

    /// Twelve letters, evenly distributed.
    fn random(number: u32) -> String {
        (0..12_u64).map(|place| char::from(b'a' + u8::try_from(mix(u64::from(number), place) % 26).unwrap())).collect()
    }

    /// One lookup a second.
    fn lookups(count: u32, of: impl Fn(u32) -> (String, u8)) -> Vec<Alert> {
        let mut capture = Capture::default();
        for n in 0..count {
            let (name, result) = of(n);
            capture.at_ms(i64::from(n) * 1_000).lookup(CLIENT, SERVER, &name, 1, result, 0);
        }
        capture.judge(&Dga)
    }

    #[test]
    fn ten_random_domains_that_do_not_exist_are_told() {
        let found = lookups(10, |n| (format!("{}.com", random(n)), 3));
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Medium, Some("random")));
        let alert = &found[0];
        assert_eq!((&alert.attackers, &alert.victims, alert.measured[0].value), (&vec![host(CLIENT)], &vec![host(SERVER)], 10.0));
        // Each lookup is a question and its answer a microsecond later.
        assert_eq!((alert.frames, alert.detected_at), (FrameSpan { first: 2, last: 20 }, Capture::START + 9 * SECOND + 1_000));
        assert!(lookups(9, |n| (format!("{}.com", random(n)), 3)).is_empty());
        assert!(lookups(10, |n| (format!("{}.com", random(n)), 0)).is_empty());
    }

    #[test]
    fn fifty_leave_no_doubt() {
        assert_eq!(lookups(50, |n| (format!("{}.com", random(n)), 3))[0].severity, Severity::High);
    }

    #[test]
    fn they_count_only_close_together() {
        let mut capture = Capture::default();
        // One in 70 s: nine within ten minutes.
        (0..30).for_each(|n| capture.at_ms(i64::from(n) * 70_000).lookup(CLIENT, SERVER, &format!("{}.com", random(n)), 1, 3, 0));
        assert!(capture.judge(&Dga).is_empty());
    }

    #[test]
    fn who_mostly_finds_what_he_asks_for_is_a_resolver_or_mistypes() {
        // 15 found to 10 not: a share of 0.4; 16 found are more.
        let mixed =
            |found: u32| lookups(found + 10, |n| if n < found { (format!("site{n}.org"), 0) } else { (format!("{}.com", random(n)), 3) });
        assert_eq!((mixed(15).len(), mixed(16).len()), (1, 0));
    }

    #[test]
    fn readable_names_are_told_only_in_numbers() {
        let word = |n: u32| format!("{}{}.net", WORDS[n as usize % 8], WORDS[n as usize / 8 % 8]);
        assert!(lookups(49, |n| (word(n), 3)).is_empty());
        let found = lookups(50, |n| (word(n), 3));
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Low, Some("words")));
    }

    #[test]
    fn names_that_nobody_can_register_do_not_count() {
        // A browser's probes, a search list, neighbours, addresses, services.
        for suffix in ["", ".corp.lan", ".local", ".in-addr.arpa", "._tcp.local"] {
            assert!(lookups(60, |n| (format!("{}{suffix}", random(n)), 3)).is_empty(), "{suffix}");
        }
        // One label below many suffixes is one try; names below one domain are guesses at that domain.
        let suffixes = ["com", "net", "org", "de", "fr", "it", "es", "nl", "pl", "se", "ch", "at"];
        assert!(lookups(12, |n| (format!("{}.{}", random(1), suffixes[n as usize]), 3)).is_empty());
        assert!(lookups(60, |n| (format!("{}.example.com", random(n)), 3)).is_empty());
    }

    #[test]
    fn a_domain_with_any_name_exists() {
        let found = lookups(80, |n| (format!("{}{}.com", if n < 40 { "www." } else { "" }, random(n % 40)), if n < 40 { 0 } else { 3 }));
        assert!(found.is_empty());
    }

    #[test]
    fn a_resolver_that_passes_questions_on_is_not_told_again() {
        let mut capture = Capture::default();
        for n in 0..20 {
            let name = format!("{}.com", random(n));
            capture.at_ms(i64::from(n) * 100).lookup(CLIENT, SERVER, &name, 1, 3, 0);
            capture.lookup(SERVER, 99, &name, 1, 3, 0);
        }
        let found = capture.judge(&Dga);
        assert_eq!((found.len(), &found[0].attackers), (1, &vec![host(CLIENT)]));
    }

    #[test]
    fn pairs_are_readable_where_speech_knows_them() {
        // ga ar rd de en; xq qz zk; ab, then two beside a digit, and 12 says nothing.
        assert_eq!(Pairs::of("garden"), Pairs { readable: 5, all: 5 });
        assert_eq!(Pairs::of("xqzk"), Pairs { readable: 0, all: 3 });
        assert_eq!(Pairs::of("ab12c"), Pairs { readable: 1, all: 3 });
        assert_eq!((Pairs::of("a-b"), Pairs::of("xn--80ak6aa92e")), (Pairs::default(), Pairs::default()));
    }
}
