//! Conditions a fitted model on measured responses of new rows, without another fit.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use halfmax_core::{Conditioned, EntityTable, Error, Responses, Result};
use ndarray::{Array1, Axis};

use crate::linalg::{Eigen, Matrix, eigen, inverse, product};
use crate::model::{FittedKernel, positions};
use crate::solve::Decomposed;

/// The decompositions of a fitted model's covariances, computed when first needed. They do not affect whether two models are equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decompositions(OnceLock<[Eigen; 2]>);

impl PartialEq for Decompositions {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The measured responses of one row: (training column, response, weight).
type Measured = Vec<(usize, f64, f64)>;

impl FittedKernel {
    /// The decompositions of the kernel between training rows and of the covariance of columns.
    pub(crate) fn decomposed(&self) -> Result<Decomposed<'_>> {
        let cache = &self.decompositions.0;
        if cache.get().is_none() {
            let fitted = &self.fitted;
            let rows = eigen(&fitted.sides[0].kernel.training(), "kernel of the features")?;
            let columns = eigen(&fitted.covariance, "covariance of response profiles")?;
            let _ = cache.set([rows, columns]);
        }
        match cache.get() {
            Some([rows, columns]) => Ok(Decomposed { rows, columns }),
            None => Err(Error::failed("the decompositions of the kernel model were lost")),
        }
    }

    /// The model conditioned on `measured` responses of rows that were not in training.
    ///
    /// Given the training block, the profile of a new row is normal. Its mean is the model's prediction. Its covariance
    /// is `C = U diag(r s − s² q) Uᵀ`: (s, U) are the eigenvalues and eigenvectors of S, r is the row's own variance, and
    /// `q_l = Σ_k (r_i·v_k)² / (λ_k s_l + σ²)` is the part that training explains (as if its block were complete).
    /// Measured responses y at columns J then move the profile by `C_·J (C_JJ + σ²)⁻¹ (y − mean_J)`. A new row learns
    /// from its own responses only, not from other new rows.
    pub(crate) fn conditioned(&self, tables: &[&EntityTable], measured: &Responses) -> Result<Conditioned> {
        let row_side = self.fitted.row_side;
        let [row_ids, column_ids] = [&self.fitted.sides[0].ids, &self.fitted.sides[1].ids];
        let known_rows = positions(row_ids, tables[row_side]);
        let known_columns = positions(column_ids, tables[1 - row_side]);
        let mut of_row: BTreeMap<u32, Measured> = BTreeMap::new();
        let mut used = 0;
        for at in 0..measured.len() {
            let (row, column) = (measured.side(row_side)[at], measured.side(1 - row_side)[at] as usize);
            let (None, Some(column)) = (known_rows[row as usize], known_columns[column]) else { continue };
            let response = (column, f64::from(measured.values()[at]), f64::from(measured.weight(at)));
            of_row.entry(row).or_default().push(response);
            used += 1;
        }
        let mut model = self.clone();
        if !of_row.is_empty() {
            let rows: Vec<u32> = of_row.keys().copied().collect();
            let shifts = self.shifts(tables[row_side], &rows, of_row.values())?;
            let ids = rows.iter().map(|row| tables[row_side].ids()[*row as usize].clone());
            model.pilots.extend(ids.zip(shifts));
        }
        Ok(Conditioned { model: Box::new(model), used })
    }

    /// The shifts of the profiles of rows by their measured responses.
    fn shifts<'a>(
        &self,
        table: &EntityTable,
        rows: &[u32],
        measured: impl Iterator<Item = &'a Measured>,
    ) -> Result<Vec<Array1<f64>>> {
        let fitted = &self.fitted;
        let decomposed = self.decomposed()?;
        let covariances = self.row_covariance(table, rows)?;
        let means = product(covariances.view(), self.profiles.view()) + &fitted.baseline;
        let own = fitted.sides[0].kernel.own(table, rows)?;
        let own = own.mapv(|own| fitted.shares.features * own + 1.0 - fitted.shares.features);
        let turned = product(covariances.view(), decomposed.rows.vectors.view()).mapv(|value| value * value);
        let explained = product(turned.view(), decomposed.inverse_spectrum(fitted.shares).view());
        let shift = |(row, measured): (usize, &Measured)| {
            let values = &decomposed.columns.values;
            let spectrum = Array1::from_shape_fn(values.len(), |l| {
                values[l] * (own[row] - values[l] * explained[[row, l]])
            });
            let spectrum = spectrum.mapv(|value| value.max(0.0));
            self.shift(&decomposed.columns.vectors, &spectrum, means.row(row).to_owned(), measured)
        };
        measured.enumerate().map(shift).collect()
    }

    fn shift(
        &self,
        vectors: &Matrix,
        spectrum: &Array1<f64>,
        mean: Array1<f64>,
        measured: &Measured,
    ) -> Result<Array1<f64>> {
        let columns: Vec<usize> = measured.iter().map(|(column, ..)| *column).collect();
        let chosen = vectors.select(Axis(0), &columns);
        let scaled = &chosen * &spectrum.view().insert_axis(Axis(0));
        let mut between = scaled.dot(&chosen.t());
        for (at, (_, _, weight)) in measured.iter().enumerate() {
            between[[at, at]] += self.fitted.noise / weight;
        }
        let rest: Array1<f64> = measured.iter().map(|(column, value, _)| value - mean[*column]).collect();
        let solved = inverse(&between, "covariance of the measured responses")?.dot(&rest);
        Ok(vectors.dot(&scaled.t().dot(&solved)))
    }
}
