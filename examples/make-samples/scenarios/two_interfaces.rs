//! One capture of two interfaces that agree on nothing but the time.

use std::io;

use super::office::{desk, resolver, sites};
use super::{port_scan, scans_and_floods_without};
use crate::capture_file;
use crate::host::Host;
use crate::pcapng::{Interface, Name, Resolution, WHOLE_FRAMES};
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::{Frame, Scene};
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing;
use crate::wire;

const SCAN_AT: Nanos = BASE + 20 * SECOND;
const PORTS: usize = 60;
const OPEN: [u16; 3] = [22, 443, 5432];
const PACE: Nanos = 100 * MILLISECOND;
const LINKTYPE_RAW: u16 = 101;

pub fn sample() -> io::Result<Sample> {
    let expected = Expected::one("port_scan", "medium").technique("syn").by(remote_worker()).against(database()).ports(PORTS as u64);
    Ok(Sample {
        name: "two-interfaces",
        title: "Two interfaces",
        shows: "pcapng of two interfaces with other link types, time units and offsets; host names; a scan on one",
        story: "A gateway is captured on both sides. `eth0` is Ethernet, its clock in nanoseconds; `tun0` is a tunnel with bare IP\n\
            packets, its clock in units of 2⁻²⁰ s counted from 2024-01-01. On `eth0` desktops read web pages; on `tun0` a machine\n\
            that dialled in scans 60 ports of the database server. Only with the right unit and offset do both happen at the same\n\
            time. The file also holds host names and interface statistics.",
        cast: vec![
            (remote_worker().ip.to_string(), "dialled in, scans (`tun0`)"),
            (database().ip.to_string(), "scanned database server, named db.example.com (`tun0`)"),
            ("10.0.5.31 to 10.0.5.36".into(), "desktops (`eth0`)"),
        ],
        timeline: vec![(BASE, "browsing on `eth0`"), (SCAN_AT, "the scan on `tun0` begins")],
        filters: vec![("frame.interface_id == 1".into(), "the tunnel"), ("ip.src == 10.8.0.66 && tcp.flags == 0x002".into(), "the probes")],
        file: capture_file::pcapng(&interfaces(), &names(), &frames())?,
        expect: Expectation::only(vec![expected], &scans_and_floods_without(&["port_scan"])),
    })
}

fn interfaces() -> [Interface; 2] {
    // 2024-01-01T00:00:00Z
    const NEW_YEAR: u64 = 1_704_067_200;
    let tunnel = Interface {
        name: "tun0",
        description: "remote access",
        link_type: LINKTYPE_RAW,
        snaplen: WHOLE_FRAMES,
        resolution: Resolution::PowerOfTwo(20),
        offset_s: NEW_YEAR,
    };
    [Interface::ethernet("eth0", "office switch"), tunnel]
}

fn names() -> [Name; 4] {
    let [_, news, ..] = sites();
    [
        Name { ip: database().ip, name: "db.example.com" },
        Name { ip: remote_worker().ip, name: "vpn-66.example.com" },
        Name { ip: resolver().ip, name: "dns.example.com" },
        Name { ip: news.address.into(), name: news.name },
    ]
}

fn frames() -> Vec<Frame> {
    let mut office = Scene::new(20);
    for page in 0..3 {
        let site = office.pick(&sites());
        browsing::page(&mut office, BASE + page * 12 * SECOND, desk(page), resolver(), site);
    }
    let mut tunnel = Scene::new(21);
    port_scan::scan(&mut tunnel, SCAN_AT, remote_worker(), database(), &OPEN, PORTS, PACE);
    let bare = |frame: Frame| Frame { bytes: wire::without_link(&frame.bytes), interface: 1, ..frame };
    let mut frames = office.into_frames();
    frames.extend(tunnel.into_frames().into_iter().map(bare));
    frames.sort_by_key(|frame| frame.at);
    frames
}

fn remote_worker() -> Host {
    Host::remote([10, 8, 0, 66])
}

fn database() -> Host {
    Host::local([10, 0, 1, 32])
}
