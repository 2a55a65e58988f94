//! Programs started on other Windows hosts: through their shares, and services or tasks.

use std::collections::{BTreeMap, BTreeSet};

use super::super::alert::{Alert, FrameSpan, Severity};
use super::super::context::{Context, listed};
use super::super::flood_seconds::measured;
use super::super::rows::{i64s, texts, u8s, u16s, u32s, u64s};
use super::super::services::SYSTEM_PORTS;
use super::super::wording::counted;
use super::told;
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, schema as col};
use crate::time::{Nanos, from_seconds};

/// Use of a share or pipe of a server, in one minute.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub client: Address,
    pub server: Address,
    port: u16,
    what: String,
    count: u64,
    pub first: Nanos,
    last: Nanos,
    frames: FrameSpan,
}

impl Use {
    /// A share of the whole system or of a drive, which only administrators may open, or a program in one.
    pub(super) fn is_disk(&self) -> bool {
        self.what == "admin$" || self.what == "exe" || matches!(self.what.as_bytes(), [b'a'..=b'z', b'$'])
    }

    /// A pipe to start something by.
    fn starts(&self) -> bool {
        matches!(self.what.as_str(), "svcctl" | "atsvc" | "itaskscheduler")
    }
}

/// What was used of Windows administration, by client, server and time.
pub(super) fn uses(context: &Context<'_>) -> Result<Vec<Use>, Error> {
    let table = &context.tables.facts.remote;
    if table.height() == 0 {
        return Ok(Vec::new());
    }
    let (clients, servers, ports) = (u32s(table, col::CLIENT)?, u32s(table, col::SERVER)?, u16s(table, col::PORT)?);
    let (what, count) = (texts(table, col::WHAT)?, u64s(table, col::COUNT)?);
    let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let mut uses: Vec<Use> = (0..table.height())
        .filter(|row| clients[*row] != servers[*row])
        .map(|row| Use {
            client: clients[row],
            server: servers[row],
            port: ports[row],
            what: what.get(row).unwrap_or_default().to_owned(),
            count: count[row],
            first: first[row],
            last: last[row],
            frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
        })
        .collect();
    uses.sort_by(|a, b| {
        (a.client, a.server, a.first, &a.what, a.frames.first).cmp(&(b.client, b.server, b.first, &b.what, b.frames.first))
    });
    Ok(uses)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Means {
    /// A share and the pipe of services or tasks: PsExec and its kin.
    Pipe,
    /// A share, and a remote procedure found through the endpoint mapper: WMI, DCOM.
    Procedure,
    /// A program in a share, or a pipe: half of it.
    Half,
}

/// What one client did to one server.
struct Deed<'a> {
    means: Means,
    uses: Vec<&'a Use>,
    /// When the last piece came that makes it one.
    known: Nanos,
}

pub(super) fn find(context: &Context<'_>, uses: &[Use]) -> Result<Vec<Alert>, Error> {
    if uses.is_empty() {
        return Ok(Vec::new());
    }
    let procedures = procedures(context, uses)?;
    let gap = from_seconds(context.config.base.alert.join_gap_s);
    let mut by_client: BTreeMap<(Address, Means), Vec<Deed>> = BTreeMap::new();
    for of_pair in uses.chunk_by(|a, b| (a.client, a.server) == (b.client, b.server)) {
        for episode in of_pair.chunk_by(|a, b| b.first - a.last <= gap) {
            let Some(head) = episode.first() else { continue };
            let window = from_seconds(context.settings(head.server).lateral.window_s);
            let none = Vec::new();
            if let Some(deed) = deed(episode, procedures.get(&(head.client, head.server)).unwrap_or(&none), window) {
                by_client.entry((head.client, deed.means)).or_default().push(deed);
            }
        }
    }
    let mut alerts = Vec::new();
    for ((client, means), mut deeds) in by_client {
        deeds.sort_by_key(|deed| (deed.first(), deed.uses.first().map(|used| used.server)));
        alerts.extend(deeds.chunk_by(|a, b| b.first() - a.last() <= gap).filter_map(|deeds| alert(context, client, means, deeds)));
    }
    Ok(alerts)
}

/// When a client that used a share of a server called a procedure of it: data at the endpoint mapper, and then at a
/// port it may have told.
fn procedures(context: &Context<'_>, uses: &[Use]) -> Result<BTreeMap<(Address, Address), Vec<Nanos>>, Error> {
    const ENDPOINT_MAPPER: u16 = 135;
    let pairs: BTreeSet<(Address, Address)> = uses.iter().filter(|used| used.is_disk()).map(|used| (used.client, used.server)).collect();
    let table = &context.tables.contacts;
    let mut found: BTreeMap<(Address, Address), Vec<Nanos>> = BTreeMap::new();
    if pairs.is_empty() || table.height() == 0 {
        return Ok(found);
    }
    let mut is_server = vec![false; context.tables.addresses.len()];
    pairs.iter().for_each(|(_, server)| is_server[*server as usize] = true);
    let (sources, targets, ports) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u16s(table, col::PORT)?);
    let (protos, data, first) = (u8s(table, col::PROTO)?, u32s(table, col::DATA)?, i64s(table, col::FIRST_TS)?);
    let (mut asked, mut called) = (BTreeMap::new(), Vec::new());
    for row in (0..table.height()).filter(|row| is_server[targets[*row] as usize] && protos[*row] == ip_proto::TCP && data[*row] > 0) {
        let pair = (sources[row], targets[row]);
        match ports[row] {
            _ if !pairs.contains(&pair) => {}
            ENDPOINT_MAPPER => {
                let since = asked.entry(pair).or_insert(first[row]);
                *since = first[row].min(*since);
            }
            SYSTEM_PORTS.. => called.push((pair, first[row])),
            _ => {}
        }
    }
    for (pair, ts) in called {
        if asked.get(&pair).is_some_and(|asked| *asked <= ts) {
            found.entry(pair).or_default().push(ts);
        }
    }
    Ok(found)
}

/// What an episode is, at its worst.
fn deed<'a>(episode: &'a [Use], procedures: &[Nanos], window: Nanos) -> Option<Deed<'a>> {
    let disks = || episode.iter().filter(|used| used.is_disk());
    let near = |a: &Use, ts: Nanos| (a.first - window..=a.last + window).contains(&ts);
    let with = |times: &mut dyn Iterator<Item = Nanos>| {
        times.filter_map(|ts| disks().filter(|disk| near(disk, ts)).map(|disk| disk.first.max(ts)).min()).min()
    };
    let all = |means, known| Deed { means, uses: episode.iter().filter(|used| used.what != "ipc$").collect(), known };
    if let Some(known) = with(&mut episode.iter().filter(|used| used.starts()).map(|used| used.first)) {
        return Some(all(Means::Pipe, known));
    }
    if let Some(known) = with(&mut procedures.iter().copied()) {
        return Some(all(Means::Procedure, known));
    }
    let half = episode.iter().find(|used| used.starts() || used.what == "exe")?;
    Some(all(Means::Half, half.first))
}

impl Deed<'_> {
    fn first(&self) -> Nanos {
        self.uses.iter().map(|used| used.first).min().unwrap_or_default()
    }

    fn last(&self) -> Nanos {
        self.uses.iter().map(|used| used.last).max().unwrap_or_default()
    }
}

fn alert(context: &Context<'_>, client: Address, means: Means, deeds: &[Deed<'_>]) -> Option<Alert> {
    let uses = || deeds.iter().flat_map(|deed| deed.uses.iter());
    let settings = &context.settings(uses().next()?.server).lateral;
    let attacker = context.address(client);
    let (victims, victim_count) = listed(uses().map(|used| context.address(used.server)).collect());
    let whom = if victim_count == 1 { victims.first().cloned().unwrap_or_default() } else { counted(victim_count, "host") };
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    uses().for_each(|used| *times.entry(used.what.as_str()).or_default() += used.count);
    let list: Vec<String> = times
        .iter()
        .map(|(what, count)| match count {
            1 => told_as(what),
            _ => format!("{} ({count} times)", told_as(what)),
        })
        .collect();
    let list = list.join(", ");
    let (technique, title, ending, severity, confidence, attack): (_, _, _, _, _, &'static [&'static str]) = match means {
        Means::Pipe => (
            "remote_execution",
            format!("{attacker} ran something on {whom} through Windows administration"),
            "as PsExec and its kin do to start a program there".to_owned(),
            Severity::High,
            if times.contains_key("exe") { 0.9 } else { 0.8 },
            &["T1021.002", "T1569.002", "T1053.005", "T1570"],
        ),
        Means::Procedure => (
            "remote_procedure",
            format!("{attacker} called procedures of {whom} and used its disk"),
            "and called procedures that the endpoint mapper (port 135) told it of, as programs do that run commands through WMI or DCOM and fetch what they wrote".to_owned(),
            Severity::Medium,
            0.6,
            &["T1021.002", "T1021.003", "T1047"],
        ),
        Means::Half => (
            "remote_administration",
            format!("{attacker} administered {whom} from afar"),
            "which alone does not tell that anything was run".to_owned(),
            Severity::Low,
            0.4,
            &["T1021.002", "T1570"],
        ),
    };
    let ports: BTreeSet<u16> = uses().map(|used| used.port).collect();
    Some(Alert {
        title,
        message: format!("{attacker} used {list} of {whom}, {ending}"),
        severity,
        confidence,
        first_seen: deeds.iter().map(Deed::first).min()?,
        last_seen: deeds.iter().map(Deed::last).max()?,
        detected_at: deeds.iter().map(|deed| deed.known).min()?,
        attackers: vec![attacker.to_string()],
        attacker_count: 1,
        victims,
        victim_count,
        port_count: ports.len() as u64,
        ports: ports.into_iter().collect(),
        measured: vec![
            measured("shares and pipes used", uses().map(|used| used.count).sum::<u64>() as f64, "times", None),
            measured("hosts", victim_count as f64, "hosts", None),
        ],
        window_s: settings.window_s,
        frames: FrameSpan { first: uses().map(|used| used.frames.first).min()?, last: uses().map(|used| used.frames.last).max()? },
        ..told(technique, attack)
    })
}

fn told_as(what: &str) -> String {
    match what {
        "exe" => "a program on a share".to_owned(),
        "svcctl" => "the pipe of the service manager (svcctl)".to_owned(),
        "atsvc" | "itaskscheduler" => format!("the pipe of the task scheduler ({what})"),
        share if share.ends_with('$') => format!("the share {share}"),
        pipe => format!("the pipe {pipe}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::LateralMovement;
    use super::*;
    use crate::decode::app::{Administration, Fact, Service};
    use crate::detect::testing::{Capture, host};

    fn used(capture: &mut Capture, client: u32, server: u32, what: &[&str]) {
        capture.conversation(client, 40_000, server, 445);
        for what in what {
            let what = (*what).to_owned();
            capture.said(client, server, 445, Service::Smb, |at| Fact::Administration(Administration { what, at }));
        }
    }

    fn of(what: &[&str]) -> Vec<Alert> {
        let mut capture = Capture::default();
        used(capture.at_ms(0), 5, 9, what);
        capture.judge(&LateralMovement)
    }

    #[test]
    fn a_share_and_the_pipe_of_services_run_something() {
        let found = of(&["ipc$", "admin$", "svcctl"]);
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::High, Some("remote_execution")));
        assert_eq!((&found[0].attackers, &found[0].victims), (&vec![host(5)], &vec![host(9)]));
        assert_eq!(of(&["c$", "atsvc"])[0].severity, Severity::High);
    }

    #[test]
    fn too_far_apart_they_are_halves() {
        let later = |ms: i64| {
            let mut capture = Capture::default();
            used(capture.at_ms(0), 5, 9, &["admin$"]);
            used(capture.at_ms(ms), 5, 9, &["svcctl"]);
            capture.judge(&LateralMovement)[0].severity
        };
        assert_eq!((later(599_000), later(601_000)), (Severity::High, Severity::Low));
    }

    #[test]
    fn a_share_and_procedures_are_probably_hostile() {
        let mut capture = Capture::default();
        used(capture.at_ms(0), 5, 9, &["admin$"]);
        capture.at_ms(100).conversation(5, 40_001, 9, 135);
        assert!(capture.judge(&LateralMovement).is_empty());
        capture.at_ms(200).conversation(5, 40_002, 9, 49_444);
        let found = capture.judge(&LateralMovement);
        assert_eq!((found[0].severity, found[0].technique), (Severity::Medium, Some("remote_procedure")));
    }

    #[test]
    fn what_every_member_of_a_domain_does_is_none() {
        assert!(of(&["ipc$", "samr", "epmapper"]).is_empty());
        assert!(of(&["c$"]).is_empty());
    }

    #[test]
    fn several_hosts_one_after_another_are_one_alert() {
        let mut capture = Capture::default();
        (0..3).for_each(|n| used(capture.at_ms(i64::from(n) * 60_000), 5, 9 + n, &["admin$", "exe", "svcctl"]));
        let found = capture.judge(&LateralMovement);
        assert_eq!((found.len(), found[0].victim_count), (1, 3));
    }
}
