//! From what was measured to the report: runs the detectors, applies the allow-list, counts.
//!
//! Reads no packet.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::config::Config;
use crate::decode::{Checksums, LayerCounts};
use crate::detect::{self, Alert, Baseline, Capture, Context, Damage};
use crate::error::Error;
use crate::net::Addr;
use crate::pipeline::Measured;
use crate::pseudonym;
use crate::report::{Bucket, HostRow, ProtocolRow, Report, Suppressed, Timeline, Totals};
use crate::rules::Rules;
use crate::table::Tables;
use crate::time::{Nanos, from_seconds};
use crate::warning::Warning;

/// Services a report lists; the stored tables have all.
const SERVICES: usize = 25;

/// Judges one input; `chosen` says which detectors run.
///
/// # Errors
/// Only for defects of ours.
pub fn judge(input: &str, measured: &Measured, config: &Config, chosen: &(dyn Fn(&str) -> bool + Sync)) -> Result<Report, Error> {
    judge_with(input, measured, config, &Rules::default(), None, chosen)
}

/// The same with a user's rules beside the detectors, and with what is known from other captures.
///
/// # Errors
/// As [`judge`], and when a rule cannot be computed on what the tables hold.
pub fn judge_with(
    input: &str,
    measured: &Measured,
    config: &Config,
    rules: &Rules,
    baseline: Option<&Baseline>,
    chosen: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Report, Error> {
    let Measured { facts, warnings, accounting, layers, span, begins, tables } = measured;
    let (span, mut warnings) = (*span, warnings.clone());
    let context = Context::new(tables, config, capture(measured, None))?.with_baseline(baseline);
    let mut alerts = detect::run(&context, chosen)?;
    let (by_rules, failed) = rules.run(&context, chosen)?;
    alerts.extend(by_rules);
    warnings.extend(failed.into_iter().map(|problem| Warning::Rule { problem }));
    // What was over when the period before this one ended was told there.
    alerts.retain(|alert| begins.is_none_or(|begins| alert.frames.last > begins));
    detect::sort(&mut alerts);
    let (mut alerts, suppressed) = allowed(alerts, config);
    let mut incidents = detect::incidents(&alerts, from_seconds(config.base.alert.incident_gap_s));
    let mut facts = facts.clone();
    let mut resolved = tables.facts.resolved.clone();
    let mut services = tables.busiest_services(SERVICES)?;
    if pseudonym::current().is_some() {
        in_shown_order(alerts.iter_mut().flat_map(|alert| [&mut alert.attackers, &mut alert.victims]));
        in_shown_order(incidents.iter_mut().flat_map(|incident| [&mut incident.attackers, &mut incident.victims]));
        facts.names.iter_mut().for_each(|(_, name)| *name = pseudonym::name(name).into_owned());
        resolved.iter_mut().for_each(|(_, name)| *name = pseudonym::name(name).into());
        services.sort_by_key(|service| (Reverse(service.bytes), service.address.shown(), service.port, service.proto));
        services.iter_mut().flat_map(|service| &mut service.names).for_each(|name| *name = pseudonym::name(name).into_owned());
    }
    let report = Report {
        input: input.into(),
        accounting: *accounting,
        span,
        totals: Totals {
            flows: tables.flows,
            hosts: tables.hosts.len() as u64,
            attempts: tables.totals.attempts,
            folded_packets: tables.folded_packets,
        },
        warnings,
        alerts,
        incidents,
        suppressed,
        hosts: hosts(tables),
        resolved,
        services,
        protocols: protocols(layers, tables),
        timeline: timeline(tables, *begins),
        quality: context.quality().clone(),
        facts,
    };
    Ok(report)
}

/// What was measured of the capture as evidence; `checksums` where they were looked at.
#[must_use]
pub fn capture(measured: &Measured, checksums: Option<Checksums>) -> Capture {
    // Tables that reach back beyond the turn of a period hold packets from before it.
    let earliest = measured.begins.and_then(|_| measured.tables.timeline.1.first()).map(|(ts, _)| *ts);
    Capture {
        span: measured.span.map(|(first, last)| (earliest.map_or(first, |earliest| first.min(earliest)), last)),
        clock_jumps: measured.facts.clock_jumps,
        frames: measured.accounting.frames,
        cut_frames: measured.accounting.cut_frames,
        undecoded: measured.accounting.not_decoded(),
        dropped: measured.facts.dropped,
        damage: Damage::of(&measured.warnings),
        checksums,
    }
}

/// Takes out what the allow-list silences; it is listed and counted all the same.
fn allowed(alerts: Vec<Alert>, config: &Config) -> (Vec<Alert>, Vec<Suppressed>) {
    let (mut kept, mut suppressed) = (Vec::new(), Vec::new());
    for alert in alerts {
        match alert.allowed(config) {
            Some(entry) => suppressed.push(Suppressed { entry: entry.to_string(), alert }),
            None => kept.push(alert),
        }
    }
    (kept, suppressed)
}

/// Lists in the order of what they show: that of the real addresses would say which pseudonym is whose.
fn in_shown_order<'a>(lists: impl Iterator<Item = &'a mut Vec<String>>) {
    lists.for_each(|list| list.sort_by_cached_key(|shown| (shown.parse::<IpAddr>().ok().map(Addr::from), shown.clone())));
}

/// Sorted by address, as it is written.
fn hosts(tables: &Tables) -> Vec<HostRow> {
    let mut rows: Vec<HostRow> = tables
        .hosts
        .iter()
        .map(|(address, host)| HostRow {
            address: *address,
            first_seen: host.first_ts,
            last_seen: host.last_ts,
            flows_originated: host.originated,
            flows_responded: host.responded,
            packets_sent: host.packets_sent,
            packets_received: host.packets_received,
            bytes_sent: host.bytes_sent,
            bytes_received: host.bytes_received,
        })
        .collect();
    if pseudonym::current().is_some() {
        rows.sort_by_cached_key(|row| row.address.shown());
    }
    rows
}

/// What was spoken, layer by layer.
#[must_use]
pub fn protocols(layers: &LayerCounts, tables: &Tables) -> Vec<ProtocolRow> {
    let row = |layer, protocol: &str, packets, bytes| ProtocolRow { layer, protocol: protocol.into(), packets, bytes };
    let services = tables.served.iter().map(|(service, packets, bytes)| row("service", service.name(), packets, bytes));
    layers.iter().map(|(layer, count)| row(layer.group(), layer.name(), count.frames, count.bytes)).chain(services).collect()
}

fn timeline(tables: &Tables, begins: Option<u64>) -> Timeline {
    let (width_s, buckets) = &tables.timeline;
    let bucket = |(ts, counts): &(Nanos, crate::table::Counts)| Bucket {
        ts: *ts,
        packets: counts.packets,
        bytes: counts.bytes,
        tcp: counts.tcp,
        udp: counts.udp,
        icmp: counts.icmp,
        other: counts.packets.saturating_sub(counts.tcp + counts.udp + counts.icmp),
        syn: counts.syn,
    };
    Timeline {
        width_s: *width_s,
        buckets: buckets.iter().filter(|(_, counts)| begins.is_none_or(|begins| counts.last_ordinal > begins)).map(bucket).collect(),
    }
}
