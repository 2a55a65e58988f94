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
    pub tables: Tables,
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
    let mut run = Run::new(settings, options);
    let frames = &mut *source;
    thread::scope(|scope| {
        let (full, blocks) = sync_channel(READ_AHEAD);
        let (spent, empty) = channel();
        let stop = &options.stop;
        let reader = scope.spawn(move || read(frames, full, &empty, stop));
        let outcome = run.take_all(&blocks, &spent, flows);
        // The reader ends when nobody takes its blocks.
        drop(blocks);
        drop(spent);
        let read = reader.join().map_err(|_| Error::Internal("the reader stopped".into()))?;
        outcome.and(read)
    })?;
    source.end();
    run.finish(source, flows)
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

struct Run<'a> {
    options: &'a Options,
    store: Store,
    parts: Vec<Part>,
    accounting: Accounting,
    layers: LayerCounts,
    span: Option<(Nanos, Nanos)>,
}

impl<'a> Run<'a> {
    fn new(settings: &Settings, options: &'a Options) -> Self {
        Self {
            options,
            store: Store::new(&table::Settings { keep_flows: options.keep_flows, ..table::Settings::of(settings) }),
            parts: Vec::new(),
            accounting: Accounting::default(),
            layers: LayerCounts::default(),
            span: None,
        }
    }

    fn take_all(
        &mut self,
        blocks: &Receiver<Block>,
        spent: &Sender<Block>,
        flows: &mut dyn FnMut(&[Ended]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while let Ok(mut block) = blocks.recv() {
            self.choose_period(&mut block);
            let mut start = 0;
            while start < block.frames.len() {
                let end = start + self.batch(&block.frames[start..]);
                self.decode(&block, start, end);
                let ended = self.store.push(Wire { bytes: &block.bytes, frames: &block.frames[start..end] }, &self.parts);
                if !ended.is_empty() {
                    flows(ended)?;
                }
                start = end;
            }
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
            let (first, last) = self.span.get_or_insert((*ts, *ts));
            *first = (*first).min(*ts);
            *last = (*last).max(*ts);
        }
    }

    const fn leave_out(&mut self, frames: u64) {
        self.accounting.frames += frames;
        self.accounting.filtered += frames;
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
            self.accounting.merge(&part.batch.accounting);
            self.layers.merge(&part.batch.layers);
        }
    }

    fn finish(self, source: &dyn Source, flows: &mut dyn FnMut(&[Ended]) -> Result<(), Error>) -> Result<Measured, Error> {
        let tables = self.store.finish(flows)?;
        let mut warnings = source.warnings().to_vec();
        if self.options.stop.load(Ordering::Relaxed) {
            warnings.push(Warning::Interrupted { frame: self.accounting.frames });
        }
        warnings.extend(tables.thinned.iter().map(|(table, rows)| Warning::Thinned { table: table.clone(), rows: *rows }));
        Ok(Measured { facts: source.facts(), warnings, accounting: self.accounting, layers: self.layers, span: self.span, tables })
    }
}
