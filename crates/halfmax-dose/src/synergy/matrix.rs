//! The readings of two or more drugs over a matrix of doses.

use halfmax_core::{Error, Result};

use super::lattice::Lattice;

/// The readings of two drugs over a matrix of doses. Cells may be missing or replicated; cell `(i, j)`, dose `i` of drug a with
/// dose `j` of drug b, is at `i * doses(1).len() + j`.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseMatrix {
    lattice: Lattice,
}

impl DoseMatrix {
    /// From readings `[dose of drug a, dose of drug b, inhibition in percent]`, in any order; each drug may have a
    /// different dose unit. A NaN inhibition is missing.
    ///
    /// # Errors
    /// If a dose is negative or not finite, an inhibition is infinite, or one of the drugs was not measured alone.
    pub fn new(readings: &[[f64; 3]]) -> Result<Self> {
        let readings = readings.iter().map(|[doses @ .., inhibition]| (&doses[..], *inhibition));
        Ok(Self { lattice: Lattice::new(readings, &["first".to_owned(), "second".to_owned()])? })
    }

    pub(crate) fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// The distinct doses of drug 0 or 1, ascending; the first is 0.
    pub fn doses(&self, drug: usize) -> &[f64] {
        self.lattice.doses(drug)
    }

    /// The inhibitions of a cell, in percent, in the order given; empty if the cell is missing.
    pub fn readings(&self, cell: usize) -> &[f64] {
        self.lattice.readings(cell)
    }

    /// Number of cells, missing ones included.
    pub fn len(&self) -> usize {
        self.lattice.len()
    }

    /// Whether there are no cells; never true for a valid matrix.
    pub fn is_empty(&self) -> bool {
        self.lattice.len() == 0
    }

    /// The positions of a cell's doses.
    pub fn at(&self, cell: usize) -> [usize; 2] {
        [0, 1].map(|drug| self.lattice.place(cell, drug))
    }

    /// Whether a cell has both drugs.
    pub fn is_combination(&self, cell: usize) -> bool {
        self.lattice.is_combination(cell)
    }

    /// The means of the cells, NaN where missing.
    pub fn means(&self) -> Vec<f64> {
        self.lattice.means()
    }
}

/// The readings of three or more drugs over all combinations of their doses. Cells may be missing or replicated; their numbers count the doses
/// of the last drug fastest.
///
/// ```
/// use halfmax_core::Seed;
/// use halfmax_dose::synergy::{MultiMatrix, SynergyModel, SynergyParams};
///
/// // Three drugs of one dose each, which inhibit 50 % alone and 90 % together.
/// let mut readings = vec![(vec![0.0, 0.0, 0.0], 0.0), (vec![1.0, 1.0, 1.0], 90.0)];
/// readings.extend([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|doses| (doses.to_vec(), 50.0)));
/// let matrix = MultiMatrix::new(&readings)?;
/// let params = SynergyParams { models: vec![SynergyModel::Bliss], ..SynergyParams::default() };
/// let scores = params.check()?.score_many(&matrix, Seed::new(1));
/// assert_eq!(scores.models[0].summary.mean, 90.0 - 87.5);
/// # Ok::<(), halfmax_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MultiMatrix {
    lattice: Lattice,
}

impl MultiMatrix {
    /// From readings: a dose of each drug, and the inhibition in percent. Each drug may have a different dose unit. A
    /// NaN inhibition is missing.
    ///
    /// # Errors
    /// If there are fewer than two drugs, readings differ in their number of doses, a dose is negative or not finite, an inhibition is infinite, one of
    /// the drugs was not measured alone, or all doses together make more than half a million cells.
    pub fn new(readings: &[(Vec<f64>, f64)]) -> Result<Self> {
        let drugs = readings.first().map_or(0, |(doses, _)| doses.len());
        if drugs < 2 {
            return Err(Error::data(format!("{drugs} doses in the first reading: expected two or more")));
        }
        let names: Vec<String> = (0..drugs).map(ordinal).collect();
        let readings = readings.iter().map(|(doses, inhibition)| (&doses[..], *inhibition));
        Ok(Self { lattice: Lattice::new(readings, &names)? })
    }

    pub(crate) fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// The number of drugs.
    pub fn drugs(&self) -> usize {
        self.lattice.drugs()
    }

    /// The distinct doses of a drug, numbered from 0, ascending; the first is 0.
    pub fn doses(&self, drug: usize) -> &[f64] {
        self.lattice.doses(drug)
    }

    /// The number of the cell at these dose positions; `None` if a position is out of range, or the number of positions
    /// differs from the number of drugs.
    pub fn cell(&self, places: &[usize]) -> Option<usize> {
        let known = places.len() == self.drugs()
            && places.iter().enumerate().all(|(drug, place)| *place < self.doses(drug).len());
        known.then(|| places.iter().enumerate().map(|(drug, place)| place * self.lattice.stride(drug)).sum())
    }

    /// The dose of a drug in a cell.
    pub fn dose(&self, cell: usize, drug: usize) -> f64 {
        self.lattice.dose(cell, drug)
    }

    /// The inhibitions of a cell, in percent, in the given order; empty if the cell is missing.
    pub fn readings(&self, cell: usize) -> &[f64] {
        self.lattice.readings(cell)
    }

    /// Number of cells, missing ones included.
    pub fn len(&self) -> usize {
        self.lattice.len()
    }

    /// Whether there are no cells; never true for a valid matrix.
    pub fn is_empty(&self) -> bool {
        self.lattice.len() == 0
    }

    /// Whether a cell has two drugs or more.
    pub fn is_combination(&self, cell: usize) -> bool {
        self.lattice.is_combination(cell)
    }

    /// The means of the cells, NaN where missing.
    pub fn means(&self) -> Vec<f64> {
        self.lattice.means()
    }
}

/// A matrix of two drugs; cells keep their numbers.
impl From<DoseMatrix> for MultiMatrix {
    fn from(matrix: DoseMatrix) -> Self {
        Self { lattice: matrix.lattice }
    }
}

/// The name of a drug in errors.
fn ordinal(drug: usize) -> String {
    match drug {
        0 => "first".to_owned(),
        1 => "second".to_owned(),
        2 => "third".to_owned(),
        more => format!("{}th", more + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicates_gaps_and_order() {
        let readings = [
            [1.0, 1.0, 60.0],
            [0.0, 1.0, 20.0],
            [1.0, 1.0, 64.0],
            [1.0, 0.0, 30.0],
            [0.0, 2.0 * (1.0 + 1e-12), 25.0],
            [0.0, 2.0, 27.0],
            [1.0, 2.0, f64::NAN],
        ];
        let matrix = DoseMatrix::new(&readings).unwrap();
        assert_eq!(matrix.doses(0), [0.0, 1.0]);
        assert_eq!(matrix.doses(1).len(), 3);
        assert_eq!(matrix.readings(4), [60.0, 64.0]);
        assert_eq!(matrix.readings(2), [25.0, 27.0]);
        assert!(matrix.readings(0).is_empty() && matrix.readings(5).is_empty());
        assert!(matrix.is_combination(4) && !matrix.is_combination(3));
        assert!(matrix.means()[5].is_nan());
    }

    #[test]
    fn drugs_never_measured_alone_are_refused() {
        let error = DoseMatrix::new(&[[1.0, 0.0, 30.0], [1.0, 1.0, 60.0]]).unwrap_err();
        assert!(error.to_string().contains("the second drug was not measured alone"), "{error}");
        let error = DoseMatrix::new(&[[0.0, 1.0, 30.0], [1.0, 1.0, 60.0]]).unwrap_err();
        assert!(error.to_string().contains("the first drug was not measured alone"), "{error}");
        assert!(DoseMatrix::new(&[[-1.0, 0.0, 30.0]]).is_err());
        assert!(DoseMatrix::new(&[]).is_err());
    }
}
