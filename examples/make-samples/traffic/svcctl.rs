//! A program is copied to another Windows host and started there as a service (MS-SCMR), as PsExec does it.

use super::ntlm::utf16;
use super::smb::{Share, Smb};

/// 367abb81-9844-35f1-ad32-98f038001003, version 2.
const SERVICE_MANAGER: [u8; 20] = [0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10, 3, 2, 0, 0, 0];
/// NDR, version 2 (C706, appendix I).
const NDR: [u8; 20] = [4, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 8, 0, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0];
const FRAGMENT: [u8; 4] = [0xb8, 0x10, 0xb8, 0x10];
const GROUP: [u8; 4] = [0x53, 0xf0, 0, 0];

const REQUEST: u8 = 0;
const RESPONSE: u8 = 2;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;

const CREATE_SERVICE: u8 = 12;
const OPEN_MANAGER: u8 = 15;
const START_SERVICE: u8 = 19;

const POINTER: [u8; 4] = [0, 0, 2, 0];
const NOTHING: [u8; 4] = [0; 4];
const ALL_ACCESS: [u8; 4] = [0x3f, 0, 0xf, 0];

/// Bytes of the program in one message.
const PIECE: usize = 4_096;

pub fn run(smb: &mut Smb<'_, '_>, program: &str, contents: &[u8]) {
    smb.connect("ADMIN$", Share::Disk);
    smb.open(program, Share::Disk);
    for piece in contents.chunks(PIECE) {
        smb.write(piece);
    }
    smb.close();
    smb.connect("IPC$", Share::Pipes);
    smb.open("svcctl", Share::Pipes);
    smb.write(&bind());
    smb.read(&bind_ack());
    let (manager, service) = (handle(1), handle(2));
    call(smb, 2, OPEN_MANAGER, &[&POINTER[..], &text("DC"), &NOTHING, &ALL_ACCESS].concat(), &[&manager[..], &NOTHING].concat());
    let created = [&NOTHING[..], &service, &NOTHING].concat();
    call(smb, 3, CREATE_SERVICE, &creation(&manager, program), &created);
    call(smb, 4, START_SERVICE, &[&service[..], &NOTHING, &NOTHING].concat(), &NOTHING);
    smb.close();
}

fn call(smb: &mut Smb<'_, '_>, id: u8, operation: u8, question: &[u8], answer: &[u8]) {
    let hint = |body: &[u8]| u32::try_from(body.len()).unwrap_or(0).to_le_bytes();
    smb.write(&packet(REQUEST, id, &[&hint(question)[..], &[0, 0, operation, 0], question].concat()));
    smb.read(&packet(RESPONSE, id, &[&hint(answer)[..], &[0; 4], answer].concat()));
}

fn creation(manager: &[u8; 20], program: &str) -> Vec<u8> {
    const OWN_PROCESS: u8 = 0x10;
    const ON_DEMAND: u8 = 3;
    let name = program.trim_end_matches(".exe");
    let kind = [OWN_PROCESS, 0, 0, 0, ON_DEMAND, 0, 0, 0, 0, 0, 0, 0];
    let path = text(&format!("%systemroot%\\{program}"));
    [&manager[..], &text(name), &POINTER, &text(name), &ALL_ACCESS, &kind, &path, &NOTHING.repeat(7)].concat()
}

fn bind() -> Vec<u8> {
    packet(BIND, 1, &[&FRAGMENT[..], &NOTHING, &[1, 0, 0, 0, 0, 0, 1, 0], &SERVICE_MANAGER, &NDR].concat())
}

fn bind_ack() -> Vec<u8> {
    packet(BIND_ACK, 1, &[&FRAGMENT[..], &GROUP, &[13, 0], b"\\PIPE\\svcctl\0\0", &[1, 0, 0, 0, 0, 0, 0, 0], &NDR].concat())
}

/// The common header of connection-oriented RPC (C706, section 12.6.3.1), one fragment.
fn packet(kind: u8, id: u8, body: &[u8]) -> Vec<u8> {
    let [low, high] = u16::try_from(16 + body.len()).unwrap_or(u16::MAX).to_le_bytes();
    [&[5, 0, kind, 3, 0x10, 0, 0, 0, low, high, 0, 0, id, 0, 0, 0], body].concat()
}

/// A string of NDR: room, offset, length, and UTF-16 with its NUL, filled up to four bytes.
fn text(text: &str) -> Vec<u8> {
    let mut units = utf16(text);
    units.extend([0, 0]);
    let count = u32::try_from(units.len() / 2).unwrap_or(0).to_le_bytes();
    units.resize(units.len().next_multiple_of(4), 0);
    [&count[..], &NOTHING, &count, &units].concat()
}

const fn handle(number: u8) -> [u8; 20] {
    let mut handle = [0x5a; 20];
    handle[0] = 0;
    handle[1] = 0;
    handle[2] = 0;
    handle[3] = 0;
    handle[4] = number;
    handle
}
