#![doc = include_str!("docs/exfiltration.md")]

use std::collections::{BTreeMap, BTreeSet};

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::Context;
use super::flood_seconds::{measured, steps};
use super::rows::{i64s, texts, u8s, u16s, u32s, u64s};
use super::services::{is_known, named};
use super::wording::{counted, grouped};
use crate::config;
use crate::error::Error;
use crate::net::ip_proto;
use crate::pseudonym;
use crate::stats::Robust;
use crate::table::{Address, schema as col};
use crate::time::{self, HOUR, MINUTE, Nanos, from_seconds};

pub(super) struct Exfiltration;

const DOCUMENTATION: &str = include_str!("docs/exfiltration.md");

/// Hours in which a host sent anything out before its own past says what is much; Slips' least baseline.
const LEAST_HOURS: usize = 6;
/// A host whose hours hardly differ: a tenth of the median counts as their spread at least.
const LEAST_SPREAD: f64 = 0.1;
/// A host that exchanges data with more hosts at ports without a service takes part in a peer-to-peer network.
const PEER_TO_PEER: usize = 10;
/// So long after the capture began, a name that was looked up for the transfer would have been seen.
const LOOKED_UP_WITHIN: Nanos = 5 * MINUTE;
const WEB_PORTS: [u16; 4] = [80, 443, 8080, 8443];

impl Detector for Exfiltration {
    fn id(&self) -> &'static str {
        "exfiltration"
    }

    fn summary(&self) -> &'static str {
        "much more sent out of the network than came back"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        if context.asymmetric || context.tables.contacts.height() == 0 {
            // Where one direction is missing, nobody knows what came back.
            return Ok(Vec::new());
        }
        let sent = Sent::find(context)?;
        if sent.rows.is_empty() {
            return Ok(Vec::new());
        }
        let known = Known::of(context, &sent)?;
        let gap = from_seconds(context.config.base.alert.join_gap_s).max(HOUR);
        let mut alerts = Vec::new();
        for of_pair in sent.rows.chunk_by(|a, b| (a.source, a.target) == (b.source, b.target)) {
            for episode in of_pair.chunk_by(|a, b| b.first - a.last < gap) {
                alerts.extend(Transfer::of(context, &known, episode).and_then(|transfer| transfer.alert(context, &known)));
            }
        }
        Ok(alerts)
    }
}

/// What one host of the network sent to one outside, in connections that began in one minute.
#[derive(Clone, Copy, Debug)]
struct Row {
    source: Address,
    target: Address,
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
    port: u16,
    proto: u8,
    connections: u64,
    packets: u64,
    out: u64,
    back: u64,
}

/// The rows of pairs that can matter at all, by pair and in time order; and what their sources sent by the hour.
struct Sent {
    rows: Vec<Row>,
    hours: BTreeMap<(Address, Nanos), u64>,
    /// Hosts of the network that sent anything to a target of these rows.
    clients: BTreeMap<Address, BTreeSet<Address>>,
    /// Outside hosts that a source of these rows exchanged data with at ports without a service.
    peers: BTreeMap<Address, BTreeSet<Address>>,
}

impl Sent {
    /// Sums by source and by target first: few pairs are left whose rows must be looked at one by one.
    fn find(context: &Context<'_>) -> Result<Self, Error> {
        let table = &context.tables.contacts;
        let (sources, targets) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?);
        let (ports, protos) = (u16s(table, col::PORT)?, u8s(table, col::PROTO)?);
        let (out, back) = (u64s(table, col::BYTES_OUT)?, u64s(table, col::BYTES_BACK)?);
        let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
        let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
        let (connections, packets) = (u32s(table, col::CONNECTIONS)?, u64s(table, col::PACKETS)?);
        let all = &context.tables.addresses;
        let is_inside: Vec<bool> = all.iter().map(|address| address.is_private() && !address.is_group()).collect();
        let is_outside: Vec<bool> = all.iter().map(|address| !address.is_private() && !address.is_group()).collect();
        let leaves = |row: usize| {
            out[row] > 0
                && matches!(protos[row], ip_proto::TCP | ip_proto::UDP)
                && is_inside[sources[row] as usize]
                && is_outside[targets[row] as usize]
        };
        let (mut by_source, mut to_target) = (vec![0_u64; all.len()], vec![0_u64; all.len()]);
        for row in (0..table.height()).filter(|row| leaves(*row)) {
            by_source[sources[row] as usize] += out[row];
            to_target[targets[row] as usize] += out[row];
        }
        let floors: Vec<u64> = all
            .iter()
            .zip(&by_source)
            .map(|(address, sent)| if *sent == 0 { u64::MAX } else { floor(context.config.for_host(*address)) })
            .collect();
        let matters = |row: usize| {
            let (source, target) = (sources[row] as usize, targets[row] as usize);
            by_source[source] >= floors[source] && to_target[target] >= floors[source]
        };
        let mut rows = Vec::new();
        let mut hours = BTreeMap::new();
        let mut peers: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for row in (0..table.height()).filter(|row| leaves(*row)) {
            if by_source[sources[row] as usize] < floors[sources[row] as usize] {
                continue;
            }
            *hours.entry((sources[row], time::pane(first[row], HOUR))).or_default() += out[row];
            if back[row] > 0 && !is_known(ports[row]) {
                peers.entry(sources[row]).or_default().insert(targets[row]);
            }
            if matters(row) {
                rows.push(Row {
                    source: sources[row],
                    target: targets[row],
                    first: first[row],
                    last: last[row],
                    frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
                    port: ports[row],
                    proto: protos[row],
                    connections: u64::from(connections[row]),
                    packets: packets[row],
                    out: out[row],
                    back: back[row],
                });
            }
        }
        rows.sort_unstable_by_key(|row| (row.source, row.target, row.first, row.frames.first, row.port, row.proto));
        let mut clients: BTreeMap<Address, BTreeSet<Address>> = rows.iter().map(|row| (row.target, BTreeSet::new())).collect();
        for row in (0..table.height()).filter(|row| leaves(*row)) {
            if let Some(sending) = clients.get_mut(&targets[row]) {
                sending.insert(sources[row]);
            }
        }
        Ok(Self { rows, hours, clients, peers })
    }
}

fn floor(settings: &config::Settings) -> u64 {
    settings.exfiltration.bytes.min(settings.exfiltration.unusual_bytes)
}

/// What else is known of the hosts.
struct Known<'a> {
    sent: &'a Sent,
    /// Names by which servers were asked for, by server and port.
    names: BTreeMap<(Address, u16), String>,
    /// Hosts whose questions to DNS were captured.
    asking: BTreeSet<Address>,
}

impl<'a> Known<'a> {
    fn of(context: &Context<'_>, sent: &'a Sent) -> Result<Self, Error> {
        let services = &context.tables.facts.services;
        let mut names = BTreeMap::new();
        if services.height() > 0 {
            let (servers, ports, texts) = (u32s(services, col::SERVER)?, u16s(services, col::PORT)?, texts(services, col::NAME)?);
            for row in 0..services.height() {
                let name = texts.get(row).unwrap_or_default();
                if !name.is_empty() && sent.clients.contains_key(&servers[row]) {
                    names.entry((servers[row], ports[row])).or_insert_with(|| name.to_owned());
                }
            }
        }
        let asked = &context.tables.facts.names;
        let asking = if asked.height() > 0 { u32s(asked, col::CLIENT)?.iter().copied().collect() } else { BTreeSet::new() };
        Ok(Self { sent, names, asking })
    }

    /// The name that the target was asked for by, else the one that DNS found it under.
    fn name(&self, context: &Context<'_>, target: Address, port: u16) -> Option<String> {
        let address = context.address(target);
        let resolved = &context.tables.facts.resolved;
        let found = || resolved.binary_search_by_key(&address, |(address, _)| *address).ok().and_then(|place| resolved.get(place));
        self.names.get(&(target, port)).cloned().or_else(|| found().map(|(_, name)| name.to_string()))
    }

    fn clients(&self, target: Address) -> u64 {
        self.sent.clients.get(&target).map_or(0, |clients| clients.len() as u64)
    }

    fn is_peer_to_peer(&self, source: Address) -> bool {
        self.sent.peers.get(&source).is_some_and(|peers| peers.len() > PEER_TO_PEER)
    }

    /// How far that much in an hour lies outside of what the source sends in its other hours.
    fn unusual(&self, source: Address, hour: Nanos, bytes: u64) -> Option<f64> {
        let of_source = self.sent.hours.range((source, Nanos::MIN)..=(source, Nanos::MAX));
        let others: Vec<f64> = of_source.filter(|((_, other), _)| *other != hour).map(|(_, sum)| *sum as f64).collect();
        let past = Robust::of(&others).filter(|_| others.len() >= LEAST_HOURS)?;
        Some(past.z(bytes as f64, (past.median * LEAST_SPREAD).max(1.0)))
    }
}

/// Data that left for one destination without a long pause.
struct Transfer<'a> {
    rows: &'a [Row],
    /// The most in any hour, with what came back in it.
    out: u64,
    back: u64,
    crossed: Nanos,
    z: Option<f64>,
}

impl<'a> Transfer<'a> {
    fn of(context: &Context<'_>, known: &Known<'_>, rows: &'a [Row]) -> Option<Self> {
        let head = rows.first()?;
        let settings = &context.settings(head.source).exfiltration;
        let (mut oldest, mut out, mut back) = (0, 0, 0);
        let (mut most, mut crossed) = ((0, 0, head.first), None);
        for row in rows {
            out += row.out;
            back += row.back;
            while let Some(old) = rows.get(oldest).filter(|old| row.first - old.first >= HOUR) {
                out -= old.out;
                back -= old.back;
                oldest += 1;
            }
            let limit = settings.bytes.min(settings.unusual_bytes);
            if out >= limit && crossed.is_none() {
                crossed = Some((limit, row.last));
            }
            if out >= settings.bytes && crossed.is_none_or(|(limit, _)| limit < settings.bytes) {
                crossed = Some((settings.bytes, row.last));
            }
            if out > most.0 {
                most = (out, back, rows[oldest].first);
            }
        }
        let (out, back, hour) = most;
        let z = known.unusual(head.source, time::pane(hour, HOUR), out);
        let much = out >= settings.bytes;
        let stands_out = out >= settings.unusual_bytes && z.is_some_and(|z| z >= settings.z);
        let found = Self { rows, out, back, crossed: crossed?.1, z };
        let served = known.clients(head.target) <= u64::from(settings.clients);
        ((much || stands_out) && found.ratio() >= settings.ratio && served).then_some(found)
    }

    fn ratio(&self) -> f64 {
        let (out, back) = (self.out as f64, self.back as f64);
        if self.out + self.back == 0 { 0.0 } else { (out - back) / (out + back) }
    }

    /// The service that took most of it.
    fn service(&self) -> (u16, u8) {
        let mut sums: BTreeMap<(u16, u8), u64> = BTreeMap::new();
        for row in self.rows {
            *sums.entry((row.port, row.proto)).or_default() += row.out;
        }
        sums.into_iter().rev().max_by_key(|(_, sum)| *sum).map_or((0, ip_proto::TCP), |(service, _)| service)
    }

    fn alert(&self, context: &Context<'_>, known: &Known<'_>) -> Option<Alert> {
        let head = self.rows.first()?;
        let settings = &context.settings(head.source).exfiltration;
        let (source, target) = (context.address(head.source), context.address(head.target));
        let (port, proto) = self.service();
        let last = self.rows.iter().map(|row| row.last).max()?;
        let name = known.name(context, head.target, port);
        let began = context.capture.span.map_or(head.first, |(begin, _)| begin);
        let unasked = name.is_none() && known.asking.contains(&head.source) && head.first - began >= LOOKED_UP_WITHIN;
        let peer_to_peer = known.is_peer_to_peer(head.source);
        let (severity, confidence) = match (peer_to_peer, unasked) {
            (true, _) => (Severity::Info, 0.2),
            (false, true) => (Severity::Medium, 0.5),
            (false, false) => (Severity::Low, 0.4),
        };
        let whom = name.as_ref().map_or_else(|| target.to_string(), |name| format!("{target} ({})", pseudonym::name(name)));
        let aside = match (peer_to_peer, unasked) {
            (true, _) => "; the source exchanges data with many others as peer-to-peer programs do",
            (false, true) => "; the source, whose questions to DNS were captured, never asked for a name of this address",
            (false, false) => "",
        };
        let ports: BTreeSet<u16> = self.rows.iter().map(|row| row.port).collect();
        let protocol = if proto == ip_proto::UDP { "udp" } else { "tcp" };
        let clients = known.clients(head.target);
        let mut values = vec![
            measured("sent within an hour", self.out as f64, "bytes", Some(settings.bytes as f64)),
            measured("came back", self.back as f64, "bytes", None),
            measured(
                "producer-consumer ratio",
                (self.ratio() * 1_000.0).round() / 1_000.0,
                "(out - in) / (out + in)",
                Some(settings.ratio),
            ),
            measured("hosts that use the destination", clients as f64, "hosts", Some(f64::from(settings.clients))),
        ];
        if let Some(z) = self.z {
            values.push(measured(
                "beyond the other hours of the source",
                (z * 10.0).round() / 10.0,
                "robust standard deviations",
                Some(settings.z),
            ));
        }
        Some(Alert {
            kind: "exfiltration",
            technique: None,
            title: format!("{} sent out of the network by {source}", megabytes(self.out)),
            message: format!(
                "{source} sent {} bytes to {whom}, {protocol} port {}, within an hour, in {} over {} in all; {} bytes came back, and {} of this network {} that destination{aside}",
                grouped(self.out),
                named(port),
                counted(self.rows.iter().map(|row| row.connections).sum(), "connection"),
                time::duration(last - head.first),
                grouped(self.back),
                counted(clients, "host"),
                if clients == 1 { "uses" } else { "use" },
            ),
            severity,
            confidence,
            attack: if WEB_PORTS.contains(&port) { &["T1567", "T1041"] } else { &["T1048"] },
            first_seen: head.first,
            last_seen: last,
            detected_at: self.crossed,
            attackers: vec![source.to_string()],
            attacker_count: 1,
            victims: vec![target.to_string()],
            victim_count: 1,
            port_count: ports.len() as u64,
            ports: ports.into_iter().take(super::alert::LISTED).collect(),
            protocol,
            measured: values,
            window_s: 3_600.0,
            flow_count: self.rows.iter().map(|row| row.connections).sum(),
            packet_count: self.rows.iter().map(|row| row.packets).sum(),
            frames: FrameSpan { first: head.frames.first, last: self.rows.iter().map(|row| row.frames.last).max()? },
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Ask whether the host backs up to, or publishes at, that destination; if so, add the pair to the allow-list.",
                "Find the program that sent it (Sysmon event 3, netstat -abno, ss -tnp), and what it read just before.",
                "Look at who owns the address (whois, passive DNS) and whether any other host ever spoke to it.",
            ]),
            picture: Picture::None,
        })
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", grouped(bytes / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::{Address as Resolved, Fact, Query, Service};
    use crate::detect::testing::{Capture, address, host};

    /// 203.0.113.9, outside.
    const OUTSIDE: u32 = 0xcb00_7109;
    const MEGABYTE: u32 = 1_000_000;

    fn upload(capture: &mut Capture, client: u32, megabytes: u32, back: u32) {
        capture.handshake_from(client, 40_000, OUTSIDE, 443);
        (0..megabytes).for_each(|_| capture.data(client, 40_000, OUTSIDE, 443, MEGABYTE));
        capture.data(OUTSIDE, 443, client, 40_000, back);
    }

    fn of(megabytes: u32, back: u32) -> Vec<Alert> {
        let mut capture = Capture::default();
        upload(capture.at_ms(0), 5, megabytes, back);
        capture.judge(&Exfiltration)
    }

    #[test]
    fn a_hundred_megabytes_that_left_are_worth_a_look_and_one_less_is_not() {
        let found = of(100, 1_000);
        assert_eq!((found.len(), found[0].severity, &found[0].attackers), (1, Severity::Low, &vec![host(5)]));
        assert_eq!((&found[0].victims, found[0].measured[0].value), (&vec![host(OUTSIDE)], 100_000_000.0));
        assert!(of(99, 1_000).is_empty());
    }

    #[test]
    fn as_much_as_came_back_is_an_exchange() {
        // (100 - 12) / 112 = 0.786, below 0.8.
        assert!(of(100, 12 * MEGABYTE).is_empty());
        assert_eq!(of(100, 11 * MEGABYTE).len(), 1);
    }

    #[test]
    fn a_destination_that_many_hosts_use_is_a_service() {
        let mut capture = Capture::default();
        upload(capture.at_ms(0), 5, 100, 1_000);
        upload(capture.at_ms(1_000), 6, 1, 1_000);
        assert_eq!(capture.judge(&Exfiltration).len(), 1);
        upload(capture.at_ms(2_000), 7, 1, 1_000);
        assert!(capture.judge(&Exfiltration).is_empty());
    }

    #[test]
    fn within_the_network_nothing_leaves() {
        let mut capture = Capture::default();
        capture.at_ms(0).handshake_from(5, 40_000, 9, 443);
        (0..200).for_each(|_| capture.data(5, 40_000, 9, 443, MEGABYTE));
        assert!(capture.judge(&Exfiltration).is_empty());
    }

    #[test]
    fn two_uploads_far_apart_are_not_added() {
        let mut capture = Capture::default();
        upload(capture.at_ms(0), 5, 60, 1_000);
        upload(capture.at_ms(61 * 60_000), 5, 60, 1_000);
        assert!(capture.judge(&Exfiltration).is_empty());
    }

    #[test]
    fn much_for_a_host_that_sends_little_is_worth_a_look() {
        let fired = |hours: i64| {
            let mut capture = Capture::default();
            for hour in 0..hours {
                capture.at_ms(hour * 3_600_000).conversation(5, 30_000, OUTSIDE + 1, 443);
            }
            upload(capture.at_ms(hours * 3_600_000), 5, 10, 1_000);
            capture.judge(&Exfiltration).len()
        };
        // The capture begins within an hour of the clock; each conversation falls into another.
        assert_eq!((fired(5), fired(7)), (0, 1));
    }

    fn asked(name: &str, answer: u32) -> Capture {
        let mut capture = Capture::default();
        let query = |at| Fact::Query(Query { name: name.into(), qtype: 1, rcode: None, answer_bytes: 0, at });
        capture.at_ms(0).said(5, 53, 53, Service::Dns, query);
        let found = |at| Fact::Address(Resolved { name: name.into(), address: address(answer), at });
        capture.said(5, 53, 53, Service::Dns, found);
        capture.udp(5, 3_000, 53, 53);
        upload(capture.at_ms(400_000), 5, 100, 1_000);
        capture
    }

    #[test]
    fn a_destination_nobody_looked_up_is_probably_hostile() {
        assert_eq!(asked("elsewhere.test", OUTSIDE + 1).judge(&Exfiltration)[0].severity, Severity::Medium);
        let named = asked("backup.test", OUTSIDE).judge(&Exfiltration);
        assert_eq!(named[0].severity, Severity::Low);
        assert!(named[0].message.contains("backup.test"));
    }

    #[test]
    fn a_seeding_peer_is_a_fact() {
        let mut capture = Capture::default();
        (0..11_u16).for_each(|n| capture.at_ms(i64::from(n) * 100).conversation(5, 41_000 + n, OUTSIDE + 1 + u32::from(n), 51_413));
        upload(capture.at_ms(5_000), 5, 100, 1_000);
        assert_eq!(capture.judge(&Exfiltration)[0].severity, Severity::Info);
    }
}
