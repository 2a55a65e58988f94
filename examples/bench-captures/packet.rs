//! Headers of IPv4 packets with TCP or UDP, written in place with correct checksums.
//!
//! The sums are taken from the fields, not from the bytes: that is what makes ten million packets a matter of seconds.

/// Ethernet, IPv4 and TCP without options.
pub const TCP_HEADERS: usize = 54;
/// Ethernet, IPv4 and UDP.
pub const UDP_HEADERS: usize = 42;
/// The smallest Ethernet frame; shorter packets are followed by zeros.
pub const MINIMUM: usize = 60;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

const TCP: u16 = 6;
const UDP: u16 = 17;
const IPV4: [u8; 2] = [0x08, 0x00];
const VERSION_AND_LENGTH: u16 = 0x4500;
const DONT_FRAGMENT: u16 = 0x4000;
const TIME_TO_LIVE: u16 = 64;

#[derive(Clone, Copy)]
pub struct Route {
    pub source: u32,
    pub target: u32,
    pub source_port: u16,
    pub target_port: u16,
}

impl Route {
    pub const fn back(self) -> Self {
        Self { source: self.target, target: self.source, source_port: self.target_port, target_port: self.source_port }
    }
}

#[derive(Clone, Copy)]
pub struct Segment {
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
}

/// A payload that many packets share, its sum taken once.
pub struct Payload {
    pub bytes: Vec<u8>,
    sum: u32,
}

impl Payload {
    pub fn new(bytes: Vec<u8>) -> Self {
        let pairs = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
        let sum = pairs.sum();
        Self { bytes, sum }
    }

    pub fn len(&self) -> u16 {
        u16::try_from(self.bytes.len()).unwrap_or(u16::MAX)
    }
}

/// Writes the 54 bytes before the payload.
pub fn tcp(frame: &mut [u8; MINIMUM], route: Route, segment: Segment, payload: &Payload) {
    let length = 20 + payload.len();
    network(frame, route, TCP, length);
    let offset_and_flags = 0x5000 | u16::from(segment.flags);
    let sum = pseudo_header(route, TCP, length)
        + ports(route)
        + halves(segment.seq)
        + halves(segment.ack)
        + u32::from(offset_and_flags)
        + u32::from(segment.window)
        + payload.sum;
    put(frame, 34, route.source_port);
    put(frame, 36, route.target_port);
    frame[38..42].copy_from_slice(&segment.seq.to_be_bytes());
    frame[42..46].copy_from_slice(&segment.ack.to_be_bytes());
    put(frame, 46, offset_and_flags);
    put(frame, 48, segment.window);
    put(frame, 50, !folded(sum));
    put(frame, 52, 0);
}

/// Writes the 42 bytes before the payload.
pub fn udp(frame: &mut [u8; MINIMUM], route: Route, payload: &Payload) {
    let length = 8 + payload.len();
    network(frame, route, UDP, length);
    let sum = pseudo_header(route, UDP, length) + ports(route) + u32::from(length) + payload.sum;
    put(frame, 34, route.source_port);
    put(frame, 36, route.target_port);
    put(frame, 38, length);
    // Zero would mean that there is no checksum (RFC 768).
    put(frame, 40, if folded(sum) == 0xffff { 0xffff } else { !folded(sum) });
}

/// Ethernet and IPv4. The identification tells nothing and is derived from the packet.
fn network(frame: &mut [u8; MINIMUM], route: Route, protocol: u16, length: u16) {
    address(&mut frame[..6], route.target);
    address(&mut frame[6..12], route.source);
    frame[12..14].copy_from_slice(&IPV4);
    let total = 20 + length;
    let ident = folded(halves(route.source) + ports(route) * 3);
    let time_and_protocol = TIME_TO_LIVE << 8 | protocol;
    let fixed = [VERSION_AND_LENGTH, total, ident, DONT_FRAGMENT, time_and_protocol];
    let sum = fixed.iter().map(|&word| u32::from(word)).sum::<u32>() + halves(route.source) + halves(route.target);
    for (index, word) in fixed.into_iter().enumerate() {
        put(frame, 14 + 2 * index, word);
    }
    put(frame, 24, !folded(sum));
    frame[26..30].copy_from_slice(&route.source.to_be_bytes());
    frame[30..34].copy_from_slice(&route.target.to_be_bytes());
}

/// A locally administered MAC that ends in the IP address.
fn address(out: &mut [u8], ip: u32) {
    let [a, b, c, d] = ip.to_be_bytes();
    out.copy_from_slice(&[0x02, 0, a, b, c, d]);
}

fn put(frame: &mut [u8; MINIMUM], at: usize, word: u16) {
    frame[at..at + 2].copy_from_slice(&word.to_be_bytes());
}

fn pseudo_header(route: Route, protocol: u16, length: u16) -> u32 {
    halves(route.source) + halves(route.target) + u32::from(protocol) + u32::from(length)
}

fn ports(route: Route) -> u32 {
    u32::from(route.source_port) + u32::from(route.target_port)
}

const fn halves(word: u32) -> u32 {
    (word >> 16) + (word & 0xffff)
}

/// The one's complement sum of 16 bits (RFC 1071).
#[expect(clippy::cast_possible_truncation, reason = "after two folds nothing is left above 16 bits")]
const fn folded(sum: u32) -> u16 {
    let once = halves(sum);
    halves(once) as u16
}
