//! When the connections of one contact began within its minute, and what the client sent on each.
//!
//! For rhythm: how regular, how alike. Most contacts have one connection, which costs no more than itself.

use crate::time::{MILLISECOND, Nanos};

/// Connections of one contact and minute that are kept one by one: five a second. What is faster has no
/// rhythm to look for but a rate.
const MOST: usize = 300;

/// The beginning of one connection: milliseconds into the minute, and payload bytes of the originator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    pub ms: u16,
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
    pub fn add(&mut self, offset: Nanos, bytes_out: u64) {
        let start =
            Start { ms: u16::try_from(offset / MILLISECOND).unwrap_or_default(), bytes_out: u32::try_from(bytes_out).unwrap_or(u32::MAX) };
        if self.first.is_none() {
            self.first = Some(start);
        } else {
            let later = self.later.get_or_insert_default();
            if later.len() + 1 < MOST {
                later.push(start);
            }
        }
    }

    /// In the order of time, six bytes each: the milliseconds and the bytes, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut starts: Vec<Start> = self.first.iter().chain(self.later.iter().flat_map(|later| later.iter())).copied().collect();
        starts.sort_unstable();
        starts.iter().flat_map(|start| start.ms.to_le_bytes().into_iter().chain(start.bytes_out.to_le_bytes())).collect()
    }
}

impl Start {
    /// Reads what [`Series::to_bytes`] wrote.
    pub fn read(bytes: &[u8]) -> impl Iterator<Item = Self> {
        bytes.chunks_exact(6).map(|chunk| Self {
            ms: u16::from_le_bytes([chunk[0], chunk[1]]),
            bytes_out: u32::from_le_bytes([chunk[2], chunk[3], chunk[4], chunk[5]]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_come_back_in_the_order_of_time() {
        let mut series = Series::default();
        for (ms, bytes) in [(59_999, 7), (0, 3), (120, u64::MAX)] {
            series.add(ms * MILLISECOND, bytes);
        }
        let starts: Vec<Start> = Start::read(&series.to_bytes()).collect();
        assert_eq!(starts.iter().map(|start| (start.ms, start.bytes_out)).collect::<Vec<_>>(), [(0, 3), (120, u32::MAX), (59_999, 7)]);
    }
}
