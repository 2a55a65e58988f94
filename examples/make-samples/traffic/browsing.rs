//! People reading web pages.

use std::net::Ipv4Addr;

use super::tcp::Session;
use super::{dns, http, tls};
use crate::host::{Endpoint, Host};
use crate::scene::Scene;
use crate::time::{MILLISECOND, Nanos};

pub const ROUND_TRIP: Nanos = 22 * MILLISECOND;
const RESOLVER_DELAY: Nanos = 9 * MILLISECOND;

/// A site and where it lives.
#[derive(Clone, Copy)]
pub struct Site {
    pub name: &'static str,
    pub address: [u8; 4],
}

/// One page: the name is looked up, then six to eight connections at once fetch its parts.
pub fn page(scene: &mut Scene, at: Nanos, client: Host, resolver: Host, site: Site) {
    dns::lookup(scene, at, client, resolver, site.name, &[Ipv4Addr::from(site.address)], RESOLVER_DELAY);
    let connections = scene.rng.between(6, 9);
    for index in 0..connections {
        let start = at + RESOLVER_DELAY + MILLISECOND + index * 12 * MILLISECOND;
        part(scene, start, client, Host::remote(site.address), site.name);
    }
}

/// One connection of a page, one or two requests on it.
fn part(scene: &mut Scene, at: Nanos, client: Host, server: Host, name: &str) {
    let requests = scene.rng.between(1, 3);
    let mut session = Session::open(scene, at, client, server.port(443), ROUND_TRIP);
    tls::handshake(&mut session, name);
    for _ in 0..requests {
        let size = session.scene.rng.between(600, 7_000);
        tls::exchange(&mut session, 420, usize::try_from(size).unwrap_or(0));
    }
    session.wait(900 * MILLISECOND);
    session.close();
}

/// One short visit to a server in the clear.
pub fn visit(scene: &mut Scene, at: Nanos, client: Host, server: Endpoint) {
    let size = scene.rng.between(100, 600);
    let mut session = Session::open(scene, at, client, server, ROUND_TRIP);
    http::fetch(&mut session, "www.example.com", "/", usize::try_from(size).unwrap_or(0));
    session.wait(40 * MILLISECOND);
    session.close();
}

/// Visits at an even pace from clients of 192.0.2.0/24, one after another.
pub fn visits(scene: &mut Scene, start: Nanos, count: u64, pace: Nanos, server: Endpoint) {
    for index in 0..count {
        let last = 10 + u8::try_from(index % 200).unwrap_or(0);
        visit(scene, start + index * pace, Host::remote([192, 0, 2, last]), server);
    }
}
