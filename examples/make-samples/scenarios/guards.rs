//! What looks like an attack to whoever counts without asking why.

use std::io;
use std::net::Ipv4Addr;

use super::exfiltration::{SNAPLEN, upload};
use super::office::{desk, resolver};
use super::{LAN_ROUND_TRIP, browsing, scans_and_floods_without, surf};
use crate::capture_file;
use crate::host::Host;
use crate::pcapng::Interface;
use crate::sample::{Expectation, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::dhcp::{self, Server};
use crate::traffic::dns::TYPE_TXT;
use crate::traffic::icmp::{self, Ping};
use crate::traffic::tcp::Session;
use crate::traffic::{arp, dns, ftp, http, ntp, pop3, ssh, vrrp};

const LENGTH: Nanos = 40 * MINUTE;
const MONITORED: u8 = 30;
const ADMINISTERED: u8 = 12;
const BACKUP: usize = 40;
const BACKUP_AT: Nanos = BASE + 30 * MINUTE;
const ADMINISTRATION_AT: Nanos = BASE + 8 * MINUTE;
const FAILOVER_AT: Nanos = BASE + 15 * MINUTE;
const POLLING_AT: Nanos = BASE + 5 * MINUTE;
const BACKUP_NETWORK: u32 = 1;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(47);
    surf(&mut scene, BASE, LENGTH, 60);
    clocks(&mut scene);
    monitor(&mut scene);
    typing_errors(&mut scene);
    stale_password(&mut scene);
    mail_server(&mut scene);
    content_networks(&mut scene);
    failover(&mut scene);
    leases(&mut scene);
    path_mtu(&mut scene);
    dashboard(&mut scene);
    administrator(&mut scene);
    scene.on(BACKUP_NETWORK, |scene| {
        let (from, to) = (Host::local([10, 0, 1, 20]), Host::local([10, 0, 8, 5]));
        upload(scene, BACKUP_AT, from, to.port(443), BACKUP, 60 * MILLISECOND);
    });
    let backup = Interface { snaplen: SNAPLEN, ..Interface::ethernet("eth1", "backup network, headers only") };
    Ok(Sample {
        name: "guards",
        title: "Things that look like attacks",
        shows: "clocks, monitors, stale passwords, DKIM, DNSBL, failover, DHCP relays, backup, an administrator: no alarm (pcapng)",
        story: "Forty minutes of what careless detectors call attacks. Clocks are set every 64 s; a monitor pings thirty hosts each\n\
            minute; passwords are mistyped and then right; a mail program repeats an old password every five minutes; the mail server\n\
            asks for DKIM and SPF records and for block lists; names of content networks are random; a virtual router moves from one\n\
            machine to the other; leases are renewed, and two relays pass on the same search; pings of many sizes look for the path\n\
            MTU; a dashboard asks an API every two seconds; 40 MB go to a backup server inside (`eth1`, 96 bytes of each frame); an\n\
            administrator logs in on twelve servers by key. Nothing of this is an attack.",
        cast: vec![
            ("10.0.1.60".into(), "monitor of 10.0.1.101 to 10.0.1.130"),
            ("10.0.5.36".into(), "mistypes passwords"),
            ("10.0.5.35".into(), "mail program with an old password"),
            ("10.0.1.25".into(), "mail server"),
            ("10.0.5.2 and 10.0.5.3".into(), "machines behind the virtual router 10.0.5.1"),
            ("10.0.9.2 and 10.0.9.3".into(), "DHCP relays"),
            ("10.0.5.34".into(), "looks for the path MTU"),
            ("10.0.5.40".into(), "dashboard of 10.0.1.30"),
            ("10.0.5.41".into(), "administrator of 10.0.1.71 to 10.0.1.82"),
            ("10.0.1.20".into(), "backs up to 10.0.8.5"),
        ],
        timeline: vec![
            (BASE, "clocks, monitor, mail"),
            (POLLING_AT, "the dashboard is opened"),
            (ADMINISTRATION_AT, "the administrator begins"),
            (FAILOVER_AT, "the virtual router moves"),
            (BACKUP_AT, "the backup begins"),
        ],
        filters: vec![
            ("vrrp || arp".into(), "the failover"),
            ("dns.qry.type == 16".into(), "DKIM and SPF"),
            ("icmp.type == 3 && icmp.code == 4".into(), "pings that are too large"),
        ],
        file: capture_file::pcapng(&[Interface::ethernet("eth0", "office switch"), backup], &[], &scene.into_frames())?,
        expect: Expectation::only(vec![], &never()),
    })
}

/// Facts worth listing (a rhythm, an old password, twelve hosts administered) may be told; these may not.
fn never() -> Vec<&'static str> {
    let deeds =
        ["password_spray", "dga", "icmp_tunnel", "exfiltration", "arp_spoof", "rogue_dhcp", "dhcp_starvation", "http_flood", "slow_http"];
    scans_and_floods_without(&[]).into_iter().chain(deeds).collect()
}

fn clocks(scene: &mut Scene) {
    for number in 0..6 {
        for step in 0..LENGTH / (64 * SECOND) {
            ntp::exchange(scene, BASE + number * 3 * SECOND + step * 64 * SECOND, desk(number), resolver(), LAN_ROUND_TRIP);
        }
    }
}

fn monitor(scene: &mut Scene) {
    for minute in 0..LENGTH / MINUTE {
        for number in 0..MONITORED {
            let at = BASE + minute * MINUTE + Nanos::from(number) * 150 * MILLISECOND;
            let seq = u16::try_from(minute).unwrap_or(0) + 1;
            let ping = Ping { from: Host::local([10, 0, 1, 60]), to: Host::local([10, 0, 1, 101 + number]), id: 0x4d4f, seq };
            icmp::request(scene, at, ping);
            icmp::reply(scene, at + LAN_ROUND_TRIP, ping);
        }
    }
}

fn typing_errors(scene: &mut Scene) {
    let client = Host::local([10, 0, 5, 36]);
    let mut session = Session::open(scene, BASE + 2 * MINUTE, client, Host::local([10, 0, 1, 21]).port(21), LAN_ROUND_TRIP);
    ftp::greet(&mut session);
    ftp::fail(&mut session, "bert", "sesame");
    session.wait(5 * SECOND);
    ftp::fail(&mut session, "bert", "Sesame");
    session.wait(7 * SECOND);
    ftp::succeed(&mut session, "bert", "Sesame1");
    session.server_closes();
    for attempt in 0..2 {
        let at = BASE + 4 * MINUTE + attempt * 12 * SECOND;
        let mut session = Session::open(scene, at, client, Host::local([10, 0, 1, 22]).port(22), LAN_ROUND_TRIP);
        if attempt == 0 {
            ssh::guess(&mut session);
        } else {
            ssh::guess_right(&mut session);
        }
        session.close();
    }
}

fn stale_password(scene: &mut Scene) {
    for again in 0..8 {
        let at = BASE + 10 * SECOND + again * 5 * MINUTE;
        let mut session = Session::open(scene, at, Host::local([10, 0, 5, 35]), Host::local([10, 0, 1, 25]).port(110), LAN_ROUND_TRIP);
        pop3::refused(&mut session, "carla@example.com", "last-year");
        session.server_closes();
    }
}

/// Every mail that comes in is checked: key, policy, block list.
fn mail_server(scene: &mut Scene) {
    let server = Host::local([10, 0, 1, 25]);
    let domains = ["example.com", "example.net", "example.org", "lists.example.org", "news.example.org", "shop.example.com"];
    for mail in 0..50_u8 {
        let at = BASE + Nanos::from(mail) * 45 * SECOND + scene.rng.between(0, 9 * SECOND);
        let domain = scene.pick(&domains);
        let key: Vec<u8> = (0..216).map(|_| scene.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")).collect();
        let dkim = [b"v=DKIM1; k=rsa; p=".as_slice(), &key].concat();
        let ask = |scene: &mut Scene, after: Nanos, name: &str, text: &[u8]| {
            dns::asked(scene, at + after * MILLISECOND, server, resolver(), (name, TYPE_TXT), &[dns::texts(text)]);
        };
        ask(scene, 0, domain, b"v=spf1 mx ip4:192.0.2.0/24 -all");
        ask(scene, 30, &format!("s{}._domainkey.{domain}", 2_020 + u16::from(mail % 5)), &dkim);
        ask(scene, 60, &format!("_dmarc.{domain}"), b"v=DMARC1; p=reject");
        let listed = [Ipv4Addr::new(127, 0, 0, 2)];
        let answer: &[Ipv4Addr] = if mail % 9 == 4 { &listed } else { &[] };
        let name = format!("{}.{}.0.203.zen.dnsbl.test", 10 + mail, 113 + mail % 3);
        dns::lookup(scene, at + 90 * MILLISECOND, server, resolver(), &name, answer, 24 * MILLISECOND);
    }
}

/// Each visitor is given a host name of his own.
fn content_networks(scene: &mut Scene) {
    for number in 0..40 {
        let name: String = (0..14).map(|_| char::from(scene.pick(b"abcdefghijklmnopqrstuvwxyz0123456789"))).collect();
        let at = BASE + number * 55 * SECOND + scene.rng.between(0, 20 * SECOND);
        let address = Ipv4Addr::new(203, 0, 113, 35);
        dns::lookup(scene, at, desk(number), resolver(), &format!("d{name}.cdn.example.net"), &[address], 12 * MILLISECOND);
    }
}

fn failover(scene: &mut Scene) {
    let router = vrrp::router([10, 0, 5, 1]);
    let (first, second) = (Host::local([10, 0, 5, 2]), Host::local([10, 0, 5, 3]));
    vrrp::master(scene, FAILOVER_AT - 60 * SECOND, 60, (first, router), 120);
    vrrp::master(scene, FAILOVER_AT + 3 * SECOND, 60, (second, router), 100);
    vrrp::master(scene, FAILOVER_AT + 64 * SECOND, 30, (first, router), 120);
    for number in 0..6 {
        arp::resolve(scene, FAILOVER_AT - 30 * SECOND + number * 20 * SECOND, desk(number), router);
    }
}

fn leases(scene: &mut Scene) {
    let server = Server { host: resolver(), terms: Some((Host::local([10, 0, 5, 1]), resolver())) };
    for number in 0..6 {
        dhcp::renew(scene, BASE + 9 * MINUTE + number * 40 * SECOND, desk(number), server);
    }
    let relays = [Host::local([10, 0, 9, 2]), Host::local([10, 0, 9, 3])];
    for number in 0..8 {
        let client = Host::local([10, 0, 9, 50 + number]);
        let server = Server { terms: Some((Host::local([10, 0, 9, 1]), resolver())), ..server };
        dhcp::relayed(scene, BASE + 12 * MINUTE + Nanos::from(number) * 35 * SECOND, client, relays, server);
    }
}

/// Halving the interval until the largest packet that passes is found.
fn path_mtu(scene: &mut Scene) {
    const HEADERS: usize = 28;
    const MTU: usize = 1_420;
    let (client, server) = (Host::local([10, 0, 5, 34]), Host::remote([203, 0, 113, 20]));
    let (mut passes, mut fails) = (500, 1_473);
    let mut seq = 0;
    while fails - passes > 1 {
        let size = usize::midpoint(passes, fails);
        seq += 1;
        let at = BASE + 20 * MINUTE + Nanos::from(seq) * SECOND;
        let ping = Ping { from: client, to: server, id: 0x99, seq };
        let payload: Vec<u8> = b"abcdefghijklmnopqrstuvw".iter().copied().cycle().take(size).collect();
        icmp::request_with(scene, at, ping, &payload);
        if size + HEADERS <= MTU {
            icmp::reply_with(scene, at + browsing::ROUND_TRIP, ping, &payload);
            passes = size;
        } else {
            icmp::too_large(scene, at + LAN_ROUND_TRIP, ping, &payload, (Host::local([10, 0, 5, 1]), 1_420));
            fails = size;
        }
    }
}

fn dashboard(scene: &mut Scene) {
    let (client, server) = (Host::local([10, 0, 5, 40]), Host::local([10, 0, 1, 30]));
    let mut session = Session::open(scene, POLLING_AT, client, server.port(80), LAN_ROUND_TRIP);
    for step in 0..300 {
        session.wait(POLLING_AT + step * 2 * SECOND + 10 * MILLISECOND - session.now());
        http::poll(&mut session, "status.example.com", "/api/v1/status", ("200 OK", "{\"state\":\"ok\",\"load\":0.3}"));
    }
    session.close();
}

fn administrator(scene: &mut Scene) {
    for number in 0..ADMINISTERED {
        let (at, server) = (ADMINISTRATION_AT + Nanos::from(number) * 35 * SECOND, Host::local([10, 0, 1, 71 + number]));
        let mut session = Session::open(scene, at, Host::local([10, 0, 5, 41]), server.port(22), LAN_ROUND_TRIP);
        ssh::login(&mut session);
        ssh::typing(&mut session, 12);
        session.close();
    }
}
