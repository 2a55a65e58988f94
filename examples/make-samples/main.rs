//! Writes the sample captures: `cargo run --release --example make-samples -- samples`.
//!
//! Everything is invented and everything is repeatable: own source of chance, fixed seeds, a fixed morning. What each
//! capture holds is written down by the code that puts it there.

#![allow(clippy::print_stderr, reason = "a program of one screen of code, which speaks to who runs it")]

mod capture_file;
mod host;
#[path = "../common/pcap.rs"]
mod pcap;
mod pcapng;
#[path = "../common/prng.rs"]
mod prng;
mod publish;
mod sample;
mod scenarios;
mod scene;
mod time;
mod traffic;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, io};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let is_option = |root: &PathBuf| root.to_string_lossy().starts_with('-');
    let (Some(root), None) = (arguments.next().map(PathBuf::from).filter(|root| !is_option(root)), arguments.next()) else {
        eprintln!("usage: make-samples DIRECTORY");
        return ExitCode::from(2);
    };
    match write(&root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make-samples: {}: {error}", root.display());
            ExitCode::FAILURE
        }
    }
}

fn write(root: &std::path::Path) -> io::Result<()> {
    let samples = scenarios::all()?;
    for sample in &samples {
        publish::sample(root, sample)?;
    }
    publish::table(root, &samples)
}
