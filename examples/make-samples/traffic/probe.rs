//! Single probes of a scanner, and what the target does with them (RFC 9293, section 3.10.7).

use crate::host::{Endpoint, Host};
use crate::scene::Scene;
use crate::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};
use crate::wire::{self, ACK, FIN, Icmpv4Type, PSH, RST, SCANNER_OPTIONS, SYN, Segment, URG};

pub const FIN_ONLY: u8 = FIN;
pub const NO_FLAGS: u8 = 0;
pub const XMAS: u8 = FIN | PSH | URG;
pub const ACK_ONLY: u8 = ACK;
pub const MAIMON: u8 = FIN | ACK;

const SCANNER_WINDOW: u16 = 1024;
const SERVER_WINDOW: u16 = 64_240;
const ROUND_TRIP: Nanos = 18 * MILLISECOND;

/// What comes back to a SYN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Port {
    Open,
    Closed,
    /// A firewall drops the probe.
    Filtered,
    /// A firewall drops the probe, and the scanner sends the very same segment once more.
    FilteredAndRepeated,
}

/// A half-open probe: an open port's SYN-ACK is answered with RST.
pub fn syn(scene: &mut Scene, at: Nanos, from: Endpoint, to: Endpoint, port: Port) {
    let seq = scene.rng.u32();
    let probe = Segment { flags: SYN, seq, window: SCANNER_WINDOW, options: SCANNER_OPTIONS, ..Segment::default() };
    put(scene, at, from, to, &probe);
    match port {
        Port::Open => {
            let accept = syn_ack(scene.rng.u32(), seq.wrapping_add(1));
            put(scene, at + ROUND_TRIP, to, from, &accept);
            let reset = Segment { flags: RST, seq: seq.wrapping_add(1), ..Segment::default() };
            put(scene, at + ROUND_TRIP + 90 * MICROSECOND, from, to, &reset);
        }
        Port::Closed => put(scene, at + ROUND_TRIP, to, from, &refusal(seq.wrapping_add(1))),
        Port::Filtered => {}
        Port::FilteredAndRepeated => put(scene, at + SECOND, from, to, &probe),
    }
}

/// An ordinary connection attempt that the target refuses.
pub fn refused(scene: &mut Scene, at: Nanos, client: Host, to: Endpoint, round_trip: Nanos) {
    let from = client.port(scene.fresh_port(client));
    let seq = scene.rng.u32();
    put(scene, at, from, to, &dial(seq));
    put(scene, at + round_trip, to, from, &refusal(seq.wrapping_add(1)));
}

/// An ordinary connection attempt that nobody answers, repeated as the kernel does: after 1, 3 and 7 seconds.
pub fn unanswered(scene: &mut Scene, at: Nanos, client: Host, to: Endpoint) {
    let from = client.port(scene.fresh_port(client));
    let seq = scene.rng.u32();
    for after in [0, 1, 3, 7] {
        put(scene, at + after * SECOND, from, to, &dial(seq));
    }
}

/// A probe with odd flags. A closed port answers RST; an open or filtered one stays silent, except that a bare
/// ACK is answered by every port a firewall does not guard.
pub fn flagged(scene: &mut Scene, at: Nanos, from: Endpoint, to: Endpoint, flags: u8, answered: bool) {
    let (seq, ack) = (scene.rng.u32(), if flags & ACK == 0 { 0 } else { scene.rng.u32() });
    put(scene, at, from, to, &Segment { flags, seq, ack, window: SCANNER_WINDOW, ..Segment::default() });
    if !answered {
        return;
    }
    let answer = if flags & ACK == 0 {
        refusal(seq.wrapping_add(u32::from(flags & FIN != 0)))
    } else {
        Segment { flags: RST, seq: ack, ..Segment::default() }
    };
    put(scene, at + ROUND_TRIP, to, from, &answer);
}

/// An empty datagram; `answered` by ICMP port unreachable.
pub fn udp(scene: &mut Scene, at: Nanos, from: Endpoint, to: Endpoint, answered: bool) {
    let (ident, answer_ident) = (scene.rng.u16(), scene.rng.u16());
    let probe = wire::udp(from, to, ident, &[]);
    if answered {
        let kind = Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::Port);
        scene.put(at + ROUND_TRIP, wire::icmp4(to.host, from.host, answer_ident, kind, wire::quoted(&probe)));
    }
    scene.put(at, probe);
}

/// The segment of an ordinary client that opens a connection.
pub fn dial(seq: u32) -> Segment<'static> {
    Segment { flags: SYN, seq, window: SERVER_WINDOW, options: wire::ORDINARY_OPTIONS, ..Segment::default() }
}

pub fn syn_ack(seq: u32, ack: u32) -> Segment<'static> {
    Segment { flags: SYN | ACK, seq, ack, window: SERVER_WINDOW, options: SCANNER_OPTIONS, ..Segment::default() }
}

/// The answer of a closed port.
pub fn refusal(ack: u32) -> Segment<'static> {
    Segment { flags: RST | ACK, ack, ..Segment::default() }
}

pub fn put(scene: &mut Scene, at: Nanos, from: Endpoint, to: Endpoint, segment: &Segment) {
    let ident = scene.rng.u16();
    scene.put(at, wire::tcp(from, to, ident, segment));
}
