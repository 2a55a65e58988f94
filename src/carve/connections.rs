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

/// Connections followed of one alert. With more of them it is a flood, or a scan whose frames hold its
/// connections whole; and 100 alerts (the default of `carve.max_alerts`) stay below 64 MiB of memory.
pub(super) const MOST_CONNECTIONS: usize = 4_096;
/// Seconds before and after the alert in which packets still belong to its connections: the silence after
/// which an established one is over by default. It also keeps a later connection of the same ports apart.
pub(super) const REACH_S: Nanos = 300;
const REACH: Nanos = REACH_S * SECOND;

/// Both ends in canonical order, and the VLAN.
type Key = ([(Addr, u16); 2], u16);

/// Whether the rest of an alert's connections is carved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The alert is not about TCP.
    None,
    Followed,
    /// There are more than [`MOST_CONNECTIONS`], and only the alert's own frames are carved.
    TooMany,
}

#[derive(Debug)]
pub(super) struct Connections {
    rest: Rest,
    keys: HashSet<Key>,
    period: RangeInclusive<Nanos>,
}

impl Connections {
    pub fn of(alert: &Alert) -> Self {
        let period = alert.first_seen.saturating_sub(REACH)..=alert.last_seen.saturating_add(REACH);
        let rest = if alert.protocol == "tcp" { Rest::Followed } else { Rest::None };
        Self { rest, keys: HashSet::new(), period }
    }

    /// Notes the connection of a packet that is behind the alert.
    pub fn note(&mut self, packet: &Packet) {
        if !self.are_wanted() || packet.proto != ip_proto::TCP {
            return;
        }
        self.keys.insert(key(packet));
        if self.keys.len() > MOST_CONNECTIONS {
            self.rest = Rest::TooMany;
            self.keys = HashSet::new();
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
        self.rest == Rest::Followed
    }

    pub const fn rest(&self) -> Rest {
        self.rest
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

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(protocol: &'static str) -> Connections {
        let rest = if protocol == "tcp" { Rest::Followed } else { Rest::None };
        Connections { rest, keys: HashSet::new(), period: 1_000 * SECOND - REACH..=2_000 * SECOND + REACH }
    }

    fn packet(second: i64, sport: u16, dport: u16) -> Packet {
        let (src, dst) = (Addr::from_v4(u32::from(sport)), Addr::from_v4(u32::from(dport)));
        Packet { src, dst, sport, dport, ts: second * SECOND, proto: ip_proto::TCP, ..Packet::default() }
    }

    #[test]
    fn both_directions_of_a_noted_connection_reach_five_minutes_beyond_the_alert() {
        let mut noted = connections("tcp");
        noted.note(&packet(1_500, 40_000, 22));
        let reach = |packet: Packet| noted.reach(&packet);
        assert!(reach(packet(700, 40_000, 22)) && reach(packet(2_300, 22, 40_000)));
        assert!(!reach(packet(699, 40_000, 22)) && !reach(packet(2_301, 22, 40_000)));
        assert!(!reach(packet(1_500, 40_001, 22)));
        assert!(!reach(Packet { vlan: 5, ..packet(1_500, 40_000, 22) }));
    }

    #[test]
    fn of_a_flood_and_of_other_protocols_none_is_kept() {
        let mut flood = connections("tcp");
        (0..4_096).for_each(|port| flood.note(&packet(1_500, port, 80)));
        assert_eq!((flood.is_empty(), flood.rest()), (false, Rest::Followed));
        flood.note(&packet(1_500, 4_096, 80));
        assert_eq!((flood.is_empty(), flood.are_wanted(), flood.rest()), (true, false, Rest::TooMany));
        let mut udp = connections("udp");
        udp.note(&packet(1_500, 40_000, 22));
        assert_eq!((udp.is_empty(), udp.rest()), (true, Rest::None));
    }
}
