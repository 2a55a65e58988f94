//! Who claims which address on a link, who was told so without asking, and whose packets went where.
//!
//! Reads the tables of claims and neighbours; judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::rows::{i64s, u8s, u16s, u32s, u64s};
use crate::decode::ClaimKind;
use crate::error::Error;
use crate::net::Mac;
use crate::table::{Address, Role, schema as col};
use crate::time::{MILLISECOND, MINUTE, Nanos};

/// ARP or neighbour discovery, on one VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub vlan: u16,
    pub nd: bool,
}

/// The same message of one machine within one minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub minute: Nanos,
    pub mac: Mac,
    /// A reply or advertisement, and not a question.
    pub reply: bool,
    /// The address that is claimed, and the one that is told or asked for.
    pub address: Address,
    pub target: Address,
    pub count: u64,
    /// Of these, those that told a single host what it had not asked.
    pub unasked: u64,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
}

/// Frames of an address that went to or came from a machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub address: Address,
    pub role: u8,
    pub count: u64,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub last_ordinal: u64,
}

#[derive(Debug, Default)]
pub(super) struct Ownership {
    /// Claims by link and address, in the order of time.
    pub claims: BTreeMap<(Link, Address), Vec<Claim>>,
    own: BTreeMap<(Link, Mac), BTreeSet<Address>>,
    /// By VLAN and machine.
    carried: BTreeMap<(u16, Mac), Vec<Carried>>,
    /// Machines that send or receive for an address.
    carriers: BTreeMap<(u16, Address, u8), Vec<(Mac, Nanos)>>,
}

/// Addresses that move between machines on purpose: VRRP and CARP (RFC 9568), HSRP 1 and 2, GLBP,
/// Microsoft's network load balancing.
const fn is_shared(mac: Mac) -> bool {
    let [_, _, bytes @ ..] = mac.0.to_be_bytes();
    matches!(
        bytes,
        [0, 0, 0x5e, 0, 1 | 2, _]
            | [0, 0, 0x0c, 0x07, 0xac, _]
            | [0, 0, 0x0c, 0x9f, 0xf0..=0xff, _]
            | [0, 0x07, 0xb4, ..]
            | [0x02 | 0x03, 0xbf, ..]
    )
}

impl Ownership {
    pub fn of(context: &Context<'_>) -> Result<Self, Error> {
        let mut found = Self::default();
        found.read_claims(context)?;
        found.read_neighbours(context)?;
        for ((link, address), claims) in &found.claims {
            let Some(mac) = claims.first().map(|claim| claim.mac) else { continue };
            if claims.iter().all(|claim| claim.mac == mac) {
                found.own.entry((*link, mac)).or_default().insert(*address);
            }
        }
        Ok(found)
    }

    fn read_claims(&mut self, context: &Context<'_>) -> Result<(), Error> {
        let table = &context.tables.claims;
        let (minutes, vlans, kinds, macs) =
            (i64s(table, col::MINUTE)?, u16s(table, col::VLAN)?, u8s(table, col::KIND)?, u64s(table, col::MAC)?);
        let (senders, targets, counts) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u64s(table, col::COUNT)?);
        let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
        let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
        let frame_srcs = u64s(table, col::FRAME_SRC)?;
        let mut questions: BTreeMap<(Link, Address, Address, Nanos), u64> = BTreeMap::new();
        for row in 0..table.height() {
            let nd = kinds[row] >= ClaimKind::NeighborSolicitation as u8;
            let reply = kinds[row] == ClaimKind::ArpReply as u8 || kinds[row] == ClaimKind::NeighborAdvertisement as u8;
            let (link, mac) = (Link { vlan: vlans[row], nd }, Mac(macs[row]));
            if !reply {
                *questions.entry((link, senders[row], targets[row], minutes[row])).or_default() += counts[row];
            }
            // Who writes another sender into the message than into the frame speaks for somebody else.
            let own = frame_srcs[row] == 0 || frame_srcs[row] == mac.0;
            if !own || mac.0 == 0 || mac.is_group() || is_shared(mac) || context.address(senders[row]).is_group() {
                continue;
            }
            self.claims.entry((link, senders[row])).or_default().push(Claim {
                minute: minutes[row],
                mac,
                reply,
                address: senders[row],
                target: targets[row],
                count: counts[row],
                unasked: 0,
                first_ts: first[row],
                last_ts: last[row],
                first_ordinal: first_ord[row],
                last_ordinal: last_ord[row],
            });
        }
        for ((link, address), claims) in &mut self.claims {
            for claim in claims.iter_mut().filter(|claim| claim.reply && claim.target != *address) {
                if context.address(claim.target).is_group() {
                    continue;
                }
                let asked = |minute| questions.get(&(*link, claim.target, *address, minute)).copied().unwrap_or_default();
                // The last question of the minute before may be answered in this one.
                claim.unasked = claim.count.saturating_sub(asked(claim.minute) + asked(claim.minute - MINUTE).min(1));
            }
            claims.sort_by_key(|claim| (claim.first_ts, claim.first_ordinal));
        }
        Ok(())
    }

    fn read_neighbours(&mut self, context: &Context<'_>) -> Result<(), Error> {
        let table = &context.tables.neighbours;
        let (vlans, addresses, macs, roles) =
            (u16s(table, col::VLAN)?, u32s(table, col::ADDRESS)?, u64s(table, col::MAC)?, u8s(table, col::ROLE)?);
        let (counts, first, last) = (u64s(table, col::COUNT)?, i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
        let last_ord = u64s(table, col::LAST_ORD)?;
        for row in 0..table.height() {
            let mac = Mac(macs[row]);
            if mac.is_group() || context.address(addresses[row]).is_group() {
                continue;
            }
            self.carriers.entry((vlans[row], addresses[row], roles[row])).or_default().push((mac, first[row]));
            self.carried.entry((vlans[row], mac)).or_default().push(Carried {
                address: addresses[row],
                role: roles[row],
                count: counts[row],
                first_ts: first[row],
                last_ts: last[row],
                last_ordinal: last_ord[row],
            });
        }
        Ok(())
    }

    /// How often a machine said that it has the address.
    pub fn said(&self, link: Link, address: Address, mac: Mac) -> u64 {
        let claims = self.claims.get(&(link, address)).map(Vec::as_slice).unwrap_or_default();
        claims.iter().filter(|claim| claim.mac == mac).map(|claim| claim.count).sum()
    }

    /// Other machines that claim the address, or whose frames carry it as their source. A single message
    /// whose sender differs by a bit or two was damaged and is nobody's.
    pub fn rivals(&self, link: Link, address: Address, mac: Mac) -> BTreeSet<Mac> {
        let claims = self.claims.get(&(link, address)).map(Vec::as_slice).unwrap_or_default();
        let said = |mac: Mac| self.said(link, address, mac);
        let damaged = |other: Mac| (other.0 ^ mac.0).count_ones() <= 2 && said(other).min(said(mac)) <= 1;
        let claimed = claims.iter().map(|claim| claim.mac).filter(|other| *other != mac && !damaged(*other));
        let senders = self.carriers.get(&(link.vlan, address, Role::Sender as u8)).map(Vec::as_slice).unwrap_or_default();
        claimed.chain(senders.iter().map(|(other, _)| *other).filter(|other| *other != mac)).collect()
    }

    /// The machines that told others most often unasked that the address is theirs. A flood of made-up
    /// ones must not cost the time to hold each against all.
    pub fn loudest(claims: &[Claim]) -> BTreeSet<Mac> {
        const MOST: usize = 64;
        let mut unasked: BTreeMap<Mac, u64> = BTreeMap::new();
        claims.iter().filter(|claim| claim.unasked > 0).for_each(|claim| *unasked.entry(claim.mac).or_default() += claim.unasked);
        let mut machines: Vec<(Mac, u64)> = unasked.into_iter().collect();
        machines.sort_by_key(|(mac, unasked)| (std::cmp::Reverse(*unasked), *mac));
        machines.into_iter().take(MOST).map(|(mac, _)| mac).collect()
    }

    /// Addresses that nobody but this machine claims.
    pub fn own(&self, link: Link, mac: Mac) -> BTreeSet<Address> {
        self.own.get(&(link, mac)).cloned().unwrap_or_default()
    }

    /// The machine repeats another's questions within moments, as a bridge to a wireless network does
    /// that has to put its own address into what it passes on.
    pub fn repeats(&self, link: Link, address: Address, mac: Mac) -> bool {
        const WITHIN: Nanos = 20 * MILLISECOND;
        let claims = self.claims.get(&(link, address)).map(Vec::as_slice).unwrap_or_default();
        claims.iter().filter(|claim| claim.mac == mac && !claim.reply).any(|copy| {
            let same = |claim: &&Claim| claim.mac != mac && !claim.reply && claim.target == copy.target;
            claims.iter().filter(same).any(|claim| (0..WITHIN).contains(&(copy.first_ts - claim.first_ts)))
        })
    }

    /// How often the address changed hands between this machine and others, at the least: a minute's
    /// messages count by their first and last. With the time of the last change.
    pub fn flips(&self, link: Link, address: Address, mac: Mac, (from, to): (Nanos, Nanos), within: Nanos) -> (u64, Option<Nanos>) {
        let claims = self.claims.get(&(link, address)).map(Vec::as_slice).unwrap_or_default();
        let rivals = self.rivals(link, address, mac);
        let meant = claims.iter().filter(|claim| claim.mac == mac || rivals.contains(&claim.mac));
        let mut events: Vec<(Nanos, u64, bool)> = meant
            .flat_map(|claim| {
                [(claim.first_ts, claim.first_ordinal), (claim.last_ts, claim.last_ordinal)].map(|at| (at.0, at.1, claim.mac == mac))
            })
            .filter(|(ts, ..)| (from - within..=to + within).contains(ts))
            .collect();
        events.sort_unstable();
        let changes = events.windows(2).filter(|pair| pair[0].2 != pair[1].2 && pair[1].0 - pair[0].0 <= within);
        let times: Vec<Nanos> = changes.map(|pair| pair[1].0).collect();
        (times.len() as u64, times.last().copied())
    }

    /// Packets of other addresses that went through a machine from a time on; none if it passed on
    /// packets of several addresses before, as a router does.
    pub fn taken_over(&self, link: Link, mac: Mac, from: Nanos, own: &BTreeSet<Address>) -> Vec<Carried> {
        const ROUTER: usize = 3;
        let rows = self.carried.get(&(link.vlan, mac)).map(Vec::as_slice).unwrap_or_default();
        let foreign = || rows.iter().filter(|row| !own.contains(&row.address));
        let before: BTreeSet<Address> = foreign().filter(|row| row.first_ts < from).map(|row| row.address).collect();
        if before.len() >= ROUTER {
            return Vec::new();
        }
        foreign().filter(|row| row.first_ts >= from).copied().collect()
    }

    /// The machine that carried an address before that time.
    pub fn carrier_before(&self, link: Link, carried: &Carried, mac: Mac, before: Nanos) -> Option<Mac> {
        let carriers = self.carriers.get(&(link.vlan, carried.address, carried.role))?;
        carriers.iter().find(|(other, first)| *other != mac && *first < before).map(|(other, _)| *other)
    }
}
