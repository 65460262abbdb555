//! The share of the variance of all test responses that predictions explain.

use super::{Better, Metric};
use crate::draw::Draw;

/// The share of the variance of all test responses that predictions explain.
pub struct R2;

impl Metric for R2 {
    fn name(&self) -> &'static str {
        "r2"
    }

    fn label(&self) -> &'static str {
        "R²"
    }

    fn summary(&self) -> &'static str {
        "1 − Σ(y − p)² / Σ(y − ȳ)²; ȳ is the mean of the test responses"
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        draw.explained(draw.values.spread_of_observed())
    }
}
