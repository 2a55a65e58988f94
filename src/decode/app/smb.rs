//! SMB over TCP, all versions: who logged in, and who used the shares and pipes by which Windows is administered.
//!
//! Joins requests and answers; what stands where in a message is [`smb1`](super::smb1)'s and
//! [`smb2`](super::smb2)'s business. Contents of files are never looked at.

use super::framed::{Frame, Framed};
use super::identify::Recognised;
use super::{Administration, Dialogue, End, Fact, Interest, Login, LoginOutcome, Moment, Segment, smb1, smb2};

/// What one message says, whatever the version.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Request { id: u64, tree: u64, wish: Wish },
    Response { id: u64, tree: u64, status: u32, login: Option<Session> },
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The user, where the request names one: not while NTLM is being negotiated, nor with a Kerberos ticket. An
    /// empty one is anonymous.
    Login(Option<String>),
    /// A share by its path.
    Tree(String),
    /// A file or pipe by its name.
    Open(String),
}

/// What sort of session a server grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    Named,
    /// Guest or anonymous: nobody has proved who he is.
    Nobody,
}

/// NTSTATUS values (MS-ERREF section 2.3.1).
pub(super) const SUCCESS: u32 = 0;
const PENDING: u32 = 0x0000_0103;
pub(super) const LOGON_FAILURE: u32 = 0xc000_006d;
/// NO_SUCH_USER, WRONG_PASSWORD, LOGON_FAILURE, ACCOUNT_RESTRICTION, INVALID_LOGON_HOURS, INVALID_WORKSTATION,
/// PASSWORD_EXPIRED, ACCOUNT_DISABLED, LOGON_TYPE_NOT_GRANTED, ACCOUNT_EXPIRED, PASSWORD_MUST_CHANGE,
/// ACCOUNT_LOCKED_OUT.
const REFUSED: [u32; 12] = [
    0xc000_0064,
    0xc000_006a,
    LOGON_FAILURE,
    0xc000_006e,
    0xc000_006f,
    0xc000_0070,
    0xc000_0071,
    0xc000_0072,
    0xc000_015b,
    0xc000_0193,
    0xc000_0224,
    0xc000_0234,
];

/// Pipes through which services, tasks, registry and accounts of another machine are changed.
const PIPES: [&str; 6] = ["svcctl", "atsvc", "itaskscheduler", "winreg", "samr", "epmapper"];

/// Most requests without an answer, and most administrative shares, that are remembered.
const MOST_OPEN: usize = 64;

/// A request that waits for its answer.
#[derive(Debug)]
enum Awaited {
    Login(Option<String>),
    Tree(Option<String>),
    Open(String),
}

#[derive(Debug, Default)]
struct Smb {
    client: Framed,
    server: Framed,
    awaited: Vec<(u64, Awaited)>,
    /// Shares that stand for a disk of the system.
    disks: Vec<u64>,
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::<Smb>::default()
}

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    match (first_message(client), first_message(server)) {
        (Recognised::No, _) | (_, Recognised::No) => Recognised::No,
        (Recognised::Yes, _) | (_, Recognised::Yes) => Recognised::Yes,
        _ => Recognised::Maybe,
    }
}

/// Whether the bytes begin with NetBIOS session messages (RFC 1002 section 4.3.1) of which one holds SMB.
fn first_message(bytes: &[u8]) -> Recognised {
    match bytes {
        [] | [0] | [0, _] | [0, _, _] | [0, _, _, _] => Recognised::Maybe,
        [0, _, _, _, message @ ..] if is_smb(message) => Recognised::Yes,
        [0, _, _, _, message @ ..] if message.len() < 4 && b"SMB".starts_with(message.get(1..).unwrap_or_default()) => Recognised::Maybe,
        // A session request names two hosts of 34 encoded bytes each; a positive answer has no body.
        [0x81, 0, 0, 68, 32, name, ..] if (b'A'..=b'P').contains(name) => Recognised::Yes,
        [0x82, 0, 0, 0, rest @ ..] => first_message(rest),
        [0x81 | 0x82, rest @ ..] if rest.len() < 5 && rest.iter().zip([0, 0, 68, 32]).all(|(byte, expected)| *byte == 0 || *byte == expected) => {
            Recognised::Maybe
        }
        _ => Recognised::No,
    }
}

/// Plain (SMB 1, SMB 2 and 3), encrypted or compressed.
fn is_smb(message: &[u8]) -> bool {
    matches!(message, [0xfc..=0xff, b'S', b'M', b'B', ..])
}

fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [0, _, _, _, message @ ..] if is_smb(message))
}

const FRAME_HEADER: usize = 4;

fn frame(bytes: &[u8]) -> Frame {
    let Some(([kind, length @ ..], message)) = bytes.split_first_chunk::<FRAME_HEADER>() else { return Frame::Need(FRAME_HEADER) };
    let body = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let length = FRAME_HEADER + body;
    let head = smb2::HEADER.min(body);
    match message {
        _ if (0x81..=0x85).contains(kind) => Frame::Skip(length),
        _ if *kind != 0 => Frame::Broken,
        _ if message.len() < head => Frame::Need(FRAME_HEADER + head),
        [0xff, b'S', b'M', b'B', command, ..] if smb1::is_wanted(*command) => Frame::wanted(bytes.len(), length),
        [0xfe, b'S', b'M', b'B', ..] if smb2::is_wanted(message) => Frame::wanted(bytes.len(), length),
        _ if is_smb(message) => Frame::Skip(length),
        _ => Frame::Broken,
    }
}

impl Dialogue for Smb {
    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let mut said = Vec::new();
        let stream = match segment.from {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        };
        stream.take(segment, begins, frame, |bytes| match bytes.get(FRAME_HEADER..) {
            Some(message @ [0xff, ..]) => said.extend(smb1::read(message)),
            Some(message) => said.extend(smb2::read(message)),
            None => {}
        });
        for one in said {
            match (one, segment.from) {
                (Said::Request { id, tree, wish }, End::Client) => self.request(id, tree, wish),
                (Said::Response { id, tree, status, login }, End::Server) => self.response(id, tree, status, login, segment.at, facts),
                _ => {}
            }
        }
        Interest::Both
    }
}

impl Smb {
    fn request(&mut self, id: u64, tree: u64, wish: Wish) {
        let awaited = match wish {
            Wish::Login(user) => Awaited::Login(user),
            Wish::Tree(path) => Awaited::Tree(administrative_share(&path)),
            Wish::Open(name) => match administrative_file(&name, self.disks.contains(&tree)) {
                Some(what) => Awaited::Open(what),
                None => return,
            },
        };
        if self.awaited.len() == MOST_OPEN {
            self.awaited.remove(0);
        }
        self.awaited.push((id, awaited));
    }

    fn response(&mut self, id: u64, tree: u64, status: u32, login: Option<Session>, at: Moment, facts: &mut Vec<Fact>) {
        if status == PENDING {
            return;
        }
        let mut answered = false;
        while let Some(at_index) = self.awaited.iter().position(|(asked, _)| *asked == id) {
            match self.awaited.remove(at_index).1 {
                Awaited::Login(user) => {
                    answered = true;
                    facts.extend(logged_in(user, status, login, at));
                }
                Awaited::Tree(what) if status == SUCCESS => self.connected(tree, what, at, facts),
                Awaited::Open(what) if status == SUCCESS => facts.push(Fact::Administration(Administration { what, at })),
                Awaited::Tree(_) | Awaited::Open(_) => {}
            }
        }
        // Where only the server was captured, a refusal is still one.
        if !answered && login.is_some() && REFUSED.contains(&status) {
            facts.extend(logged_in(None, status, login, at));
        }
    }

    fn connected(&mut self, tree: u64, what: Option<String>, at: Moment, facts: &mut Vec<Fact>) {
        self.disks.retain(|disk| *disk != tree);
        let Some(what) = what else { return };
        if what != "ipc$" {
            if self.disks.len() == MOST_OPEN {
                self.disks.remove(0);
            }
            self.disks.push(tree);
        }
        facts.push(Fact::Administration(Administration { what, at }));
    }
}

fn logged_in(user: Option<String>, status: u32, session: Option<Session>, at: Moment) -> Option<Fact> {
    let anonymous = user.as_ref().is_some_and(String::is_empty);
    let outcome = match status {
        _ if anonymous => return None,
        SUCCESS if session == Some(Session::Named) => LoginOutcome::Succeeded,
        _ if REFUSED.contains(&status) => LoginOutcome::Failed,
        _ => return None,
    };
    Some(Fact::Login(Login { user: user.unwrap_or_default(), outcome, certain: true, at }))
}

/// `admin$`, `ipc$` or a drive (`c$`), where the path `\\server\share` ends in one.
fn administrative_share(path: &str) -> Option<String> {
    let share = path.rsplit('\\').next()?.to_ascii_lowercase();
    let is_drive = matches!(share.as_bytes(), [b'a'..=b'z', b'$']);
    (is_drive || share == "admin$" || share == "ipc$").then_some(share)
}

/// The pipe by its name, or `exe` for a program on a disk of the system.
fn administrative_file(name: &str, on_disk: bool) -> Option<String> {
    let name = name.to_ascii_lowercase();
    if on_disk {
        return name.ends_with(".exe").then(|| "exe".to_owned());
    }
    let name = name.trim_start_matches('\\');
    let pipe = name.strip_prefix("pipe\\").unwrap_or(name);
    PIPES.contains(&pipe).then(|| pipe.to_owned())
}

#[cfg(test)]
mod tests;
