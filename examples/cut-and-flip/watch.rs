//! Notices what does not come to an end. A thread cannot be stopped, so the whole run ends then.

use std::process::exit;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// No damaged capture may take longer.
pub const LONGEST: Duration = Duration::from_secs(60);

type Begun = Mutex<Option<(Instant, String)>>;

pub struct Watch(Vec<Begun>);

impl Watch {
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Mutex::default()).collect())
    }

    /// A worker begins something else.
    pub fn note(&self, worker: usize, what: String) {
        if let Some(begun) = self.0.get(worker) {
            *begun.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), what));
        }
    }

    /// Until all is done; the program's own runs are timed by whoever starts them, so twice the time is allowed here.
    pub fn over(&self, done: impl Fn() -> bool) {
        while !done() {
            sleep(Duration::from_millis(200));
            for begun in &self.0 {
                let begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((began, what)) = begun.as_ref().filter(|(began, _)| began.elapsed() > 2 * LONGEST + Duration::from_secs(1)) {
                    eprintln!("cut-and-flip: no end after {:?}: {what}", began.elapsed());
                    exit(1);
                }
            }
        }
    }
}
