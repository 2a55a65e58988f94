//! One setting: its unit, range and reason, and how its value is read.
//!
//! Knows what a value may be. Does not know which settings exist.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

/// The value of a setting. Its variant is its kind: a count is never given as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
pub enum Number {
    Whole(u64),
    Real(f64),
}

/// What there is to know about one setting.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// `section.name`, as in the file and for `--set`.
    pub path: &'static str,
    pub name: &'static str,
    pub unit: &'static str,
    pub default: Number,
    pub min: Number,
    pub max: Number,
    /// Where the default comes from.
    pub reason: &'static str,
}

/// Settings that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Section {
    pub name: &'static str,
    pub about: &'static str,
    /// These settings decide what the stored tables hold. The others only judge the tables, and can be
    /// changed without reading packets again.
    pub shapes_tables: bool,
    pub settings: &'static [Setting],
}

impl Setting {
    /// The value, if it is of the right kind and within the range.
    pub(super) fn read(&self, key: &str, value: &Value) -> Result<Number, Error> {
        let number = match self.default {
            Number::Whole(_) => value.as_u64().map(Number::Whole),
            Number::Real(_) => value.as_f64().map(Number::Real),
        };
        number.filter(|number| (self.min..=self.max).contains(number)).ok_or_else(|| Error::Setting {
            key: key.to_owned(),
            problem: format!("{value} cannot be used; it must be {}", self.allowed()),
        })
    }

    /// `a whole number from 2 to 65535 (ports)`.
    #[must_use]
    pub fn allowed(&self) -> String {
        let kind = match self.default {
            Number::Whole(_) => "a whole number",
            Number::Real(_) => "a number",
        };
        format!("{kind} from {} to {} ({})", self.min, self.max, self.unit)
    }
}

/// Text after `--set key=`, as the value it would be in a file.
pub(super) fn value_of(text: &str) -> Value {
    let text = text.trim();
    if let Ok(whole) = text.parse::<u64>() {
        return Value::from(whole);
    }
    match text.parse::<f64>() {
        Ok(real) if real.is_finite() => Value::from(real),
        _ => Value::from(text),
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(f),
            Self::Real(real) => real.fmt(f),
        }
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// How a field takes a value that [`Setting::read`] has let through. A value of another kind, or one
/// that does not fit the field, leaves it as it is.
pub(super) trait Field {
    fn put(&mut self, number: Number);
}

impl Field for u32 {
    fn put(&mut self, number: Number) {
        if let Number::Whole(whole) = number {
            *self = Self::try_from(whole).unwrap_or(*self);
        }
    }
}

impl Field for u64 {
    fn put(&mut self, number: Number) {
        if let Number::Whole(whole) = number {
            *self = whole;
        }
    }
}

impl Field for f64 {
    fn put(&mut self, number: Number) {
        if let Number::Real(real) = number {
            *self = real;
        }
    }
}
