//! One NTP exchange (RFC 5905, section 7.3).

use crate::host::Host;
use crate::scene::Scene;
use crate::time::{Nanos, SECOND};
use crate::wire;

/// Seconds from 1900, where NTP counts from, to 1970.
const ERA: u64 = 2_208_988_800;
/// Version 4, mode 3 (client) and mode 4 (server).
const CLIENT: u8 = 0x23;
const SERVER: u8 = 0x24;

pub fn exchange(scene: &mut Scene, at: Nanos, client: Host, server: Host, after: Nanos) {
    let (from, to) = (client.port(scene.fresh_port(client)), server.port(123));
    let (ident, answer_ident) = (scene.rng.u16(), scene.rng.u16());
    let question = stamp(at);
    scene.put(at, wire::udp(from, to, ident, &packet(CLIENT, 0, [0; 8], [0; 8], question)));
    let answer = stamp(at + after / 2);
    scene.put(at + after, wire::udp(to, from, answer_ident, &packet(SERVER, 2, question, answer, answer)));
}

fn packet(mode: u8, stratum: u8, originate: [u8; 8], receive: [u8; 8], transmit: [u8; 8]) -> Vec<u8> {
    let mut out = vec![mode, stratum, 6, 0xe9];
    out.extend([0; 8]);
    out.extend([192, 0, 2, 123]);
    out.extend(receive);
    out.extend(originate);
    out.extend(receive);
    out.extend(transmit);
    out
}

/// 32 bits of seconds and 32 bits of fraction.
fn stamp(at: Nanos) -> [u8; 8] {
    let fraction = ((at % SECOND) << 32) / SECOND;
    (((at / SECOND + ERA) << 32) | fraction).to_be_bytes()
}
