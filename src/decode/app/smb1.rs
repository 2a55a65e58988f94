//! Messages of SMB 1 (MS-CIFS, MS-SMB): session setup, tree connect, create, with what is chained to them.
//!
//! Knows where things stand in a message, and nothing of what was said before.

use super::ntlm::{self, u16_at, u32_at};
use super::smb::{LOGON_FAILURE, Said, Session, Wish};

/// Length of a header (MS-CIFS section 2.2.3.1); a block of words and a block of bytes follow.
const HEADER: usize = 32;

const SESSION_SETUP: u8 = 0x73;
const TREE_CONNECT: u8 = 0x75;
const CREATE: u8 = 0xa2;

const IS_REPLY: u8 = 0x80;
const IS_UNICODE: u16 = 0x8000;
const IS_NT_STATUS: u16 = 0x4000;
const IS_GUEST: u16 = 1;

/// Class ERRSRV, code `ERRbadpw`, as one number.
const BAD_PASSWORD: u32 = 0x0002_0002;
/// A session setup that carries a security token has 12 words, one with user and password 13.
const WORDS_WITH_TOKEN: u8 = 12;
/// Most commands that are read of one chain.
const MOST_CHAINED: usize = 4;

pub(super) fn is_wanted(command: u8) -> bool {
    matches!(command, SESSION_SETUP | TREE_CONNECT | CREATE)
}

/// What a message, with the commands chained to it, says.
pub(super) fn read(message: &[u8]) -> Vec<Said> {
    if message.get(9).is_some_and(|flags| flags & IS_REPLY != 0) { response(message).into_iter().collect() } else { requests(message) }
}

fn id(message: &[u8]) -> Option<u64> {
    Some(u64::from(u16_at(message, 26)?) << 16 | u64::from(u16_at(message, 30)?))
}

fn tree(message: &[u8]) -> Option<u64> {
    u16_at(message, 24).map(u64::from)
}

fn response(message: &[u8]) -> Option<Said> {
    let status = match u32_at(message, 5)? {
        BAD_PASSWORD if u16_at(message, 10)? & IS_NT_STATUS == 0 => LOGON_FAILURE,
        status => status,
    };
    let login = (*message.get(4)? == SESSION_SETUP).then(|| match u16_at(message, HEADER + 5) {
        Some(action) if action & IS_GUEST == 0 => Session::Named,
        _ => Session::Nobody,
    });
    Some(Said::Response { id: id(message)?, tree: tree(message)?, status, login })
}

fn requests(message: &[u8]) -> Vec<Said> {
    let mut said = Vec::new();
    let mut next = message.get(4).map(|command| (*command, HEADER));
    for _ in 0..MOST_CHAINED {
        let Some((command, block)) = next else { break };
        said.extend(request(message, command, block));
        next = chained(message, block).filter(|(command, later)| is_wanted(*command) && *later > block);
    }
    said
}

/// The command that follows a block, and where its block begins.
fn chained(message: &[u8], block: usize) -> Option<(u8, usize)> {
    Some((*message.get(block + 1)?, usize::from(u16_at(message, block + 3)?)))
}

fn request(message: &[u8], command: u8, block: usize) -> Option<Said> {
    let words = *message.get(block)?;
    let word = |at| u16_at(message, block + 1 + at).map(usize::from);
    let data = block + 1 + usize::from(words) * 2 + 2;
    let wish = match command {
        SESSION_SETUP if words == WORDS_WITH_TOKEN => Wish::Login(ntlm::user(message)),
        SESSION_SETUP => {
            let (user, domain_at) = text(message, data + word(14)? + word(16)?)?;
            let domain = text(message, domain_at).map(|(domain, _)| domain).unwrap_or_default();
            Wish::Login(Some(ntlm::qualified(&domain, &user)))
        }
        TREE_CONNECT => Wish::Tree(text(message, data + word(6)?)?.0),
        CREATE => Wish::Open(text(message, data)?.0),
        _ => return None,
    };
    Some(Said::Request { id: id(message)?, tree: tree(message)?, wish })
}

/// Text that ends with NUL, and where the next begins. UTF-16 begins at an even distance from the header.
fn text(message: &[u8], at: usize) -> Option<(String, usize)> {
    let unicode = u16_at(message, 10)? & IS_UNICODE != 0;
    let width = if unicode { 2 } else { 1 };
    let start = at.next_multiple_of(width);
    let bytes = message.get(start..)?;
    let length = bytes.chunks_exact(width).take_while(|unit| unit.iter().any(|byte| *byte != 0)).count() * width;
    Some((ntlm::text(bytes.get(..length)?, unicode), start + length + width))
}
