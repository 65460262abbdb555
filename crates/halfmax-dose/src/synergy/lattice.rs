//! The grid of all dose combinations of two or more drugs, with its readings.

use halfmax_core::{Error, Result, listed};

/// Doses that differ by less than this fraction are equal; the difference comes from a change of units.
const SAME_DOSE: f64 = 1e-9;
/// The largest number of cells of a block: eight doses of six drugs.
const MOST_CELLS: usize = 1 << 19;

/// The readings of two or more drugs over the grid of their doses. The first dose of every drug is 0. Cell numbers count the doses of the last
/// drug fastest; cells may be missing or replicated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lattice {
    doses: Vec<Vec<f64>>,
    /// The increase of the cell number from one dose of a drug to the next.
    strides: Vec<usize>,
    cells: Vec<Vec<f64>>,
}

impl Lattice {
    /// Builds a grid from readings: one dose of each drug, and the inhibition in percent (NaN if missing). `names` are
    /// the names of the drugs in errors.
    pub fn new<'a>(
        readings: impl Iterator<Item = (&'a [f64], f64)> + Clone,
        names: &[String],
    ) -> Result<Self> {
        let drugs = names.len();
        for (doses, inhibition) in readings.clone() {
            let said = || doses.iter().map(f64::to_string).collect::<Vec<String>>().join(" and ");
            if doses.len() != drugs || !doses.iter().all(|dose| *dose >= 0.0 && dose.is_finite()) {
                return Err(Error::data(format!("doses {}: expected {drugs} numbers, 0 or above", said())));
            }
            if inhibition.is_infinite() {
                return Err(Error::data(format!(
                    "doses {}: inhibition {inhibition}: expected a number",
                    said()
                )));
            }
        }
        let present = || readings.clone().filter(|(_, inhibition)| !inhibition.is_nan());
        let doses: Vec<Vec<f64>> =
            (0..drugs).map(|drug| distinct(present().map(|(doses, _)| doses[drug]))).collect();
        let mut count = 1_usize;
        let mut strides = vec![1; drugs];
        for drug in (0..drugs).rev() {
            strides[drug] = count;
            count = count.saturating_mul(doses[drug].len());
        }
        if count > MOST_CELLS {
            return Err(Error::data(format!(
                "{count} cells (the product of the numbers of doses), expected at most {MOST_CELLS}"
            ))
            .with_help("give each pair or triple of drugs a separate block"));
        }
        let mut cells = vec![Vec::new(); count];
        for (of_drugs, inhibition) in present() {
            let cell: usize =
                (0..drugs).map(|drug| strides[drug] * place(&doses[drug], of_drugs[drug])).sum();
            cells[cell].push(inhibition);
        }
        let lattice = Self { doses, strides, cells };
        lattice.refuse_without_single_agents(names)?;
        Ok(lattice)
    }

    fn refuse_without_single_agents(&self, names: &[String]) -> Result<()> {
        for (drug, name) in names.iter().enumerate() {
            let mut alone = self.alone(drug).into_iter().skip(1);
            if alone.any(|cell| !self.cells[cell].is_empty()) {
                continue;
            }
            let others = if names.len() == 2 { "the other drug" } else { "the other drugs" };
            let mut measured = Vec::new();
            for other in (0..names.len()).filter(|other| *other != drug) {
                measured.extend(self.doses[other].iter().filter(|dose| **dose > 0.0).map(f64::to_string));
            }
            return Err(Error::data(format!(
                "the {name} drug was not measured alone: no reading has {others} at dose 0, only at {}",
                listed(&measured, 8)
            ))
            .with_help("add the readings of each drug alone, with dose 0 of the others"));
        }
        Ok(())
    }

    pub fn drugs(&self) -> usize {
        self.doses.len()
    }

    /// The distinct doses of a drug, ascending; the first is 0.
    pub fn doses(&self, drug: usize) -> &[f64] {
        &self.doses[drug]
    }

    pub fn readings(&self, cell: usize) -> &[f64] {
        &self.cells[cell]
    }

    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn stride(&self, drug: usize) -> usize {
        self.strides[drug]
    }

    /// The position of a cell's dose of a drug; 0 if the drug was not given.
    pub fn place(&self, cell: usize, drug: usize) -> usize {
        cell / self.strides[drug] % self.doses[drug].len()
    }

    pub fn dose(&self, cell: usize, drug: usize) -> f64 {
        self.doses[drug][self.place(cell, drug)]
    }

    /// The drugs given in a cell.
    pub fn given(&self, cell: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.drugs()).filter(move |drug| self.place(cell, *drug) > 0)
    }

    /// Whether a cell has two drugs or more.
    pub fn is_combination(&self, cell: usize) -> bool {
        self.given(cell).nth(1).is_some()
    }

    /// Whether a cell has every drug.
    pub fn is_complete(&self, cell: usize) -> bool {
        self.given(cell).count() == self.drugs()
    }

    /// The cell with one of a cell's drugs alone, at the same dose.
    pub fn single(&self, cell: usize, drug: usize) -> usize {
        self.place(cell, drug) * self.strides[drug]
    }

    /// The cells of a drug alone, in the order of its doses, 0 first.
    pub fn alone(&self, drug: usize) -> Vec<usize> {
        (0..self.doses[drug].len()).map(|place| place * self.strides[drug]).collect()
    }

    /// For each dose of each drug, whether it occurs in a measured combination; other doses were tested only alone.
    pub fn combined_doses(&self, means: &[f64]) -> Vec<Vec<bool>> {
        let mut combined: Vec<Vec<bool>> = self.doses.iter().map(|doses| vec![false; doses.len()]).collect();
        for cell in (0..self.len()).filter(|cell| !means[*cell].is_nan() && self.is_combination(*cell)) {
            self.given(cell).for_each(|drug| combined[drug][self.place(cell, drug)] = true);
        }
        combined
    }

    /// Whether all doses of a cell occur in a measured combination, see [`Lattice::combined_doses`].
    pub fn is_expected(&self, cell: usize, combined: &[Vec<bool>]) -> bool {
        self.given(cell).all(|drug| combined[drug][self.place(cell, drug)])
    }

    /// The means of the cells, NaN where missing.
    pub fn means(&self) -> Vec<f64> {
        let mean = |cell: &Vec<f64>| cell.iter().sum::<f64>() / cell.len() as f64;
        self.cells.iter().map(mean).collect()
    }
}

/// The distinct doses, ascending; 0 is added if missing.
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
        // The dose is a rounding error above the listed dose.
        _ => after.saturating_sub(1),
    }
}
