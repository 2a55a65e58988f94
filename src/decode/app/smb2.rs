//! Messages of SMB 2 and 3 (MS-SMB2): session setup, tree connect, create.
//!
//! Knows where things stand in a message, and nothing of what was said before.

use super::ntlm::{self, u16_at, u32_at};
use super::smb::{Said, Session, Wish};
use crate::net::mix;

/// Length of a header (section 2.2.1).
pub(super) const HEADER: usize = 64;

const SESSION_SETUP: u16 = 1;
const TREE_CONNECT: u16 = 3;
const CREATE: u16 = 5;

const FROM_SERVER: u32 = 1;
const IS_GUEST_OR_NULL: u16 = 3;

/// Most messages that are read of one compound.
const MOST_COMPOUND: usize = 16;

/// Judges the header: a command that is read, or one that others may follow.
pub(super) fn is_wanted(message: &[u8]) -> bool {
    u16_at(message, 12).is_some_and(|command| matches!(command, SESSION_SETUP | TREE_CONNECT | CREATE)) || next(message).is_some()
}

fn next(message: &[u8]) -> Option<usize> {
    let next = usize::try_from(u32_at(message, 20)?).ok()?;
    (next >= HEADER).then_some(next)
}

/// What a message, and those compounded with it, say.
pub(super) fn read(message: &[u8]) -> Vec<Said> {
    let mut said = Vec::new();
    let mut rest = Some(message);
    for _ in 0..MOST_COMPOUND {
        let Some(message) = rest else { break };
        said.extend(one(message));
        rest = next(message).and_then(|next| message.get(next..));
    }
    said
}

fn one(message: &[u8]) -> Option<Said> {
    let command = u16_at(message, 12)?;
    let id = u64_at(message, 24)?;
    let tree = mix(u64_at(message, 40)?, u64::from(u32_at(message, 36)?));
    if u32_at(message, 16)? & FROM_SERVER != 0 {
        let login = (command == SESSION_SETUP).then(|| session(message));
        let known = matches!(command, SESSION_SETUP | TREE_CONNECT | CREATE);
        return known.then_some(Said::Response { id, tree, status: u32_at(message, 8)?, login });
    }
    let wish = match command {
        SESSION_SETUP => Wish::Login(ntlm::user(message)),
        TREE_CONNECT => Wish::Tree(text(message, HEADER + 4)?),
        CREATE => Wish::Open(text(message, HEADER + 44)?),
        _ => return None,
    };
    Some(Said::Request { id, tree, wish })
}

fn session(response: &[u8]) -> Session {
    match u16_at(response, HEADER + 2) {
        Some(flags) if flags & IS_GUEST_OR_NULL == 0 => Session::Named,
        _ => Session::Nobody,
    }
}

/// Text that an offset and a length at `at` point to.
fn text(message: &[u8], at: usize) -> Option<String> {
    let offset = usize::from(u16_at(message, at)?);
    let length = usize::from(u16_at(message, at + 2)?);
    message.get(offset..offset + length).map(|text| ntlm::text(text, true))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}
