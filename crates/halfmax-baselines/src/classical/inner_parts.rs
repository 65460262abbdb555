//! Parts of the training rows that are left out to choose a parameter.

use halfmax_core::{FitContext, ValidationGroup, deal};

use super::block::Block;

/// Number of parts that the rows are dealt into.
pub(crate) const PARTS: usize = 3;
const SEED_PARTS: u64 = 21;

/// For each training row, the part that it is left out with. If the evaluation leaves out groups, whole groups of rows stay
/// together. These models know a row by its features only, so rows are left out even if the evaluation holds out single
/// responses. Fewer than two rows or groups make one part.
pub(crate) fn parts(block: &Block, context: &FitContext) -> Vec<usize> {
    let group_of: Vec<usize> = match context.validation {
        ValidationGroup::Groups(side, groups) if side == block.row_side => {
            block.rows.iter().map(|entity| groups[*entity as usize]).collect()
        }
        _ => (0..block.rows.len()).collect(),
    };
    deal(&group_of, PARTS, context.seed.derive(SEED_PARTS))
}
