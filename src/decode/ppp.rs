//! PPP (RFC 1661, 1662), PPP over Ethernet (RFC 2516) and Cisco's HDLC.
//!
//! Knows the framing; the control protocols (LCP, PAP ...) are other network protocols.

use super::Reason;
use super::layers::Layer;
use super::span::Span;
use super::walk::{Context, Proto, Step};

/// A PPP frame, address and control field or not, protocol field compressed or not.
pub(super) fn ppp<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    context.layers.insert(Layer::Ppp);
    let span = if span.first() == Some(&[0xff, 0x03]) { span.after(2) } else { span };
    let first = span.u8_at(0).ok_or(Reason::TooShort)?;
    // The last byte of a protocol number is odd, all before it are even.
    if first & 1 == 1 {
        return network(u16::from(first), span.after(1));
    }
    let protocol = span.u16_at(0).ok_or(Reason::TooShort)?;
    network(protocol, span.after(2))
}

fn network(protocol: u16, rest: Span) -> Step {
    match protocol {
        0x0021 | 0x0057 => Ok((Proto::Ip, rest)),
        0x0281 | 0x0283 => Ok((Proto::Mpls, rest)),
        _ => Err(Reason::OtherNetwork),
    }
}

/// The session stage; what follows is PPP without address and control.
pub(super) fn pppoe<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    context.layers.insert(Layer::Pppoe);
    let [version, code, _, _, high, low] = span.first().ok_or(Reason::TooShort)?;
    match (version, code) {
        (0x11, 0) => Ok((Proto::Ppp, span.after(6).limit(u32::from(u16::from_be_bytes([*high, *low]))))),
        (0x11, _) => Err(Reason::OtherNetwork),
        _ => Err(Reason::BadNetwork),
    }
}

/// PPP in HDLC framing, or Cisco's own (RFC 1547, 4.3.1), told apart by the address byte.
pub(super) fn hdlc(span: Span) -> Step {
    match span.u8_at(0).ok_or(Reason::TooShort)? {
        0x0f | 0x8f => cisco_hdlc(span),
        _ => Ok((Proto::Ppp, span)),
    }
}

/// Address, control, `EtherType`.
pub(super) fn cisco_hdlc(span: Span) -> Step {
    let ether_type = span.u16_at(2).ok_or(Reason::TooShort)?;
    Ok((Proto::EtherType(ether_type), span.after(4)))
}
