//! The progress bar: bytes, rate and time left, on a terminal only.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report;

/// Follows counters of bytes from a thread of its own until it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    read: Arc<Read>,
    files: Option<Files>,
}

/// Bytes of what is done, and counters of what is under way.
#[derive(Default)]
struct Read {
    done: AtomicU64,
    running: Mutex<Vec<Arc<AtomicU64>>>,
}

struct Files {
    done: AtomicU64,
    total: usize,
}

const REFRESH: Duration = Duration::from_millis(200);

impl Progress {
    /// A bar over `total` bytes (0: not known, as for standard input); silent when `quiet` or when
    /// standard error is no terminal.
    pub(super) fn start(name: &str, total: u64, counter: Arc<AtomicU64>, quiet: bool) -> Self {
        let progress = Self::new(report::visible(name).into_owned(), total, None, quiet);
        progress.follow(counter);
        progress
    }

    /// One bar over many files of `total` bytes in all.
    pub(super) fn over_files(files: usize, total: u64, quiet: bool) -> Self {
        let files = Files { done: AtomicU64::new(0), total: files };
        Self::new(files.to_string(), total, Some(files), quiet)
    }

    fn new(name: String, total: u64, files: Option<Files>, quiet: bool) -> Self {
        let hidden = quiet || !std::io::stderr().is_terminal();
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), target).with_message(name);
        let template =
            if total > 0 { "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}" } else { "{msg} {bytes} {bytes_per_sec}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let read = Arc::new(Read::default());
        if !hidden {
            let (bar, read) = (bar.clone(), Arc::clone(&read));
            std::thread::spawn(move || {
                while !bar.is_finished() {
                    bar.set_position(read.bytes());
                    std::thread::sleep(REFRESH);
                }
            });
        }
        Self { bar, read, files }
    }

    /// Counts a file that is being read.
    pub(super) fn follow(&self, counter: Arc<AtomicU64>) {
        self.read.running.lock().unwrap_or_else(PoisonError::into_inner).push(counter);
    }

    /// A file of so many bytes is done, read or not; `counter` is the one that was followed.
    pub(super) fn done(&self, bytes: u64, counter: Option<&Arc<AtomicU64>>) {
        let mut running = self.read.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|other| counter.is_none_or(|counter| !Arc::ptr_eq(other, counter)));
        self.read.done.fetch_add(bytes, Ordering::Relaxed);
        if let Some(files) = &self.files {
            files.done.fetch_add(1, Ordering::Relaxed);
            self.bar.set_message(files.to_string());
        }
    }

    /// Writes something while the bar is out of the way.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }
}

impl Read {
    fn bytes(&self) -> u64 {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.done.load(Ordering::Relaxed) + running.iter().map(|counter| counter.load(Ordering::Relaxed)).sum::<u64>()
    }
}

impl std::fmt::Display for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} files", self.done.load(Ordering::Relaxed), self.total)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.set_position(self.read.bytes());
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_once_while_it_is_read_and_after() {
        let progress = Progress::over_files(2, 100, true);
        let counter = Arc::new(AtomicU64::new(30));
        progress.follow(Arc::clone(&counter));
        assert_eq!(progress.read.bytes(), 30);
        progress.done(40, Some(&counter));
        assert_eq!(progress.read.bytes(), 40);
        progress.done(60, None);
        assert_eq!((progress.read.bytes(), progress.bar.message()), (100, "2/2 files".to_owned()));
    }

    #[test]
    fn a_file_name_cannot_move_the_cursor() {
        let progress = Progress::start("a\x1b[2J\nb.pcap", 1, Arc::default(), true);
        assert_eq!(progress.bar.message(), "a\\u{1b}[2J\\nb.pcap");
    }
}
