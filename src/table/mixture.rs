//! How mixed the traffic is over time: hashed histograms of addresses and ports, for their entropy.
//!
//! Integer counts only; the entropy is computed when the table is judged.

use std::collections::BTreeMap;

use crate::decode::Packet;
use crate::net::{mix, mix_addr};
use crate::time::{self, Nanos, SECOND};

/// Bins of one histogram: entropies up to 8 bits can be told apart.
pub const BINS: usize = 256;
/// Source address, destination address, source port, destination port: the features of Lakhina,
/// Crovella and Diot (SIGCOMM 2005).
pub const FEATURES: [&str; 4] = ["source address", "destination address", "source port", "destination port"];

/// Panes kept before their width is raised: 4 KiB each.
const MOST: usize = 2_048;
/// Widths tried in turn, seconds.
const WIDTHS: [i64; 7] = [10, 60, 600, 3_600, 86_400, 604_800, 31_536_000];

type Histograms = [[u32; BINS]; FEATURES.len()];

#[derive(Debug)]
pub struct Mixture {
    width: usize,
    panes: BTreeMap<Nanos, Box<Histograms>>,
    open: Nanos,
    counts: Box<Histograms>,
    filled: bool,
}

impl Default for Mixture {
    fn default() -> Self {
        Self { width: 0, panes: BTreeMap::new(), open: Nanos::MIN, counts: empty(), filled: false }
    }
}

fn empty() -> Box<Histograms> {
    Box::new([[0; BINS]; FEATURES.len()])
}

impl Mixture {
    pub fn take(&mut self, packets: &[Packet]) {
        for packet in packets {
            if time::pane(packet.ts, WIDTHS[self.width] * SECOND) != self.open {
                self.put_away();
                self.open = time::pane(packet.ts, WIDTHS[self.width] * SECOND);
            }
            self.filled = true;
            let bins = [mix_addr(packet.src), mix_addr(packet.dst), mix(u64::from(packet.sport), 1), mix(u64::from(packet.dport), 1)];
            for (histogram, hash) in self.counts.iter_mut().zip(bins) {
                histogram[(hash >> 56) as usize] += 1;
            }
        }
    }

    /// A copy from `from` on.
    #[must_use]
    pub fn since(&self, from: Nanos) -> Self {
        let panes = self.panes.range(from..).map(|(ts, histograms)| (*ts, histograms.clone())).collect();
        Self { width: self.width, panes, open: self.open, counts: self.counts.clone(), filled: self.filled }
    }

    /// Width of a pane in seconds, and per pane its packets and the entropy of each feature in bits.
    #[must_use]
    pub fn finish(mut self) -> (i64, Vec<(Nanos, u64, [f64; FEATURES.len()])>) {
        self.put_away();
        while self.panes.len() > MOST && self.widen() {}
        let rows = self.panes.iter().map(|(ts, histograms)| {
            let packets = histograms[0].iter().map(|count| u64::from(*count)).sum();
            (*ts, packets, histograms.each_ref().map(entropy))
        });
        (WIDTHS[self.width], rows.collect())
    }

    fn put_away(&mut self) {
        if !std::mem::take(&mut self.filled) {
            return;
        }
        let counts = std::mem::replace(&mut self.counts, empty());
        add(self.panes.entry(self.open).or_insert_with(empty), &counts);
        // As in the timeline: widened at twice the limit here, and to the limit at the end.
        if self.panes.len() > 2 * MOST {
            self.widen();
        }
    }

    fn widen(&mut self) -> bool {
        let Some(width) = WIDTHS.get(self.width + 1) else { return false };
        self.width += 1;
        for (ts, counts) in std::mem::take(&mut self.panes) {
            add(self.panes.entry(time::pane(ts, width * SECOND)).or_insert_with(empty), &counts);
        }
        true
    }
}

fn add(into: &mut Histograms, from: &Histograms) {
    for (mine, theirs) in into.iter_mut().flatten().zip(from.iter().flatten()) {
        *mine += theirs;
    }
}

/// Shannon entropy in bits.
fn entropy(histogram: &[u32; BINS]) -> f64 {
    let total: u64 = histogram.iter().map(|count| u64::from(*count)).sum();
    histogram
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total as f64;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_of_equal_shares_is_the_logarithm_of_their_number() {
        let mut histogram = [0; BINS];
        histogram[..8].fill(5);
        assert!((entropy(&histogram) - 3.0).abs() < 1e-12);
        assert!(entropy(&[0; BINS]).abs() < 1e-12);
    }
}
