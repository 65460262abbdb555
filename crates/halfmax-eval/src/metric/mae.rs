//! The mean absolute error.

use super::{Better, Metric, Unit};
use crate::draw::Draw;

/// Mean absolute error.
pub struct Mae;

impl Metric for Mae {
    fn name(&self) -> &'static str {
        "mae"
    }

    fn label(&self) -> &'static str {
        "MAE"
    }

    fn summary(&self) -> &'static str {
        "mean absolute error"
    }

    fn unit(&self) -> Unit {
        Unit::Target
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        Some(draw.absolute_errors / draw.weight())
    }
}
