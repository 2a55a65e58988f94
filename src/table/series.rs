//! When the connections of one contact began within its minute, how long each lasted, and what the client
//! sent on it.
//!
//! For rhythm: how regular, how alike; and for how many were open at once. Most contacts have one connection, which costs no more than itself.

use crate::time::{MILLISECOND, Nanos, SECOND};

/// Connections of one contact and minute that are kept one by one: five a second. What is faster has no
/// rhythm to look for but a rate.
const MOST: usize = 300;

/// One connection: milliseconds into the minute at which it began, whole seconds it lasted, and payload
/// bytes of the originator. What does not fit stays at the largest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    pub ms: u16,
    pub lasted_s: u16,
    pub bytes_out: u32,
}

#[derive(Clone, Debug, Default)]
#[expect(clippy::box_collection, reason = "eight bytes in every contact instead of 24; most have no second connection")]
pub struct Series {
    first: Option<Start>,
    later: Option<Box<Vec<Start>>>,
}

impl Series {
    /// A connection that began `offset` after the beginning of the minute has ended.
    pub fn add(&mut self, offset: Nanos, lasted: Nanos, bytes_out: u64) {
        let start = Start {
            ms: u16::try_from(offset / MILLISECOND).unwrap_or_default(),
            lasted_s: u16::try_from(lasted.max(0) / SECOND).unwrap_or(u16::MAX),
            bytes_out: u32::try_from(bytes_out).unwrap_or(u32::MAX),
        };
        if self.first.is_none() {
            self.first = Some(start);
        } else {
            let later = self.later.get_or_insert_default();
            if later.len() + 1 < MOST {
                later.push(start);
            }
        }
    }

    /// In the order of time, eight bytes each: milliseconds, seconds and bytes, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut starts: Vec<Start> = self.first.iter().chain(self.later.iter().flat_map(|later| later.iter())).copied().collect();
        starts.sort_unstable();
        let parts =
            |start: &Start| start.ms.to_le_bytes().into_iter().chain(start.lasted_s.to_le_bytes()).chain(start.bytes_out.to_le_bytes());
        starts.iter().flat_map(parts).collect()
    }
}

impl Start {
    /// Reads what [`Series::to_bytes`] wrote.
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
        let mut series = Series::default();
        for (ms, seconds, bytes) in [(59_999, 40, 7), (0, 0, 3), (120, 100_000, u64::MAX)] {
            series.add(ms * MILLISECOND, seconds * SECOND, bytes);
        }
        let starts: Vec<Start> = Start::read(&series.to_bytes()).collect();
        assert_eq!(
            starts.iter().map(|start| (start.ms, start.lasted_s, start.bytes_out)).collect::<Vec<_>>(),
            [(0, 0, 3), (120, u16::MAX, u32::MAX), (59_999, 40, 7)]
        );
    }
}
