//! What is captured, written to capture files beside the analysis: one file, or a ring of them.
//!
//! A thread of its own writes. Knows queues and counts, and [`files`] which file a packet goes to. A disk that is slow,
//! full or gone never holds up the capture: what could not be written was analysed all the same, and is counted.

mod disk;
mod files;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::capture::live::Counters;
use crate::capture::{Block, FrameRef, Source, SourceFacts};
use crate::error::Error;
use crate::pcapng::Origin;
use crate::warning::Warning;
use disk::Real;
use files::{Files, Naming};

/// Bytes that wait to be written: a second at a full gigabit per second. Disks stall for about as long when the system
/// writes back what it has gathered.
const QUEUE_BYTES: u64 = 128 << 20;
/// Empty buffers that are kept: what a stall of the disk made more of is given back.
const SPARE: usize = 2;
/// At the end, how long a disk may take to write what is waiting: all of it at 13 MB/s.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// Why a packet that had no room in the queue was not written.
const TOO_SLOW: &str = "the disk is slower than the packets come";

/// What to write, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// A file, or a directory.
    pub path: PathBuf,
    /// Bytes of a file, at which the next one begins; none: one file.
    pub size: Option<u64>,
    /// Files that are kept of those this run makes; none: all.
    pub files: Option<usize>,
    pub origin: Origin,
    /// Of the interface.
    pub snaplen: u32,
    /// Who writes: `nsm 0.1.0`.
    pub program: String,
}

/// What was written, for other threads to see.
#[derive(Clone, Debug, Default)]
pub struct RingHandle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    written: AtomicU64,
    lost: AtomicU64,
    /// Bytes in the queue.
    waiting: AtomicU64,
    files: Mutex<Vec<PathBuf>>,
    problem: Mutex<Option<String>>,
    /// Nobody waits for the writer any more: what it still has is counted as lost.
    given_up: AtomicBool,
}

impl RingHandle {
    /// Packets that are in a file, those of files that gave way to newer ones included.
    #[must_use]
    pub fn written_packets(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Packets that could not be written.
    #[must_use]
    pub fn lost_packets(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// The files there are, the oldest first.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        locked(&self.0.files).clone()
    }

    /// Why packets could not be written, the first time.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        locked(&self.0.problem).clone()
    }

    fn wrote(&self, packets: u64) {
        self.0.written.fetch_add(packets, Ordering::Relaxed);
    }

    fn lose(&self, packets: u64, problem: &str) {
        if packets > 0 {
            self.0.lost.fetch_add(packets, Ordering::Relaxed);
            self.note(problem);
        }
    }

    /// Something failed; the first problem is what is told.
    fn note(&self, problem: &str) {
        locked(&self.0.problem).get_or_insert_with(|| problem.to_owned());
    }

    fn show_files(&self, files: Vec<PathBuf>) {
        *locked(&self.0.files) = files;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Frames on their way to the writer.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    frames: Vec<FrameRef>,
}

/// A source whose frames are written to files while they pass.
pub struct Recorded {
    source: Box<dyn Source>,
    /// None once it has ended.
    queue: Option<Sender<Batch>>,
    spent: Receiver<Batch>,
    /// Tells that the writer has ended.
    ended: Receiver<()>,
    handle: RingHandle,
    handed: u64,
    /// Those of the source, and what was not written.
    warnings: Vec<Warning>,
}

impl Recorded {
    /// Begins the first file, so that who cannot write is told before anything is captured. To be called when the
    /// process has the rights it is to keep ([`crate::confine`]): the thread that writes gets them here.
    ///
    /// # Errors
    /// When the file exists or cannot be made.
    pub fn begin(source: Box<dyn Source>, recording: &Recording, counters: Option<Arc<Counters>>) -> Result<(Self, RingHandle), Error> {
        let handle = RingHandle::default();
        let mut files = Files::new(Box::new(Real), Naming::of(recording)?, recording, handle.clone(), counters);
        files.prepare()?;
        let ((queue, batches), (back, spent), (last, ended)) = (channel(), sync_channel(SPARE), channel());
        let shared = handle.clone();
        let write = move || {
            write(files, &batches, &back, &shared);
            // Nobody may be left to hear it.
            _ = last.send(());
        };
        let named = thread::Builder::new().name("nsm-write".into()).spawn(write);
        named.map_err(|cause| Error::Internal(format!("no thread to write captures: {cause}")))?;
        let recorded = Self { source, queue: Some(queue), spent, ended, handle: handle.clone(), handed: 0, warnings: Vec::new() };
        Ok((recorded, handle))
    }

    /// Hands a copy of the frames to the writer, unless it is too far behind.
    fn hand_over(&mut self, block: &Block) {
        let Some(queue) = &self.queue else { return };
        let packets = block.frames.len() as u64;
        let bytes = size(&block.bytes, &block.frames);
        if packets == 0 {
            return;
        }
        self.handed += packets;
        let waiting = &self.handle.0.waiting;
        let before = waiting.load(Ordering::Relaxed);
        if before > 0 && before.saturating_add(bytes) > QUEUE_BYTES {
            return self.handle.lose(packets, TOO_SLOW);
        }
        let mut batch = self.spent.try_recv().unwrap_or_default();
        batch.bytes.clear();
        batch.bytes.extend_from_slice(&block.bytes);
        batch.frames.clear();
        batch.frames.extend_from_slice(&block.frames);
        waiting.fetch_add(bytes, Ordering::Relaxed);
        if queue.send(batch).is_err() {
            self.handle.lose(packets, "the thread that writes has stopped");
        }
    }

    /// Waits until everything is written, or the disk has had its time.
    fn close(&mut self) {
        if self.queue.take().is_none() {
            return;
        }
        if self.ended.recv_timeout(END_PATIENCE) == Err(RecvTimeoutError::Timeout) {
            self.handle.0.given_up.store(true, Ordering::Relaxed);
        }
        let (written, lost) = (self.handle.written_packets(), self.handle.lost_packets());
        self.handle.lose(self.handed.saturating_sub(written.saturating_add(lost)), TOO_SLOW);
    }

    fn gather_warnings(&mut self) {
        self.warnings.clear();
        self.warnings.extend_from_slice(self.source.warnings());
        let packets = self.handle.lost_packets();
        if packets > 0 {
            let problem = self.handle.problem().unwrap_or_default();
            self.warnings.push(Warning::NotWritten { packets, problem });
        }
    }
}

impl Source for Recorded {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        let read = self.source.next_block(block)?;
        if read {
            self.hand_over(block);
        } else {
            self.close();
        }
        self.gather_warnings();
        Ok(read)
    }

    fn end(&mut self) {
        self.source.end();
        self.close();
        self.gather_warnings();
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn facts(&self) -> SourceFacts {
        self.source.facts()
    }

    fn position(&self) -> u64 {
        self.source.position()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.close();
    }
}

fn write(mut files: Files, batches: &Receiver<Batch>, back: &SyncSender<Batch>, handle: &RingHandle) {
    let has_given_up = || handle.0.given_up.load(Ordering::Relaxed);
    while let Ok(batch) = batches.recv() {
        if has_given_up() {
            return;
        }
        files.take(&batch.frames, &batch.bytes);
        handle.0.waiting.fetch_sub(size(&batch.bytes, &batch.frames), Ordering::Relaxed);
        // Nobody may be left to fill it again, and enough may be waiting.
        _ = back.try_send(batch);
    }
    if !has_given_up() {
        files.finish();
    }
}

/// What frames take while they wait.
fn size(bytes: &[u8], frames: &[FrameRef]) -> u64 {
    (bytes.len() + size_of_val(frames)) as u64
}

/// Whether what was asked for is a directory: it is one, or is written as one.
fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::is_separator)
}
