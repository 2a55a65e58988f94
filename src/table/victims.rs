//! What arrived at each target: second by second while it is busy, minute by minute while it is quiet.
//!
//! Sums, maxima and distinct counts only. Sees every packet, also those that a flood folds.

use hashbrown::HashMap;

use super::distinct::Distinct;
use super::flow::verdict;
use crate::decode::{Kind, Packet, flag};
use crate::net::{Addr, ip_proto, mix_addr};
use crate::time::{self, MINUTE, Nanos, SECOND};

/// From this many packets a second of a target is kept by itself: below the least flood threshold
/// (256 ICMP packets per second) nothing is judged by the second ...
const BUSY_PACKETS: u64 = 200;
/// ... except for SYNs (the CUSUM test begins at 20 per second), unasked answers, fragments, and what
/// goes to everybody.
const BUSY_SPECIAL: u64 = 20;
/// A minute of quiet seconds with fewer packets is not kept: no detector speaks of so few.
const LEAST_PACKETS: u64 = 20;

/// Packets and bytes toward one target in one pane, by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    pub packets: u64,
    /// Packets of the first half of a second: a burst that lies in two seconds is told from a rate by it.
    pub early: u64,
    /// Bytes of IP packets.
    pub bytes: u64,
    pub syn: u64,
    pub syn_ack: u64,
    pub ack: u64,
    pub rst: u64,
    pub fin: u64,
    /// TCP without SYN and without a connection.
    pub stray: u64,
    pub handshakes: u64,
    pub udp: u64,
    pub udp_bytes: u64,
    /// UDP packets of connections in which the target itself has spoken.
    pub udp_answered: u64,
    pub echo: u64,
    pub icmp: u64,
    pub fragments: u64,
    pub first_fragments: u64,
    pub last_fragments: u64,
    /// Bytes that fragments brought, and that the datagrams of last fragments need.
    pub fragment_bytes: u64,
    pub fragment_needed: u64,
    /// Answers nobody asked for.
    pub unsolicited: u64,
    pub unsolicited_bytes: u64,
    pub folded: u64,
    pub duplicates: u64,
    /// The service port that most unsolicited answers came from: majority vote (Boyer and Moore),
    /// exact where one port sent more than half.
    pub reflected_port: u16,
    reflected_votes: u32,
    /// The same for the target's own port.
    pub target_port: u16,
    target_votes: u32,
    pub sources: Distinct,
    pub reflectors: Distinct,
    /// One bit per TTL value modulo 64.
    pub ttls: u64,
}

impl Arrivals {
    fn add(&mut self, packet: &Packet, verdict: u8) {
        if self.packets == 0 {
            self.first_ordinal = packet.ordinal;
        }
        self.last_ordinal = packet.ordinal;
        if verdict & verdict::DUPLICATE != 0 {
            self.duplicates += 1;
            return;
        }
        self.packets += 1;
        self.early += u64::from(packet.ts.rem_euclid(SECOND) < SECOND / 2);
        self.bytes += u64::from(packet.ip_len);
        self.folded += u64::from(verdict & verdict::FOLDED != 0);
        self.ttls |= 1 << (packet.ttl & 63);
        match packet.kind {
            Kind::Tcp => self.add_tcp(packet, verdict),
            Kind::Udp => {
                self.udp += 1;
                self.udp_bytes += u64::from(packet.ip_len);
                self.udp_answered += u64::from(verdict & verdict::ANSWERED != 0);
            }
            Kind::Icmp => {
                self.icmp += 1;
                self.echo += u64::from(matches!((packet.proto, packet.sport), (ip_proto::ICMP, 8) | (ip_proto::ICMP6, 128)));
            }
            Kind::IcmpError => self.icmp += 1,
            Kind::Fragment | Kind::Sctp | Kind::Other => {}
        }
        if packet.fragment {
            self.fragments += 1;
            self.first_fragments += u64::from(packet.kind != Kind::Fragment);
            self.last_fragments += u64::from(packet.kind == Kind::Fragment && packet.ack > 0);
            self.fragment_bytes += u64::from(packet.ip_len);
            self.fragment_needed += if packet.kind == Kind::Fragment { u64::from(packet.ack) } else { 0 };
        }
        vote(&mut self.target_port, &mut self.target_votes, packet.dport);
        let source = mix_addr(packet.sender());
        self.sources.insert(source);
        if verdict & verdict::UNSOLICITED != 0 {
            self.unsolicited += 1;
            self.unsolicited_bytes += u64::from(packet.ip_len);
            self.reflectors.insert(source);
            vote(&mut self.reflected_port, &mut self.reflected_votes, packet.sport);
        }
    }

    const fn is_busy(&self, target: Addr) -> bool {
        self.packets >= BUSY_PACKETS
            || self.syn >= BUSY_SPECIAL
            || self.unsolicited >= BUSY_SPECIAL
            || self.fragments >= BUSY_SPECIAL
            || (target.is_group() && self.packets >= BUSY_SPECIAL)
    }

    fn add_tcp(&mut self, packet: &Packet, verdict: u8) {
        match packet.flags & (flag::SYN | flag::ACK | flag::RST | flag::FIN) {
            flag::SYN => self.syn += 1,
            bits if bits & (flag::SYN | flag::ACK) == flag::SYN | flag::ACK => self.syn_ack += 1,
            bits if bits & flag::RST != 0 => self.rst += 1,
            bits if bits & flag::FIN != 0 => self.fin += 1,
            flag::ACK if packet.payload_len == 0 => self.ack += 1,
            _ => {}
        }
        self.stray += u64::from(verdict & verdict::STRAY != 0);
        self.handshakes += u64::from(verdict & verdict::HANDSHAKE != 0);
    }

    fn merge(&mut self, other: &Self) {
        if other.packets + other.duplicates == 0 {
            return;
        }
        if self.packets + self.duplicates == 0 {
            *self = other.clone();
            return;
        }
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
        for (mine, theirs) in self.sums_mut().into_iter().zip(other.sums()) {
            *mine += theirs;
        }
        merge_votes((&mut self.reflected_port, &mut self.reflected_votes), (other.reflected_port, other.reflected_votes));
        merge_votes((&mut self.target_port, &mut self.target_votes), (other.target_port, other.target_votes));
        self.sources.merge(&other.sources);
        self.reflectors.merge(&other.reflectors);
        self.ttls |= other.ttls;
    }

    /// Every counter, in the order of [`Self::SUMS`].
    #[must_use]
    pub const fn sums(&self) -> [u64; 24] {
        [
            self.packets,
            self.early,
            self.bytes,
            self.syn,
            self.syn_ack,
            self.ack,
            self.rst,
            self.fin,
            self.stray,
            self.handshakes,
            self.udp,
            self.udp_bytes,
            self.udp_answered,
            self.echo,
            self.icmp,
            self.fragments,
            self.first_fragments,
            self.last_fragments,
            self.fragment_bytes,
            self.fragment_needed,
            self.unsolicited,
            self.unsolicited_bytes,
            self.folded,
            self.duplicates,
        ]
    }

    const fn sums_mut(&mut self) -> [&mut u64; 24] {
        [
            &mut self.packets,
            &mut self.early,
            &mut self.bytes,
            &mut self.syn,
            &mut self.syn_ack,
            &mut self.ack,
            &mut self.rst,
            &mut self.fin,
            &mut self.stray,
            &mut self.handshakes,
            &mut self.udp,
            &mut self.udp_bytes,
            &mut self.udp_answered,
            &mut self.echo,
            &mut self.icmp,
            &mut self.fragments,
            &mut self.first_fragments,
            &mut self.last_fragments,
            &mut self.fragment_bytes,
            &mut self.fragment_needed,
            &mut self.unsolicited,
            &mut self.unsolicited_bytes,
            &mut self.folded,
            &mut self.duplicates,
        ]
    }
}

/// Names of [`Arrivals::sums`].
pub const SUMS: [&str; 24] = [
    "packets",
    "early",
    "bytes",
    "syn",
    "syn_ack",
    "ack",
    "rst",
    "fin",
    "stray",
    "handshakes",
    "udp",
    "udp_bytes",
    "udp_answered",
    "echo",
    "icmp",
    "fragments",
    "first_fragments",
    "last_fragments",
    "fragment_bytes",
    "fragment_needed",
    "unsolicited",
    "unsolicited_bytes",
    "folded",
    "duplicates",
];

fn vote(candidate: &mut u16, votes: &mut u32, port: u16) {
    if *candidate == port {
        *votes = votes.saturating_add(1);
    } else if *votes == 0 {
        *candidate = port;
        *votes = 1;
    } else {
        *votes -= 1;
    }
}

/// Two counts of votes as one: equal candidates add up, different ones cancel out.
fn merge_votes(mine: (&mut u16, &mut u32), theirs: (u16, u32)) {
    let ((candidate, votes), (other, others)) = (mine, theirs);
    if *candidate == other {
        *votes = votes.saturating_add(others);
    } else if others > *votes {
        (*candidate, *votes) = (other, others - *votes);
    } else {
        *votes -= others;
    }
}

/// One target while packets arrive: its open second, and the quiet seconds of its open minute.
#[derive(Clone, Debug, Default)]
struct Open {
    second: Nanos,
    arrivals: Arrivals,
    minute: Nanos,
    quiet: Arrivals,
    last_tick: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VictimKey {
    /// Start of the pane, packet time.
    pub ts: Nanos,
    pub target: Addr,
    /// The pane is one second; otherwise what was quiet in one minute.
    pub busy: bool,
}

#[derive(Debug, Default)]
pub struct Victims {
    open: HashMap<Addr, Open, foldhash::fast::RandomState>,
    limit: usize,
    swept: Nanos,
    closed: Closed,
}

/// Panes that have ended.
#[derive(Debug, Default)]
pub struct Closed {
    pub rows: HashMap<VictimKey, Arrivals, foldhash::fast::RandomState>,
    limit: usize,
    /// Panes that found the table full.
    pub thinned: u64,
}

impl Victims {
    /// Panes and open targets.
    #[must_use]
    pub fn held(&self) -> usize {
        self.closed.rows.len() + self.open.len()
    }

    /// Room for more panes and targets than there are now, until the next grant.
    pub fn grant(&mut self, more: usize) {
        self.limit = self.held() + more;
        self.closed.limit = self.closed.rows.len() + more;
    }

    /// What was left out so far is told already.
    pub const fn forget_thinned(&mut self) {
        self.closed.thinned = 0;
    }

    /// A copy of what arrived at or after `from`. A pane that is open is in both.
    #[must_use]
    pub fn since(&self, from: Nanos) -> Self {
        let rows = self.closed.rows.iter().filter(|(key, _)| key.ts >= from).map(|(key, row)| (*key, row.clone())).collect();
        let open = self.open.iter().map(|(target, open)| (*target, open.clone())).collect();
        let closed = Closed { rows, limit: self.closed.limit, thinned: self.closed.thinned };
        Self { open, limit: self.limit, swept: self.swept, closed }
    }

    /// Counts one packet toward its receiver. A folded packet opens no target: one source asking
    /// random hosts would open millions, and [`super::admission`] has counted it.
    pub fn take(&mut self, packet: &Packet, verdict: u8) {
        self.sweep(packet.tick);
        let target = packet.receiver();
        let full = self.held() >= self.limit;
        let open = match self.open.get_mut(&target) {
            Some(open) => open,
            None if verdict & verdict::FOLDED != 0 => return,
            None if full => {
                self.closed.thinned += 1;
                return;
            }
            None => self.open.entry(target).or_default(),
        };
        let second = time::pane(packet.ts, SECOND);
        if open.second != second {
            open.end_second(target, &mut self.closed);
            open.second = second;
        }
        open.last_tick = packet.tick;
        open.arrivals.add(packet, verdict);
    }

    /// Ends every open pane.
    #[must_use]
    pub fn finish(mut self) -> Closed {
        self.close(|_| true);
        self.closed
    }

    /// Once a minute of elapsed time, targets that nothing reached for a minute are closed.
    fn sweep(&mut self, tick: Nanos) {
        if tick - self.swept >= MINUTE {
            self.swept = tick;
            self.close(|open| tick - open.last_tick >= MINUTE);
        }
    }

    /// Ends the open panes of some targets, in the order of their addresses: where the table is full,
    /// that order decides what is kept.
    fn close(&mut self, which: impl Fn(&Open) -> bool) {
        let mut targets: Vec<Addr> = self.open.iter().filter(|(_, open)| which(open)).map(|(target, _)| *target).collect();
        targets.sort_unstable();
        for target in targets {
            if let Some(mut open) = self.open.remove(&target) {
                open.end(target, &mut self.closed);
            }
        }
    }
}

impl Open {
    fn end(&mut self, target: Addr, closed: &mut Closed) {
        self.end_second(target, closed);
        self.end_minute(target, closed);
    }

    fn end_second(&mut self, target: Addr, closed: &mut Closed) {
        let arrivals = std::mem::take(&mut self.arrivals);
        if arrivals.is_busy(target) {
            closed.keep(VictimKey { ts: self.second, target, busy: true }, arrivals);
            return;
        }
        let minute = time::pane(self.second, MINUTE);
        if minute != self.minute {
            self.end_minute(target, closed);
            self.minute = minute;
        }
        self.quiet.merge(&arrivals);
    }

    fn end_minute(&mut self, target: Addr, closed: &mut Closed) {
        let quiet = std::mem::take(&mut self.quiet);
        if quiet.packets >= LEAST_PACKETS {
            closed.keep(VictimKey { ts: self.minute, target, busy: false }, quiet);
        }
    }
}

impl Closed {
    fn keep(&mut self, key: VictimKey, arrivals: Arrivals) {
        if let Some(row) = self.rows.get_mut(&key) {
            row.merge(&arrivals);
        } else if self.rows.len() < self.limit {
            self.rows.insert(key, arrivals);
        } else {
            self.thinned += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Number, SECTIONS};

    /// What the table does not keep no detector can judge, whatever the configuration says.
    #[test]
    fn no_rate_can_be_set_below_what_is_kept() {
        let least = |path: &str| {
            let settings = SECTIONS.iter().flat_map(|section| section.settings);
            settings.into_iter().find(|setting| setting.path == path).unwrap().min
        };
        for path in ["flood.tcp_per_s", "flood.udp_per_s", "flood.icmp_per_s"] {
            assert_eq!(least(path), Number::Whole(BUSY_PACKETS), "{path}");
        }
        for path in ["flood.syn_per_s", "flood.cusum_floor_per_s", "flood.fragments_per_s"] {
            assert_eq!(least(path), Number::Whole(BUSY_SPECIAL), "{path}");
        }
    }
}
