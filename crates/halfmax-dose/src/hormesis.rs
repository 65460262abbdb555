//! A curve that rises at low doses before it falls.

use serde::{Deserialize, Serialize};

use crate::model::{Curve, by_quadrature, search_fall};
use crate::shape::{share_of_top, softplus};

/// A log-logistic curve with a rise at low doses, `y = bottom + (top − bottom + rise · x) / (1 + (x / scale)^hill)`
/// (Brain & Cousens 1989, *Weed Research* 29, 93; BC.5 of the R package drc). Its dose parameter is not an EC50, and
/// its slope is above 1.
///
/// ```
/// use halfmax_dose::BrainCousens;
/// let curve = BrainCousens { top: 1.0, bottom: 0.0, scale: 1.0, hill: 3.0, rise: 0.8 };
/// assert_eq!(curve.at(0.0), 1.0);
/// assert!(curve.at(0.5) > 1.2);
/// assert!((curve.at(1.0) - 0.9).abs() < 1e-12); // (1 + 0.8) / 2
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrainCousens {
    /// The viability without the drug, as a fraction of the control.
    pub top: f64,
    /// The viability that the curve approaches at high doses.
    pub bottom: f64,
    /// The dose of half the fall if there were no rise; in the unit of the doses, above 0.
    pub scale: f64,
    /// The slope; above 1.
    pub hill: f64,
    /// The initial rise of the viability with the dose; 0 or more.
    pub rise: f64,
}

/// The fitted parameters: top, bottom, ln scale, ln slope, and the rise at a dose equal to the scale.
pub(crate) type HormeticTheta = [f64; 5];

impl BrainCousens {
    pub(crate) fn from_theta([top, bottom, ln_scale, ln_hill, rise]: &HormeticTheta) -> Self {
        let scale = ln_scale.exp();
        Self { top: *top, bottom: *bottom, scale, hill: ln_hill.exp(), rise: rise / scale }
    }

    fn theta(&self) -> HormeticTheta {
        [self.top, self.bottom, self.scale.ln(), self.hill.ln(), self.rise * self.scale]
    }

    /// The viability at a dose; at dose 0 it is the top.
    pub fn at(&self, dose: f64) -> f64 {
        HormeticTheta::value(&self.theta().ready(), dose.ln())
    }
}

/// A curve with its slope as a plain number.
pub(crate) struct Ready {
    top: f64,
    bottom: f64,
    ln_scale: f64,
    hill: f64,
    rise: f64,
}

impl Ready {
    /// The weight of the top, the dose divided by the scale times that weight, and the exponent.
    fn parts(&self, ln_dose: f64) -> [f64; 3] {
        let (share, exponent) = share_of_top(ln_dose, self.ln_scale, self.hill);
        let risen = (ln_dose - self.ln_scale - softplus(exponent)).clamp(-700.0, 700.0).exp();
        [share, if ln_dose == f64::NEG_INFINITY { 0.0 } else { risen }, exponent]
    }
}

impl Curve<5> for HormeticTheta {
    type Ready = Ready;
    const LONGEST: [f64; 5] = [f64::INFINITY, f64::INFINITY, 3.0, 1.0, 1.0];
    const LONGEST_IN_PROFILE: [f64; 5] = [0.3, 0.3, 1.5, 0.7, 0.5];

    fn ready(&self) -> Ready {
        let [top, bottom, ln_scale, ln_hill, rise] = *self;
        Ready { top, bottom, ln_scale, hill: ln_hill.exp(), rise }
    }

    fn slopes(ready: &Ready, ln_dose: f64) -> (f64, [f64; 5]) {
        let [share, risen, exponent] = ready.parts(ln_dose);
        let height = ready.top - ready.bottom;
        let value = ready.bottom + height * share + ready.rise * risen;
        let fall = (1.0 - share) * (height * share + ready.rise * risen);
        let by_scale = ready.hill * fall - ready.rise * risen;
        (value, [share, 1.0 - share, by_scale, -exponent * fall, risen])
    }

    fn value(ready: &Ready, ln_dose: f64) -> f64 {
        let [share, risen, _] = ready.parts(ln_dose);
        ready.bottom + (ready.top - ready.bottom) * share + ready.rise * risen
    }

    fn falls_through(&self, level: f64) -> Option<f64> {
        let ready = self.ready();
        // The rise decays as the dose to the power of 1 minus the slope.
        let far = 30.0 / (ready.hill - 1.0).max(0.1);
        let range = [ready.ln_scale - 40.0 / ready.hill, ready.ln_scale + far.min(60.0)];
        search_fall(|ln_dose| Self::value(&ready, ln_dose), level, range)
    }

    // The integral of the rise has no closed form.
    fn area(&self, range: [f64; 2]) -> (f64, [f64; 5]) {
        by_quadrature(&self.ready(), range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_derivatives() {
        let theta: HormeticTheta = [1.0, 0.1, -1.0, 0.9, 0.7];
        crate::model::tests::slopes_are_derivatives(&theta, &[-30.0, -3.0, -1.2, 0.0, 2.0]);
    }

    #[test]
    fn formula_is_that_of_the_paper() {
        let curve = BrainCousens { top: 1.1, bottom: 0.2, scale: 0.3, hill: 2.5, rise: 1.5 };
        for dose in [0.001, 0.1, 0.3, 2.0, 50.0_f64] {
            let expected = 0.2 + (0.9 + 1.5 * dose) / (1.0 + (dose / 0.3).powf(2.5));
            assert!((curve.at(dose) - expected).abs() < 1e-12, "{dose}");
        }
        assert_eq!(curve.at(0.0), 1.1);
    }
}
