//! The number of responses, and the places where they are missing.

use serde::Serialize;

use super::measurements::{Measurements, Names, Pair};
use super::polish::members;
use super::robust::{Quantiles, mad, median};

/// The fewest responses that are informative.
pub(crate) const FEW: usize = 5;
/// The largest number of rows and columns of a picture.
const SIDE: usize = 160;

/// The coverage of the pairs of cell lines and drugs by responses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// Pairs with a response.
    pub pairs: usize,
    /// The share of all pairs that have a response, 0 to 1.
    pub density: f64,
    /// The cell lines.
    pub cell_lines: SideCoverage,
    /// The drugs, or combinations.
    pub drugs: SideCoverage,
    /// Which pairs are measured.
    #[serde(skip)]
    pub picture: Picture,
}

/// The responses of each cell line, or of each drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SideCoverage {
    /// Quantiles of the number of responses.
    pub responses: Quantiles,
    /// Each entity with its responses, those with the fewest first.
    pub each: Vec<Covered>,
}

/// A cell line or a drug, and its responses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Covered {
    /// Its name.
    pub name: String,
    /// The number of its responses, repeats counted once.
    pub responses: usize,
    /// Their median.
    pub median: f64,
    /// Their median absolute deviation.
    pub mad: f64,
    /// Whether all responses are equal.
    pub one_value: bool,
}

/// Which pairs are measured: cell lines × drugs, those with the most responses first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// For each cell of rows × columns, the fraction of its pairs that have a response, 0 to 1, row by row.
    pub shares: Vec<f32>,
}

impl Coverage {
    pub(crate) fn of(measured: &Measurements, pairs: &[Pair]) -> Self {
        let cell_lines = SideCoverage::of(&measured.cells, pairs, |pair| pair.cell);
        let drugs = SideCoverage::of(&measured.partners, pairs, |pair| pair.partner);
        let all = measured.cells.names.len() * measured.partners.names.len();
        Self {
            pairs: pairs.len(),
            density: pairs.len() as f64 / all.max(1) as f64,
            cell_lines,
            drugs,
            picture: Picture::of(measured, pairs),
        }
    }
}

impl SideCoverage {
    fn of(names: &Names, pairs: &[Pair], of: fn(&Pair) -> u32) -> Self {
        let members = members(pairs, names.names.len(), of);
        let covered = |(name, members): (&String, &[u32])| {
            let mut values: Vec<f64> = members.iter().map(|at| pairs[*at as usize].value).collect();
            Covered {
                name: name.clone(),
                responses: values.len(),
                one_value: values.windows(2).all(|pair| pair[0] == pair[1]),
                mad: mad(&values),
                median: median(&mut values),
            }
        };
        let mut each: Vec<Covered> = names.names.iter().zip(members.iter()).map(covered).collect();
        each.sort_by(|a, b| a.responses.cmp(&b.responses).then_with(|| a.name.cmp(&b.name)));
        let counts = each.iter().map(|one| one.responses as f64).collect();
        Self { responses: Quantiles::of(counts).unwrap_or_default(), each }
    }

    /// Entities with few responses, if most have more.
    pub(crate) fn few(&self) -> Vec<&Covered> {
        if self.responses.median < 2.0 * FEW as f64 {
            return Vec::new();
        }
        self.each.iter().take_while(|one| one.responses < FEW).collect()
    }

    /// Entities with several responses that are all equal.
    pub(crate) fn constant(&self) -> Vec<&Covered> {
        self.each.iter().filter(|one| one.responses >= FEW && one.one_value).collect()
    }
}

impl Picture {
    fn of(measured: &Measurements, pairs: &[Pair]) -> Self {
        let (cells, partners) = (measured.cells.names.len(), measured.partners.names.len());
        let (rows, columns) = (cells.min(SIDE), partners.min(SIDE));
        let cell_rank = ranks(pairs, cells, |pair| pair.cell);
        let partner_rank = ranks(pairs, partners, |pair| pair.partner);
        let mut shares = vec![0f32; rows * columns];
        for pair in pairs {
            let row = cell_rank[pair.cell as usize] * rows / cells;
            let column = partner_rank[pair.partner as usize] * columns / partners;
            shares[row * columns + column] += 1.0;
        }
        let held =
            |at: usize, bins: usize, all: usize| ((at + 1) * all).div_ceil(bins) - (at * all).div_ceil(bins);
        for row in 0..rows {
            for column in 0..columns {
                let all = held(row, rows, cells) * held(column, columns, partners);
                shares[row * columns + column] /= all.max(1) as f32;
            }
        }
        Self { rows, columns, shares }
    }
}

/// The rank of each entity by its number of pairs, in descending order.
fn ranks(pairs: &[Pair], entities: usize, of: fn(&Pair) -> u32) -> Vec<usize> {
    let mut counts = vec![0usize; entities];
    pairs.iter().for_each(|pair| counts[of(pair) as usize] += 1);
    let mut order: Vec<usize> = (0..entities).collect();
    order.sort_by_key(|at| std::cmp::Reverse(counts[*at]));
    let mut ranks = vec![0; entities];
    order.iter().enumerate().for_each(|(rank, at)| ranks[*at] = rank);
    ranks
}
