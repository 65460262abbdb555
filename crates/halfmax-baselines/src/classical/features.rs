//! Features of the row side as a matrix of numbers.

use halfmax_core::{Domain, EntityTable, FeatureSpace, FeatureValues, Result, TrainView};
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::block::Block;

/// How the features of an entity become numbers. Real ones are standardised by their training mean and standard deviation;
/// bits are 0 or 1 and each level of a category is one such bit, less the training mean. What is missing is 0, the
/// training mean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Encoder {
    pub(crate) space: FeatureSpace,
    /// What is subtracted from each number, and what it is then divided by.
    pub(crate) centres: Vec<f32>,
    pub(crate) scales: Vec<f32>,
}

impl Encoder {
    /// The encoder of a block's rows, with at most `most` features of each block of real numbers, those that vary most
    /// over these rows; and their numbers, rows × width.
    pub(crate) fn fit(train: &TrainView, block: &Block, most: usize) -> Result<(Self, Array2<f32>)> {
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
        let space = FeatureSpace::of(table, table_at, &selection);
        let plain = width(&space);
        let mut encoder = Self { space, centres: vec![0.0; plain], scales: vec![1.0; plain] };
        let raw = encoder.raw(table, &block.rows)?;
        encoder.measure(&raw);
        let values = encoder.scaled(raw);
        Ok((encoder, values))
    }

    /// How many numbers an entity has.
    pub(crate) fn width(&self) -> usize {
        self.centres.len()
    }

    /// The numbers of some entities of a table, rows × width.
    ///
    /// # Errors
    /// If the table lacks most of the features, or one is infinite.
    pub(crate) fn encode(&self, table: &EntityTable, rows: &[u32]) -> Result<Array2<f32>> {
        Ok(self.scaled(self.raw(table, rows)?))
    }

    fn measure(&mut self, raw: &Array2<f32>) {
        let numbers = raw.axis_iter(Axis(1)).zip(standardised(&self.space));
        let places = self.centres.iter_mut().zip(&mut self.scales);
        for ((column, is_real), (centre, scale)) in numbers.zip(places) {
            let there = || column.iter().filter(|value| !value.is_nan()).map(|value| f64::from(*value));
            let count = there().count().max(1) as f64;
            let mean = there().sum::<f64>() / count;
            *centre = mean as f32;
            let deviation = (there().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt() as f32;
            if is_real && deviation > 0.0 {
                *scale = deviation;
            }
        }
    }

    fn scaled(&self, mut raw: Array2<f32>) -> Array2<f32> {
        raw.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
            let places = self.centres.iter().zip(&self.scales);
            row.iter_mut().zip(places).for_each(|(value, (centre, scale))| {
                *value = if value.is_nan() { 0.0 } else { (*value - centre) / scale };
            });
        });
        raw
    }

    /// The numbers before they are centred and scaled, NaN where missing.
    fn raw(&self, table: &EntityTable, rows: &[u32]) -> Result<Array2<f32>> {
        let alignment = self.space.align(table)?;
        let columns: Vec<Vec<f32>> = (0..self.space.len())
            .into_par_iter()
            .map(|at| alignment.finite_values(at, rows))
            .collect::<Result<_>>()?;
        let mut raw = Array2::zeros((rows.len(), self.width()));
        raw.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut out)| {
            let mut out = out.iter_mut();
            for (feature, column) in self.space.features.iter().zip(&columns) {
                let value = column[row];
                match &feature.domain {
                    Domain::Real | Domain::Binary => out.by_ref().take(1).for_each(|out| *out = value),
                    Domain::Category(levels) => {
                        out.by_ref().take(levels.len()).enumerate().for_each(|(level, out)| {
                            *out = if value.is_nan() {
                                value
                            } else {
                                f32::from(u8::from(value == level as f32))
                            };
                        });
                    }
                }
            }
        });
        Ok(raw)
    }
}

/// How many numbers the features of a space make.
pub(crate) fn width(space: &FeatureSpace) -> usize {
    space.features.iter().map(|feature| numbers_of(&feature.domain)).sum()
}

fn numbers_of(domain: &Domain) -> usize {
    match domain {
        Domain::Real | Domain::Binary => 1,
        Domain::Category(levels) => levels.len(),
    }
}

/// For each number whether it is divided by its standard deviation.
fn standardised(space: &FeatureSpace) -> impl Iterator<Item = bool> + '_ {
    space
        .features
        .iter()
        .flat_map(|feature| std::iter::repeat_n(feature.domain == Domain::Real, numbers_of(&feature.domain)))
}
