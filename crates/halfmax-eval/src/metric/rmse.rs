//! The root mean squared error.

use super::{Better, Metric, Unit};
use crate::draw::Draw;

/// Root mean squared error.
pub struct Rmse;

impl Metric for Rmse {
    fn name(&self) -> &'static str {
        "rmse"
    }

    fn label(&self) -> &'static str {
        "RMSE"
    }

    fn summary(&self) -> &'static str {
        "root mean squared error"
    }

    fn unit(&self) -> Unit {
        Unit::Target
    }

    fn chief(&self) -> Option<u8> {
        Some(3)
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        Some((draw.squared_errors / draw.weight()).sqrt())
    }
}
