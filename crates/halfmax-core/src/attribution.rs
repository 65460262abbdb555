//! What features contribute to predictions.

use ndarray::Array2;

use crate::{FeatureSpace, Result};

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
    fn of(&self, partners: &[u32]) -> Result<Attribution>;
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
    /// let attribution = Attribution::of(ndarray::array![[0.5], [-2.0]], &[1.0]);
    /// assert_eq!(attribution.base, [2.5]);
    /// ```
    pub fn of(values: Array2<f32>, predicted: &[f32]) -> Self {
        let mut base: Vec<f64> = predicted.iter().map(|value| f64::from(*value)).collect();
        for row in values.rows() {
            base.iter_mut().zip(row).for_each(|(base, value)| *base -= f64::from(*value));
        }
        Self { values, base }
    }
}
