//! What the integration tests share: running the program, finding captures, and the same analysis
//! without a process around it.

#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use network_security_monitor::analysis;
use network_security_monitor::capture::{FileSource, Source};
use network_security_monitor::config::Config;
use network_security_monitor::decode::Accounting;
use network_security_monitor::error::Error;
use network_security_monitor::pipeline::{self, Options};
use network_security_monitor::report::flows::FlowsCsv;
use network_security_monitor::report::{self, Formats, Provenance, Report};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// The directory of the package: samples, README and committed reports are below it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A directory of its own, in which the program is run.
pub struct TestBench {
    dir: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard error:\n{}", self.stderr);
        self
    }

    pub fn expect_message(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "{part:?} is not in:\n{}", self.stderr);
        self
    }
}

impl TestBench {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file below the directory, with the directories above it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `nsm` with these arguments, in this directory.
    pub fn nsm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.nsm_fed(args, b"")
    }

    /// The same with bytes on standard input.
    pub fn nsm_fed<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &[u8]) -> Run {
        run(self.path(), args, input)
    }

    /// Reports of `nsm analyze` go below this directory.
    pub fn reports(&self) -> PathBuf {
        self.path().join("reports")
    }

    /// Alerts of a report, `name` as the report's directory is called.
    pub fn alerts(&self, name: &str) -> Vec<Value> {
        alerts(&self.reports().join(name))
    }

    pub fn incidents(&self, name: &str) -> Vec<Value> {
        json(&self.reports().join(name).join("incidents.json")).as_array().unwrap().clone()
    }

    pub fn summary(&self, name: &str) -> Value {
        json(&self.reports().join(name).join("summary.json"))
    }
}

/// Says that something was not tested, past the harness, which shows nothing of tests that pass.
pub fn skipped(test: &str, why: &str) {
    _ = writeln!(std::io::stderr(), "\nSKIPPED, NOTHING WAS CHECKED: {test}: {why}\n");
}

/// Where the program keeps what is to last, apart from that of who runs the tests.
pub fn state_home() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// `nsm` with these arguments in any directory.
pub fn run<S: AsRef<OsStr>>(directory: &Path, args: impl IntoIterator<Item = S>, input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nsm"))
        .args(args)
        .current_dir(directory)
        .env_remove("NO_COLOR")
        .env("COLUMNS", "100")
        .env("XDG_STATE_HOME", state_home())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        // A program that refuses its arguments does not read what it is fed.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { code: output.status.code().expect("ended by a signal"), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// `alerts.jsonl` of the report in a directory.
pub fn alerts(report: &Path) -> Vec<Value> {
    let text = fs::read_to_string(report.join("alerts.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))).unwrap()
}

/// A capture with its story and the truth about it.
pub struct Sample {
    pub name: String,
    pub capture: PathBuf,
}

impl Sample {
    /// As the committed reports name it: from the root of the package.
    pub fn relative(&self) -> PathBuf {
        self.capture.strip_prefix(root()).unwrap().to_owned()
    }

    pub fn bytes(&self) -> Arc<[u8]> {
        fs::read(&self.capture).unwrap().into()
    }

    pub fn expectation(&self) -> Expectation {
        let path = self.capture.with_file_name("expect.json");
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
    }
}

/// `expect.json`, as `samples/README.md` describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    pub frames: u64,
    pub exit_code: i32,
    pub alerts: Vec<Expected>,
    #[serde(default)]
    pub incidents: Vec<Story>,
    pub no_other_at_or_above: Option<String>,
    pub absent: Vec<String>,
    #[serde(default)]
    pub just_below: Vec<JustBelow>,
}

/// An alert type that is missed by little, and the setting with which it would not be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JustBelow {
    #[serde(rename = "type")]
    pub kind: String,
    pub set: String,
}

/// Alerts that must be told as one incident.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    pub attacker: String,
    pub stages: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(rename = "type")]
    pub kind: String,
    pub technique: Option<String>,
    pub severity_at_least: String,
    pub attacker: Option<String>,
    pub victim: Option<String>,
    pub port_count: Option<u64>,
    pub count: usize,
}

/// Every sample, by name. There is at least one.
pub fn samples() -> Vec<Sample> {
    let directories = files_of(&root().join("samples")).into_iter().filter(|path| path.is_dir());
    let samples: Vec<Sample> = directories
        .filter_map(|directory| {
            let capture = files_of(&directory).into_iter().find(|path| path.file_stem() == Some(OsStr::new("capture")))?;
            Some(Sample { name: directory.file_name()?.to_string_lossy().into_owned(), capture })
        })
        .collect();
    assert!(!samples.is_empty(), "there are no samples");
    samples
}

pub fn sample(name: &str) -> Sample {
    samples().into_iter().find(|sample| sample.name == name).unwrap_or_else(|| panic!("there is no sample {name}"))
}

/// Captures of other people, for those who have some: every file of the directory that the environment
/// variable `NSM_CORPUS` names, or of `../shared/corpus`, unless it is no capture. None without either,
/// which is said.
pub fn corpus() -> Vec<PathBuf> {
    let beside = root().join("../shared/corpus");
    let Some(directory) = std::env::var_os("NSM_CORPUS").or_else(|| beside.is_dir().then(|| beside.into_os_string())) else {
        eprintln!("skipped: no corpus (set NSM_CORPUS to a directory of captures)");
        return Vec::new();
    };
    let is_capture = |path: &PathBuf| !matches!(FileSource::open(path), Err(Error::NotACapture { .. }));
    let captures: Vec<PathBuf> = files_of(Path::new(&directory)).into_iter().filter(|path| path.is_file() && is_capture(path)).collect();
    assert!(!captures.is_empty(), "no captures in {}", directory.display());
    captures
}

/// What is in a directory, in the order of the names.
pub fn files_of(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|cause| panic!("{}: {cause}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Every file below a directory, by its path from there with `/`.
pub fn tree(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(top: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for path in files_of(directory) {
            if path.is_dir() {
                walk(top, &path, files);
            } else {
                let parts: Vec<_> = path.strip_prefix(top).unwrap().iter().map(OsStr::to_string_lossy).collect();
                files.insert(parts.join("/"), fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(directory, directory, &mut files);
    files
}

/// What an analysis without a process gives: the result, and `flows.csv`.
pub type Analysed = Result<(Report, Vec<u8>), Error>;

/// The analysis of `nsm analyze`, up to the files.
pub fn analyze(source: &mut dyn Source, options: &Options) -> Analysed {
    analyze_as(source, options, &Config::default())
}

pub fn analyze_as(source: &mut dyn Source, options: &Options, config: &Config) -> Analysed {
    let mut flows = FlowsCsv::new(Vec::new()).unwrap();
    let measured = pipeline::measure(source, &config.base, options, &mut |ended| {
        flows.write(ended).unwrap();
        Ok(())
    })?;
    let report = analysis::judge("capture", &measured, config, &|_| true)?;
    Ok((report, flows.into_inner()))
}

pub fn analyze_bytes(bytes: impl Into<Arc<[u8]>>, options: &Options) -> Analysed {
    analyze(&mut source(bytes)?, options)
}

/// A capture file held in memory.
pub fn source(bytes: impl Into<Arc<[u8]>>) -> Result<FileSource, Error> {
    reader(Cursor::new(bytes.into()))
}

pub fn reader(reader: impl Read + Send + 'static) -> Result<FileSource, Error> {
    FileSource::from_reader("capture".into(), Box::new(reader))
}

/// The text files of a report. What only says how the frames came in is left out: it may differ between
/// a file and memory.
pub fn text_files(mut report: Report, flows: Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    report.facts.format = "any".into();
    report.facts.compression = None;
    let rendered = report::render(&report, &Provenance::default(), Formats { json: true, csv: true, png: false, html: false }).unwrap();
    let files = rendered.into_iter().map(|artifact| (artifact.name, artifact.bytes));
    files.chain([("flows.csv".to_owned(), flows)]).collect()
}

/// A report.html with another command line: the only thing in it that differs from run to run.
pub fn page_of_command(page: &[u8], command: &str) -> Vec<u8> {
    const BEFORE: &str = "<dt>Command line</dt><dd class=\"mono\">";
    let text = String::from_utf8(page.to_vec()).unwrap();
    let (before, rest) = text.split_once(BEFORE).unwrap();
    let (_, after) = rest.split_once("</dd>").unwrap();
    format!("{before}{BEFORE}{command}</dd>{after}").into_bytes()
}

/// The first difference between two sets of files, in words.
pub fn difference(want: &BTreeMap<String, Vec<u8>>, got: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    if !want.keys().eq(got.keys()) {
        return Some(format!("files are {:?} instead of {:?}", got.keys(), want.keys()));
    }
    let (name, want, got) = want.iter().zip(got.values()).find_map(|((name, want), got)| (want != got).then_some((name, want, got)))?;
    let (want, got) = (String::from_utf8_lossy(want), String::from_utf8_lossy(got));
    let (mut want_lines, mut got_lines) = (want.lines(), got.lines());
    for line in 1.. {
        match (want_lines.next(), got_lines.next()) {
            (None, None) => break,
            (want, got) if want == got => {}
            (want, got) => {
                let shown = |text: Option<&str>| text.map_or("the end".to_owned(), |text| text.chars().take(400).collect());
                return Some(format!("{name}, line {line}:\n    want {}\n    got  {}", shown(want), shown(got)));
            }
        }
    }
    Some(format!("{name}: line breaks"))
}

/// Every frame is in exactly one counter.
pub fn adds_up(accounting: &Accounting) -> bool {
    accounting.frames == accounting.decoded + accounting.partly_decoded() + accounting.not_decoded() + accounting.filtered
}

/// Does the work for every item on all cores; what goes wrong is collected and told together.
pub fn for_each<T: Sync>(items: &[T], work: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let found = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let problems = work(item);
                    found.lock().unwrap().extend(problems);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    found
}

/// Fails with all that was found.
pub fn all_well(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
