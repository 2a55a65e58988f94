//! `security_monitor.log`, written while things happen: a line for every alert when it is first told, and another
//! when it has become worse.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::detect::{Alert, Severity};
use crate::error::Error;
use crate::report;

#[derive(Debug)]
pub(super) struct EventLog {
    path: PathBuf,
    file: File,
    /// By the id, which stays the same while an alert grows.
    told: BTreeMap<String, Severity>,
}

impl EventLog {
    /// Goes on at the end of a log that is there; a new one is for its owner only.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = report::open_append(path).map_err(|cause| Error::Write { path: path.to_owned(), cause })?;
        Ok(Self { path: path.to_owned(), file, told: BTreeMap::new() })
    }

    /// Writes what is new, in the order of time.
    pub fn tell(&mut self, alerts: &[Alert]) -> Result<(), Error> {
        let mut news: Vec<&Alert> = alerts.iter().filter(|alert| self.is_news(alert)).collect();
        news.sort_by_key(|alert| alert.detected_at);
        let lines: String = news.into_iter().map(report::alert_line).collect();
        self.file.write_all(lines.as_bytes()).map_err(|cause| Error::Write { path: self.path.clone(), cause })?;
        self.told.extend(alerts.iter().map(|alert| (alert.id(), alert.severity)));
        Ok(())
    }

    fn is_news(&self, alert: &Alert) -> bool {
        self.told.get(&alert.id()).is_none_or(|told| *told < alert.severity)
    }
}
