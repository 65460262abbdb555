//! Intervals from replicates.

use halfmax_core::Seed;

use super::matrix::DoseMatrix;

/// What replicates say of how the means of cells vary.
pub(crate) struct Replicates<'a> {
    matrix: &'a DoseMatrix,
    means: &'a [f64],
    /// Of every cell with more than one reading: its deviations from its mean, stretched by √(n / (n − 1)) (Rao & Wu 1988),
    /// without which means of two or three replicates would vary too little.
    deviations: Vec<f64>,
}

impl<'a> Replicates<'a> {
    /// None where no cell has two readings.
    pub fn of(matrix: &'a DoseMatrix, means: &'a [f64]) -> Option<Self> {
        let replicated = (0..matrix.len()).filter(|cell| matrix.readings(*cell).len() > 1);
        let own = |cell: usize| {
            let readings = matrix.readings(cell);
            let stretch = (readings.len() as f64 / (readings.len() as f64 - 1.0)).sqrt();
            readings.iter().map(move |reading| (reading - means[cell]) * stretch)
        };
        let deviations: Vec<f64> = replicated.flat_map(own).collect();
        (!deviations.is_empty()).then_some(Self { matrix, means, deviations })
    }

    /// The means of readings drawn anew, with replacement, within each cell. A cell with one reading varies as the others do:
    /// one of all deviations is added to it.
    pub fn redrawn(&self, seed: Seed) -> Vec<f64> {
        let mut first = 0;
        let mut drawn = Vec::with_capacity(self.means.len());
        for (cell, mean) in self.means.iter().enumerate() {
            let n = self.matrix.readings(cell).len();
            let own = match n {
                0 | 1 => &self.deviations[..],
                _ => &self.deviations[first..first + n],
            };
            first += if n > 1 { n } else { 0 };
            let seed = seed.derive(cell as u64);
            let draw = |at: usize| {
                let number = u128::from(seed.derive(at as u64).value());
                own[((number * own.len() as u128) >> 64) as usize]
            };
            drawn.push(mean + (0..n).map(draw).sum::<f64>() / n.max(1) as f64);
        }
        drawn
    }
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

    /// The variance of redrawn means is that of the mean: s² / n, whatever n is; of a single reading that of all readings.
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
        let replicates = Replicates::of(&matrix, &means).unwrap();
        let draws: Vec<Vec<f64>> =
            (0..40_000).map(|draw| replicates.redrawn(Seed::new(1).derive(draw))).collect();
        for (cell, variance) in [(2, 9.0 / 3.0), (1, 8.0 / 2.0), (3, (3.0 * 9.0 + 2.0 * 8.0) / 5.0)] {
            let squares: f64 = draws.iter().map(|draw| (draw[cell] - means[cell]).powi(2)).sum();
            let found = squares / draws.len() as f64;
            assert!((found / variance - 1.0).abs() < 0.03, "{found}, expected {variance}");
        }
        assert!(draws[0][0].is_nan(), "a missing cell stays missing");
    }

    #[test]
    fn interval_of_draws() {
        let [low, high] = interval((0..=1000).map(f64::from).chain([f64::NAN]));
        assert!((low - 25.0).abs() < 1e-9 && (high - 975.0).abs() < 1e-9);
        assert!(interval(std::iter::empty())[0].is_nan());
    }
}
