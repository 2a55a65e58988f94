//! Failed logins, each told once: which attack it is part of.
//!
//! The widest explanation wins, and takes the rows it explains with it: many clients against one server;
//! one client trying many users a few times each; one client failing at many servers; one client against
//! one server in a short time; the same over the whole capture. What is wider is at least as bad as the
//! worst of its parts.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::Severity;
use super::context::Context;
use super::login_rows::{Row, read};
use super::login_runs::{Densest, Piece, Scale, Success, Verdict, densest, judge};
use super::window::{Crossing, distinct};
use crate::config::Login;
use crate::error::Error;
use crate::table::Address;
use crate::time::{Nanos, from_seconds};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Many clients, one server.
    Distributed,
    /// One client, many users, few tries each.
    Users,
    /// One client, many servers.
    Servers,
    /// One client, one server.
    Targeted,
    /// The same, over the whole capture.
    Slow,
}

/// One attack, or what looks like one.
#[derive(Debug)]
pub(super) struct Campaign {
    pub shape: Shape,
    pub rows: Vec<Row>,
    pub verdict: Verdict,
    /// Clients, users or servers within `login.spread_s`, and the threshold for them.
    pub spread: Option<(u64, u32)>,
}

/// All campaigns of a capture.
pub(super) fn find(context: &Context<'_>) -> Result<Vec<Campaign>, Error> {
    let rows = read(context)?;
    let gap = from_seconds(context.config.base.alert.join_gap_s);
    let told = vec![false; rows.len()];
    let mut search = Search { context, rows, told, gap, found: Vec::new() };
    if search.rows.iter().any(|row| row.failed_at.is_some()) {
        search.distributed();
        search.sprayed();
        search.targeted();
        search.slow();
    }
    Ok(search.found)
}

struct Search<'a> {
    context: &'a Context<'a>,
    rows: Vec<Row>,
    told: Vec<bool>,
    gap: Nanos,
    found: Vec<Campaign>,
}

impl Search<'_> {
    /// Rows that are not told yet, by a key, in time order.
    fn groups<K: Ord>(&self, key: impl Fn(&Row) -> K) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<K, Vec<usize>> = BTreeMap::new();
        for (place, row) in self.rows.iter().enumerate().filter(|(place, _)| !self.told[*place]) {
            groups.entry(key(row)).or_default().push(place);
        }
        groups.into_values().collect()
    }

    /// Groups cut where no login failed for longer than the gap; what succeeded belongs to the failures
    /// before it.
    fn episodes<K: Ord>(&self, key: impl Fn(&Row) -> K) -> Vec<Vec<usize>> {
        let mut episodes = Vec::new();
        for group in self.groups(key) {
            let mut episode: Vec<usize> = Vec::new();
            let mut end = Nanos::MIN;
            for place in group {
                let row = &self.rows[place];
                let near = !episode.is_empty() && row.start() - end < self.gap;
                if let Some((_, last)) = row.failed_at {
                    if !near && !episode.is_empty() {
                        episodes.push(std::mem::take(&mut episode));
                    }
                    end = if near { end.max(last) } else { last };
                    episode.push(place);
                } else if near {
                    episode.push(place);
                }
            }
            episodes.extend(Some(episode).filter(|episode| !episode.is_empty()));
        }
        episodes
    }

    fn settings(&self, host: Address) -> &Login {
        &self.context.settings(host).login
    }

    fn tell(&mut self, shape: Shape, places: &[usize], verdict: Verdict, spread: Option<(u64, u32)>) {
        let rows = places.iter().map(|place| self.rows[*place].clone()).collect();
        places.iter().for_each(|place| self.told[*place] = true);
        self.found.push(Campaign { shape, rows, verdict, spread });
    }

    /// The rows behind places, as far as they are of the clients and servers wanted.
    fn picked(&self, places: &[usize], wanted: impl Fn(&Row) -> bool) -> Vec<usize> {
        places.iter().copied().filter(|place| wanted(&self.rows[*place])).collect()
    }

    fn judged(&self, places: &[usize], scale: fn(&Login) -> Scale) -> Option<Verdict> {
        let rows: Vec<&Row> = places.iter().map(|place| &self.rows[*place]).collect();
        let settings = self.settings(rows.first()?.server);
        judge(&rows, settings, &scale(settings))
    }

    /// The worst that is to be said of any one client at any one server.
    fn worst_part(&self, places: &[usize]) -> Option<Verdict> {
        let mut pairs: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for place in places {
            pairs.entry(pair(&self.rows[*place])).or_default().push(*place);
        }
        let verdicts = pairs.into_values().filter_map(|places| self.judged(&places, Scale::close));
        verdicts.max_by_key(|verdict| (verdict.severity, verdict.peak.total(), std::cmp::Reverse(verdict.crossed)))
    }

    fn failures(&self, places: &[usize], settings: &Login) -> Densest {
        let pieces: Vec<Piece> = places.iter().filter_map(|place| Piece::of(&self.rows[*place])).collect();
        densest(&pieces, from_seconds(settings.spread_s), settings.high)
    }

    /// Distinct things among failures within `login.spread_s`.
    fn distinct<K: std::hash::Hash + Eq>(&self, places: &[usize], key: impl Fn(&Row) -> K, settings: &Login, threshold: u32) -> Crossing {
        let mut events: Vec<(Nanos, usize)> =
            places.iter().filter_map(|place| self.rows[*place].failed_at.map(|(first, _)| (first, *place))).collect();
        events.sort_unstable();
        distinct(events.iter().map(|(ts, place)| (*ts, key(&self.rows[*place]))), from_seconds(settings.spread_s), threshold)
    }

    fn distributed(&mut self) {
        for episode in self.episodes(|row| (row.server, row.port, row.service)) {
            let Some(server) = episode.first().map(|place| self.rows[*place].server) else { continue };
            let settings = *self.settings(server);
            let clients = self.crowd(&episode);
            let places = self.picked(&episode, |row| clients.contains(&row.client));
            let crossing = self.distinct(&places, |row| row.client, &settings, settings.sources);
            let failures = self.failures(&places, &settings);
            let (Some(reached), Some(crossed)) = (crossing.reached, failures.crossed) else { continue };
            let base = match crossing.most {
                _ if self.each_only_itself(&places) => Severity::Low,
                most if most >= settings.sources.saturating_mul(CROWD_FACTOR) => Severity::High,
                _ => Severity::Medium,
            };
            let part = self.worst_part(&places);
            let verdict = Verdict {
                severity: base,
                peak: failures.tally,
                threshold: settings.high,
                crossed: reached.max(crossed),
                stale: false,
                success: None,
            };
            self.tell(Shape::Distributed, &places, with_part(verdict, part), Some((u64::from(crossing.most), settings.sources)));
        }
    }

    /// The clients that fail in vain, without those of whom one alone fails more than all others.
    fn crowd(&self, places: &[usize]) -> BTreeSet<Address> {
        let mut clients: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
        for place in places {
            clients.entry(self.rows[*place].client).or_default().push(*place);
        }
        let failing = clients.into_iter().filter(|(_, places)| self.in_vain(places));
        let mut failing: Vec<(u64, Address)> = failing.map(|(client, places)| (self.failed(&places), client)).collect();
        failing.sort_unstable();
        let mut total: u64 = failing.iter().map(|(failed, _)| failed).sum();
        while let Some((failed, _)) = failing.pop_if(|(failed, _)| *failed * 2 > total) {
            total -= failed;
        }
        failing.into_iter().map(|(_, client)| client).collect()
    }

    fn failed(&self, places: &[usize]) -> u64 {
        places.iter().map(|place| self.rows[*place].failures.total()).sum()
    }

    /// Nothing succeeded, or only after so many failures that it was guessed.
    fn in_vain(&self, places: &[usize]) -> bool {
        let succeeded = places.iter().any(|place| self.rows[*place].succeeded > 0);
        !succeeded || self.worst_part(places).is_some_and(|verdict| verdict.severity == Severity::Critical)
    }

    /// Every client tries its own name only, again and again: telephones with stale passwords.
    fn each_only_itself(&self, places: &[usize]) -> bool {
        let mut users: BTreeMap<Address, BTreeSet<&str>> = BTreeMap::new();
        let mut failures = 0;
        for row in places.iter().map(|place| &self.rows[*place]).filter(|row| row.failed_at.is_some()) {
            users.entry(row.client).or_default().insert(&row.user);
            failures += row.failures.total();
        }
        let names: BTreeSet<&&str> = users.values().flatten().filter(|user| !user.is_empty()).collect();
        users.values().all(|users| users.len() == 1) && names.len() == users.len() && failures >= 2 * users.len() as u64
    }

    fn sprayed(&mut self) {
        for episode in self.episodes(|row| (row.client, row.service)) {
            if let Some((verdict, spread)) = self.users(&episode) {
                self.tell(Shape::Users, &episode, verdict, Some(spread));
            } else if let Some((verdict, spread, places)) = self.servers(&episode) {
                self.tell(Shape::Servers, &places, verdict, Some(spread));
            }
        }
    }

    fn users(&self, episode: &[usize]) -> Option<(Verdict, (u64, u32))> {
        let rows = || episode.iter().map(|place| &self.rows[*place]);
        let settings = self.settings(rows().next()?.server);
        let entered: BTreeSet<&str> = rows().filter(|row| row.succeeded_at.is_some()).map(|row| row.user.as_str()).collect();
        let in_vain = |row: &Row| row.failed_at.is_some() && !row.user.is_empty() && !entered.contains(row.user.as_str());
        let tried: BTreeSet<&str> = rows().filter(|row| in_vain(row)).map(|row| row.user.as_str()).collect();
        let failures: u64 = rows().filter(|row| in_vain(row)).map(|row| row.failures.total()).sum();
        // Many people behind one address mostly log in.
        if entered.len() >= tried.len() || failures as f64 > settings.tries_per_user * tried.len() as f64 {
            return None;
        }
        let places = self.picked(episode, in_vain);
        let crossing = self.distinct(&places, |row| row.user.clone(), settings, settings.few);
        let crossed = crossing.reached?;
        let (severity, threshold) = match crossing.most {
            most if most >= settings.high.max(settings.users) => (Severity::High, settings.high),
            most if most >= settings.users => (Severity::Medium, settings.users),
            _ => (Severity::Low, settings.few),
        };
        let success = self.entered_after(episode, crossed);
        let worked = success.is_some() && severity >= Severity::Medium && entered.len() * FEW_OF <= tried.len();
        let verdict = Verdict {
            severity: if worked { Severity::Critical } else { severity },
            peak: self.failures(episode, settings).tally,
            threshold,
            crossed,
            stale: false,
            success,
        };
        Some((with_part(verdict, self.worst_part(episode)), (u64::from(crossing.most), threshold)))
    }

    fn servers(&self, episode: &[usize]) -> Option<(Verdict, (u64, u32), Vec<usize>)> {
        let mut parts: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
        for place in episode {
            parts.entry(self.rows[*place].server).or_default().push(*place);
        }
        let all = parts.len();
        parts.retain(|_, places| self.in_vain(places));
        // A host that administers many fails at some.
        if parts.len() * 2 <= all {
            return None;
        }
        let places = self.picked(episode, |row| parts.contains_key(&row.server));
        let rows = || places.iter().map(|place| &self.rows[*place]);
        let settings = self.settings(rows().next()?.server);
        let crossing = self.distinct(&places, |row| row.server, settings, settings.servers);
        let crossed = crossing.reached?;
        let often = parts.values().filter(|places| self.failed(places) >= OFTEN).count() as u64;
        let users: BTreeSet<&str> = rows().filter(|row| row.failed_at.is_some()).map(|row| row.user.as_str()).collect();
        let one_user = users.len() == 1 && !users.contains("");
        let guesses = often >= u64::from(settings.servers) && !one_user;
        let verdict = Verdict {
            severity: if guesses { Severity::Medium } else { Severity::Low },
            peak: self.failures(&places, settings).tally,
            threshold: settings.servers,
            crossed,
            stale: false,
            success: None,
        };
        let verdict = with_part(verdict, self.worst_part(&places));
        let spread = (u64::from(crossing.most), settings.servers);
        Some((verdict, spread, places))
    }

    /// The first login that worked after a moment.
    fn entered_after(&self, places: &[usize], moment: Nanos) -> Option<Success> {
        let successes = places.iter().map(|place| &self.rows[*place]).filter_map(|row| {
            let (first, last) = row.succeeded_at?;
            let at = if first >= moment { first } else { last };
            (at >= moment).then(|| Success { at, user: row.user.clone() })
        });
        successes.min_by(|a, b| (a.at, &a.user).cmp(&(b.at, &b.user)))
    }

    fn targeted(&mut self) {
        for episode in self.episodes(pair) {
            if let Some(verdict) = self.judged(&episode, Scale::close) {
                self.tell(Shape::Targeted, &episode, verdict, None);
            }
        }
    }

    fn slow(&mut self) {
        let told: BTreeSet<_> = self.rows.iter().zip(&self.told).filter(|(_, told)| **told).map(|(row, _)| pair(row)).collect();
        for group in self.groups(pair) {
            let is_told = group.first().is_none_or(|place| told.contains(&pair(&self.rows[*place])));
            if let Some(verdict) = (!is_told).then(|| self.judged(&group, Scale::slow)).flatten() {
                self.tell(Shape::Slow, &group, verdict, None);
            }
        }
    }
}

/// So many times `login.sources`, and a crowd is hostile.
const CROWD_FACTOR: u32 = 10;
/// Of the users that a sprayer tries at most one in so many has the password; more, and they are people.
const FEW_OF: usize = 4;
/// Failures at one server that are more than a try.
const OFTEN: u64 = 3;

fn pair(row: &Row) -> (Address, Address, u16, crate::decode::app::Service) {
    (row.client, row.server, row.port, row.service)
}

/// The whole is as bad as its worst part, and where a part came in, so did the whole.
fn with_part(whole: Verdict, part: Option<Verdict>) -> Verdict {
    let Some(part) = part else { return whole };
    let entered = part.severity == Severity::Critical;
    Verdict {
        severity: whole.severity.max(part.severity),
        crossed: whole.crossed.min(if part.severity > whole.severity { part.crossed } else { whole.crossed }),
        success: if entered { part.success } else { whole.success },
        ..whole
    }
}
