//! Standard errors and intervals.

use serde::{Deserialize, Serialize};

use crate::distributions::t_quantile_95;
use crate::least_squares::{Level, Limits, cholesky, normal, solve};
use crate::shape::Theta;

/// An estimate with its uncertainty; numbers that are not there are NaN.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error: of the value itself, or of its decimal logarithm where the documentation of the field says so.
    pub standard_error: f64,
    /// The lower end of its 95 % interval.
    pub lower: f64,
    /// The upper end of its 95 % interval.
    pub upper: f64,
}

impl Estimate {
    /// What is not known.
    pub const NONE: Self =
        Self { value: f64::NAN, standard_error: f64::NAN, lower: f64::NAN, upper: f64::NAN };

    /// A value that was not estimated: a plateau that was fixed.
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, ..Self::NONE }
    }

    /// Whether there is a value.
    pub fn is_known(&self) -> bool {
        !self.value.is_nan()
    }
}

/// The covariance of the parameters of a fitted curve, and the degrees of freedom behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uncertainty {
    covariance: Option<[[f64; 4]; 4]>,
    quantile: f64,
}

impl Uncertainty {
    /// From the curvature at the minimum, `s² (JᵀJ)⁻¹`. A parameter at an end of its range counts as fixed there.
    pub fn new(levels: &[Level], limits: &Limits, theta: &Theta, variance: f64, freedom: usize) -> Self {
        let chosen: [bool; 4] = std::array::from_fn(|at| limits.is_free(at) && !limits.holds(at, theta[at]));
        let matrix = normal(levels, theta).matrix;
        let covariance = cholesky(&matrix, &chosen).filter(|_| freedom > 0).map(|factor| {
            let column = |at: usize| {
                let mut unit = [0.0; 4];
                unit[at] = if chosen[at] { variance } else { 0.0 };
                solve(&factor, &chosen, &unit)
            };
            std::array::from_fn(column)
        });
        Self { covariance, quantile: t_quantile_95(freedom) }
    }

    /// The standard error of a function of the parameters with this gradient (the delta method); 0 becomes NaN: what only
    /// depends on fixed parameters was not estimated.
    pub fn standard_error(&self, gradient: &[f64; 4]) -> f64 {
        let Some(covariance) = &self.covariance else { return f64::NAN };
        let row = |at: usize| (0..4).map(|other| covariance[at][other] * gradient[other]).sum::<f64>();
        let variance: f64 = (0..4).map(|at| gradient[at] * row(at)).sum();
        if variance > 0.0 { variance.sqrt() } else { f64::NAN }
    }

    /// An estimate on its own scale.
    pub fn plain(&self, value: f64, gradient: &[f64; 4]) -> Estimate {
        let standard_error = self.standard_error(gradient);
        let half = self.quantile * standard_error;
        Estimate { value, standard_error, lower: value - half, upper: value + half }
    }

    /// An estimate whose natural logarithm has this gradient; the standard error is that of the decimal logarithm.
    pub fn logarithmic(&self, ln_value: f64, gradient: &[f64; 4]) -> Estimate {
        let standard_error = self.standard_error(gradient);
        let half = self.quantile * standard_error;
        Estimate {
            value: ln_value.exp(),
            standard_error: standard_error / std::f64::consts::LN_10,
            lower: (ln_value - half).exp(),
            upper: (ln_value + half).exp(),
        }
    }
}
