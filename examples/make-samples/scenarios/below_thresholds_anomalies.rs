//! Moments and hosts that differ a little, as moments and hosts do.

use std::io;

use super::{attacks_without, host_anomaly, office, unusual_port};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::traffic::http;
use crate::traffic::tcp::Session;

const TOOL_AT: Nanos = BASE + 20 * MINUTE;
const FILE_AT: Nanos = BASE + 35 * MINUTE;
const PEERS_AT: Nanos = BASE + 28 * MINUTE + 2 * SECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(54);
    host_anomaly::working_day(&mut scene, host_anomaly::MINUTES);
    host_anomaly::give(&mut scene, PEERS_AT, office::desk(3));
    let tool = Host::local([10, 0, 1, 31]);
    for client in 0..3 {
        unusual_port::talk(&mut scene, TOOL_AT + client * 30 * SECOND, office::desk(client), tool.port(7_799));
    }
    let mut session = Session::open(&mut scene, FILE_AT, office::desk(1), Host::local([10, 0, 1, 20]).port(80), MILLISECOND);
    http::fetch(&mut session, "files.example.com", "/form", 60_000);
    session.close();
    Ok(Sample {
        name: "below-thresholds-anomalies",
        title: "Below the thresholds of anomalies",
        shows: "45 new peers after 28 min, a busy second, an unknown port that three desktops use: no alarm",
        story: "Six desktops read a few pages every minute. Three of them use a tool of the company on a port that no registry knows; one\n\
            fetches a file within a second; one sends pieces of a file to 45 new addresses, when too little of its past is known to\n\
            call it unusual. Nothing of it is enough to speak of.",
        cast: vec![
            (tool.ip.to_string(), "tool of the company, port 7799"),
            (office::desk(1).ip.to_string(), "fetches a file"),
            (office::desk(3).ip.to_string(), "sends to 45 new addresses"),
        ],
        timeline: vec![(TOOL_AT, "the tool"), (FILE_AT, "the file"), (PEERS_AT, "45 new addresses")],
        filters: vec![("tcp.port == 7799 || udp".into(), "the tool and the new addresses")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(
            vec![],
            &[attacks_without(&[]), vec!["unusual_port", "high_connection_rate", "traffic_anomaly", "host_anomaly"]].concat(),
        )
        .just_below(&[("unusual_port", "ports.max_clients=3"), ("host_anomaly", "anomaly.min_buckets=25")]),
    })
}
