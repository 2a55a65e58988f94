//! Which link-layer address packets of an IP address really came from and went to.
//!
//! Seen in the frames themselves, whatever ARP says: when a connection begins, and once both ends
//! have spoken, at the first of each end in every ten seconds. Only frames whose own IP header carries the address count; what is
//! inside a tunnel has no neighbour.

use super::flow::verdict;
use super::keyed::{Keyed, Merge, Room, merged};
use crate::decode::{Kind, Packet};
use crate::net::{Addr, Mac};
use crate::time::Nanos;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    Sender,
    Receiver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NeighbourKey {
    pub vlan: u16,
    pub address: Addr,
    pub mac: Mac,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourRow {
    /// Times it was looked at: once for each short connection, more often for a long one.
    pub count: u64,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
}

impl NeighbourRow {
    const fn at(packet: &Packet) -> Self {
        Self { count: 1, first_ts: packet.ts, last_ts: packet.ts, first_ordinal: packet.ordinal, last_ordinal: packet.ordinal }
    }
}

impl Merge for NeighbourRow {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
    }
}

/// One table for the whole capture: hosts are few where pairs of them are many.
#[derive(Debug)]
pub struct Neighbours {
    room: Room,
    rows: Keyed<NeighbourKey, NeighbourRow>,
}

impl Neighbours {
    /// With room for so many rows.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let mut room = Room::default();
        room.grant(limit);
        Self { room, rows: Keyed::default() }
    }

    /// From 0 to 1.
    #[must_use]
    pub fn fullness(&self) -> f64 {
        self.room.fullness()
    }

    /// What was left out so far is told already.
    pub const fn forget_thinned(&mut self) {
        self.room.thinned = 0;
    }

    /// A copy of who was met at or after `from`, with the same room.
    #[must_use]
    pub fn since(&self, from: Nanos) -> Self {
        let rows = self.rows.copy(|_, row| row.last_ts >= from);
        Self { room: self.room.with_rows(rows.len()), rows }
    }

    /// Takes a packet that is to be looked at ([`verdict::MET`]), and who sent its frame to whom. Where
    /// nothing has answered, the sender's address may be forged; who completes a handshake does so
    /// towards the machine that its first packet named.
    pub fn take(&mut self, packet: &Packet, verdict: u8, link: Link) {
        if verdict & verdict::ANSWERED != 0 {
            self.meet(packet, Role::Sender, packet.src, link.src);
        }
        if verdict & verdict::HANDSHAKE == 0 {
            self.meet(packet, Role::Receiver, packet.dst, link.dst);
        }
    }

    fn meet(&mut self, packet: &Packet, role: Role, address: Addr, mac: Mac) {
        self.rows.add(&mut self.room, NeighbourKey { vlan: packet.vlan, address, mac, role }, NeighbourRow::at(packet));
    }

    /// Packets that found no room.
    #[must_use]
    pub const fn thinned(&self) -> u64 {
        self.room.thinned
    }

    /// The rows, sorted.
    #[must_use]
    pub fn finish(self) -> Vec<(NeighbourKey, NeighbourRow)> {
        merged([self.rows])
    }
}

/// Sender and receiver of a packet's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub src: Mac,
    pub dst: Mac,
}

/// Link type of the tcpdump.org registry.
pub(super) const ETHERNET: u16 = 1;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and what came before it.
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const MOST_TAGS: usize = 3;

impl Link {
    /// Of an Ethernet frame (and its link type) whose outermost IP header is that of the packet.
    #[must_use]
    pub fn of((frame, link): (&[u8], u16), packet: &Packet) -> Option<Self> {
        if link != ETHERNET || packet.kind == Kind::IcmpError {
            return None;
        }
        let mut at = 12;
        let mut tags = 0;
        let kind = loop {
            let kind = u16::from_be_bytes(*frame.get(at..)?.first_chunk()?);
            at += 2;
            if !TAGS.contains(&kind) || tags == MOST_TAGS {
                break kind;
            }
            (at, tags) = (at + 2, tags + 1);
        };
        let (src, dst) = match kind {
            IPV4 => {
                (Addr::from_v4_bytes(*frame.get(at + 12..)?.first_chunk()?), Addr::from_v4_bytes(*frame.get(at + 16..)?.first_chunk()?))
            }
            IPV6 => (Addr::from_v6_bytes(*frame.get(at + 8..)?.first_chunk()?), Addr::from_v6_bytes(*frame.get(at + 24..)?.first_chunk()?)),
            _ => return None,
        };
        let mac = |at: usize| frame.get(at..)?.first_chunk().copied().map(Mac::from_bytes);
        if (src, dst) == (packet.src, packet.dst) { Some(Self { dst: mac(0)?, src: mac(6)? }) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(src: u32, dst: u32) -> Packet {
        Packet { src: Addr::from_v4(src), dst: Addr::from_v4(dst), kind: Kind::Tcp, ..Packet::default() }
    }

    fn frame(tags: usize, src: u32, dst: u32) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 5];
        (0..tags).for_each(|_| bytes.extend([0x81, 0, 0, 7]));
        bytes.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
        bytes.extend(src.to_be_bytes());
        bytes.extend(dst.to_be_bytes());
        bytes
    }

    const EXPECTED: Link = Link { src: Mac(0x0200_0000_0005), dst: Mac(0x0200_0000_0009) };

    #[test]
    fn ends_of_a_frame_are_read_behind_vlan_tags() {
        for tags in 0..=3 {
            assert_eq!(Link::of((&frame(tags, 1, 2), ETHERNET), &packet(1, 2)), Some(EXPECTED), "{tags}");
        }
        assert_eq!(Link::of((&frame(0, 1, 2)[..30], ETHERNET), &packet(1, 2)), None);
    }

    #[test]
    fn addresses_inside_a_tunnel_and_quoted_ones_have_no_neighbour() {
        assert_eq!(Link::of((&frame(0, 1, 2), ETHERNET), &packet(1, 3)), None);
        let quoted = Packet { kind: Kind::IcmpError, ..packet(1, 2) };
        assert_eq!(Link::of((&frame(0, 1, 2), ETHERNET), &quoted), None);
        assert_eq!(Link::of((&frame(0, 1, 2), 101), &packet(1, 2)), None);
    }
}
