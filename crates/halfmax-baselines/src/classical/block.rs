//! Responses as a block. Rows are the entities that the evaluation holds out, columns the entities that it sees again.

use halfmax_core::{Error, FitContext, Result, TrainView};
use linfa_ndarray::Array2;

use super::sizes::row_side;

/// Minimum number of responses to learn a column. A column with fewer responses is predicted as its mean.
pub(crate) const FEWEST_RESPONSES: usize = 5;

/// The training responses of a screen of two sides.
pub(crate) struct Block {
    pub(crate) row_side: usize,
    /// Training entities of the row side, as positions in their table.
    pub(crate) rows: Vec<u32>,
    pub(crate) columns: Vec<Column>,
    /// The weighted mean of all responses.
    pub(crate) overall: f64,
}

/// The training responses of one entity of the column side.
pub(crate) struct Column {
    /// The position of the entity in its table.
    pub(crate) entity: u32,
    /// The weighted mean response of the entity.
    pub(crate) mean: f64,
    /// The measured rows, as ascending positions in [`Block::rows`].
    pub(crate) rows: Vec<u32>,
    /// Their responses minus the column's mean. Repeated responses are averaged by weight.
    pub(crate) deviations: Vec<f64>,
}

impl Column {
    /// Whether there is something to learn: enough responses, and not all equal.
    pub(crate) fn is_learnable(&self) -> bool {
        let smallest = 1e-9 * self.mean.abs().max(f64::MIN_POSITIVE);
        self.rows.len() >= FEWEST_RESPONSES && self.deviations.iter().any(|value| value.abs() > smallest)
    }

    /// The rows and deviations that `keep` accepts.
    pub(crate) fn only(&self, keep: impl Fn(usize) -> bool) -> (Vec<u32>, Vec<f64>) {
        let both = self.rows.iter().copied().zip(self.deviations.iter().copied());
        both.filter(|(row, _)| keep(*row as usize)).unzip()
    }
}

impl Block {
    /// # Errors
    /// If there are no responses, or the screen has more than two sides.
    pub(crate) fn of(family: &str, train: &TrainView, context: &FitContext) -> Result<Self> {
        context.progress.check()?;
        let screen = train.screen;
        if train.rows.is_empty() {
            return Err(Error::data(format!(
                "{family} needs responses to fit, but the training data have none"
            )));
        }
        screen.expect_two_sides(family)?;
        let row_side = row_side(context);
        let (rows, row_of) = train.entities(row_side);
        let (columns, column_of) = train.entities(1 - row_side);
        let responses = &screen.responses;
        let at = |side: usize, row: usize| responses.side(side)[row] as usize;
        let column_at = |row: usize| column_of[at(1 - row_side, row)];
        // The responses of one column after the other, each in the order of the view.
        let mut ends = vec![0; columns.len()];
        train.rows.iter().for_each(|row| ends[column_at(*row)] += 1);
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        let mut order = vec![0u32; train.rows.len()];
        for (place, row) in train.rows.iter().enumerate() {
            let end = &mut ends[column_at(*row)];
            order[*end] = place as u32;
            *end += 1;
        }
        let mut sums = vec![(0.0, 0.0); rows.len()];
        let mut first = 0;
        let of_column = |(entity, end): (u32, usize)| {
            let mut measured: Vec<u32> = Vec::with_capacity(end - first);
            for place in &order[first..end] {
                let row = train.rows[*place as usize];
                let (place, weight) = (row_of[at(row_side, row)], f64::from(responses.weight(row)));
                if sums[place].1 == 0.0 {
                    measured.push(place as u32);
                }
                sums[place].0 += weight * f64::from(responses.values()[row]);
                sums[place].1 += weight;
            }
            first = end;
            column(entity, measured, &mut sums)
        };
        let columns: Vec<(Column, f64)> = columns.into_iter().zip(ends).map(of_column).collect();
        let weight: f64 = columns.iter().map(|(_, weight)| weight).sum();
        let overall = columns.iter().map(|(column, own)| column.mean * own).sum::<f64>() / weight;
        let columns = columns.into_iter().map(|(column, _)| column).collect();
        Ok(Self { row_side, rows, columns, overall })
    }

    /// The positions of the columns that can be learnt from `width` features.
    pub(crate) fn learnable(&self, width: usize) -> Vec<usize> {
        (0..self.columns.len()).filter(|at| width > 0 && self.columns[*at].is_learnable()).collect()
    }

    /// The deviations of some columns in the rows that `keep` lists; 0 where nothing was measured.
    pub(crate) fn filled(&self, columns: &[usize], keep: &[usize]) -> Array2<f64> {
        let mut place = vec![None; self.rows.len()];
        keep.iter().enumerate().for_each(|(at, row)| place[*row] = Some(at));
        let mut filled = Array2::zeros((keep.len(), columns.len()));
        for (at, column) in columns.iter().map(|at| &self.columns[*at]).enumerate() {
            for (row, value) in column.rows.iter().zip(&column.deviations) {
                if let Some(row) = place[*row as usize] {
                    filled[[row, at]] = *value;
                }
            }
        }
        filled
    }

    /// The root mean square of all deviations.
    pub(crate) fn spread(&self) -> f64 {
        let values = || self.columns.iter().flat_map(|column| &column.deviations);
        let count = values().count();
        (values().map(|value| value * value).sum::<f64>() / count as f64).sqrt()
    }
}

/// A column from its measured rows and their weighted sums, which are cleared. Also returns its total weight, above 0 for each column.
fn column(entity: u32, mut rows: Vec<u32>, sums: &mut [(f64, f64)]) -> (Column, f64) {
    rows.sort_unstable();
    let own = || rows.iter().map(|row| sums[*row as usize]);
    let (sum, weight) = own().fold((0.0, 0.0), |(sum, weight), own| (sum + own.0, weight + own.1));
    let mean = sum / weight;
    let deviations = own().map(|(sum, weight)| sum / weight - mean).collect();
    rows.iter().for_each(|row| sums[*row as usize] = (0.0, 0.0));
    (Column { entity, mean, rows, deviations }, weight)
}
