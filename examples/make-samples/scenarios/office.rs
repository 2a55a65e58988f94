//! A quarter of an hour in an office where nothing is wrong.

use std::io;
use std::net::Ipv4Addr;

use super::scans_and_floods_without;
use crate::capture_file;
use crate::host::{Endpoint, Host};
use crate::pcapng::Interface;
use crate::sample::{Expectation, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::browsing::{self, ROUND_TRIP, Site};
use crate::traffic::icmp::{self, Ping};
use crate::traffic::tcp::Session;
use crate::traffic::{arp, dhcp, dns, http, ntp, probe, smtp, ssh, tls};

const PARTS: usize = 30;
const PART: usize = 17_520;
const LAN_ROUND_TRIP: Nanos = 400_000;
const SITES: [Site; 5] = [
    Site { name: "www.example.com", address: [198, 51, 100, 10] },
    Site { name: "news.example.org", address: [203, 0, 113, 20] },
    Site { name: "cdn.example.net", address: [203, 0, 113, 35] },
    Site { name: "maps.example.org", address: [192, 0, 2, 80] },
    Site { name: "wiki.example.com", address: [198, 51, 100, 44] },
];

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(16);
    morning(&mut scene);
    for page in 0..15 {
        let jitter = scene.rng.between(0, 20 * SECOND);
        let (client, site) = (desk(page), scene.pick(&SITES));
        browsing::page(&mut scene, BASE + 20 * SECOND + page * 55 * SECOND + jitter, client, resolver(), site);
    }
    chores(&mut scene);
    download(&mut scene, BASE + 6 * MINUTE);
    administrator(&mut scene, BASE + 3 * MINUTE);
    recursion(&mut scene, BASE + MINUTE);
    failures(&mut scene);
    Ok(Sample {
        name: "office",
        title: "Office",
        shows: "15 min of ordinary office traffic; nothing is wrong (pcapng)",
        story: "Six desktops read web pages with six to eight connections at once, fetch and send mail, print, set their clocks and find\n\
            each other by mDNS. One downloads a large file, in which two segments are lost and sent again; an administrator works\n\
            over SSH; the resolver asks sixty name servers. Now and then a connection fails. Nothing of this is an attack.",
        cast: vec![
            ("10.0.5.31 to 10.0.5.36".into(), "desktops"),
            (resolver().ip.to_string(), "resolver, DHCP and time server"),
            ("10.0.1.5".into(), "server administered over SSH"),
            ("10.0.1.9".into(), "printer"),
            ("10.0.1.25".into(), "mail server"),
            ("10.0.5.1".into(), "gateway"),
        ],
        timeline: vec![
            (BASE, "desktops get their addresses"),
            (BASE + MINUTE, "the resolver is busy"),
            (BASE + 3 * MINUTE, "SSH session"),
            (BASE + 6 * MINUTE, "large download"),
        ],
        filters: vec![
            ("tls.handshake.type == 1".into(), "the sites visited"),
            ("tcp.analysis.retransmission".into(), "segments sent again"),
            ("ip.src == 10.0.1.53 && udp.dstport == 53".into(), "the resolver at work"),
        ],
        file: capture_file::pcapng(&[Interface::ethernet("eth0", "office switch")], &[], &scene.into_frames())?,
        expect: Expectation::only(vec![], &quiet()),
    })
}

fn quiet() -> Vec<&'static str> {
    let others = ["brute_force", "password_spray", "dns_tunnel", "dga", "icmp_tunnel", "lateral_movement", "arp_spoof", "rogue_dhcp"];
    scans_and_floods_without(&[]).into_iter().chain(others).collect()
}

/// One of six desktops.
pub fn desk(number: u64) -> Host {
    Host::local([10, 0, 5, 31 + u8::try_from(number % 6).unwrap_or(0)])
}

pub fn resolver() -> Host {
    Host::local([10, 0, 1, 53])
}

pub fn sites() -> [Site; 5] {
    SITES
}

/// Everybody gets an address, finds the gateway, and looks for printers.
fn morning(scene: &mut Scene) {
    for number in 0..6 {
        let at = BASE + number * 2 * SECOND;
        dhcp::lease(scene, at, desk(number), resolver());
        arp::resolve(scene, at + 200 * MILLISECOND, desk(number), Host::local([10, 0, 5, 1]));
        for again in 0..3 {
            dns::multicast(scene, at + SECOND + again * 5 * MINUTE, desk(number), "_ipp._tcp.local");
        }
    }
}

/// Clocks, mail, print jobs, pings.
pub fn chores(scene: &mut Scene) {
    for step in 0..14 {
        let at = BASE + 30 * SECOND + step * MINUTE;
        ntp::exchange(scene, at, desk(step), resolver(), LAN_ROUND_TRIP);
        collect_mail(scene, at + 7 * SECOND, desk(step));
        arp::resolve(scene, at + 11 * SECOND, desk(step + 1), Host::local([10, 0, 5, 1]));
        ping(scene, at + 20 * SECOND, desk(step));
        if step % 5 == 2 {
            send_mail(scene, at + 12 * SECOND, desk(step));
            print(scene, at + 15 * SECOND, desk(step));
        }
    }
}

fn collect_mail(scene: &mut Scene, at: Nanos, client: Host) {
    let mut session = Session::open(scene, at, client, mail_server(993), LAN_ROUND_TRIP);
    tls::handshake(&mut session, "mail.example.com");
    for (asked, answered) in [(60, 90), (40, 300), (45, 1_800)] {
        tls::exchange(&mut session, asked, answered);
    }
    session.close();
}

fn send_mail(scene: &mut Scene, at: Nanos, client: Host) {
    let mut session = Session::open(scene, at, client, mail_server(25), LAN_ROUND_TRIP);
    smtp::deliver(&mut session, "Figures", 40);
    session.close();
}

fn mail_server(port: u16) -> Endpoint {
    Host::local([10, 0, 1, 25]).port(port)
}

fn print(scene: &mut Scene, at: Nanos, client: Host) {
    let mut session = Session::open(scene, at, client, Host::local([10, 0, 1, 9]).port(9_100), LAN_ROUND_TRIP);
    let page = session.scene.noise(24_000);
    session.client_says(&[b"\x1b%-12345X@PJL JOB\r\n".as_slice(), &page].concat());
    session.close();
}

fn ping(scene: &mut Scene, at: Nanos, from: Host) {
    for seq in 1..=4 {
        let ping = Ping { from, to: Host::local([10, 0, 5, 1]), id: 0x1a2b, seq };
        icmp::request(scene, at + Nanos::from(seq) * SECOND, ping);
        icmp::reply(scene, at + Nanos::from(seq) * SECOND + LAN_ROUND_TRIP, ping);
    }
}

/// Half a megabyte in thirty pieces.
fn download(scene: &mut Scene, at: Nanos) {
    let mut session = Session::open(scene, at, desk(2), Host::remote(SITES[2].address).port(80), ROUND_TRIP);
    session.client_says(&http::request("cdn.example.net", "/image.iso"));
    session.server_says(&http::response_head(PARTS * PART));
    for part in 0..PARTS {
        let data = session.scene.noise(PART);
        if part == 11 || part == 23 {
            session.server_repeats(&data);
        } else {
            session.server_says(&data);
        }
        session.wait(30 * MILLISECOND);
    }
    session.close();
}

fn administrator(scene: &mut Scene, at: Nanos) {
    let mut session = Session::open(scene, at, desk(4), Host::local([10, 0, 1, 5]).port(22), LAN_ROUND_TRIP);
    ssh::login(&mut session);
    ssh::typing(&mut session, 240);
    session.close();
}

/// The resolver asks sixty name servers; one in ten does not answer.
fn recursion(scene: &mut Scene, start: Nanos) {
    for index in 0..120 {
        let at = start + index * 5 * SECOND;
        let last = 60 + u8::try_from(index % 60).unwrap_or(0);
        let server = Host::remote([203, 0, 113, last]);
        let name = format!("host{index}.example.org");
        if index % 10 == 9 {
            dns::unanswered(scene, at, resolver(), server, &name);
        } else {
            dns::lookup(scene, at, resolver(), server, &name, &[Ipv4Addr::new(192, 0, 2, last)], ROUND_TRIP);
        }
    }
}

/// A service that is switched off, a server that is gone, a name that does not exist.
fn failures(scene: &mut Scene) {
    for step in 0..4 {
        let at = BASE + 2 * MINUTE + step * 3 * MINUTE;
        probe::refused(scene, at, desk(step), Host::local([10, 0, 1, 20]).port(443), LAN_ROUND_TRIP);
        dns::lookup(scene, at + SECOND, desk(step), resolver(), "intranet.example.com", &[], LAN_ROUND_TRIP);
    }
    probe::unanswered(scene, BASE + 8 * MINUTE, desk(5), Host::remote([203, 0, 113, 250]).port(443));
}
