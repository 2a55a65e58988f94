//! The parts of the page in their order, and the way through it.

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::page::{document, severities};
use super::super::summary::BySeverity;
use super::super::units::period;
use super::view::View;
use super::{attack, custody, findings, hosts, incidents, quality, summary, traffic};
use crate::error::Error;

const PARTS: [(&str, &str); 10] = [
    ("summary", "Summary"),
    ("traffic", "Traffic"),
    ("incidents", "Incidents"),
    ("findings", "Findings"),
    ("attack", "ATT&CK"),
    ("hosts", "Hosts"),
    ("services", "Services"),
    ("names", "Names"),
    ("quality", "Quality"),
    ("custody", "Custody"),
];

pub fn page(view: &View) -> Result<Markup, Error> {
    let custody = custody::custody(view)?;
    let body = html! {
        (header(view))
        main {
            (summary::summary(view)) (traffic::traffic(view)) (incidents::incidents(view)) (findings::findings(view))
            (attack::attack(view)) (hosts::hosts(view)) (quality::quality(view)) (custody) (glossary())
        }
    };
    Ok(document(&format!("Network security report: {}", view.report.input), "", &body))
}

fn header(view: &View) -> Markup {
    let report = view.report;
    html! {
        header {
            p.product { "Network security report" }
            h1 { (visible(&report.input)) }
            p.muted {
                @match report.span { Some((start, end)) => { (period(start, end)) } None => { "no packets" } }
                " " (severities(BySeverity::of(&report.alerts)))
            }
            @if view.provenance.pseudonymized.is_some() { p.muted { "Addresses, names and users are pseudonyms: the same throughout, and none of them is that of the capture." } }
            nav aria-label="Parts of this page" { @for (id, name) in PARTS { a href=(format!("#{id}")) { (name) } " " } }
        }
    }
}

fn glossary() -> Markup {
    html! {
        section #words {
            h2 { "Words" }
            dl.facts {
                dt { "Severity" } dd { "How bad it is if it is true. " strong { "critical" } ": hostile, and it worked; " strong { "high" } ": hostile; " strong { "medium" } ": probably hostile; " strong { "low" } ": worth a look; " strong { "info" } ": a fact worth listing." }
                dt { "Confidence" } dd { "How sure the detector is that the finding is real, from 0 to 100 %, apart from how bad it would be." }
                dt { "Threshold" } dd { "The configured value that a measurement was held against. " code { "nsm detectors TYPE" } " explains each detector, its thresholds and its false alarms." }
                dt { "Incident" } dd { "Findings of one attacker, or of a host that was entered and then attacked, told as one story." }
            }
        }
    }
}
