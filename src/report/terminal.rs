//! The summary at the end of a run: what was read, how bad it is, the worst five, where the report is.
//!
//! A pure function to text. Whether and where it is printed, and how wide the terminal is, is decided
//! by the caller.

use std::borrow::Cow;
use std::path::Path;

use super::escape::visible;
use super::model::Report;
use super::summary::BySeverity;
use super::units::{bytes, counted, period, thousands};
use crate::detect::{Incident, Severity};
use crate::pseudonym;
use crate::time::{Nanos, log_time};

const WORST: usize = 5;
const WARNINGS: usize = 5;
/// `critical`, the longest of the severities.
const SEVERITY: usize = 8;
/// `YYYY-MM-DD HH:MM:SS`
const MOMENT: usize = 19;

#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Columns.
    pub width: usize,
    pub colour: bool,
}

/// The summary of one input; `place` is the directory of its report.
pub fn render(report: &Report, place: Option<&Path>, terminal: Terminal) -> String {
    let terminal = Terminal { width: terminal.width.clamp(80, 120), ..terminal };
    let mut lines = vec![terminal.bold(&fit(&report.input, terminal.width))];
    lines.push(field("Packets", &thousands(report.accounting.frames)));
    lines.extend(apart(report).map(|parts| field("", &parts)));
    lines.extend(report.span.map(|(start, end)| field("Time", &period(start, end))));
    lines.push(field("Bytes", &bytes(report.accounting.wire_bytes)));
    lines.extend(incidents(report, terminal));
    lines.push(field("Alerts", &counts(report, terminal)));
    lines.extend(report.alerts.iter().take(WORST).map(|alert| line(alert.severity, alert.first_seen, &alert.title, terminal)));
    if report.alerts.len() > WORST {
        lines.push(format!("  {:SEVERITY$}  and {} more", "", thousands((report.alerts.len() - WORST) as u64)));
    }
    lines.extend(report.warnings.iter().take(WARNINGS).map(|warning| field("Warning", &fit(&warning.to_string(), room(terminal)))));
    if report.warnings.len() > WARNINGS {
        lines.push(field("", &format!("and {}", counted((report.warnings.len() - WARNINGS) as u64, "more warning", "more warnings"))));
    }
    lines.extend(pseudonym::sentence().map(|sentence| field("Names", &sentence)));
    lines.extend(place.map(|place| field("Report", &visible(&place.to_string_lossy()))));
    lines.join("\n") + "\n"
}

/// The stories that several alerts tell; a single alert is listed with the others.
fn incidents(report: &Report, terminal: Terminal) -> Vec<String> {
    let stories: Vec<&Incident> = report.incidents.iter().filter(|incident| incident.steps.len() > 1).collect();
    if stories.is_empty() {
        return Vec::new();
    }
    let shown = stories.iter().take(WORST).map(|incident| line(incident.severity, incident.first_seen, &incident.title, terminal));
    let mut lines: Vec<String> =
        [field("Incident", &counted(stories.len() as u64, "story of several alerts", "stories of several alerts"))].into();
    lines.extend(shown);
    lines
}

/// The packets that were not decoded in full, where there are any.
fn apart(report: &Report) -> Option<String> {
    let accounting = &report.accounting;
    let parts = [
        (accounting.partly_decoded(), "decoded in part"),
        (accounting.not_decoded(), "not decoded"),
        (accounting.filtered, "filtered out"),
    ];
    let named: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{} {what}", thousands(*number))).collect();
    if named.is_empty() { None } else { Some(named.join(", ")) }
}

fn counts(report: &Report, terminal: Terminal) -> String {
    let present: Vec<String> = BySeverity::of(&report.alerts)
        .present()
        .map(|(severity, number)| terminal.painted(&format!("{} {}", thousands(number), severity.name()), severity))
        .collect();
    let silenced = report.suppressed.len() as u64;
    let alerts = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
    if silenced > 0 { format!("{alerts}; {} by the allow-list", counted(silenced, "suppressed", "suppressed")) } else { alerts }
}

/// Severity, time and title in columns; the title gets what is left.
fn line(severity: Severity, first_seen: Nanos, title: &str, terminal: Terminal) -> String {
    let painted = terminal.painted(&format!("{:SEVERITY$}", severity.name()), severity);
    let title = fit(title, terminal.width - 2 - SEVERITY - 2 - MOMENT - 2);
    format!("  {painted}  {}  {title}", log_time(first_seen))
}

fn field(name: &str, value: &str) -> String {
    format!("  {name:SEVERITY$}  {value}")
}

const fn room(terminal: Terminal) -> usize {
    terminal.width - 2 - SEVERITY - 2
}

impl Terminal {
    fn bold(self, text: &str) -> String {
        self.coded(text, "1")
    }

    /// The text in the colour of a severity.
    #[must_use]
    pub fn painted(self, text: &str, severity: Severity) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low => "36",
            Severity::Info => "2",
        };
        self.coded(text, code)
    }

    fn coded(self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The text made visible, cut with an ellipsis where it takes more than `columns`.
fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    let shown = visible(text);
    if shown.chars().map(cells).sum::<usize>() <= columns {
        return shown;
    }
    let mut used = 1;
    let kept = shown.chars().take_while(|c| {
        used += cells(*c);
        used <= columns
    });
    Cow::Owned(kept.collect::<String>() + "…")
}

/// Columns that a character takes: two in the scripts of East Asia and for pictographs.
const fn cells(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    const PLAIN: Terminal = Terminal { width: 80, colour: false };

    #[test]
    fn the_summary_says_what_was_read_and_what_was_found() {
        let text = render(&example::report(), Some(Path::new("reports/office.pcap")), PLAIN);
        assert_eq!(
            text,
            "office.pcap\n\
             \x20 Packets   100\n\
             \x20           2 decoded in part, 3 not decoded, 5 filtered out\n\
             \x20 Time      2023-08-05 15:03:31 to 15:03:41 UTC (10.0 s)\n\
             \x20 Bytes     12.3 MB\n\
             \x20 Alerts    1 high, 1 medium\n\
             \x20 high      2023-08-05 15:03:31  SYN flood against 192.0.2.10\n\
             \x20 medium    2023-08-05 15:03:32  Port scan of 192.0.2.10 by 198.51.100.7\n\
             \x20 Report    reports/office.pcap\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut report = example::report();
        report.input = "x".repeat(300);
        report.alerts[0].title = "長".repeat(200);
        report.alerts = vec![report.alerts[0].clone(); 9];
        report.warnings = vec![crate::warning::Warning::Skipped { offset: 1, problem: "y".repeat(300) }; 9];
        for width in [80, 100, 120] {
            for line in render(&report, None, Terminal { width, colour: false }).lines() {
                assert!(line.chars().map(cells).sum::<usize>() <= width, "{line}");
            }
        }
    }

    #[test]
    fn an_escape_sequence_in_a_title_does_not_reach_the_terminal() {
        let mut report = example::report();
        report.alerts[0].title = "\x1b[2Jgone".into();
        assert!(!render(&report, None, PLAIN).contains('\x1b'));
    }

    #[test]
    fn colour_adds_codes_and_changes_no_text() {
        let report = example::report();
        let mut coloured = render(&report, None, Terminal { colour: true, ..PLAIN });
        assert!(coloured.contains("\x1b[31mhigh"));
        for code in ["1", "31", "33", "0"] {
            coloured = coloured.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(coloured, render(&report, None, PLAIN));
    }

    #[test]
    fn an_empty_capture_has_a_summary_too() {
        assert_eq!(render(&example::empty(), None, PLAIN), "empty.pcap\n  Packets   0\n  Bytes     0 B\n  Alerts    none\n");
    }
}
