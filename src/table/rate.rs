//! How fast the connections of one contact followed one another: all that began, also those under way when
//! first seen (who judges tells them apart by the number of attempts).

use crate::time::{self, MINUTE, Nanos, SECOND};

/// The fastest a contact ever was.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// Most attempts in any sliding second; exact up to [`RECENT`], beyond that the most in any
    /// second of the clock (at most a factor of two below).
    pub peak: u32,
    /// Most attempts in ten consecutive seconds that begin on a multiple of ten.
    pub peak_ten: u32,
    /// Seconds of this minute, as bits, with more attempts than [`BUSY`].
    pub busy: u64,
    /// Until they are too long ago to matter.
    recent: Option<Box<Recent>>,
}

/// Attempts remembered for the sliding second.
const RECENT: usize = 16;
/// A second with more attempts than this is busy: the requirement's "more than 5 per second".
pub const BUSY: u32 = 5;

#[derive(Clone, Debug)]
struct Recent {
    second: Nanos,
    in_second: u32,
    in_ten: u32,
    times: [Nanos; RECENT],
}

/// No attempt: further from every time there is than a second.
const NEVER: Nanos = Nanos::MIN;

impl Default for Recent {
    fn default() -> Self {
        Self { second: Nanos::MIN / 2, in_second: 0, in_ten: 0, times: [NEVER; RECENT] }
    }
}

impl Rate {
    /// Goes on from the minute before: its attempts may be within a second of those that come.
    pub fn after(before: &Self) -> Option<Self> {
        before.recent.is_some().then(|| Self { recent: before.recent.clone(), ..Self::default() })
    }

    /// Goes on from a minute before that had one attempt.
    pub fn after_one(ts: Nanos) -> Self {
        let mut rate = Self::default();
        rate.add(ts);
        Self { recent: rate.recent, ..Self::default() }
    }

    /// Another attempt.
    pub fn add(&mut self, ts: Nanos) {
        let recent = self.recent.get_or_insert_default();
        self.peak = self.peak.max(recent.add(ts));
        self.peak_ten = self.peak_ten.max(recent.in_ten);
        if recent.in_second > BUSY {
            self.busy |= 1 << ((recent.second - time::pane(recent.second, MINUTE)) / SECOND);
        }
    }

    /// No attempt will come that could be near to the last.
    pub fn settle(&mut self) {
        self.recent = None;
    }
}

impl Recent {
    /// Attempts in the second up to this one, or in its second of the clock, whichever is more.
    fn add(&mut self, ts: Nanos) -> u32 {
        let second = time::pane(ts, SECOND);
        if second != self.second {
            if time::pane(second, 10 * SECOND) != time::pane(self.second, 10 * SECOND) {
                self.in_ten = 0;
            }
            self.second = second;
            self.in_second = 0;
        }
        self.in_second += 1;
        self.in_ten += 1;
        self.times.rotate_right(1);
        self.times[0] = ts;
        let in_second = |earlier: &&Nanos| ts.checked_sub(**earlier).is_some_and(|gap| (0..SECOND).contains(&gap));
        let sliding = self.times.iter().filter(in_second).count();
        self.in_second.max(u32::try_from(sliding).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{EARLIEST, LATEST, MILLISECOND};

    fn rate(times_ms: &[Nanos]) -> Rate {
        let mut rate = Rate::default();
        times_ms.iter().for_each(|ms| rate.add(ms * MILLISECOND));
        rate
    }

    #[test]
    fn six_attempts_across_a_second_boundary_are_six_in_one_second() {
        let rate = rate(&[700, 800, 900, 1_000, 1_100, 1_200]);
        assert_eq!(rate.peak, 6);
        assert_eq!(rate.busy, 0);
    }

    #[test]
    fn the_sliding_second_goes_on_from_the_minute_before() {
        // One at 59.9 s, or three up to it, and three within the second that follows.
        let minute = 60_000;
        let after = |before: &[Nanos]| {
            let mut rate = if let [one] = before { Rate::after_one(one * MILLISECOND) } else { Rate::after(&rate(before)).unwrap() };
            [minute, minute + 100, minute + 200].iter().for_each(|ms| rate.add(ms * MILLISECOND));
            (rate.peak, rate.peak_ten)
        };
        assert_eq!(after(&[59_900]), (4, 3));
        assert_eq!(after(&[59_700, 59_800, 59_900]), (6, 3));
        assert_eq!(after(&[58_000, 58_100]), (3, 3));
    }

    #[test]
    fn what_has_settled_is_not_carried() {
        let mut rate = rate(&[59_700, 59_800]);
        rate.settle();
        assert!(Rate::after(&rate).is_none());
        assert_eq!(rate.peak, 2);
    }

    #[test]
    fn one_attempt_at_an_end_of_time_is_one() {
        for times in [&[EARLIEST][..], &[LATEST], &[EARLIEST, LATEST], &[LATEST, EARLIEST]] {
            let mut rate = Rate::default();
            times.iter().for_each(|ts| rate.add(*ts));
            assert_eq!((rate.peak, rate.peak_ten, rate.busy), (1, 1, 0), "{times:?}");
        }
    }

    #[test]
    fn a_second_is_half_open() {
        // 0 and 1000 ms are one second apart: never in one window.
        assert_eq!(rate(&[0, 200, 400, 600, 800, 1_000]).peak, 5);
    }

    #[test]
    fn busy_seconds_and_tens_are_counted() {
        let times: Vec<Nanos> = (0..3).flat_map(|s| (0..20).map(move |n| s * 1_000 + n * 50)).collect();
        let rate = rate(&times);
        assert_eq!(rate.peak, 20);
        assert_eq!(rate.busy, 0b111);
        assert_eq!(rate.peak_ten, 60);
    }
}
