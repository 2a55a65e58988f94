//! Data leaves in the names that are asked for, and comes back in the answers.

use std::io;

use super::office::{desk, resolver};
use super::{attacks_without, surf};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, MINUTE, Nanos};
use crate::traffic::dns::{self, TYPE_NULL, TYPE_TXT};

const START: Nanos = BASE + 2 * MINUTE;
const QUESTIONS: u64 = 200;
const PACE: Nanos = 300 * MILLISECOND;

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(34);
    let infected = desk(3);
    surf(&mut scene, BASE, 5 * MINUTE, 20);
    for question in 0..QUESTIONS {
        let at = START + question * PACE + scene.rng.between(0, PACE / 2);
        ask(&mut scene, at, infected, question);
    }
    let expected = Expected::one("dns_tunnel", "medium").by(infected).against(resolver());
    Ok(Sample {
        name: "dns-tunnel",
        title: "DNS tunnel",
        shows: "200 questions for TXT and NULL records of long names in 60 s, none asked twice",
        story: "A desktop asks the resolver of its network for 200 names below `t.example.net` within a minute, each of them new and a\n\
            hundred characters long: the labels are data. Every other question is for a TXT record, the rest for NULL, and the\n\
            answers carry data too. Others ask for the names of web sites.",
        cast: vec![(infected.ip.to_string(), "end of the tunnel"), (resolver().ip.to_string(), "resolver, which passes the questions on")],
        timeline: vec![(START, "the tunnel is opened"), (START + QUESTIONS * PACE, "it is closed")],
        filters: vec![("dns.qry.type == 16 || dns.qry.type == 10".into(), "the questions of the tunnel")],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["dns_tunnel"])),
    })
}

/// One new name, and an answer that holds data.
pub fn ask(scene: &mut Scene, at: Nanos, client: Host, number: u64) {
    let name = format!("{}.{}.t.example.net", label(scene, 60), label(scene, 34));
    let data = scene.noise(60);
    if number.is_multiple_of(2) {
        let text = label(scene, 80);
        dns::asked(scene, at, client, resolver(), (&name, TYPE_TXT), &[dns::texts(text.as_bytes())]);
    } else {
        dns::asked(scene, at, client, resolver(), (&name, TYPE_NULL), &[data]);
    }
}

/// Data as Base32 writes it.
fn label(scene: &mut Scene, len: usize) -> String {
    (0..len).map(|_| char::from(scene.pick(b"abcdefghijklmnopqrstuvwxyz234567"))).collect()
}
