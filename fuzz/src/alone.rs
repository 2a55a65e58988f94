//! All work on the thread of the fuzzer, so that a run of one input costs no waits and no wake-ups.

use polars_async::executor::ALLOW_RAYON_THREADS;
use polars_core::runtime::RAYON;

/// As `commands::alone` of the package does for small captures.
pub fn stay() {
    ALLOW_RAYON_THREADS.set(false);
    RAYON.install(|| ());
}
