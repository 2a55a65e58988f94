//! One intrusion from the first probe to the stolen data.

use std::io;

use super::exfiltration::{SNAPLEN, upload};
use super::office::{resolver, sites};
use super::{attacks_without, browsing, lateral_movement, port_scan, surf};
use crate::capture_file;
use crate::host::Host;
use crate::pcapng::Interface;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, HOUR, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::tcp::Session;
use crate::traffic::{dns, ssh};

const SCAN_AT: Nanos = BASE + 5 * MINUTE;
const GUESSING_AT: Nanos = BASE + 12 * MINUTE;
const LATERAL_AT: Nanos = BASE + 31 * MINUTE;
const UPLOAD_AT: Nanos = BASE + 52 * MINUTE;
const PORTS: usize = 60;
const GUESSES: u64 = 36;
const GUESS_PACE: Nanos = 4_500 * MILLISECOND;
const SUCCESS_AT: Nanos = GUESSING_AT + GUESSES * GUESS_PACE + SECOND;
const MEGABYTES: usize = 120;
/// The interface that only keeps headers.
const UPLINK: u32 = 1;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(45);
    let intruder = Host::remote([192, 0, 2, 66]);
    let (entered, database, outside) = (Host::local([10, 0, 1, 20]), Host::local([10, 0, 1, 32]), Host::remote([203, 0, 113, 140]));
    surf(&mut scene, BASE, HOUR, 60);
    port_scan::scan(&mut scene, SCAN_AT, intruder, entered, &[22, 80, 443], PORTS, 90 * MILLISECOND);
    guess(&mut scene, intruder, entered);
    lateral_movement::execute(&mut scene, LATERAL_AT, entered, database, "DB1");
    for (index, site) in (0..).zip(&sites()[1..4]) {
        let at = BASE + index * 17 * MINUTE;
        dns::lookup(&mut scene, at, database, resolver(), site.name, &[site.address.into()], 9 * MILLISECOND);
    }
    scene.on(UPLINK, |scene| {
        upload(scene, UPLOAD_AT, database, outside.port(443), MEGABYTES, 80 * MILLISECOND);
    });
    let expected = vec![
        Expected::one("port_scan", "medium").technique("syn").by(intruder).against(entered),
        Expected::one("brute_force", "critical").technique("ssh").by(intruder).against(entered).ports(1),
        Expected::one("lateral_movement", "high").technique("remote_execution").by(entered).against(database),
        Expected::one("lateral_movement", "medium").technique("chain").by(intruder).against(entered),
        Expected::one("exfiltration", "medium").by(database).against(outside),
    ];
    let absent = attacks_without(&["port_scan", "brute_force", "lateral_movement", "exfiltration"]);
    let uplink = Interface { snaplen: SNAPLEN, ..Interface::ethernet("eth1", "uplink, headers only") };
    Ok(Sample {
        name: "intrusion",
        title: "Intrusion",
        shows: "one story: port scan, guessed SSH password, a program started on the next host, 120 MB sent outside (pcapng)",
        story: "A machine on the Internet scans 60 ports of a server behind the router, then tries passwords over SSH, one every few\n\
            seconds; the thirty-seventh is right. A quarter of an hour later the server, now the intruder's, logs in on the database\n\
            server, copies a program to `ADMIN$` and starts it as a service. Twenty minutes after that the database server sends\n\
            120 MB to an address outside. `eth0` is the server network; `eth1` is the uplink, where large frames are seen before the\n\
            network card divides them and only 96 bytes of each are kept. Desktops read web pages all the while.",
        cast: vec![
            (intruder.ip.to_string(), "intruder"),
            (entered.ip.to_string(), "server that is scanned and entered"),
            (database.ip.to_string(), "database server, entered from there"),
            (outside.ip.to_string(), "where the data goes"),
            ("10.0.5.31 to 10.0.5.36".into(), "ordinary desktops"),
        ],
        timeline: vec![
            (SCAN_AT, "port scan"),
            (GUESSING_AT, "the first password"),
            (SUCCESS_AT, "the password that is right"),
            (LATERAL_AT, "login on the database server"),
            (UPLOAD_AT, "the upload begins"),
        ],
        filters: vec![
            ("ip.addr == 192.0.2.66".into(), "the intruder"),
            ("svcctl".into(), "the program is started"),
            ("frame.interface_id == 1".into(), "the upload"),
        ],
        file: capture_file::pcapng(&[Interface::ethernet("eth0", "server network"), uplink], &[], &scene.into_frames())?,
        expect: Expectation::only(expected, &absent)
            .told_as(intruder, &["discovery", "initial_access", "lateral_movement", "exfiltration"]),
    })
}

fn guess(scene: &mut Scene, intruder: Host, server: Host) {
    for number in 0..GUESSES {
        let at = GUESSING_AT + number * GUESS_PACE + scene.rng.between(0, SECOND);
        let mut session = Session::open(scene, at, intruder, server.port(22), browsing::ROUND_TRIP);
        ssh::guess(&mut session);
        session.close();
    }
    let mut session = Session::open(scene, SUCCESS_AT, intruder, server.port(22), browsing::ROUND_TRIP);
    ssh::guess_right(&mut session);
    session.close();
}
