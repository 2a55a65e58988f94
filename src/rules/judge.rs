//! What a rule finds in the tables, as alerts.
//!
//! Rows that meet the condition are parted by window and group, a group's measure is held against the
//! threshold, and windows of one group that follow one another closely are one event. Knows no packet and
//! no file.

use std::collections::BTreeSet;

use polars::prelude::*;
use rayon::prelude::*;

use super::columns::{Counted, Table};
use super::rule::{MEASURE, ROWS, Rule, WINDOW, shown};
use super::view::{Views, stored, told};
use crate::detect::{Alert, Context, FrameSpan, LISTED, Measured, Picture, grouped};
use crate::error::Error;
use crate::net::Addr;
use crate::panics;
use crate::pseudonym;
use crate::table::{Tables, internal, schema as col};
use crate::time::{self, Nanos, SECOND, from_seconds};

/// Alerts of one rule that are kept, those with the largest measure. A rule that raises more says nothing
/// with them, and must not fill the memory.
const MOST_ALERTS: usize = 1_000;
const CROWDED: &str = "many events: this rule found more than 1,000, of which those with the largest measure are listed";
/// Letters of a captured text that a message shows.
const LONGEST_VALUE: usize = 200;

/// Judges the rules side by side; alerts come in the order of the rules, then of time.
///
/// # Errors
/// When a rule cannot be computed on what the tables hold.
pub fn run(rules: &[&Rule], context: &Context<'_>) -> Result<(Vec<Alert>, Vec<String>), Error> {
    let views = Views::new(context.tables, rules)?;
    // What an expression makes of rows is seen only here, and the engine may stop at it: that costs the
    // rule, not the report.
    let judged = |rule: &&Rule| {
        panics::caught(|| judge(rule, &views, context))
            .unwrap_or_else(|problem| Err(Error::Rules(format!("{} made the SQL engine stop: {}", rule.kind, quotable(problem)))))
    };
    let found: Vec<Result<Vec<Alert>, Error>> = rules.par_iter().map(judged).collect();
    let (mut alerts, mut failed) = (Vec::new(), Vec::new());
    for result in found {
        match result {
            Ok(found) => alerts.extend(found),
            Err(cause) => failed.push(cause.to_string()),
        }
    }
    Ok((alerts, failed))
}

/// A group of rows in one window that reached the threshold.
#[derive(Debug)]
struct Finding {
    /// The values that the rows share.
    key: Vec<String>,
    window: Nanos,
    measured: f64,
    /// What the message shows of it: the measure, then what else the rule wants shown.
    values: Vec<String>,
    /// Places in the stored table.
    rows: Vec<u32>,
}

fn judge(rule: &Rule, views: &Views<'_>, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
    let table = stored(context.tables, rule.table.name)?;
    if table.height() == 0 {
        return Ok(Vec::new());
    }
    let cannot = |cause: PolarsError| {
        let problem = format!("{} cannot be computed on this capture: {}", rule.kind, quotable(cause.to_string()));
        let problem = rule.source.problem(rule.at, problem);
        Error::Rules(problem.to_string())
    };
    let mut matched = rule.matched(views.frame(rule)?.lazy()).collect().map_err(cannot)?;
    if matched.height() == 0 {
        return Ok(Vec::new());
    }
    let windows = windows(rule, table, &matched)?;
    matched.with_column(windows).map_err(internal)?;
    let groups = rule.grouped(matched.lazy()).collect().map_err(cannot)?;
    let mut findings = findings(rule, &groups).map_err(internal)?;
    findings.sort_by(|a, b| (&a.key, a.window).cmp(&(&b.key, b.window)));
    let gap = from_seconds(context.config.base.alert.join_gap_s);
    let events = findings.chunk_by(|earlier, later| {
        earlier.key == later.key && rule.window.is_some_and(|width| later.window - (earlier.window + width) < gap)
    });
    let (events, crowded) = largest(events.collect());
    let mut alerts: Vec<Alert> = events.into_iter().map(|event| alert(rule, table, event, context)).collect::<Result<_, _>>()?;
    if crowded {
        alerts.iter_mut().for_each(|alert| alert.quality.push(CROWDED));
    }
    alerts.sort_by(|a, b| (a.first_seen, &a.message).cmp(&(b.first_seen, &b.message)));
    Ok(alerts)
}

/// The events with the highest measures, and whether others had to be left out.
fn largest(mut events: Vec<&[Finding]>) -> (Vec<&[Finding]>, bool) {
    let crowded = events.len() > MOST_ALERTS;
    if crowded {
        let measure = |event: &[Finding]| event.iter().map(|finding| finding.measured).fold(f64::NEG_INFINITY, f64::max);
        events.sort_by(|a, b| measure(b).total_cmp(&measure(a)));
        events.truncate(MOST_ALERTS);
    }
    (events, crowded)
}

/// The start of every row's window; one and the same where the rule has none.
fn windows(rule: &Rule, table: &DataFrame, matched: &DataFrame) -> Result<Column, Error> {
    let Some((width, time)) = rule.window.zip(rule.table.time) else {
        return Ok(Column::new_scalar(WINDOW.into(), Scalar::from(0_i64), matched.height()));
    };
    let starts = table.column(time).and_then(|times| times.i64()).map_err(internal)?;
    let rows = matched.column(ROWS).and_then(|rows| rows.u32()).map_err(internal)?;
    let window = |row: u32| time::pane(starts.get(row as usize).unwrap_or_default(), width);
    Ok(Int64Chunked::from_vec(WINDOW.into(), rows.into_no_null_iter().map(window).collect()).into_column())
}

fn findings(rule: &Rule, groups: &DataFrame) -> PolarsResult<Vec<Finding>> {
    let measure = groups.column(MEASURE)?.cast(&DataType::Float64)?;
    let (measure, windows, rows) = (measure.f64()?, groups.column(WINDOW)?.i64()?, groups.column(ROWS)?.list()?);
    let keys: Vec<&Column> = rule.group_by.iter().map(|name| groups.column(name)).collect::<PolarsResult<_>>()?;
    let shown: Vec<&Column> = (0..rule.show.len()).map(|place| groups.column(&shown(place))).collect::<PolarsResult<_>>()?;
    let mut findings = Vec::new();
    for group in 0..groups.height() {
        // An average must not depend on the order in which its rows were added.
        let Some(measured) =
            measure.get(group).map(|measured| (measured * 1e6).round() / 1e6).filter(|measured| *measured >= rule.threshold)
        else {
            continue;
        };
        let key = keys.iter().map(|column| Ok(plain(&column.get(group)?))).collect::<PolarsResult<_>>()?;
        let values = shown.iter().map(|column| Ok(expressed(rule, &column.get(group)?))).collect::<PolarsResult<Vec<String>>>()?;
        let values = std::iter::once(real(measured)).chain(values).collect();
        let rows = rows.get_as_series(group).map(|rows| Ok::<_, PolarsError>(rows.u32()?.into_no_null_iter().collect())).transpose()?;
        findings.push(Finding { key, window: windows.get(group).unwrap_or_default(), measured, values, rows: rows.unwrap_or_default() });
    }
    Ok(findings)
}

/// One event: the findings of one group in windows that follow one another.
fn alert(rule: &Rule, table: &DataFrame, event: &[Finding], context: &Context<'_>) -> Result<Alert, Error> {
    let tables = context.tables;
    let all: Vec<u32> = event.iter().flat_map(|finding| finding.rows.iter().copied()).collect();
    let first_rows = event.first().map(|finding| finding.rows.as_slice()).unwrap_or_default();
    let reached = event.first().map(|finding| finding.window).zip(rule.window).map_or(Nanos::MAX, |(start, width)| start + width);
    let (first_seen, last_seen) = seen(rule.table, table, &all)?;
    let (attackers, attacker_count) = addresses(tables, table, rule.attackers, &all)?;
    let (victims, victim_count) = addresses(tables, table, rule.victims, &all)?;
    let ports = ports(rule.table, table, &all)?;
    // The largest tells the story; the first of equals.
    let largest = event.iter().reduce(|largest, other| if other.measured > largest.measured { other } else { largest });
    let mut values: Vec<String> =
        largest.map(|largest| told_key(rule, &largest.key).chain(largest.values.iter().cloned()).collect()).unwrap_or_default();
    values.extend([
        real(rule.threshold),
        several(&attackers, attacker_count),
        several(&victims, victim_count),
        several(&ports.iter().map(u16::to_string).collect::<Vec<_>>(), ports.len() as u64),
        time::log_time(first_seen),
        time::log_time(last_seen),
    ]);
    let mut alert = Alert {
        kind: rule.kind,
        technique: None,
        title: pseudonym::text(&rule.title).into_owned(),
        message: rule.message.fill(&values),
        severity: rule.severity,
        confidence: rule.confidence,
        attack: rule.attack,
        first_seen,
        last_seen,
        // Within a window nobody knows which row crossed the threshold: by its end, or that of its rows, it was.
        detected_at: reached.min(seen(rule.table, table, first_rows)?.1).max(first_seen),
        attackers,
        attacker_count,
        victims,
        victim_count,
        port_count: ports.len() as u64,
        ports: ports.into_iter().take(LISTED).collect(),
        protocol: protocol(table, &all)?,
        measured: vec![Measured {
            name: rule.measure_name,
            value: largest.map_or(0.0, |largest| largest.measured),
            unit: rule.unit,
            threshold: Some(rule.threshold),
        }],
        window_s: rule.window.unwrap_or(last_seen - first_seen) as f64 / SECOND as f64,
        flow_count: match rule.table.connections {
            Counted::In(column) => sum(table, Some(column), &all)?,
            Counted::Rows => all.len() as u64,
            Counted::Nowhere => 0,
        },
        packet_count: sum(table, rule.table.packets, &all)?,
        frames: FrameSpan {
            first: numbers(table, col::FIRST_ORD, &all)?.min().unwrap_or_default(),
            last: numbers(table, col::LAST_ORD, &all).map_or(0, |ordinals| ordinals.max().unwrap_or_default()),
        },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: rule.next_steps.iter().map(|step| pseudonym::text(step).into_owned()).collect(),
        picture: Picture::None,
    };
    alert.frames.last = alert.frames.last.max(alert.frames.first);
    context.weaken(&mut alert);
    Ok(alert)
}

/// The earliest and latest moment of some rows.
fn seen(about: &Table, table: &DataFrame, rows: &[u32]) -> Result<(Nanos, Nanos), Error> {
    let moments = |columns: &[&str]| -> Result<Vec<Nanos>, Error> {
        let mut moments = Vec::new();
        for column in columns {
            let times = table.column(column).and_then(|times| times.i64()).map_err(internal)?;
            moments.extend(rows.iter().filter_map(|row| times.get(*row as usize)));
        }
        Ok(moments)
    };
    // A row of logins without an outcome has only its minute.
    let minutes = moments(about.time.as_slice())?;
    let first = moments(about.first)?.into_iter().min().or_else(|| minutes.iter().copied().min()).unwrap_or_default();
    let last = moments(about.last)?.into_iter().max().or_else(|| minutes.iter().copied().max()).unwrap_or_default();
    Ok((first, last.max(first)))
}

/// Distinct addresses of a column, sorted, at most [`LISTED`], with their true number.
fn addresses(tables: &Tables, table: &DataFrame, column: Option<&str>, rows: &[u32]) -> Result<(Vec<String>, u64), Error> {
    let Some(column) = column else { return Ok((Vec::new(), 0)) };
    let ids = table.column(column).and_then(|ids| ids.u32()).map_err(internal)?;
    let ids: BTreeSet<u32> = rows.iter().filter_map(|row| ids.get(*row as usize)).collect();
    let known = ids.into_iter().map(|id| tables.address(id)).filter(|address| *address != Addr::UNSPECIFIED);
    let known: Vec<String> = known.map(|address| address.to_string()).collect();
    let count = known.len() as u64;
    Ok((known.into_iter().take(LISTED).collect(), count))
}

fn ports(about: &Table, table: &DataFrame, rows: &[u32]) -> Result<BTreeSet<u16>, Error> {
    let Some(column) = about.port else { return Ok(BTreeSet::new()) };
    let ports = table.column(column).and_then(|ports| ports.u16()).map_err(internal)?;
    Ok(rows.iter().filter_map(|row| ports.get(*row as usize)).filter(|port| *port > 0).collect())
}

/// The protocol that all rows have; empty where there are several, or none is known.
fn protocol(table: &DataFrame, rows: &[u32]) -> Result<&'static str, Error> {
    let Ok(column) = table.column(col::PROTO) else { return Ok("") };
    let protocols = column.u8().map_err(internal)?;
    let distinct: BTreeSet<u8> = rows.iter().filter_map(|row| protocols.get(*row as usize)).collect();
    Ok(match distinct.into_iter().collect::<Vec<_>>().as_slice() {
        [1] => "icmp",
        [6] => "tcp",
        [17] => "udp",
        [58] => "icmp6",
        [132] => "sctp",
        _ => "",
    })
}

fn sum(table: &DataFrame, column: Option<&str>, rows: &[u32]) -> Result<u64, Error> {
    column.map_or(Ok(0), |column| Ok(numbers(table, column, rows)?.sum()))
}

/// Whole numbers of some rows; all are 0 where there is no such column.
fn numbers(table: &DataFrame, column: &str, rows: &[u32]) -> Result<impl Iterator<Item = u64>, Error> {
    let values = match table.column(column) {
        // Only these rows are copied: a large table has many groups.
        Ok(values) => values.take_slice(rows).and_then(|values| values.cast(&DataType::UInt64)).map_err(internal)?,
        Err(_) => Column::new_scalar(column.into(), Scalar::from(0_u64), rows.len()),
    };
    let values = values.u64().map_err(internal)?.clone();
    Ok((0..rows.len()).map(move |row| values.get(row).unwrap_or_default()))
}

/// What the engine says of the value it stopped at, unless this run must not.
fn quotable(problem: String) -> String {
    if pseudonym::current().is_some() { "the reason may quote the capture and is left out".to_owned() } else { problem }
}

/// What the rows of a group share, as it is told.
fn told_key<'a>(rule: &'a Rule, key: &'a [String]) -> impl Iterator<Item = String> + 'a {
    let input = |name: &String| rule.inputs.iter().find(|input| input.name == *name);
    rule.group_by.iter().zip(key).map(move |(name, value)| input(name).map_or_else(|| value.clone(), |input| input.told(value)))
}

/// What an expression of the rule made of a group, as it is told.
fn expressed(rule: &Rule, value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null | AnyValue::Boolean(_) => plain(value),
        AnyValue::String(_) | AnyValue::StringOwned(_) => told(&rule.inputs, &plain(value)),
        // Bytes are words, too.
        other => other.extract::<f64>().map_or_else(|| told(&rule.inputs, &plain(other)), real),
    }
}

/// A value as it is: the port 1433 and not 1,433.
fn plain(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => String::new(),
        AnyValue::String(text) => shortened(text),
        AnyValue::StringOwned(text) => shortened(text),
        other => other.to_string(),
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_VALUE { text.to_owned() } else { text.chars().take(LONGEST_VALUE).chain(['…']).collect() }
}

/// `37,841`, `-3`, `0.25`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and below 2^53 where it is used")]
fn real(value: f64) -> String {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.fract() != 0.0 || value.abs() > WHOLE {
        let text = format!("{value:.3}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{}{}", if value < 0.0 { "-" } else { "" }, grouped(value.abs() as u64))
}

/// `10.0.0.1, 10.0.0.2 and 17 more`.
fn several(listed: &[String], count: u64) -> String {
    const NAMED: usize = 3;
    let named: Vec<&str> = listed.iter().take(NAMED).map(String::as_str).collect();
    match count.saturating_sub(named.len() as u64) {
        0 => named.join(", "),
        more => format!("{} and {} more", named.join(", "), grouped(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([37_841.0, -3.0, 0.25, 2.0 / 3.0].map(real), ["37,841", "-3", "0.25", "0.667"]);
        let hosts: Vec<String> = (1..=5).map(|n| format!("10.0.0.{n}")).collect();
        assert_eq!(several(&hosts, 1_005), "10.0.0.1, 10.0.0.2, 10.0.0.3 and 1,002 more");
        assert_eq!(several(&hosts[..1], 1), "10.0.0.1");
    }
}
