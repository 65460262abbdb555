//! What features contribute to predictions.

use ndarray::{Array2, Zip};
use rayon::prelude::*;

use crate::{EntityTable, Error, FeatureSpace, Progress, Query, Result, Tuples};

/// Attributes predictions for some entities of one side to their features. Made by
/// [`FittedModel::attribute`](crate::FittedModel::attribute).
pub trait Attributor: Send + Sync {
    /// The features that have a part in any prediction, in the order of the rows of [`Attribution::values`].
    fn space(&self) -> &FeatureSpace;

    /// How, in a few words for readers: "exact Shapley values".
    fn method(&self) -> String;

    /// What the features of every entity contribute to the predictions with these partners: one entity of each other side, in
    /// the order of the sides.
    ///
    /// # Errors
    /// If a partner is not in its table, or the contributions do not add up.
    fn contributions(&self, partners: &[u32]) -> Result<Attribution>;

    /// What the features of every entity contribute to the mean of its predictions over some lists of partners, which is the mean of its
    /// contributions.
    ///
    /// # Errors
    /// As [`Attributor::of`]; or if there is no list, or the user stopped it.
    fn mean_contributions(&self, partners: &[Vec<u32>], progress: &dyn Progress) -> Result<Attribution> {
        mean(self, partners, progress)
    }
}

/// Whether a model of this many sides can be asked for contributions of these entities of a side.
///
/// # Errors
/// If the model has no such side, or another number of tables is given, or an entity is not in its table.
pub fn check_entities(tables: &[&EntityTable], sides: usize, side: usize, entities: &[u32]) -> Result<()> {
    let mut lists: Vec<&[u32]> = vec![&[]; sides];
    let Some(own) = lists.get_mut(side) else {
        return Err(Error::data(format!("side number {side} of a model of {sides} sides")));
    };
    *own = entities;
    Query { tables, tuples: Tuples::Grid(&lists) }.check(sides)
}

/// Whether these are one partner for each side but `side`.
///
/// # Errors
/// If there is another number of partners, or one is not in its table.
pub fn check_partners(tables: &[&EntityTable], side: usize, partners: &[u32]) -> Result<()> {
    if partners.len() + 1 != tables.len() || side > partners.len() {
        return Err(Error::data(format!(
            "{} partners for a model of {} sides",
            partners.len(),
            tables.len()
        )));
    }
    let mut lists: Vec<&[u32]> = partners.iter().map(std::slice::from_ref).collect();
    lists.insert(side, &[]);
    Query { tables, tuples: Tuples::Grid(&lists) }.check(tables.len())
}

/// Lists of partners whose contributions are found side by side, whatever the number of threads.
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
    let mut mean = sum.ok_or_else(|| Error::data("the mean of contributions with no partner"))?;
    let count = partners.len() as f64;
    mean.values.par_mapv_inplace(|value| (f64::from(value) / count) as f32);
    mean.base.iter_mut().for_each(|base| *base /= count);
    Ok(mean)
}

/// Contributions to the predictions for some entities with the same partners: `base + Σ values = prediction`, for every entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// Features × entities, in the unit of the target: above 0 what pushes the prediction up.
    pub values: Array2<f32>,
    /// For each entity the prediction less the contributions of its features: what the partners and the entity's identity say.
    pub base: Vec<f64>,
}

impl Attribution {
    /// What some features contribute, and the rest of the predictions as the base.
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
