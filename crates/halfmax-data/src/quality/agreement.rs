//! How well repeated measurements agree.

use halfmax_core::listed;
use serde::Serialize;

use super::distribution::Histogram;
use super::measurements::{ByPair, Measurements};
use super::robust::{Quantiles, median, pearson};
use crate::report::grouped;

/// The largest number of discordant pairs to keep.
const MOST: usize = 50;
/// Repeats are discordant if they differ by this many median differences.
const DISCORDANT: f64 = 10.0;
/// A correlation of repeats below this is poor.
const POOR: f64 = 0.5;
/// The repeats of a drug are shifted if half of them differ by this many median differences in one direction.
const SHIFTED: f64 = 2.0;
/// The fewest pairs with repeats for a judgement.
const FEWEST: usize = 10;

/// The agreement of repeats, within one table or between two tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// The compared measurements: "measurements of one pair", "responses and the reference study".
    pub what: String,
    /// Pairs measured more than once.
    pub pairs: usize,
    /// The Pearson correlation of the first with the second measurement.
    pub pearson: Option<f64>,
    /// The same after subtracting the median of each drug.
    pub within_drugs: Option<f64>,
    /// The median absolute difference of the first and the second measurement.
    pub median_difference: f64,
    /// The number of pairs that differ by more than ten times the median difference.
    pub discordant: usize,
    /// The pairs with the largest differences, the largest first.
    pub worst: Vec<Discordant>,
    /// Each drug (or combination) with repeats, sorted by their difference in one direction, the largest first.
    pub by_drug: Vec<DrugAgreement>,
    /// The histogram of the differences, first minus second.
    pub differences: Histogram,
}

/// The agreement of the repeats of one drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DrugAgreement {
    /// The drug, or the combination.
    pub drug: String,
    /// Its pairs measured more than once.
    pub pairs: usize,
    /// The Pearson correlation of the first with the second measurement.
    pub pearson: Option<f64>,
    /// The median of the first minus the second measurement.
    pub median_difference: f64,
    /// Whether the shift is larger than chance explains: two lots, two ranges of doses, or two drugs under one name.
    pub is_shifted: bool,
}

/// A pair whose measurements differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Discordant {
    /// The cell line.
    pub cell_line: String,
    /// The drug, or the combination.
    pub drug: String,
    /// The measurements.
    pub values: Vec<f64>,
    /// The rows of the file that hold them; empty for the reference study.
    pub rows: Vec<usize>,
    /// The difference of the largest and the smallest.
    pub difference: f64,
}

impl Agreement {
    /// The agreement of pairs that a table measures more than once; `None` without such a pair.
    pub(crate) fn of_repeats(measured: &Measurements, by_pair: &ByPair) -> Option<Self> {
        let repeated = by_pair.iter().filter(|rows| rows.len() > 1);
        let pairs = repeated
            .map(|rows| Repeated {
                cell: measured.cells.of[rows[0] as usize],
                partner: measured.partners.of[rows[0] as usize],
                values: rows.iter().map(|row| measured.values[*row as usize]).collect(),
                rows: rows.iter().map(|row| measured.rows[*row as usize] as usize).collect(),
            })
            .collect();
        Self::of(
            "measurements of one pair",
            pairs,
            Named { cells: &measured.cells.names, partners: &measured.partners.names },
        )
    }

    /// The agreement of a screen's responses with its reference study: (cell line, drug, response, response of the
    /// reference study).
    pub(crate) fn of_reference_study(pairs: &[(u32, u32, f64, f64)], named: Named<'_>) -> Option<Self> {
        let pair = |(cell, partner, first, second): &(u32, u32, f64, f64)| Repeated {
            cell: *cell,
            partner: *partner,
            values: vec![*first, *second],
            rows: Vec::new(),
        };
        Self::of("responses and the reference study", pairs.iter().map(pair).collect(), named)
    }

    fn of(what: &str, pairs: Vec<Repeated>, named: Named<'_>) -> Option<Self> {
        if pairs.is_empty() {
            return None;
        }
        let compared: Vec<(f64, f64)> = pairs.iter().map(|pair| (pair.values[0], pair.values[1])).collect();
        let differences: Vec<f64> = compared.iter().map(|(first, second)| first - second).collect();
        let mut sizes: Vec<f64> = differences.iter().map(|difference| difference.abs()).collect();
        let median_difference = median(&mut sizes);
        let mut worst: Vec<Discordant> = pairs.iter().map(|pair| pair.named(&named)).collect();
        let discordant = worst
            .iter()
            .filter(|pair| median_difference > 0.0 && pair.difference > DISCORDANT * median_difference)
            .count();
        worst.sort_by(|a, b| b.difference.total_cmp(&a.difference));
        worst.truncate(MOST);
        let spread = Quantiles::of(differences.clone())?;
        Some(Self {
            what: what.into(),
            pairs: pairs.len(),
            pearson: pearson(&compared),
            within_drugs: within_drugs(&pairs, named.partners.len()),
            by_drug: by_drug(&pairs, named.partners, median_difference),
            median_difference,
            discordant,
            worst,
            differences: Histogram::of(&differences, &spread),
        })
    }

    /// The noteworthy findings.
    pub(crate) fn findings(&self) -> Vec<String> {
        if self.pairs < FEWEST {
            return Vec::new();
        }
        let shifted: Vec<String> = self
            .by_drug
            .iter()
            .filter(|one| one.is_shifted)
            .map(|one| {
                let pairs = grouped(one.pairs);
                format!("{} (half of {pairs} pairs by {:.3} or more)", one.drug, one.median_difference.abs())
            })
            .collect();
        let shifted = (!shifted.is_empty())
            .then(|| format!("{} differ in one direction: {}", self.what, listed(&shifted, 5)));
        self.disagreement().into_iter().chain(shifted).collect()
    }

    fn disagreement(&self) -> Option<String> {
        if let Some(pearson) = self.pearson.filter(|pearson| *pearson < POOR) {
            let pairs = grouped(self.pairs);
            return Some(format!("{} agree poorly: {pairs} pairs, correlation {pearson:.2}", self.what));
        }
        let worst = self.worst.first().filter(|_| self.discordant > 0)?;
        let values: Vec<String> = worst.values.iter().map(|value| format!("{value:.3}")).collect();
        Some(format!(
            "{}: {} of {} pairs differ by more than ten times the median difference of {:.3}; the largest is {} with {} ({})",
            self.what,
            grouped(self.discordant),
            grouped(self.pairs),
            self.median_difference,
            worst.cell_line,
            worst.drug,
            values.join(", ")
        ))
    }
}

/// The names of cell lines and partners.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub cells: &'a [String],
    pub partners: &'a [String],
}

struct Repeated {
    cell: u32,
    partner: u32,
    values: Vec<f64>,
    rows: Vec<usize>,
}

impl Repeated {
    fn named(&self, named: &Named<'_>) -> Discordant {
        let (low, high) =
            self.values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(*value), high.max(*value))
            });
        Discordant {
            cell_line: named.cells[self.cell as usize].clone(),
            drug: named.partners[self.partner as usize].clone(),
            values: self.values.clone(),
            rows: self.rows.clone(),
            difference: high - low,
        }
    }
}

fn of_partners(pairs: &[Repeated], partners: usize) -> Vec<Vec<&Repeated>> {
    let mut of: Vec<Vec<&Repeated>> = vec![Vec::new(); partners];
    pairs.iter().for_each(|pair| of[pair.partner as usize].push(pair));
    of
}

/// The agreement of the repeats of each drug. `typical` is the median absolute difference of all repeats.
fn by_drug(pairs: &[Repeated], partners: &[String], typical: f64) -> Vec<DrugAgreement> {
    let one = |(name, pairs): (&String, Vec<&Repeated>)| {
        let compared: Vec<(f64, f64)> = pairs.iter().map(|pair| (pair.values[0], pair.values[1])).collect();
        let median_difference = median(&mut compared.iter().map(|(a, b)| a - b).collect::<Vec<f64>>());
        let is_shifted =
            pairs.len() >= FEWEST && typical > 0.0 && median_difference.abs() >= SHIFTED * typical;
        let pearson = pearson(&compared);
        (!pairs.is_empty()).then(|| DrugAgreement {
            drug: name.clone(),
            pairs: pairs.len(),
            pearson,
            median_difference,
            is_shifted,
        })
    };
    let of = of_partners(pairs, partners.len());
    let mut each: Vec<DrugAgreement> = partners.iter().zip(of).filter_map(one).collect();
    each.sort_by(|a, b| {
        let size = |one: &DrugAgreement| one.median_difference.abs();
        b.is_shifted.cmp(&a.is_shifted).then_with(|| size(b).total_cmp(&size(a)))
    });
    each
}

/// The correlation of first and second measurements, each minus the median of its drug.
fn within_drugs(pairs: &[Repeated], partners: usize) -> Option<f64> {
    let mut centred = Vec::new();
    for pairs in of_partners(pairs, partners).iter().filter(|pairs| pairs.len() > 2) {
        let middle = |at: usize| median(&mut pairs.iter().map(|pair| pair.values[at]).collect::<Vec<f64>>());
        let middles = (middle(0), middle(1));
        centred.extend(pairs.iter().map(|pair| (pair.values[0] - middles.0, pair.values[1] - middles.1)));
    }
    pearson(&centred)
}
