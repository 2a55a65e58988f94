//! `nsm compare`: what is new, gone or changed between two captures.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::setup::complain;
use super::stored_report::StoredReport;
use super::{Outcome, print};
use crate::analysis;
use crate::capture::FileSource;
use crate::cli::Compare;
use crate::config::Config;
use crate::error::Error;
use crate::net::{Addr, ip_proto};
use crate::pipeline::{self, Measured, Options};
use crate::report::{self, Difference, Report, Told, alert_lines, visible};
use crate::warning::Warning;

/// Rows of each kind that the terminal shows; `--json` has all.
const SHOWN: usize = 20;
/// Hosts whose traffic is held against each other: the loudest of both sides.
const TALKERS: usize = 15;
/// A host's bytes changed if they at least doubled or halved.
const CHANGED: f64 = 2.0;

pub(super) fn run(args: &Compare, out: &mut dyn Write) -> Result<Outcome, Error> {
    let (before, after) = (Side::open(&args.before)?, Side::open(&args.after)?);
    let (told_before, told_after) = (before.told()?, after.told()?);
    let comparison = Comparison::of(&before, &after, &Difference::of(&told_before, &told_after));
    if args.json {
        print(out, &String::from_utf8_lossy(&report::pretty(&comparison)?))?;
    } else {
        print(out, &comparison.shown(&args.before, &args.after))?;
    }
    Ok(before.warned(&args.before).max(after.warned(&args.after)))
}

/// One of the two: a report with its tables, or a capture that is analysed here.
struct Side {
    report: Report,
    services: BTreeMap<(Addr, u16, u8), String>,
}

impl Side {
    fn open(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            let (report, measured) = StoredReport::open(path)?.judged()?;
            return Self::of(report, &measured);
        }
        let config = Config::default();
        let measured = pipeline::measure(&mut FileSource::open(path)?, &config.base, &Options::default(), &mut |_| Ok(()))?;
        Self::of(analysis::judge(&path.to_string_lossy(), &measured, &config, &|_| true)?, &measured)
    }

    fn of(report: Report, measured: &Measured) -> Result<Self, Error> {
        let services = measured.tables.busiest_services(usize::MAX)?;
        let services = services.into_iter().map(|service| ((service.address, service.port, service.proto), service.service)).collect();
        Ok(Self { report, services })
    }

    /// What is missing from one side looks like gone, or new.
    fn warned(&self, path: &Path) -> Outcome {
        for warning in &self.report.warnings {
            complain(&visible(&format!("{}: warning: {warning}", path.display())));
        }
        if self.report.warnings.iter().any(Warning::is_damage) { Outcome::Damaged } else { Outcome::Done }
    }

    fn told(&self) -> Result<Vec<Told>, Error> {
        Told::all(&String::from_utf8_lossy(&alert_lines(&self.report)?)).map_err(Error::Internal)
    }

    fn bytes(&self) -> BTreeMap<Addr, u64> {
        self.report.hosts.iter().map(|host| (host.address, host.bytes_sent.saturating_add(host.bytes_received))).collect()
    }
}

#[derive(Serialize)]
struct Comparison {
    alerts: Changes<AlertRow>,
    hosts: Changes<HostRow>,
    services: Changes<ServiceRow>,
    /// Of the hosts with the most bytes on either side, those in both whose bytes doubled or halved.
    talkers: Vec<TalkerRow>,
}

#[derive(Serialize)]
struct Changes<R> {
    new: Vec<R>,
    gone: Vec<R>,
    changed: Vec<R>,
    stayed: usize,
}

#[derive(Serialize)]
struct AlertRow {
    #[serde(rename = "type")]
    kind: String,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity_before: Option<&'static str>,
    title: String,
}

#[derive(Serialize)]
struct HostRow {
    address: Addr,
    bytes: u64,
}

#[derive(Serialize)]
struct ServiceRow {
    address: Addr,
    port: u16,
    protocol: String,
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_before: Option<String>,
}

#[derive(Serialize)]
struct TalkerRow {
    address: Addr,
    bytes_before: u64,
    bytes: u64,
}

impl Comparison {
    fn of(before: &Side, after: &Side, difference: &Difference<'_>) -> Self {
        let (old, new) = (before.bytes(), after.bytes());
        Self {
            alerts: alerts(difference),
            hosts: hosts(&old, &new),
            services: services(&before.services, &after.services),
            talkers: talkers(&old, &new),
        }
    }

    fn shown(&self, before: &Path, after: &Path) -> String {
        let name = |path: &Path| visible(&path.to_string_lossy()).into_owned();
        let mut text = format!("{} -> {}\n", name(before), name(after));
        self.alerts.append(&mut text, "alerts", |row| {
            let was = row.severity_before.map(|was| format!(" (was {was})")).unwrap_or_default();
            format!("{:<8}  {:<20}  {}{was}", row.severity, visible(&row.kind), visible(&row.title))
        });
        self.hosts.append(&mut text, "hosts", |row| format!("{:<39}  {}", row.address.to_string(), report::bytes(row.bytes)));
        self.services.append(&mut text, "services", |row| {
            let was = row.service_before.as_ref().map(|was| format!(" (was {})", spoken(was))).unwrap_or_default();
            format!("{} {}/{}  {}{was}", row.address, row.port, row.protocol, spoken(&row.service))
        });
        text.push_str(&format_head("talkers", [0, 0, self.talkers.len()], None));
        for row in self.talkers.iter().take(SHOWN) {
            let line = format!("{:<39}  {} -> {}", row.address.to_string(), report::bytes(row.bytes_before), report::bytes(row.bytes));
            text.extend(["  ~ ", &line, "\n"]);
        }
        text
    }
}

impl<R> Changes<R> {
    fn append(&self, text: &mut String, what: &str, line: impl Fn(&R) -> String) {
        text.push_str(&format_head(what, [self.new.len(), self.gone.len(), self.changed.len()], Some(self.stayed)));
        for (mark, rows) in [("+", &self.new), ("-", &self.gone), ("~", &self.changed)] {
            for row in rows.iter().take(SHOWN) {
                text.extend(["  ", mark, " ", &line(row), "\n"]);
            }
            if rows.len() > SHOWN {
                text.extend(["  ", mark, " and ", &(rows.len() - SHOWN).to_string(), " more\n"]);
            }
        }
    }
}

fn format_head(what: &str, [new, gone, changed]: [usize; 3], stayed: Option<usize>) -> String {
    match stayed {
        Some(stayed) => format!("{what}: {new} new, {gone} gone, {changed} changed, {stayed} as before\n"),
        None => format!("{what}: {changed} of the loudest sent and received at least twice or half as much\n"),
    }
}

fn spoken(service: &str) -> &str {
    if service.is_empty() { "not recognised" } else { service }
}

fn alerts(difference: &Difference<'_>) -> Changes<AlertRow> {
    let row = |told: &Told, before: Option<&Told>| AlertRow {
        kind: told.kind.clone(),
        severity: told.severity.name(),
        severity_before: before.map(|told| told.severity.name()),
        title: told.title.clone(),
    };
    let (stayed, changed): (Vec<_>, Vec<_>) = difference.both.iter().partition(|(old, new)| old.severity == new.severity);
    Changes {
        new: difference.only_after.iter().map(|told| row(told, None)).collect(),
        gone: difference.only_before.iter().map(|told| row(told, None)).collect(),
        changed: changed.iter().map(|(old, new)| row(new, Some(old))).collect(),
        stayed: stayed.len(),
    }
}

fn hosts(old: &BTreeMap<Addr, u64>, new: &BTreeMap<Addr, u64>) -> Changes<HostRow> {
    let only = |one: &BTreeMap<Addr, u64>, other: &BTreeMap<Addr, u64>| {
        let mut rows: Vec<HostRow> = one
            .iter()
            .filter(|(address, _)| !other.contains_key(address))
            .map(|(address, bytes)| HostRow { address: *address, bytes: *bytes })
            .collect();
        rows.sort_by_key(|row| (u64::MAX - row.bytes, row.address));
        rows
    };
    Changes {
        new: only(new, old),
        gone: only(old, new),
        changed: Vec::new(),
        stayed: new.keys().filter(|host| old.contains_key(host)).count(),
    }
}

type Services = BTreeMap<(Addr, u16, u8), String>;

fn services(old: &Services, new: &Services) -> Changes<ServiceRow> {
    let row = |(&(address, port, proto), service): (&(Addr, u16, u8), &String), before: Option<&String>| ServiceRow {
        address,
        port,
        protocol: ip_proto::name(proto).into_owned(),
        service: service.clone(),
        service_before: before.cloned(),
    };
    let only =
        |one: &Services, other: &Services| one.iter().filter(|(key, _)| !other.contains_key(key)).map(|found| row(found, None)).collect();
    let both = new.iter().filter_map(|found| old.get(found.0).map(|before| (found, before)));
    let (stayed, changed): (Vec<_>, Vec<_>) = both.partition(|((_, now), before)| now == before);
    Changes {
        new: only(new, old),
        gone: only(old, new),
        changed: changed.into_iter().map(|(found, before)| row(found, Some(before))).collect(),
        stayed: stayed.len(),
    }
}

fn talkers(old: &BTreeMap<Addr, u64>, new: &BTreeMap<Addr, u64>) -> Vec<TalkerRow> {
    let loudest = |hosts: &BTreeMap<Addr, u64>| {
        let mut hosts: Vec<(u64, Addr)> = hosts.iter().map(|(address, bytes)| (u64::MAX - bytes, *address)).collect();
        hosts.sort_unstable();
        hosts.into_iter().take(TALKERS).map(|(_, address)| address).collect::<Vec<Addr>>()
    };
    let either: BTreeSet<Addr> = loudest(old).into_iter().chain(loudest(new)).collect();
    let row = |address: Addr| Some(TalkerRow { address, bytes_before: *old.get(&address)?, bytes: *new.get(&address)? });
    let changed = |row: &TalkerRow| {
        let (before, now) = (row.bytes_before.max(1) as f64, row.bytes.max(1) as f64);
        now >= CHANGED * before || before >= CHANGED * now
    };
    let mut rows: Vec<TalkerRow> = either.into_iter().filter_map(row).filter(changed).collect();
    rows.sort_by_key(|row| (u64::MAX - row.bytes.max(row.bytes_before), row.address));
    rows
}
