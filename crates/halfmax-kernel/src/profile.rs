//! The mean and covariance of response profiles, from rows with missing responses.

use halfmax_core::{Progress, Result};
use ndarray::{Array1, Axis, Zip};

use crate::linalg::{Matrix, inverse, product, product_of_columns};

/// Responses of a block minus their baseline, and the weight of each response; both are 0 where not observed.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Rows × columns; 0 where not observed.
    pub values: Matrix,
    /// Rows × columns.
    pub weights: Matrix,
}

/// The distribution of response profiles (rows of the block).
#[derive(Clone, Debug)]
pub struct Profile {
    /// Their mean.
    pub mean: Array1<f64>,
    /// Their covariance, columns × columns.
    pub covariance: Matrix,
    /// The block minus the mean. Missing responses are replaced by their expectation given the rest of their row.
    pub filled: Matrix,
}

/// Each column's variance is estimated as if it had this many more responses with the average variance.
const PRIOR_RESPONSES: f64 = 5.0;
const ROW_STEPS: usize = 25;
const ROW_TOLERANCE: f64 = 1e-3;

impl Profile {
    /// Expectation-maximisation for a multivariate normal with missing values (Dempster, Laird & Rubin 1977). The
    /// expectations are exact up to the tolerance of conjugate gradients. Only the diagonal of their covariance is kept,
    /// as if the rest of the row had been observed. If profiles of nearly the same block are given, the iteration starts
    /// from them.
    pub fn estimate(
        observed: &Observed,
        shrinkage: f64,
        iterations: usize,
        from: Option<&Self>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let (rows, columns) = observed.values.dim();
        let mask = observed.weights.mapv(|weight| if weight > 0.0 { 1.0 } else { 0.0 });
        let counts = mask.sum_axis(Axis(0));
        let squares = observed.values.mapv(|value| value * value).sum_axis(Axis(0));
        let average = squares.sum() / counts.sum();
        // Responses that do not vary have no scale.
        let average = if average > f64::EPSILON { average } else { 1.0 };
        let prior = PRIOR_RESPONSES * average;
        let alone = || {
            let own = |s: &f64, n: &f64| (s + prior) / (n + PRIOR_RESPONSES);
            (Array1::zeros(columns), Matrix::from_diag(&Zip::from(&squares).and(&counts).map_collect(own)))
        };
        let (mut mean, mut covariance) =
            from.map_or_else(alone, |from| (from.mean.clone(), from.covariance.clone()));
        let mut start = Matrix::zeros((rows, columns));
        for _ in 0..iterations {
            progress.check()?;
            let target = (&observed.values - &mean) * &mask;
            start = solve_rows(&covariance, &target, &mask, start);
            let expected = product(start.view(), covariance.view());
            let filled = Zip::from(&expected)
                .and(&target)
                .and(&mask)
                .map_collect(|expected, target, mask| if *mask > 0.0 { *target } else { *expected });
            let precision = inverse(&covariance, "covariance of response profiles").map_err(|error| {
                error.with_help("raise `profile_shrinkage`, or leave out drugs with the same responses")
            })?;
            // `filled` is relative to the old mean.
            let shift = filled.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(columns));
            mean += &shift;
            let centred = filled - &shift;
            covariance = product_of_columns(centred.view(), centred.view()) / rows as f64;
            for column in 0..columns {
                let unseen = (rows as f64 - counts[column]) / rows as f64;
                covariance[[column, column]] += unseen / precision[[column, column]];
            }
            // Whole rows and columns are scaled, so that the matrix remains a covariance.
            let own = counts.mapv(|count| count / (count + PRIOR_RESPONSES));
            let root = own.mapv(f64::sqrt);
            covariance *= &root;
            covariance *= &root.insert_axis(Axis(1));
            covariance.diag_mut().zip_mut_with(&own, |variance, own| *variance += (1.0 - own) * average);
            let diagonal = covariance.diag().to_owned();
            covariance *= 1.0 - shrinkage;
            covariance.diag_mut().assign(&diagonal);
            // Guards against an indefinite matrix, from rounding or an almost singular sample.
            covariance.diag_mut().mapv_inplace(|variance| variance + 1e-6 * average);
        }
        let filled = fill(observed, &mask, &mean, &covariance, start);
        Ok(Self { mean, covariance, filled })
    }
}

fn fill(
    observed: &Observed,
    mask: &Matrix,
    mean: &Array1<f64>,
    covariance: &Matrix,
    start: Matrix,
) -> Matrix {
    let target = (&observed.values - mean) * mask;
    let solved = solve_rows(covariance, &target, mask, start);
    let expected = product(solved.view(), covariance.view());
    Zip::from(&expected)
        .and(&target)
        .and(mask)
        .map_collect(|expected, target, mask| if *mask > 0.0 { *target } else { *expected })
}

/// For every row, the solution of the covariance of its observed columns. All rows are solved at once by conjugate gradients
/// with the diagonal as preconditioner. Every row has its own steps.
fn solve_rows(covariance: &Matrix, target: &Matrix, mask: &Matrix, start: Matrix) -> Matrix {
    let scale = covariance.diag().mapv(|variance| 1.0 / variance);
    let mut solution = start;
    let mut rest = target - &(product(solution.view(), covariance.view()) * mask);
    let mut direction = &rest * &scale;
    let mut power = row_dots(&rest, &direction);
    let enough = ROW_TOLERANCE * ROW_TOLERANCE * target.iter().map(|value| value * value).sum::<f64>();
    for _ in 0..ROW_STEPS {
        if rest.iter().map(|value| value * value).sum::<f64>() <= enough {
            break;
        }
        let moved = product(direction.view(), covariance.view()) * mask;
        let curvature = row_dots(&direction, &moved);
        let step = Zip::from(&power).and(&curvature).map_collect(|p, c| if *c > 0.0 { p / c } else { 0.0 });
        let step = step.insert_axis(Axis(1));
        solution += &(&direction * &step);
        rest -= &(&moved * &step);
        let scaled = &rest * &scale;
        let next = row_dots(&rest, &scaled);
        let ratio = Zip::from(&next).and(&power).map_collect(|n, p| if *p > 0.0 { n / p } else { 0.0 });
        direction = scaled + direction * &ratio.insert_axis(Axis(1));
        power = next;
    }
    solution
}

fn row_dots(a: &Matrix, b: &Matrix) -> Array1<f64> {
    Zip::from(a.rows()).and(b.rows()).map_collect(|a, b| a.dot(&b))
}
