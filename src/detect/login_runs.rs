//! How bad the failures of one client at one server are: failures in a row, how dense, whose, and what
//! came after them.
//!
//! Honest clients fail too, and then succeed: somebody types the password again, SSH offers one key
//! after the other. So failures count only as long as no success lies between them. What lies within a
//! minute of one user is known by number and by its ends only; a success among failures cuts them into
//! even parts.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::Severity;
use super::login_rows::{Row, Tally};
use crate::config::Login;
use crate::time::{HOUR, MINUTE, Nanos, from_seconds};

/// Failures that lie close together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub first: Nanos,
    pub last: Nanos,
    pub failures: Tally,
}

impl Piece {
    pub fn of(row: &Row) -> Option<Self> {
        row.failed_at.map(|(first, last)| Self { first, last, failures: row.failures })
    }
}

/// The most failures in any window, and when a threshold was reached: at the latest, as the failures of
/// a piece are not told apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Densest {
    pub tally: Tally,
    pub crossed: Option<Nanos>,
}

/// Pieces must be sorted by their beginning. A window ends with a piece and leaves out what began
/// `width` or more before that.
pub(super) fn densest(pieces: &[Piece], width: Nanos, threshold: u32) -> Densest {
    let mut found = Densest::default();
    let mut window = Tally::default();
    let mut oldest = pieces.iter().peekable();
    for piece in pieces {
        window += piece.failures;
        while let Some(left) = oldest.next_if(|old| old.first < piece.first && piece.last - old.first >= width) {
            window -= left.failures;
        }
        if window.total() > found.tally.total() {
            found.tally = window;
        }
        if window.total() >= u64::from(threshold) {
            found.crossed.get_or_insert(piece.last);
        }
    }
    found
}

/// A login that worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Success {
    pub at: Nanos,
    pub user: String,
}

/// Failures without a success between them.
struct Run {
    pieces: Vec<Piece>,
    success: Option<Success>,
}

/// What happened, in the order of time: failures lie where the first of them does.
enum Event {
    Failed(Piece),
    Succeeded(Success),
}

/// The users of one minute in one order: a success ends what all of them failed before it, whoever failed first.
fn events(rows: &[&Row]) -> Vec<Event> {
    let mut events: Vec<(Nanos, u8, Event)> = Vec::new();
    for row in rows {
        let success = row.succeeded_at.map(|(at, last)| (Success { at, user: row.user.clone() }, last));
        match (Piece::of(row), success) {
            (Some(piece), None) => events.push((piece.first, 1, Event::Failed(piece))),
            (None, Some((success, _))) => events.push((success.at, 2, Event::Succeeded(success))),
            (Some(piece), Some((success, last))) if last <= piece.first => {
                events.push((success.at, 0, Event::Succeeded(success)));
                events.push((piece.first, 1, Event::Failed(piece)));
            }
            (Some(piece), Some((success, _))) => {
                let among = success.at < piece.last;
                let failures = if among { piece.failures.part(row.succeeded.max(1)) } else { piece.failures };
                events.push((piece.first, 1, Event::Failed(Piece { failures, ..piece })));
                events.push((success.at.max(piece.first), 2, Event::Succeeded(success)));
            }
            (None, None) => {}
        }
    }
    events.sort_by_key(|(at, rank, _)| (*at, *rank));
    events.into_iter().map(|(_, _, event)| event).collect()
}

fn runs(rows: &[&Row]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for event in events(rows) {
        match event {
            Event::Failed(piece) => pieces.push(piece),
            Event::Succeeded(_) if pieces.is_empty() => {}
            Event::Succeeded(success) => runs.push(Run { pieces: std::mem::take(&mut pieces), success: Some(success) }),
        }
    }
    runs.push(Run { pieces, success: None });
    runs
}

/// What failures are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub width: Nanos,
    few: u32,
    failures: u32,
    one_user: u32,
    inferred: u32,
    high: u32,
}

impl Scale {
    /// Failures within `login.window_s`.
    pub fn close(settings: &Login) -> Self {
        let Login { few, failures, one_user, inferred, high, .. } = *settings;
        Self { width: from_seconds(settings.window_s), few, failures, one_user, inferred, high }
    }

    /// Failures however far apart.
    pub const fn slow(settings: &Login) -> Self {
        let slow = settings.slow;
        Self { width: Nanos::MAX, few: slow, failures: slow, one_user: slow, inferred: slow, high: u32::MAX }
    }

    /// How bad so many are, and the threshold that says so.
    fn judge(&self, tally: Tally, one_user: bool) -> (Severity, u32) {
        let total = tally.total();
        let medium = match (tally.is_inferred(), one_user) {
            (true, _) => self.inferred,
            (false, true) => self.one_user,
            (false, false) => self.failures,
        };
        let high = self.high.max(medium);
        match total {
            _ if tally.guesses() < u64::from(self.few) => (Severity::Low, self.few),
            _ if total >= u64::from(high) => (Severity::High, high),
            _ if total >= u64::from(medium) => (Severity::Medium, medium),
            _ => (Severity::Low, self.few),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub severity: Severity,
    /// Most failures in a row in one window.
    pub peak: Tally,
    pub threshold: u32,
    pub crossed: Nanos,
    /// A program that repeats a stale password, by its pace.
    pub stale: bool,
    /// A login that worked soon after.
    pub success: Option<Success>,
}

/// From so many users on somebody goes through a list, and a success may be of any other user.
const LIST_OF_USERS: usize = 3;

/// Judges the attempts of one client at one server, in time order; none below the scale.
pub(super) fn judge(rows: &[&Row], settings: &Login, scale: &Scale) -> Option<Verdict> {
    let users: BTreeSet<&str> = rows.iter().filter(|row| row.failed_at.is_some()).map(|row| row.user.as_str()).collect();
    let one_user = users.len() == 1 && !users.contains("");
    let most = patience(rows, settings, users.len() == 1, one_user);
    let tried = |user: &str| user.is_empty() || users.contains(user) || users.contains("") || users.len() >= LIST_OF_USERS;
    let verdicts = runs(rows).into_iter().filter_map(|run| {
        let found = densest(&run.pieces, scale.width, scale.few);
        let (severity, threshold) = scale.judge(found.tally, one_user);
        let severity = most.map_or(severity, |most| severity.min(most));
        let last = run.pieces.iter().map(|piece| piece.last).max()?;
        let success = run.success.filter(|success| success.at - last < from_seconds(settings.window_s) && tried(&success.user));
        // A program that repeats a stale password goes slowly, and does not get in a moment later.
        let guessed = most.is_none() && !found.tally.is_inferred() && found.tally.total() >= u64::from(scale.failures);
        let worked = success.is_some() && (severity >= Severity::Medium || guessed);
        let severity = if worked { Severity::Critical } else { severity };
        Some(Verdict { severity, peak: found.tally, threshold, crossed: found.crossed?, stale: most.is_some(), success })
    });
    verdicts.max_by_key(|verdict| (verdict.severity, verdict.peak.total(), std::cmp::Reverse(verdict.crossed)))
}

/// A steady pace kept up so long is a program's that nobody watches.
const UNWATCHED: Nanos = HOUR;
/// Such a program may try so many times as often as `login.retries_per_min`: every two seconds.
const UNWATCHED_FACTOR: u64 = 5;
/// Minutes with failures before a pace can be spoken of, and before it can be called steady.
const PACED_MINUTES: usize = 3;
const STEADY_MINUTES: usize = 5;

/// The worst that the pace allows: one user's name repeated at leisure is a stored password that has
/// changed. Where the name is hidden it takes hours of a steady pace to think so.
fn patience(rows: &[&Row], settings: &Login, alike: bool, known: bool) -> Option<Severity> {
    let mut minutes: BTreeMap<Nanos, u64> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.failed_at.is_some()) {
        *minutes.entry(row.minute).or_default() += row.failures.total();
    }
    let peak = minutes.values().copied().max()?;
    let span = minutes.keys().next_back()? - minutes.keys().next()?;
    let leisurely = peak <= u64::from(settings.retries_per_min);
    let unwatched = span >= UNWATCHED && is_steady(&minutes);
    match (alike, known) {
        (true, true) if leisurely && minutes.len() >= PACED_MINUTES => Some(Severity::Info),
        (true, true) if unwatched && peak <= u64::from(settings.retries_per_min) * UNWATCHED_FACTOR => Some(Severity::Info),
        (true, false) if unwatched && leisurely => Some(Severity::Low),
        _ => None,
    }
}

fn is_steady(minutes: &BTreeMap<Nanos, u64>) -> bool {
    let times: Vec<Nanos> = minutes.keys().copied().collect();
    let gaps = times.windows(2).map(|pair| (pair[1] - pair[0]) / MINUTE).filter_map(|gap| u64::try_from(gap).ok()).collect();
    minutes.len() >= STEADY_MINUTES && are_alike(minutes.values().copied().collect()) && are_alike(gaps)
}

/// Four of five values are within a fifth of the median, or 1.
fn are_alike(mut values: Vec<u64>) -> bool {
    values.sort_unstable();
    let Some(median) = values.get(values.len() / 2).copied() else { return false };
    let near = values.iter().filter(|value| value.abs_diff(median) <= (median / 5).max(1)).count();
    near * 5 >= values.len() * 4
}
