//! Rows by key, as many as there is room for; rows of one key from several shards become one.

use std::hash::Hash;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// What a row does with another of its key. Rows of one shard come in the order of its frames, then those
/// of the shards in the order of their numbers; what depends on that order is the same in every run.
pub trait Merge {
    fn merge(&mut self, other: &Self);
}

/// Room that several tables of a shard share.
#[derive(Debug, Default)]
pub struct Room {
    pub rows: usize,
    limit: usize,
    /// Facts that found no room.
    pub thinned: u64,
}

impl Room {
    /// Room for more rows than there are now, until the next grant.
    pub const fn grant(&mut self, more: usize) {
        self.limit = self.rows + more;
    }

    /// From 0 to 1.
    #[must_use]
    pub fn fullness(&self) -> f64 {
        self.rows as f64 / self.limit.max(1) as f64
    }

    /// The same room with so many rows in it.
    #[must_use]
    pub const fn with_rows(&self, rows: usize) -> Self {
        Self { rows, limit: self.limit, thinned: self.thinned }
    }

    const fn take(&mut self) -> bool {
        let free = self.rows < self.limit;
        if free {
            self.rows += 1;
        } else {
            self.thinned += 1;
        }
        free
    }
}

/// A table of a shard. Its hash is seeded anew in every run; its order shows nowhere.
#[derive(Debug)]
pub struct Keyed<K, R> {
    rows: HashMap<K, R, foldhash::fast::RandomState>,
}

impl<K, R> Default for Keyed<K, R> {
    fn default() -> Self {
        Self { rows: HashMap::default() }
    }
}

impl<K: Hash + Eq, R> Keyed<K, R> {
    /// The rows that are wanted, as a table of their own.
    #[must_use]
    pub fn copy(&self, wanted: impl Fn(&K, &R) -> bool) -> Self
    where
        K: Clone,
        R: Clone,
    {
        Self { rows: self.rows.iter().filter(|(key, row)| wanted(key, row)).map(|(key, row)| (key.clone(), row.clone())).collect() }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds to the row of a key; makes it if there is none and there is room.
    pub fn add(&mut self, room: &mut Room, key: K, row: R)
    where
        R: Merge,
    {
        match self.rows.entry(key) {
            Entry::Occupied(mut place) => place.get_mut().merge(&row),
            Entry::Vacant(place) => {
                if room.take() {
                    place.insert(row);
                }
            }
        }
    }
}

/// The rows of all shards, sorted by key, each key once.
#[must_use]
pub fn merged<K: Ord, R: Merge>(tables: impl IntoIterator<Item = Keyed<K, R>>) -> Vec<(K, R)> {
    merged_rows(tables.into_iter().flat_map(|table| table.rows).collect())
}

/// The same for rows that are in no table: sorted by key, each key once.
#[must_use]
pub fn merged_rows<K: Ord, R: Merge>(mut rows: Vec<(K, R)>) -> Vec<(K, R)> {
    // Stable: rows of one key stay in the order of the shards, whose number nothing changes.
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows.dedup_by(|(key, later), (kept, row)| {
        let same = key == kept;
        if same {
            row.merge(later);
        }
        same
    });
    rows
}
