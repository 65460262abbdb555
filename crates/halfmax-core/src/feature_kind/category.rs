//! The kind of text columns.

use super::{FeatureKind, KindValues, TextColumns};

/// Columns of texts.
pub(super) struct Category;

impl FeatureKind for Category {
    fn name(&self) -> &'static str {
        "category"
    }

    fn label(&self) -> &'static str {
        "category"
    }

    fn summary(&self) -> &'static str {
        "Text columns, each a category."
    }

    fn values(&self) -> KindValues {
        KindValues::Texts
    }

    fn texts(&self) -> Option<TextColumns> {
        Some(TextColumns { block: "category", takes: |_| true, tissue: "tissue" })
    }
}
