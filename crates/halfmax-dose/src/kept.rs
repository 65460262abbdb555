//! The readings that a curve is fitted to, and the curves that are tried on them.

use crate::distributions::f_upper_tail;
use crate::learnt::Learnt;
use crate::least_squares::{Level, Limits, MOST_BATCHES, Minimum, Pull, cost, sums_of_batches};
use crate::model::Curve;
use crate::robust::Sorted;
use crate::shape::Theta;

/// One curve tried on the readings kept.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<const N: usize = 4> {
    pub limits: Limits<N>,
    pub theta: [f64; N],
    /// The sum of squares of the readings about the curve, without the pull.
    pub squares: f64,
    /// The variance of a reading, with what other curves say of it, and its degrees of freedom.
    pub variance: (f64, f64),
    /// What intervals are taken from.
    pub spread: Spread<N>,
}

/// What the intervals of a curve are taken from: the curve itself, or the larger one that it was preferred to. That the top is
/// the control's was then found in these same readings; intervals that took it as known held the truth in 92 % of cases.
#[derive(Clone, Copy)]
pub(crate) struct Spread<const N: usize = 4> {
    pub limits: Limits<N>,
    pub minimum: Minimum<N>,
    pub variance: (f64, f64),
}

/// The readings kept, as every candidate sees them.
pub(crate) struct Kept {
    /// The readings of each dose, and batch where batches differ.
    pub levels: Vec<Level>,
    /// The readings of each dose.
    pub doses: Vec<Level>,
    pub n: usize,
    /// What readings of one dose differ by: no curve explains it.
    pub within: f64,
    /// The sum of squares about the mean.
    pub total: f64,
    pub mean: f64,
    /// The penalty on the factors of batches ([`Pull::batches`]); 0 where they are not told apart.
    pub batches: f64,
    /// The degrees of freedom that those factors take.
    pub spent: f64,
    /// What readings of one dose differ by, where the curve is fitted to the means of doses alone; see [`Self::means`].
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

    /// The means of doses alone, of readings that differ in a factor for each batch that nothing tells apart. All means have one factor, the mean of those of
    /// the batches, penalised so. It takes no degree of freedom: it stands for the top, which is then known from the other curves.
    pub fn means(self, batches: f64) -> Self {
        let flat: Theta = [self.mean, self.mean, 0.0, 0.0];
        let total = cost(&self.doses, &Pull::of_batches(batches), &flat);
        Self { n: self.doses.len(), within: 0.0, set_aside: Some(self.within), total, batches, ..self }
    }

    /// The same with batches told apart, whose factors are penalised so (see [`Pull::batches`]), about a curve.
    pub fn by_batch(self, sorted: &Sorted, batches: f64, theta: &Theta) -> Self {
        let levels = sorted.levels_by_batch();
        let between: f64 = levels.iter().map(|level| level.weight * level.mean * level.mean).sum();
        let all: f64 = sorted.values.iter().map(|value| value * value).sum();
        let curve = theta.ready();
        let sums = sums_of_batches(&levels, |ln_dose| Theta::value(&curve, ln_dose));
        let spent = sums.iter().map(|own| own.curve / (batches + own.curve)).sum();
        // About a constant batches differ as well.
        let flat: Theta = [self.mean, self.mean, 0.0, 0.0];
        let within = (all - between).max(0.0);
        let total = within + cost(&levels, &Pull::of_batches(batches), &flat);
        Self { levels, within, total, batches, spent, ..self }
    }

    /// A curve of least cost, as a candidate.
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

    /// The degrees of freedom that so many parameters leave.
    pub fn freedom(&self, parameters: usize) -> usize {
        self.n.saturating_sub(parameters + self.spent.round() as usize)
    }

    /// The variance of the mean of the readings, for a variance of readings of 1: with that of the factors of batches, which move the mean.
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

    /// Akaike's criterion with the correction for few readings, the variance counted as a parameter.
    pub fn aicc<const N: usize>(&self, candidate: &Candidate<N>) -> f64 {
        let (n, k) = (self.n as f64, candidate.limits.free() as f64 + 1.0);
        if n - k - 1.0 <= 0.0 {
            return f64::INFINITY;
        }
        n * (candidate.squares / n).max(1e-12).ln() + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0)
    }
}
