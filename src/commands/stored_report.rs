//! A report on disk, read back: what was measured, and everything that decided its verdict.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::chosen::Chosen;
use super::inputs::{self, Input};
use super::{baseline, flow_files};
use crate::analysis;
use crate::cli::Format;
use crate::config::Config;
use crate::detect::Baseline;
use crate::digest;
use crate::error::Error;
use crate::pipeline::Measured;
use crate::report::{FileRecord, MANIFEST, MANIFEST_LIMIT, Manifest, OutputDir, Provenance, Report, Told, alert_lines};
use crate::rules::Rules;
use crate::stored;

const ALERTS: &str = "alerts.jsonl";
/// Packets of the alerts, by their rank.
const CARVED: &str = "carved/";

pub(super) struct StoredReport {
    pub dir: PathBuf,
    pub manifest: Manifest,
    /// What it was made with.
    pub config: Config,
}

/// What a verdict depends on beside the tables.
pub(super) struct Verdict {
    pub config: Config,
    pub rules: Rules,
    pub baseline: Option<(Baseline, FileRecord)>,
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

impl Verdict {
    /// Judges what was measured.
    pub(super) fn on(&self, input: &str, measured: &Measured) -> Result<Report, Error> {
        let chosen = Chosen { only: &self.only, skip: &self.skip };
        let baseline = self.baseline.as_ref().map(|(baseline, _)| baseline);
        analysis::judge_with(input, measured, &self.config, &self.rules, baseline, &|id| chosen.runs(id))
    }
}

impl StoredReport {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let manifest = read_manifest(dir)?;
        let config = Config::from_yaml(&manifest.provenance.configuration.to_string())?;
        Ok(Self { dir: dir.to_owned(), manifest, config })
    }

    /// What the report was made with, where nothing else is asked for.
    pub(super) fn verdict(&self, rules: &[PathBuf], baseline: Option<&Path>) -> Result<Verdict, Error> {
        let Provenance { choices, rules: rules_then, baseline: baseline_then, .. } = &self.manifest.provenance;
        let baseline = match (baseline, baseline_then) {
            (Some(path), _) => Some(baseline::load(path)?),
            (None, Some(then)) => Some(baseline_of(then)?),
            (None, None) => None,
        };
        Ok(Verdict {
            config: self.config.clone(),
            rules: if rules.is_empty() { rules_of(rules_then)? } else { Rules::load(rules)? },
            baseline,
            only: choices.only.clone(),
            skip: choices.skip.clone(),
        })
    }

    /// The capture, as its alerts name it.
    pub(super) fn capture(&self) -> &str {
        &self.manifest.provenance.capture
    }

    /// The tables, if they are those of the manifest.
    pub(super) fn measured(&self, keep_flows: bool) -> Result<Measured, Error> {
        stored::read(&|name| self.open_file(name), &self.config.base, keep_flows)
    }

    /// The verdict on the tables with all that the report was made with, and the tables.
    pub(super) fn judged(&self) -> Result<(Report, Measured), Error> {
        let verdict = self.verdict(&[], None)?;
        let measured = self.measured(verdict.rules.ask_for_flows())?;
        Ok((verdict.on(self.capture(), &measured)?, measured))
    }

    /// The alerts that the report tells.
    pub(super) fn told(&self) -> Result<Vec<Told>, Error> {
        let lines = self.alert_lines()?;
        let text = std::str::from_utf8(&lines).map_err(|cause| self.unusable(ALERTS, cause))?;
        Told::all(text).map_err(|problem| self.unusable(ALERTS, problem))
    }

    fn alert_lines(&self) -> Result<Vec<u8>, Error> {
        let mut lines = Vec::new();
        self.open_file(ALERTS)?.read_to_end(&mut lines).map_err(|cause| self.unusable(ALERTS, cause))?;
        Ok(lines)
    }

    fn unusable(&self, name: &str, problem: impl Display) -> Error {
        Error::Stored { path: self.dir.join(name), problem: problem.to_string() }
    }

    /// A file of the report, if it is what the manifest says of it. What is read is the very file that was looked at.
    fn open_file(&self, name: &str) -> Result<File, Error> {
        let record = self.manifest.files.iter().find(|record| record.name == name);
        let record = record.ok_or_else(|| self.unusable(name, "the manifest lists no such file"))?;
        self.verified(record).map_err(|cause| self.unusable(name, cause))
    }

    fn verified(&self, record: &FileRecord) -> io::Result<File> {
        let changed = |what| Err(io::Error::other(format!("it is not what the manifest says: {what}")));
        let path = self.dir.join(&record.name);
        // A pipe or a device in place of a file would never end.
        if !fs::metadata(&path)?.is_file() {
            return changed("it is no file");
        }
        let mut file = File::open(&path)?;
        if file.metadata()?.len() != record.bytes {
            return changed("its length is another");
        }
        let (_, sha256) = digest::copy(&mut (&mut file).take(record.bytes), &mut io::sink(), &AtomicBool::new(false))?;
        if sha256 != record.sha256 {
            return changed("its SHA-256 is another");
        }
        file.rewind()?;
        Ok(file)
    }

    /// Tables and connections, which only the packets could give, copied to another report.
    pub(super) fn copy_measured(&self, output: &OutputDir, formats: &[Format]) -> Result<Vec<FileRecord>, Error> {
        self.of_packets().filter(|record| formats.contains(&format_of(record))).map(|record| self.copy(record, output)).collect()
    }

    /// Refuses to write over this very report: it would take its tables with it.
    pub(super) fn spare(&self, place: &Path) -> Result<(), Error> {
        let same = fs::canonicalize(place).is_ok_and(|place| fs::canonicalize(&self.dir).is_ok_and(|dir| dir == place));
        if same { Err(Error::Usage(format!("{} is the report itself; name another directory with -o", place.display()))) } else { Ok(()) }
    }

    fn copy(&self, record: &FileRecord, output: &OutputDir) -> Result<FileRecord, Error> {
        let mut from = self.open_file(&record.name)?;
        let mut to = output.writer(&record.name)?;
        io::copy(&mut from, &mut to).map_err(|cause| to.failed(cause))?;
        to.commit()
    }

    /// The same files where they stay in place; and the packets of the alerts, as long as these are the alerts.
    pub(super) fn keep_measured(&self, report: &Report) -> Result<Vec<FileRecord>, Error> {
        let lines = alert_lines(report)?;
        let same = self.alert_lines().is_ok_and(|told| told == lines);
        let carved = self.manifest.files.iter().filter(|record| same && record.name.starts_with(CARVED));
        self.of_packets().chain(carved).map(|record| self.open_file(&record.name).map(|_| record.clone())).collect()
    }

    fn of_packets(&self) -> impl Iterator<Item = &FileRecord> {
        let is_table = |record: &FileRecord| Path::new(&record.name).parent() == Some(Path::new(stored::DIRECTORY));
        self.manifest.files.iter().filter(move |record| is_table(record) || record.name == flow_files::CSV)
    }
}

fn format_of(record: &FileRecord) -> Format {
    if record.name == flow_files::CSV { Format::Csv } else { Format::Parquet }
}

/// Every report at or below some directories, in the order of their paths; each with its place below an output
/// directory.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Input>, Error> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_file() {
            let path = path.display();
            return Err(Error::Usage(format!("{path} is a file; a report is the directory that `nsm analyze` makes of a capture")));
        }
        let before = found.len();
        walk(path, Path::new(""), &mut found).map_err(|cause| Error::Open { path: path.clone(), cause })?;
        if found.len() == before {
            return Err(Error::Usage(format!("{}: no report there; a report is a directory with a {MANIFEST}", path.display())));
        }
    }
    if paths.len() > 1 {
        inputs::tell_apart(&mut found, &[]);
    }
    Ok(found)
}

fn walk(top: &Path, inside: &Path, found: &mut Vec<Input>) -> io::Result<()> {
    let dir = if inside.as_os_str().is_empty() { top.to_owned() } else { top.join(inside) };
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(&dir)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    if fs::symlink_metadata(dir.join(MANIFEST)).is_ok_and(|manifest| manifest.is_file()) {
        found.push(Input { path: dir, report: inside.to_owned(), ..Input::default() });
    }
    for entry in entries {
        // What cannot be looked into holds no report that could be read.
        if entry.file_type()?.is_dir() {
            _ = walk(top, &inside.join(entry.file_name()), found);
        }
    }
    Ok(())
}

fn read_manifest(dir: &Path) -> Result<Manifest, Error> {
    let path = dir.join(MANIFEST);
    // A pipe in its place would never end.
    if !fs::metadata(&path).is_ok_and(|found| found.is_file()) {
        let dir = dir.display();
        return Err(Error::Usage(format!("{dir}: no report there; a report is a directory with a {MANIFEST}")));
    }
    let mut text = String::new();
    let opened = File::open(&path).and_then(|file| file.take(MANIFEST_LIMIT).read_to_string(&mut text));
    opened.map_err(|cause| Error::Open { path: path.clone(), cause })?;
    serde_json::from_str(&text).map_err(|cause| Error::Stored { path, problem: format!("it is not a manifest of this version: {cause}") })
}

/// The rules that were run, if they are still what they were.
fn rules_of(files: &[FileRecord]) -> Result<Rules, Error> {
    let paths: Vec<PathBuf> = files.iter().map(|file| PathBuf::from(&file.name)).collect();
    // Before anything of them is read as rules: a manifest may name any file.
    for file in files {
        check(file).map_err(|problem| changed(file, &problem, "--rules"))?;
    }
    let rules = if paths.is_empty() { Rules::default() } else { Rules::load(&paths)? };
    let then: Vec<&str> = files.iter().map(|file| file.sha256.as_str()).collect();
    if rules.files.iter().map(|file| digest::of(file.text.as_bytes())).eq(then.iter().copied()) {
        return Ok(rules);
    }
    Err(Error::Usage("the rules that the report was made with change while they are read; name what to use with --rules".into()))
}

fn baseline_of(was: &FileRecord) -> Result<(Baseline, FileRecord), Error> {
    check(was).map_err(|problem| changed(was, &problem, "--baseline"))?;
    baseline::load(Path::new(&was.name))
}

/// A regular file with the length and hash that a manifest says; else what is wrong with it.
fn check(was: &FileRecord) -> Result<(), String> {
    let path = Path::new(&was.name);
    let found = fs::metadata(path).map_err(|cause| cause.to_string())?;
    if !found.is_file() || found.len() != was.bytes {
        return Err("it has changed".into());
    }
    let read = File::open(path).and_then(|mut file| digest::copy(&mut file, &mut io::sink(), &AtomicBool::new(false)));
    let (_, sha256) = read.map_err(|cause| cause.to_string())?;
    if sha256 == was.sha256 { Ok(()) } else { Err("it has changed".into()) }
}

/// Paths in a manifest are those of the day, from the directory of the day.
fn changed(was: &FileRecord, problem: &str, option: &str) -> Error {
    let name = &was.name;
    Error::Usage(format!(
        "{name}, which the report was made with, cannot be used since: {problem}; analyze again, or name what to use with {option}"
    ))
}
