//! Times that no clock shows.

use std::io::{self, Write};

use crate::frame::{self, Pair, port};
use crate::pcapng;

/// Option if_tsresol: a unit of the clock is 10^-n seconds; and the end of the options.
const fn resolution(exponent: u8) -> [u8; 12] {
    [9, 0, 1, 0, exponent, 0, 0, 0, 0, 0, 0, 0]
}

fn datagram(number: u64) -> Vec<u8> {
    frame::udp(Pair { from: (0x0a00_0001, port(number)), to: (0x0a00_0002, port(number / 7)) }, b"hello")
}

fn stamped(out: &mut dyn Write, count: u64, exponent: u8, time: impl Fn(u64) -> u64) -> io::Result<()> {
    pcapng::section(out)?;
    pcapng::interface(out, &resolution(exponent))?;
    (0..count).try_for_each(|n| pcapng::packet(out, 0, time(n), &datagram(n)))
}

/// 250 000 hours are 28 years; eight times as many are all that fit.
pub fn hourly(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    stamped(out, 250_000 * scale, 0, |n| n * 3_600)
}

pub fn millennia(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    const MILLENNIUM: u64 = 31_556_952_000;
    stamped(out, 250_000 * scale, 0, |n| n * MILLENNIUM)
}

pub fn ends_of_time(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    stamped(out, 250_000 * scale, 6, |n| if n % 2 == 0 { 0 } else { u64::MAX })
}
