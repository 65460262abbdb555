//! The Spearman correlation.

use super::{Better, Metric};
use crate::draw::Draw;

/// Spearman correlation over all test responses. A bootstrap draw also uses the ranks of the whole test set.
pub struct Spearman;

impl Metric for Spearman {
    fn name(&self) -> &'static str {
        "spearman"
    }

    fn label(&self) -> &'static str {
        "Spearman"
    }

    fn summary(&self) -> &'static str {
        "Spearman correlation over all test responses: the Pearson correlation of the ranks. Ties share their mid-rank"
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        draw.ranks.pearson()
    }
}
