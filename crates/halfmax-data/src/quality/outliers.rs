//! Responses far from the expectation for their drug and their cell line.

use serde::Serialize;

use super::measurements::{Measurements, Pair};
use super::polish::members;
use super::robust::mad;

/// The largest number of outliers to keep.
const MOST: usize = 50;
/// Responses this many MADs away are listed.
const LISTED: f64 = 8.0;
/// Biology rarely explains responses this many MADs away.
const FAR: f64 = 20.0;
/// The fewest responses for a drug's own spread.
const OWN_SPREAD: usize = 20;
/// The fewest responses for a judgement. There must also be twice as many responses as cell lines and drugs.
const FEWEST: usize = 30;

/// Responses that are far from the expectation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outliers {
    /// The median absolute deviation of the residuals after subtracting the effects of drugs and cell lines.
    pub mad: f64,
    /// The number of responses that are 8 MADs or more away.
    pub count: usize,
    /// The number of responses that are 20 MADs or more away.
    pub far: usize,
    /// The responses farthest away.
    pub worst: Vec<Outlier>,
}

/// A response that is far from the expectation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outlier {
    /// The cell line.
    pub cell_line: String,
    /// The drug, or the combination.
    pub drug: String,
    /// The response.
    pub value: f64,
    /// The expectation for its drug and cell line.
    pub expected: f64,
    /// The distance from the expectation, in MADs: the MAD of all responses or, if larger, of the drug's responses.
    pub distance: f64,
}

impl Outliers {
    /// `None` with too few responses, or if most responses equal the expectation exactly.
    pub(crate) fn of(measured: &Measurements, pairs: &[Pair], left: &[f64]) -> Option<Self> {
        let entities = measured.cells.names.len() + measured.partners.names.len();
        let overall = mad(left);
        if pairs.len() < FEWEST.max(2 * entities) || overall <= 0.0 || overall.is_nan() {
            return None;
        }
        let spread: Vec<f64> = members(pairs, measured.partners.names.len(), |pair| pair.partner)
            .iter()
            .map(|members| {
                let own: Vec<f64> = members.iter().map(|at| left[*at as usize]).collect();
                if own.len() < OWN_SPREAD { overall } else { mad(&own).max(overall) }
            })
            .collect();
        let mut far: Vec<Outlier> = pairs
            .iter()
            .zip(left)
            .filter_map(|(pair, left)| {
                let distance = left / spread[pair.partner as usize];
                (distance.abs() >= LISTED).then(|| Outlier {
                    cell_line: measured.cells.names[pair.cell as usize].clone(),
                    drug: measured.partners.names[pair.partner as usize].clone(),
                    value: pair.value,
                    expected: pair.value - left,
                    distance,
                })
            })
            .collect();
        far.sort_by(|a, b| b.distance.abs().total_cmp(&a.distance.abs()));
        let count = far.len();
        let farthest = far.iter().take_while(|one| one.distance.abs() >= FAR).count();
        far.truncate(MOST);
        Some(Self { mad: overall, count, far: farthest, worst: far })
    }

    /// The finding, if noteworthy.
    pub(crate) fn finding(&self) -> Option<String> {
        let worst = self.worst.first().filter(|_| self.far > 0)?;
        Some(format!(
            "{} {} 20 MADs or more from the expectation for drug and cell line; the farthest is {} with {}: {:.3}, expected {:.3}",
            self.far,
            if self.far == 1 { "response is" } else { "responses are" },
            worst.cell_line,
            worst.drug,
            worst.value,
            worst.expected
        ))
    }
}
