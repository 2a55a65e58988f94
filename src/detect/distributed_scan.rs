#![doc = include_str!("docs/distributed_scan.md")]

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::Detector;
use super::alert::{Alert, FrameSpan, LISTED, Measured, Picture, Probe as Point, Severity};
use super::context::{Context, listed};
use super::probes::{Class, Probe};
use super::window;
use super::wording::grouped;
use crate::error::Error;
use crate::table::Address;
use crate::time::{self, from_seconds};

pub struct DistributedScan;

impl Detector for DistributedScan {
    fn id(&self) -> &'static str {
        "distributed_scan"
    }

    fn summary(&self) -> &'static str {
        "the ports of one host tried by many sources together"
    }

    fn documentation(&self) -> &'static str {
        include_str!("docs/distributed_scan.md")
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let mut by_target: BTreeMap<Address, Vec<Probe>> = BTreeMap::new();
        for probe in context.scans.others.iter().filter(|probe| probe.class == Class::Syn) {
            by_target.entry(probe.target).or_default().push(*probe);
        }
        let gap = from_seconds(context.config.base.alert.join_gap_s);
        let mut alerts = Vec::new();
        for (target, mut probes) in by_target {
            // Forged senders at random ports are a flood, and told as one.
            probes.retain(|probe| !context.syn_floods.iter().any(|found| found.flood.covers(target, probe.ts, probe.last_ts)));
            probes.sort_by_key(|probe| (probe.ts, probe.first_ordinal));
            alerts.extend(probes.chunk_by(|a, b| b.ts - a.ts <= gap).filter_map(|episode| judge(context, target, episode)));
        }
        Ok(alerts)
    }
}

fn judge(context: &Context<'_>, target: Address, probes: &[Probe]) -> Option<Alert> {
    let settings = &context.settings(target).scan;
    let width = from_seconds(settings.window_s);
    let silent = probes.iter().filter(|probe| !probe.refused && !probe.open).count() * 2 > probes.len();
    let factor = if context.asymmetric && silent { settings.asymmetric_factor } else { 1 };
    let least_ports = settings.distributed_ports.saturating_mul(factor);
    let ports = window::distinct(probes.iter().map(|probe| (probe.ts, probe.port)), width, least_ports);
    let sources = window::distinct(probes.iter().map(|probe| (probe.ts, probe.source)), width, settings.distributed_sources);
    let detected_at = ports.reached?.max(sources.reached?);
    if !shared_out(probes) {
        return None;
    }
    let (attackers, attacker_count) = listed(probes.iter().map(|probe| context.address(probe.source)).collect());
    let victim = context.address(target).to_string();
    let mut distinct_ports: Vec<u16> = probes.iter().map(|probe| probe.port).collect();
    distinct_ports.sort_unstable();
    distinct_ports.dedup();
    let (first_seen, last_seen) = (probes.first()?.ts, probes.iter().map(|probe| probe.last_ts).max()?);
    Some(Alert {
        kind: "distributed_scan",
        technique: Some("syn"),
        title: format!("Distributed port scan of {victim} by {attacker_count} sources"),
        message: format!(
            "{attacker_count} sources together probed {} TCP ports of {victim} in {}, each only a few",
            grouped(distinct_ports.len() as u64),
            time::duration(last_seen - first_seen)
        ),
        severity: Severity::Medium,
        confidence: 0.7,
        attack: &["T1595.001", "T1046"],
        first_seen,
        last_seen,
        detected_at,
        attackers,
        attacker_count,
        next_steps: vec![
            "treat the sources as one actor: block or watch them together".into(),
            format!("check which ports of {victim} answered, and whether they should be reachable"),
        ],
        victims: vec![victim],
        victim_count: 1,
        port_count: distinct_ports.len() as u64,
        ports: distinct_ports.into_iter().take(LISTED).collect(),
        protocol: "tcp",
        measured: vec![
            Measured { name: "ports", value: f64::from(ports.most), unit: "in the window", threshold: Some(f64::from(least_ports)) },
            Measured {
                name: "sources",
                value: f64::from(sources.most),
                unit: "in the window",
                threshold: Some(f64::from(settings.distributed_sources)),
            },
        ],
        window_s: settings.window_s,
        flow_count: probes.iter().map(|probe| u64::from(probe.attempts)).sum(),
        packet_count: probes.iter().map(|probe| probe.packets).sum(),
        frames: FrameSpan {
            first: probes.iter().map(|probe| probe.first_ordinal).min()?,
            last: probes.iter().map(|probe| probe.last_ordinal).max()?,
        },
        community_ids: Vec::new(),
        quality: Vec::new(),
        picture: Picture::Probes {
            axis: "port",
            points: probes.iter().map(|probe| Point { ts: probe.ts, value: u32::from(probe.port), open: probe.open }).collect(),
        },
    })
}

/// The sources divide the ports among themselves: on average a port is asked by fewer than two. Many
/// clients of one dead service ask the same ports.
fn shared_out(probes: &[Probe]) -> bool {
    let pairs = probes.iter().map(|probe| (probe.source, probe.port)).collect::<HashSet<_>>().len();
    let ports = probes.iter().map(|probe| probe.port).collect::<HashSet<_>>().len();
    pairs < 2 * ports
}
