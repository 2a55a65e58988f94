//! The tables of what applications said as Polars frames, sorted by their keys.

use polars::prelude::*;

use super::echoes::{EchoKey, EchoRow};
use super::facts::Facts;
use super::frames::{Addresses, column, frame, sketches};
use super::keyed::{Keyed, Merge, merged};
use super::leases::{LeaseKey, LeaseRow};
use super::logins::{LoginKey, LoginRow, Span};
use super::names::{NameKey, NameRow};
use super::remote::{RemoteKey, RemoteRow};
use super::requests::{RequestKey, RequestRow};
use super::resolved::{ResolvedKey, ResolvedRow};
use super::schema as col;
use super::services::{ServiceKey, ServiceRow};
use crate::error::Error;
use crate::net::Addr;

/// The rows of all shards, by table.
#[derive(Debug)]
pub struct FactRows {
    logins: Vec<(LoginKey, LoginRow)>,
    names: Vec<(NameKey, NameRow)>,
    resolved: Vec<(ResolvedKey, ResolvedRow)>,
    services: Vec<(ServiceKey, ServiceRow)>,
    requests: Vec<(RequestKey, RequestRow)>,
    leases: Vec<(LeaseKey, LeaseRow)>,
    remote: Vec<(RemoteKey, RemoteRow)>,
    echoes: Vec<(EchoKey, EchoRow)>,
}

/// The frames; columns as in [`super::schema`].
#[derive(Debug)]
pub struct FactFrames {
    /// Who tried to log in where as whom, by the minute.
    pub logins: DataFrame,
    /// DNS messages by client, registered domain, type and result, by the minute.
    pub names: DataFrame,
    /// The name that an address was first found under.
    pub resolved: Vec<(Addr, Box<str>)>,
    /// Services by content and name, for the whole capture.
    pub services: DataFrame,
    /// HTTP requests of client to server, by the minute.
    pub requests: DataFrame,
    /// DHCP messages by what they offer, by the minute.
    pub leases: DataFrame,
    /// Windows administration: shares and pipes, by the minute.
    pub remote: DataFrame,
    /// Unusual echo requests and replies by pair, by the minute.
    pub echoes: DataFrame,
}

impl FactRows {
    pub(super) fn of(mut facts: Vec<Facts>) -> Self {
        Self {
            logins: rows_of(&mut facts, |facts| &mut facts.logins),
            names: rows_of(&mut facts, |facts| &mut facts.names),
            resolved: rows_of(&mut facts, |facts| &mut facts.resolved),
            services: rows_of(&mut facts, |facts| &mut facts.services),
            requests: rows_of(&mut facts, |facts| &mut facts.requests),
            leases: rows_of(&mut facts, |facts| &mut facts.leases),
            remote: rows_of(&mut facts, |facts| &mut facts.remote),
            echoes: rows_of(&mut facts, |facts| &mut facts.echoes),
        }
    }

    /// Every address that a frame will name.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Addr> {
        let logins = self.logins.iter().flat_map(|(key, _)| [key.client, key.server]);
        let requests = self.requests.iter().flat_map(|(key, _)| [key.client, key.server]);
        let remote = self.remote.iter().flat_map(|(key, _)| [key.client, key.server]);
        let leases = self.leases.iter().flat_map(|(key, _)| [key.server, key.router, key.resolver, key.relay]);
        let names = self.names.iter().map(|(key, _)| key.client);
        let services = self.services.iter().map(|(key, _)| key.server);
        let echoes = self.echoes.iter().flat_map(|(key, _)| [key.source, key.target]);
        logins.chain(requests).chain(remote).chain(leases).chain(names).chain(services).chain(echoes)
    }

    pub(super) fn frames(self, addresses: &Addresses) -> Result<FactFrames, Error> {
        Ok(FactFrames {
            logins: logins(&self.logins, addresses)?,
            names: names(&self.names, addresses)?,
            services: services(&self.services, addresses)?,
            requests: requests(&self.requests, addresses)?,
            leases: leases(&self.leases, addresses)?,
            remote: remote(&self.remote, addresses)?,
            echoes: echoes(&self.echoes, addresses)?,
            resolved: self.resolved.into_iter().map(|(key, found)| (key.address, found.name)).collect(),
        })
    }
}

/// One table of all shards.
fn rows_of<K: Ord, R: Merge>(facts: &mut [Facts], table: impl Fn(&mut Facts) -> &mut Keyed<K, R>) -> Vec<(K, R)> {
    merged(facts.iter_mut().map(|facts| std::mem::take(table(facts))))
}

fn logins(rows: &[(LoginKey, LoginRow)], addresses: &Addresses) -> Result<DataFrame, Error> {
    let first = |span: Span| span.0.map(|(first, _)| first);
    let last = |span: Span| span.0.map(|(_, last)| last);
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::CLIENT, rows, |(key, _)| addresses.id(key.client)),
            column(col::SERVER, rows, |(key, _)| addresses.id(key.server)),
            column(col::PORT, rows, |(key, _)| key.port),
            column(col::SERVICE, rows, |(key, _)| key.service.name()),
            text(col::USER, rows.iter().map(|(key, _)| &*key.user)),
            column(col::FAILED, rows, |(_, row)| row.failed),
            column(col::FAILED_INFERRED, rows, |(_, row)| row.failed_inferred),
            column(col::SUCCEEDED, rows, |(_, row)| row.succeeded),
            column(col::SUCCEEDED_INFERRED, rows, |(_, row)| row.succeeded_inferred),
            column(col::DROPPED, rows, |(_, row)| row.dropped),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
            column(col::FIRST_FAILURE, rows, |(_, row)| first(row.failures)),
            column(col::LAST_FAILURE, rows, |(_, row)| last(row.failures)),
            column(col::FIRST_SUCCESS, rows, |(_, row)| first(row.successes)),
            column(col::LAST_SUCCESS, rows, |(_, row)| last(row.successes)),
        ],
    )
}

fn names(rows: &[(NameKey, NameRow)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::CLIENT, rows, |(key, _)| addresses.id(key.client)),
            text(col::DOMAIN, rows.iter().map(|(key, _)| &*key.domain)),
            column(col::QTYPE, rows, |(key, _)| key.qtype),
            column(col::RESULT, rows, |(key, _)| key.result),
            column(col::MESSAGES, rows, |(_, row)| row.messages),
            sketches(col::NAMES, rows.iter().map(|(_, row)| row.names.to_bytes())),
            column(col::NAME_BYTES, rows, |(_, row)| row.name_bytes),
            column(col::LONGEST_NAME, rows, |(_, row)| row.longest),
            column(col::ENTROPY, rows, |(_, row)| row.entropy_millibits),
            column(col::ANSWER_BYTES, rows, |(_, row)| row.answer_bytes),
            sketches(col::SERVERS, rows.iter().map(|(_, row)| row.servers.to_bytes())),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
        ],
    )
}

fn services(rows: &[(ServiceKey, ServiceRow)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::SERVER, rows, |(key, _)| addresses.id(key.server)),
            column(col::PORT, rows, |(key, _)| key.port),
            column(col::PROTO, rows, |(key, _)| key.proto),
            column(col::SERVICE, rows, |(key, _)| key.service.name()),
            text(col::NAME, rows.iter().map(|(key, _)| &*key.name)),
            column(col::CONNECTIONS, rows, |(_, row)| row.connections),
            sketches(col::CLIENTS, rows.iter().map(|(_, row)| row.clients.to_bytes())),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            text(col::JA4, rows.iter().map(|(_, row)| &*row.ja4.1)),
            text(col::CLIENT_SOFTWARE, rows.iter().map(|(_, row)| &*row.client_software.1)),
            text(col::SERVER_SOFTWARE, rows.iter().map(|(_, row)| &*row.server_software.1)),
        ],
    )
}

fn requests(rows: &[(RequestKey, RequestRow)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::CLIENT, rows, |(key, _)| addresses.id(key.client)),
            column(col::SERVER, rows, |(key, _)| addresses.id(key.server)),
            column(col::PORT, rows, |(key, _)| key.port),
            column(col::COMPLETE, rows, |(_, row)| row.complete),
            column(col::ERRORS, rows, |(_, row)| row.errors),
            column(col::UNFINISHED, rows, |(_, row)| row.unfinished),
            column(col::LONGEST_UNFINISHED, rows, |(_, row)| row.longest_unfinished),
            column(col::PEAK, rows, |(_, row)| row.peak),
            column(col::PATH, rows, |(_, row)| row.path),
            column(col::PATH_VOTES, rows, |(_, row)| row.path_votes),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
        ],
    )
}

fn leases(rows: &[(LeaseKey, LeaseRow)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::VLAN, rows, |(key, _)| key.vlan),
            column(col::KIND, rows, |(key, _)| key.kind),
            column(col::SERVER, rows, |(key, _)| addresses.id(key.server)),
            column(col::ROUTER, rows, |(key, _)| addresses.id(key.router)),
            column(col::RESOLVER, rows, |(key, _)| addresses.id(key.resolver)),
            column(col::RELAY, rows, |(key, _)| addresses.id(key.relay)),
            column(col::MESSAGES, rows, |(_, row)| row.messages),
            sketches(col::CLIENTS, rows.iter().map(|(_, row)| row.clients.to_bytes())),
            sketches(col::FRAME_SRCS, rows.iter().map(|(_, row)| row.frame_srcs.to_bytes())),
            column(col::MADE_UP, rows, |(_, row)| row.made_up),
            column(col::MAC, rows, |(_, row)| row.mac.0),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
        ],
    )
}

fn remote(rows: &[(RemoteKey, RemoteRow)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::CLIENT, rows, |(key, _)| addresses.id(key.client)),
            column(col::SERVER, rows, |(key, _)| addresses.id(key.server)),
            column(col::PORT, rows, |(key, _)| key.port),
            text(col::WHAT, rows.iter().map(|(key, _)| &*key.what)),
            column(col::COUNT, rows, |(_, row)| row.count),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
        ],
    )
}

fn echoes(rows: &[(EchoKey, EchoRow)], addresses: &Addresses) -> Result<DataFrame, Error> {
    frame(
        rows.len(),
        vec![
            column(col::MINUTE, rows, |(key, _)| key.minute),
            column(col::SOURCE, rows, |(key, _)| addresses.id(key.source)),
            column(col::TARGET, rows, |(key, _)| addresses.id(key.target)),
            column(col::REQUESTS, rows, |(_, row)| row.requests),
            column(col::REPLIES, rows, |(_, row)| row.replies),
            column(col::UNLIKE, rows, |(_, row)| row.unlike),
            column(col::UNASKED, rows, |(_, row)| row.unasked),
            column(col::LARGE, rows, |(_, row)| row.large),
            column(col::LARGE_BYTES, rows, |(_, row)| row.large_bytes),
            column(col::ENTROPY, rows, |(_, row)| row.entropy_millibits),
            sketches(col::LENGTHS, rows.iter().map(|(_, row)| row.lengths.to_bytes())),
            sketches(col::CONTENTS, rows.iter().map(|(_, row)| row.contents.to_bytes())),
            column(col::FIRST_TS, rows, |(_, row)| row.first_ts),
            column(col::LAST_TS, rows, |(_, row)| row.last_ts),
            column(col::FIRST_ORD, rows, |(_, row)| row.first_ordinal),
            column(col::LAST_ORD, rows, |(_, row)| row.last_ordinal),
        ],
    )
}

fn text<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> Column {
    values.map(Some).collect::<StringChunked>().with_name(name.into()).into_column()
}
