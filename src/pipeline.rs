//! The way of the data, and the only loop: frames in, tables and alerts out.
//!
//! Knows all stages and none of their insides. A reader thread walks the input while this thread and
//! its workers decode and aggregate what was read before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use rayon::prelude::*;

use crate::capture::{Block, FrameRef, Source, SourceFacts};
use crate::config::Settings;
use crate::decode::{self, Accounting, LayerCounts};
use crate::error::Error;
use crate::table::flow::tick_second;
use crate::table::{self, Ended, Part, Store, Tables, Wire};
use crate::time::Nanos;
use crate::warning::Warning;

/// What a run may choose without changing any result, and the period of packet time to look at.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most rows of a batch.
    pub batch_rows: usize,
    pub from: Option<Nanos>,
    pub to: Option<Nanos>,
    /// Connections are kept one by one, for rules that ask for them.
    pub keep_flows: bool,
    /// Ends the reading early when it becomes true; what was read is analysed.
    pub stop: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch_rows: 65_536, from: None, to: None, keep_flows: false, stop: Arc::default() }
    }
}

impl Options {
    /// Whether a packet of this time lies in the period to look at.
    #[must_use]
    pub fn includes(&self, ts: Nanos) -> bool {
        self.from.is_none_or(|from| ts >= from) && self.to.is_none_or(|to| ts < to)
    }
}

/// What was measured of one input.
#[derive(Debug)]
pub struct Measured {
    pub facts: SourceFacts,
    pub warnings: Vec<Warning>,
    pub accounting: Accounting,
    pub layers: LayerCounts,
    /// Earliest and latest packet time.
    pub span: Option<(Nanos, Nanos)>,
    /// Where another period of the same capture came before this one: its last frame. The tables reach back a little
    /// further, so that nothing is missed at the turn; what was over by then was told there.
    pub begins: Option<u64>,
    pub tables: Tables,
}

/// Who is told of the capture while it is read.
pub trait Follower {
    /// Connections that have ended, in the order of their end.
    ///
    /// # Errors
    /// Any error ends the run.
    fn ended(&mut self, ended: &[Ended]) -> Result<(), Error>;

    /// Another block was taken; where nothing came for a moment there is no frame in it.
    ///
    /// # Errors
    /// Any error ends the run.
    fn taken(&mut self, _run: &mut Run<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// Who wants to hear of connections and of nothing else.
struct Connections<'a>(&'a mut dyn FnMut(&[Ended]) -> Result<(), Error>);

impl Follower for Connections<'_> {
    fn ended(&mut self, ended: &[Ended]) -> Result<(), Error> {
        (self.0)(ended)
    }
}

/// Blocks read ahead of the analysis. More than one only takes room in the processor's cache.
const READ_AHEAD: usize = 1;
/// Frames that one worker decodes at a time.
const FRAMES_PER_PART: usize = 4_096;

/// Reads a source to its end. Connections that have ended go to `flows`, in the order of their end.
///
/// # Errors
/// When the source cannot be read at all, or `flows` fails.
pub fn measure(
    source: &mut dyn Source,
    settings: &Settings,
    options: &Options,
    flows: &mut dyn FnMut(&[Ended]) -> Result<(), Error>,
) -> Result<Measured, Error> {
    follow(source, settings, options, &mut Connections(flows))
}

/// The same for who wants to look at what there is so far, too.
///
/// # Errors
/// When the source cannot be read at all, or the follower fails.
pub fn follow(source: &mut dyn Source, settings: &Settings, options: &Options, follower: &mut dyn Follower) -> Result<Measured, Error> {
    let mut run = Run::new(settings, options);
    let frames = &mut *source;
    thread::scope(|scope| {
        let (full, blocks) = sync_channel(READ_AHEAD);
        let (spent, empty) = channel();
        let stop = &options.stop;
        let reader = scope.spawn(move || read(frames, full, &empty, stop));
        let outcome = run.take_all(&blocks, &spent, follower);
        // The reader ends when nobody takes its blocks.
        drop(blocks);
        drop(spent);
        let read = reader.join().map_err(|_| Error::Internal("the reader stopped".into()))?;
        outcome.and(read)
    })?;
    source.end();
    let facts = source.facts();
    run.finish(facts, source.warnings(), &mut |ended| follower.ended(ended))
}

/// Owns its end of the channel: that it is gone tells the other side that the input has ended.
#[expect(clippy::needless_pass_by_value, reason = "dropped at the end on purpose")]
fn read(source: &mut dyn Source, full: SyncSender<Block>, empty: &Receiver<Block>, stop: &AtomicBool) -> Result<(), Error> {
    while !stop.load(Ordering::Relaxed) {
        let mut block = empty.try_recv().unwrap_or_default();
        if !source.next_block(&mut block)? || full.send(block).is_err() {
            break;
        }
    }
    Ok(())
}

/// A capture that is being read: what there is of it so far.
#[derive(Debug)]
pub struct Run<'a> {
    options: &'a Options,
    parts: Vec<Part>,
    period: Period,
    /// Time and number of the latest frame.
    latest: Option<(Nanos, u64)>,
}

/// What was measured of a capture, or of a period of one that goes on, before it is put into tables.
#[derive(Debug)]
pub struct Period {
    store: Store,
    accounting: Accounting,
    layers: LayerCounts,
    span: Option<(Nanos, Nanos)>,
    begins: Option<u64>,
}

impl Period {
    fn new(store: Store, begins: Option<u64>) -> Self {
        Self { store, accounting: Accounting::default(), layers: LayerCounts::default(), span: None, begins }
    }

    /// Ends everything that is open. The connections go to `last`, in order.
    ///
    /// # Errors
    /// When `last` fails, or for defects of ours.
    pub fn finish(
        self,
        facts: SourceFacts,
        mut warnings: Vec<Warning>,
        last: &mut dyn FnMut(&[Ended]) -> Result<(), Error>,
    ) -> Result<Measured, Error> {
        let Self { store, accounting, layers, span, begins } = self;
        let tables = store.finish(last)?;
        warnings.extend(tables.thinned.iter().map(|(table, rows)| Warning::Thinned { table: table.clone(), rows: *rows }));
        Ok(Measured { facts, warnings, accounting, layers, span, begins, tables })
    }
}

impl<'a> Run<'a> {
    fn new(settings: &Settings, options: &'a Options) -> Self {
        Self {
            options,
            parts: Vec::new(),
            period: Period::new(Store::new(&table::Settings { keep_flows: options.keep_flows, ..table::Settings::of(settings) }), None),
            latest: None,
        }
    }

    /// The time of the latest frame: a single one that is stamped with another year is forgotten with the next.
    #[must_use]
    pub fn latest(&self) -> Option<Nanos> {
        self.latest.map(|(ts, _)| ts)
    }

    /// The earliest packet time of this period.
    #[must_use]
    pub fn began(&self) -> Option<Nanos> {
        self.period.span.map(|(first, _)| first)
    }

    /// The last frame of the period before this one, where there was one.
    #[must_use]
    pub const fn begins(&self) -> Option<u64> {
        self.period.begins
    }

    /// What was counted in this period.
    #[must_use]
    pub const fn accounting(&self) -> &Accounting {
        &self.period.accounting
    }

    /// The tables so far.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.period.store
    }

    /// A copy of what is recent, to be judged while the capture goes on: see [`Store::since`].
    #[must_use]
    pub fn since(&self, from: Nanos, patience: Nanos) -> Period {
        let Period { store, accounting, layers, span, begins } = &self.period;
        Period { store: store.since(from, patience), accounting: *accounting, layers: layers.clone(), span: *span, begins: *begins }
    }

    /// Ends this period and begins another, which knows what began at or after `from`: see [`Store::turn`].
    pub fn turn(&mut self, from: Nanos) -> Period {
        let Period { store, accounting, layers, span, begins } = &mut self.period;
        Period {
            store: store.turn(from),
            accounting: std::mem::take(accounting),
            layers: std::mem::take(layers),
            span: span.take(),
            begins: std::mem::replace(begins, self.latest.map(|(_, ordinal)| ordinal)),
        }
    }

    fn take_all(&mut self, blocks: &Receiver<Block>, spent: &Sender<Block>, follower: &mut dyn Follower) -> Result<(), Error> {
        while let Ok(mut block) = blocks.recv() {
            self.choose_period(&mut block);
            self.note_latest(&block);
            let mut start = 0;
            while start < block.frames.len() {
                let end = start + self.batch(&block.frames[start..]);
                self.decode(&block, start, end);
                let ended = self.period.store.push(Wire { bytes: &block.bytes, frames: &block.frames[start..end] }, &self.parts);
                if !ended.is_empty() {
                    follower.ended(ended)?;
                }
                start = end;
            }
            follower.taken(self)?;
            // Nobody may be left to fill it again.
            let _ = spent.send(block);
        }
        Ok(())
    }

    /// How many of the frames are the next batch: all of one second of elapsed time, as the store asks.
    fn batch(&self, frames: &[FrameRef]) -> usize {
        let most = &frames[..frames.len().min(self.options.batch_rows.max(1))];
        let second = most.first().map(|frame| tick_second(frame.tick));
        most.partition_point(|frame| Some(tick_second(frame.tick)) == second)
    }

    /// Leaves out the frames outside the period asked for, and counts them.
    fn choose_period(&mut self, block: &mut Block) {
        self.leave_out(block.left_out);
        if self.options.from.is_some() || self.options.to.is_some() {
            let before = block.frames.len();
            block.frames.retain(|frame| self.options.includes(frame.ts));
            self.leave_out((before - block.frames.len()) as u64);
        }
        for FrameRef { ts, .. } in &block.frames {
            let (first, last) = self.period.span.get_or_insert((*ts, *ts));
            *first = (*first).min(*ts);
            *last = (*last).max(*ts);
        }
    }

    fn note_latest(&mut self, block: &Block) {
        self.latest = block.frames.last().map(|frame| (frame.ts, frame.ordinal)).or(self.latest);
    }

    const fn leave_out(&mut self, frames: u64) {
        self.period.accounting.frames += frames;
        self.period.accounting.filtered += frames;
    }

    /// Decodes frames `start..end` into parts, in order.
    fn decode(&mut self, block: &Block, start: usize, end: usize) {
        let parts = (end - start).div_ceil(FRAMES_PER_PART);
        self.parts.resize_with(parts, Part::default);
        let fill = |(number, part): (usize, &mut Part)| {
            let start = start + number * FRAMES_PER_PART;
            part.batch.clear();
            decode::decode(block, start..end.min(start + FRAMES_PER_PART), &mut part.batch);
            part.partition();
        };
        if parts == 1 {
            self.parts.iter_mut().enumerate().for_each(fill);
        } else {
            self.parts.par_iter_mut().enumerate().for_each(fill);
        }
        for part in &self.parts {
            self.period.accounting.merge(&part.batch.accounting);
            self.period.layers.merge(&part.batch.layers);
        }
    }

    fn finish(
        self,
        facts: SourceFacts,
        warnings: &[Warning],
        last: &mut dyn FnMut(&[Ended]) -> Result<(), Error>,
    ) -> Result<Measured, Error> {
        let mut warnings = warnings.to_vec();
        if self.options.stop.load(Ordering::Relaxed) {
            warnings.push(Warning::Interrupted { frame: self.period.accounting.frames });
        }
        self.period.finish(facts, warnings, last)
    }
}
