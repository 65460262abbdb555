//! The kinds of features of cell lines, by name. Each kind is a file here, and a line in [`FEATURE_KINDS`].

mod category;
mod cell_kind;
mod copy_number;
mod events;
mod expression;
mod mutation;
mod summary;

use serde::{Deserialize, Serialize};

pub use cell_kind::CellKind;
pub use summary::ValueSummary;

/// All kinds of features of cell lines. Configurations, reading, recognition, mechanisms and the reference use this list.
///
/// If the values of a table suit several kinds, the last kind is chosen. General kinds come first.
pub static FEATURE_KINDS: &[&dyn FeatureKind] = &[
    &expression::Expression,
    &mutation::Mutation,
    &copy_number::CopyNumber,
    &events::Events,
    &category::Category,
];

/// A kind of features of cell lines: the content of its files, and the meaning of its values.
pub trait FeatureKind: Sync {
    /// The name in configurations, and the kind of the feature block: "copy_number".
    fn name(&self) -> &'static str;

    /// The name in words, for messages: "copy number".
    fn label(&self) -> &'static str;

    /// The content of its files, in a sentence.
    fn summary(&self) -> &'static str;

    /// The type of its values.
    fn values(&self) -> KindValues;

    /// The text columns that are also features; `None` if texts are not features.
    fn texts(&self) -> Option<TextColumns> {
        None
    }

    /// The meaning of a higher value for the gene of a feature; `None` if it has no meaning for a gene.
    fn gene_sense(&self) -> Option<Sense> {
        None
    }

    /// Whether its features are named by genes, so that their names become approved symbols.
    fn is_named_by_genes(&self) -> bool {
        self.gene_sense().is_some()
    }

    /// Whether a column of this name identifies a table of this kind, for any values.
    fn is_shown_by(&self, _column: &str) -> bool {
        false
    }

    /// Whether the values of a table without texts suit this kind.
    fn fits(&self, _values: &ValueSummary) -> bool {
        false
    }

    /// Whether cell lines that the file lacks are left out, unless a configuration sets `optional`.
    fn is_required(&self) -> bool {
        false
    }

    /// Whether a dataset's file of this kind is among the default features of cell lines.
    fn is_usual(&self) -> bool {
        false
    }

    /// Values above this limit look like counts without a logarithm. A kind with a limit is also searched for cell lines on another scale.
    fn counts_above(&self) -> Option<f64> {
        None
    }

    /// Whether a file may hold 2, a mutation on both alleles, which counts as 1.
    fn may_count_alleles(&self) -> bool {
        false
    }

    /// Whether a kernel without chosen features uses only this kind of the cell lines' real numbers.
    fn suffices_for_kernels(&self) -> bool {
        false
    }
}

/// The type of the values of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KindValues {
    /// Real numbers. Features with the same name are averaged.
    Numbers {
        /// The largest distance from 0 of a valid measurement.
        limit: f64,
        /// The expected value, for the error of a value beyond the limit.
        expected: &'static str,
    },
    /// 0 or 1.
    ZeroOrOne,
    /// Texts, each a category.
    Texts,
}

/// Text columns that are features.
#[derive(Clone, Copy, Debug)]
pub struct TextColumns {
    /// The kind of the resulting feature block. Tissues become a separate block, "tissue".
    pub block: &'static str,
    /// Whether a text column of this name is a feature.
    pub takes: fn(&str) -> bool,
    /// The name of the column of tissues in a file that halfmax writes.
    pub tissue: &'static str,
}

/// The meaning of a feature value, or the state of a gene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sense {
    /// More of the gene: a higher expression, a gained copy.
    More,
    /// Less of the gene: a lower expression, a lost copy.
    Less,
    /// A changed sequence of the gene: a mutation, a fusion.
    Altered,
}
