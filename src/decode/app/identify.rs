//! Which protocol a connection speaks, from the first bytes of its two ends, and who reads it on.
//!
//! Looks at content only: ports are what an attacker chooses.

use super::{Datagram, Dialogue, Fact, Service};

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

const KNOWN: [Known; 0] = [];

/// Judges the first bytes of client and server, each from its beginning, either may be empty.
#[must_use]
pub fn identify(client: &[u8], server: &[u8]) -> Identified {
    let mut maybe = false;
    for known in &KNOWN {
        match (known.recognise)(client, server) {
            Recognised::Yes => return Identified::As(known.service),
            Recognised::Maybe => maybe = true,
            Recognised::No => {}
        }
    }
    if maybe { Identified::NotYet } else { Identified::Unknown }
}

/// Who reads a service that speaks over TCP; none where its name is all there is to know.
#[must_use]
pub fn dialogue(service: Service) -> Option<Box<dyn Dialogue>> {
    KNOWN.iter().find(|known| known.service == service).map(|known| (known.begin)())
}

/// Reads a datagram of a connection that is known to be, or may be, of a service.
pub fn datagram(known: Service, datagram: &Datagram<'_>, facts: &mut Vec<Fact>) -> Identified {
    let _ = (known, datagram, facts);
    Identified::Unknown
}
