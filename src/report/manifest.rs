//! `manifest.json`: which tool made this report, when, from what, how configured, and every file of it
//! with its hash.
//!
//! The only file of a report that tells one run from another.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json;
use super::output::FileRecord;
use crate::error::Error;

pub const NAME: &str = "manifest.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Wall clock, RFC 3339.
    pub analysed_at: String,
    pub files: Vec<FileRecord>,
}

/// Where the results come from: everything that decided them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub tool: String,
    pub version: String,
    pub command_line: Vec<String>,
    pub inputs: Vec<Input>,
    /// Every setting with the value that was in force.
    pub configuration: Value,
    pub choices: Choices,
    /// Files of the user's own rules that were run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<FileRecord>,
    /// What was known from other captures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<FileRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub path: String,
    pub bytes: u64,
    /// Absent where hashing was switched off, or the input could be read only once.
    pub sha256: Option<String>,
}

/// What was asked for beside the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    pub formats: Vec<String>,
    /// Packets before this moment were left out; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Packets at or after this moment were left out; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only these detectors and rules ran, if any is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// The packets behind the alerts were asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carve: bool,
}

impl Manifest {
    pub fn render(&self) -> Result<Vec<u8>, Error> {
        json::pretty(self)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn provenance() -> Provenance {
        Provenance {
            tool: "nsm".into(),
            version: "0.1.0".into(),
            command_line: vec!["nsm".into(), "analyze".into(), "a b.pcap".into()],
            inputs: vec![Input { path: "a b.pcap".into(), bytes: 24, sha256: None }],
            configuration: serde_json::json!({ "scan": { "ports": 15 } }),
            choices: Choices { formats: vec!["json".into()], ..Choices::default() },
            rules: Vec::new(),
            baseline: None,
        }
    }

    #[test]
    fn the_manifest_names_tool_inputs_configuration_and_files_and_can_be_read_back() {
        let manifest = Manifest {
            provenance: provenance(),
            analysed_at: "2024-01-01T00:00:00Z".into(),
            files: vec![FileRecord { name: "alerts.jsonl".into(), bytes: 0, sha256: "e3b0".into() }],
        };
        let text = manifest.render().unwrap();
        let parsed: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(parsed["command_line"][2], "a b.pcap");
        assert_eq!(parsed["inputs"][0]["sha256"], Value::Null);
        assert_eq!(parsed["configuration"]["scan"]["ports"], 15);
        assert_eq!(parsed["files"][0]["name"], "alerts.jsonl");
        assert_eq!(serde_json::from_slice::<Manifest>(&text).unwrap(), manifest);
    }
}
