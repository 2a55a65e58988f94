//! Twenty clients ask for the same page, over and over.

use std::io;

use super::{attacks_without, web_server};
use crate::capture_file;
use crate::host::Host;
use crate::sample::{Expectation, Expected, Sample};
use crate::scene::Scene;
use crate::time::{BASE, MILLISECOND, Nanos, SECOND};
use crate::traffic::browsing::{self, ROUND_TRIP};
use crate::traffic::http;
use crate::traffic::tcp::Session;

const START: Nanos = BASE + 60 * SECOND;
const CLIENTS: u8 = 20;
/// Of each client: 7.5 a second, together 150.
const PAUSE: Nanos = 2 * SECOND / 15;
const SECONDS: u64 = 15;
const FINE: (&str, &str) = ("200 OK", "ok");
const OVERLOADED: (&str, &str) = ("503 Service Unavailable", "");

pub fn sample() -> io::Result<Sample> {
    let mut scene = Scene::new(42);
    browsing::visits(&mut scene, BASE, 40, 2 * SECOND, web_server().port(80));
    for client in 0..CLIENTS {
        let at = START + scene.rng.between(0, 400 * MILLISECOND);
        ask_on(&mut scene, at, Host::remote([203, 0, 113, 150 + client]), PAUSE, SECONDS);
    }
    let expected = Expected::one("http_flood", "medium").against(web_server());
    Ok(Sample {
        name: "http-flood",
        title: "HTTP flood",
        shows: "150 requests a second for one path from 20 clients for 15 s; the server soon answers 503",
        story: "Twenty clients open a connection each and ask the web server for the same search page seven or eight times a second,\n\
            150 times a second together. After four seconds the server only says that it is overloaded. Others visit it as always.",
        cast: vec![("203.0.113.150 to 203.0.113.169".into(), "flood"), (web_server().ip.to_string(), "web server")],
        timeline: vec![(START, "the flood begins"), (START + SECONDS * SECOND, "it ends")],
        filters: vec![
            ("http.request.uri == \"/search?q=a\"".into(), "the requests"),
            ("http.response.code == 503".into(), "the server is overloaded"),
        ],
        file: capture_file::pcap(&scene.into_frames())?,
        expect: Expectation::only(vec![expected], &attacks_without(&["http_flood"])),
    })
}

/// One connection, one question after another; from the fifth second on the server has had enough.
pub fn ask_on(scene: &mut Scene, at: Nanos, client: Host, pause: Nanos, seconds: u64) {
    let mut session = Session::open(scene, at, client, web_server().port(80), ROUND_TRIP);
    let (begin, mut next) = (session.now(), session.now());
    while next < begin + seconds * SECOND {
        let answer = if next < begin + 4 * SECOND { FINE } else { OVERLOADED };
        session.wait(next - session.now());
        http::poll(&mut session, "www.example.com", "/search?q=a", answer);
        next += pause;
    }
    session.close();
}
