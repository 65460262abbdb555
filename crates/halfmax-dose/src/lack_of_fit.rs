//! The lack-of-fit test: whether replicates agree better with each other than with the curve.

use crate::distributions::f_upper_tail;
use crate::least_squares::MOST_BATCHES;
use crate::robust::Sorted;

/// The number of rounds that alternate between doses and batches.
const ROUNDS: usize = 40;

/// The inputs of the test for one curve.
pub(crate) struct LackOfFit<'a> {
    pub sorted: &'a Sorted,
    /// The fitted viability at each dose.
    pub fitted: Vec<f64>,
    /// The sum of squares about the curve, with the factors of batches.
    pub squares: f64,
    /// The parameters of the curve.
    pub parameters: usize,
    /// The penalty on the batch factors ([`crate::least_squares::Pull::batches`]), and the degrees of freedom that they
    /// use.
    pub batches: f64,
    pub spent: f64,
}

impl LackOfFit<'_> {
    /// The p value of the F test of the curve against a mean for each nominal dose (the lack-of-fit test: Draper &
    /// Smith 1998, section 2.1), with batch factors in both models if batches differ. NaN without replicates, or unless
    /// there are more doses than parameters.
    pub fn p_value(&self) -> f64 {
        let groups = self.sorted.nominal_places();
        let doses = groups.last().map_or(0, |last| last + 1);
        let n = self.sorted.values.len();
        let taken = doses + self.spent.round() as usize;
        if doses <= self.parameters || n <= taken {
            return f64::NAN;
        }
        let (lack, pure) = ((doses - self.parameters) as f64, (n - taken) as f64);
        let within = self.within(&groups, doses);
        // Replicates that are equal except for rounding are one reading written twice.
        if within <= 1e-12 * n as f64 {
            return f64::NAN;
        }
        f_upper_tail((self.squares - within) / lack / (within / pure), lack, pure)
    }

    /// The sum of squares about the curve plus an offset for each dose.
    fn within(&self, groups: &[usize], doses: usize) -> f64 {
        let place = |at: usize| self.sorted.place[at] as usize;
        let batch = |at: usize| self.sorted.batch.get(at).map_or(0, |batch| *batch as usize);
        let residual = |at: usize| self.sorted.values[at] - self.fitted[place(at)];
        let n = self.sorted.values.len();
        let mut factors = [0.0; MOST_BATCHES];
        let mut offsets = vec![0.0; doses];
        let rounds = if self.batches > 0.0 { ROUNDS } else { 1 };
        for _ in 0..rounds {
            let mut sums = vec![[0.0; 2]; doses];
            for at in 0..n {
                let own = &mut sums[groups[place(at)]];
                *own = [own[0] + residual(at) - factors[batch(at)] * self.fitted[place(at)], own[1] + 1.0];
            }
            offsets = sums.iter().map(|[sum, count]| sum / f64::max(*count, 1.0)).collect();
            if self.batches > 0.0 {
                let mut sums = [[0.0; 2]; MOST_BATCHES];
                for at in 0..n {
                    let (own, curve) = (&mut sums[batch(at)], self.fitted[place(at)]);
                    let rest = residual(at) - offsets[groups[place(at)]];
                    *own = [own[0] + curve * rest, own[1] + curve * curve];
                }
                factors = sums.map(|[along, curve]| along / (self.batches + curve));
            }
        }
        let rest = |at: usize| {
            residual(at) - offsets[groups[place(at)]] - factors[batch(at)] * self.fitted[place(at)]
        };
        let penalty: f64 = factors.iter().map(|factor| self.batches * factor * factor).sum();
        (0..n).map(|at| rest(at).powi(2)).sum::<f64>() + penalty
    }
}
