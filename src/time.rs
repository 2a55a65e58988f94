//! Packet time: nanoseconds since 1970-01-01 UTC.
//!
//! Analysis time is the packet's own. This module formats and parses it and never asks a clock.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub type Nanos = i64;

/// Packet times are held to the years 1823 to 2116, half of what the type reaches, less a month at each end: the
/// difference of any two, with any window or time-out added, then needs no check.
pub const EARLIEST: Nanos = -LATEST;
pub const LATEST: Nanos = (1 << 62) - 30 * 24 * HOUR;

pub const MICROSECOND: Nanos = 1_000;
pub const MILLISECOND: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000_000_000;
pub const MINUTE: Nanos = 60 * SECOND;
pub const HOUR: Nanos = 60 * MINUTE;

/// RFC 3339 with nine digits and `Z`, as every output of ours writes it.
#[must_use]
pub fn rfc3339(ts: Nanos) -> String {
    DateTime::<Utc>::from_timestamp_nanos(ts).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// RFC 3339 with six digits and without a zone, in UTC: where a format has its own way to write the zone, or room for
/// no more digits. What is below a microsecond is cut off.
#[must_use]
pub fn micros(ts: Nanos) -> String {
    DateTime::<Utc>::from_timestamp_nanos(ts).format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// `YYYY-MM-DD HH:MM:SS`, UTC, as the event log and people read it.
#[must_use]
pub fn log_time(ts: Nanos) -> String {
    DateTime::<Utc>::from_timestamp_nanos(ts).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Seconds as text with a sensible number of digits: `5.26 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration(nanos: Nanos) -> String {
    let seconds = nanos / SECOND;
    match seconds {
        ..10 => format!("{:.2} s", nanos as f64 / SECOND as f64),
        10..60 => format!("{:.1} s", nanos as f64 / SECOND as f64),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A moment as a user writes it: RFC 3339 (also with an offset as ISO 8601's basic form and `journalctl` have it, `+0200`),
/// `YYYY-MM-DD HH:MM:SS[.fraction]` or `YYYY-MM-DD` (UTC),
/// or seconds since 1970 with an optional fraction.
#[must_use]
pub fn parse(text: &str) -> Option<Nanos> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return moment.timestamp_nanos_opt();
    }
    if let Ok(moment) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return moment.timestamp_nanos_opt();
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"] {
        if let Ok(moment) = NaiveDateTime::parse_from_str(text, format) {
            return moment.and_utc().timestamp_nanos_opt();
        }
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_nanos_opt();
    }
    epoch_seconds(text)
}

/// `1691247811.25` without passing through a float, which would lose nanoseconds.
fn epoch_seconds(text: &str) -> Option<Nanos> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: Nanos = format!("{fraction:0<9}").parse().ok()?;
    whole.parse::<Nanos>().ok()?.checked_mul(SECOND)?.checked_add(nanos)
}

/// Seconds of the configuration as time; their ranges keep them far from overflow.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "settings are bounded by their ranges")]
pub fn from_seconds(seconds: f64) -> Nanos {
    (seconds * SECOND as f64) as Nanos
}

/// The start of the pane of `width` that holds `ts`; before 1970 too.
#[must_use]
pub const fn pane(ts: Nanos, width: Nanos) -> Nanos {
    ts.div_euclid(width) * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_with_nine_digits_in_utc() {
        assert_eq!(rfc3339(1_691_247_811_000_000_001), "2023-08-05T15:03:31.000000001Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(log_time(4_102_444_800 * SECOND), "2100-01-01 00:00:00");
        assert_eq!(micros(1_691_247_811_000_001_999), "2023-08-05T15:03:31.000001");
        assert_eq!(micros(-1), "1969-12-31T23:59:59.999999");
    }

    #[test]
    fn the_difference_of_any_two_times_and_a_window_needs_no_check() {
        assert!(LATEST.checked_sub(EARLIEST).and_then(|most| most.checked_add(30 * 24 * HOUR)).is_some());
        assert!(rfc3339(EARLIEST).starts_with("1823-") && rfc3339(LATEST).starts_with("2116-"));
    }

    #[test]
    fn every_way_to_write_a_moment_means_the_same() {
        let want = Some(1_691_247_811_250_000_000);
        for text in [
            "2023-08-05T15:03:31.25Z",
            "2023-08-05T17:03:31.25+02:00",
            "2023-08-05T17:03:31.250000+0200",
            "2023-08-05 15:03:31.25",
            "2023-08-05T15:03:31.25",
            "1691247811.25",
        ] {
            assert_eq!(parse(text), want, "{text}");
        }
        assert_eq!(parse("2023-08-05"), Some(1_691_193_600 * SECOND));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(parse("99999999999999999999"), None);
    }

    #[test]
    fn panes_before_1970_start_below_their_rows() {
        assert_eq!(pane(-1, SECOND), -SECOND);
        assert_eq!(pane(SECOND, SECOND), SECOND);
    }
}
