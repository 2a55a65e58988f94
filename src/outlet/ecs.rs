//! ECS: JSON lines with the field names of Elastic's Common Schema.
//!
//! Knows which field of the schema says what of an alert. What has none is under `nsm`, where the whole alert is as in
//! `alerts.jsonl`: the schema leaves names that are no word of its own to whoever adds them.

use serde_json::{Value, json};

use super::members::without_nulls;
use super::{host, parties};
use crate::detect::{Alert, Notice, Severity, Stage};
use crate::error::Error;
use crate::report::json_line;
use crate::time;

/// The version whose fields these are; all of them are in every later one, too.
const VERSION: &str = "8.11.0";

/// One line, without its end.
pub(super) fn line(notice: &Notice) -> Result<String, Error> {
    let Notice { id, status, alert, .. } = notice;
    json_line(&without_nulls(json!({
        "@timestamp": time::rfc3339(alert.detected_at),
        "ecs": { "version": VERSION },
        "message": alert.message,
        "event": {
            "kind": "alert",
            "category": ["intrusion_detection", "network"],
            "type": ["info"],
            "id": id,
            "action": status.name(),
            "code": alert.kind,
            "severity": number(alert.severity),
            "start": time::rfc3339(alert.first_seen),
            "end": time::rfc3339(alert.last_seen),
            "duration": alert.last_seen.saturating_sub(alert.first_seen),
            "module": "nsm",
            "dataset": "nsm.alert",
            "provider": "nsm",
        },
        "rule": { "id": alert.kind, "name": alert.title, "category": category(alert) },
        "source": party(&alert.attackers, None),
        "destination": party(&alert.victims, parties::port(alert)),
        "related": without_nulls(json!({ "ip": addresses(alert) })),
        "network": without_nulls(json!({
            "transport": transport(alert.protocol),
            "community_id": if alert.community_ids.is_empty() { Value::Null } else { json!(alert.community_ids) },
        })),
        "threat": threat(alert.attack),
        "observer": without_nulls(json!({
            "product": "nsm",
            "type": "ids",
            "version": env!("CARGO_PKG_VERSION"),
            "hostname": host::name(),
        })),
        "nsm": notice.record(),
    })))
}

/// The first of them stands for all; `related.ip` has those that are listed.
fn party(addresses: &[String], port: Option<u16>) -> Value {
    let ip = addresses.iter().find(|address| address.parse::<std::net::IpAddr>().is_ok());
    let mac = parties::hardware(addresses);
    let address = ip.map(String::as_str).or(mac);
    // The schema writes hardware addresses as RFC 7042 does.
    let mac = mac.map(|mac| mac.replace(':', "-").to_ascii_uppercase());
    without_nulls(json!({ "address": address, "ip": ip, "mac": mac, "port": address.and(port) }))
}

fn addresses(alert: &Alert) -> Option<Vec<&String>> {
    let all: Vec<&String> =
        alert.attackers.iter().chain(&alert.victims).filter(|address| address.parse::<std::net::IpAddr>().is_ok()).collect();
    (!all.is_empty()).then_some(all)
}

/// Evenly from 10 to 90: the schema leaves the scale to whoever writes it.
const fn number(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 10,
        Severity::Low => 30,
        Severity::Medium => 50,
        Severity::High => 70,
        Severity::Critical => 90,
    }
}

fn category(alert: &Alert) -> Value {
    serde_json::to_value(Stage::of(alert)).unwrap_or_default()
}

/// As IANA names it, in lower case; none for what is not carried by IP, or by any.
fn transport(ours: &str) -> Option<&'static str> {
    match ours {
        "tcp" => Some("tcp"),
        "udp" => Some("udp"),
        "icmp" => Some("icmp"),
        "icmp6" | "nd" => Some("ipv6-icmp"),
        _ => None,
    }
}

/// `T1498.001` is sub-technique 001 of T1498.
fn threat(ids: &[&str]) -> Value {
    let mut techniques: Vec<&str> = ids.iter().map(|id| id.split('.').next().unwrap_or(id)).collect();
    techniques.sort_unstable();
    techniques.dedup();
    let below: Vec<&&str> = ids.iter().filter(|id| id.contains('.')).collect();
    if techniques.is_empty() {
        return Value::Null;
    }
    let below = if below.is_empty() { Value::Null } else { json!({ "id": below }) };
    json!({ "framework": "MITRE ATT&CK", "technique": without_nulls(json!({ "id": techniques, "subtechnique": below })) })
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::detect::Status;

    fn parsed(notice: &Notice) -> Value {
        serde_json::from_str(&line(notice).unwrap()).unwrap()
    }

    #[test]
    fn an_alert_has_the_fields_of_the_schema_and_all_of_ours() {
        let notice = example::notice();
        let mut got = parsed(&notice);
        let hostname = got["observer"].as_object_mut().unwrap().remove("hostname");
        assert_eq!(hostname, host::name().map(Value::from));
        let want = json!({
            "@timestamp": "2023-08-05T15:03:33.250000000Z",
            "ecs": { "version": "8.11.0" },
            "message": "30,000 SYN/s at 192.0.2.10",
            "event": {
                "kind": "alert",
                "category": ["intrusion_detection", "network"],
                "type": ["info"],
                "id": "e29b58f07621effc",
                "action": "final",
                "code": "syn_flood",
                "severity": 70,
                "start": "2023-08-05T15:03:31.000001999Z",
                "end": "2023-08-05T15:03:36.500000000Z",
                "duration": 5_499_998_001_i64,
                "module": "nsm",
                "dataset": "nsm.alert",
                "provider": "nsm",
            },
            "rule": { "id": "syn_flood", "name": "SYN flood against 192.0.2.10", "category": "impact" },
            "source": { "address": "203.0.113.66", "ip": "203.0.113.66" },
            "destination": { "address": "192.0.2.10", "ip": "192.0.2.10", "port": 80 },
            "related": { "ip": ["203.0.113.66", "203.0.113.67", "192.0.2.10"] },
            "network": { "transport": "tcp", "community_id": ["1:PmxdDGEQMs0/kCGGqKWooNavvIE="] },
            "threat": {
                "framework": "MITRE ATT&CK",
                "technique": { "id": ["T1046", "T1498"], "subtechnique": { "id": ["T1498.001"] } },
            },
            "observer": { "product": "nsm", "type": "ids", "version": env!("CARGO_PKG_VERSION") },
            "nsm": serde_json::to_value(notice.record()).unwrap(),
        });
        assert_eq!(got, want);
    }

    #[test]
    fn hardware_addresses_are_written_as_the_schema_asks_and_what_is_unknown_is_left_out() {
        let mut notice = Notice { status: Status::Withdrawn, ..example::notice() };
        notice.alert.attackers = vec!["02:00:5e:10:00:0a".into()];
        notice.alert.victims.clear();
        notice.alert.community_ids.clear();
        (notice.alert.protocol, notice.alert.attack) = ("arp", &[]);
        let line = parsed(&notice);
        assert_eq!(line["source"], json!({ "address": "02:00:5e:10:00:0a", "mac": "02-00-5E-10-00-0A" }));
        for absent in ["destination", "related", "network", "threat"] {
            assert_eq!(line.get(absent), None, "{absent}");
        }
        assert_eq!((&line["event"]["action"], &line["nsm"]["status"]), (&json!("withdrawn"), &json!("withdrawn")));
    }

    #[test]
    fn hostile_texts_stay_inside_one_line() {
        let notice = example::hostile(100_000);
        let line = line(&notice).unwrap();
        assert!(!line.contains(crate::report::is_deceptive));
        let parsed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&parsed["message"], parsed.get("related")), (&json!(notice.alert.message), None));
    }
}
