//! Floods: when each packet comes, and whom it pretends to come from.

use std::net::Ipv4Addr;

use crate::host::{Endpoint, Host};
use crate::scene::Scene;
use crate::time::{MICROSECOND, Nanos, SECOND};
use crate::traffic::probe;

/// Any address of 198.18.0.0/15, reserved for tests (RFC 2544), as a forged sender.
pub fn spoofed(scene: &mut Scene) -> Host {
    let [a, b, c, _] = scene.rng.u32().to_be_bytes();
    Host::remote(Ipv4Addr::new(198, 18 + a % 2, b, c))
}

/// Times of `rate` packets a second for `seconds`, each a little off the beat.
pub fn beats(scene: &mut Scene, start: Nanos, rate: u64, seconds: u64) -> Vec<Nanos> {
    let step = SECOND / rate;
    (0..rate * seconds).map(|index| start + index * step + scene.rng.between(0, step / 2)).collect()
}

/// SYNs from forged senders to one port; one in `answered_one_in` gets a SYN-ACK before the backlog is full.
pub fn syn(scene: &mut Scene, times: &[Nanos], target: Endpoint, answered_one_in: usize) {
    for (index, &at) in times.iter().enumerate() {
        let source = spoofed(scene);
        let from = source.port(1_024 + scene.rng.u16() % 64_000);
        let seq = scene.rng.u32();
        probe::put(scene, at, from, target, &probe::dial(seq));
        if index % answered_one_in == 0 {
            let accept = probe::syn_ack(scene.rng.u32(), seq.wrapping_add(1));
            probe::put(scene, at + 90 * MICROSECOND, target, from, &accept);
        }
    }
}
