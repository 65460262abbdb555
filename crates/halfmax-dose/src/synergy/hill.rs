//! Curves of four free parameters through a few readings.

use halfmax_core::{Error, Result};

use super::lattice::Lattice;
use super::matrix::{DoseMatrix, MultiMatrix};
use crate::least_squares::{Level, Limits};
use crate::shape::LogLogistic;
use crate::starts::fit;

/// The largest distance of an EC50 from the tested doses, in decades.
const DECADES_BEYOND: f64 = 2.0;
const HILL: [f64; 2] = [0.1, 10.0];

/// The range of the plateaus of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plateaus {
    /// Within the range of the readings, extended to include 0 and 1. For values beyond the tested doses.
    WithinReadings,
    /// Up to twice the range of the readings beyond them, which is practically free. For values within the tested
    /// doses.
    Free,
}

/// The curve through `[dose, inhibition in percent]`, in viability, by least squares; NaN readings are skipped. `None`
/// with fewer than three doses above 0.
pub(crate) fn curve(points: &[[f64; 2]], plateaus: Plateaus) -> Option<LogLogistic> {
    let level = |[dose, inhibition]: &[f64; 2]| Level {
        ln_dose: dose.ln(),
        weight: 1.0,
        mean: 1.0 - inhibition / 100.0,
        batch: 0,
    };
    let levels: Vec<Level> = points.iter().filter(|point| !point[1].is_nan()).map(level).collect();
    let ln_doses = || levels.iter().map(|level| level.ln_dose).filter(|ln| ln.is_finite());
    if ln_doses().count() < 3 {
        return None;
    }
    let around = |values: &mut dyn Iterator<Item = f64>, start: [f64; 2]| {
        values.fold(start, |[low, high], value| [low.min(value), high.max(value)])
    };
    let [low, high] = around(&mut levels.iter().map(|level| level.mean), [0.0, 1.0]);
    let beyond = if plateaus == Plateaus::Free { 2.0 * (high - low) } else { 0.0 };
    let plateau = [low - beyond, high + beyond];
    let [low, high] = around(&mut ln_doses(), [f64::INFINITY, f64::NEG_INFINITY]);
    let beyond = DECADES_BEYOND * std::f64::consts::LN_10;
    let limits = Limits::new([plateau, plateau, [low - beyond, high + beyond], HILL.map(f64::ln)]);
    Some(LogLogistic::from_theta(&fit(&levels, &limits).theta))
}

/// The inhibitions of a drug alone, `[dose, inhibition]`, one per dose, dose 0 first.
pub(crate) fn alone(lattice: &Lattice, inhibitions: &[f64], drug: usize) -> Vec<[f64; 2]> {
    let cells = lattice.alone(drug).into_iter().zip(lattice.doses(drug));
    cells.map(|(cell, dose)| [*dose, inhibitions[cell]]).collect()
}

/// The curves of four parameters of the two drugs alone, in viability, from the inhibitions of cells in percent; `None`
/// for a drug with fewer than three doses above 0.
pub fn hill_curves(matrix: &DoseMatrix, inhibitions: &[f64]) -> [Option<LogLogistic>; 2] {
    [0, 1].map(|drug| of_drug(matrix.lattice(), inhibitions, drug))
}

/// As [`hill_curves`], for three or more drugs: one curve per drug, in the order of the drugs.
pub fn hill_curves_of_many(matrix: &MultiMatrix, inhibitions: &[f64]) -> Vec<Option<LogLogistic>> {
    (0..matrix.drugs()).map(|drug| of_drug(matrix.lattice(), inhibitions, drug)).collect()
}

fn of_drug(lattice: &Lattice, inhibitions: &[f64], drug: usize) -> Option<LogLogistic> {
    curve(&alone(lattice, inhibitions, drug), Plateaus::WithinReadings)
}

/// The curves of both drugs alone, as starting points for surfaces.
///
/// # Errors
/// If a drug was measured at fewer than three doses alone.
pub(crate) fn curves(matrix: &DoseMatrix) -> Result<[LogLogistic; 2]> {
    match hill_curves(matrix, &matrix.means()) {
        [Some(a), Some(b)] => Ok([a, b]),
        [a, _] => {
            let which = if a.is_none() { "first" } else { "second" };
            Err(Error::data(format!("the {which} drug was measured alone at fewer than three doses above 0"))
                .with_help("measure each drug alone at three or more doses, which a response surface needs"))
        }
    }
}
