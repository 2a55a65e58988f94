//! The library for programs that see connections and not packets: a server, a firewall, a reader of logs.
//!
//! [`NetworkSecurityMonitor`] is told of connections as they happen, or is given packets, or both, and judges them
//! with the detectors and thresholds of the program `nsm`. What somebody tells of becomes a row of the same tables
//! that packets fill ([`crate::table::Told`]), so that no detector knows one from the other.
//!
//! ```
//! use std::net::Ipv4Addr;
//! use network_security_monitor::monitor::NetworkSecurityMonitor;
//!
//! let mut monitor = NetworkSecurityMonitor::new();
//! let stranger = Ipv4Addr::new(203, 0, 113, 9);
//! // Fifteen ports of this host within three seconds; 1691247811 is 2023-08-05 15:03:31 UTC.
//! for (number, port) in (1_u32..).zip(8_001..=8_015) {
//!     monitor.monitor_connection(stranger, port, 1_691_247_811.0 + f64::from(number) * 0.2);
//! }
//! let alerts = monitor.alerts()?;
//! assert_eq!(alerts[0].kind, "port_scan");
//! assert_eq!(alerts[0].attackers, ["203.0.113.9"]);
//!
//! let summary = monitor.get_suspicious_activity_summary()?;
//! assert_eq!(summary.by_type["port_scan"], 1);
//! println!("{summary}");
//! # Ok::<(), network_security_monitor::error::Error>(())
//! ```
//!
//! # What is judged
//!
//! Every detector runs. What it can find depends on what it is told:
//!
//! - [`NetworkSecurityMonitor::monitor_connection`] tells of an attempt at the monitored host, and not what came of
//!   it. Then rates (more than `rate.attempts_per_s` from one source to one port), the ports of one host
//!   (`scan.ports` within `scan.window_s`) and unusual ports are judged. No alert claims that such an attempt failed
//!   or worked, and none is raised that rests on failure: many clients are no flood, many hosts no sweep.
//! - [`NetworkSecurityMonitor::monitor`] takes a [`Connection`] with as much as is known. With its destination and
//!   outcome come sweeps, distributed and slow scans and floods; with logins, guessing and spraying of passwords and
//!   whether it worked; with bytes and duration, exfiltration, lateral movement and long connections; with its
//!   source, beacons.
//! - [`NetworkSecurityMonitor::monitor_packet`] takes a frame as it was captured. Fed with the frames of a capture,
//!   the monitor reports what `nsm analyze` does.
//!
//! # Time
//!
//! All time is what is given ([`Timestamp`]); the monitor asks no clock. Order matters little: what is told late goes
//! to the minute in which it happened. Rates are found as far as their attempts are told in order or within one
//! second of the clock; an attempt told more than two minutes late counts, but adds to no earlier rate. A time more
//! than an hour before the latest is taken for another clock.
//!
//! # Memory and cost
//!
//! The tables grow up to `memory.max_mib` and no further; what does not fit is counted and said in the report's
//! warnings. A flood with forged sources makes no state beyond `fold.*`. A verdict goes through all tables: it is kept
//! until something new is given, and costs from milliseconds to seconds; ask for it every few seconds, not after
//! every connection.

mod connection;
mod event_log;
mod intake;
mod report_dir;
mod summary;
mod timestamp;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

pub use connection::Connection;
pub use summary::{ActivitySummary, Headline, SuspiciousSource};
pub use timestamp::Timestamp;

pub use crate::config::Config;
pub use crate::decode::app::Service;
pub use crate::detect::{Alert, Severity};
pub use crate::report::Report;
pub use crate::table::Outcome;

use crate::analysis;
use crate::error::Error;
use crate::net::Addr;
use crate::pipeline::Measured;
use crate::report::Manifest;
use crate::time::from_seconds;
use event_log::EventLog;
use intake::{Frame, Intake};

/// The address of the monitored host where no other is given: every host calls itself so (RFC 1122 section 3.2.1.3).
const THIS_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// What reports call the source of the data unless it is named.
const NAME: &str = "monitor";

/// Judges connections and packets while they come. See the [module](self) for what it finds.
///
/// It can be sent to another thread; to share it between threads, put it behind a lock.
#[derive(Debug)]
pub struct NetworkSecurityMonitor {
    config: Config,
    name: String,
    host: Addr,
    intake: Intake,
    log: Option<EventLog>,
    /// The verdict on all that was given, until there is more.
    verdict: Option<Report>,
}

impl Default for NetworkSecurityMonitor {
    fn default() -> Self {
        Self::with_config(Config::default())
    }
}

impl NetworkSecurityMonitor {
    /// With the default thresholds, those that `nsm config` prints.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With thresholds of one's own.
    ///
    /// ```
    /// use network_security_monitor::monitor::{Config, NetworkSecurityMonitor};
    ///
    /// let mut config = Config::from_yaml("scan: { ports: 30 }\nlogin: { few: 3 }")?;
    /// config.set("rate.attempts_per_s", "10")?;
    /// let monitor = NetworkSecurityMonitor::with_config(config);
    /// # drop(monitor);
    /// # Ok::<(), network_security_monitor::error::Error>(())
    /// ```
    #[must_use]
    pub fn with_config(config: Config) -> Self {
        Self { intake: Intake::new(&config.base), config, name: NAME.into(), host: Addr::from(THIS_HOST), log: None, verdict: None }
    }

    /// What reports and alerts call the source of the data; `monitor` unless it is named.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The address of the monitored host, to which connections without a destination go; 127.0.0.1 unless given.
    #[must_use]
    pub fn on_host(mut self, address: impl Into<IpAddr>) -> Self {
        self.host = Addr::from(address.into());
        self
    }

    /// Writes an event log, usually called `security_monitor.log`: a line `YYYY-MM-DD HH:MM:SS - LEVEL - MESSAGE` for
    /// every alert, in the time of the events (UTC), when a verdict first finds it and again when it has become worse.
    /// A log that is there is continued; a new one can be read by its owner only.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn log_to(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        self.log = Some(EventLog::open(path.as_ref())?);
        Ok(self)
    }

    /// Tells of an attempt to connect to a TCP port of the monitored host. What came of it is left open.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use std::time::SystemTime;
    /// use network_security_monitor::monitor::NetworkSecurityMonitor;
    ///
    /// let mut monitor = NetworkSecurityMonitor::new();
    /// let source: IpAddr = "203.0.113.9".parse()?;
    /// monitor.monitor_connection(source, 443, SystemTime::now());
    /// assert!(monitor.alerts()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn monitor_connection(&mut self, source_ip: impl Into<IpAddr>, dest_port: u16, timestamp: impl Into<Timestamp>) {
        self.monitor(&Connection::new(source_ip, dest_port, timestamp));
    }

    /// Tells of a connection with all that is known of it.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use network_security_monitor::monitor::{Connection, NetworkSecurityMonitor, Service, Severity};
    ///
    /// let mut monitor = NetworkSecurityMonitor::new();
    /// let guesser = Ipv4Addr::new(203, 0, 113, 9);
    /// let login = |second: u32| Connection::new(guesser, 22, 1_691_247_811.0 + f64::from(second)).service(Service::Ssh);
    /// for second in 0..12 {
    ///     monitor.monitor(&login(second).failed_login(if second % 2 == 0 { "root" } else { "admin" }));
    /// }
    /// assert_eq!(monitor.alerts()?[0].severity, Severity::Medium);
    ///
    /// monitor.monitor(&login(12).successful_login("admin"));
    /// let alerts = monitor.alerts()?;
    /// assert_eq!((alerts[0].kind, alerts[0].severity), ("brute_force", Severity::Critical));
    /// # Ok::<(), network_security_monitor::error::Error>(())
    /// ```
    pub fn monitor(&mut self, connection: &Connection) {
        self.verdict = None;
        self.intake.connection(connection, self.host);
    }

    /// Takes a frame as it was captured. `link_type` is a number of the registry of tcpdump.org: 1 is Ethernet, 101
    /// an IP packet without any link header.
    ///
    /// ```
    /// use network_security_monitor::monitor::NetworkSecurityMonitor;
    ///
    /// // The header of an ICMP echo request from 192.0.2.1 to 192.0.2.2 (RFC 791), and its first eight bytes (RFC 792).
    /// let packet = [
    ///     0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    ///     8, 0, 0, 0, 0, 1, 0, 1,
    /// ];
    /// let mut monitor = NetworkSecurityMonitor::new();
    /// monitor.monitor_packet(1_691_247_811.0, 101, &packet);
    /// assert_eq!(monitor.generate_report()?.accounting.decoded, 1);
    /// # Ok::<(), network_security_monitor::error::Error>(())
    /// ```
    pub fn monitor_packet(&mut self, timestamp: impl Into<Timestamp>, link_type: u16, bytes: &[u8]) {
        self.monitor_cut_packet(timestamp, link_type, bytes, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    }

    /// Takes the beginning of a frame that was cut when it was captured, with its length on the wire in bytes.
    pub fn monitor_cut_packet(&mut self, timestamp: impl Into<Timestamp>, link_type: u16, bytes: &[u8], on_wire: u32) {
        self.verdict = None;
        let frame = Frame { at: timestamp.into(), link_type, bytes, on_wire };
        self.intake.frame(&frame);
    }

    /// Packets and connections given so far.
    #[must_use]
    pub const fn given(&self) -> u64 {
        self.intake.seen().given()
    }

    /// What was found so far, the worst first, then the earliest. Alerts may grow, become worse or give way to
    /// others while more is given.
    ///
    /// # Errors
    /// When the event log cannot be written; else only for defects of ours.
    pub fn alerts(&mut self) -> Result<&[Alert], Error> {
        Ok(&self.generate_report()?.alerts)
    }

    /// The verdict on all that was given so far: alerts, incidents, hosts, traffic over time and what limits the
    /// result. [`crate::report::render`] makes files of it, [`Self::write_report`] a whole directory.
    ///
    /// # Errors
    /// As [`Self::alerts`].
    pub fn generate_report(&mut self) -> Result<&Report, Error> {
        let verdict = match self.verdict.take() {
            Some(verdict) => verdict,
            None => self.judge()?.0,
        };
        Ok(self.verdict.insert(verdict))
    }

    /// How many alerts there are, of what kind, and who is behind them: as data, and as text by its `Display`.
    ///
    /// # Errors
    /// As [`Self::alerts`].
    pub fn get_suspicious_activity_summary(&mut self) -> Result<ActivitySummary, Error> {
        self.generate_report().map(ActivitySummary::of)
    }

    /// Writes the report as a directory, as `nsm analyze` does: alerts, tables as Parquet, CSV, charts, a page and the
    /// event log; only connections one by one are not in it. `nsm judge` and `nsm report` work on it. A report that is
    /// there is left alone unless `replace`.
    ///
    /// # Errors
    /// [`Error::ReportExists`], and when a file cannot be written.
    pub fn write_report(&mut self, directory: impl AsRef<Path>, replace: bool) -> Result<Manifest, Error> {
        let (report, measured) = self.judge()?;
        let written = report_dir::write(&report, &measured, &self.config, directory.as_ref(), replace);
        self.verdict = Some(report);
        written
    }

    /// Ends a period and begins the next, so that a monitor can run for as long as its program does: the final verdict on
    /// what was given so far. The next period knows the last `live.lead_in_s` seconds of this one and what is open, so that nothing is missed that crosses the turn; what was over is told only here.
    ///
    /// # Errors
    /// As [`Self::alerts`].
    pub fn next_period(&mut self) -> Result<Report, Error> {
        self.verdict = None;
        let (tables, seen) = self.intake.turn(from_seconds(self.config.base.live.lead_in_s))?;
        let report = analysis::judge(&self.name, &seen.measured(tables), &self.config, &|_| true)?;
        self.log.iter_mut().try_for_each(|log| log.tell(&report.alerts))?;
        Ok(report)
    }

    /// Nothing more will come: what is still open is ended, and the verdict is final.
    ///
    /// # Errors
    /// As [`Self::alerts`].
    pub fn finish(self) -> Result<Report, Error> {
        let Self { config, name, intake, mut log, .. } = self;
        let (tables, seen) = intake.finish()?;
        let report = analysis::judge(&name, &seen.measured(tables), &config, &|_| true)?;
        log.iter_mut().try_for_each(|log| log.tell(&report.alerts))?;
        Ok(report)
    }

    fn judge(&mut self) -> Result<(Report, Measured), Error> {
        self.intake.flush();
        let measured = self.intake.seen().measured(self.intake.tables_so_far()?);
        let report = analysis::judge(&self.name, &measured, &self.config, &|_| true)?;
        self.log.iter_mut().try_for_each(|log| log.tell(&report.alerts))?;
        Ok((report, measured))
    }
}
