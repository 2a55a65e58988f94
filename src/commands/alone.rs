//! Work that stays on its thread: for small captures, of which several are worked on at once.
//!
//! Handing the pieces of a small capture to other threads costs more than the pieces: of 100 packets, 360
//! waits and wake-ups each, more than half of the time.

use polars_async::executor::ALLOW_RAYON_THREADS;
use polars_core::runtime::RAYON;

/// From here on all that this thread does in parallel it does itself, one after another.
pub(super) fn stay_on_this_thread() {
    // Polars then works in a pool of this one thread, and Rayon takes a thread that belongs to a pool to mean that pool.
    ALLOW_RAYON_THREADS.set(false);
    RAYON.install(|| ());
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use polars::prelude::*;
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn what_is_parallel_runs_on_this_thread() {
        thread::spawn(|| {
            stay_on_this_thread();
            let threads: HashSet<_> = (0..1_000).into_par_iter().map(|_| thread::current().id()).collect();
            assert_eq!(threads, HashSet::from([thread::current().id()]));
            assert_eq!((rayon::current_num_threads(), RAYON.current_num_threads()), (1, 1));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn polars_gives_the_same_there() {
        let sums = || {
            let keys: Vec<u32> = (0..100_000).map(|n| n % 1_000).collect();
            let frame = DataFrame::new_infer_height(vec![Column::new("key".into(), keys)]).unwrap();
            frame.lazy().group_by([col("key")]).agg([len().alias("rows")]).sort(["key"], SortMultipleOptions::default()).collect().unwrap()
        };
        let alone = thread::spawn(move || {
            stay_on_this_thread();
            sums()
        });
        assert!(alone.join().unwrap().equals(&sums()));
    }
}
