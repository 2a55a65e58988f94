#![doc = include_str!("docs/unusual_port.md")]

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;
use polars::prelude::*;

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, listed};
use super::crowds;
use super::flood_seconds::{column, measured, steps};
use super::rows::{collect, contacts, i64s, u16s, u32s, u64s};
use super::services::{SYSTEM_PORTS, backdoor, is_known};
use super::wording::{counted, grouped};
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, pattern, schema as col};
use crate::time::Nanos;

pub(super) struct UnusualPort;

const DOCUMENTATION: &str = include_str!("docs/unusual_port.md");

/// Both ends above: two programs that took whatever port was free (the upper half of the range that
/// common systems take ephemeral ports from).
const EPHEMERAL: u16 = 32_767;
/// A source with more unusual services than this takes part in a peer-to-peer network.
const PEER_TO_PEER: usize = 10;
/// Services that hand out another port for their data: FTP's passive mode, the RPC endpoint mapper.
const BROKERS: [u16; 2] = [21, 135];

impl Detector for UnusualPort {
    fn id(&self) -> &'static str {
        "unusual_port"
    }

    fn summary(&self) -> &'static str {
        "data exchanged with a TCP port that has no known service, or an ill-famed one"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let (services, tried) = services(context)?;
        let mut by_source: BTreeMap<Address, u32> = BTreeMap::new();
        for source in services.iter().filter(|service| service.severity() == Severity::Info).flat_map(|service| &service.clients) {
            *by_source.entry(*source).or_default() += 1;
        }
        let is_peer = |source: &Address| by_source.get(source).is_some_and(|count| *count as usize > PEER_TO_PEER);
        let (peers, single): (Vec<Service>, Vec<Service>) =
            services.into_iter().partition(|service| service.severity() == Severity::Info && service.clients.iter().any(is_peer));
        let mut of_peer: BTreeMap<Address, Vec<Service>> = BTreeMap::new();
        for service in peers {
            if let Some(source) = service.clients.iter().copied().find(|source| is_peer(source)) {
                of_peer.entry(source).or_default().push(service);
            }
        }
        let (mut single, mut tried) = (single, tried);
        [&mut single, &mut tried].into_iter().for_each(|services| services.sort_by_key(|service| (service.first, service.frames.first)));
        let alerts = crowds::tell(&single, context.config, |service| Some(service.alert(context))).into_iter();
        let knocks = crowds::tell(&tried, context.config, |service| Some(service.knock(context)));
        Ok(alerts.chain(knocks).chain(of_peer.iter().filter_map(|(source, services)| of_many(context, *source, services))).collect())
    }
}

/// A port of a host with which data was exchanged; or which was tried, and nobody told what came of it.
#[derive(Clone, Debug)]
struct Service {
    target: Address,
    port: u16,
    clients: Vec<Address>,
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
    connections: u64,
    packets: u64,
    bytes_out: u64,
    bytes_back: u64,
}

/// Ports without a known service that answered with data, to few clients; and those that were tried, in attempts
/// of which nobody told what came of them. By host and port.
fn services(context: &Context<'_>) -> Result<(Vec<Service>, Vec<Service>), Error> {
    if context.tables.contacts.height() == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    // The sums of a service are judged, not each row; a row without a connection that carried data
    // adds nothing to them. The system ports are known, all but those that tell of other ports.
    let mut judged = column(col::PORT).eq(lit(0_u16)).or(column(col::PORT).gt_eq(lit(SYSTEM_PORTS)));
    for broker in BROKERS {
        judged = judged.or(column(col::PORT).eq(lit(broker)));
    }
    let known = [col::UNANSWERED, col::REFUSED, col::HALF_OPEN, col::EMPTY].map(column).into_iter().reduce(|sum, outcome| sum + outcome);
    let unknown = known.map_or(lit(false), |known| known.eq(lit(0_u32)).and(column(col::ATTEMPTS).gt(lit(0_u32))));
    let talked = column(col::PROTO).eq(lit(ip_proto::TCP)).and(column(col::DATA).gt(lit(0_u32)).or(unknown));
    let table = collect(contacts(context.tables).filter(talked.and(judged)))?;
    let (sources, targets, ports) = (u32s(&table, col::SOURCE)?, u32s(&table, col::TARGET)?, u16s(&table, col::PORT)?);
    let (from_ports, data, packets) = (u16s(&table, col::SOURCE_PORT)?, u32s(&table, col::DATA)?, u64s(&table, col::PACKETS)?);
    let (attempts, techniques) = (u32s(&table, col::ATTEMPTS)?, u16s(&table, col::TECHNIQUES)?);
    let (first, last) = (i64s(&table, col::FIRST_TS)?, i64s(&table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(&table, col::FIRST_ORD)?, u64s(&table, col::LAST_ORD)?);
    let (out, back) = (u64s(&table, col::BYTES_OUT)?, u64s(&table, col::BYTES_BACK)?);
    let exchanged = |row: &usize| data[*row] > 0;
    let untold = |row: &usize| data[*row] == 0 && techniques[*row] & pattern::TOLD != 0;
    let brokered: HashSet<(Address, Address), foldhash::fast::FixedState> = (0..table.height())
        .filter(|row| exchanged(row) || untold(row))
        .filter(|row| BROKERS.contains(&ports[*row]))
        .map(|row| (sources[row], targets[row]))
        .collect();
    let is_unusual = |row: &usize| {
        let (port, from) = (ports[*row], from_ports[*row]);
        let dynamic = port > EPHEMERAL && from > EPHEMERAL || brokered.contains(&(sources[*row], targets[*row]));
        backdoor(port).is_some() || !is_known(port) && !dynamic
    };
    let service = |rows: &[usize], connections: &[u32]| {
        let head = *rows.first()?;
        let mut clients: Vec<Address> = rows.iter().map(|row| sources[*row]).collect();
        clients.sort_unstable();
        clients.dedup();
        Some(Service {
            target: targets[head],
            port: ports[head],
            clients,
            first: rows.iter().map(|row| first[*row]).min()?,
            last: rows.iter().map(|row| last[*row]).max()?,
            frames: FrameSpan { first: first_ord[head], last: rows.iter().map(|row| last_ord[*row]).max()? },
            connections: rows.iter().map(|row| u64::from(connections[*row])).sum(),
            packets: rows.iter().map(|row| packets[*row]).sum(),
            bytes_out: rows.iter().map(|row| out[*row]).sum(),
            bytes_back: rows.iter().map(|row| back[*row]).sum(),
        })
    };
    let place = |row: &usize| (targets[*row], ports[*row]);
    let mut rows: Vec<usize> = (0..table.height()).filter(|row| exchanged(row) || untold(row)).filter(is_unusual).collect();
    rows.sort_unstable_by_key(|row| (place(row), first_ord[*row]));
    let (mut talking, mut tried) = (Vec::new(), Vec::new());
    for rows in rows.chunk_by(|a, b| place(a) == place(b)) {
        // What was exchanged says more than any attempt besides.
        let (answered, others): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| exchanged(row));
        if answered.is_empty() {
            tried.extend(service(&others, attempts));
        } else {
            talking.extend(service(&answered, data));
        }
    }
    talking.retain(|service| service.counts(context));
    tried.retain(|service| service.has_few_clients(context));
    Ok((talking, tried))
}

impl Service {
    fn counts(&self, context: &Context<'_>) -> bool {
        let enough = self.bytes_out.min(self.bytes_back) >= context.settings(self.target).ports.unusual_min_bytes;
        (enough || self.is_uncounted()) && self.has_few_clients(context)
    }

    /// Somebody told that data was exchanged, and not how much.
    const fn is_uncounted(&self) -> bool {
        self.bytes_out + self.bytes_back == 0
    }

    fn has_few_clients(&self, context: &Context<'_>) -> bool {
        self.clients.len() as u64 <= u64::from(context.settings(self.target).ports.max_clients)
    }

    fn severity(&self) -> Severity {
        if self.port == 0 || backdoor(self.port).is_some() { Severity::Low } else { Severity::Info }
    }

    fn why(&self) -> String {
        match (self.port, backdoor(self.port)) {
            (0, _) => "which no program can ask for".to_owned(),
            (_, Some(fame)) => format!("which is known for {fame}"),
            (_, None) => "which has no known service".to_owned(),
        }
    }

    /// Somebody tried to reach it, and nobody told what came of it.
    fn knock(&self, context: &Context<'_>) -> Alert {
        let (target, port) = (context.address(self.target), self.port);
        let (attackers, attacker_count) = listed(self.clients.iter().map(|client| context.address(*client)).collect());
        let most = f64::from(context.settings(self.target).ports.max_clients);
        Alert {
            technique: Some("tried"),
            title: format!("TCP port {port} of {target} was tried"),
            message: format!(
                "{} tried to reach {target} at TCP port {port}, {}, in {}; what came of it nobody told",
                counted(attacker_count, "client"),
                self.why(),
                counted(self.connections, "attempt"),
            ),
            severity: self.severity(),
            confidence: if self.severity() == Severity::Low { 0.3 } else { 0.2 },
            attackers,
            attacker_count,
            victims: vec![target.to_string()],
            ports: vec![port],
            measured: vec![
                measured("attempts", self.connections as f64, "connections", None),
                measured("clients", attacker_count as f64, "addresses", Some(most)),
            ],
            next_steps: steps(&[
                "Look whether anything listens at that port of the host (ss -tlnp, netstat -abno), and whether it belongs there.",
                "Ask the source, if it is one of yours, what it wanted there.",
            ]),
            ..told(std::slice::from_ref(self))
        }
    }

    fn alert(&self, context: &Context<'_>) -> Alert {
        let target = context.address(self.target);
        let settings = &context.settings(self.target).ports;
        let (attackers, attacker_count) = listed(self.clients.iter().map(|client| context.address(*client)).collect());
        let (port, why) = (self.port, self.why());
        let what = if self.is_uncounted() {
            format!("data with {target}")
        } else {
            format!("{} bytes to and {} bytes from {target}", grouped(self.bytes_out), grouped(self.bytes_back))
        };
        let (clients, connections) = (counted(attacker_count, "client"), counted(self.connections, "connection"));
        let least = (!self.is_uncounted()).then_some(settings.unusual_min_bytes as f64);
        Alert {
            title: format!("Data exchanged with TCP port {port} of {target}"),
            message: format!("{clients} exchanged {what} in {connections} at TCP port {port}, {why}"),
            severity: self.severity(),
            confidence: if self.severity() == Severity::Low { 0.4 } else { 0.3 },
            attackers,
            attacker_count,
            victims: vec![target.to_string()],
            ports: vec![port],
            measured: vec![
                measured("payload to the port", self.bytes_out as f64, "bytes", least),
                measured("payload from the port", self.bytes_back as f64, "bytes", least),
                measured("clients", attacker_count as f64, "addresses", Some(f64::from(settings.max_clients))),
            ],
            ..told(std::slice::from_ref(self))
        }
    }
}

/// The services of a peer-to-peer client as one fact.
fn of_many(context: &Context<'_>, source: Address, services: &[Service]) -> Option<Alert> {
    services.first()?;
    let (victims, victim_count) = listed(services.iter().map(|service| context.address(service.target)).collect());
    let ports: BTreeSet<u16> = services.iter().map(|service| service.port).collect();
    let source = context.address(source);
    Some(Alert {
        technique: Some("many"),
        title: format!("Data exchanged with many unusual TCP ports by {source}"),
        message: format!(
            "{source} exchanged data with {} TCP ports without a known service on {}, as peer-to-peer programs do",
            grouped(services.len() as u64),
            counted(victim_count, "host"),
        ),
        severity: Severity::Info,
        confidence: 0.3,
        attackers: vec![source.to_string()],
        attacker_count: 1,
        victims,
        victim_count,
        port_count: ports.len() as u64,
        ports: ports.into_iter().take(super::alert::LISTED).collect(),
        measured: vec![measured("unusual services", services.len() as f64, "ports of hosts", Some(PEER_TO_PEER as f64))],
        ..told(services)
    })
}

/// What both kinds of alert say alike.
fn told(services: &[Service]) -> Alert {
    let first = services.iter().map(|service| service.first).min().unwrap_or_default();
    Alert {
        kind: "unusual_port",
        technique: None,
        title: String::new(),
        message: String::new(),
        severity: Severity::Info,
        confidence: 0.3,
        attack: &["T1571"],
        first_seen: first,
        last_seen: services.iter().map(|service| service.last).max().unwrap_or_default(),
        detected_at: first,
        attackers: Vec::new(),
        attacker_count: 0,
        victims: Vec::new(),
        victim_count: 1,
        ports: Vec::new(),
        port_count: 1,
        protocol: "tcp",
        measured: Vec::new(),
        window_s: 60.0,
        flow_count: services.iter().map(|service| service.connections).sum(),
        packet_count: services.iter().map(|service| service.packets).sum(),
        frames: FrameSpan {
            first: services.iter().map(|service| service.frames.first).min().unwrap_or_default(),
            last: services.iter().map(|service| service.frames.last).max().unwrap_or_default(),
        },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Follow one of the connections in Wireshark: what protocol is it?",
            "Find the program behind the port at the host (ss -tlnp, netstat -abno) and whether it belongs there.",
        ]),
        picture: Picture::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Capture, host};

    fn talk(port: u16, clients: u32) -> Vec<Alert> {
        let mut capture = Capture::default();
        (0..clients).for_each(|n| capture.at_ms(i64::from(n) * 100).conversation(5 + n, 40_000, 99, port));
        capture.judge(&UnusualPort)
    }

    #[test]
    fn data_at_a_port_without_a_service_is_listed() {
        let found = talk(7_084, 1);
        assert_eq!((found.len(), found[0].severity, &found[0].ports), (1, Severity::Info, &vec![7_084]));
        assert_eq!((&found[0].attackers, &found[0].victims), (&vec![host(5)], &vec![host(99)]));
        assert!(talk(443, 1).is_empty());
    }

    #[test]
    fn an_ill_famed_port_is_worth_a_look() {
        assert_eq!(talk(31_337, 1)[0].severity, Severity::Low);
        assert_eq!(talk(54_321, 1)[0].severity, Severity::Low);
    }

    #[test]
    fn ephemeral_at_both_ends_and_services_of_many_clients_are_ordinary() {
        assert!(talk(50_000, 1).is_empty());
        assert!(talk(7_084, 3).is_empty());
    }

    #[test]
    fn a_knock_without_data_is_none() {
        let mut capture = Capture::default();
        capture.at_ms(0).handshake(5, 99, 31_337);
        assert!(capture.judge(&UnusualPort).is_empty());
    }

    #[test]
    fn data_connections_of_ftp_are_ordinary() {
        let mut capture = Capture::default();
        capture.at_ms(0).conversation(5, 40_000, 99, 21);
        capture.at_ms(100).conversation(5, 40_001, 99, 20_500);
        assert!(capture.judge(&UnusualPort).is_empty());
    }

    #[test]
    fn a_peer_to_peer_client_is_one_alert() {
        let mut capture = Capture::default();
        (0..11_u16).for_each(|n| capture.at_ms(i64::from(n) * 100).conversation(5, 40_000 + n, 99 + u32::from(n), 7_100 + n));
        let found = capture.judge(&UnusualPort);
        assert_eq!((found.len(), found[0].technique, found[0].victim_count), (1, Some("many"), 11));
    }
}
