//! Features of the row side as a matrix of numbers.

use halfmax_core::{Encoder, FeatureSpace, FeatureValues, Result, TrainView};
use ndarray::Array2;

use super::block::Block;

/// The encoder of a block's rows, and their numbers, rows × width. From each block of real numbers it takes at most `most`
/// features, those that vary most over these rows.
pub(crate) fn encoder(train: &TrainView, block: &Block, most: usize) -> Result<(Encoder, Array2<f32>)> {
    let screen = train.screen;
    let table = screen.table(block.row_side);
    let table_at = screen.sides[block.row_side].table;
    let mut selection = train.features.clone();
    let seen = train.seen(block.row_side);
    for (at, own) in table.blocks().iter().enumerate() {
        if matches!(own.values, FeatureValues::Real(_)) {
            selection.keep_most_variable(screen, table_at, at, most, &seen);
        }
    }
    let (encoder, raw) =
        Encoder::fit(FeatureSpace::selected(table, table_at, &selection), table, &block.rows)?;
    let values = encoder.scaled(raw);
    Ok((encoder, values))
}
