//! Checksums of IPv4, TCP and UDP (RFC 1071) in single Ethernet frames, for telling where a capture was made.
//!
//! A machine leaves the checksums of what it sends to its network card: captured on that machine, they are
//! zero or hold the sum of the pseudo header only. Other wrong ones mean damage or rewriting. Looks at whole
//! packets only; decoding does not depend on it.

use super::link;
use super::tunnel;
use crate::capture::{Block, FrameRef};
use crate::net::{Mac, ip_proto};

const TAGS: [u16; 2] = [0x8100, 0x88a8];
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// What a sample of frames came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksums {
    pub checked: u64,
    /// Left to the network card of the sender.
    pub offloaded: u64,
    /// Wrong in another way.
    pub wrong: u64,
    /// Who sent the unfinished ones.
    pub sender: Option<Mac>,
    pub several_senders: bool,
}

/// What the checksums of a packet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sum {
    Right,
    Unfinished,
    Wrong,
}

impl Checksums {
    /// Checks a frame, if it is one that can be checked.
    pub fn take(&mut self, block: &Block, frame: &FrameRef) {
        if frame.link != link::ETHERNET || frame.caplen < frame.origlen {
            return;
        }
        let data = block.data(frame);
        let Some((ether_type, packet)) = network(data) else { return };
        let Some(sum) = (match ether_type {
            IPV4 => ipv4(packet),
            IPV6 => ipv6(packet),
            _ => None,
        }) else {
            return;
        };
        self.checked += 1;
        self.wrong += u64::from(sum == Sum::Wrong);
        if sum == Sum::Unfinished {
            self.offloaded += 1;
            if let Some((from, _)) = super::ethernet_ends(data, frame.link) {
                self.note_sender(from);
            }
        }
    }

    /// One more packet whose checksum was left to the card of this sender.
    pub fn note_sender(&mut self, mac: Mac) {
        self.several_senders |= self.sender.is_some_and(|sender| sender != mac);
        self.sender = Some(mac);
    }

    /// The machine that sent all packets with unfinished checksums, if it was one.
    #[must_use]
    pub const fn only_sender(&self) -> Option<Mac> {
        if self.several_senders { None } else { self.sender }
    }
}

/// Type and bytes of what an Ethernet frame carries, behind up to two VLAN tags.
fn network(data: &[u8]) -> Option<(u16, &[u8])> {
    let mut rest = data.get(12..)?;
    for _ in 0..=TAGS.len() {
        let (ether_type, behind) = half(rest)?;
        if !TAGS.contains(&ether_type) {
            return Some((ether_type, behind));
        }
        rest = behind.get(2..)?;
    }
    None
}

fn ipv4(data: &[u8]) -> Option<Sum> {
    let head = data.first_chunk::<20>()?;
    let length = usize::from(head[0] & 0x0f) * 4;
    let header = data.get(..length).filter(|header| head[0] >> 4 == 4 && header.len() >= 20)?;
    let whole = usize::from(u16::from_be_bytes([head[2], head[3]]));
    // Any offset, or more fragments.
    if head[6] & 0x3f != 0 || head[7] != 0 {
        return None;
    }
    let own = match folded(sum(header)) {
        0xffff => Sum::Right,
        _ if head[10] == 0 && head[11] == 0 => Sum::Unfinished,
        _ => Sum::Wrong,
    };
    let carried = data.get(length..whole)?;
    let transport = transport(head[9], head.get(12..20)?, carried, true);
    // A packet that carries nothing that can be checked still has its header.
    Some(worse(own, transport.unwrap_or(Sum::Right)))
}

fn ipv6(data: &[u8]) -> Option<Sum> {
    let (head, rest) = data.split_first_chunk::<40>()?;
    let carried = rest.get(..usize::from(u16::from_be_bytes([head[4], head[5]])))?;
    if head[0] >> 4 == 6 { transport(head[6], head.get(8..40)?, carried, false) } else { None }
}

/// TCP or UDP between two addresses; none for anything else and for UDP that states no checksum.
fn transport(proto: u8, addresses: &[u8], carried: &[u8], v4: bool) -> Option<Sum> {
    let place = match proto {
        ip_proto::TCP if carried.len() >= 20 => 16,
        ip_proto::UDP if carried.len() >= 8 => 6,
        _ => return None,
    };
    let stated = half(carried.get(place..)?)?.0;
    let segment = if proto == ip_proto::UDP { carried.get(..usize::from(half(carried.get(4..)?)?.0))? } else { carried };
    if proto == ip_proto::UDP && (stated == 0 && v4 || is_tunnel(carried)) {
        return None;
    }
    let pseudo = sum(addresses) + u64::from(proto) + segment.len() as u64;
    if folded(pseudo + sum(segment)) == 0xffff {
        return Some(Sum::Right);
    }
    let unfinished = stated == 0 || stated == folded(pseudo) || stated == !folded(pseudo);
    Some(if unfinished { Sum::Unfinished } else { Sum::Wrong })
}

/// Tunnels may leave the outer checksum out (RFC 6935).
fn is_tunnel(datagram: &[u8]) -> bool {
    let port = |place: usize| datagram.get(place..).and_then(half).map_or(0, |(port, _)| port);
    tunnel::is_tunnel(port(0), port(2))
}

fn worse(one: Sum, other: Sum) -> Sum {
    if one == Sum::Wrong || other == Sum::Right { one } else { other }
}

fn half(data: &[u8]) -> Option<(u16, &[u8])> {
    data.split_first_chunk::<2>().map(|(bytes, rest)| (u16::from_be_bytes(*bytes), rest))
}

/// Of 16-bit words in network order, the last one padded.
fn sum(data: &[u8]) -> u64 {
    let (words, rest) = data.as_chunks::<2>();
    let odd = rest.first().map_or(0, |byte| u64::from(*byte) << 8);
    words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum::<u64>() + odd
}

/// The carries added in.
#[expect(clippy::cast_possible_truncation, reason = "nothing is left above 16 bits")]
const fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN of 10.0.0.1:1234 to 10.0.0.2:80 whose checksums (0x66cd of IP, 0x9d44 of TCP) are computed by hand
    /// in the tests below.
    fn frame(ip_sum: u16, tcp_sum: u16) -> Vec<u8> {
        let mut data = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 8, 0];
        data.extend([0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6]);
        data.extend(ip_sum.to_be_bytes());
        data.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        data.extend([4, 210, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0]);
        data.extend(tcp_sum.to_be_bytes());
        data.extend([0, 0]);
        data
    }

    fn checked(data: &[u8], missing: u32) -> Checksums {
        let caplen = u32::try_from(data.len()).unwrap();
        let frame = FrameRef { ts: 0, tick: 0, ordinal: 1, offset: 0, start: 0, caplen, origlen: caplen + missing, link: 1, interface: 0 };
        let mut sums = Checksums::default();
        sums.take(&Block { bytes: data.to_vec(), frames: vec![frame], left_out: 0 }, &frame);
        sums
    }

    // 4500+0028+0001+0000+4006 = 852f, +0a00+0001+0a00+0002 = 9932; its complement is 66cd.
    const IP: u16 = 0x66cd;
    // Pseudo header: 0a00+0001+0a00+0002+0006+0014 = 141d. Segment: 04d2+0050+0000+0001+0000+0000+5002+0400 = 5925.
    const PSEUDO: u16 = 0x141d;
    const TCP: u16 = !0x6d42;

    #[test]
    fn right_ones_are_right_and_each_other_is_told_apart() {
        let of = |ip, tcp| {
            let Checksums { checked, offloaded, wrong, .. } = self::checked(&frame(ip, tcp), 0);
            (checked, offloaded, wrong)
        };
        assert_eq!(of(IP, TCP), (1, 0, 0));
        assert_eq!([of(IP, 0), of(IP, PSEUDO), of(0, TCP), of(0, 0)], [(1, 1, 0); 4]);
        assert_eq!([of(IP, TCP ^ 1), of(IP ^ 1, TCP), of(IP ^ 1, PSEUDO)], [(1, 0, 1); 3]);
    }

    #[test]
    fn the_sender_is_known_by_its_frames() {
        assert_eq!(checked(&frame(IP, 0), 0).only_sender(), Some(Mac(1)));
        assert_eq!(checked(&frame(IP, TCP), 0).only_sender(), None);
    }

    #[test]
    fn what_is_not_whole_is_not_checked() {
        let whole = frame(IP, 0);
        assert_eq!(checked(&whole, 1).checked, 0);
        (0..whole.len()).for_each(|length| assert_eq!(checked(&whole[..length], 0).checked, 0, "{length}"));
        let mut fragment = frame(IP, 0);
        fragment[20] = 0x20;
        assert_eq!(checked(&fragment, 0).checked, 0);
    }

    #[test]
    fn a_tag_is_passed_and_padding_is_none_of_it() {
        let mut tagged = frame(IP, TCP);
        tagged.splice(12..12, [0x81, 0, 0, 5]);
        tagged.extend([0xee; 6]);
        let sums = checked(&tagged, 0);
        assert_eq!((sums.checked, sums.offloaded, sums.wrong), (1, 0, 0));
    }
}
