//! Standard errors and intervals.

use serde::{Deserialize, Serialize};

use crate::distributions::Quantiles;
use crate::least_squares::{Level, Limits, cholesky, normal};
use crate::model::Curve;
use crate::profile::{End, Function, Region};

/// An estimate with its uncertainty; missing numbers are NaN.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error: of the value itself, or of its decimal logarithm if the documentation of the field says so.
    pub standard_error: f64,
    /// The lower end of its interval (95 % by default); NaN if open.
    pub lower: f64,
    /// The upper end of its interval; NaN if open.
    pub upper: f64,
}

impl Estimate {
    /// An unknown estimate.
    pub const NONE: Self =
        Self { value: f64::NAN, standard_error: f64::NAN, lower: f64::NAN, upper: f64::NAN };

    /// A value that was not estimated, such as a fixed plateau.
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, ..Self::NONE }
    }

    /// Whether the value is known.
    pub fn is_known(&self) -> bool {
        !self.value.is_nan()
    }
}

/// The covariance of the parameters of a fitted curve, with its degrees of freedom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uncertainty<const N: usize = 4> {
    covariance: Option<[[f64; N]; N]>,
    quantile: f64,
}

impl<const N: usize> Uncertainty<N>
where
    [f64; N]: Curve<N>,
{
    /// From the curvature at the minimum, `s² (JᵀJ)⁻¹`. A parameter at an end of its range still counts as free,
    /// because the limit does not make it known. The quantiles set the width of intervals.
    pub fn new(
        levels: &[Level],
        limits: &Limits<N>,
        theta: &[f64; N],
        (variance, freedom): (f64, f64),
        quantiles: &Quantiles,
    ) -> Self {
        let free: [bool; N] = std::array::from_fn(|at| limits.is_free(at));
        let within: [bool; N] = std::array::from_fn(|at| free[at] && !limits.holds(at, theta[at]));
        let matrix = normal(levels, &limits.pull, theta).matrix;
        let (chosen, factor) = match cholesky(&matrix, &free) {
            Some(factor) => (free, Some(factor)),
            // The readings do not determine it there.
            None => (within, cholesky(&matrix, &within)),
        };
        let covariance = factor.filter(|_| freedom >= 1.0).map(|factor| {
            let column = |at: usize| {
                let mut unit = [0.0; N];
                unit[at] = if chosen[at] { variance } else { 0.0 };
                factor.solve(&unit)
            };
            std::array::from_fn(column)
        });
        Self { covariance, quantile: quantiles.at(freedom) }
    }

    /// The standard error of a function of the parameters with this gradient (the delta method); 0 becomes NaN, because
    /// a function of only fixed parameters is not estimated.
    pub fn standard_error(&self, gradient: &[f64; N]) -> f64 {
        let Some(covariance) = &self.covariance else { return f64::NAN };
        let row = |at: usize| (0..N).map(|other| covariance[at][other] * gradient[other]).sum::<f64>();
        let variance: f64 = (0..N).map(|at| gradient[at] * row(at)).sum();
        if variance > 0.0 { variance.sqrt() } else { f64::NAN }
    }

    /// The largest extra cost of a curve that is not ruled out; infinite if the error of readings is unknown.
    pub fn allowed(&self, variance: f64) -> f64 {
        let allowed = variance * self.quantile * self.quantile;
        if allowed.is_finite() { allowed } else { f64::INFINITY }
    }

    /// The change of the parameters up to the end of a function's interval, by the delta method.
    fn direction(&self, gradient: &[f64; N]) -> Option<[f64; N]> {
        let covariance = self.covariance.as_ref()?;
        let along: [f64; N] =
            std::array::from_fn(|at| (0..N).map(|other| covariance[at][other] * gradient[other]).sum());
        let variance: f64 = (0..N).map(|at| gradient[at] * along[at]).sum();
        (variance > 0.0).then(|| along.map(|step| self.quantile * step / variance.sqrt()))
    }

    /// The ends of the interval of a function whose value is `value`: those of the delta method if the sum of squares
    /// is quadratic that far, else those of the profile. Ends beyond `bounds` are open.
    pub fn ends(
        &self,
        region: &Region<'_, N>,
        function: Function<'_, N>,
        value: f64,
        gradient: &[f64; N],
        bounds: [f64; 2],
    ) -> [End; 2] {
        let half = self.quantile * self.standard_error(gradient);
        if !region.allowed.is_finite() {
            return [End::Open; 2];
        }
        let straight = function(&region.minimum).and_then(|(there, gradient)| {
            let direction = self.direction(&gradient)?;
            let half = self.quantile * self.standard_error(&gradient);
            Some(region.is_quadratic(function, &direction, there, half))
        });
        let ends = match straight {
            Some(true) => [End::At(value - half), End::At(value + half)],
            _ => [region.end(function, -1.0, bounds[0]), region.end(function, 1.0, bounds[1])],
        };
        let [low, high] = ends.map(|end| end.within(bounds));
        // The selected smaller curve is also not ruled out.
        [low.map(|end| end.min(value)), high.map(|end| end.max(value))]
    }

    /// An estimate on its own scale.
    pub fn plain(&self, value: f64, gradient: &[f64; N], [low, high]: [End; 2]) -> Estimate {
        let standard_error = self.standard_error(gradient);
        Estimate { value, standard_error, lower: low.value(), upper: high.value() }
    }

    /// An estimate whose natural logarithm has this gradient; the standard error is that of the decimal logarithm.
    pub fn logarithmic(&self, ln_value: f64, gradient: &[f64; N], [low, high]: [End; 2]) -> Estimate {
        let standard_error = self.standard_error(gradient);
        Estimate {
            value: ln_value.exp(),
            standard_error: standard_error / std::f64::consts::LN_10,
            lower: low.value().exp(),
            upper: high.value().exp(),
        }
    }
}
