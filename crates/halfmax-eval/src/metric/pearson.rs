//! The Pearson correlation.

use super::{Better, Metric};
use crate::draw::Draw;

/// Pearson correlation over all test responses.
pub struct Pearson;

impl Metric for Pearson {
    fn name(&self) -> &'static str {
        "pearson"
    }

    fn label(&self) -> &'static str {
        "Pearson"
    }

    fn summary(&self) -> &'static str {
        "Pearson correlation over all test responses"
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        draw.values.pearson()
    }
}
