//! Intervals from replicates.

use halfmax_core::Seed;

use super::matrix::DoseMatrix;

/// The means of readings drawn anew, with replacement, within each cell. The deviations from the cell's mean are stretched by
/// √(n / (n − 1)) (Rao & Wu 1988), without which means of two or three replicates would vary too little. A cell with one
/// reading keeps it.
pub(crate) fn redrawn(matrix: &DoseMatrix, means: &[f64], seed: Seed) -> Vec<f64> {
    let one = |(cell, mean): (usize, &f64)| {
        let readings = matrix.readings(cell);
        let n = readings.len();
        if n < 2 {
            return *mean;
        }
        let seed = seed.derive(cell as u64);
        let draw = |at: usize| {
            let number = u128::from(seed.derive(at as u64).value());
            readings[((number * n as u128) >> 64) as usize]
        };
        let drawn = (0..n).map(draw).sum::<f64>() / n as f64;
        mean + (drawn - mean) * (n as f64 / (n as f64 - 1.0)).sqrt()
    };
    means.iter().enumerate().map(one).collect()
}

/// The ends of the middle 95 % of some draws; NaN where there is none. Draws that are NaN are passed over.
pub(crate) fn interval(draws: impl Iterator<Item = f64>) -> [f64; 2] {
    let mut draws: Vec<f64> = draws.filter(|draw| !draw.is_nan()).collect();
    draws.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let position = share * (draws.len() as f64 - 1.0);
        let (below, part) = (position.floor() as usize, position.fract());
        let above = (below + 1).min(draws.len() - 1);
        draws[below] + part * (draws[above] - draws[below])
    };
    if draws.is_empty() { [f64::NAN; 2] } else { [at(0.025), at(0.975)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variance of redrawn means is that of the mean: s² / n, whatever n is.
    #[test]
    fn redrawn_means_vary_as_means_do() {
        let readings =
            [[1.0, 0.0, 10.0], [0.0, 1.0, 5.0], [0.0, 1.0, 9.0], [1.0, 0.0, 13.0], [1.0, 0.0, 16.0]];
        let matrix = DoseMatrix::new(&readings).unwrap();
        let means = matrix.means();
        let draws: Vec<Vec<f64>> =
            (0..40_000).map(|draw| redrawn(&matrix, &means, Seed::new(1).derive(draw))).collect();
        for (cell, variance) in [(2, 9.0 / 3.0), (1, 8.0 / 2.0)] {
            let squares: f64 = draws.iter().map(|draw| (draw[cell] - means[cell]).powi(2)).sum();
            let found = squares / draws.len() as f64;
            assert!((found / variance - 1.0).abs() < 0.03, "{found}, expected {variance}");
        }
    }

    #[test]
    fn interval_of_draws() {
        let [low, high] = interval((0..=1000).map(f64::from).chain([f64::NAN]));
        assert!((low - 25.0).abs() < 1e-9 && (high - 975.0).abs() < 1e-9);
        assert!(interval(std::iter::empty())[0].is_nan());
    }
}
