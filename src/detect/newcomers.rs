//! Hosts and services that a baseline does not know.
//!
//! Only of private networks: outside there is always somebody new. Only what exchanged something counts: an
//! address that somebody merely tried, or forged, is no host.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::baseline::Baseline;
use super::context::{Context, listed};
use super::flood_seconds::{measured, steps};
use super::rows::{i64s, u8s, u16s, u32s, u64s};
use super::wording::counted;
use crate::error::Error;
use crate::net::{Addr, ip_proto};
use crate::table::{Address, Tables, schema as col};
use crate::time::Nanos;

/// Both ends above: two programs that took whatever port was free.
const EPHEMERAL: u16 = 32_767;

/// A whole handshake, or payload that came back.
fn talked(tables: &Tables) -> Result<Vec<bool>, Error> {
    let contacts = &tables.contacts;
    let (empty, data, back) = (u32s(contacts, col::EMPTY)?, u32s(contacts, col::DATA)?, u64s(contacts, col::BYTES_BACK)?);
    Ok((0..contacts.height()).map(|row| empty[row] > 0 || data[row] > 0 || back[row] > 0).collect())
}

/// Hosts that exchanged something with another.
pub(super) fn exchanged(tables: &Tables) -> Result<BTreeSet<Address>, Error> {
    let (sources, targets) = (u32s(&tables.contacts, col::SOURCE)?, u32s(&tables.contacts, col::TARGET)?);
    let talked = talked(tables)?;
    Ok((0..talked.len()).filter(|row| talked[*row]).flat_map(|row| [sources[row], targets[row]]).collect())
}

/// TCP ports of private addresses that completed a handshake.
pub(super) fn services(tables: &Tables) -> Result<BTreeSet<(Address, u16)>, Error> {
    let (targets, ports) = (u32s(&tables.contacts, col::TARGET)?, u16s(&tables.contacts, col::PORT)?);
    Ok(serving(tables)?.into_iter().map(|row| (targets[row], ports[row])).collect())
}

/// The rows in which a service of a private address answered.
fn serving(tables: &Tables) -> Result<Vec<usize>, Error> {
    let contacts = &tables.contacts;
    let (targets, ports, from) = (u32s(contacts, col::TARGET)?, u16s(contacts, col::PORT)?, u16s(contacts, col::SOURCE_PORT)?);
    let (protos, empty, data) = (u8s(contacts, col::PROTO)?, u32s(contacts, col::EMPTY)?, u32s(contacts, col::DATA)?);
    let serves = |row: &usize| {
        protos[*row] == ip_proto::TCP
            && (empty[*row] > 0 || data[*row] > 0)
            && !(ports[*row] > EPHEMERAL && from[*row] > EPHEMERAL)
            && tables.address(targets[*row]).is_private()
    };
    Ok((0..contacts.height()).filter(serves).collect())
}

/// What the baseline does not know.
pub(super) fn find(context: &Context<'_>, baseline: &Baseline) -> Result<Vec<Alert>, Error> {
    let mut alerts: Vec<Alert> = new_hosts(context, baseline)?.into_iter().collect();
    alerts.extend(new_services(context, baseline)?);
    Ok(alerts)
}

fn new_hosts(context: &Context<'_>, baseline: &Baseline) -> Result<Option<Alert>, Error> {
    if !baseline.is_complete() {
        return Ok(None);
    }
    let tables = context.tables;
    let is_new = |host: &Address| {
        let address = tables.address(*host);
        address.is_private() && !address.is_group() && baseline.host(address).is_none()
    };
    let new: BTreeSet<Address> = exchanged(tables)?.into_iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(None);
    }
    let (sources, targets) = (u32s(&tables.contacts, col::SOURCE)?, u32s(&tables.contacts, col::TARGET)?);
    let talked = talked(tables)?;
    let rows = (0..talked.len()).filter(|row| talked[*row] && (new.contains(&sources[*row]) || new.contains(&targets[*row])));
    let seen = Seen::of(tables, rows)?;
    let (attackers, attacker_count) = listed(new.iter().map(|host| tables.address(*host)).collect());
    Ok(Some(Alert {
        technique: Some("new_host"),
        title: format!("{} that the baseline does not know", counted(attacker_count, "host")),
        message: format!("{}{} exchanged data here and never in the baseline", attackers.join(", "), rest(attacker_count, attackers.len())),
        measured: vec![measured("new hosts", attacker_count as f64, "hosts", None)],
        attackers,
        attacker_count,
        next_steps: steps(&[
            "Ask whether these devices are expected: look up their hardware addresses and names.",
            "If they belong here, save the baseline anew with a capture that holds them.",
        ]),
        ..told(&seen, Severity::Info)
    }))
}

fn rest(number: u64, shown: usize) -> String {
    match number.saturating_sub(shown as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

fn new_services(context: &Context<'_>, baseline: &Baseline) -> Result<Vec<Alert>, Error> {
    let tables = context.tables;
    let contacts = &tables.contacts;
    let (sources, targets, ports) = (u32s(contacts, col::SOURCE)?, u32s(contacts, col::TARGET)?, u16s(contacts, col::PORT)?);
    let mut by_host: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
    for row in serving(tables)? {
        let known = baseline.host(tables.address(targets[row]));
        if known.is_some_and(|known| !known.services.contains(&ports[row])) {
            by_host.entry(targets[row]).or_default().push(row);
        }
    }
    let mut alerts = Vec::new();
    for (host, rows) in by_host {
        let address = tables.address(host);
        let new: BTreeSet<u16> = rows.iter().map(|row| ports[*row]).collect();
        let minutes = baseline.host(address).map_or(0, |known| known.past.minutes);
        let least = context.settings(host).anomaly.min_buckets;
        let severity = if minutes >= least { Severity::Low } else { Severity::Info };
        let clients: Vec<Addr> = rows.iter().map(|row| tables.address(sources[*row])).collect();
        alerts.push(of_service(&Seen::of(tables, rows.iter().copied())?, severity, address, &new, clients, (minutes, least)));
    }
    Ok(alerts)
}

fn of_service(seen: &Seen, severity: Severity, host: Addr, new: &BTreeSet<u16>, clients: Vec<Addr>, past: (u32, u32)) -> Alert {
    let ports: Vec<u16> = new.iter().copied().take(super::LISTED).collect();
    let text: Vec<String> = ports.iter().map(u16::to_string).collect();
    let (attackers, attacker_count) = listed(clients);
    let (minutes, least) = past;
    Alert {
        technique: Some("new_service"),
        title: format!("New TCP service of {host}"),
        message: format!(
            "{host} answered {} at TCP port {}{}, which it did not in the {} of the baseline",
            counted(attacker_count, "client"),
            text.join(", "),
            rest(new.len() as u64, ports.len()),
            counted(u64::from(minutes), "minute"),
        ),
        attack: &["T1571"],
        attackers,
        attacker_count,
        victims: vec![host.to_string()],
        victim_count: 1,
        measured: vec![
            measured("new ports", new.len() as f64, "ports", None),
            measured("minutes in the baseline", f64::from(minutes), "minutes", Some(f64::from(least))),
        ],
        port_count: new.len() as u64,
        ports,
        protocol: "tcp",
        next_steps: steps(&[
            "Ask on the host which program listens there, and who installed it.",
            "If the service belongs there, save the baseline anew with a capture that holds it.",
        ]),
        ..told(seen, severity)
    }
}

/// The rows behind an alert, summed up.
struct Seen {
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
    connections: u64,
    packets: u64,
}

impl Seen {
    fn of(tables: &Tables, rows: impl Iterator<Item = usize>) -> Result<Self, Error> {
        let contacts = &tables.contacts;
        let (first, last) = (i64s(contacts, col::FIRST_TS)?, i64s(contacts, col::LAST_TS)?);
        let (first_ord, last_ord) = (u64s(contacts, col::FIRST_ORD)?, u64s(contacts, col::LAST_ORD)?);
        let (connections, packets) = (u32s(contacts, col::CONNECTIONS)?, u64s(contacts, col::PACKETS)?);
        let nothing =
            Self { first: Nanos::MAX, last: Nanos::MIN, frames: FrameSpan { first: u64::MAX, last: 0 }, connections: 0, packets: 0 };
        Ok(rows.fold(nothing, |seen, row| Self {
            first: seen.first.min(first[row]),
            last: seen.last.max(last[row]),
            frames: FrameSpan { first: seen.frames.first.min(first_ord[row]), last: seen.frames.last.max(last_ord[row]) },
            connections: seen.connections + u64::from(connections[row]),
            packets: seen.packets + packets[row],
        }))
    }
}

/// What both kinds say alike.
fn told(seen: &Seen, severity: Severity) -> Alert {
    Alert {
        kind: "host_anomaly",
        technique: None,
        title: String::new(),
        message: String::new(),
        severity,
        confidence: 0.4,
        attack: &[],
        first_seen: seen.first,
        last_seen: seen.last,
        detected_at: seen.first,
        attackers: Vec::new(),
        attacker_count: 0,
        victims: Vec::new(),
        victim_count: 0,
        ports: Vec::new(),
        port_count: 0,
        protocol: "ip",
        measured: Vec::new(),
        window_s: 0.0,
        flow_count: seen.connections,
        packet_count: seen.packets,
        frames: seen.frames,
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: Vec::new(),
        picture: Picture::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::detect::host_anomaly::HostAnomaly;
    use crate::detect::testing::{Capture, host};

    fn known(minutes: u16) -> Baseline {
        let mut capture = Capture::default();
        (0..minutes).for_each(|n| capture.at_ms(i64::from(n) * 60_000).conversation(5, 20_000 + n, 9, 80));
        Baseline::of(&capture.tables(&Config::default())).unwrap()
    }

    /// Technique, severity, hosts and ports of an alert.
    type Told = (Option<&'static str>, Severity, Vec<String>, Vec<u16>);

    fn found(baseline: &Baseline, act: impl Fn(&mut Capture)) -> Vec<Told> {
        let mut capture = Capture::default();
        capture.at_ms(0).conversation(5, 20_000, 9, 80);
        act(&mut capture);
        let alerts = capture.judge_against(&HostAnomaly, Some(baseline));
        alerts.into_iter().map(|alert| (alert.technique, alert.severity, [alert.attackers, alert.victims].concat(), alert.ports)).collect()
    }

    #[test]
    fn a_new_host_is_listed_and_one_that_nobody_answered_is_not() {
        let baseline = known(3);
        let new = found(&baseline, |capture| capture.conversation(7, 20_000, 9, 80));
        assert_eq!(new, [(Some("new_host"), Severity::Info, vec![host(7)], vec![])]);
        assert!(found(&baseline, |capture| capture.syn(7, 9, 80)).is_empty());
        assert!(found(&baseline, |capture| capture.conversation(0x0808_0808, 20_000, 9, 80)).is_empty(), "the Internet is always new");
    }

    #[test]
    fn a_new_service_counts_more_the_longer_the_host_was_known() {
        let serve = |capture: &mut Capture| capture.conversation(5, 20_001, 9, 4_444);
        assert_eq!(found(&known(30), serve), [(Some("new_service"), Severity::Low, vec![host(5), host(9)], vec![4_444])]);
        assert_eq!(found(&known(29), serve)[0].1, Severity::Info);
        assert!(found(&known(30), |capture| capture.syn(5, 9, 4_444)).is_empty(), "a knock is no service");
        assert!(found(&known(30), |capture| capture.conversation(5, 40_000, 9, 50_000)).is_empty(), "two free ports are none either");
    }
}
