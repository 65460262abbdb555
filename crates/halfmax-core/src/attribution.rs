//! How much each feature contributes to predictions.

use ndarray::{Array2, Zip};
use rayon::prelude::*;

use crate::{EntityTable, Error, FeatureSpace, FittedModel, Progress, Query, Result, Tuples};

/// Attributes the predictions for some entities of one side to their features. Made by
/// [`Attributable::attribute`](crate::Attributable::attribute).
pub trait Attributor: Send + Sync {
    /// The features that any prediction uses, in the order of the rows of [`Attribution::values`].
    fn space(&self) -> &FeatureSpace;

    /// The method in a few words for readers: "exact Shapley values".
    fn method(&self) -> String;

    /// The contribution of each feature of every entity to the predictions with these partners. `partners` holds one
    /// entity of each other side, in the order of the sides.
    ///
    /// # Errors
    /// If a partner is not in its table, or the contributions do not add up.
    fn contributions(&self, partners: &[u32]) -> Result<Attribution>;

    /// The contribution of each feature of every entity to its mean prediction over some lists of partners. This is the
    /// mean of the contributions with each list.
    ///
    /// # Errors
    /// As [`Attributor::contributions`]; or if the list of partners is empty, or the user stopped it.
    fn mean_contributions(&self, partners: &[Vec<u32>], progress: &dyn Progress) -> Result<Attribution> {
        mean(self, partners, progress)
    }
}

/// Checks that a model can attribute predictions for these entities of a side.
///
/// # Errors
/// If the model does not have this side or cannot attribute predictions to its features, if the number of tables differs from the
/// number of sides, or if an entity is not in its table.
pub fn check_entities(
    model: &dyn FittedModel,
    tables: &[&EntityTable],
    side: usize,
    entities: &[u32],
) -> Result<()> {
    let sides = model.sides();
    let mut lists: Vec<&[u32]> = vec![&[]; sides];
    let Some(own) = lists.get_mut(side) else {
        return Err(Error::data(format!("side {side} does not exist: the model has {sides} sides")));
    };
    *own = entities;
    Query { tables, tuples: Tuples::Grid(&lists) }.check(sides)?;
    if model.as_attributable(side).is_none() {
        return Err(Error::data(format!(
            "predictions of this model of family {:?} cannot be attributed to the features of side {side}",
            model.family()
        )));
    }
    Ok(())
}

/// Checks that `partners` holds one entity for each side except `side`.
///
/// # Errors
/// If the number of partners is wrong, or a partner is not in its table.
pub fn check_partners(tables: &[&EntityTable], side: usize, partners: &[u32]) -> Result<()> {
    if partners.len() + 1 != tables.len() || side > partners.len() {
        return Err(Error::data(format!(
            "{} partners for a model with {} sides: expected one for each other side",
            partners.len(),
            tables.len()
        )));
    }
    let mut lists: Vec<&[u32]> = partners.iter().map(std::slice::from_ref).collect();
    lists.insert(side, &[]);
    Query { tables, tuples: Tuples::Grid(&lists) }.check(tables.len())
}

/// Number of lists of partners that are computed in parallel, whatever the number of threads.
const BLOCK: usize = 4;

fn mean<A: Attributor + ?Sized>(
    attributor: &A,
    partners: &[Vec<u32>],
    progress: &dyn Progress,
) -> Result<Attribution> {
    let mut sum: Option<Attribution> = None;
    for (at, block) in partners.chunks(BLOCK).enumerate() {
        progress.check()?;
        let found: Vec<Attribution> =
            block.par_iter().map(|partner| attributor.contributions(partner)).collect::<Result<_>>()?;
        for one in found {
            match &mut sum {
                None => sum = Some(one),
                Some(sum) => {
                    Zip::from(&mut sum.values).and(&one.values).par_for_each(|sum, value| *sum += value);
                    sum.base.iter_mut().zip(one.base).for_each(|(sum, base)| *sum += base);
                }
            }
        }
        progress.step((at * BLOCK + block.len()).min(partners.len()), partners.len());
    }
    let mut mean =
        sum.ok_or_else(|| Error::data("the mean of contributions needs at least one list of partners"))?;
    let count = partners.len() as f64;
    mean.values.par_mapv_inplace(|value| (f64::from(value) / count) as f32);
    mean.base.iter_mut().for_each(|base| *base /= count);
    Ok(mean)
}

/// Contributions to the predictions for some entities with the same partners. For every entity `base + Σ values = prediction`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// Features × entities, in the unit of the target. A positive value raises the prediction.
    pub values: Array2<f32>,
    /// For each entity, the prediction minus the contributions of its features: the part that the partners and the
    /// entity's identity explain.
    pub base: Vec<f64>,
}

impl Attribution {
    /// The contributions of some features. The base is the rest of each prediction.
    ///
    /// ```
    /// use halfmax_core::Attribution;
    /// let attribution = Attribution::new(ndarray::array![[0.5], [-2.0]], &[1.0]);
    /// assert_eq!(attribution.base, [2.5]);
    /// ```
    pub fn new(values: Array2<f32>, predicted: &[f32]) -> Self {
        let mut base: Vec<f64> = predicted.iter().map(|value| f64::from(*value)).collect();
        for row in values.rows() {
            base.iter_mut().zip(row).for_each(|(base, value)| *base -= f64::from(*value));
        }
        Self { values, base }
    }
}
