//! Passwords of an SSH server are guessed in vain.

use std::io;

use super::attacks_without;
use crate::capture_file;
use crate::host::{Endpoint, Host};
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::tcp::Session;
use crate::traffic::{browsing, ssh};

const START: Nanos = BASE + 15 * SECOND;
const ROUND: Nanos = 8 * SECOND;
const ROUNDS: u64 = 4;
/// Connections of a round, of which the last are too many for the server.
const CONNECTIONS: u64 = 10;
const TURNED_AWAY: u64 = 2;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(31);
    let (guesser, server) = (Host::remote([203, 0, 113, 82]), Host::local([198, 51, 100, 22]));
    browsing::visits(&mut scene, BASE, 15, 5 * SECOND, Host::local([198, 51, 100, 10]).port(80));
    for round in 0..ROUNDS {
        burst(&mut scene, START + round * ROUND, guesser, server.port(22));
    }
    let expected = Expected::one("brute_force", "medium").technique("ssh").by(guesser).against(server).ports(1);
    Ok(Sample {
        name: "ssh-brute-force",
        title: "SSH brute force",
        shows: "32 passwords tried over SSH, one a connection; 8 connections turned away with `Exceeded MaxStartups`",
        story: "A tool opens ten connections to an SSH server every eight seconds and tries one password in each. After the key\n\
            exchange everything is encrypted: only lengths show that each try ends as the one before. In every round two connections\n\
            are turned away, since the server lets only so many in that have not logged in. None of the passwords is right.",
        cast: vec![(guesser.ip.to_string(), "guesses passwords"), (server.ip.to_string(), "SSH server")],
        timeline: vec![(START, "the first round"), (START + (ROUNDS - 1) * ROUND, "the last round")],
        filters: vec![
            ("ssh.message_code == 20".into(), "the key exchanges begin"),
            ("tcp contains \"Exceeded MaxStartups\"".into(), "connections turned away"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["brute_force"])),
    })
}

fn burst(scene: &mut Scene, start: Nanos, guesser: Host, server: Endpoint) {
    for number in 0..CONNECTIONS {
        let at = start + number * 250 * MILLISECOND + scene.rng.between(0, 40 * MILLISECOND);
        let mut session = Session::open(scene, at, guesser, server, browsing::ROUND_TRIP);
        if number < CONNECTIONS - TURNED_AWAY {
            ssh::guess(&mut session);
            session.close();
        } else {
            ssh::turned_away(&mut session);
            session.server_closes();
        }
    }
}
