//! The kind `copy_number`.

use super::{FeatureKind, KindValues, Sense, ValueSummary};

/// Copy numbers of genes.
pub(super) struct CopyNumber;

impl FeatureKind for CopyNumber {
    fn name(&self) -> &'static str {
        "copy_number"
    }

    fn label(&self) -> &'static str {
        "copy number"
    }

    fn summary(&self) -> &'static str {
        "Copy numbers of genes, real numbers (or −1, 0, 1)."
    }

    fn values(&self) -> KindValues {
        KindValues::Numbers { limit: 1e4, expected: "a copy number (at most 10,000 either side of 0)" }
    }

    fn gene_sense(&self) -> Option<Sense> {
        Some(Sense::More)
    }

    /// Copy numbers of most genes are not 0. Mostly 0, with some 1 and 2, are mutations on one allele or both.
    fn fits(&self, values: &ValueSummary) -> bool {
        let mutations = values.is_whole_within(0.0, 1.0)
            || (values.is_whole_within(0.0, 2.0) && values.zeros > values.others);
        values.is_whole_within(-2.0, 8.0) && !mutations
    }
}
