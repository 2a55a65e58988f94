//! What is to be seen of a capture that goes on, on a terminal: rates, the busiest hosts, open alerts. Draws nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::detect::{Alert, Severity};
use crate::report::{self, BySeverity, Report, Terminal, bytes};
use crate::time::{self, Nanos};

/// Counters of the thread that measures, for the one that shows them.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    frames: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

impl Traffic {
    pub(super) fn note(&self, frames: u64, bytes: u64, dropped: u64) {
        self.frames.store(frames, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.dropped.store(dropped, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Rates are those of so long.
const RATES_OVER: Duration = Duration::from_secs(3);
const TALKERS: usize = 5;
const ALERTS: usize = 6;
/// Columns of severity and time.
const BEFORE_TITLE: usize = 22;

pub(super) struct Screen<'a> {
    traffic: &'a Traffic,
    name: String,
    terminal: Terminal,
    began: Instant,
    /// Earlier counts: when, frames, bytes.
    counts: VecDeque<(Instant, u64, u64)>,
    talkers: String,
}

impl<'a> Screen<'a> {
    pub(super) fn new(name: &str, traffic: &'a Traffic, terminal: Terminal) -> Self {
        Self {
            traffic,
            name: report::visible(name).into_owned(),
            terminal,
            began: Instant::now(),
            counts: VecDeque::new(),
            talkers: String::new(),
        }
    }

    /// Takes the busiest hosts of what was just judged.
    pub(super) fn meet(&mut self, report: &Report) {
        let mut hosts: Vec<(u64, String)> =
            report.hosts.iter().map(|host| (host.bytes_sent + host.bytes_received, host.address.to_string())).collect();
        hosts.sort_by(|a, b| b.cmp(a));
        let shown: Vec<String> = hosts.iter().take(TALKERS).map(|(total, address)| format!("{address} {}", bytes(*total))).collect();
        self.talkers = shown.join("  ");
    }

    /// As it is now.
    pub(super) fn text<'e>(&mut self, open: impl Iterator<Item = &'e Alert>) -> String {
        let mut lines = vec![self.rates(Instant::now())];
        if !self.talkers.is_empty() {
            lines.push(format!("  Busiest   {}", self.talkers));
        }
        let mut open: Vec<&Alert> = open.filter(|alert| alert.severity > Severity::Info).collect();
        open.sort_by_key(|alert| std::cmp::Reverse((alert.severity, alert.last_seen)));
        let counts: Vec<String> =
            BySeverity::of(open.iter().copied()).present().map(|(severity, count)| format!("{count} {}", severity.name())).collect();
        lines.push(format!("  Open      {}", if counts.is_empty() { "no alert".into() } else { counts.join(", ") }));
        let mut shown: Vec<String> = lines.iter().map(|line| clipped(line, self.terminal.width)).collect();
        for alert in open.iter().take(ALERTS) {
            let severity = self.terminal.painted(&format!("{:8}", alert.severity.name()), alert.severity);
            let title = clipped(&report::visible(&alert.title), self.terminal.width.saturating_sub(BEFORE_TITLE));
            shown.push(format!("  {severity}  {}  {title}", clock(alert.first_seen)));
        }
        if open.len() > ALERTS {
            shown.push(format!("  and {} more", open.len() - ALERTS));
        }
        shown.join(
            "
",
        )
    }

    fn rates(&mut self, now: Instant) -> String {
        let Traffic { frames, bytes, dropped } = self.traffic;
        let (frames, total, dropped) = (frames.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed));
        self.counts.push_back((now, frames, total));
        while self.counts.len() > 2 && self.counts.get(1).is_some_and(|(at, ..)| now - *at >= RATES_OVER) {
            self.counts.pop_front();
        }
        let (at, frames_then, total_then) = self.counts.front().copied().unwrap_or((now, frames, total));
        let seconds = (now - at).as_secs_f64().max(0.001);
        // Bytes are those of the period, and begin anew with it.
        let bits = total.saturating_sub(total_then) as f64 * 8.0 / seconds;
        format!(
            "{}  {}  {}  {}  {} packets, {} dropped",
            self.name,
            time::duration(Nanos::try_from(self.began.elapsed().as_nanos()).unwrap_or_default()),
            report::si(frames.saturating_sub(frames_then) as f64 / seconds, "packets/s"),
            report::si(bits, "bit/s"),
            report::thousands(frames),
            report::thousands(dropped),
        )
    }
}

fn clipped(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}

/// Hour, minute and second of a packet time.
fn clock(ts: Nanos) -> String {
    time::log_time(ts).split(' ').nth(1).unwrap_or_default().to_owned()
}
