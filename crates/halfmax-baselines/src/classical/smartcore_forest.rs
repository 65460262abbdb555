//! Reads a forest of `smartcore` from its serialised form, because its nodes are not public.

use std::collections::VecDeque;

use halfmax_core::{Error, Result};
use serde::Deserialize;

use super::forest::Tree;

/// `RandomForestRegressor` and `ExtraTreesRegressor`.
#[derive(Deserialize)]
struct Regressor {
    forest: Option<Grown>,
}

/// `BaseForest`.
#[derive(Deserialize)]
#[allow(dead_code, reason = "every field is read to get to the next")]
struct Grown {
    trees: Option<Vec<GrownTree>>,
    num_features: Option<usize>,
    samples: Option<Vec<Vec<bool>>>,
}

/// `BaseTree`.
#[derive(Deserialize)]
#[allow(dead_code, reason = "every field is read to get to the next")]
struct GrownTree {
    nodes: Vec<Node>,
    parameters: Option<Parameters>,
    depth: u16,
    root_mass: f64,
}

/// `BaseTreeParameters`.
#[derive(Deserialize)]
#[allow(dead_code, reason = "every field is read to get to the next")]
struct Parameters {
    max_depth: Option<u16>,
    min_samples_leaf: usize,
    min_samples_split: usize,
    seed: Option<u64>,
    splitter: Splitter,
}

#[derive(Deserialize)]
enum Splitter {
    Random,
    Best,
}

/// `Node`.
#[derive(Deserialize)]
#[allow(dead_code, reason = "every field is read to get to the next")]
struct Node {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    split_score: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

/// The trees of a forest in postcard's encoding. Its features are those of `numbers`.
///
/// Each cut becomes the largest single-precision number that is not above it. The numbers are in single precision, so every
/// row takes the same path as before.
///
/// # Errors
/// If the encoding is not that of a forest of the pinned version, or a tree is too large.
pub(crate) fn trees_of(stored: &[u8], numbers: &[u32]) -> Result<Vec<Tree>> {
    let regressor: Regressor = postcard::from_bytes(stored).map_err(|error| strange().with_source(error))?;
    let trees = regressor.forest.and_then(|forest| forest.trees).ok_or_else(strange)?;
    trees.iter().map(|tree| compact(&tree.nodes, numbers).ok_or_else(strange)).collect()
}

fn strange() -> Error {
    Error::failed("a forest does not have the form of this version of smartcore")
}

/// The nodes level by level, so that children are next to each other and near their parent.
fn compact(nodes: &[Node], numbers: &[u32]) -> Option<Tree> {
    let mut tree = Tree { splits: Vec::with_capacity(nodes.len()), values: Vec::with_capacity(nodes.len()) };
    let mut waiting = VecDeque::from([0usize]);
    let mut placed = 1usize;
    while let Some(at) = waiting.pop_front() {
        let node = nodes.get(at)?;
        match (node.true_child, node.false_child, node.split_value) {
            (Some(first), Some(second), Some(cut)) if placed < nodes.len() => {
                let onward = u16::try_from(placed - tree.splits.len()).ok()?;
                let number = u16::try_from(*numbers.get(node.split_feature)?).ok()?;
                tree.splits.push(u32::from(number) << 16 | u32::from(onward));
                tree.values.push(at_most(cut));
                waiting.extend([first, second]);
                placed += 2;
            }
            _ => {
                tree.splits.push(0);
                tree.values.push(node.output as f32);
            }
        }
    }
    Some(tree)
}

/// The largest single-precision number that is not above `value`.
fn at_most(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) > value { near.next_down() } else { near }
}
