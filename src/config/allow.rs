//! The allow-list: alerts that are known and accepted. They are counted and listed as suppressed.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::nearest::did_you_mean;
use super::prefix::Prefix;
use crate::error::Error;
use crate::net::Addr;
use crate::pseudonym;

const FIELDS: [&str; 4] = ["source", "target", "detector", "reason"];

/// One entry. At least one of source, target and detector is given; what is absent matches all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AllowEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Prefix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Prefix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "told")]
    pub reason: Option<String>,
}

impl AllowEntry {
    /// Every attacker is inside the source, every victim inside the target, and the detector is meant.
    #[must_use]
    pub fn matches(&self, detector: &str, attackers: &[Addr], victims: &[Addr]) -> bool {
        self.detector.as_deref().is_none_or(|meant| meant == detector)
            && self.source.is_none_or(|network| all_inside(network, attackers))
            && self.target.is_none_or(|network| all_inside(network, victims))
    }

    pub(super) fn read(key: &str, value: &Value) -> Result<Self, Error> {
        let fields = value.as_object().ok_or_else(|| problem(key, "must be a mapping with source, target or detector"))?;
        for name in fields.keys() {
            if !FIELDS.contains(&name.as_str()) {
                return Err(problem(&format!("{key}.{name}"), &did_you_mean(name, FIELDS)));
            }
        }
        let text = |name: &str| fields.get(name).map(|value| plain_text(&format!("{key}.{name}"), value)).transpose();
        let network = |name: &str| match text(name)? {
            Some(text) => text.parse().map(Some).map_err(|cause: String| problem(&format!("{key}.{name}"), &cause)),
            None => Ok(None),
        };
        let entry = Self { source: network("source")?, target: network("target")?, detector: text("detector")?, reason: text("reason")? };
        if entry.source.is_none() && entry.target.is_none() && entry.detector.is_none() {
            return Err(problem(key, "needs at least one of source, target and detector, or it would silence everything"));
        }
        Ok(entry)
    }
}

/// A reason may name hosts.
#[expect(clippy::ref_option, reason = "serde asks for it")]
fn told<S: Serializer>(reason: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.as_deref().map(pseudonym::text).serialize(serializer)
}

/// An alert without addresses says nothing about a network.
fn all_inside(network: Prefix, addresses: &[Addr]) -> bool {
    !addresses.is_empty() && addresses.iter().all(|addr| network.contains(*addr))
}

fn plain_text(key: &str, value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(problem(key, &format!("{value} cannot be used; it must be text on one line"))),
    }
}

fn problem(key: &str, problem: &str) -> Error {
    Error::Setting { key: key.to_owned(), problem: problem.to_owned() }
}

/// As in the file: `{ source: "10.0.0.5/32", detector: "port_scan" }`.
impl fmt::Display for AllowEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = |prefix: Prefix| format!("\"{prefix}\"");
        let text = |text: &String| Value::from(text.as_str()).to_string();
        let shown = [
            ("source", self.source.map(network)),
            ("target", self.target.map(network)),
            ("detector", self.detector.as_ref().map(text)),
            ("reason", self.reason.as_ref().map(|reason| text(&pseudonym::text(reason).into_owned()))),
        ];
        let fields: Vec<String> = shown.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value?))).collect();
        write!(f, "{{ {} }}", fields.join(", "))
    }
}
