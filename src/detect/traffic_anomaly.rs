#![doc = include_str!("docs/traffic_anomaly.md")]

use super::Detector;
use super::alert::{Alert, FrameSpan, Measured, Picture, Severity};
use super::context::Context;
use super::flood_seconds::{measured, steps};
use super::wording::grouped;
use crate::error::Error;
use crate::stats::{Robust, rounded};
use crate::table::{Counts, FEATURES};
use crate::time::{self, Nanos, SECOND};

pub(super) struct TrafficAnomaly;

const DOCUMENTATION: &str = include_str!("docs/traffic_anomaly.md");

/// Most alerts of a kind; an hour of bursts is not a hundred findings.
const MOST: usize = 3;
/// Volumes are compared as logarithms to base 2; a quarter of a doubling is the least scale, so that
/// steady traffic does not make every ripple extreme.
const LEAST_DOUBLINGS: f64 = 0.25;
/// A peak below this mean rate harms nobody.
const LEAST_PER_S: f64 = 100.0;
/// A page with its pictures opens a dozen connections.
const LEAST_SYN_PER_S: f64 = 20.0;
/// A rise below this factor is no departure, however steady the rest.
const LEAST_FACTOR: f64 = 4.0;
/// Entropy of fewer packets says more of their number than of their mixture.
const LEAST_PANE: u64 = 200;
/// The least scale of entropy, bits; one bit is half as many equally frequent values.
const LEAST_BITS: f64 = 0.1;
/// A feature moves up or down from this many scales on, when its signs are read.
const MOVES: f64 = 3.0;

impl Detector for TrafficAnomaly {
    fn id(&self) -> &'static str {
        "traffic_anomaly"
    }

    fn summary(&self) -> &'static str {
        "moments in which volume or mixture of the traffic departs from the rest of the capture"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(volume(context).into_iter().chain(mixture(context)).collect())
    }
}

/// A pane of time, and how far each feature lies outside.
struct Judged<const N: usize> {
    ts: Nanos,
    packets: u64,
    values: [f64; N],
    z: [f64; N],
    /// Features beyond their threshold.
    beyond: usize,
    /// The farthest of all.
    most: f64,
}

/// Panes in which something lies outside, joined where they follow one another; the strongest few.
fn episodes<const N: usize>(panes: Vec<Judged<N>>, width: Nanos) -> Vec<Vec<Judged<N>>> {
    let mut runs: Vec<Vec<Judged<N>>> = Vec::new();
    for pane in panes.into_iter().filter(|pane| pane.beyond > 0) {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|before| pane.ts - before.ts <= 2 * width) => run.push(pane),
            _ => runs.push(vec![pane]),
        }
    }
    runs.sort_by(|a, b| strongest(b).total_cmp(&strongest(a)));
    runs.truncate(MOST);
    runs
}

fn strongest<const N: usize>(run: &[Judged<N>]) -> f64 {
    run.iter().map(|pane| pane.most).fold(0.0, f64::max)
}

/// The pane of a run that lies farthest outside.
fn worst<const N: usize>(run: &[Judged<N>]) -> Option<&Judged<N>> {
    run.iter().max_by(|a, b| a.most.total_cmp(&b.most))
}

const VOLUMES: [(&str, &str); 3] = [("packets", "packets"), ("bytes", "bytes"), ("SYNs", "packets")];

fn volume(context: &Context<'_>) -> Vec<Alert> {
    let settings = &context.config.base.anomaly;
    let (width_s, buckets) = &context.tables.timeline;
    if buckets.len() < settings.min_buckets as usize {
        return Vec::new();
    }
    let logs = |value: fn(&Counts) -> u64| {
        buckets.iter().map(|(_, counts)| value(counts) as f64).map(|value| (value + 1.0).log2()).collect::<Vec<_>>()
    };
    let features = [logs(|counts| counts.packets), logs(|counts| counts.bytes), logs(|counts| counts.syn)];
    let robust = features.each_ref().map(|values| Robust::of(values));
    let judged = buckets.iter().enumerate().map(|(place, (ts, counts))| {
        let values = features.each_ref().map(|values| values.get(place).copied().unwrap_or_default());
        let mut z = [0.0; 3];
        for ((z, value), robust) in z.iter_mut().zip(values).zip(robust) {
            *z = robust
                .map_or(0.0, |robust| if value - robust.median >= LEAST_FACTOR.log2() { robust.z(value, LEAST_DOUBLINGS) } else { 0.0 });
        }
        let fast = counts.packets as f64 >= LEAST_PER_S * *width_s as f64;
        if (counts.syn as f64) < LEAST_SYN_PER_S * *width_s as f64 {
            z[2] = 0.0;
        }
        judge(*ts, counts.packets, values.map(|log| log.exp2() - 1.0), z, settings.z, fast)
    });
    let medians = robust.map(|robust| robust.map_or(0.0, |robust| robust.median.exp2() - 1.0));
    let width = width_s * SECOND;
    let runs = episodes(judged.collect(), width);
    runs.iter().filter_map(|run| told_volume(context, run, width, &medians)).collect()
}

fn judge<const N: usize>(ts: Nanos, packets: u64, values: [f64; N], z: [f64; N], threshold: f64, counts: bool) -> Judged<N> {
    let beyond = if counts { z.iter().filter(|z| z.abs() >= threshold).count() } else { 0 };
    Judged { ts, packets, values, z, beyond, most: z.iter().map(|z| z.abs()).fold(0.0, f64::max) }
}

/// Low only where two features lie twice as far outside as they may.
fn severity<const N: usize>(pane: &Judged<N>, threshold: f64) -> Severity {
    if pane.z.iter().filter(|z| z.abs() >= 2.0 * threshold).count() >= 2 { Severity::Low } else { Severity::Info }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts that were turned into logarithms, and back")]
fn told_volume(context: &Context<'_>, run: &[Judged<3>], width: Nanos, medians: &[f64; 3]) -> Option<Alert> {
    let threshold = context.config.base.anomaly.z;
    let pane = worst(run)?;
    let departing: Vec<usize> = (0..VOLUMES.len()).filter(|feature| pane.z[*feature].abs() >= threshold).collect();
    let facts: Vec<String> = departing
        .iter()
        .map(|feature| {
            format!(
                "{} {} (median {})",
                grouped(pane.values[*feature].round() as u64),
                VOLUMES[*feature].0,
                grouped(medians[*feature].round() as u64)
            )
        })
        .collect();
    let mut features = vec![];
    for feature in departing {
        features.push(measured(VOLUMES[feature].0, pane.values[feature].round(), VOLUMES[feature].1, None));
        features.push(measured("distance from the median", rounded(pane.z[feature], 1), "robust standard deviations", Some(threshold)));
    }
    Some(Alert {
        technique: Some("volume"),
        title: "Burst of traffic".into(),
        message: format!(
            "{} held {}; that is {:.1} robust standard deviations above the rest of the capture",
            pane_name(pane.ts, width),
            facts.join(", "),
            pane.most
        ),
        severity: severity(pane, threshold),
        ..told(context, run, width, features)
    })
}

fn mixture(context: &Context<'_>) -> Vec<Alert> {
    let settings = &context.config.base.anomaly;
    let (width_s, panes) = &context.tables.mixture;
    let full: Vec<_> = panes.iter().filter(|(_, packets, _)| *packets >= LEAST_PANE).collect();
    if full.len() < settings.min_buckets as usize {
        return Vec::new();
    }
    let mut robust = [None; FEATURES.len()];
    for (feature, robust) in robust.iter_mut().enumerate() {
        *robust = Robust::of(&full.iter().map(|(_, _, entropies)| entropies[feature]).collect::<Vec<_>>());
    }
    let judged = full.iter().map(|(ts, packets, entropies)| {
        let mut z = [0.0; FEATURES.len()];
        for ((z, value), robust) in z.iter_mut().zip(entropies).zip(robust) {
            *z = robust.map_or(0.0, |robust: Robust| robust.z(*value, LEAST_BITS));
        }
        judge(*ts, *packets, *entropies, z, settings.entropy_z, true)
    });
    let width = width_s * SECOND;
    let runs = episodes(judged.collect(), width);
    runs.iter().filter_map(|run| told_mixture(context, run, width)).collect()
}

fn told_mixture(context: &Context<'_>, run: &[Judged<{ FEATURES.len() }>], width: Nanos) -> Option<Alert> {
    let threshold = context.config.base.anomaly.entropy_z;
    let pane = worst(run)?;
    let moves: Vec<String> = FEATURES
        .iter()
        .zip(pane.z)
        .filter(|(_, z)| z.abs() >= threshold)
        .map(|(feature, z)| format!("{feature} {} ({z:+.1})", if z > 0.0 { "more mixed" } else { "less mixed" }))
        .collect();
    let explained = explanation(&pane.z).map(|what| format!("; it looks like {what}")).unwrap_or_default();
    let features = FEATURES
        .iter()
        .zip(pane.z)
        .filter(|(_, z)| z.abs() >= threshold)
        .map(|(feature, z)| measured(feature, rounded(z, 1), "robust standard deviations", Some(threshold)));
    Some(Alert {
        technique: Some("mixture"),
        title: "Unusual mixture of addresses and ports".into(),
        message: format!(
            "In {} packets {} the mixture departed from the rest of the capture: {}{explained}",
            grouped(pane.packets),
            pane_at(pane.ts, width),
            moves.join(", ")
        ),
        severity: severity(pane, threshold),
        ..told(context, run, width, features.collect())
    })
}

/// What the signs of the four entropies say, after the table of Lakhina, Crovella and Diot.
fn explanation(z: &[f64; FEATURES.len()]) -> Option<&'static str> {
    let [source, destination, _, to_port] = *z;
    let (up, down) = (|z: f64| z >= MOVES, |z: f64| z <= -MOVES);
    if z.iter().all(|z| down(*z)) {
        Some("one large transfer")
    } else if up(source) && down(destination) {
        Some("a distributed flood of one host")
    } else if up(to_port) && down(destination) {
        Some("a port scan")
    } else if up(destination) && down(to_port) {
        Some("a network scan")
    } else {
        None
    }
}

fn pane_name(ts: Nanos, width: Nanos) -> String {
    format!("The {} from {}", time::duration(width), time::log_time(ts))
}

fn pane_at(ts: Nanos, width: Nanos) -> String {
    format!("in the {} from {}", time::duration(width), time::log_time(ts))
}

/// Frames of the timeline's buckets between two moments.
fn frames(context: &Context<'_>, first: Nanos, last: Nanos) -> FrameSpan {
    let (width_s, buckets) = &context.tables.timeline;
    let width = width_s.saturating_mul(SECOND);
    let within = || {
        buckets
            .iter()
            .filter(|(ts, counts)| counts.packets > 0 && *ts <= last && ts.saturating_add(width) > first)
            .map(|(_, counts)| counts)
    };
    FrameSpan {
        first: within().map(|counts| counts.first_ordinal).min().unwrap_or_default(),
        last: within().map(|counts| counts.last_ordinal).max().unwrap_or_default(),
    }
}

/// What both kinds say alike.
fn told<const N: usize>(context: &Context<'_>, run: &[Judged<N>], width: Nanos, measured: Vec<Measured>) -> Alert {
    let (begin, end) = context.capture.span.unwrap_or((Nanos::MIN, Nanos::MAX));
    let first = run.iter().map(|pane| pane.ts).min().unwrap_or_default();
    let last = run.iter().map(|pane| pane.ts).max().unwrap_or_default() + width - 1;
    Alert {
        kind: "traffic_anomaly",
        technique: None,
        title: String::new(),
        message: String::new(),
        severity: Severity::Info,
        confidence: 0.3,
        attack: &[],
        first_seen: first.max(begin),
        last_seen: last.min(end),
        detected_at: (first + width).min(end),
        attackers: Vec::new(),
        attacker_count: 0,
        victims: Vec::new(),
        victim_count: 0,
        ports: Vec::new(),
        port_count: 0,
        protocol: "ip",
        measured,
        window_s: width as f64 / SECOND as f64,
        flow_count: 0,
        packet_count: run.iter().map(|pane| pane.packets).sum(),
        frames: frames(context, first, last),
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Look for other findings at the same time; alone this says only that the traffic changed.",
            "Compare with what was scheduled then: backups, updates, tests.",
        ]),
        picture: Picture::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::Capture;

    /// A minute of ten packets a second, and `burst` SYNs in its 40th second.
    fn minute_with(burst: u32) -> Vec<Alert> {
        let mut capture = Capture::default();
        for n in 0..600_u32 {
            capture.at_ms(i64::from(n) * 100).udp(5, 4_000, 9, 4_001);
        }
        (0..burst).for_each(|n| capture.at_us(40_500_000 + i64::from(n) * 10).syn(1_000 + n, 9, 80));
        capture.judge(&TrafficAnomaly)
    }

    #[test]
    fn a_burst_departs_and_the_even_minute_does_not() {
        // log2(2011/11) = 7.5 doublings above the median, scale at least 0.25: z = 30.
        let found = minute_with(2_000);
        assert_eq!((found.len(), found[0].technique, found[0].severity), (1, Some("volume"), Severity::Low));
        assert!(minute_with(0).is_empty());
    }

    #[test]
    fn a_burst_below_a_hundred_packets_a_second_is_left_alone() {
        assert!(minute_with(80).is_empty());
    }

    #[test]
    fn signs_are_read_as_lakhina_crovella_and_diot_do() {
        assert_eq!(explanation(&[0.0, -6.0, 0.0, 8.0]), Some("a port scan"));
        assert_eq!(explanation(&[0.0, 7.0, 0.0, -7.0]), Some("a network scan"));
        assert_eq!(explanation(&[9.0, -6.0, 0.0, 0.0]), Some("a distributed flood of one host"));
        assert_eq!(explanation(&[-4.0, -6.0, -3.0, -3.5]), Some("one large transfer"));
        assert_eq!(explanation(&[1.0, -1.0, 7.0, 0.0]), None);
    }
}
