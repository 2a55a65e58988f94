//! `security_monitor.log`: lines `YYYY-MM-DD HH:MM:SS - LEVEL - MESSAGE` in packet time, UTC.

use super::escape;
use super::model::Report;
use super::units::{bytes, counted};
use crate::detect::{Alert, Severity};
use crate::pseudonym;
use crate::time::{Nanos, duration, log_time};

struct Line {
    at: Nanos,
    level: &'static str,
    message: String,
}

/// The whole log, in time order. A capture without packets has no packet time; its lines carry the
/// beginning of the count, 1970-01-01 00:00:00.
pub fn render(report: &Report) -> Vec<u8> {
    let mut lines = lines(report);
    lines.sort_by_key(|line| line.at);
    lines.iter().map(Line::written).collect::<String>().into_bytes()
}

/// The line of one alert, for a log that is written while things happen.
#[must_use]
pub fn alert_line(alert: &Alert) -> String {
    Line::of(alert).written()
}

impl Line {
    fn of(alert: &Alert) -> Self {
        Self { at: alert.detected_at, level: level(alert.severity), message: format!("{}: {}", alert.kind, alert.message) }
    }

    /// With its end.
    fn written(&self) -> String {
        line(self.at, self.level, &self.message) + "\n"
    }
}

/// One line of a log, without its end: whatever the message holds, it stays on its line.
#[must_use]
pub fn line(at: Nanos, level: &str, message: &str) -> String {
    format!("{} - {level} - {}", log_time(at), escape::visible(message))
}

fn lines(report: &Report) -> Vec<Line> {
    let (start, end) = report.span.unwrap_or_default();
    let mut lines = vec![Line { at: start, level: "INFO", message: format!("capture {} begins", report.input) }];
    lines.extend(pseudonym::sentence().map(|message| Line { at: start, level: "INFO", message }));
    lines.extend(report.alerts.iter().map(Line::of));
    lines.extend(report.suppressed.iter().map(|silenced| Line {
        at: silenced.alert.detected_at,
        level: "INFO",
        message: format!("{}: suppressed by the allow-list entry {}: {}", silenced.alert.kind, silenced.entry, silenced.alert.title),
    }));
    lines.extend(report.warnings.iter().map(|warning| Line { at: end, level: "WARNING", message: warning.to_string() }));
    lines.push(Line { at: end, level: "INFO", message: ending(report, start, end) });
    lines
}

fn ending(report: &Report, start: Nanos, end: Nanos) -> String {
    format!(
        "capture {} ends: {}, {}, {}, {}",
        report.input,
        counted(report.accounting.frames, "packet", "packets"),
        bytes(report.accounting.wire_bytes),
        duration(end.saturating_sub(start)),
        counted(report.alerts.len() as u64, "alert", "alerts"),
    )
}

/// The level of an alert in a log.
#[must_use]
pub const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info | Severity::Low => "INFO",
        Severity::Medium => "WARNING",
        Severity::High => "ERROR",
        Severity::Critical => "CRITICAL",
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::warning::Warning;

    fn text(report: &Report) -> String {
        String::from_utf8(render(report)).unwrap()
    }

    #[test]
    fn lines_have_the_required_form_and_are_in_time_order() {
        let log = text(&example::report());
        assert!(log.contains("2023-08-05 15:03:33 - ERROR - syn_flood: 30,000 SYN/s\n"), "{log}");
        assert!(log.starts_with("2023-08-05 15:03:31 - INFO - capture office.pcap begins\n"), "{log}");
        let times: Vec<&str> = log.lines().map(|line| &line[..19]).collect();
        assert!(times.is_sorted(), "{log}");
    }

    #[test]
    fn severity_decides_the_level() {
        let mut report = example::report();
        report.alerts.truncate(1);
        for (severity, level) in Severity::ALL.into_iter().zip(["INFO", "INFO", "WARNING", "ERROR", "CRITICAL"]) {
            report.alerts[0].severity = severity;
            assert!(text(&report).contains(&format!(" - {level} - syn_flood")), "{severity:?}");
        }
    }

    #[test]
    fn a_message_from_the_capture_cannot_forge_a_line() {
        let mut report = example::report();
        let before = text(&report).lines().count();
        report.alerts[0].message = "x\n2023-08-05 15:03:31 - INFO - all is well".into();
        assert_eq!(text(&report).lines().count(), before);
    }

    #[test]
    fn damage_and_emptiness_are_logged_too() {
        let mut report = example::empty();
        report.warnings = vec![Warning::ClockJumps { jumps: 3 }];
        let log = text(&report);
        assert!(log.contains("1970-01-01 00:00:00 - WARNING - the capture clock jumped 3 times"), "{log}");
        assert!(log.contains("ends: 0 packets, 0 B, 0.00 s, 0 alerts"), "{log}");
    }
}
