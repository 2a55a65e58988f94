//! The generators' source of chance: `SplitMix64`, seeded, the same on every machine.
//!
//! Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014. Not for secrets.

pub struct SplitMix64(u64);

impl SplitMix64 {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub const fn u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    pub const fn u16(&mut self) -> u16 {
        (self.next_u64() >> 48) as u16
    }

    /// Any of `low..high`; the bias of the remainder is far below what a generated capture could show.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next_u64() % (high - low)
    }
}
