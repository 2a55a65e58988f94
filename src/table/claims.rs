//! Who asked for or announced which address, minute by minute.

use hashbrown::HashMap;

use super::flow::tick_second;
use crate::decode::{Claim, ClaimKind};
use crate::net::{Addr, Mac};
use crate::time::{self, MINUTE, Nanos};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimKey {
    pub minute: Nanos,
    pub vlan: u16,
    pub kind: ClaimKind,
    pub mac: Mac,
    pub sender: Addr,
    pub target: Addr,
}

#[derive(Clone, Copy, Debug)]
pub struct ClaimCounts {
    pub count: u64,
    pub first_ts: Nanos,
    pub last_ts: Nanos,
    pub first_ordinal: u64,
    pub last_ordinal: u64,
    /// Source of the frames' own link header, where it differs from the sender the message names.
    pub frame_src: Mac,
}

#[derive(Debug)]
pub struct Claims {
    pub rows: HashMap<ClaimKey, ClaimCounts, foldhash::fast::RandomState>,
    limit: usize,
    per_second: u32,
    second: i64,
    admitted: u32,
    /// Messages that made no row because the table was full or the second's share used up.
    pub thinned: u64,
}

impl Claims {
    #[must_use]
    pub fn new(limit: usize, per_second: u32) -> Self {
        Self { rows: HashMap::default(), limit, per_second, second: i64::MIN, admitted: 0, thinned: 0 }
    }

    /// From 0 to 1.
    #[must_use]
    pub fn fullness(&self) -> f64 {
        self.rows.len() as f64 / self.limit.max(1) as f64
    }

    /// A copy of what was claimed at or after `from`.
    #[must_use]
    pub fn since(&self, from: Nanos) -> Self {
        let rows = self.rows.iter().filter(|(key, _)| key.minute >= from).map(|(key, row)| (*key, *row)).collect();
        Self { rows, limit: self.limit, per_second: self.per_second, second: self.second, admitted: self.admitted, thinned: self.thinned }
    }

    pub fn take(&mut self, claim: &Claim) {
        let Claim { ts, vlan, kind, mac, sender, target, ordinal, frame_src, .. } = *claim;
        let key = ClaimKey { minute: time::pane(ts, MINUTE), vlan, kind, mac, sender, target };
        if let Some(row) = self.rows.get_mut(&key) {
            row.count += 1;
            row.first_ts = row.first_ts.min(ts);
            row.last_ts = row.last_ts.max(ts);
            row.last_ordinal = ordinal;
        } else if self.has_room(claim) {
            self.rows
                .insert(key, ClaimCounts { count: 1, first_ts: ts, last_ts: ts, first_ordinal: ordinal, last_ordinal: ordinal, frame_src });
        } else {
            self.thinned += 1;
        }
    }

    /// Anybody can ask for anything; questions leave half of the room to what is answered, so that no storm of
    /// them hides who claims what.
    fn has_room(&mut self, claim: &Claim) -> bool {
        let second = tick_second(claim.tick);
        if second != self.second {
            self.second = second;
            self.admitted = 0;
        }
        let question = matches!(claim.kind, ClaimKind::ArpRequest | ClaimKind::NeighborSolicitation);
        let (per_second, limit) = if question { (self.per_second / 2, self.limit / 2) } else { (self.per_second, self.limit) };
        let fits = self.admitted < per_second && self.rows.len() < limit;
        self.admitted += u32::from(fits);
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up question or an answer, in one moment.
    fn claim(kind: ClaimKind, number: u32) -> Claim {
        Claim {
            ts: 0,
            tick: 0,
            ordinal: 0,
            kind,
            vlan: 0,
            frame_src: Mac(0),
            mac: Mac(u64::from(number)),
            sender: Addr::from_v4(number),
            target: Addr::from_v4(1),
        }
    }

    #[test]
    fn a_storm_of_questions_leaves_room_for_answers() {
        let mut claims = Claims::new(100, 1_000);
        (0..500).for_each(|number| claims.take(&claim(ClaimKind::ArpRequest, number)));
        assert_eq!((claims.rows.len(), claims.thinned), (50, 450));
        (0..60).for_each(|number| claims.take(&claim(ClaimKind::ArpReply, number)));
        assert_eq!((claims.rows.len(), claims.thinned), (100, 460));
    }
}
