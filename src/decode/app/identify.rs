//! Which protocol a connection speaks, from the first bytes of its two ends, and who reads it on.
//!
//! Looks at content only: ports are what an attacker chooses.

use super::{Datagram, Dialogue, Fact, Service, dhcp, dns, ftp, http, imap, kerberos, ldap, pop3, rdp, smb, smtp, ssh, telnet, tls};

/// What the bytes so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    As(Service),
    /// They fit several protocols, or are too few.
    NotYet,
    /// None that is known here.
    Unknown,
}

/// What one protocol says of the first bytes of client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recognised {
    Yes,
    /// Nothing speaks against it, too little for it.
    Maybe,
    No,
}

/// A protocol over TCP: how it is known, and who reads it.
struct Known {
    service: Service,
    recognise: fn(client: &[u8], server: &[u8]) -> Recognised,
    begin: fn() -> Box<dyn Dialogue>,
}

/// Binary protocols, and HTTP, which is known by its first word: asked first, because nearly every
/// connection speaks one of them.
const DISTINCT: [Known; 8] = [
    Known { service: Service::Tls, recognise: tls::recognise, begin: tls::begin },
    Known { service: Service::Http, recognise: http::recognise, begin: http::begin },
    Known { service: Service::Ssh, recognise: ssh::recognise, begin: ssh::begin },
    Known { service: Service::Smb, recognise: smb::recognise, begin: smb::begin },
    Known { service: Service::Rdp, recognise: rdp::recognise, begin: rdp::begin },
    Known { service: Service::Kerberos, recognise: kerberos::recognise, begin: kerberos::begin },
    Known { service: Service::Ldap, recognise: ldap::recognise, begin: ldap::begin },
    Known { service: Service::Dns, recognise: dns::recognise, begin: dns::begin },
];

/// Protocols of lines of text, of which several begin alike. Telnet, the least distinct, is last.
const LINES: [Known; 5] = [
    Known { service: Service::Smtp, recognise: smtp::recognise, begin: smtp::begin },
    Known { service: Service::Ftp, recognise: ftp::recognise, begin: ftp::begin },
    Known { service: Service::Pop3, recognise: pop3::recognise, begin: pop3::begin },
    Known { service: Service::Imap, recognise: imap::recognise, begin: imap::begin },
    Known { service: Service::Telnet, recognise: telnet::recognise, begin: telnet::begin },
];

/// A protocol over UDP: who reads it, and says whether it was.
struct KnownDatagram {
    service: Service,
    read: fn(&Datagram<'_>, &mut Vec<Fact>) -> bool,
}

const KNOWN_DATAGRAMS: [KnownDatagram; 3] = [
    KnownDatagram { service: Service::Dns, read: dns::datagram },
    KnownDatagram { service: Service::Dhcp, read: dhcp::datagram },
    KnownDatagram { service: Service::Kerberos, read: kerberos::datagram },
];

/// Judges the first bytes of client and server, each from its beginning, either may be empty.
#[must_use]
pub fn identify(client: &[u8], server: &[u8]) -> Identified {
    let mut maybe = false;
    let lines: &[Known] = if may_be_lines(client) && may_be_lines(server) { &LINES } else { &[] };
    for known in DISTINCT.iter().chain(lines) {
        match (known.recognise)(client, server) {
            Recognised::Yes => return Identified::As(known.service),
            Recognised::Maybe => maybe = true,
            Recognised::No => {}
        }
    }
    if maybe { Identified::NotYet } else { Identified::Unknown }
}

/// Text, or telnet's negotiation. What is neither in its first bytes is not asked for lines, which are
/// dear to look for in encrypted data.
fn may_be_lines(bytes: &[u8]) -> bool {
    const TELNET_COMMAND: u8 = 0xff;
    bytes.first() == Some(&TELNET_COMMAND) || bytes.iter().take(4).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

/// Who reads a service that speaks over TCP; none where its name is all there is to know.
#[must_use]
pub fn dialogue(service: Service) -> Option<Box<dyn Dialogue>> {
    DISTINCT.iter().chain(&LINES).find(|known| known.service == service).map(|known| (known.begin)())
}

/// Reads a datagram of a connection that is known to speak a service, or may speak any.
pub fn datagram(service: Service, datagram: &Datagram<'_>, facts: &mut Vec<Fact>) -> Identified {
    let possible = KNOWN_DATAGRAMS.iter().filter(|known| service == Service::Unknown || service == known.service);
    for known in possible {
        if (known.read)(datagram, facts) {
            return Identified::As(known.service);
        }
    }
    Identified::Unknown
}
