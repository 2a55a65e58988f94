//! An SSH session (RFC 4253): banners and key exchange in the clear, then keystrokes nobody can read.

use super::tcp::Session;
use crate::time::MILLISECOND;

const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
const ECDH_INIT: u8 = 30;
const ECDH_REPLY: u8 = 31;
/// Packets are padded to this (RFC 4253, section 6).
const BLOCK: usize = 8;

/// Key exchange and a successful login by public key.
pub fn login(session: &mut Session) {
    session.client_says(b"SSH-2.0-OpenSSH_9.6\r\n");
    session.server_says(b"SSH-2.0-OpenSSH_9.6p1 Debian-3\r\n");
    let (client_cookie, server_cookie) = (session.scene.noise(16), session.scene.noise(16));
    session.client_says(&packet(KEXINIT, &kexinit(&client_cookie)));
    session.server_says(&packet(KEXINIT, &kexinit(&server_cookie)));
    let (client_key, host_key, server_key) = (session.scene.noise(32), session.scene.noise(32), session.scene.noise(32));
    let signature = session.scene.noise(64);
    session.client_says(&packet(ECDH_INIT, &string(&client_key)));
    let host = string(&[string(b"ssh-ed25519"), string(&host_key)].concat());
    let signed = string(&[string(b"ssh-ed25519"), string(&signature)].concat());
    let reply = packet(ECDH_REPLY, &[host, string(&server_key), signed].concat());
    session.server_says(&[reply, packet(NEWKEYS, &[])].concat());
    session.client_says(&packet(NEWKEYS, &[]));
    for (asked, answered) in [(44, 44), (68, 52), (500, 28), (112, 500), (36, 180)] {
        exchange(session, asked, answered);
    }
}

/// Somebody types, and reads the output of every tenth key.
pub fn typing(session: &mut Session, keys: usize) {
    for key in 0..keys {
        let pause = session.scene.rng.between(80, 900);
        session.wait(pause * MILLISECOND);
        exchange(session, 36, if key % 10 == 9 { 1_200 } else { 36 });
    }
}

fn exchange(session: &mut Session, asked: usize, answered: usize) {
    let request = session.scene.noise(asked);
    session.client_says(&request);
    let response = session.scene.noise(answered);
    session.server_says(&response);
}

fn kexinit(cookie: &[u8]) -> Vec<u8> {
    let lists = ["curve25519-sha256", "ssh-ed25519", "aes256-ctr", "aes256-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""];
    let names: Vec<u8> = lists.iter().flat_map(|list| string(list.as_bytes())).collect();
    [cookie, &names, &[0; 5]].concat()
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let unpadded = 4 + 1 + 1 + body.len();
    let padding = BLOCK - unpadded % BLOCK;
    let padding = if padding < 4 { padding + BLOCK } else { padding };
    let length = u32::try_from(2 + body.len() + padding).unwrap_or(u32::MAX);
    let padding_length = u8::try_from(padding).unwrap_or(u8::MAX);
    [length.to_be_bytes().as_slice(), &[padding_length, kind], body, &vec![0; padding]].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), bytes].concat()
}
