//! Application protocols: what the first bytes of a connection say, known by content and not by port.
//!
//! One protocol, one file. A [`Dialogue`] is given the bytes of both ends in order and reports
//! [`Fact`]s: logins and their outcome, requests, names. It keeps no more of them than it needs for its
//! next message. Passwords are looked at and forgotten: no fact holds one. Knows nothing of tables.

mod ber;
mod conversation;
mod dhcp;
mod dns;
mod dns_message;
mod framed;
mod ftp;
mod http;
mod http_auth;
mod http_head;
mod identify;
mod imap;
mod kerberos;
mod ldap;
mod lines;
mod ntlm;
mod pop3;
mod rdp;
mod replies;
mod sasl;
mod smb;
mod smb1;
mod smb2;
mod smtp;
mod ssh;
mod telnet;
mod tls;

use crate::net::{Addr, Mac};
use crate::time::Nanos;

pub use identify::{Identified, datagram, dialogue, identify};

/// An application protocol, recognised by what was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Service {
    #[default]
    Unknown,
    Dns,
    Dhcp,
    Ftp,
    Http,
    Imap,
    Kerberos,
    Ldap,
    Pop3,
    Rdp,
    Smb,
    Smtp,
    Ssh,
    Telnet,
    Tls,
}

impl Service {
    pub const ALL: [Self; 15] = [
        Self::Unknown,
        Self::Dns,
        Self::Dhcp,
        Self::Ftp,
        Self::Http,
        Self::Imap,
        Self::Kerberos,
        Self::Ldap,
        Self::Pop3,
        Self::Rdp,
        Self::Smb,
        Self::Smtp,
        Self::Ssh,
        Self::Telnet,
        Self::Tls,
    ];

    /// As Zeek's `conn.log` writes it; empty for [`Self::Unknown`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Dns => "dns",
            Self::Dhcp => "dhcp",
            Self::Ftp => "ftp",
            Self::Http => "http",
            Self::Imap => "imap",
            Self::Kerberos => "krb",
            Self::Ldap => "ldap",
            Self::Pop3 => "pop3",
            Self::Rdp => "rdp",
            Self::Smb => "smb",
            Self::Smtp => "smtp",
            Self::Ssh => "ssh",
            Self::Telnet => "telnet",
            Self::Tls => "ssl",
        }
    }
}

/// Who of a connection's two ends. The client is the originator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Client,
    Server,
}

/// When something was said, and in which frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub ts: Nanos,
    pub ordinal: u64,
}

/// The next bytes of one end. Segments come as they were sent, without repetition and in order.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    pub from: End,
    /// What was captured of it.
    pub bytes: &'a [u8],
    /// Its length on the wire, at least that of `bytes`.
    pub length: u32,
    /// Bytes of this end before these were lost, cut or left out: what was begun cannot be finished.
    pub gap: bool,
    pub at: Moment,
}

impl Segment<'_> {
    /// Not all of it was captured.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < u64::from(self.length)
    }
}

/// Whose segments a dialogue wants to see next. What it does not want is not kept for it; the first
/// segment after that has [`Segment::gap`] set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    Both,
    Client,
    Server,
    /// Nothing more: the dialogue is over as far as it matters, and is dropped.
    Nothing,
}

/// A conversation in one protocol.
pub trait Dialogue: Send + Sync + std::fmt::Debug {
    /// Takes the next segment. Must hold no more than [`MOST_HELD`] bytes, and never panic.
    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest;

    /// Bytes that are kept of unfinished messages, for the budget of whoever holds the dialogue.
    fn held(&self) -> usize;

    /// The connection has ended, in whatever way, while the dialogue still wanted to see more.
    fn end(&mut self, _ending: &Ending, _facts: &mut Vec<Fact>) {}
}

/// How a connection ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// Time of the last frame.
    pub at: Moment,
    /// Time between the first and the last frame.
    pub duration: Nanos,
    /// Both ends closed it, or one reset it: it did not merely fall silent.
    pub closed: bool,
    pub reset_by_server: bool,
    /// Payload bytes of client and server, whole connection.
    pub client_bytes: u64,
    pub server_bytes: u64,
}

/// Most bytes that a dialogue keeps of an unfinished message.
pub const MOST_HELD: usize = 16 << 10;

/// Something an application said that a detector may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Login(Login),
    Request(Request),
    /// A name that tells what the connection is about: TLS SNI, HTTP host.
    ServerName(String),
    /// JA4 fingerprint of a TLS client (FoxIO, BSD-3-Clause).
    Ja4(String),
    /// What a peer calls its software: SSH and FTP banners, HTTP user agents.
    Software(End, String),
    Query(Query),
    Address(Address),
    Lease(Lease),
    /// A remote command or file was sent through administration services of Windows: the name of the
    /// share (`ADMIN$`, `C$`) or of the pipe (`svcctl`).
    Administration(Administration),
}

/// One attempt to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user by name; empty where the protocol hides it. At most [`MOST_NAME`] bytes.
    pub user: String,
    pub outcome: LoginOutcome,
    /// The server said so; otherwise it was inferred from sizes and times.
    pub certain: bool,
    /// When the outcome was known.
    pub at: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    Failed,
    Succeeded,
    /// The server hung up before it asked for anything: too many at once.
    Dropped,
}

/// One HTTP request, with what is known of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub kind: RequestKind,
    /// Hash of method and path, to tell one request repeated from many; 0 where there is none.
    pub path: u64,
    pub at: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// The headers of a request were complete.
    Complete,
    /// The server answered 5xx.
    ServerError,
    /// The connection ended, or its capture did, before the headers were complete; it had been open this long.
    Unfinished { open: Nanos },
}

/// One DNS message with one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Lower case, without the last dot; bytes that are not printable ASCII are written `\ddd` as RFC 1035 does.
    pub name: String,
    /// Query type of IANA's registry (1 A, 5 CNAME, 10 NULL, 16 TXT, 28 AAAA ...).
    pub qtype: u16,
    /// Response code; none for the question itself.
    pub rcode: Option<u8>,
    /// Bytes of the answer section's data.
    pub answer_bytes: u32,
    pub at: Moment,
}

/// A name that DNS resolved: which address it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub name: String,
    pub address: Addr,
    pub at: Moment,
}

/// One DHCP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Message type of RFC 2132 section 9.6 (1 DISCOVER, 2 OFFER, 3 REQUEST, 5 ACK, 6 NAK ...).
    pub kind: u8,
    /// Hardware address of the client, from the message.
    pub client: Mac,
    /// Source of the frame's link header.
    pub frame_src: Mac,
    /// Who answers: server identifier (option 54), else the packet's source.
    pub server: Addr,
    /// Router and DNS server that are offered.
    pub router: Addr,
    pub resolver: Addr,
    /// Relay agent that passed it on.
    pub relay: Addr,
    pub vlan: u16,
    pub at: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administration {
    /// Share or pipe, lower case.
    pub what: String,
    pub at: Moment,
}

/// Most bytes of a user's or server's name that are kept.
pub const MOST_NAME: usize = 64;

/// Captured bytes as a name: at most [`MOST_NAME`] bytes, what is no UTF-8 replaced, ends trimmed.
#[must_use]
pub fn name(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut name = String::new();
    for letter in text.trim().chars() {
        if name.len() + letter.len_utf8() > MOST_NAME {
            break;
        }
        name.push(letter);
    }
    name
}

/// One datagram of UDP; each is a message of its own.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub from: End,
    pub bytes: &'a [u8],
    /// Length of the payload on the wire, at least that of `bytes`.
    pub length: u32,
    pub src: Addr,
    pub src_port: u16,
    pub dst: Addr,
    pub dst_port: u16,
    pub vlan: u16,
    /// Source of the frame's link header; 0 where there is none.
    pub frame_src: Mac,
    pub at: Moment,
}
