//! How good the capture is as evidence, and what could not be seen in it.

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::units::{counted, percent, thousands};
use super::view::View;
use super::words;
use crate::decode::Reason;
use crate::detect::{Check, Quality, State};

const WARNINGS: usize = 50;

pub fn quality(view: &View) -> Markup {
    let report = view.report;
    html! {
        section #quality {
            h2 { "Quality of the capture, and limits of the evidence" }
            (checks(&report.quality))
            @if !report.warnings.is_empty() {
                h3 { "Warnings" }
                ul { @for warning in report.warnings.iter().take(WARNINGS) { li { (visible(&words::sentence(&warning.to_string()))) } } }
                @if report.warnings.len() > WARNINGS { p.muted { (thousands((report.warnings.len() - WARNINGS) as u64)) " more are in summary.json." } }
            }
            (frames(view))
            h3 { "What no capture shows" }
            ul {
                li { "Times are those of the machine that captured; its clock was not checked. All are in UTC." }
                li { "Encrypted content is not read: such traffic is judged by who, when, how much and how regular." }
                li { "What did not pass the place of capture is not in it. An attack that stays below every threshold is not reported." }
            }
        }
    }
}

/// The verdict and what led to it, in the words of `nsm info`.
fn checks(quality: &Quality) -> Markup {
    html! {
        p { "Verdict on the capture as evidence: " strong { (quality.worst().verdict()) } "." }
        div.scroll { table {
            thead { tr { th scope="col" { "Check" } th scope="col" { "State" } th scope="col" { "Measured" } th scope="col" { "What follows" } } }
            tbody { @for check in &quality.checks { tr {
                th scope="row" { (title(check)) } td { (state(check.state)) } td.wide { (visible(&check.measured)) }
                td.wide {
                    (check.meaning)
                    @if check.weakness.is_some() { "; this is said on every finding and lowers its confidence" }
                }
            } } }
        } }
    }
}

/// A plate, of the colours of severities: the colour says nothing that the word does not.
fn state(state: State) -> Markup {
    let class = match state {
        State::Ok => "clear",
        State::Note => "info",
        State::Weak => "medium",
        State::Poor => "high",
    };
    html! { span class=(format!("badge {class}")) { (state.name()) } }
}

fn title(check: &Check) -> String {
    words::sentence(&check.name.replace('_', " "))
}

/// Every check that is weak or worse, each as a sentence: what was measured, and what follows.
pub fn weak(quality: &Quality) -> Vec<String> {
    let weak = quality.checks.iter().filter(|check| check.state >= State::Weak);
    weak.map(|check| format!("{}: {}; {}", title(check), check.measured, check.meaning)).collect()
}

/// Every frame in exactly one row.
fn frames(view: &View) -> Markup {
    let (accounting, facts) = (&view.report.accounting, &view.report.facts);
    let row = |name: &str, count: u64| {
        html! { tr { th scope="row" { (name) } td.n { (thousands(count)) } td.n { (percent(count, accounting.frames)) } } }
    };
    let reasons = Reason::ALL.into_iter().zip(accounting.reasons).filter(|(_, count)| *count > 0);
    html! {
        h3 { "Packets" }
        div.scroll { table.compact {
            thead { tr { th scope="col" { "Packets" } th.n scope="col" { "Number" } th.n scope="col" { "Share" } } }
            tbody {
                (row("in the capture", accounting.frames)) (row("decoded in full", accounting.decoded))
                (row("decoded in part", accounting.partly_decoded())) (row("not decoded", accounting.not_decoded()))
                @if accounting.filtered > 0 { (row("left out: outside of the period or the filter asked for", accounting.filtered)) }
                @for (reason, count) in reasons { (row(&format!("of these: {}", reason.name().replace('_', " ")), count)) }
                @if accounting.cut_frames > 0 { (row("cut by the snapshot length", accounting.cut_frames)) }
                @if view.report.totals.folded_packets > 0 { (row("of floods, counted and not kept one by one", view.report.totals.folded_packets)) }
            }
        } }
        p {
            "Lost by the machine that captured: " @if facts.dropped > 0 { (counted(facts.dropped, "packet", "packets")) } @else { "none that it tells of" }
            ". Jumps of its clock: " @if facts.clock_jumps > 0 { (thousands(facts.clock_jumps)) } @else { "none" } "."
        }
    }
}
