//! A DHCP lease: discover, offer, request, acknowledge (RFC 2131, section 3.1).

use std::net::Ipv4Addr;

use crate::host::{Host, group};
use crate::scene::Scene;
use crate::time::{MILLISECOND, Nanos};
use crate::wire;

const MAGIC: [u8; 4] = [99, 130, 83, 99];
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACKNOWLEDGE: u8 = 5;

pub fn lease(scene: &mut Scene, at: Nanos, client: Host, server: Host) {
    let transaction = scene.rng.u32();
    for (step, kind) in [DISCOVER, OFFER, REQUEST, ACKNOWLEDGE].into_iter().enumerate() {
        let from_server = kind == OFFER || kind == ACKNOWLEDGE;
        let nobody = Host { ip: Ipv4Addr::UNSPECIFIED.into(), ..client };
        let everybody = group([255; 4]);
        let (from, to) = if from_server { (server.port(67), everybody.port(68)) } else { (nobody.port(68), everybody.port(67)) };
        let ident = scene.rng.u16();
        let body = message(kind, transaction, client, server);
        scene.put(at + step as Nanos * 4 * MILLISECOND, wire::udp(from, to, ident, &body));
    }
}

fn message(kind: u8, transaction: u32, client: Host, server: Host) -> Vec<u8> {
    let from_server = kind == OFFER || kind == ACKNOWLEDGE;
    let granted = if from_server { client.v4() } else { Ipv4Addr::UNSPECIFIED };
    let mut out = vec![if from_server { 2 } else { 1 }, 1, 6, 0];
    out.extend(transaction.to_be_bytes());
    // Seconds, the broadcast flag, and the client's own address, which it has not got yet.
    out.extend([0, 0, 0x80, 0, 0, 0, 0, 0]);
    out.extend(granted.octets());
    out.extend([0; 8]);
    out.extend(client.mac);
    out.extend([0; 10 + 64 + 128]);
    out.extend(MAGIC);
    out.extend([53, 1, kind]);
    if kind == REQUEST {
        out.extend([50, 4]);
        out.extend(client.v4().octets());
    }
    if kind != DISCOVER {
        out.extend([54, 4]);
        out.extend(server.v4().octets());
    }
    if from_server {
        out.extend([51, 4, 0, 0, 0x0e, 0x10, 1, 4, 255, 255, 255, 0]);
    }
    out.push(255);
    out
}
