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

/// DNS (RFC 7766), Kerberos (RFC 4120) and RDP servers listen here over UDP and TCP alike, whichever of the
/// two the alert names.
const OVER_BOTH: [u16; 3] = [53, 88, 3389];
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
        let between = self.joins(sender, receiver) || self.is_dhcp() && self.asks(sender, receiver);
        between && self.speaks(packet) && self.has_port(packet)
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

    fn is_over_both(&self) -> bool {
        !self.ports.is_empty() && self.ports.iter().all(|port| OVER_BOTH.contains(port))
    }

    fn concerns_everything(&self) -> bool {
        self.protocol == Protocol::Any && self.ports.is_empty() && self.attackers.open && self.victims.open
    }

    fn speaks(&self, packet: &Packet) -> bool {
        match self.protocol {
            Protocol::Any => true,
            Protocol::Icmp => matches!(packet.proto, ip_proto::ICMP | ip_proto::ICMP6),
            // An error counts as the protocol of the packet it quotes.
            Protocol::Ip(number) => packet.proto == number || self.is_over_both() && matches!(packet.proto, ip_proto::UDP | ip_proto::TCP),
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
        *byte = parts
            .next()
            .filter(|part| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|part| u8::from_str_radix(part, 16).ok())?;
    }
    parts.next().is_none().then(|| Mac::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{FrameSpan, Picture, Severity};

    const ATTACKER: u32 = 0x0a00_0042;
    const VICTIM: u32 = 0x0a00_0001;
    const OTHER: u32 = 0x0a00_0007;

    fn text(address: u32) -> String {
        Addr::from_v4(address).to_string()
    }

    fn alert(protocol: &'static str, attackers: &[String], victims: &[String], ports: &[u16]) -> Alert {
        Alert {
            kind: "test",
            technique: None,
            title: String::new(),
            message: String::new(),
            severity: Severity::Low,
            confidence: 1.0,
            attack: &[],
            first_seen: 0,
            last_seen: 0,
            detected_at: 0,
            attackers: attackers.to_vec(),
            attacker_count: attackers.len() as u64,
            victims: victims.to_vec(),
            victim_count: victims.len() as u64,
            ports: ports.to_vec(),
            port_count: ports.len() as u64,
            protocol,
            measured: Vec::new(),
            window_s: 0.0,
            flow_count: 0,
            packet_count: 0,
            frames: FrameSpan { first: 3, last: 9 },
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: Vec::new(),
            picture: Picture::None,
        }
    }

    fn tcp(from: u32, sport: u16, to: u32, dport: u16) -> Packet {
        let (src, dst) = (Addr::from_v4(from), Addr::from_v4(to));
        Packet { src, dst, sport, dport, proto: ip_proto::TCP, kind: Kind::Tcp, ..Packet::default() }
    }

    fn takes(alert: &Alert, packet: Packet) -> bool {
        Selection::of(alert).takes(&Seen { packet: Some(&packet), ..Seen::default() })
    }

    #[test]
    fn both_directions_between_the_sides_and_nothing_else() {
        let alert = alert("tcp", &[text(ATTACKER)], &[text(VICTIM)], &[22]);
        assert!(takes(&alert, tcp(ATTACKER, 4_000, VICTIM, 22)));
        assert!(takes(&alert, tcp(VICTIM, 22, ATTACKER, 4_000)));
        for other in [tcp(ATTACKER, 4_000, OTHER, 22), tcp(OTHER, 4_000, VICTIM, 22), tcp(ATTACKER, 4_000, VICTIM, 80)] {
            assert!(!takes(&alert, other));
        }
        let udp = Packet { proto: ip_proto::UDP, kind: Kind::Udp, ..tcp(ATTACKER, 4_000, VICTIM, 22) };
        assert!(!takes(&alert, udp));
    }

    #[test]
    fn an_error_that_quotes_a_packet_belongs_to_it() {
        let alert = alert("udp", &[text(ATTACKER)], &[text(VICTIM)], &[]);
        let quoted = Packet { proto: ip_proto::UDP, kind: Kind::IcmpError, reporter: Addr::from_v4(OTHER), ..tcp(ATTACKER, 9, VICTIM, 7) };
        assert!(takes(&alert, quoted));
    }

    #[test]
    fn a_side_that_is_not_listed_in_full_lets_everybody_pass() {
        let mut spoofed = alert("tcp", &[], &[text(VICTIM)], &[80]);
        spoofed.attacker_count = 18_647;
        assert!(takes(&spoofed, tcp(OTHER, 1, VICTIM, 80)) && takes(&spoofed, tcp(VICTIM, 80, OTHER, 1)));
        assert!(!takes(&spoofed, tcp(OTHER, 1, ATTACKER, 80)));
        let mut sweep = alert("tcp", &[text(ATTACKER)], &[text(VICTIM)], &[445]);
        sweep.victim_count = 254;
        assert!(takes(&sweep, tcp(ATTACKER, 1, OTHER, 445)) && !takes(&sweep, tcp(VICTIM, 1, OTHER, 445)));
    }

    #[test]
    fn ports_that_are_not_all_listed_choose_nothing() {
        let mut scan = alert("tcp", &[text(ATTACKER)], &[text(VICTIM)], &[22, 80]);
        scan.port_count = 1_000;
        assert!(takes(&scan, tcp(ATTACKER, 1, VICTIM, 9_999)));
    }

    #[test]
    fn dns_may_go_on_over_tcp() {
        let alert = alert("udp", &[text(ATTACKER)], &[text(VICTIM)], &[53]);
        assert!(takes(&alert, tcp(ATTACKER, 4_000, VICTIM, 53)) && !takes(&alert, tcp(ATTACKER, 4_000, VICTIM, 54)));
    }

    #[test]
    fn what_concerns_everything_takes_what_could_not_be_read_too() {
        assert!(Selection::of(&alert("ip", &[], &[], &[])).takes(&Seen::default()));
        assert!(!Selection::of(&alert("ip", &[], &[text(VICTIM)], &[])).takes(&Seen::default()));
    }

    fn claim(mac: u64, sender: u32, target: u32) -> Claim {
        let (sender, target) = (Addr::from_v4(sender), Addr::from_v4(target));
        let kind = ClaimKind::ArpReply;
        Claim { ts: 0, tick: 0, ordinal: 5, kind, vlan: 0, frame_src: Mac(mac), mac: Mac(mac), sender, target }
    }

    #[test]
    fn arp_spoofing_takes_the_lie_the_truth_and_what_is_diverted() {
        const LIAR: u64 = 0x0200_0000_0042;
        const OWNER: u64 = 0x0200_0000_0001;
        let alert = alert("arp", &[Mac(LIAR).to_string(), text(ATTACKER)], &[text(VICTIM), text(OTHER)], &[]);
        let selection = Selection::of(&alert);
        let says = |mac, sender, target| selection.takes(&Seen { claim: Some(&claim(mac, sender, target)), ..Seen::default() });
        assert!(says(LIAR, VICTIM, OTHER), "the lie");
        assert!(says(OWNER, VICTIM, OTHER), "the truth");
        assert!(!says(OWNER, VICTIM, 0x0a00_0099), "the victim and somebody else");
        let carries = |from, to| {
            let packet = tcp(VICTIM, 1, 0xc000_0201, 443);
            selection.takes(&Seen { packet: Some(&packet), macs: Some((Mac(from), Mac(to))), ..Seen::default() })
        };
        assert!(carries(OWNER, LIAR) && carries(LIAR, 0x99), "diverted");
        assert!(!carries(OWNER, 0x99), "not diverted");
    }

    #[test]
    fn dhcp_is_a_dialogue_with_everybody() {
        let alert = alert("udp", &["02:00:00:00:00:42".to_owned()], &[], &[67]);
        let dhcp = |from, to| Packet { proto: ip_proto::UDP, kind: Kind::Udp, ..tcp(from, 68, to, 67) };
        assert!(takes(&alert, dhcp(0, 0xffff_ffff)));
        assert!(!takes(&alert, dhcp(OTHER, VICTIM)));
    }

    #[test]
    fn addresses_of_links_are_read_as_they_are_written() {
        assert_eq!(mac(&Mac(0x0200_0a00_0542).to_string()), Some(Mac(0x0200_0a00_0542)));
        for no_mac in ["", "10.0.0.1", "2001:db8::1", "02:00:0a:00:05", "02:00:0a:00:05:42:00", "02:00:0a:00:05:4g", "02:00:0a:00:05:+4"] {
            assert_eq!(mac(no_mac), None, "{no_mac}");
        }
    }
}
