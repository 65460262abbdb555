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
