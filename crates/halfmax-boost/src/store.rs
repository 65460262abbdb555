//! A fitted model as data, and back.

use halfmax_core::{Domain, Result, StoredModel, Tensor, malformed};
use serde::{Deserialize, Serialize};

use crate::model::{FittedBoost, FittedSide};
use crate::params::BoostParams;
use crate::shape::Shape;
use crate::tree::{Leaves, Test, Tree};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    target: String,
    /// Absent in files of single-drug screens.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    symmetric: bool,
    params: BoostParams,
    intercept: f64,
    quantum: f64,
    sides: Vec<FittedSide>,
}

/// Codes of a node's kind of test. The number of words of a set of levels is in `node_words`.
const AT_MOST: u8 = 0;
const AT_MOST_OR_MISSING: u8 = 1;
const ONE_OF: u8 = 2;
/// Codes of a tree's leaves: 0 for scalar leaves, otherwise 1 + the side that their vectors run over.
const SCALAR: u8 = 0;

/// The trees, one array for each of their fields.
#[derive(Default)]
struct Arrays {
    nodes: Vec<u32>,
    side: Vec<u8>,
    left: Vec<i32>,
    right: Vec<i32>,
    feature: Vec<u32>,
    kind: Vec<u8>,
    threshold: Vec<f32>,
    words: Vec<u32>,
    levels: Vec<u32>,
    leaves: Vec<u8>,
    values: Vec<i32>,
    covers: Vec<u32>,
}

pub(crate) fn stored(model: &FittedBoost) -> Result<StoredModel> {
    let description = Description {
        target: model.target.clone(),
        symmetric: model.symmetric,
        params: model.params.clone(),
        intercept: model.intercept,
        quantum: model.quantum,
        sides: model.sides.clone(),
    };
    let mut arrays = Arrays::default();
    model.trees.iter().for_each(|tree| arrays.push(tree));
    let mut stored = StoredModel::new(&description, arrays.tensors())?;
    for (at, side) in model.sides.iter().enumerate() {
        stored.tensors.insert(format!("offsets_{at}"), Tensor::F64(side.offsets.clone()));
        stored.tensors.insert(format!("means_{at}"), Tensor::F32(side.means.clone()));
    }
    Ok(stored)
}

impl Arrays {
    fn push(&mut self, tree: &Tree) {
        self.nodes.push(tree.shape.sides.len() as u32);
        self.side.extend(&tree.shape.sides);
        self.left.extend(&tree.shape.left);
        self.right.extend(&tree.shape.right);
        for (feature, test) in &tree.tests {
            self.feature.push(*feature);
            let (kind, threshold, levels): (u8, f32, &[u64]) = match test {
                Test::AtMost { threshold, missing_left: false } => (AT_MOST, *threshold, &[]),
                Test::AtMost { threshold, missing_left: true } => (AT_MOST_OR_MISSING, *threshold, &[]),
                Test::OneOf(levels) => (ONE_OF, 0.0, levels),
            };
            self.kind.push(kind);
            self.threshold.push(threshold);
            self.words.push(levels.len() as u32);
            self.levels.extend(levels.iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]));
        }
        self.covers.extend(&tree.covers);
        match &tree.leaves {
            Leaves::Scalar(values) => {
                self.leaves.push(SCALAR);
                self.values.extend(values);
            }
            Leaves::Vector { side, values } => {
                self.leaves.push(1 + side);
                self.values.extend(values);
            }
        }
    }

    fn tensors(self) -> [(&'static str, Tensor); 12] {
        [
            ("tree_nodes", Tensor::U32(self.nodes)),
            ("node_side", Tensor::U8(self.side)),
            ("node_left", Tensor::I32(self.left)),
            ("node_right", Tensor::I32(self.right)),
            ("node_feature", Tensor::U32(self.feature)),
            ("node_kind", Tensor::U8(self.kind)),
            ("node_threshold", Tensor::F32(self.threshold)),
            ("node_words", Tensor::U32(self.words)),
            ("levels", Tensor::U32(self.levels)),
            ("tree_leaves", Tensor::U8(self.leaves)),
            ("leaf_values", Tensor::I32(self.values)),
            ("leaf_covers", Tensor::U32(self.covers)),
        ]
    }
}

/// Takes elements from the front of an array.
struct Reader<'a, T> {
    name: &'static str,
    rest: &'a [T],
}

impl<'a, T: Copy> Reader<'a, T> {
    fn take(&mut self, count: usize) -> Result<&'a [T]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(malformed(format!("array {:?} is too short", self.name)));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn one(&mut self) -> Result<T> {
        Ok(self.take(1)?[0])
    }

    /// Refuses elements that were not read.
    fn end(&self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(malformed(format!("array {:?} has {left} extra elements", self.name))),
        }
    }
}

macro_rules! reader {
    ($stored:expr, $name:literal, $kind:path) => {
        match $stored.tensors.get($name) {
            Some($kind(values)) => Ok(Reader { name: $name, rest: values.as_slice() }),
            _ => Err(malformed(format!("array {:?} is missing or has another type", $name))),
        }
    };
}

impl FittedBoost {
    /// Makes a model from its [`halfmax_core::FittedModel::stored`] form, exactly as it was.
    ///
    /// # Errors
    /// If an array is missing or has the wrong length, or if a feature, leaf or entity does not exist.
    pub fn from_stored(stored: &StoredModel) -> Result<Self> {
        let fitted = Self::read(stored)?;
        stored.refuse_unknown(&self::stored(&fitted)?)?;
        Ok(fitted)
    }

    fn read(stored: &StoredModel) -> Result<Self> {
        let description: Description = stored.described()?;
        let mut sides = description.sides;
        for (at, side) in sides.iter_mut().enumerate() {
            let offsets = format!("offsets_{at}");
            let Some(Tensor::F64(values)) = stored.tensors.get(&offsets) else {
                return Err(malformed(format!("array {offsets:?} is missing")));
            };
            if values.iter().any(|value| !value.is_finite()) {
                return Err(malformed(format!("array {offsets:?} holds a number that is not finite")));
            }
            side.offsets = values.clone();
            let means = format!("means_{at}");
            let Some(Tensor::F32(values)) = stored.tensors.get(&means) else {
                return Err(malformed(format!("array {means:?} is missing")));
            };
            // The mean of an entity without responses is NaN.
            if values.iter().any(|value| value.is_infinite()) {
                return Err(malformed(format!("array {means:?} holds an infinite number")));
            }
            side.means = values.clone();
            let fits = |length: usize| length == 0 || length == side.ids.len();
            if !fits(side.offsets.len()) || !fits(side.means.len()) {
                return Err(malformed(format!(
                    "side {:?} has a wrong number of offsets or means",
                    side.name
                )));
            }
        }
        let sound = |value: f64| value.is_finite();
        if !sound(description.intercept) || !sound(description.quantum) || description.quantum <= 0.0 {
            return Err(malformed(
                "its intercept is not finite, or its quantum is not a finite number above 0",
            ));
        }
        if description.symmetric && sides.len() != 3 {
            return Err(malformed(format!(
                "a model of combinations needs 3 sides, this model has {}",
                sides.len()
            )));
        }
        if description.symmetric && sides[1].space != sides[2].space {
            return Err(malformed("the two drug sides of a combination have different features"));
        }
        Ok(Self {
            target: description.target,
            symmetric: description.symmetric,
            params: description.params,
            intercept: description.intercept,
            quantum: description.quantum,
            trees: trees(stored, &sides)?,
            sides,
        })
    }
}

fn trees(stored: &StoredModel, sides: &[FittedSide]) -> Result<Vec<Tree>> {
    let mut nodes = reader!(stored, "tree_nodes", Tensor::U32)?;
    let mut side = reader!(stored, "node_side", Tensor::U8)?;
    let mut left = reader!(stored, "node_left", Tensor::I32)?;
    let mut right = reader!(stored, "node_right", Tensor::I32)?;
    let mut feature = reader!(stored, "node_feature", Tensor::U32)?;
    let mut kind = reader!(stored, "node_kind", Tensor::U8)?;
    let mut threshold = reader!(stored, "node_threshold", Tensor::F32)?;
    let mut words = reader!(stored, "node_words", Tensor::U32)?;
    let mut levels = reader!(stored, "levels", Tensor::U32)?;
    let mut leaves = reader!(stored, "tree_leaves", Tensor::U8)?;
    let mut values = reader!(stored, "leaf_values", Tensor::I32)?;
    let mut covers = reader!(stored, "leaf_covers", Tensor::U32)?;
    if threshold.rest.iter().any(|threshold| !threshold.is_finite()) {
        return Err(malformed(format!("array {:?} holds a number that is not finite", threshold.name)));
    }
    let mut trees = Vec::with_capacity(nodes.rest.len());
    while !nodes.rest.is_empty() {
        let count = nodes.one()? as usize;
        let shape = Shape {
            sides: side.take(count)?.to_vec(),
            left: left.take(count)?.to_vec(),
            right: right.take(count)?.to_vec(),
        };
        if !shape.is_sound(sides.len()) {
            return Err(malformed(format!("tree {} is invalid", trees.len())));
        }
        let mut tests = Vec::with_capacity(count);
        for tested in &shape.sides {
            let number = feature.one()?;
            let test = match (kind.one()?, threshold.one()?, words.one()? as usize) {
                (AT_MOST, threshold, 0) => Test::AtMost { threshold, missing_left: false },
                (AT_MOST_OR_MISSING, threshold, 0) => Test::AtMost { threshold, missing_left: true },
                (ONE_OF, _, words) if words <= 1024 => {
                    let halves = levels.take(2 * words)?.as_chunks::<2>().0.iter();
                    Test::OneOf(halves.map(|[low, high]| u64::from(*low) | u64::from(*high) << 32).collect())
                }
                (kind, ..) => return Err(malformed(format!("a tree has a test of unknown kind {kind}"))),
            };
            let side = &sides[usize::from(*tested)];
            let fits = match (side.space.features.get(number as usize).map(|f| &f.domain), &test) {
                (Some(Domain::Category(_)), Test::OneOf(_)) => true,
                (Some(Domain::Real | Domain::Binary), Test::AtMost { .. }) => true,
                (None, Test::AtMost { .. }) => number as usize == side.space.len() && !side.means.is_empty(),
                (None, Test::OneOf(_)) => number as usize == side.space.len() + 1,
                _ => false,
            };
            if !fits {
                return Err(malformed(format!(
                    "tree {} tests feature {number}, which does not exist or has another kind",
                    trees.len()
                )));
            }
            tests.push((number, test));
        }
        let leaves = match leaves.one()? {
            SCALAR => Leaves::Scalar(values.take(count + 1)?.to_vec()),
            vector => {
                let over = vector - 1;
                let split = shape.sides.first().copied();
                let sound = shape.sides.iter().all(|side| Some(*side) == split && *side != over);
                let Some(side) = sides.get(usize::from(over)).filter(|_| sound && sides.len() == 2) else {
                    return Err(malformed(format!(
                        "tree {} has vectors over the invalid side {over}",
                        trees.len()
                    )));
                };
                let values = values.take((count + 1) * (side.ids.len() + 1))?.to_vec();
                Leaves::Vector { side: over, values }
            }
        };
        let covers = covers.take(count + 1)?.to_vec();
        trees.push(Tree { shape, tests, leaves, covers });
    }
    [side.end(), kind.end(), leaves.end(), left.end(), right.end(), values.end()]
        .into_iter()
        .collect::<Result<()>>()?;
    [feature.end(), words.end(), levels.end(), covers.end(), threshold.end()]
        .into_iter()
        .collect::<Result<()>>()?;
    Ok(trees)
}

impl Shape {
    /// Whether children come after their parents, leaves are numbered in the order of a left-first walk, and every node
    /// tests one of `sides` sides.
    pub(crate) fn is_sound(&self, sides: usize) -> bool {
        let count = self.sides.len();
        if self.left.len() != count || self.right.len() != count {
            return false;
        }
        let mut stack = vec![if count == 0 { !0 } else { 0 }];
        let (mut inner, mut leaf) = (0, 0);
        while let Some(child) = stack.pop() {
            if child < 0 {
                if !child != leaf {
                    return false;
                }
                leaf += 1;
            } else {
                let node = child as usize;
                if node != inner || node >= count || usize::from(self.sides[node]) >= sides {
                    return false;
                }
                inner += 1;
                stack.push(self.right[node]);
                stack.push(self.left[node]);
            }
        }
        inner == count && leaf as usize == count + 1
    }
}
