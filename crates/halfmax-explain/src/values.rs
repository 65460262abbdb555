//! The values of a model's features over cell lines.

use halfmax_core::{Domain, EntityTable, FeatureSpace, Result};
use ndarray::{Array2, ArrayViewMut1, Axis};
use rayon::prelude::*;

/// The values of a model's features over the entities (cell lines) of the attributed predictions.
pub struct Values {
    /// The features.
    pub space: FeatureSpace,
    /// Features × entities: numbers, 0 or 1, positions of levels; NaN if missing.
    pub raw: Array2<f32>,
    /// Features × entities: standard deviations from the mean; 0 for missing values and for categories.
    pub standard: Array2<f32>,
    /// The mean of each feature; NaN for categories.
    pub means: Vec<f64>,
    /// The standard deviation of each feature; NaN for categories.
    pub deviations: Vec<f64>,
}

impl Values {
    /// The values of some entities of a table.
    ///
    /// # Errors
    /// If the table has less than half of the features.
    pub fn new(space: &FeatureSpace, table: &EntityTable, entities: &[u32]) -> Result<Self> {
        let alignment = space.align(table)?;
        let mut raw = Array2::zeros((space.len(), entities.len()));
        let rows: Vec<Vec<f32>> =
            (0..space.len()).into_par_iter().map(|feature| alignment.values(feature, entities)).collect();
        for (mut row, values) in raw.rows_mut().into_iter().zip(&rows) {
            row.iter_mut().zip(values).for_each(|(place, value)| *place = *value);
        }
        let mut standard = raw.clone();
        let moments: Vec<(f64, f64)> = standard
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(&space.features)
            .map(|(row, feature)| match feature.domain {
                Domain::Real | Domain::Binary => standardise(row),
                Domain::Category(_) => {
                    let mut row = row;
                    row.fill(0.0);
                    (f64::NAN, f64::NAN)
                }
            })
            .collect();
        let (means, deviations) = moments.into_iter().unzip();
        Ok(Self { space: space.clone(), raw, standard, means, deviations })
    }

    /// The median of a feature over the entities (the upper of two middle values); NaN for categories, and if all
    /// values are missing.
    pub fn median(&self, feature: usize) -> f32 {
        if matches!(self.space.features[feature].domain, Domain::Category(_)) {
            return f32::NAN;
        }
        let row = self.raw.row(feature);
        let mut values: Vec<f32> = row.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f32::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f32::NAN)
    }

    /// Number of entities.
    pub fn entities(&self) -> usize {
        self.raw.ncols()
    }
}

/// Standardises values. Missing values become 0, and all values if they are equal. Returns the original mean and
/// standard deviation.
fn standardise(mut row: ArrayViewMut1<'_, f32>) -> (f64, f64) {
    let finite = || row.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value));
    let count = finite().count().max(1) as f64;
    let mean = finite().sum::<f64>() / count;
    let variance = finite().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    row.mapv_inplace(|value| {
        if value.is_finite() && deviation > 0.0 {
            ((f64::from(value) - mean) / deviation) as f32
        } else {
            0.0
        }
    });
    (mean, deviation)
}
