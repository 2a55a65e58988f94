//! The directory of a report: files appear whole or not at all, for their owner only.
//!
//! Knows names, modes and hashes, not what is in a file. Follows no symbolic link inside the directory
//! and removes nothing that is not part of a report.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::manifest;
use super::seal::{self, Seal};
use crate::digest;
use crate::error::Error;

/// Files whose presence means that the directory already holds a report.
const MARKERS: [&str; 3] = [manifest::NAME, "alerts.jsonl", REPLACED];

/// The manifest of a report that is being replaced: where this is, the report is not whole, and this says
/// which files belonged to the old one.
const REPLACED: &str = ".manifest.json.replaced.partial";

/// Files of a report that a run with fewer formats does not replace.
const FIXED: [&str; 15] = [
    seal::NAME,
    "alerts.jsonl",
    "incidents.json",
    "alerts.csv",
    "flows.csv",
    "hosts.csv",
    "protocols.csv",
    "timeline.csv",
    "summary.json",
    "report.html",
    "security_monitor.log",
    "carved/index.csv",
    "charts/traffic.png",
    "charts/protocols.png",
    "charts/talkers.png",
];

/// More than any manifest of ours.
pub const MANIFEST_LIMIT: u64 = 16 << 20;

/// A file written, as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Relative to the report's directory, with `/`.
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

impl FileRecord {
    /// Of a file that is whole in memory.
    pub fn of(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { name: name.into(), bytes: bytes.len() as u64, sha256: digest::of(bytes) }
    }
}

#[derive(Debug)]
pub struct OutputDir {
    dir: PathBuf,
    /// Names of the report that is being replaced.
    old: BTreeSet<String>,
    /// The directory was made by this run.
    is_new: bool,
}

impl OutputDir {
    /// Makes the directory. To be called before any work is done, so that nothing is analysed in vain.
    ///
    /// # Errors
    /// [`Error::ReportExists`] where a report is and `force` is not given; then nothing is changed.
    pub fn create(dir: &Path, force: bool) -> Result<Self, Error> {
        if Self::holds_report(dir) && !force {
            return Err(Error::ReportExists(dir.to_owned()));
        }
        Self::replace(dir)
    }

    /// Refuses a place below `top` that a link would lead out of it.
    ///
    /// # Errors
    /// [`Error::Write`] with the link.
    pub fn check_below(top: &Path, inside: &Path) -> Result<(), Error> {
        let mut path = top.to_owned();
        for part in inside.components() {
            path.push(part);
            if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_dir()) {
                let cause = io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory, and links are not followed");
                return Err(Error::Write { path, cause });
            }
        }
        Ok(())
    }

    /// Whether a report is there, whole or not.
    pub fn holds_report(dir: &Path) -> bool {
        MARKERS.iter().any(|name| fs::symlink_metadata(dir.join(name)).is_ok())
    }

    /// The same, replacing what is there: what an interrupted run left counts too.
    pub fn replace(dir: &Path) -> Result<Self, Error> {
        let failed = |cause| Error::Write { path: dir.to_owned(), cause };
        let is_new = fs::symlink_metadata(dir).is_err();
        private_dirs(dir).map_err(failed)?;
        if is_new {
            return Ok(Self { old: BTreeSet::new(), dir: dir.to_owned(), is_new });
        }
        let old = old_files(dir);
        remove_partials(dir, &[REPLACED]).map_err(failed)?;
        Ok(Self { old, dir: dir.to_owned(), is_new })
    }

    /// A directory for files that are no report, such as those over all reports.
    pub fn plain(dir: &Path) -> Result<Self, Error> {
        private_dirs(dir).map_err(|cause| Error::Write { path: dir.to_owned(), cause })?;
        Ok(Self { old: BTreeSet::new(), dir: dir.to_owned(), is_new: false })
    }

    /// To be called before the first file takes its name: from here on the old report is no longer whole,
    /// and its manifest gives way, so that where a manifest is, the report is whole.
    pub fn begin(&self) -> Result<(), Error> {
        let path = self.dir.join(manifest::NAME);
        if self.is_plain_file(manifest::NAME) {
            fs::rename(&path, self.dir.join(REPLACED)).map_err(|cause| Error::Write { path, cause })?;
        }
        Ok(())
    }

    /// Leaves nothing of a report that was not begun.
    pub fn abandon(self) {
        if self.is_new {
            // Only directories without a file in them can be removed so.
            inner(&self.dir).iter().chain([&self.dir]).for_each(|dir| _ = fs::remove_dir(dir));
        }
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Begins a file under a temporary name beside its own; it takes its name when committed.
    pub fn writer(&self, name: &str) -> Result<PendingFile, Error> {
        let Some((parent, file)) = split(name) else {
            return Err(Error::Internal(format!("{name:?} is no name of a report file")));
        };
        let parent = self.dir.join(parent);
        let (partial, target) = (parent.join(format!(".{file}.partial")), parent.join(file));
        let begun = self.inner_dirs(name).and_then(|()| open_new(&partial));
        let file = begun.map_err(|cause| Error::Write { path: target.clone(), cause })?;
        Ok(PendingFile {
            name: name.to_owned(),
            partial,
            target,
            writer: BufWriter::new(file),
            hash: Sha256::new(),
            bytes: 0,
            committed: false,
        })
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<FileRecord, Error> {
        let mut file = self.writer(name)?;
        file.write_all(bytes).map_err(|cause| file.failed(cause))?;
        file.commit()
    }

    /// Removes what is left of the report that was replaced, and gives the report its manifest. To be called
    /// when all files are written: the manifest comes last, so that nothing is missing where one is, not even its seal.
    pub fn finish(self, written: &[FileRecord], manifest: &[u8], seal: Option<&Seal>) -> Result<(), Error> {
        let remove = |name: &str| {
            let path = self.dir.join(name);
            fs::remove_file(&path).map_err(|cause| Error::Write { path, cause })
        };
        let left = |name: &&String| *name != manifest::NAME && !written.iter().any(|record| record.name == **name);
        self.old.iter().filter(left).filter(|name| self.is_plain_file(name)).try_for_each(|name| remove(name))?;
        if let Some(seal) = seal {
            self.write(seal::NAME, seal.of(manifest).as_bytes())?;
        }
        self.write(manifest::NAME, manifest)?;
        if self.is_plain_file(REPLACED) { remove(REPLACED) } else { Ok(()) }
    }

    /// The directories between the report's and the file, made where missing; a link is no directory.
    fn inner_dirs(&self, name: &str) -> io::Result<()> {
        let mut dir = self.dir.clone();
        for part in Path::new(name).parent().into_iter().flat_map(Path::components) {
            dir.push(part);
            match fs::symlink_metadata(&dir) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is not a directory", dir.display()))),
                Err(_) => private_dirs(&dir)?,
            }
        }
        Ok(())
    }

    /// A regular file, reached without passing a link.
    fn is_plain_file(&self, name: &str) -> bool {
        let path = Path::new(name);
        let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        let is_dir = |above: &Path| fs::symlink_metadata(self.dir.join(above)).is_ok_and(|found| found.is_dir());
        // Every step: a link anywhere on the way leads out of the directory.
        split(name).is_some()
            && above.into_iter().all(is_dir)
            && fs::symlink_metadata(self.dir.join(path)).is_ok_and(|found| found.is_file())
    }
}

/// A file being written. Dropped without [`PendingFile::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct PendingFile {
    name: String,
    partial: PathBuf,
    target: PathBuf,
    writer: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
    committed: bool,
}

impl PendingFile {
    /// Gives the file its name.
    pub fn commit(mut self) -> Result<FileRecord, Error> {
        let named = self.writer.flush().and_then(|()| fs::rename(&self.partial, &self.target));
        named.map_err(|cause| self.failed(cause))?;
        self.committed = true;
        let hash = std::mem::take(&mut self.hash).finalize();
        Ok(FileRecord { name: std::mem::take(&mut self.name), bytes: self.bytes, sha256: digest::hex(&hash) })
    }

    /// The error of a write to this file, with its name.
    pub fn failed(&self, cause: io::Error) -> Error {
        Error::Write { path: self.target.clone(), cause }
    }
}

impl Write for PendingFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(buffer)?;
        self.hash.update(buffer.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing more can be done about a temporary file that cannot be removed.
            _ = fs::remove_file(&self.partial);
        }
    }
}

/// Parent and file name of `charts/traffic.png`; none for names that could lead out of the directory.
fn split(name: &str) -> Option<(&Path, &str)> {
    let path = Path::new(name);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if inside { path.parent().zip(path.file_name()?.to_str()) } else { None }
}

/// What belongs to the report in `dir`: the files its manifest lists, those every report may have, and what
/// is named as only files of a report are (a run that was killed has not listed them).
fn old_files(dir: &Path) -> BTreeSet<String> {
    let listed = [manifest::NAME, REPLACED].into_iter().flat_map(|name| listed(&dir.join(name)));
    let named = ["carved", "charts", "tables"].into_iter().flat_map(|inner| names_in(dir, inner)).filter(|name| is_ours(name));
    listed.chain(named).chain(FIXED.iter().map(|name| (*name).to_owned())).collect()
}

/// The files that a manifest lists; none if there is none, or something else.
fn listed(path: &Path) -> Vec<String> {
    #[derive(Deserialize)]
    struct Listed {
        files: Vec<FileRecord>,
    }
    // A pipe in its place would never end.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Vec::new();
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MANIFEST_LIMIT).read_to_string(&mut text));
    let listed = read.ok().and_then(|_| serde_json::from_str::<Listed>(&text).ok());
    listed.map(|listed| listed.files.into_iter().map(|record| record.name).collect()).unwrap_or_default()
}

/// `charts/alert-1-port_scan.png` and `tables/contacts.parquet`; no other name is taken for ours.
fn is_ours(name: &str) -> bool {
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let of_alert = |before: &str, after: &str| {
        let alert = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).and_then(|rest| rest.split_once('-'));
        alert.is_some_and(|(rank, kind)| rank.bytes().all(|byte| byte.is_ascii_digit()) && is_id(kind))
    };
    let table = name.strip_prefix("tables/").and_then(|rest| rest.strip_suffix(".parquet"));
    of_alert("charts/alert-", ".png")
        || of_alert("carved/alert-", ".pcapng")
        || table.is_some_and(is_id)
        || ["carved/index.csv", "tables/capture.json"].contains(&name)
}

fn names_in(dir: &Path, inner: &str) -> Vec<String> {
    let entries = fs::read_dir(dir.join(inner)).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(format!("{inner}/{}", entry.file_name().to_str()?))).collect()
}

/// The directories in a directory; links are none.
fn inner(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// Removes what a killed run left under temporary names in a report's directory.
pub fn remove_partials(dir: &Path, keep: &[&str]) -> io::Result<()> {
    for dir in inner(dir).iter().map(PathBuf::as_path).chain([dir]) {
        for entry in fs::read_dir(dir)?.flatten() {
            let name = entry.file_name();
            let is_partial = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".partial") && !keep.contains(&name));
            if is_partial && !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

fn private_dirs(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Opens a file to write at its end; a new one is for its owner only. What is no regular file is refused, and no link
/// followed.
pub fn open_append(path: &Path) -> io::Result<File> {
    let refused = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{what}; use `-` for standard output"));
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => return Err(refused("it is a symbolic link, and links are not followed")),
        // A pipe or a device may block for ever, or take half a line.
        Ok(found) if !found.is_file() => return Err(refused("it is not a regular file")),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use nix::libc::{O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};
        use std::os::unix::fs::OpenOptionsExt;
        // What was looked at above may have been exchanged since.
        options.mode(0o600).custom_flags(O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused("it is not a regular file")) }
}

/// Opens a file that must not exist, for its owner only; what an interrupted run left under the temporary
/// name goes first.
pub fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report_in(dir: &Path, chart: &str) -> Vec<FileRecord> {
        let out = OutputDir::create(dir, true).unwrap();
        let written: Vec<FileRecord> = ["alerts.jsonl", chart].iter().map(|name| out.write(name, name.as_bytes()).unwrap()).collect();
        out.begin().unwrap();
        let listing = serde_json::json!({ "files": &written }).to_string();
        out.finish(&written, listing.as_bytes(), None).unwrap();
        written
    }

    #[test]
    fn a_file_is_recorded_with_its_size_and_hash() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutputDir::create(&dir.path().join("a/b"), false).unwrap();
        let mut file = out.writer("charts/x.png").unwrap();
        file.write_all(b"a").unwrap();
        file.write_all(b"bc").unwrap();
        assert!(!out.path().join("charts/x.png").exists(), "not visible before it is complete");
        // FIPS 180-2, appendix B.1.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(file.commit().unwrap(), FileRecord { name: "charts/x.png".into(), bytes: 3, sha256 });
        assert_eq!(fs::read(out.path().join("charts/x.png")).unwrap(), b"abc");
    }

    #[test]
    fn a_file_that_is_not_committed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutputDir::create(dir.path(), false).unwrap();
        out.writer("flows.csv").unwrap().write_all(b"half").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_report_is_not_overwritten_without_force() {
        let dir = tempfile::tempdir().unwrap();
        report_in(dir.path(), "charts/a.png");
        assert!(matches!(OutputDir::create(dir.path(), false), Err(Error::ReportExists(path)) if path == dir.path()));
        fs::remove_file(dir.path().join(manifest::NAME)).unwrap();
        assert!(matches!(OutputDir::create(dir.path(), false), Err(Error::ReportExists(_))), "an interrupted report counts too");
    }

    #[test]
    fn force_removes_the_old_report_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        report_in(dir.path(), "charts/alert-1-port_scan.png");
        fs::write(dir.path().join("charts/mine.png"), "mine").unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        fs::write(dir.path().join("hosts.csv"), "from an older run").unwrap();
        report_in(dir.path(), "charts/alert-1-syn_flood.png");
        let left = |name: &str| dir.path().join(name).exists();
        assert!(left("charts/mine.png") && left("notes.txt") && left("charts/alert-1-syn_flood.png") && left(manifest::NAME));
        assert!(!left("charts/alert-1-port_scan.png") && !left("hosts.csv"));
    }

    #[test]
    fn where_a_manifest_is_the_report_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        report_in(dir.path(), "charts/alert-1-port_scan.png");
        let out = OutputDir::create(dir.path(), true).unwrap();
        out.begin().unwrap();
        out.write("alerts.jsonl", b"new").unwrap();
        out.write("charts/alert-7-syn_flood.png", b"new").unwrap();
        _ = out.writer("hosts.csv").map(std::mem::forget);
        drop(out);
        assert!(!dir.path().join(manifest::NAME).exists(), "killed in the middle");
        report_in(dir.path(), "charts/alert-1-icmp_flood.png");
        let left: BTreeSet<String> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(left, ["alerts.jsonl", "charts", manifest::NAME].map(String::from).into());
        assert_eq!(names_in(dir.path(), "charts"), ["charts/alert-1-icmp_flood.png"], "nothing of the two runs before");
    }

    #[test]
    fn what_is_given_up_before_it_began_leaves_nothing_and_spares_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("new");
        let out = OutputDir::replace(&new).unwrap();
        drop(out.writer("tables/flows.parquet").unwrap());
        out.abandon();
        assert!(!new.exists());
        report_in(dir.path(), "charts/a.png");
        let before = fs::read(dir.path().join(manifest::NAME)).unwrap();
        OutputDir::replace(dir.path()).unwrap().abandon();
        assert_eq!(fs::read(dir.path().join(manifest::NAME)).unwrap(), before);
    }

    #[test]
    fn a_forged_manifest_removes_nothing_outside_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("report"), dir.path().join("precious"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "precious").unwrap();
        let names = ["../precious", outside.to_str().unwrap()];
        let files: Vec<FileRecord> =
            names.iter().map(|name| FileRecord { name: (*name).into(), bytes: 0, sha256: String::new() }).collect();
        fs::write(inside.join(manifest::NAME), serde_json::json!({ "files": files }).to_string()).unwrap();
        let out = OutputDir::create(&inside, true).unwrap();
        out.begin().unwrap();
        out.finish(&[], b"{}", None).unwrap();
        assert!(outside.exists());
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 1, "the new manifest and nothing else");
    }

    #[cfg(unix)]
    #[test]
    fn a_forged_manifest_removes_nothing_behind_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("report"), dir.path().join("home/deep"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("precious"), "precious").unwrap();
        std::os::unix::fs::symlink(dir.path().join("home"), inside.join("link")).unwrap();
        let files = [FileRecord { name: "link/deep/precious".into(), bytes: 0, sha256: String::new() }];
        fs::write(inside.join(manifest::NAME), serde_json::json!({ "files": files }).to_string()).unwrap();
        OutputDir::create(&inside, true).unwrap().finish(&[], b"{}", None).unwrap();
        assert!(outside.join("precious").exists());
    }

    #[test]
    fn names_that_lead_out_of_the_directory_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutputDir::create(dir.path(), false).unwrap();
        for name in ["../x", "/etc/x", "a/../../x", "", "."] {
            assert!(out.writer(name).is_err(), "{name:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_a_report() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let out = OutputDir::create(&dir.path().join("new"), false).unwrap();
        out.write("charts/x.png", b"x").unwrap();
        let mode = |path: &str| fs::metadata(out.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(""), mode("charts"), mode("charts/x.png")], [0o700, 0o700, 0o600]);
    }

    #[cfg(unix)]
    #[test]
    fn links_planted_in_the_directory_are_not_followed() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (report, elsewhere) = (dir.path().join("report"), dir.path().join("elsewhere"));
        fs::create_dir_all(&report).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        let victim = elsewhere.join("victim");
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, report.join(".hosts.csv.partial")).unwrap();
        symlink(&victim, report.join("summary.json")).unwrap();
        symlink(&elsewhere, report.join("charts")).unwrap();
        let out = OutputDir::create(&report, false).unwrap();
        out.write("hosts.csv", b"new").unwrap();
        out.write("summary.json", b"new").unwrap();
        assert!(matches!(out.write("charts/x.png", b"new"), Err(Error::Write { .. })));
        assert_eq!(fs::read(&victim).unwrap(), b"untouched");
        assert_eq!(fs::read(report.join("summary.json")).unwrap(), b"new");
        assert!(!elsewhere.join("x.png").exists());
    }
}
