//! TLS 1.3 as it looks from outside (RFC 8446): hellos in the clear, then records nobody can read.

use super::tcp::Session;
use crate::time::MILLISECOND;

const HANDSHAKE: u8 = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// The largest record body used here; the standard allows 16 KiB and a little.
const RECORD: usize = 8_192;
/// A server's flight with an ordinary chain of two certificates.
const CERTIFICATES: usize = 2_300;

/// The handshake: certificate and finished messages are encrypted and seen as application data.
pub fn handshake(session: &mut Session, name: &str) {
    handshake_with(session, name, CERTIFICATES);
}

/// The same with certificates (and what is sealed with them) of `certificates` bytes.
pub fn handshake_with(session: &mut Session, name: &str, certificates: usize) {
    let (client_random, client_key, id) = (session.scene.noise(32), session.scene.noise(32), session.scene.noise(32));
    session.client_says(&record(HANDSHAKE, &client_hello(name, &client_random, &id, &client_key)));
    session.wait(2 * MILLISECOND);
    let (server_random, server_key) = (session.scene.noise(32), session.scene.noise(32));
    let mut flight = record(HANDSHAKE, &server_hello(&server_random, &id, &server_key));
    flight.extend(record(CHANGE_CIPHER_SPEC, &[1]));
    flight.extend(sealed(session, certificates));
    session.server_says(&flight);
    session.wait(MILLISECOND);
    let mut finished = record(CHANGE_CIPHER_SPEC, &[1]);
    finished.extend(sealed(session, 53));
    session.client_says(&finished);
}

/// A request and a response of the given sizes.
pub fn exchange(session: &mut Session, asked: usize, answered: usize) {
    let request = sealed(session, asked);
    session.client_says(&request);
    session.wait(4 * MILLISECOND);
    let response = sealed(session, answered);
    session.server_says(&response);
}

/// Application data that fills `len` bytes with records of the largest size the standard allows.
pub fn records(session: &mut Session, len: usize) -> Vec<u8> {
    const HEAD: usize = 5;
    const LARGEST: usize = (1 << 14) + 17;
    session.scene.noise(len).chunks(HEAD + LARGEST).flat_map(|part| record(APPLICATION_DATA, &part[..part.len() - HEAD])).collect()
}

/// Application data of `len` bytes in as many records as it takes.
pub fn sealed(session: &mut Session, len: usize) -> Vec<u8> {
    session.scene.noise(len).chunks(RECORD).flat_map(|body| record(APPLICATION_DATA, body)).collect()
}

fn client_hello(name: &str, random: &[u8], id: &[u8], key: &[u8]) -> Vec<u8> {
    let host = [&[0], sized16(name.as_bytes()).as_slice()].concat();
    let share = [&[0, 0x1d], sized16(key).as_slice()].concat();
    let extensions = [
        extension(0, &sized16(&host)),
        extension(10, &sized16(&[0, 0x1d])),
        extension(13, &sized16(&[4, 3, 8, 4])),
        extension(43, &sized8(&[3, 4])),
        extension(51, &sized16(&share)),
    ]
    .concat();
    let ciphers = sized16(&[0x13, 1, 0x13, 2, 0x13, 3]);
    message(CLIENT_HELLO, &[&[3, 3], random, &sized8(id), &ciphers, &sized8(&[0]), &sized16(&extensions)].concat())
}

fn server_hello(random: &[u8], id: &[u8], key: &[u8]) -> Vec<u8> {
    let share = [&[0, 0x1d], sized16(key).as_slice()].concat();
    let extensions = [extension(43, &[3, 4]), extension(51, &share)].concat();
    message(SERVER_HELLO, &[&[3, 3], random, &sized8(id), &[0x13, 1, 0], &sized16(&extensions)].concat())
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], sized16(body).as_slice()].concat()
}

/// A handshake message has a length of three bytes.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0], sized16(body).as_slice()].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &sized16(body)].concat()
}

fn sized8(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    [&[length], bytes].concat()
}

fn sized16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().as_slice(), bytes].concat()
}
