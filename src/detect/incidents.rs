//! Incidents: alerts of one attacker told as one story, in the order of time.
//!
//! Two alerts belong together when the same host attacks in both, or the victim of the one attacks in
//! the other afterwards: it was entered and used to go on. Knows alerts and nothing of tables.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::alert::{Alert, LISTED, Severity};
use super::wording::counted;
use crate::digest;
use crate::time::{self, Nanos};

/// What an attacker was after, in the order in which an intrusion goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Discovery,
    CredentialAccess,
    InitialAccess,
    LateralMovement,
    CommandAndControl,
    Exfiltration,
    Impact,
    Other,
}

impl Stage {
    #[must_use]
    pub fn of(alert: &Alert) -> Self {
        match alert.kind {
            "port_scan" | "host_sweep" | "block_scan" | "distributed_scan" | "host_discovery" | "ip_protocol_scan" => Self::Discovery,
            "brute_force" | "password_spray" if alert.severity == Severity::Critical => Self::InitialAccess,
            "brute_force" | "password_spray" | "arp_spoof" | "rogue_dhcp" => Self::CredentialAccess,
            "lateral_movement" => Self::LateralMovement,
            "beacon" | "long_connection" | "dns_tunnel" | "dga" | "icmp_tunnel" => Self::CommandAndControl,
            "exfiltration" => Self::Exfiltration,
            "syn_flood" | "tcp_flood" | "udp_flood" | "icmp_flood" | "fragment_flood" | "http_flood" | "slow_http"
            | "reflection_attack" | "dhcp_starvation" => Self::Impact,
            _ => Self::Other,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::CredentialAccess => "credential access",
            Self::InitialAccess => "access",
            Self::LateralMovement => "lateral movement",
            Self::CommandAndControl => "command and control",
            Self::Exfiltration => "exfiltration",
            Self::Impact => "impact",
            Self::Other => "other",
        }
    }
}

/// A story of one or more alerts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// Hash of its alerts' ids.
    pub id: String,
    pub title: String,
    /// The worst of its alerts.
    pub severity: Severity,
    #[serde(serialize_with = "rfc3339")]
    pub first_seen: Nanos,
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: Nanos,
    /// At most [`LISTED`] each, with their true number as far as the alerts list them.
    pub attackers: Vec<String>,
    pub attacker_count: u64,
    pub victims: Vec<String>,
    pub victim_count: u64,
    /// In the order of time.
    pub steps: Vec<Step>,
}

/// One alert in its place in the story.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub stage: Stage,
    pub alert: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub severity: Severity,
    #[serde(serialize_with = "rfc3339")]
    pub first_seen: Nanos,
    pub title: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn rfc3339<S: serde::Serializer>(ts: &Nanos, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time::rfc3339(*ts))
}

/// Alerts below this do not link others: a fact is no attack.
const LEAST: Severity = Severity::Low;

/// The incidents of a report, worst first: alerts that belong together, and single ones from medium on.
#[must_use]
pub fn incidents(alerts: &[Alert], gap: Nanos) -> Vec<Incident> {
    let mut in_time: Vec<&Alert> = alerts.iter().filter(|alert| alert.severity >= LEAST).collect();
    // By the moment that made each an alert: a chain of sessions begins with the first, and is one with the last.
    let moment = |alert: &Alert| (alert.detected_at, alert.first_seen, alert.frames.first);
    in_time.sort_by(|a, b| (moment(a), a.kind, &a.attackers).cmp(&(moment(b), b.kind, &b.attackers)));
    let mut incidents: Vec<Incident> = linked(&in_time, gap)
        .into_values()
        .map(|members| members.into_iter().filter_map(|member| in_time.get(member).copied()).collect::<Vec<_>>())
        .filter(|story| story.len() > 1 || story.iter().any(|alert| alert.severity >= Severity::Medium))
        .filter_map(|story| told(&story))
        .collect();
    incidents.sort_by(|a, b| {
        (b.severity, b.steps.len()).cmp(&(a.severity, a.steps.len())).then_with(|| (a.first_seen, &a.id).cmp(&(b.first_seen, &b.id)))
    });
    incidents
}

/// Alerts by their story: the number of its first alert.
fn linked(alerts: &[&Alert], gap: Nanos) -> BTreeMap<usize, Vec<usize>> {
    let mut stories: Vec<usize> = (0..alerts.len()).collect();
    // Who attacked last when, and in which alert; who was a victim last.
    let mut attacked: BTreeMap<&str, (usize, Nanos)> = BTreeMap::new();
    let mut entered: BTreeMap<&str, (usize, Nanos)> = BTreeMap::new();
    for (number, alert) in alerts.iter().enumerate() {
        let near = |end: Nanos| alert.first_seen <= end.saturating_add(gap);
        for attacker in &alert.attackers {
            for earlier in [attacked.get(attacker.as_str()), entered.get(attacker.as_str())].into_iter().flatten() {
                if near(earlier.1) {
                    join(&mut stories, earlier.0, number);
                }
            }
        }
        for attacker in &alert.attackers {
            let end = attacked.get(attacker.as_str()).map_or(alert.last_seen, |earlier| earlier.1.max(alert.last_seen));
            attacked.insert(attacker, (number, end));
        }
        // A target that was merely probed or flooded has not been entered.
        if matches!(Stage::of(alert), Stage::InitialAccess | Stage::LateralMovement) {
            for victim in &alert.victims {
                entered.insert(victim, (number, alert.last_seen));
            }
        }
    }
    let mut by_story: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for number in 0..alerts.len() {
        by_story.entry(root(&stories, number)).or_default().push(number);
    }
    by_story
}

fn root(stories: &[usize], mut number: usize) -> usize {
    while let Some(next) = stories.get(number).copied().filter(|next| *next != number) {
        number = next;
    }
    number
}

fn join(stories: &mut [usize], one: usize, other: usize) {
    let (one, other) = (root(stories, one), root(stories, other));
    let (first, second) = (one.min(other), one.max(other));
    if let Some(story) = stories.get_mut(second) {
        *story = first;
    }
}

fn told(story: &[&Alert]) -> Option<Incident> {
    let first = story.first()?;
    let severity = story.iter().map(|alert| alert.severity).max()?;
    let steps: Vec<Step> = story
        .iter()
        .map(|alert| Step {
            stage: Stage::of(alert),
            alert: alert.id(),
            kind: alert.kind,
            severity: alert.severity,
            first_seen: alert.first_seen,
            title: alert.title.clone(),
        })
        .collect();
    let mut hash = Sha256::new();
    steps.iter().for_each(|step| hash.update(&step.alert));
    let (attackers, attacker_count) = all(story.iter().map(|alert| (&alert.attackers, alert.attacker_count)));
    let (victims, victim_count) = all(story.iter().map(|alert| (&alert.victims, alert.victim_count)));
    Some(Incident {
        id: digest::hex(&hash.finalize()[..8]),
        title: title(story, &steps, &attackers, attacker_count).unwrap_or_else(|| first.title.clone()),
        severity,
        first_seen: story.iter().map(|alert| alert.first_seen).min()?,
        last_seen: story.iter().map(|alert| alert.last_seen).max()?,
        attackers,
        attacker_count,
        victims,
        victim_count,
        steps,
    })
}

/// `10.0.0.5: discovery, then access, then lateral movement (4 alerts)`; none for a single alert.
fn title(story: &[&Alert], steps: &[Step], attackers: &[String], attacker_count: u64) -> Option<String> {
    if story.len() < 2 {
        return None;
    }
    let mut stages: Vec<&str> = Vec::new();
    for step in steps {
        if step.stage != Stage::Other && !stages.contains(&step.stage.name()) {
            stages.push(step.stage.name());
        }
    }
    let who = match attackers {
        [attacker] => attacker.clone(),
        _ => counted(attacker_count, "host"),
    };
    let what = if stages.is_empty() { "suspicious connections".to_owned() } else { stages.join(", then ") };
    Some(format!("{who}: {what} ({})", counted(story.len() as u64, "alert")))
}

fn all<'a>(lists: impl Iterator<Item = (&'a Vec<String>, u64)>) -> (Vec<String>, u64) {
    let mut distinct = BTreeSet::new();
    let mut most = 0;
    for (listed, count) in lists {
        distinct.extend(listed.iter().cloned());
        most = most.max(count);
    }
    let count = most.max(distinct.len() as u64);
    (distinct.into_iter().take(LISTED).collect(), count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{MINUTE, SECOND};

    fn alert(kind: &'static str, severity: Severity, minute: i64, attacker: &str, victim: &str) -> Alert {
        let at = minute * MINUTE;
        Alert {
            kind,
            technique: None,
            title: format!("{kind} by {attacker}"),
            message: String::new(),
            severity,
            confidence: 0.9,
            attack: &[],
            first_seen: at,
            last_seen: at + 10 * SECOND,
            detected_at: at,
            attackers: vec![attacker.into()],
            attacker_count: 1,
            victims: vec![victim.into()],
            victim_count: 1,
            ports: Vec::new(),
            port_count: 0,
            protocol: "tcp",
            measured: Vec::new(),
            window_s: 1.0,
            flow_count: 1,
            packet_count: 1,
            frames: crate::detect::FrameSpan { first: 1, last: 2 },
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: Vec::new(),
            picture: crate::detect::Picture::None,
        }
    }

    const GAP: Nanos = 60 * MINUTE;

    #[test]
    fn an_intrusion_is_one_story_across_the_host_it_entered() {
        let alerts = [
            alert("exfiltration", Severity::High, 40, "10.0.0.9", "203.0.113.5"),
            alert("port_scan", Severity::Medium, 0, "192.0.2.1", "10.0.0.9"),
            alert("brute_force", Severity::Critical, 5, "192.0.2.1", "10.0.0.9"),
            alert("syn_flood", Severity::High, 6, "198.51.100.7", "10.0.0.200"),
        ];
        let found = incidents(&alerts, GAP);
        assert_eq!(found.len(), 2);
        let stages: Vec<Stage> = found[0].steps.iter().map(|step| step.stage).collect();
        assert_eq!(stages, [Stage::Discovery, Stage::InitialAccess, Stage::Exfiltration]);
        assert_eq!(found[0].severity, Severity::Critical);
        assert_eq!(found[0].title, "2 hosts: discovery, then access, then exfiltration (3 alerts)");
        assert_eq!(found[1].title, "syn_flood by 198.51.100.7");
    }

    #[test]
    fn a_host_that_was_only_probed_is_no_accomplice() {
        let alerts = [
            alert("port_scan", Severity::Medium, 0, "192.0.2.1", "10.0.0.9"),
            alert("beacon", Severity::Medium, 5, "10.0.0.9", "203.0.113.5"),
        ];
        assert_eq!(incidents(&alerts, GAP).len(), 2);
    }

    #[test]
    fn attacks_far_apart_are_two_stories_and_facts_are_none() {
        let alerts = [
            alert("port_scan", Severity::Medium, 0, "192.0.2.1", "10.0.0.9"),
            alert("port_scan", Severity::Medium, 500, "192.0.2.1", "10.0.0.9"),
            alert("long_connection", Severity::Info, 1, "192.0.2.1", "10.0.0.9"),
            alert("unusual_port", Severity::Low, 1, "192.0.2.77", "10.0.0.9"),
        ];
        assert_eq!(incidents(&alerts, GAP).iter().map(|incident| incident.steps.len()).collect::<Vec<_>>(), [1, 1]);
    }
}
