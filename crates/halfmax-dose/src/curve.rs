//! One dose–response curve from its readings, and everything that is read off it.

use serde::{Deserialize, Serialize};

use crate::effects::{EffectDose, SensitivityScores};
use crate::estimate::Estimate;
use crate::flags::Flags;
use crate::growth::GrowthMetrics;
use crate::hormesis::BrainCousens;
use crate::robust::Sorted;
use crate::shape::LogLogistic;
use crate::two_phase::TwoPhase;

/// The readings of one curve. All lists are of one length; entries that are not finite, and doses of 0 (control wells) or
/// less, are passed over.
#[derive(Clone, Copy, Debug)]
pub struct CurveReadings<'a> {
    /// The doses in µM.
    pub dose_um: &'a [f64],
    /// The viabilities, as fractions of the control.
    pub viability: &'a [f64],
    /// How often the control divided during the assay, where growth-rate metrics are wanted.
    pub divisions: Option<f64>,
    /// For each reading its batch (experiment, plate, replicate), where a column says it. The readings of one batch differ together; whether they do
    /// is learnt from all curves. Where one curve has more than 16 batches, its batches are not told apart.
    pub batch: Option<&'a [u32]>,
}

/// What was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedModel {
    /// Nothing: too few doses.
    None,
    /// The mean of the readings.
    Constant,
    /// Bottom, EC50 and Hill slope, with the top fixed.
    ThreeParameter,
    /// Top, bottom, EC50 and Hill slope.
    FourParameter,
    /// A log-logistic curve with a rise at low doses: [`BrainCousens`].
    BrainCousens,
    /// Two log-logistic curves one after the other: [`TwoPhase`].
    TwoPhase,
}

impl FittedModel {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Constant => "constant",
            Self::ThreeParameter => "three_parameter",
            Self::FourParameter => "four_parameter",
            Self::BrainCousens => "brain_cousens",
            Self::TwoPhase => "two_phase",
        }
    }
}

/// A fitted curve with its parameters, to be evaluated at any dose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The same viability at every dose.
    Constant(f64),
    /// Of three or four parameters.
    LogLogistic(LogLogistic),
    /// With a rise at low doses.
    BrainCousens(BrainCousens),
    /// Of two phases.
    TwoPhase(TwoPhase),
}

impl Shape {
    /// The viability at a dose, in the unit of the EC50.
    pub fn at(&self, dose: f64) -> f64 {
        match self {
            Self::Constant(level) => *level,
            Self::LogLogistic(curve) => curve.at(dose),
            Self::BrainCousens(curve) => curve.at(dose),
            Self::TwoPhase(curve) => curve.at(dose),
        }
    }
}

/// What a curve of two phases has beside its first phase; NaN for other curves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecondPhase {
    /// The viability between the phases.
    pub plateau: Estimate,
    /// The EC50 of the second phase in µM, half way between that plateau and the bottom; the standard error is that of log10 EC50.
    pub ec50: Estimate,
    /// The Hill slope of the second phase; as [`CurveFit::hill`].
    pub hill: Estimate,
}

impl SecondPhase {
    /// None.
    pub const NONE: Self = Self { plateau: Estimate::NONE, ec50: Estimate::NONE, hill: Estimate::NONE };
}

/// Where a dose lies that was read off a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Between the lowest and the highest tested dose: measured.
    Within,
    /// Below the lowest tested dose: extrapolated.
    Below,
    /// Above the highest tested dose: extrapolated.
    Above,
    /// There is no such dose.
    Nowhere,
}

impl Position {
    /// Where a ln dose lies in a range of them.
    pub(crate) fn of(ln_dose: f64, [low, high]: [f64; 2]) -> Self {
        if ln_dose < low {
            Self::Below
        } else if ln_dose > high {
            Self::Above
        } else {
            Self::Within
        }
    }

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Below => "below",
            Self::Above => "above",
            Self::Nowhere => "none",
        }
    }
}

/// A fitted curve. Viabilities are fractions of the control; numbers that are not there are NaN. Intervals hold 95 % if not asked for otherwise, from
/// Student's t: by the curvature at the minimum (delta method) where the sum of squares is quadratic that far, else by the profile of the
/// sum of squares. They take readings as independent. Where the data chose three parameters over four, intervals allow for the top as if it had
/// been fitted. An end that the readings do not bound, or only further than a decade beyond the tested doses, is NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveFit {
    /// The share of intervals that hold the truth: [`crate::CurveParams::confidence`].
    pub confidence: f64,
    /// What was fitted.
    pub model: FittedModel,
    /// The fitted curve; none with too few doses.
    pub curve: Option<Shape>,
    /// The plateau at low doses. Exact where it was fixed.
    pub top: Estimate,
    /// The plateau at high doses, which the tested doses need not reach.
    pub bottom: Estimate,
    /// The Hill slope: of a curve of two phases that of the first, of one with a rise at low doses the exponent of its formula, which is no slope
    /// of its fall. The interval is that of its logarithm, the standard error its own.
    pub hill: Estimate,
    /// The EC50 in µM, half way between the plateaus: the relative IC50. Of a curve of two phases it is that of the first phase, half way from the
    /// top to the plateau between the phases; of one with a rise at low doses (flag `hormetic`), the dose at which it has fallen half way from its
    /// top, not from its peak, to the bottom. The standard error is that of log10 EC50.
    pub ec50: Estimate,
    /// Where the EC50 lies.
    pub ec50_position: Position,
    /// What a second phase is, where there is one.
    pub second: SecondPhase,
    /// The highest viability of a curve with a rise at low doses; NaN for other curves.
    pub peak: Estimate,
    /// The dose of that peak in µM.
    pub peak_um: f64,
    /// The absolute IC50 in µM: the lowest dose at which the curve falls through a viability of 0.5. The standard error is that of log10 IC50. It is a
    /// measured value only if [`CurveFit::ic50_position`] is [`Position::Within`], else an extrapolation.
    pub ic50: Estimate,
    /// Where the absolute IC50 lies. `Below` without a value: every fitted viability is below 0.5.
    pub ic50_position: Position,
    /// The area under the viability curve over log dose from the lowest to the highest tested dose, divided by the width of
    /// that range: 1 without effect, 0 if all are dead at every dose.
    pub auc: Estimate,
    /// The viability of the curve at the highest tested dose.
    pub emax: Estimate,
    /// The mean reading at the highest tested dose, outliers left out.
    pub emax_observed: f64,
    /// The share of the variance of the readings kept that the curve explains.
    pub r2: f64,
    /// The residual standard error, in viability.
    pub residual_standard_error: f64,
    /// The p value of the test of the curve against a constant, two-sided F where at least three degrees of freedom are left (those that other curves
    /// lend counted), else Mann's exact test of whether the means of the doses fall (Mann 1945), one-sided: it then says nothing of a curve that
    /// rises. Of a constant it is that of the curve that was not found better. NaN for too few doses.
    pub p_flat: f64,
    /// The p value of the F test of a second phase or of a rise at low doses, the lower one, against a log-logistic curve. NaN where not even a curve
    /// through the mean of every dose would pass the test, or where it was not made.
    pub p_phases: f64,
    /// The p value of the lack-of-fit test: the curve against a mean of each nominal dose, by F, with what replicates differ by as the error. NaN without
    /// replicates, and where the curve has as many parameters as there are doses.
    pub p_lack_of_fit: f64,
    /// The activity area and the drug sensitivity scores.
    pub sensitivity: SensitivityScores,
    /// The doses of the effects asked for, in the order of [`crate::CurveParams::effects`].
    pub effect_doses: Vec<EffectDose>,
    /// Readings used.
    pub readings: usize,
    /// Readings left out as outliers.
    pub outliers: usize,
    /// Nominal doses above 0: doses that differ only by the error of a dispenser count once.
    pub doses: usize,
    /// The lowest and the highest tested dose above 0, in µM.
    pub dose_range: [f64; 2],
    /// Growth-rate metrics, where the divisions of the control were given.
    pub growth: GrowthMetrics,
    /// What to know before the curve is used.
    pub flags: Flags,
}

impl CurveFit {
    pub(crate) fn empty(sorted: &Sorted) -> Self {
        let range = [sorted.ln_doses.first(), sorted.ln_doses.last()];
        Self {
            confidence: 0.95,
            model: FittedModel::None,
            curve: None,
            top: Estimate::NONE,
            bottom: Estimate::NONE,
            hill: Estimate::NONE,
            ec50: Estimate::NONE,
            ec50_position: Position::Nowhere,
            second: SecondPhase::NONE,
            peak: Estimate::NONE,
            peak_um: f64::NAN,
            ic50: Estimate::NONE,
            ic50_position: Position::Nowhere,
            auc: Estimate::NONE,
            emax: Estimate::NONE,
            emax_observed: sorted.levels(|_| 1.0).last().map_or(f64::NAN, |level| level.mean),
            r2: f64::NAN,
            residual_standard_error: f64::NAN,
            p_flat: f64::NAN,
            p_phases: f64::NAN,
            p_lack_of_fit: f64::NAN,
            sensitivity: SensitivityScores::NONE,
            effect_doses: Vec::new(),
            readings: sorted.values.len(),
            outliers: 0,
            doses: sorted.nominal_doses(),
            dose_range: range.map(|ln_dose| ln_dose.map_or(f64::NAN, |ln| ln.exp())),
            growth: GrowthMetrics::NONE,
            flags: Flags::default(),
        }
    }

    /// The viability of the fitted curve at a dose in µM, whatever was fitted; none with too few doses.
    pub fn at(&self, dose_um: f64) -> Option<f64> {
        self.curve.map(|curve| curve.at(dose_um))
    }

    /// The fitted log-logistic curve; none where there is none, a constant, or a curve of another shape (see [`CurveFit::at`]).
    pub fn shape(&self) -> Option<LogLogistic> {
        match self.curve {
            Some(Shape::LogLogistic(curve)) => Some(curve),
            _ => None,
        }
    }
}
