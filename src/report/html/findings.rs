//! The findings: a table to sort and filter, and each in full with its numbers and its picture.

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::page::severities;
use super::super::summary::BySeverity;
use super::super::units::{counted, period, thousands};
use super::attack;
use super::picture::{measured, picture};
use super::view::{FINDINGS, View, badge, confidence, link};
use super::words;
use crate::detect::{Alert, Severity};
use crate::time::{duration, log_time, rfc3339};

/// Rows of the table.
const ROWS: usize = 1_000;
/// Findings with a picture of probes or seconds; those after them have their numbers only.
const PICTURES: usize = 24;
const PORTS: usize = 12;
const HOSTS: usize = 3;
/// Findings that are silenced and still named.
const SILENCED: usize = 100;

pub fn findings(view: &View) -> Markup {
    let alerts = &view.report.alerts;
    html! {
        section #findings {
            h2 { "Findings" }
            p.counts {
                @if alerts.is_empty() { "No detector reported anything." }
                (severities(BySeverity::of(alerts)))
            }
            @if !alerts.is_empty() { (table(view)) }
            @for (rank, alert) in alerts.iter().enumerate().take(FINDINGS) { (card(view, rank, alert)) }
            @if alerts.len() > FINDINGS {
                p.notice { (counted((alerts.len() - FINDINGS) as u64, "more finding is", "more findings are")) " not shown in full here; alerts.csv and alerts.jsonl have all." }
            }
            (silenced(view))
        }
    }
}

fn table(view: &View) -> Markup {
    let alerts = &view.report.alerts;
    html! {
        div.scroll {
            table.sortable {
                caption { "All findings, worst first" @if alerts.len() > ROWS { " (the first " (thousands(ROWS as u64)) " of " (thousands(alerts.len() as u64)) "; alerts.csv has all)" } }
                thead { tr {
                    th.n scope="col" { "No." } th scope="col" { "Severity" } th scope="col" { "Finding" } th scope="col" { "From" } th scope="col" { "To" }
                    th scope="col" { "First seen (UTC)" } th.n scope="col" { "Lasted" } th.n scope="col" { "Confidence" }
                } }
                tbody { @for (rank, alert) in alerts.iter().enumerate().take(ROWS) { (row(view, rank, alert)) } }
            }
        }
    }
}

fn row(view: &View, rank: usize, alert: &Alert) -> Markup {
    html! {
        tr {
            td.n data-v=(rank + 1) { (link(rank)) }
            td data-v=(alert.severity as u8) { (badge(alert.severity)) }
            td.wide { (visible(&alert.title)) }
            td { (view.hosts(&alert.attackers, alert.attacker_count, 1)) }
            td { (view.hosts(&alert.victims, alert.victim_count, 1)) }
            td.time { (log_time(alert.first_seen)) }
            td.n data-v=(alert.last_seen.saturating_sub(alert.first_seen)) { (duration(alert.last_seen.saturating_sub(alert.first_seen))) }
            td.n data-v=(alert.confidence) { (words::percent(alert.confidence)) }
        }
    }
}

fn card(view: &View, rank: usize, alert: &Alert) -> Markup {
    let drawn = if rank < PICTURES {
        picture(alert)
    } else {
        html! {}
    };
    html! {
        article id=(format!("finding-{}", rank + 1)) class=(format!("finding {}", alert.severity.name())) {
            h3 { (badge(alert.severity)) " " a.anchor href=(format!("#finding-{}", rank + 1)) { "#" (rank + 1) } " " (visible(&alert.title)) }
            p { (visible(&alert.message)) "." }
            p.muted { (period(alert.first_seen, alert.last_seen)) " · " (confidence(alert.confidence)) " · " (visible(alert.kind)) @if let Some(technique) = alert.technique { " (" (visible(technique)) ")" } }
            div.evidence { div.scroll { (measured(alert)) } (drawn) }
            @if alert.severity >= Severity::Medium { (advice(alert)) }
            details {
                summary { "Evidence" @if alert.severity < Severity::Medium { " and advice" } }
                @if alert.severity < Severity::Medium { (advice(alert)) }
                (evidence(view, alert))
            }
        }
    }
}

fn advice(alert: &Alert) -> Markup {
    html! {
        @if !alert.next_steps.is_empty() {
            div.advice { strong { "What to do" } ul { @for step in &alert.next_steps { li { (visible(&words::sentence(step))) } } } }
        }
    }
}

fn evidence(view: &View, alert: &Alert) -> Markup {
    let ports: Vec<String> = alert.ports.iter().take(PORTS).map(ToString::to_string).collect();
    html! {
        dl.facts {
            dt { "From" } dd { (view.hosts(&alert.attackers, alert.attacker_count, HOSTS)) }
            dt { "To" } dd { (view.hosts(&alert.victims, alert.victim_count, HOSTS)) }
            @if !ports.is_empty() {
                dt { "Ports" } dd { (visible(alert.protocol)) " " (ports.join(", ")) @if alert.port_count > ports.len() as u64 { " and " (thousands(alert.port_count - ports.len() as u64)) " more" } }
            }
            dt { "First, last packet" } dd { (rfc3339(alert.first_seen)) ", " (rfc3339(alert.last_seen)) }
            dt { "Threshold crossed" } dd { (rfc3339(alert.detected_at)) }
            dt { "Frames" } dd { (alert.frames.first) " to " (alert.frames.last) ", " (counted(alert.packet_count, "packet", "packets")) " in " (counted(alert.flow_count, "connection", "connections")) }
            @if !alert.attack.is_empty() { dt { "ATT&CK" } dd { @for (place, id) in alert.attack.iter().enumerate() { @if place > 0 { ", " } (attack::named(id)) } } }
            @if !alert.quality.is_empty() { dt { "Weakened by" } dd { (visible(&words::list(&alert.quality))) } }
            @if !alert.community_ids.is_empty() { dt { "Community ids" } dd.mono { (visible(&alert.community_ids.join(" "))) } }
            dt { "Id" } dd.mono { (alert.id()) }
        }
    }
}

fn silenced(view: &View) -> Markup {
    let silenced = &view.report.suppressed;
    html! {
        @if !silenced.is_empty() {
            h3 { "Silenced by the allow-list" }
            div.scroll {
                table {
                    thead { tr { th scope="col" { "Finding" } th scope="col" { "Entry that silenced it" } } }
                    tbody { @for found in silenced.iter().take(SILENCED) { tr { td.wide { (badge(found.alert.severity)) " " (visible(&found.alert.title)) } td.wide { (visible(&found.entry)) } } } }
                }
            }
            @if silenced.len() > SILENCED { p.muted { (thousands((silenced.len() - SILENCED) as u64)) " more are in summary.json." } }
        }
    }
}
