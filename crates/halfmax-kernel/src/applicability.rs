//! How close entities are to the training entities of a model.

use std::collections::{BTreeMap, HashSet};

use halfmax_core::{
    Domain, EntityTable, Error, FeatureSpace, FittedModel, Result, StoredModel, Tensor, TrainView, malformed,
};
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::features::{FittedTerm, SideKernel};

/// The training entities of every side of a model, to measure how close other entities are to them.
///
/// Distances come from the kernels that suit the model's features: `d² = k(x,x) + k(y,y) − 2 k(x,y)`. The kernels are linear
/// and RBF for expression, Tanimoto for fingerprints and agreement for categories; see [`crate::KernelParams`]. The *reach*
/// of an entity is its mean distance to its five nearest training entities. For a training entity, these exclude the entity
/// itself. Closeness is the share of training entities whose reach is at least as large. It is near 1 for an entity in the
/// midst of the training entities. It is 0 for an entity whose reach is larger than that of every training entity.
///
/// It works for models of any family. The features are kept with one byte for each value.
#[derive(Clone, Debug, PartialEq)]
pub struct Applicability {
    sides: Vec<Reach>,
}

/// The training entities of one side.
#[derive(Clone, Debug, PartialEq)]
struct Reach {
    ids: Vec<String>,
    /// The features of the training entities; `None` if the model uses no features of this side.
    kernel: Option<SideKernel>,
    codes: Codes,
    /// The kernel of each training entity with itself.
    own: Vec<f64>,
    /// The reach of each training entity, ascending.
    reaches: Vec<f32>,
}

/// A reach is the mean distance to this many nearest training entities.
const NEAREST: usize = 5;
/// If there are more training entities, this many are kept, evenly spaced.
const MOST_ENTITIES: usize = 2_000;
/// Number of entities whose distances are computed at a time.
const AT_A_TIME: usize = 4_096;
const MISSING: u8 = 255;

impl Applicability {
    /// Makes it from the training part of a fitted model and the features that the model uses.
    ///
    /// # Errors
    /// If a feature is infinite.
    pub fn new(train: &TrainView, fitted: &dyn FittedModel) -> Result<Self> {
        let side = |side: usize| {
            let table = train.screen.table(side);
            let seen = train.seen(side);
            let rows: Vec<u32> = (0..table.len() as u32).filter(|row| seen[*row as usize]).collect();
            Reach::new(table, &rows, fitted.space(side), side == 0)
        };
        Ok(Self { sides: (0..train.screen.sides.len()).map(side).collect::<Result<_>>()? })
    }

    /// How close every entity of a table is to the training entities of a side, 0 to 1. A training entity has closeness
    /// of 1. An entity with less than half of its features known has closeness 0. So has a new entity if the model uses no
    /// features of this side.
    ///
    /// # Errors
    /// If the side does not exist, the table has less than half of the features, or a feature is infinite.
    pub fn closeness(&self, side: usize, table: &EntityTable) -> Result<Vec<f32>> {
        let Some(reach) = self.sides.get(side) else {
            return Err(Error::data(format!(
                "side {side} does not exist: the model has {} sides",
                self.sides.len()
            )));
        };
        reach.closeness(table)
    }
}

impl Reach {
    fn new(table: &EntityTable, rows: &[u32], space: &FeatureSpace, of_cells: bool) -> Result<Self> {
        let ids = rows.iter().map(|row| table.ids()[*row as usize].clone()).collect();
        let every = rows.len().div_ceil(MOST_ENTITIES).max(1);
        let rows: Vec<u32> = rows.iter().copied().step_by(every).collect();
        let mut kernel = SideKernel::new(space, table, &rows, &[], of_cells)?;
        let codes = Codes::of(&mut kernel);
        kernel.scale_terms();
        if kernel.terms.is_empty() || kernel.len() < 2 {
            return Ok(Self::without_features(ids));
        }
        let between = kernel.training();
        let own = between.diag().to_vec();
        let mut reaches: Vec<f32> = (0..kernel.len())
            .map(|row| {
                let others = (0..kernel.len()).filter(|other| *other != row);
                reach(others.map(|other| own[row] + own[other] - 2.0 * between[[row, other]]))
            })
            .collect();
        reaches.sort_by(f32::total_cmp);
        Ok(Self { ids, kernel: Some(kernel), codes, own, reaches })
    }

    fn without_features(ids: Vec<String>) -> Self {
        Self { ids, kernel: None, codes: Codes::default(), own: Vec::new(), reaches: Vec::new() }
    }

    fn closeness(&self, table: &EntityTable) -> Result<Vec<f32>> {
        let known: HashSet<&str> = self.ids.iter().map(String::as_str).collect();
        let mut closeness: Vec<f32> =
            table.ids().iter().map(|id| f32::from(u8::from(known.contains(id.as_str())))).collect();
        let Some(kernel) = &self.kernel else { return Ok(closeness) };
        let strangers: Vec<u32> =
            (0..table.len() as u32).filter(|row| closeness[*row as usize] == 0.0).collect();
        for rows in strangers.chunks(AT_A_TIME) {
            let between = kernel.between(table, rows)?;
            let own = kernel.own(table, rows)?;
            let known = kernel.known_shares(table, rows)?;
            for (at, row) in rows.iter().enumerate() {
                if known[at] >= 0.5 {
                    closeness[*row as usize] = self.rank(own[at], between.row(at).iter());
                }
            }
        }
        Ok(closeness)
    }

    /// The share of training entities whose reach is at least the reach of an entity with these kernels.
    fn rank<'a>(&self, own: f64, between: impl Iterator<Item = &'a f64>) -> f32 {
        let reach = reach(self.own.iter().zip(between).map(|(other, kernel)| own + other - 2.0 * kernel));
        let closer = self.reaches.partition_point(|other| *other < reach);
        (self.reaches.len() - closer) as f32 / self.reaches.len() as f32
    }
}

/// The mean of the smallest distances, given their squares.
fn reach(squares: impl Iterator<Item = f64>) -> f32 {
    let mut squares: Vec<f64> = squares.collect();
    let nearest = NEAREST.min(squares.len());
    if nearest < squares.len() {
        squares.select_nth_unstable_by(nearest, f64::total_cmp);
    }
    squares.truncate(nearest);
    squares.sort_by(f64::total_cmp);
    let sum: f64 = squares.iter().map(|square| square.max(0.0).sqrt()).sum();
    (sum / nearest.max(1) as f64) as f32
}

/// The features of training entities, one byte for each value: the level, the bit, or the number of steps above the smallest value.
#[derive(Clone, Debug, Default, PartialEq)]
struct Codes {
    codes: Vec<u8>,
    least: Vec<f32>,
    step: Vec<f32>,
}

impl Codes {
    /// Rounds the values of a kernel to the resolution of the codes.
    fn of(kernel: &mut SideKernel) -> Self {
        let mut found = Self::default();
        for (column, feature) in kernel.values.axis_iter(Axis(1)).zip(&kernel.space.features) {
            let known = || column.iter().copied().filter(|value| !value.is_nan());
            let (low, high) = known().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)));
            let numeric = matches!(feature.domain, Domain::Real) && high > low;
            let least = if matches!(feature.domain, Domain::Real) && high >= low { low } else { 0.0 };
            // Halves keep the range of huge values from overflowing.
            let step = if numeric { (high / 2.0 - low / 2.0) / (f32::from(MISSING - 1) / 2.0) } else { 1.0 };
            let code = |value: &f32| match ((value - least) / step).round() {
                code if code >= 0.0 && code < f32::from(MISSING) => code as u8,
                _ => MISSING,
            };
            found.codes.extend(column.iter().map(code));
            found.least.push(least);
            found.step.push(step);
        }
        kernel.values = found.values(kernel.len());
        found
    }

    fn values(&self, entities: usize) -> Array2<f32> {
        Array2::from_shape_fn((entities, self.least.len()), |(row, column)| {
            match self.codes[column * entities + row] {
                MISSING => f32::NAN,
                code => self.least[column] + f32::from(code) * self.step[column],
            }
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    ids: Vec<String>,
    space: FeatureSpace,
    terms: Vec<FittedTerm>,
    entities: usize,
}

impl Applicability {
    /// The stored form, for a file.
    ///
    /// # Errors
    /// If the description cannot be written as JSON.
    pub fn stored(&self) -> Result<StoredModel> {
        let mut tensors = BTreeMap::new();
        let mut described = Vec::new();
        for (side, reach) in self.sides.iter().enumerate() {
            let empty = || (FeatureSpace::default(), Vec::new(), 0);
            let (space, terms, entities) = reach
                .kernel
                .as_ref()
                .map_or_else(empty, |kernel| (kernel.space.clone(), kernel.terms.clone(), kernel.len()));
            described.push(Description { ids: reach.ids.clone(), space, terms, entities });
            let Codes { codes, least, step } = reach.codes.clone();
            tensors.insert(format!("codes_{side}"), Tensor::U8(codes));
            tensors.insert(format!("least_{side}"), Tensor::F32(least));
            tensors.insert(format!("step_{side}"), Tensor::F32(step));
            tensors.insert(format!("own_{side}"), Tensor::F64(reach.own.clone()));
            tensors.insert(format!("reaches_{side}"), Tensor::F32(reach.reaches.clone()));
        }
        StoredModel::new(&described, tensors)
    }

    /// Reads [`Applicability::stored`] exactly as it was.
    ///
    /// # Errors
    /// If the description is malformed, or a tensor is missing, has the wrong length, or holds an invalid value.
    pub fn from_stored(stored: &StoredModel) -> Result<Self> {
        let fitted = Self::read(stored)?;
        stored.refuse_unknown(&fitted.stored()?)?;
        Ok(fitted)
    }

    fn read(stored: &StoredModel) -> Result<Self> {
        let described: Vec<Description> = stored.described()?;
        let mut sides = Vec::new();
        for (side, described) in described.into_iter().enumerate() {
            let Description { ids, space, terms, entities } = described;
            let codes = Codes::read(stored, side, entities, space.len())?;
            let own = stored.f64s(&format!("own_{side}"), entities)?.to_vec();
            let reaches = stored.f32s(&format!("reaches_{side}"), entities)?.to_vec();
            let kernel = SideKernel { values: codes.values(entities), space, terms };
            if !kernel.is_possible() || !reaches.is_sorted() {
                return Err(malformed(format!("a kernel of side {side} is invalid")));
            }
            let kernel = (entities > 0).then_some(kernel);
            sides.push(Reach { ids, kernel, codes, own, reaches });
        }
        Ok(Self { sides })
    }
}

impl Codes {
    fn read(stored: &StoredModel, side: usize, entities: usize, features: usize) -> Result<Self> {
        let codes = stored.u8s(&format!("codes_{side}"), entities.saturating_mul(features))?.to_vec();
        let floats = |name: &str| stored.f32s(&format!("{name}_{side}"), features).map(<[f32]>::to_vec);
        Ok(Self { codes, least: floats("least")?, step: floats("step")? })
    }
}

impl SideKernel {
    /// For each of some entities, the share of the kernel's features that are known.
    fn known_shares(&self, table: &EntityTable, entities: &[u32]) -> Result<Vec<f64>> {
        let alignment = self.space.align(table)?;
        let mut known = vec![0usize; entities.len()];
        for feature in 0..self.space.len() {
            let values = alignment.values(feature, entities);
            known.iter_mut().zip(values).for_each(|(known, value)| *known += usize::from(!value.is_nan()));
        }
        Ok(known.into_iter().map(|known| known as f64 / self.space.len().max(1) as f64).collect())
    }
}
