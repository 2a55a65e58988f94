//! Attempts to log in: who tried to be whom where, minute by minute, and what came of it.

use super::keyed::Merge;
use crate::decode::app::{Login, LoginOutcome, Service};
use crate::net::Addr;
use crate::time::Nanos;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginKey {
    pub minute: Nanos,
    pub client: Addr,
    pub server: Addr,
    pub port: u16,
    pub service: Service,
    /// Empty where the protocol hides it.
    pub user: Box<str>,
}

/// First and last time of something; none if it never happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span(pub Option<(Nanos, Nanos)>);

impl Span {
    pub const fn at(ts: Nanos) -> Self {
        Self(Some((ts, ts)))
    }

    fn merge(&mut self, other: Self) {
        self.0 = match (self.0, other.0) {
            (Some((first, last)), Some((other_first, other_last))) => Some((first.min(other_first), last.max(other_last))),
            (one, other) => one.or(other),
        };
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginRow {
    /// The server said so.
    pub failed: u64,
    /// Sizes and times say so.
    pub failed_inferred: u64,
    pub succeeded: u64,
    pub succeeded_inferred: u64,
    /// The server hung up before it asked.
    pub dropped: u64,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    /// Failures and drops.
    pub failures: Span,
    pub successes: Span,
}

impl LoginRow {
    #[must_use]
    pub fn of(login: &Login) -> Self {
        let ordinal = login.at.ordinal;
        let mut row = Self { first_ordinal: ordinal, last_ordinal: ordinal, ..Self::default() };
        let span = Span::at(login.at.ts);
        match (login.outcome, login.certain) {
            (LoginOutcome::Failed, true) => (row.failed, row.failures) = (1, span),
            (LoginOutcome::Failed, false) => (row.failed_inferred, row.failures) = (1, span),
            (LoginOutcome::Dropped, _) => (row.dropped, row.failures) = (1, span),
            (LoginOutcome::Succeeded, true) => (row.succeeded, row.successes) = (1, span),
            (LoginOutcome::Succeeded, false) => (row.succeeded_inferred, row.successes) = (1, span),
        }
        row
    }
}

impl Merge for LoginRow {
    fn merge(&mut self, other: &Self) {
        self.failed += other.failed;
        self.failed_inferred += other.failed_inferred;
        self.succeeded += other.succeeded;
        self.succeeded_inferred += other.succeeded_inferred;
        self.dropped += other.dropped;
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
        self.failures.merge(other.failures);
        self.successes.merge(other.successes);
    }
}
