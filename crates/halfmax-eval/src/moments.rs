//! Weighted sums of observed and predicted responses.

/// Weighted sums of a pair of variables: first the observed, then the predicted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    pub(crate) weight: f64,
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

    pub(crate) fn plus_times(self, times: f64, other: &Self) -> Self {
        let add = |a: [f64; 2], b: [f64; 2]| [a[0] + times * b[0], a[1] + times * b[1]];
        Self {
            weight: self.weight + times * other.weight,
            sums: add(self.sums, other.sums),
            squares: add(self.squares, other.squares),
            product: self.product + times * other.product,
        }
    }

    /// Σw(x − x̄)²; 0 if it is only rounding error.
    fn spread(&self, of: usize) -> f64 {
        let spread = self.squares[of] - self.sums[of] * self.sums[of] / self.weight;
        if spread > 1e-12 * self.squares[of] { spread } else { 0.0 }
    }

    /// Σw(y − ȳ)² of the observed values.
    pub(crate) fn spread_of_observed(&self) -> f64 {
        self.spread(0)
    }

    /// Σw(y − ȳ)² of the observed values of a draw from these, without estimating their mean again. Each response
    /// contributes by the delete-one jackknife: n / (n − 1) · (y − ȳ)², where ȳ is the mean of all responses. 0 if all
    /// responses are equal.
    pub(crate) fn spread_of_observed_in(&self, draw: &Self) -> f64 {
        let (n, spread) = (self.weight, self.spread(0));
        if spread <= 0.0 {
            return 0.0;
        }
        let mean = self.sums[0] / n;
        let about_mean = draw.squares[0] - mean * (2.0 * draw.sums[0] - mean * draw.weight);
        spread + n / (n - 1.0) * (about_mean - spread)
    }

    /// The Pearson correlation; `None` if either variable is constant.
    pub(crate) fn pearson(&self) -> Option<f64> {
        let (observed, predicted) = (self.spread(0), self.spread(1));
        if !(observed > 0.0 && predicted > 0.0) {
            return None;
        }
        let covariance = self.product - self.sums[0] * self.sums[1] / self.weight;
        Some((covariance / (observed * predicted).sqrt()).clamp(-1.0, 1.0))
    }
}
