//! What is given to the monitor, in its order, on its way into the tables.
//!
//! The same steps as in [`crate::pipeline`], for what comes one by one: frames wait until their second is over,
//! so that they are decoded together. Connections that are told of need no decoding. Judges nothing.

use super::{Connection, Timestamp};
use crate::capture::{Block, Clock, FrameRef, SourceFacts};
use crate::config::Settings;
use crate::decode::{self, Accounting, Kind, Layer, LayerCount, LayerCounts, Packet};
use crate::error::Error;
use crate::net::Addr;
use crate::pipeline::Measured;
use crate::table::flow::tick_second;
use crate::table::{self, Part, Store, Tables, Wire};
use crate::time::{EARLIEST, HOUR, LATEST, Nanos};
use crate::warning::Warning;

/// Frames, and bytes of them, that wait at most.
const MOST_FRAMES: usize = 4_096;
const MOST_BYTES: usize = 1 << 20;
/// No link carries a longer frame; the rest of one is not looked at.
const LONGEST_FRAME: usize = 64 << 20;
/// What is told later than this belongs to another time: somebody set a clock.
const LATE: Nanos = HOUR;

/// Frames, and what is told, as interfaces of the clock.
const FRAMES: usize = 0;
const TOLD: usize = 1;

/// A frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub at: Timestamp,
    /// By the registry of tcpdump.org.
    pub link_type: u16,
    pub bytes: &'a [u8],
    /// Its length there; more than there are bytes if it was cut.
    pub on_wire: u32,
}

#[derive(Debug)]
pub(super) struct Intake {
    store: Store,
    part: Part,
    /// The frames that wait, of one second of elapsed time.
    waiting: Block,
    clock: Clock,
    /// The latest time that was told.
    latest: Option<Nanos>,
    seen: Seen,
}

/// What there is to say of all that was given, beside the tables.
#[derive(Debug, Default)]
pub(super) struct Seen {
    accounting: Accounting,
    layers: LayerCounts,
    span: Option<(Nanos, Nanos)>,
    /// The last of the period before this one.
    begins: Option<u64>,
    clock_jumps: u64,
    link_types: Vec<u16>,
    /// Frames and connections, and of these the connections. Both are numbered together, from 1.
    given: u64,
    told: u64,
    /// How many times lie at an end of the range, and the number of the first.
    clamped: (u64, u64),
}

impl Intake {
    pub fn new(settings: &Settings) -> Self {
        Self {
            store: Store::new(&table::Settings::of(settings)),
            part: Part::default(),
            waiting: Block::default(),
            clock: Clock::default(),
            latest: None,
            seen: Seen::default(),
        }
    }

    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    #[expect(clippy::cast_possible_truncation, reason = "the limits keep positions far below 2^32")]
    pub fn frame(&mut self, frame: &Frame<'_>) {
        let (ts, link, jumps) = (frame.at.nanos(), frame.link_type, self.clock.jumps());
        let tick = self.clock.tick(FRAMES, ts);
        self.seen.clock_jumps += self.clock.jumps() - jumps;
        let ordinal = self.seen.next(ts, ts);
        let full = self.waiting.frames.len() >= MOST_FRAMES || self.waiting.bytes.len() >= MOST_BYTES;
        if full || self.waiting.frames.last().is_some_and(|last| tick_second(last.tick) != tick_second(tick)) {
            self.flush();
        }
        let data = frame.bytes.get(..LONGEST_FRAME).unwrap_or(frame.bytes);
        let (start, caplen) = (self.waiting.bytes.len() as u32, data.len() as u32);
        let origlen = frame.on_wire.max(caplen);
        self.waiting.bytes.extend_from_slice(data);
        self.waiting.frames.push(FrameRef { ts, tick, ordinal, offset: 0, start, caplen, origlen, link, interface: 0 });
        if !self.seen.link_types.contains(&link) {
            self.seen.link_types.push(link);
        }
    }

    /// Takes a connection; `host` is where it went if it does not say.
    pub fn connection(&mut self, connection: &Connection, host: Addr) {
        self.flush();
        let ts = connection.at().nanos();
        let mut told = connection.told(host);
        told.opening.tick = self.tick_of_told(ts);
        let ordinal = self.seen.next(ts, ts + told.lasted);
        told.number(ordinal);
        self.store.tell(&told);
        self.seen.count(&told.opening);
    }

    /// Elapsed time at what is told. What is told late does not turn the clock back, and a quiet night in a log
    /// is no jump of it.
    fn tick_of_told(&mut self, ts: Nanos) -> Nanos {
        let latest = self.latest.filter(|latest| latest - ts <= LATE).map_or(ts, |latest| latest.max(ts));
        self.latest = Some(latest);
        self.clock.tick(TOLD, latest)
    }

    /// Takes the frames that wait.
    pub fn flush(&mut self) {
        let Self { store, part, waiting, seen, .. } = self;
        if waiting.frames.is_empty() {
            return;
        }
        part.batch.clear();
        decode::decode(waiting, 0..waiting.frames.len(), &mut part.batch);
        part.partition();
        store.push(Wire { bytes: &waiting.bytes, frames: &waiting.frames }, std::slice::from_ref(part));
        seen.accounting.merge(&part.batch.accounting);
        seen.layers.merge(&part.batch.layers);
        waiting.clear();
    }

    /// The tables as if everything that is open ended now. Frames that wait are not in them.
    pub fn tables_so_far(&self) -> Result<Tables, Error> {
        self.store.so_far().finish(&mut |_| Ok(()))
    }

    /// Ends a period, and begins another that knows so much of this one ([`Store::lead_in`]).
    pub fn turn(&mut self, lead_in: Nanos) -> Result<(Tables, Seen), Error> {
        self.flush();
        let (_, last) = self.seen.span.unwrap_or_default();
        let ended = self.store.turn(self.store.lead_in(last, lead_in));
        let next = Seen { given: self.seen.given, begins: (self.seen.given > 0).then_some(self.seen.given), ..Seen::default() };
        Ok((ended.finish(&mut |_| Ok(()))?, std::mem::replace(&mut self.seen, next)))
    }

    /// Ends everything that is open.
    pub fn finish(mut self) -> Result<(Tables, Seen), Error> {
        self.flush();
        Ok((self.store.finish(&mut |_| Ok(()))?, self.seen))
    }
}

impl Seen {
    /// Frames and connections so far.
    pub const fn given(&self) -> u64 {
        self.given
    }

    /// The number of what is given next, which begins and ends at these times.
    fn next(&mut self, begin: Nanos, end: Nanos) -> u64 {
        self.given += 1;
        if begin == EARLIEST || begin == LATEST {
            let first = if self.clamped.0 == 0 { self.given } else { self.clamped.1 };
            self.clamped = (self.clamped.0 + 1, first);
        }
        let (first, last) = self.span.get_or_insert((begin, end));
        *first = (*first).min(begin);
        *last = (*last).max(end);
        self.given
    }

    /// Counts a connection as the packet that opened it.
    fn count(&mut self, opening: &Packet) {
        let bytes = u64::from(opening.wire_len);
        self.told += 1;
        self.accounting.frames += 1;
        self.accounting.decoded += 1;
        self.accounting.wire_bytes += bytes;
        let network = if opening.src.is_v4() && opening.dst.is_v4() { Layer::Ipv4 } else { Layer::Ipv6 };
        let transport = if opening.kind == Kind::Udp { Layer::Udp } else { Layer::Tcp };
        [network, transport].into_iter().for_each(|layer| self.layers.put(layer, LayerCount { frames: 1, bytes }));
    }

    /// With the tables, what a verdict is made from.
    pub fn measured(&self, tables: Tables) -> Measured {
        let facts = SourceFacts {
            format: "memory".into(),
            link_types: self.link_types.clone(),
            interfaces: u32::from(!self.link_types.is_empty()),
            clock_jumps: self.clock_jumps,
            ..SourceFacts::default()
        };
        let (clamped, first) = self.clamped;
        let mut warnings = Vec::new();
        warnings.extend((self.clock_jumps > 0).then_some(Warning::ClockJumps { jumps: self.clock_jumps }));
        warnings.extend((clamped > 0).then_some(Warning::ClampedTime { frames: clamped, first }));
        warnings.extend((self.told > 0).then_some(Warning::Told { connections: self.told }));
        warnings.extend(tables.thinned.iter().map(|(table, rows)| Warning::Thinned { table: table.clone(), rows: *rows }));
        Measured { facts, warnings, accounting: self.accounting, layers: self.layers.clone(), span: self.span, begins: self.begins, tables }
    }
}
