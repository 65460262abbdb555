//! Bounded weighted least squares by Levenberg–Marquardt, for curves of any number of parameters.

use crate::model::Curve;

/// The sufficient statistics of the readings at one dose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// The natural logarithm of the dose; minus infinity for dose 0.
    pub ln_dose: f64,
    /// The weight, 1 per reading.
    pub weight: f64,
    /// The weighted mean of the readings.
    pub mean: f64,
    /// The batch of the readings, below [`MOST_BATCHES`]; 0 if batches are ignored.
    pub batch: u32,
}

/// The largest number of separate batches of a curve.
pub(crate) const MOST_BATCHES: usize = 16;

/// Constraints on parameters: ranges and priors. A range of one value fixes the parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits<const N: usize = 4> {
    pub ranges: [[f64; 2]; N],
    pub pull: Pull<N>,
}

/// Normal priors, as a penalty on the sum of squares: `weight (parameter − at)²` each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pull<const N: usize = 4> {
    pub at: [f64; N],
    /// The variance of a reading divided by that of the prior; 0 without a prior.
    pub weight: [f64; N],
    /// The variance of a reading divided by that of the batch factors. Each batch's curve is `1 + b` times the common
    /// curve, with a penalty `batches b²`; 0 if batches do not differ.
    pub batches: f64,
}

impl<const N: usize> Pull<N> {
    /// No priors.
    pub const NONE: Self = Self { at: [0.0; N], weight: [0.0; N], batches: 0.0 };

    /// A prior on the batch factors only.
    pub fn of_batches(batches: f64) -> Self {
        Self { batches, ..Self::NONE }
    }

    pub fn cost(&self, theta: &[f64; N]) -> f64 {
        (0..N).map(|at| self.weight[at] * (theta[at] - self.at[at]).powi(2)).sum()
    }
}

/// Sums over the levels of one batch: the curve times the residuals, and the squared curve. They give the sum of
/// squares that the batch factor explains.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OfBatch {
    pub residual: f64,
    pub curve: f64,
}

impl OfBatch {
    fn add(&mut self, level: &Level, curve: f64) {
        self.residual += level.weight * curve * (level.mean - curve);
        self.curve += level.weight * curve * curve;
    }

    /// The reduction of the sum of squares by the batch factor, with a penalty of `batches` on its square.
    fn explains(&self, batches: f64) -> f64 {
        if self.curve > 0.0 { self.residual * self.residual / (batches + self.curve) } else { 0.0 }
    }
}

/// The sums of each batch about a curve.
pub(crate) fn sums_of_batches(levels: &[Level], curve: impl Fn(f64) -> f64) -> [OfBatch; MOST_BATCHES] {
    let mut sums = [OfBatch::default(); MOST_BATCHES];
    levels.iter().for_each(|level| sums[level.batch as usize].add(level, curve(level.ln_dose)));
    sums
}

impl<const N: usize> Limits<N> {
    /// Ranges without priors.
    pub fn new(ranges: [[f64; 2]; N]) -> Self {
        Self { ranges, pull: Pull::NONE }
    }

    pub fn is_free(&self, parameter: usize) -> bool {
        self.ranges[parameter][0] < self.ranges[parameter][1]
    }

    pub fn free(&self) -> usize {
        (0..N).filter(|parameter| self.is_free(*parameter)).count()
    }

    /// Whether a free parameter is at an end of its range.
    pub fn holds(&self, parameter: usize, value: f64) -> bool {
        let [low, high] = self.ranges[parameter];
        let slack = 1e-9 * (high - low);
        self.is_free(parameter) && (value <= low + slack || value >= high - slack)
    }

    pub fn clamp(&self, parameter: usize, value: f64) -> f64 {
        value.clamp(self.ranges[parameter][0], self.ranges[parameter][1])
    }
}

/// A minimum of the cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minimum<const N: usize = 4> {
    pub theta: [f64; N],
    /// The weighted sum of squares of the levels' means about the curve, without the variation within doses, with the
    /// priors.
    pub cost: f64,
}

/// The normal equations at a point in parameter space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Normal<const N: usize> {
    pub matrix: [[f64; N]; N],
    pub gradient: [f64; N],
    pub cost: f64,
}

/// The weighted normal equations of the curve at `theta`.
pub(crate) fn normal<const N: usize>(levels: &[Level], pull: &Pull<N>, theta: &[f64; N]) -> Normal<N>
where
    [f64; N]: Curve<N>,
{
    let curve = theta.ready();
    let mut sums = Normal { matrix: [[0.0; N]; N], gradient: [0.0; N], cost: 0.0 };
    for level in levels {
        let (value, slopes) = <[f64; N]>::slopes(&curve, level.ln_dose);
        let residual = level.mean - value;
        sums.cost += level.weight * residual * residual;
        for row in 0..N {
            let weighted = level.weight * slopes[row];
            sums.gradient[row] += weighted * residual;
            for (sum, slope) in sums.matrix[row].iter_mut().zip(&slopes[..=row]) {
                *sum += weighted * slope;
            }
        }
    }
    for row in 0..N {
        for column in row + 1..N {
            sums.matrix[row][column] = sums.matrix[column][row];
        }
    }
    if pull.batches > 0.0 {
        solve_for_batches(&mut sums, levels, pull.batches, &curve);
    }
    sums.cost += pull.cost(theta);
    for (at, value) in theta.iter().enumerate() {
        sums.gradient[at] -= pull.weight[at] * (value - pull.at[at]);
        sums.matrix[at][at] += pull.weight[at];
    }
    sums
}

/// Eliminates the batch factors from the normal equations. They are solved for (Golub & Pereyra 1973), with the curve
/// fixed at this point.
fn solve_for_batches<const N: usize>(
    sums: &mut Normal<N>,
    levels: &[Level],
    batches: f64,
    curve: &<[f64; N] as Curve<N>>::Ready,
) where
    [f64; N]: Curve<N>,
{
    let mut of_batches = [(OfBatch::default(), [0.0; N]); MOST_BATCHES];
    for level in levels {
        let (value, slopes) = <[f64; N]>::slopes(curve, level.ln_dose);
        let (own, along) = &mut of_batches[level.batch as usize];
        own.add(level, value);
        along.iter_mut().zip(&slopes).for_each(|(sum, slope)| *sum += level.weight * value * slope);
    }
    for (own, along) in of_batches.iter().filter(|(own, _)| own.curve > 0.0) {
        let rest = batches + own.curve;
        sums.cost -= own.explains(batches);
        for row in 0..N {
            sums.gradient[row] -= along[row] * own.residual / rest;
            for column in 0..N {
                sums.matrix[row][column] -= along[row] * along[column] / rest;
            }
        }
    }
}

/// The weighted sum of squares of the levels about a curve, with the priors.
pub(crate) fn cost<const N: usize>(levels: &[Level], pull: &Pull<N>, theta: &[f64; N]) -> f64
where
    [f64; N]: Curve<N>,
{
    let curve = theta.ready();
    let value = |ln_dose: f64| <[f64; N]>::value(&curve, ln_dose);
    let square = |level: &Level| level.weight * (level.mean - value(level.ln_dose)).powi(2);
    let sum = pull.cost(theta) + levels.iter().map(square).sum::<f64>();
    if pull.batches > 0.0 {
        let explained =
            sums_of_batches(levels, value).iter().map(|own| own.explains(pull.batches)).sum::<f64>();
        return sum - explained;
    }
    sum
}

/// The lower Cholesky factor of some rows and columns of a matrix; the other rows and columns are those of the
/// identity.
#[derive(Clone, Copy)]
pub(crate) struct Factor<const N: usize> {
    lower: [[f64; N]; N],
    /// One over the diagonal.
    inverse: [f64; N],
    chosen: [bool; N],
}

/// The lower Cholesky factor of the `chosen` rows and columns of `matrix`; `None` if it is not positive definite.
#[inline(always)]
pub(crate) fn cholesky<const N: usize>(matrix: &[[f64; N]; N], chosen: &[bool; N]) -> Option<Factor<N>> {
    let mut factor = Factor { lower: [[0.0; N]; N], inverse: [1.0; N], chosen: *chosen };
    let lower = &mut factor.lower;
    for row in 0..N {
        if !chosen[row] {
            lower[row][row] = 1.0;
            continue;
        }
        for column in 0..row {
            let dot: f64 = (0..column).map(|at| lower[row][at] * lower[column][at]).sum();
            let rest = if chosen[column] { matrix[row][column] - dot } else { 0.0 };
            lower[row][column] = rest * factor.inverse[column];
        }
        let dot: f64 = (0..row).map(|at| lower[row][at] * lower[row][at]).sum();
        let rest = matrix[row][row] - dot;
        if !(rest > 1e-13 * matrix[row][row] && rest.is_finite()) {
            return None;
        }
        lower[row][row] = rest.sqrt();
        factor.inverse[row] = 1.0 / lower[row][row];
    }
    Some(factor)
}

impl<const N: usize> Factor<N> {
    /// Solves `L Lᵀ x = right` over the chosen rows; the others are 0.
    #[inline(always)]
    pub fn solve(&self, right: &[f64; N]) -> [f64; N] {
        let mut x = [0.0; N];
        for row in 0..N {
            let dot: f64 = (0..row).map(|at| self.lower[row][at] * x[at]).sum();
            x[row] = if self.chosen[row] { (right[row] - dot) * self.inverse[row] } else { 0.0 };
        }
        for row in (0..N).rev() {
            let dot: f64 = (row + 1..N).map(|at| self.lower[at][row] * x[at]).sum();
            x[row] = (x[row] - dot) * self.inverse[row];
        }
        x
    }

    /// Half the logarithm of the determinant of the chosen rows and columns.
    pub fn half_ln_determinant(&self) -> f64 {
        (0..N).map(|at| self.lower[at][at].ln()).sum()
    }
}

/// The parameters that may move: free, and not pressed against an end of their range.
fn movable<const N: usize>(limits: &Limits<N>, theta: &[f64; N], gradient: &[f64; N]) -> [bool; N] {
    std::array::from_fn(|at| {
        let [low, high] = limits.ranges[at];
        let pressed = (theta[at] <= low && gradient[at] < 0.0) || (theta[at] >= high && gradient[at] > 0.0);
        limits.is_free(at) && !pressed
    })
}

/// Levenberg–Marquardt (Marquardt 1963: the diagonal is scaled) from one start, projected onto the limits.
pub(crate) fn descend<const N: usize>(levels: &[Level], limits: &Limits<N>, start: &[f64; N]) -> Minimum<N>
where
    [f64; N]: Curve<N>,
{
    descend_within(levels, limits, start, 100)
}

/// The same with a limited number of iterations.
pub(crate) fn descend_within<const N: usize>(
    levels: &[Level],
    limits: &Limits<N>,
    start: &[f64; N],
    most: usize,
) -> Minimum<N>
where
    [f64; N]: Curve<N>,
{
    let longest = <[f64; N]>::LONGEST;
    let mut theta: [f64; N] = std::array::from_fn(|at| limits.clamp(at, start[at]));
    let mut here = normal(levels, &limits.pull, &theta);
    let mut damping = 1e-3;
    for _ in 0..most {
        let chosen = movable(limits, &theta, &here.gradient);
        let mut damped = here.matrix;
        for (at, row) in damped.iter_mut().enumerate() {
            row[at] += damping * row[at] + 1e-12;
        }
        let Some(factor) = cholesky(&damped, &chosen) else { break };
        let step = factor.solve(&here.gradient);
        let next: [f64; N] =
            std::array::from_fn(|at| limits.clamp(at, theta[at] + step[at].clamp(-longest[at], longest[at])));
        let there = normal(levels, &limits.pull, &next);
        let gain = here.cost - there.cost;
        let moved = (0..N).map(|at| (next[at] - theta[at]).abs()).fold(0.0, f64::max);
        if gain >= 0.0 {
            (theta, here) = (next, there);
            damping = (damping * 0.1).max(1e-12);
            // After a short or hardly damped step, the remaining gain is far below the precision of the data.
            if gain <= 1e-8 * here.cost && (moved < 1e-4 || damping < 1e-4) {
                break;
            }
        // If a step this short gains nothing, the cause is rounding, and damping would not help.
        } else if moved < 1e-6 || damping > 1e10 {
            break;
        } else {
            damping *= 10.0;
        }
    }
    Minimum { theta, cost: here.cost }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Theta;
    use crate::starts::fit;

    pub(crate) const WIDE: Limits = Limits {
        ranges: [[-1.0, 2.0], [-1.0, 2.0], [-20.0, 20.0], [-3.0, 3.0]],
        pull: Pull { at: [0.0; 4], weight: [0.0; 4], batches: 0.0 },
    };

    fn levels(curve: &Theta, doses: &[f64]) -> Vec<Level> {
        let shape = crate::LogLogistic::from_theta(curve);
        let level = |dose: &f64| Level { ln_dose: dose.ln(), weight: 1.0, mean: shape.at(*dose), batch: 0 };
        doses.iter().map(level).collect()
    }

    #[test]
    fn exact_data_are_fitted_exactly() {
        for theta in
            [[1.0, 0.1, -1.0, 0.3], [0.9, 0.3, 0.5, -0.5], [0.2, 1.1, 0.0, 0.0], [1.0, 0.0, 2.2, 1.2]]
        {
            let doses: Vec<f64> = (0..9).map(|at| 0.01 * 3.0_f64.powi(at)).collect();
            let found = fit(&levels(&theta, &doses), &WIDE);
            assert!(found.cost < 1e-12, "{theta:?}: {found:?}");
            for at in 0..4 {
                assert!((found.theta[at] - theta[at]).abs() < 1e-3, "{theta:?}: {found:?}");
            }
        }
    }

    /// Compares the solved batch factors with a search over them.
    #[test]
    fn factors_of_batches_are_solved_for() {
        let theta = [1.0, 0.1, -1.0, 0.3];
        let mut levels = levels(&theta, &[0.05, 0.2, 0.8, 3.0]);
        let mut second = levels.clone();
        second.iter_mut().for_each(|level| (level.mean, level.batch) = (level.mean * 1.1, 1));
        levels.extend(second);
        let pull = Pull { batches: 0.5, ..Pull::NONE };
        let shape = crate::LogLogistic::from_theta(&theta);
        let with = |factors: [f64; 2]| {
            let residual = |level: &Level| {
                level.mean - (1.0 + factors[level.batch as usize]) * shape.at(level.ln_dose.exp())
            };
            levels.iter().map(|level| residual(level).powi(2)).sum::<f64>()
                + 0.5 * factors.iter().map(|factor| factor * factor).sum::<f64>()
        };
        let least = (0..2000).map(|at| with([0.0, f64::from(at) * 1e-4])).fold(f64::INFINITY, f64::min);
        assert!((cost(&levels, &pull, &theta) - least).abs() < 1e-8);
        assert!((normal(&levels, &pull, &theta).cost - least).abs() < 1e-8);
    }

    #[test]
    fn dose_zero_is_the_top() {
        let found = fit(&levels(&[0.95, 0.2, 0.0, 0.0], &[0.0, 0.1, 0.3, 1.0, 3.0, 10.0]), &WIDE);
        assert!((found.theta[0] - 0.95).abs() < 1e-6, "{found:?}");
    }

    /// Compares the gradient with finite differences.
    #[test]
    fn gradient_is_the_derivative_of_the_cost() {
        let levels = levels(&[1.0, 0.1, -1.0, 0.3], &[0.05, 0.2, 0.8, 3.0]);
        let theta = [0.9, 0.2, -0.7, 0.5];
        let gradient = normal(&levels, &Pull::NONE, &theta).gradient;
        for at in 0..4 {
            let moved = |by: f64| {
                let mut moved = theta;
                moved[at] += by;
                normal(&levels, &Pull::NONE, &moved).cost
            };
            let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((gradient[at] + slope / 2.0).abs() < 1e-7, "{at}: {} {slope}", gradient[at]);
        }
    }
}
