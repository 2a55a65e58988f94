#![doc = include_str!("docs/udp_flood.md")]

use std::collections::BTreeSet;

use polars::prelude::*;

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, listed, share};
use super::flood_evidence::{Evidence, Toward, UDP};
use super::flood_seconds::{Flood, Panes, Rule, column, measured, steps};
use super::reflection_attack;
use super::rows::{collect, contacts, i64s, u32s, u64s};
use super::wording::{grouped, percent};
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, schema as col};
use crate::time::{self, Nanos, SECOND, from_seconds};

pub(super) struct UdpFlood;

const DOCUMENTATION: &str = include_str!("docs/udp_flood.md");

const RULE: Rule = Rule {
    per_second: |settings| u64::from(settings.flood.udp_per_s),
    seconds: |_| 1,
    least: |settings| u64::from(settings.flood.burst_packets),
    shaped: |settings, pane| share(pane.counts.udp_answered, pane.counts.udp) <= settings.flood.udp_replies,
};

/// A storm to 255.255.255.255, which every host of the segment must look at.
const BROADCAST: Rule = Rule {
    per_second: |settings| u64::from(settings.flood.broadcast_per_s),
    seconds: |_| BROADCAST_SECONDS,
    least: |settings| u64::from(settings.flood.broadcast_per_s) * BROADCAST_SECONDS,
    shaped: |_, _| true,
};
const BROADCAST_SECONDS: u64 = 3;
/// More senders are a large network and no storm.
const BROADCAST_SOURCES: u64 = 5;

/// One or two sources that go through many ports scan; only at this many times the rate it floods.
const BEYOND_SCANS: u64 = 10;
const FEW_SOURCES: u64 = 2;
/// Up to so many connections the packets may be calls or video that nobody answers.
const FEW_STREAMS: u64 = 16;

impl Detector for UdpFlood {
    fn id(&self) -> &'static str {
        "udp_flood"
    }

    fn summary(&self) -> &'static str {
        "many UDP packets to one host, or to broadcast, that are hardly answered"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let storms = dhcp_storms(context)?;
        Ok(context.udp_floods.iter().map(|found| found.alert(context)).chain(storms.iter().map(|storm| storm.alert(context))).collect())
    }
}

pub(super) struct Found {
    pub flood: Flood,
    toward: Toward,
    broadcast: bool,
    /// Few connections: may be a stream that its receiver does not acknowledge.
    stream: bool,
}

/// All UDP floods; others read them in [`Context::udp_floods`].
pub(super) fn find(context: &Context<'_>) -> Result<Vec<Found>, Error> {
    let mut panes = Panes::seconds(context, column("udp"))?;
    panes.targets.retain(|(target, _)| !context.address(*target).is_multicast());
    let mut floods = RULE.floods(context, &panes)?;
    floods.retain(|flood| !context.address(flood.target).is_group() && !reflection_attack::explains(context, flood));
    panes.targets.retain(|(target, _)| context.address(*target).is_limited_broadcast());
    floods.extend(BROADCAST.floods(context, &panes)?.into_iter().filter(|flood| flood.source_count() <= BROADCAST_SOURCES));
    let evidence = Evidence::of(context, floods.iter().map(|flood| flood.target))?;
    let judged = floods.into_iter().map(|flood| Found {
        toward: evidence.toward(&flood, UDP),
        broadcast: context.address(flood.target).is_limited_broadcast(),
        stream: evidence.connections(&flood, UDP) <= FEW_STREAMS,
        flood,
    });
    let is_flood = |found: &Found| {
        found.broadcast || !found.is_scan(context) && !evidence.is_provoked(&found.flood, UDP) && !evidence.is_served(&found.flood, UDP)
    };
    Ok(judged.filter(is_flood).collect())
}

impl Found {
    fn is_scan(&self, context: &Context<'_>) -> bool {
        let beyond = self.flood.peak >= BEYOND_SCANS * u64::from(context.settings(self.flood.target).flood.udp_per_s);
        self.flood.source_count() <= FEW_SOURCES && !self.toward.has_one_port() && !self.stream && !beyond
    }

    fn alert(&self, context: &Context<'_>) -> Alert {
        let Self { flood, toward, broadcast, stream } = self;
        let settings = &context.settings(flood.target).flood;
        let per_second = if *broadcast { settings.broadcast_per_s } else { settings.udp_per_s };
        let victim = context.address(flood.target);
        let answered = share(flood.counts.udp_answered, flood.counts.udp);
        // Of packets that are taken for answers the connections to the target know nothing.
        let one_port = toward.has_one_port() && toward.top_port == flood.target_port;
        let place = match (one_port, toward.ports) {
            (true, _) => format!("port {}", toward.top_port),
            (false, 0 | 1) => "changing ports".to_owned(),
            (false, ports) => format!("at least {} ports", grouped(ports)),
        };
        let (severity, confidence) = match (*broadcast, *stream) {
            (true, _) => (Severity::Medium, 0.6),
            (false, true) => (Severity::Low, 0.4),
            (false, false) if flood.source_count() <= FEW_SOURCES => (Severity::Medium, 0.7),
            (false, false) => (Severity::High, 0.85),
        };
        Alert {
            kind: "udp_flood",
            technique: Some(if *broadcast { "broadcast" } else { "udp" }),
            title: if *broadcast { "UDP broadcast storm".into() } else { format!("UDP flood against {victim}") },
            message: format!(
                "{victim} received {} UDP packets in {} (peak {}/s) on {place} {}; {} of them belong to an exchange that it took part in",
                grouped(flood.counted),
                flood.lasted(),
                grouped(flood.peak),
                flood.told_sources(),
                percent(answered),
            ),
            severity,
            confidence,
            attackers: if flood.source_count() * 2 > flood.counted { Vec::new() } else { toward.listed_sources(context) },
            ports: if one_port { vec![toward.top_port] } else { Vec::new() },
            port_count: if one_port {
                1
            } else if toward.ports > 1 {
                toward.ports
            } else {
                0
            },
            protocol: "udp",
            measured: vec![
                measured("peak rate", flood.peak as f64, "packets/s", Some(f64::from(per_second))),
                measured("answered", answered, "share of packets", (!*broadcast).then_some(settings.udp_replies)),
                measured("packets", flood.counted as f64, "packets", (!*broadcast).then_some(f64::from(settings.burst_packets))),
                measured("sources", flood.source_count() as f64, "addresses", None),
            ],
            next_steps: if *broadcast {
                steps(&[
                    "Find the senders by their MAC addresses in the frames named here: many DHCP requests with changing client addresses exhaust the pool of the server.",
                    "Turn on storm control and DHCP snooping at the switch ports.",
                ])
            } else {
                steps(&[
                    "Filter the port in front of the target if it offers no service there.",
                    "If the link is full, ask the upstream provider to filter; the sources of UDP are easily made up.",
                ])
            },
            ..flood.alert(context, "packets/s", u64::from(per_second))
        }
    }
}

/// DHCP requests in a storm of which each address gets too few to be flooded. Hosts that start all at
/// once ask one or two servers and are answered; a storm asks in vain, or more servers than there are.
struct Storm {
    first: Nanos,
    last: Nanos,
    crossed: Nanos,
    frames: FrameSpan,
    requests: u64,
    answered: u64,
    peak: u64,
    sources: BTreeSet<Address>,
    targets: BTreeSet<Address>,
}

const DHCP: (u16, u16) = (68, 67);
/// No network has as many DHCP servers.
const DHCP_SERVERS: usize = 10;

fn dhcp_storms(context: &Context<'_>) -> Result<Vec<Storm>, Error> {
    if context.tables.contacts.height() == 0 {
        return Ok(Vec::new());
    }
    let settings = &context.config.base.flood;
    let requests =
        column(col::PROTO).eq(lit(ip_proto::UDP)).and(column(col::SOURCE_PORT).eq(lit(DHCP.0))).and(column(col::PORT).eq(lit(DHCP.1)));
    let table =
        collect(contacts(context.tables).filter(requests).sort([col::FIRST_TS, col::SOURCE, col::TARGET], SortMultipleOptions::default()))?;
    let (first, sources, targets) = (i64s(&table, col::FIRST_TS)?, u32s(&table, col::SOURCE)?, u32s(&table, col::TARGET)?);
    let (ords, data) = (u64s(&table, col::FIRST_ORD)?, u32s(&table, col::DATA)?);
    let rows: Vec<usize> = (0..table.height()).collect();
    let seconds: Vec<&[usize]> = rows.chunk_by(|a, b| time::pane(first[*a], SECOND) == time::pane(first[*b], SECOND)).collect();
    let loud: Vec<&[usize]> = seconds.into_iter().filter(|second| second.len() as u64 >= u64::from(settings.broadcast_per_s)).collect();
    let at = |second: &[usize]| second.first().map(|row| time::pane(first[*row], SECOND)).unwrap_or_default();
    let runs = loud.chunk_by(|a, b| at(b) - at(a) <= from_seconds(settings.join_gap_s));
    let storms = runs.filter_map(|run| {
        let crossed = run
            .windows(usize::try_from(BROADCAST_SECONDS).ok()?)
            .find(|row| row.windows(2).all(|pair| at(pair[1]) == at(pair[0]) + SECOND))?;
        let rows = || run.iter().copied().flatten().copied();
        Some(Storm {
            first: rows().map(|row| first[row]).min()?,
            last: rows().map(|row| first[row]).max()?,
            crossed: at(crossed.last()?) + SECOND,
            frames: FrameSpan { first: rows().map(|row| ords[row]).min()?, last: rows().map(|row| ords[row]).max()? },
            requests: rows().count() as u64,
            answered: rows().filter(|row| data[*row] > 0).count() as u64,
            peak: run.iter().map(|second| second.len() as u64).max()?,
            sources: rows().map(|row| sources[row]).collect(),
            targets: rows().map(|row| targets[row]).collect(),
        })
    });
    Ok(storms.filter(|storm| storm.answered * 2 < storm.requests || storm.targets.len() >= DHCP_SERVERS).collect())
}

impl Storm {
    fn alert(&self, context: &Context<'_>) -> Alert {
        let per_second = context.config.base.flood.broadcast_per_s;
        let addresses = |hosts: &BTreeSet<Address>| listed(hosts.iter().map(|host| context.address(*host)).collect());
        let ((attackers, attacker_count), (victims, victim_count)) = (addresses(&self.sources), addresses(&self.targets));
        Alert {
            kind: "udp_flood",
            technique: Some("dhcp"),
            title: "Storm of DHCP requests".into(),
            message: format!(
                "{} DHCP requests came in {} (peak {}/s), in the name of {} clients, to {} addresses; {} were answered",
                grouped(self.requests),
                time::duration(self.last - self.first),
                grouped(self.peak),
                grouped(attacker_count),
                grouped(victim_count),
                grouped(self.answered),
            ),
            severity: Severity::Medium,
            confidence: 0.7,
            attack: &["T1498.001"],
            first_seen: self.first,
            last_seen: self.last,
            detected_at: self.crossed.min(context.capture.span.map_or(self.crossed, |(_, end)| end)),
            attackers,
            attacker_count,
            victims,
            victim_count,
            ports: vec![DHCP.1],
            port_count: 1,
            protocol: "udp",
            measured: vec![
                measured("peak rate", self.peak as f64, "requests/s", Some(f64::from(per_second))),
                measured("requests", self.requests as f64, "requests", None),
                measured("servers asked", victim_count as f64, "addresses", None),
            ],
            window_s: BROADCAST_SECONDS as f64,
            flow_count: self.requests,
            packet_count: self.requests,
            frames: self.frames,
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Find the senders by the source MAC addresses of the frames named here.",
                "Check how many addresses the DHCP server has left, and turn on DHCP snooping at the switch ports.",
            ]),
            picture: Picture::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{BROADCAST as ALL_HOSTS, Capture, host};

    const VICTIM: u32 = 9;

    #[test]
    fn a_burst_of_half_a_second_is_a_flood_from_the_rate_on() {
        let burst = |count: u32| {
            let mut capture = Capture::default();
            (0..count).for_each(|n| capture.at_us(i64::from(n) * 200).udp(1_000 + n % 300, 4_500, VICTIM, 30_000));
            capture.judge(&UdpFlood)
        };
        let found = burst(2_001);
        assert_eq!((found.len(), found[0].severity, &found[0].victims), (1, Severity::High, &vec![host(VICTIM)]));
        assert!(burst(1_999).is_empty());
    }

    #[test]
    fn a_client_that_asks_the_flooded_host_is_no_attacker_however_young_the_flood_is() {
        let mut capture = Capture::default();
        for n in 0..40 {
            capture.at_ms(n * 100).udp(7, 4_000 + n as u16, VICTIM, 53);
        }
        (0..2_100_u32).for_each(|n| capture.at_us(4_000_000 + i64::from(n) * 400).udp(5, 40_500, VICTIM, 30_000));
        let found = capture.judge(&UdpFlood);
        assert_eq!((found.len(), &found[0].attackers), (1, &vec![host(5)]));
    }

    #[test]
    fn an_answered_exchange_is_none() {
        let mut capture = Capture::default();
        for n in 0..5_000_i64 {
            capture.at_us(n * 250).udp(5, 4_000, VICTIM, 443);
            capture.at_us(n * 250 + 50).udp(VICTIM, 443, 5, 4_000);
        }
        assert!(capture.judge(&UdpFlood).is_empty());
    }

    #[test]
    fn a_stream_that_nobody_acknowledges_is_low_at_most() {
        let mut capture = Capture::default();
        (0..6_000_i64).for_each(|n| capture.at_us(n * 400).udp(5, 4_000, VICTIM, 5_004));
        assert!(capture.judge(&UdpFlood).iter().all(|alert| alert.severity <= Severity::Low));
    }

    #[test]
    fn dhcp_requests_of_many_names_are_a_storm() {
        let storm = |per_second: u32, servers: u32| {
            let mut capture = Capture::default();
            for n in 0..5 * per_second {
                let (client, server) = (1_000 + n, 9_000 + n % servers);
                capture.at_us(i64::from(n) * 1_000_000 / i64::from(per_second)).udp(client, 68, server, 67);
                capture.udp(server, 67, client, 68);
            }
            capture.judge(&UdpFlood)
        };
        let found = storm(100, 500);
        assert_eq!((found.len(), found[0].technique, found[0].attacker_count, found[0].victim_count), (1, Some("dhcp"), 500, 500));
        assert!(storm(40, 500).is_empty());
        // A building that starts at once, and is answered.
        assert!(storm(100, 2).is_empty());
    }

    #[test]
    fn a_broadcast_storm_begins_lower_and_multicast_is_none() {
        let storm = |target: u32, per_second: i64| {
            let mut capture = Capture::default();
            (0..5 * per_second).for_each(|n| capture.at_us(n * 1_000_000 / per_second).udp(5, 68, target, 67));
            capture.judge(&UdpFlood)
        };
        assert_eq!(storm(ALL_HOSTS, 100).len(), 1);
        assert!(storm(ALL_HOSTS, 40).is_empty());
        assert!(storm(0xe000_00fb, 3_000).is_empty());
    }
}
