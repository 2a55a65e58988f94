//! Only the frames of a capture that a filter in the language of libpcap lets pass.
//!
//! Knows expressions and link types. The bytes of what is left out stay in the block, its number stays free, and it is
//! counted ([`Block::left_out`](super::Block::left_out)). Needs libpcap, which alone knows the language, and so the
//! feature `live`.

#[cfg(feature = "live")]
mod bpf;
#[cfg(not(feature = "live"))]
mod disabled;
#[cfg(feature = "live")]
mod enabled;

use super::Source;
use crate::error::Error;
#[cfg(not(feature = "live"))]
use disabled as build;
#[cfg(feature = "live")]
use enabled as build;

/// The source without the frames that the filter does not let pass.
///
/// # Errors
/// When the expression is none, or this was built without libpcap.
pub fn filtered(source: Box<dyn Source>, expression: &str) -> Result<Box<dyn Source>, Error> {
    check_filter(expression)?;
    Ok(build::wrap(source, expression))
}

/// Refuses what is no filter, before anything is read.
///
/// # Errors
/// When the expression is none, or this was built without libpcap.
pub fn check_filter(expression: &str) -> Result<(), Error> {
    build::check(expression)
}

#[cfg(all(test, not(feature = "live")))]
mod tests {
    use super::super::MemorySource;
    use super::*;

    #[test]
    fn without_libpcap_no_filter_is_silently_ignored() {
        let refused = filtered(Box::new(MemorySource::new(1, Vec::new())), "tcp").map(drop);
        assert!(refused.unwrap_err().to_string().contains("--features live"));
    }
}

#[cfg(all(test, feature = "live"))]
mod tests {
    use super::super::fixtures::{Order, drain, source};
    use super::super::{Block, FrameRef, MemorySource};
    use super::*;
    use crate::warning::Warning;

    /// A UDP datagram from port 1000 to this one, in Ethernet or bare.
    fn udp(port: u16, in_ethernet: bool) -> Vec<u8> {
        let ethernet: &[u8] = if in_ethernet { &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0] } else { &[] };
        let ip = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        [ethernet, &ip, &1_000_u16.to_be_bytes(), &port.to_be_bytes(), &[0, 8, 0, 0]].concat()
    }

    #[test]
    fn what_passes_keeps_its_number_and_the_rest_is_counted() {
        let frames = [53, 80, 53, 80, 80].iter().zip(0..).map(|(port, second)| (second * 1_000_000_000, udp(*port, true)));
        let memory = MemorySource::new(1, frames.collect()).block_frames(2);
        let mut filtered = filtered(Box::new(memory), "udp dst port 53").unwrap();
        let (mut block, mut numbers, mut left_out) = (Block::default(), Vec::new(), 0);
        while filtered.next_block(&mut block).unwrap() {
            numbers.extend(block.frames.iter().map(|frame: &FrameRef| (frame.ordinal, block.data(frame).to_vec())));
            left_out += block.left_out;
        }
        assert_eq!(numbers, [(1, udp(53, true)), (3, udp(53, true))]);
        assert_eq!(left_out, 3);
    }

    #[test]
    fn what_is_no_filter_is_refused_in_the_words_of_libpcap() {
        for expression in ["tcp prot 80", "host", "port 99999999", "a\0b"] {
            let told = check_filter(expression).unwrap_err();
            assert!(matches!(told, Error::Filter { .. }) && !told.to_string().contains("libpcap error"), "{told}");
        }
        // Only wireless frames have a type of this kind.
        for expression in ["", "tcp", "type mgt subtype beacon"] {
            check_filter(expression).unwrap();
        }
    }

    #[test]
    fn every_link_type_has_its_own_program() {
        let order = Order::Little;
        let interfaces = [order.interface(1, 0, &[]), order.interface(101, 0, &[]), order.interface(9_999, 0, &[])].concat();
        let packets = [(0, udp(53, true)), (1, udp(53, false)), (2, udp(53, false)), (1, udp(80, false))];
        let packets: Vec<u8> =
            packets.iter().zip(1..).flat_map(|((interface, data), time)| order.enhanced(*interface, time, data)).collect();
        let file = [order.section(), interfaces, packets].concat();
        let mut filtered = filtered(Box::new(source(std::io::Cursor::new(file)).unwrap()), "udp port 53").unwrap();
        let got = drain(&mut *filtered).unwrap();
        assert_eq!(got.frames.iter().map(|frame| frame.ordinal).collect::<Vec<_>>(), [1, 2]);
        assert!(matches!(got.warnings[..], [Warning::FilterUnusable { link: 9_999, frames: 1, .. }]), "{:?}", got.warnings);
    }

    #[test]
    fn a_filter_that_means_nothing_to_the_capture_is_an_error_and_not_an_empty_report() {
        let memory = MemorySource::new(1, vec![(0, udp(53, true))]);
        let mut filtered = filtered(Box::new(memory), "type mgt").unwrap();
        assert!(matches!(filtered.next_block(&mut Block::default()), Err(Error::Filter { .. })));
    }
}
