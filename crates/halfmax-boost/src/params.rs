use halfmax_core::{Result, SeenAgain, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of factorised gradient-boosted trees. The defaults are a sensible start for a screen of some hundred cell
/// lines and drugs.
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
    /// What a tree splits on and what its leaves hold.
    pub trees: Trees,
    /// Most leaves of a tree; the leaf with the largest gain is split first.
    pub leaves: usize,
    /// Most splits between the root and a leaf; 0 for no limit.
    pub max_depth: usize,
    /// Shrinkage of every tree, above 0 and at most 1.
    pub learning_rate: f64,
    /// L2 penalty λ on leaf values.
    pub l2: f64,
    /// L2 penalty counted in entities of every side whose entities are not `seen_again`: a leaf's value shrinks as if it held
    /// this many more of them (cell lines, say) whose responses were no different from the prediction so far. Responses
    /// of one cell line to many drugs err together, so they say less about a new cell line than their number promises.
    pub entity_l2: f64,
    /// Least sum of weights of the responses in a leaf.
    pub min_leaf_weight: f64,
    /// Least number of entities in a leaf, for the sides whose entities are not `seen_again` and the side that a vector tree
    /// splits on. Where responses are missing or weighted, entities count by their average weight in the node.
    pub min_leaf_entities: usize,
    /// Least gain of a split.
    pub min_gain: f64,
    /// Most bins of a numeric feature, 2 to 255.
    pub max_bins: usize,
    /// Share of the features that each tree may use.
    pub feature_fraction: f64,
    /// Share of the responses that each box tree is grown on; vector trees use all responses of their bag.
    pub row_fraction: f64,
    /// Share of the entities of the first side (cell lines) that each tree is grown on.
    pub cell_fraction: f64,
    /// Share of the entities of the other sides (drugs) that each tree is grown on.
    pub drug_fraction: f64,
    /// What is minimised. `quantile` finds splits by gradient and gives leaves the quantile of their residuals.
    pub objective: Objective,
    /// Where a residual turns from squared to absolute loss, in the unit of the target; for `huber`.
    pub huber_delta: f64,
    /// Which quantile is predicted, between 0 and 1; for `quantile`.
    pub quantile: f64,
    /// Whose entities the model will be asked about again, so that it may learn what each of them is like.
    pub seen_again: SeenAgain,
    /// Start from the training means of known entities instead of the overall mean.
    pub baseline: bool,
    /// Give known entities their training mean as a numeric feature.
    pub mean_feature: bool,
    /// Let trees part known entities into any two sets, as the levels of a category that every tree may use (for sides
    /// of up to 65,534 entities).
    pub identity_feature: bool,
    /// Smoothing of the order in which the levels of a category are tried.
    pub category_smoothing: f64,
    /// Columns of the random projection that vector trees search splits on: 7 or 15.
    pub sketch: usize,
    /// Share of the training data set aside to stop early; 0 trains all rounds. What stays together follows the split
    /// of the evaluation.
    pub validation_fraction: f64,
    /// Rounds without a better validation error after which training stops.
    pub patience: usize,
}

/// What a tree splits on and what its leaves hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trees {
    /// Splits on features of every side; a leaf is a box of entities with one value.
    Box,
    /// Splits on cell-line features only; a leaf holds one value for every drug.
    CellVector,
    /// Splits on drug features only; a leaf holds one value for every cell line.
    DrugVector,
    /// Rounds of cell-line vector trees and of box trees in turn.
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
    /// The first parameter that cannot work, with its value and what is allowed.
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
