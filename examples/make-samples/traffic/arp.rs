//! ARP: who has which address (RFC 826).

use etherparse::ArpOperation;

use crate::host::Host;
use crate::scene::Scene;
use crate::time::{MICROSECOND, Nanos};
use crate::wire;

const BROADCAST: [u8; 6] = [0xff; 6];
const NOBODY: [u8; 6] = [0; 6];

pub fn ask(scene: &mut Scene, at: Nanos, asker: Host, target: Host) {
    scene.put(at, wire::arp(ArpOperation::REQUEST, asker, target, BROADCAST, NOBODY));
}

/// A question and its answer.
pub fn resolve(scene: &mut Scene, at: Nanos, asker: Host, target: Host) {
    ask(scene, at, asker, target);
    scene.put(at + 180 * MICROSECOND, wire::arp(ArpOperation::REPLY, target, asker, asker.mac, asker.mac));
}
