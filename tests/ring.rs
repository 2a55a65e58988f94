//! What passes is in the capture files beside it, and what is not there is counted: as our own reader, `capinfos` and a
//! small disk see it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use network_security_monitor::capture::{Block, FileSource, FrameRef, MemorySource, Source, SourceFacts};
use network_security_monitor::error::Error;
use network_security_monitor::pcapng::Origin;
use network_security_monitor::ring::{Recorded, Recording, RingHandle};
use network_security_monitor::warning::Warning;

const SECOND: i64 = 1_000_000_000;

fn recording(path: &Path, size: Option<u64>, files: Option<usize>) -> Recording {
    let origin = Origin { interface: "eth0".into(), filter: Some("udp".into()) };
    Recording { path: path.to_owned(), size, files, origin, snaplen: 262_144, program: "nsm test".into() }
}

/// Time, lengths and bytes.
type Frame = (i64, u32, Vec<u8>);

fn frames(source: &mut dyn Source) -> Vec<Frame> {
    let (mut block, mut found) = (Block::default(), Vec::new());
    while source.next_block(&mut block).unwrap() {
        found.extend(block.frames.iter().map(|frame: &FrameRef| (frame.ts, frame.origlen, block.data(frame).to_vec())));
    }
    found
}

fn frames_of(path: &Path) -> Vec<Frame> {
    let mut source = FileSource::open(path).unwrap();
    let found = frames(&mut source);
    assert!(source.warnings().iter().all(|warning| !warning.is_damage()), "{:?}", source.warnings());
    found
}

#[test]
fn every_sample_is_the_same_after_it_was_written() {
    let wrong = common::for_each(&common::samples(), |sample| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("copy.pcapng");
        let mut wanted = FileSource::open(&sample.capture).unwrap();
        let want = frames(&mut wanted);
        let (mut recorded, handle) =
            Recorded::begin(Box::new(FileSource::open(&sample.capture).unwrap()), &recording(&path, None, None), None).unwrap();
        let passed = frames(&mut recorded);
        let told =
            (handle.written_packets(), handle.lost_packets(), recorded.warnings() == wanted.warnings(), recorded.facts() == wanted.facts());
        let mut wrong = Vec::new();
        if passed != want || frames_of(&path) != want {
            wrong.push(format!("{}: other frames", sample.name));
        }
        if told != (want.len() as u64, 0, true, true) {
            wrong.push(format!("{}: {told:?} of {}", sample.name, want.len()));
        }
        wrong
    });
    common::all_well(&wrong);
}

#[test]
fn other_tools_read_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ring.pcapng");
    let packets: Vec<(i64, Vec<u8>)> = (0..50_000)
        .map(|number| (1_772_352_000 * SECOND + number * 1_000_001, vec![7; 60 + usize::try_from(number).unwrap() % 900]))
        .collect();
    let (mut recorded, handle) =
        Recorded::begin(Box::new(MemorySource::new(1, packets.clone())), &recording(&path, Some(1 << 20), None), None).unwrap();
    frames(&mut recorded);
    let files = handle.files();
    assert!(files.len() > 20 && files.iter().all(|file| fs::metadata(file).unwrap().len() <= 1 << 20));
    assert_eq!(handle.written_packets() + handle.lost_packets(), 50_000);
    let ours: Vec<Frame> = files.iter().flat_map(|file| frames_of(file)).collect();
    assert_eq!(ours.len() as u64, handle.written_packets());
    let Ok(run) = Command::new("capinfos").args(["-M", "-T", "-r", "-c"]).args(&files).output() else {
        return common::skipped("other_tools_read_what_was_written", "capinfos is not installed");
    };
    let counted: u64 =
        String::from_utf8_lossy(&run.stdout).lines().map(|line| line.split('\t').nth(1).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!((run.status.success(), counted), (true, handle.written_packets()), "{}", String::from_utf8_lossy(&run.stderr));
    let Ok(run) =
        Command::new("tshark").args(["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.interface_name", "-r"]).arg(&files[0]).output()
    else {
        return common::skipped("other_tools_read_what_was_written", "tshark is not installed");
    };
    let first = String::from_utf8_lossy(&run.stdout).lines().nth(1).map(str::to_owned);
    assert_eq!(first.as_deref(), Some("1772352000.001000001\teth0"), "nanoseconds, and where they come from");
}

/// A source that is fed by a test.
struct Fed {
    frames: Receiver<Vec<Vec<u8>>>,
    ordinal: u64,
}

impl Source for Fed {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        block.clear();
        let Ok(frames) = self.frames.recv() else { return Ok(false) };
        for data in frames {
            self.ordinal += 1;
            let start = u32::try_from(block.bytes.len()).unwrap();
            let caplen = u32::try_from(data.len()).unwrap();
            block.bytes.extend(data);
            let (ts, ordinal) = (1_772_352_000 * SECOND, self.ordinal);
            block.frames.push(FrameRef { ts, tick: 0, ordinal, offset: 0, start, caplen, origlen: caplen, link: 1, interface: 0 });
        }
        Ok(true)
    }

    fn warnings(&self) -> &[Warning] {
        &[]
    }

    fn facts(&self) -> SourceFacts {
        SourceFacts::default()
    }

    fn position(&self) -> u64 {
        0
    }
}

/// A recorded source on a thread of its own, and what goes into it.
struct Bench {
    feed: Option<Sender<Vec<Vec<u8>>>>,
    handle: RingHandle,
    reader: Option<thread::JoinHandle<Vec<Warning>>>,
    fed: u64,
}

impl Bench {
    fn new(recording: &Recording) -> Self {
        let (feed, frames) = channel();
        let (mut recorded, handle) = Recorded::begin(Box::new(Fed { frames, ordinal: 0 }), recording, None).unwrap();
        let reader = thread::spawn(move || {
            let mut block = Block::default();
            while recorded.next_block(&mut block).unwrap() {}
            recorded.warnings().to_vec()
        });
        Self { feed: Some(feed), handle, reader: Some(reader), fed: 0 }
    }

    /// Frames of 1000 bytes, numbered through; returns when all are written or lost.
    fn feed(&mut self, count: u64) -> (u64, u64) {
        let frames = (self.fed..self.fed + count).map(|number| [&number.to_be_bytes()[..], &[7; 992]].concat());
        self.feed.as_ref().unwrap().send(frames.collect()).unwrap();
        self.fed += count;
        let begun = Instant::now();
        loop {
            let (written, lost) = (self.handle.written_packets(), self.handle.lost_packets());
            if written + lost == self.fed {
                return (written, lost);
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{written} and {lost} of {}", self.fed);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(mut self) -> Vec<Warning> {
        self.feed = None;
        self.reader.take().unwrap().join().unwrap()
    }
}

/// A file system of a megabyte; gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "nsm-test"]).arg(dir.path()).output();
        mounted.is_ok_and(|run| run.status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn numbers(files: &[PathBuf]) -> Vec<u64> {
    files.iter().flat_map(|file| frames_of(file)).map(|(_, _, data)| u64::from_be_bytes(*data.first_chunk().unwrap())).collect()
}

/// The disk fills up while packets come, and has room again later.
#[test]
fn a_full_disk_stops_nothing_and_what_it_cost_is_known() {
    for size in [None, Some(4 << 20)] {
        let Some(disk) = SmallDisk::new() else {
            return common::skipped("a_full_disk_stops_nothing_and_what_it_cost_is_known", "it takes root to mount a small file system");
        };
        let filler = disk.0.path().join("filler");
        fs::write(&filler, vec![0; 600 << 10]).unwrap();
        let mut bench = Bench::new(&recording(&disk.0.path().join("full.pcapng"), size, None));
        assert_eq!(bench.feed(200), (200, 0));
        let (kept, lost) = bench.feed(2_000);
        assert!(kept > 300 && lost > 1_000, "{kept} {lost}");
        assert_eq!(bench.feed(50), (kept, lost + 50), "it is not tried at once");
        fs::remove_file(filler).unwrap();
        thread::sleep(Duration::from_millis(1_100));
        assert_eq!(bench.feed(100), (kept + 100, lost + 50), "and then it is");
        let files = bench.handle.files();
        assert_eq!(files.len(), if size.is_some() { 2 } else { 1 });
        let [Warning::NotWritten { packets, problem }] = &bench.end()[..] else { panic!() };
        assert_eq!(*packets, lost + 50);
        assert!(problem.contains("No space left"), "{problem}");
        assert_eq!(numbers(&files), (0..kept).chain(2_250..2_350).collect::<Vec<_>>());
        let missing: u64 = files
            .iter()
            .map(|file| {
                let mut source = FileSource::open(file).unwrap();
                frames(&mut source);
                source.facts().dropped
            })
            .sum();
        assert_eq!(missing, lost + 50, "the files say what is missing in them");
    }
}

/// Far more at once than may wait for the disk: nothing waits for it, and nothing is counted twice.
#[test]
fn packets_that_come_faster_than_they_can_be_written_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fast.pcapng");
    let packets: Vec<(i64, Vec<u8>)> = (0..200_000).map(|number| (number, vec![7; 1_000])).collect();
    let (mut recorded, handle) = Recorded::begin(Box::new(MemorySource::new(1, packets)), &recording(&path, None, None), None).unwrap();
    assert_eq!(frames(&mut recorded).len(), 200_000);
    let (written, lost) = (handle.written_packets(), handle.lost_packets());
    assert_eq!(written + lost, 200_000);
    assert_eq!(frames_of(&path).len() as u64, written);
    let told: Vec<Warning> = recorded.warnings().to_vec();
    let want = Warning::NotWritten { packets: lost, problem: "the disk is slower than the packets come".into() };
    assert_eq!(told, if lost > 0 { vec![want] } else { vec![] });
}

#[test]
fn who_cannot_write_is_told_before_anything_is_captured() {
    let dir = tempfile::tempdir().unwrap();
    let begin = |name: &str, size| {
        Recorded::begin(Box::new(MemorySource::new(1, Vec::new())), &recording(&dir.path().join(name), size, None), None).map(drop)
    };
    assert!(matches!(begin("is/not/there.pcapng", None), Err(Error::Write { .. })));
    assert!(matches!(begin("is/not/there.pcapng", Some(1 << 20)), Err(Error::Write { .. })));
    begin("once.pcapng", None).unwrap();
    assert!(matches!(begin("once.pcapng", None), Err(Error::Usage(text)) if text.contains("no capture is overwritten")));
    begin("a/directory/", None).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("a/directory")).unwrap().count(), 0, "named after the first packet, which did not come");
}
