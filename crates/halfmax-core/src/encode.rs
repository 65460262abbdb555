//! Features as numbers, for models that calculate with them.

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use crate::{Domain, EntityTable, FeatureSpace, Result};

/// Turns the features of an entity into numbers, for models that calculate with them.
///
/// Real features are standardised by their training mean and standard deviation. A bit is 0 or 1, and each level of a
/// category is one bit; the training mean is subtracted from bits. A missing value becomes 0, the training mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// The features.
    pub space: FeatureSpace,
    /// The number that is subtracted from each encoded number.
    pub centres: Vec<f32>,
    /// The number that the difference is then divided by.
    pub scales: Vec<f32>,
}

impl Encoder {
    /// Makes the encoder of some features, with the means and standard deviations of these entities of a table. Also
    /// returns the entities' numbers before [`Encoder::scaled`]: entities × width, NaN where missing.
    ///
    /// # Errors
    /// If the table lacks most of the features, or a value is infinite.
    ///
    /// ```
    /// use halfmax_core::{Encoder, EntityTable, FeatureBlock, FeatureSelection, FeatureSpace, FeatureValues};
    /// use ndarray::array;
    /// let genes = FeatureBlock::new("expression", ["ABCB1"], FeatureValues::real(array![[1.0], [3.0], [f32::NAN]]))?;
    /// let cells = EntityTable::new(["A549", "MCF-7", "HeLa"], "cell line")?.with_block(genes)?;
    /// let (encoder, raw) = Encoder::fit(FeatureSpace::whole(&cells), &cells, &[0, 1, 2])?;
    /// assert_eq!(encoder.scaled(raw), array![[-1.0], [1.0], [0.0]]);
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn fit(space: FeatureSpace, table: &EntityTable, entities: &[u32]) -> Result<(Self, Array2<f32>)> {
        let width = Self::width_of(&space);
        let mut encoder = Self { space, centres: vec![0.0; width], scales: vec![1.0; width] };
        let raw = encoder.raw(table, entities)?;
        encoder.measure(&raw);
        Ok((encoder, raw))
    }

    /// How many numbers an entity has.
    pub fn width(&self) -> usize {
        self.centres.len()
    }

    /// How many numbers the features of a space make.
    pub fn width_of(space: &FeatureSpace) -> usize {
        space.features.iter().map(|feature| numbers_of(&feature.domain)).sum()
    }

    /// For each number, the position of the feature that it encodes.
    pub fn feature_of(&self) -> impl Iterator<Item = usize> + '_ {
        let numbers = self.space.features.iter().map(|feature| numbers_of(&feature.domain));
        numbers.enumerate().flat_map(|(at, count)| std::iter::repeat_n(at, count))
    }

    /// The numbers of some entities of a table, entities × width.
    ///
    /// # Errors
    /// If the table lacks most of the features, or a value is infinite.
    pub fn encode(&self, table: &EntityTable, entities: &[u32]) -> Result<Array2<f32>> {
        Ok(self.scaled(self.raw(table, entities)?))
    }

    /// The numbers of some entities before they are centred and scaled, entities × width, NaN where missing.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn raw(&self, table: &EntityTable, entities: &[u32]) -> Result<Array2<f32>> {
        let alignment = self.space.align(table)?;
        let columns: Vec<Vec<f32>> = (0..self.space.len())
            .into_par_iter()
            .map(|at| alignment.finite_values(at, entities))
            .collect::<Result<_>>()?;
        let mut raw = Array2::zeros((entities.len(), self.width()));
        raw.outer_iter_mut().into_par_iter().enumerate().for_each(|(row, mut out)| {
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

    /// Centres and scales numbers. A missing number becomes 0.
    pub fn scaled(&self, mut raw: Array2<f32>) -> Array2<f32> {
        raw.outer_iter_mut().into_par_iter().for_each(|mut row| {
            let places = self.centres.iter().zip(&self.scales);
            row.iter_mut().zip(places).for_each(|(value, (centre, scale))| {
                *value = if value.is_nan() { 0.0 } else { (*value - centre) / scale };
            });
        });
        raw
    }

    fn measure(&mut self, raw: &Array2<f32>) {
        let standardised: Vec<bool> =
            self.feature_of().map(|at| self.space.features[at].domain == Domain::Real).collect();
        let numbers = raw.axis_iter(Axis(1)).zip(standardised);
        let places = self.centres.iter_mut().zip(&mut self.scales);
        for ((column, standardised), (centre, scale)) in numbers.zip(places) {
            let there = || column.iter().filter(|value| !value.is_nan()).map(|value| f64::from(*value));
            let count = there().count().max(1) as f64;
            let mean = there().sum::<f64>() / count;
            *centre = mean as f32;
            let deviation = (there().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt() as f32;
            if standardised && deviation > 0.0 {
                *scale = deviation;
            }
        }
    }
}

fn numbers_of(domain: &Domain) -> usize {
    match domain {
        Domain::Real | Domain::Binary => 1,
        Domain::Category(levels) => levels.len(),
    }
}
