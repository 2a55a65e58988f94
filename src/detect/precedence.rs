//! What one detector says that another has said better.
//!
//! An alert gives way to one that explains the same packets of the same hosts at the same time: a scan
//! explains many connections, guessing passwords explains their rhythm. The documentation of a detector
//! names what it gives way to; this is the whole list.

use std::collections::BTreeMap;

use super::alert::{Alert, Severity};

/// Scans, of whatever shape.
const SCANS: [&str; 6] = ["port_scan", "host_sweep", "block_scan", "distributed_scan", "host_discovery", "ip_protocol_scan"];
const FLOODS: [&str; 8] =
    ["syn_flood", "tcp_flood", "udp_flood", "icmp_flood", "fragment_flood", "reflection_attack", "http_flood", "dhcp_starvation"];
const GUESSING: [&str; 2] = ["brute_force", "password_spray"];
const TUNNELS: [&str; 2] = ["dns_tunnel", "icmp_tunnel"];

/// To which kinds an alert gives way.
fn explained_by(alert: &Alert) -> &'static [&'static [&'static str]] {
    match alert.kind {
        "high_connection_rate" => &[&SCANS, &FLOODS, &GUESSING, &["slow_http", "beacon"]],
        "beacon" => &[&SCANS, &FLOODS, &GUESSING, &TUNNELS, &["slow_http"]],
        "unusual_port" => &[&SCANS, &GUESSING],
        "long_connection" => &[&["beacon", "slow_http"]],
        "dga" => &[&["dns_tunnel"]],
        // That a host or service is new holds whatever it does.
        "host_anomaly" if alert.technique.is_some() => &[],
        "host_anomaly" => &[
            &SCANS,
            &FLOODS,
            &GUESSING,
            &TUNNELS,
            &["slow_http", "beacon", "dga", "exfiltration", "lateral_movement", "high_connection_rate", "arp_spoof"],
        ],
        _ => &[],
    }
}

/// Leaves out the alerts that others explain.
pub(super) fn settle(alerts: Vec<Alert>) -> Vec<Alert> {
    let mut by_host: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in &alerts {
        alert.attackers.iter().chain(&alert.victims).for_each(|host| by_host.entry(host).or_default().push(alert));
    }
    let of_its_hosts = |alert: &Alert| alert.attackers.first().and_then(|host| by_host.get(host.as_str())).into_iter().flatten().copied();
    let gives_way: Vec<bool> =
        alerts.iter().map(|alert| !explained_by(alert).is_empty() && of_its_hosts(alert).any(|other| explains(other, alert))).collect();
    alerts.into_iter().zip(gives_way).filter(|(_, gives_way)| !gives_way).map(|(alert, _)| alert).collect()
}

/// The other is of a kind that explains this one, at least as bad or worth a look, and about the same hosts and time.
fn explains(other: &Alert, alert: &Alert) -> bool {
    explained_by(alert).iter().any(|kinds| kinds.contains(&other.kind))
        && other.severity >= alert.severity.min(Severity::Low)
        && other.first_seen <= alert.last_seen
        && alert.first_seen <= other.last_seen
        && alert.attackers.iter().all(|attacker| other.attackers.contains(attacker) || other.victims.contains(attacker))
        && (alert.kind == "host_anomaly" || alert.victims.iter().any(|victim| other.victims.contains(victim)))
}
