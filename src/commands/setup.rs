//! What every capture of a run is analysed with, resolved once; and how a run speaks to who started it.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use crate::cli::{Analyze, Color, Format, Notification, Terminal};
use crate::config::Config;
use crate::detect::{Alert, Baseline, Notice, Picture, Severity, Status};
use crate::error::Error;
use crate::outlet::{Delivery, Outlets};
use crate::pipeline::Options;
use crate::report::{self, FileRecord, Findings, Report};
use crate::rules::Rules;

use super::Outcome;
use super::inputs::Input;

pub(super) struct Setup<'a> {
    pub args: &'a Analyze,
    pub terminal: Terminal,
    pub config: Config,
    pub rules: Rules,
    pub options: Options,
    /// What is known from other captures.
    pub baseline: Option<Baseline>,
    pub baseline_file: Option<FileRecord>,
    /// Who is told of alerts.
    pub outlets: &'a Outlets,
    /// When this run began; the only time that is not packet time, for the manifest.
    pub analysed_at: String,
    pub command_line: &'a [String],
}

impl Setup<'_> {
    pub(super) fn wants(&self, format: Format) -> bool {
        self.args.format.contains(&format)
    }

    /// Only packets that match it are looked at.
    pub(super) fn filter(&self) -> Option<&str> {
        self.args.live.filter.as_deref()
    }

    /// How a capture with these findings ends the run.
    pub(super) fn judged(&self, findings: &Findings) -> Outcome {
        let worst = findings.alerts.worst();
        if self.args.fail_on.is_some_and(|limit: Severity| worst.is_some_and(|worst| worst >= limit)) {
            Outcome::Alerts
        } else if findings.damaged {
            Outcome::Damaged
        } else {
            Outcome::Done
        }
    }

    /// Tells of the alerts of a report that is written. Those that the allow-list silences are none.
    pub(super) fn tell(&self, report: &Report) {
        if self.outlets.is_empty() {
            return;
        }
        for alert in &report.alerts {
            // Nobody is sent a picture, and many alerts may wait.
            let alert = Alert { picture: Picture::None, ..alert.clone() };
            self.outlets.tell(&Arc::new(Notice { id: alert.id(), status: Status::Final, alert, capture: report.input.clone() }));
        }
    }

    /// The summary of one report.
    pub(super) fn show(&self, report: &Report, place: &Path) {
        self.say(self.summary(report, place).trim_end());
        self.say_alerts(report);
    }

    pub(super) fn summary(&self, report: &Report, place: &Path) -> String {
        report::terminal(report, Some(place), self.screen())
    }

    /// Alerts go to the terminal as data: nothing may be drawn between their lines.
    pub(super) fn writes_to_terminal(&self) -> bool {
        let Notification { eve, ecs, .. } = &self.args.notification;
        let to_standard_output = self.args.live.jsonl || eve.iter().chain(ecs).any(|path| path.as_os_str() == "-");
        to_standard_output && io::stdout().is_terminal()
    }

    /// What standard error is capable of, and the user wants.
    pub(super) fn screen(&self) -> report::Terminal {
        let colour = match self.terminal.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        report::Terminal { width: terminal_width(), colour }
    }

    /// The sentence of every alert, for who wants to hear more.
    pub(super) fn say_alerts(&self, report: &Report) {
        if self.terminal.verbose {
            report.alerts.iter().for_each(|alert| self.say(&format!("  {}: {}", alert.kind, report::visible(&alert.message))));
        }
    }

    /// Something for the person at the terminal; a closed standard error is no reason to stop.
    pub(super) fn say(&self, text: &str) {
        say(self.terminal, text);
    }
}

fn say(terminal: Terminal, text: &str) {
    if !terminal.quiet {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// What became of the alerts that were told. A loss is said, also to who wants to hear nothing else; it is no damage of
/// an input, and changes no exit code.
pub(super) fn delivered(terminal: Terminal, deliveries: &[Delivery]) {
    for delivery in deliveries {
        if delivery.lost() > 0 {
            complain(&undelivered(delivery));
        } else if terminal.verbose {
            say(terminal, &format!("{}: {} alerts delivered", report::visible(&delivery.outlet), delivery.sent));
        }
    }
}

/// The warning about alerts that did not arrive.
fn undelivered(delivery: &Delivery) -> String {
    let Delivery { outlet, sent, dropped, failed, last_error } = delivery;
    let reason = last_error.as_ref().map(|reason| format!(": {}", report::visible(reason))).unwrap_or_default();
    let hint = match dropped {
        0 => String::new(),
        _ => format!(" ({dropped} never had their turn; outlet.queue says how many may wait, outlet.patience_s how long)"),
    };
    let (outlet, all) = (report::visible(outlet), sent + dropped + failed);
    format!("warning: {outlet}: {} of {all} alerts were not delivered{reason}{hint}", delivery.lost())
}

/// One of several reports that cannot be used stops none of the others.
pub(super) fn spared(place: &Input, error: &Error) -> Outcome {
    complain(&format!("{}: {}", report::visible(&place.path.to_string_lossy()), told(error)));
    Outcome::Damaged
}

/// Says what went wrong, also to who wants to hear nothing else. Whatever is in it from a capture or from the
/// file system changes nothing on the terminal.
pub fn complain(text: &str) {
    // Nothing is left to tell anybody if standard error is closed.
    let _ = writeln!(io::stderr(), "{}", lines(text));
}

/// An error as it is said on the terminal: only what we put onto lines of their own stays on them.
#[must_use]
pub fn told(error: &Error) -> String {
    let text = error.to_string();
    match error {
        Error::Rules(_) | Error::Usage(_) => lines(&text),
        _ => report::visible(&text).into_owned(),
    }
}

/// The text made harmless, line by line.
fn lines(text: &str) -> String {
    text.split('\n').map(report::visible).collect::<Vec<_>>().join("\n")
}

fn terminal_width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_delivered_is_said_with_its_number_and_reason() {
        let delivery =
            Delivery { outlet: "syslog udp://a:514".into(), sent: 7, dropped: 0, failed: 2, last_error: Some("no\nroute".into()) };
        assert_eq!(undelivered(&delivery), "warning: syslog udp://a:514: 2 of 9 alerts were not delivered: no\\nroute");
        let full = Delivery { dropped: 3, failed: 0, last_error: None, ..delivery };
        assert!(undelivered(&full).starts_with("warning: syslog udp://a:514: 3 of 10 alerts were not delivered (3 never had their turn"));
    }

    #[test]
    fn an_error_keeps_our_lines_and_none_of_a_file_name() {
        let hostile = Error::NotACapture { path: "a\x1b[2J\nnsm: all is well".into(), found: "it begins with \r".into() };
        assert_eq!(told(&hostile), "a\\u{1b}[2J\\nnsm: all is well is not a capture: it begins with \\r");
        let ours = Error::Rules("a.yaml:1: no\nb\x1b.yaml:2: no".into());
        assert_eq!(told(&ours), "a.yaml:1: no\nb\\u{1b}.yaml:2: no");
        assert_eq!(told(&Error::Usage("1 of 2 tests failed\n  x".into())), "1 of 2 tests failed\n  x");
    }
}
