//! SMB 2.1 (MS-SMB2): logins, shares, files and pipes.

use super::ntlm::{self, utf16};
use super::tcp::Session;
use crate::time::MILLISECOND;

const NEGOTIATE: u8 = 0;
const SESSION_SETUP: u8 = 1;
const TREE_CONNECT: u8 = 3;
const CREATE: u8 = 5;
const CLOSE: u8 = 6;
const READ: u8 = 8;
const WRITE: u8 = 9;

const SUCCESS: u32 = 0;
const MORE_PROCESSING: u32 = 0xc000_0016;
const LOGON_FAILURE: u32 = 0xc000_006d;

const HEADER: usize = 64;
const DIALECT: [u8; 2] = [0x10, 2];
const FILE_TIME: [u8; 8] = [0, 0x80, 0x3e, 0xd5, 0xde, 0xb1, 0xda, 1];
const BIGGEST_TRANSFER: [u8; 4] = [0, 0, 0x10, 0];
const EVERYTHING: [u8; 4] = [0xff, 1, 0x1f, 0];
const READ_AND_WRITE: [u8; 4] = [0x9f, 1, 0x12, 0];
const OVERWRITE: u8 = 5;
const OPEN: u8 = 1;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Share {
    Disk,
    Pipes,
}

/// One client's conversation with one server.
pub struct Smb<'s, 'a> {
    session: &'s mut Session<'a>,
    server: &'s str,
    message: u64,
    /// The session and the share, once the server has given them numbers.
    login: u64,
    tree: u32,
    file: [u8; 16],
    written: u64,
}

impl<'s, 'a> Smb<'s, 'a> {
    /// The dialect is agreed upon.
    pub fn negotiate(session: &'s mut Session<'a>, server: &'s str) -> Self {
        let mut smb = Self { session, server, message: 0, login: 0, tree: 0, file: [0; 16], written: 0 };
        let guid = smb.session.scene.noise(16);
        let request = [&[36, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0], guid.as_slice(), &[0; 8], &[2, 2], &DIALECT].concat();
        let offer = ntlm::offer();
        let guid = smb.session.scene.noise(16);
        let limits = BIGGEST_TRANSFER.repeat(3);
        let place = place(HEADER + 64, offer.len());
        let head = [&[65, 0, 1, 0], &DIALECT[..], &[0, 0], &guid, &[7, 0, 0, 0], &limits, &FILE_TIME, &[0; 8], &place, &[0; 4]].concat();
        smb.exchange(NEGOTIATE, &request, SUCCESS, &[head, offer].concat());
        smb
    }

    /// A login that the server refuses.
    pub fn fail(&mut self, user: &str) {
        self.log_in(user, LOGON_FAILURE, &[9, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    pub fn succeed(&mut self, user: &str) {
        let token = ntlm::accepted();
        let answer = [&[9, 0, 0, 0], place(HEADER + 8, token.len()).as_slice(), &token].concat();
        self.log_in(user, SUCCESS, &answer);
    }

    fn log_in(&mut self, user: &str, status: u32, answer: &[u8]) {
        let request = |token: &[u8]| {
            let place = place(HEADER + 24, token.len());
            [&[25, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0], place.as_slice(), &[0; 8], token].concat()
        };
        let asked = request(&ntlm::negotiate());
        let challenge = ntlm::challenge(self.session.scene, self.server);
        let challenged = [&[9, 0, 0, 0], place(HEADER + 8, challenge.len()).as_slice(), &challenge].concat();
        self.exchange_as(0, SESSION_SETUP, &asked, MORE_PROCESSING, &challenged);
        let token = ntlm::authenticate(self.session.scene, user, self.server);
        self.exchange(SESSION_SETUP, &request(&token), status, answer);
    }

    /// Opens a share such as `ADMIN$`.
    pub fn connect(&mut self, name: &str, share: Share) {
        let path = utf16(&format!("\\\\{}\\{name}", self.server));
        let request = [&[9, 0, 0, 0], place(HEADER + 8, path.len()).as_slice(), &path].concat();
        let kind = if share == Share::Disk { 1 } else { 2 };
        let tree = self.tree + 1;
        self.tree = 0;
        self.exchange_in(tree, TREE_CONNECT, &request, &[&[16, 0, kind, 0], [0; 8].as_slice(), &EVERYTHING].concat());
        self.tree = tree;
    }

    /// Opens a pipe, or writes a file anew.
    pub fn open(&mut self, name: &str, share: Share) {
        let (access, disposition) = if share == Share::Disk { (EVERYTHING, OVERWRITE) } else { (READ_AND_WRITE, OPEN) };
        let name = utf16(name);
        let before = [&[57, 0, 0, 0, 2, 0, 0, 0], [0; 16].as_slice(), &access, &[0x80, 0, 0, 0, 3, 0, 0, 0, disposition, 0, 0, 0]].concat();
        let after = [&[0x40, 0, 0, 0], place(HEADER + 56, name.len()).as_slice(), &[0; 8], &name].concat();
        let file = self.session.scene.noise(16);
        self.file.copy_from_slice(&file);
        self.written = 0;
        let times = FILE_TIME.repeat(4);
        let answer = [&[89, 0, 0, 0, 1, 0, 0, 0], times.as_slice(), &[0; 16], &[0x80, 0, 0, 0, 0, 0, 0, 0], &file, &[0; 8]].concat();
        self.exchange(CREATE, &[before, after].concat(), SUCCESS, &answer);
    }

    pub fn write(&mut self, data: &[u8]) {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
        let offset = self.written.to_le_bytes();
        let request = [&[49, 0, 112, 0], length.as_slice(), &offset, &self.file, &[0; 16], data].concat();
        self.written += data.len() as u64;
        self.exchange(WRITE, &request, SUCCESS, &[&[17, 0, 0, 0], length.as_slice(), &[0; 8]].concat());
    }

    /// Reads from a pipe what came back.
    pub fn read(&mut self, data: &[u8]) {
        let request = [&[49, 0, 80, 0, 0, 4, 0, 0], [0; 8].as_slice(), &self.file, &[0; 17]].concat();
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.exchange(READ, &request, SUCCESS, &[&[17, 0, 80, 0], length.as_slice(), &[0; 8], data].concat());
    }

    pub fn close(&mut self) {
        let request = [&[24, 0, 0, 0, 0, 0, 0, 0], self.file.as_slice()].concat();
        self.exchange(CLOSE, &request, SUCCESS, &[&[60, 0], [0; 58].as_slice()].concat());
    }

    fn exchange(&mut self, command: u8, request: &[u8], status: u32, answer: &[u8]) {
        self.exchange_as(self.login, command, request, status, answer);
    }

    /// The server names the session in its first answer.
    fn exchange_as(&mut self, login: u64, command: u8, request: &[u8], status: u32, answer: &[u8]) {
        let question = self.framed(command, (login, self.tree), None, request);
        if command == SESSION_SETUP && login == 0 {
            self.login = 0x4000_0000_0001 + (self.session.scene.rng.next_u64() & 0xffff_fff0);
        }
        let answer = self.framed(command, (self.login, self.tree), Some(status), answer);
        self.told(&question, &answer);
    }

    /// The server names the share in its answer.
    fn exchange_in(&mut self, tree: u32, command: u8, request: &[u8], answer: &[u8]) {
        let question = self.framed(command, (self.login, 0), None, request);
        let answer = self.framed(command, (self.login, tree), Some(SUCCESS), answer);
        self.told(&question, &answer);
    }

    fn told(&mut self, question: &[u8], answer: &[u8]) {
        self.session.client_says(question);
        self.session.wait(MILLISECOND);
        self.session.server_says(answer);
        self.message += 1;
    }

    /// A message in its NetBIOS frame; an answer has a status.
    fn framed(&self, command: u8, (login, tree): (u64, u32), status: Option<u32>, body: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(HEADER + body.len()).unwrap_or(0).to_be_bytes().to_vec();
        out.extend(b"\xfeSMB");
        out.extend([64, 0, 1, 0]);
        out.extend(status.unwrap_or(SUCCESS).to_le_bytes());
        out.extend([command, 0, 1, 0, u8::from(status.is_some()), 0, 0, 0, 0, 0, 0, 0]);
        out.extend(self.message.to_le_bytes());
        out.extend([0xff, 0xfe, 0, 0]);
        out.extend(tree.to_le_bytes());
        out.extend(login.to_le_bytes());
        out.extend([0; 16]);
        out.extend_from_slice(body);
        out
    }
}

/// Where in the message a value begins, and its length.
fn place(offset: usize, len: usize) -> [u8; 4] {
    let [a, b] = u16::try_from(offset).unwrap_or(u16::MAX).to_le_bytes();
    let [c, d] = u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
    [a, b, c, d]
}
