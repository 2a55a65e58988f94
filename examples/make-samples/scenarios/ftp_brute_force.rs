//! Passwords of an FTP server are guessed, and the sixty-first is right.

use std::io;

use super::attacks_without;
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::tcp::Session;
use crate::traffic::{browsing, ftp};

const START: Nanos = BASE + 20 * SECOND;
const CONNECTIONS: u64 = 20;
/// The server hangs up after so many.
const TRIES: u64 = 3;
const PACE: Nanos = 2_700 * MILLISECOND;
const SUCCESS: Nanos = START + CONNECTIONS * PACE + 11 * SECOND;
const USER: &str = "backup";

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(30);
    let (guesser, server) = (Host::remote([203, 0, 113, 81]), Host::local([198, 51, 100, 21]));
    browsing::visits(&mut scene, BASE, 20, 6 * SECOND, Host::local([198, 51, 100, 10]).port(80));
    for connection in 0..CONNECTIONS {
        let at = START + connection * PACE + scene.rng.between(0, SECOND);
        let mut session = Session::open(&mut scene, at, guesser, server.port(21), browsing::ROUND_TRIP);
        ftp::greet(&mut session);
        for attempt in 0..TRIES {
            ftp::fail(&mut session, USER, &format!("summer{}", 1_960 + connection * TRIES + attempt));
        }
        session.server_closes();
    }
    let mut session = Session::open(&mut scene, SUCCESS, guesser, server.port(21), browsing::ROUND_TRIP);
    ftp::greet(&mut session);
    ftp::succeed(&mut session, USER, "summer2020");
    session.server_closes();
    let expected = Expected::one("brute_force", "critical").technique("ftp").by(guesser).against(server).ports(1);
    Ok(Sample {
        name: "ftp-brute-force",
        title: "FTP brute force",
        shows: "60 wrong passwords for one user of an FTP server in a minute, then the right one",
        story: "A machine on the Internet tries sixty passwords for the user `backup` of an FTP server, three in each connection, several\n\
            connections at a time. The sixty-first password is right, and it looks around. Others visit a web server meanwhile.",
        cast: vec![(guesser.ip.to_string(), "guesses passwords"), (server.ip.to_string(), "FTP server")],
        timeline: vec![(START, "the first password"), (SUCCESS, "the connection in which the password is right")],
        filters: vec![("ftp.response.code == 530".into(), "the refusals"), ("ftp.response.code == 230".into(), "the success")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["brute_force"])),
    })
}
