#![doc = include_str!("docs/host_anomaly.md")]

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::Detector;
use super::alert::{Alert, FrameSpan, LISTED, Measured, Picture, Severity};
use super::baseline::Baseline;
use super::context::{Context, listed};
use super::features::{self, COUNT, FEATURES, Family, HostMinute, Levels};
use super::flood_seconds::{measured, steps};
use super::half_space::{Forest, Point, TREES};
use super::newcomers;
use super::past::Past;
use super::rows::{i64s, u16s, u32s};
use super::wording::counted;
use crate::config;
use crate::error::Error;
use crate::table::{Address, schema as col};
use crate::time::{self, MINUTE, Nanos, from_seconds};

pub(super) struct HostAnomaly;

const DOCUMENTATION: &str = include_str!("docs/host_anomaly.md");

/// Most alerts of a capture, the strongest: a place to look is of use while there are few.
const MOST: usize = 3;
/// So many features explain an alert.
const TOLD: usize = 3;
/// With fewer hosts there is no saying what hosts do.
const PEERS: usize = 5;
/// As many hosts that depart in the same minute, if they are half of all that were active, are the network's
/// business and not the host's.
const TOGETHER: usize = 3;
/// Without a change of mixture, amounts must lie so many times as far outside.
const AMOUNTS: f64 = 1.5;
/// Minutes in a row after which a departure is taken for the new habit.
const LASTING: u32 = 10;

impl Detector for HostAnomaly {
    fn id(&self) -> &'static str {
        "host_anomaly"
    }

    fn summary(&self) -> &'static str {
        "a host that departs from its own past and from its peers"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let mut alerts = behaviour(context)?;
        if let Some(baseline) = context.baseline {
            alerts.extend(newcomers::find(context, baseline)?);
        }
        Ok(alerts)
    }
}

/// A feature that lies beyond everything the host did before.
#[derive(Clone, Copy, Debug)]
struct Beyond {
    feature: usize,
    level: u8,
    usual: u64,
    z: f64,
}

/// A minute of a host that is unlike those before.
#[derive(Clone, Debug)]
struct Departure {
    /// Of the minute, in the order of time and hosts.
    place: usize,
    /// The farthest first.
    beyond: Vec<Beyond>,
    /// Minutes it was compared with.
    past: u32,
    isolating: u32,
}

fn behaviour(context: &Context<'_>) -> Result<Vec<Alert>, Error> {
    let judged = judged_hosts(context)?;
    let hosts = judged.iter().filter(|judged| **judged).count();
    if hosts == 0 {
        return Ok(Vec::new());
    }
    let minutes = features::host_minutes(context.tables, &judged)?;
    let levels: Vec<Levels> = minutes.par_iter().map(HostMinute::levels).collect();
    let mut of_host: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
    minutes.iter().enumerate().for_each(|(place, minute)| of_host.entry(minute.host).or_default().push(place));
    let of_host: Vec<(Address, Vec<usize>)> = of_host.into_iter().collect();
    let departures: Vec<Departure> = of_host.par_iter().flat_map_iter(|(host, places)| of_one(context, *host, places, &levels)).collect();
    let departures = beyond_peers(context, departures, &minutes, &levels, hosts);
    let mut departures = alone(departures, &minutes);
    isolate(context, &mut departures, &minutes, &levels);
    departures.retain(|departure| {
        let least = context.settings(minutes[departure.place].host).anomaly.isolated;
        f64::from(departure.isolating) >= least * TREES as f64
    });
    tell(context, departures, &minutes)
}

/// Hosts with a past to compare with and a minute to compare.
fn judged_hosts(context: &Context<'_>) -> Result<Vec<bool>, Error> {
    let is_judged = |(host, active): (Address, &u32)| {
        let address = context.address(host);
        let before = known(context.baseline, context, host).map_or(0, |past| past.minutes);
        *active > 0 && active.saturating_add(before) > context.settings(host).anomaly.min_buckets && !address.is_group()
    };
    Ok((0..).zip(&features::active_minutes(context.tables)?).map(is_judged).collect())
}

fn known<'a>(baseline: Option<&'a Baseline>, context: &Context<'_>, host: Address) -> Option<&'a Past> {
    baseline?.host(context.address(host)).map(|known| &known.past)
}

/// The departures of one host from its own past, minute by minute.
fn of_one(context: &Context<'_>, host: Address, places: &[usize], levels: &[Levels]) -> Vec<Departure> {
    let settings = &context.settings(host).anomaly;
    let mut past = known(context.baseline, context, host).cloned().unwrap_or_default();
    let (mut departures, mut lasting) = (Vec::new(), 0);
    for place in places {
        let levels = &levels[*place];
        if past.minutes >= settings.min_buckets {
            let beyond = beyond(context, &past, levels, settings);
            if mixed(&beyond) || amounts(&beyond, settings.z) {
                departures.push(Departure { place: *place, beyond, past: past.minutes, isolating: 0 });
                lasting += 1;
                // Or else the past would get used to what is reported while it is reported.
                if lasting <= LASTING {
                    continue;
                }
            } else {
                lasting = 0;
            }
        }
        past.learn(levels);
    }
    departures
}

fn beyond(context: &Context<'_>, past: &Past, levels: &Levels, settings: &config::Anomaly) -> Vec<Beyond> {
    let mut beyond: Vec<Beyond> = (0..COUNT)
        .filter(|feature| !(context.asymmetric && FEATURES[*feature].is_blind_one_way()))
        .filter_map(|feature| {
            let (kind, histogram, level) = (&FEATURES[feature], &past.levels[feature], levels[feature]);
            let least = kind.least_level()?;
            if level < least || level <= histogram.most()? {
                return None;
            }
            let robust = histogram.robust()?;
            let z = robust.z(f64::from(level), kind.least_scale());
            (z >= settings.z).then(|| Beyond { feature, level, usual: kind.value(robust.median), z })
        })
        .collect();
    beyond.sort_by(|a, b| b.z.total_cmp(&a.z).then(a.feature.cmp(&b.feature)));
    beyond
}

fn families(beyond: &[Beyond], at_least: f64) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for found in beyond.iter().filter(|found| found.z >= at_least) {
        let family = FEATURES[found.feature].family;
        if !families.contains(&family) {
            families.push(family);
        }
    }
    families
}

/// More than before, and of another kind: what work that merely grows does not do.
fn mixed(beyond: &[Beyond]) -> bool {
    let families = families(beyond, 0.0);
    families.len() > 1 && families.contains(&Family::Mixture)
}

/// Much more than before, toward others and in bytes.
fn amounts(beyond: &[Beyond], z: f64) -> bool {
    let families = families(beyond, AMOUNTS * z);
    families.len() > 1 && families.contains(&Family::Reach)
}

fn counts(context: &Context<'_>, host: Address, beyond: &[Beyond]) -> bool {
    mixed(beyond) || amounts(beyond, context.settings(host).anomaly.z)
}

/// Leaves out what the hosts of this network do all the time.
fn beyond_peers(
    context: &Context<'_>,
    mut departures: Vec<Departure>,
    minutes: &[HostMinute],
    levels: &[Levels],
    hosts: usize,
) -> Vec<Departure> {
    if departures.is_empty() || hosts < PEERS {
        return departures;
    }
    let mut all = Past::default();
    levels.iter().for_each(|levels| all.learn(levels));
    context.baseline.into_iter().flat_map(Baseline::hosts).for_each(|known| all.merge(&known.past));
    let robust = all.levels.each_ref().map(super::past::Histogram::robust);
    departures.retain_mut(|departure| {
        let host = minutes[departure.place].host;
        let least = context.settings(host).anomaly.peers_z;
        departure.beyond.retain(|found| {
            let scale = FEATURES[found.feature].least_scale();
            robust[found.feature].is_none_or(|robust| robust.z(f64::from(found.level), scale) >= least)
        });
        counts(context, host, &departure.beyond)
    });
    departures
}

/// Leaves out minutes in which the hosts departed together.
fn alone(departures: Vec<Departure>, minutes: &[HostMinute]) -> Vec<Departure> {
    let mut departing: BTreeMap<Nanos, usize> = BTreeMap::new();
    departures.iter().for_each(|departure| *departing.entry(minutes[departure.place].minute).or_default() += 1);
    let active =
        |minute: Nanos| minutes.partition_point(|other| other.minute <= minute) - minutes.partition_point(|other| other.minute < minute);
    let together: BTreeSet<Nanos> = departing
        .into_iter()
        .filter(|(minute, number)| *number >= TOGETHER && 2 * number >= active(*minute))
        .map(|(minute, _)| minute)
        .collect();
    departures.into_iter().filter(|departure| !together.contains(&minutes[departure.place].minute)).collect()
}

/// Asks the half-space trees, which learn all minutes but these.
fn isolate(context: &Context<'_>, departures: &mut [Departure], minutes: &[HostMinute], levels: &[Levels]) {
    let Some(last) = departures.iter().map(|departure| departure.place).max() else { return };
    departures.sort_by_key(|departure| departure.place);
    let mut points: Vec<Point> = levels.iter().map(|levels| Point { levels: *levels, asked: false }).collect();
    departures.iter().for_each(|departure| points[departure.place].asked = true);
    let mut moments: Vec<&[Point]> = Vec::new();
    let mut rest = points.as_slice();
    for moment in minutes[..=last].chunk_by(|a, b| a.minute == b.minute) {
        let (these, later) = rest.split_at(moment.len());
        moments.push(these);
        rest = later;
    }
    let forest = context.baseline.map_or_else(Forest::default, |baseline| baseline.forest().clone());
    for (departure, isolating) in departures.iter_mut().zip(forest.isolation(&moments)) {
        departure.isolating = isolating;
    }
}

/// Minutes of one host without a long pause between them.
struct Episode<'a> {
    departures: Vec<Departure>,
    minutes: &'a [HostMinute],
}

/// Joins what belongs together, and tells the strongest.
fn tell(context: &Context<'_>, mut departures: Vec<Departure>, minutes: &[HostMinute]) -> Result<Vec<Alert>, Error> {
    let gap = from_seconds(context.config.base.alert.join_gap_s);
    let at = |departure: &Departure| (minutes[departure.place].host, minutes[departure.place].minute);
    departures.sort_by_key(at);
    let joins = |a: &Departure, b: &Departure| at(a).0 == at(b).0 && at(b).1 - at(a).1 - MINUTE < gap;
    let mut episodes: Vec<Episode<'_>> = departures.chunk_by(joins).map(|run| Episode { departures: run.to_vec(), minutes }).collect();
    episodes.sort_by(|a, b| b.severity().cmp(&a.severity()).then(b.farthest().total_cmp(&a.farthest())));
    episodes.truncate(MOST);
    episodes.iter().filter_map(|episode| episode.alert(context).transpose()).collect()
}

impl Episode<'_> {
    fn severity(&self) -> Severity {
        if self.departures.iter().any(|departure| mixed(&departure.beyond)) { Severity::Low } else { Severity::Info }
    }

    fn farthest(&self) -> f64 {
        self.departures.iter().filter_map(|departure| departure.beyond.first()).map(|found| found.z).fold(0.0, f64::max)
    }

    /// The minute that says most.
    fn worst(&self) -> Option<&Departure> {
        let rank = |departure: &Departure| (mixed(&departure.beyond), departure.beyond.len(), departure.isolating);
        self.departures.iter().rev().max_by_key(|departure| rank(departure))
    }

    fn alert(&self, context: &Context<'_>) -> Result<Option<Alert>, Error> {
        let Some(worst) = self.worst() else { return Ok(None) };
        let minute = &self.minutes[worst.place];
        let all = || self.departures.iter().map(|departure| &self.minutes[departure.place]);
        let (host, times) = (minute.host, all().map(|minute| minute.minute).collect::<BTreeSet<Nanos>>());
        let (Some(first), Some(last)) = (all().map(|minute| minute.first).min(), all().map(|minute| minute.last).max()) else {
            return Ok(None);
        };
        let crossed = times.first().map_or(last, |minute| minute + MINUTE);
        let end = context.capture.span.map_or(last, |(_, end)| end);
        let (targets, ports) = reached(context, host, &times)?;
        let (victims, victim_count) = listed(targets.iter().map(|target| context.address(*target)).collect());
        let address = context.address(host);
        let reasons: Vec<String> = worst.reasons(minute).map(|(found, value)| FEATURES[found.feature].told(value, found.usual)).collect();
        let more = match times.len() {
            1 => String::new(),
            number => format!("; {} in all", counted(number as u64, "such minute")),
        };
        Ok(Some(Alert {
            kind: "host_anomaly",
            technique: None,
            title: format!("{address} does what it did not before"),
            message: format!(
                "In the minute from {} {address} departed from its {} before: {}; {} of {TREES} half-space trees hold next to no such minute{more}",
                time::log_time(minute.minute),
                counted(u64::from(worst.past), "active minute"),
                reasons.join(", "),
                worst.isolating,
            ),
            severity: self.severity(),
            confidence: 0.3,
            attack: &[],
            first_seen: first,
            last_seen: last,
            detected_at: crossed.min(end.max(first)),
            attackers: vec![address.to_string()],
            attacker_count: 1,
            victims,
            victim_count,
            port_count: ports.len() as u64,
            ports: ports.into_iter().take(LISTED).collect(),
            protocol: "ip",
            measured: worst.measured(minute, &context.settings(host).anomaly),
            window_s: 60.0,
            flow_count: all().map(|minute| minute.connections).sum(),
            packet_count: all().map(HostMinute::packets).sum(),
            frames: FrameSpan {
                first: all().map(|minute| minute.frames.first).min().unwrap_or_default(),
                last: all().map(|minute| minute.frames.last).max().unwrap_or_default(),
            },
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Look for other findings about this host at the same time; alone this says only that it changed.",
                "Ask what was done on it then: an update, a new program, another user.",
            ]),
            picture: Picture::None,
        }))
    }
}

impl Departure {
    /// The features that made it, with their values.
    fn reasons<'a>(&'a self, minute: &'a HostMinute) -> impl Iterator<Item = (&'a Beyond, u64)> {
        self.beyond.iter().take(TOLD).map(|found| (found, minute.values[found.feature]))
    }

    fn measured(&self, minute: &HostMinute, settings: &config::Anomaly) -> Vec<Measured> {
        let mut all = Vec::new();
        for (found, value) in self.reasons(minute) {
            let feature = &FEATURES[found.feature];
            all.push(measured(feature.name, feature.number(value), feature.unit, None));
            all.push(measured("usual", feature.number(found.usual), feature.unit, None));
            all.push(measured("distance from the usual", (found.z * 10.0).round() / 10.0, "robust standard deviations", Some(settings.z)));
        }
        let share = f64::from(self.isolating) / TREES as f64;
        all.push(measured("isolating trees", (share * 100.0).round() / 100.0, "share of half-space trees", Some(settings.isolated)));
        all.push(measured("minutes before", f64::from(self.past), "minutes", Some(f64::from(settings.min_buckets))));
        all
    }
}

/// Whom the host turned to in these minutes, and at which ports.
fn reached(context: &Context<'_>, host: Address, times: &BTreeSet<Nanos>) -> Result<(BTreeSet<Address>, BTreeSet<u16>), Error> {
    let contacts = &context.tables.contacts;
    let (minutes, sources) = (i64s(contacts, col::MINUTE)?, u32s(contacts, col::SOURCE)?);
    let (targets, ports) = (u32s(contacts, col::TARGET)?, u16s(contacts, col::PORT)?);
    let rows = || (0..sources.len()).filter(|row| sources[*row] == host && times.contains(&minutes[*row]));
    Ok((rows().map(|row| targets[row]).collect(), rows().map(|row| ports[row]).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::detect::testing::{Capture, host};

    /// Host 5 talks to the same two servers, three times a minute.
    fn ordinary(capture: &mut Capture, minutes: std::ops::Range<i64>) {
        for minute in minutes {
            for n in 0..3 {
                let port = 10_000 + u16::try_from((minute * 3 + n) % 50_000).unwrap();
                capture.at_ms(minute * 60_000 + n * 10_000).conversation(5, port, 100 + u32::try_from(n % 2).unwrap(), 443);
            }
        }
    }

    /// Tries `hosts` new ones within a minute, to no avail.
    fn burst(capture: &mut Capture, minute: i64, hosts: u32) {
        for n in 0..hosts {
            capture.at_ms(minute * 60_000 + i64::from(n) * 50).syn_from(5, 30_000, 1_000 + n, 4_000 + (n % 50) as u16);
        }
    }

    fn judged(quiet: i64, hosts: u32) -> Vec<Alert> {
        let mut capture = Capture::default();
        ordinary(&mut capture, 0..quiet);
        burst(&mut capture, quiet, hosts);
        capture.judge(&HostAnomaly)
    }

    #[test]
    fn a_host_that_changes_is_told_with_what_made_it() {
        let found = judged(30, 200);
        assert_eq!((found.len(), found[0].severity, &found[0].attackers), (1, Severity::Low, &vec![host(5)]));
        // 200 of 200 connections failed, to 200 hosts at 50 ports.
        assert_eq!((found[0].victim_count, found[0].port_count, found[0].flow_count), (200, 50, 200));
        let value = |name| found[0].measured.iter().find(|measured| measured.name == name).map(|measured| measured.value);
        assert_eq!((value("hosts contacted for the first time"), value("minutes before")), (Some(200.0), Some(30.0)));
        // log2(201) doublings of half a doubling each: 7.65 / 0.5 = 15.3, in whole levels 61 / 4 = 15.25.
        assert!(found[0].measured.iter().any(|measured| measured.name == "distance from the usual" && measured.value == 15.3));
        assert!(found[0].message.contains("200 hosts contacted for the first time (usually 0)"), "{}", found[0].message);
        assert_eq!(found[0].detected_at, (Capture::START + 31 * MINUTE).min(found[0].last_seen));
    }

    #[test]
    fn with_a_shorter_past_nothing_is_said() {
        assert!(judged(29, 200).is_empty());
    }

    #[test]
    fn fourteen_failures_harm_nobody() {
        // Fifteen ports would be the least of all features of reach that counts.
        assert!(judged(30, 14).is_empty());
    }

    #[test]
    fn work_that_grows_without_changing_is_left_alone() {
        let mut capture = Capture::default();
        ordinary(&mut capture, 0..30);
        for n in 0..60_u16 {
            capture.at_ms(30 * 60_000 + i64::from(n) * 500).conversation(5, 40_000 + n, 100 + u32::from(n % 2), 443);
        }
        assert!(capture.judge(&HostAnomaly).is_empty());
    }

    #[test]
    fn minutes_that_follow_one_another_are_one_alert_and_a_habit_none() {
        let mut capture = Capture::default();
        ordinary(&mut capture, 0..30);
        (30..45).for_each(|minute| burst(&mut capture, minute, 200));
        let found = capture.judge(&HostAnomaly);
        assert_eq!(found.len(), 1);
        // The first ten are not learned, the eleventh is, and from then on it is known.
        assert!(found[0].message.ends_with("; 11 such minutes in all"), "{}", found[0].message);
    }

    #[test]
    fn what_happened_before_is_no_departure() {
        let mut capture = Capture::default();
        ordinary(&mut capture, 0..15);
        burst(&mut capture, 15, 200);
        ordinary(&mut capture, 16..40);
        burst(&mut capture, 40, 200);
        assert!(capture.judge(&HostAnomaly).is_empty());
    }

    #[test]
    fn hosts_that_depart_together_are_the_networks_business() {
        let mut capture = Capture::default();
        for minute in 0..31_i64 {
            for client in 5..9_u32 {
                let tries: u16 = if minute == 30 { 100 } else { 1 };
                for n in 0..tries {
                    let at = minute * 60_000 + i64::from(n) * 100;
                    let target = if minute == 30 { 1_000 + u32::from(n) } else { 100 };
                    if minute == 30 {
                        capture.at_ms(at).syn_from(client, 20_000 + n, target, 443);
                    } else {
                        capture.at_ms(at).conversation(client, 20_000 + u16::try_from(minute).unwrap(), target, 443);
                    }
                }
            }
        }
        assert!(capture.judge(&HostAnomaly).is_empty());
    }

    #[test]
    fn with_a_baseline_the_first_minute_is_judged() {
        let mut before = Capture::default();
        ordinary(&mut before, 0..30);
        let baseline = Baseline::of(&before.tables(&Config::default())).unwrap();
        let mut capture = Capture::default();
        burst(&mut capture, 0, 200);
        let found = capture.judge_against(&HostAnomaly, Some(&baseline));
        assert_eq!((found.len(), found[0].severity), (1, Severity::Low));
        assert!(capture.judge(&HostAnomaly).is_empty());
    }

    #[test]
    fn a_capture_that_is_its_own_baseline_says_nothing() {
        let mut capture = Capture::default();
        ordinary(&mut capture, 0..30);
        burst(&mut capture, 30, 200);
        let baseline = Baseline::of(&capture.tables(&Config::default())).unwrap();
        assert!(capture.judge_against(&HostAnomaly, Some(&baseline)).is_empty());
    }
}
