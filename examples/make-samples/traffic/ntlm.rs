//! NTLM (MS-NLMP) inside SPNEGO (RFC 4178), as Windows logs in over the network.

use crate::scene::Scene;

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// Unicode, NTLM, extended session security, target information, version, 128 and 56 bits, key exchange.
const FLAGS: [u8; 4] = [0x15, 0x82, 0x88, 0xe2];
/// Windows 10, revision 15 of NTLMSSP.
const VERSION: [u8; 8] = [10, 0, 0x61, 0x4a, 0, 0, 0, 15];
const SPNEGO: &[u8] = &[0x2b, 6, 1, 5, 5, 2];
const NTLMSSP: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10];
const MORE: u8 = 1;
const DONE: u8 = 0;

const DOMAIN: &str = "EXAMPLE";

/// What a server offers before anybody has asked.
pub fn offer() -> Vec<u8> {
    initial(&[])
}

pub fn negotiate() -> Vec<u8> {
    let nothing = [0; 16];
    initial(&tagged(0xa2, &tagged(4, &[SIGNATURE, &[1, 0, 0, 0], &FLAGS, &nothing, &VERSION].concat())))
}

pub fn challenge(scene: &mut Scene, server: &str) -> Vec<u8> {
    const PAYLOAD: usize = 56;
    let (name, information) = (utf16(DOMAIN), information(server));
    let nonce = scene.noise(8);
    let fields = [field(name.len(), PAYLOAD), FLAGS.to_vec(), nonce, vec![0; 8], field(information.len(), PAYLOAD + name.len())].concat();
    let message = [SIGNATURE, &[2, 0, 0, 0], &fields, &VERSION, &name, &information].concat();
    let parts = [tagged(0xa0, &tagged(10, &[MORE])), tagged(0xa1, &tagged(6, NTLMSSP)), tagged(0xa2, &tagged(4, &message))];
    tagged(0xa1, &tagged(0x30, &parts.concat()))
}

/// The answer of a client; the response to the challenge is noise, as it is to whoever has no password.
pub fn authenticate(scene: &mut Scene, user: &str, server: &str) -> Vec<u8> {
    const PAYLOAD: usize = 72;
    let proof = scene.noise(16);
    let (time, nonce) = (scene.noise(6), scene.noise(8));
    let blob = [&[1, 1, 0, 0, 0, 0, 0, 0][..], &time, &[0xda, 1], &nonce, &[0; 4], &information(server), &[0; 4]].concat();
    let values = [utf16(DOMAIN), utf16(user), utf16("DESK"), vec![0; 24], [proof, blob].concat(), scene.noise(16)];
    let mut at = PAYLOAD;
    let fields: Vec<Vec<u8>> = values
        .iter()
        .map(|value| {
            at += value.len();
            field(value.len(), at - value.len())
        })
        .collect();
    let [domain, user, workstation, lm, nt, key] = &fields[..] else { return Vec::new() };
    let head = [SIGNATURE, &[3, 0, 0, 0], lm, nt, domain, user, workstation, key, &FLAGS, &VERSION].concat();
    tagged(0xa1, &tagged(0x30, &tagged(0xa2, &tagged(4, &[head, values.concat()].concat()))))
}

pub fn accepted() -> Vec<u8> {
    tagged(0xa1, &tagged(0x30, &tagged(0xa0, &tagged(10, &[DONE]))))
}

pub fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn initial(token: &[u8]) -> Vec<u8> {
    let mechanisms = tagged(0xa0, &tagged(0x30, &tagged(6, NTLMSSP)));
    let inner = tagged(0xa0, &tagged(0x30, &[mechanisms.as_slice(), token].concat()));
    tagged(0x60, &[tagged(6, SPNEGO), inner].concat())
}

/// Names of domain and server, as attribute-value pairs (section 2.2.2.1).
fn information(server: &str) -> Vec<u8> {
    let pair = |id: u8, value: &str| {
        let value = utf16(value);
        [vec![id, 0], length(value.len()).to_vec(), value].concat()
    };
    [pair(2, DOMAIN), pair(1, server), vec![0; 4]].concat()
}

/// Length, room and place of a value.
fn field(len: usize, at: usize) -> Vec<u8> {
    [length(len), length(len), length(at), [0; 2]].concat()
}

fn length(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes()
}

/// One element of DER (X.690, section 8.1).
fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = match (high, low) {
        (0, 0..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head.as_slice(), body].concat()
}
