//! Many alerts that say the same of one victim, of one attacker, or of a whole network, told as one.
//!
//! A spoofed scan has as many "scanners" as the forger liked. Sixty thousand alerts tell nobody more
//! than one that counts them, and hide every other.

use std::collections::BTreeMap;

use super::alert::{Alert, FrameSpan, LISTED, Measured, Picture};
use super::wording::grouped;
use crate::time::Nanos;

/// From so many alerts of one kind against one victim, or by one attacker, they are told as one: more
/// than a person reads.
const CROWD: usize = 100;
/// From so many of one kind, whoever did it to whom, they are told as one: a flood with forged sources over a
/// whole network looks like as many sweeps.
const THRONG: usize = 1_000;

/// Joins crowds; the others stay as they are.
pub(super) fn join(alerts: Vec<Alert>, gap: Nanos) -> Vec<Alert> {
    let one_victim = |alert: &Alert| (alert.victim_count == 1).then(|| alert.victims.first().cloned()).flatten();
    let one_attacker = |alert: &Alert| (alert.attacker_count == 1).then(|| alert.attackers.first().cloned()).flatten();
    let by_victim = join_by(alerts, gap, ("sources", CROWD), one_victim);
    let by_attacker = join_by(by_victim, gap, ("targets", CROWD), one_attacker);
    join_by(by_attacker, gap, ("pairs", THRONG), |_| Some(String::new()))
}

fn join_by(alerts: Vec<Alert>, gap: Nanos, (others, least): (&'static str, usize), key: impl Fn(&Alert) -> Option<String>) -> Vec<Alert> {
    let mut kept = Vec::new();
    let mut groups: BTreeMap<(&'static str, Option<&'static str>, String), Vec<Alert>> = BTreeMap::new();
    for alert in alerts {
        match key(&alert) {
            Some(address) => groups.entry((alert.kind, alert.technique, address)).or_default().push(alert),
            None => kept.push(alert),
        }
    }
    for ((.., address), mut group) in groups {
        group.sort_by(|a, b| {
            (a.first_seen, a.frames.first, &a.attackers, &a.victims).cmp(&(b.first_seen, b.frames.first, &b.attackers, &b.victims))
        });
        for crowd in within_gap(group, gap) {
            if crowd.len() < least {
                kept.extend(crowd);
            } else {
                kept.extend(told_as_one(&crowd, &address, others, least));
            }
        }
    }
    kept
}

/// Cuts alerts, sorted by their beginning, where nothing happened for longer than the gap.
fn within_gap(group: Vec<Alert>, gap: Nanos) -> Vec<Vec<Alert>> {
    let mut runs: Vec<Vec<Alert>> = Vec::new();
    let mut end = Nanos::MIN;
    for alert in group {
        let joins = alert.first_seen <= end.saturating_add(gap);
        end = if joins { end.max(alert.last_seen) } else { alert.last_seen };
        match runs.last_mut() {
            Some(run) if joins => run.push(alert),
            _ => runs.push(vec![alert]),
        }
    }
    runs
}

/// The worst of them stands for all; its numbers are kept as an example.
fn told_as_one(crowd: &[Alert], address: &str, others: &'static str, least: usize) -> Option<Alert> {
    let number = crowd.len() as u64;
    let worst = crowd.iter().max_by_key(|alert| (alert.severity, alert.packet_count, std::cmp::Reverse(alert.frames.first)))?;
    let mut joined = worst.clone();
    joined.picture = Picture::None;
    joined.title = match others {
        "sources" => format!("{}: the same from {} {others}", worst.title, grouped(number)),
        "targets" => format!("{}: the same toward {} {others}", worst.title, grouped(number)),
        _ => format!("{}: the same {} times, between others", worst.title, grouped(number)),
    };
    let who = if address.is_empty() { "of attackers and victims".to_owned() } else { format!("and {address}") };
    joined.message = format!("{} {others} {who} show the same pattern; the strongest: {}", grouped(number), worst.message);
    joined.first_seen = crowd.iter().map(|alert| alert.first_seen).min()?;
    joined.last_seen = crowd.iter().map(|alert| alert.last_seen).max()?;
    joined.detected_at = crowd.iter().map(|alert| alert.detected_at).min()?;
    joined.frames =
        FrameSpan { first: crowd.iter().map(|alert| alert.frames.first).min()?, last: crowd.iter().map(|alert| alert.frames.last).max()? };
    joined.flow_count = crowd.iter().map(|alert| alert.flow_count).sum();
    joined.packet_count = crowd.iter().map(|alert| alert.packet_count).sum();
    (joined.attackers, joined.attacker_count) = together(crowd.iter().map(|alert| (&alert.attackers, alert.attacker_count)));
    (joined.victims, joined.victim_count) = together(crowd.iter().map(|alert| (&alert.victims, alert.victim_count)));
    joined.measured.push(Measured { name: "alike", value: number as f64, unit: others, threshold: Some(least as f64) });
    Some(joined)
}

/// Distinct addresses of several lists, shortened, and how many there are: exact where no list was shortened.
fn together<'a>(lists: impl Iterator<Item = (&'a Vec<String>, u64)>) -> (Vec<String>, u64) {
    let mut all = Vec::new();
    let mut unlisted = 0;
    for (listed, count) in lists {
        unlisted += count.saturating_sub(listed.len() as u64);
        all.extend(listed.iter().cloned());
    }
    all.sort_unstable();
    all.dedup();
    let number = all.len() as u64 + unlisted;
    all.truncate(LISTED);
    (all, number)
}
