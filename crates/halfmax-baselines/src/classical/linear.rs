//! Linear predictors: elastic nets and partial least squares.

use halfmax_core::{Result, StoredModel, Tensor, malformed};
use ndarray::Array2;

/// A linear function of a row's numbers for every column.
pub(crate) struct Linear {
    /// Width × columns.
    weights: Array2<f32>,
    intercepts: Vec<f64>,
}

impl Linear {
    /// No deviation, whatever the features.
    pub(crate) fn zeros(width: usize, columns: usize) -> Self {
        Self { weights: Array2::zeros((width, columns)), intercepts: vec![0.0; columns] }
    }

    /// Sets the function of one column.
    pub(crate) fn set(&mut self, column: usize, weights: impl Iterator<Item = f64>, intercept: f64) {
        self.weights
            .column_mut(column)
            .iter_mut()
            .zip(weights)
            .for_each(|(own, weight)| *own = weight as f32);
        self.intercepts[column] = intercept;
    }

    /// The weights: numbers × columns.
    pub(crate) const fn weights(&self) -> &Array2<f32> {
        &self.weights
    }

    pub(crate) fn deviations(&self, row: &[f32], columns: &[u32]) -> Vec<f64> {
        let mut out: Vec<f64> = columns.iter().map(|column| self.intercepts[*column as usize]).collect();
        let whole = columns.len() == self.intercepts.len();
        for (value, weights) in row.iter().zip(self.weights.rows()) {
            let value = f64::from(*value);
            if value == 0.0 {
                continue;
            }
            if whole {
                out.iter_mut().zip(weights).for_each(|(out, weight)| *out += value * f64::from(*weight));
            } else {
                for (out, column) in out.iter_mut().zip(columns) {
                    *out += value * f64::from(weights[*column as usize]);
                }
            }
        }
        out
    }

    pub(crate) fn tensors(&self) -> Vec<(&'static str, Tensor)> {
        vec![
            ("weights", Tensor::F32(self.weights.iter().copied().collect())),
            ("intercepts", Tensor::F64(self.intercepts.clone())),
        ]
    }

    pub(crate) fn from_stored(stored: &StoredModel, width: usize, columns: usize) -> Result<Self> {
        let weights = stored.f32s("weights", width * columns)?.to_vec();
        let weights = Array2::from_shape_vec((width, columns), weights)
            .map_err(|error| malformed("weights").with_source(error))?;
        Ok(Self { weights, intercepts: stored.f64s("intercepts", columns)?.to_vec() })
    }
}
