//! A curve of two phases.

use serde::{Deserialize, Serialize};

use crate::model::{Curve, average_share, search_fall};
use crate::shape::share_of_top;

/// Two consecutive log-logistic curves, from the top to a plateau and from there to the bottom: `y = bottom + (top −
/// plateau) / (1 + (x / ec50)^hill) + (plateau − bottom) / (1 + (x / ec50_2)^hill_2)`. Either phase may rise: a plateau
/// above the top is a rise at low doses, a bottom above the plateau a hook.
///
/// ```
/// use halfmax_dose::TwoPhase;
/// let curve = TwoPhase { top: 1.0, bottom: 0.0, ec50: 0.01, hill: 2.0, plateau: 0.6, ec50_2: 10.0, hill_2: 2.0 };
/// assert!((curve.at(0.3) - 0.6).abs() < 0.01);
/// assert!((curve.at(10.0) - 0.3).abs() < 0.01);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoPhase {
    /// The viability without the drug, as a fraction of the control.
    pub top: f64,
    /// The viability that the curve approaches at high doses.
    pub bottom: f64,
    /// The dose half way between the top and the plateau, in the unit of the doses; above 0.
    pub ec50: f64,
    /// The Hill slope of the first phase; above 0.
    pub hill: f64,
    /// The viability between the phases.
    pub plateau: f64,
    /// The dose half way between the plateau and the bottom; above the EC50 of the first phase.
    pub ec50_2: f64,
    /// The Hill slope of the second phase; above 0.
    pub hill_2: f64,
}

/// The fitted parameters: top, bottom, ln EC50 and ln slope of the first phase, the plateau, the increase of ln EC50 to
/// the second phase, and the ln slope of the second phase.
pub(crate) type TwoPhaseTheta = [f64; 7];

impl TwoPhase {
    pub(crate) fn from_theta(theta: &TwoPhaseTheta) -> Self {
        let [top, bottom, ln_ec50, ln_hill, plateau, gap, ln_hill_2] = *theta;
        Self {
            top,
            bottom,
            ec50: ln_ec50.exp(),
            hill: ln_hill.exp(),
            plateau,
            ec50_2: (ln_ec50 + gap).exp(),
            hill_2: ln_hill_2.exp(),
        }
    }

    fn theta(&self) -> TwoPhaseTheta {
        let gap = (self.ec50_2 / self.ec50).ln();
        [self.top, self.bottom, self.ec50.ln(), self.hill.ln(), self.plateau, gap, self.hill_2.ln()]
    }

    /// The viability at a dose; at dose 0 it is the top.
    pub fn at(&self, dose: f64) -> f64 {
        TwoPhaseTheta::value(&self.theta().ready(), dose.ln())
    }
}

/// The phases: height, ln EC50 and slope of each.
pub(crate) struct Ready {
    bottom: f64,
    phases: [[f64; 3]; 2],
}

impl Curve<7> for TwoPhaseTheta {
    type Ready = Ready;
    const LONGEST: [f64; 7] = [f64::INFINITY, f64::INFINITY, 2.0, 1.0, f64::INFINITY, 2.0, 1.0];
    const LONGEST_IN_PROFILE: [f64; 7] = [0.3, 0.3, 1.5, 0.7, 0.3, 1.5, 0.7];

    fn ready(&self) -> Ready {
        let [top, bottom, ln_ec50, ln_hill, plateau, gap, ln_hill_2] = *self;
        let phases =
            [[top - plateau, ln_ec50, ln_hill.exp()], [plateau - bottom, ln_ec50 + gap, ln_hill_2.exp()]];
        Ready { bottom, phases }
    }

    fn slopes(ready: &Ready, ln_dose: f64) -> (f64, [f64; 7]) {
        let of = |[height, ln_ec50, hill]: [f64; 3]| {
            let (share, exponent) = share_of_top(ln_dose, ln_ec50, hill);
            let steep = height * share * (1.0 - share);
            (height * share, share, steep * hill, -steep * exponent)
        };
        let [first, second] = ready.phases.map(of);
        let slopes =
            [first.1, 1.0 - second.1, first.2 + second.2, first.3, second.1 - first.1, second.2, second.3];
        (ready.bottom + first.0 + second.0, slopes)
    }

    fn value(ready: &Ready, ln_dose: f64) -> f64 {
        let of = |[height, ln_ec50, hill]: &[f64; 3]| height * share_of_top(ln_dose, *ln_ec50, *hill).0;
        ready.bottom + ready.phases.iter().map(of).sum::<f64>()
    }

    fn falls_through(&self, level: f64) -> Option<f64> {
        let ready = self.ready();
        let far = |[_, _, hill]: [f64; 3]| (30.0 / hill).min(60.0);
        let range = [ready.phases[0][1] - far(ready.phases[0]), ready.phases[1][1] + far(ready.phases[1])];
        search_fall(|ln_dose| Self::value(&ready, ln_dose), level, range)
    }

    fn area(&self, range: [f64; 2]) -> (f64, [f64; 7]) {
        let ready = self.ready();
        let of = |[height, ln_ec50, hill]: [f64; 3]| {
            let (share, by_ec50, by_hill) = average_share(range, ln_ec50, hill);
            (height * share, share, height * by_ec50, height * by_hill)
        };
        let [first, second] = ready.phases.map(of);
        let slopes =
            [first.1, 1.0 - second.1, first.2 + second.2, first.3, second.1 - first.1, second.2, second.3];
        (ready.bottom + first.0 + second.0, slopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_derivatives() {
        let theta: TwoPhaseTheta = [1.0, 0.1, -3.0, 0.4, 0.6, 4.0, 0.2];
        crate::model::tests::slopes_are_derivatives(&theta, &[-30.0, -3.5, -1.0, 1.2, 3.0]);
    }
}
