//! The captures behind the paths of the command line, and where the report of each goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::error::Error;

/// One capture to analyse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// `-` is standard input.
    pub path: PathBuf,
    /// Directory of its report below the output directory.
    pub report: PathBuf,
    /// It was found in a directory and not named by the user: it may be no capture at all.
    pub found: bool,
}

impl Input {
    pub(super) fn is_standard_input(&self) -> bool {
        self.path.as_os_str() == "-"
    }
}

/// Files as they are named, directories with all files below them, in the order of their names.
pub(super) fn collect(paths: &[PathBuf]) -> Result<Vec<Input>, Error> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() != "-" && path.is_dir() {
            walk(path, path, &mut inputs).map_err(|cause| Error::Open { path: path.clone(), cause })?;
        } else {
            let report = if path.as_os_str() == "-" { PathBuf::from("stdin") } else { relative(path) };
            inputs.push(Input { path: path.clone(), report, found: false });
        }
    }
    tell_apart(&mut inputs);
    Ok(inputs)
}

/// Captures whose reports would meet get their whole path, and what still meets then a number.
fn tell_apart(inputs: &mut [Input]) {
    let mut times: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for input in inputs.iter() {
        *times.entry(input.report.clone()).or_default() += 1;
    }
    for input in inputs.iter_mut().filter(|input| times.get(&input.report).is_some_and(|times| *times > 1)) {
        input.report = input.path.components().filter(|component| matches!(component, Component::Normal(_))).collect();
    }
    let mut taken: BTreeSet<PathBuf> = BTreeSet::new();
    for input in inputs {
        let wanted = input.report.clone();
        let mut number = 2;
        while !taken.insert(input.report.clone()) {
            let mut name = wanted.clone().into_os_string();
            name.push(format!("-{number}"));
            input.report = PathBuf::from(name);
            number += 1;
        }
    }
}

fn walk(top: &Path, directory: &Path, inputs: &mut Vec<Input>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            if walk(top, &path, inputs).is_err() {
                // Told when it is opened, like any other input that cannot be read; the rest goes on.
                inputs.push(Input { report: relative(&path), path, found: true });
            }
        } else if kind.is_file() {
            let report = path.strip_prefix(top).map_or_else(|_| relative(&path), Path::to_path_buf);
            inputs.push(Input { path, report, found: true });
        }
    }
    Ok(())
}

/// The path as it can stand below another one: without root and without steps up.
fn relative(path: &Path) -> PathBuf {
    let absolute = path.is_absolute();
    let kept: PathBuf = path.components().filter(|component| matches!(component, Component::Normal(_))).collect();
    match path.file_name() {
        Some(name) if absolute || path.components().any(|component| component == Component::ParentDir) => PathBuf::from(name),
        _ => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_stay_below_the_output_directory() {
        assert_eq!(relative(Path::new("/var/captures/a.pcap")), Path::new("a.pcap"));
        assert_eq!(relative(Path::new("../../etc/a.pcap")), Path::new("a.pcap"));
        assert_eq!(relative(Path::new("./samples/x/a.pcap")), Path::new("samples/x/a.pcap"));
    }

    #[test]
    fn captures_of_one_name_do_not_meet() {
        let paths = ["/a/x.pcap", "/b/x.pcap", "b/x.pcap", "/y.pcap"].map(PathBuf::from);
        let reports: Vec<PathBuf> = collect(&paths).unwrap().into_iter().map(|input| input.report).collect();
        assert_eq!(reports, [Path::new("a/x.pcap"), Path::new("b/x.pcap"), Path::new("b/x.pcap-2"), Path::new("y.pcap")]);
    }

    #[test]
    fn a_directory_is_searched_in_the_order_of_names() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("b")).unwrap();
        for name in ["z.pcap", "b/y.pcap.gz", "a.pcap"] {
            fs::write(top.path().join(name), b"").unwrap();
        }
        let reports: Vec<PathBuf> = collect(&[top.path().to_path_buf()]).unwrap().into_iter().map(|input| input.report).collect();
        assert_eq!(reports, [Path::new("a.pcap"), Path::new("b/y.pcap.gz"), Path::new("z.pcap")]);
    }
}
