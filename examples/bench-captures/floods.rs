//! Floods: a packet every five microseconds, most of them from senders that do not exist.

use std::io;

use crate::packet::{self, ACK, MINIMUM, Payload, Route, SYN, Segment, TCP_HEADERS, UDP_HEADERS};
use crate::prng::SplitMix64;
use crate::{BASE, Out};

const PACE: u64 = 5;
/// Packets of S at scale 1.
const SYNS: u64 = 10_000_000;
/// Packets of each of the other floods.
const PACKETS: u64 = 3_000_000;
/// 198.51.100.10
const TARGET: u32 = 0xc633_640a;
/// 10.0.0.66
const SWEEPER: u32 = 0x0a00_0042;
const PORT: u16 = 80;
const WINDOW: u16 = 64_240;

/// SYNs from random sources to one port.
pub fn syn(out: &mut Out, scale: u64) -> io::Result<()> {
    let mut chance = SplitMix64::new(1);
    syns(out, SYNS * scale, || Route { source: sender(&mut chance), target: TARGET, source_port: chance.u16(), target_port: PORT })
}

/// As S, and the target answers every SYN.
pub fn answered_syn(out: &mut Out) -> io::Result<()> {
    let (mut chance, mut frame, empty) = (SplitMix64::new(2), [0; MINIMUM], Payload::new(Vec::new()));
    for pair in 0..PACKETS / 2 {
        let at = BASE + 2 * pair * PACE;
        let route = Route { source: sender(&mut chance), target: TARGET, source_port: chance.u16(), target_port: PORT };
        let question = opening(&mut chance);
        packet::tcp(&mut frame, route, question, &empty);
        out.frame(at, &frame, &[])?;
        let answer = Segment { seq: chance.u32(), ack: question.seq.wrapping_add(1), flags: SYN | ACK, window: WINDOW };
        packet::tcp(&mut frame, route.back(), answer, &empty);
        out.frame(at + PACE, &frame, &[])?;
    }
    Ok(())
}

/// SYNs from random sources to random ports of one host.
pub fn random_ports(out: &mut Out) -> io::Result<()> {
    let mut chance = SplitMix64::new(3);
    syns(out, PACKETS, || Route { source: sender(&mut chance), target: TARGET, source_port: chance.u16(), target_port: chance.u16() })
}

/// SYNs from one source to one port of random hosts.
pub fn random_hosts(out: &mut Out) -> io::Result<()> {
    let mut chance = SplitMix64::new(4);
    syns(out, PACKETS, || Route { source: SWEEPER, target: sender(&mut chance), source_port: chance.u16(), target_port: PORT })
}

/// Small datagrams from random sources to one port.
pub fn spoofed_udp(out: &mut Out) -> io::Result<()> {
    const UNUSED: u16 = 40_987;
    let (mut chance, mut frame) = (SplitMix64::new(5), [0; MINIMUM]);
    let payload = Payload::new(vec![0x41; MINIMUM - UDP_HEADERS]);
    for index in 0..PACKETS {
        let route = Route { source: sender(&mut chance), target: TARGET, source_port: chance.u16(), target_port: UNUSED };
        packet::udp(&mut frame, route, &payload);
        out.frame(BASE + index * PACE, &frame[..UDP_HEADERS], &payload.bytes)?;
    }
    Ok(())
}

fn syns(out: &mut Out, count: u64, mut route: impl FnMut() -> Route) -> io::Result<()> {
    let (mut chance, mut frame, empty) = (SplitMix64::new(6), [0; MINIMUM], Payload::new(Vec::new()));
    debug_assert!(frame[TCP_HEADERS..].iter().all(|&byte| byte == 0), "padding is zero");
    for index in 0..count {
        packet::tcp(&mut frame, route(), opening(&mut chance), &empty);
        out.frame(BASE + index * PACE, &frame, &[])?;
    }
    Ok(())
}

const fn opening(chance: &mut SplitMix64) -> Segment {
    Segment { seq: chance.u32(), ack: 0, flags: SYN, window: WINDOW }
}

/// Any unicast address of 1.0.0.0 to 223.255.255.255.
#[expect(clippy::cast_possible_truncation, reason = "the bounds are addresses")]
const fn sender(chance: &mut SplitMix64) -> u32 {
    chance.between(0x0100_0000, 0xe000_0000) as u32
}
