#![doc = include_str!("docs/http_flood.md")]

use std::collections::{BTreeMap, BTreeSet};

use super::Detector;
use super::alert::{Alert, Picture, Severity};
use super::context::{Context, listed, share};
use super::flood_seconds::{measured, steps};
use super::rows::{i64s, u8s, u16s, u32s};
use super::services::named;
use super::web::{Asked, asked, frames};
use super::wording::{counted, grouped, percent};
use crate::config;
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, schema as col};
use crate::time::{self, HOUR, MINUTE, Nanos, SECOND, from_seconds};

pub(super) struct HttpFlood;

const DOCUMENTATION: &str = include_str!("docs/http_flood.md");

/// From this share of 5xx a server suffers.
const SUFFERING: f64 = 0.2;
/// From this share it fails.
const FAILING: f64 = 0.5;
/// From so many connections per request the client opens one for each; programs that talk to a server all day keep theirs.
const ONE_EACH: f64 = 0.5;
/// Requests a second of each client of a crowd, on average: people and reporting programs ask less often.
const BUSY_CLIENT: f64 = 1.0;
/// A crowd that came suddenly: as many times the requests of the minutes before, of which there must be some.
const SUDDEN: f64 = 5.0;
const LEAST_MINUTES: i64 = 5;
/// What goes on for longer is how the server is used.
const STEADY: Nanos = HOUR;

impl Detector for HttpFlood {
    fn id(&self) -> &'static str {
        "http_flood"
    }

    fn summary(&self) -> &'static str {
        "requests that keep a web server from serving others"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let rows = asked(context, |row| row.complete > 0)?;
        let gap = from_seconds(context.config.base.alert.join_gap_s);
        let mut found = Vec::new();
        for of_server in rows.chunk_by(|a, b| (a.server, a.port) == (b.server, b.port)) {
            let Some(head) = of_server.first() else { continue };
            let settings = &context.settings(head.server).http;
            let fast = by_clients(settings, of_server);
            let (same, varied): (Vec<Run>, Vec<Run>) = fast.into_iter().partition(|run| run.same_share() >= settings.same_share);
            let floods = episodes(Shape::Repeated, same, gap);
            let crowd = together(settings, of_server).filter(|run| {
                run.clients().len() > 1 && run.same_share() >= settings.same_share && !floods.iter().any(|flood| flood.meets(run))
            });
            let crowds = episodes(Shape::Crowd, crowd.collect(), gap);
            found.extend(episodes(Shape::Varied, varied, gap));
            found.extend(crowds.into_iter().map(|mut crowd| {
                crowd.sudden = crowd.is_sudden(of_server);
                crowd
            }));
            found.extend(floods);
        }
        count_connections(context, &mut found)?;
        Ok(found.iter().map(|episode| episode.alert(context)).collect())
    }
}

/// Rows of minutes that follow one another, each above the rate.
#[derive(Clone, Debug)]
struct Run(Vec<Asked>);

/// Requests a second, on average between the first and the last.
fn rate(requests: u64, first: Nanos, last: Nanos) -> f64 {
    requests as f64 * SECOND as f64 / (last - first).max(SECOND) as f64
}

/// Each client's runs at or above `http.requests_per_client`, kept up for `http.sustained_s`.
fn by_clients(settings: &config::Http, of_server: &[Asked]) -> Vec<Run> {
    let is_fast = |row: &&Asked| rate(row.complete, row.first, row.last) >= f64::from(settings.requests_per_client);
    let fast: Vec<Asked> = of_server.iter().filter(is_fast).copied().collect();
    fast.chunk_by(|a, b| a.client == b.client && b.minute - a.minute <= MINUTE)
        .map(|rows| Run(rows.to_vec()))
        .filter(|run| run.is_kept_up(settings))
        .collect()
}

/// The same of all clients together and `http.requests_per_s`.
fn together<'a>(settings: &'a config::Http, of_server: &[Asked]) -> impl Iterator<Item = Run> + 'a {
    let mut minutes: BTreeMap<Nanos, Vec<Asked>> = BTreeMap::new();
    of_server.iter().for_each(|row| minutes.entry(row.minute).or_default().push(*row));
    let fast: Vec<(Nanos, Vec<Asked>)> =
        minutes.into_iter().filter(|(_, rows)| Run(rows.clone()).rate() >= f64::from(settings.requests_per_s)).collect();
    let runs: Vec<Run> = fast
        .chunk_by(|(a, _), (b, _)| b - a <= MINUTE)
        .map(|minutes| Run(minutes.iter().flat_map(|(_, rows)| rows.iter().copied()).collect()))
        .collect();
    runs.into_iter().filter(|run| run.is_kept_up(settings))
}

impl Run {
    fn first(&self) -> Nanos {
        self.0.iter().map(|row| row.first).min().unwrap_or_default()
    }

    fn last(&self) -> Nanos {
        self.0.iter().map(|row| row.last).max().unwrap_or_default()
    }

    fn requests(&self) -> u64 {
        self.0.iter().map(|row| row.complete).sum()
    }

    fn rate(&self) -> f64 {
        rate(self.requests(), self.first(), self.last())
    }

    fn is_kept_up(&self, settings: &config::Http) -> bool {
        self.last() - self.first() >= from_seconds(settings.sustained_s)
    }

    fn clients(&self) -> BTreeSet<Address> {
        self.0.iter().map(|row| row.client).collect()
    }

    /// The request that outvotes all others, and how many asked for it. A minute in which it won with `v` votes
    /// of `n` has at least `v` of it and at most `(n + v) / 2`, which is exact unless it was outvoted in between.
    fn same(&self) -> u64 {
        let mut votes: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for row in &self.0 {
            let (certain, likely) = votes.entry(row.path).or_default();
            *certain += row.votes;
            *likely += u64::midpoint(row.complete, row.votes);
        }
        votes.into_values().max().map_or(0, |(_, likely)| likely)
    }

    fn same_share(&self) -> f64 {
        share(self.same(), self.requests())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One client or more, each fast, and with the same request again and again.
    Repeated,
    /// Many clients, fast only together, with the same request.
    Crowd,
    /// Fast, but asking for different things.
    Varied,
}

/// Runs at one server without a long pause.
struct Episode {
    shape: Shape,
    run: Run,
    connections: u64,
    sudden: bool,
}

fn episodes(shape: Shape, mut runs: Vec<Run>, gap: Nanos) -> Vec<Episode> {
    runs.sort_by_key(|run| (run.first(), run.0.first().map(|row| row.client)));
    let mut found: Vec<Episode> = Vec::new();
    for run in runs {
        match found.last_mut() {
            Some(episode) if run.first() - episode.run.last() <= gap => episode.run.0.extend(run.0),
            _ => found.push(Episode { shape, run, connections: 0, sudden: false }),
        }
    }
    found
}

/// How many connections carried the requests: one look at the contacts for all episodes, and none where there are none.
fn count_connections(context: &Context<'_>, episodes: &mut [Episode]) -> Result<(), Error> {
    let table = &context.tables.contacts;
    if episodes.is_empty() || table.height() == 0 {
        return Ok(());
    }
    let mut wanted: BTreeMap<(Address, Address, u16), Vec<usize>> = BTreeMap::new();
    let mut is_server = vec![false; context.tables.addresses.len()];
    for (place, episode) in episodes.iter().enumerate() {
        for client in episode.run.clients() {
            let Some(head) = episode.run.0.first() else { continue };
            wanted.entry((client, head.server, head.port)).or_default().push(place);
            if let Some(server) = is_server.get_mut(head.server as usize) {
                *server = true;
            }
        }
    }
    let (sources, targets, ports) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u16s(table, col::PORT)?);
    let (protos, minutes, connections) = (u8s(table, col::PROTO)?, i64s(table, col::MINUTE)?, u32s(table, col::CONNECTIONS)?);
    for row in (0..table.height()).filter(|row| is_server[targets[*row] as usize] && protos[*row] == ip_proto::TCP) {
        for place in wanted.get(&(sources[row], targets[row], ports[row])).into_iter().flatten() {
            let episode = &mut episodes[*place];
            if (time::pane(episode.run.first(), MINUTE)..=episode.run.last()).contains(&minutes[row]) {
                episode.connections += u64::from(connections[row]);
            }
        }
    }
    Ok(())
}

impl Episode {
    fn meets(&self, run: &Run) -> bool {
        self.run.first() <= run.last() && run.first() <= self.run.last()
    }

    /// The server had much less to do in the minutes before.
    fn is_sudden(&self, of_server: &[Asked]) -> bool {
        let before = || of_server.iter().filter(|row| row.minute + MINUTE <= self.run.first());
        let Some(since) = before().map(|row| row.minute).min() else { return false };
        let requests: u64 = before().map(|row| row.complete).sum();
        let until = self.run.first();
        until - since >= LEAST_MINUTES * MINUTE && rate(requests, since, until) * SUDDEN <= self.run.rate()
    }

    fn errors(&self) -> f64 {
        share(self.run.0.iter().map(|row| row.errors).sum(), self.run.requests())
    }

    fn severity(&self, settings: &config::Http) -> Severity {
        let rate = self.run.rate();
        let suffering = self.errors() >= SUFFERING;
        let one_each = share(self.connections, self.run.requests()) >= ONE_EACH;
        let per_client = rate / self.run.clients().len().max(1) as f64;
        let fast = rate >= f64::from(settings.requests_per_s);
        let signs = |signs: [bool; 3]| signs.iter().filter(|sign| **sign).count();
        let severity = match (self.shape, signs([suffering, one_each, fast]), signs([suffering, per_client >= BUSY_CLIENT, self.sudden])) {
            (Shape::Varied, ..) if self.errors() >= FAILING => Severity::Medium,
            (Shape::Varied, ..) => {
                if fast {
                    Severity::Low
                } else {
                    Severity::Info
                }
            }
            (Shape::Repeated, 0, _) => Severity::Low,
            (Shape::Crowd, _, 0) => Severity::Info,
            (Shape::Repeated, 1, _) | (Shape::Crowd, _, 1) => Severity::Medium,
            _ => Severity::High,
        };
        if self.run.last() - self.run.first() >= STEADY { severity.lowered() } else { severity }
    }

    fn alert(&self, context: &Context<'_>) -> Alert {
        let (server, port) = self.run.0.first().map_or((0, 0), |head| (head.server, head.port));
        let settings = &context.settings(server).http;
        let severity = self.severity(settings);
        let server = context.address(server);
        let (attackers, attacker_count) = listed(self.run.clients().into_iter().map(|client| context.address(client)).collect());
        let (first, last, requests, rate) = (self.run.first(), self.run.last(), self.run.requests(), self.run.rate());
        let same = self.run.same_share();
        let limit = if self.shape == Shape::Crowd { settings.requests_per_s } else { settings.requests_per_client };
        let peak = self.run.0.iter().map(|row| row.peak).max().unwrap_or_default();
        let who = if attacker_count == 1 { attackers.first().cloned().unwrap_or_default() } else { counted(attacker_count, "client") };
        let (technique, title) = match self.shape {
            Shape::Repeated => (None, format!("The same request again and again to {server}")),
            Shape::Crowd => (Some("distributed"), format!("The same request from {} clients to {server}", grouped(attacker_count))),
            Shape::Varied => (Some("varied"), format!("Many different requests to {server}")),
        };
        Alert {
            kind: "http_flood",
            technique,
            title,
            message: format!(
                "{who} sent {} requests to {server}, tcp port {}, in {} and {}: {rate:.1} a second on average, up to {} of one client; about {} asked for the same path, and {} were answered with a server error",
                grouped(requests),
                named(port),
                time::duration(last - first),
                counted(self.connections, "connection"),
                grouped(peak),
                percent(same),
                percent(self.errors()),
            ),
            severity,
            confidence: if severity >= Severity::Medium { 0.7 } else { 0.4 },
            attack: &["T1499.002"],
            first_seen: first,
            last_seen: last,
            detected_at: (first + from_seconds(settings.sustained_s)).min(last),
            attackers,
            attacker_count,
            victims: vec![server.to_string()],
            victim_count: 1,
            ports: vec![port],
            port_count: 1,
            protocol: "tcp",
            measured: vec![
                measured("requests per second", (rate * 10.0).round() / 10.0, "requests per second", Some(f64::from(limit))),
                measured("kept up", (last - first) as f64 / SECOND as f64, "seconds", Some(settings.sustained_s)),
                measured("the same request", (same * 1_000.0).round() / 1_000.0, "share of requests", Some(settings.same_share)),
                measured("server errors", (self.errors() * 1_000.0).round() / 1_000.0, "share of requests", Some(SUFFERING)),
                measured("most requests of one client in a second", peak as f64, "requests", None),
            ],
            window_s: settings.sustained_s,
            flow_count: self.connections,
            packet_count: 0,
            frames: frames(self.run.0.iter().map(|row| row.frames)),
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Look in the server's access log for what was asked for, and whether others were still served.",
                "Ask whether it is a load test, a crawler or a program of your own; if so, add it to the allow-list.",
                "If it is none of these, limit the rate of the clients in front of the server.",
            ]),
            picture: Picture::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::{Fact, Request, RequestKind, Service};
    use crate::detect::testing::{Capture, host};

    /// Requests of one client at a steady pace over one connection each, or one for all.
    fn ask(capture: &mut Capture, client: u32, per_second: i64, seconds: i64, path: impl Fn(i64) -> u64, keep: bool) {
        for n in 0..per_second * seconds {
            capture.at_ms(n * 1_000 / per_second);
            if n == 0 || !keep {
                capture.conversation(client, 1_024 + n as u16, 99, 80);
            }
            let path = path(n);
            capture.said(client, 99, 80, Service::Http, |at| Fact::Request(Request { kind: RequestKind::Complete, path, at }));
        }
    }

    fn of(per_second: i64, seconds: i64, path: impl Fn(i64) -> u64, keep: bool) -> Vec<Alert> {
        let mut capture = Capture::default();
        ask(&mut capture, 5, per_second, seconds, path, keep);
        capture.judge(&HttpFlood)
    }

    #[test]
    fn the_same_request_again_and_again_is_a_flood() {
        let found = of(25, 12, |_| 7, false);
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Medium, None));
        assert_eq!((&found[0].attackers, &found[0].victims, found[0].flow_count), (&vec![host(5)], &vec![host(99)], 300));
        assert_eq!(of(120, 12, |_| 7, false)[0].severity, Severity::High);
    }

    #[test]
    fn polling_below_the_rate_and_a_burst_that_stops_are_none() {
        assert!(of(19, 12, |_| 7, false).is_empty());
        assert!(of(25, 9, |_| 7, false).is_empty());
    }

    #[test]
    fn a_program_that_keeps_its_connection_is_worth_a_look() {
        assert_eq!(of(25, 12, |_| 7, true)[0].severity, Severity::Low);
    }

    #[test]
    fn a_crawler_is_a_fact_and_seldom_more() {
        let found = of(25, 12, |n| n as u64 + 1, true);
        assert_eq!((found[0].severity, found[0].technique), (Severity::Info, Some("varied")));
        assert_eq!(of(120, 12, |n| n as u64 + 1, true)[0].severity, Severity::Low);
    }

    #[test]
    fn the_share_of_the_same_request_decides() {
        // Every fifth differs: 80 %. Every fourth differs: 75 %.
        assert_eq!(of(30, 12, |n| if n % 5 == 4 { n as u64 } else { 1_000_000 }, false)[0].technique, None);
        assert_eq!(of(30, 12, |n| if n % 4 == 3 { n as u64 } else { 1_000_000 }, false)[0].technique, Some("varied"));
    }

    fn crowd(clients: u32, per_second: i64, path: impl Fn(i64) -> u64 + Copy) -> Vec<Alert> {
        let mut capture = Capture::default();
        (0..clients).for_each(|client| ask(&mut capture, 200 + client, per_second, 12, path, true));
        capture.judge(&HttpFlood)
    }

    #[test]
    fn many_clients_with_one_request_are_told_together() {
        // 12 clients of 10 a second are 120 a second, and none of them is fast.
        let found = crowd(12, 10, |_| 7);
        assert_eq!(
            (found.len(), found[0].technique, found[0].severity, found[0].attacker_count),
            (1, Some("distributed"), Severity::Medium, 12)
        );
        assert!(crowd(9, 10, |_| 7).is_empty());
    }

    #[test]
    fn many_clients_with_their_own_wishes_are_visitors() {
        assert!(crowd(12, 10, |n| n as u64 + 1).is_empty());
    }
}
