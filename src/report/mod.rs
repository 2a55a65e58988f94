//! From the result to files: one format per module, written from the same [`Report`].
//!
//! Computes no detection and reads no packet. Everything that comes from a capture passes `escape`
//! before a person sees it. Tables as Parquet and `flows.csv`, which are too large to be built in
//! memory, are written where the tables are; they share [`OutputDir`].

pub mod batch;
mod charts;
mod csv;
mod difference;
mod escape;
#[cfg(test)]
pub(crate) mod example;
pub mod flows;
mod html;
mod info;
mod json;
mod kept;
mod log;
mod manifest;
mod model;
mod names;
mod output;
mod page;
mod seal;
mod source;
mod summary;
mod terminal;
mod units;

pub use csv::table;
pub use difference::{Difference, Told};
pub use escape::{cell, is_deceptive, visible};
pub use info::{Info, render as info, render_json as info_json};
pub use json::{alerts as alert_lines, line as json_line, pretty};
pub use kept::{Owner, whole};
pub use log::{alert_line, level as log_level, line as log_line};
pub use manifest::{Choices, Findings, Input, Manifest, NAME as MANIFEST, Provenance};
pub use model::*;
pub use output::{FileRecord, MANIFEST_LIMIT, OutputDir, PendingFile, open_append, open_new, remove_partials};
pub use seal::Seal;
pub use summary::BySeverity;
pub use terminal::{Terminal, render as terminal};
pub use units::{bytes, counted, si, thousands};

use crate::error::Error;

/// Which kinds of files are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set, of which any part may be wanted")]
pub struct Formats {
    pub json: bool,
    pub csv: bool,
    pub png: bool,
    pub html: bool,
}

/// A file of the report, complete in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Relative to the report's directory: `charts/traffic.png`.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// How files about one alert begin: `alert-3-port_scan`, with its rank in the report, from 1.
#[must_use]
pub fn alert_name(rank: usize, kind: &str) -> String {
    // The names of a user's rules may hold anything.
    let kind = kind.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "-");
    format!("alert-{rank}-{kind}")
}

/// The files of the report in the formats wanted, and always the event log.
///
/// # Errors
/// Only for defects of ours: everything is written to memory.
pub fn render(report: &Report, provenance: &Provenance, formats: Formats) -> Result<Vec<Artifact>, Error> {
    let mut files = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| files.push(Artifact { name: name.to_owned(), bytes });
    if formats.json {
        add("alerts.jsonl", json::alerts(report)?);
        add("incidents.json", json::incidents(report)?);
        add("summary.json", summary::render(report)?);
    }
    if formats.csv {
        add("alerts.csv", csv::alerts(report)?);
        add("hosts.csv", csv::hosts(report)?);
        add("protocols.csv", csv::protocols(report)?);
        add("timeline.csv", csv::timeline(report)?);
    }
    add("security_monitor.log", log::render(report));
    if formats.png {
        files.extend(charts::render(report)?);
    }
    if formats.html {
        files.push(Artifact { name: html::NAME.to_owned(), bytes: html::html(report, provenance)? });
    }
    Ok(files)
}

/// The files that [`render`] gives in any case; without those no report is whole.
pub fn always(formats: Formats) -> Vec<&'static str> {
    let mut names = vec!["security_monitor.log"];
    if formats.json {
        names.extend(["alerts.jsonl", "incidents.json", "summary.json"]);
    }
    if formats.csv {
        names.extend(["alerts.csv", "hosts.csv", "protocols.csv", "timeline.csv"]);
    }
    if formats.png {
        names.extend(["charts/traffic.png", "charts/protocols.png", "charts/talkers.png"]);
    }
    if formats.html {
        names.push(html::NAME);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(formats: Formats) -> Vec<String> {
        render(&example::report(), &Provenance::default(), formats).unwrap().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn each_format_brings_its_files_and_the_log_is_always_there() {
        let none = Formats { json: false, csv: false, png: false, html: false };
        assert_eq!(names(none), ["security_monitor.log"]);
        assert_eq!(names(Formats { json: true, ..none }), ["alerts.jsonl", "incidents.json", "summary.json", "security_monitor.log"]);
        assert_eq!(
            names(Formats { csv: true, ..none }),
            ["alerts.csv", "hosts.csv", "protocols.csv", "timeline.csv", "security_monitor.log"]
        );
        assert!(names(Formats { png: true, ..none }).contains(&"charts/traffic.png".to_owned()));
    }

    #[test]
    fn what_is_always_there_is_what_an_empty_capture_gives() {
        for [json, csv, png, html] in [1, 2, 4, 8, 15].map(|bits| [1, 2, 4, 8].map(|bit| bits & bit > 0)) {
            let formats = Formats { json, csv, png, html };
            let mut given: Vec<String> =
                render(&example::empty(), &Provenance::default(), formats).unwrap().into_iter().map(|file| file.name).collect();
            let mut promised = always(formats);
            given.sort();
            promised.sort_unstable();
            assert_eq!(promised, given);
        }
    }
}
