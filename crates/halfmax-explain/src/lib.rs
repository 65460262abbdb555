//! Why a model predicts what it predicts: contributions of features, tied to mechanisms of resistance.

mod association;
mod confounders;
mod discoveries;
mod evidence;
mod explanation;
mod features;
mod matched;
mod permutation;
mod sample;
mod sets;
mod values;

pub use association::{Measured, self_contained};
pub use confounders::{Confounders, Explained};
pub use discoveries::false_discovery_rates;
pub use evidence::Evidence;
pub use explanation::{
    Explanation, Importance, MechanismEvidence, PartnerExplanation, Question, Settings, Spreads,
};
pub use permutation::{FeatureGroup, PermutationImportance, permutation_importance};
pub use sample::{Argument, Samples, counterfactual};
pub use sets::{FeatureSet, Member, expected};
pub use values::Values;
