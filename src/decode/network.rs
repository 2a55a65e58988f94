//! IPv4 and IPv6 headers, with the extension headers that come before the transport.
//!
//! Knows addresses, lengths and fragments; not what is carried.
//!
//! IPv6 extension headers are walked one by one with the checked slices of `etherparse` and not with
//! `LaxIpv6Slice`: that one reads on behind the fragment header of a later fragment, where there is
//! data and no header, and (0.21) iterating over its extensions reads out of bounds where a chain
//! was cut.

use etherparse::err::ip_auth;
use etherparse::{IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, ip_number};

use super::Reason;
use super::span::{Span, length};
use crate::net::Addr;

/// An IP header, its extensions read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip<'a> {
    pub src: Addr,
    pub dst: Addr,
    pub v6: bool,
    pub ttl: u8,
    pub id: u16,
    /// What follows the extension headers, as far as they could be read.
    pub proto: u8,
    /// Header included; where the header contradicts the wire, by the wire.
    pub len: u32,
    /// What follows the headers, by the length in the header.
    pub payload: Span<'a>,
    /// The same without a look at the length in the header, which ICMP errors may quote mangled.
    pub rest: Span<'a>,
    pub piece: Piece,
    /// Where the last piece begins in its datagram, bytes; 0 for every other packet.
    pub last_at: u32,
    pub size: Size,
    /// Why the extension headers could not be read to their end.
    pub stopped: Option<Reason>,
}

/// Which part of its datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Whole,
    First,
    /// A fragment without transport header.
    Later,
}

impl Piece {
    const fn new(offset: u16, more: bool) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::First,
            _ => Self::Later,
        }
    }
}

/// Offsets count in units of eight bytes (RFC 791, RFC 8200).
fn last_at(offset: u16, more: bool) -> u32 {
    if more { 0 } else { u32::from(offset) * 8 }
}

/// What the length in a header is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Stated,
    /// Left open, as segmentation offload and jumbograms do.
    Open,
    /// It contradicts the bytes around it.
    Contradicts,
}

impl Ip<'_> {
    pub fn is_fragment(&self) -> bool {
        self.piece != Piece::Whole
    }

    pub fn is_later(&self) -> bool {
        self.piece == Piece::Later
    }

    /// Whether its own words agree with the bytes around them.
    pub fn agrees(&self) -> bool {
        self.size == Size::Stated
    }
}

/// Reads the IP header at the beginning of `span`, whichever version it says it is.
pub(super) fn read(span: Span) -> Result<Ip, Reason> {
    match span.u8_at(0).map(|first| first >> 4) {
        Some(4) => v4(span),
        Some(6) => v6(span),
        Some(_) => Err(Reason::BadNetwork),
        None => Err(Reason::TooShort),
    }
}

fn v4(span: Span) -> Result<Ip, Reason> {
    use etherparse::err::ipv4::HeaderSliceError;
    let header = Ipv4HeaderSlice::from_slice(span.bytes).map_err(|error| match error {
        HeaderSliceError::Len(_) => Reason::TooShort,
        HeaderSliceError::Content(_) => Reason::BadNetwork,
    })?;
    let header_len = header.slice().len();
    let stated = u32::from(header.total_len());
    let (len, size) = sized(span, Some(stated).filter(|stated| *stated > 0), length(header_len));
    let mut ip = Ip {
        src: Addr::from_v4_bytes(header.source()),
        dst: Addr::from_v4_bytes(header.destination()),
        v6: false,
        ttl: header.ttl(),
        id: header.identification(),
        proto: header.protocol().0,
        len,
        payload: span.packet(len).after(header_len),
        rest: span.after(header_len),
        piece: Piece::new(header.fragments_offset().value(), header.more_fragments()),
        last_at: last_at(header.fragments_offset().value(), header.more_fragments()),
        size,
        stopped: None,
    };
    if !ip.is_later() && ip.proto == ip_number::AUTH.0 {
        ip.stopped = authentication(&mut ip).err();
    }
    ip.payload.open = ip.is_fragment();
    Ok(ip)
}

fn v6(span: Span) -> Result<Ip, Reason> {
    let header = Ipv6HeaderSlice::from_slice(span.bytes).map_err(|_| Reason::TooShort)?;
    let header_len = header.slice().len();
    let stated = u32::from(header.payload_length());
    let whole = length(header_len);
    let open = stated == 0 && header.next_header() != ip_number::IPV6_NO_NEXT_HEADER && span.wire > whole;
    let (len, size) = sized(span, Some(stated + whole).filter(|_| !open), whole);
    let mut ip = Ip {
        src: Addr::from_v6_bytes(header.source()),
        dst: Addr::from_v6_bytes(header.destination()),
        v6: true,
        ttl: header.hop_limit(),
        id: 0,
        proto: header.next_header().0,
        len,
        payload: span.packet(len).after(header_len),
        rest: span.after(header_len),
        piece: Piece::Whole,
        last_at: 0,
        size,
        stopped: None,
    };
    ip.stopped = extensions(&mut ip).err();
    ip.payload.open = ip.is_fragment();
    Ok(ip)
}

/// The length of a packet by its header, if that states one, and by its surroundings.
fn sized(span: Span, stated: Option<u32>, header: u32) -> (u32, Size) {
    match stated {
        None => (span.wire, Size::Open),
        Some(stated) if stated < header => (span.wire, Size::Contradicts),
        Some(stated) if stated > span.wire && !span.open => (span.wire, Size::Contradicts),
        Some(stated) => (stated, Size::Stated),
    }
}

/// Passes extension headers until the transport, the end of what can be read, or a later fragment.
fn extensions(ip: &mut Ip) -> Result<(), Reason> {
    loop {
        match etherparse::IpNumber(ip.proto) {
            ip_number::IPV6_HOP_BY_HOP | ip_number::IPV6_ROUTE | ip_number::IPV6_DEST_OPTIONS => {
                let header =
                    Ipv6RawExtHeaderSlice::from_slice(ip.payload.bytes).map_err(|error| ip.payload.why_short(error.required_len))?;
                pass(ip, header.slice().len(), header.next_header().0);
            }
            ip_number::IPV6_FRAG => {
                let header =
                    Ipv6FragmentHeaderSlice::from_slice(ip.payload.bytes).map_err(|error| ip.payload.why_short(error.required_len))?;
                ip.piece = Piece::new(header.fragment_offset().value(), header.more_fragments());
                ip.last_at = last_at(header.fragment_offset().value(), header.more_fragments());
                // The low half: IPv4 has no more, and it is what counts up.
                let [_, _, high, low] = header.identification().to_be_bytes();
                ip.id = u16::from_be_bytes([high, low]);
                pass(ip, header.slice().len(), header.next_header().0);
                if ip.is_later() {
                    return Ok(());
                }
            }
            ip_number::AUTH => authentication(ip)?,
            _ => return Ok(()),
        }
    }
}

fn authentication(ip: &mut Ip) -> Result<(), Reason> {
    let header = IpAuthHeaderSlice::from_slice(ip.payload.bytes).map_err(|error| match error {
        ip_auth::HeaderSliceError::Len(error) => ip.payload.why_short(error.required_len),
        ip_auth::HeaderSliceError::Content(_) => Reason::BadHeader,
    })?;
    pass(ip, header.slice().len(), header.next_header().0);
    Ok(())
}

fn pass(ip: &mut Ip, header_len: usize, next: u8) {
    ip.payload = ip.payload.after(header_len);
    ip.rest = ip.rest.after(header_len);
    ip.proto = next;
}
