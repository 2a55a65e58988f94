//! Hosts, services, protocols and names: who talked, what was spoken, and what it is called.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::model::HostRow;
use super::super::summary::loudest;
use super::super::units::{bytes, counted, thousands};
use super::view::{View, badge};
use super::words;
use crate::detect::Severity;
use crate::net::{Addr, ip_proto};
use crate::time::log_time;

const TALKERS: usize = 50;
const NAMES: usize = 200;

pub fn hosts(view: &View) -> Markup {
    html! {
        section #hosts { h2 { "Hosts" } (talkers(view)) }
        section #services { h2 { "Services and protocols" } (services(view)) (protocols(view)) }
        section #names { h2 { "Names" } (names(view)) }
    }
}

/// Worst severity in which an address is an attacker, and in which it is a victim.
type Roles<'a> = BTreeMap<&'a str, [Option<Severity>; 2]>;

fn roles<'a>(view: &View<'a>) -> Roles<'a> {
    let mut roles = Roles::new();
    for alert in &view.report.alerts {
        let named = alert.attackers.iter().map(|host| (host, 0)).chain(alert.victims.iter().map(|host| (host, 1)));
        for (host, side) in named {
            if let Some(worst) = roles.entry(host).or_default().get_mut(side) {
                *worst = (*worst).max(Some(alert.severity));
            }
        }
    }
    roles
}

fn talkers(view: &View) -> Markup {
    let (shown, roles) = (loudest(view.report, TALKERS), roles(view));
    let all = view.report.hosts.len();
    let most = shown.iter().map(|host| total(host)).max().unwrap_or(0).max(1);
    html! {
        p.muted {
            @if all > shown.len() { "The " (shown.len()) " of " (counted(all as u64, "host", "hosts")) " with the most bytes; hosts.csv has all." }
            @else { (counted(all as u64, "host", "hosts")) "." }
        }
        @if !shown.is_empty() {
            div.scroll { table.sortable {
                thead { tr {
                    th scope="col" { "Address" } th scope="col" { "Name" } th scope="col" { "In findings as" } th.n scope="col" { "Bytes" } th scope="col" { "Share" }
                    th.n scope="col" { "Sent" } th.n scope="col" { "Received" } th.n scope="col" { "Connections out" } th.n scope="col" { "in" } th scope="col" { "First seen (UTC)" }
                } }
                tbody { @for host in &shown { (talker(view, host, &roles, most)) } }
            } }
        }
    }
}

fn talker(view: &View, host: &HostRow, roles: &Roles, most: u64) -> Markup {
    let address = host.address.to_string();
    let [attacker, victim] = roles.get(address.as_str()).copied().unwrap_or_default();
    let share = |part: u64| format!("width:{:.1}%", part as f64 / most as f64 * 100.0);
    html! {
        tr {
            th scope="row" { (address) " " span.muted { @if host.address.is_private() { "private" } @else { "public" } } }
            td.wide { @if let Some(name) = view.name(host.address) { (visible(name)) } }
            td {
                @if let Some(worst) = attacker { (badge(worst)) " attacker " }
                @if let Some(worst) = victim { (badge(worst)) " victim" }
            }
            td.n data-v=(total(host)) { (bytes(total(host))) }
            td.gauge { span.bar aria-hidden="true" { span class="fill sent" style=(share(host.bytes_sent)) {} span class="fill received" style=(share(host.bytes_received)) {} } }
            td.n data-v=(host.bytes_sent) { (bytes(host.bytes_sent)) }
            td.n data-v=(host.bytes_received) { (bytes(host.bytes_received)) }
            td.n data-v=(host.flows_originated) { (thousands(host.flows_originated)) }
            td.n data-v=(host.flows_responded) { (thousands(host.flows_responded)) }
            td.time { (log_time(host.first_seen)) }
        }
    }
}

fn total(host: &HostRow) -> u64 {
    host.bytes_sent.saturating_add(host.bytes_received)
}

fn services(view: &View) -> Markup {
    let services = &view.report.services;
    html! {
        @if services.is_empty() { p { "No connection carried any data." } }
        @else {
            div.scroll { table.sortable {
                caption { "The services with the most data, known by what was spoken and not by the port" }
                thead { tr {
                    th scope="col" { "Server" } th.n scope="col" { "Port" } th scope="col" { "Transport" } th scope="col" { "Spoken" }
                    th scope="col" { "Asked for as" } th.n scope="col" { "Connections" } th.n scope="col" { "Data" }
                } }
                tbody { @for service in services { tr {
                    th scope="row" { (view.host(&service.address.to_string())) }
                    td.n data-v=(service.port) { (service.port) }
                    td { (ip_proto::name(service.proto)) }
                    td { @if service.service.is_empty() { span.muted { "not recognised" } } @else { (visible(&spoken(&service.service))) } }
                    td.wide { (visible(&words::list(&service.names.iter().map(String::as_str).collect::<Vec<_>>()))) }
                    td.n data-v=(service.connections) { (thousands(service.connections)) }
                    td.n data-v=(service.bytes) { (bytes(service.bytes)) }
                } } }
            } }
        }
    }
}

/// As people know it: connection logs call TLS by an older name.
fn spoken(service: &str) -> String {
    match service {
        "ssl" => "TLS".to_owned(),
        "krb" => "Kerberos".to_owned(),
        name => name.to_uppercase(),
    }
}

fn protocols(view: &View) -> Markup {
    let rows = &view.report.protocols;
    html! {
        @if !rows.is_empty() {
            details {
                summary { "Protocols by layer" }
                div.scroll { table.sortable {
                    thead { tr { th scope="col" { "Layer" } th scope="col" { "Protocol" } th.n scope="col" { "Packets" } th.n scope="col" { "Bytes" } } }
                    tbody { @for row in rows { tr {
                        td { (row.layer) } td { (visible(&row.protocol)) }
                        td.n data-v=(row.packets) { (thousands(row.packets)) } td.n data-v=(row.bytes) { (bytes(row.bytes)) }
                    } } }
                } }
            }
        }
    }
}

/// Names of hosts in findings come first, then the others by address.
fn names(view: &View) -> Markup {
    let involved: BTreeSet<&str> =
        view.report.alerts.iter().flat_map(|alert| alert.attackers.iter().chain(&alert.victims)).map(String::as_str).collect();
    let mut named: Vec<(Addr, &str)> = view.names().collect();
    // Stable: within both groups the order of addresses stays.
    named.sort_by_cached_key(|(address, _)| !involved.contains(address.to_string().as_str()));
    html! {
        @if named.is_empty() { p { "The capture gives no address a name." } }
        @else {
            p.muted { "From answers of DNS in the capture and from the capture file itself. Whoever answers decides what the name is: it is a hint and no proof of who the host belongs to." }
            details {
                summary { (counted(named.len() as u64, "name", "names")) }
                div.scroll { table.sortable {
                    thead { tr { th scope="col" { "Address" } th scope="col" { "Name" } } }
                    tbody { @for (address, name) in named.iter().take(NAMES) { tr { th scope="row" { (address.to_string()) } td.wide { (visible(name)) } } } }
                } }
                @if named.len() > NAMES { p.muted { (thousands((named.len() - NAMES) as u64)) " more are not shown." } }
            }
        }
    }
}
