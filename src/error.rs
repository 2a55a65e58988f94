//! Errors that end the run of one input, each a sentence with what to do next.
//!
//! What is wrong inside a capture is not an error but a [`crate::warning::Warning`].

use std::io;
use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot open {path}: {cause}")]
    Open { path: PathBuf, cause: io::Error },
    #[error("cannot read {path} at byte {offset}: {cause}")]
    Read { path: PathBuf, offset: u64, cause: io::Error },
    #[error("{path} is not a capture: {found}")]
    NotACapture { path: PathBuf, found: String },
    #[error("cannot write {path}: {cause}")]
    Write { path: PathBuf, cause: io::Error },
    #[error("{0} already holds a report")]
    ReportExists(PathBuf),
    /// A setting that cannot be used: its path (`scan.ports`), and what is allowed.
    #[error("configuration: {key}: {problem}")]
    Setting { key: String, problem: String },
    /// Rules that cannot be used: a line for everything that is wrong, with its place.
    #[error("{0}")]
    Rules(String),
    #[error("{path} cannot be used as a baseline: {problem}")]
    Baseline { path: PathBuf, problem: String },
    /// Stored tables that cannot be judged.
    #[error("{path} cannot be used: {problem}")]
    Stored { path: PathBuf, problem: String },
    /// An interface that frames cannot be taken from, and what can be done about it.
    #[error("cannot capture on {interface}: {problem}")]
    Interface { interface: String, problem: String, hint: Option<String> },
    /// A filter that libpcap does not understand.
    #[error("the filter `{expression}` cannot be used: {problem}")]
    Filter { expression: String, problem: String },
    /// A user that this process cannot become.
    #[error("cannot run as {user}: {problem}")]
    User { user: String, problem: String, hint: Option<String> },
    #[error("{0}")]
    Usage(String),
    /// A result could not be computed; a defect of ours and not of the input.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open { cause, .. } if cause.kind() == io::ErrorKind::NotFound => Some("check the path".into()),
            Self::Open { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
                Some("captures are often readable by root only: sudo chown, or run as their owner".into())
            }
            Self::NotACapture { .. } => Some("nsm reads pcap and pcapng, plain or compressed with gzip, zstd or lz4".into()),
            Self::ReportExists(_) => Some("use --force to replace it, or -o to write elsewhere".into()),
            Self::Setting { .. } => Some("`nsm config` prints every setting with its unit, default and range".into()),
            Self::Rules(_) => Some("`nsm rules columns` lists the tables and columns that rules may use".into()),
            Self::Write { .. } => Some("check that the output directory is writable and the disk not full, or use -o".into()),
            Self::Baseline { .. } => {
                Some("make one from captures of ordinary days: nsm analyze --save-baseline FILE known-good.pcap".into())
            }
            Self::Stored { .. } => {
                Some("a report can be judged if it was made with `parquet` and `json` among its --format; analyze the capture again".into())
            }
            Self::Internal(_) => {
                Some("this is a defect of nsm and not of the input: please report the sentence above and the command".into())
            }
            Self::Interface { hint, .. } | Self::User { hint, .. } => hint.clone(),
            Self::Filter { .. } => Some(
                "filters are written as for tcpdump, such as 'tcp port 443 and not host 10.0.0.1'; `man pcap-filter` has the language"
                    .into(),
            ),
            Self::Open { .. } | Self::Read { .. } | Self::Usage(_) => None,
        }
    }
}
