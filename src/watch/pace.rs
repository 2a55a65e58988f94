//! When to look: often enough that nobody waits for an alert, and no more often than there is something new and the
//! packets leave time for.

use std::time::{Duration, Instant};

use crate::config;

#[derive(Debug)]
pub struct Pace {
    every: Duration,
    share: f64,
    /// How long a connection may wait for its answer: after that, silence is news.
    patience: Duration,
    next: Instant,
    frames: u64,
    news_until: Instant,
}

impl Pace {
    #[must_use]
    pub fn new(settings: &config::Live, now: Instant) -> Self {
        let seconds = |value: f64| Duration::try_from_secs_f64(value).unwrap_or_default();
        Self {
            every: seconds(settings.look_every_s),
            share: settings.look_share,
            patience: seconds(settings.patience_s),
            next: now,
            frames: 0,
            news_until: now,
        }
    }

    /// Whether to look now, when so many frames have come in all.
    pub fn is_due(&mut self, now: Instant, frames: u64) -> bool {
        if frames != self.frames {
            self.frames = frames;
            self.news_until = now + self.patience + self.every;
        }
        now >= self.next && now <= self.news_until
    }

    /// A look that began then has taken so long, in all.
    pub fn looked(&mut self, began: Instant, took: Duration) {
        self.next = began + self.every.max(took.div_f64(self.share));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_waits_for_its_time_its_share_and_for_news() {
        let ms = Duration::from_millis;
        let begin = Instant::now();
        let mut pace = Pace::new(&config::Live { look_every_s: 0.25, look_share: 0.25, patience_s: 0.4, ..config::Live::default() }, begin);
        assert!(pace.is_due(begin, 1));
        pace.looked(begin, ms(10));
        assert!(!pace.is_due(begin + ms(249), 2));
        assert!(pace.is_due(begin + ms(250), 2));
        // 100 ms of work may not be more than a quarter of the time.
        pace.looked(begin + ms(250), ms(100));
        assert!(!pace.is_due(begin + ms(649), 3));
        assert!(pace.is_due(begin + ms(650), 3));
        // The third frame was first heard of at 649 ms; 0.4 s and a look later its silence is known.
        pace.looked(begin + ms(650), ms(1));
        assert!(pace.is_due(begin + ms(1_299), 3));
        assert!(!pace.is_due(begin + ms(1_300), 3));
        assert!(pace.is_due(begin + ms(1_301), 4));
    }
}
