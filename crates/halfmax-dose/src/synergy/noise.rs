//! The error of the readings of a block.

use super::lattice::Lattice;

/// The fewest degrees of freedom for an error from replicates alone.
const LEAST_FREEDOM: usize = 4;
/// A turn smaller than this, in viability, does not count.
const LEAST_TURN: f64 = 0.15;
/// A turn of fewer standard errors of a difference does not count.
const ERRORS: f64 = 4.0;

/// The error of the means of cells, in viability as a fraction of the control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Noise {
    /// The variance of the mean of a typical cell and its degrees of freedom, if there are replicates.
    pub of_means: Option<(f64, f64)>,
    /// The standard deviation of the mean of a typical cell: from replicates, else from the distances of cells to the
    /// interpolation of their neighbours.
    usual: f64,
}

impl Noise {
    pub fn of(lattice: &Lattice, means: &[f64]) -> Self {
        let (mut squares, mut freedom, mut inverse, mut present) = (0.0, 0, 0.0, 0);
        for (cell, mean) in means.iter().enumerate().filter(|(_, mean)| !mean.is_nan()) {
            let readings = lattice.readings(cell);
            squares += readings.iter().map(|reading| (reading - mean).powi(2)).sum::<f64>();
            freedom += readings.len().saturating_sub(1);
            inverse += 1.0 / readings.len() as f64;
            present += 1;
        }
        if freedom >= LEAST_FREEDOM {
            // From percent to fractions.
            let variance = 1e-4 * squares / freedom as f64 * inverse / f64::from(present.max(1));
            return Self { of_means: Some((variance, freedom as f64)), usual: variance.sqrt() };
        }
        Self { of_means: None, usual: 0.01 * usual_error(lattice, means) }
    }

    /// Whether a turn does not count, because it is small or may be chance.
    fn is_small(&self, turn: f64) -> bool {
        turn <= LEAST_TURN.max(ERRORS * self.usual * std::f64::consts::SQRT_2)
    }

    /// Whether values rise from one to a later one by more than by chance.
    pub fn rises(&self, values: impl Iterator<Item = f64>) -> bool {
        let mut lowest = f64::INFINITY;
        values.into_iter().any(|value| {
            lowest = lowest.min(value);
            !self.is_small(value - lowest)
        })
    }

    /// Whether values fall and then rise, or rise and then fall, by more than by chance.
    pub fn turns(&self, values: &[f64]) -> bool {
        let turned = |sign: f64| {
            // The highest value so far, and the lowest value after a fall from it.
            let (mut highest, mut lowest) = (f64::NEG_INFINITY, None::<f64>);
            values.iter().map(|value| sign * value).any(|value| {
                highest = highest.max(value);
                let fallen = !self.is_small(highest - value);
                lowest = match lowest {
                    Some(low) => Some(low.min(value)),
                    None => fallen.then_some(value),
                };
                lowest.is_some_and(|low| !self.is_small(value - low))
            })
        };
        turned(1.0) || turned(-1.0)
    }
}

/// The median distance of cells from the interpolation of their two neighbours, over all lines (Gasser, Sroka &
/// Jennen-Steinmetz 1986).
fn usual_error(lattice: &Lattice, means: &[f64]) -> f64 {
    let mut off = Vec::new();
    for drug in 0..lattice.drugs() {
        let (stride, doses) = (lattice.stride(drug), lattice.doses(drug).len());
        // Start at the second dose above 0, because the change from no drug to the lowest dose is unknown.
        for cell in (0..means.len()).filter(|cell| (2..doses - 1).contains(&lattice.place(*cell, drug))) {
            let apart = (means[cell - stride] + means[cell + stride]) / 2.0 - means[cell];
            if !apart.is_nan() {
                off.push(apart.abs());
            }
        }
    }
    off.sort_unstable_by(f64::total_cmp);
    off.get(off.len() / 2).map_or(0.0, |middle| middle / 0.6745 * (2.0_f64 / 3.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_told_from_trends_and_noise() {
        let noise = Noise { of_means: None, usual: 0.02 };
        assert!(noise.turns(&[1.0, 0.5, 0.2, 0.6]) && noise.turns(&[0.2, 0.8, 0.5]));
        assert!(!noise.turns(&[1.0, 0.5, 0.2, 0.3]) && !noise.turns(&[0.2, 0.5, 0.9]));
        assert!(!noise.turns(&[1.0, 0.9, 1.0, 0.4, 0.1]), "a small step back before the fall");
        let loud = Noise { usual: 0.1, ..noise };
        assert!(!loud.turns(&[1.0, 0.5, 0.2, 0.6]));
        assert!(noise.rises([1.0, 0.3, 0.5].into_iter()) && !loud.rises([1.0, 0.3, 0.5].into_iter()));
    }
}
