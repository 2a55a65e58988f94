//! Numbers as people read them: thousands separators, SI prefixes, percentages, periods of time.

use crate::time::{Nanos, duration, log_time};

pub use crate::detect::grouped as thousands;

/// A value that must stay short: exact with separators below ten million, then with an SI prefix.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie between zero and ten million")]
pub fn count(value: f64) -> String {
    if !(0.0..10e6).contains(&value) {
        return si(value, "").trim_end().to_owned();
    }
    match value {
        _ if value.fract() == 0.0 => thousands(value as u64),
        // Two significant digits, so that what is there never reads as zero.
        ..0.1 => trimmed(value, (1.0 - value.log10().floor()).min(12.0) as usize),
        ..1_000.0 => trimmed(value, 2),
        _ => thousands(value.round() as u64),
    }
}

/// A measured value, whatever it is: as [`count`], negative ones and those next to nothing too.
pub fn number(value: f64) -> String {
    match value {
        _ if value < 0.0 => si(value, "").trim_end().to_owned(),
        _ if value > 0.0 && value < 1e-6 => format!("{value:.1e}"),
        _ => count(value),
    }
}

/// `1500` and `B` as `1.5 kB`: three significant digits.
pub fn si(value: f64, unit: &str) -> String {
    let (factor, prefix) = prefix(value);
    let scaled = value / factor;
    let text = match scaled.abs() {
        _ if factor <= 1.0 => trimmed(scaled, 2),
        ..9.995 => format!("{scaled:.2}"),
        ..99.95 => format!("{scaled:.1}"),
        _ => format!("{scaled:.0}"),
    };
    format!("{text} {prefix}{unit}")
}

/// The SI prefix for values up to `value`, and what it stands for.
pub fn prefix(value: f64) -> (f64, &'static str) {
    // The bounds are where three digits would round up to the next prefix.
    match value.abs() {
        ..999.5 => (1.0, ""),
        ..999.5e3 => (1e3, "k"),
        ..999.5e6 => (1e6, "M"),
        ..999.5e9 => (1e9, "G"),
        ..999.5e12 => (1e12, "T"),
        _ => (1e15, "P"),
    }
}

pub fn bytes(value: u64) -> String {
    si(value as f64, "B")
}

/// A share of a whole; `<0.1 %` for what is there and rounds to nothing.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    let share = part as f64 * 100.0 / whole as f64;
    if part > 0 && share < 0.05 { "<0.1 %".to_owned() } else { format!("{share:.1} %") }
}

/// A period with its length; the day is said once where it is the same.
pub fn period(start: Nanos, end: Nanos) -> String {
    let (from, to) = (log_time(start), log_time(end));
    let until = match (from.split_once(' '), to.split_once(' ')) {
        (Some((day, _)), Some((same, time))) if day == same => time,
        _ => &to,
    };
    format!("{from} to {until} UTC ({})", duration(end.saturating_sub(start)))
}

/// `one` or `many` of something, with the count: `1 packet`, `2,000 packets`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// At most `digits` decimals, without trailing zeros.
pub fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_stand_before_every_third_digit_from_the_right() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (37_123, "37,123"), (u64::MAX, "18,446,744,073,709,551,615")] {
            assert_eq!(thousands(value), text);
        }
    }

    #[test]
    fn bytes_carry_three_digits_and_a_decimal_prefix() {
        for (value, text) in [
            (0, "0 B"),
            (1, "1 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (1_536, "1.54 kB"),
            (10_000_000, "10.0 MB"),
            (999_600, "1.00 MB"),
            (3_100_000_000, "3.10 GB"),
        ] {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn counts_are_exact_until_they_would_be_too_long() {
        assert_eq!(count(0.5), "0.5");
        assert_eq!(count(0.001_34), "0.0013");
        assert_eq!(count(30_412.25), "30,412");
        assert_eq!(count(30_000.0), "30,000");
        assert_eq!(count(4_294_967_295.0), "4.29 G");
    }

    #[test]
    fn a_period_says_its_day_once_unless_it_ends_on_another() {
        let second = crate::time::SECOND;
        assert_eq!(period(0, 5 * second), "1970-01-01 00:00:00 to 00:00:05 UTC (5.00 s)");
        assert_eq!(period(-second, 0), "1969-12-31 23:59:59 to 1970-01-01 00:00:00 UTC (1.00 s)");
    }

    #[test]
    fn a_share_that_is_there_never_reads_as_zero() {
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(1, 1_000_000), "<0.1 %");
        assert_eq!(percent(0, 5), "0.0 %");
        assert_eq!(percent(0, 0), "0 %");
    }
}
