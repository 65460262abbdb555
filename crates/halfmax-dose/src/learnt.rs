//! Common properties of the curves of a file, learnt from all of them: the distribution of Hill slopes and the error of
//! readings. A curve with a single dose on its slope, or with hardly more readings than parameters, determines neither
//! alone.

use rayon::prelude::*;
use serde::Serialize;

use crate::distributions::f_upper_tail;
use crate::least_squares::{Level, Limits, OfBatch, Pull, cholesky, descend, normal, sums_of_batches};
use crate::model::Curve;
use crate::robust::Sorted;
use crate::shape::{Theta, share_of_top};

/// The fewest curves to learn from.
const LEAST_CURVES: usize = 20;
/// The largest number of degrees of freedom borrowed from the other curves.
const MOST_WORTH: f64 = 20.0;
/// The smallest accepted spread of ln Hill over curves.
const LEAST_SPREAD: f64 = 0.25;

/// The p value of the F test against a constant below which a slope is informative.
const CLEARLY: f64 = 0.01;

/// Learnt properties: distributions over the curves of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Learnt {
    /// The mean and the standard deviation of the top.
    pub top: Option<[f64; 2]>,
    /// The mean and the standard deviation of the bottom, if the curves share it.
    pub bottom: Option<[f64; 2]>,
    /// The mean and the standard deviation of ln Hill.
    pub ln_hill: Option<[f64; 2]>,
    /// The variance of a reading, and its prior degrees of freedom.
    pub variance: Option<[f64; 2]>,
    /// The standard deviation of the batch factors, if batches differ.
    pub batches: Option<f64>,
    /// Whether replicates vary like batches, although no column marks the batches.
    pub batches_not_told: bool,
}

/// One curve of the file, fitted alone.
pub(crate) struct Own {
    pub levels: Vec<Level>,
    pub limits: Limits,
    pub theta: Theta,
    /// The sum of squares of the readings about the curve.
    pub squares: f64,
    pub freedom: usize,
    /// The explained sum of squares relative to the mean; 0 for a rising curve.
    pub explained: f64,
    /// The differences between its batches, if it has several.
    pub batches: Option<Batches>,
    /// The variation of its replicates, if it has replicates without marked batches.
    pub replicates: Option<Replicates>,
}

/// The variation of a curve's replicates. If each dose has a reading of each batch, and batches differ by a factor, the
/// replicates of a dose vary more than the dose means vary about the curve. The mean factor moves all doses alike, and
/// the curve follows it.
pub(crate) struct Replicates {
    /// The sum of squares of the means of doses about the curve, and its degrees of freedom.
    pub squares: f64,
    pub freedom: usize,
    /// The expected sum of squares if replicates err independently, each dose with the variance of its own replicates.
    pub independent: f64,
    /// Sums over doses: the variance of replicates times the squared curve, the squared curve, and the fourth power of
    /// the curve.
    pub along: [f64; 3],
    /// The average number of readings per dose.
    pub count: f64,
}

impl Replicates {
    /// The variation of replicates about a curve with these limits. `None` if doses have a single reading, or there are
    /// hardly more doses than parameters.
    pub fn of(
        sorted: &Sorted,
        levels: &[Level],
        limits: &Limits,
        theta: &Theta,
        squares: f64,
    ) -> Option<Self> {
        let within: [bool; 4] = std::array::from_fn(|at| limits.is_free(at) && !limits.holds(at, theta[at]));
        let freedom = levels.len().saturating_sub(within.iter().filter(|within| **within).count());
        let count = sorted.values.len() as f64 / levels.len() as f64;
        let mut sums = vec![0.0; levels.len()];
        sorted.place.iter().zip(&sorted.values).for_each(|(place, value)| {
            sums[*place as usize] += (value - levels[*place as usize].mean).powi(2)
        });
        let replicated = sorted.values.len() - levels.len();
        if freedom == 0 || replicated < levels.len() {
            return None;
        }
        let usual = sums.iter().sum::<f64>() / replicated as f64;
        let factor = cholesky(&normal(levels, &Pull::NONE, theta).matrix, &within)?;
        let curve = theta.ready();
        let (mut independent, mut along) = (0.0, [0.0; 3]);
        for (level, sum) in levels.iter().zip(sums) {
            let (value, slopes) = Theta::slopes(&curve, level.ln_dose);
            let solved = factor.solve(&slopes);
            let leverage: f64 =
                (0..4).filter(|at| within[*at]).map(|at| level.weight * slopes[at] * solved[at]).sum();
            let variance = if level.weight > 1.0 { sum / (level.weight - 1.0) } else { usual };
            let square = value * value;
            independent += (1.0 - leverage) * variance;
            along = [along[0] + variance * square, along[1] + square, along[2] + square * square];
        }
        Some(Self { squares, freedom, independent, along, count })
    }
}

/// The differences between the batches of a curve: one factor each.
pub(crate) struct Batches {
    /// The sum of squares of the factors about their mean, and the number of batches minus one.
    squares: f64,
    freedom: usize,
    /// The variance of a factor for a reading variance of 1.
    error: f64,
}

impl Own {
    /// Subtracts the sum of squares that batch factors explain.
    pub fn tell_batches_apart(&mut self, levels: &[Level]) {
        let curve = self.theta.ready();
        let sums = sums_of_batches(levels, |ln_dose| Theta::value(&curve, ln_dose));
        let of_batches: Vec<OfBatch> = sums.into_iter().filter(|own| own.curve > 0.0).collect();
        let count = of_batches.len();
        if count < 2 || self.freedom < count {
            return;
        }
        let factors: Vec<f64> = of_batches.iter().map(|own| own.residual / own.curve).collect();
        let mean = factors.iter().sum::<f64>() / count as f64;
        self.squares -= of_batches.iter().map(|own| own.residual * own.residual / own.curve).sum::<f64>();
        self.freedom -= count - 1;
        self.batches = Some(Batches {
            squares: factors.iter().map(|factor| (factor - mean).powi(2)).sum(),
            freedom: count - 1,
            error: of_batches.iter().map(|own| 1.0 / own.curve).sum::<f64>() / count as f64,
        });
    }

    /// Reduces the readings to dose means, if batches are unmarked.
    fn take_means(&mut self) {
        if let Some(replicates) = &self.replicates {
            (self.squares, self.freedom) = (replicates.squares, replicates.freedom);
        }
    }

    /// The number of readings per dose that have separate factors, if they do.
    fn factors(&self, learnt: &Learnt) -> Option<f64> {
        let told = self.batches.as_ref().map(|batches| batches.freedom as f64 + 1.0);
        told.or_else(|| self.replicates.as_ref().filter(|_| learnt.batches_not_told).map(|own| own.count))
    }
}

/// The standard deviation of the batch factors beyond the error of readings; `None` if it is not clearly above 0.
fn factors_of_batches(curves: &[Own], learnt: &Learnt) -> Option<f64> {
    let [variance, _] = learnt.variance?;
    let of: Vec<&Batches> = curves.iter().filter_map(|own| own.batches.as_ref()).collect();
    if of.len() < LEAST_CURVES {
        return None;
    }
    let freedom = of.iter().map(|batches| batches.freedom).sum::<usize>() as f64;
    let found = of.iter().map(|batches| batches.squares).sum::<f64>() / freedom;
    let by_chance = variance * of.iter().map(|batches| batches.error).sum::<f64>() / of.len() as f64;
    // By chance alone the ratio is 1, within 2.6 standard errors in 99 of 100 files.
    (found > by_chance * (1.0 + 2.6 * (2.0 / freedom).sqrt())).then(|| (found - by_chance).sqrt())
}

/// The sum of squares of dose means about curves, as a fraction of the expectation for independent replicates. Below
/// this value, replicates are not independent. In simulated files of 300 and 1,000 curves without batches it was 0.86
/// (five doses) to 1.1: curves with few doses use more than their number of parameters.
const INDEPENDENT: f64 = 0.85;

/// The standard deviation of unmarked batch factors, estimated from the replicates of falling curves; `None` if
/// replicates may be independent.
fn factors_of_replicates<'a>(curves: impl Iterator<Item = &'a Own>) -> Option<f64> {
    let of: Vec<&Replicates> = curves.filter_map(|own| own.replicates.as_ref()).collect();
    if of.len() < LEAST_CURVES {
        return None;
    }
    let off = || of.iter().map(|own| own.squares - INDEPENDENT * own.independent);
    let error = off().map(|off| off * off).sum::<f64>().sqrt();
    // As in `factors_of_batches`: by chance in fewer than 1 of 100 files.
    if off().sum::<f64>() > -2.6 * error {
        return None;
    }
    let sum = |value: fn(&Replicates) -> f64| of.iter().map(|own| value(own)).sum::<f64>();
    let variance = sum(|own| own.squares) / sum(|own| own.freedom as f64);
    // The variance of replicates is the reading variance plus the factor variance times the squared curve.
    let squared = (sum(|own| own.along[0]) - variance * sum(|own| own.along[1])) / sum(|own| own.along[2]);
    (squared > 0.0).then(|| squared.sqrt())
}

impl Learnt {
    /// Learns from the curves of a file.
    pub(crate) fn of(mut curves: Vec<Own>) -> Self {
        let variance = |curves: &[Own]| {
            common_variance(curves.iter().map(|own| (own.squares, own.freedom)), LEAST_CURVES)
        };
        let mut learnt = Self { variance: variance(&curves), ..Self::default() };
        let falls = |own: &&Own, learnt: &Self| {
            // The parameters of the curve besides the mean.
            let more = own.limits.free() as f64 - 1.0;
            let (variance, freedom) = learnt.moderated(own.squares, own.freedom);
            freedom > 0.0
                && f_upper_tail(own.explained / more / variance.max(1e-300), more, freedom) < CLEARLY
        };
        learnt.batches = factors_of_batches(&curves, &learnt);
        if learnt.batches.is_none() {
            learnt.batches = factors_of_replicates(curves.iter().filter(|own| falls(own, &learnt)));
            learnt.batches_not_told = learnt.batches.is_some();
        }
        if learnt.batches_not_told {
            curves.iter_mut().for_each(Own::take_means);
            learnt.variance = variance(&curves);
        }
        let falls = |own: &&Own| falls(own, &learnt);
        let ln_hill = slopes(curves.iter().filter(falls), &learnt);
        let learnt = Self { ln_hill, ..learnt };
        Self { top: tops(&curves, &learnt), bottom: bottoms(&curves, &falls, &learnt), ..learnt }
    }

    /// The variance of a curve's readings and its degrees of freedom, moderated by the other curves (Smyth 2004, eq. 3
    /// ff.).
    pub(crate) fn moderated(&self, squares: f64, freedom: usize) -> (f64, f64) {
        let own = freedom as f64;
        match self.variance {
            Some([variance, worth]) => ((squares + worth * variance) / (own + worth), own + worth),
            None => (squares / own, own),
        }
    }
}

/// The common variance of readings and its prior degrees of freedom, from sums of squares and their degrees of freedom
/// (Smyth 2004, section 6.2); `None` from fewer than `least`.
pub(crate) fn common_variance(sums: impl Iterator<Item = (f64, usize)>, least: usize) -> Option<[f64; 2]> {
    let mut logs: Vec<(f64, f64)> = sums
        .filter(|(squares, freedom)| *freedom > 0 && *squares > 0.0)
        .map(|(squares, freedom)| {
            let half = freedom as f64 / 2.0;
            ((squares / freedom as f64).ln() - digamma(half) + half.ln(), trigamma(half))
        })
        .collect();
    if logs.len() < least {
        return None;
    }
    // A few curves that no model fits must not determine the error of readings. Therefore values far above the median
    // are capped.
    logs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let middle = logs[logs.len() / 2].0;
    logs.iter_mut().for_each(|(log, expected)| *log = log.min(middle + 3.0 * expected.sqrt()));
    let n = logs.len() as f64;
    let mean = logs.iter().map(|(log, _)| log).sum::<f64>() / n;
    let spread = logs.iter().map(|(log, _)| (log - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let spread = spread - logs.iter().map(|(_, expected)| expected).sum::<f64>() / n;
    let worth = if spread > 0.0 { (2.0 * inverse_trigamma(spread)).min(MOST_WORTH) } else { MOST_WORTH };
    let variance = (mean + digamma(worth / 2.0) - (worth / 2.0).ln()).exp();
    Some([variance, worth])
}

/// The smallest accepted spread of tops. A few hundred tops, each known to within 0.02, cannot distinguish it from 0.
const LEAST_SPREAD_OF_TOPS: f64 = 0.005;
/// A plateau that is known less well, or a top further from the control, gives no information about the others.
const KNOWN: f64 = 0.2;

/// The common distribution of some values.
struct Common {
    mean: f64,
    /// The mean weighted by the precision of each value, as if all were equal.
    middle: f64,
    /// The variance between values beyond their own variances, and its standard error.
    variance: f64,
    error: f64,
}

/// The common distribution of values with individual variances (DerSimonian & Laird 1986); `None` with too few values.
fn common(values: &[(f64, f64)]) -> Option<Common> {
    if values.len() < LEAST_CURVES {
        return None;
    }
    let sum = |of: &dyn Fn(f64, f64) -> f64| values.iter().map(|(value, own)| of(*value, *own)).sum::<f64>();
    let (n, all, squares) = (values.len() as f64, sum(&|_, own| 1.0 / own), sum(&|_, own| 1.0 / (own * own)));
    let middle = sum(&|value, own| value / own) / all;
    let apart = sum(&|value, own| (value - middle).powi(2) / own);
    let scale = all - squares / all;
    let variance = (apart - (n - 1.0)) / scale;
    let beyond = variance.max(0.0);
    let error = (2.0 * sum(&|_, own| (1.0 + beyond / own).powi(2))).sqrt() / scale;
    let mean = sum(&|value, own| value / (own + beyond)) / sum(&|_, own| 1.0 / (own + beyond));
    Some(Common { mean, middle, variance, error })
}

/// The top of a curve and its variance, if the readings determine it. It is one Newton step from the best curve under
/// the priors on tops and slopes, with the variance at that point, which hardly depends on noise in the top. The
/// variance of a free fit is smaller if noise lowers the top, because the lowest doses then seem to lie on a plateau.
/// Such tops would get too much weight, and the spread of tops would be overestimated.
fn top(own: &Own, [mean, spread]: [f64; 2], learnt: &Learnt) -> Option<(f64, f64)> {
    let (variance, freedom) = learnt.moderated(own.squares, own.freedom);
    let mut pull = Pull::NONE;
    if let Some([mean, spread]) = learnt.ln_hill {
        (pull.at[3], pull.weight[3]) = (mean, variance / (spread * spread));
    }
    let mut drawn = Limits { pull, ..own.limits };
    (drawn.pull.at[0], drawn.pull.weight[0]) = (mean, variance / (spread * spread));
    let theta = descend(&own.levels, &drawn, &own.theta).theta;
    let within = |at: usize| own.limits.is_free(at) && !own.limits.holds(at, theta[at]);
    // A top at the end of its range would also move.
    let free = [own.limits.is_free(0), within(1), within(2), within(3)];
    let here = normal(&own.levels, &pull, &theta);
    let factor = cholesky(&here.matrix, &free)?;
    let squared = variance * factor.solve(&[1.0, 0.0, 0.0, 0.0])[0];
    let from = theta[0];
    let top = from + factor.solve(&here.gradient)[0];
    let usable = free[0] && freedom >= 1.0 && squared > 0.0 && squared < KNOWN * KNOWN;
    usable.then_some((top, squared))
}

/// The number of rounds that learn tops from curves with the learnt priors. The fourth round changed no spread of a
/// simulated screen by more than 1e-4.
const PASSES: usize = 4;

/// The distribution of tops.
fn tops(curves: &[Own], learnt: &Learnt) -> Option<[f64; 2]> {
    let near = |(top, _): &(f64, f64)| (top - 1.0).abs() < 2.0 * KNOWN;
    // The batch factors of a curve move its top together.
    let counts = curves.iter().filter_map(|own| own.factors(learnt));
    let (several, shares) = counts.fold((0.0, 0.0), |(n, sum), count| (n + 1.0, sum + 1.0 / count));
    let of_batches = learnt.batches.map_or(0.0, |spread| spread * spread * shares / f64::max(several, 1.0));
    let mut prior = [1.0, LEAST_SPREAD_OF_TOPS];
    let mut spread = LEAST_SPREAD_OF_TOPS;
    for _ in 0..PASSES {
        let tops: Vec<(f64, f64)> = curves
            .par_iter()
            .with_min_len(16)
            .filter_map(|own| top(own, prior, learnt))
            .filter(near)
            .collect();
        let Common { mean, variance, error, .. } = common(&tops)?;
        prior = [mean, (variance - error).max(0.0).sqrt().max(LEAST_SPREAD_OF_TOPS)];
        // A variance within one standard error of 0 may be 0.
        spread = (variance - of_batches - error).max(0.0).sqrt().max(LEAST_SPREAD_OF_TOPS);
    }
    Some([prior[0], spread])
}

/// The fraction of the way to the bottom from which the highest dose counts as being at the bottom.
const REACHED: f64 = 0.95;

/// The bottom of a curve and its variance, if the readings determine it. If a curve has not reached its bottom at the
/// highest dose, only its slope determines the bottom.
fn bottom(own: &Own, learnt: &Learnt) -> Option<(f64, f64)> {
    let free: [bool; 4] = std::array::from_fn(|at| own.limits.is_free(at));
    let factor = cholesky(&normal(&own.levels, &Pull::NONE, &own.theta).matrix, &free)?;
    let (variance, freedom) = learnt.moderated(own.squares, own.freedom);
    let squared = variance * factor.solve(&[0.0, 1.0, 0.0, 0.0])[1];
    let (of_top, _) = share_of_top(own.levels.last()?.ln_dose, own.theta[2], own.theta[3].exp());
    let reached = 1.0 - of_top > REACHED;
    let usable = reached && free[1] && freedom >= 1.0 && squared > 0.0 && squared < KNOWN * KNOWN;
    usable.then_some((own.theta[1], squared))
}

/// The smallest accepted spread of bottoms, and the largest spread of similar bottoms. With a larger spread, nothing is
/// learnt.
const SPREADS_OF_BOTTOMS: [f64; 2] = [0.02, 0.12];

/// The distribution of the bottoms of curves that fall.
fn bottoms(curves: &[Own], falls: &impl Fn(&&Own) -> bool, learnt: &Learnt) -> Option<[f64; 2]> {
    let known: Vec<(f64, f64)> = curves.iter().filter(falls).filter_map(|own| bottom(own, learnt)).collect();
    // Poorly known bottoms are biased upwards: for curves with a lower bottom, the highest dose does not seem to reach
    // it.
    let Common { middle, variance, .. } = common(&known)?;
    let [least, most] = SPREADS_OF_BOTTOMS;
    let spread = variance.max(0.0).sqrt();
    (spread < most).then_some([middle, spread.max(least)])
}

/// The number of Hill slopes at which likelihoods are evaluated.
const GRID: usize = 17;
/// The number of rounds of expectation maximisation.
const ROUNDS: usize = 60;

/// The normal distribution of ln Hill that maximises the likelihood of the readings of all curves. The likelihood of a
/// slope is integrated over the other parameters (Laplace 1774; Tierney & Kadane 1986): the profile likelihood would
/// favour steep slopes, which fit noise best.
fn slopes<'a>(curves: impl Iterator<Item = &'a Own>, learnt: &Learnt) -> Option<[f64; 2]> {
    let curves: Vec<&Own> = curves.collect();
    let [low, high] = curves.first()?.limits.ranges[3];
    let grid: [f64; GRID] = std::array::from_fn(|at| low + (high - low) * at as f64 / (GRID - 1) as f64);
    let likelihood = |own: &&Own| {
        let (variance, freedom) = learnt.moderated(own.squares, own.freedom);
        let logs = (freedom > 0.0 && variance > 0.0).then(|| likelihoods_along(own, &grid, variance))?;
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(logs.map(|log| (log - most).exp()))
    };
    let likelihoods: Vec<[f64; GRID]> = curves.par_iter().with_min_len(16).filter_map(likelihood).collect();
    if likelihoods.len() < LEAST_CURVES {
        return None;
    }
    let (mut mean, mut spread) = (0.3, 0.7_f64);
    for _ in 0..ROUNDS {
        let prior = grid.map(|at| (-((at - mean) / spread).powi(2) / 2.0).exp());
        let mut sums = [0.0; 3];
        for likelihood in &likelihoods {
            let weights: [f64; GRID] = std::array::from_fn(|at| prior[at] * likelihood[at]);
            let total: f64 = weights.iter().sum();
            if total > 0.0 {
                let first = (0..GRID).map(|at| weights[at] * grid[at]).sum::<f64>() / total;
                let second = (0..GRID).map(|at| weights[at] * grid[at] * grid[at]).sum::<f64>() / total;
                sums = [sums[0] + 1.0, sums[1] + first, sums[2] + second];
            }
        }
        let moments = [sums[1] / sums[0], sums[2] / sums[0]];
        mean = moments[0];
        spread = (moments[1] - mean * mean).max(0.0).sqrt().max(LEAST_SPREAD);
    }
    (mean.is_finite() && spread.is_finite()).then_some([mean, spread])
}

/// The logarithm of the integrated likelihood with the slope fixed at each grid value, from the curve's own slope to
/// both sides.
fn likelihoods_along(own: &Own, grid: &[f64; GRID], variance: f64) -> [f64; GRID] {
    let mut logs = [f64::NEG_INFINITY; GRID];
    let nearest = (0..GRID)
        .min_by(|a, b| (grid[*a] - own.theta[3]).abs().total_cmp(&(grid[*b] - own.theta[3]).abs()))
        .unwrap_or(0);
    for order in [(nearest..GRID).collect::<Vec<_>>(), (0..=nearest).rev().collect()] {
        let mut theta = own.theta;
        for at in order {
            let mut held = Limits { pull: Pull::NONE, ..own.limits };
            held.ranges[3] = [grid[at]; 2];
            let found = descend(&own.levels, &held, &theta);
            theta = found.theta;
            let log = -found.cost / (2.0 * variance) - volume(own, &held, &theta, variance);
            logs[at] = logs[at].max(log);
        }
    }
    logs
}

/// Half the logarithm of the determinant of the information about the other parameters. Plateaus have a prior width of
/// about one half. Between two doses of a steep curve, where the quadratic has no curvature, the EC50 is known to lie
/// between these doses.
fn volume(own: &Own, held: &Limits, theta: &Theta, variance: f64) -> f64 {
    const PLATEAU: f64 = 0.5;
    let free: [bool; 4] = std::array::from_fn(|at| held.is_free(at));
    let mut information = normal(&own.levels, &Pull::NONE, theta).matrix;
    let doses = own.levels.iter().map(|level| level.ln_dose);
    let [low, high] =
        doses.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], ln| [low.min(ln), high.max(ln)]);
    let gap = (high - low) / (own.levels.len() as f64 - 1.0).max(1.0);
    let before = [1.0 / (PLATEAU * PLATEAU), 1.0 / (PLATEAU * PLATEAU), 12.0 / (gap * gap), 0.0];
    for at in 0..4 {
        information[at][at] += variance * before[at];
    }
    let factor = cholesky(&information, &free);
    factor.map_or(f64::INFINITY, |factor| factor.half_ln_determinant())
}

/// The derivative of the logarithm of the gamma function, for arguments above 0.
fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 8.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    sum + x.ln() - 0.5 / x - inverse * (1.0 / 12.0 - inverse * (1.0 / 120.0 - inverse / 252.0))
}

/// The second derivative of the logarithm of the gamma function, for arguments above 0.
fn trigamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 8.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    sum + 1.0 / x + inverse / 2.0 + inverse / x * (1.0 / 6.0 - inverse * (1.0 / 30.0 - inverse / 42.0))
}

/// The argument at which the trigamma function has this value, by bisection on its logarithm.
fn inverse_trigamma(value: f64) -> f64 {
    let (mut low, mut high) = (-10.0_f64, 15.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if trigamma(middle.exp()) > value { low = middle } else { high = middle }
    }
    f64::midpoint(low, high).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_functions_are_those_of_the_tables() {
        // Abramowitz & Stegun, table 6.1 and 6.4.10.
        assert!((digamma(1.0) + 0.577_215_664_9).abs() < 1e-9);
        assert!((digamma(0.5) + 1.963_510_026_0).abs() < 1e-9);
        assert!((trigamma(1.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-9);
        assert!((trigamma(0.5) - std::f64::consts::PI.powi(2) / 2.0).abs() < 1e-9);
        for x in [0.02, 0.7, 3.0, 400.0] {
            assert!((inverse_trigamma(trigamma(x)) / x - 1.0).abs() < 1e-6, "{x}");
        }
    }
}
