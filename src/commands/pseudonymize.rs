//! `--pseudonymize`: reads the key, and refuses what would say what the report must not.
//!
//! Knows which files and options hold real addresses. How words are replaced is [`crate::pseudonym`]'s.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::inputs::Input;
use super::setup::complain;
use crate::cli::{Analyze, Format};
use crate::error::Error;
use crate::pseudonym::{self, Pseudonyms};

/// More than any key, white space included.
const LIMIT: u64 = 1 << 10;

/// What stands for a value that is not told.
const HIDDEN: &str = "...";

/// The filter as the manifest tells it.
pub(super) fn filter(real: &str) -> String {
    if pseudonym::current().is_some() { HIDDEN.to_owned() } else { real.to_owned() }
}

/// The flags whose values name machines of the user's own.
const RECEIVERS: [&str; 2] = ["--syslog", "--webhook"];

/// The key that was asked for; whatever cannot be done with pseudonyms is an error.
pub(super) fn asked_for(args: &Analyze) -> Result<Option<Pseudonyms>, Error> {
    let Some(path) = &args.pseudonymize else { return Ok(None) };
    let refused = [
        (args.format.contains(&Format::Parquet), "--format parquet: the tables hold what was captured, so that they can be judged again"),
        (args.carve, "--carve: the packets hold what was captured"),
        (args.live.write.is_some(), "--write: the packets hold what was captured"),
        (args.save_baseline.is_some(), "--save-baseline: a baseline holds the addresses of the hosts"),
    ];
    if let Some((_, what)) = refused.iter().find(|(asked, _)| *asked) {
        return Err(Error::Usage(format!("--pseudonymize cannot be combined with {what}; make it in a run of its own")));
    }
    let pseudonyms = read(path)?;
    for path in args.rules.iter().chain(&args.baseline).chain([&args.output]) {
        says_no_address(&pseudonyms, path)?;
    }
    if let Some(interface) = &args.live.interface {
        says_no_address(&pseudonyms, Path::new(interface))?;
    }
    Ok(Some(pseudonyms))
}

fn read(path: &Path) -> Result<Pseudonyms, Error> {
    const HOW: &str = "make a key with `head -c 32 /dev/urandom > key`, and use it for all reports that are to be compared";
    let unreadable = |cause| Error::Usage(format!("--pseudonymize: {} cannot be read: {cause}; {HOW}", path.display()));
    let mut content = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    warn_of_readers(path, &file);
    file.take(LIMIT).read_to_end(&mut content).map_err(unreadable)?;
    Pseudonyms::of_file(&content).map_err(|problem| Error::Usage(format!("--pseudonymize: {}: {problem}; {HOW}", path.display())))
}

#[cfg(unix)]
fn warn_of_readers(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ: u32 = 0o044;
    if file.metadata().is_ok_and(|found| found.permissions().mode() & OTHERS_READ != 0) {
        let path = path.display();
        complain(&format!("warning: others can read the key {path}, and turn pseudonyms back with it: chmod 600 {path}"));
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_path: &Path, _file: &File) {}

/// Reports call inputs and rules by their paths, on disk too: none may hold an address.
pub(super) fn check_paths<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
    let Some(pseudonyms) = pseudonym::current() else { return Ok(()) };
    paths.into_iter().try_for_each(|path| says_no_address(pseudonyms, path))
}

pub(super) fn check_inputs<'a>(inputs: impl IntoIterator<Item = &'a Input>) -> Result<(), Error> {
    check_paths(inputs.into_iter().flat_map(|input| std::iter::once(&input.path).chain(input.files())).map(PathBuf::as_path))
}

fn says_no_address(pseudonyms: &Pseudonyms, path: &Path) -> Result<(), Error> {
    let text = path.to_string_lossy();
    if pseudonyms.text(&text) == text {
        return Ok(());
    }
    Err(Error::Usage(format!("--pseudonymize: {text} holds an address, and the report would repeat it: use a path without")))
}

/// The command line as the manifest tells it.
pub(super) fn command_line(args: &Analyze, command_line: Vec<String>) -> Vec<String> {
    if pseudonym::current().is_none() {
        return command_line;
    }
    let filter = args.live.filter.as_deref();
    let mut is_receiver = false;
    let told = |argument: String| {
        let (flag, value) = argument.split_once('=').unwrap_or(("", &argument));
        let hidden = std::mem::replace(&mut is_receiver, RECEIVERS.contains(&argument.as_str()));
        match flag {
            _ if hidden => HIDDEN.to_owned(),
            _ if RECEIVERS.contains(&flag) => format!("{flag}={HIDDEN}"),
            // Its language knows too many ways to name a host.
            _ if filter == Some(&argument) => HIDDEN.to_owned(),
            "--filter" if filter == Some(value) => format!("{flag}={HIDDEN}"),
            _ if filter.is_some() && argument.strip_prefix("-f") == filter => format!("-f{HIDDEN}"),
            _ => pseudonym::text(&argument).into_owned(),
        }
    };
    command_line.into_iter().map(told).collect()
}
