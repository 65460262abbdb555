//! The sizes of a fit of a classical family, before it starts.

use halfmax_core::{FitContext, FitSizes, Result, SeenAgain, TrainView};

use super::block::FEWEST_RESPONSES;

/// The sizes of a block of responses and of its features.
pub(crate) struct BlockSizes {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Number of columns that can be learnt.
    pub(crate) learnable: usize,
    /// How many numbers describe a row.
    pub(crate) width: usize,
    pub(crate) responses: usize,
}

impl BlockSizes {
    /// The sizes of the block that [`super::block::Block`] makes of a view, with at most `features` real features of each
    /// kind. Whether a column is learnable depends on its number of responses; repeated responses all count.
    ///
    /// # Errors
    /// If the screen has more than two sides.
    pub(crate) fn of(family: &str, train: &TrainView, context: &FitContext, features: usize) -> Result<Self> {
        let screen = train.screen;
        screen.expect_two_sides(family)?;
        let row_side = row_side(context);
        let FitSizes { responses, entities, .. } = FitSizes::new(train);
        let width = FitSizes::width(train, row_side, features);
        let mut found: Vec<(usize, f32, f32)> =
            vec![(0, f32::INFINITY, f32::NEG_INFINITY); screen.table(1 - row_side).len()];
        let column_of = screen.responses.side(1 - row_side);
        for row in &train.rows {
            let (own, value) = (&mut found[column_of[*row] as usize], screen.responses.values()[*row]);
            *own = (own.0 + 1, own.1.min(value), own.2.max(value));
        }
        let learnable = |own: &&(usize, f32, f32)| own.0 >= FEWEST_RESPONSES && own.1 < own.2 && width > 0;
        let learnable = found.iter().filter(learnable).count();
        Ok(Self { rows: entities[row_side], columns: entities[1 - row_side], learnable, width, responses })
    }

    /// Bytes for making the block: the block, and the order of the responses.
    pub(crate) fn gathered(&self) -> usize {
        4 * self.responses + self.kept()
    }

    /// Bytes of the block: a row and a deviation for each response.
    pub(crate) fn kept(&self) -> usize {
        12 * self.responses
    }

    /// Bytes of the features of all rows in single precision.
    pub(crate) fn features(&self) -> usize {
        4 * self.rows * self.width
    }
}

/// The side whose entities are rows: the side that the evaluation holds out.
pub(crate) fn row_side(context: &FitContext) -> usize {
    let known = |side| SeenAgain::Auto.includes(side, context.validation);
    usize::from(known(0) && !known(1))
}
