//! A file of lines, or standard output: each line is written whole, in one go.
//!
//! Knows files and not what the lines say. Appends to a file that is there, as Suricata does, makes a new one for its
//! owner only, and follows no symbolic link at its end. A file that was moved away (logrotate) is made anew; where that
//! cannot be done, lines go on into the one that was moved, so that none is lost.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::queue::{Deliver, Pause};
use crate::detect::Notice;
use crate::error::Error;
use crate::report::open_append;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    StandardOutput,
    File(PathBuf),
}

impl Target {
    /// `-` is standard output.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        if path == Path::new("-") { Self::StandardOutput } else { Self::File(path.to_owned()) }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::StandardOutput => "-".into(),
            Self::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

/// Writes a line for every notice.
pub(super) struct Lines {
    to: Sink,
    format: fn(&Notice) -> Result<String, Error>,
}

enum Sink {
    /// A handle of our own: the lock of the standard library's is held by the program while it runs.
    StandardOutput(File),
    File {
        path: PathBuf,
        file: File,
        /// The file ends in the middle of a line.
        is_torn: bool,
    },
}

impl Lines {
    pub fn open(target: &Target, format: fn(&Notice) -> Result<String, Error>) -> Result<Self, Error> {
        let opened = match target {
            Target::StandardOutput => standard_output().map(Sink::StandardOutput).map_err(|cause| ("standard output".into(), cause)),
            Target::File(path) => match open_append(path) {
                Ok(file) => Ok(Sink::File { path: path.clone(), file, is_torn: false }),
                Err(cause) => Err((path.clone(), cause)),
            },
        };
        let to = opened.map_err(|(path, cause)| Error::Write { path, cause })?;
        Ok(Self { to, format })
    }
}

impl Deliver for Lines {
    fn deliver(&mut self, notice: &Notice, _: &Pause) -> Result<(), String> {
        let line = (self.format)(notice).map_err(|cause| cause.to_string())?;
        self.to.write(line + "\n").map_err(|cause| format!("cannot be written: {cause}"))
    }
}

impl Sink {
    fn write(&mut self, line: String) -> io::Result<()> {
        match self {
            Self::StandardOutput(out) => out.write_all(line.as_bytes()),
            Self::File { path, file, is_torn } => {
                if let Some(anew) = moved_away(path, file).then(|| open_append(path).ok()).flatten() {
                    (*file, *is_torn) = (anew, false);
                }
                let line = if *is_torn { format!("\n{line}") } else { line };
                append(file, line.as_bytes(), is_torn)
            }
        }
    }
}

/// One write for the line. What is written of it when the disk is full is taken back; where it cannot be, because
/// somebody else has written behind it, the next line begins on a line of its own.
fn append(file: &mut File, line: &[u8], is_torn: &mut bool) -> io::Result<()> {
    let before = file.metadata()?.len();
    let written = loop {
        match file.write(line) {
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            written => break written?,
        }
    };
    if written == line.len() {
        *is_torn = false;
        return Ok(());
    }
    let is_last = file.metadata()?.len() == before + written as u64;
    *is_torn = !(is_last && file.set_len(before).is_ok()) && written > 0;
    Err(ErrorKind::StorageFull.into())
}

/// The file that is open is no longer the one with this name.
#[cfg(unix)]
fn moved_away(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let which = |found: fs::Metadata| (found.dev(), found.ino());
    let named = fs::symlink_metadata(path).map(which).ok();
    file.metadata().is_ok_and(|open| named != Some(which(open)))
}

/// Elsewhere a file that is open cannot be moved away.
#[cfg(not(unix))]
fn moved_away(_: &Path, _: &File) -> bool {
    false
}

#[cfg(unix)]
fn standard_output() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn standard_output() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdout().as_handle().try_clone_to_owned().map(File::from)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::example;
    use super::*;

    fn lines(path: &Path) -> Result<Lines, Error> {
        Lines::open(&Target::of(path), |notice| Ok(notice.id.clone()))
    }

    fn write(lines: &mut Lines, id: &str) {
        lines.deliver(&Notice { id: id.into(), ..example::notice() }, &Pause::endless()).unwrap();
    }

    #[test]
    fn a_new_file_is_for_its_owner_and_one_that_is_there_is_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("eve.json");
        write(&mut lines(&path).unwrap(), "one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write(&mut lines(&path).unwrap(), "two");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640, "whose file it is decides who reads it");
    }

    #[test]
    fn links_pipes_and_directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link, dangling) = (dir.path().join("victim"), dir.path().join("link"), dir.path().join("dangling"));
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, &link).unwrap();
        symlink(dir.path().join("new"), &dangling).unwrap();
        let refusal = |path: &Path| lines(path).map(|_| ()).unwrap_err().to_string();
        assert!(refusal(&link).contains("symbolic link"), "{}", refusal(&link));
        assert!(refusal(&dangling).contains("symbolic link"));
        assert!(refusal(dir.path()).contains("not a regular file"));
        assert!(refusal(Path::new("/dev/full")).contains("not a regular file"));
        assert!(refusal(&dir.path().join("no/such")).contains("cannot write"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert!(!dir.path().join("new").exists());
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("eve.json"), dir.path().join("eve.json.1"));
        let mut lines = lines(&path).unwrap();
        write(&mut lines, "one");
        fs::rename(&path, &old).unwrap();
        write(&mut lines, "two");
        fs::remove_file(&path).unwrap();
        write(&mut lines, "three");
        assert_eq!((fs::read_to_string(&old).unwrap(), fs::read_to_string(&path).unwrap()), ("one\n".into(), "three\n".into()));
        // A link in its place is not followed: lines go on where they went.
        fs::rename(&path, dir.path().join("eve.json.2")).unwrap();
        symlink(&old, &path).unwrap();
        write(&mut lines, "four");
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(dir.path().join("eve.json.2")).unwrap(), "three\nfour\n");
    }

    #[test]
    fn a_line_after_a_torn_one_is_on_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("eve.json");
        fs::write(&path, "{\"half").unwrap();
        let mut file = open_append(&path).unwrap();
        let mut sink = Sink::File { path: path.clone(), file: file.try_clone().unwrap(), is_torn: true };
        sink.write("whole\n".into()).unwrap();
        sink.write("next\n".into()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"half\nwhole\nnext\n");
        let mut is_torn = false;
        append(&mut file, b"last\n", &mut is_torn).unwrap();
        assert!(!is_torn);
    }
}
