#![doc = include_str!("docs/lateral_movement.md")]

mod chain;
mod execution;
mod fan_out;
mod sessions;

use super::Detector;
use super::alert::{Alert, Picture, Severity};
use super::context::Context;
use super::flood_seconds::steps;
use crate::error::Error;

pub(super) struct LateralMovement;

const DOCUMENTATION: &str = include_str!("docs/lateral_movement.md");

impl Detector for LateralMovement {
    fn id(&self) -> &'static str {
        "lateral_movement"
    }

    fn summary(&self) -> &'static str {
        "administration of other hosts by a host that does not usually"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let uses = execution::uses(context)?;
        let mut alerts = execution::find(context, &uses)?;
        let sessions = sessions::find(context, &uses)?;
        alerts.extend(fan_out::find(context, &sessions));
        alerts.extend(chain::find(context, &sessions));
        Ok(alerts)
    }
}

/// What all kinds of this alert say alike.
fn told(technique: &'static str, attack: &'static [&'static str]) -> Alert {
    Alert {
        kind: "lateral_movement",
        technique: Some(technique),
        title: String::new(),
        message: String::new(),
        severity: Severity::Info,
        confidence: 0.3,
        attack,
        first_seen: 0,
        last_seen: 0,
        detected_at: 0,
        attackers: Vec::new(),
        attacker_count: 0,
        victims: Vec::new(),
        victim_count: 0,
        ports: Vec::new(),
        port_count: 0,
        protocol: "tcp",
        measured: Vec::new(),
        window_s: 0.0,
        flow_count: 0,
        packet_count: 0,
        frames: super::alert::FrameSpan::default(),
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Ask who administers these hosts, and whether this was one of them; if so, add the pair to the allow-list.",
            "Look at the victims for logons of type 3 and 10 (event 4624), new services (7045) and scheduled tasks (4698) at that time.",
            "Find out how the attacker's host was entered: look for alerts that name it as a victim.",
        ]),
        picture: Picture::None,
    }
}
