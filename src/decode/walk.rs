//! The way through a frame, header by header, to the innermost packet that makes sense.
//!
//! Knows the order of headers and when to stop; each header's layout is its reader's business.

use super::layers::{Layer, LayerSet};
use super::network::{self, Ip};
use super::span::Span;
use super::transport::{self, Body};
use super::{Claim, Packet, Reason, claims, ether, link, ppp, tunnel, wireless};
use crate::capture::{Block, FrameRef};
use crate::net::{Addr, Mac, ip_proto};

/// IP headers in IP headers that are followed.
const MAX_DEPTH: u8 = 8;

/// What the next header is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Proto {
    Ethernet,
    EtherType(u16),
    Llc,
    Ppp,
    Mpls,
    Wifi,
    Radiotap,
    Ppi,
    Prism,
    Ip,
    Arp,
}

/// The next header and where it begins, or why there is no way on.
pub(super) type Step<'a> = Result<(Proto, Span<'a>), Reason>;

/// What has been learnt of a frame on the way.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub frame: &'a FrameRef,
    /// Source of the innermost link header passed.
    pub frame_src: Mac,
    pub vlan: u16,
    pub layers: LayerSet,
    depth: u8,
}

impl Context<'_> {
    /// Inside a tunnel, where bytes are believed only if they agree with each other.
    pub fn in_tunnel(&self) -> bool {
        self.depth > 0
    }
}

/// What a frame gave, and why there is nothing more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoded {
    /// The row was filled.
    pub is_packet: bool,
    pub claim: Option<Claim>,
    pub reason: Option<Reason>,
    pub layers: LayerSet,
}

impl Decoded {
    fn nothing(reason: Reason, layers: LayerSet) -> Self {
        let layers = if reason == Reason::OtherNetwork { layers.with(Layer::OtherNetwork) } else { layers };
        Self { is_packet: false, claim: None, reason: Some(reason), layers }
    }

    fn claim(claim: Claim, layers: LayerSet) -> Self {
        Self { is_packet: false, claim: Some(claim), reason: None, layers }
    }
}

/// Follows the headers of a frame and fills `row` with the innermost packet. A packet that carries
/// another one fills it first, and keeps it if the inside makes no sense.
pub(super) fn read(block: &Block, frame: &FrameRef, row: &mut Packet) -> Decoded {
    let mut context = Context { frame, frame_src: Mac::default(), vlan: 0, layers: LayerSet::default(), depth: 0 };
    let mut reached = None;
    let mut step = link::open(&mut context, Span::of_frame(block, frame));
    loop {
        step = match step {
            Err(reason) => return reached.unwrap_or_else(|| Decoded::nothing(reason, context.layers)),
            Ok((Proto::Arp, span)) => match claims::arp(&context, span) {
                Ok(claim) => return Decoded::claim(claim, context.layers),
                Err(reason) => Err(reason),
            },
            Ok((Proto::Ip, span)) => match network::read(span).and_then(|ip| believed(&context, ip)) {
                Ok(ip) => {
                    let (decoded, inside) = packet(&mut context, &ip, row);
                    let Some(inside) = inside else { return decoded };
                    reached = Some(decoded);
                    Ok(inside)
                }
                Err(reason) => Err(reason),
            },
            Ok((proto, span)) => pass(&mut context, proto, span),
        }
    }
}

/// Headers below the network layer.
fn pass<'a>(context: &mut Context, proto: Proto, span: Span<'a>) -> Step<'a> {
    match proto {
        Proto::Ethernet => ether::ethernet(context, span, 0),
        Proto::EtherType(ether_type) => ether::payload(context, ether_type, span),
        Proto::Llc => ether::llc(span),
        Proto::Mpls => ether::mpls(context, span),
        Proto::Ppp => ppp::ppp(context, span),
        Proto::Wifi => wireless::wifi(context, span),
        Proto::Radiotap => wireless::radiotap(span),
        Proto::Ppi => wireless::ppi(context, span),
        Proto::Prism => wireless::prism(span),
        Proto::Ip | Proto::Arp => Ok((proto, span)),
    }
}

/// In a tunnel an IP header counts only if its lengths agree with the bytes around it.
fn believed<'a>(context: &Context, ip: Ip<'a>) -> Result<Ip<'a>, Reason> {
    if context.in_tunnel() && !ip.agrees() { Err(Reason::BadNetwork) } else { Ok(ip) }
}

/// Fills the row of an IP packet. Where it carries another one, tells the way there.
fn packet<'a>(context: &mut Context, ip: &Ip<'a>, row: &mut Packet) -> (Decoded, Option<(Proto, Span<'a>)>) {
    context.layers.insert(if ip.v6 { Layer::Ipv6 } else { Layer::Ipv4 });
    if ip.is_fragment() {
        context.layers.insert(Layer::Fragment);
    }
    *row = bare(context, ip);
    let Body { reason, layer } = transport::read(row, ip);
    let layers = layer.map_or(context.layers, |layer| context.layers.with(layer));
    let decoded = Decoded { is_packet: true, claim: claims::neighbor(context, ip), reason, layers };
    let Some((tunnel, proto, span)) = tunnel::inside(ip, row) else { return (decoded, None) };
    if context.depth + 1 == MAX_DEPTH {
        return (Decoded { reason: Some(Reason::TooManyLayers), ..decoded }, None);
    }
    context.depth += 1;
    context.frame_src = Mac::default();
    // Under IP itself a tunnel is the transport; under UDP it is in the transport.
    context.layers = if row.proto == ip_proto::UDP { layers } else { context.layers }.with(tunnel);
    (decoded, Some((proto, span)))
}

/// What IP and the frame say of a packet.
fn bare(context: &Context, ip: &Ip) -> Packet {
    let frame = context.frame;
    Packet {
        src: ip.src,
        dst: ip.dst,
        reporter: Addr::UNSPECIFIED,
        ts: frame.ts,
        tick: frame.tick,
        ordinal: frame.ordinal,
        ip_len: ip.len,
        wire_len: frame.origlen,
        vlan: context.vlan,
        ip_id: ip.id,
        proto: ip.proto,
        ttl: ip.ttl,
        fragment: ip.is_fragment(),
        ..Packet::default()
    }
}
