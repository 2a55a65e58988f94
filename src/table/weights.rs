//! n log2 n without floats, which may differ from machine to machine: what entropy is made of.
//!
//! With n bytes of which c are the same, Shannon's entropy is log n - (sum of c log c) / n.

/// Bits behind the point.
pub const FRACTION: u32 = 24;
/// The largest number there is a weight for.
pub const LONGEST: usize = 1_024;

static WEIGHTS: [u64; LONGEST + 1] = weights();

/// n log2 n in units of 2^-[`FRACTION`]; 0 beyond [`LONGEST`].
#[must_use]
pub fn weight(n: u64) -> u64 {
    usize::try_from(n).ok().and_then(|n| WEIGHTS.get(n)).copied().unwrap_or_default()
}

const fn weights() -> [u64; LONGEST + 1] {
    let mut weights = [0; LONGEST + 1];
    let mut n = 1;
    while n < weights.len() {
        weights[n] = n as u64 * log2(n as u64);
        n += 1;
    }
    weights
}

/// Bit by bit: squaring a number of 1 to 2 doubles its logarithm; a bit is set where the square is 2 or more.
const fn log2(n: u64) -> u64 {
    const ONE: u64 = 1 << 31;
    let mut log = n.ilog2() as u64;
    let mut rest = (n * ONE) >> log;
    let mut bit = 0;
    while bit < FRACTION {
        rest = rest * rest / ONE;
        log <<= 1;
        if rest >= 2 * ONE {
            rest /= 2;
            log |= 1;
        }
        bit += 1;
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_agree_with_those_of_the_machine() {
        for n in 1..=LONGEST {
            let float = (n as f64).log2() * f64::from(1 << FRACTION);
            assert!((log2(n as u64) as f64 - float).abs() < 3.0, "{n}");
        }
    }
}
