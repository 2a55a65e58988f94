//! One mail handed to a server (RFC 5321).

use super::tcp::Session;

pub fn deliver(session: &mut Session, subject: &str, lines: usize) {
    session.server_says(b"220 mail.example.com ESMTP\r\n");
    ask(session, "EHLO desk.example.com", "250-mail.example.com\r\n250 SIZE 10240000");
    ask(session, "MAIL FROM:<anna@example.com>", "250 2.1.0 Ok");
    ask(session, "RCPT TO:<bert@example.net>", "250 2.1.5 Ok");
    ask(session, "DATA", "354 End data with <CR><LF>.<CR><LF>");
    let head = format!("From: anna@example.com\r\nTo: bert@example.net\r\nSubject: {subject}\r\n\r\n");
    let body = "The figures for the first quarter are attached to the shared page.\r\n".repeat(lines);
    session.client_says(format!("{head}{body}.\r\n").as_bytes());
    session.server_says(b"250 2.0.0 Ok: queued\r\n");
    ask(session, "QUIT", "221 2.0.0 Bye");
}

fn ask(session: &mut Session, command: &str, answer: &str) {
    session.client_says(format!("{command}\r\n").as_bytes());
    session.server_says(format!("{answer}\r\n").as_bytes());
}
