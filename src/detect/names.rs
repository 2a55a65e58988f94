//! The table of DNS names, row by row, and the name servers behind its sketches.
//!
//! Knows how the table is read. Does not know what is suspicious.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::alert::FrameSpan;
use super::context::Context;
use super::rows::{i64s, sketches, texts, u8s, u16s, u32s, u64s};
use crate::error::Error;
use crate::net::{Addr, ip_proto, mix_addr};
use crate::table::{Address, Distinct, QUESTION, schema as col};
use crate::time::Nanos;

/// Response codes (RFC 1035 section 4.1.1).
pub(super) const NO_ERROR: u8 = 0;
pub(super) const NAME_ERROR: u8 = 3;

/// Questions of one client below one domain, of one type, in one minute; or their answers of one result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub client: Address,
    pub domain: &'a str,
    pub minute: Nanos,
    pub qtype: u16,
    pub result: u8,
    pub messages: u64,
    /// Sketches, see [`Distinct::from_bytes`].
    pub names: &'a [u8],
    pub servers: &'a [u8],
    pub name_bytes: u64,
    pub longest: u32,
    pub entropy_millibits: u64,
    pub answer_bytes: u64,
    pub first: Nanos,
    pub last: Nanos,
    pub frames: FrameSpan,
}

impl Row<'_> {
    pub(super) const fn is_question(&self) -> bool {
        self.result == QUESTION
    }
}

/// The rows that are wanted, in the order of the table: by minute, client, domain, type, result.
pub(super) fn rows<'a>(context: &Context<'a>, wanted: impl Fn(&Row<'a>) -> bool) -> Result<Vec<Row<'a>>, Error> {
    let table = &context.tables.facts.names;
    let (clients, domains, minutes) = (u32s(table, col::CLIENT)?, texts(table, col::DOMAIN)?, i64s(table, col::MINUTE)?);
    let (qtypes, results, messages) = (u16s(table, col::QTYPE)?, u8s(table, col::RESULT)?, u64s(table, col::MESSAGES)?);
    let (names, servers) = (sketches(table, col::NAMES)?, sketches(table, col::SERVERS)?);
    let (name_bytes, longest) = (u64s(table, col::NAME_BYTES)?, u32s(table, col::LONGEST_NAME)?);
    let (entropy, answer_bytes) = (u64s(table, col::ENTROPY)?, u64s(table, col::ANSWER_BYTES)?);
    let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let texts = domains.iter().zip(names.iter()).zip(servers.iter()).enumerate();
    let rows = texts.map(|(row, ((domain, names), servers))| Row {
        client: clients[row],
        domain: domain.unwrap_or_default(),
        minute: minutes[row],
        qtype: qtypes[row],
        result: results[row],
        messages: messages[row],
        names: names.unwrap_or_default(),
        servers: servers.unwrap_or_default(),
        name_bytes: name_bytes[row],
        longest: longest[row],
        entropy_millibits: entropy[row],
        answer_bytes: answer_bytes[row],
        first: first[row],
        last: last[row],
        frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
    });
    Ok(rows.filter(|row| wanted(row)).collect())
}

/// Without those that another client passed on for this one: a resolver asks what its clients ask.
/// `asked` says whether the first's client asked the second's.
pub(super) fn without_relayed<T>(findings: Vec<T>, asked: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let relayed: Vec<bool> = findings.iter().map(|finding| findings.iter().any(|other| asked(other, finding))).collect();
    findings.into_iter().zip(relayed).filter(|(_, relayed)| !relayed).map(|(finding, _)| finding).collect()
}

/// All servers of some rows.
pub(super) fn servers_of<'a>(rows: impl Iterator<Item = &'a Row<'a>>) -> Distinct {
    let mut servers = Distinct::default();
    rows.for_each(|row| servers.merge(&Distinct::from_bytes(row.servers)));
    servers
}

/// Where multicast DNS (RFC 6762) and LLMNR (RFC 4795) are asked.
const GROUPS: [u128; 4] =
    [0xffff_e000_00fb, 0xffff_e000_00fc, 0xff02_0000_0000_0000_0000_0000_0000_00fb, 0xff02_0000_0000_0000_0000_0000_0001_0003];

/// Only neighbours were asked, all at once: no data goes that way.
pub(super) fn is_multicast(servers: &Distinct) -> bool {
    let groups = GROUPS.map(|group| mix_addr(Addr(group)));
    matches!(servers, Distinct::Exact(members) if !members.is_empty() && members.iter().all(|member| groups.contains(member)))
}

/// The host is one of these servers; that is known of few servers only.
pub(super) fn serves(servers: &Distinct, host: Addr) -> bool {
    matches!(servers, Distinct::Exact(members) if members.contains(&mix_addr(host)))
}

/// Addresses, ports and protocol of servers that are known by their hashes.
#[derive(Default)]
pub(super) struct NameServers {
    by_hash: HashMap<u64, Addr, foldhash::fast::FixedState>,
    /// Address, port, protocol of every DNS service.
    services: BTreeSet<(Addr, u16, u8)>,
}

impl NameServers {
    pub(super) fn of<'a>(context: &Context<'_>, wanted: impl Iterator<Item = &'a Distinct>) -> Result<Self, Error> {
        let mut hashes: Vec<u64> = wanted
            .flat_map(|servers| match servers {
                Distinct::Exact(members) => members.as_slice(),
                Distinct::Sketch(_) => &[],
            })
            .copied()
            .collect();
        if hashes.is_empty() {
            return Ok(Self::default());
        }
        hashes.sort_unstable();
        let known = context.tables.addresses.iter().map(|address| (mix_addr(*address), *address));
        let by_hash = known.filter(|(hash, _)| hashes.binary_search(hash).is_ok()).collect();
        let table = &context.tables.facts.services;
        let (servers, ports, protos) = (u32s(table, col::SERVER)?, u16s(table, col::PORT)?, u8s(table, col::PROTO)?);
        let services = texts(table, col::SERVICE)?
            .iter()
            .enumerate()
            .filter(|(_, service)| *service == Some("dns"))
            .map(|(row, _)| (context.address(servers[row]), ports[row], protos[row]))
            .collect();
        Ok(Self { by_hash, services })
    }

    /// Those servers that the capture shows, sorted.
    pub(super) fn addresses(&self, servers: &Distinct) -> Vec<Addr> {
        let Distinct::Exact(members) = servers else { return Vec::new() };
        let mut addresses: Vec<Addr> = members.iter().filter_map(|member| self.by_hash.get(member)).copied().collect();
        addresses.sort_unstable();
        addresses
    }

    /// Their ports, and the protocol: UDP unless all spoke TCP.
    pub(super) fn ports(&self, addresses: &[Addr]) -> (Vec<u16>, &'static str) {
        let services = || self.services.iter().filter(|(address, ..)| addresses.binary_search(address).is_ok());
        let ports: BTreeSet<u16> = services().map(|(_, port, _)| *port).collect();
        let only_tcp = services().next().is_some() && services().all(|(.., proto)| *proto == ip_proto::TCP);
        (ports.into_iter().take(super::alert::LISTED).collect(), if only_tcp { "tcp" } else { "udp" })
    }
}
