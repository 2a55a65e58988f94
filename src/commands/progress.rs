//! The progress bar: bytes, rate and time left, on a terminal only.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Follows a counter of bytes from a thread of its own until it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    counter: Arc<AtomicU64>,
}

const REFRESH: Duration = Duration::from_millis(200);

impl Progress {
    /// A bar over `total` bytes (0: not known, as for standard input); silent when `quiet` or when
    /// standard error is no terminal.
    pub(super) fn start(name: String, total: u64, counter: Arc<AtomicU64>, quiet: bool) -> Self {
        let hidden = quiet || !std::io::stderr().is_terminal();
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), target).with_message(name);
        let template =
            if total > 0 { "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}" } else { "{msg} {bytes} {bytes_per_sec}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if !hidden {
            let (bar, counter) = (bar.clone(), Arc::clone(&counter));
            std::thread::spawn(move || {
                while !bar.is_finished() {
                    bar.set_position(counter.load(Ordering::Relaxed));
                    std::thread::sleep(REFRESH);
                }
            });
        }
        Self { bar, counter }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.set_position(self.counter.load(Ordering::Relaxed));
        self.bar.finish_and_clear();
    }
}
