//! Link types of the tcpdump.org registry: what the first header of a frame is.
//!
//! Knows pseudo headers that capturing adds; real link headers are read elsewhere.

use super::layers::Layer;
use super::span::{Span, length};
use super::walk::{Context, Proto, Step};
use super::{Reason, ether, ppp};
use crate::net::Mac;

pub(super) const ETHERNET: u16 = 1;

/// The first header of the context's frame.
pub(super) fn open<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    begin(context, u32::from(context.frame.link), span)
}

/// The first header of a link type.
pub(super) fn begin<'a>(context: &mut Context, link: u32, span: Span<'a>) -> Step<'a> {
    match link {
        1 => Ok((Proto::Ethernet, span)),
        9 => Ok((Proto::Ppp, span)),
        50 => ppp::hdlc(span),
        51 => ppp::pppoe(context, span),
        105 => Ok((Proto::Wifi, span)),
        113 => sll(context, span),
        276 => sll2(context, span),
        119 | 163 => Ok((Proto::Prism, span)),
        127 => Ok((Proto::Radiotap, span)),
        192 => Ok((Proto::Ppi, span)),
        // Tags of switch chips: between the addresses and the type, or before the frame.
        281 | 284 => ether::ethernet(context, span, 4),
        285 => ether::ethernet(context, span, 8),
        282 => Ok((Proto::Ethernet, span.after(4))),
        _ => {
            context.layers.insert(Layer::OtherLink);
            headerless(context, link, span)
        }
    }
}

fn headerless<'a>(context: &mut Context, link: u32, span: Span<'a>) -> Step<'a> {
    match link {
        0 | 108 => loopback(span),
        // 12 and 14 are what raw IP is called by the files of some systems.
        12 | 14 | 101 | 228 | 229 => Ok((Proto::Ip, span)),
        104 => ppp::cisco_hdlc(span),
        239 => nflog(context, span),
        // IP over InfiniBand: a global route header, the type, two reserved bytes.
        242 => Ok((Proto::EtherType(span.u16_at(40).ok_or(Reason::TooShort)?), span.after(44))),
        _ => Err(Reason::UnknownLink),
    }
}

/// An address family of four bytes, in the byte order of whoever captured (type 0) or the network's
/// (type 108): families are small, so the order shows.
fn loopback(span: Span) -> Step {
    let [a, b, c, d] = *span.first().ok_or(Reason::TooShort)?;
    let family = if (a, b) == (0, 0) { u16::from_be_bytes([c, d]) } else { u16::from_le_bytes([a, b]) };
    match family {
        // AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 23 on Windows, 24, 28 or 30 on the BSDs.
        2 | 10 | 23 | 24 | 28 | 30 => Ok((Proto::Ip, span.after(4))),
        _ => Err(Reason::OtherNetwork),
    }
}

/// Linux cooked capture: packet type, hardware type, address length, address, protocol.
fn sll<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    context.layers.insert(Layer::LinuxSll);
    let [_, _, hw_high, hw_low, 0, len, address @ .., high, low] = *span.first::<16>().ok_or(Reason::TooShort)? else {
        return Err(Reason::BadNetwork);
    };
    cooked_source(context, len, address);
    Ok((cooked(u16::from_be_bytes([hw_high, hw_low]), u16::from_be_bytes([high, low])), span.after(16)))
}

/// Its second version, with the protocol first and the interface's number.
fn sll2<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    context.layers.insert(Layer::LinuxSll);
    let [high, low, _, _, _, _, _, _, hw_high, hw_low, _, len, address @ ..] = *span.first::<20>().ok_or(Reason::TooShort)?;
    cooked_source(context, len, address);
    Ok((cooked(u16::from_be_bytes([hw_high, hw_low]), u16::from_be_bytes([high, low])), span.after(20)))
}

fn cooked_source(context: &mut Context, len: u8, [mac @ .., _, _]: [u8; 8]) {
    if len == 6 {
        context.frame_src = Mac::from_bytes(mac);
    }
}

fn cooked(hardware: u16, protocol: u16) -> Proto {
    match (hardware, protocol) {
        // ARPHRD_IEEE80211 and ARPHRD_IEEE80211_RADIOTAP: the protocol says nothing.
        (801, _) => Proto::Wifi,
        (803, _) => Proto::Radiotap,
        (_, 0x0004) => Proto::Llc,
        (_, protocol) => Proto::EtherType(protocol),
    }
}

const NFULA_HWADDR: u16 = 8;
const NFULA_PAYLOAD: u16 = 9;

/// Netfilter's log: family, version, resource, then attributes of length, type and value, padded to
/// four bytes, in the capturing machine's byte order.
fn nflog<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    if span.first::<4>().is_none() {
        return Err(Reason::TooShort);
    }
    let mut rest = span.after(4);
    loop {
        let [a, b, c, d] = *rest.first().ok_or(Reason::TooShort)?;
        // Types are small: the order shows.
        let [len, kind] = [[a, b], [c, d]].map(if c == 0 { u16::from_be_bytes } else { u16::from_le_bytes });
        let value = rest.limit(u32::from(len)).after(4);
        match kind {
            _ if len < 4 => return Err(Reason::BadNetwork),
            NFULA_PAYLOAD => return Ok((Proto::Ip, value)),
            NFULA_HWADDR if value.u16_at(0) == Some(6) => {
                context.frame_src = value.at(4).map_or(context.frame_src, |mac| Mac::from_bytes(*mac));
            }
            _ => {}
        }
        let padded = usize::from(len).next_multiple_of(4);
        if length(padded) > rest.wire {
            return Err(Reason::BadNetwork);
        }
        rest = rest.after(padded);
    }
}
