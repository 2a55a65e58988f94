//! The thread that judges what there is so far and tells it: on the terminal, in the log, to whoever wants to know.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use super::super::setup::{Setup, complain, told as error_text};
use super::super::{Outcome, capture_report};
use super::event_log::EventLog;
use super::periods::Verdict;
use super::screen::{Screen, Traffic};
use super::signals::Signals;
use crate::capture::SourceFacts;
use crate::detect::Severity;
use crate::error::Error;
use crate::panics;
use crate::pipeline::Period;
use crate::report::{self, Findings};
use crate::time::{Nanos, from_seconds, log_time};
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

pub(super) struct Desk<'a> {
    setup: &'a Setup<'a>,
    name: String,
    events: Events,
    log: EventLog,
    screen: Screen<'a>,
    signals: &'a Signals,
    traffic: &'a Traffic,
    /// Threads for judging.
    judging: &'a ThreadPool,
    /// Told how long each look took.
    looked: Sender<Duration>,
    /// The latest packet time.
    now: Nanos,
    began: bool,
    dropped: u64,
    last: Option<Box<Verdict>>,
    outcome: Outcome,
}

impl<'a> Desk<'a> {
    pub(super) fn open(
        setup: &'a Setup<'a>,
        name: &str,
        top: &Path,
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
            log,
            screen: Screen::open(name, traffic, setup.terminal.quiet, setup.screen()),
            signals,
            traffic,
            judging,
            looked,
            now: 0,
            began: false,
            dropped: 0,
            last: None,
            outcome: Outcome::Done,
        })
    }

    /// Works until nobody writes any more.
    pub(super) fn work(mut self, letters: &Receiver<ToDesk>) -> Result<Outcome, Error> {
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
            self.screen.show(self.events.open());
        }
    }

    fn look(&mut self, LookAt { period, facts, look, began }: LookAt) {
        self.now = look.now;
        if !self.began {
            self.began = true;
            self.log(self.now, "INFO", &format!("capture {} begins", self.name));
        }
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
        match written {
            Ok(()) => self.log(end, "INFO", &format!("report written to {}", place.display())),
            Err(error) => {
                let text = format!("no report of this period could be written: {error}");
                self.log(end, "ERROR", &text);
                self.say_aside(|| complain(&format!("nsm: {}", report::visible(&text))));
                self.outcome = self.outcome.max(Outcome::Damaged);
            }
        }
        if goes_on.is_some() && written.is_ok() {
            let alerts = report.alerts.len() as u64;
            let text = format!("report of {} written to {}", report::counted(alerts, "alert", "alerts"), place.display());
            self.say_aside(|| self.setup.say(&report::visible(&text)));
        }
        self.last = Some(verdict);
    }

    fn problem(&mut self, error: &Error) {
        self.log(self.now, "ERROR", &error.to_string());
        self.say_aside(|| complain(&format!("nsm: {}", error_text(error))));
    }

    fn tell(&mut self, told: Told) {
        let alert = &told.notice.alert;
        let step = match told.step {
            Step::Begins => "",
            Step::Grows => "grows: ",
            Step::Ends => "over: ",
            Step::Withdrawn => "withdrawn: ",
        };
        let at = if told.step == Step::Begins { alert.detected_at } else { self.now.max(alert.detected_at) };
        let level = if told.step == Step::Withdrawn { "INFO" } else { report::log_level(alert.severity) };
        self.log(at, level, &format!("{}: {step}{}", alert.kind, alert.message));
        if alert.severity > Severity::Info || self.setup.terminal.verbose {
            let severity = self.setup.screen().painted(&format!("{:8}", alert.severity.name()), alert.severity);
            let line = format!("{}  {severity}  {}: {step}{}", log_time(at), alert.kind, report::visible(&alert.message));
            self.say_aside(|| self.setup.say(&line));
        }
        self.setup.outlets.tell(&Arc::new(told.notice));
    }

    /// Packets that nobody could read are said, at most once in each look.
    fn note_drops(&mut self) {
        let dropped = self.traffic.dropped();
        if dropped > self.dropped {
            let text = format!("{} packets were dropped before they could be read", dropped - self.dropped);
            self.dropped = dropped;
            self.log(self.now, "WARNING", &text);
        }
    }

    fn log(&mut self, at: Nanos, level: &str, message: &str) {
        self.log.write(&report::log_line(at, level, message));
    }

    fn say_aside(&self, say: impl FnOnce()) {
        self.screen.aside(say);
    }

    fn end(mut self) -> Outcome {
        let text = format!("capture {} ends", self.name);
        self.log(self.now, "INFO", &text);
        let Self { screen, log, last, setup, outcome, .. } = self;
        drop(screen);
        if let Some(verdict) = last.filter(|verdict| verdict.written.is_ok()) {
            setup.show(&verdict.report, &verdict.place);
        }
        if let Some((lines, problem)) = log.lost() {
            complain(&format!("nsm: {lines} lines of {} could not be written: {}", super::event_log::NAME, report::visible(problem)));
        }
        outcome
    }
}
