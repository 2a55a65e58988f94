//! What the dots of a picture are, and what stands at its value axis: the same words in PNG and HTML.

use super::super::units::{count, trimmed};
use super::panel::Scale;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dots {
    /// A probe of a port.
    Ports,
    /// A probe of one of many targets.
    Targets,
    /// A call, by the milliseconds since the one before.
    Calls,
}

impl Dots {
    pub fn of(axis: &str) -> Self {
        match axis {
            _ if axis.contains("port") => Self::Ports,
            _ if axis.starts_with("milliseconds") => Self::Calls,
            _ => Self::Targets,
        }
    }

    /// What stands above the axis.
    pub fn heading(self, axis: &str) -> String {
        if self == Self::Calls {
            return "Seconds since the call before".to_owned();
        }
        let mut letters = axis.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }

    pub fn label(self, value: f64) -> String {
        match self {
            Self::Ports => format!("{value:.0}"),
            Self::Targets => count(value),
            Self::Calls => trimmed(value / 1_000.0, 3),
        }
    }

    /// A rhythm is seen against zero; ports and targets fill the field.
    pub fn scale(self, min: u32, max: u32, steps: f64) -> Scale {
        if self == Self::Calls { Scale::from_zero(max.into(), steps) } else { Scale::around(min, max, steps) }
    }

    /// What every dot is.
    pub const fn tried(self) -> &'static str {
        match self {
            Self::Ports | Self::Targets => "tried",
            Self::Calls => "calls",
        }
    }

    /// What the marked dots are.
    pub const fn answered(self) -> &'static str {
        match self {
            Self::Ports => "open",
            Self::Targets | Self::Calls => "answered",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rhythm_is_read_in_seconds_and_its_dots_are_calls() {
        let dots = Dots::of("milliseconds since the call before");
        assert_eq!((dots.label(300_000.0).as_str(), dots.tried()), ("300", "calls"));
        assert_eq!(dots.heading("milliseconds since the call before"), "Seconds since the call before");
    }

    #[test]
    fn ports_are_numbers_without_separators() {
        assert_eq!(Dots::of("destination port").label(40_000.0), "40000");
        assert_eq!(Dots::of("target, by address").label(40_000.0), "40,000");
    }
}
