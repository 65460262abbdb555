//! The mean of the drugs' Pearson correlations.

use super::{Better, Metric};
use crate::draw::Draw;

/// The mean of the Pearson correlations of drugs.
pub struct PerDrugPearson;

impl Metric for PerDrugPearson {
    fn name(&self) -> &'static str {
        "per_drug_pearson"
    }

    fn label(&self) -> &'static str {
        "per-drug Pearson"
    }

    fn summary(&self) -> &'static str {
        "mean of the drugs' Pearson correlations, over drugs with at least 20 test cell lines. A drug whose predictions are \
         constant counts as 0; a drug whose responses are constant is left out"
    }

    fn chief(&self) -> Option<u8> {
        Some(2)
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        draw.drug_correlation
    }

    /// The correlation of a drug in a draw is too low on average. The mean over drugs does not remove this bias.
    fn shifted_within(&self) -> Option<[f64; 2]> {
        Some([-1.0, 1.0])
    }
}
