//! Bounded weighted least squares for log-logistic curves: a grid of starts, then Levenberg–Marquardt.

use crate::shape::{Theta, share_of_top};

/// The readings at one dose: what least squares needs of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// The natural logarithm of the dose; minus infinity for dose 0.
    pub ln_dose: f64,
    /// The weight, 1 per reading.
    pub weight: f64,
    /// The weighted mean of the readings.
    pub mean: f64,
    /// The batch that they are of, below [`MOST_BATCHES`]; 0 where batches are not told apart.
    pub batch: u32,
}

/// Batches of one curve that are told apart.
pub(crate) const MOST_BATCHES: usize = 16;

/// What parameters are held to: ranges, and values that they are drawn to. A range of one value fixes the parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    pub ranges: [[f64; 2]; 4],
    pub pull: Pull,
}

/// Normal priors, as a penalty on the sum of squares: `weight (parameter − at)²` each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pull {
    pub at: Theta,
    /// The variance of a reading over that of the prior; 0 for none.
    pub weight: [f64; 4],
    /// The variance of a reading over that of the factors of batches: each batch's curve is `1 + b` times the common one, with a penalty
    /// `batches b²`; 0 where batches do not differ.
    pub batches: f64,
}

/// Sums over the levels of one batch: of the curve times the slopes, the residuals and itself. What its factor explains follows from them.
#[derive(Clone, Copy, Default)]
struct OfBatch {
    slopes: [f64; 4],
    residual: f64,
    curve: f64,
}

impl Pull {
    pub fn cost(&self, theta: &Theta) -> f64 {
        (0..4).map(|at| self.weight[at] * (theta[at] - self.at[at]).powi(2)).sum()
    }
}

impl Limits {
    /// Ranges, without a pull.
    pub fn new(ranges: [[f64; 2]; 4]) -> Self {
        Self { ranges, pull: Pull::default() }
    }

    pub fn is_free(&self, parameter: usize) -> bool {
        self.ranges[parameter][0] < self.ranges[parameter][1]
    }

    pub fn free(&self) -> usize {
        (0..4).filter(|parameter| self.is_free(*parameter)).count()
    }

    /// Whether a free parameter has come to an end of its range.
    pub fn holds(&self, parameter: usize, value: f64) -> bool {
        let [low, high] = self.ranges[parameter];
        let slack = 1e-9 * (high - low);
        self.is_free(parameter) && (value <= low + slack || value >= high - slack)
    }

    pub fn clamp(&self, parameter: usize, value: f64) -> f64 {
        value.clamp(self.ranges[parameter][0], self.ranges[parameter][1])
    }
}

/// A minimum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minimum {
    pub theta: Theta,
    /// The weighted sum of squares of the levels' means about the curve, without what readings of one dose differ by; with the pull.
    pub cost: f64,
}

/// The normal equations at a point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Normal {
    pub matrix: [[f64; 4]; 4],
    pub gradient: [f64; 4],
    pub cost: f64,
}

/// The weighted normal equations of the curve at `theta`.
pub(crate) fn normal(levels: &[Level], pull: &Pull, theta: &Theta) -> Normal {
    let [top, bottom, ln_ec50, ln_hill] = *theta;
    let hill = ln_hill.exp();
    let mut sums = Normal { matrix: [[0.0; 4]; 4], gradient: [0.0; 4], cost: 0.0 };
    let mut batches = [OfBatch::default(); MOST_BATCHES];
    for level in levels {
        let (share, exponent) = share_of_top(level.ln_dose, ln_ec50, hill);
        let steep = (top - bottom) * share * (1.0 - share);
        let slopes = [share, 1.0 - share, steep * hill, -steep * exponent];
        let residual = level.mean - (bottom + (top - bottom) * share);
        sums.cost += level.weight * residual * residual;
        if pull.batches > 0.0 {
            let curve = level.weight * (bottom + (top - bottom) * share);
            let own = &mut batches[level.batch as usize];
            own.residual += curve * residual;
            own.curve += curve * (level.mean - residual);
            own.slopes.iter_mut().zip(&slopes).for_each(|(sum, slope)| *sum += curve * slope);
        }
        for row in 0..4 {
            let weighted = level.weight * slopes[row];
            sums.gradient[row] += weighted * residual;
            for (sum, slope) in sums.matrix[row].iter_mut().zip(&slopes[..=row]) {
                *sum += weighted * slope;
            }
        }
    }
    for row in 0..4 {
        for column in row + 1..4 {
            sums.matrix[row][column] = sums.matrix[column][row];
        }
    }
    // The factors of batches solved for (Golub & Pereyra 1973), their curve held as it is here.
    for own in batches.iter().filter(|own| own.curve > 0.0) {
        let rest = pull.batches + own.curve;
        sums.cost -= own.residual * own.residual / rest;
        for row in 0..4 {
            sums.gradient[row] -= own.slopes[row] * own.residual / rest;
            for column in 0..4 {
                sums.matrix[row][column] -= own.slopes[row] * own.slopes[column] / rest;
            }
        }
    }
    sums.cost += pull.cost(theta);
    for (at, value) in theta.iter().enumerate() {
        sums.gradient[at] -= pull.weight[at] * (value - pull.at[at]);
        sums.matrix[at][at] += pull.weight[at];
    }
    sums
}

/// The weighted sum of squares of the levels about a curve, with the pull.
pub(crate) fn cost(levels: &[Level], pull: &Pull, theta: &Theta) -> f64 {
    let [top, bottom, ln_ec50, ln_hill] = *theta;
    let hill = ln_hill.exp();
    let mut batches = [[0.0; 2]; MOST_BATCHES];
    let mut sum = pull.cost(theta);
    for level in levels {
        let curve = bottom + (top - bottom) * share_of_top(level.ln_dose, ln_ec50, hill).0;
        let residual = level.mean - curve;
        sum += level.weight * residual * residual;
        if pull.batches > 0.0 {
            let own = &mut batches[level.batch as usize];
            *own = [own[0] + level.weight * curve * residual, own[1] + level.weight * curve * curve];
        }
    }
    for [residual, curve] in batches.iter().filter(|own| own[1] > 0.0) {
        sum -= residual * residual / (pull.batches + curve);
    }
    sum
}

/// The lower Cholesky factor of the rows and columns of `matrix` that are `chosen`; none if it is not positive definite.
pub(crate) fn cholesky(matrix: &[[f64; 4]; 4], chosen: &[bool; 4]) -> Option<[[f64; 4]; 4]> {
    let mut factor = [[0.0; 4]; 4];
    for row in (0..4).filter(|row| chosen[*row]) {
        for column in (0..=row).filter(|column| chosen[*column]) {
            let dot: f64 = (0..column).map(|at| factor[row][at] * factor[column][at]).sum();
            let rest = matrix[row][column] - dot;
            if row != column {
                factor[row][column] = rest / factor[column][column];
            } else if rest > 1e-13 * matrix[row][row] && rest.is_finite() {
                factor[row][row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(factor)
}

/// Solves `L Lᵀ x = right` over the chosen rows; the others are 0.
pub(crate) fn solve(factor: &[[f64; 4]; 4], chosen: &[bool; 4], right: &[f64; 4]) -> [f64; 4] {
    let mut x = [0.0; 4];
    for row in (0..4).filter(|row| chosen[*row]) {
        let dot: f64 = (0..row).map(|at| factor[row][at] * x[at]).sum();
        x[row] = (right[row] - dot) / factor[row][row];
    }
    for row in (0..4).rev().filter(|row| chosen[*row]) {
        let dot: f64 = (row + 1..4).map(|at| factor[at][row] * x[at]).sum();
        x[row] = (x[row] - dot) / factor[row][row];
    }
    x
}

/// The parameters that may move: free, and not pressed against an end of their range.
fn movable(limits: &Limits, theta: &Theta, gradient: &[f64; 4]) -> [bool; 4] {
    std::array::from_fn(|at| {
        let [low, high] = limits.ranges[at];
        let pressed = (theta[at] <= low && gradient[at] < 0.0) || (theta[at] >= high && gradient[at] > 0.0);
        limits.is_free(at) && !pressed
    })
}

/// The longest steps of one iteration in the two logarithms, so that a nearly flat start is not thrown far away.
const LONGEST: [f64; 4] = [f64::INFINITY, f64::INFINITY, 3.0, 1.0];

/// Levenberg–Marquardt (Marquardt 1963: the diagonal is scaled) from one start, projected onto the limits.
pub(crate) fn descend(levels: &[Level], limits: &Limits, start: &Theta) -> Minimum {
    descend_within(levels, limits, start, 100)
}

fn descend_within(levels: &[Level], limits: &Limits, start: &Theta, most: usize) -> Minimum {
    let mut theta: Theta = std::array::from_fn(|at| limits.clamp(at, start[at]));
    let mut here = normal(levels, &limits.pull, &theta);
    let mut damping = 1e-3;
    for _ in 0..most {
        let chosen = movable(limits, &theta, &here.gradient);
        let mut damped = here.matrix;
        for (at, row) in damped.iter_mut().enumerate() {
            row[at] += damping * row[at] + 1e-12;
        }
        let Some(factor) = cholesky(&damped, &chosen) else { break };
        let step = solve(&factor, &chosen, &here.gradient);
        let next: Theta =
            std::array::from_fn(|at| limits.clamp(at, theta[at] + step[at].clamp(-LONGEST[at], LONGEST[at])));
        let there = normal(levels, &limits.pull, &next);
        let gain = here.cost - there.cost;
        let moved = (0..4).map(|at| (next[at] - theta[at]).abs()).fold(0.0, f64::max);
        if gain >= 0.0 {
            (theta, here) = (next, there);
            damping = (damping * 0.1).max(1e-12);
            // A short step, or one that was hardly damped: what is left to gain is far below what the data tell.
            if gain <= 1e-8 * here.cost && (moved < 1e-4 || damping < 1e-4) {
                break;
            }
        // A step this short that gains nothing is rounding: no damping would help.
        } else if moved < 1e-6 || damping > 1e10 {
            break;
        } else {
            damping *= 10.0;
        }
    }
    Minimum { theta, cost: here.cost }
}

/// Hill slopes that starts are tried with.
const HILLS: [f64; 4] = [0.5, 1.0, 2.0, 5.0];
/// Most positions of the EC50 that starts are tried with.
const POSITIONS: usize = 12;

/// Iterations after which a second start is given up unless it is nearly as good as the first.
const FIRST_LOOK: usize = 8;

/// The least-squares plateaus, within their limits, of a curve whose EC50 and slope are given, and the cost.
fn plateaus(levels: &[Level], limits: &Limits, ln_ec50: f64, hill: f64) -> ([f64; 2], f64) {
    let (mut tt, mut tb, mut bb, mut ty, mut by, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for level in levels {
        let (share, _) = share_of_top(level.ln_dose, ln_ec50, hill);
        let (at_top, at_bottom) = (level.weight * share, level.weight * (1.0 - share));
        tt += at_top * share;
        tb += at_bottom * share;
        bb += at_bottom * (1.0 - share);
        ty += at_top * level.mean;
        by += at_bottom * level.mean;
        yy += level.weight * level.mean * level.mean;
    }
    let determinant = tt * bb - tb * tb;
    let top = if limits.is_free(0) && determinant > 1e-12 * tt * bb {
        (ty * bb - by * tb) / determinant
    } else {
        ty / tt.max(1e-300)
    };
    let top = limits.clamp(0, top);
    let bottom = limits.clamp(1, (by - top * tb) / bb.max(1e-300));
    let top = limits.clamp(0, (ty - bottom * tb) / tt.max(1e-300));
    let cost =
        yy - 2.0 * (top * ty + bottom * by) + top * top * tt + 2.0 * top * bottom * tb + bottom * bottom * bb;
    ([top, bottom], cost)
}

/// The best minimum from two starts: the best point of a grid over EC50 and Hill slope (plateaus solved for), and the
/// best one whose EC50 is elsewhere.
pub(crate) fn fit(levels: &[Level], limits: &Limits) -> Minimum {
    let finite = || levels.iter().map(|level| level.ln_dose).filter(|ln| ln.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), ln| (l.min(ln), h.max(ln)));
    let positions = (finite().count() + 1).clamp(3, POSITIONS);
    let width = (high - low) / (positions as f64 - 2.0).max(1.0);
    let mut best: Vec<(f64, Theta)> = Vec::with_capacity(positions);
    for position in 0..positions {
        // From half a step below the lowest dose to half a step above the highest.
        let ln_ec50 = limits.clamp(2, low + width * (position as f64 - 0.5));
        let mut here = (f64::INFINITY, [0.0; 4]);
        for hill in HILLS {
            let ln_hill = limits.clamp(3, hill.ln());
            let ([top, bottom], cost) = plateaus(levels, limits, ln_ec50, ln_hill.exp());
            if cost < here.0 {
                here = (cost, [top, bottom, ln_ec50, ln_hill]);
            }
        }
        best.push(here);
    }
    let order = |a: &usize, b: &usize| best[*a].0.total_cmp(&best[*b].0);
    let first = (0..best.len()).min_by(order).unwrap_or(0);
    let mut found = descend(levels, limits, &best[first].1);
    if let Some(second) = (0..best.len()).filter(|at| at.abs_diff(first) > 1).min_by(order) {
        let mut other = descend_within(levels, limits, &best[second].1, FIRST_LOOK);
        if other.cost < 1.2 * found.cost {
            other = descend(levels, limits, &other.theta);
        }
        if other.cost < found.cost {
            found = other;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// The factors of batches solved for, against a search over them.
    #[test]
    fn factors_of_batches_are_solved_for() {
        let theta = [1.0, 0.1, -1.0, 0.3];
        let mut levels = levels(&theta, &[0.05, 0.2, 0.8, 3.0]);
        let mut second = levels.clone();
        second.iter_mut().for_each(|level| (level.mean, level.batch) = (level.mean * 1.1, 1));
        levels.extend(second);
        let pull = Pull { batches: 0.5, ..Pull::default() };
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

    /// The slopes of the curve against differences.
    #[test]
    fn gradient_is_the_derivative_of_the_cost() {
        let levels = levels(&[1.0, 0.1, -1.0, 0.3], &[0.05, 0.2, 0.8, 3.0]);
        let theta = [0.9, 0.2, -0.7, 0.5];
        let gradient = normal(&levels, &Pull::default(), &theta).gradient;
        for at in 0..4 {
            let moved = |by: f64| {
                let mut moved = theta;
                moved[at] += by;
                normal(&levels, &Pull::default(), &moved).cost
            };
            let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((gradient[at] + slope / 2.0).abs() < 1e-7, "{at}: {} {slope}", gradient[at]);
        }
    }
}
