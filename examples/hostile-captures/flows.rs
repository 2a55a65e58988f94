//! Connections, ports, hosts and alerts in numbers that no table holds.

use std::io::{self, Write};

use crate::frame::{self, ACK, PSH, Pair, RST, SYN, low16, low32, port};
use crate::prng::SplitMix64;

const FLOWS: u64 = 2_000_000;
const SLOW: u64 = 500_000;

/// Any two addresses and ports.
fn pair(chance: &mut SplitMix64) -> Pair {
    let mut address = || low32(chance.between(0x0100_0000, 0xe000_0000));
    let (from, to) = (address(), address());
    Pair { from: (from, chance.u16()), to: (to, chance.u16()) }
}

fn each(out: &mut dyn Write, count: u64, pace: u64) -> io::Result<()> {
    let mut chance = SplitMix64::new(11);
    frame::pcap_header(out)?;
    (0..count).try_for_each(|n| frame::record(out, n * pace, &frame::udp(pair(&mut chance), b"hello")))
}

pub fn each_its_own(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    each(out, FLOWS * scale, 5)
}

pub fn each_its_own_slowly(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    each(out, SLOW * scale, 2_000)
}

pub fn answered(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    let mut chance = SplitMix64::new(12);
    frame::pcap_header(out)?;
    for n in 0..SLOW / 2 * scale {
        let pair = pair(&mut chance);
        conversation(out, n * 1_000, pair)?;
    }
    Ok(())
}

/// Both say something.
fn conversation(out: &mut dyn Write, at: u64, pair: Pair) -> io::Result<()> {
    frame::record(out, at, &frame::tcp(pair, (1, 0), SYN, b""))?;
    frame::record(out, at + 1, &frame::tcp(pair.back(), (1, 2), SYN | ACK, b""))?;
    frame::record(out, at + 2, &frame::tcp(pair, (2, 2), ACK, b""))?;
    frame::record(out, at + 3, &frame::tcp(pair, (2, 2), ACK | PSH, b"abcdefgh"))?;
    frame::record(out, at + 4, &frame::tcp(pair.back(), (2, 10), ACK | PSH, b"ABCDEFGH"))?;
    frame::record(out, at + 5, &frame::tcp(pair.back(), (10, 10), RST | ACK, b""))
}

fn refused(out: &mut dyn Write, count: u64, pace: u64) -> io::Result<()> {
    let mut chance = SplitMix64::new(13);
    frame::pcap_header(out)?;
    for n in 0..count {
        let pair = Pair { from: (0xc000_0201, port(n)), to: (0x0a00_0000 | u32::from(chance.u16()), chance.u16()) };
        frame::record(out, n * pace, &frame::tcp(pair, (1, 0), SYN, b""))?;
        frame::record(out, n * pace + 1, &frame::tcp(pair.back(), (0, 2), RST | ACK, b""))?;
    }
    Ok(())
}

pub fn ports_on_hosts(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    refused(out, FLOWS / 2 * scale, 10)
}

pub fn ports_on_hosts_slowly(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    refused(out, SLOW * scale, 20_000)
}

/// SYNs to this many ports make an alert.
const PORTS: u64 = 20;

fn scan(out: &mut dyn Write, number: u64, at: u64) -> io::Result<()> {
    let (from, to) = (0x0b00_0000 + low32(number), 0x0a00_0000 + low32(number));
    (0..PORTS).try_for_each(|n| {
        let pair = Pair { from: (from, 40_000), to: (to, low16(100 + n)) };
        frame::record(out, at + n * 10_000, &frame::tcp(pair, (1, 0), SYN, b""))
    })
}

pub fn alerts(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..25_000 * scale).try_for_each(|n| scan(out, n, n * 1_000_000_000))
}

pub fn alerts_at_once(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..25_000 * scale).try_for_each(|n| scan(out, n, n / 900 * 2_000_000_000 + n % 900 * 300_000))
}

pub fn services(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..100_000 * scale).try_for_each(|n| {
        let pair = Pair { from: (0x0b00_0000 + low32(n), 40_000), to: (0x0a00_0000 + low32(n), port(n * 7)) };
        conversation(out, n / 900 * 1_000_000_000 + n % 900 * 1_000, pair)
    })
}
