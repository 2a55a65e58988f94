//! What is suspicious, in short: how much of what, and who is behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::detect::{Alert, Severity, grouped};
use crate::report::{BySeverity, Report, visible};
use crate::time::{Nanos, log_time};

/// Sources and alerts that the text names.
const NAMED: usize = 10;

/// Counts of the alerts so far; shown as a text for people, serialised as JSON for programs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ActivitySummary {
    /// First and last time that was given, nanoseconds since 1970-01-01 UTC; none if nothing was.
    pub span: Option<(Nanos, Nanos)>,
    /// Frames that were captured and connections that were told of.
    pub given: u64,
    /// Attempts to connect that were seen or told of.
    pub attempts: u64,
    /// Of what was given, what came too fast to be kept one by one: a flood, or a rush.
    pub folded: u64,
    pub alerts: BySeverity,
    pub by_type: BTreeMap<&'static str, u64>,
    /// Who did it, the worst first, then the one with the most alerts. Of an alert with more attackers only those
    /// are here that it lists ([`crate::detect::LISTED`]).
    pub sources: Vec<SuspiciousSource>,
    /// Severity, time and title of every alert, the worst first.
    pub worst: Vec<Headline>,
}

/// Somebody whom alerts name as attacker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SuspiciousSource {
    /// An IP or MAC address.
    pub address: String,
    pub severity: Severity,
    pub alerts: u64,
    /// Types of these alerts.
    pub types: BTreeSet<&'static str>,
}

/// An alert in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Headline {
    pub severity: Severity,
    pub first_seen: Nanos,
    pub title: String,
}

impl ActivitySummary {
    /// Of the alerts of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut by_type: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut sources: BTreeMap<&str, SuspiciousSource> = BTreeMap::new();
        for alert in &report.alerts {
            *by_type.entry(alert.kind).or_default() += 1;
            for address in &alert.attackers {
                let source = sources.entry(address).or_insert_with(|| SuspiciousSource {
                    address: address.clone(),
                    severity: alert.severity,
                    alerts: 0,
                    types: BTreeSet::new(),
                });
                source.severity = source.severity.max(alert.severity);
                source.alerts += 1;
                source.types.insert(alert.kind);
            }
        }
        let mut sources: Vec<SuspiciousSource> = sources.into_values().collect();
        // Stable: equals stay in the order of their addresses.
        sources.sort_by_key(|source| std::cmp::Reverse((source.severity, source.alerts)));
        let headline = |alert: &Alert| Headline { severity: alert.severity, first_seen: alert.first_seen, title: alert.title.clone() };
        Self {
            span: report.span,
            given: report.accounting.frames,
            attempts: report.totals.attempts,
            folded: report.totals.folded_packets,
            alerts: BySeverity::of(&report.alerts),
            by_type,
            sources,
            worst: report.alerts.iter().map(headline).collect(),
        }
    }

    /// No alert at all.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.worst.is_empty()
    }
}

/// Several lines, each with its end; every captured or told string is made harmless for a terminal.
impl fmt::Display for ActivitySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, last)) = self.span else { return writeln!(f, "Nothing was given to the monitor yet.") };
        let period = format!("from {} to {} UTC", log_time(first), log_time(last));
        writeln!(f, "{} packets and connections, {} attempts to connect, {period}", grouped(self.given), grouped(self.attempts))?;
        if self.folded > 0 {
            writeln!(f, "{} of them came too fast to be kept one by one: a flood, or a rush", grouped(self.folded))?;
        }
        if self.is_quiet() {
            return writeln!(f, "No suspicious activity was found.");
        }
        let counts: Vec<String> =
            self.alerts.present().map(|(severity, number)| format!("{} {}", grouped(number), severity.name())).collect();
        writeln!(f, "Alerts: {}", counts.join(", "))?;
        let types: Vec<String> = self.by_type.iter().map(|(kind, number)| format!("{kind} {}", grouped(*number))).collect();
        writeln!(f, "Types: {}", types.join(", "))?;
        writeln!(f, "Sources:")?;
        for source in self.sources.iter().take(NAMED) {
            let types: Vec<&str> = source.types.iter().copied().collect();
            writeln!(f, "  {:8}  {}: {}", source.severity.name(), visible(&source.address), types.join(", "))?;
        }
        more(f, self.sources.len())?;
        writeln!(f, "Worst:")?;
        for alert in self.worst.iter().take(NAMED) {
            writeln!(f, "  {:8}  {}  {}", alert.severity.name(), log_time(alert.first_seen), visible(&alert.title))?;
        }
        more(f, self.worst.len())
    }
}

fn more(f: &mut fmt::Formatter<'_>, number: usize) -> fmt::Result {
    if number > NAMED { writeln!(f, "  and {} more", grouped((number - NAMED) as u64)) } else { Ok(()) }
}
