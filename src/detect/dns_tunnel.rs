#![doc = include_str!("docs/dns_tunnel.md")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{AddAssign, Range, Sub};

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, listed, share};
use super::flood_seconds::{measured, steps};
use super::names::{self, NAME_ERROR, NameServers, Row};
use super::wording::{counted, percent};
use crate::config::Settings;
use crate::error::Error;
use crate::pseudonym;
use crate::stats::rounded;
use crate::table::{Address, Distinct};
use crate::time::{self, HOUR, MINUTE, Nanos, SECOND, from_seconds};

pub(super) struct DnsTunnel;

const DOCUMENTATION: &str = include_str!("docs/dns_tunnel.md");

/// Services whose questions are made of hashes or addresses by design: reputation of files, addresses and
/// networks, and signing keys of mail that one domain keeps for all its customers.
const LOOKUP_SERVICES: [&str; 17] = [
    "amazonses.com",
    "barracudacentral.org",
    "clamav.net",
    "cymru.com",
    "dnswl.org",
    "e5.sk",
    "mailspike.net",
    "mcafee.com",
    "routeviews.org",
    "senderbase.org",
    "senderscore.com",
    "sophosxl.net",
    "spamcop.net",
    "spamhaus.net",
    "spamhaus.org",
    "surbl.org",
    "uribl.com",
];
/// Addresses asked for by name.
const REVERSE: [&str; 2] = ["in-addr.arpa", "ip6.arpa"];

/// Of each type, so many of the questions must be for a name that was not asked before: what is cached or
/// repeated carries nothing new. One retry of each is let through.
const NEW_SHARE: f64 = 0.5;
/// Where there are few names.
const NEW_SHARE_OF_FEW: f64 = 0.8;
/// A client that asks many domains for data is a mail server or a resolver; so much of what it asks must go
/// to this one domain.
const OF_CLIENT: f64 = 0.5;
/// How much longer names are in a burst.
const BURST_LENGTH: f64 = 1.6;
/// Share of data types in polling.
const POLLING_SHARE: f64 = 0.9;
/// Bytes per second in names for addresses from which more than a curious name is behind them.
const FAST: f64 = 50.0;
/// Address questions of which so many find nothing are guesses, or names completed with a search list.
const NOTHING_FOUND: f64 = 0.9;

impl Detector for DnsTunnel {
    fn id(&self) -> &'static str {
        "dns_tunnel"
    }

    fn summary(&self) -> &'static str {
        "data carried in the names that are asked of DNS"
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

fn is_exempt(domain: &str) -> bool {
    // `_tcp.local` and the like are announced services.
    domain.starts_with('_') || REVERSE.contains(&domain) || LOOKUP_SERVICES.binary_search(&domain).is_ok()
}

fn findings<'a>(context: &Context<'a>) -> Result<Vec<Finding<'a>>, Error> {
    let mut rows = names::rows(context, |row| !is_exempt(row.domain))?;
    rows.sort_unstable_by_key(|row| (row.client, row.domain, row.minute, row.qtype, row.result));
    let gap = from_seconds(context.config.base.alert.join_gap_s).max(HOUR);
    let mut findings = Vec::new();
    for of_client in rows.chunk_by(|a, b| a.client == b.client) {
        let pairs: Vec<&[Row]> = of_client.chunk_by(|a, b| a.domain == b.domain).collect();
        let asked: Vec<Vec<Row>> = pairs.iter().map(|pair| asked_of(pair)).collect();
        let client = Client::of(asked.iter().flatten());
        for (rows, asked) in pairs.iter().zip(&asked) {
            for run in asked.chunk_by(|a, b| b.minute - a.minute < gap) {
                findings.extend(Run::of(rows, run, &client).and_then(|run| run.judge(context)));
            }
        }
    }
    Ok(findings)
}

/// The questions; where only answers were captured, these repeat them.
fn asked_of<'a>(pair: &[Row<'a>]) -> Vec<Row<'a>> {
    let questions: Vec<Row> = pair.iter().filter(|row| row.is_question()).copied().collect();
    if questions.is_empty() { pair.to_vec() } else { questions }
}

/// Types whose answers, or questions, hold more than an address. (SRV, PTR, HTTPS, DNSKEY and the like are asked
/// as a matter of course.)
fn data_type(qtype: u16) -> Option<&'static str> {
    match qtype {
        5 => Some("CNAME"),
        15 => Some("MX"),
        16 => Some("TXT"),
        25 => Some("KEY"),
        _ => odd_type(qtype),
    }
}

/// Types that nobody asks for: NULL (RFC 1035 calls it experimental) and those for private use (RFC 6895).
fn odd_type(qtype: u16) -> Option<&'static str> {
    match qtype {
        10 => Some("NULL"),
        65_280..=65_534 => Some("private"),
        _ => None,
    }
}

/// Questions for data of one client, whatever the domain, as sums up to each minute.
struct Client(Vec<(Nanos, u64)>);

impl Client {
    fn of<'a>(asked: impl Iterator<Item = &'a Row<'a>>) -> Self {
        let mut minutes: BTreeMap<Nanos, u64> = BTreeMap::new();
        for row in asked.filter(|row| data_type(row.qtype).is_some()) {
            *minutes.entry(row.minute).or_default() += row.messages;
        }
        let mut sum = 0;
        Self(
            minutes
                .into_iter()
                .map(|(minute, messages)| {
                    sum += messages;
                    (minute, sum)
                })
                .collect(),
        )
    }

    fn between(&self, first: Nanos, last: Nanos) -> u64 {
        let before = |end: usize| end.checked_sub(1).and_then(|row| self.0.get(row)).map_or(0, |(_, sum)| *sum);
        before(self.0.partition_point(|(minute, _)| *minute <= last)) - before(self.0.partition_point(|(minute, _)| *minute < first))
    }
}

/// What can be added up without looking into a sketch.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    questions: u64,
    /// At least as many as there are distinct names.
    names: u64,
    name_bytes: u64,
    entropy_millibits: u64,
    data: u64,
    odd: u64,
}

impl AddAssign<&Row<'_>> for Sums {
    fn add_assign(&mut self, row: &Row<'_>) {
        let of = |kind: Option<&str>| if kind.is_some() { row.messages } else { 0 };
        self.questions += row.messages;
        self.names += Distinct::from_bytes(row.names).count();
        self.name_bytes += row.name_bytes;
        self.entropy_millibits += row.entropy_millibits;
        self.data += of(data_type(row.qtype));
        self.odd += of(odd_type(row.qtype));
    }
}

impl Sub for Sums {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            questions: self.questions - before.questions,
            names: self.names - before.names,
            name_bytes: self.name_bytes - before.name_bytes,
            entropy_millibits: self.entropy_millibits - before.entropy_millibits,
            data: self.data - before.data,
            odd: self.odd - before.odd,
        }
    }
}

impl Sums {
    fn mean_bytes(&self) -> f64 {
        share(self.name_bytes, self.questions)
    }

    fn entropy_bits(&self) -> f64 {
        share(self.entropy_millibits, self.questions) / 1_000.0
    }
}

/// Names that one client asked for below one domain, without a pause of an hour.
struct Run<'r, 'a> {
    /// Questions and answers of client and domain.
    rows: &'r [Row<'a>],
    asked: &'r [Row<'a>],
    client: &'r Client,
    /// Of all rows before each row, and of all.
    sums: Vec<Sums>,
}

impl<'r, 'a> Run<'r, 'a> {
    fn of(rows: &'r [Row<'a>], asked: &'r [Row<'a>], client: &'r Client) -> Option<Self> {
        let (first, last) = (asked.first()?.minute, asked.last()?.minute);
        let from = rows.partition_point(|row| row.minute < first);
        let to = rows.partition_point(|row| row.minute <= last);
        let mut sums = vec![Sums::default()];
        let mut sum = Sums::default();
        for row in asked {
            sum += row;
            sums.push(sum);
        }
        Some(Self { rows: rows.get(from..to)?, asked, client, sums })
    }

    fn sums(&self, range: &Range<usize>) -> Sums {
        let at = |row: usize| self.sums.get(row).copied().unwrap_or_default();
        at(range.end) - at(range.start)
    }

    /// Slides an hour over the run until it shows a tunnel, then goes on by whole hours.
    fn judge(&self, context: &Context<'a>) -> Option<Finding<'a>> {
        let head = self.asked.first()?;
        let settings = context.settings(head.client);
        if self.sums.last()?.names < u64::from(settings.dns.tunnel_few) {
            return None;
        }
        let (mut worst, mut crossed): (Option<Verdict>, Option<Nanos>) = (None, None);
        let mut from = 0;
        while let Some(head) = self.asked.get(from) {
            let hour = from..self.asked.partition_point(|row| row.minute < head.minute + HOUR);
            let verdict = self.verdict(settings, hour.clone());
            if verdict.is_some() && crossed.is_none() {
                crossed = self.crossed(settings, &hour);
            }
            worst = worst.into_iter().chain(verdict).max_by_key(Verdict::weight);
            from = if worst.is_some() { hour.end } else { self.minute_end(from) };
        }
        let (worst, crossed) = (worst?, crossed?);
        let whole = self.evidence(0..self.asked.len());
        let servers = names::servers_of(self.rows.iter());
        (!names::is_multicast(&servers)).then_some(Finding { client: head.client, domain: head.domain, crossed, worst, whole, servers })
    }

    /// The last question of the minute that decided.
    fn crossed(&self, settings: &Settings, hour: &Range<usize>) -> Option<Nanos> {
        let mut end = hour.start;
        while end < hour.end {
            end = self.minute_end(end);
            if end == hour.end || self.verdict(settings, hour.start..end).is_some() {
                break;
            }
        }
        self.asked.get(hour.start..end)?.iter().map(|row| row.last).max()
    }

    /// Behind the last row of the minute of a row.
    fn minute_end(&self, row: usize) -> usize {
        self.asked.get(row).map_or(row + 1, |head| self.asked.partition_point(|row| row.minute <= head.minute))
    }

    /// How bad the questions of some minutes are, an hour at most.
    fn verdict(&self, settings: &Settings, range: Range<usize>) -> Option<Verdict> {
        let sums = self.sums(&range);
        let dns = &settings.dns;
        let possible = sums.names >= u64::from(dns.tunnel_few)
            && (sums.mean_bytes() >= dns.name_bytes
                || sums.entropy_bits() >= dns.entropy_bits
                || share(sums.data, sums.questions) >= dns.data_share);
        if !possible {
            return None;
        }
        let of_hour = self.evidence(range.clone());
        let of_burst = of_hour.burst(settings).then(|| self.bursts(settings, range)).flatten();
        of_hour.judge(settings).into_iter().chain(of_burst).max_by_key(Verdict::weight)
    }

    /// The worst of the minutes.
    fn bursts(&self, settings: &Settings, range: Range<usize>) -> Option<Verdict> {
        let minutes = self.asked.get(range.clone())?.chunk_by(|a, b| a.minute == b.minute);
        let mut start = range.start;
        let verdicts = minutes.filter_map(|rows| {
            let minute = start..start + rows.len();
            start = minute.end;
            let enough = self.sums(&minute).names >= u64::from(settings.dns.tunnel_burst);
            enough.then(|| self.evidence(minute)).and_then(|evidence| evidence.judge_burst(settings))
        });
        verdicts.max_by_key(Verdict::weight)
    }

    fn evidence(&self, range: Range<usize>) -> Evidence {
        let sums = self.sums(&range);
        let asked = self.asked.get(range).unwrap_or_default();
        let (from, to) = (asked.first().map_or(0, |row| row.minute), asked.last().map_or(0, |row| row.minute));
        let mut by_type: BTreeMap<u16, Distinct> = BTreeMap::new();
        asked.iter().for_each(|row| by_type.entry(row.qtype).or_default().merge(&Distinct::from_bytes(row.names)));
        let mut names = Distinct::default();
        by_type.values().for_each(|of_type| names.merge(of_type));
        let rows = self.rows.get(self.rows.partition_point(|row| row.minute < from)..).unwrap_or_default();
        let rows = || rows.iter().take_while(|row| row.minute <= to);
        let answers = || rows().filter(|row| !row.is_question());
        Evidence {
            sums,
            // An estimate may exceed what is possible.
            names: names.count().min(sums.names),
            new: by_type.values().map(Distinct::count).sum::<u64>().min(sums.questions),
            of_client: share(sums.data, self.client.between(from, to)),
            data_types: by_type.keys().filter_map(|qtype| data_type(*qtype)).collect(),
            longest: asked.iter().map(|row| row.longest).max().unwrap_or_default(),
            answers: answers().map(|row| row.messages).sum(),
            nothing_found: answers().filter(|row| row.result == NAME_ERROR).map(|row| row.messages).sum(),
            with_data: answers().filter(|row| row.answer_bytes > 0).map(|row| row.messages).sum(),
            answer_bytes: answers().map(|row| row.answer_bytes).sum(),
            messages: rows().map(|row| row.messages).sum(),
            first: rows().map(|row| row.first).min().unwrap_or_default(),
            last: rows().map(|row| row.last).max().unwrap_or_default(),
            frames: FrameSpan {
                first: rows().map(|row| row.frames.first).min().unwrap_or_default(),
                last: rows().map(|row| row.frames.last).max().unwrap_or_default(),
            },
        }
    }
}

/// What was asked and answered in a stretch of time.
#[derive(Clone, Debug)]
struct Evidence {
    sums: Sums,
    /// Distinct names, and the same counted for each type.
    names: u64,
    new: u64,
    /// Share of what the client asks for data that goes to this domain.
    of_client: f64,
    data_types: BTreeSet<&'static str>,
    longest: u32,
    answers: u64,
    nothing_found: u64,
    with_data: u64,
    answer_bytes: u64,
    messages: u64,
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
}

/// In which ways names look like data.
#[expect(clippy::struct_excessive_bools, reason = "four signs, each there or not, whatever the others")]
struct Signs {
    long: bool,
    dense: bool,
    data: bool,
    odd: bool,
}

impl Evidence {
    /// None where questions for addresses find nothing: those are guesses, or a search list.
    fn signs(&self, settings: &Settings) -> Option<Signs> {
        let dns = &settings.dns;
        let data = share(self.sums.data, self.sums.questions) >= dns.data_share;
        let guesses = self.answers > 0 && share(self.nothing_found, self.answers) >= NOTHING_FOUND;
        (data || !guesses).then(|| Signs {
            long: self.sums.mean_bytes() >= dns.name_bytes,
            dense: self.sums.entropy_bits() >= dns.entropy_bits,
            data: data && self.of_client >= OF_CLIENT,
            odd: share(self.sums.odd, self.sums.questions) >= dns.data_share,
        })
    }

    fn new_share(&self) -> f64 {
        share(self.new, self.sums.questions)
    }

    /// New bytes in names per second, over a minute at least.
    fn bytes_per_s(&self) -> f64 {
        self.names as f64 * self.sums.mean_bytes() * SECOND as f64 / (self.last - self.first).max(MINUTE) as f64
    }

    fn judge(&self, settings: &Settings) -> Option<Verdict> {
        let dns = &settings.dns;
        let signs = self.signs(settings)?;
        let Signs { long, dense, data, odd } = signs;
        let at_least = |names: u32| self.names >= u64::from(names);
        if at_least(dns.tunnel_names) && self.new_share() >= NEW_SHARE && (long || dense || data || odd) {
            let severity = match () {
                () if odd || data && (long || dense || at_least(dns.tunnel_names.saturating_mul(10))) => Severity::High,
                () if data || long && dense || self.bytes_per_s() >= FAST => Severity::Medium,
                () => Severity::Low,
            };
            return Some(self.verdict("volume", severity, dns.tunnel_names));
        }
        if at_least(dns.tunnel_few) && self.new_share() >= NEW_SHARE_OF_FEW && (odd || data && long) {
            return Some(self.verdict("brief", Severity::Medium, dns.tunnel_few));
        }
        let answered = self.with_data >= u64::from(dns.tunnel_few);
        let only_data = data && share(self.sums.data, self.sums.questions) >= POLLING_SHARE;
        let polls = at_least(dns.tunnel_few) && self.sums.questions >= u64::from(dns.tunnel_polls);
        (polls && only_data && answered).then(|| self.verdict("polling", Severity::Low, dns.tunnel_few))
    }

    /// A minute of it may be a burst.
    fn burst(&self, settings: &Settings) -> bool {
        self.names >= u64::from(settings.dns.tunnel_burst)
    }

    fn judge_burst(&self, settings: &Settings) -> Option<Verdict> {
        let Signs { long, data, odd, .. } = self.signs(settings)?;
        let strange = odd || data && long || self.sums.mean_bytes() >= BURST_LENGTH * settings.dns.name_bytes;
        let severity = if odd || data { Severity::Medium } else { Severity::Low };
        (self.burst(settings) && self.new_share() >= NEW_SHARE && strange)
            .then(|| self.verdict("burst", severity, settings.dns.tunnel_burst))
    }

    fn verdict(&self, technique: &'static str, severity: Severity, names: u32) -> Verdict {
        Verdict { technique, severity, names, evidence: self.clone() }
    }
}

struct Verdict {
    technique: &'static str,
    severity: Severity,
    /// The threshold that the distinct names reached.
    names: u32,
    evidence: Evidence,
}

impl Verdict {
    /// The worst is told; of two that are as bad, the larger, then the earlier.
    fn weight(&self) -> (Severity, u64, std::cmp::Reverse<Nanos>) {
        (self.severity, self.evidence.names, std::cmp::Reverse(self.evidence.first))
    }

    fn window_s(&self) -> f64 {
        if self.technique == "burst" { 60.0 } else { 3_600.0 }
    }
}

struct Finding<'a> {
    client: Address,
    domain: &'a str,
    crossed: Nanos,
    worst: Verdict,
    /// Of the whole run.
    whole: Evidence,
    servers: Distinct,
}

impl Finding<'_> {
    /// This client asked the other, which passed it on: a resolver.
    fn asked(&self, context: &Context<'_>, other: &Finding<'_>) -> bool {
        self.client != other.client
            && self.domain == other.domain
            && self.whole.first <= other.whole.last
            && other.whole.first <= self.whole.last
            && names::serves(&self.servers, context.address(other.client))
    }

    fn alert(&self, context: &Context<'_>, servers: &NameServers) -> Alert {
        let dns = &context.settings(self.client).dns;
        let (whole, worst) = (&self.whole, &self.worst.evidence);
        let client = context.address(self.client);
        let below = if self.domain.is_empty() { "without a domain".to_owned() } else { format!("below {}", pseudonym::name(self.domain)) };
        let asked_servers = servers.addresses(&self.servers);
        let (ports, protocol) = servers.ports(&asked_servers);
        let (victims, _) = listed(asked_servers);
        let severity = self.worst.severity;
        Alert {
            kind: "dns_tunnel",
            technique: Some(self.worst.technique),
            title: match self.worst.technique {
                "polling" => format!("Data fetched again and again from DNS names {below} by {client}"),
                _ => format!("Data in DNS names {below}, asked for by {client}"),
            },
            message: format!(
                "{client} asked {} for {}{} {below} within {}, {:.0} bytes beside the domain on average and {} at most; {} of the questions were for data{}, and {} came back in {}",
                counted(whole.sums.questions, "time"),
                if whole.names > 64 { "about " } else { "" },
                // The number is an estimate beyond 64; a name is asked for at least once.
                counted(whole.names.min(whole.sums.questions), "distinct name"),
                time::duration(whole.last - whole.first),
                whole.sums.mean_bytes(),
                whole.longest,
                percent(share(whole.sums.data, whole.sums.questions)),
                types(&whole.data_types),
                counted(whole.answer_bytes, "byte"),
                counted(whole.answers, "answer"),
            ),
            severity,
            confidence: match severity {
                Severity::Critical | Severity::High => 0.85,
                Severity::Medium => 0.7,
                Severity::Low | Severity::Info => 0.4,
            },
            attack: &["T1071.004", "T1572"],
            first_seen: whole.first,
            last_seen: whole.last,
            detected_at: self.crossed,
            attackers: vec![client.to_string()],
            attacker_count: 1,
            victims,
            victim_count: self.servers.count(),
            port_count: ports.len() as u64,
            ports,
            protocol,
            measured: vec![
                measured("distinct names", worst.names as f64, "names", Some(f64::from(self.worst.names))),
                measured(
                    "questions",
                    worst.sums.questions as f64,
                    "questions",
                    (self.worst.technique == "polling").then(|| f64::from(dns.tunnel_polls)),
                ),
                measured("mean length beside the domain", rounded(worst.sums.mean_bytes(), 2), "bytes", Some(dns.name_bytes)),
                measured("mean entropy", rounded(worst.sums.entropy_bits(), 2), "bits per character", Some(dns.entropy_bits)),
                measured(
                    "questions for data",
                    rounded(share(worst.sums.data, worst.sums.questions), 2),
                    "share of questions",
                    Some(dns.data_share),
                ),
                measured("data in names", rounded(worst.bytes_per_s(), 2), "bytes per second", None),
                measured("data in answers", worst.answer_bytes as f64, "bytes", None),
            ],
            window_s: self.worst.window_s(),
            flow_count: 0,
            packet_count: whole.messages,
            frames: whole.frames,
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Read some of the names in Wireshark (filter: dns): do they repeat words, or count and encode?",
                "Find out who owns the domain, and which program on the client asks for it.",
                "If a security product or a mail filter looks hashes up there, add the client to the allow-list.",
            ]),
            picture: Picture::None,
        }
    }
}

/// ` (CNAME, MX)`
fn types(data_types: &BTreeSet<&'static str>) -> String {
    if data_types.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = data_types.iter().copied().collect();
    format!(" ({})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Capture, host};
    use crate::net::mix;

    const A: u16 = 1;
    const CNAME: u16 = 5;
    const NULL: u16 = 10;
    const MX: u16 = 15;
    const TXT: u16 = 16;
    const CLIENT: u32 = 5;
    const SERVER: u32 = 53;

    /// A label of data: so many hexadecimal digits, at most 60, others for each number.
    fn data(number: u32, digits: usize) -> String {
        let text: String = (0..4).map(|part| format!("{:016x}", mix(u64::from(number), part))).collect();
        text[..digits].to_owned()
    }

    /// Lookups of one client, one each 100 ms, answered with 40 bytes.
    fn lookups(count: u32, of: impl Fn(u32) -> (String, u16)) -> Vec<Alert> {
        let mut capture = Capture::default();
        for n in 0..count {
            let (name, qtype) = of(n);
            capture.at_ms(i64::from(n) * 100).lookup(CLIENT, SERVER, &name, qtype, 0, 40);
        }
        capture.judge(&DnsTunnel)
    }

    fn told(found: &[Alert]) -> Vec<(Option<&'static str>, Severity)> {
        found.iter().map(|alert| (alert.technique, alert.severity)).collect()
    }

    #[test]
    fn a_hundred_names_of_data_types_are_a_tunnel() {
        let found = lookups(120, |n| (format!("{}.example.com", data(n, 40)), [TXT, MX, CNAME][n as usize % 3]));
        assert_eq!(told(&found), [(Some("volume"), Severity::High)]);
        let alert = &found[0];
        assert_eq!((&alert.attackers, &alert.victims), (&vec![host(CLIENT)], &vec![host(SERVER)]));
        assert!(alert.title.contains("example.com"), "{}", alert.title);
        assert_eq!((alert.frames, alert.packet_count), (FrameSpan { first: 1, last: 240 }, 240));
        assert_eq!((alert.measured[2].value, alert.measured[4].value), (40.0, 1.0));
    }

    #[test]
    fn the_moment_is_that_of_the_minute_that_decided() {
        let mut capture = Capture::default();
        for n in 0..240 {
            // 72 in the first half hour, then 20 a minute.
            let at = if n < 72 { n * 25_000 } else { 1_800_000 + (n - 72) * 3_000 };
            capture.at_ms(at).lookup(CLIENT, SERVER, &format!("{}.example.com", data(n as u32, 40)), A, 0, 4);
        }
        let found = capture.judge(&DnsTunnel);
        assert_eq!(found.len(), 1);
        // The hundredth name (more than 64 are estimated) is one of the second minute after that, which ends at 117 s.
        assert_eq!(found[0].detected_at, Capture::START + (1_800 + 117) * SECOND);
    }

    #[test]
    fn few_names_are_enough_if_nobody_asks_for_such() {
        let null = |count| lookups(count, |n| (format!("{}.t.example.com", data(n, 20)), NULL));
        assert_eq!(told(&null(10)), [(Some("brief"), Severity::Medium)]);
        assert!(null(9).is_empty());
        let text = |digits| lookups(12, |n| (format!("{}.example.com", data(n, digits)), TXT));
        assert_eq!(told(&text(25)), [(Some("brief"), Severity::Medium)]);
        assert!(text(24).is_empty());
    }

    #[test]
    fn names_for_addresses_must_be_many_and_long() {
        let of = |count, digits| lookups(count, |n| (format!("{}.example.com", data(n, digits)), A));
        assert_eq!(told(&of(120, 30)), [(Some("volume"), Severity::Medium)]);
        assert_eq!(told(&of(40, 40)), [(Some("burst"), Severity::Low)]);
        assert!(of(40, 30).is_empty() && of(29, 40).is_empty() && of(300, 12).is_empty());
    }

    #[test]
    fn slowly_asked_long_names_for_addresses_are_worth_a_look() {
        let mut capture = Capture::default();
        // 120 names of 30 bytes in 3570 s: about one byte a second.
        (0..120)
            .for_each(|n| capture.at_ms(i64::from(n) * 30_000).lookup(CLIENT, SERVER, &format!("{}.example.com", data(n, 30)), A, 0, 4));
        assert_eq!(told(&capture.judge(&DnsTunnel)), [(Some("volume"), Severity::Low)]);
    }

    #[test]
    fn commands_fetched_again_and_again_are_worth_a_look() {
        let polls = |count, names: u32| lookups(count, |n| (format!("cmd{}.example.com", n % names), TXT));
        assert_eq!(told(&polls(50, 19)), [(Some("polling"), Severity::Low)]);
        assert!(polls(29, 19).is_empty() && polls(50, 9).is_empty());
        // Without an answer there is nothing to fetch; for addresses they are ordinary names.
        let mut unanswered = Capture::default();
        (0..50).for_each(|n| unanswered.at_ms(i64::from(n) * 100).lookup(CLIENT, SERVER, &format!("cmd{}.example.com", n % 19), TXT, 2, 0));
        assert!(unanswered.judge(&DnsTunnel).is_empty());
        assert!(lookups(50, |n| (format!("www{}.example.com", n % 19), A)).is_empty());
    }

    #[test]
    fn a_mail_server_asks_many_domains_for_text() {
        // SPF, DKIM and DMARC of 100 senders, and two dozen customers of one provider among them.
        let found = lookups(300, |n| match n % 12 {
            0 => (format!("customer{n}.example.com"), MX),
            1 => (format!("s{n}._domainkey.sender{n}.org"), TXT),
            2 => (format!("_dmarc.sender{n}.org"), TXT),
            _ => (format!("sender{n}.org"), TXT),
        });
        assert!(found.is_empty());
    }

    #[test]
    fn reputation_addresses_and_services_are_looked_up_by_strange_names() {
        let below = |domain: &str| lookups(200, |n| (format!("{}.{domain}", data(n, 60)), TXT));
        for domain in ["bl.spamhaus.org", "ip6.arpa", "in-addr.arpa", "s.sophosxl.net", "_tcp.local"] {
            assert!(below(domain).is_empty(), "{domain}");
        }
        // The reversed addresses of a list nobody knows have at most 12 digits.
        assert!(lookups(200, |n| (format!("{n}.2.0.192.dnsbl.example.com"), A)).is_empty());
        assert!(LOOKUP_SERVICES.is_sorted());
    }

    #[test]
    fn a_search_list_and_guessed_names_find_nothing() {
        let mut capture = Capture::default();
        for n in 0..200 {
            capture.at_ms(n * 100).lookup(CLIENT, SERVER, &format!("service-number-{n}.of.some.example.org.cluster.local"), A, 3, 0);
        }
        assert!(capture.judge(&DnsTunnel).is_empty());
    }

    #[test]
    fn long_names_that_are_asked_again_are_hosts_of_a_cloud() {
        assert!(lookups(400, |n| (format!("{}.example.com", data(n % 100, 40)), A)).is_empty());
    }

    #[test]
    fn neighbours_are_no_tunnel() {
        let mut capture = Capture::default();
        let group = 0xe000_00fb;
        (0..200).for_each(|n| capture.at_ms(i64::from(n) * 100).question(CLIENT, group, &format!("{}.local", data(n, 36)), A));
        assert!(capture.judge(&DnsTunnel).is_empty());
    }

    #[test]
    fn a_resolver_that_passes_questions_on_is_not_told_again() {
        let mut capture = Capture::default();
        for n in 0..120 {
            let name = format!("{}.example.com", data(n, 40));
            capture.at_ms(i64::from(n) * 100).lookup(CLIENT, SERVER, &name, TXT, 0, 40);
            capture.lookup(SERVER, 99, &name, TXT, 0, 40);
        }
        let found = capture.judge(&DnsTunnel);
        assert_eq!((found.len(), &found[0].attackers), (1, &vec![host(CLIENT)]));
    }

    #[test]
    fn answers_alone_tell_of_their_questions() {
        let mut capture = Capture::default();
        (0..120)
            .for_each(|n| capture.at_ms(i64::from(n) * 100).answer(CLIENT, SERVER, &format!("{}.example.com", data(n, 40)), NULL, 0, 90));
        assert_eq!(told(&capture.judge(&DnsTunnel)), [(Some("volume"), Severity::High)]);
    }
}
