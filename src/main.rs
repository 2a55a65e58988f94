//! `nsm`: parse, run, print the error with its hint, exit.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use network_security_monitor::cli::{Cli, Command};
use network_security_monitor::commands::{self, Outcome};
use network_security_monitor::error::Error;
use network_security_monitor::panics;

/// Of the memory of a period that is over, glibc's allocator keeps what its threads have scattered over their arenas: under an
/// hour of live capture it grew by some 3 MiB a minute (`benches/live.md`). This one gives pages back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Analyze(args) = &cli.command
        && let Some(threads) = args.threads
    {
        size_polars_pool(threads.get().min(commands::analyze::MOST_THREADS));
    }
    let command_line: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    panics::remember();
    let run = panics::caught(|| commands::run(&cli, &command_line, &mut io::stdout().lock()));
    match run.unwrap_or_else(|problem| Err(Error::Internal(problem))) {
        Ok(outcome) => ExitCode::from(outcome as u8),
        Err(error) => {
            commands::complain(&format!("nsm: {}", commands::told(&error)));
            if let Some(hint) = error.hint() {
                commands::complain(&format!("\nhint: {hint}"));
            }
            ExitCode::from(exit_code(&error) as u8)
        }
    }
}

const fn exit_code(error: &Error) -> Outcome {
    match error {
        Error::Usage(_)
        | Error::Setting { .. }
        | Error::Rules(_)
        | Error::Baseline { .. }
        | Error::ReportExists(_)
        | Error::Filter { .. }
        | Error::User { .. } => Outcome::WrongUsage,
        _ => Outcome::NothingAnalysed,
    }
}

/// Polars reads the size of its pool from the environment and nowhere else.
#[expect(unsafe_code, reason = "the only way to tell Polars how many threads it may use")]
fn size_polars_pool(threads: usize) {
    // SAFETY: called at the start of main, before any other thread exists that could read the
    // environment at the same time.
    unsafe { std::env::set_var("POLARS_MAX_THREADS", threads.to_string()) };
}
