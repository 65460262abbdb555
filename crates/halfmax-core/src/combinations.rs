//! Scoring every combination of some drugs.

use std::ops::Range;

use crate::{EntityTable, FittedModel, Query, Result, Tuples};

/// Every combination of some drugs; the caller then chooses the cell lines. Made by [`FittedModel::prepare_combinations`].
pub trait PreparedCombinations: Send + Sync {
    /// Scores of the combinations in some cell lines, given as positions in the first table.
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn in_cell_lines<'a>(&'a self, cells: &'a [u32]) -> Result<Box<dyn CombinationScores + 'a>>;
}

/// Scores of every combination of some drugs in some cell lines.
pub trait CombinationScores: Send + Sync {
    /// Predictions in one cell line: `cell` is its position among the chosen cell lines. Each first drug in `rows` is
    /// paired with every later drug of the list. The order is that of the pairs (i, j) of positions, with i in `rows` and
    /// j > i. [`pairs_before`] counts them.
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn scores(&self, cell: usize, rows: Range<usize>) -> Result<Vec<f32>>;
}

/// How many pairs (i, j), i < j, of `count` drugs have i below `row`.
///
/// ```
/// use halfmax_core::pairs_before;
/// assert_eq!((pairs_before(0, 4), pairs_before(1, 4), pairs_before(4, 4)), (0, 3, 6));
/// ```
pub fn pairs_before(row: usize, count: usize) -> usize {
    row * count.saturating_sub(1) - row * row.saturating_sub(1) / 2
}

/// The combinations of a model that prepares nothing: every call predicts.
pub(crate) struct Unprepared<'a, M: ?Sized> {
    pub model: &'a M,
    pub tables: &'a [&'a EntityTable],
    pub drugs: &'a [u32],
}

impl<M: FittedModel + ?Sized> PreparedCombinations for Unprepared<'_, M> {
    fn in_cell_lines<'a>(&'a self, cells: &'a [u32]) -> Result<Box<dyn CombinationScores + 'a>> {
        Ok(Box::new(UnpreparedScores { all: self, cells }))
    }
}

struct UnpreparedScores<'a, M: ?Sized> {
    all: &'a Unprepared<'a, M>,
    cells: &'a [u32],
}

impl<M: FittedModel + ?Sized> CombinationScores for UnpreparedScores<'_, M> {
    fn scores(&self, cell: usize, rows: Range<usize>) -> Result<Vec<f32>> {
        let drugs = self.all.drugs;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for row in rows {
            let partners = &drugs[row + 1..];
            first.extend(std::iter::repeat_n(drugs[row], partners.len()));
            second.extend_from_slice(partners);
        }
        let cells = vec![self.cells[cell]; first.len()];
        let tuples = Tuples::Listed(&[&cells, &first, &second]);
        self.all.model.predict(&Query { tables: self.all.tables, tuples })
    }
}
