//! A curve of growth rates expressed as viability. It is fitted on this scale because readings have a constant error
//! there, while growth rates have a larger error the fewer cells live.

use crate::model::{Curve, by_quadrature};
use crate::shape::share_of_top;

/// The GR value when all cells are dead.
pub(crate) const DEAD: f64 = -1.0;

/// The GR value at low and at high doses, the logarithms of the dose half way between them and of the Hill slope, the
/// divisions of the control, and the GR value when all cells are dead. The last two are known.
pub(crate) type GrowthTheta = [f64; 6];

/// A curve of growth rates with its slope as a plain number.
pub(crate) struct Ready {
    top: f64,
    bottom: f64,
    ln_ec50: f64,
    hill: f64,
    divisions: f64,
    dead: f64,
}

/// The smallest fraction of the way from death to the control's growth that is raised to a power.
const LEAST: f64 = 1e-12;

impl Ready {
    /// The weight of the top, the exponent, the GR value, and its distance from death relative to the control.
    fn parts(&self, ln_dose: f64) -> [f64; 4] {
        let (share, exponent) = share_of_top(ln_dose, self.ln_ec50, self.hill);
        let rate = self.bottom + (self.top - self.bottom) * share;
        [share, exponent, rate, ((rate - self.dead) / (1.0 - self.dead)).max(LEAST)]
    }
}

impl Curve<6> for GrowthTheta {
    type Ready = Ready;
    const LONGEST: [f64; 6] = [f64::INFINITY, f64::INFINITY, 3.0, 1.0, 0.0, 0.0];
    const LONGEST_IN_PROFILE: [f64; 6] = [0.3, 0.3, 1.5, 0.7, 0.3, 0.3];

    fn ready(&self) -> Ready {
        let [top, bottom, ln_ec50, ln_hill, divisions, dead] = *self;
        Ready { top, bottom, ln_ec50, hill: ln_hill.exp(), divisions, dead }
    }

    fn slopes(ready: &Ready, ln_dose: f64) -> (f64, [f64; 6]) {
        let [share, exponent, rate, alive] = ready.parts(ln_dose);
        let width = 1.0 - ready.dead;
        let value = alive.powf(ready.divisions);
        let by_rate = ready.divisions * value / alive / width;
        let steep = by_rate * (ready.top - ready.bottom) * share * (1.0 - share);
        let slopes = [
            by_rate * share,
            by_rate * (1.0 - share),
            steep * ready.hill,
            -steep * exponent,
            value * alive.ln(),
            by_rate * (rate - 1.0) / width,
        ];
        (value, slopes)
    }

    fn value(ready: &Ready, ln_dose: f64) -> f64 {
        ready.parts(ln_dose)[3].powf(ready.divisions)
    }

    fn falls_through(&self, level: f64) -> Option<f64> {
        let [top, bottom, ln_ec50, ln_hill, divisions, dead] = *self;
        let rate = dead + (1.0 - dead) * level.max(0.0).powf(1.0 / divisions);
        [top, bottom, ln_ec50, ln_hill].falls_through(rate)
    }

    fn area(&self, range: [f64; 2]) -> (f64, [f64; 6]) {
        by_quadrature(&self.ready(), range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::growth_rate_value;

    #[test]
    fn slopes_are_derivatives() {
        for divisions in [0.8, 2.5] {
            let theta: GrowthTheta = [1.0, -0.3, -1.0, 0.3, divisions, DEAD];
            crate::model::tests::slopes_are_derivatives(&theta, &[-30.0, -2.0, -1.0, 1.0]);
        }
    }

    /// The growth rates of the viabilities are the log-logistic curve again.
    #[test]
    fn growth_rates_of_the_viabilities_are_the_curve() {
        let theta: GrowthTheta = [1.0, -0.3, -1.0, 0.3, 1.7, DEAD];
        let plain = crate::LogLogistic::from_theta(&[1.0, -0.3, -1.0, 0.3]);
        for ln_dose in [-4.0, -1.0, 0.0, 2.0_f64] {
            let viability = GrowthTheta::value(&theta.ready(), ln_dose);
            assert!((growth_rate_value(viability, 1.7) - plain.at(ln_dose.exp())).abs() < 1e-12);
        }
    }
}
