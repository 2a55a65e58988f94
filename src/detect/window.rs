//! Distinct things in a sliding window over events in time order.

use std::hash::Hash;

use hashbrown::HashMap;

use crate::time::Nanos;

/// The most distinct keys in any window, and when the threshold was first reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    /// Most distinct keys in any window of the width.
    pub most: u32,
    /// Time of the event that reached the threshold; none if it never was.
    pub reached: Option<Nanos>,
}

/// Counts distinct keys over windows of `width` that end at each event (the event `width` earlier is
/// outside). Events must be sorted by time.
pub(super) fn distinct<K: Hash + Eq>(events: impl Iterator<Item = (Nanos, K)> + Clone, width: Nanos, threshold: u32) -> Crossing {
    let mut counts: HashMap<K, u32, foldhash::fast::FixedState> = HashMap::default();
    let mut oldest = events.clone().peekable();
    let mut crossing = Crossing { most: 0, reached: None };
    for (ts, key) in events {
        while let Some((_, leaving)) = oldest.next_if(|(old, _)| ts - old >= width) {
            if let Some(count) = counts.get_mut(&leaving) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&leaving);
                }
            }
        }
        *counts.entry(key).or_default() += 1;
        crossing.most = crossing.most.max(u32::try_from(counts.len()).unwrap_or(u32::MAX));
        if crossing.most >= threshold {
            crossing.reached.get_or_insert(ts);
        }
    }
    crossing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_is_not_counted_and_what_left_the_window_is_forgotten() {
        // Keys 1, 1, 2 within ten; 1 leaves at 11, so that 2 and 3 remain.
        let events = [(0, 1), (1, 1), (5, 2), (12, 3)];
        assert_eq!(distinct(events.iter().copied(), 10, 2), Crossing { most: 2, reached: Some(5) });
        assert_eq!(distinct(events.iter().copied(), 100, 3), Crossing { most: 3, reached: Some(12) });
        assert_eq!(distinct(events.iter().copied(), 7, 3).reached, None);
    }

    #[test]
    fn the_window_is_half_open() {
        assert_eq!(distinct([(0, 1), (10, 2)].iter().copied(), 10, 2).most, 1);
        assert_eq!(distinct([(0, 1), (9, 2)].iter().copied(), 10, 2).most, 2);
    }
}
