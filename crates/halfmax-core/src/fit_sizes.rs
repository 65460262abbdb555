//! The size of a fit, known before it starts.

use crate::{FeatureValues, TrainView};

/// The sizes that determine the time and the memory of a fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FitSizes {
    /// Number of responses to learn from.
    pub responses: usize,
    /// For each side, the number of entities that these responses name.
    pub entities: Vec<usize>,
    /// For each side, how many numbers encode the selected features of an entity (see [`crate::Encoder`]). A categorical
    /// feature takes one number for each level, any other feature one number.
    pub widths: Vec<usize>,
}

impl FitSizes {
    /// The sizes of a view.
    ///
    /// ```
    /// use halfmax_core::{EntityTable, FitSizes, Responses, Screen, Side};
    /// let tables = vec![EntityTable::new(["A549", "HeLa"], "cell line")?, EntityTable::new(["SN-38"], "drug")?];
    /// let responses = Responses::new(vec![vec![0, 1], vec![0, 0]], vec![1.0, 2.0], None)?;
    /// let screen = Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses)?;
    /// let sizes = FitSizes::new(&screen.all());
    /// assert_eq!((sizes.responses, sizes.entities, sizes.widths), (2, vec![2, 1], vec![0, 0]));
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn new(train: &TrainView) -> Self {
        let sides = 0..train.screen.sides.len();
        let entities = sides.clone().map(|side| train.seen(side).iter().filter(|seen| **seen).count());
        let widths = sides.map(|side| Self::width(train, side, usize::MAX));
        Self { responses: train.rows.len(), entities: entities.collect(), widths: widths.collect() }
    }

    /// The width of a side when each of its blocks of real numbers keeps at most `most` features.
    pub fn width(train: &TrainView, side: usize, most: usize) -> usize {
        let table = train.screen.sides[side].table;
        let blocks = train.screen.tables[table].blocks().iter().enumerate();
        let width = blocks.map(|(at, block)| {
            let columns = train.features.columns(table, at);
            match &block.values {
                FeatureValues::Real(_) => columns.len().min(most),
                FeatureValues::Binary(_) => columns.len(),
                FeatureValues::Category(all) => columns.iter().map(|at| all[*at].levels.len()).sum(),
            }
        });
        width.sum()
    }
}
