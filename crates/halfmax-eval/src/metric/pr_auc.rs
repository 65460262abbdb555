use super::{Better, Metric, MetricGroup};
use crate::draw::Draw;

/// The average precision of positive responses.
pub struct PrAuc;

impl Metric for PrAuc {
    fn name(&self) -> &'static str {
        "pr_auc"
    }

    fn label(&self) -> &'static str {
        "PR-AUC"
    }

    fn summary(&self) -> &'static str {
        "average precision: the mean, over the positive responses, of the share of positive ones among all that are predicted at least as high. A predictor that knows nothing has the share of positive responses"
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
