//! A test set, or a bootstrap draw from it, as the sums that metrics are computed from.

use crate::metric::{COUNT, METRICS};
use crate::metrics::Row;
use crate::moments::Moments;

/// The sums for the metrics over all test responses. Sums of parts add up to the sum of the whole.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pooled {
    squared_errors: f64,
    absolute_errors: f64,
    values: Moments,
    ranks: Moments,
}

/// A drug's part in the metrics.
pub(crate) struct DrugPart {
    /// How many times the drug counts.
    pub(crate) times: f64,
    /// Whether it counts in the per-drug Pearson.
    pub(crate) counted: bool,
    pub(crate) moments: Moments,
    /// Σw(y − ȳ_d)² of its observed values, or the estimate that replaces it in a draw.
    pub(crate) spread: f64,
}

/// A test set, or a bootstrap draw from it, as the sums that metrics are computed from.
pub struct Draw {
    /// Σw(y − p)².
    pub(crate) squared_errors: f64,
    /// Σw|y − p|.
    pub(crate) absolute_errors: f64,
    /// The moments of observed and predicted responses.
    pub(crate) values: Moments,
    /// The moments of their ranks.
    pub(crate) ranks: Moments,
    /// Σw(y − ȳ_d)². ȳ_d is the mean of the responses of the drug.
    pub(crate) within_spread: f64,
    /// The mean correlation of drugs; `None` if no drug counts.
    pub(crate) drug_correlation: Option<f64>,
    /// Number of drugs in this mean.
    pub(crate) drugs_counted: usize,
    /// How well predictions separate positive responses from the others; `None` without a threshold.
    pub(crate) areas: Option<Areas>,
}

/// How well predictions separate positive responses from the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Areas {
    pub(crate) roc_auc: Option<f64>,
    pub(crate) pr_auc: Option<f64>,
}

impl Areas {
    /// From responses in descending order of their predictions. Each has its prediction, whether it is positive, and how
    /// often it counts.
    pub(crate) fn of(ranked: impl Iterator<Item = (f32, bool, f64)>) -> Self {
        let (mut positives, mut negatives) = (0.0, 0.0);
        let (mut won, mut precision) = (0.0, 0.0);
        let mut tied = (f32::NAN, 0.0, 0.0);
        // Equal predictions count together.
        let mut close = |(_, own, lost): (f32, f64, f64)| {
            won += lost * (positives + own / 2.0);
            positives += own;
            negatives += lost;
            if own > 0.0 {
                precision += own * positives / (positives + negatives);
            }
        };
        for (predicted, positive, times) in ranked.filter(|one| one.2 > 0.0) {
            if predicted != tied.0 {
                close(tied);
                tied = (predicted, 0.0, 0.0);
            }
            if positive {
                tied.1 += times;
            } else {
                tied.2 += times;
            }
        }
        close(tied);
        Self {
            roc_auc: (positives > 0.0 && negatives > 0.0).then(|| won / (positives * negatives)),
            pr_auc: (positives > 0.0).then(|| precision / positives),
        }
    }
}

impl Draw {
    /// The number of responses, each counted as often as it was drawn.
    pub fn weight(&self) -> f64 {
        self.values.weight
    }

    /// The share of a variance that predictions explain; `None` if the variance is 0.
    pub fn explained(&self, spread: f64) -> Option<f64> {
        (spread > 0.0).then(|| 1.0 - self.squared_errors / spread)
    }

    /// Every metric.
    pub(crate) fn metrics(&self) -> [Option<f64>; COUNT] {
        METRICS.map(|metric| metric.value(self))
    }
}

impl Pooled {
    pub(crate) fn plus(self, row: &Row) -> Self {
        Self {
            squared_errors: self.squared_errors + row.error * row.error,
            absolute_errors: self.absolute_errors + row.error.abs(),
            values: self.values.plus(1.0, row.pooled),
            ranks: self.ranks.plus(1.0, row.ranks),
        }
    }

    pub(crate) fn plus_times(self, times: f64, other: &Self) -> Self {
        Self {
            squared_errors: self.squared_errors + times * other.squared_errors,
            absolute_errors: self.absolute_errors + times * other.absolute_errors,
            values: self.values.plus_times(times, &other.values),
            ranks: self.ranks.plus_times(times, &other.ranks),
        }
    }

    /// The sums of a draw, given the part of each drug; `None` without responses.
    pub(crate) fn draw(&self, drugs: impl Iterator<Item = DrugPart>, areas: Option<Areas>) -> Option<Draw> {
        if self.values.weight <= 0.0 {
            return None;
        }
        let (mut within, mut correlations, mut times_counted, mut drugs_counted) = (0.0, 0.0, 0.0, 0);
        for drug in drugs.filter(|drug| drug.times > 0.0 && drug.moments.weight > 0.0) {
            within += drug.times * drug.spread;
            if drug.counted && drug.moments.spread_of_observed() > 0.0 {
                correlations += drug.times * drug.moments.pearson().unwrap_or(0.0);
                times_counted += drug.times;
                drugs_counted += 1;
            }
        }
        Some(Draw {
            squared_errors: self.squared_errors,
            absolute_errors: self.absolute_errors,
            values: self.values,
            ranks: self.ranks,
            within_spread: within,
            drug_correlation: (times_counted > 0.0).then(|| correlations / times_counted),
            drugs_counted,
            areas,
        })
    }
}
