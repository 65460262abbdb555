use super::{Better, Metric};
use crate::draw::Draw;

/// Spearman correlation over all test responses. Ranks are those of the whole test set, also in a draw.
pub struct Spearman;

impl Metric for Spearman {
    fn name(&self) -> &'static str {
        "spearman"
    }

    fn label(&self) -> &'static str {
        "Spearman"
    }

    fn summary(&self) -> &'static str {
        "Spearman correlation over all test responses: Pearson of the ranks, ties at their mid-rank"
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn value(&self, draw: &Draw) -> Option<f64> {
        draw.ranks.pearson()
    }
}
