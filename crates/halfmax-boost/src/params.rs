//! Parameters of boosted trees, and their checks.

use halfmax_core::{Result, SeenAgain, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of factorised gradient-boosted trees. The defaults suit a screen of a few hundred cell lines and drugs.
///
/// ```
/// use halfmax_boost::BoostParams;
/// let model = BoostParams { rounds: 500, learning_rate: 0.05, ..BoostParams::default() }.check()?;
/// let error = BoostParams { leaves: 1, ..BoostParams::default() }.check().err().map(|e| e.to_string());
/// assert_eq!(error.as_deref(), Some("leaves = 1: expected 2 to 4096"));
/// # Ok::<(), halfmax_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BoostParams {
    /// Number of boosting rounds, one tree each.
    pub rounds: usize,
    /// Which features a tree splits on, and what its leaves hold.
    pub trees: Trees,
    /// Maximum number of leaves of a tree, 2 to 4096. The leaf with the largest gain is split first.
    pub leaves: usize,
    /// Maximum number of splits between the root and a leaf; 0 for no limit.
    pub max_depth: usize,
    /// Factor on the values of every tree, above 0 and at most 1.
    pub learning_rate: f64,
    /// L2 penalty λ on the leaf values of box trees, in units of response weight.
    pub l2: f64,
    /// L2 penalty in numbers of entities, for every side whose entities are not `seen_again`. A leaf's value shrinks as
    /// if the leaf held this many more entities (for example cell lines) with residuals of zero. The responses of one
    /// cell line to many drugs share errors. They therefore say less about a new cell line than their number suggests.
    pub entity_l2: f64,
    /// Minimum sum of the response weights in a leaf of a box tree.
    pub min_leaf_weight: f64,
    /// Minimum number of entities in a leaf. It applies to the sides whose entities are not `seen_again`, and to the side
    /// that a vector tree splits on. If responses are missing or weighted, each entity counts by its average weight in
    /// the node.
    pub min_leaf_entities: usize,
    /// Minimum gain of a split of a box tree, in squared units of the target times response weight; for the quantile loss in
    /// units of response weight.
    pub min_gain: f64,
    /// Maximum number of bins of a numeric feature, 2 to 255.
    pub max_bins: usize,
    /// Share of the features that each tree may use, above 0 and at most 1.
    pub feature_fraction: f64,
    /// Share of the responses that each box tree is grown on, above 0 and at most 1. Vector trees use all responses of
    /// the entities that they are grown on.
    pub row_fraction: f64,
    /// Share of the entities of the first side (cell lines) that each tree is grown on, above 0 and at most 1.
    pub cell_fraction: f64,
    /// Share of the entities of the other sides (drugs) that each tree is grown on, above 0 and at most 1.
    pub drug_fraction: f64,
    /// The loss. `quantile` searches splits by gradient and sets each leaf to the quantile of its residuals.
    pub objective: Objective,
    /// The residual beyond which the loss is absolute instead of squared, in the unit of the target. Only for `huber`.
    pub huber_delta: f64,
    /// The quantile that the model predicts, between 0 and 1. Only for `quantile`.
    pub quantile: f64,
    /// The sides whose training entities occur again in later predictions. The model may learn individual effects of these entities.
    pub seen_again: SeenAgain,
    /// Start from the training means of the `seen_again` entities instead of the overall mean.
    pub baseline: bool,
    /// Give the `seen_again` entities their training mean as a numeric feature.
    pub mean_feature: bool,
    /// Let trees divide the `seen_again` entities into any two sets: every tree may use the entity as a categorical
    /// feature. For sides with up to 65,534 entities.
    pub identity_feature: bool,
    /// Smoothing of the order in which the levels of a category are tried, in units of response weight (box
    /// trees) or in entities (vector trees). It keeps rare levels
    /// from the ends of the order.
    pub category_smoothing: f64,
    /// Number of columns of the random projection that vector trees use to search splits: 7 or 15.
    pub sketch: usize,
    /// Share of the training data that is set aside for early stopping, from 0 to below 1. 0 trains all rounds. The
    /// evaluation's split decides which responses are set aside together.
    pub validation_fraction: f64,
    /// Training stops after this many rounds without a better validation error.
    pub patience: usize,
}

/// Which features a tree splits on, and what its leaves hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trees {
    /// Splits on features of every side; a leaf is a box of entities with one value.
    Box,
    /// Splits on cell-line features only; a leaf holds one value for every drug.
    CellVector,
    /// Splits on drug features only; a leaf holds one value for every cell line.
    DrugVector,
    /// Rounds alternate between cell-line vector trees and box trees.
    Alternate,
}

/// The loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Squared error.
    Squared,
    /// Squared near zero, absolute beyond `huber_delta` (Huber 1964).
    Huber,
    /// Pinball loss of the quantile `quantile` (Koenker & Bassett 1978).
    Quantile,
}

impl Default for BoostParams {
    fn default() -> Self {
        Self {
            rounds: 300,
            trees: Trees::Box,
            leaves: 31,
            max_depth: 0,
            learning_rate: 0.1,
            l2: 1.0,
            entity_l2: 20.0,
            min_leaf_weight: 20.0,
            min_leaf_entities: 10,
            min_gain: 0.0,
            max_bins: 31,
            feature_fraction: 0.2,
            row_fraction: 0.8,
            cell_fraction: 1.0,
            drug_fraction: 1.0,
            objective: Objective::Squared,
            huber_delta: 1.0,
            quantile: 0.5,
            seen_again: SeenAgain::Auto,
            baseline: true,
            mean_feature: true,
            identity_feature: true,
            category_smoothing: 10.0,
            sketch: 7,
            validation_fraction: 0.0,
            patience: 50,
        }
    }
}

impl BoostParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    pub fn check(self) -> Result<crate::Boost> {
        check::within("rounds", self.rounds, 1..=1_000_000)?;
        check::within("leaves", self.leaves, 2..=4096)?;
        check::within("max_bins", self.max_bins, 2..=255)?;
        check::within("min_leaf_entities", self.min_leaf_entities, 1..=1_000_000)?;
        check::within("patience", self.patience, 1..=1_000_000)?;
        check::fraction("learning_rate", self.learning_rate)?;
        check::fraction("feature_fraction", self.feature_fraction)?;
        check::fraction("row_fraction", self.row_fraction)?;
        check::fraction("cell_fraction", self.cell_fraction)?;
        check::fraction("drug_fraction", self.drug_fraction)?;
        check::at_least_zero("l2", self.l2)?;
        check::at_least_zero("entity_l2", self.entity_l2)?;
        check::at_least_zero("min_leaf_weight", self.min_leaf_weight)?;
        check::at_least_zero("min_gain", self.min_gain)?;
        check::at_least_zero("category_smoothing", self.category_smoothing)?;
        check::positive("huber_delta", self.huber_delta)?;
        check::between_zero_and_one("quantile", self.quantile)?;
        check::below_one("validation_fraction", self.validation_fraction)?;
        check::expect("sketch", self.sketch, [7, 15].contains(&self.sketch), "7 or 15")?;
        Ok(crate::Boost::from_checked(self))
    }
}
