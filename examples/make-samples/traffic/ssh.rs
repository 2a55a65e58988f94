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

/// A tool tries one password and is refused: the segments that libssh2 and OpenSSH exchange, with the lengths they have
/// where AES has blocks of 16 bytes and the code of a message 20.
pub fn guess(session: &mut Session) {
    ask_for_login(session);
    session.wait(1_800 * MILLISECOND);
    exchange(session, PASSWORD, FAILURE);
}

/// The same, but the password is right; the tool runs a command and leaves.
pub fn guess_right(session: &mut Session) {
    ask_for_login(session);
    session.wait(90 * MILLISECOND);
    // Success; a channel, a command, its output.
    for (asked, answered) in [(PASSWORD, ACCEPT - 16), (68, 52), (84, 36), (52, 1_300), (36, 640), (84, 900), (36, 120)] {
        exchange(session, asked, answered);
    }
    typing(session, 24);
}

/// A server that has too many clients which have not logged in.
pub fn turned_away(session: &mut Session) {
    session.server_says(b"Exceeded MaxStartups\r\n");
}

const ACCEPT: usize = 52;
const FAILURE: usize = 52;
const PASSWORD: usize = 84;
/// The key exchange message of each side, and the server's reply without NEWKEYS and what follows it.
const TOOL_KEXINIT: usize = 1_520;
const SERVER_KEXINIT: usize = 1_120;
const REPLY: usize = 264;
/// The server lists its signature algorithms (RFC 8308), encrypted already.
const EXTENSIONS: usize = 292;

const TOOL_CIPHERS: &str = "aes256-ctr,aes192-ctr,aes128-ctr,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-cbc,\
    rijndael-cbc@lysator.liu.se,aes192-cbc,aes128-cbc,blowfish-cbc,arcfour128,arcfour,cast128-cbc,3des-cbc";
const TOOL_CODES: &str = "hmac-sha1,hmac-sha2-256,hmac-sha2-512,hmac-sha1-96,hmac-md5,hmac-md5-96,hmac-ripemd160,\
    hmac-ripemd160@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com";
const SERVER_CIPHERS: &str = "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com";
const SERVER_CODES: &str = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
    hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1";
const HOST_KEYS: &str = "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519";
const EXCHANGES: &str = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,\
    ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group14-sha256";

const TOOL_HOST_KEYS: &str = "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,ecdsa-sha2-nistp256-cert-v01@openssh.com,\
    ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,ssh-ed25519,rsa-sha2-512,rsa-sha2-256,ssh-rsa";
const TOOL_EXCHANGES: &str = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,\
    ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,\
    diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1,diffie-hellman-group-exchange-sha1";

/// From the greeting to the service request that is accepted.
fn ask_for_login(session: &mut Session) {
    session.client_says(b"SSH-2.0-libssh2_1.10.0\r\n");
    session.server_says(b"SSH-2.0-OpenSSH_6.6.1p1 Ubuntu-2ubuntu2.8\r\n");
    let (client_cookie, server_cookie) = (session.scene.noise(16), session.scene.noise(16));
    let server_lists = [EXCHANGES, HOST_KEYS, SERVER_CIPHERS, SERVER_CIPHERS, SERVER_CODES, SERVER_CODES, "none", "none", "", ""];
    session.server_says(&sized(KEXINIT, &lists(&server_cookie, &server_lists), SERVER_KEXINIT));
    let tool_lists = [TOOL_EXCHANGES, TOOL_HOST_KEYS, TOOL_CIPHERS, TOOL_CIPHERS, TOOL_CODES, TOOL_CODES, "none", "none", "", ""];
    session.client_says(&sized(KEXINIT, &lists(&client_cookie, &tool_lists), TOOL_KEXINIT));
    let client_key = session.scene.noise(32);
    session.client_says(&packet(ECDH_INIT, &string(&client_key)));
    let (server_key, [r, s]) = (session.scene.noise(32), [session.scene.noise(31), session.scene.noise(31)]);
    // Two positive numbers (RFC 5656, section 3.1.2), the first with a zero before its highest bit.
    let signature = [string(&[&[0, 0x9c], r.as_slice()].concat()), string(&[&[0x35], s.as_slice()].concat())].concat();
    // An uncompressed point begins with 4.
    let point = [vec![4], session.scene.noise(64)].concat();
    let host = string(&[string(b"ecdsa-sha2-nistp256"), string(b"nistp256"), string(&point)].concat());
    let signed = string(&[string(b"ecdsa-sha2-nistp256"), string(&signature)].concat());
    let reply = sized(ECDH_REPLY, &[host, string(&server_key), signed].concat(), REPLY);
    let extensions = session.scene.noise(EXTENSIONS);
    session.server_says(&[reply, packet(NEWKEYS, &[]), extensions].concat());
    let service = session.scene.noise(52);
    session.client_says(&[packet(NEWKEYS, &[]), service].concat());
    let accepted = session.scene.noise(ACCEPT);
    session.server_says(&accepted);
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
    lists(
        cookie,
        &["curve25519-sha256", "ssh-ed25519", "aes256-ctr", "aes256-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""],
    )
}

/// What one side can do, for each step the best first (RFC 4253, section 7.1).
fn lists(cookie: &[u8], lists: &[&str; 10]) -> Vec<u8> {
    let names: Vec<u8> = lists.iter().flat_map(|list| string(list.as_bytes())).collect();
    [cookie, &names, &[0; 5]].concat()
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let unpadded = HEAD + body.len();
    let padding = BLOCK - unpadded % BLOCK;
    let padding = if padding < 4 { padding + BLOCK } else { padding };
    sized(kind, body, unpadded + padding)
}

/// Length, padding length, code of the message.
const HEAD: usize = 4 + 1 + 1;

/// A packet of `size` bytes; up to 255 of them may be padding.
fn sized(kind: u8, body: &[u8], size: usize) -> Vec<u8> {
    let padding = size - HEAD - body.len();
    let length = u32::try_from(2 + body.len() + padding).unwrap_or(u32::MAX);
    debug_assert!(padding <= 255, "more padding than a packet can have");
    let padding_length = u8::try_from(padding).unwrap_or(u8::MAX);
    [length.to_be_bytes().as_slice(), &[padding_length, kind], body, &vec![0; padding]].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), bytes].concat()
}
