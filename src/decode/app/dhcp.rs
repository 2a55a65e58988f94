//! DHCP (RFC 2131): who hands out addresses, and which router and resolver come with them.
//!
//! Knows one message at a time, by the magic cookie of RFC 2132 and not by its ports. Which server is
//! the right one it cannot know.

use super::{Datagram, Fact, Lease};
use crate::net::{Addr, Mac};

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ETHERNET: u8 = 1;
/// Most relay agents that pass a message on (RFC 1542 section 4.1.1).
const MOST_HOPS: u8 = 16;
const RELAY: usize = 24;
const CLIENT: usize = 28;
const SERVER_NAME: usize = 44;
const FILE: usize = 108;
const COOKIE: usize = 236;
const MAGIC: [u8; 4] = [99, 130, 83, 99];

pub(super) fn datagram(datagram: &Datagram<'_>, facts: &mut Vec<Fact>) -> bool {
    let bytes = datagram.bytes;
    let Some([operation, hardware, length, hops, ..]) = bytes.first_chunk::<4>() else { return false };
    let known = matches!(*operation, REQUEST | REPLY) && *length <= 16 && *hops <= MOST_HOPS && field(bytes, COOKIE) == Some(MAGIC);
    if known {
        let options = options(bytes);
        let client = if (*hardware, *length) == (ETHERNET, 6) { field(bytes, CLIENT).map(Mac::from_bytes) } else { None };
        facts.extend(lease(datagram, *operation, client.unwrap_or_default(), &options).map(Fact::Lease));
    }
    known
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// What a message says, if it says what kind it is. What a server offers is told only when all of it was
/// captured: one without its router would look like another server's.
fn lease(datagram: &Datagram<'_>, operation: u8, client: Mac, options: &Options) -> Option<Lease> {
    if operation == REPLY && !options.complete {
        return None;
    }
    let answers = if operation == REPLY { datagram.src } else { Addr::UNSPECIFIED };
    Some(Lease {
        kind: options.kind?,
        client,
        frame_src: datagram.frame_src,
        server: options.server.map_or(answers, Addr::from_v4_bytes),
        router: address(options.router),
        resolver: address(options.resolver),
        relay: address(field(datagram.bytes, RELAY)),
        vlan: datagram.vlan,
        at: datagram.at,
    })
}

/// 0.0.0.0 is how a message says none.
fn address(bytes: Option<[u8; 4]>) -> Addr {
    bytes.filter(|bytes| *bytes != [0; 4]).map_or(Addr::UNSPECIFIED, Addr::from_v4_bytes)
}

#[derive(Default)]
struct Options {
    kind: Option<u8>,
    server: Option<[u8; 4]>,
    router: Option<[u8; 4]>,
    resolver: Option<[u8; 4]>,
    /// Which of the fields for names hold options too (option 52).
    overload: u8,
    complete: bool,
}

fn options(bytes: &[u8]) -> Options {
    let mut options = Options::default();
    options.read(bytes.get(COOKIE + MAGIC.len()..));
    if options.overload & 1 != 0 {
        options.read(bytes.get(FILE..COOKIE));
    }
    if options.overload & 2 != 0 {
        options.read(bytes.get(SERVER_NAME..FILE));
    }
    options
}

impl Options {
    fn read(&mut self, field: Option<&[u8]>) {
        self.complete = false;
        let mut rest = field.unwrap_or_default();
        while let Some((code, tail)) = rest.split_first() {
            match code {
                0 => rest = tail,
                255 => {
                    self.complete = true;
                    return;
                }
                code => {
                    let Some((length, tail)) = tail.split_first() else { return };
                    let Some((value, tail)) = tail.split_at_checked(usize::from(*length)) else { return };
                    self.take(*code, value);
                    rest = tail;
                }
            }
        }
    }

    /// Of several routers or resolvers the first is the one that is used.
    fn take(&mut self, code: u8, value: &[u8]) {
        let address = value.first_chunk().copied();
        match code {
            3 => self.router = self.router.or(address),
            6 => self.resolver = self.resolver.or(address),
            52 => self.overload = value.first().copied().unwrap_or_default(),
            53 => self.kind = self.kind.or(value.first().copied()),
            54 => self.server = self.server.or(address),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{End, Moment};
    use super::*;

    fn message(operation: u8, options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; COOKIE];
        message[..4].copy_from_slice(&[operation, 1, 6, 1]);
        message[24..28].copy_from_slice(&[10, 1, 0, 1]);
        message[28..34].copy_from_slice(&[0, 0x0b, 0x82, 1, 0xfc, 0x42]);
        message.extend_from_slice(&MAGIC);
        message.extend_from_slice(options);
        message
    }

    fn told(bytes: &[u8]) -> (bool, Vec<Fact>) {
        let mut facts = Vec::new();
        let datagram = Datagram {
            from: End::Client,
            bytes,
            length: u32::try_from(bytes.len()).unwrap(),
            src: Addr::from_v4(0x0a00_0009),
            src_port: 67,
            dst: Addr::from_v4(u32::MAX),
            dst_port: 68,
            vlan: 4,
            frame_src: Mac(7),
            at: Moment { ts: 5, ordinal: 9 },
        };
        (super::datagram(&datagram, &mut facts), facts)
    }

    fn lease(kind: u8, server: u32, router: Addr, resolver: Addr) -> Fact {
        Fact::Lease(Lease {
            kind,
            client: Mac(0x000b_8201_fc42),
            frame_src: Mac(7),
            server: Addr::from_v4(server),
            router,
            resolver,
            relay: Addr::from_v4(0x0a01_0001),
            vlan: 4,
            at: Moment { ts: 5, ordinal: 9 },
        })
    }

    const OFFER: &[u8] = &[53, 1, 2, 0, 54, 4, 10, 0, 0, 1, 3, 8, 10, 0, 0, 2, 10, 0, 0, 3, 6, 4, 10, 0, 0, 4, 255, 0, 0];

    #[test]
    fn an_offer_names_its_server_the_first_router_and_the_resolver() {
        let expected = lease(2, 0x0a00_0001, Addr::from_v4(0x0a00_0002), Addr::from_v4(0x0a00_0004));
        assert_eq!(told(&message(REPLY, OFFER)), (true, vec![expected]));
    }

    #[test]
    fn a_reply_without_identifier_is_its_senders() {
        let expected = lease(5, 0x0a00_0009, Addr::UNSPECIFIED, Addr::UNSPECIFIED);
        assert_eq!(told(&message(REPLY, &[53, 1, 5, 255])).1, vec![expected]);
    }

    #[test]
    fn options_go_on_in_the_fields_of_names() {
        let mut offer = message(REPLY, &[52, 1, 3, 53, 1, 2, 255]);
        offer[108..115].copy_from_slice(&[3, 4, 10, 0, 0, 2, 255]);
        offer[44..51].copy_from_slice(&[6, 4, 10, 0, 0, 4, 255]);
        let expected = lease(2, 0x0a00_0009, Addr::from_v4(0x0a00_0002), Addr::from_v4(0x0a00_0004));
        assert_eq!(told(&offer).1, vec![expected]);
    }

    #[test]
    fn half_an_offer_tells_nothing_and_half_a_request_its_kind() {
        let offer = message(REPLY, OFFER);
        // 240 bytes before the options, the last of which is 26 bytes in.
        for cut in 0..offer.len() {
            assert_eq!(told(&offer[..cut]).1.len(), usize::from(cut > 240 + 26), "{cut}");
        }
        let (_, facts) = told(&message(REQUEST, &[53, 1, 1, 55, 40, 1]));
        assert!(matches!(facts.as_slice(), [Fact::Lease(Lease { kind: 1, server: Addr::UNSPECIFIED, .. })]));
    }

    #[test]
    fn without_the_cookie_it_is_something_else() {
        let mut other = message(REPLY, OFFER);
        other[236] = 98;
        assert_eq!(told(&other), (false, vec![]));
        assert_eq!(told(&message(3, OFFER)), (false, vec![]));
    }
}
