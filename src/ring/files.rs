//! Which file a packet goes to, and what becomes of one that has no room.
//!
//! Knows names, limits and the order of the files. Never leaves half a block at the end of a file: where writing fails, the
//! file ends with the last whole packet, and after a pause it is tried again, in a ring with the next file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::disk::{self, Disk, Identity, Output};
use super::{Recording, RingHandle, is_directory};
use crate::capture::FrameRef;
use crate::capture::live::{Counted, Counters};
use crate::error::Error;
use crate::pcapng::{Pcapng, Statistics};
use crate::report::OutputDir;
use crate::time::Nanos;

/// Bytes written at once.
const PIECE: usize = 1 << 20;
/// Room that is kept for the block that ends a file.
const LAST_BLOCK: u64 = 512;
/// After a failure it is tried again after so long, then after twice as long, and so on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Names that may be taken already, by another run that began in the same second.
const MOST_TRIES: u32 = 1_000;

const SUFFIX: &str = "pcapng";

/// What files are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    Single(PathBuf),
    /// `PREFIX_00001_20260301080000.pcapng`, as dumpcap has it: a number, and the time of the first packet (UTC).
    Numbered {
        directory: PathBuf,
        prefix: String,
        suffix: String,
    },
}

impl Naming {
    /// Makes the directory, where that is what was asked for.
    ///
    /// # Errors
    /// When the path names no file, or the directory cannot be made.
    pub fn of(recording: &Recording) -> Result<Self, Error> {
        let path = recording.path.as_path();
        if is_directory(path) {
            OutputDir::plain(path)?;
            let prefix = plain(&recording.origin.interface);
            return Ok(Self::Numbered { directory: path.to_owned(), prefix, suffix: SUFFIX.to_owned() });
        }
        let Some(stem) = path.file_stem() else {
            return Err(Error::Usage(format!("--write: {} names no file", path.display())));
        };
        if recording.size.is_none() {
            return Ok(Self::Single(path.to_owned()));
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let suffix = path.extension().map_or_else(|| SUFFIX.into(), |suffix| suffix.to_string_lossy().into_owned());
        Ok(Self::Numbered { directory: directory.to_owned(), prefix: stem.to_string_lossy().into_owned(), suffix })
    }

    fn name(&self, number: u64, ts: Nanos) -> PathBuf {
        match self {
            Self::Single(path) => path.clone(),
            Self::Numbered { directory, prefix, suffix } => {
                let moment = DateTime::<Utc>::from_timestamp_nanos(ts).format("%Y%m%d%H%M%S");
                directory.join(format!("{prefix}_{number:05}_{moment}.{suffix}"))
            }
        }
    }

    const fn is_single(&self) -> bool {
        matches!(self, Self::Single(_))
    }
}

/// The name of an interface as part of a file name.
fn plain(interface: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '-' };
    let name: String = interface.chars().take(64).map(letter).collect();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) { name } else { format!("nsm{name}") }
}

pub(super) struct Files {
    disk: Box<dyn Disk>,
    naming: Naming,
    recording: Recording,
    handle: RingHandle,
    counters: Option<Arc<Counters>>,
    /// What was said to be missing in the files so far.
    told: Missing,
    made: Vec<Made>,
    number: u64,
    open: Option<Open>,
    /// Nothing is tried before.
    pause: Option<Instant>,
    next_pause: Duration,
}

/// Counts from the beginning of the capture.
#[derive(Clone, Copy, Debug, Default)]
struct Missing {
    counted: Counted,
    lost: u64,
}

/// A file of this run.
#[derive(Clone, Debug)]
struct Made {
    path: PathBuf,
    identity: Identity,
}

/// The file that packets go to.
struct Open {
    output: Box<dyn Output>,
    /// Bytes of whole blocks in the file, and what may stand behind them if it could not be cut.
    length: u64,
    is_cut: bool,
    encoder: Pcapng<Vec<u8>>,
    /// Where the blocks end that are still to be written.
    ends: Vec<End>,
    /// Interfaces described, and packets, in the file.
    interfaces: usize,
    packets: u64,
    /// Times of the first and last packet, those still to be written included.
    span: Option<(Nanos, Nanos)>,
}

/// The end of a packet's block among the bytes to be written, and what the file then holds.
#[derive(Clone, Copy, Debug)]
struct End {
    at: usize,
    interfaces: usize,
    packets: u64,
}

impl Files {
    pub fn new(disk: Box<dyn Disk>, naming: Naming, recording: &Recording, handle: RingHandle, counters: Option<Arc<Counters>>) -> Self {
        Self {
            disk,
            naming,
            recording: recording.clone(),
            handle,
            counters,
            told: Missing::default(),
            made: Vec::new(),
            number: 0,
            open: None,
            pause: None,
            next_pause: FIRST_PAUSE,
        }
    }

    /// Finds out whether files can be made: the only one is begun; where they are named after their first packet, one is
    /// made and removed.
    ///
    /// # Errors
    /// When none can be made.
    pub fn prepare(&mut self) -> Result<(), Error> {
        let path = match &self.naming {
            Naming::Single(path) => path.clone(),
            Naming::Numbered { directory, .. } => directory.join(format!(".nsm-{}.partial", std::process::id())),
        };
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::Usage(format!("--write: {} exists, and no capture is overwritten: choose another name", path.display()))
            }
            _ => Error::Write { path: path.clone(), cause },
        };
        if self.naming.is_single() {
            self.begin(0).map_err(failed)?;
            return self.flush().map_err(failed);
        }
        let probe = self.disk.create(&path).map_err(failed)?;
        self.disk.remove(&path, probe.identity()).map_err(failed)
    }

    /// Takes packets, in their order.
    pub fn take(&mut self, frames: &[FrameRef], bytes: &[u8]) {
        for frame in frames {
            let start = frame.start as usize;
            let data = bytes.get(start..start + frame.caplen as usize).unwrap_or_default();
            if self.has_no_room_for(data) {
                self.close();
            }
            if !self.is_ready(frame.ts) {
                // Why was said when it failed.
                self.handle.lose(1, "");
                continue;
            }
            if self.add(frame, data) >= PIECE {
                self.write();
            }
        }
        self.write();
    }

    /// Writes what is left, and ends the file.
    pub fn finish(&mut self) {
        if self.open.is_some() && self.is_ready(0) {
            self.close();
        }
    }

    /// A file is open, or could be opened.
    fn is_ready(&mut self, ts: Nanos) -> bool {
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        self.pause = None;
        if self.open.is_none()
            && let Err(cause) = self.begin(ts)
        {
            self.failed(&cause);
        }
        self.open.is_some()
    }

    fn begin(&mut self, ts: Nanos) -> io::Result<()> {
        let (path, output) = self.create(ts)?;
        let Recording { origin, snaplen, program, .. } = &self.recording;
        let mut encoder = Pcapng::begin(Vec::new(), "", program, *snaplen)?.from_interface(origin.clone());
        let header = End { at: encoder.out().len(), interfaces: 0, packets: 0 };
        self.made.push(Made { path, identity: output.identity() });
        self.make_room();
        self.open = Some(Open { output, length: 0, is_cut: true, encoder, ends: vec![header], interfaces: 0, packets: 0, span: None });
        Ok(())
    }

    /// A file with the next name that is free.
    fn create(&mut self, ts: Nanos) -> io::Result<(PathBuf, Box<dyn Output>)> {
        let tries = if self.naming.is_single() { 1 } else { MOST_TRIES };
        let mut failure = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..tries {
            self.number += 1;
            let path = self.naming.name(self.number, ts);
            match self.disk.create(&path) {
                Ok(output) => return Ok((path, output)),
                Err(cause) => failure = cause,
            }
            if failure.kind() != io::ErrorKind::AlreadyExists {
                self.number -= 1;
                break;
            }
        }
        Err(failure)
    }

    /// The oldest files give way.
    fn make_room(&mut self) {
        let kept = self.recording.files.unwrap_or(usize::MAX).max(1);
        while self.made.len() > kept {
            let Made { path, identity } = self.made.remove(0);
            // Whoever moved it away wants it.
            _ = self.disk.remove(&path, identity);
        }
        self.handle.show_files(self.made.iter().map(|made| made.path.clone()).collect());
    }

    fn has_no_room_for(&self, data: &[u8]) -> bool {
        let Some(size) = self.recording.size else { return false };
        self.open.as_ref().is_some_and(|open| {
            let waiting = open.ends.last().map_or(0, |end| end.at as u64);
            let grown = open.length + waiting + Pcapng::<Vec<u8>>::cost(data, "") + LAST_BLOCK;
            open.span.is_some() && grown > size
        })
    }

    /// Puts a packet with those to be written; how many bytes these have.
    fn add(&mut self, frame: &FrameRef, data: &[u8]) -> usize {
        let Some(open) = &mut self.open else { return 0 };
        // Memory takes everything.
        _ = open.encoder.packet(frame, data, "");
        let packets = open.ends.last().map_or(open.packets, |end| end.packets) + 1;
        let at = open.encoder.out().len();
        open.ends.push(End { at, interfaces: open.encoder.interfaces(), packets });
        let (first, last) = open.span.unwrap_or((frame.ts, frame.ts));
        open.span = Some((first.min(frame.ts), last.max(frame.ts)));
        at
    }

    fn write(&mut self) {
        if let Err(cause) = self.flush() {
            self.failed(&cause);
        }
    }

    /// Writes what is to be written. What cannot be is lost, and the file ends with a whole block.
    fn flush(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let before = open.packets;
        let added = open.ends.last().map_or(before, |end| end.packets) - before;
        let (written, failure) = open.write();
        let kept = open.settle(written);
        self.handle.wrote(kept);
        match failure {
            None => {
                self.next_pause = FIRST_PAUSE;
                Ok(())
            }
            Some(cause) => {
                self.handle.lose(added - kept, &cause.to_string());
                Err(cause)
            }
        }
    }

    /// Writing is left alone for a while. A ring goes on with another file; a file without a packet is no file.
    fn failed(&mut self, cause: &io::Error) {
        self.handle.note(&cause.to_string());
        self.pause = Instant::now().checked_add(self.next_pause);
        self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
        if self.naming.is_single() {
            return;
        }
        if let Some(open) = self.open.take()
            && open.packets == 0
            && let Some(Made { path, identity }) = self.made.pop()
        {
            _ = self.disk.remove(&path, identity);
            self.number -= 1;
            self.make_room();
        }
    }

    /// Ends the file, with what is known of the capture now.
    fn close(&mut self) {
        self.write();
        let missing = self.missing();
        let Some(open) = &mut self.open else { return };
        if let Some((first, last)) = open.span.filter(|_| open.packets > 0) {
            let (now, then) = (missing.counted, self.told.counted);
            let lost = missing.lost - self.told.lost;
            let statistics = Statistics {
                first,
                last,
                received: now.received - then.received,
                if_dropped: now.if_dropped - then.if_dropped,
                os_dropped: now.dropped - then.dropped + lost,
                written: open.packets,
            };
            let comment = if lost > 0 { format!("{lost} packets before this could not be written to a file") } else { String::new() };
            _ = open.encoder.statistics(&comment, Some(&statistics));
            let (at, interfaces, packets) = (open.encoder.out().len(), open.encoder.interfaces(), open.packets);
            open.ends.push(End { at, interfaces, packets });
            self.write();
            self.told = missing;
        }
        self.open = None;
    }

    fn missing(&self) -> Missing {
        let counted = self.counters.as_ref().map(|counters| counters.now()).unwrap_or_default();
        Missing { counted, lost: self.handle.lost_packets() }
    }
}

impl Open {
    fn write(&mut self) -> (usize, Option<io::Error>) {
        if !self.is_cut {
            match self.output.cut(self.length) {
                Ok(()) => self.is_cut = true,
                Err(cause) => return (0, Some(cause)),
            }
        }
        disk::write(&mut *self.output, self.encoder.out())
    }

    /// Of what was to be written, so many bytes were: keeps the whole blocks among them. How many packets that is.
    fn settle(&mut self, written: usize) -> u64 {
        let whole = self.ends.iter().rev().find(|end| end.at <= written).copied();
        let whole = whole.unwrap_or(End { at: 0, interfaces: self.interfaces, packets: self.packets });
        let kept = whole.packets - self.packets;
        self.length += whole.at as u64;
        (self.interfaces, self.packets) = (whole.interfaces, whole.packets);
        if written > whole.at {
            self.is_cut = self.output.cut(self.length).is_ok();
        }
        self.encoder.forget_interfaces(self.interfaces);
        self.encoder.out().clear();
        self.ends.clear();
        kept
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::super::disk::Real;
    use super::*;
    use crate::capture::{Block, FileSource, Source};
    use crate::pcapng::Origin;
    use crate::time::SECOND;

    /// A disk with room for so many bytes.
    struct Small(Arc<AtomicI64>);

    struct SmallFile(Box<dyn Output>, Arc<AtomicI64>);

    impl Disk for Small {
        fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
            Ok(Box::new(SmallFile(Real.create(path)?, Arc::clone(&self.0))))
        }

        fn remove(&self, path: &Path, identity: Identity) -> io::Result<()> {
            self.0.fetch_add(fs::metadata(path)?.len().cast_signed(), Ordering::Relaxed);
            Real.remove(path, identity)
        }
    }

    impl Output for SmallFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = usize::try_from(self.1.load(Ordering::Relaxed)).unwrap_or(0);
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let written = self.0.write(&bytes[..bytes.len().min(room)])?;
            self.1.fetch_sub(i64::try_from(written).unwrap(), Ordering::Relaxed);
            Ok(written)
        }

        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.0.cut(length)
        }

        fn identity(&self) -> Identity {
            self.0.identity()
        }
    }

    /// Frames of 100 bytes, one a second from 2026-03-01T08:00:00Z, numbered through.
    fn frames(numbers: std::ops::Range<u32>) -> (Vec<FrameRef>, Vec<u8>) {
        const BEGIN: Nanos = 1_772_352_000 * SECOND;
        let (mut frames, mut bytes) = (Vec::new(), Vec::new());
        for number in numbers {
            let start = u32::try_from(bytes.len()).unwrap();
            bytes.extend_from_slice(&[&number.to_be_bytes()[..], &[7; 96]].concat());
            let ts = BEGIN + Nanos::from(number) * SECOND;
            frames.push(FrameRef { ts, tick: 0, ordinal: 1, offset: 0, start, caplen: 100, origlen: 100, link: 1, interface: 0 });
        }
        (frames, bytes)
    }

    /// The numbers of the frames in a file, and how many it says are missing. It must end with a whole block.
    fn numbers(path: &Path) -> (Vec<u32>, u64) {
        let (mut source, mut block, mut found) = (FileSource::open(path).unwrap(), Block::default(), Vec::new());
        while source.next_block(&mut block).unwrap() {
            found.extend(block.frames.iter().map(|frame| u32::from_be_bytes(*block.data(frame).first_chunk().unwrap())));
        }
        assert_eq!(source.warnings(), [], "{}", path.display());
        (found, source.facts().dropped)
    }

    struct Bench {
        dir: tempfile::TempDir,
        room: Arc<AtomicI64>,
        files: Files,
        handle: RingHandle,
    }

    impl Bench {
        fn new(name: &str, size: Option<u64>, files: Option<usize>, counters: Option<Arc<Counters>>) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let room = Arc::new(AtomicI64::new(i64::MAX / 2));
            let origin = Origin { interface: "eth0".into(), filter: None };
            let recording = Recording { path: dir.path().join(name), size, files, origin, snaplen: 262_144, program: "nsm 0".into() };
            let handle = RingHandle::default();
            let disk = Box::new(Small(Arc::clone(&room)));
            let mut files = Files::new(disk, Naming::of(&recording).unwrap(), &recording, handle.clone(), counters);
            files.prepare().unwrap();
            Self { dir, room, files, handle }
        }

        fn take(&mut self, range: std::ops::Range<u32>) {
            let (frames, bytes) = frames(range);
            self.files.take(&frames, &bytes);
        }

        /// As if the pause were over.
        fn wait(&mut self) {
            assert!(self.files.pause.take().is_some(), "there is no pause");
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> =
                fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }

        fn counts(&self) -> (u64, u64) {
            (self.handle.written_packets(), self.handle.lost_packets())
        }
    }

    #[test]
    fn one_file_is_named_as_it_was_asked_for_and_holds_everything() {
        let mut bench = Bench::new("all.cap", None, None, None);
        assert_eq!(bench.names(), ["all.cap"], "it is there before the first packet");
        bench.take(0..20_000);
        bench.take(20_000..30_000);
        bench.files.finish();
        assert_eq!(bench.names(), ["all.cap"]);
        assert_eq!(numbers(&bench.dir.path().join("all.cap")), ((0..30_000).collect(), 0));
        assert_eq!((bench.counts(), bench.handle.files()), ((30_000, 0), vec![bench.dir.path().join("all.cap")]));
    }

    #[test]
    fn a_ring_keeps_its_limits_and_the_newest_packets() {
        let mut bench = Bench::new("ring.pcapng", Some(20_000), Some(3), None);
        bench.take(0..700);
        bench.take(700..1_000);
        bench.files.finish();
        let names = bench.names();
        assert_eq!(names.len(), 3);
        let found: Vec<u32> = names.iter().flat_map(|name| numbers(&bench.dir.path().join(name)).0).collect();
        assert_eq!(found, (1_000 - u32::try_from(found.len()).unwrap()..1_000).collect::<Vec<_>>());
        // A block of 100 bytes takes 136: 143 of them are 19 448 bytes, and 512 are left for the end.
        assert!(names.iter().all(|name| fs::metadata(bench.dir.path().join(name)).unwrap().len() <= 20_000));
        assert!((280..=440).contains(&found.len()), "{}", found.len());
        assert_eq!(bench.counts(), (1_000, 0));
        let shown: Vec<String> = bench.handle.files().iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(shown, names);
    }

    #[test]
    fn files_are_called_as_dumpcap_calls_them() {
        let mut bench = Bench::new("day.cap", Some(20_000), None, None);
        bench.take(0..1);
        assert_eq!(bench.names(), ["day_00001_20260301080000.cap"]);
        let mut bench = Bench::new("", None, None, None);
        bench.take(61..62);
        assert_eq!(bench.names(), ["eth0_00001_20260301080101.pcapng"], "a directory: after the interface");
        assert_eq!([plain("eth0.5"), plain("../x"), plain("a/b\u{1b}"), plain("")], ["eth0.5", "nsm..-x", "a-b-", "nsm"]);
    }

    #[test]
    fn a_name_that_is_taken_is_passed_over_and_its_file_spared() {
        let mut bench = Bench::new("ring.pcapng", Some(20_000), Some(1), None);
        let theirs = bench.dir.path().join("ring_00001_20260301080000.pcapng");
        fs::write(&theirs, "theirs").unwrap();
        bench.take(0..1);
        assert_eq!(bench.names(), ["ring_00001_20260301080000.pcapng", "ring_00002_20260301080000.pcapng"]);
        assert_eq!(fs::read(theirs).unwrap(), b"theirs");
        let recording = Recording { path: bench.dir.path().join("ring_00002_20260301080000.pcapng"), ..Recording::default() };
        let mut again = Files::new(Box::new(Real), Naming::of(&recording).unwrap(), &recording, RingHandle::default(), None);
        assert!(matches!(again.prepare(), Err(Error::Usage(text)) if text.contains("no capture is overwritten")));
    }

    /// Whatever room there is: whole packets are in the file, all others are counted, and it goes on when there is room.
    #[test]
    fn a_full_disk_loses_packets_and_counts_them() {
        for room in (0..2_000).step_by(7) {
            for size in [None, Some(1 << 20)] {
                let mut bench = Bench::new("full.pcapng", size, None, None);
                bench.room.store(room, Ordering::Relaxed);
                bench.take(0..100);
                let (kept, lost) = bench.counts();
                assert_eq!(kept + lost, 100);
                assert!(kept <= u64::try_from(room).unwrap() / 136 && (room < 500 || kept > 1), "{room}: {kept}");
                bench.take(100..150);
                assert_eq!(bench.counts(), (kept, lost + 50), "nothing is tried while it pauses");
                bench.room.store(i64::MAX / 2, Ordering::Relaxed);
                bench.wait();
                bench.take(150..170);
                bench.files.finish();
                assert_eq!(bench.counts(), (kept + 20, lost + 50));
                let all: Vec<(Vec<u32>, u64)> = bench.handle.files().iter().map(|path| numbers(path)).collect();
                let found: Vec<u32> = all.iter().flat_map(|(numbers, _)| numbers.clone()).collect();
                let want: Vec<u32> = (0..u32::try_from(kept).unwrap()).chain(150..170).collect();
                assert_eq!(found, want, "{room} {size:?}");
                assert_eq!(all.iter().map(|(_, missing)| missing).sum::<u64>(), lost + 50, "the files say what is missing");
                assert_eq!(bench.names().len(), if size.is_some() && kept > 0 { 2 } else { 1 }, "no file without a packet");
            }
        }
    }

    #[test]
    fn pauses_grow_and_are_short_again_after_a_success() {
        let mut bench = Bench::new("full.pcapng", None, None, None);
        bench.room.store(0, Ordering::Relaxed);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            pauses.push(bench.files.next_pause.as_secs());
            bench.take(0..1);
            bench.wait();
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        bench.room.store(i64::MAX / 2, Ordering::Relaxed);
        bench.take(0..1);
        assert_eq!(bench.files.next_pause, FIRST_PAUSE);
    }

    #[test]
    fn a_ring_makes_itself_room_on_a_full_disk_and_gives_up_no_more_than_one_file_for_nothing() {
        for (room, goes_on) in [(0, true), (i64::MIN / 2, false)] {
            let mut bench = Bench::new("ring.pcapng", Some(20_000), Some(3), None);
            bench.take(0..500);
            let before = bench.names();
            assert_eq!(before.len(), 3);
            bench.room.store(room, Ordering::Relaxed);
            bench.take(500..520);
            assert_eq!((bench.counts(), bench.names()), ((500, 20), before.clone()));
            for _ in 0..4 {
                // The oldest file gives way to a new one; where that makes no room, the others stay.
                bench.files.pause = None;
                bench.take(520..530);
            }
            let names = bench.names();
            assert_eq!(names.len(), if goes_on { 3 } else { 2 });
            assert_eq!(names[..2], before[1..]);
            assert_eq!(bench.counts(), if goes_on { (540, 20) } else { (500, 60) });
        }
    }

    #[test]
    fn every_file_tells_what_was_lost_while_it_was_written() {
        let counters = Arc::new(Counters::default());
        let mut bench = Bench::new("ring.pcapng", Some(20_000), None, Some(Arc::clone(&counters)));
        let set = |received, dropped, if_dropped| counters.set(Counted { received, dropped, if_dropped, ..Counted::default() });
        bench.take(0..100);
        set(103, 2, 1);
        bench.take(100..200);
        set(220, 12, 5);
        bench.files.finish();
        let missing: Vec<u64> = bench.handle.files().iter().map(|path| numbers(path).1).collect();
        assert_eq!(missing, [3, 14], "3 while the first was written, 17 in all");
    }
}
