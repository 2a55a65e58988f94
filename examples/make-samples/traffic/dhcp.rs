//! DHCP: leases granted, renewed and passed on by relays (RFC 2131).

use std::net::Ipv4Addr;

use crate::host::{Endpoint, Host, group};
use crate::scene::Scene;
use crate::time::{MILLISECOND, Nanos};
use crate::wire;

const MAGIC: [u8; 4] = [99, 130, 83, 99];
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACKNOWLEDGE: u8 = 5;

const STEP: Nanos = 4 * MILLISECOND;

/// A server and what it tells its clients besides their address.
#[derive(Clone, Copy)]
pub struct Server {
    pub host: Host,
    /// Router and resolver.
    pub terms: Option<(Host, Host)>,
}

/// One exchange: who takes part in it.
#[derive(Clone, Copy)]
struct Exchange {
    transaction: u32,
    client: Host,
    server: Server,
    /// The relay between them.
    relay: Option<Host>,
    /// The client has an address and is spoken to by it.
    has_address: bool,
}

/// Discover, offer, request, acknowledge (section 3.1), all of it broadcast.
pub fn lease(scene: &mut Scene, at: Nanos, client: Host, server: Host) {
    lease_from(scene, at, client, Server { host: server, terms: None });
}

pub fn lease_from(scene: &mut Scene, at: Nanos, client: Host, server: Server) {
    let exchange = Exchange::new(scene, client, server);
    for (step, kind) in [DISCOVER, OFFER, REQUEST, ACKNOWLEDGE].into_iter().enumerate() {
        exchange.say(scene, at + step as Nanos * STEP, kind);
    }
}

/// Two servers answer one client, which takes the offer that comes first.
pub fn contested(scene: &mut Scene, at: Nanos, client: Host, (first, second): (Server, Server)) {
    let taken = Exchange::new(scene, client, first);
    taken.say(scene, at, DISCOVER);
    taken.say(scene, at + STEP, OFFER);
    Exchange { server: second, ..taken }.say(scene, at + 2 * STEP, OFFER);
    taken.say(scene, at + 3 * STEP, REQUEST);
    taken.say(scene, at + 4 * STEP, ACKNOWLEDGE);
}

/// A search for servers under the hardware address `client.mac`, in frames of `sender`; perhaps an offer.
pub fn discover(scene: &mut Scene, at: Nanos, sender: Host, client: Host, server: Option<Server>) {
    let exchange = Exchange::new(scene, client, server.unwrap_or(Server { host: client, terms: None }));
    let ident = scene.rng.u16();
    let from = Host { mac: sender.mac, ip: Ipv4Addr::UNSPECIFIED.into(), ttl: 64 };
    scene.put(at, wire::udp(from.port(68), group([255; 4]).port(67), ident, &exchange.message(DISCOVER)));
    if server.is_some() {
        exchange.say(scene, at + STEP, OFFER);
    }
}

/// Half of the lease is over: client and server speak to each other directly (section 4.4.5).
pub fn renew(scene: &mut Scene, at: Nanos, client: Host, server: Server) {
    let exchange = Exchange { has_address: true, ..Exchange::new(scene, client, server) };
    exchange.say(scene, at, REQUEST);
    exchange.say(scene, at + STEP, ACKNOWLEDGE);
}

/// A lease for a client of another network, as seen between its relays and the server: each relay passes the search
/// on (RFC 1542, section 4.1), the client takes the first offer.
pub fn relayed(scene: &mut Scene, at: Nanos, client: Host, relays: [Host; 2], server: Server) {
    let exchange = Exchange::new(scene, client, server);
    for (index, relay) in relays.into_iter().enumerate() {
        let exchange = Exchange { relay: Some(relay), ..exchange };
        let start = at + index as Nanos * MILLISECOND;
        for (step, kind) in [DISCOVER, OFFER, REQUEST, ACKNOWLEDGE].into_iter().enumerate() {
            exchange.say(scene, start + step as Nanos * STEP, kind);
        }
    }
}

impl Exchange {
    fn new(scene: &mut Scene, client: Host, server: Server) -> Self {
        Self { transaction: scene.rng.u32(), client, server, relay: None, has_address: false }
    }

    fn say(&self, scene: &mut Scene, at: Nanos, kind: u8) {
        let (client, server) = self.ends();
        let (from, to) = if is_from_server(kind) { (server.1, client.1) } else { (client.0, server.0) };
        let ident = scene.rng.u16();
        scene.put(at, wire::udp(from, to, ident, &self.message(kind)));
    }

    /// The client's side and the server's side: where each sends from or is sent to, as the other end sees it.
    fn ends(&self) -> ((Endpoint, Endpoint), (Endpoint, Endpoint)) {
        let (server, everybody) = (self.server.host.port(67), group([255; 4]));
        if let Some(relay) = self.relay {
            return ((relay.port(67), relay.port(67)), (server, server));
        }
        if self.has_address {
            return ((self.client.port(68), self.client.port(68)), (server, server));
        }
        let nobody = Host { ip: Ipv4Addr::UNSPECIFIED.into(), ..self.client };
        ((nobody.port(68), everybody.port(68)), (everybody.port(67), server))
    }

    fn message(&self, kind: u8) -> Vec<u8> {
        let from_server = is_from_server(kind);
        let known = if self.has_address { self.client.v4() } else { Ipv4Addr::UNSPECIFIED };
        let granted = if from_server { self.client.v4() } else { Ipv4Addr::UNSPECIFIED };
        let relay = self.relay.map_or(Ipv4Addr::UNSPECIFIED, Host::v4);
        let mut out = vec![if from_server { 2 } else { 1 }, 1, 6, u8::from(self.relay.is_some())];
        out.extend(self.transaction.to_be_bytes());
        // Seconds, and the broadcast flag of a client that has no address yet.
        out.extend([0, 0, if self.has_address { 0 } else { 0x80 }, 0]);
        out.extend([known.octets(), granted.octets(), [0; 4], relay.octets()].concat());
        out.extend(self.client.mac);
        out.extend([0; 10 + 64 + 128]);
        out.extend(MAGIC);
        out.extend([53, 1, kind]);
        if kind == REQUEST && !self.has_address {
            out.extend(address(50, self.client));
        }
        if kind != DISCOVER && !(kind == REQUEST && self.has_address) {
            out.extend(address(54, self.server.host));
        }
        if from_server {
            out.extend([51, 4, 0, 0, 0x0e, 0x10, 1, 4, 255, 255, 255, 0]);
            if let Some((router, resolver)) = self.server.terms {
                out.extend([address(3, router), address(6, resolver)].concat());
            }
        }
        out.push(255);
        out
    }
}

const fn is_from_server(kind: u8) -> bool {
    matches!(kind, OFFER | ACKNOWLEDGE)
}

/// An option that holds one address.
fn address(option: u8, host: Host) -> [u8; 6] {
    let [a, b, c, d] = host.v4().octets();
    [option, 4, a, b, c, d]
}
