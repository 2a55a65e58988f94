//! Writes the captures that speed and memory are measured with:
//! `cargo run --release --example bench-captures -- DIRECTORY [--scale N] [--only NAME]`.
//!
//! Too big to be kept, repeatable to the byte: own source of chance, fixed seeds.

#![allow(clippy::print_stderr, reason = "a program of one screen of code, which speaks to who runs it")]

mod conversations;
mod floods;
mod packet;
#[path = "../common/pcap.rs"]
mod pcap;
#[path = "../common/prng.rs"]
mod prng;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use pcap::{ETHERNET, PcapWriter, WHOLE_FRAMES};

type Out = PcapWriter<BufWriter<File>>;

/// Microseconds of 2024-03-05T09:00:00Z.
const BASE: u64 = 1_709_629_200_000_000;
const BUFFER: usize = 4 << 20;
const USAGE: &str = "usage: bench-captures DIRECTORY [--scale N] [--only S|M|answered-syn-flood|random-ports|random-hosts|spoofed-udp]";

/// A capture by name, and what writes it at a scale.
struct Recipe {
    name: &'static str,
    write: fn(&mut Out, u64) -> io::Result<()>,
}

const RECIPES: [Recipe; 6] = [
    Recipe { name: "S", write: floods::syn },
    Recipe { name: "M", write: conversations::write },
    Recipe { name: "answered-syn-flood", write: |out, _| floods::answered_syn(out) },
    Recipe { name: "random-ports", write: |out, _| floods::random_ports(out) },
    Recipe { name: "random-hosts", write: |out, _| floods::random_hosts(out) },
    Recipe { name: "spoofed-udp", write: |out, _| floods::spoofed_udp(out) },
];

struct Arguments {
    directory: PathBuf,
    /// How many times as long S and M become.
    scale: u64,
    only: Option<String>,
}

fn main() -> ExitCode {
    let Some(arguments) = parsed(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match write_all(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-captures: {}: {error}", arguments.directory.display());
            ExitCode::FAILURE
        }
    }
}

fn parsed(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut directory, mut scale, mut only) = (None, 1, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--scale" => scale = words.next()?.parse().ok()?,
            "--only" => only = words.next().filter(|name| RECIPES.iter().any(|recipe| recipe.name == name)).map(Some)?,
            option if option.starts_with('-') => return None,
            _ => directory = Some(PathBuf::from(word)),
        }
    }
    Some(Arguments { directory: directory?, scale, only })
}

fn write_all(arguments: &Arguments) -> io::Result<()> {
    fs::create_dir_all(&arguments.directory)?;
    let wanted = |recipe: &&Recipe| arguments.only.as_deref().is_none_or(|name| name == recipe.name);
    RECIPES.iter().filter(wanted).try_for_each(|recipe| write_one(recipe, &arguments.directory, arguments.scale))
}

fn write_one(recipe: &Recipe, directory: &Path, scale: u64) -> io::Result<()> {
    let file = File::create(directory.join(format!("{}.pcap", recipe.name)))?;
    let mut out = PcapWriter::new(BufWriter::with_capacity(BUFFER, file), ETHERNET, WHOLE_FRAMES)?;
    (recipe.write)(&mut out, scale)?;
    out.finish().map(drop)
}
