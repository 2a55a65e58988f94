//! A mail program that is refused (RFC 1939).

use super::tcp::Session;
use crate::time::MILLISECOND;

pub fn refused(session: &mut Session, user: &str, password: &str) {
    session.server_says(b"+OK POP3 ready\r\n");
    session.client_says(format!("USER {user}\r\n").as_bytes());
    session.server_says(b"+OK\r\n");
    session.client_says(format!("PASS {password}\r\n").as_bytes());
    session.wait(1_900 * MILLISECOND);
    session.server_says(b"-ERR [AUTH] Authentication failed.\r\n");
    session.client_says(b"QUIT\r\n");
    session.server_says(b"+OK Logging out\r\n");
}
