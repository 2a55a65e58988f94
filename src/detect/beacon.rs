#![doc = include_str!("docs/beacon.md")]

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::Detector;
use super::alert::{Alert, FrameSpan, LISTED, Measured, Picture, Probe, Severity};
use super::calls::{self, Calls, STROBE_PER_MINUTE};
use super::context::{Context, listed, share};
use super::flood_seconds::{measured, steps};
use super::rhythm::{Demands, Rhythm, Scores};
use super::rows::i64s;
use super::services::{backdoor, is_known, named};
use super::surroundings::Surroundings;
use super::wording::{counted, grouped, percent};
use crate::config;
use crate::error::Error;
use crate::net::ip_proto;
use crate::pseudonym;
use crate::stats::rounded;
use crate::table::{Address, schema as col};
use crate::time::{self, MILLISECOND, Nanos, SECOND, from_seconds};

pub(super) struct Beacon;

const DOCUMENTATION: &str = include_str!("docs/beacon.md");

/// RITA's prevalence: a destination that few of the hosts know weighs more, one that half of them know
/// weighs less. Shares of a handful of hosts say nothing.
const RARE: f64 = 0.02;
const RARE_OF: usize = 50;
const COMMON: f64 = 0.5;
const COMMON_LEAST: usize = 3;
const PREVALENCE: f64 = 0.15;
/// A source with more services without a name than this takes part in a peer-to-peer network.
const PEER_TO_PEER: usize = 10;
/// Over too small a part of the capture it must at least be kept up for so many calls.
const BRIEF: f64 = 0.3;
const KEPT_UP: usize = 30;
/// Periods this close to each other are the same.
const ALIKE: f64 = 1.05;
/// A strobe is kept up for so many minutes.
const STROBE_MINUTES: u64 = 10;
/// Points of a picture.
const DRAWN: usize = 5_000;
/// Names that operating systems and browsers ask for by the clock, to learn whether they are online
/// and whether certificates are still good.
const CHECKS: [&str; 14] = [
    "msftconnecttest.com",
    "msftncsi.com",
    "connectivitycheck.gstatic.com",
    "connectivitycheck.android.com",
    "clients3.google.com",
    "captive.apple.com",
    "detectportal.firefox.com",
    "connectivity-check.ubuntu.com",
    "network-test.debian.org",
    "nmcheck.gnome.org",
    "ping.archlinux.org",
    "fedoraproject.org",
    "ocsp.digicert.com",
    "ocsp.pki.goog",
];

impl Detector for Beacon {
    fn id(&self) -> &'static str {
        "beacon"
    }

    fn summary(&self) -> &'static str {
        "connections of one host to one destination in a steady rhythm"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let Some(capture) = context.capture.span.filter(|_| context.tables.contacts.height() > 0) else { return Ok(Vec::new()) };
        let calls = calls::find(context)?;
        let resolution = resolution(context)?;
        let rhythms: Vec<Option<Rhythm>> = calls.par_iter().map(|calls| rhythm(context, calls, resolution)).collect();
        let mut found: Vec<(Calls, Option<Rhythm>)> =
            calls.into_iter().zip(rhythms).filter(|(calls, rhythm)| rhythm.is_some() || calls.strobe_minutes >= STROBE_MINUTES).collect();
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let surroundings = Surroundings::of(context, &found.iter().map(|(calls, _)| calls).collect::<Vec<_>>())?;
        found.retain(|(calls, _)| !is_told(context, calls));
        let (rhythmic, dense): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, rhythm)| rhythm.is_some());
        let beacons: Vec<Found> =
            rhythmic.into_par_iter().filter_map(|(calls, rhythm)| Found::of(context, &surroundings, calls, rhythm?, capture)).collect();
        let mut alerts: Vec<Alert> = dense.iter().map(|(calls, _)| strobe(context, &surroundings, calls)).collect();
        alerts.extend(told(context, beacons));
        Ok(alerts)
    }
}

/// A second where every connection begins and ends with a full one: some formats and exports keep no more.
fn resolution(context: &Context<'_>) -> Result<Nanos, Error> {
    let contacts = &context.tables.contacts;
    let mut times = i64s(contacts, col::FIRST_TS)?.iter().chain(i64s(contacts, col::LAST_TS)?);
    Ok(if times.all(|ts| ts % SECOND == 0) { SECOND } else { MILLISECOND })
}

fn rhythm(context: &Context<'_>, calls: &Calls, resolution: Nanos) -> Option<Rhythm> {
    let settings = &context.settings(calls.source).beacon;
    let demands =
        Demands { calls: settings.connections as usize, least: from_seconds(settings.least_s), chance: settings.chance, resolution };
    Rhythm::of(&calls.times, &demands)
}

/// A scan or a flood explains it.
fn is_told(context: &Context<'_>, calls: &Calls) -> bool {
    calls.targets.iter().any(|target| {
        context.scans.explains(calls.source, *target, calls.first)
            || context.floods().any(|flood| flood.covers(*target, calls.first, calls.last))
    })
}

/// Calls in a rhythm, and what they are worth.
struct Found {
    calls: Calls,
    rhythm: Rhythm,
    scores: Scores,
    score: f64,
    clients: usize,
    severity: Severity,
    /// Why it is not worth a look.
    excuse: Option<&'static str>,
    name: String,
}

impl Found {
    fn of(context: &Context<'_>, surroundings: &Surroundings, calls: Calls, rhythm: Rhythm, capture: (Nanos, Nanos)) -> Option<Self> {
        let settings = context.settings(calls.source);
        let scores = rhythm.scores(capture);
        let clients = surroundings.clients(&calls);
        let score = (scores.total() + prevalence(clients, surroundings.hosts)).clamp(0.0, 1.0);
        if score < settings.beacon.score {
            return None;
        }
        let names = surroundings.names(&calls);
        let excuse = excuse(context, surroundings, &calls, &rhythm, &scores).or_else(|| {
            let is_check = |name: &&str| {
                CHECKS.iter().any(|check| name.strip_suffix(check).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
            };
            (!names.is_empty() && names.iter().all(is_check)).then_some("systems ask there by the clock whether they are online")
        });
        let severity = match excuse {
            Some(_) => Severity::Info,
            None if score >= settings.beacon.medium && is_hidden(context, &calls) => Severity::Medium,
            None => Severity::Low,
        };
        let name =
            if names.len() == 1 { names.iter().map(|name| format!(" ({})", pseudonym::name(name))).collect() } else { String::new() };
        Some(Self { calls, rhythm, scores, score, clients, severity, excuse, name })
    }
}

fn prevalence(clients: usize, hosts: usize) -> f64 {
    let known_to = share(clients as u64, hosts as u64);
    if clients >= COMMON_LEAST && known_to >= COMMON {
        -PREVALENCE
    } else if hosts >= RARE_OF && known_to <= RARE {
        PREVALENCE
    } else {
        0.0
    }
}

/// A port that no service is known for, outside; or anywhere one that back doors are known for.
fn is_hidden(context: &Context<'_>, calls: &Calls) -> bool {
    let outside = calls.targets.iter().all(|target| !context.address(*target).is_private());
    calls.proto == ip_proto::TCP && (backdoor(calls.port).is_some() || outside && !is_known(calls.port))
}

fn excuse(context: &Context<'_>, surroundings: &Surroundings, calls: &Calls, rhythm: &Rhythm, scores: &Scores) -> Option<&'static str> {
    let ports = &context.settings(calls.source).ports;
    let inside = calls.targets.iter().all(|target| context.address(*target).is_private());
    if inside && surroundings.is_infrastructure(calls) {
        Some("the destination also runs this network for it (DNS, DHCP or NTP), as a router does whose pages are open or polled")
    } else if inside && surroundings.clients(calls) > ports.max_clients as usize {
        Some("other hosts use the destination too, which makes it a service of this network")
    } else if !is_known(calls.port) && backdoor(calls.port).is_none() && surroundings.peers(calls) > PEER_TO_PEER {
        Some("the caller meets many hosts at such ports, as peer-to-peer programs do")
    } else if rhythm.beats.len() < KEPT_UP && scores.persistence < BRIEF {
        Some("it was not kept up for long")
    } else {
        None
    }
}

/// One alert for each, but one for all destinations that a monitor asks in turn.
fn told(context: &Context<'_>, beacons: Vec<Found>) -> Vec<Alert> {
    let mut alike: BTreeMap<(Address, u16, u8), Vec<Found>> = BTreeMap::new();
    for beacon in beacons {
        alike.entry((beacon.calls.source, beacon.calls.port, beacon.calls.proto)).or_default().push(beacon);
    }
    let mut alerts = Vec::new();
    for ((source, ..), mut beacons) in alike {
        beacons.sort_by_key(|beacon| (beacon.rhythm.period, beacon.calls.targets.first().copied()));
        let monitored = context.settings(source).beacon.monitored as usize;
        for group in beacons.chunk_by(|a, b| b.rhythm.period as f64 <= a.rhythm.period as f64 * ALIKE) {
            if group.len() >= monitored {
                alerts.extend(monitor(context, group));
            } else {
                alerts.extend(group.iter().map(|beacon| beacon.alert(context)));
            }
        }
    }
    alerts
}

impl Found {
    fn alert(&self, context: &Context<'_>) -> Alert {
        let Self { calls, rhythm, .. } = self;
        let (source, target) = (context.address(calls.source), destination(context, calls));
        let settings = context.settings(calls.source);
        let bursts = if rhythm.beats.len() as u64 * 2 <= calls.connections {
            format!(" in {} bursts", grouped(rhythm.beats.len() as u64))
        } else {
            String::new()
        };
        let outcome = match share(calls.failed, calls.attempts) {
            failed if failed > 0.5 => format!("{} of them in vain", percent(failed)),
            _ => format!("{} bytes out and {} back", grouped(calls.bytes_out), grouped(calls.bytes_back)),
        };
        let excuse = self.excuse.map(|excuse| format!("; {excuse}")).unwrap_or_default();
        Alert {
            title: format!("Calls in a rhythm from {source} to {target}"),
            message: format!(
                "{source} connected to {} port {} of {target}{} {} times{bursts} in {}: {} of {} intervals lie within {} % of {}; {outcome}{excuse}",
                protocol(calls),
                named(calls.port),
                self.name,
                grouped(calls.connections),
                time::duration(rhythm.span()),
                grouped(rhythm.within as u64),
                grouped(rhythm.beats.len() as u64 - 1),
                rhythm.tolerance * 100.0,
                time::duration(rhythm.period),
            ),
            severity: self.severity,
            confidence: match self.severity {
                Severity::Info => 0.3,
                Severity::Low => 0.5,
                _ => 0.6,
            },
            first_seen: rhythm.beats.first().map_or(calls.first, |beat| beat.ts),
            detected_at: rhythm.crossed,
            measured: self.measured(&settings.beacon),
            window_s: rhythm.span() as f64 / SECOND as f64,
            picture: self.picture(),
            ..alert_of(context, std::slice::from_ref(calls))
        }
    }

    fn measured(&self, settings: &config::Beacon) -> Vec<Measured> {
        let Self { rhythm, scores, .. } = self;
        let part = |name, value| measured(name, rounded(value, 3), "score from 0 to 1", None);
        let mut all = vec![
            measured("calls", rhythm.beats.len() as f64, "calls", Some(f64::from(settings.connections))),
            measured("time", rhythm.span() as f64 / SECOND as f64, "seconds", Some(settings.least_s)),
            measured("period", rhythm.period as f64 / SECOND as f64, "seconds", None),
            measured(
                "intervals near the period",
                rounded(rhythm.within as f64 / (rhythm.beats.len() as f64 - 1.0), 3),
                "share of intervals",
                None,
            ),
            measured("how near", two_digits(rhythm.tolerance), "share of the period", None),
            measured("chance of random calls", two_digits(rhythm.chance), "probability, at most", Some(settings.chance)),
            part("timing", scores.timing),
            part("evenness", scores.evenness),
            part("persistence", scores.persistence),
            measured("score", rounded(self.score, 3), "score from 0 to 1", Some(settings.score)),
            measured("phase coherence", rounded(rhythm.coherence, 3), "length of the mean vector", None),
            measured("clients of the destination", self.clients as f64, "addresses", None),
        ];
        all.extend(scores.sizes.map(|sizes| part("sizes", sizes)));
        all
    }

    /// How long each call came after the one before.
    fn picture(&self) -> Picture {
        let gap = |pair: &[super::rhythm::Call]| {
            let value = u32::try_from((pair[1].ts - pair[0].ts) / MILLISECOND).unwrap_or(u32::MAX);
            Probe { ts: pair[1].ts, value, open: false }
        };
        Picture::Probes { axis: "milliseconds since the call before", points: self.rhythm.beats.windows(2).take(DRAWN).map(gap).collect() }
    }
}

/// Two significant digits: the last ones of a logarithm differ between machines.
fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

fn monitor(context: &Context<'_>, group: &[Found]) -> Option<Alert> {
    let head = group.first()?;
    let source = context.address(head.calls.source);
    let calls: Vec<Calls> = group.iter().map(|found| found.calls.clone()).collect();
    let period = group.get(group.len() / 2)?.rhythm.period;
    Some(Alert {
        technique: Some("poll"),
        title: format!("{source} asks {} in turn", counted(group.len() as u64, "host")),
        message: format!(
            "{source} connected to {} port {} of {} about every {}, as a monitor does that looks after them",
            protocol(&head.calls),
            named(head.calls.port),
            counted(group.len() as u64, "host"),
            time::duration(period),
        ),
        detected_at: group.iter().map(|found| found.rhythm.crossed).max()?,
        measured: vec![
            measured(
                "destinations with this period",
                group.len() as f64,
                "hosts",
                Some(f64::from(context.settings(head.calls.source).beacon.monitored)),
            ),
            measured("period", period as f64 / SECOND as f64, "seconds", None),
        ],
        ..alert_of(context, &calls)
    })
}

/// A call in every second, minute after minute.
fn strobe(context: &Context<'_>, surroundings: &Surroundings, calls: &Calls) -> Alert {
    let (source, target) = (context.address(calls.source), destination(context, calls));
    let outside = calls.targets.iter().all(|target| !context.address(*target).is_private());
    let clients = surroundings.clients(calls);
    let shared = clients > context.settings(calls.source).ports.max_clients as usize;
    Alert {
        technique: Some("strobe"),
        title: format!("Calls without a pause from {source} to {target}"),
        message: format!(
            "{source} connected to {} port {} of {target} {} times in {}, at least once a second on average for {} in a row",
            protocol(calls),
            named(calls.port),
            grouped(calls.connections),
            time::duration(calls.last - calls.first),
            counted(calls.strobe_minutes, "minute"),
        ),
        severity: if outside && !shared { Severity::Low } else { Severity::Info },
        confidence: 0.3,
        detected_at: calls.last,
        measured: vec![
            measured("minutes with a call a second", calls.strobe_minutes as f64, "minutes in a row", Some(STROBE_MINUTES as f64)),
            measured("calls in each of them, at least", f64::from(STROBE_PER_MINUTE), "calls", Some(f64::from(STROBE_PER_MINUTE))),
            measured("clients of the destination", clients as f64, "addresses", None),
        ],
        ..alert_of(context, std::slice::from_ref(calls))
    }
}

/// What all three kinds of alert say alike; `calls` of one source to one port.
fn alert_of(context: &Context<'_>, calls: &[Calls]) -> Alert {
    let (victims, victim_count) = listed(calls.iter().flat_map(|calls| &calls.targets).map(|target| context.address(*target)).collect());
    let first = calls.iter().map(|calls| calls.first).min().unwrap_or_default();
    let last = calls.iter().map(|calls| calls.last).max().unwrap_or_default();
    let port = calls.first().map_or(0, |calls| calls.port);
    let attackers: Vec<String> = calls.first().map(|calls| context.address(calls.source).to_string()).into_iter().collect();
    Alert {
        kind: "beacon",
        technique: None,
        title: String::new(),
        message: String::new(),
        severity: Severity::Info,
        confidence: 0.3,
        attack: if is_known(port) { &["T1071", "T1029"] } else { &["T1571", "T1029"] },
        first_seen: first,
        last_seen: last,
        detected_at: last,
        attackers,
        attacker_count: 1,
        victims: victims.into_iter().take(LISTED).collect(),
        victim_count,
        ports: vec![port],
        port_count: 1,
        protocol: calls.first().map_or("tcp", protocol),
        measured: Vec::new(),
        window_s: (last - first) as f64 / SECOND as f64,
        flow_count: calls.iter().map(|calls| calls.connections).sum(),
        packet_count: calls.iter().map(|calls| calls.packets).sum(),
        frames: FrameSpan {
            first: calls.iter().map(|calls| calls.frames.first).min().unwrap_or_default(),
            last: calls.iter().map(|calls| calls.frames.last).max().unwrap_or_default(),
        },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Find the program behind the calls on the calling host (ss -tnp, netstat -abno, Sysmon event 3) and whether it belongs there.",
            "Look up who owns the destination and since when its name exists; if it is an update or monitoring service, add it to the allow-list.",
            "Follow one of the calls in Wireshark: what is asked, and does an answer ever differ in size?",
        ]),
        picture: Picture::None,
    }
}

fn protocol(calls: &Calls) -> &'static str {
    if calls.proto == ip_proto::UDP { "udp" } else { "tcp" }
}

/// The address, or how many of them.
fn destination(context: &Context<'_>, calls: &Calls) -> String {
    match calls.targets.as_slice() {
        [target] => context.address(*target).to_string(),
        targets => format!("{} addresses of one name", targets.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::{Address, Fact, Service};
    use crate::detect::testing::{Capture, host};

    /// 203.0.113.7
    const OUTSIDE: u32 = 0xcb00_7107;

    fn calls(capture: &mut Capture, number: u16, every_ms: i64, from: u32, to: u32, port: u16) {
        for n in 0..number {
            capture.at_ms(i64::from(n) * every_ms).conversation(from, 2_000 + n, to, port);
        }
    }

    fn judged(number: u16, every_ms: i64, to: u32, port: u16) -> Vec<Alert> {
        let mut capture = Capture::default();
        calls(&mut capture, number, every_ms, 5, to, port);
        capture.judge(&Beacon)
    }

    #[test]
    fn a_steady_rhythm_is_worth_a_look_and_six_calls_are_none() {
        let found = judged(12, 10_000, OUTSIDE, 443);
        assert_eq!((found.len(), found[0].severity, &found[0].ports, found[0].flow_count), (1, Severity::Low, &vec![443], 12));
        assert_eq!((&found[0].attackers, &found[0].victims), (&vec![host(5)], &vec![host(OUTSIDE)]));
        assert_eq!(found[0].detected_at, Capture::START + 60 * SECOND);
        assert!(judged(6, 10_000, OUTSIDE, 443).is_empty());
    }

    #[test]
    fn a_port_without_a_service_outside_is_probably_hostile() {
        assert_eq!(judged(12, 10_000, OUTSIDE, 7_084)[0].severity, Severity::Medium);
        assert_eq!(judged(12, 10_000, 9, 7_084)[0].severity, Severity::Low);
    }

    #[test]
    fn less_than_half_a_minute_is_none() {
        assert!(judged(14, 2_000, OUTSIDE, 443).is_empty());
        assert_eq!(judged(16, 2_000, OUTSIDE, 443).len(), 1);
    }

    #[test]
    fn calls_in_vain_count() {
        let mut capture = Capture::default();
        (0..12_u16).for_each(|n| capture.at_ms(i64::from(n) * 10_000).syn_from(5, 2_000 + n, OUTSIDE, 443));
        let found = capture.judge(&Beacon);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Low));
        assert!(found[0].message.contains("100 % of them in vain"), "{}", found[0].message);
    }

    #[test]
    fn tries_after_doubling_pauses_are_none() {
        let mut capture = Capture::default();
        for second in [0, 1, 3, 7, 15, 31, 63, 127, 255] {
            capture.at_ms(second * 1_000).syn_from(5, 2_000, OUTSIDE, 443);
        }
        assert!(capture.judge(&Beacon).is_empty());
    }

    #[test]
    fn a_router_that_answers_dns_is_only_listed() {
        let mut capture = Capture::default();
        for n in 0..20_u16 {
            capture.at_ms(i64::from(n) * 3_000).conversation(5, 2_000 + n, 1, 80);
            capture.udp(5, 3_000 + n, 1, 53);
            capture.udp(1, 53, 5, 3_000 + n);
        }
        let found = capture.judge(&Beacon);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
    }

    #[test]
    fn a_service_that_many_hosts_use_is_only_listed() {
        let mut capture = Capture::default();
        for n in 0..20_u16 {
            capture.at_ms(i64::from(n) * 3_000).conversation(5, 2_000 + n, 9, 80);
        }
        capture.conversation(6, 2_000, 9, 80);
        capture.conversation(7, 2_000, 9, 80);
        let found = capture.judge(&Beacon);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
    }

    #[test]
    fn a_monitor_is_one_alert() {
        let mut capture = Capture::default();
        for n in 0..12_u16 {
            for target in 0..4 {
                capture.at_ms(i64::from(n) * 10_000 + i64::from(target) * 100).conversation(5, 2_000 + n, 20 + target, 9_100);
            }
        }
        let found = capture.judge(&Beacon);
        assert_eq!((found.len(), found[0].technique, found[0].severity, found[0].victim_count), (1, Some("poll"), Severity::Info, 4));
    }

    #[test]
    fn clockwork_protocols_and_groups_are_none() {
        for (to, port) in [(9, 123), (9, 53), (9, 67), (0xe000_00fb, 5_353), (0xefff_fffa, 7_000), (255, 9_999)] {
            let mut capture = Capture::default();
            for n in 0..12_u16 {
                capture.at_ms(i64::from(n) * 64_000).udp(5, 2_000 + n, to, port);
            }
            assert!(capture.judge(&Beacon).is_empty(), "{port}");
        }
        let mut pings = Capture::default();
        (0..60).for_each(|n| pings.at_ms(n * 120_000).echo(5, OUTSIDE));
        assert!(pings.judge(&Beacon).is_empty());
    }

    #[test]
    fn clients_from_outside_are_none() {
        let mut capture = Capture::default();
        calls(&mut capture, 12, 10_000, OUTSIDE, 5, 443);
        assert!(capture.judge(&Beacon).is_empty());
    }

    #[test]
    fn a_flood_of_the_destination_is_told_by_others() {
        let mut capture = Capture::default();
        for call in 0..12_u16 {
            capture.at_ms(i64::from(call) * 10_000).conversation(5, 2_000 + call, OUTSIDE, 443);
            if call == 6 {
                (0..2_000_u16).for_each(|n| capture.at_us(61_000_000 + i64::from(n) * 500).syn_from(77, 2_000 + n, OUTSIDE, 443));
            }
        }
        assert!(capture.judge(&Beacon).is_empty());
    }

    #[test]
    fn addresses_of_one_name_are_one_destination() {
        let mut capture = Capture::default();
        capture.at_ms(0);
        for address in [OUTSIDE, OUTSIDE + 1] {
            let resolved = crate::net::Addr::from_v4(address);
            capture.said(5, 1, 53, Service::Dns, |at| Fact::Address(Address { name: "c2.test".into(), address: resolved, at }));
        }
        for n in 0..12_u16 {
            capture.at_ms(i64::from(n) * 10_000).conversation(5, 2_000 + n, OUTSIDE + u32::from(n % 2), 443);
        }
        let found = capture.judge(&Beacon);
        assert_eq!((found.len(), found[0].victim_count, found[0].flow_count), (1, 2, 12));
        assert!(found[0].message.contains("c2.test"), "{}", found[0].message);
    }

    #[test]
    fn a_check_whether_the_internet_is_there_is_only_listed() {
        let mut capture = Capture::default();
        let resolved = crate::net::Addr::from_v4(OUTSIDE);
        capture
            .at_ms(0)
            .said(5, 1, 53, Service::Dns, |at| Fact::Address(Address { name: "www.msftconnecttest.com".into(), address: resolved, at }));
        calls(&mut capture, 12, 10_000, 5, OUTSIDE, 80);
        assert_eq!(capture.judge(&Beacon)[0].severity, Severity::Info);
    }

    #[test]
    fn a_few_calls_in_a_long_capture_are_only_listed() {
        let mut capture = Capture::default();
        calls(&mut capture, 12, 10_000, 5, OUTSIDE, 443);
        capture.at_ms(3_600_000).syn(5, 9, 80);
        assert_eq!(capture.judge(&Beacon)[0].severity, Severity::Info);
    }

    #[test]
    fn a_call_in_every_second_for_ten_minutes_is_a_strobe() {
        let strobe = |seconds: i64| {
            let mut capture = Capture::default();
            // Three a second in no rhythm, too dense to go through one by one.
            for n in 0..seconds * 3 {
                let wobble = n * n % 97 * 5;
                capture.at_ms(n * 333 + wobble).syn_from(5, 2_000 + (n % 60_000) as u16, OUTSIDE, 443);
            }
            capture.judge(&Beacon)
        };
        let found = strobe(600);
        assert_eq!((found.len(), found[0].technique, found[0].severity), (1, Some("strobe"), Severity::Low));
        assert!(strobe(480).is_empty());
    }
}
