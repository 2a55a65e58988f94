//! The page around its parts: head, policy, way through it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::super::escape::visible;
use super::super::summary::BySeverity;
use super::super::units::{period, thousands};
use super::view::{View, badge};
use super::{attack, custody, findings, hosts, incidents, palette, quality, summary, traffic};
use crate::error::Error;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

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
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { "Network security report: " (visible(&view.report.input)) }
                style { (PreEscaped(palette::variables())) (PreEscaped(STYLE)) }
            }
            body {
                (header(view))
                main {
                    (summary::summary(view)) (traffic::traffic(view)) (incidents::incidents(view)) (findings::findings(view))
                    (attack::attack(view)) (hosts::hosts(view)) (quality::quality(view)) (custody) (glossary())
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    })
}

/// Nothing is loaded, and no script runs but the one of this page.
fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    format!("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

fn header(view: &View) -> Markup {
    let report = view.report;
    html! {
        header {
            p.product { "Network security report" }
            h1 { (visible(&report.input)) }
            p.muted {
                @match report.span { Some((start, end)) => { (period(start, end)) } None => { "no packets" } }
                @for (severity, number) in BySeverity::of(&report.alerts).present() { " " span.key { (badge(severity)) " " (thousands(number)) } }
            }
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
