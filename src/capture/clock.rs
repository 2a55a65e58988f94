//! The capture clock: elapsed time that time-outs can trust although timestamps jump.
//!
//! Packet times of one interface are cut into segments: a step back of more than [`BACK`] or forward
//! of more than [`FORWARD`] against the segment's running maximum begins a new one. Elapsed time
//! (`tick`) is the sum over segments of how far each one's running maximum advanced, joined over the
//! interfaces by their maximum. It depends on nothing but the order of the frames, so that time-outs
//! decided with it are the same for every batch size.

use crate::time::{HOUR, LATEST, Nanos, SECOND};

/// A step back beyond this is a jump and not reordering. DESIGN section 1.
pub const BACK: Nanos = SECOND;
/// A step forward beyond this is a jump, or a pause after which nothing is pending any more.
pub const FORWARD: Nanos = HOUR;

#[derive(Debug, Default)]
pub struct Clock {
    interfaces: Vec<Option<Segment>>,
    tick: Nanos,
    jumps: u64,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Largest packet time so far.
    latest: Nanos,
    /// Elapsed time minus packet time in this segment.
    shift: i128,
}

impl Clock {
    /// The elapsed time at a frame of `interface` stamped `ts`. Never less than the one before.
    pub fn tick(&mut self, interface: usize, ts: Nanos) -> Nanos {
        if interface >= self.interfaces.len() {
            self.interfaces.resize(interface + 1, None);
        }
        let segment = match self.interfaces[interface] {
            None => Segment { latest: ts, shift: i128::from(self.tick) - i128::from(ts) },
            Some(current) => self.continued(current, ts),
        };
        self.interfaces[interface] = Some(segment);
        let elapsed = i128::from(segment.latest) + segment.shift;
        // Elapsed time stops where packet time does, so that every time-out after it is still a time.
        self.tick = self.tick.max(Nanos::try_from(elapsed).unwrap_or(LATEST).min(LATEST));
        self.tick
    }

    /// Jumps met so far.
    #[must_use]
    pub const fn jumps(&self) -> u64 {
        self.jumps
    }

    fn continued(&mut self, current: Segment, ts: Nanos) -> Segment {
        let step = i128::from(ts) - i128::from(current.latest);
        if step < -i128::from(BACK) {
            self.jumps += 1;
            Segment { latest: ts, shift: i128::from(self.tick) - i128::from(ts) }
        } else if step > i128::from(FORWARD) {
            // Whatever waited for an answer has waited long enough: let everything time out.
            self.jumps += 1;
            Segment { latest: ts, shift: i128::from(self.tick) + i128::from(FORWARD) - i128::from(ts) }
        } else {
            Segment { latest: current.latest.max(ts), ..current }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Elapsed seconds of a run of packet seconds on one interface.
    fn elapsed(seconds: &[Nanos]) -> Vec<Nanos> {
        let mut clock = Clock::default();
        seconds.iter().map(|s| clock.tick(0, s * SECOND) / SECOND).collect()
    }

    #[test]
    fn elapsed_time_follows_the_packets_and_ignores_reordering() {
        assert_eq!(elapsed(&[100, 102, 101, 105]), [0, 2, 2, 5]);
    }

    #[test]
    fn a_jump_back_neither_rewinds_nor_stops_the_clock() {
        // 100 -> 110 is ten seconds; back to 50 is a new segment; 50 -> 53 is three more.
        assert_eq!(elapsed(&[100, 110, 50, 53]), [0, 10, 10, 13]);
    }

    #[test]
    fn a_jump_forward_counts_as_an_hour() {
        assert_eq!(elapsed(&[0, 1, 1 + 3_601, 3_700]), [0, 1, 3_601, 3_699]);
    }

    #[test]
    fn interfaces_keep_their_own_segments() {
        let mut clock = Clock::default();
        assert_eq!(clock.tick(0, 1_000 * SECOND), 0);
        assert_eq!(clock.tick(1, 5 * SECOND), 0);
        assert_eq!(clock.tick(0, 1_002 * SECOND), 2 * SECOND);
        assert_eq!(clock.tick(1, 6 * SECOND), 2 * SECOND);
        assert_eq!(clock.tick(1, 9 * SECOND), 4 * SECOND);
        assert_eq!(clock.jumps(), 0);
    }

    #[test]
    fn elapsed_time_stops_at_the_latest_time_there_is() {
        let mut clock = Clock { tick: LATEST - 2 * HOUR, ..Clock::default() };
        // Every step back and forth by more than an hour counts as one.
        for _ in 0..5 {
            clock.tick(0, 0);
            clock.tick(0, 2 * HOUR);
        }
        assert_eq!(clock.tick, LATEST);
    }

    #[test]
    fn both_ends_of_the_range_do_not_overflow() {
        let mut clock = Clock::default();
        clock.tick(0, Nanos::MIN);
        clock.tick(0, Nanos::MAX);
        clock.tick(0, Nanos::MIN);
        assert_eq!(clock.jumps(), 2);
    }
}
