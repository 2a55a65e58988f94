//! DNS queries and answers (RFC 1035), over UDP.

use std::net::Ipv4Addr;

use crate::host::{Endpoint, Host, group};
use crate::scene::Scene;
use crate::time::{MILLISECOND, Nanos};
use crate::wire;

const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
pub const TYPE_NULL: u16 = 10;
pub const TYPE_TXT: u16 = 16;
const TYPE_ANY: u16 = 255;
const CLASS_IN: u16 = 1;

const RECURSION_DESIRED: u16 = 0x0100;
const ANSWER: u16 = 0x8180;
const NO_SUCH_NAME: u16 = 0x8183;
/// How long a resolver takes that must ask others.
const RECURSION: Nanos = 24 * MILLISECOND;
/// A pointer to the name in the question.
const QUESTION_NAME: u16 = 0xc00c;

/// A question and its answer: the addresses, or "no such name" where there are none.
pub fn lookup(scene: &mut Scene, at: Nanos, client: Host, server: Host, name: &str, addresses: &[Ipv4Addr], after: Nanos) {
    let (from, to) = (client.port(scene.fresh_port(client)), server.port(53));
    let id = scene.rng.u16();
    send(scene, at, from, to, &message(id, RECURSION_DESIRED, (name, TYPE_A), &[]));
    let records: Vec<Vec<u8>> = addresses.iter().map(|address| record(TYPE_A, &address.octets())).collect();
    let flags = if records.is_empty() { NO_SUCH_NAME } else { ANSWER };
    send(scene, at + after, to, from, &message(id, flags, (name, TYPE_A), &records));
}

/// A question of another type, answered with these records' data; "no such name" where there are none.
pub fn asked(scene: &mut Scene, at: Nanos, client: Host, server: Host, (name, kind): (&str, u16), data: &[Vec<u8>]) {
    let (from, to) = (client.port(scene.fresh_port(client)), server.port(53));
    let id = scene.rng.u16();
    send(scene, at, from, to, &message(id, RECURSION_DESIRED, (name, kind), &[]));
    let records: Vec<Vec<u8>> = data.iter().map(|data| record(kind, data)).collect();
    let flags = if records.is_empty() { NO_SUCH_NAME } else { ANSWER };
    send(scene, at + RECURSION, to, from, &message(id, flags, (name, kind), &records));
}

/// The data of a text record: strings of at most 255 bytes (RFC 1035, section 3.3.14).
pub fn texts(text: &[u8]) -> Vec<u8> {
    text.chunks(255).flat_map(|part| [&[u8::try_from(part.len()).unwrap_or(u8::MAX)], part].concat()).collect()
}

/// A question nobody answers.
pub fn unanswered(scene: &mut Scene, at: Nanos, client: Host, server: Host, name: &str) {
    let from = client.port(scene.fresh_port(client));
    let id = scene.rng.u16();
    send(scene, at, from, server.port(53), &message(id, RECURSION_DESIRED, (name, TYPE_A), &[]));
}

/// A service question to the local group (RFC 6762).
pub fn multicast(scene: &mut Scene, at: Nanos, client: Host, service: &str) {
    let client = Host { ttl: 255, ..client };
    send(scene, at, client.port(5353), group([224, 0, 0, 251]).port(5353), &message(0, 0, (service, TYPE_PTR), &[]));
}

/// The answer to an ANY question that the receiver never asked: text records of `len` bytes together.
pub fn amplified(scene: &mut Scene, at: Nanos, reflector: Host, victim: Endpoint, name: &str, len: usize) {
    let texts: Vec<Vec<u8>> = (0..len.div_ceil(TEXT)).map(|index| text(index, TEXT.min(len - index * TEXT))).collect();
    let id = scene.rng.u16();
    send(scene, at, reflector.port(53), victim, &message(id, ANSWER, (name, TYPE_ANY), &texts));
}

/// Bytes of one text record.
const TEXT: usize = 200;

fn text(index: usize, len: usize) -> Vec<u8> {
    let filler: Vec<u8> = (0..len).map(|at| b"v=spf1 include:example.net "[(at + index) % 27]).collect();
    let length = u8::try_from(len).unwrap_or(u8::MAX);
    record(TYPE_TXT, &[&[length], filler.as_slice()].concat())
}

fn send(scene: &mut Scene, at: Nanos, from: Endpoint, to: Endpoint, message: &[u8]) {
    let ident = scene.rng.u16();
    scene.put(at, wire::udp(from, to, ident, message));
}

fn message(id: u16, flags: u16, (name, kind): (&str, u16), answers: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(answers.len()).unwrap_or(u16::MAX);
    let mut out = words(&[id, flags, 1, count, 0, 0]);
    out.extend(encoded(name));
    out.extend(words(&[kind, CLASS_IN]));
    out.extend(answers.concat());
    out
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    // The two words between class and length are the time to live: 300 s.
    let mut out = words(&[QUESTION_NAME, kind, CLASS_IN, 0, 300, length]);
    out.extend_from_slice(data);
    out
}

fn encoded(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(u8::try_from(label.len()).unwrap_or(63));
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
