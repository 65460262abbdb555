//! Profile-likelihood intervals of the parameters of response surfaces, as in [`crate::profile`]: the ends of a function of the parameters
//! over all surfaces whose sum of squares is at most `C_min + s² t²` (Bates & Watts 1988, ch. 6), found step by step (Venzon &
//! Moolgavkar 1988).

use super::surface::{Normal, Problem, cholesky, solve};
use crate::estimate::Estimate;

/// If the quadratic is this accurate at both ends, the ends of the delta method are used.
const NEAR: f64 = 0.1;
/// The tolerance of an end: for the cost relative to the allowed cost, and for the last gain of the function relative
/// to the interval.
const SETTLED: f64 = 0.01;
/// The largest number of steps to an end.
const STEPS: usize = 25;
/// The largest number of points of a profile, and of steps to each point.
const PROFILE: usize = 16;
const PROFILE_STEPS: usize = 25;
/// Below this a surface passes through every reading, and intervals have no width.
const EXACT: f64 = 1e-18;

/// The surfaces that are not ruled out.
pub(crate) struct Region<'a, const N: usize> {
    pub problem: &'a Problem<'a, N>,
    /// The surface of least cost, and its cost.
    pub minimum: [f64; N],
    pub least: f64,
    /// The variance of a reading, and Student's t.
    pub variance: f64,
    pub quantile: f64,
}

/// The value of a function of the parameters and its gradient; `None` where it has no value.
type ValueAndGradient<const N: usize> = Option<(f64, [f64; N])>;

/// A function of the parameters.
pub(crate) type Function<'a, const N: usize> = &'a dyn Fn(&[f64; N]) -> ValueAndGradient<N>;
pub(crate) type OwnedFunction<'a, const N: usize> = Box<dyn Fn(&[f64; N]) -> ValueAndGradient<N> + 'a>;

/// A function of the parameters with its interval: ends that are `None` are open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub value: f64,
    pub standard_error: f64,
    pub ends: [Option<f64>; 2],
}

impl Found {
    /// The function on its own scale.
    pub fn plain(&self) -> Estimate {
        let [lower, upper] = self.ends.map(|end| end.unwrap_or(f64::NAN));
        Estimate { value: self.value, standard_error: self.standard_error, lower, upper }
    }

    /// The function as the natural logarithm of the result. The standard error is converted to the decimal logarithm.
    pub fn logarithmic(&self) -> Estimate {
        let [lower, upper] = self.ends.map(|end| end.map_or(f64::NAN, f64::exp));
        let standard_error = self.standard_error / std::f64::consts::LN_10;
        Estimate { value: self.value.exp(), standard_error, lower, upper }
    }
}

/// An end of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    At(f64),
    /// The end is outside the bounds.
    Open,
    /// The search did not settle.
    NotFound,
}

/// The end at a value; open beyond the bounds.
fn within(value: f64, sign: f64, bounds: [f64; 2]) -> End {
    let beyond = if sign < 0.0 { value <= bounds[0] } else { value >= bounds[1] };
    if beyond { End::Open } else { End::At(value) }
}

impl<const N: usize> Region<'_, N> {
    fn allowed(&self) -> f64 {
        self.variance * self.quantile * self.quantile
    }

    /// A function with its standard error and its interval. Ends outside `bounds` are open. The second result is a
    /// surface of lower cost than the minimum, if the search found one.
    pub fn interval(&self, function: Function<'_, N>, bounds: [f64; 2]) -> Option<(Found, Option<[f64; N]>)> {
        let (value, gradient) = function(&self.minimum)?;
        let here = self.problem.normal(&self.minimum);
        let direction = self.direction_of_delta(&here, &gradient);
        let standard_error = direction.as_ref().map_or(f64::NAN, |step| {
            (0..N).map(|at| step[at] * gradient[at]).sum::<f64>() / self.quantile.max(1e-300)
        });
        let half = self.quantile * standard_error;
        if self.allowed() <= EXACT {
            return Some((Found { value, standard_error, ends: [Some(value); 2] }, None));
        }
        let straight = direction.is_some_and(|step| self.is_quadratic(function, &step, value, half));
        let mut better = None;
        let mut ends = [value - half, value + half].map(Some);
        if !straight {
            for (end, sign) in ends.iter_mut().zip([-1.0, 1.0]) {
                let (found, lower) = match self.end(function, sign, bounds) {
                    (End::NotFound, lower) => {
                        let (found, second) = self.profiled_end(function, sign, bounds, half);
                        (found, lower.or(second))
                    }
                    found => found,
                };
                let found = match found {
                    End::At(end) => Some(end),
                    _ => None,
                };
                *end = found.map(|end| if sign < 0.0 { end.min(value) } else { end.max(value) });
                better = better.or(lower);
            }
        }
        let inside = |end: f64| (end > bounds[0] && end < bounds[1]).then_some(end);
        Some((Found { value, standard_error, ends: ends.map(|end| end.and_then(inside)) }, better))
    }

    /// The change of the parameters up to the end of a function's interval by the delta method, `t s M⁻¹ g / √(gᵀ M⁻¹
    /// g)`; `None` if the readings do not determine it.
    fn direction_of_delta(&self, here: &Normal<N>, gradient: &[f64; N]) -> Option<[f64; N]> {
        let free: [bool; N] = std::array::from_fn(|at| self.problem.is_free(at));
        let factor = cholesky(&here.matrix, &free)?;
        let along = solve(&factor, &free, gradient);
        let scale: f64 = (0..N).map(|at| gradient[at] * along[at]).sum();
        let length = self.quantile * (self.variance / scale).sqrt();
        (scale > 0.0 && length.is_finite()).then(|| along.map(|step| length * step))
    }

    /// Whether the interval of the delta method, a straight line through the minimum, has the same ends as the profile.
    fn is_quadratic(&self, function: Function<'_, N>, direction: &[f64; N], value: f64, half: f64) -> bool {
        [-1.0, 1.0].iter().all(|sign| {
            let theta: [f64; N] = std::array::from_fn(|at| self.minimum[at] + sign * direction[at]);
            if (0..N).any(|at| self.problem.clamp(at, theta[at]) != theta[at]) {
                return false;
            }
            let here = self.problem.normal(&theta);
            let more = here.cost - self.least;
            let there = function(&theta).map_or(f64::NAN, |(there, _)| there);
            let off = (there - (value + sign * half)).abs();
            // The other parameters could reduce the cost at the end of the line, so check by how much.
            let spare = self.spare(function, &theta, &here);
            (more / self.allowed() - 1.0).abs() < NEAR && off < NEAR * half && spare < NEAR * self.allowed()
        })
    }

    /// The decrease of the cost if the other parameters were free while the function is fixed.
    fn spare(&self, function: Function<'_, N>, theta: &[f64; N], here: &Normal<N>) -> f64 {
        let Some((_, gradient)) = function(theta) else { return f64::INFINITY };
        let free: [bool; N] = std::array::from_fn(|at| self.problem.is_free(at));
        let Some(factor) = cholesky(&here.matrix, &free) else { return f64::INFINITY };
        let down = solve(&factor, &free, &here.gradient);
        let along = solve(&factor, &free, &gradient);
        let dot = |a: &[f64; N], b: &[f64; N]| (0..N).map(|at| a[at] * b[at]).sum::<f64>();
        dot(&here.gradient, &down) - dot(&gradient, &down).powi(2) / dot(&gradient, &along)
    }

    /// The largest (`sign` 1) or smallest (−1) value of a function within the region, and a surface of lower cost than
    /// the minimum, if the search finds one.
    fn end(&self, function: Function<'_, N>, sign: f64, bounds: [f64; 2]) -> (End, Option<[f64; N]>) {
        let mut theta = self.minimum;
        let Some((mut value, mut gradient)) = function(&theta) else { return (End::Open, None) };
        let first = value;
        let allowed = self.allowed();
        let mut better = None;
        for step in 0..STEPS {
            let here = self.problem.normal(&theta);
            if here.cost < self.least - 0.02 * self.variance {
                better = Some(theta);
            }
            let rest = allowed - (here.cost - self.least);
            let Some(direction) = self.direction(&here, &gradient, sign, rest, &theta) else {
                return (End::At(value), better);
            };
            let mut length = (0..N)
                .map(|at| self.problem.longest[at] / direction[at].abs().max(1e-300))
                .fold(1.0, f64::min);
            let mut next = None;
            for _ in 0..8 {
                let there: [f64; N] =
                    std::array::from_fn(|at| self.problem.clamp(at, theta[at] + length * direction[at]));
                let over = self.problem.cost(&there) - self.least - allowed;
                if let Some(found) = function(&there).filter(|_| over < allowed.max(-2.0 * rest)) {
                    next = Some((there, found, over));
                    break;
                }
                length /= 2.0;
            }
            let Some((there, (next_value, next_gradient), over)) = next else {
                return (End::NotFound, better);
            };
            let gained = sign * (next_value - value);
            let moved = (0..N).map(|at| (there[at] - theta[at]).abs()).fold(0.0, f64::max);
            (theta, value, gradient) = (there, next_value, next_gradient);
            if value <= bounds[0] && sign < 0.0 || value >= bounds[1] && sign > 0.0 {
                return (End::Open, better);
            }
            if step > 0
                && over.abs() < 2.0 * SETTLED * allowed
                && (gained.abs() < SETTLED * (value - first).abs() || moved < 1e-4)
            {
                return (End::At(value), better);
            }
        }
        (End::NotFound, better)
    }

    /// As [`Self::end`], along the profile. The function is pulled to increasingly distant values, and the other
    /// parameters follow, until the cost reaches the limit. Slower but more reliable.
    fn profiled_end(
        &self,
        function: Function<'_, N>,
        sign: f64,
        bounds: [f64; 2],
        half: f64,
    ) -> (End, Option<[f64; N]>) {
        let allowed = self.allowed();
        let Some((first, _)) = function(&self.minimum) else { return (End::Open, None) };
        let mut reach = if half.is_finite() { half.clamp(1e-3, 1.0) } else { 0.3 };
        let (mut inside, mut outside) = ((first, 0.0), None);
        let mut theta = self.minimum;
        let mut better = None;
        for _ in 0..PROFILE {
            let target = first + sign * reach;
            let strength = 100.0 * allowed / (reach * reach);
            let Some((there, value, cost)) = self.drawn(function, target, strength, &theta) else {
                return (End::Open, better);
            };
            if cost < self.least - 0.02 * self.variance {
                better = Some(there);
            }
            let root = ((cost - self.least).max(0.0) / allowed).sqrt();
            if (root - 1.0).abs() < SETTLED {
                return (within(value, sign, bounds), better);
            }
            let moved = sign * (value - inside.0);
            if root < 1.0 {
                if sign * (value - if sign < 0.0 { bounds[0] } else { bounds[1] }) >= 0.0 {
                    return (End::Open, better);
                }
                // The function does not move further, whatever the target: it is at a limit.
                if moved < 1e-3 * reach.min(1.0) && outside.is_none() && inside.1 > 0.0 {
                    return (within(value, sign, bounds), better);
                }
                inside = (value, root);
                theta = there;
            } else {
                outside = Some((value, root));
            }
            let so_far = sign * (inside.0 - first);
            reach = match outside {
                None => so_far.max(reach) * if root > 0.3 { (1.03 / root).min(3.0) } else { 3.0 },
                Some((value, root)) => {
                    let share = ((1.0 - inside.1) / (root - inside.1)).clamp(0.1, 0.9);
                    so_far + share * (sign * (value - first) - so_far)
                }
            };
        }
        (within(inside.0, sign, bounds), better)
    }

    /// The surface of least `cost + strength (function − target)²` from a start. It has the least cost of all surfaces
    /// with the same value of the function. Returns also this value and the cost.
    fn drawn(
        &self,
        function: Function<'_, N>,
        target: f64,
        strength: f64,
        start: &[f64; N],
    ) -> Option<([f64; N], f64, f64)> {
        let mut theta = *start;
        let (mut value, mut gradient) = function(&theta)?;
        let mut here = self.problem.normal(&theta);
        let mut damping = 1e-4;
        for _ in 0..PROFILE_STEPS {
            let mut damped = here.matrix;
            let mut down = here.gradient;
            for row in 0..N {
                down[row] += strength * (target - value) * gradient[row];
                for column in 0..N {
                    damped[row][column] += strength * gradient[row] * gradient[column];
                }
                damped[row][row] += damping * damped[row][row] + 1e-10;
            }
            let chosen = self.problem.movable(&theta, &down);
            let Some(factor) = cholesky(&damped, &chosen) else {
                damping *= 10.0;
                continue;
            };
            let step = solve(&factor, &chosen, &down);
            let next: [f64; N] = std::array::from_fn(|at| {
                let longest = self.problem.longest[at];
                self.problem.clamp(at, theta[at] + step[at].clamp(-longest, longest))
            });
            let total = |cost: f64, value: f64| cost + strength * (value - target).powi(2);
            let there = self.problem.normal(&next);
            let found = function(&next);
            let gain = found
                .map_or(f64::NEG_INFINITY, |(found, _)| total(here.cost, value) - total(there.cost, found));
            let moved = (0..N).map(|at| (next[at] - theta[at]).abs()).fold(0.0, f64::max);
            match found {
                Some(found) if gain >= 0.0 => {
                    (theta, here, (value, gradient)) = (next, there, found);
                    damping = (damping * 0.1).max(1e-10);
                    if gain < 1e-4 * self.allowed() && (moved < 1e-2 || damping < 1e-6) {
                        break;
                    }
                }
                _ if moved < 1e-6 || damping > 1e8 => break,
                _ => damping *= 10.0,
            }
        }
        Some((theta, value, here.cost))
    }

    /// The step to the largest value of the linear function within the quadratic region. Parameters that would exceed
    /// their limits stay fixed.
    fn direction(
        &self,
        here: &Normal<N>,
        gradient: &[f64; N],
        sign: f64,
        rest: f64,
        theta: &[f64; N],
    ) -> Option<[f64; N]> {
        let mut chosen: [bool; N] = std::array::from_fn(|at| self.problem.is_free(at));
        let mut damped = here.matrix;
        for (at, row) in damped.iter_mut().enumerate() {
            row[at] += 1e-9 * row[at] + 1e-10;
        }
        for _ in 0..N {
            let factor = cholesky(&damped, &chosen)?;
            let down = solve(&factor, &chosen, &here.gradient);
            let along = solve(&factor, &chosen, gradient);
            let dot = |a: &[f64; N], b: &[f64; N]| {
                (0..N).filter(|at| chosen[*at]).map(|at| a[at] * b[at]).sum::<f64>()
            };
            let scale = dot(gradient, &along);
            if scale <= 0.0 {
                return None;
            }
            let length = ((rest + dot(&here.gradient, &down)).max(0.0) / scale).sqrt();
            let step: [f64; N] = std::array::from_fn(|at| down[at] + sign * length * along[at]);
            let mut pushed = false;
            for at in 0..N {
                let [low, high] = self.problem.ranges[at];
                if chosen[at]
                    && ((theta[at] <= low && step[at] < 0.0) || (theta[at] >= high && step[at] > 0.0))
                {
                    chosen[at] = false;
                    pushed = true;
                }
            }
            if !pushed {
                return Some(step);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::surface::Cell;
    use super::*;

    /// A curve of one drug: E₀, E₁, ln EC50.
    fn curve(theta: &[f64; 3], ln_doses: [f64; 2]) -> (f64, [f64; 3]) {
        let taken = 1.0 / (1.0 + (theta[2] - ln_doses[0]).exp());
        let steep = (theta[1] - theta[0]) * taken * (1.0 - taken);
        (theta[0] + (theta[1] - theta[0]) * taken, [1.0 - taken, taken, -steep])
    }

    fn cells() -> Vec<Cell> {
        let off = [0.02, -0.03, 0.01, 0.04, -0.02, 0.03];
        let cell = |(at, off): (usize, f64)| {
            let ln_doses = [at as f64 - 2.5, 0.0];
            Cell { ln_doses, weight: 1.0, mean: curve(&[1.0, 0.2, 0.7], ln_doses).0 + off }
        };
        off.into_iter().enumerate().map(cell).collect()
    }

    /// Compares both searches with a dense search: the parameter fixed at a value, the others free.
    #[test]
    fn ends_are_those_of_the_profile() {
        let cells = cells();
        let ranges = [[0.0, 1.5], [-1.0, 1.0], [-6.0, 6.0]];
        let problem = Problem { cells: &cells, surface: curve, ranges, longest: [0.5, 0.5, 1.5] };
        let (minimum, least) = problem.descend(&[0.9, 0.3, 0.0], 100);
        let region = Region { problem: &problem, minimum, least, variance: 0.0009, quantile: 3.0 };
        for held in 0..3 {
            let mut gradient = [0.0; 3];
            gradient[held] = 1.0;
            let function = move |theta: &[f64; 3]| Some((theta[held], gradient));
            for sign in [-1.0, 1.0] {
                let (End::At(found), _) = region.end(&function, sign, [-9.0, 9.0]) else { panic!("no end") };
                let (End::At(profiled), _) = region.profiled_end(&function, sign, [-9.0, 9.0], 0.1) else {
                    panic!("no end")
                };
                for end in [found, profiled] {
                    let mut ranges = ranges;
                    ranges[held] = [end; 2];
                    let problem = Problem { cells: &cells, surface: curve, ranges, longest: [0.5, 0.5, 1.5] };
                    let more = problem.descend(&minimum, 100).1 - least;
                    assert!((more / region.allowed() - 1.0).abs() < 0.03, "{held} {sign}: {end}, {more}");
                }
            }
        }
    }

    #[test]
    fn a_parameter_that_nothing_bounds_has_open_ends() {
        let mut cells = cells();
        // Doses far below the EC50: neither it nor E₁ is known.
        cells.iter_mut().for_each(|cell| cell.ln_doses[0] -= 20.0);
        let ranges = [[0.0, 1.5], [0.0, 1.0], [-6.0, 6.0]];
        let problem = Problem { cells: &cells, surface: curve, ranges, longest: [0.5, 0.5, 1.5] };
        let (minimum, least) = problem.descend(&[0.9, 0.3, 0.0], 100);
        let region = Region { problem: &problem, minimum, least, variance: 0.3, quantile: 3.0 };
        let function = |theta: &[f64; 3]| Some((theta[2], [0.0, 0.0, 1.0]));
        let (found, _) = region.interval(&function, [-5.99, 5.99]).unwrap();
        assert_eq!(found.ends, [None, None]);
    }
}
