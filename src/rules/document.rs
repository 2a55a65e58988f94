//! The shape of a rule file: what may be written where. Values are judged in [`super::rule`].

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Error, Spanned};

use super::place::{Problem, Source};
use crate::config::nearest;

type Text = Spanned<String>;

/// One rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    pub id: Text,
    pub title: Text,
    pub severity: Text,
    #[serde(default)]
    pub attack: Vec<Text>,
    pub confidence: Option<Spanned<f64>>,
    /// Why it matters, and what raises it without harm.
    pub about: Option<Text>,
    pub table: Text,
    #[serde(default)]
    pub networks: BTreeMap<String, Spanned<Vec<Text>>>,
    pub r#where: Option<Text>,
    #[serde(default)]
    pub group_by: Vec<Text>,
    pub window_s: Option<Spanned<u64>>,
    pub measure: Option<Text>,
    #[serde(default)]
    pub unit: String,
    pub threshold: Option<Spanned<f64>>,
    #[serde(default)]
    pub show: Vec<Text>,
    pub attackers: Option<Text>,
    pub victims: Option<Text>,
    pub message: Text,
    #[serde(default)]
    pub next_steps: Vec<String>,
    #[serde(default)]
    pub tests: Vec<Test>,
}

/// Rows in, alerts expected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    pub name: Text,
    pub rows: Vec<BTreeMap<String, Spanned<Value>>>,
    pub alerts: Vec<Expected>,
}

/// What an alert must be; what is left out may be anything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub message: Option<String>,
    pub severity: Option<String>,
    pub measured: Option<f64>,
    pub attackers: Option<Vec<String>>,
    pub victims: Option<Vec<String>>,
    pub ports: Option<Vec<u16>>,
}

/// A file holds one rule or a list of rules.
struct Documents(Vec<Document>);

impl<'de> Deserialize<'de> for Documents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Documents;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule or a list of rules")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Documents, A::Error> {
                Ok(Documents(vec![Document::deserialize(MapAccessDeserializer::new(map))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Documents, A::Error> {
                Ok(Documents(Vec::deserialize(SeqAccessDeserializer::new(seq))?))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

/// Reads a rule file.
///
/// # Errors
/// The first place where it is no YAML or has not the shape of a rule.
pub fn read(source: &Source) -> Result<Vec<Document>, Problem> {
    let options = serde_saphyr::options! { with_snippet: false };
    let documents: Result<Documents, Error> = serde_saphyr::from_str_with_options(&source.text, options);
    documents.map(|documents| documents.0).map_err(|cause| match cause.location() {
        Some(at) if at.line() > 0 => source.problem(at, wording(&cause)),
        _ => Problem::of_file(&source.path, wording(&cause)),
    })
}

fn wording(cause: &Error) -> String {
    match cause {
        Error::SerdeUnknownField { field, expected, .. } => match nearest(field, expected.iter().copied()) {
            Some(meant) => format!("unknown key `{field}`; did you mean `{meant}`?"),
            None => format!("unknown key `{field}`; a rule has {}", expected.join(", ")),
        },
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        other => {
            let text = other.to_string();
            // The place is told beside it.
            let text = text.split(" at line ").next().unwrap_or(&text);
            let text = text.strip_prefix("error: ").unwrap_or(text);
            text.split_once(": ").filter(|(place, _)| place.starts_with("line ")).map_or(text, |(_, rest)| rest).to_owned()
        }
    }
}
