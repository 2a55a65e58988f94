//! When a connection of a contact began within its minute, how long it lasted, and what the client sent on
//! it.
//!
//! For rhythm: how regular, how alike; and for how many were open at once.

use super::flow::Flow;
use crate::time::{self, MILLISECOND, MINUTE, Nanos, SECOND};

/// One connection: milliseconds into the minute at which it began, whole seconds it lasted, and payload
/// bytes of the originator. What does not fit stays at the largest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    pub ms: u16,
    pub lasted_s: u16,
    pub bytes_out: u32,
}

impl Start {
    /// Of a connection that has ended.
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        let (first, last) = (flow.first_ts, flow.last_ts);
        Self::at(first - time::pane(first, MINUTE), last - first, flow.orig.payload_bytes)
    }

    fn at(offset: Nanos, lasted: Nanos, bytes_out: u64) -> Self {
        Self {
            ms: u16::try_from(offset / MILLISECOND).unwrap_or_default(),
            lasted_s: u16::try_from(lasted.max(0) / SECOND).unwrap_or(u16::MAX),
            bytes_out: u32::try_from(bytes_out).unwrap_or(u32::MAX),
        }
    }

    /// Writes several in the order of time, eight bytes each: milliseconds, seconds and bytes,
    /// little-endian.
    pub fn write(mut starts: Vec<Self>, into: &mut Vec<u8>) {
        starts.sort_unstable();
        for start in starts {
            into.extend(start.ms.to_le_bytes());
            into.extend(start.lasted_s.to_le_bytes());
            into.extend(start.bytes_out.to_le_bytes());
        }
    }

    /// Reads what [`Self::write`] wrote.
    pub fn read(bytes: &[u8]) -> impl Iterator<Item = Self> {
        bytes.chunks_exact(8).map(|chunk| Self {
            ms: u16::from_le_bytes([chunk[0], chunk[1]]),
            lasted_s: u16::from_le_bytes([chunk[2], chunk[3]]),
            bytes_out: u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_come_back_in_the_order_of_time() {
        let starts = [(59_999, 40, 7), (0, 0, 3), (120, 100_000, u64::MAX)]
            .map(|(ms, seconds, bytes)| Start::at(ms * MILLISECOND, seconds * SECOND, bytes));
        let mut bytes = Vec::new();
        Start::write(starts.to_vec(), &mut bytes);
        let starts: Vec<Start> = Start::read(&bytes).collect();
        assert_eq!(
            starts.iter().map(|start| (start.ms, start.lasted_s, start.bytes_out)).collect::<Vec<_>>(),
            [(0, 0, 3), (120, u16::MAX, u32::MAX), (59_999, 40, 7)]
        );
    }
}
