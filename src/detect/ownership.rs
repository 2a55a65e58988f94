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
    /// When another machine first carried the same.
    pub elsewhere: Option<Nanos>,
}

/// What went through a machine, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Passage {
    /// Of addresses that others claim or nobody does.
    strangers: Vec<Carried>,
    /// Of those that only this machine claims.
    own: BTreeMap<Address, Vec<Carried>>,
}

/// What went through a machine since it claimed an address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken<'a> {
    /// Of strangers. What a later claim took is the end of what an earlier one did.
    pub strangers: &'a [Carried],
    /// Of the claimed address itself, where nobody else claims it.
    pub claimed: &'a [Carried],
}

#[derive(Debug, Default)]
pub(super) struct Ownership {
    /// Claims by link and address, in the order of time.
    pub claims: BTreeMap<(Link, Address), Vec<Claim>>,
    own: BTreeMap<(Link, Mac), BTreeSet<Address>>,
    /// By VLAN and machine, in the order of time.
    carried: BTreeMap<(u16, Mac), Vec<Carried>>,
    /// Machines that send or receive for an address, in the order of time.
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
        found.order_carried();
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
                elsewhere: None,
            });
        }
        Ok(())
    }

    /// Sorts what was carried, and looks up once for each who else carried it: every claim asks for it.
    fn order_carried(&mut self) {
        self.carriers.values_mut().for_each(|machines| machines.sort_by_key(|(_, first)| *first));
        for ((vlan, mac), rows) in &mut self.carried {
            rows.sort_by_key(|row| row.first_ts);
            for row in rows {
                let machines = self.carriers.get(&(*vlan, row.address, row.role)).map(Vec::as_slice).unwrap_or_default();
                row.elsewhere = machines.iter().find(|(other, _)| other != mac).map(|(_, first)| *first);
            }
        }
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
        let mut said: BTreeMap<Mac, u64> = BTreeMap::new();
        claims.iter().for_each(|claim| *said.entry(claim.mac).or_default() += claim.count);
        let mine = said.get(&mac).copied().unwrap_or_default();
        let damaged = |other: Mac, count: u64| (other.0 ^ mac.0).count_ones() <= 2 && count.min(mine) <= 1;
        let claimed = said.iter().filter(|(other, count)| **other != mac && !damaged(**other, **count)).map(|(other, _)| *other);
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
        let mut questions: Vec<&Claim> = claims.iter().filter(|claim| !claim.reply).collect();
        // Of two at the same time, the machine's is the copy.
        questions.sort_by_key(|claim| (claim.first_ts, claim.mac == mac));
        let mut asked: BTreeMap<Address, Nanos> = BTreeMap::new();
        questions.into_iter().any(|claim| {
            if claim.mac == mac {
                return asked.get(&claim.target).is_some_and(|last| claim.first_ts - *last < WITHIN);
            }
            asked.insert(claim.target, claim.first_ts);
            false
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

    /// What went through a machine, its own packets apart from those of others.
    pub fn passage(&self, link: Link, mac: Mac, own: &BTreeSet<Address>) -> Passage {
        let mut found = Passage::default();
        for row in self.carried.get(&(link.vlan, mac)).map(Vec::as_slice).unwrap_or_default() {
            if own.contains(&row.address) {
                found.own.entry(row.address).or_default().push(*row);
            } else {
                found.strangers.push(*row);
            }
        }
        found
    }
}

impl Passage {
    /// Packets that are not the machine's own, should the claimed address not be, from a time on; none if
    /// it passed on packets of several addresses before, as a router does.
    pub fn taken(&self, claimed: Address, from: Nanos) -> Taken<'_> {
        const ROUTER: usize = 3;
        let (strangers_before, strangers) = split(&self.strangers, from);
        let (claimed_before, claimed) = split(self.own.get(&claimed).map(Vec::as_slice).unwrap_or_default(), from);
        let mut before = BTreeSet::new();
        let is_router = strangers_before.iter().chain(claimed_before).any(|row| {
            before.insert(row.address);
            before.len() >= ROUTER
        });
        if is_router { Taken::default() } else { Taken { strangers, claimed } }
    }
}

/// What began before a time, and what since.
fn split(rows: &[Carried], from: Nanos) -> (&[Carried], &[Carried]) {
    rows.split_at(rows.partition_point(|row| row.first_ts < from))
}

impl Taken<'_> {
    /// When the first packet went through the machine.
    pub fn began(&self) -> Option<Nanos> {
        self.first(|_| true)
    }

    /// The same of packets that another machine carried before that time.
    pub fn moved(&self, before: Nanos) -> Option<Nanos> {
        self.first(|row| row.elsewhere.is_some_and(|first| first < before))
    }

    fn first(&self, matters: impl Fn(&Carried) -> bool) -> Option<Nanos> {
        let first = |rows: &[Carried]| rows.iter().find(|row| matters(row)).map(|row| row.first_ts);
        first(self.strangers).into_iter().chain(first(self.claimed)).min()
    }
}
