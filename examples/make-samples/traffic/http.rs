//! HTTP/1.1 in the clear.

use super::tcp::Session;
use crate::time::MILLISECOND;

pub fn request(host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:123.0)\r\nAccept: */*\r\n\r\n")
        .into_bytes()
}

/// What comes before a body of `len` bytes.
pub fn response_head(len: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\nContent-Length: {len}\r\n\r\n").into_bytes()
}

/// A short question of a program, and a short answer: `status` and a body.
pub fn poll(session: &mut Session, host: &str, path: &str, (status, body): (&str, &str)) {
    let question = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    session.ask(question.as_bytes(), answer.as_bytes());
}

/// One request and its response of `len` bytes.
pub fn fetch(session: &mut Session, host: &str, path: &str, len: usize) {
    session.client_says(&request(host, path));
    session.wait(3 * MILLISECOND);
    let body = session.scene.noise(len);
    session.server_says(&[response_head(len), body].concat());
}
