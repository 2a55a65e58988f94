//! The first screen: what happened, to whom, when, how sure, and what to do next.
//!
//! Says what alerts and incidents say, and nothing they do not.

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::units::{counted, number, period};
use super::story::Story;
use super::view::{View, badge, confidence, link};
use super::{quality, words};
use crate::detect::{self, Alert, Incident, Measured, Severity, State};
use crate::time::log_time;

/// Advice on the first screen; the rest is one click away.
const NEXT: usize = 3;
/// Other incidents that are named beside the worst.
const OTHERS: usize = 6;
/// Hosts that are named on either side.
const HOSTS: usize = 4;

pub fn summary(view: &View) -> Markup {
    let hostile: Vec<&Incident> = view.report.incidents.iter().filter(|incident| incident.severity >= Severity::Medium).collect();
    match hostile.split_first() {
        Some((worst, others)) => found(view, &Story::of(worst, view), others),
        None => calm(view),
    }
}

fn found(view: &View, story: &Story, others: &[&Incident]) -> Markup {
    let incident = story.incident;
    let steps = story.next_steps();
    html! {
        section #summary class=(format!("verdict {}", incident.severity.name())) {
            p.kicker { (badge(incident.severity)) " " @if others.is_empty() { "What was found" } @else { "The worst of " (counted(others.len() as u64 + 1, "incident", "incidents")) } }
            h2 { (visible(&story.headline())) }
            dl.answers {
                dt { "What happened" } dd { (what(view, story)) }
                dt { "Who to whom" } dd { (who(view, incident)) }
                dt { "When" } dd { (period(incident.first_seen, incident.last_seen)) }
                dt { "How sure" } dd { (how_sure(view, story)) (cautions(view)) (weaknesses(view)) }
                dt { "What to do next" } dd {
                    ol { @for step in steps.iter().take(NEXT) { li { (visible(step)) } } }
                    @if steps.len() > NEXT {
                        details {
                            summary { (counted((steps.len() - NEXT) as u64, "more step", "more steps")) }
                            ol start=(NEXT + 1) { @for step in steps.iter().skip(NEXT) { li { (visible(step)) } } }
                        }
                    }
                }
            }
            @if !others.is_empty() { (also(view, others)) }
        }
    }
}

/// The sentence of a single alert, or the steps of a story in the order of time.
fn what(view: &View, story: &Story) -> Markup {
    const STEPS: usize = 6;
    let steps = &story.incident.steps;
    html! {
        @if steps.len() > 1 {
            ol.steps {
                @for step in steps.iter().take(STEPS) {
                    li { span.time { (log_time(step.first_seen)) } " " (visible(&step.title)) " " @if let Some(rank) = view.rank(&step.alert) { (link(rank)) } }
                }
            }
            @if steps.len() > STEPS { p.muted { "and " (counted((steps.len() - STEPS) as u64, "more step", "more steps")) ", under Incidents" } }
        } @else {
            @for alert in story.alerts.iter().take(1) {
                (visible(&alert.message)) "."
                @if let Some(detector) = detect::find(alert.kind) { " " span.muted { "(" (detector.summary()) ")" } }
            }
        }
    }
}

/// Where it came from, what it went through, and whom it reached at last.
fn who(view: &View, incident: &Incident) -> Markup {
    let (through, origins): (Vec<String>, Vec<String>) =
        incident.attackers.iter().cloned().partition(|attacker| incident.victims.contains(attacker));
    if through.is_empty() || origins.is_empty() {
        return directly(view, incident);
    }
    let targets: Vec<String> = incident.victims.iter().filter(|victim| !through.contains(victim)).cloned().collect();
    let unlisted = incident.victim_count.saturating_sub(incident.victims.len() as u64);
    html! {
        (view.hosts(&origins, 0, HOSTS)) (arrow()) (view.hosts(&through, 0, HOSTS)) span.muted { " (attacked, then attacking)" }
        @if !targets.is_empty() || unlisted > 0 { (arrow()) (view.hosts(&targets, targets.len() as u64 + unlisted, HOSTS)) }
    }
}

fn arrow() -> Markup {
    html! { span.arrow role="img" aria-label=" to " { " → " } }
}

fn directly(view: &View, incident: &Incident) -> Markup {
    html! {
        @if incident.attacker_count == 0 && incident.attackers.is_empty() { span.muted { "a source that cannot be named" } }
        @else { (view.hosts(&incident.attackers, incident.attacker_count, HOSTS)) }
        (arrow())
        @if incident.victim_count == 0 && incident.victims.is_empty() { span.muted { "no single host" } }
        @else { (view.hosts(&incident.victims, incident.victim_count, HOSTS)) }
    }
}

fn how_sure(view: &View, story: &Story) -> Markup {
    let Some(worst) = story.alerts.first() else { return html! {} };
    let range = story.confidence().filter(|(low, high)| story.alerts.len() > 1 && low < high);
    html! {
        strong { (words::sentence(words::sure(worst.confidence))) " (" (words::percent(worst.confidence)) ")" }
        @if let Some((low, high)) = range { " for the worst step; " (words::percent(low)) " to " (words::percent(high)) " over all" }
        "."
        @if let Some(measured) = judged(worst) { " " (visible(&words::sentence(&against(measured)))) "." }
        @let lowering = story.weaknesses();
        @if !lowering.is_empty() { " Confidence is lower because of " (visible(&words::list(&lowering))) "." }
        @if quality::weak(&view.report.quality).is_empty() { " Nothing about the quality of the capture weakens this." }
    }
}

/// The checks of the capture that are weak or worse, whether or not they lower the confidence of findings.
fn weaknesses(view: &View) -> Markup {
    let weak = quality::weak(&view.report.quality);
    html! {
        @if !weak.is_empty() {
            " As evidence the capture is " a href="#quality" { (view.report.quality.worst().verdict()) } ":"
            ul { @for check in &weak { li { (visible(check)) } } }
        }
    }
}

/// What went wrong with the reading, where the first screen would otherwise sound too good.
fn cautions(view: &View) -> Markup {
    let warnings = &view.report.warnings;
    html! {
        @if let Some(first) = warnings.first() {
            " But " (visible(&first.to_string())) "."
            @if warnings.len() > 1 { " " a href="#quality" { "And " (counted((warnings.len() - 1) as u64, "more warning", "more warnings")) } "." }
        }
    }
}

/// The first value that was held against a threshold.
fn judged(alert: &Alert) -> Option<&Measured> {
    alert.measured.iter().find(|measured| measured.threshold.is_some())
}

fn against(measured: &Measured) -> String {
    let limit = measured.threshold.map(|limit| format!(", against a threshold of {}", number(limit))).unwrap_or_default();
    format!("{}: {} {}{limit}", measured.name.replace('_', " "), number(measured.value), measured.unit)
}

fn also(view: &View, others: &[&Incident]) -> Markup {
    html! {
        h3 { "Also found" }
        ul.also {
            @for incident in others.iter().take(OTHERS) {
                @let story = Story::of(incident, view);
                li {
                    (badge(incident.severity)) " " span.time { (log_time(incident.first_seen)) } " " (visible(&story.headline()))
                    @if let [alert] = story.alerts.as_slice() { ", " (confidence(alert.confidence)) }
                    @if let Some(rank) = incident.steps.first().and_then(|step| view.rank(&step.alert)) { " " (link(rank)) }
                }
            }
            @if others.len() > OTHERS { li { a href="#incidents" { (counted((others.len() - OTHERS) as u64, "more incident", "more incidents")) } } }
        }
    }
}

/// How much "nothing found" says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// No packet could be looked at.
    None,
    /// Part of the capture could not, or parts of the search were left out.
    Limited,
    Clear,
}

impl Sight {
    fn of(view: &View) -> Self {
        let accounting = &view.report.accounting;
        let (read, all) = (accounting.decoded + accounting.partly_decoded(), accounting.frames);
        let left_out = !view.provenance.choices.only.is_empty() || !view.provenance.choices.skip.is_empty();
        if read == 0 {
            Self::None
        } else if 2 * read < all || left_out || view.report.quality.worst() >= State::Weak {
            Self::Limited
        } else {
            Self::Clear
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Clear => "verdict calm",
            Self::Limited | Self::None => "verdict info",
        }
    }
}

/// Nothing at medium or above: said plainly, with what limits the statement.
fn calm(view: &View) -> Markup {
    let report = view.report;
    let (limits, sight) = (limits(view), Sight::of(view));
    let worth = report.alerts.iter().filter(|alert| alert.severity >= Severity::Low).count() as u64;
    html! {
        section #summary class=(if worth > 0 { "verdict low" } else { sight.class() }) {
            @if report.accounting.frames == 0 {
                p.kicker { span class="badge info" { "empty" } }
                h2 { "The capture holds no packets: nothing can be said about the network" }
            } @else if worth > 0 {
                p.kicker { (badge(Severity::Low)) }
                h2 { "No clear attack was found, but " (counted(worth, "finding is", "findings are")) " worth a look" }
            } @else {
                @match sight {
                    Sight::None => {
                        p.kicker { span class="badge info" { "not readable" } }
                        h2 { "Not one of " (counted(report.accounting.frames, "packet", "packets")) " could be looked at: nothing can be said about the network" }
                    }
                    Sight::Limited => {
                        p.kicker { span class="badge info" { "limited" } }
                        h2 { "Nothing hostile was found in what could be looked at" }
                    }
                    Sight::Clear => {
                        p.kicker { span class="badge clear" { "clear" } }
                        h2 { "Nothing hostile was found" }
                    }
                }
            }
            dl.answers {
                dt { "What happened" } dd {
                    @if report.alerts.is_empty() { "No detector reported anything." }
                    @else {
                        (counted(report.alerts.len() as u64, "finding", "findings")) " below medium severity; alone, such a finding is no sign of an attack."
                        ul { @for (rank, alert) in report.alerts.iter().take(NEXT).enumerate() {
                            li { (badge(alert.severity)) " " (visible(&alert.title)) ", " (confidence(alert.confidence)) " " (link(rank)) }
                        } }
                    }
                }
                @if let Some((start, end)) = report.span { dt { "When" } dd { "The capture covers " (period(start, end)) "." } }
                dt { "How sure" } dd {
                    "This holds for what the capture shows and the detectors look for. They do not look for malware, exploits or the content of encrypted connections, and what stays below every threshold is not reported."
                    @if !limits.is_empty() { " It is limited further:" ul { @for limit in &limits { li { (visible(limit)) } } } }
                }
                dt { "What to do next" } dd {
                    @if report.accounting.frames == 0 { "Check where and how the capture was taken." }
                    @else if sight == Sight::None { "See under Quality why, and take or choose a capture that can be read." }
                    @else if report.alerts.is_empty() && sight == Sight::Limited { "Mend what limits this, and analyse again; if something else gave reason for suspicion, look into that." }
                    @else if report.alerts.is_empty() { "Nothing because of this capture alone; if something else gave reason for suspicion, look into that." }
                    @else { ol { @for step in advice(&report.alerts) { li { (visible(&step)) } } } }
                }
            }
        }
    }
}

/// What the first findings advise, each once.
fn advice(alerts: &[Alert]) -> Vec<String> {
    let mut advice: Vec<String> = Vec::new();
    for step in alerts.iter().take(NEXT).flat_map(|alert| alert.next_steps.iter().take(2)).map(|step| words::sentence(step)) {
        if advice.len() < NEXT && !advice.contains(&step) {
            advice.push(step);
        }
    }
    advice
}

/// What makes "nothing found" say less.
fn limits(view: &View) -> Vec<String> {
    let (report, choices) = (view.report, &view.provenance.choices);
    let mut limits = quality::weak(&report.quality);
    limits.extend(report.warnings.iter().take(NEXT).map(|warning| words::sentence(&warning.to_string())));
    let unread = report.accounting.not_decoded() + report.accounting.partly_decoded();
    if unread > 0 {
        limits.push(format!("{} could not be decoded in full", counted(unread, "packet", "packets")));
    }
    if report.accounting.filtered > 0 {
        let asked = match (&choices.filter, choices.from.is_some() || choices.to.is_some()) {
            (Some(_), true) => "outside of the period, or that the filter did not match,",
            (Some(_), false) => "that the filter did not match",
            (None, _) => "outside of the period asked for",
        };
        limits.push(format!("{} {asked} were left out", counted(report.accounting.filtered, "packet", "packets")));
    }
    if !choices.only.is_empty() {
        limits.push(format!("Only these detectors were run: {}", choices.only.join(", ")));
    }
    if !choices.skip.is_empty() {
        limits.push(format!("These detectors were not run: {}", choices.skip.join(", ")));
    }
    if !report.suppressed.is_empty() {
        limits.push(format!("The allow-list silenced {}", counted(report.suppressed.len() as u64, "finding", "findings")));
    }
    limits
}
