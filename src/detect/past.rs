//! What a host, or all of them, did before: how often each level of each feature was seen.
//!
//! Counts of levels, and nothing of their order: two pasts add. Median and spread are read off when asked for.

use serde::{Deserialize, Serialize};

use super::features::{COUNT, Levels};
use crate::stats::Robust;

/// Levels in ascending order, each with how often it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Histogram(Vec<(u8, u32)>);

impl Histogram {
    fn add(&mut self, level: u8, number: u32) {
        match self.0.binary_search_by_key(&level, |(level, _)| *level) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(number),
            Err(place) => self.0.insert(place, (level, number)),
        }
    }

    /// The highest level ever seen.
    pub(super) fn most(&self) -> Option<u8> {
        self.0.last().map(|(level, _)| *level)
    }

    pub(super) fn robust(&self) -> Option<Robust> {
        let counts: Vec<(f64, u64)> = self.0.iter().map(|(level, number)| (f64::from(*level), u64::from(*number))).collect();
        Robust::of_counts(&counts)
    }

    fn is_of(&self, minutes: u32) -> bool {
        let sum: u64 = self.0.iter().map(|(_, number)| u64::from(*number)).sum();
        sum == u64::from(minutes) && self.0.is_sorted_by(|(a, _), (b, _)| a < b)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    pub minutes: u32,
    pub levels: [Histogram; COUNT],
}

impl Past {
    pub(super) fn learn(&mut self, levels: &Levels) {
        self.minutes = self.minutes.saturating_add(1);
        self.levels.iter_mut().zip(levels).for_each(|(histogram, level)| histogram.add(*level, 1));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.minutes = self.minutes.saturating_add(other.minutes);
        for (histogram, other) in self.levels.iter_mut().zip(&other.levels) {
            other.0.iter().for_each(|(level, number)| histogram.add(*level, *number));
        }
    }

    /// As it can have come about: every minute gave every feature one level.
    pub(super) fn is_sound(&self) -> bool {
        self.levels.iter().all(|histogram| histogram.is_of(self.minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(levels: impl IntoIterator<Item = u8>) -> Past {
        let mut past = Past::default();
        levels.into_iter().for_each(|level| past.learn(&[level; COUNT]));
        past
    }

    #[test]
    fn pasts_add_and_the_order_does_not_matter() {
        let mut merged = learned([9, 3, 3]);
        merged.merge(&learned([1, 3]));
        assert_eq!(merged, learned([3, 1, 3, 9, 3]));
        // 1 3 3 3 9: median 3, and of the deviations 2 0 0 0 6 as well 0, so their mean 8 / 5 counts.
        let robust = merged.levels[0].robust().unwrap();
        assert_eq!((robust.median, merged.levels[0].most()), (3.0, Some(9)));
        assert!((robust.scale - 1.6 * 1.2533).abs() < 0.001);
    }

    #[test]
    fn an_impossible_past_is_seen() {
        let mut past = learned([1, 2]);
        assert!(past.is_sound());
        past.minutes = 3;
        assert!(!past.is_sound());
    }
}
