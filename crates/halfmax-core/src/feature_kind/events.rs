//! The kind of genomic events.

use super::{FeatureKind, KindValues, Sense, TextColumns};

/// GDSC's matrix of genomic events: `TP53_mut`, `gain_cnaPANCAN1_(…)`, `TISSUE_FACTOR`.
pub(super) struct Events;

impl FeatureKind for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn label(&self) -> &'static str {
        "genomic event"
    }

    fn summary(&self) -> &'static str {
        "GDSC's matrix of genomic events, 0 or 1, with the tissue and other factors."
    }

    fn values(&self) -> KindValues {
        KindValues::ZeroOrOne
    }

    fn texts(&self) -> Option<TextColumns> {
        let takes = |name: &str| name.to_ascii_uppercase().ends_with("_FACTOR");
        Some(TextColumns { block: "factor", takes, tissue: "TISSUE_FACTOR" })
    }

    fn gene_sense(&self) -> Option<Sense> {
        Some(Sense::Altered)
    }

    /// Their names hold more than a gene.
    fn is_named_by_genes(&self) -> bool {
        false
    }

    fn is_shown_by(&self, column: &str) -> bool {
        column.ends_with("_mut") || column.ends_with("_FACTOR") || column.contains("_cna")
    }

    fn is_usual(&self) -> bool {
        true
    }
}
