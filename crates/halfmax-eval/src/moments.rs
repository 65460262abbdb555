use crate::metrics::Row;

/// Weighted sums of a pair of variables: first the observed, then the predicted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    weight: f64,
    sums: [f64; 2],
    squares: [f64; 2],
    product: f64,
}

impl Moments {
    #[inline]
    pub(crate) fn plus(self, weight: f64, pair: [f64; 2]) -> Self {
        let weighted = [weight * pair[0], weight * pair[1]];
        Self {
            weight: self.weight + weight,
            sums: [self.sums[0] + weighted[0], self.sums[1] + weighted[1]],
            squares: [self.squares[0] + weighted[0] * pair[0], self.squares[1] + weighted[1] * pair[1]],
            product: self.product + weighted[0] * pair[1],
        }
    }

    fn plus_times(self, times: f64, other: &Self) -> Self {
        let add = |a: [f64; 2], b: [f64; 2]| [a[0] + times * b[0], a[1] + times * b[1]];
        Self {
            weight: self.weight + times * other.weight,
            sums: add(self.sums, other.sums),
            squares: add(self.squares, other.squares),
            product: self.product + times * other.product,
        }
    }

    /// Σw(x − x̄)²; 0 where it is no more than rounding.
    fn spread(&self, of: usize) -> f64 {
        let spread = self.squares[of] - self.sums[of] * self.sums[of] / self.weight;
        if spread > 1e-12 * self.squares[of] { spread } else { 0.0 }
    }

    /// Σw(y − ȳ)² of the observed values.
    pub(crate) fn spread_of_observed(&self) -> f64 {
        self.spread(0)
    }

    /// The Pearson correlation; `None` where either variable is constant.
    pub(crate) fn pearson(&self) -> Option<f64> {
        let (observed, predicted) = (self.spread(0), self.spread(1));
        if !(observed > 0.0 && predicted > 0.0) {
            return None;
        }
        let covariance = self.product - self.sums[0] * self.sums[1] / self.weight;
        Some((covariance / (observed * predicted).sqrt()).clamp(-1.0, 1.0))
    }
}

/// The sums that the metrics over all test responses are made of. Sums of parts add up to the sum of the
/// whole.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pooled {
    squared_errors: f64,
    absolute_errors: f64,
    values: Moments,
    ranks: Moments,
}

/// The metrics in the order of [`crate::Metrics`]: rmse, mae, r2, pearson, spearman, per_drug_pearson,
/// r2_within_drug.
pub(crate) struct Summary {
    pub(crate) values: [Option<f64>; 7],
    pub(crate) drugs_counted: usize,
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

    /// The metrics, given for each drug how many times it counts, whether it counts in the per-drug Pearson,
    /// and its sums; `None` of no response.
    pub(crate) fn summary(&self, drugs: impl Iterator<Item = (f64, bool, Moments)>) -> Option<Summary> {
        let n = self.values.weight;
        if n <= 0.0 {
            return None;
        }
        let (mut within, mut correlations, mut times_counted, mut drugs_counted) = (0.0, 0.0, 0.0, 0);
        for (times, counted, moments) in
            drugs.filter(|(times, _, moments)| *times > 0.0 && moments.weight > 0.0)
        {
            let spread = moments.spread_of_observed();
            within += times * spread;
            if counted && spread > 0.0 {
                correlations += times * moments.pearson().unwrap_or(0.0);
                times_counted += times;
                drugs_counted += 1;
            }
        }
        let explained = |spread: f64| (spread > 0.0).then(|| 1.0 - self.squared_errors / spread);
        let values = [
            Some((self.squared_errors / n).sqrt()),
            Some(self.absolute_errors / n),
            explained(self.values.spread_of_observed()),
            self.values.pearson(),
            self.ranks.pearson(),
            (times_counted > 0.0).then(|| correlations / times_counted),
            explained(within),
        ];
        Some(Summary { values, drugs_counted })
    }
}
