//! What every part of the page looks at, and how hosts, severities and moments are written in all of them.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::manifest::Provenance;
use super::super::model::Report;
use super::super::names::names;
pub use super::super::page::badge;
use super::super::units::thousands;
use super::words;
use crate::net::Addr;

/// Findings that are shown in full; the tables beside the page have all.
pub const FINDINGS: usize = 300;

pub struct View<'a> {
    pub report: &'a Report,
    pub provenance: &'a Provenance,
    names: BTreeMap<Addr, &'a str>,
    /// Place of an alert in the report, by its id.
    ranks: BTreeMap<String, usize>,
}

impl<'a> View<'a> {
    pub fn new(report: &'a Report, provenance: &'a Provenance) -> Self {
        let ranks = report.alerts.iter().enumerate().map(|(rank, alert)| (alert.id(), rank)).collect();
        Self { report, provenance, names: names(report), ranks }
    }

    /// Place of an alert in the report, from 0.
    pub fn rank(&self, id: &str) -> Option<usize> {
        self.ranks.get(id).copied()
    }

    pub fn name(&self, address: Addr) -> Option<&'a str> {
        self.names.get(&address).copied()
    }

    /// Sorted by address, as it is written.
    pub fn names(&self) -> impl Iterator<Item = (Addr, &'a str)> {
        let shown: BTreeMap<Addr, (Addr, &str)> = self.names.iter().map(|(address, name)| (address.shown(), (*address, *name))).collect();
        shown.into_values()
    }

    /// An address with its name, as an alert lists it (it may be a link-layer address).
    pub fn host(&self, listed: &str) -> Markup {
        let name = Addr::of_shown(listed).and_then(|address| self.name(address));
        html! {
            span.host { (visible(listed)) @if let Some(name) = name { " " span.name { "(" (visible(name)) ")" } } }
        }
    }

    /// The first of some hosts, and how many there are besides.
    pub fn hosts(&self, listed: &[String], count: u64, shown: usize) -> Markup {
        let shown = listed.len().min(shown);
        let more = count.max(listed.len() as u64).saturating_sub(shown as u64);
        html! {
            @for (place, host) in listed.iter().take(shown).enumerate() {
                @if place > 0 { ", " }
                (self.host(host))
            }
            @if more > 0 && shown > 0 { " and " (thousands(more)) " more" }
            @if more > 0 && shown == 0 { (thousands(more)) " hosts" }
            @if more == 0 && shown == 0 { span.muted { "not named" } }
        }
    }
}

/// A number of the findings; a link where the finding is shown in full.
pub fn link(rank: usize) -> Markup {
    html! {
        @if rank < FINDINGS { a href=(format!("#finding-{}", rank + 1)) { "#" (rank + 1) } } @else { "#" (rank + 1) }
    }
}

/// `almost certain (99 %)`
pub fn confidence(value: f64) -> Markup {
    html! { (words::sure(value)) " (" (words::percent(value)) ")" }
}
