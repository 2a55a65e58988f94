#![doc = include_str!("docs/icmp_flood.md")]

use super::Detector;
use super::alert::{Alert, Severity};
use super::context::Context;
use super::flood_evidence::{ANY, Evidence, ICMP};
use super::flood_seconds::{Flood, Panes, Rule, column, measured, steps};
use super::wording::grouped;
use crate::error::Error;

pub(super) struct IcmpFlood;

const DOCUMENTATION: &str = include_str!("docs/icmp_flood.md");

const RULE: Rule = Rule {
    per_second: |settings| u64::from(settings.flood.icmp_per_s),
    seconds: |_| 1,
    least: |settings| u64::from(settings.flood.burst_packets),
    shaped: |_, _| true,
};

/// From this many times the threshold, or this many sources, it is no one's curiosity.
const FURIOUS: u64 = 10;
const MANY_SOURCES: u64 = 64;

impl Detector for IcmpFlood {
    fn id(&self) -> &'static str {
        "icmp_flood"
    }

    fn summary(&self) -> &'static str {
        "many ICMP or ICMPv6 packets to one host"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let panes = Panes::seconds(context, column("icmp"))?;
        let floods = RULE.floods(context, &panes)?;
        let evidence = Evidence::of(context, floods.iter().map(|flood| flood.target))?;
        let unprovoked =
            floods.iter().filter(|flood| asks(flood) || !(evidence.is_provoked(flood, ICMP) || evidence.is_provoked(flood, ANY)));
        Ok(unprovoked.map(|flood| alert(context, flood, evidence.toward(flood, ICMP).listed_sources(context))).collect())
    }
}

/// Most of it are requests, and not replies or errors.
const fn asks(flood: &Flood) -> bool {
    flood.counts.echo * 2 >= flood.counted
}

fn alert(context: &Context<'_>, flood: &Flood, sources: Vec<String>) -> Alert {
    let settings = &context.settings(flood.target).flood;
    let victim = context.address(flood.target);
    let what = if asks(flood) { "echo requests" } else { "ICMP replies or errors that it did not ask for" };
    let furious = flood.peak >= FURIOUS * u64::from(settings.icmp_per_s) || flood.source_count() >= MANY_SOURCES;
    Alert {
        kind: "icmp_flood",
        technique: Some(if asks(flood) { "echo" } else { "reply" }),
        title: format!("ICMP flood against {victim}"),
        message: format!(
            "{victim} received {} ICMP packets in {} (peak {}/s), mostly {what}, {}",
            grouped(flood.counted),
            flood.lasted(),
            grouped(flood.peak),
            flood.told_sources(),
        ),
        severity: if furious { Severity::High } else { Severity::Medium },
        confidence: if furious { 0.9 } else { 0.75 },
        attackers: if flood.source_count() * 2 > flood.counted { Vec::new() } else { sources },
        protocol: if victim.is_v4() { "icmp" } else { "icmp6" },
        measured: vec![
            measured("peak rate", flood.peak as f64, "packets/s", Some(f64::from(settings.icmp_per_s))),
            measured("packets", flood.counted as f64, "packets", Some(f64::from(settings.burst_packets))),
            measured("echo requests", flood.counts.echo as f64, "packets", None),
            measured("sources", flood.source_count() as f64, "addresses", None),
        ],
        next_steps: steps(&[
            "Rate-limit ICMP echo at the border; keep \"packet too big\" and \"fragmentation needed\", which path MTU discovery needs.",
            "Ask whether someone ran a load test (ping -f) before treating it as an attack.",
        ]),
        ..flood.alert(context, "packets/s", u64::from(settings.icmp_per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Capture, host};

    fn pings(count: i64, per_second: i64) -> Vec<Alert> {
        let mut capture = Capture::default();
        for n in 0..count {
            capture.at_us(n * 1_000_000 / per_second).echo(5, 9);
            capture.at_us(n * 1_000_000 / per_second + 100).echo_reply(9, 5);
        }
        capture.judge(&IcmpFlood)
    }

    #[test]
    fn a_ping_flood_has_one_victim_who_is_not_the_one_that_gets_the_replies() {
        let found = pings(3_000, 888);
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Medium, Some("echo")));
        assert_eq!((&found[0].victims, &found[0].attackers), (&vec![host(9)], &vec![host(5)]));
    }

    #[test]
    fn below_the_rate_there_is_none() {
        assert!(pings(2_000, 250).is_empty());
    }

    /// 437 pings in 1.9 s are 230 in a second; 450 in 0.45 s are more than 256, however the seconds of the clock lie.
    #[test]
    fn a_burst_that_lies_in_two_seconds_is_a_flood_and_a_rate_that_does_is_none() {
        let from = |begin_us: i64, count: i64, gap_us: i64| {
            let mut capture = Capture::default();
            (0..count).for_each(|n| capture.at_us(begin_us + n * gap_us).echo(5, 9));
            capture.judge(&IcmpFlood).len()
        };
        assert_eq!((from(50_000, 437, 4_348), from(775_000, 450, 1_000)), (0, 1));
    }

    #[test]
    fn replies_without_requests_are_a_flood() {
        let mut capture = Capture::default();
        (0..2_000_u32).for_each(|n| capture.at_ms(i64::from(n)).echo_reply(1_000 + n % 250, 9));
        let found = capture.judge(&IcmpFlood);
        assert_eq!((found.len(), found[0].technique, found[0].severity), (1, Some("reply"), Severity::High));
    }
}
