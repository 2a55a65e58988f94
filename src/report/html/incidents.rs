//! The incidents as timelines: which alerts belong together, in the order of time.

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::units::{counted, period};
use super::story::Story;
use super::view::{View, badge, link};
use super::words;
use crate::time::log_time;

const INCIDENTS: usize = 40;
const STEPS: usize = 40;
const HOSTS: usize = 8;

pub fn incidents(view: &View) -> Markup {
    let all = &view.report.incidents;
    html! {
        section #incidents {
            h2 { "Incidents" }
            @if all.is_empty() { p { "No finding is severe enough, and none belong together." } }
            @for incident in all.iter().take(INCIDENTS) { (told(view, &Story::of(incident, view))) }
            @if all.len() > INCIDENTS { p.muted { (counted((all.len() - INCIDENTS) as u64, "more incident is", "more incidents are")) " in incidents.json." } }
        }
    }
}

fn told(view: &View, story: &Story) -> Markup {
    let incident = story.incident;
    html! {
        article.incident {
            h3 { (badge(incident.severity)) " " (visible(&story.headline())) }
            p.muted {
                (period(incident.first_seen, incident.last_seen)) " · from " (view.hosts(&incident.attackers, incident.attacker_count, HOSTS))
                " · to " (view.hosts(&incident.victims, incident.victim_count, HOSTS))
            }
            ol.timeline {
                @for step in incident.steps.iter().take(STEPS) {
                    li class=(step.severity.name()) {
                        span.time { (log_time(step.first_seen)) } " "
                        span.stage { (words::label(step.stage)) } " "
                        (badge(step.severity)) " " (visible(&step.title)) " "
                        @if let Some(rank) = view.rank(&step.alert) { (link(rank)) }
                    }
                }
            }
            @if incident.steps.len() > STEPS { p.muted { (counted((incident.steps.len() - STEPS) as u64, "more step is", "more steps are")) " in incidents.json." } }
        }
    }
}
