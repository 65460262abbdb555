//! Parts of the training rows that are left out to choose a parameter.

use halfmax_core::{FitContext, ValidationGroup};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::block::Block;

/// Parts that the rows are dealt into.
pub(crate) const PARTS: usize = 3;
const SEED_PARTS: u64 = 21;

/// For each training row the part it is left out with: whole rows, or whole groups of rows where the evaluation leaves out
/// groups. What these models know of a row is its features, so rows are left out even where single responses are asked for.
/// Fewer than two rows or groups make one part.
pub(crate) fn parts(block: &Block, context: &FitContext) -> Vec<usize> {
    let group_of: Vec<usize> = match context.validation {
        ValidationGroup::Groups(side, groups) if side == block.row_side => {
            block.rows.iter().map(|entity| groups[*entity as usize]).collect()
        }
        _ => (0..block.rows.len()).collect(),
    };
    let mut groups = group_of.clone();
    groups.sort_unstable();
    groups.dedup();
    groups.shuffle(&mut ChaCha8Rng::seed_from_u64(context.seed.derive(SEED_PARTS).value()));
    let mut sized: Vec<(usize, usize)> =
        groups.iter().map(|group| (group_of.iter().filter(|own| *own == group).count(), *group)).collect();
    sized.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let mut sizes = [0; PARTS];
    let mut part_of = vec![0; block.rows.len()];
    for (size, group) in sized {
        let part = (0..PARTS).min_by_key(|part| sizes[*part]).unwrap_or(0);
        sizes[part] += size;
        part_of.iter_mut().zip(&group_of).filter(|(_, own)| **own == group).for_each(|(own, _)| *own = part);
    }
    part_of
}
