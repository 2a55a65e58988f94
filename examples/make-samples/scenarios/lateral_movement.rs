//! From one desktop to the others.

use std::io;

use super::{LAN_ROUND_TRIP, attacks_without, surf};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MINUTE, Nanos, SECOND};
use crate::traffic::smb::Smb;
use crate::traffic::tcp::Session;
use crate::traffic::{rdp, ssh, svcctl};

const EXECUTION_AT: Nanos = BASE + 3 * MINUTE;
const FAN_OUT_AT: Nanos = BASE + 8 * MINUTE;
const TARGETS: [u8; 2] = [41, 42];
const ADMINISTERED: u8 = 6;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(48);
    let intruder = Host::local([10, 0, 5, 23]);
    surf(&mut scene, BASE, 15 * MINUTE, 30);
    for (index, last) in (0..).zip(TARGETS) {
        execute(&mut scene, EXECUTION_AT + index * 70 * SECOND, intruder, target(last), &format!("WS{last}"));
    }
    for index in 0..ADMINISTERED {
        administer(&mut scene, FAN_OUT_AT + Nanos::from(index) * 45 * SECOND, intruder, index);
    }
    let execution = |last| Expected::one("lateral_movement", "high").technique("remote_execution").by(intruder).against(target(last));
    let fan_out = Expected::one("lateral_movement", "low").technique("fan_out").by(intruder).against(target(51));
    Ok(Sample {
        name: "lateral-movement",
        title: "Lateral movement",
        shows: "programs started as services on 2 hosts over SMB, then RDP and SSH to 6 others",
        story: "A desktop that somebody has entered logs in on two others, copies a program to `ADMIN$`, and has the service manager\n\
            (`svcctl`) start it, as PsExec does. Five minutes later it opens remote desktops on three hosts and SSH sessions on three\n\
            more, within four minutes. Others read web pages.",
        cast: vec![
            (intruder.ip.to_string(), "desktop that was entered"),
            ("10.0.5.41 and 10.0.5.42".into(), "run its program"),
            ("10.0.5.51 to 10.0.5.53".into(), "entered by remote desktop"),
            ("10.0.5.54 to 10.0.5.56".into(), "entered by SSH"),
        ],
        timeline: vec![(EXECUTION_AT, "the first program"), (FAN_OUT_AT, "the first remote desktop")],
        filters: vec![
            ("smb2.tree contains \"ADMIN$\"".into(), "the share for administrators"),
            ("svcctl".into(), "the service manager"),
            ("tcp.dstport == 3389 || tcp.dstport == 22".into(), "remote desktops and SSH"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![execution(41), execution(42), fan_out], &attacks_without(&["lateral_movement"])),
    })
}

fn target(last: u8) -> Host {
    Host::local([10, 0, 5, last])
}

/// A login, a program on the share for administrators, and a service that runs it.
pub fn execute(scene: &mut Scene, at: Nanos, from: Host, to: Host, name: &str) {
    const PROGRAM: usize = 14_000;
    let noise = scene.noise(PROGRAM);
    let program = [b"MZ\x90\0\x03\0\0\0".as_slice(), &noise].concat();
    let mut session = Session::open(scene, at, from, to.port(445), LAN_ROUND_TRIP);
    let mut smb = Smb::negotiate(&mut session, name);
    smb.succeed("Administrator");
    svcctl::run(&mut smb, "spoolhelp.exe", &program);
    session.close();
}

fn administer(scene: &mut Scene, at: Nanos, from: Host, index: u8) {
    let to = target(51 + index);
    if index < ADMINISTERED / 2 {
        let mut session = Session::open(scene, at, from, to.port(3_389), LAN_ROUND_TRIP);
        rdp::desktop(&mut session, "admin", &format!("ws{}.example.com", 51 + index));
        session.close();
    } else {
        let mut session = Session::open(scene, at, from, to.port(22), LAN_ROUND_TRIP);
        ssh::login(&mut session);
        ssh::typing(&mut session, 30);
        session.close();
    }
}
