//! A report on disk, read back: what was measured, and everything that decided its verdict.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::baseline;
use super::chosen::Chosen;
use crate::analysis;
use crate::config::Config;
use crate::detect::Baseline;
use crate::error::Error;
use crate::pipeline::Measured;
use crate::report::{FileRecord, MANIFEST, MANIFEST_LIMIT, Manifest, OutputDir, Provenance, Report, Told};
use crate::rules::Rules;
use crate::stored;

/// Written from packets, and copied where the packets are not at hand.
const FLOWS_CSV: &str = "flows.csv";
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
    pub(super) fn input(&self) -> &str {
        self.manifest.provenance.inputs.first().map_or("", |input| &input.path)
    }

    /// The tables, if they are those of the manifest.
    pub(super) fn measured(&self, keep_flows: bool) -> Result<Measured, Error> {
        for record in self.tables() {
            let path = self.dir.join(&record.name);
            let stored = |problem: String| Error::Stored { path: path.clone(), problem };
            let (bytes, sha256) = hashed(&path, &mut io::sink()).map_err(|cause| stored(cause.to_string()))?;
            if (bytes, &sha256) != (record.bytes, &record.sha256) {
                return Err(stored("it is not what the manifest says: its SHA-256 is another".into()));
            }
        }
        stored::read(&self.dir, &self.config.base, keep_flows)
    }

    /// The alerts that the report tells.
    pub(super) fn told(&self) -> Result<Vec<Told>, Error> {
        let path = self.dir.join(ALERTS);
        let text = fs::read_to_string(&path).map_err(|cause| Error::Open { path: path.clone(), cause })?;
        Told::all(&text).map_err(|problem| Error::Stored { path, problem })
    }

    fn tables(&self) -> impl Iterator<Item = &FileRecord> {
        self.manifest.files.iter().filter(|record| Path::new(&record.name).parent() == Some(Path::new(stored::DIRECTORY)))
    }

    /// Tables and connections, which only the packets could give.
    fn of_packets(&self) -> impl Iterator<Item = &FileRecord> {
        let connections = self.manifest.files.iter().filter(|record| record.name == FLOWS_CSV);
        self.tables().chain(connections)
    }

    /// What stays as it is while the report is rendered again: the packets of its alerts too.
    pub(super) fn only_from_packets(&self) -> Vec<FileRecord> {
        let carved = self.manifest.files.iter().filter(|record| record.name.starts_with(CARVED));
        self.of_packets().chain(carved).cloned().collect()
    }

    /// Copies such files to another report.
    pub(super) fn copy_measured(&self, output: &OutputDir, wanted: impl Fn(&FileRecord) -> bool) -> Result<Vec<FileRecord>, Error> {
        self.of_packets().filter(|record| wanted(record)).map(|record| self.copy(record, output)).collect()
    }

    fn copy(&self, record: &FileRecord, output: &OutputDir) -> Result<FileRecord, Error> {
        let path = self.dir.join(&record.name);
        let mut file = output.writer(&record.name)?;
        hashed(&path, &mut file).map_err(|cause| Error::Open { path, cause })?;
        file.commit()
    }
}

/// A report that was found: its directory, and where that lies within the one that was asked for.
pub(super) struct Found {
    pub dir: PathBuf,
    pub inside: PathBuf,
}

/// Every report at or below some directories, in the order of their paths.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        walk(path, Path::new(""), &mut found).map_err(|cause| Error::Open { path: path.clone(), cause })?;
        if found.len() == before {
            return Err(Error::Usage(format!("{}: no report there; a report is a directory with a {MANIFEST}", path.display())));
        }
    }
    Ok(found)
}

fn walk(top: &Path, inside: &Path, found: &mut Vec<Found>) -> io::Result<()> {
    let dir = top.join(inside);
    if fs::symlink_metadata(dir.join(MANIFEST)).is_ok_and(|manifest| manifest.is_file()) {
        found.push(Found { dir: dir.clone(), inside: inside.to_owned() });
    }
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(&dir)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type()?.is_dir() {
            walk(top, &inside.join(entry.file_name()), found)?;
        }
    }
    Ok(())
}

fn read_manifest(dir: &Path) -> Result<Manifest, Error> {
    let path = dir.join(MANIFEST);
    let mut text = String::new();
    let opened = File::open(&path).and_then(|file| file.take(MANIFEST_LIMIT).read_to_string(&mut text));
    opened.map_err(|cause| Error::Open { path: path.clone(), cause })?;
    serde_json::from_str(&text).map_err(|cause| Error::Stored { path, problem: format!("it is not a manifest of this version: {cause}") })
}

/// The rules that were run, if they are still what they were.
fn rules_of(files: &[FileRecord]) -> Result<Rules, Error> {
    let paths: Vec<PathBuf> = files.iter().map(|file| PathBuf::from(&file.name)).collect();
    let rules = if paths.is_empty() { Rules::default() } else { Rules::load(&paths)? };
    for (was, is) in files.iter().zip(&rules.files) {
        unchanged(was, &FileRecord::of(was.name.clone(), is.text.as_bytes()), "--rules")?;
    }
    Ok(rules)
}

fn baseline_of(was: &FileRecord) -> Result<(Baseline, FileRecord), Error> {
    let (baseline, is) = baseline::load(Path::new(&was.name))?;
    unchanged(was, &is, "--baseline")?;
    Ok((baseline, is))
}

fn unchanged(was: &FileRecord, is: &FileRecord, option: &str) -> Result<(), Error> {
    if was.sha256 == is.sha256 {
        return Ok(());
    }
    Err(Error::Usage(format!("{} has changed since the report was made; analyze again, or name what to use with {option}", was.name)))
}

/// Copies a file; its length and SHA-256.
fn hashed(path: &Path, to: &mut dyn Write) -> io::Result<(u64, String)> {
    let mut reader = File::open(path)?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = reader.read(&mut buffer)?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            return Ok((bytes, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()));
        }
        hash.update(part);
        to.write_all(part)?;
        bytes += read as u64;
    }
}
