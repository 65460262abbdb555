//! The structure of trees: which entities can still reach which leaves.

use std::collections::HashMap;

/// A binary tree whose inner nodes each test one side. Leaves are numbered in the order of a left-first walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The side that each inner node tests; node 0 is the root.
    pub sides: Vec<u8>,
    /// Left children: an inner node, or `!leaf`.
    pub left: Vec<i32>,
    /// Right children.
    pub right: Vec<i32>,
}

/// The entities of one side, grouped by the leaves that they can reach given their own features alone.
#[derive(Clone, Debug)]
pub struct Patterns {
    /// The pattern of every entity.
    pub of_entity: Vec<u32>,
    /// For each pattern, the words of its leaf set.
    pub leaves: Vec<Vec<u64>>,
}

impl Shape {
    /// Number of leaves; a tree without inner nodes has one.
    pub fn leaves(&self) -> usize {
        self.sides.len() + 1
    }

    /// For every inner node, the leaves below it: the half-open range of its left child's leaves, and the end of its
    /// right child's leaves.
    pub(crate) fn leaf_ranges(&self) -> Vec<(usize, usize, usize)> {
        let mut ranges = vec![(0, 0, 0); self.sides.len()];
        // Children come after their parents, so a backward pass sees them first.
        let bounds = |child: i32, ranges: &[(usize, usize, usize)]| {
            if child < 0 {
                let leaf = !child as usize;
                (leaf, leaf + 1)
            } else {
                let (start, _, end) = ranges[child as usize];
                (start, end)
            }
        };
        for node in (0..self.sides.len()).rev() {
            let (start, middle) = bounds(self.left[node], &ranges);
            let (_, end) = bounds(self.right[node], &ranges);
            ranges[node] = (start, middle, end);
        }
        ranges
    }

    /// Groups the entities of one side by the leaves that they can reach. `decide(node, goes_left)` marks the entities
    /// that an inner node of that side sends left.
    pub fn patterns(
        &self,
        side: u8,
        entities: usize,
        mut decide: impl FnMut(usize, &mut [bool]),
    ) -> Patterns {
        let words = self.leaves().div_ceil(64);
        let mut reach = vec![u64::MAX; entities * words];
        let mut goes_left = vec![false; entities];
        for (node, (start, middle, end)) in self.leaf_ranges().into_iter().enumerate() {
            if self.sides[node] != side {
                continue;
            }
            decide(node, &mut goes_left);
            let (keep_left, keep_right) = (without(middle..end, words), without(start..middle, words));
            if let ([left], [right]) = (&keep_left[..], &keep_right[..]) {
                for (reach, goes_left) in reach.iter_mut().zip(&goes_left) {
                    *reach &= if *goes_left { *left } else { *right };
                }
                continue;
            }
            for (reach, goes_left) in reach.chunks_mut(words).zip(&goes_left) {
                let keep = if *goes_left { &keep_left } else { &keep_right };
                reach.iter_mut().zip(keep).for_each(|(reach, keep)| *reach &= keep);
            }
        }
        let mut known: HashMap<&[u64], u32> = HashMap::new();
        let mut patterns = Patterns { of_entity: Vec::with_capacity(entities), leaves: Vec::new() };
        let mut last: (&[u64], u32) = (&[], 0);
        for reach in reach.chunks(words) {
            if reach != last.0 {
                let next = known.len() as u32;
                let pattern = *known.entry(reach).or_insert(next);
                last = (reach, pattern);
            }
            patterns.of_entity.push(last.1);
        }
        patterns.leaves = vec![Vec::new(); known.len()];
        for (reach, pattern) in known {
            patterns.leaves[pattern as usize] = reach.to_vec();
        }
        patterns
    }
}

/// All bits set except those of a range.
fn without(range: std::ops::Range<usize>, words: usize) -> Vec<u64> {
    let mut bits = vec![u64::MAX; words];
    for leaf in range {
        bits[leaf / 64] &= !(1 << (leaf % 64));
    }
    bits
}

/// The leaf that the patterns of all sides share. There is exactly one: a tuple of entities reaches exactly one leaf.
#[inline]
pub fn common_leaf<'a>(patterns: impl Iterator<Item = &'a [u64]> + Clone) -> usize {
    let words = patterns.clone().next().map_or(0, <[u64]>::len);
    for word in 0..words {
        let common = patterns.clone().fold(u64::MAX, |common, pattern| common & pattern[word]);
        if common != 0 {
            return word * 64 + common.trailing_zeros() as usize;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_reaches_the_leaf_that_a_walk_reaches() {
        // The root tests side 0. Its left child tests side 1, and the right child of that node tests side 0 again.
        let shape = Shape { sides: vec![0, 1, 0], left: vec![1, !0, !1], right: vec![!3, 2, !2] };
        let decisions = [[true, false, true, true], [true, false, false, true], [false, true, true, false]];
        let of = |side| shape.patterns(side, 4, |node, left| left.copy_from_slice(&decisions[node]));
        let (first, second) = (of(0), of(1));
        for a in 0..4 {
            for b in 0..4 {
                let mut at = 0i32;
                while at >= 0 {
                    let node = at as usize;
                    let entity = if shape.sides[node] == 0 { a } else { b };
                    at = if decisions[node][entity] { shape.left[node] } else { shape.right[node] };
                }
                let leaves = [&first, &second].into_iter().zip([a, b]);
                let leaf = common_leaf(leaves.map(|(patterns, entity)| {
                    patterns.leaves[patterns.of_entity[entity] as usize].as_slice()
                }));
                assert_eq!(leaf, !at as usize);
            }
        }
    }
}
