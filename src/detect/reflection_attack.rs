#![doc = include_str!("docs/reflection_attack.md")]

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::*;

use super::Detector;
use super::alert::{Alert, FrameSpan, Severity};
use super::context::{Context, listed, share};
use super::flood_evidence::{Evidence, TCP, UDP};
use super::flood_seconds::{Flood, Pane, Panes, column, measured, runs, steps};
use super::rows::{collect, contacts, i64s, u16s, u32s, u64s};
use super::wording::{counted, grouped};
use crate::config::Settings;
use crate::error::Error;
use crate::net::ip_proto;
use crate::pipeline::nanos;
use crate::table::{Address, schema as col};
use crate::time::{self, MINUTE, Nanos};

pub(super) struct ReflectionAttack;

const DOCUMENTATION: &str = include_str!("docs/reflection_attack.md");

/// UDP services that answer with more than they were asked (CISA alert TA14-017A, and what was found
/// since), by port. Sorted.
const AMPLIFIERS: &[(u16, &str)] = &[
    (17, "QOTD"),
    (19, "CharGEN"),
    (53, "DNS"),
    (69, "TFTP"),
    (111, "portmapper"),
    (123, "NTP"),
    (137, "NetBIOS"),
    (161, "SNMP"),
    (177, "XDMCP"),
    (389, "CLDAP"),
    (427, "SLP"),
    (500, "ISAKMP"),
    (520, "RIP"),
    (623, "IPMI"),
    (1434, "MS SQL browser"),
    (1900, "SSDP"),
    (3283, "Apple Remote Desktop"),
    (3389, "RDP"),
    (3478, "STUN"),
    (3702, "WS-Discovery"),
    (5060, "SIP"),
    (5353, "mDNS"),
    (5683, "CoAP"),
    (10_001, "Ubiquiti discovery"),
    (11_211, "memcached"),
    (27_015, "Steam"),
    (37_810, "DHDiscover"),
];

/// This many times `flood.reflection_packets` is an attack however few bytes it brings, as small
/// answers in such numbers are no lost requests.
const MANY: u64 = 10;
/// The share of TCP segments that must be answers; a client gets data besides.
const TCP_ANSWERS: f64 = 0.8;

impl Detector for ReflectionAttack {
    fn id(&self) -> &'static str {
        "reflection_attack"
    }

    fn summary(&self) -> &'static str {
        "answers nobody asked for, from many servers to one host"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let mut floods: Vec<(Flood, Wave)> = Vec::new();
        for wave in [Wave::Udp, Wave::Tcp] {
            floods.extend(wave.floods(context)?.into_iter().map(|flood| (flood, wave)));
        }
        let evidence = Evidence::of(context, floods.iter().map(|(flood, _)| flood.target))?;
        floods.retain(|(flood, wave)| !evidence.is_provoked(flood, wave.protos()));
        let sprays = to_service_ports(context)?;
        let untold = sprays.iter().filter(|spray| !floods.iter().any(|(flood, _)| flood.covers(spray.target, spray.first, spray.last)));
        let told = floods.iter().map(|(flood, wave)| alert(context, flood, *wave));
        Ok(told.chain(untold.map(|spray| spray.alert(context))).collect())
    }
}

/// The service behind a port that amplifies.
fn amplifier(port: u16) -> Option<&'static str> {
    AMPLIFIERS.binary_search_by_key(&port, |(port, _)| *port).ok().and_then(|place| AMPLIFIERS.get(place)).map(|(_, name)| *name)
}

/// A flood of UDP that this detector tells.
pub(super) fn explains(context: &Context<'_>, flood: &Flood) -> bool {
    let settings = context.settings(flood.target);
    flood.counts.unsolicited * 2 > flood.counted && Wave::Udp.is_from_reflectors(settings, flood)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wave {
    Udp,
    Tcp,
}

impl Wave {
    const fn protos(self) -> &'static [u8] {
        match self {
            Self::Udp => UDP,
            Self::Tcp => TCP,
        }
    }

    fn counted(self) -> Expr {
        match self {
            Self::Udp => column("unsolicited"),
            Self::Tcp => column("syn_ack") + column("rst"),
        }
    }

    fn floods(self, context: &Context<'_>) -> Result<Vec<Flood>, Error> {
        let panes = Panes::all(context, self.counted())?;
        let mut floods = Vec::new();
        for (target, of_target) in &panes.targets {
            let settings = context.settings(*target);
            for run in runs(of_target, nanos(settings.flood.join_gap_s)) {
                if let Some(crossed) = self.crossed(settings, run) {
                    let flood = Flood::of(context, &panes, *target, crossed, run)?;
                    if self.is_from_reflectors(settings, &flood) {
                        floods.push(flood);
                    }
                }
            }
        }
        Ok(floods)
    }

    /// When the packets of `flood.reflection_window_s` first were enough.
    fn crossed(self, settings: &Settings, run: &[Pane]) -> Option<Nanos> {
        let window = nanos(settings.flood.reflection_window_s);
        let mut from = 0;
        for (place, pane) in run.iter().enumerate() {
            while run[from].ts + window <= pane.ts {
                from += 1;
            }
            if self.is_enough(settings, &run[from..=place]) {
                return Some(pane.ts + pane.width);
            }
        }
        None
    }

    fn is_enough(self, settings: &Settings, panes: &[Pane]) -> bool {
        let sum = |value: fn(&Pane) -> u64| panes.iter().map(value).sum::<u64>();
        let least = u64::from(settings.flood.reflection_packets);
        match self {
            Self::Udp => {
                let pieces = sum(|pane| pane.counted + pane.counts.later_fragments());
                sum(|pane| pane.counted) >= least
                    && (pieces >= MANY * least || sum(|pane| pane.counts.unsolicited_bytes) >= settings.flood.reflection_bytes)
            }
            Self::Tcp => {
                sum(|pane| pane.counted) >= MANY * least && share(sum(|pane| pane.counted), sum(|pane| pane.counts.tcp())) >= TCP_ANSWERS
            }
        }
    }

    fn is_from_reflectors(self, settings: &Settings, flood: &Flood) -> bool {
        let least = u64::from(settings.flood.reflection_sources);
        match self {
            Self::Udp => amplifier(flood.reflected_port).is_some() && flood.reflectors.count() >= least,
            Self::Tcp => flood.counts.syn_ack > flood.counts.rst && flood.sources.count() >= least,
        }
    }
}

fn alert(context: &Context<'_>, flood: &Flood, wave: Wave) -> Alert {
    let settings = &context.settings(flood.target).flood;
    let victim = context.address(flood.target);
    let service = match wave {
        Wave::Udp => amplifier(flood.reflected_port).unwrap_or("UDP"),
        Wave::Tcp => "TCP",
    };
    let reflectors = if wave == Wave::Udp { flood.reflectors.count() } else { flood.sources.count() };
    let (what, bytes) = match wave {
        Wave::Udp => (format!("{service} answers from port {}", flood.reflected_port), flood.counts.unsolicited_bytes),
        Wave::Tcp => ("SYN-ACK and RST segments".to_owned(), flood.counts.bytes),
    };
    Alert {
        technique: Some(if wave == Wave::Udp { "udp" } else { "tcp" }),
        message: format!(
            "{victim} received {} {what} that it had not asked for, {} bytes in {} (peak {}/s), from about {}",
            grouped(flood.counted),
            grouped(bytes),
            flood.lasted(),
            grouped(flood.peak),
            counted(reflectors, "reflector"),
        ),
        attacker_count: reflectors,
        ports: if wave == Wave::Udp { vec![flood.reflected_port] } else { Vec::new() },
        port_count: u64::from(wave == Wave::Udp),
        protocol: if wave == Wave::Udp { "udp" } else { "tcp" },
        measured: vec![
            measured("unsolicited answers", flood.counted as f64, "packets", Some(f64::from(settings.reflection_packets))),
            measured("bytes", bytes as f64, "bytes", (wave == Wave::Udp).then_some(settings.reflection_bytes as f64)),
            measured("reflectors", reflectors as f64, "addresses", Some(f64::from(settings.reflection_sources))),
        ],
        window_s: settings.reflection_window_s,
        ..Alert {
            picture: flood.alert(context, "packets/s", 0).picture,
            ..common(context, service, flood.target, flood.first, flood.last, flood.crossed, flood.frames, flood.counted)
        }
    }
}

/// What both ways of finding a reflection say alike.
#[expect(clippy::too_many_arguments, reason = "the fields of one alert, each of another type or name")]
fn common(
    context: &Context<'_>,
    service: &str,
    target: Address,
    first: Nanos,
    last: Nanos,
    crossed: Nanos,
    frames: FrameSpan,
    packets: u64,
) -> Alert {
    let victim = context.address(target);
    Alert {
        kind: "reflection_attack",
        technique: None,
        title: format!("{service} reflection against {victim}"),
        message: String::new(),
        severity: if context.asymmetric { Severity::Medium } else { Severity::High },
        confidence: if context.asymmetric { 0.5 } else { 0.9 },
        attack: &["T1498.002"],
        first_seen: first,
        last_seen: last,
        detected_at: crossed,
        attackers: Vec::new(),
        attacker_count: 0,
        victims: vec![victim.to_string()],
        victim_count: 1,
        ports: Vec::new(),
        port_count: 0,
        protocol: "udp",
        measured: Vec::new(),
        window_s: 60.0,
        flow_count: 0,
        packet_count: packets,
        frames,
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Filter answers from that service toward the victim upstream; the reflectors are misused and did not begin it.",
            "Check in an earlier part of the capture that the victim really sent no requests.",
        ]),
        picture: super::alert::Picture::None,
    }
}

/// Answers sent to a port below 1024, which the table of connections takes for requests: an attacker
/// names such a port so that filters let the answers in. They show as UDP "requests" from the port of
/// an amplifier that many hosts make of one.
struct Spray {
    target: Address,
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
    from_port: u16,
    /// Answers, and all packets that they came in.
    answers: u64,
    packets: u64,
    bytes: u64,
    reflectors: BTreeSet<Address>,
}

fn to_service_ports(context: &Context<'_>) -> Result<Vec<Spray>, Error> {
    if context.tables.contacts.height() == 0 {
        return Ok(Vec::new());
    }
    let from_amplifier = AMPLIFIERS.iter().map(|(port, _)| column(col::SOURCE_PORT).eq(lit(*port))).reduce(Expr::or).unwrap_or_else(|| lit(false));
    let later_pieces = column(col::SOURCE_PORT).eq(lit(0_u16)).and(column(col::PORT).eq(lit(0_u16)));
    let odd = from_amplifier.and(column(col::PORT).neq(column(col::SOURCE_PORT)));
    let unanswered = column(col::PROTO).eq(lit(ip_proto::UDP)).and(column(col::DATA).eq(lit(0_u32)));
    let rows = answers(&collect(contacts(context.tables).filter(unanswered).filter(odd.or(later_pieces)))?)?;
    let mut waves: BTreeMap<(Address, u16), Vec<&Answers>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.from_port != 0) {
        waves.entry((row.target, row.from_port)).or_default().push(row);
    }
    let mut sprays = Vec::new();
    for ((target, from_port), rows_of_port) in waves {
        let settings = context.settings(target);
        // Rows are by the minute; those that follow closely are one wave.
        let gap = MINUTE + nanos(settings.flood.join_gap_s);
        for wave in rows_of_port.chunk_by(|a, b| b.minute - a.minute <= gap) {
            let spray = Spray::of(target, from_port, wave, &rows);
            if spray.is_attack(settings) {
                sprays.push(spray);
            }
        }
    }
    Ok(sprays)
}

/// One minute of what one host sent from one port, in time order.
#[derive(Clone, Copy, Debug)]
struct Answers {
    minute: Nanos,
    source: Address,
    target: Address,
    from_port: u16,
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
    packets: u64,
    bytes: u64,
}

fn answers(table: &DataFrame) -> Result<Vec<Answers>, Error> {
    let (minutes, targets, sources) = (i64s(table, col::MINUTE)?, u32s(table, col::TARGET)?, u32s(table, col::SOURCE)?);
    let (from_ports, packets, bytes) = (u16s(table, col::SOURCE_PORT)?, u64s(table, col::PACKETS)?, u64s(table, col::BYTES_OUT)?);
    let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let mut rows: Vec<Answers> = (0..table.height())
        .map(|row| Answers {
            minute: minutes[row],
            source: sources[row],
            target: targets[row],
            from_port: from_ports[row],
            first: first[row],
            last: last[row],
            frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
            packets: packets[row],
            bytes: bytes[row],
        })
        .collect();
    rows.sort_by_key(|row| (row.minute, row.first, row.source, row.target));
    Ok(rows)
}

impl Spray {
    /// A wave of answers, with the later fragments that the same hosts sent meanwhile.
    fn of(target: Address, from_port: u16, wave: &[&Answers], all: &[Answers]) -> Self {
        let reflectors: BTreeSet<Address> = wave.iter().map(|row| row.source).collect();
        let (from, to) = (wave.first().map(|row| row.minute).unwrap_or_default(), wave.last().map(|row| row.minute).unwrap_or_default());
        let meanwhile = |row: &&Answers| row.from_port == 0 && row.target == target && (from..=to).contains(&row.minute) && reflectors.contains(&row.source);
        let pieces = || wave.iter().copied().chain(all.iter().filter(meanwhile));
        Self {
            target,
            first: pieces().map(|row| row.first).min().unwrap_or_default(),
            last: pieces().map(|row| row.last).max().unwrap_or_default(),
            frames: FrameSpan {
                first: pieces().map(|row| row.frames.first).min().unwrap_or_default(),
                last: pieces().map(|row| row.frames.last).max().unwrap_or_default(),
            },
            from_port,
            answers: wave.iter().map(|row| row.packets).sum(),
            packets: pieces().map(|row| row.packets).sum(),
            bytes: pieces().map(|row| row.bytes).sum(),
            reflectors,
        }
    }

    /// The mean over a longer time must be as high as the window asks for.
    fn is_attack(&self, settings: &Settings) -> bool {
        let windows = ((self.last - self.first) as f64 / nanos(settings.flood.reflection_window_s) as f64).max(1.0);
        let least = f64::from(settings.flood.reflection_packets);
        let (answers, packets, bytes) = (self.answers as f64 / windows, self.packets as f64 / windows, self.bytes as f64 / windows);
        answers >= least
            && (packets >= MANY as f64 * least || bytes >= settings.flood.reflection_bytes as f64)
            && self.reflectors.len() as u64 >= u64::from(settings.flood.reflection_sources)
    }

    fn alert(&self, context: &Context<'_>) -> Alert {
        let settings = &context.settings(self.target).flood;
        let service = amplifier(self.from_port).unwrap_or("UDP");
        let (attackers, attacker_count) = listed(self.reflectors.iter().map(|reflector| context.address(*reflector)).collect());
        Alert {
            technique: Some("udp"),
            message: format!(
                "{} received {} {service} answers from port {} at service ports of its own, {} packets with {} bytes in {}, from {}, and had asked none of them",
                context.address(self.target),
                grouped(self.answers),
                self.from_port,
                grouped(self.packets),
                grouped(self.bytes),
                time::duration(self.last - self.first),
                counted(attacker_count, "reflector"),
            ),
            attackers,
            attacker_count,
            ports: vec![self.from_port],
            port_count: 1,
            measured: vec![
                measured("unsolicited answers", self.answers as f64, "packets", Some(f64::from(settings.reflection_packets))),
                measured("bytes", self.bytes as f64, "bytes", Some(settings.reflection_bytes as f64)),
                measured("reflectors", attacker_count as f64, "addresses", Some(f64::from(settings.reflection_sources))),
            ],
            window_s: settings.reflection_window_s,
            ..common(context, service, self.target, self.first, self.last, self.last.min(self.first + nanos(settings.reflection_window_s)), self.frames, self.packets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::flag;
    use crate::detect::testing::{Capture, host};

    const VICTIM: u32 = 9;

    fn answers(count: u32, reflectors: u32, from_port: u16, to_port: u16) -> Vec<Alert> {
        let mut capture = Capture::default();
        (0..count).for_each(|n| capture.at_ms(i64::from(n) * 10).udp_of(1_400, 1_000 + n % reflectors, from_port, VICTIM, to_port));
        capture.judge(&ReflectionAttack)
    }

    #[test]
    fn a_megabyte_of_unasked_dns_answers_is_an_attack() {
        // 750 x (1400 + 28) bytes = 1.07 MB in 7.5 s; 650 are 0.93 MB.
        let found = answers(750, 40, 53, 33_000);
        assert_eq!(
            (found.len(), found[0].severity, &found[0].victims, &found[0].ports),
            (1, Severity::High, &vec![host(VICTIM)], &vec![53])
        );
        assert!(answers(650, 40, 53, 33_000).is_empty());
    }

    #[test]
    fn answers_to_a_service_port_are_found_too() {
        let found = answers(750, 40, 53, 22);
        assert_eq!((found.len(), found[0].attacker_count), (1, 40));
    }

    #[test]
    fn few_servers_and_services_that_do_not_amplify_are_none() {
        assert!(answers(750, 4, 53, 33_000).is_empty());
        assert!(answers(750, 40, 443, 33_000).is_empty());
    }

    #[test]
    fn answers_to_ones_own_questions_are_none() {
        let mut capture = Capture::default();
        for n in 0..1_500_u32 {
            let port = 20_000 + u16::try_from(n).unwrap();
            capture.at_ms(i64::from(n) * 10).udp(VICTIM, port, 1_000 + n % 40, 53);
            capture.at_ms(i64::from(n) * 10 + 5).udp_of(1_400, 1_000 + n % 40, 53, VICTIM, port);
        }
        assert!(capture.judge(&ReflectionAttack).is_empty());
    }

    #[test]
    fn syn_acks_without_syns_are_reflected_tcp_and_a_clients_are_not() {
        let mut capture = Capture::default();
        (0..3_000_u32).for_each(|n| capture.at_us(i64::from(n) * 50).tcp(1_000 + n, 80, VICTIM, 40_000, flag::SYN | flag::ACK));
        let found = capture.judge(&ReflectionAttack);
        assert_eq!((found.len(), found[0].technique), (1, Some("tcp")));
        let mut scanner = Capture::default();
        for n in 0..3_000_u32 {
            scanner.at_us(i64::from(n) * 900).syn_from(VICTIM, 40_000, 1_000 + n, 80);
            scanner.at_us(i64::from(n) * 900 + 400).tcp(1_000 + n, 80, VICTIM, 40_000, flag::SYN | flag::ACK);
        }
        assert!(scanner.judge(&ReflectionAttack).is_empty());
    }
}
