//! The captures behind the paths of the command line, and where the report of each goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::error::Error;
use crate::report::batch;

/// One capture to analyse.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Input {
    /// `-` is standard input.
    pub path: PathBuf,
    /// Files that are read as one; then the path only names them.
    pub parts: Vec<PathBuf>,
    /// Directory of its report below the output directory.
    pub report: PathBuf,
    /// It was found in a directory and not named by the user: it may be no capture at all.
    pub found: bool,
}

impl Input {
    pub(super) fn is_standard_input(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// The files behind it.
    pub(super) fn files(&self) -> &[PathBuf] {
        if self.parts.is_empty() { std::slice::from_ref(&self.path) } else { &self.parts }
    }

    /// Size of its files; 0 where it is not known.
    pub(super) fn bytes(&self) -> u64 {
        self.files().iter().map(|path| size(path)).sum()
    }
}

/// Size of a file; 0 where it is not known.
pub(super) fn size(path: &Path) -> u64 {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map_or(0, |metadata| metadata.len())
}

/// What a run is asked to analyse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inputs {
    pub all: Vec<Input>,
    /// A directory is among the paths, or there is more than one.
    pub are_batch: bool,
}

/// Files as they are named, directories with all files below them, in the order of their names. Reports
/// below `output` are no inputs, wherever the output directory lies.
pub(super) fn collect(paths: &[PathBuf], output: Option<&Path>) -> Inputs {
    // What is not there yet holds no reports.
    let output = output.and_then(|output| fs::canonicalize(output).ok());
    let is_dir = |path: &Path| path.as_os_str() != "-" && path.is_dir();
    let mut all = Vec::new();
    for path in paths {
        if is_dir(path) {
            let walk = Walk { top: path, output: output.as_deref() };
            if walk.below(path, &mut all).is_err() {
                all.push(Input { path: path.clone(), report: relative(path), ..Input::default() });
            }
        } else {
            let report = if path.as_os_str() == "-" { PathBuf::from("stdin") } else { relative(path) };
            all.push(Input { path: path.clone(), report, ..Input::default() });
        }
    }
    let are_batch = paths.len() > 1 || paths.iter().any(|path| is_dir(path));
    // The files over all reports lie beside the reports.
    tell_apart(&mut all, if are_batch { &batch::FILES } else { &[] });
    Inputs { all, are_batch }
}

/// All captures below the paths as one: its name is the path, or says how many there are.
pub(super) fn collect_as_one(paths: &[PathBuf], output: &Path) -> Result<Input, Error> {
    if paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(Error::Usage("--as-one puts files into order by their first packets, and standard input is no file".into()));
    }
    // Each file is read twice: first for its place in the order.
    if let Some(other) = paths.iter().find(|path| path.exists() && !path.is_dir() && !path.is_file()) {
        let problem = "--as-one puts files into order by their first packets, and this can be read only once";
        return Err(Error::Usage(format!("{}: {problem}; save it to a file first", other.display())));
    }
    let mut parts: Vec<PathBuf> = collect(paths, Some(output)).all.into_iter().map(|input| input.path).collect();
    // Who names a file twice does not mean its packets twice.
    parts.sort();
    parts.dedup();
    if parts.is_empty() {
        return Err(Error::Usage("--as-one: there are no files".into()));
    }
    let (path, report) = match paths {
        [path] => (path.clone(), relative(path)),
        _ => (PathBuf::from(format!("{} captures as one", parts.len())), PathBuf::from("as-one")),
    };
    let report = if report.as_os_str().is_empty() { PathBuf::from("as-one") } else { report };
    Ok(Input { path, parts, report, found: false })
}

/// Captures whose reports would meet get their whole path, and what still meets then a number.
pub(super) fn tell_apart(inputs: &mut [Input], reserved: &[&str]) {
    let mut times: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for input in inputs.iter() {
        *times.entry(input.report.clone()).or_default() += 1;
    }
    for input in inputs.iter_mut().filter(|input| times.get(&input.report).is_some_and(|times| *times > 1)) {
        input.report = input.path.components().filter(|component| matches!(component, Component::Normal(_))).collect();
    }
    let mut taken: BTreeSet<PathBuf> = reserved.iter().map(PathBuf::from).collect();
    for input in inputs {
        let wanted = input.report.clone();
        let mut number = 2;
        // No report lies in another, nor in one of the files over all.
        while let Some(meets) = in_the_way(&taken, &input.report) {
            let place = meets.components().count();
            input.report = numbered(&wanted, place, number);
            number += 1;
        }
        taken.insert(input.report.clone());
    }
}

/// As much of the path as meets what is taken: the same place, one around it, or one inside.
fn in_the_way(taken: &BTreeSet<PathBuf>, path: &Path) -> Option<PathBuf> {
    let around = path.ancestors().find(|around| taken.contains(*around));
    let inside = taken.range(path.to_owned()..).next().filter(|inside| inside.starts_with(path)).map(|_| path);
    around.or(inside).map(Path::to_owned)
}

/// The path with a number at its component of that place, from 1.
fn numbered(path: &Path, place: usize, number: usize) -> PathBuf {
    let name = |(at, component): (usize, Component<'_>)| {
        let mut name = component.as_os_str().to_owned();
        if at + 1 == place {
            name.push(format!("-{number}"));
        }
        name
    };
    path.components().enumerate().map(name).collect()
}

/// The search of one directory.
#[derive(Clone, Copy)]
struct Walk<'a> {
    top: &'a Path,
    /// Without links and steps up.
    output: Option<&'a Path>,
}

impl Walk<'_> {
    /// Links are not followed: they may lead out of the directory, or round in a circle.
    fn below(self, directory: &Path, inputs: &mut Vec<Input>) -> io::Result<()> {
        let mut entries: Vec<PathBuf> = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        entries.sort();
        for path in entries {
            // What has gone in the meantime is no input.
            let Ok(kind) = fs::symlink_metadata(&path).map(|found| found.file_type()) else { continue };
            if kind.is_dir() {
                if !self.is_output(&path) && self.below(&path, inputs).is_err() {
                    // Told when it is opened, like any other input that cannot be read; the rest goes on.
                    inputs.push(Input { report: self.report(&path), path, found: true, ..Input::default() });
                }
            } else if kind.is_file() {
                inputs.push(Input { report: self.report(&path), path, found: true, ..Input::default() });
            }
        }
        Ok(())
    }

    fn is_output(self, directory: &Path) -> bool {
        self.output.is_some_and(|output| fs::canonicalize(directory).is_ok_and(|directory| directory == output))
    }

    fn report(self, path: &Path) -> PathBuf {
        path.strip_prefix(self.top).map_or_else(|_| relative(path), Path::to_path_buf)
    }
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

    fn reports(paths: &[PathBuf], output: &Path) -> Vec<PathBuf> {
        collect(paths, Some(output)).all.into_iter().map(|input| input.report).collect()
    }

    #[test]
    fn captures_of_one_name_do_not_meet() {
        let paths = ["/a/x.pcap", "/b/x.pcap", "b/x.pcap", "/y.pcap"].map(PathBuf::from);
        let want = ["a/x.pcap", "b/x.pcap", "b/x.pcap-2", "y.pcap"].map(PathBuf::from);
        assert_eq!(reports(&paths, Path::new("none")), want);
    }

    #[test]
    fn a_report_never_stands_where_the_files_over_all_reports_do() {
        let both = ["index.html", "batch.csv"].map(PathBuf::from);
        assert_eq!(reports(&both, Path::new("none")), ["index.html-2", "batch.csv-2"].map(PathBuf::from));
        assert_eq!(reports(&both[..1], Path::new("none")), [Path::new("index.html")], "a single capture has no such files beside it");
    }

    #[test]
    fn no_report_lies_in_another_or_in_a_file_over_all() {
        let mut inputs =
            ["a.pcap", "a.pcap/charts/x", "index.html/x", "b/y", "b"].map(|report| Input { report: report.into(), ..Input::default() });
        tell_apart(&mut inputs, &["index.html"]);
        let reports = inputs.map(|input| input.report);
        assert_eq!(reports, ["a.pcap", "a.pcap-2/charts/x", "index.html-2/x", "b/y", "b-2"].map(PathBuf::from));
    }

    #[test]
    fn a_directory_is_searched_in_the_order_of_names() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("b")).unwrap();
        for name in ["z.pcap", "b/y.pcap.gz", "a.pcap"] {
            fs::write(top.path().join(name), b"").unwrap();
        }
        let want = ["a.pcap", "b/y.pcap.gz", "z.pcap"].map(PathBuf::from);
        assert_eq!(reports(&[top.path().to_path_buf()], Path::new("none")), want);
    }

    #[test]
    fn reports_are_not_inputs_of_the_next_run() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("x/reports/a.pcap")).unwrap();
        for name in ["a.pcap", "x/reports/a.pcap/evidence.pcap", "x/b.pcap"] {
            fs::write(top.path().join(name), b"").unwrap();
        }
        let output = top.path().join("x/../x/reports");
        assert_eq!(reports(&[top.path().to_path_buf()], &output), ["a.pcap", "x/b.pcap"].map(PathBuf::from));
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere() {
        let top = tempfile::tempdir().unwrap();
        fs::write(top.path().join("a.pcap"), b"").unwrap();
        std::os::unix::fs::symlink(top.path(), top.path().join("circle")).unwrap();
        std::os::unix::fs::symlink("missing", top.path().join("dangling")).unwrap();
        assert_eq!(reports(&[top.path().to_path_buf()], Path::new("none")), [Path::new("a.pcap")]);
    }
}
