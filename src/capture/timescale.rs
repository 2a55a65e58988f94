//! The unit and zero of an interface's clock in pcapng (`if_tsresol`, `if_tsoffset`), turned into
//! nanoseconds since 1970.

use crate::time::{EARLIEST, LATEST, Nanos, SECOND};

/// What one interface's timestamps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeScale {
    unit: Unit,
    /// Nanoseconds to add.
    zero: i128,
}

/// The unit against the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// This many nanoseconds, at most a second's.
    Longer(u32),
    /// So many of it make a nanosecond.
    Shorter(u128),
    /// A second divided by two so many times, at most 127.
    Binary(u8),
}

impl Default for TimeScale {
    fn default() -> Self {
        Self::new(None, 0)
    }
}

impl TimeScale {
    /// From the resolution byte (none means microseconds) and the offset in seconds.
    pub fn new(resolution: Option<u8>, offset_seconds: i64) -> Self {
        let resolution = resolution.unwrap_or(6);
        let exponent = resolution & 0x7f;
        let unit = match exponent {
            _ if resolution & 0x80 != 0 => Unit::Binary(exponent),
            0..=9 => Unit::Longer(10_u32.pow(9 - u32::from(exponent))),
            // Beyond 10^38 every 64-bit count is less than a nanosecond.
            _ => Unit::Shorter(10_u128.checked_pow(u32::from(exponent) - 9).unwrap_or(u128::MAX)),
        };
        Self { unit, zero: i128::from(offset_seconds) * i128::from(SECOND) }
    }

    /// The moment `count` units after zero, and whether it had to be clamped.
    #[inline]
    pub fn nanos(self, count: u64) -> (Nanos, bool) {
        // 2^64 units of a second are below 2^94 ns, so that nothing here overflows.
        let elapsed = match self.unit {
            Unit::Longer(nanos) => u128::from(count) * u128::from(nanos),
            Unit::Shorter(units) => u128::from(count) / units,
            Unit::Binary(halvings) => (u128::from(count) * u128::from(SECOND.unsigned_abs())) >> halvings,
        };
        let moment = elapsed.cast_signed() + self.zero;
        let held = moment.clamp(i128::from(EARLIEST), i128::from(LATEST));
        (Nanos::try_from(held).unwrap_or_default(), held != moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resolution_gives_nanoseconds() {
        let cases: [(Option<u8>, u64, Nanos); 10] = [
            // The specification's example (section 4.6): 0x0004c397_64ca47aa us is 2012-06-29 07:28:25.298858.
            (None, 0x0004_c397_64ca_47aa, 1_340_954_905_298_858_000),
            (Some(0), 7, 7_000_000_000),
            (Some(3), 7, 7_000_000),
            (Some(9), 7, 7),
            (Some(12), 7_999, 7),
            (Some(28), u64::MAX, 1),
            (Some(127), u64::MAX, 0),
            // 2^-10 s: 1536 units are a second and a half.
            (Some(0x8a), 1_536, 1_500_000_000),
            // 2^-64 s: half of all units is half a second.
            (Some(0xc0), 1 << 63, 500_000_000),
            (Some(0xff), u64::MAX, 0),
        ];
        for (resolution, count, want) in cases {
            assert_eq!(TimeScale::new(resolution, 0).nanos(count), (want, false), "{resolution:?}");
        }
    }

    #[test]
    fn offsets_move_zero_both_ways() {
        assert_eq!(TimeScale::new(None, 10).nanos(1), (10 * SECOND + 1_000, false));
        assert_eq!(TimeScale::new(None, -10).nanos(1), (-10 * SECOND + 1_000, false));
    }

    #[test]
    fn moments_outside_the_range_are_clamped_and_said_so() {
        assert_eq!(TimeScale::new(Some(0), 0).nanos(u64::MAX), (LATEST, true));
        assert_eq!(TimeScale::new(None, i64::MAX).nanos(u64::MAX), (LATEST, true));
        assert_eq!(TimeScale::new(None, i64::MIN).nanos(0), (EARLIEST, true));
    }
}
