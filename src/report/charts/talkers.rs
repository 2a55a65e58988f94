//! `talkers.png`: the hosts with the most bytes, and which of them are in an alert.

use std::collections::BTreeMap;

use plotters::style::RGBAColor;

use super::super::model::{HostRow, Report};
use super::super::names::names;
use super::super::summary::loudest;
use super::super::units::{bytes, counted};
use super::bars::{self, Bar, Row};
use super::canvas::{Canvas, Frame};
use super::style::{LABEL, LEFT, RECEIVED, RIGHT, SENT, severity};
use super::text;
use crate::detect::Severity;

const ROWS: usize = 15;
/// Room for a host's name; its address is never cut.
const NAME: f64 = 230.0;
const FIELD: Frame = Frame::new(LEFT, 160.0, RIGHT, 860.0);

/// What the alerts say of a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Victim,
    Attacker,
}

pub fn draw(canvas: &Canvas, report: &Report) {
    let hosts = loudest(report, ROWS);
    let subtitle = format!(
        "the {} of {} with the most bytes, sent and received together",
        hosts.len(),
        counted(report.hosts.len() as u64, "host", "hosts")
    );
    let subtitle = if hosts.len() == report.hosts.len() { counted(hosts.len() as u64, "host", "hosts") } else { subtitle };
    canvas.header(&format!("Top talkers in {}", report.input), &subtitle);
    let most = hosts.iter().map(|host| total(host)).max().unwrap_or(0);
    if most == 0 {
        canvas.notice(if report.accounting.frames == 0 { "no packets" } else { "no packets between hosts" });
        return;
    }
    let (names, parts) = (names(report), parts(report));
    let rows: Vec<Row> = hosts
        .iter()
        .map(|host| row(host, names.get(&host.address).copied(), parts.get(&host.address.to_string().as_str()).copied(), most))
        .collect();
    canvas.legend(RIGHT, 128.0, &legend(&rows), LABEL);
    bars::draw(canvas, &rows, FIELD);
}

/// The worst that is said of each address.
fn parts(report: &Report) -> BTreeMap<&str, (Severity, Part)> {
    let mut parts = BTreeMap::new();
    for alert in &report.alerts {
        let named = alert.attackers.iter().map(|a| (a, Part::Attacker)).chain(alert.victims.iter().map(|v| (v, Part::Victim)));
        for (address, part) in named {
            let known = parts.entry(address.as_str()).or_insert((alert.severity, part));
            *known = (*known).max((alert.severity, part));
        }
    }
    parts
}

fn row(host: &HostRow, name: Option<&str>, part: Option<(Severity, Part)>, most: u64) -> Row {
    let share = |part: u64| part as f64 / most as f64;
    let mut values =
        vec![bytes(total(host)), format!("sent {}", bytes(host.bytes_sent)), format!("received {}", bytes(host.bytes_received))];
    if let Some((_, part)) = part {
        values.push(if part == Part::Attacker { "attacker" } else { "victim" }.to_owned());
    }
    Row {
        label: name.map_or_else(|| host.address.to_string(), |name| format!("{}  {}", text::fit(name, LABEL, NAME), host.address)),
        dot: part.map(|(level, _)| severity(level)),
        bars: vec![Bar { share: share(host.bytes_sent), color: SENT }, Bar { share: share(host.bytes_received), color: RECEIVED }],
        stacked: true,
        values: vec![values.join("  ·  ")],
    }
}

fn legend(rows: &[Row]) -> Vec<(RGBAColor, String)> {
    let mut entries = vec![(SENT, "sent".to_owned()), (RECEIVED, "received".to_owned())];
    for level in Severity::ALL.into_iter().rev() {
        if rows.iter().any(|row| row.dot == Some(severity(level))) {
            entries.push((severity(level), format!("in an alert: {}", level.name())));
        }
    }
    entries
}

fn total(host: &HostRow) -> u64 {
    host.bytes_sent.saturating_add(host.bytes_received)
}
