//! Which frames are behind an alert.
//!
//! Knows what an alert says of itself: its frames, its two sides, its protocol and its ports. Knows
//! nothing of how the detector found it; where an alert does not list a side in full, that side lets
//! everybody pass, so that rather too much is carved than too little.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::decode::{Claim, ClaimKind, Kind, Packet};
use crate::detect::Alert;
use crate::net::{Addr, Mac, ip_proto};

/// DNS servers listen here over UDP and TCP alike (RFC 7766), whatever protocol the alert names first.
const DNS: u16 = 53;
/// DHCP servers listen here. Their clients have no address yet, so that most of the dialogue is broadcast.
const DHCP: u16 = 67;

/// What was read of one frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen<'a> {
    pub packet: Option<&'a Packet>,
    pub claim: Option<&'a Claim>,
    /// Sender and receiver of the frame itself, where its link has them.
    pub macs: Option<(Mac, Mac)>,
}

#[derive(Debug)]
pub(super) struct Selection {
    pub frames: RangeInclusive<u64>,
    attackers: Side,
    victims: Side,
    protocol: Protocol,
    /// All ports of the alert; empty where it has none, or more than it lists.
    ports: Vec<u16>,
}

/// One side of an alert.
#[derive(Debug)]
struct Side {
    addresses: Vec<Addr>,
    macs: Vec<Mac>,
    /// Nobody is listed, or not everybody: anyone may be on this side.
    open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Any,
    /// This number of IP, or ICMP of either family.
    Ip(u8),
    Icmp,
    Arp,
    NeighbourDiscovery,
}

/// Who is at one end of a frame: by the packet or the claim in it, and by the frame.
#[derive(Clone, Copy, Debug)]
struct End {
    address: Addr,
    macs: [Option<Mac>; 2],
}

impl Selection {
    pub fn of(alert: &Alert) -> Self {
        let complete = alert.ports.len() as u64 == alert.port_count;
        Self {
            frames: alert.frames.first..=alert.frames.last,
            attackers: Side::of(&alert.attackers, alert.attacker_count),
            victims: Side::of(&alert.victims, alert.victim_count),
            protocol: Protocol::of(alert.protocol),
            ports: if complete { alert.ports.clone() } else { Vec::new() },
        }
    }

    /// Whether a frame within [`Selection::frames`] belongs to the alert.
    pub fn takes(&self, seen: &Seen) -> bool {
        self.takes_packet(seen) || self.takes_claim(seen) || self.takes_diverted(seen)
    }

    fn takes_packet(&self, seen: &Seen) -> bool {
        let Some(packet) = seen.packet else {
            // What could not be read is evidence only of what concerns everything.
            return seen.claim.is_none() && self.concerns_everything();
        };
        let (from, to) = seen.macs.unzip();
        let sender = End { address: packet.src, macs: [from, None] };
        let receiver = End { address: packet.dst, macs: [to, None] };
        self.speaks(packet)
            && self.has_port(packet)
            && if self.is_dhcp() { self.asks(sender, receiver) } else { self.joins(sender, receiver) }
    }

    fn takes_claim(&self, seen: &Seen) -> bool {
        let Some(claim) = seen.claim else { return false };
        let is_arp = matches!(claim.kind, ClaimKind::ArpRequest | ClaimKind::ArpReply);
        let wanted = match self.protocol {
            Protocol::Any => self.ports.is_empty(),
            Protocol::Arp => is_arp,
            Protocol::NeighbourDiscovery => !is_arp,
            Protocol::Ip(_) | Protocol::Icmp => false,
        };
        let sender = End { address: claim.sender, macs: [Some(claim.mac), Some(claim.frame_src)] };
        let receiver = End { address: claim.target, macs: [seen.macs.map(|(_, to)| to), None] };
        // What the victims say of themselves is what the attacker's claim contradicts.
        wanted && (self.joins(sender, receiver) || self.victims.owns(sender) && self.victims.owns(receiver))
    }

    /// Packets of others that pass through the attacker's machine, which is what ARP spoofing is for.
    fn takes_diverted(&self, seen: &Seen) -> bool {
        let (Some(packet), Some((from, to))) = (seen.packet, seen.macs) else { return false };
        let passes = |mac, address| self.attackers.macs.contains(&mac) && !self.attackers.addresses.contains(&address);
        let is_link_alert = matches!(self.protocol, Protocol::Arp | Protocol::NeighbourDiscovery);
        is_link_alert
            && !self.victims.open
            && (passes(from, packet.src) || passes(to, packet.dst))
            && (self.victims.addresses.contains(&packet.src) || self.victims.addresses.contains(&packet.dst))
    }

    /// One end is the attacker's and the other the victim's.
    fn joins(&self, one: End, other: End) -> bool {
        let (attackers, victims) = (&self.attackers, &self.victims);
        match (attackers.open, victims.open) {
            (true, true) => true,
            (false, true) => attackers.has(one) || attackers.has(other),
            (true, false) => victims.has(one) || victims.has(other),
            (false, false) => attackers.has(one) && victims.has(other) || attackers.has(other) && victims.has(one),
        }
    }

    /// Part of a dialogue about addresses: with a side of the alert, or from and to everybody.
    fn asks(&self, one: End, other: End) -> bool {
        let known = |end| self.attackers.has(end) || self.victims.has(end);
        known(one) || known(other) || one.address.is_group() || other.address.is_group()
    }

    fn is_dhcp(&self) -> bool {
        self.ports == [DHCP]
    }

    fn concerns_everything(&self) -> bool {
        self.protocol == Protocol::Any && self.ports.is_empty() && self.attackers.open && self.victims.open
    }

    fn speaks(&self, packet: &Packet) -> bool {
        match self.protocol {
            Protocol::Any => true,
            Protocol::Icmp => matches!(packet.proto, ip_proto::ICMP | ip_proto::ICMP6),
            // An error counts as the protocol of the packet it quotes.
            Protocol::Ip(ip_proto::UDP) if self.ports.contains(&DNS) => matches!(packet.proto, ip_proto::UDP | ip_proto::TCP),
            Protocol::Ip(number) => packet.proto == number,
            Protocol::Arp | Protocol::NeighbourDiscovery => false,
        }
    }

    /// Either end may have the port: mostly the responder, in a reflection the sender.
    fn has_port(&self, packet: &Packet) -> bool {
        let has_ports = matches!(packet.proto, ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP);
        self.ports.is_empty()
            // Later fragments do not say which ports they belong to.
            || packet.kind == Kind::Fragment
            || has_ports && (self.ports.contains(&packet.sport) || self.ports.contains(&packet.dport))
    }
}

impl Side {
    fn of(listed: &[String], count: u64) -> Self {
        let addresses: Vec<Addr> = listed.iter().filter_map(|text| text.parse::<IpAddr>().ok()).map(Addr::from).collect();
        let macs: Vec<Mac> = listed.iter().filter_map(|text| mac(text)).collect();
        let open = listed.is_empty() || count > (addresses.len() + macs.len()) as u64;
        Self { addresses, macs, open }
    }

    fn has(&self, end: End) -> bool {
        self.addresses.contains(&end.address) || end.macs.iter().flatten().any(|mac| self.macs.contains(mac))
    }

    /// The address is of this side, which lists everybody.
    fn owns(&self, end: End) -> bool {
        !self.open && self.addresses.contains(&end.address)
    }
}

impl Protocol {
    fn of(name: &str) -> Self {
        match name {
            "tcp" => Self::Ip(ip_proto::TCP),
            "udp" => Self::Ip(ip_proto::UDP),
            "sctp" => Self::Ip(ip_proto::SCTP),
            "icmp" | "icmp6" => Self::Icmp,
            "arp" => Self::Arp,
            "nd" => Self::NeighbourDiscovery,
            _ => Self::Any,
        }
    }
}

/// An address as alerts write it: `02:00:0a:00:05:42`.
fn mac(text: &str) -> Option<Mac> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        *byte = parts.next().filter(|part| part.len() == 2).and_then(|part| u8::from_str_radix(part, 16).ok())?;
    }
    parts.next().is_none().then(|| Mac::from_bytes(bytes))
}
