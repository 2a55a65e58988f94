//! One thin file per subcommand: what the user asked for, in terms of the library.

mod alone;
pub mod analyze;
mod baseline;
mod batch;
mod capture_report;
mod carve;
mod catalogue;
mod chosen;
mod compare;
mod content_hash;
mod flow_files;
mod info;
mod inputs;
mod interfaces;
mod judge;
mod live;
mod progress;
mod pseudonymize;
mod render;
mod report_files;
mod rules;
mod setup;
mod stored_report;

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::CommandFactory;

use crate::capture;
use crate::cli::{Cli, Command, Settings};
use crate::config::Config;
use crate::error::Error;
use crate::stored;
use crate::time::{self, Nanos};

pub use setup::{complain, told};

/// How a run ended; the number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    Done = 0,
    NothingAnalysed = 1,
    WrongUsage = 2,
    Damaged = 3,
    Alerts = 4,
    Interrupted = 130,
}

/// Runs the subcommand. Results go to `out`, everything else to standard error.
///
/// # Errors
/// What the user must be told, with a hint.
pub fn run(cli: &Cli, command_line: &[String], out: &mut dyn Write) -> Result<Outcome, Error> {
    match &cli.command {
        Command::Analyze(args) if args.live.list_interfaces => print(out, &interfaces::table(&capture::live::interfaces()?))?,
        Command::Analyze(args) => return analyze::run(args, cli.terminal, command_line),
        Command::Judge(args) => return judge::run(args, command_line, out),
        Command::Compare(args) => return compare::run(args, out),
        Command::Report(args) => return render::run(args, out),
        Command::Info(args) => return info::run(args, cli.terminal, out),
        Command::Detectors { id } => print(out, &catalogue::render(id.as_deref())?)?,
        Command::Tables { table } => print(out, &stored::documentation(table.as_deref())?)?,
        Command::Config(settings) => print(out, &configured(settings)?.to_yaml())?,
        Command::Rules { action } => return rules::run(action, out),
        Command::Completions { shell } => clap_complete::generate(*shell, &mut Cli::command(), "nsm", out),
        Command::Man => print(out, &manual()?)?,
    }
    Ok(Outcome::Done)
}

/// The configuration file with the changes of the command line.
fn configured(settings: &Settings) -> Result<Config, Error> {
    changed(Config::default(), settings)
}

/// A configuration with the changes of the file and of the command line.
fn changed(config: Config, settings: &Settings) -> Result<Config, Error> {
    let mut config = match &settings.config {
        None => config,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|cause| Error::Open { path: path.clone(), cause })?;
            config.with_yaml(&text)?
        }
    };
    for (key, value) in &settings.set {
        config.set(key, value)?;
    }
    Ok(config)
}

/// The wall clock, for manifests.
fn now() -> String {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    time::rfc3339(Nanos::try_from(elapsed.as_nanos()).unwrap_or(Nanos::MAX))
}

fn manual() -> Result<String, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(|cause| Error::Internal(cause.to_string()))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// A reader that stops reading (`nsm config | head`) is no error.
fn print(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    match out.write_all(text.as_bytes()) {
        Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Write { path: "standard output".into(), cause }),
        _ => Ok(()),
    }
}
