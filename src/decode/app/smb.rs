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
        [0x81 | 0x82, rest @ ..]
            if rest.len() < 5 && rest.iter().zip([0, 0, 68, 32]).all(|(byte, expected)| *byte == 0 || *byte == expected) =>
        {
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
    fn held(&self) -> usize {
        self.client.held() + self.server.held()
    }

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

/// That a user whom the request does not name got in, his ticket has told before.
fn logged_in(user: Option<String>, status: u32, session: Option<Session>, at: Moment) -> Option<Fact> {
    let anonymous = user.as_ref().is_some_and(String::is_empty);
    let outcome = match status {
        _ if anonymous => return None,
        SUCCESS if session == Some(Session::Named) && user.is_some() => LoginOutcome::Succeeded,
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
        return name.rsplit_once('.').filter(|(_, extension)| *extension == "exe").map(|(_, extension)| extension.to_owned());
    }
    let name = name.trim_start_matches('\\');
    let pipe = name.strip_prefix("pipe\\").unwrap_or(name);
    PIPES.contains(&pipe).then(|| pipe.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::ntlm;

    const TREE: u32 = 5;

    fn netbios(message: &[u8]) -> Vec<u8> {
        [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
    }

    /// A message of SMB 2 with its header as MS-SMB2 section 2.2.1.2 lays it out.
    fn smb2(command: u8, id: u8, status: u32, reply: bool, body: &[u8]) -> Vec<u8> {
        let mut header = [0_u8; 64];
        header[..4].copy_from_slice(b"\xfeSMB");
        header[4] = 64;
        header[8..12].copy_from_slice(&status.to_le_bytes());
        header[12] = command;
        header[16] = u8::from(reply);
        header[24] = id;
        header[36..40].copy_from_slice(&TREE.to_le_bytes());
        netbios(&[&header[..], body].concat())
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn tree_connect(id: u8, path: &str) -> Vec<u8> {
        let path = utf16(path);
        smb2(3, id, 0, false, &[&[9, 0, 0, 0, 72, 0, u8::try_from(path.len()).unwrap(), 0][..], &path].concat())
    }

    fn create(id: u8, name: &str) -> Vec<u8> {
        let name = utf16(name);
        smb2(5, id, 0, false, &[&[0; 44][..], &[120, 0, u8::try_from(name.len()).unwrap(), 0, 0, 0, 0, 0, 0, 0, 0, 0], &name].concat())
    }

    fn setup(id: u8, domain: &str, user: &str) -> Vec<u8> {
        smb2(1, id, 0, false, &[&[0; 24][..], &ntlm::authenticate(domain, user)].concat())
    }

    fn reply(command: u8, id: u8, status: u32) -> Vec<u8> {
        smb2(command, id, status, true, &[0; 16])
    }

    fn talk(pieces: &[(End, &[u8])]) -> Vec<String> {
        let (mut dialogue, mut facts) = (begin(), Vec::new());
        for (from, bytes) in pieces {
            let length = u32::try_from(bytes.len()).unwrap();
            dialogue.take(&Segment { from: *from, bytes, length, gap: false, at: Moment::default() }, &mut facts);
        }
        let text = |fact| match fact {
            Fact::Login(login) => format!("{:?} {}", login.outcome, login.user),
            Fact::Administration(administration) => administration.what,
            fact => format!("{fact:?}"),
        };
        facts.into_iter().map(text).collect()
    }

    fn answered(request: &[u8], reply: &[u8]) -> Vec<String> {
        let whole = talk(&[(End::Client, request), (End::Server, reply)]);
        let pieces: Vec<(End, &[u8])> =
            request.chunks(1).map(|byte| (End::Client, byte)).chain(reply.chunks(1).map(|byte| (End::Server, byte))).collect();
        assert_eq!(talk(&pieces), whole, "byte by byte");
        whole
    }

    #[test]
    fn a_session_setup_is_judged_by_its_status() {
        let request = setup(1, "CORP", "zoe");
        assert_eq!(answered(&request, &reply(1, 1, LOGON_FAILURE)), ["Failed CORP\\zoe"]);
        assert_eq!(answered(&request, &reply(1, 1, 0xc000_0234)), ["Failed CORP\\zoe"]);
        assert_eq!(answered(&request, &reply(1, 1, SUCCESS)), ["Succeeded CORP\\zoe"]);
        // STATUS_MORE_PROCESSING_REQUIRED
        assert!(answered(&request, &reply(1, 1, 0xc000_0016)).is_empty());
    }

    #[test]
    fn guests_and_anonymous_users_do_not_log_in() {
        assert!(answered(&setup(1, "", ""), &reply(1, 1, SUCCESS)).is_empty());
        assert!(answered(&setup(1, "", ""), &reply(1, 1, LOGON_FAILURE)).is_empty());
        let guest = smb2(1, 1, SUCCESS, true, &[9, 0, 1, 0, 0, 0, 0, 0]);
        assert!(answered(&setup(1, "", "zoe"), &guest).is_empty());
    }

    #[test]
    fn shares_pipes_and_programs_count_when_they_are_granted() {
        let (admin, program) = (tree_connect(1, r"\\host\ADMIN$"), create(2, r"Temp\TOOL.exe"));
        let (connected, created) = (reply(3, 1, SUCCESS), reply(5, 2, SUCCESS));
        let on_disk = [(End::Client, &admin[..]), (End::Server, &connected), (End::Client, &program), (End::Server, &created)];
        assert_eq!(talk(&on_disk), ["admin$", "exe"]);
        assert_eq!(answered(&create(1, "svcctl"), &reply(5, 1, SUCCESS)), ["svcctl"]);
        // STATUS_ACCESS_DENIED
        assert!(answered(&create(1, "svcctl"), &reply(5, 1, 0xc000_0022)).is_empty());
        assert!(answered(&tree_connect(1, r"\\host\public"), &reply(3, 1, SUCCESS)).is_empty());
        assert!(answered(&create(1, "setup.exe"), &reply(5, 1, SUCCESS)).is_empty());
        let pending = reply(5, 1, PENDING);
        let later = [(End::Client, &create(1, "atsvc")[..]), (End::Server, &pending), (End::Server, &reply(5, 1, SUCCESS))];
        assert_eq!(talk(&later), ["atsvc"]);
    }

    /// Header of MS-CIFS section 2.2.3.1: command, status, reply, Unicode, NTSTATUS.
    fn smb1(command: u8, status: u32, reply: bool, block: &[u8]) -> Vec<u8> {
        let status = status.to_le_bytes();
        let head = [&b"\xffSMB"[..], &[command], &status, &[u8::from(reply) << 7, 1, 0xc0], &[0; 20]].concat();
        netbios(&[&head[..], block].concat())
    }

    #[test]
    fn version_1_names_its_user_in_plain_and_chains_its_share() {
        // 13 words; passwords of 1 and 0 bytes; a byte of password, none of padding at an even distance.
        let account = [utf16("zoe\0"), utf16("CORP\0"), utf16("os\0lm\0")].concat();
        let tree_at = u16::try_from(32 + 1 + 26 + 2 + 1 + account.len()).unwrap().to_le_bytes();
        let words = [&[TREE_CONNECT, 0][..], &tree_at, &[0; 10], &[1, 0, 0, 0], &[0; 8]].concat();
        let path = [&b"\0"[..], &utf16("\\\\host\\IPC$\0")].concat();
        let tree = [&[4, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0][..], &path].concat();
        let request = smb1(0x73, 0, false, &[&[13][..], &words, &[0, 0], b"p", &account, &tree].concat());
        assert_eq!(answered(&request, &smb1(0x73, 0, true, &[3, 0xff, 0, 0, 0, 0, 0, 0, 0])), ["Succeeded CORP\\zoe", "ipc$"]);
        assert_eq!(answered(&request, &smb1(0x73, LOGON_FAILURE, true, &[0, 0, 0])), ["Failed CORP\\zoe"]);
    }

    const TREE_CONNECT: u8 = 0x75;

    #[test]
    fn contents_are_passed_over_and_a_gap_is_recovered_from() {
        let write = smb2(9, 1, 0, false, &vec![7; 100_000]);
        let (mut dialogue, mut facts) = (begin(), Vec::new());
        let mut say = |from, bytes: &[u8], gap| {
            let length = u32::try_from(bytes.len()).unwrap();
            dialogue.take(&Segment { from, bytes, length, gap, at: Moment::default() }, &mut facts);
        };
        write.chunks(1_460).for_each(|piece| say(End::Client, piece, false));
        say(End::Client, &create(2, "svcctl"), false);
        say(End::Server, &reply(5, 2, SUCCESS), false);
        say(End::Client, &write[..1_460], false);
        say(End::Client, &write[2_920..4_380], true);
        say(End::Client, &create(3, "atsvc"), false);
        say(End::Server, &reply(5, 3, SUCCESS), false);
        assert_eq!(facts.len(), 2);
    }

    #[test]
    fn any_cut_and_any_byte_are_survived() {
        let messages = [setup(1, "CORP", "zoe"), tree_connect(1, r"\\host\ADMIN$"), create(1, "svcctl"), smb1(0x73, 0, false, &[13; 90])];
        for message in &messages {
            for at in 0..message.len() {
                let mut wrong = message.clone();
                wrong[at] ^= 0xff;
                talk(&[(End::Client, &wrong), (End::Server, &reply(1, 1, SUCCESS))]);
                assert_ne!(recognise(&message[..at], &[]), Recognised::No);
                let body = message.get(4..at).unwrap_or_default();
                talk(&[(End::Client, &netbios(body)), (End::Server, &netbios(body))]);
            }
        }
    }
}
