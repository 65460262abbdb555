use super::{Better, Metric};
use crate::draw::Draw;

/// The share of the variance within drugs that predictions explain.
pub struct R2WithinDrug;

impl Metric for R2WithinDrug {
    fn name(&self) -> &'static str {
        "r2_within_drug"
    }

    fn label(&self) -> &'static str {
        "within-drug R²"
    }

    fn summary(&self) -> &'static str {
        "1 − Σ(y − p)² / Σ(y − ȳ_d)², with ȳ_d the mean of the test responses of the drug: 0 for a predictor that knows nothing but the exact mean of every drug. Predictions are not centred, so an error in the level of a drug counts"
    }

    fn chief(&self) -> Option<u8> {
        Some(1)
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        draw.explained(draw.within_spread)
    }
}
