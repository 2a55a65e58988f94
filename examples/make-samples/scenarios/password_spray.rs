//! One password each for thirty users.

use std::io;

use super::{LAN_ROUND_TRIP, attacks_without};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing;
use crate::traffic::smb::{Share, Smb};
use crate::traffic::tcp::Session;

const START: Nanos = BASE + 30 * SECOND;
const USERS: [&str; 30] = [
    "a.adler",
    "b.brandt",
    "c.conrad",
    "d.dietz",
    "e.engel",
    "f.fuchs",
    "g.graf",
    "h.haas",
    "i.imhof",
    "j.jung",
    "k.kern",
    "l.lang",
    "m.maurer",
    "n.nagel",
    "o.otto",
    "p.pohl",
    "q.quast",
    "r.roth",
    "s.sauer",
    "t.thiel",
    "u.ulrich",
    "v.vogel",
    "w.wolf",
    "x.xaver",
    "y.yildiz",
    "z.ziegler",
    "a.arndt",
    "b.bauer",
    "c.cramer",
    "d.dorn",
];

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(32);
    let (sprayer, server) = (Host::local([10, 0, 5, 47]), Host::local([10, 0, 1, 10]));
    browsing::visits(&mut scene, BASE, 20, 15 * SECOND, Host::local([10, 0, 1, 20]).port(80));
    colleagues(&mut scene, server);
    let mut at = START;
    for user in USERS {
        let mut session = Session::open(&mut scene, at, sprayer, server.port(445), LAN_ROUND_TRIP);
        Smb::negotiate(&mut session, "DC1").fail(user);
        session.close();
        at += 4 * SECOND + scene.rng.between(0, 7 * SECOND);
    }
    let expected = Expected::one("password_spray", "medium").technique("users").by(sprayer).against(server);
    Ok(Sample {
        name: "password-spray",
        title: "Password spray",
        shows: "one password each for 30 users of a domain controller over SMB, all of them wrong",
        story: "A machine inside tries one password for each of thirty users at the domain controller, some seconds apart, so that no\n\
            account is locked. The server refuses all of them (STATUS_LOGON_FAILURE). Three colleagues log in and open their share.",
        cast: vec![
            (sprayer.ip.to_string(), "tries users"),
            (server.ip.to_string(), "domain controller"),
            ("10.0.5.31 to 10.0.5.33".into(), "colleagues who log in"),
        ],
        timeline: vec![(START, "the first user"), (at, "all have been tried")],
        filters: vec![("smb2.nt_status == 0xc000006d".into(), "the refusals"), ("ntlmssp.auth.username".into(), "who is to log in")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["password_spray"])),
    })
}

fn colleagues(scene: &mut Scene, server: Host) {
    for (index, user) in (0..).zip(["a.adler", "e.engel", "k.kern"]) {
        let client = Host::local([10, 0, 5, 31 + index]);
        let at = BASE + Nanos::from(index) * 40 * SECOND + 700 * MILLISECOND;
        let mut session = Session::open(scene, at, client, server.port(445), LAN_ROUND_TRIP);
        let mut smb = Smb::negotiate(&mut session, "DC1");
        smb.succeed(user);
        smb.connect("home", Share::Disk);
        session.close();
    }
}
