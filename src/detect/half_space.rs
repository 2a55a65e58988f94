//! Half-space trees after Tan, Ting and Liu (2011): how much of what was seen lies around a point.
//!
//! A tree cuts the space of levels into halves, again and again, at places that a fixed seed chose before any
//! point was seen. So the points only have to be counted: masses of two captures add, and no order or thread
//! changes them. One departure from the paper: it cuts a random working range always in the middle, most of
//! which lies where no level can; here the fixed range of each feature is cut at random places.

use rayon::prelude::*;

use super::features::{COUNT, FEATURES, Levels};
use crate::net::mix;

pub(super) const TREES: usize = 25;
/// Cuts from the top to a leaf.
const DEPTH: usize = 10;
pub(super) const LEAVES: usize = 1 << DEPTH;
const SEED: u64 = 0x6e73_6d20_7472_6565;
/// A region with at most one in so many of all points is empty.
const RARE: u64 = 100;

/// Levels below `at` go left, to the first of the two nodes below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cut {
    feature: u8,
    at: u8,
}

/// Nodes lie as in a heap: those below node `n` are `2n + 1` and `2n + 2`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tree {
    cuts: Vec<Cut>,
    masses: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forest {
    trees: Vec<Tree>,
    points: u32,
}

/// A point to be learned, or to be asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub levels: Levels,
    pub asked: bool,
}

impl Default for Forest {
    fn default() -> Self {
        Self { trees: (0..TREES).map(|number| Tree::grown(number as u64)).collect(), points: 0 }
    }
}

impl Forest {
    pub(super) const fn points(&self) -> u32 {
        self.points
    }

    pub(super) fn learn(&mut self, points: &[Levels]) {
        self.trees.par_iter_mut().for_each(|tree| points.iter().for_each(|point| tree.learn(point)));
        self.points = self.points.saturating_add(u32::try_from(points.len()).unwrap_or(u32::MAX));
    }

    /// In how many trees each point asked about lies where next to nothing was before. Points of one moment are
    /// asked about before any of them is learned.
    pub(super) fn isolation(self, moments: &[&[Point]]) -> Vec<u32> {
        let Self { trees, points } = self;
        let answers: Vec<Vec<bool>> = trees.into_par_iter().map(|tree| tree.isolation(u64::from(points), moments)).collect();
        let asked = answers.first().map_or(0, Vec::len);
        (0..asked).map(|place| answers.iter().map(|answers| u32::from(answers[place])).sum()).collect()
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (tree, other) in self.trees.iter_mut().zip(&other.trees) {
            tree.masses.iter_mut().zip(&other.masses).for_each(|(mass, other)| *mass = mass.saturating_add(*other));
        }
        self.points = self.points.saturating_add(other.points);
    }

    /// What was counted: of each tree, the leaves that are not empty, and their masses.
    pub(super) fn leaves(&self) -> Vec<Vec<(u16, u32)>> {
        let of = |tree: &Tree| (0_u16..).zip(tree.masses[LEAVES - 1..].iter().copied()).filter(|(_, mass)| *mass > 0).collect();
        self.trees.iter().map(of).collect()
    }

    /// The forest that counted this; none if no forest can have.
    pub(super) fn of_leaves(points: u32, leaves: &[Vec<(u16, u32)>]) -> Option<Self> {
        let mut forest = Self { points, ..Self::default() };
        if leaves.len() != TREES {
            return None;
        }
        for (tree, leaves) in forest.trees.iter_mut().zip(leaves) {
            if leaves.iter().map(|(_, mass)| u64::from(*mass)).sum::<u64>() != u64::from(points) {
                return None;
            }
            for (leaf, mass) in leaves {
                let mut node = LEAVES - 1 + usize::from(*leaf);
                loop {
                    *tree.masses.get_mut(node)? += mass;
                    let Some(below) = node.checked_sub(1) else { break };
                    node = below / 2;
                }
            }
        }
        Some(forest)
    }
}

impl Tree {
    fn grown(number: u64) -> Self {
        let mut tree = Self { cuts: vec![Cut::default(); LEAVES - 1], masses: vec![0; 2 * LEAVES - 1] };
        tree.cut(number, 0, FEATURES.each_ref().map(|feature| (0, feature.top)));
        tree
    }

    /// Cuts the space of a node, from the lowest to the highest level of each feature, and what is below.
    fn cut(&mut self, number: u64, node: usize, space: [(u8, u8); COUNT]) {
        let Some(cut) = self.cuts.get_mut(node) else { return };
        let chance = mix(SEED ^ number, node as u64);
        // A feature of which a single level is left cannot be cut: the next one is.
        let first = usize::try_from(chance % COUNT as u64).unwrap_or_default();
        let Some(feature) = (first..COUNT).chain(0..first).find(|feature| space[*feature].0 < space[*feature].1) else { return };
        let (low, high) = space[feature];
        let at = low + 1 + u8::try_from((chance >> 32) % u64::from(high - low)).unwrap_or_default();
        *cut = Cut { feature: u8::try_from(feature).unwrap_or_default(), at };
        let (mut left, mut right) = (space, space);
        left[feature] = (low, at - 1);
        right[feature] = (at, high);
        self.cut(number, 2 * node + 1, left);
        self.cut(number, 2 * node + 2, right);
    }

    /// The nodes that a point lies in, from the top down.
    fn way(&self, point: &Levels) -> impl Iterator<Item = usize> {
        let below = move |node: &usize| {
            let cut = self.cuts.get(*node)?;
            Some(2 * node + 1 + usize::from(point[usize::from(cut.feature)] >= cut.at))
        };
        std::iter::successors(Some(0), below)
    }

    fn learn(&mut self, point: &Levels) {
        let mut node = 0;
        loop {
            self.masses[node] = self.masses[node].saturating_add(1);
            let Some(cut) = self.cuts.get(node) else { break };
            node = 2 * node + 1 + usize::from(point[usize::from(cut.feature)] >= cut.at);
        }
    }

    fn isolation(mut self, mut points: u64, moments: &[&[Point]]) -> Vec<bool> {
        let mut answers = Vec::new();
        for moment in moments {
            for point in moment.iter().filter(|point| point.asked) {
                answers.push(points > 0 && self.way(&point.levels).any(|node| u64::from(self.masses[node]) * RARE <= points));
            }
            for point in moment.iter().filter(|point| !point.asked) {
                self.learn(&point.levels);
                points += 1;
            }
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Levels = [16, 13, 8, 0, 13, 80, 90, 40, 50, 0, 0, 0, 0, 0, 60];

    fn usual(number: u8) -> Levels {
        USUAL.map(|level| level + number % 3)
    }

    fn learned(range: std::ops::Range<u8>) -> Forest {
        let mut forest = Forest::default();
        forest.learn(&range.map(usual).collect::<Vec<_>>());
        forest
    }

    fn isolating(forest: Forest, levels: Levels) -> u32 {
        forest.isolation(&[&[Point { levels, asked: true }]])[0]
    }

    #[test]
    fn what_is_far_from_all_points_is_alone_and_what_is_among_them_is_not() {
        assert_eq!(isolating(learned(0..200), usual(1)), 0);
        let mut far = USUAL;
        (far[0], far[1], far[3], far[11]) = (80, 78, 78, 98);
        assert!(isolating(learned(0..200), far) > 15, "{}", isolating(learned(0..200), far));
        assert_eq!(isolating(Forest::default(), far), 0, "without a past nothing is unusual");
    }

    #[test]
    fn masses_add() {
        let mut merged = learned(0..50);
        merged.merge(&learned(50..120));
        assert_eq!(merged, learned(0..120));
    }

    #[test]
    fn leaves_hold_all_there_is() {
        let forest = learned(0..120);
        assert_eq!(Forest::of_leaves(forest.points(), &forest.leaves()), Some(forest.clone()));
        assert_eq!(Forest::of_leaves(forest.points() + 1, &forest.leaves()), None);
        let mut beyond = forest.leaves();
        beyond[0] = vec![(1_024, 120)];
        assert_eq!(Forest::of_leaves(120, &beyond), None);
    }

    #[test]
    fn every_cut_leaves_levels_on_both_sides() {
        for tree in Forest::default().trees {
            assert!(tree.cuts.iter().all(|cut| cut.at > 0 && cut.at <= FEATURES[usize::from(cut.feature)].top));
        }
    }
}
