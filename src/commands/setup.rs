//! What every capture of a run is analysed with, resolved once; and how a run speaks to who started it.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::cli::{Analyze, Color, Format, Terminal};
use crate::config::Config;
use crate::detect::{Baseline, Severity};
use crate::error::Error;
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

    /// The summary of one report.
    pub(super) fn show(&self, report: &Report, place: &Path) {
        let stderr = io::stderr();
        let colour = match self.terminal.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let width = terminal_width();
        self.say(report::terminal(report, Some(place), report::Terminal { width, colour }).trim_end());
        self.say_alerts(report);
    }

    /// The sentence of every alert, for who wants to hear more.
    pub(super) fn say_alerts(&self, report: &Report) {
        if self.terminal.verbose {
            report.alerts.iter().for_each(|alert| self.say(&format!("  {}: {}", alert.kind, report::visible(&alert.message))));
        }
    }

    /// Something for the person at the terminal; a closed standard error is no reason to stop.
    pub(super) fn say(&self, text: &str) {
        if !self.terminal.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
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
    fn an_error_keeps_our_lines_and_none_of_a_file_name() {
        let hostile = Error::NotACapture { path: "a\x1b[2J\nnsm: all is well".into(), found: "it begins with \r".into() };
        assert_eq!(told(&hostile), "a\\u{1b}[2J\\nnsm: all is well is not a capture: it begins with \\r");
        let ours = Error::Rules("a.yaml:1: no\nb\x1b.yaml:2: no".into());
        assert_eq!(told(&ours), "a.yaml:1: no\nb\\u{1b}.yaml:2: no");
        assert_eq!(told(&Error::Usage("1 of 2 tests failed\n  x".into())), "1 of 2 tests failed\n  x");
    }
}
