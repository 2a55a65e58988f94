//! Traffic over time: all frames, in buckets that widen when a capture is long.

use std::collections::BTreeMap;

use crate::capture::FrameRef;
use crate::decode::{Kind, Packet, flag};
use crate::time::{self, Nanos, SECOND};

/// Buckets kept before their width is raised: two hours by the second, five days by the minute.
const MOST: usize = 7_200;
/// Widths tried in turn, seconds; the last is a year.
const WIDTHS: [i64; 6] = [1, 60, 3_600, 86_400, 604_800, 31_536_000];

/// Counts of one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    pub packets: u64,
    pub bytes: u64,
    pub tcp: u64,
    pub udp: u64,
    pub icmp: u64,
    pub syn: u64,
}

#[derive(Debug)]
pub struct Timeline {
    width: usize,
    buckets: BTreeMap<Nanos, Counts>,
    /// The bucket being filled, outside the map: most frames follow one another.
    open: Nanos,
    counts: Counts,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { width: 0, buckets: BTreeMap::new(), open: Nanos::MIN, counts: Counts::default() }
    }
}

impl Timeline {
    pub fn take_frames(&mut self, frames: &[FrameRef]) {
        for frame in frames {
            let counts = self.at(frame.ts);
            if counts.packets == 0 {
                counts.first_ordinal = frame.ordinal;
            }
            counts.last_ordinal = frame.ordinal;
            counts.packets += 1;
            counts.bytes += u64::from(frame.origlen);
        }
    }

    pub fn take_packets(&mut self, packets: &[Packet]) {
        for packet in packets {
            let counts = self.at(packet.ts);
            match packet.kind {
                Kind::Tcp => {
                    counts.tcp += 1;
                    counts.syn += u64::from(packet.flags & (flag::SYN | flag::ACK) == flag::SYN);
                }
                Kind::Udp => counts.udp += 1,
                Kind::Icmp | Kind::IcmpError => counts.icmp += 1,
                Kind::Sctp | Kind::Fragment | Kind::Other => {}
            }
        }
    }

    /// A copy from `from` on.
    #[must_use]
    pub fn since(&self, from: Nanos) -> Self {
        let buckets = self.buckets.range(from..).map(|(ts, counts)| (*ts, *counts)).collect();
        Self { width: self.width, buckets, open: self.open, counts: self.counts }
    }

    /// Width of a bucket in seconds, and the buckets in time order.
    #[must_use]
    pub fn finish(mut self) -> (i64, Vec<(Nanos, Counts)>) {
        self.put_away();
        while self.buckets.len() > MOST && self.widen() {}
        (WIDTHS[self.width], self.buckets.into_iter().collect())
    }

    fn at(&mut self, ts: Nanos) -> &mut Counts {
        if time::pane(ts, WIDTHS[self.width] * SECOND) != self.open {
            self.put_away();
            // Putting away may have widened the buckets.
            self.open = time::pane(ts, WIDTHS[self.width] * SECOND);
        }
        &mut self.counts
    }

    fn put_away(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        if counts == Counts::default() {
            return;
        }
        self.buckets.entry(self.open).or_default().add(&counts);
        // At twice the limit: whether the final width is reached here or at the end makes no difference,
        // since a wide bucket is the sum of its narrow ones.
        if self.buckets.len() > 2 * MOST && self.widen() {
            self.open = time::pane(self.open, WIDTHS[self.width] * SECOND);
        }
    }

    fn widen(&mut self) -> bool {
        let Some(width) = WIDTHS.get(self.width + 1) else { return false };
        self.width += 1;
        for (ts, counts) in std::mem::take(&mut self.buckets) {
            self.buckets.entry(time::pane(ts, width * SECOND)).or_default().add(&counts);
        }
        true
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        // Frames bring their numbers; what packets add to a bucket that was put away meanwhile has none.
        if other.packets > 0 {
            self.first_ordinal = if self.packets == 0 { other.first_ordinal } else { self.first_ordinal.min(other.first_ordinal) };
        }
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.tcp += other.tcp;
        self.udp += other.udp;
        self.icmp += other.icmp;
        self.syn += other.syn;
    }
}
