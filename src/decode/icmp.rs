//! ICMP and `ICMPv6`: type, code, echo identifiers, and the packet that an error quotes.
//!
//! Fills a row. An error's row is about the quoted packet, see [`Kind::IcmpError`].

use super::network::{self, Ip};
use super::span::Span;
use super::{Kind, Packet, Reason, transport};
use crate::net::ip_proto;

/// Both versions have type, code, checksum and four more bytes.
const HEADER: usize = 8;

pub(super) fn read(packet: &mut Packet, ip: &Ip) -> Option<Reason> {
    let message = ip.payload;
    transport::body(packet, message.after(HEADER));
    let Some([kind, code]) = message.first().copied() else { return Some(message.why_short(HEADER)) };
    packet.kind = Kind::Icmp;
    packet.sport = u16::from(kind);
    packet.dport = u16::from(code);
    if message.bytes.len() < HEADER {
        return Some(message.why_short(HEADER));
    }
    if is_error(kind, ip.v6) {
        return quoted(packet, ip, kind, code).err();
    }
    packet.seq = identifier(message, ip.v6);
    None
}

const fn is_error(kind: u8, v6: bool) -> bool {
    if v6 { matches!(kind, 1..=4) } else { matches!(kind, 3 | 4 | 11 | 12) }
}

/// Protocol or port unreachable: RFC 1122 section 3.2.2.1, RFC 4443 sections 3.1 and 3.4.
const fn refused_by_target(kind: u8, code: u8, v6: bool) -> bool {
    if v6 { matches!((kind, code), (1, 4) | (4, 1)) } else { matches!((kind, code), (3, 2 | 3)) }
}

/// Identifier and sequence number, for the types that have them.
fn identifier(message: Span, v6: bool) -> u32 {
    let asks = |kind| if v6 { matches!(kind, 128 | 129) } else { matches!(kind, 0 | 8 | 13..=18) };
    match (message.u8_at(0), message.at(4)) {
        (Some(kind), Some(bytes)) if asks(kind) => u32::from_be_bytes(*bytes),
        _ => 0,
    }
}

/// Turns the row of an error into one about the packet it quotes. Its transport header is quoted in
/// part, eight bytes at least by RFC 792; the ports are in the first four.
fn quoted(packet: &mut Packet, outer: &Ip, kind: u8, code: u8) -> Result<(), Reason> {
    let mut quote = outer.payload.after(HEADER);
    // A quote ends before the packet it quotes does.
    quote.open = true;
    let inner = network::read(quote).map_err(|_| unreadable(quote))?;
    if inner.v6 != outer.v6 {
        return Err(Reason::BadHeader);
    }
    let mut about = *packet;
    about.seq = 0;
    if inner.is_later() {
        (about.sport, about.dport) = (0, 0);
    } else {
        inner.stopped.map_or(Ok(()), Err)?;
        quoted_ports(&mut about, &inner).ok_or_else(|| unreadable(inner.rest))?;
    }
    about.kind = Kind::IcmpError;
    about.reporter = outer.src;
    (about.src, about.dst) = (inner.src, inner.dst);
    if inner.src != outer.dst {
        // The packet was translated on its way, and the quote shows it as it was beyond the translator.
        // Here, whoever gets the error had asked; and a refusal that only the end of the path can give
        // comes from the one who was asked.
        about.src = outer.dst;
        if refused_by_target(kind, code, outer.v6) {
            about.dst = outer.src;
        }
    }
    about.proto = inner.proto;
    about.icmp_type = kind;
    about.flags = code;
    *packet = about;
    Ok(())
}

/// Ports of the quoted packet (or type and code), and its sequence number where that is quoted too.
fn quoted_ports(about: &mut Packet, inner: &Ip) -> Option<()> {
    let header = inner.rest;
    match inner.proto {
        ip_proto::TCP => {
            transport::ports(about, header).then_some(())?;
            about.seq = header.at(4).map_or(0, |bytes| u32::from_be_bytes(*bytes));
        }
        ip_proto::UDP | ip_proto::SCTP => transport::ports(about, header).then_some(())?,
        ip_proto::ICMP | ip_proto::ICMP6 => {
            let [kind, code] = header.first().copied()?;
            about.sport = u16::from(kind);
            about.dport = u16::from(code);
            about.seq = identifier(header, inner.v6);
        }
        _ => (about.sport, about.dport) = (0, 0),
    }
    Some(())
}

fn unreadable(quote: Span) -> Reason {
    if quote.bytes.len() < quote.wire as usize { Reason::CutHeader } else { Reason::BadHeader }
}
