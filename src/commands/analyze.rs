//! `nsm analyze`: a report for every capture.

use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::inputs::{self, Input};
use super::progress::Progress;
use super::{Outcome, baseline, carve, catalogue, configured};
use crate::analysis;
use crate::capture::FileSource;
use crate::cli::{Analyze, Color, Format, Hash, Terminal};
use crate::config::Config;
use crate::detect::{self, Baseline, Severity};
use crate::error::Error;
use crate::pipeline::{self, Measured, Options};
use crate::report::flows::FlowsCsv;
use crate::report::{self, Choices, FileRecord, Formats, MANIFEST, Manifest, OutputDir, PendingFile, Provenance, Report};
use crate::rules::{self, Rules};
use crate::table::Ended;
use crate::time::{self, Nanos};

/// Everything a run needs, resolved once.
struct Run<'a> {
    args: &'a Analyze,
    terminal: Terminal,
    config: Config,
    rules: Rules,
    options: Options,
    /// What is known from other captures.
    baseline: Option<Baseline>,
    baseline_file: Option<FileRecord>,
    /// When this run began; the only time that is not packet time, for the manifest.
    analysed_at: String,
    command_line: &'a [String],
}

pub(super) fn run(args: &Analyze, terminal: Terminal, command_line: &[String]) -> Result<Outcome, Error> {
    let mut config = configured(&args.settings)?;
    if let Some(mebibytes) = args.max_memory {
        config.set("memory.max_mib", &mebibytes.to_string())?;
    }
    let (from, to) = args.period()?;
    let (baseline, baseline_file) = args.baseline.as_deref().map(baseline::load).transpose()?.unzip();
    args.save_baseline.as_deref().map(baseline::check_target).transpose()?;
    use_threads(args.threads)?;
    // In parallel: the pool of threads must be there.
    let rules = Rules::load(&args.rules)?;
    for id in args.only.iter().chain(&args.skip).filter(|id| !rules.has(id)) {
        detect::find(id).ok_or_else(|| catalogue::unknown(id))?;
    }
    // An allow-list is written once; a run need not load every rule that it speaks of.
    for id in config.allow.iter().filter_map(|entry| entry.detector.as_deref()).filter(|id| !id.starts_with(rules::PREFIX)) {
        detect::find(id).ok_or_else(|| catalogue::unknown(id))?;
    }
    let options = Options { batch_rows: args.batch_rows.get(), from, to, keep_flows: rules.ask_for_flows(), stop: stop_on_interrupt()? };
    let run = Run { args, terminal, config, rules, options, baseline, baseline_file, analysed_at: now(), command_line };
    let inputs = inputs::collect(&args.paths)?;
    if args.carve {
        carve::check(&inputs)?;
    }
    run.all(&inputs)
}

/// One pool of threads for everything that is done in parallel. (Polars sizes its own from the
/// environment, see `main`; the two never work at the same time.)
fn use_threads(threads: Option<NonZeroUsize>) -> Result<(), Error> {
    let Some(threads) = threads else { return Ok(()) };
    if threads.get() > MOST_THREADS {
        return Err(Error::Usage(format!("--threads must lie between 1 and {MOST_THREADS}")));
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global().map_err(|cause| Error::Internal(cause.to_string()))
}

/// Ctrl-C ends the reading, and reports are written of what was read; a second one ends at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = flag::register_conditional_shutdown(signal, Outcome::Interrupted as i32, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)));
        registered.map_err(|cause| Error::Internal(format!("cannot watch for Ctrl-C: {cause}")))?;
    }
    Ok(stop)
}

fn now() -> String {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    time::rfc3339(Nanos::try_from(elapsed.as_nanos()).unwrap_or(Nanos::MAX))
}

impl Run<'_> {
    fn all(&self, inputs: &[Input]) -> Result<Outcome, Error> {
        let (mut analysed, mut outcome) = (0_usize, Outcome::Done);
        let mut learned = self.baseline.clone().unwrap_or_default();
        for input in inputs {
            if self.options.stop.load(Ordering::Relaxed) {
                break;
            }
            match self.one(input, &mut learned) {
                Ok(report) => {
                    analysed += 1;
                    outcome = outcome.max(self.judged(&report));
                }
                // Other files of a directory need not be captures.
                Err(Error::NotACapture { .. }) if input.found => self.say(&format!("skipped {}: not a capture", input.path.display())),
                Err(error) if inputs.len() > 1 && !matches!(error, Error::Write { .. }) => {
                    complain(&format!("error: {error}"));
                    outcome = outcome.max(Outcome::Damaged);
                }
                Err(error) => return Err(error),
            }
        }
        if self.options.stop.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        if analysed == 0 {
            complain("no capture could be analysed");
            return Ok(Outcome::NothingAnalysed);
        }
        if let Some(path) = &self.args.save_baseline {
            baseline::save(path, &learned)?;
            self.say(&format!("baseline saved to {}", path.display()));
        }
        Ok(outcome)
    }

    fn judged(&self, report: &Report) -> Outcome {
        let worst = report.alerts.iter().map(|alert| alert.severity).max();
        if self.args.fail_on.is_some_and(|limit: Severity| worst.is_some_and(|worst| worst >= limit)) {
            Outcome::Alerts
        } else if report.warnings.iter().any(crate::warning::Warning::is_damage) {
            Outcome::Damaged
        } else {
            Outcome::Done
        }
    }

    fn one(&self, input: &Input, learned: &mut Baseline) -> Result<Report, Error> {
        let mut source = open(input)?;
        let output = OutputDir::create(&self.args.output.join(&input.report), self.args.force)?;
        let hash = self.hash(input);
        let size = fs::metadata(&input.path).map(|metadata| metadata.len()).unwrap_or_default();
        let progress = Progress::start(input.path.display().to_string(), size, source.progress_counter(), self.terminal.quiet);
        let (measured, mut files) = self.measure(&mut source, &output)?;
        drop(progress);
        let name = input.path.to_string_lossy();
        let (mut report, tables) =
            analysis::judge_with(&name, measured, &self.config, &self.rules, self.baseline.as_ref(), &|id| self.is_chosen(id))?;
        if self.args.save_baseline.is_some() {
            learned.merge(&Baseline::of(&tables)?);
        }
        if self.wants(Format::Parquet) {
            for (name, table) in tables.stored() {
                let mut file = output.writer(&format!("tables/{name}.parquet"))?;
                let path = output.path().join("tables").join(name);
                tables.write_parquet(table, &mut file, &path)?;
                files.push(file.commit()?);
            }
        }
        drop(tables);
        if self.args.carve {
            files.extend(carve::run(input, &mut report, &self.config, &self.options, &output)?);
        }
        for artifact in report::render(&report, self.formats())? {
            files.push(output.write(&artifact.name, &artifact.bytes)?);
        }
        let input_record = report::Input { path: name.into_owned(), bytes: size, sha256: hash.map(join_hash).transpose()?.flatten() };
        self.finish(output, files, self.provenance(vec![input_record])?)?;
        self.show(&report, &self.args.output.join(&input.report));
        Ok(report)
    }

    /// Whether a detector or rule runs. Asking for some detectors says nothing about the rules that were given
    /// besides; asking for a rule leaves the detectors out.
    fn is_chosen(&self, id: &str) -> bool {
        let is_rule = |id: &str| id.starts_with(rules::PREFIX);
        let mut alike = self.args.only.iter().filter(|only| is_rule(only) == is_rule(id)).peekable();
        let asked = if alike.peek().is_some() { alike.any(|only| only == id) } else { is_rule(id) || self.args.only.is_empty() };
        asked && !self.args.skip.iter().any(|skip| skip == id)
    }

    /// Reads the capture; `flows.csv` is written meanwhile by a thread of its own.
    fn measure(&self, source: &mut FileSource, output: &OutputDir) -> Result<(Measured, Vec<FileRecord>), Error> {
        if !self.wants(Format::Csv) {
            let measured = pipeline::measure(source, &self.config.base, &self.options, &mut |_| Ok(()))?;
            return Ok((measured, Vec::new()));
        }
        let file = output.writer("flows.csv")?;
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(FLOWS_AHEAD);
            let writer = scope.spawn(move || write_flows(file, &receiver));
            let measured = pipeline::measure(source, &self.config.base, &self.options, &mut |ended| {
                // A writer that has stopped says why when it is joined.
                let _ = sender.send(ended.to_vec());
                Ok(())
            });
            drop(sender);
            let record = writer.join().map_err(|_| Error::Internal("the writer of flows.csv stopped".into()))??;
            Ok((measured?, vec![record]))
        })
    }

    fn hash(&self, input: &Input) -> Option<thread::JoinHandle<io::Result<String>>> {
        // A pipe can be read only once: reading it here would take bytes from the analysis.
        let is_file = fs::metadata(&input.path).is_ok_and(|metadata| metadata.is_file());
        let wanted = self.args.hash == Hash::Sha256 && is_file && !input.is_standard_input();
        let path = input.path.clone();
        wanted.then(|| thread::spawn(move || sha256(&path)))
    }

    fn finish(&self, output: OutputDir, mut files: Vec<FileRecord>, provenance: Provenance) -> Result<(), Error> {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let manifest = Manifest { provenance, analysed_at: self.analysed_at.clone(), files: files.clone() };
        files.push(output.write(MANIFEST, &manifest.render()?)?);
        output.finish(&files)
    }

    fn provenance(&self, inputs: Vec<report::Input>) -> Result<Provenance, Error> {
        Ok(Provenance {
            tool: "nsm".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command_line: self.command_line.to_vec(),
            inputs,
            configuration: serde_json::to_value(&self.config).map_err(|cause| Error::Internal(cause.to_string()))?,
            choices: Choices {
                formats: self.args.format.iter().map(|format| format.name()).collect(),
                from: self.options.from.map(time::rfc3339),
                to: self.options.to.map(time::rfc3339),
                only: self.args.only.clone(),
                skip: self.args.skip.clone(),
                carve: self.args.carve,
            },
            rules: self.rules.files.iter().map(|file| FileRecord::of(file.path.to_string_lossy(), file.text.as_bytes())).collect(),
            baseline: self.baseline_file.clone(),
        })
    }

    fn wants(&self, format: Format) -> bool {
        self.args.format.contains(&format)
    }

    fn formats(&self) -> Formats {
        Formats { json: self.wants(Format::Json), csv: self.wants(Format::Csv), png: self.wants(Format::Png) }
    }

    fn show(&self, report: &Report, place: &Path) {
        let stderr = io::stderr();
        let colour = match self.terminal.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let width = terminal_width();
        self.say(report::terminal(report, Some(place), report::Terminal { width, colour }).trim_end());
        if self.terminal.verbose {
            report.alerts.iter().for_each(|alert| self.say(&format!("  {}: {}", alert.kind, report::visible(&alert.message))));
        }
    }

    /// Something for the person at the terminal; a closed standard error is no reason to stop.
    fn say(&self, text: &str) {
        if !self.terminal.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// Says what went wrong, also to who wants to hear nothing else.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// More threads than any machine has cores only cost memory.
pub const MOST_THREADS: usize = 1_024;
/// Lots of ended connections that may wait for the writer of `flows.csv`.
const FLOWS_AHEAD: usize = 4;

fn write_flows(file: PendingFile, receiver: &Receiver<Vec<Ended>>) -> Result<FileRecord, Error> {
    let mut flows = FlowsCsv::new(file).map_err(|cause| Error::Write { path: "flows.csv".into(), cause })?;
    for ended in receiver {
        flows.write(&ended).map_err(|cause| Error::Write { path: "flows.csv".into(), cause })?;
    }
    flows.into_inner().commit()
}

pub(super) fn open(input: &Input) -> Result<FileSource, Error> {
    if input.is_standard_input() {
        return FileSource::from_reader(PathBuf::from("-"), Box::new(io::stdin()));
    }
    FileSource::open(&input.path)
}

pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// The hash of the input; without one where the input cannot be read again (a pipe).
pub(super) fn join_hash(hash: thread::JoinHandle<io::Result<String>>) -> Result<Option<String>, Error> {
    Ok(hash.join().map_err(|_| Error::Internal("the hashing thread stopped".into()))?.ok())
}

fn terminal_width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100)
}
