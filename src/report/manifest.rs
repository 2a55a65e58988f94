//! `manifest.json`: which tool made this report, when, from what, how configured, and every file of it
//! with its hash.
//!
//! The only file of a report that tells one run from another.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json;
use super::model::Report;
use super::output::FileRecord;
use super::summary::BySeverity;
use crate::config::Config;
use crate::error::Error;
use crate::pseudonym;
use crate::rules::Rules;
use crate::time::rfc3339;
use crate::warning::Warning;

pub const NAME: &str = "manifest.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Wall clock, RFC 3339.
    pub analysed_at: String,
    /// Absent in reports of versions that did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Findings>,
    pub files: Vec<FileRecord>,
}

/// What was found, in short: enough for the row of a batch, whether the report was just made or is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub frames: u64,
    /// On the wire.
    pub bytes: u64,
    /// RFC 3339; none for a capture without frames.
    pub first_packet: Option<String>,
    pub last_packet: Option<String>,
    pub alerts: BySeverity,
    /// Titles of the worst alerts, at most [`Findings::TITLES`].
    pub worst: Vec<String>,
    /// The input was damaged or cut.
    pub damaged: bool,
    /// The reading was ended early.
    pub interrupted: bool,
    pub warnings: u64,
}

impl Findings {
    pub const TITLES: usize = 3;
    /// Letters of a title that are kept.
    const TITLE: usize = 160;

    pub fn of(report: &Report) -> Self {
        let (first, last) = report.span.unzip();
        let titles = report.alerts.iter().take(Self::TITLES).map(|alert| alert.title.chars().take(Self::TITLE).collect());
        Self {
            frames: report.accounting.frames,
            bytes: report.accounting.wire_bytes,
            first_packet: first.map(rfc3339),
            last_packet: last.map(rfc3339),
            alerts: BySeverity::of(&report.alerts),
            worst: titles.collect(),
            damaged: report.warnings.iter().any(Warning::is_damage),
            interrupted: report.warnings.iter().any(|warning| matches!(warning, Warning::Interrupted { .. })),
            warnings: report.warnings.len() as u64,
        }
    }
}

/// Where the results come from: everything that decided them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub tool: String,
    pub version: String,
    pub command_line: Vec<String>,
    /// What alerts call the capture: the path of its file, or a name for several that were read as one.
    #[serde(default)]
    pub capture: String,
    pub inputs: Vec<Input>,
    /// Every setting that can change a result, with the value that was in force.
    pub configuration: Value,
    pub choices: Choices,
    /// Files of the user's own rules that were run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<FileRecord>,
    /// What was known from other captures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<FileRecord>,
    /// Addresses, names and users are written as pseudonyms, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonymized: Option<Pseudonymized>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pseudonymized {
    pub method: String,
    /// The same in every report that was made with the same key, which it does not tell.
    pub key_check: String,
}

impl Pseudonymized {
    /// As this run writes.
    fn current() -> Option<Self> {
        pseudonym::current().map(|pseudonyms| Self { method: pseudonym::METHOD.into(), key_check: pseudonyms.check().into() })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub path: String,
    pub bytes: u64,
    /// Absent where hashing was switched off, the input could be read only once, or it changed while it was read.
    pub sha256: Option<String>,
    /// Number of its first frame, where several files were read as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_frame: Option<u64>,
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
    /// Only packets that match it were looked at; in the language of libpcap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Only these detectors and rules ran, if any is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// The packets behind the alerts were asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carve: bool,
}

impl Provenance {
    /// Of this version of the tool.
    pub fn new(
        command_line: &[String],
        capture: &str,
        inputs: Vec<Input>,
        config: &Config,
        choices: Choices,
        rules: &Rules,
    ) -> Result<Self, Error> {
        Ok(Self {
            tool: "nsm".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command_line: command_line.to_vec(),
            capture: capture.to_owned(),
            inputs,
            configuration: config.deciding()?,
            choices,
            rules: rules.files.iter().map(|file| FileRecord::of(file.path.to_string_lossy(), file.text.as_bytes())).collect(),
            baseline: None,
            pseudonymized: Pseudonymized::current(),
        })
    }
}

impl Manifest {
    pub fn render(&self) -> Result<Vec<u8>, Error> {
        json::pretty(self)
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::example;
    use super::*;

    pub fn provenance() -> Provenance {
        Provenance {
            tool: "nsm".into(),
            version: "0.1.0".into(),
            command_line: vec!["nsm".into(), "analyze".into(), "a b.pcap".into()],
            capture: "a b.pcap".into(),
            inputs: vec![Input { path: "a b.pcap".into(), bytes: 24, sha256: None, first_frame: None }],
            configuration: serde_json::json!({ "scan": { "ports": 15 } }),
            choices: Choices { formats: vec!["json".into()], ..Choices::default() },
            rules: Vec::new(),
            baseline: None,
            pseudonymized: None,
        }
    }

    #[test]
    fn the_manifest_names_tool_inputs_configuration_and_files_and_can_be_read_back() {
        let manifest = Manifest {
            provenance: provenance(),
            analysed_at: "2024-01-01T00:00:00Z".into(),
            result: Some(Findings::of(&example::report())),
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

    #[test]
    fn findings_are_short_however_long_the_report_is() {
        let mut report = example::report();
        report.alerts[0].title = "long ".repeat(1_000);
        report.alerts = vec![report.alerts[0].clone(); 500];
        let found = Findings::of(&report);
        assert_eq!((found.worst.len(), found.alerts.high), (3, 500));
        assert!(serde_json::to_string(&found).unwrap().len() < 1_000);
    }

    #[test]
    fn a_manifest_of_an_older_version_can_be_read() {
        let manifest = Manifest { provenance: provenance(), analysed_at: String::new(), result: None, files: Vec::new() };
        let text = String::from_utf8(manifest.render().unwrap()).unwrap();
        assert!(!text.contains("result"));
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    }
}
