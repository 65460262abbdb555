//! Solves `(R ⊗ S + σ²) a = y`. R is the covariance of rows, S that of columns.

use halfmax_core::{Progress, Result};
use ndarray::{Array1, Axis, Zip};
use rayon::prelude::*;

use crate::linalg::{Eigen, Matrix, product, product_of_columns, product_of_rows};
use crate::profile::Observed;

/// The share of the rows' covariance that their features explain, and the noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// `R = w K + (1 − w) I`.
    pub features: f64,
    /// σ² as a multiple of the mean variance of a column.
    pub noise: f64,
}

/// The covariances of a block, decomposed: rows `w K + (1 − w) I`, columns S.
#[derive(Clone, Debug)]
pub struct Decomposed<'a> {
    /// Of K.
    pub rows: &'a Eigen,
    /// Of S.
    pub columns: &'a Eigen,
}

impl Decomposed<'_> {
    /// σ².
    pub fn noise(&self, shares: Shares) -> f64 {
        shares.noise * self.columns.values.mean().unwrap_or(1.0)
    }

    /// The eigenvalues of `R ⊗ S + σ²`, as rows × columns.
    fn spectrum(&self, shares: Shares) -> Matrix {
        let noise = self.noise(shares);
        let row = |value: f64| shares.features * value + 1.0 - shares.features;
        Matrix::from_shape_fn((self.rows.values.len(), self.columns.values.len()), |(i, j)| {
            row(self.rows.values[i]) * self.columns.values[j] + noise
        })
    }

    /// The eigenvalues of the inverse of `R ⊗ S + σ²`.
    pub fn inverse_spectrum(&self, shares: Shares) -> Matrix {
        self.spectrum(shares).mapv(|value| 1.0 / value)
    }

    /// Multiplies by the inverse of `R ⊗ S + σ²`, given the inverse of its spectrum.
    fn divide(&self, block: &Matrix, inverse: &Matrix) -> Matrix {
        let turned = product(
            product_of_columns(self.rows.vectors.view(), block.view()).view(),
            self.columns.vectors.view(),
        );
        let scaled = turned * inverse;
        let back = product(self.rows.vectors.view(), scaled.view());
        product_of_rows(back.view(), self.columns.vectors.view())
    }
}

/// Leave-one-row-out residuals of a complete block for any shares, from one decomposition.
pub struct LeaveOneOut<'a> {
    decomposed: Decomposed<'a>,
    weights: &'a Matrix,
    turned: Matrix,
    squares: Matrix,
}

impl<'a> LeaveOneOut<'a> {
    /// For a complete block minus its mean. `weights` says how much each response counts in the loss.
    pub fn new(decomposed: Decomposed<'a>, block: &Matrix, weights: &'a Matrix) -> Self {
        let by_column = product(block.view(), decomposed.columns.vectors.view());
        let turned = product_of_columns(decomposed.rows.vectors.view(), by_column.view());
        let squares = decomposed.rows.vectors.mapv(|value| value * value);
        Self { decomposed, weights, turned, squares }
    }

    /// The residual of every response when its whole row is left out: `(G⁻¹ y)ᵢ / (G⁻¹)ᵢᵢ` for every component of the
    /// columns (Rasmussen & Williams 2006, equation 5.12).
    pub fn residuals(&self, shares: Shares) -> Matrix {
        let inverse = self.decomposed.inverse_spectrum(shares);
        let solved = product(self.decomposed.rows.vectors.view(), (&self.turned * &inverse).view());
        let own = product(self.squares.view(), inverse.view());
        product_of_rows((solved / own).view(), self.decomposed.columns.vectors.view())
    }

    /// The weighted mean of the squared residuals.
    pub fn loss(&self, shares: Shares) -> f64 {
        weighted_mean_square(&self.residuals(shares), self.weights)
    }
}

pub fn weighted_mean_square(residuals: &Matrix, weights: &Matrix) -> f64 {
    let sum: f64 = residuals.iter().zip(weights).map(|(residual, weight)| weight * residual * residual).sum();
    sum / weights.sum()
}

/// Solves for the observed responses only, by conjugate gradients. Products with the covariance never build the matrix over
/// pairs (the generalised vec trick, Airola & Pahikkala 2018). The preconditioner solves the block as if it were complete.
pub struct Gradients<'a> {
    /// The decompositions.
    pub decomposed: Decomposed<'a>,
    /// `R`.
    pub rows: &'a Matrix,
    /// `S`.
    pub columns: &'a Matrix,
    /// Maximum number of steps.
    pub steps: usize,
    /// The steps stop at this norm of the residual, relative to the norm of the responses.
    pub tolerance: f64,
}

impl Gradients<'_> {
    /// The coefficients of the observed responses; 0 for the others. Starts from `start` if given.
    pub fn solve(
        &self,
        observed: &Observed,
        shares: Shares,
        start: Option<Matrix>,
        progress: &dyn Progress,
    ) -> Result<Matrix> {
        let noise = self.decomposed.noise(shares);
        let mask = observed.weights.mapv(|weight| if weight > 0.0 { 1.0 } else { 0.0 });
        let own_noise = observed.weights.mapv(|weight| if weight > 0.0 { noise / weight } else { 0.0 });
        let inverse = self.decomposed.inverse_spectrum(shares);
        let times = |block: &Matrix| {
            let mut out = product(product(self.rows.view(), block.view()).view(), self.columns.view());
            out *= &mask;
            Zip::from(&mut out)
                .and(block)
                .and(&own_noise)
                .for_each(|out, value, noise| *out += value * noise);
            out
        };
        let mut solution = start.unwrap_or_else(|| Matrix::zeros(observed.values.raw_dim()));
        let mut rest = if solution.iter().all(|value| *value == 0.0) {
            &observed.values * &mask
        } else {
            &observed.values * &mask - times(&solution)
        };
        let enough = self.tolerance * self.tolerance * square(&(&observed.values * &mask));
        let mut scaled = self.decomposed.divide(&rest, &inverse) * &mask;
        let mut direction = scaled.clone();
        let mut power = dot(&rest, &scaled);
        for _ in 0..self.steps {
            progress.check()?;
            if square(&rest) <= enough || power <= 0.0 {
                break;
            }
            let moved = times(&direction);
            let curvature = dot(&direction, &moved);
            if curvature <= 0.0 {
                break;
            }
            let step = power / curvature;
            solution.scaled_add(step, &direction);
            rest.scaled_add(-step, &moved);
            scaled = self.decomposed.divide(&rest, &inverse) * &mask;
            let next = dot(&rest, &scaled);
            direction *= next / power;
            direction += &scaled;
            power = next;
        }
        Ok(solution)
    }
}

fn square(block: &Matrix) -> f64 {
    block.iter().map(|value| value * value).sum()
}

fn dot(a: &Matrix, b: &Matrix) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Predictive variances of a complete block's posterior. Rows are given by their covariance with the training rows and their
/// own variance.
///
/// `R_ii S_jj − Σ_kl (r_i·v_k)² (S_j·u_l)² / (λ_k s_l + σ²)`, with (λ, v) of R and (s, u) of S.
pub fn variances(
    decomposed: &Decomposed,
    shares: Shares,
    between: &Matrix,
    own: &Array1<f64>,
    covariance: &Matrix,
) -> Matrix {
    let rows = product(between.view(), decomposed.rows.vectors.view()).mapv(|value| value * value);
    // Sᵀu_l = s_l u_l.
    let columns = Matrix::from_shape_fn(covariance.raw_dim(), |(j, l)| {
        let value = decomposed.columns.values[l] * decomposed.columns.vectors[[j, l]];
        value * value
    });
    let inverse = decomposed.inverse_spectrum(shares);
    let explained = product_of_rows(product(rows.view(), inverse.view()).view(), columns.view());
    let mut variances = explained;
    variances.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut out)| {
        out.iter_mut().enumerate().for_each(|(column, value)| {
            *value = (own[row] * covariance[[column, column]] - *value).max(0.0);
        });
    });
    variances
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{eigen, inverse};

    #[test]
    fn leave_one_out_residuals_are_those_of_refitting() -> Result<()> {
        let number = |a: usize, b: usize| ((a * 37 + b * 61 + a * b) % 23) as f64 / 11.0 - 1.0;
        let features = Matrix::from_shape_fn((8, 3), |(i, j)| number(i, j));
        let kernel = features.dot(&features.t());
        let drugs = Matrix::from_shape_fn((3, 5), |(i, j)| number(i + 9, j + 3));
        let covariance = drugs.dot(&drugs.t()) / 5.0;
        let block = Matrix::from_shape_fn((8, 3), |(i, j)| number(i + 20, j + 5));
        let weights = Matrix::ones((8, 3));
        let (rows, columns) = (eigen(&kernel, "rows")?, eigen(&covariance, "columns")?);
        let shares = Shares { features: 0.6, noise: 0.4 };
        let decomposed = Decomposed { rows: &rows, columns: &columns };
        let noise = decomposed.noise(shares);
        let found = LeaveOneOut::new(decomposed, &block, &weights).residuals(shares);
        for left in 0..8 {
            let kept: Vec<usize> = (0..8).filter(|row| *row != left).collect();
            let own = |a: usize, b: usize| 0.6 * kernel[[a, b]] + if a == b { 0.4 } else { 0.0 };
            let matrix = Matrix::from_shape_fn((21, 21), |(a, b)| {
                let product = own(kept[a / 3], kept[b / 3]) * covariance[[a % 3, b % 3]];
                product + if a == b { noise } else { 0.0 }
            });
            let right = Array1::from_shape_fn(21, |at| block[[kept[at / 3], at % 3]]);
            let solved = inverse(&matrix, "covariance")?.dot(&right);
            for column in 0..3 {
                let predicted: f64 = (0..21)
                    .map(|at| own(left, kept[at / 3]) * covariance[[column, at % 3]] * solved[at])
                    .sum();
                let expected = block[[left, column]] - predicted;
                assert!(
                    (found[[left, column]] - expected).abs() < 1e-9,
                    "{} {expected}",
                    found[[left, column]]
                );
            }
        }
        Ok(())
    }
}
