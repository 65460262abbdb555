//! The share of the variance within drugs that predictions explain.

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
        "1 − Σ(y − p)² / Σ(y − ȳ_d)²; ȳ_d is the mean of the drug's test responses. A predictor that knows only the exact mean of every drug scores 0. Predictions are not centred, so an error in the level of a drug counts"
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
