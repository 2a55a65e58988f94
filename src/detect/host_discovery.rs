#![doc = include_str!("docs/host_discovery.md")]

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::Detector;
use super::alert::{Alert, FrameSpan, Measured, Picture, Probe as Point, Severity};
use super::context::{Context, listed, share};
use super::rows::{i64s, u8s, u16s, u32s, u64s};
use super::scans::share_in_runs;
use super::window;
use super::wording::grouped;
use crate::decode::ClaimKind;
use crate::error::Error;
use crate::net::{Mac, ip_proto};
use crate::table::{Address, schema as col};
use crate::time::{self, Nanos, from_seconds};

pub struct HostDiscovery;

impl Detector for HostDiscovery {
    fn id(&self) -> &'static str {
        "host_discovery"
    }

    fn summary(&self) -> &'static str {
        "many addresses asked whether they exist: ICMP, ARP, IPv6 neighbour discovery"
    }

    fn documentation(&self) -> &'static str {
        include_str!("docs/host_discovery.md")
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let gap = from_seconds(context.config.base.alert.join_gap_s);
        let mut alerts = Vec::new();
        for ((source, _), questions) in pings(context)? {
            alerts
                .extend(sorted(&questions).chunk_by(|a, b| b.ts - a.ts <= gap).filter_map(|episode| judge_pings(context, source, episode)));
        }
        for kind in [ClaimKind::ArpRequest, ClaimKind::NeighborSolicitation] {
            let answered = answered(context, kind)?;
            for (asker, questions) in solicitations(context, kind)? {
                let questions = sorted(&questions);
                let episodes = questions.chunk_by(|a, b| b.ts - a.ts <= gap);
                alerts.extend(episodes.filter_map(|episode| judge_claims(context, kind, asker, episode, &answered)));
            }
        }
        Ok(alerts)
    }
}

/// One address asked for, in one minute.
#[derive(Clone, Copy)]
struct Question {
    ts: Nanos,
    last_ts: Nanos,
    target: Address,
    first_ordinal: u64,
    last_ordinal: u64,
    count: u64,
    answered: bool,
}

/// ICMP requests by source and type.
fn pings(context: &Context<'_>) -> Result<BTreeMap<(Address, u16), Vec<Question>>, Error> {
    let table = &context.tables.contacts;
    let (source, target, port, proto) =
        (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u16s(table, col::PORT)?, u8s(table, col::PROTO)?);
    let (first_ts, last_ts, data) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?, u32s(table, col::DATA)?);
    let (first_ord, last_ord, attempts) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?, u32s(table, col::ATTEMPTS)?);
    let mut asked: BTreeMap<(Address, u16), Vec<Question>> = BTreeMap::new();
    for row in 0..table.height() {
        let asks = matches!((proto[row], port[row]), (ip_proto::ICMP, 8 | 13 | 15 | 17) | (ip_proto::ICMP6, 128));
        if asks && attempts[row] > 0 && !context.address(target[row]).is_group() {
            asked.entry((source[row], port[row])).or_default().push(Question {
                ts: first_ts[row],
                last_ts: last_ts[row],
                target: target[row],
                first_ordinal: first_ord[row],
                last_ordinal: last_ord[row],
                count: u64::from(attempts[row]),
                answered: data[row] > 0,
            });
        }
    }
    Ok(asked)
}

type Asker = (Mac, Address);

/// Addresses asked for by ARP or neighbour solicitation, by who asks.
fn solicitations(context: &Context<'_>, kind: ClaimKind) -> Result<BTreeMap<Asker, Vec<Question>>, Error> {
    let table = &context.tables.claims;
    let (kinds, mac, source, target) =
        (u8s(table, col::KIND)?, u64s(table, col::MAC)?, u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?);
    let (first_ts, last_ts, count) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?, u64s(table, col::COUNT)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let mut asked: BTreeMap<Asker, Vec<Question>> = BTreeMap::new();
    for row in (0..table.height()).filter(|row| kinds[*row] == kind as u8 && source[*row] != target[*row]) {
        asked.entry((Mac(mac[row]), source[row])).or_default().push(Question {
            ts: first_ts[row],
            last_ts: last_ts[row],
            target: target[row],
            first_ordinal: first_ord[row],
            last_ordinal: last_ord[row],
            count: count[row],
            answered: false,
        });
    }
    Ok(asked)
}

/// Addresses that announced themselves in reply.
fn answered(context: &Context<'_>, kind: ClaimKind) -> Result<HashSet<Address>, Error> {
    let reply = if kind == ClaimKind::ArpRequest { ClaimKind::ArpReply } else { ClaimKind::NeighborAdvertisement };
    let table = &context.tables.claims;
    let (kinds, owner) = (u8s(table, col::KIND)?, u32s(table, col::SOURCE)?);
    Ok((0..table.height()).filter(|row| kinds[*row] == reply as u8).map(|row| owner[row]).collect())
}

fn judge_pings(context: &Context<'_>, source: Address, questions: &[Question]) -> Option<Alert> {
    let settings = context.settings(source);
    let width = from_seconds(settings.scan.window_s);
    let crossing = window::distinct(questions.iter().map(|question| (question.ts, question.target)), width, settings.discovery.icmp_hosts);
    let detected_at = crossing.reached?;
    let targets = distinct(questions, |_| true);
    let answered = distinct(questions, |question| question.answered);
    let answered_share = share(answered as u64, targets as u64);
    if answered_share >= settings.discovery.icmp_answered {
        return None;
    }
    let inside = context.address(source).is_private();
    let measured = vec![
        measured("hosts", f64::from(crossing.most), "in the window", Some(f64::from(settings.discovery.icmp_hosts))),
        measured("answered_ratio", answered_share, "share of hosts", Some(settings.discovery.icmp_answered)),
    ];
    let found = Found { technique: "icmp", protocol: "icmp", how: "ICMP", window_s: settings.scan.window_s, detected_at, measured };
    Some(alert(
        context,
        &context.address(source).to_string(),
        questions,
        answered,
        if inside { Severity::Medium } else { Severity::Low },
        found,
    ))
}

fn judge_claims(
    context: &Context<'_>,
    kind: ClaimKind,
    (mac, source): Asker,
    questions: &[Question],
    answered: &HashSet<Address>,
) -> Option<Alert> {
    let settings = &context.settings(source).discovery;
    let (technique, how, threshold) = match kind {
        ClaimKind::ArpRequest => ("arp", "ARP", settings.arp_targets),
        _ => ("nd", "IPv6 neighbour discovery", settings.nd_targets),
    };
    let mut questions = questions.to_vec();
    questions.iter_mut().for_each(|question| question.answered = answered.contains(&question.target));
    let crossing =
        window::distinct(questions.iter().map(|question| (question.ts, question.target)), from_seconds(settings.arp_window_s), threshold);
    let detected_at = crossing.reached?;
    let targets = distinct(&questions, |_| true);
    let answers = distinct(&questions, |question| question.answered);
    let answered_share = share(answers as u64, targets as u64);
    let runs = in_runs(context, &questions);
    // A gateway asks for whom outsiders want: scattered addresses. (An IPv6 sweep cannot be dense.)
    if answered_share >= settings.arp_answered || (kind == ClaimKind::ArpRequest && runs < settings.arp_runs) {
        return None;
    }
    let measured = vec![
        measured("addresses", f64::from(crossing.most), "in the window", Some(f64::from(threshold))),
        measured("answered_ratio", answered_share, "share of addresses", Some(settings.arp_answered)),
        measured("in_runs_ratio", runs, "share of addresses", (kind == ClaimKind::ArpRequest).then_some(settings.arp_runs)),
    ];
    let found = Found { technique, protocol: technique, how, window_s: settings.arp_window_s, detected_at, measured };
    let mut alert = alert(context, &context.address(source).to_string(), &questions, answers, Severity::Medium, found);
    // The MAC address is who it was; the IP address is what it says.
    alert.attackers.push(mac.to_string());
    alert.attacker_count += 1;
    Some(alert)
}

struct Found {
    technique: &'static str,
    protocol: &'static str,
    how: &'static str,
    window_s: f64,
    detected_at: Nanos,
    measured: Vec<Measured>,
}

fn alert(context: &Context<'_>, source: &str, questions: &[Question], answered: usize, severity: Severity, found: Found) -> Alert {
    let (victims, victim_count) = listed(questions.iter().map(|question| context.address(question.target)).collect());
    let first_seen = questions.iter().map(|question| question.ts).min().unwrap_or_default();
    let last_seen = questions.iter().map(|question| question.last_ts).max().unwrap_or_default();
    Alert {
        kind: "host_discovery",
        technique: Some(found.technique),
        title: format!("Host discovery by {source}"),
        message: format!(
            "{source} asked {} addresses by {} in {}; {} answered",
            grouped(victim_count),
            found.how,
            time::duration(last_seen - first_seen),
            grouped(answered as u64)
        ),
        severity,
        confidence: 0.8,
        attack: &["T1018"],
        first_seen,
        last_seen,
        detected_at: found.detected_at,
        attackers: vec![source.into()],
        attacker_count: 1,
        victims,
        victim_count,
        ports: Vec::new(),
        port_count: 0,
        protocol: found.protocol,
        measured: found.measured,
        window_s: found.window_s,
        flow_count: questions.len() as u64,
        packet_count: questions.iter().map(|question| question.count).sum(),
        frames: FrameSpan {
            first: questions.iter().map(|question| question.first_ordinal).min().unwrap_or_default(),
            last: questions.iter().map(|question| question.last_ordinal).max().unwrap_or_default(),
        },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: vec![
            format!("find out what {source} is and whether it may take inventory"),
            "look for scans or logins from this source right afterwards".into(),
        ],
        picture: picture(questions),
    }
}

fn picture(questions: &[Question]) -> Picture {
    let mut targets: Vec<Address> = questions.iter().map(|question| question.target).collect();
    targets.sort_unstable();
    targets.dedup();
    let rank = |target: Address| targets.binary_search(&target).ok().and_then(|place| u32::try_from(place + 1).ok()).unwrap_or_default();
    let points = questions.iter().map(|question| Point { ts: question.ts, value: rank(question.target), open: question.answered });
    Picture::Probes { axis: "target, by address", points: points.collect() }
}

fn measured(name: &'static str, value: f64, unit: &'static str, threshold: Option<f64>) -> Measured {
    Measured { name, value: (value * 1_000.0).round() / 1_000.0, unit, threshold }
}

/// Consecutive addresses that make a run: a gateway's clients lie side by side by twos and threes.
const RUN: usize = 8;

fn in_runs(context: &Context<'_>, questions: &[Question]) -> f64 {
    share_in_runs(questions.iter().map(|question| context.address(question.target)).collect(), RUN)
}

fn sorted(questions: &[Question]) -> Vec<Question> {
    let mut questions = questions.to_vec();
    questions.sort_by_key(|question| (question.ts, question.first_ordinal));
    questions
}

fn distinct(questions: &[Question], keep: impl Fn(&Question) -> bool) -> usize {
    questions.iter().filter(|question| keep(question)).map(|question| question.target).collect::<HashSet<_>>().len()
}
