//! How sensitive cells are to a combination: CSS, RI and S (Malyutina et al. 2019).

use serde::{Deserialize, Serialize};

use super::hill::{Plateaus, alone, curve};
use super::matrix::DoseMatrix;

/// Sensitivity scores of a matrix, as SynergyFinder (`CalculateSensitivity`) and DrugComb (`S_sum`, `S_max`, `S_mean` of TidyComb) define them. Every
/// score is a mean inhibition in percent: of a fitted four-parameter curve f from the lowest tested dose `x₁` above 0 to the highest `x₂`,
/// `∫ f d(log x) / (log x₂ − log x₁)`. NaN where a drug has two doses above 0 only, or a curve lacks readings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The relative IC50 of each drug alone: the dose half way between its curve's plateaus, or the highest tested dose where it lies above that.
    pub relative_ic50: [f64; 2],
    /// Whether each relative IC50 lies at or beyond an end of the tested doses. The readings do not determine it then, and CSS and S, which are
    /// read there, depend on it.
    pub ic50_outside: [bool; 2],
    /// RI, relative inhibition: the mean inhibition by each drug alone.
    pub ri: [f64; 2],
    /// The mean inhibition over the doses of each drug, with the other at its relative IC50. That dose lies between the tested ones: each
    /// row (column) is fitted by a curve of four parameters and read there.
    pub css_each: [f64; 2],
    /// CSS, combination sensitivity score: the mean of the two.
    pub css: f64,
    /// S: CSS less the sum of both RI.
    pub s_sum: f64,
    /// S: CSS less the larger RI.
    pub s_max: f64,
    /// S: CSS less the mean RI.
    pub s_mean: f64,
}

/// The sensitivity scores of a matrix whose cells have these inhibitions in percent.
///
/// ```
/// use halfmax_dose::{LogLogistic, synergy::{DoseMatrix, sensitivity}};
/// let drug = LogLogistic { top: 1.0, bottom: 0.0, ec50: 1.0, hill: 1.0 };
/// let doses = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0];
/// let pairs = doses.iter().flat_map(|a| doses.map(|b| [*a, b, 100.0 * (1.0 - drug.at(*a) * drug.at(b))]));
/// let matrix = DoseMatrix::new(&pairs.collect::<Vec<_>>())?;
/// let found = sensitivity(&matrix, &matrix.means());
/// // Symmetric about the EC50, each drug alone inhibits by half on average; on top of half by the other it is three quarters.
/// assert!((found.ri[0] - 50.0).abs() < 0.01 && (found.css - 75.0).abs() < 0.01);
/// assert!((found.s_sum + 25.0).abs() < 0.03 && (found.s_max - 25.0).abs() < 0.03);
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn sensitivity(matrix: &DoseMatrix, inhibitions: &[f64]) -> Sensitivity {
    let alone = [0, 1].map(|drug| alone(matrix, inhibitions, drug));
    let ri = [0, 1].map(|drug| mean_inhibition(&alone[drug]));
    let relative_ic50 = [0, 1].map(|drug| {
        let highest = alone[drug].iter().map(|point| point[0]).fold(0.0, f64::max);
        curve(&alone[drug], Plateaus::Free).map_or(f64::NAN, |curve| curve.ec50.min(highest))
    });
    let ic50_outside = [0, 1].map(|drug| {
        let above = alone[drug].iter().map(|point| point[0]).filter(|dose| *dose > 0.0);
        let (low, high) =
            above.fold((f64::INFINITY, 0.0_f64), |(low, high), dose| (low.min(dose), high.max(dose)));
        relative_ic50[drug] <= low || relative_ic50[drug] >= high
    });
    let css_each = [0, 1].map(|drug| {
        let other = 1 - drug;
        let at_ic50 = (0..matrix.doses(drug).len()).map(|line| {
            let point = |at: usize| {
                let [row, column] = if drug == 0 { [line, at] } else { [at, line] };
                [matrix.doses(other)[at], inhibitions[row * matrix.doses(1).len() + column]]
            };
            let points: Vec<[f64; 2]> = (0..matrix.doses(other).len()).map(point).collect();
            [matrix.doses(drug)[line], inhibition_at(&points, relative_ic50[other])]
        });
        mean_inhibition(&at_ic50.collect::<Vec<[f64; 2]>>())
    });
    let css = (css_each[0] + css_each[1]) / 2.0;
    let larger = if ri[0] > ri[1] || ri[0].is_nan() { ri[0] } else { ri[1] };
    Sensitivity {
        relative_ic50,
        ic50_outside,
        ri,
        css_each,
        css,
        s_sum: css - (ri[0] + ri[1]),
        s_max: css - larger,
        s_mean: css - (ri[0] + ri[1]) / 2.0,
    }
}

/// The mean inhibition over the logarithm of the dose, dose 0 left out; with one dose the inhibition there.
fn mean_inhibition(points: &[[f64; 2]]) -> f64 {
    let above: Vec<[f64; 2]> = points.iter().copied().filter(|[dose, _]| *dose > 0.0).collect();
    if let [[_, inhibition]] = above.as_slice() {
        return *inhibition;
    }
    let known = || above.iter().filter(|point| !point[1].is_nan()).map(|point| point[0]);
    let (low, high) =
        known().fold((f64::INFINITY, 0.0_f64), |(low, high), dose| (low.min(dose), high.max(dose)));
    curve(&above, Plateaus::Free).map_or(f64::NAN, |curve| 100.0 * (1.0 - curve.area(low, high)))
}

/// The inhibition at a dose by the curve through a row, at most 100; with one dose above 0 the inhibition there.
fn inhibition_at(points: &[[f64; 2]], dose: f64) -> f64 {
    let above: Vec<f64> = points.iter().filter(|[dose, _]| *dose > 0.0).map(|point| point[1]).collect();
    if let [inhibition] = above.as_slice() {
        return *inhibition;
    }
    curve(points, Plateaus::Free).map_or(f64::NAN, |curve| (100.0 * (1.0 - curve.at(dose))).min(100.0))
}
