//! A host that begins to administer several others.

use std::collections::{BTreeMap, BTreeSet};

use super::super::alert::{Alert, FrameSpan, Severity};
use super::super::context::{Context, listed};
use super::super::flood_seconds::measured;
use super::super::services::named;
use super::super::window;
use super::super::wording::counted;
use super::sessions::Session;
use super::told;
use crate::table::Address;
use crate::time::{self, HOUR, Nanos, from_seconds};

/// What a host did for so long before is its habit; less of a past says nothing.
const PAST: Nanos = HOUR;

/// Sources with enough new targets within the window. Sessions are in time order.
pub(super) fn find(context: &Context<'_>, sessions: &[Session]) -> Vec<Alert> {
    let mut by_source: BTreeMap<Address, Vec<Session>> = BTreeMap::new();
    for session in sessions.iter().filter(|session| context.address(session.source).is_private()) {
        by_source.entry(session.source).or_default().push(*session);
    }
    by_source.values().filter_map(|of_source| of_one(context, of_source)).collect()
}

fn of_one(context: &Context<'_>, of_source: &[Session]) -> Option<Alert> {
    let source = of_source.first()?.source;
    let settings = &context.settings(source).lateral;
    let window = from_seconds(settings.window_s);
    let mut met = BTreeSet::new();
    let new: Vec<Session> = of_source.iter().filter(|session| met.insert(session.target)).copied().collect();
    let crossing = window::distinct(new.iter().map(|session| (session.first, session.target)), window, settings.hosts);
    let reached = crossing.reached?;
    let before = new.iter().filter(|session| session.first <= reached - window).count();
    let has_past = context.capture.span.is_some_and(|(begin, _)| reached - window >= begin + PAST);
    if before >= settings.hosts as usize {
        return None;
    }
    let gap = from_seconds(context.config.base.alert.join_gap_s).max(window);
    let part: Vec<Session> = new
        .chunk_by(|a, b| b.first - a.first <= gap)
        .find(|part| part.iter().any(|session| session.first == reached))?
        .iter()
        .filter(|session| session.first > reached - window)
        .copied()
        .collect();
    let attacker = context.address(source);
    let (victims, victim_count) = listed(part.iter().map(|session| context.address(session.target)).collect());
    let ports: BTreeSet<u16> = part.iter().map(|session| session.port).collect();
    let names: Vec<String> = ports.iter().map(|port| named(*port)).collect();
    let habit = if has_past {
        format!("; in the hour before and longer it had administered {}", counted(before as u64, "host"))
    } else {
        String::new()
    };
    Some(Alert {
        title: format!("{attacker} began to administer {}", counted(victim_count, "host")),
        message: format!(
            "{attacker} opened sessions at ports for administration ({}) of {} that it had not used so before, up to {} within {}{habit}",
            names.join(", "),
            counted(victim_count, "host"),
            crossing.most,
            time::duration(window),
        ),
        severity: if has_past { Severity::Medium } else { Severity::Low },
        confidence: if has_past { 0.5 } else { 0.3 },
        first_seen: part.iter().map(|session| session.first).min()?,
        last_seen: part.iter().map(|session| session.last).max()?,
        detected_at: reached,
        attackers: vec![attacker.to_string()],
        attacker_count: 1,
        victims,
        victim_count,
        port_count: ports.len() as u64,
        ports: ports.into_iter().collect(),
        measured: vec![
            measured("new hosts within the window", f64::from(crossing.most), "hosts", Some(f64::from(settings.hosts))),
            measured("hosts administered before", before as f64, "hosts", Some(f64::from(settings.hosts))),
        ],
        window_s: settings.window_s,
        flow_count: part.iter().map(|session| session.connections).sum(),
        packet_count: part.iter().map(|session| session.packets).sum(),
        frames: FrameSpan {
            first: part.iter().map(|session| session.frames.first).min()?,
            last: part.iter().map(|session| session.frames.last).max()?,
        },
        ..told("fan_out", &["T1021"])
    })
}

#[cfg(test)]
mod tests {
    use super::super::LateralMovement;
    use super::*;
    use crate::decode::app::{LoginOutcome, Service};
    use crate::detect::testing::{Capture, host};

    const MINUTE_MS: i64 = 60_000;

    fn session(capture: &mut Capture, source: u32, target: u32, port: u16) {
        let sport = 10_000 + target as u16;
        capture.handshake_from(source, sport, target, port);
        capture.data(source, sport, target, port, 2_000);
        capture.data(target, port, source, sport, 3_000);
    }

    fn spread(capture: &mut Capture, from_ms: i64, targets: std::ops::Range<u32>, port: u16) {
        for (n, target) in (0_i64..).zip(targets) {
            session(capture.at_ms(from_ms + n * MINUTE_MS), 5, target, port);
        }
    }

    fn of(targets: u32, port: u16) -> Vec<Alert> {
        let mut capture = Capture::default();
        spread(&mut capture, 0, 100..100 + targets, port);
        capture.judge(&LateralMovement)
    }

    #[test]
    fn five_hosts_are_worth_a_look_and_four_are_not() {
        let found = of(5, 3_389);
        assert_eq!((found.len(), found[0].severity, found[0].victim_count), (1, Severity::Low, 5));
        assert_eq!(found[0].attackers, vec![host(5)]);
        assert!(of(4, 3_389).is_empty());
        assert!(of(5, 443).is_empty());
    }

    fn with_past(before: std::ops::Range<u32>) -> Vec<Alert> {
        let mut capture = Capture::default();
        (0..before.len() as u32).for_each(|n| session(capture.at_ms(i64::from(n) * 11 * MINUTE_MS), 5, before.start + n, 22));
        capture.at_ms(1).conversation(7, 3_000, 8, 443);
        spread(&mut capture, 90 * MINUTE_MS, 200..205, 22);
        capture.judge(&LateralMovement)
    }

    #[test]
    fn after_a_quiet_past_it_is_probably_hostile() {
        assert_eq!(with_past(100..101)[0].severity, Severity::Medium);
    }

    #[test]
    fn a_management_host_does_so_all_day() {
        assert!(with_past(100..105).is_empty());
    }

    #[test]
    fn domain_controllers_and_servers_of_many_are_asked_by_everyone() {
        let mut capture = Capture::default();
        spread(&mut capture, 0, 100..105, 445);
        assert_eq!(capture.judge(&LateralMovement).len(), 1);
        for target in 100..105 {
            capture.at_ms(10 * MINUTE_MS).conversation(6, 20_000, target, 88);
        }
        assert!(capture.judge(&LateralMovement).is_empty());
        let mut capture = Capture::default();
        spread(&mut capture, 0, 100..105, 445);
        for target in 100..105 {
            session(capture.at_ms(10 * MINUTE_MS), 6, target, 445);
            session(&mut capture, 7, target, 445);
        }
        assert!(capture.judge(&LateralMovement).is_empty());
    }

    #[test]
    fn logins_that_fail_enter_nothing() {
        let mut capture = Capture::default();
        spread(&mut capture, 0, 100..105, 21);
        spread(&mut capture, 0, 100..105, 22);
        assert_eq!(capture.judge(&LateralMovement).len(), 1);
        for target in 100..105 {
            capture.login_at(5, target, 22, Service::Ssh, "root", LoginOutcome::Failed);
        }
        assert!(capture.judge(&LateralMovement).is_empty());
    }
}
