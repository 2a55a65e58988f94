//! A host that was entered and enters the next one.

use std::collections::{BTreeMap, BTreeSet};

use super::super::alert::{Alert, FrameSpan, Severity};
use super::super::context::{Context, listed};
use super::super::flood_seconds::measured;
use super::super::services::named;
use super::super::wording::grouped;
use super::sessions::Session;
use super::told;
use crate::table::Address;
use crate::time::{self, Nanos, from_seconds};

/// A host that more enter, or that enters more, is a jump host or a management host: passing through is its purpose.
const MOST_IN: usize = 2;
const MOST_OUT: usize = 4;
/// A longer chain begins anew: nobody works through so many hosts, and what an alert says has an end.
const MOST_HOPS: usize = 64;
/// So many hops (hosts but the first) are worth a look, and so many probably hostile.
const WORTH_A_LOOK: usize = 3;
const HOSTILE: usize = 4;

/// The first session between two hosts, and its place in a chain.
#[derive(Clone, Debug)]
struct Leg {
    session: Session,
    /// The last moment of any session of the two.
    last: Nanos,
    /// Hops up to here, with the leg before.
    depth: usize,
    before: Option<usize>,
}

/// Chains of sessions that began one after another; told once for each last host but one.
pub(super) fn find(context: &Context<'_>, sessions: &[Session]) -> Vec<Alert> {
    let mut legs = legs(sessions);
    let (mut from, mut to): (BTreeMap<Address, usize>, BTreeMap<Address, Vec<usize>>) = (BTreeMap::new(), BTreeMap::new());
    for (place, leg) in legs.iter().enumerate() {
        *from.entry(leg.session.source).or_default() += 1;
        to.entry(leg.session.target).or_default().push(place);
    }
    let mut continued = BTreeSet::new();
    for place in 0..legs.len() {
        let Session { source, target, first, .. } = legs[place].session;
        let Some(entered) =
            to.get(&source).filter(|entered| entered.len() <= MOST_IN && from.get(&source).is_some_and(|out| *out <= MOST_OUT))
        else {
            continue;
        };
        let within = from_seconds(context.settings(source).lateral.chain_s);
        let fits = |before: &&usize| {
            let leg = &legs[**before];
            **before < place
                && leg.depth < MOST_HOPS
                && leg.session.source != target
                && first - leg.last <= within
                && !visits(&legs, **before, target)
        };
        // The deepest; of several, the latest.
        if let Some(before) = entered.iter().filter(fits).max_by_key(|before| (legs[**before].depth, **before)).copied() {
            legs[place].depth = legs[before].depth + 1;
            legs[place].before = Some(before);
            continued.insert(before);
        }
    }
    let mut ends: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, leg) in legs.iter().enumerate() {
        if let Some(before) = leg.before.filter(|_| !continued.contains(&place)) {
            ends.entry(before).or_default().push(place);
        }
    }
    ends.values().filter_map(|ends| alert(context, &legs, ends)).collect()
}

/// By the time of the first session that is certain to be one of administration.
fn legs(sessions: &[Session]) -> Vec<Leg> {
    let mut places: BTreeMap<(Address, Address), usize> = BTreeMap::new();
    let mut legs: Vec<Leg> = Vec::new();
    for session in sessions.iter().filter(|session| session.certain) {
        let place = *places.entry((session.source, session.target)).or_insert(legs.len());
        match legs.get_mut(place) {
            Some(leg) => {
                leg.last = leg.last.max(session.last);
                leg.session.windows |= session.windows;
            }
            None => legs.push(Leg { session: *session, last: session.last, depth: 1, before: None }),
        }
    }
    legs
}

/// Whether the chain that ends with a leg came through a host.
fn visits(legs: &[Leg], end: usize, host: Address) -> bool {
    chain(legs, end).any(|leg| leg.session.source == host || leg.session.target == host)
}

/// From the last leg to the first.
fn chain(legs: &[Leg], end: usize) -> impl Iterator<Item = &Leg> {
    std::iter::successors(legs.get(end), |leg| leg.before.and_then(|before| legs.get(before)))
}

fn alert(context: &Context<'_>, legs: &[Leg], ends: &[usize]) -> Option<Alert> {
    let last = *ends.iter().max_by_key(|end| (legs[**end].depth, std::cmp::Reverse(**end)))?;
    let mut way: Vec<&Leg> = chain(legs, last).collect();
    way.reverse();
    let others = || ends.iter().filter(|end| **end != last).map(|end| &legs[*end]);
    let all = || way.iter().copied().chain(others());
    let head = way.first()?;
    let depth = way.len();
    let windows = all().any(|leg| leg.session.windows);
    let severity = match depth {
        _ if windows => Severity::Medium,
        ..WORTH_A_LOOK => Severity::Info,
        WORTH_A_LOOK..HOSTILE => Severity::Low,
        _ => Severity::Medium,
    };
    let path: Vec<String> = std::iter::once(context.address(head.session.source).to_string())
        .chain(way.iter().map(|leg| format!("{} ({})", context.address(leg.session.target), named(leg.session.port))))
        .collect();
    let more = others().count() as u64;
    let more = if more > 0 { format!(", and from the last but one to {} more", grouped(more)) } else { String::new() };
    let sources: Vec<_> = all().map(|leg| context.address(leg.session.source)).collect();
    let (attackers, attacker_count) = listed(sources);
    let (victims, victim_count) = listed(all().map(|leg| context.address(leg.session.target)).collect());
    let ports: BTreeSet<u16> = all().map(|leg| leg.session.port).collect();
    let settings = &context.settings(head.session.source).lateral;
    let (first_seen, last_seen) = (head.session.first, all().map(|leg| leg.last).max()?);
    Some(Alert {
        title: format!("A chain of sessions over {} hosts from {}", depth + 1, context.address(head.session.source)),
        message: format!(
            "sessions of administration, each begun from the host that the one before had entered: {}{more}; the last began {} after the first",
            path.join(", then "),
            time::duration(way.last()?.session.first - first_seen),
        ),
        severity,
        confidence: if severity >= Severity::Medium { 0.5 } else { 0.3 },
        first_seen,
        last_seen,
        detected_at: way.last()?.session.first,
        attackers,
        attacker_count,
        victims,
        victim_count,
        port_count: ports.len() as u64,
        ports: ports.into_iter().collect(),
        measured: vec![measured("hosts entered one from the other", depth as f64, "hosts", Some(2.0))],
        window_s: settings.chain_s,
        flow_count: all().map(|leg| leg.session.connections).sum(),
        packet_count: all().map(|leg| leg.session.packets).sum(),
        frames: FrameSpan {
            first: all().map(|leg| leg.session.frames.first).min()?,
            last: all().map(|leg| leg.session.frames.last).max()?,
        },
        ..told("chain", &["T1021"])
    })
}

#[cfg(test)]
mod tests {
    use super::super::LateralMovement;
    use super::*;
    use crate::detect::testing::{Capture, host};

    fn session(capture: &mut Capture, at_s: i64, source: u32, target: u32, port: u16) {
        let sport = 10_000 + (source * 50 + target) as u16;
        capture.at_ms(at_s * 1_000).handshake_from(source, sport, target, port);
        capture.data(source, sport, target, port, 2_000);
        capture.data(target, port, source, sport, 3_000);
    }

    fn of(way: &[(i64, u32, u32)]) -> Vec<Alert> {
        let mut capture = Capture::default();
        way.iter().for_each(|(at, source, target)| session(&mut capture, *at, *source, *target, 22));
        capture.judge(&LateralMovement)
    }

    #[test]
    fn one_hop_is_a_fact_two_a_look_and_three_hostile() {
        let found = of(&[(0, 5, 6), (60, 6, 7)]);
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Info, Some("chain")));
        assert_eq!((&found[0].attackers, &found[0].victims), (&vec![host(5), host(6)], &vec![host(6), host(7)]));
        assert_eq!(of(&[(0, 5, 6), (60, 6, 7), (120, 7, 8)])[0].severity, Severity::Low);
        let found = of(&[(0, 5, 6), (60, 6, 7), (120, 7, 8), (180, 8, 9)]);
        assert_eq!((found.len(), found[0].severity, found[0].measured[0].value), (1, Severity::Medium, 4.0));
    }

    #[test]
    fn what_an_alert_says_of_an_endless_chain_has_an_end() {
        let way: Vec<(i64, u32, u32)> = (0..200).map(|hop: u32| (i64::from(hop) * 10, 1_000 + hop, 1_001 + hop)).collect();
        let found = of(&way);
        // 64 + 64 + 64 + 8 hops.
        assert_eq!(found.iter().map(|alert| alert.measured[0].value).collect::<Vec<_>>(), [64.0, 64.0, 64.0, 8.0]);
        assert!(found.iter().all(|alert| alert.message.len() < 3_000));
    }

    #[test]
    fn out_of_order_too_late_or_back_is_no_chain() {
        assert!(of(&[(0, 6, 7), (60, 5, 6)]).is_empty());
        assert!(of(&[(0, 5, 6), (3_700, 6, 7)]).is_empty());
        assert!(of(&[(0, 5, 6), (60, 6, 5)]).is_empty());
    }

    #[test]
    fn a_jump_host_is_there_to_pass_through() {
        assert!(of(&[(0, 3, 6), (10, 4, 6), (20, 5, 6), (60, 6, 7)]).is_empty());
    }

    #[test]
    fn several_hosts_from_one_that_was_entered_are_told_once() {
        let found = of(&[(0, 5, 6), (60, 6, 7), (70, 6, 8)]);
        assert_eq!((found.len(), found[0].victim_count), (1, 3));
    }
}
