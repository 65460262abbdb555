//! Doses of effects other than one half, and sensitivity scores over the tested doses.

use halfmax_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::curve::Position;
use crate::estimate::Estimate;
use crate::model::{Curve, Target};

/// An effect in percent; its dose is requested.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// ICx: the viability is x % lower than that of the control.
    Inhibitory(f64),
    /// ECx: the curve has gone x % of the way from its top to its bottom.
    Effective(f64),
    /// GRx: the growth-rate value is x % lower than that of the control (GR50: 0.5; GR100: as many cells as at the start).
    GrowthRate(f64),
}

impl Effect {
    /// The name of its columns, without the unit: `ic90`, `ec10`, `gr25`.
    ///
    /// ```
    /// use halfmax_dose::Effect;
    /// assert_eq!(Effect::Inhibitory(90.0).name(), "ic90");
    /// assert_eq!(Effect::GrowthRate(12.5).name(), "gr12.5");
    /// ```
    pub fn name(&self) -> String {
        match self {
            Self::Inhibitory(percent) => format!("ic{percent}"),
            Self::Effective(percent) => format!("ec{percent}"),
            Self::GrowthRate(percent) => format!("gr{percent}"),
        }
    }

    /// Checks that the effect is possible.
    ///
    /// # Errors
    /// If the percentage is not above 0, or not below 100 (below 200 for growth rates, where 200 means that all cells
    /// are dead).
    pub(crate) fn check(&self) -> Result<()> {
        let (name, percent, most) = match *self {
            Self::Inhibitory(percent) => ("icx", percent, 100.0),
            Self::Effective(percent) => ("ecx", percent, 100.0),
            Self::GrowthRate(percent) => ("grx", percent, 200.0),
        };
        if percent > 0.0 && percent < most {
            return Ok(());
        }
        Err(Error::parameter(name, percent, &format!("percentages above 0, below {most}")))
    }
}

/// The dose of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectDose {
    /// The effect.
    pub effect: Effect,
    /// The lowest dose in µM at which the curve reaches the effect. The standard error is on the log10 scale. The value
    /// is measured only if the position is [`Position::Within`]; otherwise it is an extrapolation.
    pub dose: Estimate,
    /// Its position, as [`crate::CurveFit::ic50_position`].
    pub position: Position,
}

/// Sensitivity scores over the tested doses; NaN without a fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensitivityScores {
    /// The area above the viability curve over log dose, divided by the width of the tested range, as in PharmacoGx
    /// (`aac_recomputed`): 0 without effect, 1 if all cells are dead at every dose. Viabilities above 1 count as 1,
    /// below 0 as 0, so it is not exactly 1 minus the AUC.
    pub aac: f64,
    /// The drug sensitivity scores DSS1, DSS2 and DSS3 (Yadav et al. 2014, *Scientific Reports* 4, 5193), 0 to 100
    /// (DSS2: 0 to 50), as in the authors' R package DSS. `x₁` is the lowest log dose at which the inhibition reaches t
    /// = 10 %, but at least the lowest tested log dose `x_min`. `x₂` is the highest tested log dose, and `a` the
    /// inhibition at the curve's bottom in percent:
    ///
    /// - `DSS1 = 100 · ∫ (inhibition − t) dx / ((100 − t) (x₂ − x_min))`, from `x₁` to `x₂`;
    /// - `DSS2 = DSS1 / log10 a`;
    /// - `DSS3 = DSS1 · (2 / log10 a) · (x₂ − x₁) / (x₂ − x_min)`.
    ///
    /// The scores are 0 if the EC50 is not below the highest tested dose, or if `a` is not above t. The package assumes
    /// the viability of the control at low doses; here it is the fitted top.
    pub dss: [f64; 3],
}

/// The smallest inhibition that counts, as a fraction.
const LEAST_ACTIVITY: f64 = 0.1;

impl SensitivityScores {
    /// Unknown scores.
    pub const NONE: Self = Self { aac: f64::NAN, dss: [f64::NAN; 3] };

    pub(crate) fn of_constant(level: f64) -> Self {
        let inhibition = (1.0 - level).clamp(0.0, 1.0);
        Self { aac: inhibition, dss: dss(inhibition, inhibition, 1.0) }
    }

    /// The scores of a curve over the tested ln doses.
    pub(crate) fn of_curve<const N: usize>(theta: &[f64; N], range: [f64; 2]) -> Self
    where
        [f64; N]: Curve<N>,
    {
        let aac = 1.0 - average_within_0_and_1(theta, range);
        let lowest = if N == 7 { theta[1].min(theta[4]) } else { theta[1] };
        let most = (1.0 - lowest).clamp(0.0, 1.0);
        let ready = theta.ready();
        let active = <[f64; N]>::value(&ready, range[0]) <= 1.0 - LEAST_ACTIVITY;
        let from = match active {
            true => Some(range[0]),
            false => Target::Viability(1.0 - LEAST_ACTIVITY).ln_dose(theta).map(|found| found.0),
        };
        let from = from.map(|from| from.max(range[0])).filter(|from| *from < range[1] && theta[2] < range[1]);
        let Some(from) = from.filter(|_| theta[1] < theta[0]) else { return Self { aac, dss: [0.0; 3] } };
        let average = 1.0 - theta.area([from, range[1]]).0;
        Self { aac, dss: dss(average, most, (range[1] - from) / (range[1] - range[0])) }
    }
}

/// The scores of a curve, given its average inhibition over the active part of the tested range.
fn dss(average: f64, most: f64, active: f64) -> [f64; 3] {
    if most <= LEAST_ACTIVITY {
        return [0.0; 3];
    }
    let first = 100.0 * ((average - LEAST_ACTIVITY) / (1.0 - LEAST_ACTIVITY) * active).max(0.0);
    let second = first / (100.0 * most).log10();
    [first, second, 2.0 * second * active]
}

/// The average of a curve over a range of ln doses, clipped to 0 and 1.
fn average_within_0_and_1<const N: usize>(theta: &[f64; N], range: [f64; 2]) -> f64
where
    [f64; N]: Curve<N>,
{
    const POINTS: usize = 256;
    let [low, high] = range;
    // A falling log-logistic curve crosses 0 and 1 at most once each.
    if N == 4 && theta[0] >= theta[1] && theta[1] < 1.0 && theta[0] > 0.0 {
        let crosses = |level: f64, otherwise: f64| {
            theta.falls_through(level).map_or(otherwise, |ln| ln.clamp(low, high))
        };
        let (from, to) = (crosses(1.0, low), crosses(0.0, high));
        let between = if to > from { theta.area([from, to]).0 * (to - from) } else { 0.0 };
        return (from - low + between) / (high - low);
    }
    let ready = theta.ready();
    let place = |at: usize| low + (high - low) * (at as f64 + 0.5) / POINTS as f64;
    let sum: f64 = (0..POINTS).map(|at| <[f64; N]>::value(&ready, place(at)).clamp(0.0, 1.0)).sum();
    sum / POINTS as f64
}
