//! The interface of curves for least squares and intervals. A curve is the array of its parameters, and their number
//! identifies the type: four for a log-logistic curve, five for a curve with a rise at low doses
//! ([`crate::BrainCousens`]), six for growth rates, seven for two phases ([`crate::TwoPhase`]).
//!
//! The first four parameters are the same in each: top, bottom, and the logarithms of a dose and of a Hill slope. The
//! third parameter shifts the whole curve along the log dose, so its derivative is minus the derivative with respect to
//! the log dose.

use crate::shape::{Theta, share_of_top, softplus};

/// A curve as its parameters.
pub(crate) trait Curve<const N: usize>: Sized {
    /// Values that are computed once for all doses.
    type Ready;
    /// The longest steps of one iteration of least squares, so that a nearly flat start does not jump far away.
    const LONGEST: [f64; N];
    /// The longest steps on the way to the end of an interval.
    const LONGEST_IN_PROFILE: [f64; N];

    /// Computes the values that are the same for all doses.
    fn ready(&self) -> Self::Ready;

    /// The viability at a dose and its derivative by each parameter.
    fn slopes(ready: &Self::Ready, ln_dose: f64) -> (f64, [f64; N]);

    /// The viability at a dose.
    fn value(ready: &Self::Ready, ln_dose: f64) -> f64;

    /// The logarithm of the lowest dose at which the viability falls through a level; `None` if it never does.
    fn falls_through(&self, level: f64) -> Option<f64>;

    /// The average viability over a range of ln doses, and its derivative by each parameter.
    fn area(&self, range: [f64; 2]) -> (f64, [f64; N]);
}

/// A log-logistic curve with its slope as a plain number.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    top: f64,
    bottom: f64,
    ln_ec50: f64,
    hill: f64,
}

impl Curve<4> for Theta {
    type Ready = Ready;
    const LONGEST: [f64; 4] = [f64::INFINITY, f64::INFINITY, 3.0, 1.0];
    const LONGEST_IN_PROFILE: [f64; 4] = [0.3, 0.3, 1.5, 0.7];

    fn ready(&self) -> Ready {
        let [top, bottom, ln_ec50, ln_hill] = *self;
        Ready { top, bottom, ln_ec50, hill: ln_hill.exp() }
    }

    fn slopes(ready: &Ready, ln_dose: f64) -> (f64, [f64; 4]) {
        let Ready { top, bottom, ln_ec50, hill } = *ready;
        let (share, exponent) = share_of_top(ln_dose, ln_ec50, hill);
        let steep = (top - bottom) * share * (1.0 - share);
        (bottom + (top - bottom) * share, [share, 1.0 - share, steep * hill, -steep * exponent])
    }

    fn value(ready: &Ready, ln_dose: f64) -> f64 {
        let share = share_of_top(ln_dose, ready.ln_ec50, ready.hill).0;
        ready.bottom + (ready.top - ready.bottom) * share
    }

    fn falls_through(&self, level: f64) -> Option<f64> {
        let [top, bottom, ln_ec50, ln_hill] = *self;
        (top > level && level > bottom)
            .then(|| ln_ec50 + ((top - level) / (level - bottom)).ln() / ln_hill.exp())
    }

    fn area(&self, range: [f64; 2]) -> (f64, [f64; 4]) {
        let [top, bottom, ln_ec50, ln_hill] = *self;
        let (share, by_ec50, by_hill) = average_share(range, ln_ec50, ln_hill.exp());
        let height = top - bottom;
        (bottom + height * share, [share, 1.0 - share, height * by_ec50, height * by_hill])
    }
}

/// The average of [`share_of_top`] over a range of ln doses, and its derivatives by ln EC50 and ln Hill: see [`crate::LogLogistic::area`].
pub(crate) fn average_share([low, high]: [f64; 2], ln_ec50: f64, hill: f64) -> (f64, f64, f64) {
    let ends = [low, high].map(|ln_dose| share_of_top(ln_dose, ln_ec50, hill));
    let [(share_low, u_low), (share_high, u_high)] = ends;
    let width = hill * (high - low);
    let share = (softplus(-u_low) - softplus(-u_high)) / width;
    let by_ec50 = (share_low - share_high) / (high - low);
    let by_hill = -share + (u_high * share_high - u_low * share_low) / width;
    (share, by_ec50, by_hill)
}

/// The average viability over a range of ln doses and its derivative by each parameter, by Simpson's rule: for curves whose integral has no closed form.
pub(crate) fn by_quadrature<const N: usize>(
    ready: &<[f64; N] as Curve<N>>::Ready,
    [low, high]: [f64; 2],
) -> (f64, [f64; N])
where
    [f64; N]: Curve<N>,
{
    const POINTS: usize = 96;
    let mut sums = (0.0, [0.0; N]);
    for at in 0..=POINTS {
        let weight = match at {
            0 | POINTS => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        } / (3.0 * POINTS as f64);
        let (value, slopes) = <[f64; N]>::slopes(ready, low + (high - low) * at as f64 / POINTS as f64);
        sums.0 += weight * value;
        sums.1.iter_mut().zip(&slopes).for_each(|(sum, slope)| *sum += weight * slope);
    }
    sums
}

/// A level that a curve falls to: a viability, or a fraction of the way from the top to the bottom.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// A viability.
    Viability(f64),
    /// A fraction of the way from the top to the bottom.
    Effect(f64),
}

impl Target {
    /// The viability, and its derivatives by the top and the bottom.
    fn level(self, [top, bottom]: [f64; 2]) -> (f64, [f64; 2]) {
        match self {
            Self::Viability(level) => (level, [0.0; 2]),
            Self::Effect(share) => (top - share * (top - bottom), [1.0 - share, share]),
        }
    }

    /// The logarithm of the lowest dose at which a curve falls to this level, and its derivative by each parameter (of the implicit function).
    pub fn ln_dose<const N: usize>(self, theta: &[f64; N]) -> Option<(f64, [f64; N])>
    where
        [f64; N]: Curve<N>,
    {
        let (level, by_plateaus) = self.level([theta[0], theta[1]]);
        let ln_dose = theta.falls_through(level)?;
        let (_, slopes) = <[f64; N]>::slopes(&theta.ready(), ln_dose);
        let steepness = -slopes[2];
        let by = |at: usize| (by_plateaus.get(at).copied().unwrap_or(0.0) - slopes[at]) / steepness;
        (steepness < 0.0).then(|| (ln_dose, std::array::from_fn(by)))
    }
}

/// The lowest ln dose at which a curve falls through a level, by a search on a grid over `range` and bisection.
pub(crate) fn search_fall(value: impl Fn(f64) -> f64, level: f64, [low, high]: [f64; 2]) -> Option<f64> {
    const GRID: usize = 160;
    let place = |at: usize| low + (high - low) * at as f64 / GRID as f64;
    let mut before = value(low);
    for at in 1..=GRID {
        let here = value(place(at));
        if before > level && here <= level {
            let (mut above, mut below) = (place(at - 1), place(at));
            for _ in 0..50 {
                let middle = f64::midpoint(above, below);
                if value(middle) > level { above = middle } else { below = middle }
            }
            return Some(f64::midpoint(above, below));
        }
        before = here;
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Compares slopes, steepness, crossings and areas with finite differences.
    pub(crate) fn slopes_are_derivatives<const N: usize>(theta: &[f64; N], ln_doses: &[f64])
    where
        [f64; N]: Curve<N>,
    {
        let moved = |at: usize, by: f64| {
            let mut moved = *theta;
            moved[at] += by;
            moved
        };
        let value = |theta: &[f64; N], ln_dose: f64| <[f64; N]>::value(&theta.ready(), ln_dose);
        let near = |found: f64, up: f64, down: f64, what: &str| {
            let slope = (up - down) / 2e-6;
            assert!(
                (found - slope).abs() < 2e-6 * (1.0 + slope.abs()),
                "{what}: {found}, by differences {slope}"
            );
        };
        for &ln_dose in ln_doses {
            let (here, slopes) = <[f64; N]>::slopes(&theta.ready(), ln_dose);
            assert!((here - value(theta, ln_dose)).abs() < 1e-14);
            for (at, slope) in slopes.iter().enumerate() {
                let [up, down] = [1e-6, -1e-6].map(|by| value(&moved(at, by), ln_dose));
                near(*slope, up, down, &format!("parameter {at} at {ln_dose}"));
            }
            let [up, down] = [1e-6, -1e-6].map(|by| value(theta, ln_dose + by));
            near(-slopes[2], up, down, "along the dose");
        }
        let range = [-4.0, 3.0];
        let (area, slopes) = theta.area(range);
        let steps = 20_000;
        let sum: f64 = (0..steps)
            .map(|at| value(theta, range[0] + 7.0 * (f64::from(at) + 0.5) / f64::from(steps)))
            .sum();
        assert!((area - sum / f64::from(steps)).abs() < 1e-6, "{area}");
        for target in [Target::Viability(0.5), Target::Effect(0.3)] {
            let (ln_dose, by) = target.ln_dose(theta).unwrap();
            assert!((value(theta, ln_dose) - target.level([theta[0], theta[1]]).0).abs() < 1e-9);
            for (at, by) in by.iter().enumerate() {
                let [up, down] = [1e-6, -1e-6].map(|step| target.ln_dose(&moved(at, step)).unwrap().0);
                near(*by, up, down, &format!("{target:?}, parameter {at}"));
            }
        }
        for (at, slope) in slopes.iter().enumerate() {
            let [up, down] = [1e-6, -1e-6].map(|by| moved(at, by).area(range).0);
            near(*slope, up, down, &format!("area, parameter {at}"));
        }
    }

    #[test]
    fn log_logistic_slopes_are_derivatives() {
        let theta: Theta = [1.0, 0.1, -1.0, 0.3];
        slopes_are_derivatives(&theta, &[-30.0, -2.0, -1.0, 1.0]);
    }
}
