//! The area under the receiver operating characteristic.

use super::{Better, Metric, MetricGroup};
use crate::draw::Draw;

/// How well predictions separate positive responses from the others.
pub struct RocAuc;

impl Metric for RocAuc {
    fn name(&self) -> &'static str {
        "roc_auc"
    }

    fn label(&self) -> &'static str {
        "ROC-AUC"
    }

    fn summary(&self) -> &'static str {
        "area under the receiver operating characteristic: the probability that a positive response has a higher prediction than a negative one. Ties count half"
    }

    fn group(&self) -> MetricGroup {
        MetricGroup::Detection
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        draw.areas.and_then(|areas| areas.roc_auc)
    }
}
