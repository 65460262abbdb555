//! Zero interaction potency (Yadav, Wennerberg, Aittokallio & Tang 2015).

use super::matrix::DoseMatrix;
use super::single::{fit_curve, levels};
use crate::shape::LogLogistic;

/// For each cell with both drugs the inhibition in percent that ZIP expects, `y1 + y2 − y1 y2` of the fitted curves of the
/// drugs alone (equation 7), and the one of the two curves fitted through its row and its column, averaged. Each of those
/// begins at what the fitted curve of the other drug has at the row's or column's dose (equations 8 and 9). NaN elsewhere, and
/// in rows or columns with fewer than three cells.
pub(crate) fn expected_and_fitted(
    matrix: &DoseMatrix,
    inhibitions: &[f64],
    alone: [&LogLogistic; 2],
) -> [Vec<f64>; 2] {
    let columns = matrix.doses(1).len();
    let cell = |[row, column]: [usize; 2]| row * columns + column;
    let mut expected = vec![f64::NAN; matrix.len()];
    let mut fitted = vec![0.0; matrix.len()];
    for drug in [0, 1] {
        let other = 1 - drug;
        // A line of cells: one dose of `other`, every dose of `drug`.
        for (line, dose) in matrix.doses(other).iter().enumerate().skip(1) {
            let place = |at: usize| cell(if drug == 0 { [at, line] } else { [line, at] });
            let doses = || matrix.doses(drug).iter().copied().enumerate().skip(1);
            let levels = levels(doses().map(|(at, dose)| (place(at), dose)), inhibitions);
            let begin = alone[other].at(*dose);
            let curve = fit_curve(&levels, Some(begin));
            for (at, dose) in doses() {
                let viability = curve.map_or(f64::NAN, |curve| curve.at(dose));
                fitted[place(at)] += 100.0 * (1.0 - viability) / 2.0;
                expected[place(at)] = 100.0 * (1.0 - begin * alone[drug].at(dose));
            }
        }
    }
    [expected, fitted]
}
