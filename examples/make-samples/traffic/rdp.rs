//! A remote desktop (MS-RDPBCGR): the request for it in the clear, the rest inside TLS.

use super::tcp::Session;
use super::tls;
use crate::time::{MILLISECOND, SECOND};

const REQUEST: u8 = 0xe0;
const CONFIRM: u8 = 0xd0;
const TLS_AND_CREDSSP: u8 = 3;
const CREDSSP: u8 = 2;

/// Somebody logs in and sees a desktop.
pub fn desktop(session: &mut Session, user: &str, server: &str) {
    let cookie = format!("Cookie: mstshash={user}\r\n");
    session.client_says(&packet(REQUEST, [0, 0], &[cookie.as_bytes(), &[1, 0, 8, 0, TLS_AND_CREDSSP, 0, 0, 0]].concat()));
    session.server_says(&packet(CONFIRM, [0x12, 0x34], &[2, 0x1f, 8, 0, CREDSSP, 0, 0, 0]));
    tls::handshake_with(session, server, 1_100);
    // Negotiate, challenge, authenticate, public key; then the session is set up and painted.
    for (asked, answered) in [(110, 330), (620, 140), (180, 60), (480, 160), (420, 380), (900, 1_400), (60, 20_500)] {
        tls::exchange(session, asked, answered);
    }
    for _ in 0..6 {
        session.wait(SECOND + 300 * MILLISECOND);
        tls::exchange(session, 60, 240);
    }
}

/// TPKT (RFC 1006) around X.224.
fn packet(kind: u8, source: [u8; 2], variable: &[u8]) -> Vec<u8> {
    let length = u8::try_from(11 + variable.len()).unwrap_or(u8::MAX);
    [&[3, 0, 0, length, length - 5, kind, 0, 0, source[0], source[1], 0], variable].concat()
}
