//! What hosts do to each other, each time just too little to be called an attack.

use std::io;

use super::exfiltration::{SNAPLEN, upload};
use super::office::{self, resolver};
use super::{
    LAN_ROUND_TRIP, attacks_without, browsing, dga, dhcp_starvation, dns_tunnel, http_flood, long_connection, slow_http, surf, web_server,
};
use crate::capture_file;
use crate::host::Host;
use crate::pcapng::Interface;
use crate::sample::{Expectation, Sample};
use crate::scene::Scene;
use crate::time::{BASE, HOUR, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::dhcp::{self, Server};
use crate::traffic::icmp::{self, Ping};
use crate::traffic::smb::Smb;
use crate::traffic::tcp::Session;
use crate::traffic::{arp, ftp, ssh, tls};

const LOGINS_AT: Nanos = BASE + MINUTE;
const RHYTHM_AT: Nanos = BASE + 4 * MINUTE;
const NAMES_AT: Nanos = BASE + 12 * MINUTE;
const ADMINISTRATION_AT: Nanos = BASE + 16 * MINUTE;
const OWNERS_AT: Nanos = BASE + 22 * MINUTE;
const WEB_AT: Nanos = BASE + 30 * MINUTE;
const UPLOAD_AT: Nanos = BASE + 40 * MINUTE;
/// Nearly four hours.
const KEPT: Nanos = 3 * HOUR + 50 * MINUTE;
const MEGABYTES: usize = 95;
const UPLINK: u32 = 1;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(46);
    surf(&mut scene, BASE, HOUR, 40);
    forgotten_passwords(&mut scene);
    few_users(&mut scene);
    few_calls(&mut scene);
    long_connection::keep(&mut scene, BASE + MINUTE, Host::local([10, 0, 5, 34]), Host::remote([203, 0, 113, 44]).port(443), KEPT);
    odd_names(&mut scene);
    odd_pings(&mut scene);
    few_hosts(&mut scene);
    one_new_owner(&mut scene);
    wrong_owner(&mut scene);
    many_clients(&mut scene);
    many_names(&mut scene);
    busy_client(&mut scene);
    scene.on(UPLINK, |scene| {
        let (from, to) = (Host::local([10, 0, 5, 57]), Host::remote([203, 0, 113, 141]));
        upload(scene, UPLOAD_AT, from, to.port(443), MEGABYTES, 70 * MILLISECOND);
    });
    let uplink = Interface { snaplen: SNAPLEN, ..Interface::ethernet("eth1", "uplink, headers only") };
    Ok(Sample {
        name: "below-thresholds-hosts",
        title: "Below the thresholds of hosts",
        shows: "4 failed logins, 4 users, 6 calls, 3 h 50 min, 9 odd names, 95 MB and the like: no alarm (pcapng)",
        story: "What hosts may do to each other, each time just below what counts, on other hosts each time. Passwords are forgotten four\n\
            times over FTP, and four times over SSH, and then remembered; four users fail once each from one machine; a program calls\n\
            home six times by the clock; a connection is kept for 3 h 50 min; nine long names are asked for as text, and nine random\n\
            domains in vain; two pings carry unlike data; 95 MB go out; four hosts are administered by SSH; an address gets a new\n\
            owner, once; two DHCP servers offer the same, to 45 new clients in a minute; 48 guests of one host ask for addresses; a wrong owner is told of four times; a client asks 18 times a second, another\n\
            holds 45 unfinished requests. Nothing of this is an attack.",
        cast: vec![
            ("10.0.5.51 and 10.0.5.52".into(), "forget passwords"),
            ("10.0.5.53".into(), "four users of one machine"),
            ("10.0.5.54".into(), "calls 203.0.113.78 six times"),
            ("10.0.5.34".into(), "keeps a connection to 203.0.113.44"),
            ("10.0.5.55".into(), "asks for odd names"),
            ("10.0.5.56".into(), "odd pings"),
            ("10.0.5.57".into(), "sends 95 MB to 203.0.113.141"),
            ("10.0.5.58".into(), "administers four hosts"),
            ("10.0.1.40".into(), "address with a new owner"),
            ("203.0.113.170 and 203.0.113.171".into(), "busy web clients"),
        ],
        timeline: vec![
            (LOGINS_AT, "forgotten passwords"),
            (RHYTHM_AT, "six calls"),
            (NAMES_AT, "odd names and pings"),
            (ADMINISTRATION_AT, "four hosts are administered"),
            (OWNERS_AT, "a new owner, and new DHCP clients"),
            (WEB_AT, "busy web clients"),
            (UPLOAD_AT, "95 MB go out"),
        ],
        filters: vec![("ftp || ssh || ntlmssp".into(), "logins"), ("frame.interface_id == 1".into(), "the upload")],
        file: capture_file::pcapng(&[Interface::ethernet("eth0", "office switch"), uplink], &[], &scene.into_frames())?,
        expect: Expectation::only(vec![], &attacks_without(&[])).just_below(&[
            ("brute_force", "login.few=4"),
            ("password_spray", "login.few=4"),
            ("beacon", "beacon.connections=6"),
            ("long_connection", "beacon.long_s=13000"),
            ("dns_tunnel", "dns.tunnel_few=9"),
            ("dga", "dns.nonexistent=9"),
            ("icmp_tunnel", "icmp.contents=1"),
            ("exfiltration", "exfiltration.bytes=94000000"),
            ("lateral_movement", "lateral.hosts=4"),
            ("arp_spoof", "arp.unasked=4"),
            ("dhcp_starvation", "dhcp.clients=48"),
            ("http_flood", "http.requests_per_client=18"),
            ("slow_http", "http.held=45"),
        ]),
    })
}

fn forgotten_passwords(scene: &mut Scene) {
    let (client, server) = (Host::local([10, 0, 5, 51]), Host::local([10, 0, 1, 21]));
    let mut session = Session::open(scene, LOGINS_AT, client, server.port(21), LAN_ROUND_TRIP);
    ftp::greet(&mut session);
    for year in 2020..2024 {
        ftp::fail(&mut session, "anna", &format!("winter{year}"));
        session.wait(6 * SECOND);
    }
    ftp::succeed(&mut session, "anna", "winter2024");
    session.server_closes();
    let (client, server) = (Host::local([10, 0, 5, 52]), Host::local([10, 0, 1, 22]));
    for attempt in 0..5 {
        let mut session = Session::open(scene, LOGINS_AT + 20 * SECOND + attempt * 14 * SECOND, client, server.port(22), LAN_ROUND_TRIP);
        if attempt < 4 {
            ssh::guess(&mut session);
        } else {
            ssh::guess_right(&mut session);
        }
        session.close();
    }
}

fn few_users(scene: &mut Scene) {
    let (client, server) = (Host::local([10, 0, 5, 53]), Host::local([10, 0, 1, 10]));
    for (index, user) in (0..).zip(["a.adler", "b.brandt", "c.conrad", "d.dietz"]) {
        let mut session = Session::open(scene, LOGINS_AT + index * 25 * SECOND, client, server.port(445), LAN_ROUND_TRIP);
        Smb::negotiate(&mut session, "DC1").fail(user);
        session.close();
    }
}

fn few_calls(scene: &mut Scene) {
    let (client, server) = (Host::local([10, 0, 5, 54]), Host::remote([203, 0, 113, 78]));
    for call in 0..6 {
        let mut session = Session::open(scene, RHYTHM_AT + call * MINUTE, client, server.port(443), browsing::ROUND_TRIP);
        tls::handshake_with(&mut session, "status.example.net", 700);
        tls::exchange(&mut session, 180, 90);
        session.close();
    }
}

fn odd_names(scene: &mut Scene) {
    let client = Host::local([10, 0, 5, 55]);
    for number in 0..9 {
        // Even numbers are asked for as text.
        dns_tunnel::ask(scene, NAMES_AT + number * 6 * SECOND, client, 2 * number);
        dga::ask(scene, NAMES_AT + 2 * MINUTE + number * 20 * SECOND, Host::local([10, 0, 5, 59]), false);
    }
}

fn odd_pings(scene: &mut Scene) {
    for seq in 1..=2 {
        let ping = Ping { from: Host::local([10, 0, 5, 56]), to: Host::remote([203, 0, 113, 91]), id: 0x77, seq };
        let (asked, answered) = (scene.noise(200), scene.noise(200));
        icmp::request_with(scene, NAMES_AT + Nanos::from(seq) * SECOND, ping, &asked);
        icmp::reply_with(scene, NAMES_AT + Nanos::from(seq) * SECOND + browsing::ROUND_TRIP, ping, &answered);
    }
}

fn few_hosts(scene: &mut Scene) {
    for index in 0..4 {
        let (at, server) = (ADMINISTRATION_AT + Nanos::from(index) * 70 * SECOND, Host::local([10, 0, 1, 71 + index]));
        let mut session = Session::open(scene, at, Host::local([10, 0, 5, 58]), server.port(22), LAN_ROUND_TRIP);
        ssh::login(&mut session);
        ssh::typing(&mut session, 20);
        session.close();
    }
}

/// The second node of a cluster takes over and says so to all.
fn one_new_owner(scene: &mut Scene) {
    let service = Host::local([10, 0, 1, 40]);
    let (first, second) =
        (Host { mac: Host::local([10, 0, 1, 41]).mac, ..service }, Host { mac: Host::local([10, 0, 1, 42]).mac, ..service });
    let client = Host::local([10, 0, 1, 50]);
    arp::resolve(scene, OWNERS_AT - 10 * MINUTE, client, first);
    browsing::visit(scene, OWNERS_AT - 10 * MINUTE + SECOND, client, first.port(80));
    for again in 0..3 {
        arp::announce(scene, OWNERS_AT + again * SECOND, second);
    }
    arp::resolve(scene, OWNERS_AT + MINUTE, client, second);
    browsing::visit(scene, OWNERS_AT + MINUTE + SECOND, client, second.port(80));
}

/// A machine with a wrong address tells another about it, four times in a minute.
fn wrong_owner(scene: &mut Scene) {
    let (owner, told) = (office::desk(4), office::desk(2));
    let other = Host { mac: Host::local([10, 0, 5, 68]).mac, ..owner };
    arp::resolve(scene, OWNERS_AT - 5 * MINUTE, told, owner);
    for again in 0..4 {
        arp::answer(scene, OWNERS_AT + 6 * MINUTE + again * 12 * SECOND, other, told);
    }
}

/// A host starts machines, each with an address of its own, that all ask for one.
fn many_names(scene: &mut Scene) {
    let host = Host::local([10, 0, 5, 69]);
    for number in 0..48 {
        let guest = dhcp_starvation::made_up(scene, [10, 0, 5, 200 + number]);
        dhcp::discover(scene, OWNERS_AT + 4 * MINUTE + Nanos::from(number) * SECOND, host, guest, None);
    }
}

/// Both servers of a pair offer the same.
fn many_clients(scene: &mut Scene) {
    let terms = Some((Host::local([10, 0, 5, 1]), resolver()));
    let pair = [2, 3].map(|last| Server { host: Host::local([10, 0, 5, last]), terms });
    for number in 0..45 {
        let at = OWNERS_AT + 2 * MINUTE + Nanos::from(number) * 1_200 * MILLISECOND;
        dhcp::contested(scene, at, Host::local([10, 0, 5, 150 + number]), (pair[0], pair[1]));
    }
}

fn busy_client(scene: &mut Scene) {
    http_flood::ask_on(scene, WEB_AT, Host::remote([203, 0, 113, 170]), SECOND / 18, 12);
    browsing::visits(scene, WEB_AT, 20, 5 * SECOND, web_server().port(80));
    for number in 0..45 {
        slow_http::hold(scene, WEB_AT + MINUTE + number * 200 * MILLISECOND, Host::remote([203, 0, 113, 171]), 60);
    }
}
