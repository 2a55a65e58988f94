//! MITRE ATT&CK: what the techniques are called, and which of them were seen.
//!
//! Names and tactics as of ATT&CK for Enterprise, version 17.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::units::thousands;
use super::view::{View, badge, link};
use crate::detect::Severity;

/// Findings named for a technique.
const LINKS: usize = 8;

/// Id, name and the tactics it serves.
const TECHNIQUES: [(&str, &str, &str); 34] = [
    ("T1018", "Remote System Discovery", "Discovery"),
    ("T1021", "Remote Services", "Lateral Movement"),
    ("T1021.002", "Remote Services: SMB/Windows Admin Shares", "Lateral Movement"),
    ("T1021.003", "Remote Services: Distributed Component Object Model", "Lateral Movement"),
    ("T1029", "Scheduled Transfer", "Exfiltration"),
    ("T1041", "Exfiltration Over C2 Channel", "Exfiltration"),
    ("T1046", "Network Service Discovery", "Discovery"),
    ("T1047", "Windows Management Instrumentation", "Execution"),
    ("T1048", "Exfiltration Over Alternative Protocol", "Exfiltration"),
    ("T1053.005", "Scheduled Task/Job: Scheduled Task", "Execution, Persistence, Privilege Escalation"),
    ("T1071", "Application Layer Protocol", "Command and Control"),
    ("T1071.004", "Application Layer Protocol: DNS", "Command and Control"),
    ("T1078", "Valid Accounts", "Initial Access, Persistence, Privilege Escalation, Defense Evasion"),
    ("T1095", "Non-Application Layer Protocol", "Command and Control"),
    ("T1110", "Brute Force", "Credential Access"),
    ("T1110.001", "Brute Force: Password Guessing", "Credential Access"),
    ("T1110.003", "Brute Force: Password Spraying", "Credential Access"),
    ("T1110.004", "Brute Force: Credential Stuffing", "Credential Access"),
    ("T1498.001", "Network Denial of Service: Direct Network Flood", "Impact"),
    ("T1498.002", "Network Denial of Service: Reflection Amplification", "Impact"),
    ("T1499", "Endpoint Denial of Service", "Impact"),
    ("T1499.001", "Endpoint Denial of Service: OS Exhaustion Flood", "Impact"),
    ("T1499.002", "Endpoint Denial of Service: Service Exhaustion Flood", "Impact"),
    ("T1557", "Adversary-in-the-Middle", "Credential Access, Collection"),
    ("T1557.002", "Adversary-in-the-Middle: ARP Cache Poisoning", "Credential Access, Collection"),
    ("T1557.003", "Adversary-in-the-Middle: DHCP Spoofing", "Credential Access, Collection"),
    ("T1567", "Exfiltration Over Web Service", "Exfiltration"),
    ("T1568.002", "Dynamic Resolution: Domain Generation Algorithms", "Command and Control"),
    ("T1569.002", "System Services: Service Execution", "Execution"),
    ("T1570", "Lateral Tool Transfer", "Lateral Movement"),
    ("T1571", "Non-Standard Port", "Command and Control"),
    ("T1572", "Protocol Tunneling", "Command and Control"),
    ("T1595", "Active Scanning", "Reconnaissance"),
    ("T1595.001", "Active Scanning: Scanning IP Blocks", "Reconnaissance"),
];

fn known(id: &str) -> Option<(&'static str, &'static str)> {
    TECHNIQUES.iter().find(|(known, ..)| *known == id).map(|(_, name, tactics)| (*name, *tactics))
}

/// `T1046 Network Service Discovery`; a user's rule may name a technique that has no name here.
pub fn named(id: &str) -> Markup {
    html! { (visible(id)) @if let Some((name, _)) = known(id) { " " (name) } }
}

#[derive(Default)]
struct Seen {
    worst: Option<Severity>,
    ranks: Vec<usize>,
}

pub fn attack(view: &View) -> Markup {
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for (rank, alert) in view.report.alerts.iter().enumerate() {
        for id in alert.attack {
            let seen = seen.entry(id).or_default();
            seen.worst = seen.worst.max(Some(alert.severity));
            seen.ranks.push(rank);
        }
    }
    html! {
        section #attack {
            h2 { "ATT&CK techniques" }
            @if seen.is_empty() { p { "No finding names a technique." } }
            @else {
                div.scroll { table.sortable {
                    thead { tr { th scope="col" { "Technique" } th scope="col" { "Name" } th scope="col" { "Tactic" } th scope="col" { "Worst" } th.n scope="col" { "Findings" } th scope="col" { "Which" } } }
                    tbody { @for (id, seen) in &seen { (row(id, seen)) } }
                } }
            }
        }
    }
}

fn row(id: &str, seen: &Seen) -> Markup {
    let (name, tactics) = known(id).unwrap_or(("", ""));
    html! {
        tr {
            td { (visible(id)) } td { (name) } td { (tactics) }
            td data-v=[seen.worst.map(|worst| worst as u8)] { @if let Some(worst) = seen.worst { (badge(worst)) } }
            td.n data-v=(seen.ranks.len()) { (thousands(seen.ranks.len() as u64)) }
            td { @for rank in seen.ranks.iter().take(LINKS) { (link(*rank)) " " } @if seen.ranks.len() > LINKS { "…" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every technique that a detector's source names has its name here.
    #[test]
    fn every_technique_of_the_detectors_has_a_name() {
        let mut named = 0;
        let mut places = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/detect")];
        while let Some(place) = places.pop() {
            if place.is_dir() {
                places.extend(std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&place).unwrap();
            for id in text.split('"').filter(|part| is_technique(part)) {
                assert!(known(id).is_some(), "{id} of {}", place.display());
                named += 1;
            }
        }
        assert!(named > 30, "{named}");
    }

    fn is_technique(text: &str) -> bool {
        text.strip_prefix('T').is_some_and(|digits| digits.len() >= 4 && digits.chars().all(|c| c.is_ascii_digit() || c == '.'))
    }

    #[test]
    fn techniques_are_in_order_and_named_once() {
        assert!(TECHNIQUES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
