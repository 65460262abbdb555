//! The average precision.

use super::{Better, Metric, MetricGroup};
use crate::draw::Draw;

/// The average precision for positive responses.
pub struct PrAuc;

impl Metric for PrAuc {
    fn name(&self) -> &'static str {
        "pr_auc"
    }

    fn label(&self) -> &'static str {
        "PR-AUC"
    }

    fn summary(&self) -> &'static str {
        "average precision: for each positive response, the share of positive responses among all with at least as high a prediction; then the mean. A random predictor scores the share of positive responses"
    }

    fn group(&self) -> MetricGroup {
        MetricGroup::Detection
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        draw.areas.and_then(|areas| areas.pr_auc)
    }
}
