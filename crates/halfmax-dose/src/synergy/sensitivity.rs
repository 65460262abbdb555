//! Sensitivity to a combination: CSS, RI and S (Malyutina et al. 2019).

use serde::{Deserialize, Serialize};

use super::hill::{Plateaus, alone, curve};
use super::lattice::Lattice;
use super::matrix::{DoseMatrix, MultiMatrix};

/// Sensitivity scores of a matrix, as SynergyFinder (`CalculateSensitivity`; Zheng et al. 2022) and DrugComb (`S_sum`,
/// `S_max`, `S_mean` of TidyComb) define them. Every score is a mean inhibition in percent: for a fitted four-parameter
/// curve f from the lowest tested dose `x₁` above 0 to the highest `x₂`, `∫ f d(log x) / (log x₂ − log x₁)`. NaN if a
/// drug has only two doses above 0, or a curve lacks readings. Lists have one entry per drug, in the order of the
/// drugs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The relative IC50 of each drug alone: the dose half way between its curve's plateaus, at most the highest tested
    /// dose.
    pub relative_ic50: Vec<f64>,
    /// Whether each relative IC50 lies at or beyond an end of the tested doses. The readings then do not determine it,
    /// but CSS and S are evaluated at this dose and depend on it.
    pub ic50_outside: Vec<bool>,
    /// RI, relative inhibition: the mean inhibition by each drug alone.
    pub ri: Vec<f64>,
    /// The mean inhibition over the doses of each drug, with one other drug at its relative IC50 and no further drugs,
    /// averaged over the other drugs. The relative IC50 lies between tested doses, so a four-parameter curve is fitted
    /// to each row (column) and evaluated there.
    pub css_each: Vec<f64>,
    /// CSS, combination sensitivity score: the mean of these. For more than two drugs, the mean over all pairs, as in
    /// SynergyFinder, without cells of three drugs.
    pub css: f64,
    /// S: CSS minus the sum of both RI. Defined for two drugs; NaN for more, as are the next two scores.
    pub s_sum: f64,
    /// S: CSS minus the larger RI.
    pub s_max: f64,
    /// S: CSS minus the mean RI.
    pub s_mean: f64,
    /// Pairs of drugs, numbered from 0, without a measured cell that lacks the other drugs. CSS needs such cells.
    pub missing_pairs: Vec<[usize; 2]>,
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
    of_lattice(matrix.lattice(), inhibitions)
}

/// As [`sensitivity`], for three or more drugs: RI and relative IC50 of each drug, and CSS, which uses the cells of
/// every pair of drugs without the others. S is not defined.
///
/// ```
/// use halfmax_dose::{LogLogistic, synergy::{MultiMatrix, sensitivity_of_many}};
/// let drug = LogLogistic { top: 1.0, bottom: 0.0, ec50: 1.0, hill: 1.0 };
/// let doses = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0];
/// let mut readings = Vec::new();
/// for a in doses {
///     for b in doses {
///         readings.extend(doses.map(|c| (vec![a, b, c], 100.0 * (1.0 - drug.at(a) * drug.at(b) * drug.at(c)))));
///     }
/// }
/// let matrix = MultiMatrix::new(&readings)?;
/// let found = sensitivity_of_many(&matrix, &matrix.means());
/// // Each pair as in the example of two drugs.
/// assert!((found.ri[2] - 50.0).abs() < 0.01 && (found.css - 75.0).abs() < 0.01);
/// assert!(found.s_sum.is_nan());
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn sensitivity_of_many(matrix: &MultiMatrix, inhibitions: &[f64]) -> Sensitivity {
    of_lattice(matrix.lattice(), inhibitions)
}

fn of_lattice(lattice: &Lattice, inhibitions: &[f64]) -> Sensitivity {
    let drugs = lattice.drugs();
    let alone: Vec<Vec<[f64; 2]>> = (0..drugs).map(|drug| alone(lattice, inhibitions, drug)).collect();
    let ri: Vec<f64> = alone.iter().map(|points| mean_inhibition(points)).collect();
    let highest = |points: &[[f64; 2]]| points.iter().map(|point| point[0]).fold(0.0, f64::max);
    let relative_ic50: Vec<f64> = alone
        .iter()
        .map(|points| curve(points, Plateaus::Free).map_or(f64::NAN, |curve| curve.ec50.min(highest(points))))
        .collect();
    let is_outside = |(points, ic50): (&Vec<[f64; 2]>, &f64)| {
        let above = points.iter().map(|point| point[0]).filter(|dose| *dose > 0.0);
        *ic50 <= above.fold(f64::INFINITY, f64::min) || *ic50 >= highest(points)
    };
    let ic50_outside = alone.iter().zip(&relative_ic50).map(is_outside).collect();
    let css_each: Vec<f64> = (0..drugs)
        .map(|drug| {
            let others = (0..drugs).filter(|other| *other != drug);
            let sum: f64 =
                others.map(|other| css(lattice, inhibitions, drug, (other, relative_ic50[other]))).sum();
            sum / (drugs - 1) as f64
        })
        .collect();
    let css = css_each.iter().sum::<f64>() / drugs as f64;
    let s = |of_ri: f64| if drugs == 2 { css - of_ri } else { f64::NAN };
    let sum = ri.iter().sum::<f64>();
    Sensitivity {
        s_sum: s(sum),
        s_max: s(if sum.is_nan() { sum } else { ri.iter().copied().fold(f64::NEG_INFINITY, f64::max) }),
        s_mean: s(sum / drugs as f64),
        missing_pairs: missing_pairs(lattice, inhibitions),
        relative_ic50,
        ic50_outside,
        ri,
        css_each,
        css,
    }
}

/// The mean inhibition over the doses of a drug, with one other drug at a dose between tested doses, and no third drug.
fn css(lattice: &Lattice, inhibitions: &[f64], drug: usize, (other, ic50): (usize, f64)) -> f64 {
    let at_ic50 = lattice.doses(drug).iter().enumerate().map(|(line, dose)| {
        let first = line * lattice.stride(drug);
        let points: Vec<[f64; 2]> = lattice
            .doses(other)
            .iter()
            .enumerate()
            .map(|(at, dose)| [*dose, inhibitions[first + at * lattice.stride(other)]])
            .collect();
        [*dose, inhibition_at(&points, ic50)]
    });
    mean_inhibition(&at_ic50.collect::<Vec<[f64; 2]>>())
}

/// The pairs of drugs without an inhibition in any cell that has just these two.
fn missing_pairs(lattice: &Lattice, inhibitions: &[f64]) -> Vec<[usize; 2]> {
    let drugs = lattice.drugs();
    let pairs = (0..drugs).flat_map(|a| (a + 1..drugs).map(move |b| [a, b]));
    let is_missing = |[a, b]: &[usize; 2]| {
        let cells = (1..lattice.doses(*a).len()).flat_map(|at| {
            (1..lattice.doses(*b).len()).map(move |to| at * lattice.stride(*a) + to * lattice.stride(*b))
        });
        cells.into_iter().all(|cell| inhibitions[cell].is_nan())
    };
    pairs.filter(is_missing).collect()
}

/// The mean inhibition over the log dose, without dose 0; with a single dose, the inhibition there.
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

/// The inhibition at a dose by the curve through a row, at most 100; with a single dose above 0, the inhibition there.
fn inhibition_at(points: &[[f64; 2]], dose: f64) -> f64 {
    let above: Vec<f64> = points.iter().filter(|[dose, _]| *dose > 0.0).map(|point| point[1]).collect();
    if let [inhibition] = above.as_slice() {
        return *inhibition;
    }
    curve(points, Plateaus::Free).map_or(f64::NAN, |curve| (100.0 * (1.0 - curve.at(dose))).min(100.0))
}
