//! The name by which an address became known, from the answers of DNS.
//!
//! Of several names the first is kept: a detector wants to say what a host was called when it was first
//! met. Which names share the address it cannot tell.

use super::keyed::Merge;
use crate::decode::app::Address;
use crate::net::Addr;
use crate::time::Nanos;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResolvedKey {
    pub address: Addr,
}

/// The first name that an address was the answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRow {
    pub ts: Nanos,
    pub ordinal: u64,
    pub name: Box<str>,
    /// Answers with this address, whatever the name.
    pub answers: u64,
}

impl ResolvedRow {
    #[must_use]
    pub fn of(found: Address) -> (ResolvedKey, Self) {
        let Address { name, address, at } = found;
        (ResolvedKey { address }, Self { ts: at.ts, ordinal: at.ordinal, name: name.into(), answers: 1 })
    }
}

impl Merge for ResolvedRow {
    fn merge(&mut self, other: &Self) {
        let answers = self.answers + other.answers;
        if (other.ts, other.ordinal, &other.name) < (self.ts, self.ordinal, &self.name) {
            self.clone_from(other);
        }
        self.answers = answers;
    }
}

#[cfg(test)]
mod tests {
    use super::super::keyed::{Keyed, Room, merged};
    use super::*;
    use crate::decode::app::Moment;

    #[test]
    fn the_first_name_stays_whatever_the_order_of_answers_and_shards() {
        let answer = |name: &str, ts, ordinal| Address { name: name.into(), address: Addr::from_v4(7), at: Moment { ts, ordinal } };
        let answers = [answer("second.test", 5, 2), answer("third.test", 6, 1), answer("first.test", 5, 1)];
        for split in 0..=answers.len() {
            let mut tables = [Keyed::default(), Keyed::default()];
            let mut room = Room::default();
            room.grant(2);
            for (number, answer) in answers.iter().enumerate() {
                let (key, row) = ResolvedRow::of(answer.clone());
                tables[usize::from(number < split)].add(&mut room, key, row);
            }
            let row = ResolvedRow { ts: 5, ordinal: 1, name: "first.test".into(), answers: 3 };
            assert_eq!(merged(tables), vec![(ResolvedKey { address: Addr::from_v4(7) }, row)], "{split}");
        }
    }
}
