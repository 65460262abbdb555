//! The readings for a fit, and the candidate curves.

use crate::distributions::f_upper_tail;
use crate::learnt::Learnt;
use crate::least_squares::{Level, Limits, MOST_BATCHES, Minimum, Pull, cost, sums_of_batches};
use crate::model::Curve;
use crate::robust::Sorted;
use crate::shape::Theta;

/// A candidate curve for the kept readings.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<const N: usize = 4> {
    pub limits: Limits<N>,
    pub theta: [f64; N],
    /// The sum of squares of the readings about the curve, without the priors.
    pub squares: f64,
    /// The variance of a reading, moderated by other curves, and its degrees of freedom.
    pub variance: (f64, f64),
    /// The basis of intervals.
    pub spread: Spread<N>,
}

/// The basis of a curve's intervals: the curve itself, or the larger curve that was rejected. In the second case, the
/// same readings showed that the top equals the control; intervals that assumed a known top covered the truth in only
/// 92 % of cases.
#[derive(Clone, Copy)]
pub(crate) struct Spread<const N: usize = 4> {
    pub limits: Limits<N>,
    pub minimum: Minimum<N>,
    pub variance: (f64, f64),
}

/// The kept readings, as used by every candidate.
pub(crate) struct Kept {
    /// The readings of each dose, and of each batch if batches differ.
    pub levels: Vec<Level>,
    /// The readings of each dose.
    pub doses: Vec<Level>,
    pub n: usize,
    /// The sum of squares within doses, which no curve explains.
    pub within: f64,
    /// The sum of squares about the mean.
    pub total: f64,
    pub mean: f64,
    /// The penalty on the batch factors ([`Pull::batches`]); 0 if batches are ignored.
    pub batches: f64,
    /// The degrees of freedom used by these factors.
    pub spent: f64,
    /// The sum of squares within doses, if the curve is fitted only to the means of doses; see [`Self::means`].
    pub set_aside: Option<f64>,
}

impl Kept {
    pub fn new(sorted: &Sorted) -> Self {
        let doses = sorted.levels(|_| 1.0);
        let n = sorted.values.len();
        let mean = sorted.values.iter().sum::<f64>() / n as f64;
        let places = sorted.place.iter().zip(&sorted.values);
        let within = places.map(|(place, value)| (value - doses[*place as usize].mean).powi(2)).sum();
        let total = sorted.values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            levels: doses.clone(),
            doses,
            n,
            within,
            total,
            mean,
            batches: 0.0,
            spent: 0.0,
            set_aside: None,
        }
    }

    /// Keeps only the means of doses, for readings with a factor per unmarked batch. All means share one factor, the
    /// mean of the batch factors, with this penalty. It uses no degree of freedom, because it replaces the top, which
    /// is then known from the other curves.
    pub fn means(self, batches: f64) -> Self {
        let flat: Theta = [self.mean, self.mean, 0.0, 0.0];
        let total = cost(&self.doses, &Pull::of_batches(batches), &flat);
        Self { n: self.doses.len(), within: 0.0, set_aside: Some(self.within), total, batches, ..self }
    }

    /// The same with separate batches, whose factors have this penalty (see [`Pull::batches`]), about a curve.
    pub fn by_batch(self, sorted: &Sorted, batches: f64, theta: &Theta) -> Self {
        let levels = sorted.levels_by_batch();
        let between: f64 = levels.iter().map(|level| level.weight * level.mean * level.mean).sum();
        let all: f64 = sorted.values.iter().map(|value| value * value).sum();
        let curve = theta.ready();
        let sums = sums_of_batches(&levels, |ln_dose| Theta::value(&curve, ln_dose));
        let spent = sums.iter().map(|own| own.curve / (batches + own.curve)).sum();
        // Batches differ about a constant as well.
        let flat: Theta = [self.mean, self.mean, 0.0, 0.0];
        let within = (all - between).max(0.0);
        let total = within + cost(&levels, &Pull::of_batches(batches), &flat);
        Self { levels, within, total, batches, spent, ..self }
    }

    /// A minimum as a candidate.
    pub fn candidate<const N: usize>(
        &self,
        limits: Limits<N>,
        minimum: &Minimum<N>,
        learnt: &Learnt,
    ) -> Candidate<N> {
        let squares = self.within + minimum.cost - limits.pull.cost(&minimum.theta);
        let variance = learnt.moderated(squares, self.freedom(limits.free()));
        let spread = Spread { limits, minimum: *minimum, variance };
        Candidate { limits, theta: minimum.theta, squares, variance, spread }
    }

    /// The residual degrees of freedom with this number of parameters.
    pub fn freedom(&self, parameters: usize) -> usize {
        self.n.saturating_sub(parameters + self.spent.round() as usize)
    }

    /// The variance of the mean of the readings, for a reading variance of 1. It includes the variance of the batch
    /// factors, which move the mean.
    pub fn uncertainty_of_mean(&self) -> f64 {
        let mut weights = [0.0; MOST_BATCHES];
        self.levels.iter().for_each(|level| weights[level.batch as usize] += level.weight);
        let all: f64 = weights.iter().sum();
        let shares: f64 = weights.iter().map(|weight| (weight / all).powi(2)).sum();
        let of_factors = if self.batches > 0.0 { shares * self.mean * self.mean / self.batches } else { 0.0 };
        1.0 / all + of_factors
    }

    /// The p value of the F test against the mean; NaN without degrees of freedom.
    pub fn p_against_mean<const N: usize>(&self, candidate: &Candidate<N>) -> f64 {
        let more = candidate.limits.free() as f64 - 1.0;
        let (variance, freedom) = candidate.variance;
        let f = (self.total - candidate.squares) / more / variance.max(1e-300);
        if freedom > 0.0 { f_upper_tail(f, more, freedom) } else { f64::NAN }
    }

    /// Akaike's criterion with the correction for few readings, counting the variance as a parameter.
    pub fn aicc<const N: usize>(&self, candidate: &Candidate<N>) -> f64 {
        let (n, k) = (self.n as f64, candidate.limits.free() as f64 + 1.0);
        if n - k - 1.0 <= 0.0 {
            return f64::INFINITY;
        }
        n * (candidate.squares / n).max(1e-12).ln() + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0)
    }
}
