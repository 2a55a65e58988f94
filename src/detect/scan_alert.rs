//! How a scan is told: the alert of a [`Scan`], whatever its shape.

use super::alert::{Alert, FrameSpan, LISTED, Measured, Picture, Probe as Point, Severity};
use super::context::{Context, listed};
use super::probes::Probe;
use super::scans::{Scan, Shape, Strength};
use super::wording::grouped;
use crate::community_id::community_id;
use crate::net::ip_proto;
use crate::table::Address;
use crate::time::{self, MINUTE, SECOND};

/// Points of a picture; more than a chart has pixels for would only cost memory.
const POINTS: usize = 20_000;

/// Ports behind which worms and brute force live: a sweep of one is worse than a sweep of others.
const RISKY: [u16; 12] = [22, 23, 135, 139, 445, 1433, 2323, 3306, 3389, 5432, 5900, 6379];

/// What differs between the shapes.
pub(super) struct Telling {
    pub kind: &'static str,
    pub title: &'static str,
    pub counted: &'static str,
    pub attack: &'static [&'static str],
}

/// What came back, in pairs of host and port.
struct Answers {
    refused: u64,
    silent: u64,
    open: u64,
    /// What came of it nobody told.
    untold: u64,
}

pub(super) fn alert(context: &Context<'_>, scan: &Scan, telling: &Telling) -> Alert {
    let source = context.address(scan.source);
    let targets: Vec<Address> = scan.targets().into_iter().collect();
    let (victims, victim_count) = listed(targets.iter().map(|target| context.address(*target)).collect());
    let ports = distinct_ports(&scan.probes);
    let open = open_ports(context, scan);
    let answers = Answers {
        refused: count(&scan.probes, |probe| probe.refused),
        silent: count(&scan.probes, |probe| !probe.refused && !probe.open && !probe.untold),
        open: open.len() as u64,
        untold: count(&scan.probes, |probe| probe.untold),
    };
    let attempts: u64 = scan.probes.iter().map(|probe| u64::from(probe.attempts)).sum();
    let packets = scan.probes.iter().map(|probe| probe.packets).sum();
    let folded = folded(context, scan);
    Alert {
        kind: telling.kind,
        technique: Some(scan.technique()),
        title: title(scan, telling, &source.to_string(), &victims),
        message: message(context, scan, &ports, victim_count, &answers, folded),
        severity: severity(context, scan, &ports),
        confidence: confidence(scan),
        attack: telling.attack,
        first_seen: scan.first(),
        last_seen: scan.last(),
        detected_at: scan.detected_at,
        attackers: vec![source.to_string()],
        attacker_count: 1,
        victims,
        victim_count,
        port_count: ports.len() as u64,
        ports: ports.into_iter().take(LISTED).collect(),
        protocol: scan.class.protocol(),
        measured: measured(scan, telling, &answers, folded),
        window_s: scan.window as f64 / SECOND as f64,
        flow_count: attempts,
        packet_count: packets,
        frames: frames(&scan.probes),
        community_ids: community_ids(context, scan),
        quality: Vec::new(),
        next_steps: next_steps(&source.to_string(), &open, &answers),
        picture: picture(scan),
    }
}

fn title(scan: &Scan, telling: &Telling, source: &str, victims: &[String]) -> String {
    let what = match scan.strength {
        Strength::Firm => telling.title.into(),
        Strength::Slow => format!("Slow {}", telling.title.to_lowercase()),
        Strength::Early => format!("Possible {}", telling.title.to_lowercase()),
    };
    match victims {
        [victim] => format!("{what} of {victim} by {source}"),
        _ => format!("{what} of {} hosts by {source}", grouped(scan.targets().len() as u64)),
    }
}

fn severity(context: &Context<'_>, scan: &Scan, ports: &[u16]) -> Severity {
    if scan.peer_to_peer {
        return Severity::Info;
    }
    if scan.strength != Strength::Firm {
        return if scan.strength == Strength::Early { Severity::Low } else { Severity::Medium };
    }
    let severity = if is_high(context, scan, ports) { Severity::High } else { Severity::Medium };
    if is_hearsay(scan) { severity.lowered() } else { severity }
}

/// Most of it is known from answers alone, which anybody can forge who wants to blame another.
fn is_hearsay(scan: &Scan) -> bool {
    2 * scan.probes.iter().filter(|probe| probe.implied).count() > scan.probes.len()
}

fn is_high(context: &Context<'_>, scan: &Scan, ports: &[u16]) -> bool {
    match scan.shape {
        Shape::Block => true,
        Shape::Ports => scan.exploited || scan.count >= context.settings(scan.source).scan.high_ports,
        Shape::Hosts => context.address(scan.source).is_private() || ports.iter().any(|port| RISKY.contains(port)),
    }
}

/// What answers without questions are worth beside a scan that was captured.
const HEARSAY: f64 = 0.5;

/// From how far the count lies beyond its threshold and how much failed: 0.5 at the threshold with
/// nothing refused, 0.99 at ten times the threshold.
fn confidence(scan: &Scan) -> f64 {
    if scan.strength == Strength::Early {
        return 0.4;
    }
    let beyond = (f64::from(scan.count) / f64::from(scan.threshold.max(1))).log10().clamp(0.0, 1.0);
    let worth = if is_hearsay(scan) { HEARSAY } else { 1.0 };
    (worth * (0.5 + 0.3 * beyond + 0.19 * scan.fail_ratio) * 100.0).round() / 100.0
}

fn message(context: &Context<'_>, scan: &Scan, ports: &[u16], victims: u64, answers: &Answers, folded: u64) -> String {
    let source = context.address(scan.source);
    let verb = match (scan.strength, scan.class.protocol()) {
        (Strength::Early, _) => "tried in vain",
        (_, _) => "probed",
    };
    let what = match scan.shape {
        Shape::Ports if victims == 1 => {
            let target = scan.probes.first().map(|probe| context.address(probe.target).to_string()).unwrap_or_default();
            format!("{} {} ports of {target}", grouped(ports.len() as u64), scan.class.protocol().to_uppercase())
        }
        Shape::Hosts if ports.len() == 1 => {
            format!("{} port {} of {} hosts", scan.class.protocol().to_uppercase(), ports[0], grouped(victims))
        }
        _ => format!("{} {} ports on {} hosts", grouped(ports.len() as u64), scan.class.protocol().to_uppercase(), grouped(victims)),
    };
    let mut text = format!("{source} {verb} {what} in {}", time::duration(scan.last() - scan.first()));
    text.push_str(&answers.told());
    if folded > 0 {
        text.push_str("; ");
        text.push_str(&grouped(folded));
        text.push_str(" more packets came too fast to be kept one by one");
    }
    if is_hearsay(scan) {
        text += "; only answers were captured and not what they answer, and answers can be forged";
    }
    if scan.exploited {
        text += "; data was exchanged with a target afterwards";
    }
    text
}

fn measured(scan: &Scan, telling: &Telling, answers: &Answers, folded: u64) -> Vec<Measured> {
    let Answers { refused, silent, open, untold } = *answers;
    let plain = |name, value, unit| Measured { name, value, unit, threshold: None };
    let seconds = ((scan.last() - scan.first()) as f64 / SECOND as f64).max(1.0);
    let mut measured = vec![
        Measured { name: telling.counted, value: f64::from(scan.count), unit: "in the window", threshold: Some(f64::from(scan.threshold)) },
        plain("fail_ratio", (scan.fail_ratio * 1_000.0).round() / 1_000.0, "share of first contacts"),
        plain("refused", refused as f64, "pairs of host and port"),
        plain("silent", silent as f64, "pairs of host and port"),
        plain("open", open as f64, "pairs of host and port"),
        plain("rate", (scan.probes.len() as f64 / seconds * 100.0).round() / 100.0, "probes per second"),
    ];
    if untold > 0 {
        measured.push(plain("untold", untold as f64, "pairs of host and port"));
    }
    if folded > 0 {
        measured.push(plain("folded_packets", folded as f64, "packets"));
    }
    measured
}

impl Answers {
    fn told(&self) -> String {
        let Self { refused, silent, open, untold } = *self;
        if refused + silent + open == 0 {
            return "; what came of it nobody told".into();
        }
        let rest = if untold > 0 { format!(", {} untold", grouped(untold)) } else { String::new() };
        format!(": {} refused, {} silent, {} open{rest}", grouped(refused), grouped(silent), grouped(open))
    }
}

/// Packets of this source that made no state, in the minutes of the scan.
fn folded(context: &Context<'_>, scan: &Scan) -> u64 {
    let period = time::pane(scan.first(), MINUTE)..=scan.last();
    context.folds_from(scan.source).filter(|(minute, _)| period.contains(minute)).map(|(_, packets)| packets).sum()
}

fn count(probes: &[Probe], keep: impl Fn(&Probe) -> bool) -> u64 {
    let mut pairs: Vec<(Address, u16)> = probes.iter().filter(|probe| keep(probe)).map(|probe| (probe.target, probe.port)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.len() as u64
}

fn distinct_ports(probes: &[Probe]) -> Vec<u16> {
    let mut ports: Vec<u16> = probes.iter().map(|probe| probe.port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn open_ports(context: &Context<'_>, scan: &Scan) -> Vec<String> {
    let mut open: Vec<(Address, u16)> = scan.probes.iter().filter(|probe| probe.open).map(|probe| (probe.target, probe.port)).collect();
    open.sort_unstable();
    open.dedup();
    open.into_iter().map(|(target, port)| format!("{} port {port}", context.address(target))).collect()
}

fn frames(probes: &[Probe]) -> FrameSpan {
    FrameSpan {
        first: probes.iter().map(|probe| probe.first_ordinal).min().unwrap_or_default(),
        last: probes.iter().map(|probe| probe.last_ordinal).max().unwrap_or_default(),
    }
}

fn community_ids(context: &Context<'_>, scan: &Scan) -> Vec<String> {
    let proto = match scan.class.protocol() {
        "udp" => ip_proto::UDP,
        "sctp" => ip_proto::SCTP,
        _ => ip_proto::TCP,
    };
    let source = context.address(scan.source);
    // Port 0, which no program can have (RFC 6335), stands for one that nobody told.
    scan.probes
        .iter()
        .filter(|probe| probe.source_port > 0)
        .take(LISTED)
        .map(|probe| community_id(source, context.address(probe.target), probe.source_port, probe.port, proto))
        .collect()
}

fn next_steps(source: &str, open: &[String], answers: &Answers) -> Vec<String> {
    let mut steps = vec![format!("find out who runs {source} and whether it is an approved scanner; if so, put it on the allow-list")];
    if answers.untold > 0 {
        steps.push("find out which of these ports answered: what came of these attempts nobody told".into());
    } else if open.is_empty() {
        steps.push("no port answered as open: look for a second, slower attempt from other addresses".into());
    } else {
        let shown: Vec<&str> = open.iter().take(5).map(String::as_str).collect();
        let more = open.len().saturating_sub(5);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        steps.push(format!("check the services that answered as open: {}{rest}", shown.join(", ")));
    }
    steps.push("look in flows.csv for connections from this source with payload after the scan".into());
    steps
}

fn picture(scan: &Scan) -> Picture {
    let step = scan.probes.len().div_ceil(POINTS).max(1);
    let by_host = scan.shape == Shape::Hosts;
    let mut hosts: Vec<Address> = scan.probes.iter().map(|probe| probe.target).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let rank = |target: Address| hosts.binary_search(&target).ok().and_then(|place| u32::try_from(place + 1).ok()).unwrap_or_default();
    let point =
        |probe: &Probe| Point { ts: probe.ts, value: if by_host { rank(probe.target) } else { u32::from(probe.port) }, open: probe.open };
    Picture::Probes {
        axis: if by_host { "target, by address" } else { "port" },
        points: scan.probes.iter().step_by(step).map(point).collect(),
    }
}

/// The alerts of all scans of one shape.
pub(super) fn alerts(context: &Context<'_>, shape: Shape, telling: &Telling) -> Vec<Alert> {
    context.scans.scans.iter().filter(|scan| scan.shape == shape).map(|scan| alert(context, scan, telling)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::port_scan::PortScan;
    use super::super::testing::Capture;
    use super::*;

    /// The answers to 200 probes of 10.0.0.5, with the probes or without them.
    fn refused(asked: bool) -> Alert {
        let mut capture = Capture::default();
        for port in 1..=200 {
            capture.at_ms(i64::from(port) * 20);
            if asked {
                capture.syn_from(5, 40_000, 9, port);
            }
            capture.refusal(9, port, 5, 40_000);
        }
        let mut found = capture.judge(&PortScan);
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[test]
    fn answers_alone_may_be_forged_and_weigh_less() {
        let (seen, told) = (refused(true), refused(false));
        assert_eq!((seen.severity, told.severity), (Severity::High, Severity::Medium));
        assert!(told.confidence <= seen.confidence / 2.0 + 0.01, "{} {}", told.confidence, seen.confidence);
        assert!(told.message.contains("only answers were captured") && !seen.message.contains("only answers"));
    }
}
