//! A capture in the making: frames, put down in any order, and the chance that shapes them.

use std::net::IpAddr;

use crate::host::Host;
use crate::prng::SplitMix64;
use crate::time::Nanos;
use crate::wire;

/// The ephemeral ports of RFC 6335, section 6.
const FIRST_EPHEMERAL: u16 = 49_152;

pub struct Scene {
    pub rng: SplitMix64,
    frames: Vec<Frame>,
    /// The ephemeral port each host will use next.
    ports: Vec<(IpAddr, u16)>,
    /// Where frames are put from now on.
    interface: u32,
}

pub struct Frame {
    pub at: Nanos,
    pub bytes: Vec<u8>,
    /// Index of the capturing interface.
    pub interface: u32,
}

impl Scene {
    pub const fn new(seed: u64) -> Self {
        Self { rng: SplitMix64::new(seed), frames: Vec::new(), ports: Vec::new(), interface: 0 }
    }

    /// What `happens` is seen by the interface of this index.
    pub fn on(&mut self, interface: u32, happens: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.interface, interface);
        happens(self);
        self.interface = before;
    }

    pub fn put(&mut self, at: Nanos, bytes: Vec<u8>) {
        self.frames.push(Frame { at, bytes: wire::padded(bytes), interface: self.interface });
    }

    /// A port this host has not used as a client before.
    pub fn fresh_port(&mut self, host: Host) -> u16 {
        if let Some((_, port)) = self.ports.iter_mut().find(|(ip, _)| *ip == host.ip) {
            *port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL);
            return *port;
        }
        let port = FIRST_EPHEMERAL + self.rng.u16() % 8_192;
        self.ports.push((host.ip, port));
        port
    }

    /// Bytes that look encrypted.
    pub fn noise(&mut self, len: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| self.rng.next_u64().to_be_bytes()).collect();
        bytes.truncate(len);
        bytes
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.rng.between(0, 100) < percent
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last + 1);
            items.swap(last, other);
        }
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// The frames in the order in which they passed.
    pub fn into_frames(mut self) -> Vec<Frame> {
        self.frames.sort_by_key(|frame| frame.at);
        self.frames
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.rng.between(0, len as u64)).unwrap_or(0)
    }
}
