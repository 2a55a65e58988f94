//! EVE: the JSON lines of Suricata, which most log shippers and consoles read.
//!
//! Knows Suricata's schema (`etc/schema.json`) and what of an alert fits it. All that does not is under `nsm`, where
//! the whole alert is as in `alerts.jsonl`.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::members::without_nulls;
use super::parties;
use crate::detect::{Alert, Notice, Severity, Stage, Status};
use crate::error::Error;
use crate::report::json_line;
use crate::time;

/// Not 1, under which a site numbers rules of its own from a million on, as we do. No generator of Snort or Suricata
/// has a number above 1,000; this is the one that stands for us in syslog, too.
const GENERATOR: u32 = 32_473;
/// The ids that the rule communities leave to local use: 1,000,000 to 1,999,999.
const LOCAL_SIGNATURES: u32 = 1_000_000;

/// One line, without its end.
pub(super) fn line(notice: &Notice) -> Result<String, Error> {
    let Notice { alert, status, .. } = notice;
    let (source, destination) = (parties::source(alert), parties::destination(alert));
    let withdrawn = if *status == Status::Withdrawn { "withdrawn: " } else { "" };
    json_line(&without_nulls(json!({
        "timestamp": eve_time(alert.detected_at),
        "event_type": "alert",
        "src_ip": source,
        "dest_ip": destination,
        "dest_port": parties::port(alert),
        "proto": protocol(alert.protocol),
        "community_id": alert.community_ids.first(),
        "ether": without_nulls(json!({
            "src_mac": parties::hardware(&alert.attackers),
            "dest_mac": parties::hardware(&alert.victims),
        })),
        "alert": without_nulls(json!({
            "action": "allowed",
            "gid": GENERATOR,
            "signature_id": signature_id(alert.kind),
            "rev": 1,
            "signature": format!("{withdrawn}{}", alert.title),
            "category": category(alert),
            "severity": priority(alert.severity, *status),
            "source": source.map(|ip| json!({ "ip": ip })),
            "target": destination.map(|ip| json!({ "ip": ip })),
            "metadata": if alert.attack.is_empty() { Value::Null } else { json!({ "mitre_technique_id": alert.attack }) },
        })),
        "flow": { "start": eve_time(alert.first_seen), "end": eve_time(alert.last_seen) },
        "nsm": notice.record(),
    })))
}

/// `%FT%T.%6f%z`, UTC.
fn eve_time(ts: time::Nanos) -> String {
    format!("{}+0000", time::micros(ts))
}

/// As Suricata writes it; none for what is not carried by IP, or by any.
fn protocol(ours: &str) -> Option<&'static str> {
    match ours {
        "tcp" => Some("TCP"),
        "udp" => Some("UDP"),
        "icmp" => Some("ICMP"),
        "icmp6" | "nd" => Some("IPv6-ICMP"),
        _ => None,
    }
}

/// 1 is the worst. An alert that is withdrawn must wake nobody.
const fn priority(severity: Severity, status: Status) -> u8 {
    match (status, severity) {
        (Status::Open | Status::Final, Severity::Critical | Severity::High) => 1,
        (Status::Open | Status::Final, Severity::Medium) => 2,
        _ => 3,
    }
}

/// The number of an alert type: from its name, so that it is the same in every version and for rules of a user.
fn signature_id(kind: &str) -> u32 {
    let hash = Sha256::digest(kind);
    let number = hash.iter().take(4).fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    LOCAL_SIGNATURES + number % LOCAL_SIGNATURES
}

/// The words of Suricata's `classification.config`.
fn category(alert: &Alert) -> &'static str {
    match Stage::of(alert) {
        Stage::Discovery => "Detection of a Network Scan",
        Stage::CredentialAccess => "Attempted User Privilege Gain",
        Stage::InitialAccess => "Successful User Privilege Gain",
        Stage::Impact => "Attempted Denial of Service",
        Stage::LateralMovement | Stage::CommandAndControl | Stage::Exfiltration => "Potentially Bad Traffic",
        Stage::Other => "Misc activity",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::example;
    use super::*;
    use crate::detect::DETECTORS;

    fn parsed(notice: &Notice) -> Value {
        serde_json::from_str(&line(notice).unwrap()).unwrap()
    }

    #[test]
    fn an_alert_has_the_fields_of_suricata_and_all_of_ours() {
        let notice = example::notice();
        let want = json!({
            "timestamp": "2023-08-05T15:03:33.250000+0000",
            "event_type": "alert",
            "src_ip": "203.0.113.66",
            "dest_ip": "192.0.2.10",
            "dest_port": 80,
            "proto": "TCP",
            "community_id": "1:PmxdDGEQMs0/kCGGqKWooNavvIE=",
            "alert": {
                "action": "allowed",
                "gid": 32_473,
                // printf syn_flood | sha256sum | head -c 8, modulo a million.
                "signature_id": 1_000_000 + 0x18ea_0213_u32 % 1_000_000,
                "rev": 1,
                "signature": "SYN flood against 192.0.2.10",
                "category": "Attempted Denial of Service",
                "severity": 1,
                "source": { "ip": "203.0.113.66" },
                "target": { "ip": "192.0.2.10" },
                "metadata": { "mitre_technique_id": ["T1498.001", "T1046"] },
            },
            "flow": { "start": "2023-08-05T15:03:31.000001+0000", "end": "2023-08-05T15:03:36.500000+0000" },
            "nsm": serde_json::to_value(notice.record()).unwrap(),
        });
        assert_eq!(parsed(&notice), want);
        assert_eq!(want["nsm"]["id"], "e29b58f07621effc");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut notice = example::notice();
        notice.alert.attackers = vec!["02:00:5e:10:00:01".into()];
        notice.alert.victims.clear();
        (notice.alert.protocol, notice.alert.port_count, notice.alert.attack) = ("arp", 9, &[]);
        let line = parsed(&notice);
        assert_eq!(line["ether"], json!({ "src_mac": "02:00:5e:10:00:01" }));
        for absent in ["src_ip", "dest_ip", "dest_port", "proto"] {
            assert_eq!(line.get(absent), None, "{absent}");
        }
        assert_eq!(line["alert"].as_object().unwrap().len(), 7, "{line:#}");
    }

    #[test]
    fn severity_is_turned_around_and_a_withdrawn_alert_is_the_least() {
        let all = Severity::ALL.map(|severity| priority(severity, Status::Open));
        assert_eq!(all, [3, 3, 2, 1, 1]);
        let withdrawn = parsed(&Notice { status: Status::Withdrawn, ..example::notice() });
        assert_eq!((&withdrawn["alert"]["severity"], &withdrawn["nsm"]["status"]), (&json!(3), &json!("withdrawn")));
        assert_eq!(withdrawn["alert"]["signature"], "withdrawn: SYN flood against 192.0.2.10");
    }

    #[test]
    fn every_detector_has_a_number_of_its_own_for_local_use() {
        let numbers: BTreeSet<u32> = DETECTORS.iter().map(|detector| signature_id(detector.id())).collect();
        assert_eq!(numbers.len(), DETECTORS.len());
        assert!(numbers.iter().all(|number| (1_000_000..2_000_000).contains(number)));
    }

    #[test]
    fn hostile_texts_stay_inside_one_line() {
        let notice = example::hostile(100_000);
        let line = line(&notice).unwrap();
        assert!(!line.contains(crate::report::is_deceptive));
        let parsed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["nsm"]["message"], notice.alert.message);
        assert_eq!(parsed.get("src_ip"), None);
    }
}
