//! Many captures on one page: `index.html`, `batch.csv` and `batch.json`.
//!
//! Pure functions of the rows: no clock, and nothing that tells a report just made from one that was kept,
//! so that a run that was interrupted and resumed ends with the same bytes. Computes no detection.

mod csv;
mod html;
mod json;

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::escape;
use super::manifest::Findings;
use super::summary::BySeverity;
use super::{Artifact, MANIFEST};
use crate::error::Error;

/// The files over all reports.
pub const FILES: [&str; 3] = ["batch.csv", "batch.json", "index.html"];

/// What became of the captures of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    rows: Vec<Row>,
    /// Inputs that an interrupted run did not come to.
    missing: usize,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub path: PathBuf,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Report(Box<Listed>),
    /// Why there is none, as a sentence.
    NoReport(Problem, String),
}

/// A report, as the row shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its directory below that of the batch.
    pub directory: PathBuf,
    /// The file of it to open first.
    pub page: &'static str,
    pub findings: Findings,
    pub sha256: Option<String>,
    /// The first input with the same content.
    pub same_as: Option<PathBuf>,
}

/// Why an input has no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// It could not be analysed, or its report not be written.
    Failed,
    Unreadable,
    /// Other files of a directory need not be captures.
    NotACapture,
}

impl Problem {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unreadable => "unreadable",
            Self::NotACapture => "not_a_capture",
        }
    }
}

/// What people open first, as far as it was asked for.
const PAGES: [&str; 4] = ["report.html", "alerts.csv", "summary.json", MANIFEST];

impl Listed {
    /// `files`: names of the report's files.
    pub fn new<'a>(
        directory: PathBuf,
        findings: Findings,
        sha256: Option<String>,
        files: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Self {
        let page = PAGES.into_iter().find(|page| files.clone().any(|name| name == *page)).unwrap_or(MANIFEST);
        Self { directory, page, findings, sha256, same_as: None }
    }
}

impl Row {
    pub const fn report(&self) -> Option<&Listed> {
        match &self.outcome {
            Outcome::Report(listed) => Some(listed),
            Outcome::NoReport(..) => None,
        }
    }

    pub const fn status(&self) -> &'static str {
        match &self.outcome {
            Outcome::Report(listed) if listed.findings.damaged => "damaged",
            Outcome::Report(_) => "analysed",
            Outcome::NoReport(problem, _) => problem.name(),
        }
    }

    fn reason(&self) -> &str {
        match &self.outcome {
            Outcome::Report(_) => "",
            Outcome::NoReport(_, reason) => reason,
        }
    }

    /// Reports come first, those with the worst alerts at the top; then what went wrong, then what is no capture.
    fn order(&self) -> (Option<Problem>, Reverse<BySeverity>, &OsStr) {
        let (problem, alerts) = match &self.outcome {
            Outcome::Report(listed) => (None, listed.findings.alerts),
            Outcome::NoReport(problem, _) => (Some(*problem), BySeverity::default()),
        };
        (problem, Reverse(alerts), self.path.as_os_str())
    }
}

/// Sums over the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub inputs: usize,
    pub analysed: usize,
    /// Of those: damaged or cut.
    pub damaged: usize,
    pub not_a_capture: usize,
    pub unreadable: usize,
    pub failed: usize,
    /// Reports of a content that an earlier input has too.
    pub duplicates: usize,
    pub frames: u64,
    /// On the wire.
    pub bytes: u64,
    pub alerts: BySeverity,
}

impl Batch {
    /// `rows` in the order of the inputs, of which there are `inputs` in all.
    pub fn new(mut rows: Vec<Row>, inputs: usize) -> Self {
        mark_duplicates(&mut rows);
        rows.sort_by(|a, b| a.order().cmp(&b.order()));
        Self { missing: inputs.saturating_sub(rows.len()), rows }
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals { inputs: self.rows.len() + self.missing, ..Totals::default() };
        for row in &self.rows {
            match &row.outcome {
                Outcome::Report(listed) => totals.take(listed),
                Outcome::NoReport(Problem::Failed, _) => totals.failed += 1,
                Outcome::NoReport(Problem::Unreadable, _) => totals.unreadable += 1,
                Outcome::NoReport(Problem::NotACapture, _) => totals.not_a_capture += 1,
            }
        }
        totals
    }

    /// What is said on top where an interrupted run has not come to everything.
    fn note(&self) -> Option<String> {
        let done = self.rows.len();
        (self.missing > 0).then(|| format!("interrupted: {done} of {} inputs; the same command resumes", done + self.missing))
    }

    /// The end of a run in the terminal: what was done, what was found, and where to look.
    pub fn summary(&self, work: &str, page: &Path) -> String {
        let totals = self.totals();
        let without = [(totals.not_a_capture, "not a capture"), (totals.unreadable, "unreadable"), (totals.failed, "failed")];
        let without = without.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("; {count} {what}"));
        let mut text = format!("{work}{}\n", without.collect::<String>());
        text.extend(self.note().map(|note| format!("{note}\n")));
        text + &format!("alerts: {}\n{}", counts(totals.alerts), shown(page))
    }

    /// The files over all reports, complete in memory.
    ///
    /// # Errors
    /// Only for defects of ours.
    pub fn render(&self) -> Result<Vec<Artifact>, Error> {
        let [csv, json, html] = FILES;
        let file = |name: &str, bytes| Artifact { name: name.to_owned(), bytes };
        Ok(vec![file(csv, csv::render(self)?), file(json, json::render(self)?), file(html, html::render(self))])
    }
}

impl Totals {
    fn take(&mut self, listed: &Listed) {
        let Findings { frames, bytes, alerts, damaged, .. } = &listed.findings;
        self.analysed += 1;
        self.damaged += usize::from(*damaged);
        self.duplicates += usize::from(listed.same_as.is_some());
        self.frames += frames;
        self.bytes += bytes;
        self.alerts = self.alerts.plus(*alerts);
    }
}

/// One report in one line of the terminal.
pub fn line(path: &Path, findings: &Findings, kept: bool) -> String {
    let damaged = if findings.damaged { "; damaged" } else { "" };
    let kept = if kept { "; kept" } else { "" };
    format!("{}: {}{damaged}{kept}", shown(path), counts(findings.alerts))
}

fn counts(alerts: BySeverity) -> String {
    let present: Vec<String> = alerts.present().map(|(severity, count)| format!("{count} {}", severity.name())).collect();
    if present.is_empty() { "no alerts".into() } else { present.join(", ") }
}

fn mark_duplicates(rows: &mut [Row]) {
    let mut first = std::collections::BTreeMap::new();
    for row in rows {
        let Outcome::Report(listed) = &mut row.outcome else { continue };
        let Some(hash) = listed.sha256.clone() else { continue };
        match first.get(&hash) {
            Some(path) => listed.same_as = Some(PathBuf::clone(path)),
            None => _ = first.insert(hash, row.path.clone()),
        }
    }
}

/// A path for a person: on one line, with bytes that are no text as `\xff`.
pub fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(&escape::visible(chunk.valid()));
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn report(path: &str, alerts: BySeverity) -> Row {
        let findings = Findings { frames: 10, bytes: 1_000, alerts, ..Findings::default() };
        let listed = Listed::new(path.into(), findings, Some(format!("hash of {path}")), &["alerts.csv"].into_iter());
        Row { path: path.into(), outcome: Outcome::Report(Box::new(listed)) }
    }

    pub fn problem(path: &str, problem: Problem) -> Row {
        Row { path: path.into(), outcome: Outcome::NoReport(problem, "because".into()) }
    }

    fn paths(batch: &Batch) -> Vec<&str> {
        batch.rows().iter().map(|row| row.path.to_str().unwrap()).collect()
    }

    #[test]
    fn the_worst_comes_first_and_equals_come_by_path() {
        let none = BySeverity::default();
        let rows = vec![
            problem("notes", Problem::NotACapture),
            report("quiet", none),
            report("three high", BySeverity { high: 3, ..none }),
            report("one critical", BySeverity { critical: 1, ..none }),
            problem("gone", Problem::Unreadable),
            report("also quiet", none),
            report("many low", BySeverity { low: 900, ..none }),
        ];
        let want = ["one critical", "three high", "many low", "also quiet", "quiet", "gone", "notes"];
        let mut turned = rows.clone();
        turned.reverse();
        assert_eq!(paths(&Batch::new(rows, 7)), want);
        assert_eq!(paths(&Batch::new(turned, 7)), want);
    }

    #[test]
    fn totals_add_up() {
        let one = BySeverity { high: 1, low: 2, ..BySeverity::default() };
        let rows = vec![report("a", one), report("b", one), problem("c", Problem::Failed), problem("d", Problem::NotACapture)];
        let totals = Batch::new(rows, 6).totals();
        assert_eq!((totals.inputs, totals.analysed, totals.failed, totals.not_a_capture), (6, 2, 1, 1));
        assert_eq!((totals.frames, totals.bytes, totals.alerts), (20, 2_000, BySeverity { high: 2, low: 4, ..BySeverity::default() }));
    }

    #[test]
    fn the_same_content_under_another_name_is_marked() {
        let mut rows = vec![report("b", BySeverity::default()), report("a", BySeverity::default()), report("c", BySeverity::default())];
        for row in &mut rows {
            if let Outcome::Report(listed) = &mut row.outcome {
                listed.sha256 = (row.path != Path::new("c")).then(|| "same".into());
            }
        }
        let batch = Batch::new(rows, 3);
        let same_as: Vec<_> = batch.rows().iter().map(|row| row.report().unwrap().same_as.clone()).collect();
        assert_eq!(same_as, [Some("b".into()), None, None], "the first input counts as the original");
        assert_eq!(batch.totals().duplicates, 1);
    }

    #[test]
    fn a_batch_that_was_interrupted_says_so() {
        assert_eq!(Batch::new(vec![problem("a", Problem::Failed)], 1).note(), None);
        let note = Batch::new(vec![problem("a", Problem::Failed)], 3).note().unwrap();
        assert!(note.starts_with("interrupted: 1 of 3"), "{note}");
    }

    #[test]
    fn the_page_to_open_is_the_best_there_is() {
        let page = |files: &[&'static str]| Listed::new("x".into(), Findings::default(), None, &files.iter().copied()).page;
        assert_eq!(page(&["alerts.csv", "report.html"]), "report.html");
        assert_eq!(page(&["summary.json", "alerts.csv"]), "alerts.csv");
        assert_eq!(page(&["security_monitor.log"]), MANIFEST);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_shown_on_one_line_whatever_its_bytes_are() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(shown(Path::new(OsStr::from_bytes(b"a\xffb\nc\x1b"))), "a\\xffb\\nc\\u{1b}");
        assert_eq!(shown(Path::new("M\u{fc}ller/x.pcap")), "M\u{fc}ller/x.pcap");
    }
}
