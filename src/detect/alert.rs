//! The alert: the stable contract of `alerts.jsonl`.
//!
//! Knows how a finding is written down. Does not know how it was found.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{AllowEntry, Config};
use crate::digest;
use crate::net::Addr;
use crate::time::{self, Nanos};

/// How bad it is if true. Ordinary traffic yields nothing at medium or above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A fact worth listing.
    Info,
    /// Worth a look.
    Low,
    /// Probably hostile.
    Medium,
    /// Hostile.
    High,
    /// Hostile, and it worked.
    Critical,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The next step down; `info` stays.
    #[must_use]
    pub const fn lowered(self) -> Self {
        match self {
            Self::Info | Self::Low => Self::Info,
            Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }
}

/// Final alerts are a function of the complete tables; open ones, while a capture goes on, may still grow or be
/// withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Open,
    Final,
    /// What came later says that it was none.
    Withdrawn,
}

impl Status {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Final => "final",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// An alert as it is told to somebody: at once, while it is open, and when it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The same in every notice of one event.
    pub id: String,
    pub status: Status,
    pub alert: Alert,
    /// The capture file or interface.
    pub capture: String,
}

impl Notice {
    /// As one line of `alerts.jsonl`.
    #[must_use]
    pub fn record(&self) -> AlertRecord<'_> {
        AlertRecord { id: self.id.clone(), ..self.alert.record(self.status, &self.capture) }
    }
}

/// A value that was measured, and the threshold it was held against.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    /// The configured limit; absent where the value is evidence and was not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FrameSpan {
    pub first: u64,
    pub last: u64,
}

/// A list shortened for display, with the true count beside it.
pub const LISTED: usize = 20;

/// One event. It grows, it is not repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub kind: &'static str,
    pub technique: Option<&'static str>,
    pub title: String,
    pub message: String,
    pub severity: Severity,
    /// 0 to 1, apart from severity.
    pub confidence: f64,
    /// ATT&CK technique ids.
    pub attack: &'static [&'static str],
    pub first_seen: Nanos,
    pub last_seen: Nanos,
    /// When the threshold was crossed.
    pub detected_at: Nanos,
    /// IP or MAC addresses, at most [`LISTED`].
    pub attackers: Vec<String>,
    pub attacker_count: u64,
    pub victims: Vec<String>,
    pub victim_count: u64,
    pub ports: Vec<u16>,
    pub port_count: u64,
    pub protocol: &'static str,
    pub measured: Vec<Measured>,
    pub window_s: f64,
    pub flow_count: u64,
    pub packet_count: u64,
    pub frames: FrameSpan,
    pub community_ids: Vec<String>,
    /// What about the capture weakens this.
    pub quality: Vec<&'static str>,
    pub next_steps: Vec<String>,
    /// What to draw for it; not part of the contract.
    pub picture: Picture,
}

/// The evidence of one alert as a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Picture {
    #[default]
    None,
    /// Probes of a scan: when, and which port (or, for a sweep, the how-manieth target).
    Probes { axis: &'static str, points: Vec<Probe> },
    /// A flood, second by second, in time order; seconds without a row were quiet.
    Rates { unit: &'static str, threshold: f64, seconds: Vec<Rate> },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    pub ts: Nanos,
    pub value: u32,
    /// The target answered that the port is open.
    pub open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Start of the second.
    pub ts: Nanos,
    pub packets: u64,
    /// Distinct sources in that second.
    pub sources: u64,
}

/// [`Alert`] as one line of `alerts.jsonl`.
#[derive(Serialize)]
pub struct AlertRecord<'a> {
    pub id: String,
    pub status: Status,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub technique: Option<&'a str>,
    pub title: &'a str,
    pub message: &'a str,
    pub severity: Severity,
    pub confidence: f64,
    pub attack: &'a [&'static str],
    pub first_seen: String,
    pub last_seen: String,
    pub detected_at: String,
    pub attackers: &'a [String],
    pub attacker_count: u64,
    pub victims: &'a [String],
    pub victim_count: u64,
    pub ports: &'a [u16],
    pub port_count: u64,
    pub protocol: &'a str,
    pub measured: &'a [Measured],
    pub window_s: f64,
    pub flow_count: u64,
    pub packet_count: u64,
    pub frames: FrameSpan,
    pub community_ids: &'a [String],
    pub capture: CaptureName<'a>,
    pub quality: &'a [&'static str],
    pub next_steps: &'a [String],
}

#[derive(Serialize)]
pub struct CaptureName<'a> {
    pub file: &'a str,
}

impl Alert {
    /// The entry of the allow-list that silences it. Attackers who are not listed may be anybody: an alert that names only
    /// some is silenced by no network they would come from.
    #[must_use]
    pub fn allowed<'a>(&self, config: &'a Config) -> Option<&'a AllowEntry> {
        let of = |listed: &[String]| -> Vec<Addr> { listed.iter().filter_map(|text| Addr::of_shown(text)).collect() };
        let attackers = if self.attacker_count > self.attackers.len() as u64 { Vec::new() } else { of(&self.attackers) };
        config.allowed(self.kind, &attackers, &of(&self.victims))
    }

    /// Hash of type, technique and where the event begins: the same in every run, and while it grows (only that a
    /// port turns out to be open makes a `syn` scan a `connect` scan). Rows that a user's rule makes may begin with
    /// the same frame; theirs counts addresses and ports, too.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.kind);
        hash.update(self.technique.map_or("", |technique| if technique == "connect" { "syn" } else { technique }));
        hash.update(self.first_seen.to_be_bytes());
        hash.update(self.frames.first.to_be_bytes());
        if self.kind.starts_with("rule:") {
            for address in self.attackers.iter().chain(&self.victims) {
                hash.update(address);
                hash.update([0]);
            }
            for port in &self.ports {
                hash.update(port.to_be_bytes());
            }
        }
        digest::hex(&hash.finalize()[..8])
    }

    #[must_use]
    pub fn record<'a>(&'a self, status: Status, file: &'a str) -> AlertRecord<'a> {
        AlertRecord {
            id: self.id(),
            status,
            kind: self.kind,
            technique: self.technique,
            title: &self.title,
            message: &self.message,
            severity: self.severity,
            confidence: self.confidence,
            attack: self.attack,
            first_seen: time::rfc3339(self.first_seen),
            last_seen: time::rfc3339(self.last_seen),
            detected_at: time::rfc3339(self.detected_at),
            attackers: &self.attackers,
            attacker_count: self.attacker_count,
            victims: &self.victims,
            victim_count: self.victim_count,
            ports: &self.ports,
            port_count: self.port_count,
            protocol: self.protocol,
            measured: &self.measured,
            window_s: self.window_s,
            flow_count: self.flow_count,
            packet_count: self.packet_count,
            frames: self.frames,
            community_ids: &self.community_ids,
            capture: CaptureName { file },
            quality: &self.quality,
            next_steps: &self.next_steps,
        }
    }
}
