//! The mean squared error.

use super::{Better, Metric, MetricGroup, Unit};
use crate::draw::Draw;

/// Mean squared error, the usual metric for synergy scores.
pub struct Mse;

impl Metric for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn label(&self) -> &'static str {
        "MSE"
    }

    fn summary(&self) -> &'static str {
        "mean squared error"
    }

    fn unit(&self) -> Unit {
        Unit::SquaredTarget
    }

    fn group(&self) -> MetricGroup {
        MetricGroup::Detection
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        Some(draw.squared_errors / draw.weight())
    }
}
