//! The kind `expression`.

use super::{FeatureKind, KindValues, Sense, ValueSummary};

/// Gene expression, the default kind for unrecognised features.
pub(super) struct Expression;

impl FeatureKind for Expression {
    fn name(&self) -> &'static str {
        "expression"
    }

    fn label(&self) -> &'static str {
        "expression"
    }

    fn summary(&self) -> &'static str {
        "Gene expression, real numbers."
    }

    fn values(&self) -> KindValues {
        KindValues::Numbers { limit: 1e9, expected: "a finite number, at most 1e9 either side of 0" }
    }

    fn gene_sense(&self) -> Option<Sense> {
        Some(Sense::More)
    }

    fn fits(&self, _values: &ValueSummary) -> bool {
        true
    }

    fn is_required(&self) -> bool {
        true
    }

    fn is_usual(&self) -> bool {
        true
    }

    fn counts_above(&self) -> Option<f64> {
        Some(1000.0)
    }

    fn suffices_for_kernels(&self) -> bool {
        true
    }
}
