//! Two drugs that change each other's potency.

use serde::{Deserialize, Serialize};

use crate::shape::LogLogistic;

/// Two drugs that act independently (Bliss), except that each lowers the EC50 of the other by up to `decades` powers of
/// ten, in proportion to its own effect. This is synergy of potency, the α of MuSyC (Meyer et al. 2019). Below 0, each
/// protects from the other.
///
/// ```
/// use halfmax_dose::{LogLogistic, Potentiation};
/// let drug = LogLogistic { top: 1.0, bottom: 0.0, ec50: 1.0, hill: 1.0 };
/// let viability = |decades: f64| Potentiation { drugs: [drug, drug], decades }.viability([1.0, 1.0]);
/// assert_eq!(viability(0.0), 0.25);
/// assert!(viability(1.0) < 0.07 && viability(-1.0) > 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Potentiation {
    /// Each drug alone.
    pub drugs: [LogLogistic; 2],
    /// The decrease of the EC50, in powers of ten, at full effect of the other drug.
    pub decades: f64,
}

impl Potentiation {
    /// The viability at two doses, each in the unit of its drug's EC50, relative to the control.
    pub fn viability(&self, doses: [f64; 2]) -> f64 {
        let effect = |drug: &LogLogistic, dose: f64| {
            let full = drug.top - drug.bottom;
            if full == 0.0 { 0.0 } else { (drug.top - drug.at(dose)) / full }
        };
        let with_other = |own: usize| {
            let drug = self.drugs[own];
            let fall = self.decades * effect(&self.drugs[1 - own], doses[1 - own]);
            LogLogistic { ec50: drug.ec50 * 10.0_f64.powf(-fall), ..drug }.at(doses[own])
        };
        with_other(0) * with_other(1)
    }
}
