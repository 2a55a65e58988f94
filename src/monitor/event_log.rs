//! `security_monitor.log`, written while things happen: a line for every alert when it is first told, and another
//! when it has become worse.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::detect::{Alert, Severity};
use crate::error::Error;
use crate::report;
use crate::time::Nanos;

/// What stays the same while an alert grows: type, technique, first attacker and victim, and beginning.
type Event = (&'static str, Option<&'static str>, Option<String>, Option<String>, Nanos);

#[derive(Debug)]
pub(super) struct EventLog {
    path: PathBuf,
    file: File,
    told: BTreeMap<Event, Severity>,
}

impl EventLog {
    /// Goes on at the end of a log that is there; a new one is for its owner only.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|cause| Error::Write { path: path.to_owned(), cause })?;
        Ok(Self { path: path.to_owned(), file, told: BTreeMap::new() })
    }

    /// Writes what is new, in the order of time.
    pub fn tell(&mut self, alerts: &[Alert]) -> Result<(), Error> {
        let mut news: Vec<&Alert> = alerts.iter().filter(|alert| self.is_news(alert)).collect();
        news.sort_by_key(|alert| alert.detected_at);
        let lines: String = news.into_iter().map(report::alert_line).collect();
        self.file.write_all(lines.as_bytes()).map_err(|cause| Error::Write { path: self.path.clone(), cause })?;
        self.told.extend(alerts.iter().map(|alert| (event(alert), alert.severity)));
        Ok(())
    }

    fn is_news(&self, alert: &Alert) -> bool {
        self.told.get(&event(alert)).is_none_or(|told| *told < alert.severity)
    }
}

fn event(alert: &Alert) -> Event {
    (alert.kind, alert.technique, alert.attackers.first().cloned(), alert.victims.first().cloned(), alert.first_seen)
}
