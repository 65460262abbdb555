use halfmax_core::{Error, Result, listed};

/// Doses that differ by less than this share are one: what is left of a change of units.
const SAME_DOSE: f64 = 1e-9;

/// The readings of two drugs over a matrix of doses. Cells may be missing or replicated; cell `(i, j)`, dose `i` of drug a with
/// dose `j` of drug b, is at `i * doses(1).len() + j`.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseMatrix {
    doses: [Vec<f64>; 2],
    cells: Vec<Vec<f64>>,
}

impl DoseMatrix {
    /// From readings `[dose of drug a, dose of drug b, inhibition in percent]`, in any order; the doses of each drug in a
    /// unit of its own. An inhibition that is NaN is a missing one.
    ///
    /// # Errors
    /// If a dose is negative or not finite, an inhibition is infinite, or one of the drugs was not measured alone.
    pub fn new(readings: &[[f64; 3]]) -> Result<Self> {
        for [a, b, inhibition] in readings {
            if !(*a >= 0.0 && *b >= 0.0 && a.is_finite() && b.is_finite()) {
                return Err(Error::data(format!("doses {a} and {b}: expected two numbers, 0 or above")));
            }
            if inhibition.is_infinite() {
                return Err(Error::data(format!(
                    "doses {a} and {b}: inhibition {inhibition}: expected a number"
                )));
            }
        }
        let present = || readings.iter().filter(|reading| !reading[2].is_nan());
        let doses = [0, 1].map(|drug| distinct(present().map(|reading| reading[drug])));
        let mut cells = vec![Vec::new(); doses[0].len() * doses[1].len()];
        for [a, b, inhibition] in present() {
            let [row, column] = [place(&doses[0], *a), place(&doses[1], *b)];
            cells[row * doses[1].len() + column].push(*inhibition);
        }
        let matrix = Self { doses, cells };
        matrix.refuse_without_single_agents()?;
        Ok(matrix)
    }

    fn refuse_without_single_agents(&self) -> Result<()> {
        for (drug, name, other) in [(0, "first", "second"), (1, "second", "first")] {
            let mut alone = self.alone(drug).into_iter().zip(&self.doses[drug]);
            if !alone.any(|(at, dose)| *dose > 0.0 && !self.cells[at].is_empty()) {
                let measured = self.doses[1 - drug].iter().filter(|dose| **dose > 0.0);
                let doses: Vec<String> = measured.map(f64::to_string).collect();
                return Err(Error::data(format!(
                    "the {name} drug was not measured alone: no reading has the {other} drug at dose 0, only at {}",
                    listed(&doses, 8)
                ))
                .help("add the readings of each drug alone, with dose 0 of the other"));
            }
        }
        Ok(())
    }

    /// The distinct doses of drug 0 or 1, ascending; the first is 0.
    pub fn doses(&self, drug: usize) -> &[f64] {
        &self.doses[drug]
    }

    /// The inhibitions of a cell, in percent, in the order given; none where the cell is missing.
    pub fn readings(&self, cell: usize) -> &[f64] {
        &self.cells[cell]
    }

    /// Number of cells, missing ones included.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no cell; a matrix that was made has some.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The positions of a cell's doses.
    pub fn at(&self, cell: usize) -> [usize; 2] {
        [cell / self.doses[1].len(), cell % self.doses[1].len()]
    }

    /// Whether a cell has both drugs.
    pub fn is_combination(&self, cell: usize) -> bool {
        self.at(cell).iter().zip(&self.doses).all(|(at, doses)| doses[*at] > 0.0)
    }

    /// The means of the cells, NaN where missing.
    pub fn means(&self) -> Vec<f64> {
        let mean = |cell: &Vec<f64>| cell.iter().sum::<f64>() / cell.len() as f64;
        self.cells.iter().map(mean).collect()
    }

    /// The cells of a drug alone, in the order of its doses: with the other at its first dose, which is 0 in a matrix that
    /// was made.
    pub(crate) fn alone(&self, drug: usize) -> Vec<usize> {
        let columns = self.doses[1].len();
        match drug {
            0 => (0..self.doses[0].len()).map(|row| row * columns).collect(),
            _ => (0..columns).collect(),
        }
    }
}

/// The distinct doses, ascending, with 0 put first where it is missing.
fn distinct(doses: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = doses.chain([0.0]).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup_by(|next, last| same(*next, *last));
    sorted
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME_DOSE * a.max(b)
}

fn place(doses: &[f64], dose: f64) -> usize {
    let after = doses.partition_point(|other| *other < dose);
    match doses.get(after) {
        Some(found) if same(*found, dose) => after,
        // A dose a rounding error above the one it is taken for.
        _ => after.saturating_sub(1),
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
