//! What is followed, opened; and what this process gives up once it is.

use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::signals::Signals;
use crate::capture::live::{self, Counters};
use crate::capture::{FileSource, Paced, Source, SourceFacts, filtered};
use crate::cli::Analyze;
use crate::confine::{self, Allowed, Restricted};
use crate::error::Error;
use crate::pipeline::Measured;
use crate::report::OutputDir;
use crate::ring::{Recorded, RingHandle};
use crate::warning::Warning;

/// A capture that goes on.
pub(in super::super) struct Feed {
    pub(super) source: Box<dyn Source>,
    /// The interface, as reports call it.
    pub(super) name: String,
    /// Of an interface.
    pub(super) counters: Option<Arc<Counters>>,
    /// Where packets are written, too.
    pub(super) ring: Option<RingHandle>,
    /// How much of the file system is still there.
    pub(super) restricted: Restricted,
    pub(super) signals: Signals,
}

/// What the system tells a program of itself.
const SYSTEM: [&str; 3] = ["/etc", "/proc", "/sys"];

impl Feed {
    /// Opens it, and then gives up root and the files that are not needed. To be called before there are threads that
    /// read what was captured: they keep what they have.
    ///
    /// # Errors
    /// When there is nothing to follow, this may not be followed, or the user cannot be become.
    pub(in super::super) fn open(args: &Analyze, interface: &str, stop: &Arc<AtomicBool>) -> Result<Self, Error> {
        // Before anything may have to be waited for: what nobody watches for kills.
        let signals = Signals::watch()?;
        let user = args.live.user.as_deref().map(confine::user).transpose()?;
        let mut reads = Vec::new();
        let (opened, counters) = match args.live.request() {
            Some(request) if interface != "-" => {
                let source = live::open(&request, Arc::clone(stop))?;
                let counters = source.counters();
                reads = source.reads();
                (Opened::Interface(Box::new(source)), Some(counters))
            }
            _ => (Opened::StandardInput, None),
        };
        let recording = args.live.recording(&format!("nsm {}", env!("CARGO_PKG_VERSION")));
        let written = recording.as_ref().map(|recording| directory_of(&recording.path));
        let writable: Vec<PathBuf> = [Some(args.output.clone()), written].into_iter().flatten().collect();
        for dir in &writable {
            match &user {
                Some(user) => confine::own(dir, user)?,
                None => OutputDir::plain(dir).map(drop)?,
            }
        }
        user.as_ref().map(confine::become_user).transpose()?;
        let named = args.rules.iter().chain(&args.baseline).cloned();
        let readable = SYSTEM.iter().map(PathBuf::from).chain(named).chain(reads).collect();
        let restricted = confine::restrict(&Allowed { writable, readable, executable: Vec::new() });
        let source = opened.source(args.live.filter.as_deref(), args.live.packets.map(NonZeroU64::get), stop);
        let (source, ring): (Box<dyn Source>, _) = match &recording {
            None => (source, None),
            Some(recording) => {
                let (recorded, ring) = Recorded::begin(source, recording, counters.clone())?;
                (Box::new(recorded), Some(ring))
            }
        };
        let name = if interface == "-" { "stdin".into() } else { interface.to_owned() };
        Ok(Self { source, name, counters, ring, restricted, signals })
    }
}

/// What was lost of the capture so far, and what of that earlier periods have told.
#[derive(Debug, Default)]
pub(super) struct Losses {
    counters: Option<Arc<Counters>>,
    ring: Option<RingHandle>,
    told_dropped: u64,
    told_unwritten: u64,
}

impl Losses {
    pub(super) fn new(counters: Option<Arc<Counters>>, ring: Option<RingHandle>) -> Self {
        Self { counters, ring, ..Self::default() }
    }

    /// Packets that were dropped before anybody could read them, in all periods.
    pub(super) fn dropped(&self) -> u64 {
        self.counters.as_ref().map_or(0, |counters| counters.now().missing())
    }

    fn unwritten(&self) -> u64 {
        self.ring.as_ref().map_or(0, RingHandle::lost_packets)
    }

    /// What is known of the source in this period.
    pub(super) fn facts(&self, source: &SourceFacts) -> SourceFacts {
        SourceFacts { dropped: self.dropped().saturating_sub(self.told_dropped), ..source.clone() }
    }

    /// The same and what was not written, for the report that tells it.
    pub(super) fn end_period(&mut self, source: &SourceFacts) -> (SourceFacts, Vec<Warning>) {
        let (dropped, unwritten) = (self.dropped(), self.unwritten());
        let facts = SourceFacts { dropped: dropped.saturating_sub(self.told_dropped), ..source.clone() };
        let packets = unwritten.saturating_sub(self.told_unwritten);
        let problem = self.ring.as_ref().and_then(RingHandle::problem).unwrap_or_default();
        (self.told_dropped, self.told_unwritten) = (dropped, unwritten);
        (facts, Vec::from_iter((packets > 0).then_some(Warning::NotWritten { packets, problem })))
    }

    /// At its end the source says what was lost in all: takes from it what earlier reports have told.
    pub(super) fn rest_of(&self, measured: &mut Measured) {
        measured.facts.dropped = measured.facts.dropped.saturating_sub(self.told_dropped);
        for warning in &mut measured.warnings {
            if let Warning::NotWritten { packets, .. } = warning {
                *packets = packets.saturating_sub(self.told_unwritten);
            }
        }
        measured.warnings.retain(|warning| !matches!(warning, Warning::NotWritten { packets: 0, .. }));
    }
}

/// What needs the rights that are given up is open; the rest is done without them.
enum Opened {
    Interface(Box<dyn Source>),
    StandardInput,
}

impl Opened {
    fn source(self, filter: Option<&str>, packets: Option<u64>, stop: &Arc<AtomicBool>) -> Box<dyn Source> {
        match self {
            // Filtered by the kernel.
            Self::Interface(source) => source,
            Self::StandardInput => {
                let filter = filter.map(str::to_owned);
                let open = move || {
                    let stream: Box<dyn Source> = Box::new(FileSource::from_live_stream("-".into(), Box::new(io::stdin()))?);
                    match filter {
                        Some(expression) => filtered(stream, &expression),
                        None => Ok(stream),
                    }
                };
                Box::new(Paced::begin(open, packets, Arc::clone(stop)))
            }
        }
    }
}

/// The directory that a capture file is made in; the path may be the directory.
fn directory_of(path: &Path) -> PathBuf {
    let text = path.as_os_str().to_string_lossy();
    if path.is_dir() || text.ends_with(std::path::is_separator) {
        return path.to_owned();
    }
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| ".".into(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_file_is_made_in_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(directory_of(dir.path()), dir.path());
        assert_eq!(directory_of(&dir.path().join("x.pcapng")), dir.path());
        assert_eq!(directory_of(Path::new("x.pcapng")), Path::new("."));
        assert_eq!(directory_of(Path::new("ring/")), Path::new("ring/"));
    }
}
