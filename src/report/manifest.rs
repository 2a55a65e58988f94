//! `manifest.json`: which tool made this report, when, from what, how configured, and every file of it
//! with its hash.
//!
//! The only file of a report that tells one run from another.

use serde::Serialize;
use serde_json::Value;

use super::json;
use super::output::FileRecord;
use crate::error::Error;

pub const NAME: &str = "manifest.json";

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    pub tool: String,
    pub version: String,
    /// Wall clock, RFC 3339.
    pub analysed_at: String,
    pub command_line: Vec<String>,
    pub inputs: Vec<Input>,
    /// Every setting with the value that was in force.
    pub configuration: Value,
    /// Files of the user's own rules that were run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<FileRecord>,
    pub files: Vec<FileRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    pub path: String,
    pub bytes: u64,
    /// Absent where hashing was switched off.
    pub sha256: Option<String>,
}

impl Manifest {
    pub fn render(&self) -> Result<Vec<u8>, Error> {
        json::pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_tool_inputs_configuration_and_files() {
        let manifest = Manifest {
            tool: "nsm".into(),
            version: "0.1.0".into(),
            analysed_at: "2024-01-01T00:00:00Z".into(),
            command_line: vec!["nsm".into(), "analyze".into(), "a b.pcap".into()],
            inputs: vec![Input { path: "a b.pcap".into(), bytes: 24, sha256: None }],
            configuration: serde_json::json!({ "scan": { "ports": 15 } }),
            rules: Vec::new(),
            files: vec![FileRecord { name: "alerts.jsonl".into(), bytes: 0, sha256: "e3b0".into() }],
        };
        let parsed: Value = serde_json::from_slice(&manifest.render().unwrap()).unwrap();
        assert_eq!(parsed["command_line"][2], "a b.pcap");
        assert_eq!(parsed["inputs"][0]["sha256"], Value::Null);
        assert_eq!(parsed["configuration"]["scan"]["ports"], 15);
        assert_eq!(parsed["files"][0]["name"], "alerts.jsonl");
    }
}
