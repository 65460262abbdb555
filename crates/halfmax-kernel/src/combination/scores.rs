//! Predictions of combinations without their covariances with every training combination.
//!
//! Let w be the coefficients in a cell line. Let M be the symmetric matrix over the training drugs that holds each
//! coefficient at its two drugs. The components then give a combination {a, b} the value `u_a + u_b + Σ_kl w_kl K_k(a) M
//! K_l(b)ᵀ`. This is a product of numbers of drug a in this cell line with the kernels of drug b. The cost of a score
//! therefore depends on the number of training drugs, not of training combinations.

use std::ops::Range;

use ndarray::ArrayView1;

use super::model::Fitted;
use super::{Component, Part};
use crate::linalg::Matrix;

/// Drugs of a query, with the kernels between them and the training drugs.
pub(crate) struct Members {
    /// The kernels with a weight, drugs × training drugs.
    kernels: Vec<Matrix>,
    /// For each kernel, the weights of its products with each kernel.
    weights: Vec<Vec<f64>>,
    /// The effects of drugs with any partner: drugs × training drugs.
    sums: Matrix,
    /// The training drug that each drug is; `None` for new drugs.
    known: Vec<Option<usize>>,
}

/// Number of drugs whose numbers are computed together, and of partners whose products are.
const ROWS: usize = 4;
const COLUMNS: usize = 8;

impl Members {
    pub fn new(components: &[Component], kernels: Vec<Matrix>, known: Vec<Option<usize>>) -> Self {
        let mut weights = vec![vec![0.0; kernels.len()]; kernels.len()];
        let mut sums = Matrix::zeros(kernels.first().map_or((0, 0), |kernel| kernel.dim()));
        for one in components {
            match one.part {
                Part::Members(k) => sums.scaled_add(one.weight, &kernels[k]),
                Part::Both(k, l) if k == l => weights[k][k] += one.weight,
                Part::Both(k, l) => {
                    weights[k][l] += one.weight;
                    weights[l][k] += one.weight;
                }
            }
        }
        let used: Vec<usize> =
            (0..kernels.len()).filter(|k| weights[*k].iter().any(|weight| *weight > 0.0)).collect();
        let weights = used.iter().map(|k| used.iter().map(|l| weights[*k][*l]).collect()).collect();
        let kept = kernels.into_iter().enumerate().filter(|(k, _)| used.contains(k));
        Self { kernels: kept.map(|(_, kernel)| kernel).collect(), weights, sums, known }
    }

    /// Number of drugs.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// How many numbers describe a drug.
    fn width(&self) -> usize {
        self.kernels.len() * self.sums.ncols()
    }

    /// The kernels of drug `b`, one after the other.
    fn kernels_of(&self, b: usize) -> impl Iterator<Item = f64> {
        self.kernels.iter().flat_map(move |kernel| kernel.row(b).into_iter().copied())
    }

    /// The numbers of some drugs in a cell line: for drug a and kernel k `Σ_l w_kl K_l(a) M`.
    fn numbers<const N: usize>(&self, fitted: &Fitted, cell: &CellLine, drugs: [usize; N]) -> Vec<[f64; N]> {
        let training = self.sums.ncols();
        let mut out = vec![[0.0; N]; self.width()];
        let mut mixed = vec![[0.0; N]; training];
        for (weights, out) in self.weights.iter().zip(out.chunks_mut(training.max(1))) {
            mixed.fill([0.0; N]);
            for (kernel, weight) in self.kernels.iter().zip(weights) {
                for (lane, drug) in drugs.iter().enumerate() {
                    for (mixed, value) in mixed.iter_mut().zip(kernel.row(*drug)) {
                        mixed[lane] += weight * value;
                    }
                }
            }
            for ([i, j], weight) in fitted.combinations.iter().zip(&cell.coefficients) {
                let (at_i, at_j) = (mixed[*i], mixed[*j]);
                for lane in 0..N {
                    out[*j][lane] += at_i[lane] * weight;
                    out[*i][lane] += at_j[lane] * weight;
                }
            }
        }
        out
    }

    /// The training combination of two drugs, if there is one.
    fn training(&self, fitted: &Fitted, [a, b]: [usize; 2]) -> Option<usize> {
        let mut pair = [self.known[a]?, self.known[b]?];
        pair.sort_unstable();
        fitted.combinations.binary_search(&pair).ok()
    }

    /// Predictions for some combinations in a cell line. In each combination, the drug with the lower id comes first.
    pub fn listed(&self, fitted: &Fitted, cell: &CellLine, combinations: &[[usize; 2]]) -> Vec<f32> {
        let mut numbers: (usize, Vec<[f64; 1]>) = (usize::MAX, Vec::new());
        let one = |[a, b]: &[usize; 2]| {
            if numbers.0 != *a {
                numbers = (*a, self.numbers(fitted, cell, [*a]));
            }
            let partner: Vec<[f64; 1]> = self.kernels_of(*b).map(|value| [value]).collect();
            let [[together]] = products(&numbers.1, &partner);
            self.prediction(fitted, cell, [*a, *b], together)
        };
        combinations.iter().map(one).collect()
    }

    fn prediction(&self, fitted: &Fitted, cell: &CellLine, pair: [usize; 2], together: f64) -> f32 {
        let own = self.training(fitted, pair).map_or(0.0, |at| fitted.own * cell.coefficients[at]);
        (cell.baseline + (cell.added(self, pair[0]) + cell.added(self, pair[1])) + together + own) as f32
    }
}

/// The model's view of a cell line.
pub(crate) struct CellLine {
    baseline: f64,
    /// The coefficient of each training combination.
    coefficients: Vec<f64>,
    /// The coefficients of all combinations of each training drug.
    of_drugs: Vec<f64>,
}

impl CellLine {
    pub fn new(fitted: &Fitted, baseline: f64, coefficients: ArrayView1<f64>) -> Self {
        let mut of_drugs = vec![0.0; fitted.drug_ids.len()];
        for ([i, j], value) in fitted.combinations.iter().zip(coefficients) {
            of_drugs[*i] += value;
            of_drugs[*j] += value;
        }
        Self { baseline, coefficients: coefficients.to_vec(), of_drugs }
    }

    /// The effect of a drug with any partner.
    fn added(&self, members: &Members, drug: usize) -> f64 {
        members.sums.row(drug).iter().zip(&self.of_drugs).map(|(kernel, value)| kernel * value).sum()
    }
}

/// The kernels of drugs, in groups of [`COLUMNS`] drugs.
pub(crate) struct Panels {
    values: Vec<[f64; COLUMNS]>,
}

impl Panels {
    pub fn of(members: &Members) -> Self {
        let width = members.width();
        let mut values = vec![[0.0; COLUMNS]; width * members.len().div_ceil(COLUMNS)];
        for drug in 0..members.len() {
            let panel = &mut values[drug / COLUMNS * width..][..width];
            for (place, value) in panel.iter_mut().zip(members.kernels_of(drug)) {
                place[drug % COLUMNS] = value;
            }
        }
        Self { values }
    }

    /// Predictions in a cell line for each of the first drugs `rows` with every later drug.
    pub fn scores(
        &self,
        members: &Members,
        fitted: &Fitted,
        cell: &CellLine,
        rows: Range<usize>,
    ) -> Vec<f32> {
        let (count, width) = (members.len(), members.width());
        let added: Vec<f64> = (rows.start..count).map(|drug| cell.added(members, drug)).collect();
        let starts: Vec<usize> = rows
            .clone()
            .scan(0, |next, row| {
                let start = *next;
                *next += count - 1 - row;
                Some(start)
            })
            .collect();
        let total = rows.clone().map(|row| count - 1 - row).sum();
        let mut out = vec![0.0f32; total];
        let groups: Vec<usize> = rows.clone().step_by(ROWS).collect();
        let of_group = |first: &usize| {
            let last = rows.end - 1;
            members.numbers(fitted, cell, std::array::from_fn::<_, ROWS, _>(|lane| (first + lane).min(last)))
        };
        let numbers: Vec<Vec<[f64; ROWS]>> = groups.iter().map(of_group).collect();
        for panel in (rows.start + 1) / COLUMNS..count.div_ceil(COLUMNS) {
            let partners = &self.values[panel * width..][..width];
            for (first, numbers) in groups.iter().zip(&numbers) {
                let columns = panel * COLUMNS..((panel + 1) * COLUMNS).min(count);
                if columns.end <= first + 1 {
                    break;
                }
                let found = products(numbers, partners);
                for (row, found) in (*first..rows.end.min(first + ROWS)).zip(found) {
                    let from = columns.start.max(row + 1);
                    let own = added[row - rows.start];
                    let line = &mut out[starts[row - rows.start]..];
                    for column in from..columns.end {
                        let added = own + added[column - rows.start];
                        let together = found[column - columns.start];
                        line[column - row - 1] = (cell.baseline + added + together) as f32;
                    }
                }
            }
        }
        self.replace_training(members, fitted, cell, (rows, &starts), &mut out);
        out
    }

    /// Adds the own effects of training combinations.
    fn replace_training(
        &self,
        members: &Members,
        fitted: &Fitted,
        cell: &CellLine,
        (rows, starts): (Range<usize>, &[usize]),
        out: &mut [f32],
    ) {
        for (row, start) in rows.zip(starts).filter(|(row, _)| members.known[*row].is_some()) {
            let partners = row + 1..members.len();
            let seen: Vec<[usize; 2]> = partners
                .map(|other| [row, other])
                .filter(|pair| members.training(fitted, *pair).is_some())
                .collect();
            for (pair, value) in seen.iter().zip(members.listed(fitted, cell, &seen)) {
                out[start + pair[1] - row - 1] = value;
            }
        }
    }
}

/// The products of some drugs' numbers with some partners' kernels. Each product is summed in the order of the numbers, so
/// that its result does not depend on the other products.
#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn products<const N: usize, const M: usize>(numbers: &[[f64; N]], partners: &[[f64; M]]) -> [[f64; M]; N] {
    let mut sums = [[0.0; M]; N];
    for (numbers, partners) in numbers.iter().zip(partners) {
        for (sums, number) in sums.iter_mut().zip(numbers) {
            for (sum, partner) in sums.iter_mut().zip(partners) {
                *sum += number * partner;
            }
        }
    }
    sums
}
