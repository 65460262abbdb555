//! Main effects of rows and columns.

use halfmax_core::{Progress, Result};
use ndarray::{Array1, Axis, Zip};

use crate::linalg::Matrix;
use crate::profile::Observed;

/// The additive part of a block, `mean + row effect + column effect`, and the variance of each of its terms.
#[derive(Clone, Debug)]
pub(crate) struct Effects {
    /// The weighted mean of the responses, in the unit of the target.
    pub mean: f64,
    /// One effect per row.
    pub rows: Array1<f64>,
    /// One effect per column.
    pub columns: Array1<f64>,
    /// Variances of row and column effects, in squared units of the target.
    pub variances: [f64; 2],
    /// Variance of a response of weight 1 around the effects.
    pub rest: f64,
}

const MOST_SWEEPS: usize = 100;
/// Sweeps stop when no effect changes by more than this share of the responses' standard deviation.
const SETTLED: f64 = 1e-7;
/// Responses that vary by less than this share of the largest are equal: they are in single precision.
const EQUAL: f64 = 1e-8;

impl Effects {
    /// Both sides' effects as random effects with means of 0. Their variances come from expectation-maximisation, the
    /// effects from backfitting. An effect with few responses is therefore shrunken more towards 0 (Searle, Casella &
    /// McCulloch 1992, chapter 8; expectations by side, not jointly). `observed` holds responses as measured.
    pub fn estimate(observed: &Observed, progress: &dyn Progress) -> Result<Self> {
        let Observed { values, weights } = observed;
        let mean = (values * weights).sum() / weights.sum();
        let largest = values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        let there = weights.iter().filter(|weight| **weight > 0.0).count() as f64;
        let variance = Zip::from(values)
            .and(weights)
            .fold(0.0, |sum, value, weight| sum + weight * (value - mean) * (value - mean))
            / there;
        let mut found = Self {
            mean,
            rows: Array1::zeros(values.nrows()),
            columns: Array1::zeros(values.ncols()),
            variances: [0.0, 0.0],
            rest: 0.0,
        };
        if variance <= (EQUAL * largest).powi(2) {
            return Ok(found);
        }
        found.variances = [variance / 4.0; 2];
        found.rest = variance / 2.0;
        let totals = [weights.sum_axis(Axis(1)), weights.sum_axis(Axis(0))];
        let scale = variance.sqrt();
        for _ in 0..MOST_SWEEPS {
            progress.check()?;
            if found.sweep(observed, &totals, there, variance) <= SETTLED * scale {
                break;
            }
        }
        Ok(found)
    }

    /// One step for columns, rows and variances. Returns the largest change of an effect.
    fn sweep(&mut self, observed: &Observed, totals: &[Array1<f64>; 2], there: f64, variance: f64) -> f64 {
        let mut moved: f64 = 0.0;
        let mut spent = 0.0;
        for side in [1, 0] {
            let rest = self.residuals(observed) * &observed.weights;
            let sums = rest.sum_axis(Axis(1 - side));
            let prior = self.rest / self.variances[side];
            let effects = if side == 0 { &mut self.rows } else { &mut self.columns };
            let mut squares = 0.0;
            Zip::from(effects).and(&sums).and(&totals[side]).for_each(|effect, sum, total| {
                let next = (sum + total * *effect) / (total + prior);
                moved = moved.max((next - *effect).abs());
                squares += next * next + self.rest / (total + prior);
                spent += total / (total + prior);
                *effect = next;
            });
            self.variances[side] = (squares / sums.len() as f64).max(1e-12 * variance);
        }
        self.balance();
        let rest = self.residuals(observed);
        let squares = Zip::from(&rest).and(&observed.weights).fold(0.0, |sum, r, w| sum + w * r * r);
        self.rest = ((squares + self.rest * spent) / there).max(1e-9 * variance);
        moved
    }

    /// Moves a constant between the effects of rows and columns, to the value that their priors prefer. This changes no
    /// response. Sweeps alone need hundreds of steps for it.
    fn balance(&mut self) {
        let [row, column] = self.variances.map(|variance| 1.0 / variance);
        let pull = column * self.columns.sum() - row * self.rows.sum();
        let shift = pull / (row * self.rows.len() as f64 + column * self.columns.len() as f64);
        self.rows += shift;
        self.columns -= shift;
    }

    /// Responses minus the effects; 0 where not observed.
    pub fn residuals(&self, observed: &Observed) -> Matrix {
        let mut rest = Matrix::zeros(observed.values.raw_dim());
        Zip::indexed(&mut rest).and(&observed.values).and(&observed.weights).for_each(
            |(row, column), rest, value, weight| {
                if *weight > 0.0 {
                    *rest = value - self.mean - self.rows[row] - self.columns[column];
                }
            },
        );
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfmax_core::Silent;

    fn complete(values: Matrix) -> Observed {
        Observed { weights: Matrix::ones(values.raw_dim()), values }
    }

    #[test]
    fn effects_of_an_additive_block_are_found() -> Result<()> {
        let row = |i: usize| ((i * 7) % 11) as f64 - 5.0;
        let column = |j: usize| ((j * 3) % 5) as f64 - 2.0;
        let observed = complete(Matrix::from_shape_fn((11, 5), |(i, j)| 4.0 + row(i) + column(j)));
        let found = Effects::estimate(&observed, &Silent)?;
        assert!(found.residuals(&observed).iter().all(|rest| rest.abs() < 1e-3));
        assert!((found.mean - 4.0).abs() < 1e-12 && (found.rows[1] - row(1)).abs() < 1e-3);
        Ok(())
    }

    #[test]
    fn a_row_of_one_response_keeps_less_of_it_than_a_row_of_many() -> Result<()> {
        let noise = |i: usize, j: usize| ((i * 31 + j * 17) % 13) as f64 / 6.0 - 1.0;
        let mut observed = complete(Matrix::from_shape_fn((20, 12), |(i, j)| {
            noise(i, j) + if i < 2 { 3.0 } else { (i % 4) as f64 - 1.5 }
        }));
        observed.weights.row_mut(0).slice_mut(ndarray::s![1..]).fill(0.0);
        let found = Effects::estimate(&observed, &Silent)?;
        let own = observed.values[[0, 0]] - found.mean - found.columns[0];
        assert!(found.rows[0] > 0.0 && found.rows[0] < 0.9 * own, "{} of {own}", found.rows[0]);
        let of_many = observed.values.row(1).sum() / 12.0 - found.mean - found.columns.sum() / 12.0;
        assert!(found.rows[1] > 0.97 * of_many, "{} of {of_many}", found.rows[1]);
        Ok(())
    }

    #[test]
    fn equal_responses_have_no_effects() -> Result<()> {
        let found = Effects::estimate(&complete(Matrix::from_elem((3, 4), f64::from(2.7f32))), &Silent)?;
        assert!(found.rows.iter().chain(&found.columns).all(|effect| *effect == 0.0));
        Ok(())
    }
}
