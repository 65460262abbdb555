//! The kind `mutation`.

use super::{FeatureKind, KindValues, Sense, ValueSummary};

/// Mutations of genes.
pub(super) struct Mutation;

impl FeatureKind for Mutation {
    fn name(&self) -> &'static str {
        "mutation"
    }

    fn label(&self) -> &'static str {
        "mutation"
    }

    fn summary(&self) -> &'static str {
        "Mutations of genes, 0 or 1."
    }

    fn values(&self) -> KindValues {
        KindValues::ZeroOrOne
    }

    fn gene_sense(&self) -> Option<Sense> {
        Some(Sense::Altered)
    }

    fn fits(&self, values: &ValueSummary) -> bool {
        values.is_whole_within(0.0, 2.0)
    }

    fn may_count_alleles(&self) -> bool {
        true
    }
}
