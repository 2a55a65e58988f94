//! What a process gives up once it has what it needs: the rights of root, and the files it has no business with.
//!
//! Knows users and paths, and nothing of what the process does. Captures are hostile input read with high rights: a
//! mistake in reading them should not become the mistake of root.
//!
//! Order: open the interface, [`own`] the directories, [`become_user`], [`restrict`], and only then start threads
//! ([`restrict`] holds for the thread that calls it and those it starts).

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
mod nobody;
#[cfg(all(unix, not(target_vendor = "apple")))]
mod user;

use std::fmt;
use std::path::PathBuf;

#[cfg(target_os = "linux")]
pub use self::landlock::restrict;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::restrict;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
pub use nobody::{User, become_user, own, user};
#[cfg(all(unix, not(target_vendor = "apple")))]
pub use user::{User, become_user, own, user};

/// The files a thread may still open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Directories below which files are read, written, made, renamed and removed.
    pub writable: Vec<PathBuf>,
    /// Files and directories that are read; what is not there is passed over.
    pub readable: Vec<PathBuf>,
    /// Programs, and directories of them.
    pub executable: Vec<PathBuf>,
}

/// How much of what was asked for the system enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restricted {
    Full,
    /// The kernel knows some of it only.
    Partial,
    /// Nothing is restricted, for this reason.
    None(String),
}

impl fmt::Display for Restricted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("files: only those that are needed can be opened (Landlock)"),
            Self::Partial => f.write_str("files: mostly those that are needed can be opened (Landlock; a newer kernel enforces all of it)"),
            Self::None(reason) => write!(f, "files: nothing is restricted: {reason}"),
        }
    }
}
