//! The TCP connections that reach into the frames of an alert.
//!
//! A detector names the frames that it judged: of failed logins those from the first failure to the last.
//! Who looks at the packets wants the handshake before them and the goodbye after them too.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use crate::capture::FrameRef;
use crate::decode::Packet;
use crate::detect::Alert;
use crate::net::{Addr, ip_proto};
use crate::time::{Nanos, SECOND};

/// Connections kept of one alert. With more of them it is a flood, whose connections have no more to tell.
const MOST: usize = 4_096;
/// How long before and after the alert packets still belong to its connections: the silence after which an
/// established one is over by default. It also keeps a later connection of the same ports apart.
const REACH: Nanos = 300 * SECOND;

/// Both ends in canonical order, and the VLAN.
type Key = ([(Addr, u16); 2], u16);

#[derive(Debug)]
pub(super) struct Connections {
    wanted: bool,
    keys: HashSet<Key>,
    period: RangeInclusive<Nanos>,
}

impl Connections {
    pub fn of(alert: &Alert) -> Self {
        let period = alert.first_seen.saturating_sub(REACH)..=alert.last_seen.saturating_add(REACH);
        Self { wanted: alert.protocol == "tcp", keys: HashSet::new(), period }
    }

    /// Notes the connection of a packet that is behind the alert.
    pub fn note(&mut self, packet: &Packet) {
        if !self.wanted || packet.proto != ip_proto::TCP {
            return;
        }
        self.keys.insert(key(packet));
        if self.keys.len() > MOST {
            self.wanted = false;
            self.keys.clear();
        }
    }

    /// Whether the packet, outside of the alert's own frames, belongs to one of its connections.
    pub fn reach(&self, packet: &Packet) -> bool {
        packet.proto == ip_proto::TCP && self.period.contains(&packet.ts) && self.keys.contains(&key(packet))
    }

    /// Whether they may reach into any of these frames.
    pub fn may_reach(&self, frames: &[FrameRef]) -> bool {
        !self.keys.is_empty() && frames.iter().any(|frame| self.period.contains(&frame.ts))
    }

    pub fn are_wanted(&self) -> bool {
        self.wanted
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn key(packet: &Packet) -> Key {
    let mut ends = [(packet.src, packet.sport), (packet.dst, packet.dport)];
    ends.sort_unstable();
    (ends, packet.vlan)
}
