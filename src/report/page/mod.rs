//! What every page of a report has in common, that of one capture and that of a batch: head and policy, colours,
//! plates, and tables that can be sorted and filtered.
//!
//! A page is one file that loads nothing. Its only script is ours; without it the page is whole.

mod palette;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::escape::visible;
use super::summary::BySeverity;
use super::units::thousands;
use crate::detect::Severity;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page around its body; `style` is what this page has beside the common style.
pub fn document(title: &str, style: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content="nsm";
                title { (visible(title)) }
                style { (PreEscaped(palette::variables())) (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body {
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// Nothing is loaded, and no script runs but the one of this page.
fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    format!("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

/// A plate with the word: the colour says nothing that the word does not.
pub fn badge(severity: Severity) -> Markup {
    html! { span class=(format!("badge {}", severity.name())) { (severity.name()) } }
}

/// How many there are of each severity, worst first.
pub fn severities(counts: BySeverity) -> Markup {
    html! { @for (severity, number) in counts.present() { span.key { (badge(severity)) " " (thousands(number)) } " " } }
}
