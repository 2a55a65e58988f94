//! What travels under `EtherType` numbers: Ethernet and LLC, VLAN tags, MPLS labels.
//!
//! Knows link-layer headers up to the network header and nothing behind it.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::Reason;
use super::layers::Layer;
use super::span::Span;
use super::walk::{Context, Proto, Step};
use crate::net::Mac;

/// Below, the field is a length and an LLC header follows (IEEE 802.3).
const FIRST_ETHER_TYPE: u16 = 0x0600;

/// Ethernet II or 802.3; `tag` bytes of a switch's own tag stand before the type.
pub(super) fn ethernet<'a>(context: &mut Context, span: Span<'a>, tag: usize) -> Step<'a> {
    context.layers.insert(Layer::Ethernet);
    let header = Ethernet2HeaderSlice::from_slice(span.bytes).map_err(|_| Reason::TooShort)?;
    context.frame_src = Mac::from_bytes(header.source());
    let ether_type = span.u16_at(12 + tag).ok_or(Reason::TooShort)?;
    typed(ether_type, span.after(14 + tag))
}

/// A field that is a type or a length.
fn typed(ether_type: u16, rest: Span) -> Step {
    match ether_type {
        0..3 => Err(Reason::OtherNetwork),
        3..FIRST_ETHER_TYPE => Ok((Proto::Llc, rest.limit(u32::from(ether_type)))),
        _ => Ok((Proto::EtherType(ether_type), rest)),
    }
}

/// Goes on behind a known type.
pub(super) fn payload<'a>(context: &mut Context, ether_type: u16, span: Span<'a>) -> Step<'a> {
    match ether_type {
        0x0800 | 0x86dd => Ok((Proto::Ip, span)),
        0x0806 => {
            context.layers.insert(Layer::Arp);
            Ok((Proto::Arp, span))
        }
        0x8100 => vlan(context, span),
        0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
            context.layers.insert(Layer::Qinq);
            vlan(context, span)
        }
        0x8847 | 0x8848 => Ok((Proto::Mpls, span)),
        0x8864 => super::ppp::pppoe(context, span),
        0x880b => Ok((Proto::Ppp, span)),
        0x6558 => Ok((Proto::Ethernet, span)),
        _ => Err(Reason::OtherNetwork),
    }
}

fn vlan<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    if context.layers.has(Layer::Vlan) {
        context.layers.insert(Layer::Qinq);
    }
    context.layers.insert(Layer::Vlan);
    let tag = SingleVlanHeaderSlice::from_slice(span.bytes).map_err(|_| Reason::TooShort)?;
    if context.vlan == 0 {
        context.vlan = tag.vlan_identifier().value();
    }
    typed(tag.ether_type().0, span.after(4))
}

/// IEEE 802.2 with or without SNAP.
pub(super) fn llc(span: Span) -> Step {
    match span.first().ok_or(Reason::TooShort)? {
        // SNAP with the OUI of Ethernet types (RFC 1042), or of bridges that tunnel them (802.1H).
        [0xaa, 0xaa, 0x03] => match span.at(3).ok_or(Reason::TooShort)? {
            [0, 0, 0 | 0xf8, high, low] => Ok((Proto::EtherType(u16::from_be_bytes([*high, *low])), span.after(8))),
            _ => Err(Reason::OtherNetwork),
        },
        [0x06, 0x06, 0x03] => Ok((Proto::Ip, span.after(3))),
        _ => Err(Reason::OtherNetwork),
    }
}

/// Labels to the bottom of the stack. What follows has no type: IP shows its version, anything else
/// is taken for an Ethernet pseudowire with or without the control word of RFC 4385.
pub(super) fn mpls<'a>(context: &mut Context, mut span: Span<'a>) -> Step<'a> {
    context.layers.insert(Layer::Mpls);
    loop {
        let [_, _, bottom, _] = span.first().ok_or(Reason::TooShort)?;
        span = span.after(4);
        if bottom & 1 == 1 {
            break;
        }
    }
    let nibble = span.u8_at(0).ok_or(Reason::TooShort)? >> 4;
    let behind_control_word = span.after(4);
    match nibble {
        4 | 6 => Ok((Proto::Ip, span)),
        0 if looks_like_ethernet(behind_control_word) => Ok((Proto::Ethernet, behind_control_word)),
        _ if looks_like_ethernet(span) => Ok((Proto::Ethernet, span)),
        _ => Err(Reason::OtherNetwork),
    }
}

fn looks_like_ethernet(span: Span) -> bool {
    match span.u16_at(12) {
        Some(0x0800 | 0x86dd | 0x0806 | 0x8100 | 0x88a8 | 0x9100 | 0x8847 | 0x8848 | 0x8864) => true,
        Some(len) => len < FIRST_ETHER_TYPE && span.at(14) == Some(&[0xaa, 0xaa, 0x03]),
        None => false,
    }
}
