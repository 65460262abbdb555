//! What each drug does alone.

use serde::{Deserialize, Serialize};

use super::matrix::DoseMatrix;
use crate::least_squares::{Level, Limits};
use crate::shape::LogLogistic;
use crate::starts::fit;

/// What becomes of a baseline that is not 0: of inhibitions that fitted curves have without effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Left as it is.
    #[default]
    None,
    /// Taken off negative inhibitions only.
    Part,
    /// Taken off every inhibition.
    All,
}

impl Baseline {
    /// Corrects inhibitions in percent as SynergyFinder does since version 2.4.2 (Zheng et al. 2022): the baseline `b` is the lowest inhibition
    /// that either drug's fitted curve has at its doses, and `y` becomes `y − b (100 − y) / 100`.
    pub(crate) fn correct(self, matrix: &DoseMatrix, inhibitions: &mut [f64]) {
        if self == Self::None {
            return;
        }
        let [Some(a), Some(b)] = single_agents(matrix, inhibitions) else { return };
        let lowest = |curve: &LogLogistic, drug: usize| {
            let fitted = matrix.doses(drug).iter().map(|dose| 100.0 * (1.0 - curve.at(*dose)));
            fitted.fold(f64::INFINITY, f64::min)
        };
        let baseline = lowest(&a, 0).min(lowest(&b, 1));
        for value in inhibitions.iter_mut().filter(|value| self == Self::All || **value < 0.0) {
            *value -= baseline * (100.0 - *value) / 100.0;
        }
    }
}

/// Doses, 0 included, that four free parameters need; with one less, the top is fixed at the reading of dose 0, or at 1.
const DOSES_FOR_FOUR: usize = 5;
/// How many decades beyond the tested doses an EC50 may lie.
const DECADES_BEYOND: f64 = 2.0;
const HILL: [f64; 2] = [0.1, 10.0];

/// The curves of the two drugs alone, in viability; none of a drug with too few doses.
pub(crate) fn single_agents(matrix: &DoseMatrix, inhibitions: &[f64]) -> [Option<LogLogistic>; 2] {
    [0, 1].map(|drug| {
        let levels =
            levels(matrix.alone(drug).into_iter().zip(matrix.doses(drug).iter().copied()), inhibitions);
        let free = levels.len() >= DOSES_FOR_FOUR;
        let control = levels.iter().find(|level| level.ln_dose.is_infinite()).map_or(1.0, |level| level.mean);
        fit_curve(&levels, (!free).then_some(control))
    })
}

/// The readings of cells at their doses, as viabilities; missing ones passed over.
pub(crate) fn levels(cells: impl Iterator<Item = (usize, f64)>, inhibitions: &[f64]) -> Vec<Level> {
    let present = cells.filter(|(cell, _)| !inhibitions[*cell].is_nan());
    let level = |(cell, dose): (usize, f64)| Level {
        ln_dose: dose.ln(),
        weight: 1.0,
        mean: 1.0 - inhibitions[cell] / 100.0,
        batch: 0,
    };
    present.map(level).collect()
}

/// Fits a curve by least squares, with its top fixed where given. Plateaus stay within the readings, or within 0 and 1 where
/// the readings do. None with fewer than three doses above 0.
pub(crate) fn fit_curve(levels: &[Level], top: Option<f64>) -> Option<LogLogistic> {
    let ln_doses = || levels.iter().map(|level| level.ln_dose).filter(|ln| ln.is_finite());
    if ln_doses().count() < 3 {
        return None;
    }
    let around = |values: &mut dyn Iterator<Item = f64>, [low, high]: [f64; 2]| {
        values.fold([low, high], |[low, high], value| [low.min(value), high.max(value)])
    };
    let plateau = around(&mut levels.iter().map(|level| level.mean), [0.0, 1.0]);
    let doses = around(&mut ln_doses(), [f64::INFINITY, f64::NEG_INFINITY]);
    let beyond = DECADES_BEYOND * std::f64::consts::LN_10;
    let limits = Limits::new([
        top.map_or(plateau, |top| [top, top]),
        plateau,
        [doses[0] - beyond, doses[1] + beyond],
        HILL.map(f64::ln),
    ]);
    Some(LogLogistic::from_theta(&fit(levels, &limits).theta))
}
