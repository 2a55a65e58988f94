//! A user's own rules: YAML files that say what to look for in the tables, in SQL.
//!
//! ```yaml
//! id: smb-to-internet
//! title: SMB to the Internet
//! severity: medium
//! attack: [T1048]
//! table: contacts
//! where: proto = 6 AND port IN (139, 445) AND target_scope = 'public' AND data > 0
//! group_by: [source]
//! window_s: 3600
//! measure: SUM(bytes_out) AS bytes
//! unit: bytes
//! threshold: 100000
//! show: [COUNT(DISTINCT target) AS hosts]
//! message: "{source} sent {bytes} bytes by SMB to {hosts} hosts outside"
//! tests:
//!   - name: a file goes out
//!     rows: [{ source: 10.0.0.5, target: 198.51.100.7, port: 445, proto: 6, data: 1, bytes_out: 250000 }]
//!     alerts: [{ message: "10.0.0.5 sent 250,000 bytes by SMB to 1 hosts outside" }]
//! ```
//!
//! Rows of `table` that meet `where` (all without) are parted by tumbling windows of packet time (one for
//! the whole capture without `window_s`) and by the columns of `group_by`. A group whose `measure`
//! (`COUNT(*)` without) is at least `threshold` (1 without) is an alert of type `rule:<id>`; groups in
//! windows no further apart than `alert.join_gap_s` are one, told with the window that measured most.
//! `attackers` and `victims` say which columns of addresses an alert names, or `none`.
//!
//! SQL stands in single expressions only, see [`sql`]; a rule cannot read a file or another table.

mod columns;
mod document;
mod intern;
mod judge;
mod place;
mod rule;
mod sql;
mod trial;
mod view;

mod template;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use columns::{Column, DERIVED, Kind, TABLES, Table, find as find_table};
pub use place::Problem;
pub use rule::{PREFIX, Rule};

use crate::detect::{Alert, Context};
use crate::error::Error;
use place::Source;

/// Rules that have been loaded, and the files they came from.
#[derive(Debug, Default)]
pub struct Rules {
    /// By file, in the order in which they are written.
    pub rules: Vec<Rule>,
    pub files: Vec<RuleFile>,
}

/// For the record of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    pub path: PathBuf,
    pub text: String,
}

impl Rules {
    /// Reads every rule below some directories (files ending in `.yaml` or `.yml`), or of some files.
    ///
    /// # Errors
    /// When a file cannot be read; and everything that is wrong with any rule, each with its place.
    pub fn load(paths: &[PathBuf]) -> Result<Self, Error> {
        let (rules, problems) = Self::load_good(paths)?;
        if problems.is_empty() { Ok(rules) } else { Err(error(&problems)) }
    }

    /// As [`Self::load`], but gives what can be used beside what is wrong.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn load_good(paths: &[PathBuf]) -> Result<(Self, Vec<Problem>), Error> {
        let mut found = Vec::new();
        for path in paths {
            let before = found.len();
            find(path, path.is_dir(), &mut found)?;
            if found.len() == before {
                return Err(Error::Rules(format!("no rules in {}: there is no file that ends in .yaml or .yml", path.display())));
            }
        }
        let read: Vec<(RuleFile, Vec<Rule>, Vec<Problem>)> = found.into_par_iter().map(read).collect::<Result<_, _>>()?;
        let (mut rules, mut files, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for (file, good, wrong) in read {
            files.push(file);
            rules.extend(good);
            problems.extend(wrong);
        }
        problems.extend(twice(&rules));
        problems.sort();
        Ok((Self { rules, files }, problems))
    }

    /// What [`Self::load_good`] makes of one file, without a file.
    #[doc(hidden)]
    #[must_use]
    pub fn of_text(text: String) -> (Self, Vec<Problem>) {
        let (file, rules, mut problems) = read_text(Source { path: "text.yaml".into(), text });
        problems.extend(twice(&rules));
        (Self { rules, files: vec![file] }, problems)
    }

    /// A rule is about connections one by one, which are kept only then
    /// ([`crate::pipeline::Options::keep_flows`]).
    #[must_use]
    pub fn ask_for_flows(&self) -> bool {
        self.rules.iter().any(|rule| rule.table.name == columns::FLOWS)
    }

    /// There is a rule whose alerts are of this type.
    #[must_use]
    pub fn has(&self, kind: &str) -> bool {
        self.rules.iter().any(|rule| rule.kind == kind)
    }

    /// What the rules find in the tables; `chosen` says which are asked, by `rule:<id>`.
    ///
    /// # Errors
    /// When a rule cannot be computed on what the tables hold.
    pub fn run(&self, context: &Context<'_>, chosen: &(dyn Fn(&str) -> bool + Sync)) -> Result<(Vec<Alert>, Vec<String>), Error> {
        let chosen: Vec<&Rule> = self.rules.iter().filter(|rule| chosen(rule.kind)).collect();
        if chosen.is_empty() { Ok((Vec::new(), Vec::new())) } else { judge::run(&chosen, context) }
    }

    /// Runs the rules' own tests: how many there are, and how those that failed did.
    #[must_use]
    pub fn test(&self) -> (usize, Vec<Problem>) {
        let tests: Vec<_> = self.rules.iter().flat_map(|rule| rule.tests.iter().map(move |test| (rule, test))).collect();
        let failed = tests.par_iter().filter_map(|(rule, test)| trial::run(rule, test).err()).collect();
        (tests.len(), failed)
    }
}

/// What is wrong, as one error.
#[must_use]
pub fn error(problems: &[Problem]) -> Error {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Error::Rules(lines.join("\n"))
}

/// Rule files below a directory in the order of their names, or one file.
fn find(path: &Path, directory: bool, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    if !directory {
        found.push(path.to_path_buf());
        return Ok(());
    }
    let open = |cause| Error::Open { path: path.to_path_buf(), cause };
    let mut entries: Vec<(PathBuf, bool)> = Vec::new();
    for entry in fs::read_dir(path).map_err(open)? {
        let entry = entry.map_err(open)?;
        let is_directory = entry.file_type().map_err(open)?.is_dir();
        let is_rule = entry.path().extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_directory || is_rule {
            entries.push((entry.path(), is_directory));
        }
    }
    entries.sort();
    entries.iter().try_for_each(|(path, directory)| find(path, *directory, found))
}

/// The rules of a file, and what is wrong with the others.
fn read(path: PathBuf) -> Result<(RuleFile, Vec<Rule>, Vec<Problem>), Error> {
    let text = fs::read_to_string(&path).map_err(|cause| Error::Open { path: path.clone(), cause })?;
    Ok(read_text(Source { path, text }))
}

fn read_text(source: Source) -> (RuleFile, Vec<Rule>, Vec<Problem>) {
    let documents = match document::read(&source) {
        Ok(documents) => documents,
        Err(problem) => return (source.into(), Vec::new(), vec![problem]),
    };
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    let read: Vec<_> = documents.into_par_iter().map(|document| Rule::read(&source, document)).collect();
    for rule in read {
        match rule {
            Ok(rule) => rules.push(rule),
            Err(wrong) => problems.extend(wrong),
        }
    }
    (source.into(), rules, problems)
}

impl From<Source> for RuleFile {
    fn from(Source { path, text }: Source) -> Self {
        Self { path, text }
    }
}

/// Rules that have the id of an earlier one.
fn twice(rules: &[Rule]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Rule> = BTreeMap::new();
    let mut problems = Vec::new();
    for rule in rules {
        if let Some(earlier) = first.get(rule.kind) {
            let place = format!("{}:{}", earlier.source.path.display(), earlier.at.line());
            problems.push(
                rule.source.problem(rule.at, format!("the id `{}` is taken by the rule at {place}; give this one another", rule.id())),
            );
        } else {
            first.insert(rule.kind, rule);
        }
    }
    problems
}
