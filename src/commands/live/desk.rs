//! The thread that judges what there is so far and tells it: on the terminal, in the log, to whoever wants to know.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use super::super::setup::{Setup, told as error_text};
use super::super::{Outcome, capture_report};
use super::console::Console;
use super::event_log::EventLog;
use super::periods::Verdict;
use super::screen::{Screen, Traffic};
use super::signals::Signals;
use crate::capture::SourceFacts;
use crate::confine::Restricted;
use crate::detect::Severity;
use crate::error::Error;
use crate::panics;
use crate::pipeline::Period;
use crate::pseudonym;
use crate::report::{self, Findings};
use crate::time::{self, Nanos, from_seconds, log_time};
use crate::watch::{Events, Look, Step, Told};

/// What the desk is asked to do.
pub(super) enum ToDesk {
    Look(Box<LookAt>),
    Settled(Box<Verdict>),
    Problem(Error),
}

/// What there is so far of a capture.
pub(super) struct LookAt {
    pub period: Period,
    pub facts: SourceFacts,
    pub look: Look,
    pub began: Instant,
}

/// The screen is drawn anew at least so often.
const REFRESH: Duration = Duration::from_millis(500);
/// Dropped packets are said no more often.
const BETWEEN_DROPS: Duration = Duration::from_secs(10);

pub(super) struct Desk<'a> {
    setup: &'a Setup<'a>,
    name: String,
    events: Events,
    top: PathBuf,
    restricted: Restricted,
    log: EventLog,
    console: Console,
    screen: Screen<'a>,
    signals: &'a Signals,
    traffic: &'a Traffic,
    /// Threads for judging.
    judging: &'a ThreadPool,
    /// Told how long each look took.
    looked: Sender<Duration>,
    /// The latest packet time.
    now: Nanos,
    dropped: u64,
    drops_noted: Option<Instant>,
    /// Events that were seen on the terminal and are not over.
    shown: HashSet<String>,
    /// What went wrong last.
    problem: Option<String>,
    last: Option<Box<Verdict>>,
    outcome: Outcome,
}

impl<'a> Desk<'a> {
    pub(super) fn open(
        setup: &'a Setup<'a>,
        name: &str,
        (top, restricted): (&Path, Restricted),
        signals: &'a Signals,
        traffic: &'a Traffic,
        judging: &'a ThreadPool,
        looked: Sender<Duration>,
    ) -> Result<Self, Error> {
        let most = u64::from(setup.config.base.live.log_max_mib) << 20;
        let log = EventLog::open(top, most).map_err(|cause| Error::Write { path: top.join(super::event_log::NAME), cause })?;
        Ok(Self {
            setup,
            name: name.to_owned(),
            events: Events::new(name.to_owned(), from_seconds(setup.config.base.alert.join_gap_s)),
            top: top.to_owned(),
            restricted,
            log,
            console: Console::open(!setup.terminal.quiet && !setup.writes_to_terminal()),
            screen: Screen::new(name, traffic, setup.screen()),
            signals,
            traffic,
            judging,
            looked,
            now: time::parse(&setup.analysed_at).unwrap_or_default(),
            dropped: 0,
            drops_noted: None,
            shown: HashSet::new(),
            problem: None,
            last: None,
            outcome: Outcome::Done,
        })
    }

    /// Works until nobody writes any more.
    pub(super) fn work(mut self, letters: &Receiver<ToDesk>) -> Result<Outcome, Error> {
        self.log(self.now, "INFO", &format!("capture {} begins; {}", self.name, self.restricted));
        pseudonym::sentence().into_iter().for_each(|sentence| self.log(self.now, "INFO", &sentence));
        self.say(&format!("watching {}; Ctrl-C ends with a report in {}", self.name, self.top.display()));
        loop {
            match letters.recv_timeout(REFRESH) {
                Ok(ToDesk::Look(look)) => self.look(*look),
                Ok(ToDesk::Settled(verdict)) => self.settle(verdict),
                Ok(ToDesk::Problem(error)) => self.problem(&error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(self.end()),
            }
            if self.signals.wants_reopened_log() {
                self.log.reopen();
            }
            self.note_drops();
            if self.console.has_screen() {
                self.console.screen(self.screen.text(self.events.open()));
            }
        }
    }

    fn look(&mut self, LookAt { period, facts, look, began }: LookAt) {
        self.now = look.now;
        let judged = self.judging.install(|| {
            panics::caught(|| {
                let measured = period.finish(facts, Vec::new(), &mut |_| Ok(()))?;
                capture_report::judge(self.setup, &self.name, &measured)
            })
        });
        match judged.unwrap_or_else(|problem| Err(Error::Internal(problem))) {
            Ok(report) => {
                self.screen.meet(&report);
                let told = self.events.looked(&report.alerts, look);
                told.into_iter().for_each(|told| self.tell(told));
            }
            Err(error) => self.problem(&error),
        }
        // Who follows the capture may be at its end.
        let _ = self.looked.send(began.elapsed());
    }

    fn settle(&mut self, verdict: Box<Verdict>) {
        let Verdict { report, place, written, goes_on } = &*verdict;
        let told = self.events.settled(&report.alerts, *goes_on);
        told.into_iter().for_each(|told| self.tell(told));
        self.outcome = self.outcome.max(self.setup.judged(&Findings::of(report)));
        let end = report.span.map_or(self.now, |(_, end)| end);
        self.now = self.now.max(end);
        for warning in &report.warnings {
            self.log(end, "WARNING", &warning.to_string());
        }
        let counts = format!(
            "{}, {}",
            report::counted(report.accounting.frames, "packet", "packets"),
            report::counted(report.alerts.len() as u64, "alert", "alerts")
        );
        match written {
            Ok(()) => {
                let text = format!("report of {counts} written to {}", place.display());
                self.log(end, "INFO", &text);
                // The last report is shown in full.
                if goes_on.is_some() {
                    self.say(&text);
                }
            }
            Err(error) => {
                let text = format!("no report of this period ({counts}) could be written: {error}");
                self.log(end, "ERROR", &text);
                self.console.line(format!("nsm: {}", report::visible(&text)));
                self.outcome = self.outcome.max(Outcome::Damaged);
            }
        }
        self.last = Some(verdict);
    }

    /// Something could not be judged: said once for as long as it stays the same.
    fn problem(&mut self, error: &Error) {
        self.outcome = self.outcome.max(Outcome::Damaged);
        let text = error.to_string();
        if self.problem.as_ref() == Some(&text) {
            return;
        }
        self.log(self.now, "ERROR", &text);
        self.console.line(format!("nsm: {}", error_text(error)));
        self.problem = Some(text);
    }

    /// Others first: the terminal may belong to somebody who does not read it.
    fn tell(&mut self, Told { step, notice }: Told) {
        let notice = Arc::new(notice);
        self.setup.outlets.tell(&notice);
        let alert = &notice.alert;
        let is_shown = alert.severity > Severity::Info || self.setup.terminal.verbose;
        let is_new = is_shown && self.shown.insert(notice.id.clone());
        let word = match step {
            Step::Begins => "",
            Step::Grows => "grows: ",
            Step::Ends => "over: ",
            Step::Withdrawn => "withdrawn: ",
        };
        let at = if step == Step::Begins { alert.detected_at } else { self.now.max(alert.detected_at) };
        let level = if step == Step::Withdrawn { "INFO" } else { report::log_level(alert.severity) };
        self.log(at, level, &format!("{}: {word}{}", alert.kind, alert.message));
        // A mere fact that became worse was never seen here.
        let word = if is_new && step == Step::Grows { "" } else { word };
        if is_shown && !self.setup.terminal.quiet {
            let severity = self.setup.screen().painted(&format!("{:8}", alert.severity.name()), alert.severity);
            self.console.line(format!("{}  {severity}  {}: {word}{}", log_time(at), alert.kind, report::visible(&alert.message)));
        }
        if matches!(step, Step::Ends | Step::Withdrawn) {
            self.shown.remove(&notice.id);
        }
    }

    /// Packets that nobody could read, from time to time.
    fn note_drops(&mut self) {
        let dropped = self.traffic.dropped();
        if dropped > self.dropped && self.drops_noted.is_none_or(|at| at.elapsed() >= BETWEEN_DROPS) {
            let text = format!("{} were dropped before they could be read", report::counted(dropped - self.dropped, "packet", "packets"));
            (self.dropped, self.drops_noted) = (dropped, Some(Instant::now()));
            self.log(self.now, "WARNING", &text);
            self.say(&text);
        }
    }

    fn log(&mut self, at: Nanos, level: &str, message: &str) {
        self.log.write(&report::log_line(at, level, message));
    }

    /// For who wants to hear more than alerts.
    fn say(&self, text: &str) {
        if !self.setup.terminal.quiet {
            self.console.line(report::visible(text));
        }
    }

    fn end(mut self) -> Outcome {
        self.drops_noted = None;
        self.note_drops();
        let text = format!("capture {} ends", self.name);
        self.log(self.now, "INFO", &text);
        let Self { console, log, last, setup, outcome, .. } = self;
        if let Some(verdict) = last.filter(|verdict| verdict.written.is_ok() && !setup.terminal.quiet) {
            console.line(setup.summary(&verdict.report, &verdict.place).trim_end());
        }
        if let Some((lines, problem)) = log.lost() {
            let lost = report::counted(lines, "line", "lines");
            console.line(format!("nsm: {lost} of {} could not be written: {}", super::event_log::NAME, report::visible(problem)));
        }
        console.end();
        outcome
    }
}
