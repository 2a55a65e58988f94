//! When something happened, in whatever form a program has it.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::time::{self, EARLIEST, LATEST, MICROSECOND, Nanos, SECOND};

/// A moment, to the nanosecond, in the years 1823 to 2116; what lies outside is held to the nearer end.
///
/// Made from a [`SystemTime`]; from seconds since 1970-01-01 UTC as `f64`, rounded to the microsecond that such a
/// number can hold; from a [`Duration`] since then; or from text, as a log has it.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use network_security_monitor::monitor::Timestamp;
///
/// let moment: Timestamp = "2023-08-05T15:03:31.25Z".parse()?;
/// assert_eq!(moment, Timestamp::from(1_691_247_811.25));
/// assert_eq!(moment, Timestamp::from(UNIX_EPOCH + Duration::from_millis(1_691_247_811_250)));
/// # Ok::<(), network_security_monitor::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Nanos);

impl Timestamp {
    /// Nanoseconds since 1970-01-01 UTC, negative before.
    #[must_use]
    pub fn from_nanos(nanos: Nanos) -> Self {
        Self(nanos.clamp(EARLIEST, LATEST))
    }

    /// Nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn nanos(self) -> Nanos {
        self.0
    }
}

impl From<SystemTime> for Timestamp {
    fn from(moment: SystemTime) -> Self {
        match moment.duration_since(UNIX_EPOCH) {
            Ok(since) => Self::from(since),
            Err(before) => Self(-Self::from(before.duration()).0),
        }
    }
}

impl From<Duration> for Timestamp {
    fn from(since_1970: Duration) -> Self {
        Self::from_nanos(Nanos::try_from(since_1970.as_nanos()).unwrap_or(LATEST))
    }
}

impl From<f64> for Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a number out of range becomes the nearer end, and no number becomes 1970")]
    fn from(seconds_since_1970: f64) -> Self {
        let micros = (seconds_since_1970 * (SECOND / MICROSECOND) as f64).round() as Nanos;
        Self::from_nanos(micros.saturating_mul(MICROSECOND))
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// RFC 3339, `YYYY-MM-DD HH:MM:SS[.fraction]` or `YYYY-MM-DD` (UTC), or seconds since 1970.
    fn from_str(text: &str) -> Result<Self, Error> {
        let moment = time::parse(text).map(Self::from_nanos);
        moment.ok_or_else(|| Error::Usage(format!("{text:?} is no moment; write it as 2023-08-05T15:03:31Z or 2023-08-05 15:03:31 (UTC)")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_moment_is_the_same_moment() {
        let want = Timestamp(1_691_247_811_200_000_000);
        assert_eq!(Timestamp::from(1_691_247_811.2), want);
        assert_eq!(Timestamp::from(Duration::from_millis(1_691_247_811_200)), want);
        assert_eq!(Timestamp::from(UNIX_EPOCH + Duration::from_millis(1_691_247_811_200)), want);
        assert_eq!("1691247811.2".parse::<Timestamp>().unwrap(), want);
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)).nanos(), -SECOND);
    }

    #[test]
    fn what_lies_outside_the_range_is_held_to_its_ends() {
        for (moment, end) in [(f64::MAX, LATEST), (f64::MIN, EARLIEST), (f64::INFINITY, LATEST), (f64::NAN, 0)] {
            assert_eq!(Timestamp::from(moment).nanos(), end, "{moment}");
        }
        assert_eq!(Timestamp::from(Duration::MAX).nanos(), LATEST);
        assert_eq!(Timestamp::from_nanos(Nanos::MIN).nanos(), EARLIEST);
    }

    #[test]
    fn text_that_is_no_moment_is_refused_with_an_example() {
        let refusal = "yesterday".parse::<Timestamp>().unwrap_err().to_string();
        assert!(refusal.contains("\"yesterday\"") && refusal.contains("2023-08-05"), "{refusal}");
    }
}
