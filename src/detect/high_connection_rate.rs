#![doc = include_str!("docs/high_connection_rate.md")]

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::*;

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, listed, share};
use super::flood_seconds::{column, measured, steps};
use super::rows::{collect, contacts, i64s, u8s, u16s, u32s, u64s};
use super::services::named;
use super::wording::{counted, grouped, percent};
use crate::config;
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, BUSY, pattern, schema as col};
use crate::time::{self, MINUTE, Nanos, SECOND, from_seconds};

pub(super) struct HighConnectionRate;

const DOCUMENTATION: &str = include_str!("docs/high_connection_rate.md");

/// UDP requests are cheap and frequent (a resolver asks dozens a second); as many times the rate.
const UDP_FACTOR: u32 = 10;
/// Ports where a connection is an attempt to log in. Sorted.
const LOGIN_PORTS: [u16; 19] = [21, 22, 23, 25, 88, 110, 143, 389, 445, 465, 587, 636, 993, 995, 1433, 3306, 3389, 5432, 5900];
/// Ports where clients open several connections at once as a matter of course.
const WEB_PORTS: [u16; 6] = [80, 443, 3128, 8000, 8080, 8443];

impl Detector for HighConnectionRate {
    fn id(&self) -> &'static str {
        "high_connection_rate"
    }

    fn summary(&self) -> &'static str {
        "more than five connection attempts a second from one source to one service"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let rows = fast(context)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let told = |row: &Row| {
            context.scans.explains(row.source, row.target, row.first)
                || context.floods().any(|flood| flood.covers(row.target, row.minute, row.minute + MINUTE))
        };
        let mut services: BTreeMap<(Address, u16, u8), Vec<Row>> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| !told(row)) {
            services.entry((row.source, row.port, row.proto)).or_default().push(row);
        }
        let gap = from_seconds(context.config.base.alert.join_gap_s);
        let mut alerts = Vec::new();
        for rows in services.into_values() {
            alerts.extend(rows.chunk_by(|a, b| b.first - a.last < gap).filter_map(|episode| Episode::of(context, episode)?.alert(context)));
        }
        Ok(alerts)
    }
}

/// One minute of attempts of one source at one service, with more in some second than is usual.
#[derive(Clone, Copy, Debug)]
struct Row {
    minute: Nanos,
    source: Address,
    target: Address,
    port: u16,
    proto: u8,
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
    connections: u64,
    attempts: u64,
    failed: u64,
    /// Attempts of which nobody told what came of them.
    untold: u64,
    packets: u64,
    peak: u32,
    peak_ten: u32,
    busy: u64,
}

/// The rows above `rate.attempts_per_s`, in time order.
fn fast(context: &Context<'_>) -> Result<Vec<Row>, Error> {
    if context.tables.contacts.height() == 0 {
        return Ok(Vec::new());
    }
    // What no configuration calls fast is left to the engine; each row's own threshold follows.
    let candidates = column(col::PEAK_1S).gt(lit(1_u32));
    let protocols = column(col::PROTO)
        .eq(lit(ip_proto::TCP))
        .or(column(col::PROTO).eq(lit(ip_proto::UDP)).and(column(col::PEAK_1S).gt(lit(UDP_FACTOR))));
    let failed = (column(col::UNANSWERED) + column(col::REFUSED) + column(col::HALF_OPEN)).alias(FAILED);
    let worked = (column(col::EMPTY) + column(col::DATA)).alias(WORKED);
    let table = collect(contacts(context.tables).filter(candidates.and(protocols)).with_columns([failed, worked]))?;
    let (minutes, sources, targets) = (i64s(&table, col::MINUTE)?, u32s(&table, col::SOURCE)?, u32s(&table, col::TARGET)?);
    let (ports, protos, techniques) = (u16s(&table, col::PORT)?, u8s(&table, col::PROTO)?, u16s(&table, col::TECHNIQUES)?);
    let (first, last) = (i64s(&table, col::FIRST_TS)?, i64s(&table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(&table, col::FIRST_ORD)?, u64s(&table, col::LAST_ORD)?);
    let (connections, out) = (u32s(&table, col::CONNECTIONS)?, u64s(&table, col::BYTES_OUT)?);
    let (attempts, failed, packets) = (u32s(&table, col::ATTEMPTS)?, u32s(&table, FAILED)?, u64s(&table, col::PACKETS)?);
    let worked = u32s(&table, WORKED)?;
    let (peak, peak_ten, busy) = (u32s(&table, col::PEAK_1S)?, u32s(&table, col::PEAK_10S)?, u64s(&table, col::BUSY_SECONDS)?);
    let mut rows = Vec::new();
    for row in 0..table.height() {
        let settings = context.settings(targets[row]);
        let threshold = per_second(settings, protos[row]);
        // Under way and without payload is what a flood of stray answers looks like: the source never opened anything.
        let spoke = attempts[row] > 0 || out[row] > 0;
        let opens = if protos[row] == ip_proto::UDP { attempts[row] > threshold } else { techniques[row] & OPENS != 0 && spoke };
        if opens && peak[row] > threshold && !context.address(targets[row]).is_group() {
            rows.push(Row {
                minute: minutes[row],
                source: sources[row],
                target: targets[row],
                port: ports[row],
                proto: protos[row],
                first: first[row],
                last: last[row],
                frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
                connections: u64::from(connections[row]),
                attempts: u64::from(attempts[row]),
                failed: u64::from(failed[row]),
                untold: if techniques[row] & pattern::TOLD == 0 {
                    0
                } else {
                    u64::from(attempts[row].saturating_sub(failed[row] + worked[row]))
                },
                packets: packets[row],
                peak: peak[row],
                peak_ten: peak_ten[row],
                busy: busy[row],
            });
        }
    }
    rows.sort_by_key(|row| (row.first, row.source, row.target, row.port, row.proto));
    Ok(rows)
}

const FAILED: &str = "failed";
const WORKED: &str = "worked";
/// A SYN, or a connection whose SYN was not captured: some captures are cut down to payload.
const OPENS: u16 = pattern::SYN | pattern::MIDSTREAM;

fn per_second(settings: &config::Settings, proto: u8) -> u32 {
    if proto == ip_proto::UDP { settings.rate.attempts_per_s * UDP_FACTOR } else { settings.rate.attempts_per_s }
}

/// Attempts of one source at one service of one or more hosts, without a long pause.
struct Episode {
    source: Address,
    port: u16,
    proto: u8,
    targets: BTreeSet<Address>,
    first: Nanos,
    last: Nanos,
    crossed: Nanos,
    frames: FrameSpan,
    connections: u64,
    attempts: u64,
    failed: u64,
    untold: u64,
    packets: u64,
    peak: u32,
    peak_ten: u32,
    sustained: u32,
}

impl Episode {
    fn of(context: &Context<'_>, rows: &[Row]) -> Option<Self> {
        let head = rows.first()?;
        let last = rows.iter().map(|row| row.last).max()?;
        Some(Self {
            source: head.source,
            port: head.port,
            proto: head.proto,
            targets: rows.iter().map(|row| row.target).collect(),
            first: head.first,
            last,
            crossed: head.crossed().min(last),
            frames: FrameSpan {
                first: rows.iter().map(|row| row.frames.first).min()?,
                last: rows.iter().map(|row| row.frames.last).max()?,
            },
            connections: rows.iter().map(|row| row.connections).sum(),
            attempts: rows.iter().map(|row| row.attempts).sum(),
            failed: rows.iter().map(|row| row.failed).sum(),
            untold: rows.iter().map(|row| row.untold).sum(),
            packets: rows.iter().map(|row| row.packets).sum(),
            peak: rows.iter().map(|row| row.peak).max()?,
            peak_ten: rows.iter().map(|row| row.peak_ten).max()?,
            sustained: rows.iter().map(|row| row.target).collect::<BTreeSet<_>>().into_iter().map(|target| longest(rows, target)).max()?,
        })
        .filter(|episode| !context.address(episode.source).is_unspecified())
    }

    fn severity(&self, settings: &config::Settings) -> Option<Severity> {
        let rate = &settings.rate;
        let sustained = f64::from(self.sustained) >= rate.sustained_s || self.peak_ten >= rate.attempts_10s;
        let failing = share(self.failed, self.attempts) >= rate.failed_ratio;
        let login = LOGIN_PORTS.binary_search(&self.port).is_ok();
        match (self.proto, sustained) {
            (ip_proto::UDP, _) => Some(Severity::Info),
            // Connections under way when the capture began show at once and only then.
            _ if 2 * self.attempts < self.connections => sustained.then_some(Severity::Low),
            (_, true) if failing || login => Some(Severity::Medium),
            (_, true) => Some(Severity::Low),
            (_, false) if WEB_PORTS.contains(&self.port) && !failing && 2 * self.untold <= self.attempts => None,
            (_, false) => Some(Severity::Info),
        }
    }

    fn alert(&self, context: &Context<'_>) -> Option<Alert> {
        let target = *self.targets.first()?;
        let settings = context.settings(target);
        let severity = self.severity(settings)?;
        let failed = share(self.failed, self.attempts);
        let source = context.address(self.source);
        let (victims, victim_count) = listed(self.targets.iter().map(|target| context.address(*target)).collect());
        let whom = if victim_count == 1 { context.address(target).to_string() } else { counted(victim_count, "host") };
        let protocol = if self.proto == ip_proto::UDP { "udp" } else { "tcp" };
        let verb = if self.untold > 0 && self.untold == self.attempts { "tried to connect" } else { "opened connections" };
        let outcome = match (self.attempts, self.untold) {
            (0, _) => "the beginning of none was captured".to_owned(),
            (attempts, 0) => format!("{} were seen from their beginning, of which {} failed", grouped(attempts), percent(failed)),
            (attempts, untold) if untold == attempts => format!("what came of the {} attempts nobody told", grouped(attempts)),
            (attempts, untold) => format!(
                "of {} attempts at least {} failed, and of {} nobody told what came of them",
                grouped(attempts),
                percent(failed),
                grouped(untold)
            ),
        };
        Some(Alert {
            kind: "high_connection_rate",
            technique: None,
            title: format!("Rapid connection attempts from {source}"),
            message: format!(
                "{source} {verb} to {protocol} port {} of {whom} for {}, up to {} in one second and {} in ten, for {} s at a stretch; {outcome}",
                named(self.port),
                time::duration(self.last - self.first),
                self.peak,
                self.peak_ten,
                self.sustained,
            ),
            severity,
            confidence: if severity >= Severity::Medium { 0.6 } else { 0.5 },
            attack: if LOGIN_PORTS.binary_search(&self.port).is_ok() { &["T1110"] } else { &["T1499"] },
            first_seen: self.first,
            last_seen: self.last,
            detected_at: self.crossed,
            attackers: vec![source.to_string()],
            attacker_count: 1,
            victims,
            victim_count,
            ports: vec![self.port],
            port_count: 1,
            protocol,
            measured: vec![
                measured("attempts in one second", f64::from(self.peak), "attempts", Some(f64::from(per_second(settings, self.proto)))),
                measured("attempts in ten seconds", f64::from(self.peak_ten), "attempts", Some(f64::from(settings.rate.attempts_10s))),
                measured("sustained", f64::from(self.sustained), "seconds", Some(settings.rate.sustained_s)),
                measured("failed", failed, "share of attempts", Some(settings.rate.failed_ratio)),
            ],
            window_s: 1.0,
            flow_count: self.attempts,
            packet_count: self.packets,
            frames: self.frames,
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Look in the log of that service for what the source asked for, and whether logins failed.",
                "Ask whether the source is a monitor, a load test or a job that opens one connection per record; if so, add it to the allow-list.",
            ]),
            picture: Picture::None,
        })
    }
}

impl Row {
    /// The end of the first busy second; where no second of the clock was busy, of the minute's share.
    fn crossed(&self) -> Nanos {
        if self.busy == 0 {
            self.last.min(self.minute + MINUTE)
        } else {
            self.minute + (Nanos::from(self.busy.trailing_zeros()) + 1) * SECOND
        }
    }
}

/// The most seconds in a row with more than [`BUSY`] attempts at one target; runs go on from minute
/// to minute.
fn longest(rows: &[Row], target: Address) -> u32 {
    const { assert!(BUSY == 5, "the documentation and rate.sustained_s speak of more than 5 in a second") }
    let (mut most, mut run, mut next) = (0, 0, Nanos::MIN);
    let mut of_target: Vec<&Row> = rows.iter().filter(|row| row.target == target).collect();
    of_target.sort_by_key(|row| row.minute);
    for row in of_target {
        for second in (0..60).filter(|second| row.busy >> second & 1 == 1) {
            let at = row.minute + second * SECOND;
            run = if at == next { run + 1 } else { 1 };
            next = at + SECOND;
            most = most.max(run);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Capture, host};

    fn attempts(count: i64, every_ms: i64, port: u16, completed: bool) -> Vec<Alert> {
        let mut capture = Capture::default();
        for n in 0..count {
            let at = capture.at_ms(n * every_ms);
            let source_port = 2_000 + u16::try_from(n).unwrap();
            if completed { at.conversation(5, source_port, 9, port) } else { at.syn_from(5, source_port, 9, port) }
        }
        capture.judge(&HighConnectionRate)
    }

    #[test]
    fn six_in_a_second_are_listed_and_five_are_not() {
        let found = attempts(6, 100, 7_777, true);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        assert_eq!((&found[0].attackers, &found[0].victims), (&vec![host(5)], &vec![host(9)]));
        assert!(attempts(5, 100, 7_777, true).is_empty());
    }

    /// Three attempts from 59.7 s on and three from the full minute on are six in one second.
    #[test]
    fn six_in_a_second_are_listed_across_two_minutes_too() {
        let mut capture = Capture::default();
        (0..6).for_each(|n| capture.at_ms(59_700 + i64::from(n) * 100).syn_from(5, 2_000 + n, 9, 7_777));
        let found = capture.judge(&HighConnectionRate);
        assert_eq!((found.len(), found[0].measured[0].value), (1, 6.0));
    }

    #[test]
    fn kept_up_it_is_low_and_medium_where_it_fails_or_logs_in() {
        assert_eq!(attempts(60, 100, 7_777, true)[0].severity, Severity::Low);
        assert_eq!(attempts(60, 100, 7_777, false)[0].severity, Severity::Medium);
        assert_eq!(attempts(60, 100, 22, true)[0].severity, Severity::Medium);
    }

    #[test]
    fn a_browsers_parallel_connections_are_none() {
        assert!(attempts(12, 20, 443, true).is_empty());
    }

    #[test]
    fn a_syn_flood_is_not_told_again() {
        let mut capture = Capture::default();
        (0..2_000_u16).for_each(|n| capture.at_ms(i64::from(n) * 2).syn_from(5, 2_000 + n, 9, 80));
        assert!(capture.judge(&HighConnectionRate).is_empty());
    }
}
