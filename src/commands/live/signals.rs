//! What the outside may ask of a capture that goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// Asked for by a signal, and not yet done.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// SIGUSR1: a report now.
    report: Arc<AtomicBool>,
    /// SIGHUP: the log is opened anew.
    reopen: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn watch() -> Result<Self, Error> {
        let signals = Self::default();
        #[cfg(unix)]
        for (signal, asked) in [(signal_hook::consts::SIGUSR1, &signals.report), (signal_hook::consts::SIGHUP, &signals.reopen)] {
            let watched = signal_hook::flag::register(signal, Arc::clone(asked));
            watched.map_err(|cause| Error::Internal(format!("cannot watch for signal {signal}: {cause}")))?;
        }
        Ok(signals)
    }

    /// Whether a report is asked for, once.
    pub(super) fn wants_report(&self) -> bool {
        self.report.swap(false, Ordering::Relaxed)
    }

    /// Whether the log is to be opened anew, once.
    pub(super) fn wants_reopened_log(&self) -> bool {
        self.reopen.swap(false, Ordering::Relaxed)
    }
}
