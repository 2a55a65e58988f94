//! What the alerts about failed logins say alike: who, where, how often, as whom, and what came of it.
//!
//! Names of users are told, the few tried most; passwords were never kept.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::{Alert, FrameSpan, LISTED, Measured, Picture, Severity};
use super::campaigns::{Campaign, Shape};
use super::context::{Context, listed};
use super::flood_seconds::measured;
use super::login_rows::{Row, Tally, spoken};
use super::rows::{i64s, u8s, u16s, u32s, u64s};
use super::wording::{counted, grouped};
use crate::error::Error;
use crate::net::{Addr, ip_proto};
use crate::pseudonym;
use crate::table::{Address, schema as col};
use crate::time::{self, Nanos};

type Pair = (Address, Address, u16);

/// The connections behind logins.
pub(super) struct Connections(BTreeMap<Pair, Vec<Connected>>);

#[derive(Clone, Copy, Debug)]
struct Connected {
    first: Nanos,
    last: Nanos,
    connections: u64,
    packets: u64,
    udp: bool,
}

impl Connections {
    pub fn of(context: &Context<'_>) -> Result<Self, Error> {
        let rows = context.campaigns.iter().flat_map(|campaign| &campaign.rows);
        let mut wanted: BTreeMap<Pair, Vec<Connected>> = rows.map(|row| ((row.client, row.server, row.port), Vec::new())).collect();
        if wanted.is_empty() {
            return Ok(Self(wanted));
        }
        let table = &context.tables.contacts;
        let (sources, targets, ports) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u16s(table, col::PORT)?);
        let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
        let (connections, packets) = (u32s(table, col::CONNECTIONS)?, u64s(table, col::PACKETS)?);
        let protos = u8s(table, col::PROTO)?;
        for row in 0..table.height() {
            if let Some(found) = wanted.get_mut(&(sources[row], targets[row], ports[row])) {
                found.push(Connected {
                    first: first[row],
                    last: last[row],
                    connections: u64::from(connections[row]),
                    packets: packets[row],
                    udp: protos[row] == ip_proto::UDP,
                });
            }
        }
        Ok(Self(wanted))
    }

    /// Those of a campaign while it lasted.
    fn during(&self, campaign: &Campaign, first: Nanos, last: Nanos) -> Vec<Connected> {
        let pairs: BTreeSet<Pair> = campaign.rows.iter().map(|row| (row.client, row.server, row.port)).collect();
        let found = pairs.iter().filter_map(|pair| self.0.get(pair)).flatten();
        found.copied().filter(|connected| connected.last >= first && connected.first <= last).collect()
    }
}

/// What was found, in the terms of an alert.
pub(super) struct Told<'a> {
    context: &'a Context<'a>,
    campaign: &'a Campaign,
    pub severity: Severity,
    first: Nanos,
    last: Nanos,
    failures: u64,
    connections: Vec<Connected>,
}

/// Users that a sentence names.
const NAMED: usize = 5;

impl<'a> Told<'a> {
    pub fn of(context: &'a Context<'a>, campaign: &'a Campaign, connections: &Connections) -> Self {
        let failed = || campaign.rows.iter().filter_map(|row| row.failed_at);
        let first = failed().map(|(first, _)| first).min().unwrap_or_default();
        let last = failed().map(|(_, last)| last).chain(campaign.verdict.success.iter().map(|success| success.at)).max().unwrap_or(first);
        let connections = connections.during(campaign, first, last);
        let opened: u64 = connections.iter().map(|connected| connected.connections).sum();
        let few = context.config.base.login.few;
        // Several tries on one connection are somebody at a prompt.
        let prompt = campaign.shape == Shape::Targeted && campaign.verdict.severity == Severity::Low && opened < u64::from(few);
        Self {
            context,
            campaign,
            severity: if prompt { Severity::Info } else { campaign.verdict.severity },
            first,
            last,
            failures: campaign.rows.iter().map(|row| row.failures.total()).sum(),
            connections,
        }
    }

    pub fn service(&self) -> &'static str {
        self.campaign.rows.first().map(|row| spoken(row.service)).unwrap_or_default()
    }

    pub fn failures(&self) -> String {
        counted(self.failures, "failed login")
    }

    pub fn lasted(&self) -> String {
        time::duration(self.last - self.first)
    }

    /// How close together what was counted lies.
    pub fn within(&self) -> String {
        time::duration(time::from_seconds(self.window()))
    }

    pub fn client(&self) -> String {
        self.campaign.rows.first().map(|row| self.context.address(row.client).to_string()).unwrap_or_default()
    }

    fn addresses(&self, of: impl Fn(&Row) -> Address) -> Vec<Addr> {
        let failing = self.campaign.rows.iter().filter(|row| row.failed_at.is_some());
        failing.map(|row| self.context.address(of(row))).collect()
    }

    pub fn clients(&self) -> u64 {
        listed(self.addresses(|row| row.client)).1
    }

    /// The server by name, or how many.
    pub fn servers(&self) -> String {
        let (named, number) = listed(self.addresses(|row| row.server));
        named.into_iter().next().filter(|_| number == 1).unwrap_or_else(|| counted(number, "server"))
    }

    /// Port, where it is one.
    pub fn port(&self) -> String {
        match self.ports()[..] {
            [port] => format!("{}, port {port}", self.service()),
            _ => self.service().to_owned(),
        }
    }

    fn ports(&self) -> Vec<u16> {
        let ports: BTreeSet<u16> = self.campaign.rows.iter().map(|row| row.port).collect();
        ports.into_iter().collect()
    }

    /// Users by failures, most first; those whose name is hidden are not among them.
    fn users(&self) -> Vec<(&str, u64)> {
        let mut users: BTreeMap<&str, u64> = BTreeMap::new();
        for row in self.campaign.rows.iter().filter(|row| row.failed_at.is_some() && !row.user.is_empty()) {
            *users.entry(&row.user).or_default() += row.failures.total();
        }
        let mut users: Vec<(&str, u64)> = users.into_iter().collect();
        users.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        users
    }

    /// The rest of the sentence: how failures are known, whose, and whether a login worked.
    pub fn details(&self) -> String {
        let mut tally = Tally::default();
        self.campaign.rows.iter().for_each(|row| tally += row.failures);
        let mut clauses = Vec::new();
        if tally.inferred > 0 {
            clauses.push(format!("{} inferred from the lengths of encrypted messages", grouped(tally.inferred)));
        }
        if tally.dropped > 0 {
            clauses.push(format!("{} turned away by the server before a password was asked", grouped(tally.dropped)));
        }
        let users = self.users();
        let names: Vec<String> =
            users.iter().take(NAMED).map(|(user, failures)| format!("{} ({})", pseudonym::user(user), grouped(*failures))).collect();
        clauses.push(match users.len() {
            0 => "the user is not visible".to_owned(),
            1..=NAMED => format!("tried as {}", names.join(", ")),
            many => format!("tried as {}, and as {} more", names.join(", "), counted((many - NAMED) as u64, "user")),
        });
        clauses.extend(self.outcome());
        clauses.iter().map(|clause| format!("; {clause}")).collect()
    }

    fn outcome(&self) -> Option<String> {
        let succeeded: u64 = self.campaign.rows.iter().map(|row| row.succeeded).sum();
        match &self.campaign.verdict.success {
            Some(success) if success.user.is_empty() => Some(format!("a login succeeded at {} UTC", time::log_time(success.at))),
            Some(success) => {
                Some(format!("the login as {} succeeded at {} UTC", pseudonym::user(&success.user), time::log_time(success.at)))
            }
            None => (succeeded > 0).then(|| format!("{} succeeded besides", counted(succeeded, "login"))),
        }
    }

    fn measured(&self) -> Vec<Measured> {
        let verdict = &self.campaign.verdict;
        let settings = &self.context.config.base.login;
        let failures = |threshold| measured("failed logins in the window", verdict.peak.total() as f64, "logins", threshold);
        let mut all = match (self.campaign.shape, self.campaign.spread) {
            (Shape::Users, Some((most, threshold))) => vec![
                measured("users tried in vain", most as f64, "users", Some(f64::from(threshold))),
                measured(
                    "failures per user",
                    (self.failures as f64 / self.users().len().max(1) as f64 * 100.0).round() / 100.0,
                    "logins",
                    Some(settings.tries_per_user),
                ),
                failures(None),
            ],
            (Shape::Servers, Some((most, threshold))) => {
                vec![measured("servers", most as f64, "servers", Some(f64::from(threshold))), failures(None)]
            }
            (Shape::Distributed, Some((most, threshold))) => vec![
                measured("clients", most as f64, "addresses", Some(f64::from(threshold))),
                failures(Some(f64::from(verdict.threshold))),
            ],
            _ => vec![failures(Some(f64::from(verdict.threshold)))],
        };
        let succeeded: u64 = self.campaign.rows.iter().map(|row| row.succeeded).sum();
        all.push(measured("failed logins", self.failures as f64, "logins", None));
        all.push(measured("successful logins", succeeded as f64, "logins", None));
        all
    }

    fn confidence(&self) -> f64 {
        let hundredths = match self.severity {
            Severity::Info => 40,
            Severity::Low => 50,
            Severity::Medium => 70,
            Severity::High | Severity::Critical => 90,
        };
        f64::from(if self.campaign.verdict.peak.is_inferred() { hundredths - 10 } else { hundredths }) / 100.0
    }

    fn window(&self) -> f64 {
        let settings = &self.context.config.base.login;
        match self.campaign.shape {
            Shape::Targeted => settings.window_s,
            Shape::Slow => (self.last - self.first) as f64 / time::SECOND as f64,
            Shape::Distributed | Shape::Users | Shape::Servers => settings.spread_s,
        }
    }

    /// Everything but title, message, kind, technique and ATT&CK.
    pub fn alert(&self) -> Alert {
        let rows = &self.campaign.rows;
        let (attackers, attacker_count) = listed(self.addresses(|row| row.client));
        let (victims, victim_count) = listed(self.addresses(|row| row.server));
        let ports = self.ports();
        let failing = || rows.iter().filter(|row| row.start() <= self.last);
        Alert {
            kind: "brute_force",
            technique: None,
            title: String::new(),
            message: String::new(),
            severity: self.severity,
            confidence: self.confidence(),
            attack: &[],
            first_seen: self.first,
            last_seen: self.last,
            detected_at: self.campaign.verdict.crossed,
            attackers,
            attacker_count,
            victims,
            victim_count,
            port_count: ports.len() as u64,
            ports: ports.into_iter().take(LISTED).collect(),
            protocol: if !self.connections.is_empty() && self.connections.iter().all(|connected| connected.udp) { "udp" } else { "tcp" },
            measured: self.measured(),
            window_s: self.window(),
            flow_count: self.connections.iter().map(|connected| connected.connections).sum(),
            packet_count: self.connections.iter().map(|connected| connected.packets).sum(),
            frames: FrameSpan {
                first: failing().map(|row| row.frames.first).min().unwrap_or_default(),
                last: failing().map(|row| row.frames.last).max().unwrap_or_default(),
            },
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: self.next_steps(),
            picture: Picture::None,
        }
    }

    fn next_steps(&self) -> Vec<String> {
        let mut steps = Vec::new();
        if let Some(success) = &self.campaign.verdict.success {
            let whom = if success.user.is_empty() {
                "the account that logged in".to_owned()
            } else {
                format!("the account {}", pseudonym::user(&success.user))
            };
            steps.push(format!(
                "Ask whether {whom} was its owner at {} UTC; if not, lock it and see what it did since.",
                time::log_time(success.at)
            ));
        }
        if self.campaign.verdict.stale {
            steps.push("Find the program on the client that keeps an old password or key.".to_owned());
        } else {
            steps.push("Compare with the server's own log of logins: the users, and whether any login succeeded.".to_owned());
            steps.push("Block the client, or limit its tries; ask for a second factor or for keys where passwords do.".to_owned());
        }
        steps
    }
}
