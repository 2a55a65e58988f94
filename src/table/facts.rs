//! What applications said, in the tables of a shard.

use super::echoes::{EchoKey, EchoRow};
use super::flow::Flow;
use super::keyed::{Keyed, Room};
use super::leases::{LeaseKey, LeaseRow};
use super::logins::{LoginKey, LoginRow};
use super::names::{NameKey, NameRow};
use super::remote::{RemoteKey, RemoteRow};
use super::requests::{RequestKey, RequestRow};
use super::resolved::{ResolvedKey, ResolvedRow};
use super::services::{ServiceKey, ServiceRow};
use super::sessions::Labels;
use crate::decode::app::{Fact, Service};
use crate::net::Addr;
use crate::time::{self, MINUTE, Nanos};

/// The two ends of the connection that a fact is about.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub client: Addr,
    pub server: Addr,
    pub port: u16,
    pub service: Service,
}

impl Ends {
    #[must_use]
    pub const fn of(flow: &Flow) -> Self {
        Self { client: flow.originator(), server: flow.responder(), port: flow.responder_port(), service: flow.service }
    }
}

#[derive(Debug, Default)]
pub struct Facts {
    /// Room for logins, leases, administration and echoes.
    pub room: Room,
    /// Room for what captured text chooses freely, names and requests above all: however much of it there
    /// is, no login is left out for it.
    pub texts: Room,
    pub logins: Keyed<LoginKey, LoginRow>,
    pub names: Keyed<NameKey, NameRow>,
    pub resolved: Keyed<ResolvedKey, ResolvedRow>,
    pub services: Keyed<ServiceKey, ServiceRow>,
    pub requests: Keyed<RequestKey, RequestRow>,
    pub leases: Keyed<LeaseKey, LeaseRow>,
    pub remote: Keyed<RemoteKey, RemoteRow>,
    pub echoes: Keyed<EchoKey, EchoRow>,
}

impl Facts {
    /// Adds what was said on one connection to the tables.
    pub fn note(&mut self, ends: Ends, said: &mut Vec<Fact>) {
        for fact in said.drain(..) {
            self.add(ends, fact);
        }
    }

    /// A copy of what was said at or after `from`. What a service is, and who has which lease, is known until it has
    /// not been seen since.
    #[must_use]
    pub fn since(&self, from: Nanos) -> Self {
        let mut copy = Self {
            room: self.room.with_rows(0),
            texts: self.texts.with_rows(0),
            logins: self.logins.copy(|key, _| key.minute >= from),
            names: self.names.copy(|key, _| key.minute >= from),
            resolved: self.resolved.copy(|_, row| row.ts >= from),
            services: self.services.copy(|_, row| row.last_ts >= from),
            requests: self.requests.copy(|key, _| key.minute >= from),
            leases: self.leases.copy(|_, row| row.last_ts >= from),
            remote: self.remote.copy(|key, _| key.minute >= from),
            echoes: self.echoes.copy(|key, _| key.minute >= from),
        };
        copy.room.rows = copy.logins.len() + copy.leases.len() + copy.remote.len() + copy.echoes.len();
        copy.texts.rows = copy.names.len() + copy.resolved.len() + copy.services.len() + copy.requests.len();
        copy
    }

    fn add(&mut self, ends: Ends, fact: Fact) {
        let Self { room, texts, logins, names, resolved, requests, leases, remote, .. } = self;
        let Ends { client, server, port, service } = ends;
        match fact {
            Fact::Login(login) => {
                let minute = time::pane(login.at.ts, MINUTE);
                let row = LoginRow::of(&login);
                logins.add(room, LoginKey { minute, client, server, port, service, user: login.user.into() }, row);
            }
            Fact::Request(request) => {
                let minute = time::pane(request.at.ts, MINUTE);
                requests.add(texts, RequestKey { minute, client, server, port }, RequestRow::of(&request));
            }
            Fact::Query(query) => {
                let (key, row) = NameRow::of(&query, client, server);
                names.add(texts, key, row);
            }
            Fact::Address(found) => {
                let (key, row) = ResolvedRow::of(found);
                resolved.add(texts, key, row);
            }
            Fact::Lease(lease) => leases.add(room, LeaseKey::of(&lease), LeaseRow::of(&lease)),
            Fact::Administration(used) => {
                let key = RemoteKey { minute: time::pane(used.at.ts, MINUTE), client, server, port, what: used.what.into() };
                remote.add(room, key, RemoteRow::at(used.at));
            }
            // Kept with the connection, see `sessions`.
            Fact::ServerName(_) | Fact::Ja4(_) | Fact::Software(..) => {}
        }
    }

    /// A connection has ended: which service it spoke, if that is known.
    pub fn served(&mut self, flow: &Flow, labels: Option<&Labels>) {
        if flow.service == Service::Unknown {
            return;
        }
        let key = ServiceKey {
            server: flow.responder(),
            port: flow.responder_port(),
            proto: flow.key.proto,
            service: flow.service,
            name: labels.map(|labels| labels.server_name.as_str().into()).unwrap_or_default(),
        };
        self.services.add(&mut self.texts, key, ServiceRow::of(flow, labels));
    }
}
