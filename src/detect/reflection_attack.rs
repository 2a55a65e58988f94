#![doc = include_str!("docs/reflection_attack.md")]

use polars::prelude::Expr;

use super::Detector;
use super::alert::{Alert, Severity};
use super::context::{Context, share};
use super::flood_evidence::{Evidence, TCP, UDP};
use super::flood_seconds::{Flood, Pane, Panes, column, measured, runs, steps};
use super::wording::{counted, grouped};
use crate::config::Settings;
use crate::error::Error;
use crate::time::{Nanos, from_seconds};

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
        Ok(floods.iter().map(|(flood, wave)| alert(context, flood, *wave)).collect())
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
        let mut panes = Panes::all(context, self.counted())?;
        if self == Self::Udp {
            // Unsolicited is TCP too; of UDP it can be no more than what arrived.
            let all = panes.targets.iter_mut().flat_map(|(_, panes)| panes);
            all.for_each(|pane| pane.counted = pane.counted.min(pane.counts.udp));
        }
        let mut floods = Vec::new();
        for (target, of_target) in &panes.targets {
            let settings = context.settings(*target);
            for run in runs(of_target, from_seconds(settings.flood.join_gap_s)) {
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
        let window = from_seconds(settings.flood.reflection_window_s);
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
            Self::Tcp => flood.counts.syn_ack > flood.counts.rst && flood.source_count() >= least,
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
    let reflectors = if wave == Wave::Udp { flood.reflectors.count() } else { flood.source_count() };
    let (what, bytes) = match wave {
        Wave::Udp => (format!("{service} answers from port {}", flood.reflected_port), flood.counts.unsolicited_bytes),
        Wave::Tcp => ("SYN-ACK and RST segments".to_owned(), flood.counts.bytes),
    };
    Alert {
        kind: "reflection_attack",
        technique: Some(if wave == Wave::Udp { "udp" } else { "tcp" }),
        title: format!("{service} reflection against {victim}"),
        message: format!(
            "{victim} received {} {what} that it had not asked for, {} bytes in {} (peak {}/s), from about {}",
            grouped(flood.counted),
            grouped(bytes),
            flood.lasted(),
            grouped(flood.peak),
            counted(reflectors, "reflector"),
        ),
        severity: if context.asymmetric { Severity::Medium } else { Severity::High },
        confidence: if context.asymmetric { 0.5 } else { 0.9 },
        attack: &["T1498.002"],
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
        next_steps: steps(&[
            "Filter answers from that service toward the victim upstream; the reflectors are misused and did not begin it.",
            "Check in an earlier part of the capture that the victim really sent no requests.",
        ]),
        ..flood.alert(context, "packets/s", 0)
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
