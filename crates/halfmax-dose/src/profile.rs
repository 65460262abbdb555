//! Profile-likelihood intervals: the ends of a function of the parameters over all curves that the readings do not rule out.
//!
//! The curves that are not ruled out are those whose penalised sum of squares is at most `C = C_min + s² t²` (Bates &
//! Watts 1988, ch. 6). The ends are found as by Venzon & Moolgavkar 1988: each step linearises the function,
//! approximates the sum of squares by a quadratic, and moves to the largest value within `C`, until convergence. If the
//! quadratic at the minimum already holds at the ends, the ends of the delta method are used.

use crate::least_squares::{Level, Limits, cholesky, cost, normal};
use crate::model::Curve;

/// An end of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// The function's value there.
    At(f64),
    /// The end is open: the readings rule out no value on this side.
    Open,
}

impl End {
    /// The end if it lies within bounds, else an open end.
    pub fn within(self, [low, high]: [f64; 2]) -> Self {
        match self {
            Self::At(value) if value >= low && value <= high => self,
            _ => Self::Open,
        }
    }

    /// The end at another value; an open end stays open.
    pub fn map(self, to: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::At(value) => Self::At(to(value)),
            Self::Open => Self::Open,
        }
    }

    /// The value; NaN for an open end.
    pub fn value(self) -> f64 {
        match self {
            Self::At(value) => value,
            Self::Open => f64::NAN,
        }
    }
}

/// The curves that are not ruled out.
pub(crate) struct Region<'a, const N: usize = 4> {
    pub levels: &'a [Level],
    pub limits: &'a Limits<N>,
    /// The curve of least cost, and its cost.
    pub minimum: [f64; N],
    pub least: f64,
    /// The allowed extra cost of a curve.
    pub allowed: f64,
}

/// The value of a function of the parameters and its gradient; `None` where it has no value.
pub(crate) type Function<'a, const N: usize = 4> = &'a dyn Fn(&[f64; N]) -> Option<(f64, [f64; N])>;

/// If the quadratic is this accurate at both ends, the ends of the delta method are used.
const NEAR: f64 = 0.1;
/// The tolerance of an end: for the cost relative to the allowed cost, and for the last gain of the function relative
/// to the interval.
const SETTLED: f64 = 0.01;
/// The largest number of steps to an end.
const STEPS: usize = 25;

impl<const N: usize> Region<'_, N>
where
    [f64; N]: Curve<N>,
{
    /// Whether the interval of the delta method, a straight line through the minimum, has the same ends as the profile.
    pub fn is_quadratic(
        &self,
        function: Function<'_, N>,
        direction: &[f64; N],
        value: f64,
        half: f64,
    ) -> bool {
        [-1.0, 1.0].iter().all(|sign| {
            let theta: [f64; N] = std::array::from_fn(|at| self.minimum[at] + sign * direction[at]);
            let inside = (0..N).all(|at| self.limits.clamp(at, theta[at]) == theta[at]);
            let more = cost(self.levels, &self.limits.pull, &theta) - self.least;
            let there = function(&theta).map_or(f64::NAN, |(there, _)| there);
            let off = (there - (value + sign * half)).abs();
            inside && (more / self.allowed - 1.0).abs() < NEAR && off < NEAR * half
        })
    }

    /// The largest (`sign` 1) or smallest (−1) value of a function within the region; open if it lies beyond `bound`.
    pub fn end(&self, function: Function<'_, N>, sign: f64, bound: f64) -> End {
        let mut theta = self.minimum;
        let Some((mut value, mut gradient)) = function(&theta) else { return End::Open };
        let first = value;
        for step in 0..STEPS {
            let here = normal(self.levels, &self.limits.pull, &theta);
            let rest = self.allowed - (here.cost - self.least);
            let Some(direction) = self.direction(&here.matrix, &here.gradient, &gradient, sign, rest, &theta)
            else {
                return End::At(value);
            };
            // A step is halved until the function exists there and the cost is not far above the limit.
            let mut length = (0..N)
                .map(|at| <[f64; N]>::LONGEST_IN_PROFILE[at] / direction[at].abs().max(1e-300))
                .fold(1.0_f64, f64::min);
            let mut next = None;
            for _ in 0..6 {
                let there: [f64; N] =
                    std::array::from_fn(|at| self.limits.clamp(at, theta[at] + length * direction[at]));
                let over = cost(self.levels, &self.limits.pull, &there) - self.least - self.allowed;
                if let Some(found) = function(&there).filter(|_| over < self.allowed) {
                    next = Some((there, found, over));
                    break;
                }
                length /= 2.0;
            }
            let Some((there, (next_value, next_gradient), over)) = next else {
                // The function stops existing within the region, such as the IC50 of curves that barely reach 50 %.
                return End::Open;
            };
            let gained = sign * (next_value - value);
            let moved = (0..N).map(|at| (there[at] - theta[at]).abs()).fold(0.0, f64::max);
            (theta, value, gradient) = (there, next_value, next_gradient);
            if sign * (value - bound) > 0.0 {
                return End::Open;
            }
            // Along the border the function hardly changes: the rest is a hundredth of the interval.
            if step > 0
                && over.abs() < SETTLED * self.allowed
                && (gained < SETTLED * (value - first).abs() || moved < 1e-4)
            {
                break;
            }
        }
        End::At(value)
    }

    /// The step to the largest value of the linear function within the quadratic region. Parameters that would exceed
    /// their limits stay fixed.
    fn direction(
        &self,
        matrix: &[[f64; N]; N],
        descent: &[f64; N],
        gradient: &[f64; N],
        sign: f64,
        rest: f64,
        theta: &[f64; N],
    ) -> Option<[f64; N]> {
        let mut chosen: [bool; N] = std::array::from_fn(|at| self.limits.is_free(at));
        for _ in 0..N {
            let mut damped = *matrix;
            for (at, row) in damped.iter_mut().enumerate() {
                row[at] += 1e-9 * row[at] + 1e-12;
            }
            let factor = cholesky(&damped, &chosen)?;
            let down = factor.solve(descent);
            let along = factor.solve(gradient);
            let dot = |a: &[f64; N], b: &[f64; N]| {
                (0..N).filter(|at| chosen[*at]).map(|at| a[at] * b[at]).sum::<f64>()
            };
            let scale = dot(gradient, &along);
            if scale <= 0.0 {
                return None;
            }
            let length = ((rest + dot(descent, &down)).max(0.0) / scale).sqrt();
            let step: [f64; N] = std::array::from_fn(|at| down[at] + sign * length * along[at]);
            let pushed = (0..N).find(|at| {
                let [low, high] = self.limits.ranges[*at];
                chosen[*at]
                    && ((theta[*at] <= low && step[*at] < 0.0) || (theta[*at] >= high && step[*at] > 0.0))
            });
            match pushed {
                None => return Some(step),
                Some(at) => chosen[at] = false,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::least_squares::Pull;
    use crate::shape::Theta;
    use crate::starts::fit;

    fn levels() -> Vec<Level> {
        let shape = crate::LogLogistic { top: 1.0, bottom: 0.1, ec50: 1.0, hill: 1.2 };
        let doses = (0..8).map(|at| 0.02 * 3.0_f64.powi(at));
        let off = [0.02, -0.03, 0.01, 0.04, -0.02, 0.03, -0.01, -0.02];
        doses
            .zip(off)
            .map(|(dose, off)| Level {
                ln_dose: dose.ln(),
                weight: 1.0,
                mean: shape.at(dose) + off,
                batch: 0,
            })
            .collect()
    }

    /// Compares the ends with a dense search: the function fixed at a value, the other parameters free.
    #[test]
    fn ends_are_those_of_the_profile() {
        let levels = levels();
        for (pull, fixed) in [
            (Pull::NONE, 2),
            (Pull { at: [1.0, 0.0, 0.0, 0.3], weight: [0.0, 0.0, 0.0, 0.02], batches: 0.0 }, 3),
            (Pull::NONE, 1),
        ] {
            let limits = Limits { ranges: [[1.0, 1.0], [0.0, 2.0], [-9.0, 9.0], [-2.3, 2.3]], pull };
            let minimum = fit(&levels, &limits);
            let region = Region {
                levels: &levels,
                limits: &limits,
                minimum: minimum.theta,
                least: minimum.cost,
                allowed: 0.02,
            };
            let unit = |theta: &Theta| {
                let mut gradient = [0.0; 4];
                gradient[fixed] = 1.0;
                Some((theta[fixed], gradient))
            };
            for sign in [-1.0, 1.0] {
                let End::At(found) = region.end(&unit, sign, sign * 20.0) else { panic!("open") };
                let at = |value: f64| {
                    let mut held = limits;
                    held.ranges[fixed] = [value, value];
                    fit(&levels, &held).cost - minimum.cost
                };
                let [low, high] = limits.ranges[fixed];
                if found > low + 1e-9 && found < high - 1e-9 {
                    assert!((at(found) / 0.02 - 1.0).abs() < 0.02, "{fixed} {sign}: {found}, {}", at(found));
                } else {
                    assert!(at(found) <= 0.02, "{fixed} {sign}: {found}");
                }
            }
        }
    }
}
