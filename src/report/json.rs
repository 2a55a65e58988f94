//! `alerts.jsonl` and `incidents.json`, and how every JSON file of a report is written.

use serde::Serialize;

use super::escape;
use super::model::Report;
use crate::detect::Status;
use crate::error::Error;

/// One final alert a line, in the order of the report.
pub fn alerts(report: &Report) -> Result<Vec<u8>, Error> {
    let mut lines = String::new();
    for alert in &report.alerts {
        lines.push_str(&line(&alert.record(Status::Final, &report.input))?);
        lines.push('\n');
    }
    Ok(lines.into_bytes())
}

/// On one line, without its end, safe to print.
pub fn line<T: Serialize>(value: &T) -> Result<String, Error> {
    Ok(escape::json(&serde_json::to_string(value).map_err(|cause| unwritable(&cause))?))
}

/// The incidents, worst first, as one array.
pub fn incidents(report: &Report) -> Result<Vec<u8>, Error> {
    pretty(&report.incidents)
}

/// Indented, with a line break at the end, safe to print.
pub fn pretty<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    let mut text = escape::json(&serde_json::to_string_pretty(value).map_err(|cause| unwritable(&cause))?);
    text.push('\n');
    Ok(text.into_bytes())
}

fn unwritable(cause: &serde_json::Error) -> Error {
    Error::Internal(format!("JSON could not be written: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::super::example;

    #[test]
    fn every_alert_is_one_line_that_parses_on_its_own() {
        let mut report = example::report();
        report.alerts[0].message = "first\nsecond\u{202e}".into();
        let text = String::from_utf8(super::alerts(&report).unwrap()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), report.alerts.len());
        assert_eq!(lines[0]["message"], "first\nsecond\u{202e}");
        assert_eq!(lines[0]["status"], "final");
        assert_eq!(lines[0]["type"], "syn_flood");
        assert_eq!(lines[0]["capture"]["file"], "office.pcap");
        assert!(!text.contains('\u{202e}'));
    }

    #[test]
    fn a_report_without_alerts_has_an_empty_alert_file() {
        assert!(super::alerts(&example::empty()).unwrap().is_empty());
    }
}
