//! Who claims which address: ARP (RFC 826) and neighbour discovery (RFC 4861).
//!
//! Reads the messages; whether a claim is a lie is for others to say.

use etherparse::{ArpHardwareId, ArpOperation, ArpPacketSlice, EtherType, ether_type};

use super::network::Ip;
use super::span::Span;
use super::walk::Context;
use super::{Claim, ClaimKind, Reason};
use crate::net::{Addr, Mac, ip_proto};

/// Requests and replies for IPv4 with hardware addresses of six bytes; other operations (reverse and
/// inverse ARP) are another protocol.
pub(super) fn arp(context: &Context, span: Span) -> Result<Claim, Reason> {
    let message = ArpPacketSlice::from_slice(span.bytes).map_err(|_| Reason::TooShort)?;
    let protocol: EtherType = message.proto_addr_type();
    let (Ok(mac), Ok(sender), Ok(target)) =
        (message.sender_hw_addr().try_into(), message.sender_protocol_addr().try_into(), message.target_protocol_addr().try_into())
    else {
        // InfiniBand and others have longer ones; Ethernet has no other.
        let ethernet = message.hw_addr_type() == ArpHardwareId::ETHERNET;
        return Err(if ethernet { Reason::BadNetwork } else { Reason::OtherNetwork });
    };
    let kind = match message.operation() {
        _ if protocol != ether_type::IPV4 => return Err(Reason::OtherNetwork),
        ArpOperation::REQUEST => ClaimKind::ArpRequest,
        ArpOperation::REPLY => ClaimKind::ArpReply,
        _ => return Err(Reason::OtherNetwork),
    };
    Ok(claim(context, kind, Mac::from_bytes(mac), Addr::from_v4_bytes(sender), Addr::from_v4_bytes(target)))
}

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

/// A solicitation is a claim of the packet's source, which asks for the target; an advertisement is
/// one of the target address, told to the packet's destination. Where the message leaves out the
/// link-layer address, the frame's own is meant.
pub(super) fn neighbor(context: &Context, ip: &Ip) -> Option<Claim> {
    if !ip.v6 || ip.proto != ip_proto::ICMP6 || ip.is_fragment() || ip.stopped.is_some() {
        return None;
    }
    let message = ip.payload;
    let [kind, code] = *message.first()?;
    // RFC 4861 7.1: receivers ignore anything that a router has passed on.
    if !matches!(kind, SOLICITATION | ADVERTISEMENT) || code != 0 || ip.ttl != 255 {
        return None;
    }
    let about = Addr::from_v6_bytes(*message.at(8)?);
    let options = message.after(24);
    if kind == SOLICITATION {
        let mac = link_address(options, SOURCE_LINK_ADDRESS).unwrap_or(context.frame_src);
        Some(claim(context, ClaimKind::NeighborSolicitation, mac, ip.src, about))
    } else {
        let mac = link_address(options, TARGET_LINK_ADDRESS).unwrap_or(context.frame_src);
        Some(claim(context, ClaimKind::NeighborAdvertisement, mac, about, ip.dst))
    }
}

/// The address in the first option of a kind. Options are counted in eight bytes.
fn link_address(mut options: Span, wanted: u8) -> Option<Mac> {
    loop {
        let [kind, units, mac @ ..] = *options.first::<8>()?;
        if kind == wanted {
            return Some(Mac::from_bytes(mac));
        }
        options = match units {
            0 => return None,
            units => options.after(usize::from(units) * 8),
        };
    }
}

fn claim(context: &Context, kind: ClaimKind, mac: Mac, sender: Addr, target: Addr) -> Claim {
    let frame = context.frame;
    let (ts, tick, ordinal) = (frame.ts, frame.tick, frame.ordinal);
    Claim { ts, tick, ordinal, kind, vlan: context.vlan, frame_src: context.frame_src, mac, sender, target }
}
