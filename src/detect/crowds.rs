//! Many alerts that say the same of one victim, of one attacker, or of a whole network, told as one.
//!
//! A spoofed scan has as many "scanners" as the forger liked. Sixty thousand alerts tell nobody more
//! than one that counts them, and hide every other. So what a capture can put into a report is bounded: no more than
//! [`MOST`] alerts of a kind and technique.

use std::collections::BTreeMap;

use super::alert::{Alert, FrameSpan, LISTED, Measured, Picture};
use super::wording::grouped;
use crate::config::Config;
use crate::time::{Nanos, from_seconds};

/// From so many alerts of one kind against one victim, or by one attacker, they are told as one: more
/// than a person reads.
const CROWD: usize = 100;
/// From so many of one kind, whoever did it to whom, they are told as one: a flood with forged sources over a
/// whole network looks like as many sweeps.
const THRONG: usize = 1_000;

/// Alerts of one kind and technique, however far apart in time: of more, the worst are told, and the others as one.
const MOST: usize = 1_000;
/// Alerts that are put into words at once, some 1.5 kB each, before crowds are joined.
const PIECE: usize = 20_000;

/// What is measured of a crowd: how many there are.
const ALIKE: &str = "alike";

/// Alerts of many findings, in the order of their beginnings, of which each says little: crowds are joined as they
/// arise, so that the alerts of a million findings are never in memory at the same time.
pub(super) fn tell<T>(findings: &[T], config: &Config, alert: impl Fn(&T) -> Option<Alert>) -> Vec<Alert> {
    let told = |piece: &[T]| piece.iter().filter_map(&alert).collect();
    if findings.len() <= PIECE {
        return told(findings);
    }
    let gap = from_seconds(config.base.alert.join_gap_s);
    let of_piece = |piece| at_most(join(told(piece), gap), |alert| alert.allowed(config).is_some());
    again(findings.chunks(PIECE).flat_map(of_piece).collect(), gap)
}

/// Joins what pieces have joined apart: crowds of one kind, with the same host in the middle.
fn again(alerts: Vec<Alert>, gap: Nanos) -> Vec<Alert> {
    let (crowds, single): (Vec<Alert>, Vec<Alert>) = alerts.into_iter().partition(|alert| alike(alert) > 1);
    let middle = |alert: &Alert, others| match others {
        "sources" => alert.victims.first().cloned(),
        "targets" => alert.attackers.first().cloned(),
        _ => Some(String::new()),
    };
    let of = |others: &'static str| {
        let these = crowds.iter().filter(|alert| alert.measured.iter().any(|measured| measured.name == ALIKE && measured.unit == others));
        join_by(these.cloned().collect(), gap, (others, 2), |alert| middle(alert, others))
    };
    ["sources", "targets", "pairs"].into_iter().flat_map(of).chain(single).collect()
}

/// Joins crowds; the others stay as they are.
pub(super) fn join(alerts: Vec<Alert>, gap: Nanos) -> Vec<Alert> {
    let one_victim = |alert: &Alert| (alert.victim_count == 1).then(|| alert.victims.first().cloned()).flatten();
    let one_attacker = |alert: &Alert| (alert.attacker_count == 1).then(|| alert.attackers.first().cloned()).flatten();
    let by_victim = join_by(alerts, gap, ("sources", CROWD), one_victim);
    let by_attacker = join_by(by_victim, gap, ("targets", CROWD), one_attacker);
    join_by(by_attacker, gap, ("pairs", THRONG), |_| Some(String::new()))
}

/// What is left of each kind where somebody had the patience to keep events apart. What is allowed takes nobody's place.
pub(super) fn at_most(alerts: Vec<Alert>, is_allowed: impl Fn(&Alert) -> bool) -> Vec<Alert> {
    let mut groups: BTreeMap<(&'static str, Option<&'static str>, bool), Vec<Alert>> = BTreeMap::new();
    for alert in alerts {
        groups.entry((alert.kind, alert.technique, is_allowed(&alert))).or_default().push(alert);
    }
    let mut kept = Vec::new();
    for mut group in groups.into_values() {
        if group.len() > MOST {
            group.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| order(a).cmp(&order(b))));
            let others = group.split_off(MOST - 1);
            kept.extend(told_as_one(&others, "", "pairs", MOST));
        }
        kept.append(&mut group);
    }
    kept
}

/// Earliest first; total.
fn order(alert: &Alert) -> impl Ord + '_ {
    (alert.first_seen, alert.frames.first, &alert.attackers, &alert.victims)
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
        group.sort_by(|a, b| order(a).cmp(&order(b)));
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
    let number = crowd.iter().map(alike).sum();
    let worst = crowd.iter().max_by_key(|alert| (alert.severity, alert.packet_count, std::cmp::Reverse(alert.frames.first)))?;
    let mut joined = worst.clone();
    joined.picture = Picture::None;
    let (title, strongest) = own_words(worst);
    joined.title = match others {
        "sources" => format!("{title}{THE_SAME}from {} {others}", grouped(number)),
        "targets" => format!("{title}{THE_SAME}toward {} {others}", grouped(number)),
        _ => format!("{title}{THE_SAME}{} times, between others", grouped(number)),
    };
    let who = if address.is_empty() { "of attackers and victims".to_owned() } else { format!("and {address}") };
    joined.message = format!("{} {others} {who} show the same pattern{THE_STRONGEST}{strongest}", grouped(number));
    joined.first_seen = crowd.iter().map(|alert| alert.first_seen).min()?;
    joined.last_seen = crowd.iter().map(|alert| alert.last_seen).max()?;
    joined.detected_at = crowd.iter().map(|alert| alert.detected_at).min()?;
    joined.frames =
        FrameSpan { first: crowd.iter().map(|alert| alert.frames.first).min()?, last: crowd.iter().map(|alert| alert.frames.last).max()? };
    joined.flow_count = crowd.iter().map(|alert| alert.flow_count).sum();
    joined.packet_count = crowd.iter().map(|alert| alert.packet_count).sum();
    (joined.attackers, joined.attacker_count) = together(crowd.iter().map(|alert| (&alert.attackers, alert.attacker_count)));
    (joined.victims, joined.victim_count) = together(crowd.iter().map(|alert| (&alert.victims, alert.victim_count)));
    joined.measured.retain(|measured| measured.name != ALIKE);
    joined.measured.push(Measured { name: ALIKE, value: number as f64, unit: others, threshold: Some(least as f64) });
    Some(joined)
}

const THE_SAME: &str = ": the same ";
const THE_STRONGEST: &str = "; the strongest: ";

/// Title and message of an alert before it was joined, if it was.
fn own_words(alert: &Alert) -> (&str, &str) {
    let whole = (alert.title.as_str(), alert.message.as_str());
    let first = || Some((alert.title.rsplit_once(THE_SAME)?.0, alert.message.split_once(THE_STRONGEST)?.1));
    if alike(alert) > 1 { first().unwrap_or(whole) } else { whole }
}

/// For how many an alert stands: one that was joined already counts them.
fn alike(alert: &Alert) -> u64 {
    let counted = alert.measured.iter().find(|measured| measured.name == ALIKE);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of alerts")]
    counted.map_or(1, |measured| measured.value as u64)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Severity;
    use crate::time::SECOND;

    const GAP: Nanos = 900 * SECOND;

    /// Of a pair of hosts of its own, so many seconds after the one before.
    fn alert(number: u64, pace: Nanos, severity: Severity) -> Alert {
        let first_seen = number.cast_signed() * pace * SECOND;
        Alert {
            kind: "port_scan",
            technique: None,
            title: format!("Port scan {number}"),
            message: String::new(),
            severity,
            confidence: 0.9,
            attack: &["T1046"],
            first_seen,
            last_seen: first_seen,
            detected_at: first_seen,
            attackers: vec![format!("attacker {number}")],
            attacker_count: 1,
            victims: vec![format!("victim {number}")],
            victim_count: 1,
            ports: vec![22],
            port_count: 1,
            protocol: "tcp",
            measured: Vec::new(),
            window_s: 300.0,
            flow_count: 1,
            packet_count: 1,
            frames: FrameSpan { first: number + 1, last: number + 1 },
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: Vec::new(),
            picture: Picture::None,
        }
    }

    fn counted(alerts: &[Alert]) -> u64 {
        alerts.iter().map(alike).sum()
    }

    #[test]
    fn events_that_are_kept_apart_in_time_are_bounded_too() {
        // Each 1 000 s after the other, which is more than the gap; the last is the worst.
        let worst = |number| if number == 4_999 { Severity::High } else { Severity::Medium };
        let alerts: Vec<Alert> = (0..5_000).map(|number| alert(number, 1_000, worst(number))).collect();
        let told = at_most(join(alerts.clone(), GAP), |_| false);
        assert_eq!(told.len(), 1_000);
        assert_eq!(counted(&told), 5_000, "none is lost");
        assert!(told.iter().any(|alert| alert.severity == Severity::High && alert.title == alerts[4_999].title));
        let others = told.iter().find(|alert| alike(alert) > 1).unwrap();
        assert_eq!((alike(others), others.attacker_count), (4_001, 4_001));
        assert!(others.title.ends_with("the same 4,001 times, between others"), "{}", others.title);
        assert_eq!((others.first_seen, others.last_seen), (998_000 * SECOND, 4_998_000 * SECOND));
        // One less is as it was.
        let told = at_most(join(alerts[..1_000].to_vec(), GAP), |_| false);
        assert_eq!((told.len(), counted(&told)), (1_000, 1_000));
    }

    #[test]
    fn what_is_allowed_takes_nobodys_place() {
        let alerts: Vec<Alert> = (0..3_000).map(|number| alert(number, 1_000, Severity::Medium)).collect();
        let is_allowed = |alert: &Alert| alert.first_seen < 2_500 * 1_000 * SECOND;
        let told = at_most(alerts, is_allowed);
        assert_eq!(told.iter().filter(|alert| !is_allowed(alert)).count(), 500);
    }

    #[test]
    fn many_findings_are_put_into_words_in_pieces_and_told_as_one() {
        let findings: Vec<u64> = (0..50_000).collect();
        let most = std::cell::Cell::new(0);
        let told = tell(&findings, &Config::default(), |number| {
            most.set(most.get() + 1);
            Some(alert(*number, 1, Severity::Info))
        });
        assert_eq!((told.len(), counted(&told), most.get()), (1, 50_000, 50_000));
        assert_eq!(told[0].title.matches("the same").count(), 1, "{}", told[0].title);
        assert_eq!(
            tell(&findings[..20_000], &Config::default(), |number| Some(alert(*number, 1, Severity::Info))).len(),
            20_000,
            "left to who joins them all"
        );
    }

    /// 900 at once, further apart than the gap, are no crowd each; but there are more than anybody keeps.
    #[test]
    fn many_findings_that_are_no_crowd_are_bounded_too() {
        let findings: Vec<u64> = (0..60_000).collect();
        let at = |number: u64| (number / 900 * 2_000).cast_signed() * SECOND;
        let told = tell(&findings, &Config::default(), |number| {
            Some(Alert { first_seen: at(*number), last_seen: at(*number), ..alert(*number, 1, Severity::Info) })
        });
        assert_eq!(counted(&told), 60_000);
        assert!(told.len() <= 3 * MOST, "{}", told.len());
    }
}
