//! Fitted trees.

use crate::shape::{Patterns, Shape};

/// A fitted tree: its shape, a test for each inner node, and the values of its leaves.
///
/// Leaf values are integers, multiples of the model's quantum. Their sums are exact, so a prediction does not depend on
/// the order in which trees are added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The structure.
    pub shape: Shape,
    /// For each inner node the feature it tests, in its side's feature space, and how.
    pub tests: Vec<(u32, Test)>,
    /// What the leaves hold.
    pub leaves: Leaves,
    /// For each leaf how many training responses reach it.
    pub covers: Vec<u32>,
}

/// How an inner node tests a feature's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Left if the value is at most the threshold; a missing one as told.
    AtMost {
        /// The threshold.
        threshold: f32,
        /// Whether missing values go left.
        missing_left: bool,
    },
    /// Left if the level is one of these (bits); missing and unknown levels go right.
    OneOf(Vec<u64>),
}

/// The values of a tree's leaves, in quanta.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaves {
    /// One for each leaf.
    Scalar(Vec<i32>),
    /// For each leaf one for every training entity of a side, then one for entities that were not seen in training.
    Vector {
        /// The side that the values run over.
        side: u8,
        /// The values, leaf by leaf.
        values: Vec<i32>,
    },
}

impl Test {
    /// Marks the entities whose values go left.
    pub fn decide(&self, values: &[f32], goes_left: &mut [bool]) {
        match self {
            // A NaN compares as false both ways.
            Self::AtMost { threshold, missing_left: false } => {
                goes_left.iter_mut().zip(values).for_each(|(left, value)| *left = *value <= *threshold);
            }
            Self::AtMost { threshold, missing_left: true } => {
                goes_left
                    .iter_mut()
                    .zip(values)
                    .for_each(|(left, value)| *left = value.is_nan() || *value <= *threshold);
            }
            Self::OneOf(levels) => {
                for (left, value) in goes_left.iter_mut().zip(values) {
                    let level = if *value >= 0.0 { *value as usize } else { usize::MAX };
                    *left = levels.get(level / 64).is_some_and(|word| word >> (level % 64) & 1 == 1);
                }
            }
        }
    }
}

impl Tree {
    /// Groups entities of a side by the leaves they can reach; `column(feature)` gives a feature's values.
    pub fn patterns<'v>(&self, side: u8, entities: usize, column: impl Fn(u32) -> &'v [f32]) -> Patterns {
        self.shape.patterns(side, entities, |node, goes_left| {
            let (feature, test) = &self.tests[node];
            test.decide(column(*feature), goes_left);
        })
    }

    /// The side that the leaves' vectors run over and the values of one leaf, for a vector tree.
    pub fn vector(&self, leaf: usize) -> Option<(u8, &[i32])> {
        match &self.leaves {
            Leaves::Scalar(_) => None,
            Leaves::Vector { side, values } => {
                let width = values.len() / self.shape.leaves();
                Some((*side, &values[leaf * width..(leaf + 1) * width]))
            }
        }
    }
}
