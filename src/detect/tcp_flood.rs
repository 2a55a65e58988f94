#![doc = include_str!("docs/tcp_flood.md")]

use super::Detector;
use super::alert::{Alert, Severity};
use super::context::{Context, share};
use super::flood_evidence::{Evidence, TCP, Toward};
use super::flood_seconds::{Flood, Panes, Rule, column, measured, steps};
use super::services::named;
use super::wording::{grouped, percent};
use crate::error::Error;

pub(super) struct TcpFlood;

const DOCUMENTATION: &str = include_str!("docs/tcp_flood.md");

const RULE: Rule = Rule {
    per_second: |settings| u64::from(settings.flood.tcp_per_s),
    seconds: |_| 1,
    least: |settings| u64::from(settings.flood.burst_packets),
    shaped: |settings, pane| share(pane.counted, pane.counts.tcp()) >= settings.flood.tcp_stray,
};

/// One or two sources that go through many ports scan; only at this many times the rate it floods.
const BEYOND_SCANS: u64 = 10;
const FEW_SOURCES: u64 = 2;

impl Detector for TcpFlood {
    fn id(&self) -> &'static str {
        "tcp_flood"
    }

    fn summary(&self) -> &'static str {
        "many ACK, RST, FIN or SYN-ACK segments to one host that belong to no connection"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let panes = Panes::seconds(context, column("stray") + column("syn_ack"))?;
        let floods = RULE.floods(context, &panes)?;
        let evidence = Evidence::of(context, floods.iter().map(|flood| flood.target))?;
        let mut alerts = Vec::new();
        for flood in floods {
            let toward = evidence.toward(&flood, TCP);
            let scan = flood.source_count() <= FEW_SOURCES
                && !toward.has_one_port()
                && flood.peak < BEYOND_SCANS * u64::from(context.settings(flood.target).flood.tcp_per_s);
            let scattered = evidence.connections(&flood, TCP) * 2 >= flood.peak;
            if scattered && !scan && !is_reflection(context, &flood) && !evidence.is_provoked(&flood, TCP) {
                alerts.push(alert(context, &flood, &toward));
            }
        }
        Ok(alerts)
    }
}

/// SYN-ACKs from several hosts are reflected; [`super::reflection_attack`] tells them.
fn is_reflection(context: &Context<'_>, flood: &Flood) -> bool {
    flood.counts.syn_ack * 2 > flood.counted && flood.source_count() >= u64::from(context.settings(flood.target).flood.reflection_sources)
}

/// What most of the segments are.
fn technique(flood: &Flood) -> &'static str {
    let counts = &flood.counts;
    let kinds = [
        ("ack", counts.stray.saturating_sub(counts.rst + counts.fin)),
        ("rst", counts.rst),
        ("fin", counts.fin),
        ("syn_ack", counts.syn_ack),
    ];
    kinds.into_iter().rev().max_by_key(|(_, packets)| *packets).map_or("ack", |(name, _)| name)
}

fn alert(context: &Context<'_>, flood: &Flood, toward: &Toward) -> Alert {
    let settings = &context.settings(flood.target).flood;
    let victim = context.address(flood.target);
    let technique = technique(flood);
    let kind = technique.to_uppercase().replace('_', "-");
    let stray = share(flood.counted, flood.counts.tcp());
    let one_port = toward.has_one_port();
    let place =
        if one_port { format!("port {}", named(toward.top_port)) } else { format!("at least {} ports", grouped(toward.ports.max(1))) };
    let few = flood.source_count() <= FEW_SOURCES;
    Alert {
        kind: "tcp_flood",
        technique: Some(technique),
        title: format!("{kind} flood against {victim}"),
        message: format!(
            "{victim} received {} TCP segments without a connection, mostly {kind}, in {} (peak {}/s) on {place} {}; they are {} of its TCP segments in these seconds",
            grouped(flood.counted),
            flood.lasted(),
            grouped(flood.peak),
            flood.told_sources(),
            percent(stray),
        ),
        severity: if few { Severity::Medium } else { Severity::High },
        confidence: if few { 0.6 } else { 0.85 },
        attackers: if flood.source_count() * 2 > flood.counted { Vec::new() } else { toward.listed_sources(context) },
        ports: if one_port { vec![toward.top_port] } else { Vec::new() },
        port_count: if one_port { 1 } else { toward.ports },
        protocol: "tcp",
        measured: vec![
            measured("peak rate", flood.peak as f64, "segments/s", Some(f64::from(settings.tcp_per_s))),
            measured("without a connection", stray, "share of segments", Some(settings.tcp_stray)),
            measured("segments", flood.counted as f64, "packets", Some(f64::from(settings.burst_packets))),
            measured("sources", flood.source_count() as f64, "addresses", None),
        ],
        next_steps: steps(&[
            "Drop segments without a connection in front of the target (a stateful filter's INVALID or new-not-SYN rule).",
            "Check the load of that filter: such floods aim at its connection table as much as at the target.",
        ]),
        ..flood.alert(context, "segments/s", u64::from(settings.tcp_per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::flag;
    use crate::detect::testing::Capture;

    const VICTIM: u32 = 9;

    fn acks(count: u32, per_second: i64) -> Capture {
        let mut capture = Capture::default();
        (0..count).for_each(|n| capture.at_us(i64::from(n) * 1_000_000 / per_second).tcp(1_000 + n, 4_000, VICTIM, 80, flag::ACK));
        capture
    }

    #[test]
    fn acks_without_connections_are_a_flood_from_the_rate_on() {
        let found = acks(3_000, 1_500).judge(&TcpFlood);
        assert_eq!((found.len(), found[0].technique), (1, Some("ack")));
        assert!(acks(3_000, 900).judge(&TcpFlood).is_empty());
    }

    #[test]
    fn one_direction_of_one_connection_is_none() {
        let mut capture = Capture::default();
        (0..6_000_u32).for_each(|n| capture.at_us(i64::from(n) * 400).tcp(5, 4_000, VICTIM, 443, flag::ACK));
        assert!(capture.judge(&TcpFlood).is_empty());
    }

    #[test]
    fn an_ack_scan_is_none() {
        let mut capture = Capture::default();
        (0..3_000_u16).for_each(|n| capture.at_us(i64::from(n) * 500).tcp(5, 4_000, VICTIM, 1 + n, flag::ACK));
        assert!(capture.judge(&TcpFlood).is_empty());
    }
}
