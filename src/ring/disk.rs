//! Files that are new when they are opened, for their owner only, and end where they are told to.
//!
//! Knows the file system. A test has a disk of its own that is full when it is to be.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Where files are made.
pub(super) trait Disk: Send {
    /// A file that was not there before; no link is followed to one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Removes a file, unless another one has taken its place.
    fn remove(&self, path: &Path, identity: Identity) -> io::Result<()>;
}

/// A file that grows at its end.
pub(super) trait Output: Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Gives up everything behind so many bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    fn identity(&self) -> Identity;
}

/// Which file it is, whatever its name; none where the system does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(Option<(u64, u64)>);

impl Identity {
    pub const UNKNOWN: Self = Self(None);

    #[cfg(unix)]
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(Some((found.dev(), found.ino())))
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self::UNKNOWN
    }
}

/// The disk of this machine.
pub(super) struct Real;

impl Disk for Real {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(options.open(path)?))
    }

    fn remove(&self, path: &Path, identity: Identity) -> io::Result<()> {
        let found = fs::symlink_metadata(path)?;
        if found.is_file() && Identity::of(&found) == identity { fs::remove_file(path) } else { Ok(()) }
    }
}

impl Output for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn identity(&self) -> Identity {
        self.metadata().map_or(Identity::UNKNOWN, |found| Identity::of(&found))
    }
}

/// Writes as much as there is room for: how much that was, and why not all.
pub(super) fn write(output: &mut dyn Output, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match output.write(rest) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return (written, Some(cause)),
        }
    }
    (written, None)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_new_files_are_written_and_only_their_owner_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut file = Real.create(&path("new")).unwrap();
        assert_eq!(write(&mut *file, b"whole half").0, 10);
        file.cut(5).unwrap();
        assert_eq!(write(&mut *file, b" again").0, 6);
        assert_eq!(fs::read(path("new")).unwrap(), b"whole again");
        assert_eq!(fs::metadata(path("new")).unwrap().permissions().mode() & 0o777, 0o600);
        symlink(path("target"), path("link")).unwrap();
        for taken in ["new", "link"] {
            assert_eq!(Real.create(&path(taken)).map(drop).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{taken}");
        }
        assert!(!path("target").exists());
    }

    #[test]
    fn what_somebody_else_put_in_its_place_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ring");
        let ours = Real.create(&path).unwrap();
        fs::rename(&path, dir.path().join("kept for the lawyer")).unwrap();
        fs::write(&path, "theirs").unwrap();
        Real.remove(&path, ours.identity()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        fs::remove_file(&path).unwrap();
        fs::rename(dir.path().join("kept for the lawyer"), &path).unwrap();
        Real.remove(&path, ours.identity()).unwrap();
        assert!(!path.exists());
    }
}
