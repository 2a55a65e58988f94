//! What keeps a flood from making state: how many connections nobody answered may be new in one
//! second of elapsed time, for each target, each source and each address pair.
//!
//! As a SYN cookie keeps no state before the handshake completes. What is not admitted is counted in
//! the totals of its target or source and in a sketch ([`Fold`]). Everything here is counted at the
//! frame that caused it, so that batches and threads do not matter.

use hashbrown::HashMap;

use super::distinct::Distinct;
use super::flow::tick_second;
use super::keyed::Merge;
use crate::net::{Addr, mix, mix_addr};
use crate::time::{self, MINUTE, Nanos};

/// Limits per second of elapsed time and shard.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// New address pairs toward one target.
    pub pairs_per_target: u32,
    /// New address pairs from one source.
    pub pairs_per_source: u32,
    /// New connections within one address pair.
    pub flows_per_pair: u32,
}

/// While an address folds, this part of its limit stays open: enough to see what the flood is made
/// of, and little enough that an hour of it stays small.
const OPEN_WHILE_FOLDING: u32 = 16;

#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    second: i64,
    spent: u32,
    /// The last second in which something was folded.
    folded: i64,
}

impl Budget {
    /// Takes one admission; false if none is left in this second.
    fn spend(&mut self, second: i64, limit: u32) -> bool {
        if second != self.second {
            self.second = second;
            self.spent = 0;
        }
        let limit = if self.is_folding(second) { (limit / OPEN_WHILE_FOLDING).max(1) } else { limit };
        if self.spent >= limit {
            self.folded = second;
            return false;
        }
        self.spent += 1;
        true
    }

    const fn is_folding(&self, second: i64) -> bool {
        self.folded > 0 && second - self.folded <= 1
    }
}

/// Rows of folds that a shard keeps, of 1 to 2.5 KB each.
const MOST_FOLDS: usize = 1_024;

/// Addresses with a budget that a shard keeps, some 50 bytes each: 460 000 over all shards, as many as fill a hash table of
/// 8192 places.
const MOST_BUDGETS: usize = 7_168;

/// Seconds are counted from 1, so that 0 can mean "never".
const fn second_of(tick: Nanos) -> i64 {
    tick_second(tick) + 1
}

/// What was folded into one address's totals in one minute of packet time.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    pub packets: u64,
    /// Bytes of IP packets.
    pub bytes: u64,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    /// Distinct targets.
    pub hosts: Distinct,
    /// Distinct target ports.
    pub ports: Distinct,
}

impl Merge for Fold {
    fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.first_ordinal = self.first_ordinal.min(other.first_ordinal);
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
        self.hosts.merge(&other.hosts);
        self.ports.merge(&other.ports);
    }
}

/// Folded packets are kept by source, target and the minute: the target is [`Addr::UNSPECIFIED`]
/// where one source asked too many targets, the source where too many sources asked one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FoldKey {
    pub minute: Nanos,
    pub source: Addr,
    pub target: Addr,
    pub proto: u8,
}

#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    targets: HashMap<Addr, Budget, foldhash::fast::RandomState>,
    sources: HashMap<Addr, Budget, foldhash::fast::RandomState>,
    pairs: HashMap<(Addr, Addr), Budget, foldhash::fast::RandomState>,
    swept: i64,
    pub folds: HashMap<FoldKey, Fold, foldhash::fast::RandomState>,
    pub folded_packets: u64,
    /// Packets that found the table of folds full.
    pub thinned: u64,
}

/// A new connection asks for admission: from where to where.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub source: Addr,
    pub target: Addr,
    pub port: u16,
    pub proto: u8,
    pub bytes: u64,
    pub ts: Nanos,
    pub tick: Nanos,
    pub ordinal: u64,
    /// The pair has a live connection already.
    pub pair_known: bool,
}

impl Admission {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            targets: HashMap::default(),
            sources: HashMap::default(),
            pairs: HashMap::default(),
            swept: 0,
            folds: HashMap::default(),
            folded_packets: 0,
            thinned: 0,
        }
    }

    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// A copy of what was folded at or after `from`; nothing asks it for admission.
    #[must_use]
    pub fn since(&self, from: Nanos) -> Self {
        let folds = self.folds.iter().filter(|(key, _)| key.minute >= from).map(|(key, fold)| (*key, fold.clone())).collect();
        Self { folds, folded_packets: self.folded_packets, thinned: self.thinned, ..Self::new(self.limits) }
    }

    /// Goes on where another stopped: an address that folds goes on folding.
    pub fn go_on_from(&mut self, other: &mut Self) {
        self.swept = other.swept;
        std::mem::swap(&mut self.targets, &mut other.targets);
        std::mem::swap(&mut self.sources, &mut other.sources);
        std::mem::swap(&mut self.pairs, &mut other.pairs);
    }

    /// May this connection have state? If not, it has been counted.
    pub fn admits(&mut self, request: &Request) -> bool {
        let second = second_of(request.tick);
        self.forget(second);
        let (source, target) = if request.pair_known {
            let pair = self.pairs.entry((request.source, request.target)).or_default();
            if pair.spend(second, self.limits.flows_per_pair) {
                return true;
            }
            (request.source, request.target)
        } else {
            // A reply to an address that folds is part of the same flood.
            let folds = |budgets: &HashMap<Addr, Budget, foldhash::fast::RandomState>, address| {
                budgets.get(address).is_some_and(|budget| budget.is_folding(second))
            };
            if folds(&self.sources, &request.target) {
                self.fold(request, Addr::UNSPECIFIED, request.target);
                return false;
            }
            if !folds(&self.targets, &request.source) {
                // Only a second that lasts for ever, or a flood of both ends, has so many addresses.
                let full = self.targets.len() >= MOST_BUDGETS || self.sources.len() >= MOST_BUDGETS;
                let unknown = full && !(self.targets.contains_key(&request.target) && self.sources.contains_key(&request.source));
                if unknown || !self.targets.entry(request.target).or_default().spend(second, self.limits.pairs_per_target) {
                    self.fold(request, Addr::UNSPECIFIED, request.target);
                    return false;
                }
                if self.sources.entry(request.source).or_default().spend(second, self.limits.pairs_per_source) {
                    return true;
                }
            }
            (request.source, Addr::UNSPECIFIED)
        };
        self.fold(request, source, target);
        false
    }

    /// The pair was admitted a moment ago, or keeps coming: it needs no admission as a new one.
    #[must_use]
    pub fn knows(&self, source: Addr, target: Addr) -> bool {
        self.pairs.contains_key(&(source, target))
    }

    /// Knows a pair for the next two seconds although none of its connections is live.
    pub fn remember(&mut self, source: Addr, target: Addr, tick: Nanos) {
        self.pairs.entry((source, target)).or_default().second = second_of(tick);
    }

    /// A connection admitted in this second completed its handshake: it was no flood, give it back.
    pub fn completed(&mut self, source: Addr, target: Addr, tick: Nanos) {
        let second = second_of(tick);
        for budget in [self.targets.get_mut(&target), self.sources.get_mut(&source)].into_iter().flatten() {
            if budget.second == second {
                budget.spent = budget.spent.saturating_sub(1);
            }
        }
    }

    fn fold(&mut self, request: &Request, source: Addr, target: Addr) {
        self.folded_packets += 1;
        // One row per minute, folding address and protocol; whoever makes more of them has more addresses
        // than a flood needs, and is counted in the sum only.
        let key = FoldKey { minute: time::pane(request.ts, MINUTE), source, target, proto: request.proto };
        if self.folds.len() >= MOST_FOLDS && !self.folds.contains_key(&key) {
            self.thinned += 1;
            return;
        }
        let fold = self.folds.entry(key).or_insert_with(|| Fold {
            first_ts: request.ts,
            last_ts: request.ts,
            first_ordinal: request.ordinal,
            ..Fold::default()
        });
        fold.packets += 1;
        fold.bytes += request.bytes;
        fold.first_ts = fold.first_ts.min(request.ts);
        fold.last_ts = fold.last_ts.max(request.ts);
        fold.last_ordinal = request.ordinal;
        let counted = if source == Addr::UNSPECIFIED { request.source } else { request.target };
        fold.hosts.insert(mix_addr(counted));
        fold.ports.insert(mix(u64::from(request.port), u64::from(request.proto)));
    }

    /// Budgets older than two seconds decide nothing any more. They are dropped once a second of
    /// elapsed time, so that the maps hold what two seconds can bring.
    fn forget(&mut self, second: i64) {
        if second <= self.swept + 1 {
            return;
        }
        self.swept = second;
        let alive = |budget: &Budget| second - budget.second <= 2;
        self.targets.retain(|_, budget| alive(budget));
        self.sources.retain(|_, budget| alive(budget));
        self.pairs.retain(|_, budget| alive(budget));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    const LIMITS: Limits = Limits { pairs_per_target: 16, pairs_per_source: 64, flows_per_pair: 4 };

    fn ask(source: u32, target: u32, tick: Nanos) -> Request {
        let (source, target) = (Addr::from_v4(source), Addr::from_v4(target));
        Request { source, target, port: 80, proto: 6, bytes: 40, ts: tick, tick, ordinal: 1, pair_known: false }
    }

    #[test]
    fn a_target_gets_its_sixteen_pairs_a_second_and_the_rest_is_counted() {
        let mut admission = Admission::new(LIMITS);
        let admitted = (0..1_000).filter(|n| admission.admits(&ask(*n, 9, SECOND))).count();
        assert_eq!(admitted, 16);
        assert_eq!(admission.folded_packets, 1_000 - 16);
        let fold = admission.folds.values().next().unwrap();
        assert_eq!(fold.packets, 984);
    }

    #[test]
    fn a_folding_target_gets_less_until_it_has_been_quiet() {
        let mut admission = Admission::new(LIMITS);
        assert!((0..100).any(|n| !admission.admits(&ask(n, 9, SECOND))));
        assert_eq!((100..200).filter(|n| admission.admits(&ask(*n, 9, 2 * SECOND))).count(), 1);
        assert_eq!((200..210).filter(|n| admission.admits(&ask(*n, 9, 5 * SECOND))).count(), 10);
    }

    #[test]
    fn replies_of_a_folding_target_make_no_state_either() {
        let mut admission = Admission::new(LIMITS);
        assert!((0..100).any(|n| !admission.admits(&ask(n, 9, SECOND))));
        assert!(!admission.admits(&ask(9, 50, SECOND)));
    }

    #[test]
    fn completed_handshakes_do_not_use_up_the_budget() {
        let mut admission = Admission::new(LIMITS);
        for n in 0..1_000 {
            assert!(admission.admits(&ask(n, 9, SECOND)), "{n}");
            admission.completed(Addr::from_v4(n), Addr::from_v4(9), SECOND);
        }
    }
}
