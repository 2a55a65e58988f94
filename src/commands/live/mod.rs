//! `nsm analyze --live`: the same analysis of a capture that goes on.
//!
//! Knows which thread does what: one reads, this one measures ([`following`]), one judges what there is so far and
//! tells it ([`desk`]), one writes the reports of periods that have ended ([`periods`]). None of them ever waits for
//! another but the last two at the end. Knows no packet and no detector.

mod console;
mod desk;
mod event_log;
mod feed;
mod following;
mod periods;
mod screen;
mod signals;

use std::sync::mpsc::channel;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::Outcome;
use super::setup::Setup;
use crate::capture::SourceFacts;
use crate::error::Error;
use crate::pipeline::{self, Options};
use desk::{Desk, ToDesk};
pub(super) use feed::Feed;
use feed::Losses;
use following::Following;
use periods::Periods;
use screen::Traffic;

pub(super) fn run(setup: &Setup<'_>, feed: Feed) -> Result<Outcome, Error> {
    let Feed { mut source, name, counters, ring, restricted, signals } = feed;
    let losses = Losses::new(counters, ring);
    let judging = judging_pool()?;
    let periods = Periods::begin(setup, &name, &judging)?;
    let traffic = Traffic::default();
    let (to_desk, letters) = channel();
    let (looked, looks_done) = channel();
    let desk = Desk::open(setup, &name, (periods.top(), restricted), &signals, &traffic, &judging, looked)?;
    // The end of the source is the end of the capture: what comes after it is not missing.
    let options = Options { stop: std::sync::Arc::default(), ..setup.options.clone() };
    thread::scope(|scope| {
        let desk = scope.spawn(move || desk.work(&letters));
        let (to_writer, closed) = channel();
        let (written, reports_done) = channel();
        let (periods, telling) = (&periods, to_desk.clone());
        let writer = scope.spawn(move || periods.write_all(&closed, &telling, &written));
        // What a stream is, is known when it begins.
        let facts = match source.facts() {
            facts if facts.format.is_empty() => SourceFacts { format: "live".into(), ..facts },
            facts => facts,
        };
        let mut following =
            Following::new(setup, periods, facts, losses, &signals, &traffic, (to_desk.clone(), looks_done), (to_writer, reports_done));
        let measured = pipeline::follow(&mut *source, &setup.config.base, &options, &mut following);
        let (open, losses) = following.end();
        // The writer ends with the last period it was given.
        let panicked = || Error::Internal("a thread of the live analysis stopped".into());
        writer.join().map_err(|_| panicked())?;
        let last = measured.and_then(|mut measured| {
            losses.rest_of(&mut measured);
            periods.report(measured, open.unwrap_or_else(|| periods.open_empty()), None)
        });
        if let Ok(verdict) = last {
            let _ = to_desk.send(ToDesk::Settled(Box::new(verdict)));
        } else if let Err(error) = last {
            drop(to_desk);
            desk.join().map_err(|_| panicked())??;
            return Err(error);
        }
        drop(to_desk);
        desk.join().map_err(|_| panicked())?
    })
}

/// Looks and reports are judged by threads of their own, one fewer than there are: where all worked for them, the thread that
/// measures would wait for its share, and the kernel's buffer does not last for ever.
fn judging_pool() -> Result<ThreadPool, Error> {
    let threads = rayon::current_num_threads().saturating_sub(1).max(1);
    ThreadPoolBuilder::new().num_threads(threads).build().map_err(|cause| Error::Internal(cause.to_string()))
}
