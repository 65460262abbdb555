//! Fitted trees.

use crate::shape::{Patterns, Shape};

/// A fitted tree: its shape, a test for each inner node, and the values of its leaves.
///
/// Leaf values are integers: multiples of the model's quantum. Their sums are exact, so a prediction does not depend on the
/// order of the trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The structure.
    pub shape: Shape,
    /// For each inner node, the number of the tested feature in its side's feature space, and the test.
    pub tests: Vec<(u32, Test)>,
    /// What the leaves hold.
    pub leaves: Leaves,
    /// For each leaf, the number of training responses that reach it.
    pub covers: Vec<u32>,
}

/// How an inner node tests a feature's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A value goes left if it is at most the threshold. `missing_left` decides about missing values.
    AtMost {
        /// The threshold.
        threshold: f32,
        /// Whether missing values go left.
        missing_left: bool,
    },
    /// A level goes left if its bit is set. Missing and unknown levels go right.
    OneOf(Vec<u64>),
}

/// The values of a tree's leaves, in quanta.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaves {
    /// One value for each leaf.
    Scalar(Vec<i32>),
    /// For each leaf, one value for every training entity of a side, then one value for new entities.
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
            // A comparison with NaN is false in both directions.
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
    /// Groups the entities of a side by the leaves that they can reach. `column(feature)` returns a feature's values.
    pub fn patterns<'v>(&self, side: u8, entities: usize, column: impl Fn(u32) -> &'v [f32]) -> Patterns {
        self.shape.patterns(side, entities, |node, goes_left| {
            let (feature, test) = &self.tests[node];
            test.decide(column(*feature), goes_left);
        })
    }

    /// For a vector tree: the side that the leaf vectors run over, and the values of one leaf.
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
