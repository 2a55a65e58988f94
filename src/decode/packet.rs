//! What decoding yields: one compact row per packet, one per address claim, and the accounting.
//!
//! Rows are kept whole and not as separate columns while they travel: every shard picks its rows out
//! of a batch by index, and a row in one place costs two cache lines where twenty columns would cost
//! twenty.

use crate::net::{Addr, Mac};
use crate::time::Nanos;

/// What a packet is to the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    Tcp,
    Udp,
    /// ICMP or `ICMPv6` that is no error: echo, timestamp, neighbour discovery, redirect.
    Icmp,
    /// An ICMP or `ICMPv6` error. Addresses, ports and protocol are those of the *quoted* packet, as
    /// the sender of that packet wrote them; `reporter` is who sent the error. Where addresses were
    /// translated in between, they are those seen here.
    IcmpError,
    Sctp,
    /// A fragment whose transport header is not in it.
    Fragment,
    /// Any other IP protocol.
    #[default]
    Other,
}

/// TCP flag bits as in the header.
pub mod flag {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
}

/// One IP packet: the innermost IP header that could be reached through tunnels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    pub src: Addr,
    pub dst: Addr,
    /// For [`Kind::IcmpError`]: who sent the error (outer source). Otherwise [`Addr::UNSPECIFIED`].
    pub reporter: Addr,
    pub ts: Nanos,
    pub tick: Nanos,
    /// Frame number in its input, from 1.
    pub ordinal: u64,
    /// TCP sequence number; ICMP: identifier << 16 | sequence; UDP: checksum (tells packets apart).
    pub seq: u32,
    /// TCP acknowledgement number; the last fragment of a datagram: where the datagram's payload ends.
    pub ack: u32,
    /// Length of the IP packet from its header, bytes, header included; for a fragment its own. Where
    /// the header contradicts the wire or leaves it open, the length on the wire. For
    /// [`Kind::IcmpError`]: of the error's packet, not of the quoted one.
    pub ip_len: u32,
    /// Payload of TCP, UDP or ICMP by the headers' word, bytes, whether captured or not; of SCTP its
    /// chunks, of [`Kind::Fragment`] and [`Kind::Other`] all that IP carries. A fragment's own part.
    pub payload_len: u32,
    /// Where the captured part of that payload begins in the block's buffer, and how long it is.
    pub payload_start: u32,
    pub payload_caplen: u32,
    /// Length of the frame on the wire.
    pub wire_len: u32,
    /// Source port; ICMP: the type.
    pub sport: u16,
    /// Destination port; ICMP: the code.
    pub dport: u16,
    /// Outermost VLAN id, 0 where untagged.
    pub vlan: u16,
    pub window: u16,
    /// IPv4 identification; 0 for IPv6 without a fragment header.
    pub ip_id: u16,
    /// Hash of the TCP option kinds of a SYN, for telling hosts behind one address apart; else 0.
    pub options: u16,
    /// IP protocol number of the packet (for [`Kind::IcmpError`]: of the quoted packet).
    pub proto: u8,
    pub kind: Kind,
    /// TCP flags; 0 otherwise. For [`Kind::IcmpError`]: the ICMP code.
    pub flags: u8,
    pub ttl: u8,
    /// For [`Kind::IcmpError`]: the ICMP type; 0 otherwise.
    pub icmp_type: u8,
    /// The packet is one piece of a datagram: first fragment with [`Kind::Tcp`] etc., later ones
    /// with [`Kind::Fragment`].
    pub fragment: bool,
}

impl Packet {
    /// Who the packet was sent to: for an ICMP error the source of the packet it quotes.
    #[must_use]
    pub const fn receiver(&self) -> Addr {
        if matches!(self.kind, Kind::IcmpError) { self.src } else { self.dst }
    }

    /// Who sent it: for an ICMP error its reporter.
    #[must_use]
    pub const fn sender(&self) -> Addr {
        if matches!(self.kind, Kind::IcmpError) { self.reporter } else { self.src }
    }
}

/// Who asked for or announced which address: ARP and IPv6 neighbour discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub ts: Nanos,
    pub tick: Nanos,
    pub ordinal: u64,
    pub kind: ClaimKind,
    pub vlan: u16,
    /// Source of the frame's own link header; 0 where the link type has none.
    pub frame_src: Mac,
    /// Sender by the message.
    pub mac: Mac,
    pub sender: Addr,
    /// The address asked for (request) or told to (reply).
    pub target: Addr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ClaimKind {
    ArpRequest,
    ArpReply,
    NeighborSolicitation,
    NeighborAdvertisement,
}

/// Why a frame was decoded in part or not at all. Every frame is counted once: as decoded (an IP
/// packet or a claim was read in full), as partly decoded, or as not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    // Partly decoded: an IP packet was read, but not all of what its headers promise.
    /// Later fragment: no transport header in it.
    LaterFragment,
    /// Cut by the capture's snapshot length before the end of the headers.
    CutHeader,
    /// A header contradicts the bytes that follow (lengths, versions).
    BadHeader,
    /// Tunnels in tunnels beyond the limit.
    TooManyLayers,
    /// A transport protocol that nsm does not read (counted by address and protocol number).
    OtherTransport,
    // Not decoded: no IP packet and no claim.
    /// A link type that nsm does not read.
    UnknownLink,
    /// A network protocol other than IP and ARP (LLDP, STP, IPX ...).
    OtherNetwork,
    /// 802.11 management, control, encrypted or empty data frames.
    WirelessOther,
    /// The frame ends inside its link or network header.
    TooShort,
    /// The network header is broken.
    BadNetwork,
}

impl Reason {
    pub const ALL: [Self; 10] = [
        Self::LaterFragment,
        Self::CutHeader,
        Self::BadHeader,
        Self::TooManyLayers,
        Self::OtherTransport,
        Self::UnknownLink,
        Self::OtherNetwork,
        Self::WirelessOther,
        Self::TooShort,
        Self::BadNetwork,
    ];

    /// An IP packet was read all the same.
    #[must_use]
    pub const fn is_partial(self) -> bool {
        (self as u8) < Self::UnknownLink as u8
    }

    /// The name in `summary.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LaterFragment => "later_fragment",
            Self::CutHeader => "cut_header",
            Self::BadHeader => "bad_header",
            Self::TooManyLayers => "too_many_layers",
            Self::OtherTransport => "other_transport",
            Self::UnknownLink => "unknown_link_type",
            Self::OtherNetwork => "other_network_protocol",
            Self::WirelessOther => "wireless_without_ip",
            Self::TooShort => "too_short",
            Self::BadNetwork => "bad_network_header",
        }
    }
}

/// Every frame in exactly one counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    pub frames: u64,
    pub decoded: u64,
    /// By [`Reason`], in the order of [`Reason::ALL`].
    pub reasons: [u64; Reason::ALL.len()],
    pub filtered: u64,
    /// Sum of captured lengths, bytes.
    pub captured_bytes: u64,
    /// Sum of lengths on the wire, bytes.
    pub wire_bytes: u64,
    /// Frames shorter than they were on the wire.
    pub cut_frames: u64,
}

impl Accounting {
    pub fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        self.decoded += other.decoded;
        for (mine, theirs) in self.reasons.iter_mut().zip(other.reasons) {
            *mine += theirs;
        }
        self.filtered += other.filtered;
        self.captured_bytes += other.captured_bytes;
        self.wire_bytes += other.wire_bytes;
        self.cut_frames += other.cut_frames;
    }

    #[must_use]
    pub fn partly_decoded(&self) -> u64 {
        self.sum(Reason::is_partial)
    }

    #[must_use]
    pub fn not_decoded(&self) -> u64 {
        self.sum(|reason| !reason.is_partial())
    }

    fn sum(&self, keep: impl Fn(Reason) -> bool) -> u64 {
        Reason::ALL.iter().zip(self.reasons).filter(|(reason, _)| keep(**reason)).map(|(_, count)| count).sum()
    }
}
