//! Times of the generated captures: nanoseconds since 1970, all on one invented morning.

pub type Nanos = u64;

pub const MICROSECOND: Nanos = 1_000;
pub const MILLISECOND: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000_000_000;
pub const MINUTE: Nanos = 60 * SECOND;
pub const HOUR: Nanos = 60 * MINUTE;

/// 2024-03-05T09:00:00Z, when every capture begins.
pub const BASE: Nanos = 1_709_629_200 * SECOND;

/// Nanoseconds of midnight before [`BASE`].
const MIDNIGHT: Nanos = BASE - 9 * 60 * MINUTE;

/// `09:04:10.250`, for the descriptions.
pub fn clock(at: Nanos) -> String {
    let millis = (at - MIDNIGHT) / MILLISECOND;
    format!("{:02}:{:02}:{:02}.{:03}", millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60, millis % 1_000)
}
