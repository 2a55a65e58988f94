//! `security_monitor.log` while it is written: a line at a time, put aside when it is large, opened anew when asked.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::report::open_append;

pub(super) const NAME: &str = "security_monitor.log";

#[derive(Debug)]
pub(super) struct EventLog {
    path: PathBuf,
    most: u64,
    file: Option<File>,
    bytes: u64,
    /// Lines that could not be written, and why.
    lost: u64,
    problem: Option<String>,
}

impl EventLog {
    /// Appends to what is there, up to so many bytes.
    pub(super) fn open(dir: &Path, most: u64) -> io::Result<Self> {
        let path = dir.join(NAME);
        let (file, bytes) = append(&path)?;
        Ok(Self { path, most, file: Some(file), bytes, lost: 0, problem: None })
    }

    /// A line without its end. One that cannot be written is counted, and the next is tried again.
    pub(super) fn write(&mut self, line: &str) {
        if let Err(cause) = self.try_write(line) {
            self.lost += 1;
            self.problem = Some(cause.to_string());
            self.file = None;
        }
    }

    fn try_write(&mut self, line: &str) -> io::Result<()> {
        let text = format!("{line}\n");
        if self.bytes > 0 && self.bytes + text.len() as u64 > self.most {
            self.file = None;
            fs::rename(&self.path, aside(&self.path))?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let (file, bytes) = append(&self.path)?;
                self.bytes = bytes;
                none.insert(file)
            }
        };
        // In one piece: no line is half there.
        let before = self.bytes;
        if let Err(cause) = file.write_all(text.as_bytes()) {
            let _ = file.set_len(before);
            return Err(cause);
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Somebody has moved the file away: the next line begins another.
    pub(super) fn reopen(&mut self) {
        self.file = None;
    }

    /// Lines that could not be written, and why not.
    pub(super) fn lost(&self) -> Option<(u64, &str)> {
        self.problem.as_deref().map(|problem| (self.lost, problem))
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

fn append(path: &Path) -> io::Result<(File, u64)> {
    let file = open_append(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_large_log_is_put_aside_and_one_that_was_moved_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        // Two lines of five bytes are as much as there may be.
        let mut log = EventLog::open(dir.path(), 10).unwrap();
        ["1234", "5678", "9abc"].into_iter().for_each(|line| log.write(line));
        assert_eq!((read(&path).as_str(), read(&aside(&path)).as_str()), ("9abc\n", "1234\n5678\n"));
        fs::rename(&path, dir.path().join("moved")).unwrap();
        log.reopen();
        log.write("def0");
        assert_eq!(read(&path), "def0\n");
        drop(log);
        let mut again = EventLog::open(dir.path(), 10).unwrap();
        again.write("1111");
        assert_eq!(read(&path), "def0\n1111\n", "what is there is kept");
        assert!(again.lost().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn lines_that_cannot_be_written_are_counted_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = EventLog::open(dir.path(), 100).unwrap();
        fs::remove_file(dir.path().join(NAME)).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), dir.path().join(NAME)).unwrap();
        log.reopen();
        log.write("one");
        log.write("two");
        assert_eq!(log.lost().map(|(lines, _)| lines), Some(2));
        assert!(!dir.path().join("elsewhere").exists());
        fs::remove_file(dir.path().join(NAME)).unwrap();
        log.write("three");
        assert_eq!(read(&dir.path().join(NAME)), "three\n");
    }
}
