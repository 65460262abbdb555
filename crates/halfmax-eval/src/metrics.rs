//! Scores predictions against observed responses.

use std::ops::Range;

use halfmax_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::draw::{Areas, DrugPart, Pooled};
use crate::metric::Metrics;
use crate::moments::Moments;

/// The metrics of one drug (or combination).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrugMetrics {
    /// The drug's id; "A + B" for a combination.
    pub drug: String,
    /// Number of test responses of the drug.
    pub n: usize,
    /// Pearson correlation; `None` if responses or predictions are constant.
    pub pearson: Option<f64>,
    /// Root mean squared error, in the unit of the target.
    pub rmse: Option<f64>,
    /// 1 − SSE / SST over the drug's test responses; `None` if they are constant.
    pub r2: Option<f64>,
}

/// Observed and predicted responses of a test set, arranged for scoring.
///
/// ```
/// use halfmax_eval::Scored;
/// let scored = Scored::new(&[0, 1, 0, 1], &[0, 0, 1, 1], &[1.0, 3.0, 5.0, 7.0], &[2.0, 2.0, 6.0, 6.0])?;
/// let metrics = scored.metrics();
/// assert_eq!(metrics.rmse(), Some(1.0));
/// assert_eq!(metrics.get("r2"), Some(0.8));
/// assert_eq!(metrics.r2_within_drug(), Some(0.0));
/// assert_eq!(metrics.per_drug_pearson(), None); // fewer than 20 cell lines
/// # Ok::<(), halfmax_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scored {
    /// Rows, sorted by drug, then by cell line.
    pub(crate) rows: Vec<Stored>,
    pub(crate) drugs: Vec<Drug>,
    /// Observed and predicted of the first response.
    first: [f64; 2],
    /// Number of different cell lines.
    pub(crate) cells: usize,
    /// The positive responses, if there is a threshold.
    pub(crate) positive: Option<Positive>,
}

/// The positive responses: those above a threshold.
#[derive(Clone, Debug)]
pub(crate) struct Positive {
    threshold: f64,
    /// The positions of the rows in descending order of their predictions.
    ranked: Vec<u32>,
    /// For each row, the position of its drug.
    pub(crate) drug_of_row: Vec<u32>,
}

/// A test response. Its numbers are stored as given, and converted to those of [`Scored::row`] when needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    /// Numbered among the cell lines of the test set.
    pub(crate) cell: u32,
    /// Observed and predicted.
    pair: [f32; 2],
    /// Twice the mid-ranks.
    ranks: [u32; 2],
}

/// A test response. Every number is relative to a reference value, so that sums of squares stay exact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Observed and predicted, minus those of the first response of the test set.
    pub(crate) pooled: [f64; 2],
    /// Mid-ranks minus their mean, divided by their number.
    pub(crate) ranks: [f64; 2],
    pub(crate) error: f64,
}

impl Stored {
    fn pair(&self) -> [f64; 2] {
        self.pair.map(f64::from)
    }

    /// Observed and predicted, minus those of the first response of the drug.
    pub(crate) fn within(&self, drug: &Drug) -> [f64; 2] {
        less(self.pair(), drug.first)
    }

    pub(crate) fn error(&self) -> f64 {
        let [observed, predicted] = self.pair();
        observed - predicted
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Drug {
    pub(crate) number: u32,
    pub(crate) rows: Range<usize>,
    /// Observed and predicted of the drug's first response.
    first: [f64; 2],
    /// Whether the drug has enough cell lines for the per-drug Pearson.
    pub(crate) counted: bool,
}

impl Scored {
    /// Minimum number of test cell lines of a drug in the per-drug Pearson.
    pub const LEAST_CELLS: usize = 20;

    /// From one entry per test response: the cell line and the drug (any numbers), the observed value and the predicted value.
    ///
    /// # Errors
    /// If the lists differ in length or are longer than 2,147,483,647, or a value is not finite.
    pub fn new(cells: &[u32], drugs: &[u32], observed: &[f32], predicted: &[f32]) -> Result<Self> {
        let n = observed.len();
        if [cells.len(), drugs.len(), predicted.len()].iter().any(|length| *length != n) {
            return Err(Error::data(format!(
                "{n} responses have {} cell lines, {} drugs and {} predictions: expected the same number of each",
                cells.len(),
                drugs.len(),
                predicted.len()
            )));
        }
        if let Some(at) = (0..n).find(|at| !(observed[*at].is_finite() && predicted[*at].is_finite())) {
            return Err(Error::data(format!(
                "response {at} is {} and its prediction is {}: expected finite numbers",
                observed[at], predicted[at]
            )));
        }
        if n > i32::MAX as usize {
            return Err(Error::data(format!("{n} test responses: expected at most {}", i32::MAX)));
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|at| (drugs[*at], cells[*at]));
        let (cell_of, cell_count) = numbered(cells);
        let ranks = [doubled_ranks(observed), doubled_ranks(predicted)];
        let pair = |at: usize| [observed[at], predicted[at]];
        let first = if n > 0 { pair(0).map(f64::from) } else { [0.0; 2] };
        let mut scored =
            Self { rows: Vec::with_capacity(n), drugs: Vec::new(), first, cells: cell_count, positive: None };
        for run in order.chunk_by(|a, b| drugs[*a] == drugs[*b]) {
            let start = scored.rows.len();
            scored.rows.extend(run.iter().map(|at| Stored {
                cell: cell_of[*at],
                pair: pair(*at),
                ranks: [ranks[0][*at], ranks[1][*at]],
            }));
            let distinct = run.chunk_by(|a, b| cells[*a] == cells[*b]).count();
            scored.drugs.push(Drug {
                number: drugs[run[0]],
                rows: start..start + run.len(),
                first: pair(run[0]).map(f64::from),
                counted: distinct >= Self::LEAST_CELLS,
            });
        }
        Ok(scored)
    }

    /// The same test set with a threshold above which responses are positive. It then also has the metrics of detection.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        let mut ranked: Vec<u32> = (0..self.rows.len() as u32).collect();
        ranked.sort_by(|a, b| {
            let predicted = |at: u32| self.rows[at as usize].pair[1];
            predicted(*b).total_cmp(&predicted(*a))
        });
        let mut drug_of_row = vec![0; self.rows.len()];
        for (at, drug) in self.drugs.iter().enumerate() {
            drug_of_row[drug.rows.clone()].fill(at as u32);
        }
        self.positive = Some(Positive { threshold, ranked, drug_of_row });
        self
    }

    /// All metrics of the test set.
    pub fn metrics(&self) -> Metrics {
        let pooled = self.rows.iter().fold(Pooled::default(), |sum, row| sum.plus(&self.row(row)));
        let drugs = self.drugs.iter().map(|drug| self.part(drug));
        let Some(draw) = pooled.draw(drugs, self.areas(|_| 1.0)) else { return Metrics::default() };
        Metrics { values: draw.metrics(), n: self.rows.len(), drugs_counted: draw.drugs_counted }
    }

    /// How well positive responses are detected, where each response counts `times` times; `None` without a threshold.
    pub(crate) fn areas(&self, times: impl Fn(usize) -> f64) -> Option<Areas> {
        let positive = self.positive.as_ref()?;
        Some(Areas::of(positive.ranked.iter().map(|at| {
            let [observed, predicted] = self.rows[*at as usize].pair;
            (predicted, f64::from(observed) > positive.threshold, times(*at as usize))
        })))
    }

    /// The number of positive responses; `None` without a threshold.
    pub(crate) fn positives(&self) -> Option<usize> {
        let threshold = self.positive.as_ref()?.threshold;
        Some(self.rows.iter().filter(|row| f64::from(row.pair[0]) > threshold).count())
    }

    /// The metrics of each drug, in the order of the drugs' numbers. `name` returns the name of a number.
    pub fn per_drug(&self, name: impl Fn(u32) -> String) -> Vec<DrugMetrics> {
        let one = |drug: &Drug| {
            let rows = &self.rows[drug.rows.clone()];
            let moments = self.moments(drug);
            let squares: f64 = rows.iter().map(|row| row.error() * row.error()).sum();
            let spread = moments.spread_of_observed();
            DrugMetrics {
                drug: name(drug.number),
                n: rows.len(),
                pearson: moments.pearson(),
                rmse: Some((squares / rows.len() as f64).sqrt()),
                r2: (spread > 0.0).then(|| 1.0 - squares / spread),
            }
        };
        self.drugs.iter().map(one).collect()
    }

    /// A drug's part in the metrics, counted once.
    pub(crate) fn part(&self, drug: &Drug) -> DrugPart {
        let moments = self.moments(drug);
        DrugPart { times: 1.0, counted: drug.counted, moments, spread: moments.spread_of_observed() }
    }

    pub(crate) fn moments(&self, drug: &Drug) -> Moments {
        let add = |sum: Moments, row: &Stored| sum.plus(1.0, row.within(drug));
        self.rows[drug.rows.clone()].iter().fold(Moments::default(), add)
    }

    /// A response relative to the reference values of its test set.
    pub(crate) fn row(&self, stored: &Stored) -> Row {
        let n = self.rows.len() as f64;
        let rank = |doubled: u32| (f64::from(doubled) / 2.0 - (n - 1.0) / 2.0) / n;
        Row { pooled: less(stored.pair(), self.first), ranks: stored.ranks.map(rank), error: stored.error() }
    }
}

fn less(pair: [f64; 2], from: [f64; 2]) -> [f64; 2] {
    [pair[0] - from[0], pair[1] - from[1]]
}

/// The keys, numbered from 0 in ascending order, and the count of different keys.
fn numbered(keys: &[u32]) -> (Vec<u32>, usize) {
    let mut distinct = keys.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let number = |key: &u32| distinct.partition_point(|other| other < key) as u32;
    (keys.iter().map(number).collect(), distinct.len())
}

/// Twice the mid-ranks, counted from 0: whole numbers.
fn doubled_ranks(values: &[f32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    let value = |at: u32| values[at as usize];
    order.sort_by(|a, b| value(*a).total_cmp(&value(*b)));
    let mut ranks = vec![0; values.len()];
    let mut before = 0;
    for ties in order.chunk_by(|a, b| value(*a) == value(*b)) {
        let doubled = 2 * before + ties.len() as u32 - 1;
        ties.iter().for_each(|at| ranks[*at as usize] = doubled);
        before += ties.len() as u32;
    }
    ranks
}
