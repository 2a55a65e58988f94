//! The seal of a manifest: that nsm wrote it, run by this user on this machine.
//!
//! A manifest lists hashes that anybody can compute, so that a whole report can be forged, and come with the captures that
//! it is to hide: an archive that is unpacked belongs to who unpacks it. The seal is a keyed hash of the manifest (RFC
//! 2104), and the key lies with the user's state and not with the reports. It says nothing to anybody else, and is no
//! signature of evidence. Knows where the key is; does not know what a manifest says.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::digest::{self, Hmac};

/// Beside the manifest.
pub const NAME: &str = "manifest.seal";
const KEY_FILE: &str = "report.key";
/// As long as the hash: RFC 2104, section 3.
const KEY: usize = 32;

pub struct Seal {
    key: [u8; KEY],
}

impl Seal {
    /// With the key of this user, which is made where there is none yet.
    ///
    /// # Errors
    /// Where the key cannot be read or made, or where others can read it.
    pub fn of_user() -> io::Result<Self> {
        let none = || io::Error::new(ErrorKind::NotFound, "neither XDG_STATE_HOME nor HOME names a directory");
        Self::kept_in(&state_dir().ok_or_else(none)?)
    }

    fn kept_in(dir: &Path) -> io::Result<Self> {
        let path = dir.join(KEY_FILE);
        let named = |cause: io::Error| io::Error::new(cause.kind(), format!("{}: {cause}", path.display()));
        match read(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => make(dir, &path).and_then(|()| read(&path)),
            found => found,
        }
        .map(|key| Self { key })
        .map_err(named)
    }

    #[cfg(test)]
    pub const fn of_key(key: [u8; KEY]) -> Self {
        Self { key }
    }

    /// What is written beside a manifest.
    #[must_use]
    pub fn of(&self, manifest: &[u8]) -> String {
        digest::hex(&Hmac::new(&self.key).of(manifest)) + "\n"
    }
}

/// The directory of the XDG Base Directory Specification for what is to last and is no one's document.
fn state_dir() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let local = || of("HOME").map(|home| home.join(".local/state")).or_else(|| of("LOCALAPPDATA"));
    of("XDG_STATE_HOME").or_else(local).map(|dir| dir.join("nsm"))
}

fn read(path: &Path) -> io::Result<[u8; KEY]> {
    let refused = |what| Err(io::Error::new(ErrorKind::InvalidData, what));
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() {
        return refused("it is no regular file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if found.uid() != nix::unistd::geteuid().as_raw() {
            return refused("it belongs to somebody else");
        }
        if found.mode() & 0o077 != 0 {
            return refused("others may read or write it; remove it, and reports are made anew once");
        }
    }
    let mut key = [0; KEY];
    match File::open(path)?.read_exact(&mut key) {
        Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => {
            refused("it is shorter than a key; remove it, and reports are made anew once")
        }
        read => read.map(|()| key),
    }
}

/// Another nsm may make it at the same time, and the first one counts.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    builder.create(dir)?;
    match options.open(path) {
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made?.write_all(&chance()?),
    }
}

#[cfg(unix)]
fn chance() -> io::Result<[u8; KEY]> {
    let mut bytes = [0; KEY];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Hash tables are seeded by the system: 16 bytes of chance behind a keyed hash that does not give them away.
#[cfg(not(unix))]
fn chance() -> io::Result<[u8; KEY]> {
    use std::hash::{BuildHasher, RandomState};
    let seed = RandomState::new();
    let mut bytes = [0; KEY];
    for (place, part) in bytes.chunks_mut(8).enumerate() {
        part.copy_from_slice(&seed.hash_one(place).to_le_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_seals_alike() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("state/nsm");
        let first = Seal::kept_in(&place).unwrap();
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "no temporary file is left");
        assert_eq!(first.of(b"manifest"), Seal::kept_in(&place).unwrap().of(b"manifest"));
        assert_ne!(first.of(b"manifest"), first.of(b"manifesT"));
        let other = Seal::kept_in(&dir.path().join("other")).unwrap();
        assert_ne!(first.of(b"manifest"), other.of(b"manifest"), "every user has another key");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_none() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let refused = || Seal::kept_in(dir.path()).map(drop).unwrap_err().to_string();
        Seal::kept_in(dir.path()).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refused().contains("others may read"), "{}", refused());
        fs::rename(&path, dir.path().join("away")).unwrap();
        symlink(dir.path().join("away"), &path).unwrap();
        assert!(refused().contains("no regular file"), "{}", refused());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "short").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(refused().contains("shorter than a key"), "{}", refused());
    }
}
