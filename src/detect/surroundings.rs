//! What else the two ends of some calls do: who else calls there, whom else the caller meets, and
//! whether the destination runs the caller's network.
//!
//! One pass through the contacts, made only once there is something to ask about.

use std::collections::BTreeSet;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::calls::Calls;
use super::context::Context;
use super::rows::{texts, u8s, u16s, u32s};
use super::services::is_known;
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, schema as col};

/// What a router or a local server does for its clients: DNS, DHCP, NTP.
const INFRASTRUCTURE: [u16; 4] = [53, 67, 123, 547];

type Service = (Address, u16, u8);
type Set<T> = HashSet<T, FixedState>;

#[derive(Default)]
pub(super) struct Surroundings {
    /// Hosts that opened connections: those with private addresses, or all where none has one.
    pub hosts: usize,
    clients: HashMap<Service, Set<Address>, FixedState>,
    /// Source and the host that serves it DNS, DHCP or NTP.
    served: Set<(Address, Address)>,
    gateways: Set<Address>,
    /// Hosts that each source met at ports without a known service.
    peers: HashMap<Address, Set<Address>, FixedState>,
    names: HashMap<Service, BTreeSet<String>, FixedState>,
}

impl Surroundings {
    pub(super) fn of(context: &Context<'_>, calls: &[&Calls]) -> Result<Self, Error> {
        let mut found = Self::default();
        for calls in calls {
            found.peers.entry(calls.source).or_default();
            for target in &calls.targets {
                found.clients.entry((*target, calls.port, calls.proto)).or_default();
                found.names.entry((*target, calls.port, calls.proto)).or_default();
            }
        }
        found.meet(context)?;
        found.ask_leases(context)?;
        found.ask_names(context)?;
        Ok(found)
    }

    fn meet(&mut self, context: &Context<'_>) -> Result<(), Error> {
        let table = &context.tables.contacts;
        let (sources, targets, data) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u32s(table, col::DATA)?);
        let (ports, protos) = (u16s(table, col::PORT)?, u8s(table, col::PROTO)?);
        let mut opened = vec![false; context.tables.addresses.len()];
        for row in 0..table.height() {
            let (source, target, port) = (sources[row], targets[row], ports[row]);
            if let Some(opened) = opened.get_mut(source as usize) {
                *opened = true;
            }
            if let Some(clients) = self.clients.get_mut(&(target, port, protos[row])) {
                clients.insert(source);
            }
            if let Some(peers) = self.peers.get_mut(&source) {
                if protos[row] == ip_proto::UDP && data[row] > 0 && INFRASTRUCTURE.contains(&port) {
                    self.served.insert((source, target));
                } else if matches!(protos[row], ip_proto::TCP | ip_proto::UDP) && !is_known(port) {
                    peers.insert(target);
                }
            }
        }
        let all = opened.iter().filter(|opened| **opened).count();
        let private = opened.iter().zip(&context.tables.addresses).filter(|(opened, address)| **opened && address.is_private()).count();
        self.hosts = if private > 0 { private } else { all };
        Ok(())
    }

    fn ask_leases(&mut self, context: &Context<'_>) -> Result<(), Error> {
        for column in [col::SERVER, col::ROUTER, col::RESOLVER] {
            let named = u32s(&context.tables.facts.leases, column)?.iter().copied();
            self.gateways.extend(named.filter(|id| !context.address(*id).is_unspecified()));
        }
        Ok(())
    }

    fn ask_names(&mut self, context: &Context<'_>) -> Result<(), Error> {
        let services = &context.tables.facts.services;
        let (servers, ports, protos) = (u32s(services, col::SERVER)?, u16s(services, col::PORT)?, u8s(services, col::PROTO)?);
        for (row, name) in texts(services, col::NAME)?.iter().enumerate() {
            let (Some(name), Some(names)) = (name, self.names.get_mut(&(servers[row], ports[row], protos[row]))) else { continue };
            // A client that knows only the address gives that as the name.
            if !name.is_empty() && name.parse::<IpAddr>().is_err() {
                names.insert(name.to_owned());
            }
        }
        for ((target, ..), names) in self.names.iter_mut().filter(|(_, names)| names.is_empty()) {
            let address = context.address(*target);
            let resolved = &context.tables.facts.resolved;
            if let Some((_, name)) = resolved.binary_search_by_key(&address, |(address, _)| *address).ok().and_then(|at| resolved.get(at)) {
                names.insert(name.to_string());
            }
        }
        Ok(())
    }

    /// How many hosts use that service, the caller among them.
    pub(super) fn clients(&self, calls: &Calls) -> usize {
        let services = calls.targets.iter().filter_map(|target| self.clients.get(&(*target, calls.port, calls.proto)));
        services.flatten().collect::<Set<&Address>>().len()
    }

    /// The destination answers the caller's DNS, DHCP or NTP, or a lease names it as router or resolver.
    pub(super) fn is_infrastructure(&self, calls: &Calls) -> bool {
        calls.targets.iter().all(|target| self.served.contains(&(calls.source, *target)) || self.gateways.contains(target))
    }

    /// Hosts that the caller met at ports without a known service.
    pub(super) fn peers(&self, calls: &Calls) -> usize {
        self.peers.get(&calls.source).map_or(0, HashSet::len)
    }

    /// What the destination was called: by the clients of the service, or by DNS.
    pub(super) fn names(&self, calls: &Calls) -> BTreeSet<&str> {
        let services = calls.targets.iter().filter_map(|target| self.names.get(&(*target, calls.port, calls.proto)));
        services.flatten().map(String::as_str).collect()
    }
}
