//! The thread that measures: hands connections on, gives the desk a look at what there is, and ends periods. Waits for
//! nobody.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use super::super::setup::Setup;
use super::desk::{LookAt, ToDesk};
use super::feed::Losses;
use super::periods::{Closed, Open, Periods};
use super::screen::Traffic;
use super::signals::Signals;
use crate::capture::SourceFacts;
use crate::cli::Rotate;
use crate::config;
use crate::error::Error;
use crate::pipeline::{Follower, Run};
use crate::table::Ended;
use crate::time::{self, HOUR, MINUTE, Nanos, from_seconds};
use crate::watch::{Look, Pace};

/// How often it is looked after how full the tables are.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// Two periods do not end closer to each other for want of room: what a minute brings belongs to one report.
const LEAST_PERIOD: Duration = Duration::from_secs(30);
/// No reports follow each other closer, however packet time jumps.
const LEAST_BETWEEN: Duration = Duration::from_secs(1);
/// Of a period that ended for want of room, the next knows at most this part.
const KEPT_WHEN_FULL: Nanos = 4;

pub(super) struct Following<'a> {
    setup: &'a Setup<'a>,
    settings: config::Live,
    periods: &'a Periods<'a>,
    /// The period that is going on, from its first frame on.
    open: Option<Open>,
    /// What the source said of itself before anything was read.
    facts: SourceFacts,
    losses: Losses,
    signals: &'a Signals,
    traffic: &'a Traffic,
    /// Letters to the desk, and its word that it has looked.
    desk: Sender<ToDesk>,
    looked: Receiver<Duration>,
    is_looking: bool,
    look_began: Instant,
    pace: Pace,
    /// Periods to the writer, and its word that one is written.
    writer: Sender<Closed>,
    written: Receiver<()>,
    is_writing: bool,
    begin: Instant,
    /// Packet time at which this period began, and when that was.
    began: Option<Nanos>,
    began_at: Instant,
    measured_at: Instant,
    is_full: bool,
    /// Frames of earlier periods; when the latest frame came.
    frames_before: u64,
    frames: u64,
    last_frame_at: Instant,
}

impl<'a> Following<'a> {
    #[expect(clippy::too_many_arguments, reason = "everything it works with comes from `run`, once")]
    pub(super) fn new(
        setup: &'a Setup<'a>,
        periods: &'a Periods<'a>,
        facts: SourceFacts,
        losses: Losses,
        signals: &'a Signals,
        traffic: &'a Traffic,
        (desk, looked): (Sender<ToDesk>, Receiver<Duration>),
        (writer, written): (Sender<Closed>, Receiver<()>),
    ) -> Self {
        let (now, settings) = (Instant::now(), setup.config.base.live);
        Self {
            setup,
            settings,
            periods,
            open: None,
            facts,
            losses,
            signals,
            traffic,
            desk,
            looked,
            is_looking: false,
            look_began: now,
            pace: Pace::new(&settings, now),
            writer,
            written,
            is_writing: false,
            begin: now,
            began: None,
            began_at: now,
            measured_at: now,
            is_full: false,
            frames_before: 0,
            frames: 0,
            last_frame_at: now,
        }
    }

    /// The period that is going on, and what was lost.
    pub(super) fn end(self) -> (Option<Open>, Losses) {
        (self.open, self.losses)
    }

    /// Gives the desk a copy of what is recent.
    fn look(&mut self, run: &Run<'_>, latest: Nanos, now: Instant) {
        let from = run.store().minute_of_last(self.settings.look_contacts as usize);
        let silent = Nanos::try_from((now - self.last_frame_at).as_nanos()).unwrap_or(Nanos::MAX);
        let patience = latest.saturating_add(silent).saturating_sub(from_seconds(self.settings.patience_s));
        let period = run.since(from, patience);
        (self.is_looking, self.look_began) = (true, now);
        let look =
            LookAt { period, facts: self.losses.facts(&self.facts), look: Look { from, begins: run.begins(), now: latest }, began: now };
        let _ = self.desk.send(ToDesk::Look(Box::new(look)));
    }

    /// Whether a report is due.
    fn is_over(&mut self, run: &Run<'_>, latest: Nanos, now: Instant) -> bool {
        if now - self.measured_at >= MEASURE_EVERY {
            self.measured_at = now;
            self.is_full = run.store().fullness() >= self.settings.full;
        }
        let width = match self.setup.args.live.rotate {
            Rotate::Hour => Some(HOUR),
            Rotate::Day => Some(24 * HOUR),
            Rotate::None => None,
        };
        let next = |width| self.began.is_some_and(|began| time::pane(latest, width) != time::pane(began, width));
        let lasted = now - self.began_at;
        let has_no_room = self.is_full && lasted >= LEAST_PERIOD;
        (lasted >= LEAST_BETWEEN && width.is_some_and(next)) || has_no_room || self.signals.wants_report()
    }

    /// Ends the period, gives it to the writer and begins the next.
    fn turn(&mut self, run: &mut Run<'_>, latest: Nanos, now: Instant) {
        let from = run.store().lead_in(latest, from_seconds(self.settings.lead_in_s));
        // Who makes room keeps little.
        let lasted = latest.saturating_sub(self.began.unwrap_or(latest)).max(0);
        let from = if self.is_full { from.max(time::pane(latest.saturating_sub(lasted / KEPT_WHEN_FULL), MINUTE)) } else { from };
        let (facts, warnings) = self.losses.end_period(&self.facts);
        self.frames_before += run.accounting().frames;
        let period = run.turn(from);
        let Some(open) = self.open.replace(self.periods.open(latest)) else { return };
        (self.began, self.began_at, self.is_full, self.is_writing) = (Some(latest), now, false, true);
        let _ = self.writer.send(Closed { period, open, facts, warnings, latest });
    }
}

impl Follower for Following<'_> {
    fn ended(&mut self, ended: &[Ended]) -> Result<(), Error> {
        if let Some(first) = ended.first() {
            self.open.get_or_insert_with(|| self.periods.open(first.flow.first_ts)).offer(ended);
        }
        Ok(())
    }

    fn taken(&mut self, run: &mut Run<'_>) -> Result<(), Error> {
        let now = Instant::now();
        let frames = self.frames_before + run.accounting().frames;
        if frames != self.frames {
            (self.frames, self.last_frame_at) = (frames, now);
        }
        self.traffic.note(frames, run.accounting().wire_bytes, self.losses.dropped());
        if let Some(took) = received(&self.looked)? {
            self.is_looking = false;
            self.pace.looked(self.look_began, took);
        }
        if received(&self.written)?.is_some() {
            self.is_writing = false;
        }
        if self.setup.args.live.duration.is_some_and(|duration| now - self.begin >= duration) {
            self.setup.options.stop.store(true, Ordering::Relaxed);
        }
        let Some(latest) = run.latest() else { return Ok(()) };
        self.began = self.began.or(Some(latest));
        self.open.get_or_insert_with(|| self.periods.open(run.began().unwrap_or(latest)));
        if !self.is_writing && self.is_over(run, latest, now) {
            self.turn(run, latest, now);
        }
        if !self.is_looking && self.pace.is_due(now, frames) {
            self.look(run, latest, now);
        }
        Ok(())
    }
}

/// What a thread has answered, if anything; a thread that is gone ends the run, for nobody would be told any more.
fn received<T>(answers: &Receiver<T>) -> Result<Option<T>, Error> {
    match answers.try_recv() {
        Ok(answer) => Ok(Some(answer)),
        Err(TryRecvError::Empty) => Ok(None),
        Err(TryRecvError::Disconnected) => Err(Error::Internal("a thread of the live analysis stopped".into())),
    }
}
