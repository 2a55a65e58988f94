//! `alerts.csv`, `hosts.csv`, `protocols.csv` and `timeline.csv`.
//!
//! RFC 4180 quoting by the `csv` crate; text cells pass [`escape::cell`] first. Lists inside a cell
//! are joined by `; `.

use std::fmt::Display;

use ::csv::Writer;

use super::escape;
use super::model::Report;
use super::names::names;
use crate::detect::{Alert, Measured};
use crate::error::Error;
use crate::time::rfc3339;

const ALERTS: [&str; 28] = [
    "id",
    "type",
    "technique",
    "severity",
    "confidence",
    "title",
    "message",
    "attack",
    "first_seen",
    "last_seen",
    "detected_at",
    "attackers",
    "attacker_count",
    "victims",
    "victim_count",
    "ports",
    "port_count",
    "protocol",
    "measured",
    "window_s",
    "flow_count",
    "packet_count",
    "first_frame",
    "last_frame",
    "community_ids",
    "capture",
    "quality",
    "next_steps",
];
const HOSTS: [&str; 11] = [
    "address",
    "name",
    "private",
    "first_seen",
    "last_seen",
    "flows_originated",
    "flows_responded",
    "packets_sent",
    "packets_received",
    "bytes_sent",
    "bytes_received",
];
const PROTOCOLS: [&str; 4] = ["layer", "protocol", "packets", "bytes"];
const TIMELINE: [&str; 9] = ["time", "width_s", "packets", "bytes", "tcp", "udp", "icmp", "other", "syn"];

pub fn alerts(report: &Report) -> Result<Vec<u8>, Error> {
    table(ALERTS, report.alerts.iter().map(|alert| alert_row(alert, &report.input)))
}

pub fn hosts(report: &Report) -> Result<Vec<u8>, Error> {
    let names = names(report);
    table(
        HOSTS,
        report.hosts.iter().map(|host| {
            [
                host.address.to_string(),
                names.get(&host.address).map(|name| text(name)).unwrap_or_default(),
                host.address.is_private().to_string(),
                rfc3339(host.first_seen),
                rfc3339(host.last_seen),
                host.flows_originated.to_string(),
                host.flows_responded.to_string(),
                host.packets_sent.to_string(),
                host.packets_received.to_string(),
                host.bytes_sent.to_string(),
                host.bytes_received.to_string(),
            ]
        }),
    )
}

pub fn protocols(report: &Report) -> Result<Vec<u8>, Error> {
    table(
        PROTOCOLS,
        report.protocols.iter().map(|row| [row.layer.to_owned(), text(&row.protocol), row.packets.to_string(), row.bytes.to_string()]),
    )
}

pub fn timeline(report: &Report) -> Result<Vec<u8>, Error> {
    let width = report.timeline.width_s.to_string();
    table(
        TIMELINE,
        report.timeline.buckets.iter().map(|bucket| {
            let [packets, bytes, tcp, udp, icmp, other, syn] =
                [bucket.packets, bucket.bytes, bucket.tcp, bucket.udp, bucket.icmp, bucket.other, bucket.syn]
                    .map(|value| value.to_string());
            [rfc3339(bucket.ts), width.clone(), packets, bytes, tcp, udp, icmp, other, syn]
        }),
    )
}

fn alert_row(alert: &Alert, capture: &str) -> [String; ALERTS.len()] {
    [
        alert.id(),
        alert.kind.to_owned(),
        alert.technique.unwrap_or_default().to_owned(),
        alert.severity.name().to_owned(),
        alert.confidence.to_string(),
        text(&alert.title),
        text(&alert.message),
        joined(alert.attack),
        rfc3339(alert.first_seen),
        rfc3339(alert.last_seen),
        rfc3339(alert.detected_at),
        joined(&alert.attackers),
        alert.attacker_count.to_string(),
        joined(&alert.victims),
        alert.victim_count.to_string(),
        joined(&alert.ports),
        alert.port_count.to_string(),
        text(alert.protocol),
        joined(alert.measured.iter().map(measured)),
        alert.window_s.to_string(),
        alert.flow_count.to_string(),
        alert.packet_count.to_string(),
        alert.frames.first.to_string(),
        alert.frames.last.to_string(),
        joined(&alert.community_ids),
        text(capture),
        joined(&alert.quality),
        joined(&alert.next_steps),
    ]
}

fn measured(measured: &Measured) -> String {
    let Measured { name, value, unit, threshold } = measured;
    let limit = threshold.map(|limit| format!(" (threshold {limit})")).unwrap_or_default();
    format!("{name} {value} {unit}{limit}")
}

fn joined<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    text(&items.join("; "))
}

fn text(text: &str) -> String {
    escape::cell(text).into_owned()
}

/// Head and rows as the bytes of a file.
pub fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Result<Vec<u8>, Error> {
    let unwritable = |cause: &dyn Display| Error::Internal(format!("CSV could not be written: {cause}"));
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(head).map_err(|cause| unwritable(&cause))?;
    for row in rows {
        writer.write_record(&row).map_err(|cause| unwritable(&cause))?;
    }
    writer.into_inner().map_err(|cause| unwritable(&cause))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::example;
    use super::*;

    /// Rows as a reader of the file sees them, by column name.
    fn read(file: &[u8]) -> Vec<BTreeMap<String, String>> {
        let mut reader = ::csv::Reader::from_reader(file);
        reader.deserialize().map(|row| row.unwrap()).collect()
    }

    #[test]
    fn a_comma_quote_or_line_break_in_a_message_stays_in_its_cell() {
        let mut report = example::report();
        report.alerts[0].message = "a, \"b\"\nc".into();
        let file = alerts(&report).unwrap();
        assert_eq!(read(&file)[0]["message"], "a, \"b\"\\nc");
        assert_eq!(file.split(|byte| *byte == b'\n').count() - 1, 1 + report.alerts.len());
    }

    #[test]
    fn a_captured_name_that_is_a_formula_is_neutralised() {
        let mut report = example::report();
        report.facts.names = vec![(report.hosts[0].address, "=HYPERLINK(\"http://evil\")".into())];
        assert_eq!(read(&hosts(&report).unwrap())[0]["name"], "'=HYPERLINK(\"http://evil\")");
    }

    #[test]
    fn an_alert_row_carries_measured_value_and_threshold() {
        let rows = read(&alerts(&example::report()).unwrap());
        assert_eq!(rows[0]["measured"], "SYN rate 30000 packets/s (threshold 256); distinct sources 37000 addresses");
        assert_eq!(rows[0]["severity"], "high");
        assert_eq!(rows[1]["ports"], "22; 80");
    }

    #[test]
    fn the_timeline_has_one_row_per_bucket_in_utc() {
        let report = example::report();
        let rows = read(&timeline(&report).unwrap());
        assert_eq!(rows.len(), report.timeline.buckets.len());
        assert_eq!(rows[0]["time"], "2023-08-05T15:03:31.000000000Z");
    }

    #[test]
    fn files_without_rows_still_have_their_head() {
        let report = example::empty();
        for (file, head) in
            [(alerts(&report), &ALERTS[..]), (hosts(&report), &HOSTS), (protocols(&report), &PROTOCOLS), (timeline(&report), &TIMELINE)]
        {
            assert_eq!(String::from_utf8(file.unwrap()).unwrap().trim_end(), head.join(","));
        }
    }
}
