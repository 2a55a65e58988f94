//! `batch.json`: totals, and one object an input, worst first.
//!
//! JSON is Unicode and file names are bytes: where a path is not text, its bytes stand beside it in
//! hexadecimal.

use std::path::Path;

use serde::Serialize;

use super::{Batch, Row, Totals};
use crate::digest::hex;
use crate::error::Error;
use crate::report::Findings;
use crate::report::json::pretty;

/// Raised whenever a key changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct File<'a> {
    version: u32,
    tool: &'static str,
    /// Present where an interrupted run has not come to everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<String>,
    totals: Totals,
    captures: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    path: Name<'a>,
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Findings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_as: Option<Name<'a>>,
}

/// A path as text; and as bytes where the text is not all of it.
#[derive(Serialize)]
struct Name<'a> {
    path: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
}

#[derive(Serialize)]
struct Place<'a> {
    #[serde(flatten)]
    directory: Name<'a>,
    page: &'static str,
}

pub fn render(batch: &Batch) -> Result<Vec<u8>, Error> {
    pretty(&File {
        version: SCHEMA_VERSION,
        tool: "nsm",
        interrupted: batch.note(),
        totals: batch.totals(),
        captures: batch.rows().iter().map(entry).collect(),
    })
}

fn entry(row: &Row) -> Entry<'_> {
    let listed = row.report();
    Entry {
        path: name(&row.path),
        status: row.status(),
        reason: row.reason(),
        report: listed.map(|listed| Place { directory: name(&listed.directory), page: listed.page }),
        result: listed.map(|listed| &listed.findings),
        sha256: listed.and_then(|listed| listed.sha256.as_deref()),
        same_as: listed.and_then(|listed| listed.same_as.as_deref()).map(name),
    }
}

fn name(path: &Path) -> Name<'_> {
    let path_bytes = path.to_str().is_none().then(|| hex(path.as_os_str().as_encoded_bytes()));
    Name { path: path.to_string_lossy(), path_bytes }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::Problem;
    use super::super::tests::{problem, report};
    use super::*;
    use crate::report::BySeverity;

    fn parsed(batch: &Batch) -> Value {
        serde_json::from_slice(&render(batch).unwrap()).unwrap()
    }

    #[test]
    fn totals_come_first_and_then_the_captures() {
        let batch = Batch::new(vec![report("a", BySeverity { high: 2, ..BySeverity::default() }), problem("b", Problem::Unreadable)], 2);
        let file = parsed(&batch);
        assert_eq!((&file["totals"]["alerts"]["high"], &file["totals"]["unreadable"]), (&Value::from(2), &Value::from(1)));
        assert_eq!(file["captures"][0]["report"]["page"], "alerts.csv");
        assert_eq!(file["captures"][1]["reason"], "because");
        assert_eq!(file.get("interrupted"), None);
        assert!(parsed(&Batch::new(Vec::new(), 1))["interrupted"].as_str().unwrap().contains("0 of 1"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_can_be_told_from_any_other() {
        use std::os::unix::ffi::OsStrExt;
        let mut row = problem("", Problem::Failed);
        row.path = std::ffi::OsStr::from_bytes(b"a\xff").into();
        let entry = &parsed(&Batch::new(vec![row, problem("a\u{fffd}", Problem::Failed)], 2))["captures"];
        let bytes: Vec<Option<&str>> = (0..2).map(|place| entry[place]["path_bytes"].as_str()).collect();
        assert_eq!(bytes, [None, Some("61ff")]);
    }
}
