//! When probes are a scan, and of which shape.
//!
//! One source's probes are cut into episodes; an episode that crosses a threshold is one scan: of the
//! ports of a few hosts, of one port on many hosts, or of a block of both. The detectors of the three
//! shapes tell the same scans, so that one scan is one alert.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;

use super::probes::{self, Class, Probe, Probes};
use super::window::{self, Crossing};
use crate::config::{self, Config};
use crate::error::Error;
use crate::net::{Addr, ip_proto};
use crate::table::{Address, Tables};
use crate::time::{HOUR, Nanos, SECOND, from_seconds};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Many ports of a few hosts.
    Ports,
    /// A few ports of many hosts.
    Hosts,
    /// Many ports of many hosts.
    Block,
}

/// How sure the finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    /// The count in `scan.window_s` crossed its threshold.
    Firm,
    /// Only over an hour or a day.
    Slow,
    /// Below the firm thresholds: the sequential test, or a handful of ports.
    Early,
}

#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub shape: Shape,
    pub strength: Strength,
    pub source: Address,
    pub class: Class,
    /// The probes of this scan, in time order.
    pub probes: Vec<Probe>,
    pub detected_at: Nanos,
    /// Most distinct ports, hosts or pairs in a window, and the threshold they were held against.
    pub count: u32,
    pub threshold: u32,
    pub window: Nanos,
    /// Share of first contacts that failed.
    pub fail_ratio: f64,
    /// A port found open was used with payload.
    pub exploited: bool,
    /// Looks like a peer-to-peer client.
    pub peer_to_peer: bool,
}

impl Scan {
    pub(super) fn first(&self) -> Nanos {
        self.probes.iter().map(|probe| probe.ts).min().unwrap_or_default()
    }

    pub(super) fn last(&self) -> Nanos {
        self.probes.iter().map(|probe| probe.last_ts).max().unwrap_or_default()
    }

    pub(super) fn targets(&self) -> HashSet<Address> {
        self.probes.iter().map(|probe| probe.target).collect()
    }

    pub(super) fn technique(&self) -> &'static str {
        if self.class == Class::Syn && self.probes.iter().any(|probe| probe.connected) { "connect" } else { self.class.name() }
    }
}

#[derive(Debug, Default)]
pub(super) struct Scans {
    pub scans: Vec<Scan>,
    /// Probes of sources that scan nobody by themselves, for what only many sources show together.
    pub others: Vec<Probe>,
}

/// Contacts this close to a scan of the same pair belong to it: what it found open is looked at.
const AROUND: Nanos = 60 * SECOND;

impl Scans {
    pub(super) fn find(tables: &Tables, config: &Config, asymmetric: bool) -> Result<Self, Error> {
        let probes = probes::find(tables)?;
        let mut scans = Vec::new();
        for of_source in probes.probes.chunk_by(|a, b| a.source == b.source) {
            let source = of_source[0].source;
            let settings = &config.for_host(tables.address(source)).scan;
            let judge =
                Judge { tables, probes: &probes, source, settings, join_gap: from_seconds(config.base.alert.join_gap_s), asymmetric };
            judge.judge(of_source, &mut scans);
        }
        let scanning: HashSet<Address> = scans.iter().filter(|scan| scan.strength != Strength::Early).map(|scan| scan.source).collect();
        let mut others = probes.probes;
        others.retain(|probe| !probe.untold && !scanning.contains(&probe.source));
        Ok(Self { scans, others })
    }

    /// A scan of the same source accounts for this contact: it need not be explained again.
    pub(super) fn explains(&self, source: Address, target: Address, ts: Nanos) -> bool {
        self.scans.iter().filter(|scan| scan.source == source && scan.strength != Strength::Early).any(|scan| {
            (scan.first() - AROUND..=scan.last() + AROUND).contains(&ts) && scan.probes.iter().any(|probe| probe.target == target)
        })
    }
}

/// Everything needed to judge one source.
struct Judge<'a> {
    tables: &'a Tables,
    probes: &'a Probes,
    source: Address,
    settings: &'a config::Scan,
    join_gap: Nanos,
    asymmetric: bool,
}

/// What crossed a threshold in an episode: one host or one port, with its probes.
struct Part {
    probes: Vec<Probe>,
    crossing: Crossing,
    reached: Nanos,
    threshold: u32,
    fail_ratio: f64,
}

/// simple-scan: up to this many ports are a sweep of them, up to this many hosts a scan of them.
const FEW: usize = 5;
/// Parts that explain this share of an episode's pairs are told by themselves and not as a block.
const EXPLAINED: f64 = 0.8;
/// Who finds nearly every port open knew where to knock: a load balancer looks after its servers.
const MOSTLY_OPEN: f64 = 0.8;
/// Where traceroute over UDP begins to count its ports, and how far it gets (Zeek's traceroute rule).
const TRACEROUTE_PORTS: std::ops::RangeInclusive<u16> = 33_434..=33_534;
/// Three or more fingerprints behind one address: several hosts.
const NAT_FINGERPRINTS: u32 = 3;

impl Judge<'_> {
    fn judge(&self, of_source: &[Probe], scans: &mut Vec<Scan>) {
        let before = scans.len();
        for of_class in of_source.chunk_by(|a, b| a.class == b.class) {
            for episode in of_class.chunk_by(|a, b| b.ts - a.ts <= self.join_gap) {
                self.judge_episode(episode, scans);
            }
            if !scans[before..].iter().any(|scan| scan.class == of_class[0].class) {
                // Many hosts are what every client asks; only many ports of one are strange whatever came of it.
                let one_host = of_class.iter().all(|probe| probe.target == of_class[0].target);
                scans.extend(self.slow(&filtered(of_class, |probe| one_host || !probe.untold)));
            }
        }
        if scans.len() == before {
            let syn = filtered(of_source, |probe| probe.class == Class::Syn && !probe.untold);
            scans.extend(self.early_ports(&syn).or_else(|| self.sequential(&syn)));
        }
    }

    fn judge_episode(&self, episode: &[Probe], scans: &mut Vec<Scan>) {
        let vertical = self.vertical(episode);
        let horizontal = self.horizontal(episode);
        let block = self.block(episode);
        let pairs = distinct_pairs(episode);
        let told: HashSet<(Address, u16)> =
            vertical.iter().chain(&horizontal).flat_map(|part| part.probes.iter().map(|probe| (probe.target, probe.port))).collect();
        let parts_suffice = vertical.len() <= FEW && horizontal.len() <= FEW && told.len() as f64 >= EXPLAINED * pairs as f64;
        if let Some(part) = block.filter(|_| !parts_suffice) {
            scans.push(self.scan(Shape::Block, vec![part]));
            return;
        }
        if !vertical.is_empty() {
            scans.push(self.scan(Shape::Ports, vertical));
        }
        if !horizontal.is_empty() {
            scans.push(self.scan(Shape::Hosts, horizontal));
        }
    }

    /// One alert's worth: all hosts (or ports) of an episode that crossed on their own.
    fn scan(&self, shape: Shape, parts: Vec<Part>) -> Scan {
        let detected_at = parts.iter().map(|part| part.reached).min().unwrap_or_default();
        let largest = parts.iter().max_by_key(|part| part.crossing.most);
        let (count, threshold, fail_ratio) = largest.map_or((0, 0, 0.0), |part| (part.crossing.most, part.threshold, part.fail_ratio));
        let mut probes: Vec<Probe> = parts.into_iter().flat_map(|part| part.probes).collect();
        probes.sort_by_key(|probe| (probe.ts, probe.first_ordinal));
        probes.dedup_by_key(|probe| (probe.ts, probe.first_ordinal, probe.target, probe.port));
        self.made_of(shape, Strength::Firm, probes, detected_at, count, threshold, from_seconds(self.settings.window_s), fail_ratio)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a scan, once each")]
    fn made_of(
        &self,
        shape: Shape,
        strength: Strength,
        probes: Vec<Probe>,
        detected_at: Nanos,
        count: u32,
        threshold: u32,
        window: Nanos,
        fail_ratio: f64,
    ) -> Scan {
        let class = probes.first().map_or(Class::Syn, |probe| probe.class);
        let mut scan = Scan {
            shape,
            strength,
            source: self.source,
            class,
            probes,
            detected_at,
            count,
            threshold,
            window,
            fail_ratio,
            exploited: false,
            peer_to_peer: shape != Shape::Ports && self.is_peer_to_peer(),
        };
        let (first, targets) = (scan.first(), scan.targets());
        scan.exploited = strength == Strength::Firm
            && class == Class::Syn
            && self
                .probes
                .successes_of(self.source)
                .iter()
                .any(|success| success.ts >= first && success.bytes_out > 0 && targets.contains(&success.target));
        scan
    }

    /// Hosts of which enough ports failed.
    fn vertical(&self, episode: &[Probe]) -> Vec<Part> {
        grouped(episode, |probe| probe.target).into_iter().filter_map(|(target, probes)| self.ports_of(target, probes)).collect()
    }

    fn ports_of(&self, target: Address, probes: Vec<Probe>) -> Option<Part> {
        let class = probes[0].class;
        let threshold = match class {
            Class::Syn | Class::Sctp => self.scaled(self.settings.ports, &probes),
            Class::Null | Class::Xmas | Class::SynFin => self.settings.stealth_ports,
            Class::Fin | Class::Maimon => self.settings.fin_ports,
            Class::Ack => self.settings.ack_ports,
            Class::Udp => return self.udp_ports_of(target, probes),
        };
        if class == Class::Ack && !probes.iter().any(|probe| probe.refused) && distinct_pairs(&probes) < 4 * threshold as usize {
            // Bare ACKs that nobody answers also come from connections that began before the capture.
            return None;
        }
        let worked = self
            .probes
            .successes_of(self.source)
            .iter()
            .filter(|success| success.target == target && success.proto == ip_proto::TCP)
            .map(|success| success.port);
        self.crossed(probes, |probe| probe.port, threshold, worked.collect())
    }

    /// UDP: refused ports say much, silent ones little.
    fn udp_ports_of(&self, target: Address, probes: Vec<Probe>) -> Option<Part> {
        let worked: HashSet<u16> = self
            .probes
            .successes_of(self.source)
            .iter()
            .filter(|success| success.target == target && success.proto == ip_proto::UDP)
            .map(|success| success.port)
            .collect();
        let refused = window::distinct(
            probes.iter().filter(|probe| probe.refused).map(|probe| (probe.ts, probe.port)),
            from_seconds(self.settings.window_s),
            self.settings.udp_refused_ports,
        );
        let threshold = if refused.reached.is_some() {
            self.settings.udp_refused_ports
        } else {
            self.scaled(self.settings.udp_unanswered_ports, &probes)
        };
        self.crossed(probes, |probe| probe.port, threshold, worked)
    }

    /// Ports on which enough hosts failed.
    ///
    /// Refusals alone do not make one: whoever is flooded with the answers to packets sent in its name
    /// gets them from many hosts and one port.
    fn horizontal(&self, episode: &[Probe]) -> Vec<Part> {
        let traces = |probe: &Probe| probe.class == Class::Udp && TRACEROUTE_PORTS.contains(&probe.port);
        let asked = filtered(episode, |probe| !probe.implied && !probe.untold && !traces(probe));
        grouped(&asked, |probe| probe.port).into_iter().filter_map(|(port, probes)| self.hosts_of(port, probes)).collect()
    }

    fn hosts_of(&self, port: u16, probes: Vec<Probe>) -> Option<Part> {
        let class = probes[0].class;
        let threshold = match class {
            Class::Null | Class::Xmas | Class::SynFin => self.settings.stealth_ports,
            _ => self.scaled(self.settings.hosts, &probes),
        };
        if class == Class::Udp && self.neighbours(&probes) < self.settings.udp_neighbours {
            return None;
        }
        if self.named(&probes) > self.settings.named {
            return None;
        }
        let worked = self.probes.successes_of(self.source).iter().filter(|success| success.port == port).map(|success| success.target);
        self.crossed(probes, |probe| probe.target, threshold, worked.collect())
    }

    /// Pairs of host and port, where both are many.
    fn block(&self, episode: &[Probe]) -> Option<Part> {
        let episode: &[Probe] = &filtered(episode, |probe| !probe.implied && !probe.untold);
        let hosts = episode.iter().map(|probe| probe.target).collect::<HashSet<_>>().len();
        let ports = episode.iter().map(|probe| probe.port).collect::<HashSet<_>>().len();
        if hosts < self.settings.block_hosts as usize || ports < self.settings.block_ports as usize {
            return None;
        }
        if episode[0].class == Class::Udp && self.neighbours(episode) < self.settings.udp_neighbours {
            return None;
        }
        if self.named(episode) > self.settings.named {
            return None;
        }
        let worked = self.probes.successes_of(self.source).iter().map(|success| (success.target, success.port)).collect();
        self.crossed(episode.to_vec(), |probe| (probe.target, probe.port), self.scaled(self.settings.block_pairs, episode), worked)
    }

    /// The probes as a part, if enough distinct keys failed in a window and enough of all failed.
    #[expect(clippy::needless_pass_by_value, reason = "made for this call by every caller")]
    fn crossed<K: std::hash::Hash + Eq>(
        &self,
        probes: Vec<Probe>,
        key: impl Fn(&Probe) -> K,
        threshold: u32,
        worked: HashSet<K>,
    ) -> Option<Part> {
        let crossing = window::distinct(probes.iter().map(|probe| (probe.ts, key(probe))), from_seconds(self.settings.window_s), threshold);
        let reached = crossing.reached?;
        let open = probes.iter().filter(|probe| probe.open).count();
        if open as f64 > MOSTLY_OPEN * probes.len() as f64 {
            return None;
        }
        let tried = probes.iter().map(&key).collect::<HashSet<K>>().len() as f64;
        let failed = probes.iter().filter(|probe| !probe.untold).map(&key).collect::<HashSet<K>>().len() as f64;
        let all = tried + worked.len() as f64;
        // What nobody told may have failed, and is not said to have.
        let fail_ratio = failed / all;
        (tried / all >= self.settings.fail_ratio).then_some(Part { probes, crossing, reached, threshold, fail_ratio })
    }

    /// The threshold, higher where silence or one address says less than it seems to.
    fn scaled(&self, threshold: u32, probes: &[Probe]) -> u32 {
        let fingerprints = probes.iter().fold(0, |bits, probe| bits | probe.fingerprints).count_ones();
        let nat = if fingerprints >= NAT_FINGERPRINTS { self.settings.nat_factor } else { 1 };
        let silent = probes.iter().filter(|probe| !probe.refused && !probe.open && !probe.untold).count() * 2 > probes.len();
        let asymmetric = if self.asymmetric && silent { self.settings.asymmetric_factor } else { 1 };
        threshold.saturating_mul(nat.max(asymmetric))
    }

    /// Too slow for the window, but steady over an hour or a day.
    fn slow(&self, probes: &[Probe]) -> Option<Scan> {
        let mut gaps: Vec<Nanos> = probes.windows(2).map(|pair| pair[1].ts - pair[0].ts).collect();
        gaps.sort_unstable();
        if gaps.get(gaps.len() / 2).is_none_or(|median| *median < from_seconds(self.settings.slow_gap_s)) {
            return None;
        }
        let (window, threshold, crossing) = [(HOUR, self.settings.slow_pairs_hour), (24 * HOUR, self.settings.slow_pairs_day)]
            .into_iter()
            .map(|(window, threshold)| {
                (
                    window,
                    threshold,
                    window::distinct(
                        probes.iter().map(|probe| (probe.ts, (probe.target, probe.port))),
                        window,
                        self.scaled(threshold, probes),
                    ),
                )
            })
            .find(|(_, _, crossing)| crossing.reached.is_some())?;
        let worked =
            self.probes.successes_of(self.source).iter().map(|success| (success.target, success.port)).collect::<HashSet<_>>().len();
        let all = (distinct_pairs(probes) + worked) as f64;
        let fail_ratio = distinct_pairs(&filtered(probes, |probe| !probe.untold)) as f64 / all;
        if (distinct_pairs(probes) as f64 / all) < self.settings.fail_ratio
            || (probes[0].class == Class::Udp && self.neighbours(probes) < self.settings.udp_neighbours)
        {
            return None;
        }
        Some(self.made_of(
            shape_of(probes),
            Strength::Slow,
            probes.to_vec(),
            crossing.reached?,
            crossing.most,
            threshold,
            window,
            fail_ratio,
        ))
    }

    /// A handful of ports of one host, none of which answered.
    fn early_ports(&self, probes: &[Probe]) -> Option<Scan> {
        let window = from_seconds(self.settings.early_window_s);
        grouped(probes, |probe| probe.target).into_iter().find_map(|(target, of_target)| {
            let crossing = window::distinct(
                of_target.iter().map(|probe| (probe.ts, probe.port)),
                window,
                self.scaled(self.settings.early_ports, &of_target),
            );
            let reached = crossing.reached?;
            let worked = self.probes.successes_of(self.source).iter().any(|success| success.target == target);
            (!worked).then(|| {
                self.made_of(Shape::Ports, Strength::Early, of_target, reached, crossing.most, self.settings.early_ports, window, 1.0)
            })
        })
    }

    /// The sequential hypothesis test of Jung, Paxson, Berger and Balakrishnan (IEEE S&P 2004) over
    /// the outcomes of first contacts with each host, in time order.
    fn sequential(&self, probes: &[Probe]) -> Option<Scan> {
        let mut firsts: BTreeMap<Address, (Nanos, bool)> = BTreeMap::new();
        let failures = probes.iter().map(|probe| (probe.target, probe.ts, probe.open));
        let successes = self.probes.successes_of(self.source).iter().map(|success| (success.target, success.ts, true));
        for (target, ts, worked) in failures.chain(successes) {
            let first = firsts.entry(target).or_insert((ts, worked));
            *first = (*first).min((ts, worked));
        }
        let mut contacts: Vec<(Nanos, bool)> = firsts.into_values().collect();
        contacts.sort_unstable();
        let settings = self.settings;
        let scanner = ((1.0 - settings.trw_beta) / settings.trw_alpha).ln();
        let honest = (settings.trw_beta / (1.0 - settings.trw_alpha)).ln();
        let (on_success, on_failure) =
            ((settings.trw_theta1 / settings.trw_theta0).ln(), ((1.0 - settings.trw_theta1) / (1.0 - settings.trw_theta0)).ln());
        let (mut odds, mut failed) = (0.0, 0);
        let needed = self.scaled(settings.trw_failures, probes);
        for (ts, worked) in contacts {
            // Once the odds say "honest" the test begins again, as in the paper's deployment.
            odds = if odds <= honest { 0.0 } else { odds } + if worked { on_success } else { on_failure };
            failed += u32::from(!worked);
            if odds >= scanner && failed >= needed {
                return Some(self.made_of(shape_of(probes), Strength::Early, probes.to_vec(), ts, failed, needed, HOUR / 2, 1.0));
            }
        }
        None
    }

    /// Share of the targets that lie outside and whose address DNS gave to somebody in this capture.
    fn named(&self, probes: &[Probe]) -> f64 {
        let resolved = &self.tables.facts.resolved;
        let targets: BTreeSet<Addr> = probes.iter().map(|probe| self.tables.address(probe.target)).collect();
        let is_named = |target: &&Addr| !target.is_private() && resolved.binary_search_by_key(*target, |(address, _)| *address).is_ok();
        targets.iter().filter(is_named).count() as f64 / targets.len().max(1) as f64
    }

    /// Share of the targets next to which another one was asked.
    fn neighbours(&self, probes: &[Probe]) -> f64 {
        let targets: Vec<Addr> = probes.iter().map(|probe| self.tables.address(probe.target)).collect();
        share_in_runs(targets, 2)
    }

    /// Twenty hosts or more, on ten high ports or more that were used with one host each, some
    /// answering and some not, over TCP and UDP: a peer-to-peer client.
    fn is_peer_to_peer(&self) -> bool {
        let successes = self.probes.successes_of(self.source);
        let of_source = self.probes.probes_of(self.source);
        let mut hosts_of_port: BTreeMap<u16, HashSet<Address>> = BTreeMap::new();
        let (mut hosts, mut tcp, mut udp, mut failed) = (HashSet::new(), false, false, 0_usize);
        for probe in of_source {
            hosts_of_port.entry(probe.port).or_default().insert(probe.target);
            hosts.insert(probe.target);
            failed += 1;
            if probe.class == Class::Udp { udp = true } else { tcp = true }
        }
        for success in successes {
            hosts_of_port.entry(success.port).or_default().insert(success.target);
            hosts.insert(success.target);
            if success.proto == ip_proto::UDP { udp = true } else { tcp = true }
        }
        let high_once = hosts_of_port.iter().filter(|(port, hosts)| **port > 1_024 && hosts.len() == 1).count();
        let answered = successes.len() as f64 / (successes.len() + failed).max(1) as f64;
        hosts.len() >= 20 && high_once >= 10 && tcp && udp && (0.2..=0.8).contains(&answered)
    }
}

/// Share of addresses that lie in runs of at least `least` consecutive ones.
pub(super) fn share_in_runs(mut addresses: Vec<Addr>, least: usize) -> f64 {
    addresses.sort_unstable();
    addresses.dedup();
    let in_runs: usize = addresses.chunk_by(|a, b| b.0.wrapping_sub(a.0) == 1).map(<[Addr]>::len).filter(|run| *run >= least).sum();
    if addresses.is_empty() { 0.0 } else { in_runs as f64 / addresses.len() as f64 }
}

fn shape_of(probes: &[Probe]) -> Shape {
    let hosts = probes.iter().map(|probe| probe.target).collect::<HashSet<_>>().len();
    let ports = probes.iter().map(|probe| probe.port).collect::<HashSet<_>>().len();
    match (hosts <= FEW, ports <= FEW) {
        (true, true) if hosts >= ports => Shape::Hosts,
        (true, _) => Shape::Ports,
        (false, true) => Shape::Hosts,
        (false, false) => Shape::Block,
    }
}

fn filtered(probes: &[Probe], keep: impl Fn(&Probe) -> bool) -> Vec<Probe> {
    probes.iter().filter(|probe| keep(probe)).copied().collect()
}

fn distinct_pairs(probes: &[Probe]) -> usize {
    probes.iter().map(|probe| (probe.target, probe.port)).collect::<HashSet<_>>().len()
}

/// The probes by key, in the order of the keys, each group still in time order.
fn grouped<K: Ord>(probes: &[Probe], key: impl Fn(&Probe) -> K) -> BTreeMap<K, Vec<Probe>> {
    let mut groups: BTreeMap<K, Vec<Probe>> = BTreeMap::new();
    for probe in probes {
        groups.entry(key(probe)).or_default().push(*probe);
    }
    groups
}
