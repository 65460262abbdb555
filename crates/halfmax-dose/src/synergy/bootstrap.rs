//! Intervals from replicates.

use halfmax_core::Seed;

use super::lattice::Lattice;
use crate::distributions::{Quantiles, f_upper_tail};
use crate::learnt::common_variance;

/// The variation of cell means, estimated from replicates.
pub(crate) struct Replicates<'a> {
    lattice: &'a Lattice,
    means: &'a [f64],
    /// The deviations from the cell mean, for every cell with more than one reading. They are scaled by √(n / (n − 1))
    /// (Rao & Wu 1988); otherwise means of two or three replicates would vary too little. Two replicates of one cell
    /// give only three different means; pooling all cells gives many.
    deviations: Vec<f64>,
    /// The spread of each cell's readings relative to all readings.
    spreads: Vec<f64>,
    /// The degrees of freedom of the error of a cell, and of the error of all cells.
    freedom: [f64; 2],
    /// The nominal coverage of intervals.
    confidence: f64,
}

/// The interval and p value of an estimate from draws; NaN without draws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    /// The ends of the interval.
    pub interval: [f64; 2],
    /// The p value of a true value of 0.
    pub p_value: f64,
}

impl Spread {
    pub const NONE: Self = Self { interval: [f64::NAN; 2], p_value: f64::NAN };
}

/// The fewest cells with replicates for estimating how cells differ in their errors.
const LEAST_CELLS: usize = 8;

impl<'a> Replicates<'a> {
    /// `None` if no cell has two readings.
    pub fn of(lattice: &'a Lattice, means: &'a [f64], confidence: f64) -> Option<Self> {
        let replicated = || (0..lattice.len()).filter(|cell| lattice.readings(*cell).len() > 1);
        let squares = |cell: usize| {
            let readings = lattice.readings(cell);
            (
                readings.iter().map(|reading| (reading - means[cell]).powi(2)).sum::<f64>(),
                readings.len().saturating_sub(1),
            )
        };
        let own = |cell: usize| {
            let readings = lattice.readings(cell);
            let stretch = (readings.len() as f64 / (readings.len() as f64 - 1.0)).sqrt();
            readings.iter().map(move |reading| (reading - means[cell]) * stretch)
        };
        let deviations: Vec<f64> = replicated().flat_map(own).collect();
        if deviations.is_empty() {
            return None;
        }
        let (all, freedom) =
            replicated().map(squares).fold((0.0, 0), |sum, (own, n)| (sum.0 + own, sum.1 + n));
        let pooled = all / freedom as f64;
        // All cells together determine how much cells differ in their errors (Smyth 2004).
        let common = common_variance(replicated().map(squares), LEAST_CELLS);
        let spread = |cell: usize| {
            let (squares, n) = squares(cell);
            let moderated = common.map(|[variance, worth]| (squares + worth * variance) / (n as f64 + worth));
            (moderated.unwrap_or(pooled) / pooled).sqrt()
        };
        let mut spreads: Vec<f64> =
            (0..lattice.len()).map(|cell| if pooled > 0.0 { spread(cell) } else { 1.0 }).collect();
        // Normalise the spreads, so that the average error equals the error of all replicates.
        let average = replicated().map(|cell| squares(cell).1 as f64 * spreads[cell].powi(2)).sum::<f64>();
        if average > 0.0 {
            let stretch = (freedom as f64 / average).sqrt();
            spreads.iter_mut().for_each(|spread| *spread *= stretch);
        }
        // The degrees of freedom of a cell's own readings plus the borrowed ones, at most those of all cells.
        let own = freedom as f64 / replicated().count() as f64;
        let all = freedom as f64;
        let of_cell = common.map_or(all, |[_, worth]| (own + worth).min(all));
        Some(Self { lattice, means, deviations, spreads, freedom: [of_cell, all], confidence })
    }

    /// The means of resampled readings, drawn with replacement from the deviations of all cells and scaled to the
    /// moderated spread of each cell.
    pub fn redrawn(&self, seed: Seed) -> Vec<f64> {
        let redrawn = |(cell, mean): (usize, &f64)| {
            let n = self.lattice.readings(cell).len();
            let seed = seed.derive(cell as u64);
            let draw = |at: usize| {
                let number = u128::from(seed.derive(at as u64).value());
                self.deviations[((number * self.deviations.len() as u128) >> 64) as usize]
            };
            mean + self.spreads[cell] * (0..n).map(draw).sum::<f64>() / n.max(1) as f64
        };
        self.means.iter().enumerate().map(redrawn).collect()
    }

    /// The interval and p value of the score of a cell.
    pub fn of_cell(&self, estimate: f64, draws: impl Iterator<Item = f64>) -> Spread {
        spread(estimate, draws, self.freedom[0], self.confidence)
    }

    /// The interval and p value of the mean score of all cells, with the error of all cells.
    pub fn of_mean(&self, estimate: f64, draws: impl Iterator<Item = f64>) -> Spread {
        spread(estimate, draws, self.freedom[1], self.confidence)
    }
}

/// The interval of an estimate from its draws: Student's t times their standard deviation, about the estimate minus its
/// bias. The bias is estimated from the draws (Efron & Tibshirani 1993, chapter 10), because the larger of two means,
/// for example, is too large on average. The p value uses the same t. The standard deviation of few draws is uncertain,
/// which reduces the degrees of freedom.
fn spread(estimate: f64, draws: impl Iterator<Item = f64>, freedom: f64, confidence: f64) -> Spread {
    let draws: Vec<f64> = draws.filter(|draw| !draw.is_nan()).collect();
    if draws.len() < 2 || estimate.is_nan() {
        return Spread::NONE;
    }
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let error = (draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let freedom = 1.0 / (1.0 / freedom + 1.0 / (n - 1.0));
    let half = Quantiles::one(confidence, freedom) * error;
    let middle = 2.0 * estimate - mean;
    // The bias is itself uncertain, so the shifted interval must still contain the estimate.
    let interval = [(middle - half).min(estimate), (middle + half).max(estimate)];
    // Identical replicates give no information about errors.
    let p_value = if error > 0.0 { f_upper_tail((middle / error).powi(2), 1.0, freedom) } else { f64::NAN };
    Spread { interval, p_value }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::DoseMatrix;
    use super::*;

    /// The variance of resampled means is that of the mean, s² / n, for any n; a single reading has the variance of all
    /// readings.
    #[test]
    fn redrawn_means_vary_as_means_do() {
        let readings = [
            [1.0, 0.0, 10.0],
            [0.0, 1.0, 5.0],
            [0.0, 1.0, 9.0],
            [1.0, 0.0, 13.0],
            [1.0, 0.0, 16.0],
            [1.0, 1.0, 40.0],
        ];
        let matrix = DoseMatrix::new(&readings).unwrap();
        let means = matrix.means();
        let replicates = Replicates::of(matrix.lattice(), &means, 0.95).unwrap();
        let draws: Vec<Vec<f64>> =
            (0..40_000).map(|draw| replicates.redrawn(Seed::new(1).derive(draw))).collect();
        let of_deviations = (3.0 * 9.0 + 2.0 * 8.0) / 5.0;
        for (cell, n) in [(2, 3.0), (1, 2.0), (3, 1.0)] {
            let squares: f64 = draws.iter().map(|draw| (draw[cell] - means[cell]).powi(2)).sum();
            let found = squares / draws.len() as f64;
            assert!(
                (found / (of_deviations / n) - 1.0).abs() < 0.03,
                "{found}, expected {of_deviations} / {n}"
            );
        }
        assert!(draws[0][0].is_nan(), "a missing cell stays missing");
    }

    #[test]
    fn intervals_and_p_values_of_draws() {
        // Two draws leave one degree of freedom. Draws with a mean of 1.5 about an estimate of 1 mean a bias of 0.5.
        let found = spread(1.0, [1.0, 2.0, f64::NAN].into_iter(), f64::INFINITY, 0.95);
        let half = 12.706_204_736 * 0.5_f64.sqrt();
        let [low, high] = found.interval;
        assert!((low - (0.5 - half)).abs() < 1e-5 && (high - (0.5 + half)).abs() < 1e-5, "{low} {high}");
        // Of a Cauchy variable, the probability beyond t is 1 − 2 atan(t) / π.
        let expected = 1.0 - 2.0 * (0.5 / 0.5_f64.sqrt()).atan() / std::f64::consts::PI;
        assert!((found.p_value - expected).abs() < 1e-9, "{} {expected}", found.p_value);
        let none = spread(1.0, std::iter::empty(), 5.0, 0.95);
        assert!(none.interval[0].is_nan() && none.p_value.is_nan());
        assert!(spread(1.0, [1.0, 1.0, 1.0].into_iter(), 5.0, 0.95).p_value.is_nan(), "no error, no p value");
    }
}
