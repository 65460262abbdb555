//! Responses with the names of their cell lines and drugs, each name kept once.

/// One cell line's response to one drug, or to a combination of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed<'a> {
    /// The id of the cell line.
    pub cell_line: &'a str,
    /// The drug, as first spelt in the table; of a combination, the drug whose name sorts first.
    pub drug: &'a str,
    /// The other drug of a combination.
    pub drug_b: Option<&'a str>,
    /// The response, in the unit of its column.
    pub value: f64,
}

/// Responses, one for each cell line and drug (or combination), sorted by cell line, then drug.
#[derive(Clone, Debug, Default)]
pub struct ObservedResponses {
    /// The ids of cell lines, sorted. Some may have no response.
    pub(crate) cell_lines: Vec<String>,
    /// The names of drugs, sorted. Some may have no response.
    pub(crate) drugs: Vec<String>,
    /// The position of each response's cell line.
    pub(crate) of_cell_line: Vec<u32>,
    /// The position of each response's drug.
    pub(crate) of_drug: Vec<u32>,
    /// The position of each response's second drug; empty for single drugs.
    pub(crate) of_drug_b: Vec<u32>,
    pub(crate) values: Vec<f64>,
    /// The fold of each response, if folds were requested.
    pub(crate) folds: Option<Vec<Option<usize>>>,
    /// The lowest and the highest tested dose, in µM, if the table gives them; the widest range of repeats.
    pub(crate) tested: Option<Vec<Option<[f64; 2]>>>,
}

impl ObservedResponses {
    /// Number of responses.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether the table has no responses.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The responses, sorted by cell line, then drug.
    pub fn iter(&self) -> impl Iterator<Item = Observed<'_>> {
        (0..self.len()).map(|at| Observed {
            cell_line: &self.cell_lines[self.of_cell_line[at] as usize],
            drug: &self.drugs[self.of_drug[at] as usize],
            drug_b: self.of_drug_b.get(at).map(|drug| self.drugs[*drug as usize].as_str()),
            value: self.values[at],
        })
    }

    /// The values of the responses, in the unit of their column.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The cell lines that have a response.
    pub(crate) fn measured(&self) -> impl Iterator<Item = &String> {
        named(&self.cell_lines, [&self.of_cell_line, &[]])
    }

    /// The drugs that have a response, in the order of their names.
    pub(crate) fn treated_with(&self) -> impl Iterator<Item = &String> {
        named(&self.drugs, [&self.of_drug, &self.of_drug_b])
    }

    /// Keeps the responses of some cell lines.
    pub(crate) fn keep(&mut self, cell_line: impl Fn(&String) -> bool) {
        let kept: Vec<bool> = self.cell_lines.iter().map(cell_line).collect();
        if kept.iter().all(|kept| *kept) {
            return;
        }
        let kept: Vec<bool> = self.of_cell_line.iter().map(|cell| kept[*cell as usize]).collect();
        filter(&mut self.of_cell_line, &kept);
        filter(&mut self.of_drug, &kept);
        if !self.of_drug_b.is_empty() {
            filter(&mut self.of_drug_b, &kept);
        }
        filter(&mut self.values, &kept);
        self.folds.iter_mut().for_each(|folds| filter(folds, &kept));
        self.tested.iter_mut().for_each(|tested| filter(tested, &kept));
    }
}

/// The names that occur at these positions.
fn named<'a>(names: &'a [String], positions: [&[u32]; 2]) -> impl Iterator<Item = &'a String> {
    let mut occurs = vec![false; names.len()];
    positions.into_iter().flatten().for_each(|at| occurs[*at as usize] = true);
    names.iter().zip(occurs).filter_map(|(name, occurs)| occurs.then_some(name))
}

fn filter<T>(values: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    values.retain(|_| kept.next().copied().unwrap_or(false));
}
