//! One thin file per subcommand: what the user asked for, in terms of the library.

pub mod analyze;
mod baseline;
mod carve;
mod catalogue;
mod info;
mod inputs;
mod progress;
mod rules;

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, Command, Settings};
use crate::config::Config;
use crate::error::Error;

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
        Command::Analyze(args) => return analyze::run(args, cli.terminal, command_line),
        Command::Info(args) => return info::run(args, cli.terminal, out),
        Command::Detectors { id } => print(out, &catalogue::render(id.as_deref())?)?,
        Command::Config(settings) => print(out, &configured(settings)?.to_yaml())?,
        Command::Rules { action } => return rules::run(action, out),
        Command::Completions { shell } => clap_complete::generate(*shell, &mut Cli::command(), "nsm", out),
        Command::Man => print(out, &manual()?)?,
    }
    Ok(Outcome::Done)
}

/// The configuration file with the changes of the command line.
fn configured(settings: &Settings) -> Result<Config, Error> {
    let mut config = match &settings.config {
        None => Config::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|cause| Error::Open { path: path.clone(), cause })?;
            Config::from_yaml(&text)?
        }
    };
    for (key, value) in &settings.set {
        config.set(key, value)?;
    }
    Ok(config)
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
