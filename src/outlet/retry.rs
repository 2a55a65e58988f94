//! Trying again: after what passes by itself, and with longer and longer pauses.

use std::time::Duration;

use super::queue::Pause;
use crate::config;

/// No pause is longer, whatever the settings or the receiver ask for: the queue behind this alert fills meanwhile.
const LONGEST: Duration = Duration::from_secs(60);

/// Why a try did not work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It may be over soon; the receiver may have said when.
    Passing(String, Option<Duration>),
    /// Trying again would change nothing.
    Lasting(String),
}

impl Trouble {
    pub fn passing(reason: impl Into<String>) -> Self {
        Self::Passing(reason.into(), None)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// Tries after the first.
    retries: u32,
    /// Before the first of them.
    pause: Duration,
}

impl Retry {
    pub fn new(settings: &config::Outlet) -> Self {
        Self { retries: settings.retries, pause: Duration::from_secs_f64(settings.backoff_s) }
    }

    /// Tries until it works, nothing more can be hoped for, or the outlet is given up.
    ///
    /// # Errors
    /// Why the last try did not work.
    pub fn run(&self, pause: &Pause, mut attempt: impl FnMut() -> Result<(), Trouble>) -> Result<(), String> {
        let (mut left, mut next) = (self.retries, self.pause);
        loop {
            let (reason, asked) = match attempt() {
                Ok(()) => return Ok(()),
                Err(Trouble::Lasting(reason)) => return Err(reason),
                Err(Trouble::Passing(reason, asked)) => (reason, asked),
            };
            if left == 0 || !pause.wait(asked.unwrap_or(next).min(LONGEST)) {
                return Err(reason);
            }
            (left, next) = (left - 1, next.saturating_mul(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const QUICK: Retry = Retry { retries: 3, pause: Duration::from_millis(10) };

    #[test]
    fn pauses_double_and_tries_end() {
        let (begin, mut tries) = (Instant::now(), 0);
        let result = QUICK.run(&Pause::endless(), || {
            tries += 1;
            Err(Trouble::passing(format!("no {tries}")))
        });
        assert_eq!((result, tries), (Err("no 4".into()), 4));
        // 10 + 20 + 40.
        assert!(begin.elapsed() >= Duration::from_millis(70));
    }

    #[test]
    fn what_lasts_is_not_tried_again_and_what_passes_is() {
        let mut tries = 0;
        let lasting = QUICK.run(&Pause::endless(), || {
            tries += 1;
            Err(Trouble::Lasting("never".into()))
        });
        assert_eq!((lasting, tries), (Err("never".into()), 1));
        let mut troubles = vec![Ok(()), Err(Trouble::Passing("busy".into(), Some(Duration::ZERO)))];
        assert_eq!(QUICK.run(&Pause::endless(), || troubles.pop().unwrap()), Ok(()));
        assert!(troubles.is_empty());
    }
}
