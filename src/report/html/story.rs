//! An incident with its alerts: what the summary and the timeline tell.

use std::collections::BTreeSet;

use super::view::View;
use super::words;
use crate::detect::{Alert, Incident, Stage};

pub struct Story<'a> {
    pub incident: &'a Incident,
    /// Worst first, as in the report.
    pub alerts: Vec<&'a Alert>,
}

impl<'a> Story<'a> {
    pub fn of(incident: &'a Incident, view: &View<'a>) -> Self {
        let mut ranks: Vec<usize> = incident.steps.iter().filter_map(|step| view.rank(&step.alert)).collect();
        ranks.sort_unstable();
        Self { incident, alerts: ranks.into_iter().filter_map(|rank| view.report.alerts.get(rank)).collect() }
    }

    /// What happened, in one line: the title of a single alert, or the stages of a story.
    pub fn headline(&self) -> String {
        let mut stages: Vec<Stage> = Vec::new();
        for step in &self.incident.steps {
            if step.stage != Stage::Other && !stages.contains(&step.stage) {
                stages.push(step.stage);
            }
        }
        let [_, _, ..] = self.incident.steps.as_slice() else { return self.incident.title.clone() };
        if stages.is_empty() {
            return self.incident.title.clone();
        }
        words::sentence(&stages.into_iter().map(words::stage).collect::<Vec<_>>().join(", then "))
    }

    /// What to do, the advice of the worst alert first, each once.
    pub fn next_steps(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let advised = self.alerts.iter().flat_map(|alert| &alert.next_steps).map(|step| words::sentence(step));
        let all = self.containment().into_iter().chain(advised);
        all.filter(|step| known.insert(step.clone())).collect()
    }

    /// First of all, where a host was entered and went on: it is the attacker's until the opposite is shown.
    fn containment(&self) -> Option<String> {
        let (through, origins): (Vec<&String>, Vec<&String>) =
            self.incident.attackers.iter().partition(|attacker| self.incident.victims.contains(attacker));
        let named = |hosts: &[&String]| hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(", ");
        let blocked = if origins.is_empty() { String::new() } else { format!(" and block {}", named(&origins)) };
        (!through.is_empty()).then(|| format!("Isolate {} (attacked, then attacking){blocked}, before anything else.", named(&through)))
    }

    /// What about the capture weakens any of it.
    pub fn weaknesses(&self) -> Vec<&'static str> {
        let all: BTreeSet<&str> = self.alerts.iter().flat_map(|alert| alert.quality.iter().copied()).collect();
        all.into_iter().collect()
    }

    /// Lowest and highest confidence.
    pub fn confidence(&self) -> Option<(f64, f64)> {
        let values = || self.alerts.iter().map(|alert| alert.confidence);
        Some((values().reduce(f64::min)?, values().reduce(f64::max)?))
    }
}
