//! The log-logistic curve.

use serde::{Deserialize, Serialize};

/// A four-parameter log-logistic curve of the viability at dose `x`, `y = bottom + (top − bottom) / (1 + (x /
/// ec50)^hill)`, as LL.4 of the R package drc (Ritz et al. 2015), with a positive Hill slope. `top` is the plateau at
/// low doses and `bottom` the plateau at high doses, whichever is larger.
///
/// ```
/// use halfmax_dose::LogLogistic;
/// let curve = LogLogistic { top: 1.0, bottom: 0.2, ec50: 0.5, hill: 1.5 };
/// assert!((curve.at(0.5) - 0.6).abs() < 1e-12);
/// assert!((curve.at(curve.dose_at(0.5).unwrap()) - 0.5).abs() < 1e-12);
/// assert_eq!(curve.dose_at(0.1), None);
/// assert_eq!(curve.at(0.0), 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLogistic {
    /// The viability without the drug, as a fraction of the control.
    pub top: f64,
    /// The viability that the curve approaches at high doses.
    pub bottom: f64,
    /// The dose half way between the two plateaus, in the unit of the doses; above 0.
    pub ec50: f64,
    /// The Hill slope; above 0.
    pub hill: f64,
}

/// The fitted parameters: plateaus, ln EC50, ln Hill slope.
pub(crate) type Theta = [f64; 4];

/// Beyond this the logistic function is 0 or 1 to the last bit; it also replaces the infinite exponent of dose 0.
const FAR: f64 = 500.0;

/// `1 / (1 + e^u)`, the fraction of the way from bottom to top, and its exponent `u`.
pub(crate) fn share_of_top(ln_dose: f64, ln_ec50: f64, hill: f64) -> (f64, f64) {
    let exponent = (hill * (ln_dose - ln_ec50)).clamp(-FAR, FAR);
    (1.0 / (1.0 + exponent.exp()), exponent)
}

/// ln(1 + e^u) without overflow.
pub(crate) fn softplus(u: f64) -> f64 {
    u.max(0.0) + (-u.abs()).exp().ln_1p()
}

impl LogLogistic {
    pub(crate) fn from_theta([top, bottom, ln_ec50, ln_hill]: &Theta) -> Self {
        Self { top: *top, bottom: *bottom, ec50: ln_ec50.exp(), hill: ln_hill.exp() }
    }

    /// The viability at a dose, in the unit of the EC50; at dose 0 it is the top.
    pub fn at(&self, dose: f64) -> f64 {
        let (share, _) = share_of_top(dose.ln(), self.ec50.ln(), self.hill);
        self.bottom + (self.top - self.bottom) * share
    }

    /// The dose at which the viability is `level`; `None` unless `level` is strictly between the plateaus.
    pub fn dose_at(&self, level: f64) -> Option<f64> {
        let ratio = (self.top - level) / (level - self.bottom);
        (ratio > 0.0 && ratio.is_finite()).then(|| self.ec50 * (ratio.ln() / self.hill).exp())
    }

    /// The area under the viability curve over log dose from `low` to `high` (both above 0), divided by the width of that
    /// range: the average viability, 1 for a drug without effect. Exact, not by trapezoids.
    pub fn area(&self, low: f64, high: f64) -> f64 {
        let exponent = |dose: f64| self.hill * (dose / self.ec50).ln();
        let (from, to) = (exponent(low), exponent(high));
        let share = if to - from < 1e-9 {
            1.0 / (1.0 + from.exp())
        } else {
            (softplus(-from) - softplus(-to)) / (to - from)
        };
        self.bottom + (self.top - self.bottom) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_is_the_integral() {
        let curve = LogLogistic { top: 1.05, bottom: 0.1, ec50: 0.3, hill: 1.7 };
        let (low, high) = (0.01_f64, 20.0_f64);
        let steps = 20_000;
        let dose = |at: usize| low * (high / low).powf((at as f64 + 0.5) / steps as f64);
        let sum: f64 = (0..steps).map(|at| curve.at(dose(at))).sum();
        assert!((curve.area(low, high) - sum / steps as f64).abs() < 1e-8);
        assert!((curve.area(0.3, 0.3) - curve.at(0.3)).abs() < 1e-9);
    }

    #[test]
    fn extreme_doses_do_not_overflow() {
        let curve = LogLogistic { top: 1.0, bottom: 0.0, ec50: 1.0, hill: 10.0 };
        assert_eq!(curve.at(0.0), 1.0);
        assert!(curve.at(1e300) < 1e-100);
        assert!((curve.area(1e-250, 1e250) - 0.5).abs() < 1e-9);
    }
}
