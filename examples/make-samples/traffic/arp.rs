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

/// An answer; nobody need have asked for it.
pub fn answer(scene: &mut Scene, at: Nanos, sender: Host, asker: Host) {
    scene.put(at, wire::arp(ArpOperation::REPLY, sender, asker, asker.mac, asker.mac));
}

/// A host tells everybody its own address (RFC 5227, section 3: a request for itself).
pub fn announce(scene: &mut Scene, at: Nanos, host: Host) {
    ask(scene, at, host, host);
}

/// A question and its answer.
pub fn resolve(scene: &mut Scene, at: Nanos, asker: Host, target: Host) {
    ask(scene, at, asker, target);
    answer(scene, at + 180 * MICROSECOND, target, asker);
}
