#![doc = include_str!("docs/slow_http.md")]

use std::collections::{BTreeMap, BTreeSet};

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, listed};
use super::flood_seconds::{measured, steps};
use super::rows::{i64s, sketches, texts, u8s, u16s, u32s, u64s};
use super::services::named;
use super::web::{Asked, TLS_PORTS, WEB_PORTS, asked, frames};
use super::wording::{counted, grouped};
use crate::config;
use crate::decode::app::Service;
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, Start, schema as col};
use crate::time::{self, MILLISECOND, Nanos, SECOND, from_seconds};

pub(super) struct SlowHttp;

const DOCUMENTATION: &str = include_str!("docs/slow_http.md");

/// As many times `http.held` leave little doubt.
const SURE: u64 = 2;
/// The same where it is not seen what was asked.
const SURE_UNREAD: u64 = 4;
/// Bytes a second of a connection that is held open and not used.
const TRICKLE: u64 = 100;
/// A server that sent fewer bytes on a connection has not answered.
const NO_ANSWER: u64 = 16;
/// What a server sends in a TLS handshake, with a chain of certificates, and hardly more.
const TLS_HANDSHAKE: u64 = 6_000;
/// Three or more fingerprints behind one address: several hosts, each with connections of its own.
const NAT_FINGERPRINTS: u32 = 3;

impl Detector for SlowHttp {
    fn id(&self) -> &'static str {
        "slow_http"
    }

    fn summary(&self) -> &'static str {
        "connections held open with requests that never end"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let connections = Held::find(context)?;
        if connections.is_empty() {
            return Ok(Vec::new());
        }
        let unfinished = asked(context, |row| row.longest_unfinished > 0)?;
        let mut alerts = Vec::new();
        for of_service in connections.chunk_by(|a, b| (a.target, a.port) == (b.target, b.port)) {
            let Some(head) = of_service.first() else { continue };
            let settings = &context.settings(head.target).http;
            // Sorted alike: those of one server lie together.
            let start = unfinished.partition_point(|row| (row.server, row.port) < (head.target, head.port));
            let asked: Vec<&Asked> = unfinished[start..]
                .iter()
                .take_while(|row| (row.server, row.port) == (head.target, head.port))
                .filter(|row| row.longest_unfinished >= from_seconds(settings.held_s))
                .collect();
            let read = Attack::read(settings, of_service, &asked);
            if read.is_empty() && !context.asymmetric {
                let by_client = of_service.chunk_by(|a, b| a.source == b.source);
                alerts.extend(by_client.filter_map(|held| Attack::unread(settings, held)).map(|attack| attack.alert(context)));
            }
            alerts.extend(read.iter().map(|attack| attack.alert(context)));
        }
        Ok(alerts)
    }
}

/// Long connections of one client to one web server that began in the same minute.
#[derive(Clone, Debug)]
struct Held {
    source: Address,
    target: Address,
    port: u16,
    tls: bool,
    minute: Nanos,
    frames: FrameSpan,
    connections: u64,
    packets: u64,
    back: u64,
    fingerprints: u64,
    /// Beginning, end, and bytes of the client, of each that lasted `http.held_s`.
    long: Vec<(Nanos, Nanos, u64)>,
}

impl Held {
    /// Rows of web servers with a connection that lasted, by server, port, client and time. Rows of clients that
    /// have too few connections in all are left out before their connections are looked at.
    fn find(context: &Context<'_>) -> Result<Vec<Self>, Error> {
        let table = &context.tables.contacts;
        if table.height() == 0 {
            return Ok(Vec::new());
        }
        let spoken = web_services(context)?;
        let (sources, targets, ports) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u16s(table, col::PORT)?);
        let (protos, minutes, longest) = (u8s(table, col::PROTO)?, i64s(table, col::MINUTE)?, i64s(table, col::LONGEST)?);
        let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
        let (connections, packets, back) = (u32s(table, col::CONNECTIONS)?, u64s(table, col::PACKETS)?, u64s(table, col::BYTES_BACK)?);
        let (fingerprints, series) = (u64s(table, col::FINGERPRINTS)?, sketches(table, col::SERIES)?);
        let is_web = |row: usize| WEB_PORTS.binary_search(&ports[row]).is_ok() || spoken.contains_key(&(targets[row], ports[row]));
        let lasted = |row: &usize| {
            protos[*row] == ip_proto::TCP
                && longest[*row] >= SECOND
                && is_web(*row)
                && longest[*row] >= from_seconds(context.settings(targets[*row]).http.held_s)
        };
        let rows: Vec<usize> = (0..table.height()).filter(lasted).collect();
        let mut of_service: BTreeMap<(Address, u16), u64> = BTreeMap::new();
        for row in &rows {
            *of_service.entry((targets[*row], ports[*row])).or_default() += u64::from(connections[*row]);
        }
        let mut found = Vec::new();
        for row in rows {
            let (target, port) = (targets[row], ports[row]);
            let settings = &context.settings(target).http;
            if of_service.get(&(target, port)).is_none_or(|connections| *connections < u64::from(settings.held)) {
                continue;
            }
            let least = from_seconds(settings.held_s);
            let long: Vec<_> = Start::read(series.get(row).unwrap_or_default())
                .map(|start| (start, Nanos::from(start.lasted_s) * SECOND))
                .filter(|(_, lasted)| *lasted >= least)
                .map(|(start, lasted)| {
                    let began = minutes[row] + Nanos::from(start.ms) * MILLISECOND;
                    (began, began + lasted, u64::from(start.bytes_out))
                })
                .collect();
            if !long.is_empty() {
                found.push(Self {
                    source: sources[row],
                    target,
                    port,
                    tls: spoken.get(&(target, port)).map_or(TLS_PORTS.contains(&port), |tls| *tls),
                    minute: minutes[row],
                    frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
                    connections: u64::from(connections[row]),
                    packets: packets[row],
                    back: back[row],
                    fingerprints: fingerprints[row],
                    long,
                });
            }
        }
        found.sort_by_key(|held| (held.target, held.port, held.source, held.minute));
        Ok(found)
    }

    /// Nothing was asked, or nothing answered, as far as bytes tell.
    fn is_idle(&self) -> bool {
        self.back <= self.connections * if self.tls { TLS_HANDSHAKE } else { NO_ANSWER }
    }
}

/// Servers and ports where HTTP was spoken (false), or TLS at a port for the web (true).
fn web_services(context: &Context<'_>) -> Result<BTreeMap<(Address, u16), bool>, Error> {
    let table = &context.tables.facts.services;
    let mut found = BTreeMap::new();
    if table.height() == 0 {
        return Ok(found);
    }
    let (servers, ports, services) = (u32s(table, col::SERVER)?, u16s(table, col::PORT)?, texts(table, col::SERVICE)?);
    for row in 0..table.height() {
        let service = services.get(row).unwrap_or_default();
        if service == Service::Http.name() {
            found.insert((servers[row], ports[row]), false);
        } else if service == Service::Tls.name() && WEB_PORTS.binary_search(&ports[row]).is_ok() {
            found.entry((servers[row], ports[row])).or_insert(true);
        }
    }
    Ok(found)
}

/// The most connections that were open at once, each of them for `held` already; and when there were `limit` of them.
fn at_once(long: impl Iterator<Item = (Nanos, Nanos)>, held: Nanos, limit: u64) -> (u64, Option<Nanos>) {
    let mut events: Vec<(Nanos, bool)> = long.flat_map(|(began, ended)| [(began + held, false), (ended, true)]).collect();
    events.sort_unstable();
    let (mut open, mut most, mut reached) = (0_u64, 0, None);
    for (ts, ends) in events {
        open = if ends { open - 1 } else { open + 1 };
        most = most.max(open);
        if open >= limit {
            reached.get_or_insert(ts);
        }
    }
    (most, reached)
}

/// How many requests each client did not finish, and the longest of them.
fn unfinished_by_client(asked: &[&Asked]) -> BTreeMap<Address, (u64, Nanos)> {
    let mut found: BTreeMap<Address, (u64, Nanos)> = BTreeMap::new();
    for row in asked {
        let (unfinished, longest) = found.entry(row.client).or_default();
        *unfinished += row.unfinished;
        *longest = row.longest_unfinished.max(*longest);
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// Requests were seen that did not end.
    Unfinished,
    /// The server never answered.
    Unanswered,
    /// What is said is encrypted.
    Encrypted,
}

/// Connections to one server that are held open at once.
struct Attack {
    sight: Sight,
    held: Vec<Held>,
    /// Requests that were not finished, and the longest of them.
    unfinished: u64,
    longest: Nanos,
    most: u64,
    reached: Nanos,
}

impl Attack {
    /// Attacks whose requests could be read: of single clients, else of all together that finish hardly any.
    fn read(settings: &config::Http, of_service: &[Held], asked: &[&Asked]) -> Vec<Self> {
        let by_client = unfinished_by_client(asked);
        let mut suspects: Vec<(&[Held], u64, Nanos)> = Vec::new();
        for held in of_service.chunk_by(|a, b| a.source == b.source) {
            let of_client = held.first().and_then(|head| by_client.get(&head.source));
            let (unfinished, longest) = of_client.copied().unwrap_or_default();
            let long: usize = held.iter().map(|held| held.long.len()).sum();
            // Most of what the client holds open is unfinished; else it is a visitor who was cut off once.
            if unfinished > 0 && unfinished * 2 >= long as u64 {
                suspects.push((held, unfinished, longest));
            }
        }
        let attack = |suspects: &[(&[Held], u64, Nanos)]| {
            let unfinished = suspects.iter().map(|(_, unfinished, _)| unfinished).sum();
            let held: Vec<Held> = suspects.iter().flat_map(|(held, ..)| held.iter().cloned()).collect();
            let longest = suspects.iter().map(|(.., longest)| *longest).max().unwrap_or_default();
            Self::of(settings, Sight::Unfinished, held, unfinished, longest).filter(|attack| attack.unfinished >= u64::from(settings.held))
        };
        let single: Vec<Self> = suspects.iter().filter_map(|suspect| attack(std::slice::from_ref(suspect))).collect();
        if single.is_empty() { attack(&suspects).into_iter().collect() } else { single }
    }

    /// Where nothing was read: connections of one client that hardly carry a byte.
    fn unread(settings: &config::Http, held: &[Held]) -> Option<Self> {
        let idle: Vec<Held> = held.iter().filter(|held| held.is_idle()).cloned().collect();
        let sight = if idle.first()?.tls { Sight::Encrypted } else { Sight::Unanswered };
        let hosts = idle.iter().fold(0, |bits, held| bits | held.fingerprints).count_ones();
        if sight == Sight::Encrypted && hosts >= NAT_FINGERPRINTS {
            return None;
        }
        Self::of(settings, sight, idle, 0, 0)
    }

    fn of(settings: &config::Http, sight: Sight, held: Vec<Held>, unfinished: u64, longest: Nanos) -> Option<Self> {
        let slow = |(began, ended, bytes): &&(Nanos, Nanos, u64)| {
            sight == Sight::Unfinished || *bytes <= TRICKLE * u64::try_from((ended - began) / SECOND).unwrap_or_default()
        };
        let long = held.iter().flat_map(|held| &held.long).filter(slow).map(|(began, ended, _)| (*began, *ended));
        let (most, reached) = at_once(long.clone(), from_seconds(settings.held_s), u64::from(settings.held));
        let longest = longest.max(long.map(|(began, ended)| ended - began).max().unwrap_or_default());
        Some(Self { sight, unfinished, longest, most, reached: reached?, held })
    }

    fn severity(&self, settings: &config::Http, clients: u64) -> Severity {
        let held = u64::from(settings.held);
        match self.sight {
            Sight::Unfinished if clients == 1 && self.most >= SURE * held => Severity::High,
            Sight::Unfinished => Severity::Medium,
            Sight::Unanswered if self.most >= SURE_UNREAD * held => Severity::Medium,
            Sight::Unanswered | Sight::Encrypted => Severity::Low,
        }
    }

    fn alert(&self, context: &Context<'_>) -> Alert {
        let (target, port) = self.held.first().map_or((0, 0), |held| (held.target, held.port));
        let settings = &context.settings(target).http;
        let server = context.address(target);
        let clients: BTreeSet<Address> = self.held.iter().map(|held| held.source).collect();
        let (attackers, attacker_count) = listed(clients.into_iter().map(|client| context.address(client)).collect());
        let who = if attacker_count == 1 { attackers.first().cloned().unwrap_or_default() } else { counted(attacker_count, "client") };
        let long = || self.held.iter().flat_map(|held| &held.long);
        let first = long().map(|(began, ..)| *began).min().unwrap_or_default();
        let last = long().map(|(_, ended, _)| *ended).max().unwrap_or_default();
        let (technique, what) = match self.sight {
            Sight::Unfinished => (
                "slow_headers",
                format!("{} ended, or the capture did, before the headers of a request were complete", grouped(self.unfinished)),
            ),
            Sight::Unanswered => ("unanswered", "hardly a byte was sent on them, and the server answered none".to_owned()),
            Sight::Encrypted => ("encrypted", "hardly more than a TLS handshake was sent on them".to_owned()),
        };
        let mut values = vec![
            measured("open at once", self.most as f64, "connections", Some(f64::from(settings.held))),
            measured("longest", self.longest as f64 / SECOND as f64, "seconds", Some(settings.held_s)),
        ];
        if self.sight == Sight::Unfinished {
            values.push(measured("unfinished requests", self.unfinished as f64, "requests", Some(f64::from(settings.held))));
        }
        Alert {
            kind: "slow_http",
            technique: Some(technique),
            title: format!("Connections to the web server {server} held open by {who}"),
            message: format!(
                "{who} held {} connections to {server}, tcp port {}, open at once, each for {} at least and up to {}; {what}",
                grouped(self.most),
                named(port),
                time::duration(from_seconds(settings.held_s)),
                time::duration(self.longest),
            ),
            severity: self.severity(settings, attacker_count),
            confidence: match self.sight {
                Sight::Unfinished => 0.9,
                Sight::Unanswered => 0.5,
                Sight::Encrypted => 0.3,
            },
            attack: &["T1499.002"],
            first_seen: first,
            last_seen: last,
            detected_at: self.reached,
            attackers,
            attacker_count,
            victims: vec![server.to_string()],
            victim_count: 1,
            ports: vec![port],
            port_count: 1,
            protocol: "tcp",
            measured: values,
            window_s: settings.held_s,
            flow_count: self.held.iter().map(|held| held.connections).sum(),
            packet_count: self.held.iter().map(|held| held.packets).sum(),
            frames: frames(self.held.iter().map(|held| held.frames)),
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Count the server's connections by client and state (ss -tn), and look whether its workers are all busy.",
                "Set a time limit for the headers and the body of a request, and a limit of connections per client (mod_reqtimeout, client_header_timeout, limit_conn).",
                "Ask whether the client is a proxy or a pool of connections of your own; if so, add it to the allow-list.",
            ]),
            picture: Picture::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::{Fact, Request, RequestKind};
    use crate::detect::testing::{Capture, host};

    /// Connections of one client, a tenth of a second apart, that end after so many seconds.
    struct Hold {
        connections: u16,
        seconds: i64,
        port: u16,
        sent: u32,
        answered: u32,
        unfinished: bool,
    }

    const SLOWLORIS: Hold = Hold { connections: 50, seconds: 40, port: 80, sent: 200, answered: 0, unfinished: true };

    impl Hold {
        fn by(&self, capture: &mut Capture, client: u32) {
            for n in 0..self.connections {
                capture.at_ms(i64::from(n) * 100).handshake_from(client, 2_000 + n, 99, self.port);
                capture.data(client, 2_000 + n, 99, self.port, self.sent);
                if self.answered > 0 {
                    capture.data(99, self.port, client, 2_000 + n, self.answered);
                }
            }
            for n in 0..self.connections {
                capture.at_ms(i64::from(n) * 100 + self.seconds * 1_000).data(client, 2_000 + n, 99, self.port, 1);
                if self.unfinished {
                    let kind = RequestKind::Unfinished { open: self.seconds * SECOND };
                    capture.said(client, 99, self.port, Service::Http, |at| Fact::Request(Request { kind, path: 0, at }));
                }
            }
        }

        fn judged(&self) -> Vec<Alert> {
            let mut capture = Capture::default();
            self.by(&mut capture, 5);
            capture.judge(&SlowHttp)
        }
    }

    #[test]
    fn requests_that_never_end_are_probably_hostile_and_many_surely() {
        let found = SLOWLORIS.judged();
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Medium, Some("slow_headers")));
        assert_eq!((&found[0].attackers, &found[0].victims, found[0].measured[0].value), (&vec![host(5)], &vec![host(99)], 50.0));
        assert_eq!(Hold { connections: 100, ..SLOWLORIS }.judged()[0].severity, Severity::High);
    }

    #[test]
    fn one_fewer_or_a_little_shorter_is_none() {
        assert!(Hold { connections: 49, ..SLOWLORIS }.judged().is_empty());
        assert!(Hold { seconds: 29, ..SLOWLORIS }.judged().is_empty());
        // The first ends 31 s after its beginning, 3.9 s before the last has been held for 30 s.
        assert!(Hold { seconds: 31, ..SLOWLORIS }.judged().is_empty());
    }

    #[test]
    fn many_clients_with_a_few_each_are_told_together() {
        let mut capture = Capture::default();
        (0..5).for_each(|client| Hold { connections: 10, ..SLOWLORIS }.by(&mut capture, 200 + client));
        let found = capture.judge(&SlowHttp);
        assert_eq!((found.len(), found[0].attacker_count, found[0].severity), (1, 5, Severity::Medium));
    }

    #[test]
    fn connections_without_an_answer_are_worth_a_look() {
        let silent = Hold { unfinished: false, ..SLOWLORIS };
        let found = silent.judged();
        assert_eq!((found[0].severity, found[0].technique), (Severity::Low, Some("unanswered")));
        assert_eq!(Hold { connections: 200, seconds: 60, ..silent }.judged()[0].severity, Severity::Medium);
    }

    #[test]
    fn long_polling_and_pools_of_kept_connections_are_answered() {
        assert!(Hold { unfinished: false, answered: 300, ..SLOWLORIS }.judged().is_empty());
    }

    #[test]
    fn behind_tls_little_more_than_a_handshake_is_worth_a_look() {
        let tls = Hold { unfinished: false, port: 443, sent: 800, answered: 4_000, ..SLOWLORIS };
        assert_eq!(tls.judged()[0].technique, Some("encrypted"));
        assert_eq!(tls.judged()[0].severity, Severity::Low);
        assert!(Hold { answered: 20_000, ..tls }.judged().is_empty());
    }

    #[test]
    fn an_upload_is_not_slow() {
        assert!(Hold { unfinished: false, sent: 100_000, ..SLOWLORIS }.judged().is_empty());
    }

    #[test]
    fn other_services_hold_connections_as_they_like() {
        assert!(Hold { unfinished: false, port: 5_432, ..SLOWLORIS }.judged().is_empty());
    }
}
