//! The control connection of FTP (RFC 959).

use super::tcp::Session;
use crate::time::{MILLISECOND, Nanos};

/// What a server waits before it refuses.
const REFUSED_AFTER: Nanos = 2_400 * MILLISECOND;

pub fn greet(session: &mut Session) {
    session.server_says(b"220 (vsFTPd 3.0.5)\r\n");
}

pub fn fail(session: &mut Session, user: &str, password: &str) {
    name(session, user, password);
    session.wait(REFUSED_AFTER);
    session.server_says(b"530 Login incorrect.\r\n");
}

pub fn succeed(session: &mut Session, user: &str, password: &str) {
    name(session, user, password);
    session.wait(90 * MILLISECOND);
    session.server_says(b"230 Login successful.\r\n");
    for (command, answer) in [("SYST", "215 UNIX Type: L8"), ("PWD", "257 \"/\" is the current directory"), ("QUIT", "221 Goodbye.")] {
        session.client_says(format!("{command}\r\n").as_bytes());
        session.server_says(format!("{answer}\r\n").as_bytes());
    }
}

fn name(session: &mut Session, user: &str, password: &str) {
    session.client_says(format!("USER {user}\r\n").as_bytes());
    session.server_says(b"331 Please specify the password.\r\n");
    session.client_says(format!("PASS {password}\r\n").as_bytes());
}
