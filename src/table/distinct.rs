//! Counting distinct things in bounded space, the same for any order and any partitioning.
//!
//! Exact up to [`EXACT`] members; beyond, a HyperLogLog of [`REGISTERS`] registers (Flajolet et al.
//! 2007; standard error 1.04 / sqrt(1024) = 3.25 %). Because the union of two sets spills exactly
//! when it holds more than [`EXACT`] members, form and estimate depend on the set alone.

use std::collections::BTreeSet;

/// Members kept exactly before the set becomes a sketch.
pub const EXACT: usize = 64;
/// Registers of the sketch, one byte each.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 10;

/// A set of hashes. Members must be hashed with the fixed hash of [`crate::net::mix`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// Unsorted and without repetition; sorted only when compared or stored.
    Exact(Vec<u64>),
    Sketch(Box<[u8; REGISTERS]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    pub fn insert(&mut self, hash: u64) {
        match self {
            Self::Sketch(registers) => raise(registers, hash),
            Self::Exact(members) => {
                // The newest are asked first: packets of one source come in runs.
                if members.iter().rev().any(|member| *member == hash) {
                    return;
                }
                if members.len() < EXACT {
                    members.push(hash);
                    return;
                }
                let mut registers = Box::new([0; REGISTERS]);
                for member in members.iter() {
                    raise(&mut registers, *member);
                }
                raise(&mut registers, hash);
                *self = Self::Sketch(registers);
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(members) => members.iter().for_each(|member| self.insert(*member)),
            Self::Sketch(theirs) => {
                if let Self::Exact(members) = self {
                    let members = std::mem::take(members);
                    *self = other.clone();
                    members.iter().for_each(|member| self.insert(*member));
                } else if let Self::Sketch(mine) = self {
                    for (register, value) in mine.iter_mut().zip(theirs.iter()) {
                        *register = (*register).max(*value);
                    }
                }
            }
        }
    }

    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// How many members, exactly or estimated.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Exact(members) => members.len() as u64,
            Self::Sketch(registers) => estimate(registers),
        }
    }

    /// Canonical bytes: the sorted members, or the registers.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Exact(members) => members.iter().collect::<BTreeSet<_>>().into_iter().flat_map(|member| member.to_le_bytes()).collect(),
            Self::Sketch(registers) => registers.to_vec(),
        }
    }

    /// Reads what [`Self::to_bytes`] wrote; 1024 bytes are registers, anything else members.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        if let Ok(registers) = <[u8; REGISTERS]>::try_from(bytes) {
            return Self::Sketch(Box::new(registers));
        }
        Self::Exact(bytes.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok()).map(u64::from_le_bytes).collect())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the top ten bits are an index below 1024, a count of zeros is below 64")]
fn raise(registers: &mut [u8; REGISTERS], hash: u64) {
    let index = (hash >> (64 - INDEX_BITS)) as usize;
    let rank = ((hash << INDEX_BITS) | 1 << (INDEX_BITS - 1)).leading_zeros() as u8 + 1;
    if registers[index] < rank {
        registers[index] = rank;
    }
}

/// The estimator of the 2007 paper with linear counting for small sets. Counted by register value
/// first, so that the sum has one order whatever the registers are.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, rounded")]
fn estimate(registers: &[u8; REGISTERS]) -> u64 {
    let mut with_value = [0_u32; 65];
    for register in registers {
        with_value[usize::from((*register).min(64))] += 1;
    }
    let m = REGISTERS as f64;
    let sum: f64 = (0_i32..).zip(with_value).map(|(value, count)| f64::from(count) * 2_f64.powi(-value)).sum();
    let alpha = 0.7213 / (1.0 + 1.079 / m);
    let raw = alpha * m * m / sum;
    let empty = f64::from(with_value[0]);
    if raw <= 2.5 * m && empty > 0.0 { (m * (m / empty).ln()).round() as u64 } else { raw.round() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::mix;

    fn of(range: std::ops::Range<u64>) -> Distinct {
        let mut set = Distinct::default();
        range.for_each(|n| set.insert(mix(n, 7)));
        set
    }

    #[test]
    fn counts_exactly_up_to_64_and_within_three_standard_errors_beyond() {
        assert_eq!(of(0..64).count(), 64);
        for n in [65, 500, 2_000, 10_000, 100_000, 1_000_000] {
            let error = (of(0..n).count() as f64 - n as f64).abs() / n as f64;
            assert!(error < 3.0 * 0.0325, "{n}: {error}");
        }
    }

    #[test]
    fn any_partitioning_gives_the_same_bytes() {
        let whole = of(0..1_000);
        let mut parts = of(500..1_000);
        parts.merge(&of(0..30));
        parts.merge(&of(20..510));
        assert_eq!(parts.to_bytes(), whole.to_bytes());
        let mut small = of(10..20);
        small.merge(&of(0..15));
        assert_eq!(small.to_bytes(), of(0..20).to_bytes());
        assert_eq!(Distinct::from_bytes(&small.to_bytes()).count(), 20);
        assert_eq!(Distinct::from_bytes(&whole.to_bytes()), whole);
    }

    #[test]
    fn repetition_does_not_count() {
        let mut set = of(0..50);
        set.merge(&of(0..50));
        assert_eq!(set.count(), 50);
    }
}
