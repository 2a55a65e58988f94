#![doc = include_str!("docs/syn_flood.md")]

use polars::prelude::Expr;

use super::Detector;
use super::alert::{Alert, Severity};
use super::context::{Context, share};
use super::flood_evidence::{Evidence, TCP, Toward};
use super::flood_seconds::{Flood, Pane, Panes, Rule, column, measured, steps};
use super::services::named;
use super::wording::{grouped, percent};
use crate::error::Error;
use crate::table::Address;
use crate::time::{self, Nanos, from_seconds};

pub(super) struct SynFlood;

const DOCUMENTATION: &str = include_str!("docs/syn_flood.md");

/// More sources than a scan hides among: Nmap takes at most 128 decoys, and few people name as many.
const MANY_SOURCES: u64 = 64;
/// From so many sources on it can be asked whether they are made up.
const SPOOFED_SOURCES: u64 = 10;

const RULE: Rule = Rule {
    per_second: |settings| u64::from(settings.flood.syn_per_s),
    seconds: |settings| u64::from(settings.flood.syn_seconds),
    least: |settings| u64::from(settings.flood.syn_min_packets),
    shaped: |settings, pane| share(pane.counts.handshakes, pane.counts.syn) <= settings.flood.syn_completed,
};

impl Detector for SynFlood {
    fn id(&self) -> &'static str {
        "syn_flood"
    }

    fn summary(&self) -> &'static str {
        "many SYNs to one host of which few complete a handshake"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(context.syn_floods.iter().map(|flood| flood.alert(context)).collect())
    }
}

/// A SYN flood, and what is known of its senders.
pub(super) struct Found {
    pub flood: Flood,
    toward: Toward,
    /// Found by the slow sum and not by the rate.
    slow: bool,
}

/// All SYN floods; others read them in [`Context::syn_floods`].
pub(super) fn find(context: &Context<'_>) -> Result<Vec<Found>, Error> {
    let panes = Panes::seconds(context, syn())?;
    let fast = RULE.floods(context, &panes)?;
    let mut slow = Vec::new();
    for (target, seconds) in &panes.targets {
        slow.extend(creeping(context, &panes, *target, seconds)?);
    }
    slow.retain(|flood| !fast.iter().any(|other| other.covers(flood.target, flood.first, flood.last)));
    let both: Vec<(Flood, bool)> =
        fast.into_iter().map(|flood| (flood, false)).chain(slow.into_iter().map(|flood| (flood, true))).collect();
    let evidence = Evidence::of(context, both.iter().map(|(flood, _)| flood.target))?;
    let judged = both.into_iter().map(|(flood, slow)| Found { toward: evidence.toward(&flood, TCP), flood, slow });
    Ok(judged.filter(|found| found.is_flood(context)).collect())
}

fn syn() -> Expr {
    column("syn")
}

/// Slow floods: the sum of Wang, Zhang and Shin over intervals. An interval counts at most twice the
/// drift, so that one burst alone does not reach the limit and three intervals do.
fn creeping(context: &Context<'_>, panes: &Panes, target: Address, seconds: &[Pane]) -> Result<Vec<Flood>, Error> {
    let flood = &context.settings(target).flood;
    let width = from_seconds(flood.cusum_interval_s);
    // 0.35 is not exact in binary; three times it must still reach 1.05.
    let limit = flood.cusum_n - 1e-9;
    let mut floods = Vec::new();
    let mut excursion = Excursion::default();
    for interval in seconds.chunk_by(|a, b| time::pane(a.ts, width) == time::pane(b.ts, width)) {
        let from = interval.first().map(|pane| time::pane(pane.ts, width)).unwrap_or_default();
        excursion.sum -= flood.cusum_a * ((from - excursion.end) / width) as f64;
        if excursion.sum <= 0.0 {
            floods.extend(excursion.flood(context, panes, target, seconds)?);
            excursion = Excursion { begin: from, ..Excursion::default() };
        }
        let (syn, done) = interval.iter().fold((0, 0), |(syn, done), pane| (syn + pane.counts.syn, done + pane.counts.handshakes));
        let unfinished = syn.saturating_sub(done) as f64 / done.max(1) as f64;
        excursion.sum += unfinished.min(2.0 * flood.cusum_a) - flood.cusum_a;
        excursion.end = from + width;
        if excursion.sum >= limit && syn as f64 >= f64::from(flood.cusum_floor_per_s) * flood.cusum_interval_s {
            excursion.crossed.get_or_insert(excursion.end);
        }
    }
    floods.extend(excursion.flood(context, panes, target, seconds)?);
    Ok(floods)
}

/// The time in which the sum stayed above zero.
#[derive(Clone, Copy, Debug, Default)]
struct Excursion {
    sum: f64,
    begin: Nanos,
    end: Nanos,
    crossed: Option<Nanos>,
}

impl Excursion {
    fn flood(&self, context: &Context<'_>, panes: &Panes, target: Address, seconds: &[Pane]) -> Result<Option<Flood>, Error> {
        let Some(crossed) = self.crossed else { return Ok(None) };
        let run: Vec<Pane> = seconds.iter().copied().filter(|pane| (self.begin..self.end).contains(&pane.ts)).collect();
        Flood::of(context, panes, target, crossed, &run).map(Some)
    }
}

impl Found {
    /// A scan sends as many SYNs, but to many ports and from few sources; where one direction was
    /// captured no handshake is ever seen to complete, and other segments must tell.
    fn is_flood(&self, context: &Context<'_>) -> bool {
        let counts = &self.flood.counts;
        let aimed =
            self.toward.sources.is_empty() || self.toward.has_one_port() || self.is_spoofed() || self.flood.source_count() >= MANY_SOURCES;
        let bare = !context.asymmetric || counts.syn * 2 >= counts.tcp();
        let refused = self.slow && !self.is_spoofed() && self.toward.refused >= 0.5;
        aimed && bare && !refused
    }

    fn is_spoofed(&self) -> bool {
        let sources = self.flood.source_count();
        sources >= SPOOFED_SOURCES && sources * 2 > self.flood.counts.syn
    }

    fn alert(&self, context: &Context<'_>) -> Alert {
        let Self { flood, toward, slow } = self;
        let settings = &context.settings(flood.target).flood;
        let per_second = if *slow { settings.cusum_floor_per_s } else { settings.syn_per_s };
        let victim = context.address(flood.target);
        let one_port = toward.has_one_port() || toward.sources.is_empty();
        let port = if toward.sources.is_empty() { flood.target_port } else { toward.top_port };
        let place = if one_port { format!("port {}", named(port)) } else { format!("at least {} ports", grouped(toward.ports)) };
        let spoofed = if self.is_spoofed() { ", which are most likely spoofed" } else { "" };
        let done = flood.counts.handshakes;
        Alert {
            kind: "syn_flood",
            technique: Some(if *slow { "slow" } else { "syn" }),
            title: format!("SYN flood against {victim}"),
            message: format!(
                "{victim} received {} SYN in {} (peak {}/s) on {place} {}{spoofed}; {} handshakes were completed",
                grouped(flood.counted),
                flood.lasted(),
                grouped(flood.peak),
                flood.told_sources(),
                grouped(done),
            ),
            // Clients of a server that went down try again and again, each in its own name.
            severity: match (*slow, self.is_spoofed()) {
                (true, false) => Severity::Low,
                (true, true) => Severity::Medium,
                (false, _) => Severity::High,
            },
            confidence: match (*slow, self.is_spoofed()) {
                (true, _) => 0.6,
                (false, true) => 0.95,
                (false, false) => 0.85,
            },
            attack: &["T1499.001", "T1498.001"],
            attackers: if self.is_spoofed() { Vec::new() } else { toward.listed_sources(context) },
            ports: if one_port { vec![port] } else { Vec::new() },
            port_count: if one_port { 1 } else { toward.ports },
            protocol: "tcp",
            measured: vec![
                measured("peak rate", flood.peak as f64, "SYN/s", Some(f64::from(per_second))),
                measured("completed handshakes", share(done, flood.counted), "share of SYNs", Some(settings.syn_completed)),
                measured("SYNs", flood.counted as f64, "packets", (!*slow).then_some(f64::from(settings.syn_min_packets))),
                measured("sources", flood.source_count() as f64, "addresses", None),
            ],
            window_s: if *slow { settings.cusum_interval_s } else { 1.0 },
            next_steps: steps(&[
                "Check that SYN cookies are on at the target, and whether its backlog overflowed (netstat -s, nstat TcpExtListenOverflows).",
                if self.is_spoofed() {
                    "Do not block the listed addresses: they are made up. Ask the upstream provider to filter, or move the target behind a scrubbing service."
                } else {
                    "Block or rate-limit the listed sources in front of the target."
                },
                &format!(
                    "Look at what else reached the target in these seconds: {} of its SYNs were completed.",
                    percent(share(done, flood.counted))
                ),
            ]),
            ..flood.alert(context, "SYN/s", u64::from(per_second))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Capture, host};
    use crate::time::SECOND;

    const VICTIM: u32 = 9;

    fn alerts(capture: &Capture) -> Vec<Alert> {
        capture.judge(&SynFlood)
    }

    #[test]
    fn four_seconds_of_spoofed_syns_are_one_alert_that_names_the_victim_alone() {
        let mut capture = Capture::default();
        (0..1_200_u32).for_each(|n| capture.at_ms(i64::from(n) * 1_000 / 300).syn(1_000 + n, VICTIM, 80));
        let found = alerts(&capture);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].severity, found[0].packet_count, &found[0].victims), (Severity::High, 1_200, &vec![host(VICTIM)]));
        assert!(found[0].attackers.is_empty() && found[0].attacker_count.abs_diff(1_200) < 120);
        assert_eq!(found[0].ports, [80]);
        // The third loud second ends at 3 s.
        assert_eq!(found[0].detected_at, Capture::START + 3 * SECOND);
    }

    #[test]
    fn below_the_rate_there_is_nothing_while_it_is_short() {
        let mut capture = Capture::default();
        (0..1_000_u32).for_each(|n| capture.at_ms(i64::from(n) * 4).syn(1_000 + n, VICTIM, 80));
        assert!(alerts(&capture).is_empty(), "250 SYN/s, threshold 256");
    }

    #[test]
    fn a_burst_that_lies_in_two_calendar_seconds_is_found() {
        let mut capture = Capture::default();
        (0..257_u32).for_each(|n| capture.at_ms(960 + i64::from(n) / 4).syn(1_000 + n, VICTIM, 8080));
        assert_eq!(alerts(&capture).len(), 1);
    }

    #[test]
    fn a_rush_of_visitors_who_complete_their_handshakes_is_none() {
        let mut capture = Capture::default();
        (0..1_500_u32).for_each(|n| capture.at_ms(i64::from(n) * 2).handshake(1_000 + n % 200, VICTIM, 443));
        assert!(alerts(&capture).is_empty());
    }

    #[test]
    fn a_fast_port_scan_is_none_but_one_source_at_one_port_is_a_flood() {
        let mut scan = Capture::default();
        (0..4_000_u16).for_each(|n| scan.at_ms(i64::from(n)).syn(5, VICTIM, 1 + n));
        assert!(alerts(&scan).is_empty());
        let mut flood = Capture::default();
        (0..2_000_u16).for_each(|n| flood.at_ms(i64::from(n) * 2).syn_from(5, 2_000 + n, VICTIM, 80));
        let found = alerts(&flood);
        assert_eq!((found.len(), &found[0].attackers), (1, &vec![host(5)]));
    }

    #[test]
    fn a_slow_flood_is_found_after_three_intervals_and_not_after_two() {
        let slow = |seconds: u32| {
            let mut capture = Capture::default();
            (0..seconds * 30).for_each(|n| capture.at_ms(i64::from(n) * 1_000 / 30).syn(1_000 + n, VICTIM, 80));
            alerts(&capture)
        };
        assert!(slow(40).is_empty());
        let found = slow(60);
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Medium, Some("slow")));
    }

    #[test]
    fn random_targets_are_no_flood_of_one() {
        let mut capture = Capture::default();
        (0..2_000_u32).for_each(|n| capture.at_ms(i64::from(n) / 4).syn(1_000 + n, 100_000 + n, 80));
        assert!(alerts(&capture).is_empty());
    }
}
