//! IEEE 802.11 data frames, and the headers that monitoring puts before them.
//!
//! Knows frames in the clear only: protected, management and control frames carry no IP to read.

use super::layers::Layer;
use super::span::Span;
use super::walk::{Context, Proto, Step};
use super::{Reason, link};
use crate::net::Mac;

/// Version, padding, length (little-endian), then the fields that length spans.
pub(super) fn radiotap(span: Span) -> Step {
    let [_, _, low, high] = *span.first().ok_or(Reason::TooShort)?;
    let len = u16::from_le_bytes([low, high]);
    if len < 8 { Err(Reason::BadNetwork) } else { Ok((Proto::Wifi, span.after(usize::from(len)))) }
}

/// Per-packet information: version, flags, length, link type, fields.
pub(super) fn ppi<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    let [_, _, low, high, a, b, c, d] = *span.first().ok_or(Reason::TooShort)?;
    let len = u16::from_le_bytes([low, high]);
    if len < 8 {
        return Err(Reason::BadNetwork);
    }
    link::begin(context, u32::from_le_bytes([a, b, c, d]), span.after(usize::from(len)))
}

/// The header of Prism cards (message code and length in the host's byte order), or AVS's in its
/// place (version and length in network order).
pub(super) fn prism(span: Span) -> Step {
    let [_, _, _, _, len @ ..] = span.first::<8>().ok_or(Reason::TooShort)?;
    let len = u32::from_le_bytes(*len).min(u32::from_be_bytes(*len));
    match usize::try_from(len) {
        Ok(len @ 8..=0xffff) => Ok((Proto::Wifi, span.after(len))),
        _ => Err(Reason::BadNetwork),
    }
}

const TO_DS: u8 = 0x01;
const FROM_DS: u8 = 0x02;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

pub(super) fn wifi<'a>(context: &mut Context, span: Span<'a>) -> Step<'a> {
    context.layers.insert(Layer::Wifi);
    let [control, flags] = *span.first().ok_or(Reason::TooShort)?;
    let (version, kind, subtype) = (control & 3, control >> 2 & 3, control >> 4);
    // Type 2 is data; its subtypes with bit 2 set carry none.
    if version != 0 || kind != 2 || subtype & 4 != 0 || flags & PROTECTED != 0 {
        return Err(Reason::WirelessOther);
    }
    let (mut len, source) = match flags & (TO_DS | FROM_DS) {
        FROM_DS => (24, 16),
        0 | TO_DS => (24, 10),
        _ => (30, 24),
    };
    context.frame_src = Mac::from_bytes(*span.at(source).ok_or(Reason::TooShort)?);
    // Later fragments have no LLC header.
    if span.u8_at(22).ok_or(Reason::TooShort)? & 0x0f != 0 {
        return Err(Reason::WirelessOther);
    }
    let mut aggregated = false;
    if subtype & 8 != 0 {
        aggregated = span.u8_at(len).ok_or(Reason::TooShort)? & 0x80 != 0;
        len += if flags & ORDER == 0 { 2 } else { 6 };
    }
    let body = unpadded(span, len);
    Ok((Proto::Llc, if aggregated { first_subframe(context, body)? } else { body }))
}

/// Some drivers pad the header to four bytes.
fn unpadded(span: Span, len: usize) -> Span {
    let padded = span.after(len.next_multiple_of(4));
    if padded.first() == Some(&[0xaa, 0xaa, 0x03]) { padded } else { span.after(len) }
}

/// Destination, source, length. One frame gives one packet: the first.
fn first_subframe<'a>(context: &mut Context, body: Span<'a>) -> Result<Span<'a>, Reason> {
    context.frame_src = Mac::from_bytes(*body.at(6).ok_or(Reason::TooShort)?);
    let len = body.u16_at(12).ok_or(Reason::TooShort)?;
    Ok(body.after(14).limit(u32::from(len)))
}
