#![doc = include_str!("docs/rogue_dhcp.md")]

use std::collections::{BTreeMap, BTreeSet};

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::Context;
use super::flood_seconds::{measured, steps};
use super::leases::{ACK, Lease, OFFER, leases};
use super::wording::counted;
use crate::error::Error;
use crate::net::{Addr, Mac};
use crate::table::{Address, Distinct};
use crate::time::{self, Nanos, from_seconds};

pub(super) struct RogueDhcp;

const DOCUMENTATION: &str = include_str!("docs/rogue_dhcp.md");

impl Detector for RogueDhcp {
    fn id(&self) -> &'static str {
        "rogue_dhcp"
    }

    fn summary(&self) -> &'static str {
        "a second DHCP server that offers another router or resolver"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let mut servers: BTreeMap<(u16, Address), Server> = BTreeMap::new();
        for lease in leases(context)? {
            // What a relay passed on is for another network.
            let offers = matches!(lease.kind, OFFER | ACK) && context.address(lease.relay).is_unspecified();
            if offers && !context.address(lease.server).is_unspecified() {
                servers.entry((lease.vlan, lease.server)).or_default().add(lease);
            }
        }
        let mut by_vlan: BTreeMap<u16, Vec<(Address, Server)>> = BTreeMap::new();
        for ((vlan, address), server) in servers {
            by_vlan.entry(vlan).or_default().push((address, server));
        }
        Ok(by_vlan.into_iter().flat_map(|(vlan, servers)| judge(context, vlan, servers)).collect())
    }
}

/// What one server offered, and to whom.
#[derive(Clone, Debug, Default)]
struct Server {
    offers: Vec<Lease>,
    /// Router and resolver.
    options: BTreeSet<(Address, Address)>,
    macs: BTreeSet<Mac>,
}

impl Server {
    fn add(&mut self, lease: Lease) {
        self.options.insert((lease.router, lease.resolver));
        self.macs.insert(lease.mac);
        self.offers.push(lease);
    }

    fn first(&self) -> Nanos {
        self.offers.first().map(|lease| lease.first_ts).unwrap_or_default()
    }

    fn last(&self) -> Nanos {
        self.offers.iter().map(|lease| lease.last_ts).max().unwrap_or_default()
    }

    fn messages(&self) -> u64 {
        self.offers.iter().map(|lease| lease.messages).sum()
    }

    fn clients(&self) -> Distinct {
        let mut clients = Distinct::default();
        self.offers.iter().for_each(|lease| clients.merge(&lease.clients));
        clients
    }

    fn accepted(&self) -> u64 {
        self.offers.iter().filter(|lease| lease.kind == ACK).map(|lease| lease.messages).sum()
    }

    /// Sends its clients to itself.
    fn points_to(&self, own: Address) -> bool {
        self.options.iter().any(|(router, resolver)| *router == own || *resolver == own)
    }

    /// When both first offered something to the same client within the time; two networks that a laptop
    /// visits one after the other never do.
    fn meets(&self, other: &Self, within: Nanos) -> Option<Nanos> {
        let near = |a: &Lease, b: &Lease| a.first_ts - b.last_ts <= within && b.first_ts - a.last_ts <= within;
        let meetings = self.offers.iter().flat_map(|mine| other.offers.iter().map(move |theirs| (mine, theirs)));
        meetings.filter(|(a, b)| near(a, b) && common(&a.clients, &b.clients)).map(|(a, b)| a.first_ts.max(b.first_ts)).min()
    }
}

/// The two sets have a member in common: their union is smaller than their sum. Sketches can only say so
/// beyond their error.
fn common(one: &Distinct, other: &Distinct) -> bool {
    const SKETCH_ERROR: f64 = 0.9;
    let mut union = one.clone();
    union.merge(other);
    let (sum, union) = (one.count() + other.count(), union.count());
    if one.is_exact() && other.is_exact() { union < sum && sum > 0 } else { (union as f64) < sum as f64 * SKETCH_ERROR }
}

/// Both name somebody, and never the same one.
fn differ(context: &Context<'_>, one: impl Iterator<Item = Address>, other: impl Iterator<Item = Address>) -> bool {
    let named = |address: &Address| !context.address(*address).is_unspecified();
    let (one, other): (BTreeSet<Address>, BTreeSet<Address>) = (one.filter(named).collect(), other.filter(named).collect());
    !one.is_empty() && !other.is_empty() && one.is_disjoint(&other)
}

/// Pairs of servers that are compared; a network has a few.
const MOST: usize = 32;

/// The first server of a network is taken for the true one; each later one that differs is held against it.
fn judge(context: &Context<'_>, vlan: u16, mut servers: Vec<(Address, Server)>) -> Vec<Alert> {
    servers.sort_by_key(|(address, server)| (server.first(), *address));
    servers.truncate(MOST);
    let Some(((address, first), later)) = servers.split_first().map(|(first, later)| (first.clone(), later.to_vec())) else {
        return Vec::new();
    };
    later.into_iter().filter_map(|(other, server)| compare(context, vlan, (address, &first), (other, &server))).collect()
}

fn compare(context: &Context<'_>, vlan: u16, known: (Address, &Server), newcomer: (Address, &Server)) -> Option<Alert> {
    let settings = &context.settings(newcomer.0).dhcp;
    let ((known_at, known), (newcomer_at, newcomer)) = (known, newcomer);
    let routers = differ(context, known.options.iter().map(|(router, _)| *router), newcomer.options.iter().map(|(router, _)| *router));
    let resolvers =
        differ(context, known.options.iter().map(|(_, resolver)| *resolver), newcomer.options.iter().map(|(_, resolver)| *resolver));
    // Two of a failover pair offer the same; one machine with two addresses is one server.
    if !routers && !resolvers || !known.macs.is_disjoint(&newcomer.macs) {
        return None;
    }
    let met = known.meets(newcomer, from_seconds(settings.contest_s));
    let alive = known.last() > newcomer.first();
    let severity = match (met, newcomer.points_to(newcomer_at)) {
        // Two servers of a domain each name themselves the first resolver.
        (Some(_), _) if !routers => Severity::Low,
        (Some(_), true) => Severity::High,
        (Some(_), false) => Severity::Medium,
        (None, _) if alive && routers => Severity::Low,
        (None, _) => return None,
    };
    let severity = if severity == Severity::High && newcomer.accepted() > 0 { Severity::Critical } else { severity };
    let (true_one, other) = (context.address(known_at), context.address(newcomer_at));
    let (was, is) = (described(context, known), described(context, newcomer));
    let on = if vlan == 0 { String::new() } else { format!(" on VLAN {vlan}") };
    let mut attackers = vec![other.to_string()];
    attackers.extend(newcomer.macs.iter().filter(|mac| mac.0 != 0).map(Mac::to_string));
    attackers.truncate(super::alert::LISTED);
    let clients = newcomer.clients().count();
    let frames = || known.offers.iter().chain(&newcomer.offers);
    Some(Alert {
        kind: "rogue_dhcp",
        technique: None,
        title: format!("{other} offers DHCP leases beside {true_one}{on}"),
        message: format!(
            "{other} offered {is} to {}{on}, {} after {true_one} had offered {was}{}; {} of its leases were confirmed",
            counted(clients, "client"),
            time::duration(newcomer.first() - known.first()),
            if met.is_some() { ", to the same client among others" } else { "" },
            newcomer.accepted(),
        ),
        severity,
        confidence: match severity {
            Severity::Critical | Severity::High => 0.8,
            Severity::Medium => 0.6,
            _ => 0.3,
        },
        attack: &["T1557.003"],
        first_seen: newcomer.first(),
        last_seen: newcomer.last(),
        detected_at: met.unwrap_or_else(|| newcomer.first()),
        attacker_count: attackers.len() as u64,
        attackers,
        victims: vec![true_one.to_string()],
        victim_count: 1,
        ports: vec![67],
        port_count: 1,
        protocol: "udp",
        measured: vec![
            measured("servers that differ", 2.0, "servers", Some(2.0)),
            measured("offers and confirmations", newcomer.messages() as f64, "messages", None),
            measured("clients", clients as f64, "hardware addresses", None),
        ],
        window_s: settings.contest_s,
        flow_count: 0,
        packet_count: newcomer.messages(),
        frames: FrameSpan {
            first: frames().map(|lease| lease.first_ordinal).min()?,
            last: frames().map(|lease| lease.last_ordinal).max()?,
        },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Ask who runs the second server; a home router plugged in by its wrong side is the usual cause.",
            "Find its port at the switch by its link-layer address, and turn on DHCP snooping.",
            "Check the clients that took its lease: their traffic or names may have gone through it.",
        ]),
        picture: Picture::None,
    })
}

fn described(context: &Context<'_>, server: &Server) -> String {
    let name = |address: Address| {
        let address: Addr = context.address(address);
        if address.is_unspecified() { "none".to_owned() } else { address.to_string() }
    };
    let options: Vec<String> = server
        .options
        .iter()
        .take(3)
        .map(|(router, resolver)| format!("router {} and resolver {}", name(*router), name(*resolver)))
        .collect();
    options.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::{Fact, Lease as Message, Service};
    use crate::detect::testing::{Capture, host};

    fn offer(capture: &mut Capture, kind: u8, client: u64, server: u32, router: u32) {
        offer_by(capture, kind, client, server, router, u64::from(server));
    }

    fn offer_by(capture: &mut Capture, kind: u8, client: u64, server: u32, router: u32, sender: u64) {
        told(capture, kind, client, [server, router, router], sender);
    }

    fn told(capture: &mut Capture, kind: u8, client: u64, [server, router, resolver]: [u32; 3], sender: u64) {
        let addr = |host: u32| Addr::from_v4(10 << 24 | host);
        capture.said(5, server, 67, Service::Dhcp, |at| {
            let (client, frame_src, relay) = (Mac(client), Mac(sender), Addr::UNSPECIFIED);
            let (server, router, resolver) = (addr(server), addr(router), addr(resolver));
            Fact::Lease(Message { kind, client, frame_src, server, router, resolver, relay, vlan: 0, at })
        });
    }

    fn severities(capture: &Capture) -> Vec<Severity> {
        capture.judge(&RogueDhcp).iter().map(|alert| alert.severity).collect()
    }

    #[test]
    fn a_second_server_that_is_its_own_router_is_hostile() {
        let mut capture = Capture::default();
        offer(capture.at_ms(0), OFFER, 70, 1, 1);
        offer(capture.at_ms(5), OFFER, 70, 66, 66);
        let alerts = capture.judge(&RogueDhcp);
        assert_eq!((alerts.len(), alerts[0].severity), (1, Severity::High));
        assert_eq!((&alerts[0].attackers[0], &alerts[0].victims), (&host(66), &vec![host(1)]));
        offer(capture.at_ms(9), ACK, 70, 66, 66);
        assert_eq!(severities(&capture), [Severity::Critical]);
    }

    #[test]
    fn a_second_server_that_names_somebody_else_is_probably_hostile() {
        let mut capture = Capture::default();
        offer(capture.at_ms(0), OFFER, 70, 1, 1);
        offer(capture.at_ms(5), OFFER, 70, 66, 67);
        assert_eq!(severities(&capture), [Severity::Medium]);
    }

    #[test]
    fn servers_that_offer_the_same_are_a_failover_pair() {
        let mut capture = Capture::default();
        offer(capture.at_ms(0), OFFER, 70, 2, 1);
        offer(capture.at_ms(5), OFFER, 70, 3, 1);
        assert!(severities(&capture).is_empty());
    }

    #[test]
    fn servers_that_name_themselves_the_resolver_are_worth_a_look() {
        let mut capture = Capture::default();
        told(capture.at_ms(0), OFFER, 70, [2, 1, 2], 2);
        told(capture.at_ms(5), OFFER, 70, [3, 1, 3], 3);
        assert_eq!(severities(&capture), [Severity::Low]);
    }

    #[test]
    fn one_machine_with_two_addresses_is_one_server() {
        let mut capture = Capture::default();
        offer_by(capture.at_ms(0), OFFER, 70, 1, 1, 9);
        offer_by(capture.at_ms(5), OFFER, 70, 2, 2, 9);
        assert!(severities(&capture).is_empty());
    }

    #[test]
    fn a_laptop_that_moves_to_another_network_is_ordinary() {
        let mut capture = Capture::default();
        offer(capture.at_ms(0), ACK, 70, 1, 1);
        offer(capture.at_ms(90_000), ACK, 70, 66, 66);
        assert!(severities(&capture).is_empty());
        // It comes back: both live, but they never answered one question.
        offer(capture.at_ms(300_000), ACK, 70, 1, 1);
        assert_eq!(severities(&capture), [Severity::Low]);
    }
}
