//! What a sample is: a capture, its story, and what was put into it.

use crate::capture_file::CaptureFile;
use crate::host::Host;
use crate::time::Nanos;

pub struct Sample {
    /// The directory under `samples/`.
    pub name: &'static str,
    pub title: &'static str,
    /// One line for the table of samples.
    pub shows: &'static str,
    pub story: &'static str,
    pub cast: Vec<(String, &'static str)>,
    pub timeline: Vec<(Nanos, &'static str)>,
    /// Wireshark display filters and what they show.
    pub filters: Vec<(String, &'static str)>,
    pub file: CaptureFile,
    pub expect: Expectation,
}

/// What the capture holds, as known to who made it; no detector was asked.
#[derive(Default)]
pub struct Expectation {
    pub damaged: bool,
    pub alerts: Vec<Expected>,
    /// Alerts that must be told as one story.
    pub incidents: Vec<Story>,
    /// Besides `alerts`, nothing of this severity or worse is in the capture.
    pub no_other_at_or_above: Option<&'static str>,
    /// Alert types that would be wrong.
    pub absent: Vec<&'static str>,
    /// Alert types that are missed by little, and the setting with which they would not be.
    pub just_below: Vec<(&'static str, &'static str)>,
}

/// One incident of this attacker has a step of each of these stages, first reached in this order.
#[derive(Clone)]
pub struct Story {
    pub attacker: String,
    pub stages: Vec<&'static str>,
}

/// Exactly `count` alerts have all the stated properties.
#[derive(Clone)]
pub struct Expected {
    pub kind: &'static str,
    pub technique: Option<&'static str>,
    pub severity_at_least: &'static str,
    pub attacker: Option<String>,
    pub victim: Option<String>,
    pub port_count: Option<u64>,
    pub count: u64,
}

impl Expected {
    pub const fn one(kind: &'static str, severity_at_least: &'static str) -> Self {
        Self { kind, technique: None, severity_at_least, attacker: None, victim: None, port_count: None, count: 1 }
    }

    pub const fn technique(mut self, technique: &'static str) -> Self {
        self.technique = Some(technique);
        self
    }

    pub fn by(mut self, attacker: Host) -> Self {
        self.attacker = Some(attacker.ip.to_string());
        self
    }

    /// Where the attacker is known by its link-layer address.
    pub fn by_machine(mut self, attacker: Host) -> Self {
        let octets: Vec<String> = attacker.mac.iter().map(|octet| format!("{octet:02x}")).collect();
        self.attacker = Some(octets.join(":"));
        self
    }

    pub fn against(mut self, victim: Host) -> Self {
        self.victim = Some(victim.ip.to_string());
        self
    }

    pub const fn ports(mut self, count: u64) -> Self {
        self.port_count = Some(count);
        self
    }
}

impl Expectation {
    /// These alerts, and nothing else of medium severity or worse.
    pub fn only(alerts: Vec<Expected>, absent: &[&'static str]) -> Self {
        Self {
            damaged: false,
            alerts,
            incidents: Vec::new(),
            no_other_at_or_above: Some("medium"),
            absent: absent.to_vec(),
            just_below: Vec::new(),
        }
    }

    /// Besides, these are missed by little: with this setting they would be found.
    pub fn just_below(mut self, missed: &[(&'static str, &'static str)]) -> Self {
        self.just_below = missed.to_vec();
        self
    }

    /// Besides, some of the alerts are one story.
    pub fn told_as(mut self, attacker: Host, stages: &[&'static str]) -> Self {
        self.incidents.push(Story { attacker: attacker.ip.to_string(), stages: stages.to_vec() });
        self
    }
}
