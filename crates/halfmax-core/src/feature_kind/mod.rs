//! The kinds of features of cell lines, by name: each is a file here, and a line in [`FEATURE_KINDS`].

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

/// Every kind of features of cell lines. Configurations, reading, recognition, mechanisms and the reference go through this list.
///
/// Where the values of a table could be of several kinds, it is taken for the last of them: general kinds come first.
pub static FEATURE_KINDS: &[&dyn FeatureKind] = &[
    &expression::Expression,
    &mutation::Mutation,
    &copy_number::CopyNumber,
    &events::Events,
    &category::Category,
];

/// A kind of features of cell lines: what a file of it holds, and what its values say.
pub trait FeatureKind: Sync {
    /// The name in configurations, and the kind of the feature block: "copy_number".
    fn name(&self) -> &'static str;

    /// The name in words, for messages: "copy number".
    fn label(&self) -> &'static str;

    /// What a file of it holds, in a sentence.
    fn summary(&self) -> &'static str;

    /// What its values are.
    fn values(&self) -> KindValues;

    /// Its columns of texts that are features, too; none where a text is not a feature.
    fn texts(&self) -> Option<TextColumns> {
        None
    }

    /// What a higher value means for the gene that a feature is named by; none where it means nothing for a gene.
    fn gene_sense(&self) -> Option<Sense> {
        None
    }

    /// Whether its features are called by genes, so that their names become the approved symbols.
    fn is_named_by_genes(&self) -> bool {
        self.gene_sense().is_some()
    }

    /// Whether a column of this name shows that a table is of this kind, whatever its values.
    fn is_shown_by(&self, _column: &str) -> bool {
        false
    }

    /// Whether the values of a table without texts could be of this kind.
    fn fits(&self, _values: &ValueSummary) -> bool {
        false
    }

    /// Whether cell lines that the file lacks are left out, unless a configuration says `optional`.
    fn is_required(&self) -> bool {
        false
    }

    /// Whether a dataset's file of this kind is used where a configuration names none.
    fn is_usual(&self) -> bool {
        false
    }

    /// Above this, values look like counts whose logarithms were forgotten; such a kind is searched for cell lines on another scale, too.
    fn counts_above(&self) -> Option<f64> {
        None
    }

    /// Whether a file may hold 2, a mutation on both alleles, which counts as 1.
    fn may_count_alleles(&self) -> bool {
        false
    }

    /// Whether a kernel that is told no features takes these alone of the cell lines' real numbers.
    fn suffices_for_kernels(&self) -> bool {
        false
    }
}

/// What the values of a kind are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KindValues {
    /// Real numbers. Of several features of one name the mean is taken.
    Numbers {
        /// A value further from 0 is not a measurement.
        limit: f64,
        /// What is expected, for the error of a value beyond the limit.
        expected: &'static str,
    },
    /// 0 or 1.
    ZeroOrOne,
    /// Texts, each a category.
    Texts,
}

/// Columns of texts that are features.
#[derive(Clone, Copy, Debug)]
pub struct TextColumns {
    /// The kind of the feature block that they become. Tissues become a block of their own, "tissue".
    pub block: &'static str,
    /// Whether a column of texts that has this name is one.
    pub takes: fn(&str) -> bool,
    /// The name of the column of tissues in a file that halfmax writes.
    pub tissue: &'static str,
}

/// What a value of a feature, or the state of a gene, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sense {
    /// More of the gene: a higher expression, a gained copy.
    More,
    /// Less of it: a lower expression, a lost copy.
    Less,
    /// Its sequence is changed: a mutation, a fusion.
    Altered,
}
