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

    /// Σw(y − ȳ)² of the observed values of a draw from these, without their mean being estimated again: what each response adds
    /// or takes away is what the delete-one jackknife says, n / (n − 1) · (y − ȳ)², ȳ the mean of all. 0 where all are equal.
    pub(crate) fn spread_of_observed_in(&self, draw: &Self) -> f64 {
        let (n, spread) = (self.weight, self.spread(0));
        if spread <= 0.0 {
            return 0.0;
        }
        let mean = self.sums[0] / n;
        let about_mean = draw.squares[0] - mean * (2.0 * draw.sums[0] - mean * draw.weight);
        spread + n / (n - 1.0) * (about_mean - spread)
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

/// A drug's part in the metrics.
pub(crate) struct DrugPart {
    /// How many times the drug counts.
    pub(crate) times: f64,
    /// Whether it counts in the per-drug Pearson.
    pub(crate) counted: bool,
    pub(crate) moments: Moments,
    /// Σw(y − ȳ_d)² of its observed values, or what stands for it in a draw.
    pub(crate) spread: f64,
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

    /// The metrics, given the part of each drug; `None` of no response.
    pub(crate) fn summary(&self, drugs: impl Iterator<Item = DrugPart>) -> Option<Summary> {
        let n = self.values.weight;
        if n <= 0.0 {
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
