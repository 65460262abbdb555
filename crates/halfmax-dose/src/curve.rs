//! One dose–response curve from its readings, with all derived quantities.

use serde::{Deserialize, Serialize};

use crate::effects::{EffectDose, SensitivityScores};
use crate::estimate::Estimate;
use crate::flags::Flags;
use crate::growth::GrowthMetrics;
use crate::hormesis::BrainCousens;
use crate::robust::Sorted;
use crate::shape::LogLogistic;
use crate::two_phase::TwoPhase;

/// The readings of one curve. All lists have the same length. Entries that are not finite and doses of 0 (control
/// wells) or below are skipped.
#[derive(Clone, Copy, Debug)]
pub struct CurveReadings<'a> {
    /// The doses in µM.
    pub dose_um: &'a [f64],
    /// The viabilities, as fractions of the control.
    pub viability: &'a [f64],
    /// The number of divisions of the control during the assay, if growth-rate metrics are wanted.
    pub divisions: Option<f64>,
    /// The batch of each reading (experiment, plate, replicate), if a column gives it. The readings of a batch may
    /// share a deviation; whether they do is learnt from all curves. If a curve has more than 16 batches, its batches
    /// are ignored.
    pub batch: Option<&'a [u32]>,
}

/// The type of the fitted curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedModel {
    /// No curve: too few doses.
    None,
    /// The mean of the readings.
    Constant,
    /// Bottom, EC50 and Hill slope, with the top fixed.
    ThreeParameter,
    /// Top, bottom, EC50 and Hill slope.
    FourParameter,
    /// A log-logistic curve with a rise at low doses: [`BrainCousens`].
    BrainCousens,
    /// Two consecutive log-logistic curves: [`TwoPhase`].
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

/// A fitted curve with its parameters, which can be evaluated at any dose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The same viability at every dose.
    Constant(f64),
    /// A log-logistic curve of three or four parameters.
    LogLogistic(LogLogistic),
    /// A curve with a rise at low doses.
    BrainCousens(BrainCousens),
    /// A curve of two phases.
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

/// The second phase of a two-phase curve; NaN for other curves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecondPhase {
    /// The viability between the phases.
    pub plateau: Estimate,
    /// The EC50 of the second phase in µM, half way between this plateau and the bottom. The standard error is on the
    /// log10 scale.
    pub ec50: Estimate,
    /// The Hill slope of the second phase; as [`CurveFit::hill`].
    pub hill: Estimate,
}

impl SecondPhase {
    /// No second phase.
    pub const NONE: Self = Self { plateau: Estimate::NONE, ec50: Estimate::NONE, hill: Estimate::NONE };
}

/// The position of a derived dose relative to the tested doses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Between the lowest and the highest tested dose: measured.
    Within,
    /// Below the lowest tested dose: extrapolated.
    Below,
    /// Above the highest tested dose: extrapolated.
    Above,
    /// The dose does not exist.
    Nowhere,
}

impl Position {
    /// The position of a ln dose relative to a range.
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

/// A fitted curve. Viabilities are fractions of the control; missing numbers are NaN. Intervals cover 95 % by default,
/// with Student's t: from the curvature at the minimum (delta method) if the sum of squares is quadratic that far, else
/// from the profile of the sum of squares. They assume independent readings. If the data selected three parameters over
/// four, intervals still account for a fitted top. An end is NaN if the readings do not bound it, or only further than
/// a decade beyond the tested doses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveFit {
    /// The nominal coverage of the intervals: [`crate::CurveParams::confidence`].
    pub confidence: f64,
    /// The type of the fitted curve.
    pub model: FittedModel,
    /// The fitted curve; `None` with too few doses.
    pub curve: Option<Shape>,
    /// The plateau at low doses. Exact if it was fixed.
    pub top: Estimate,
    /// The plateau at high doses, which the tested doses need not reach.
    pub bottom: Estimate,
    /// The Hill slope. For a curve of two phases, the slope of the first phase. For a curve with a rise at low doses,
    /// the exponent of its formula, which is not the slope of the fall. The interval is computed on the log scale; the
    /// standard error is that of the slope itself.
    pub hill: Estimate,
    /// The EC50 in µM, half way between the plateaus: the relative IC50. For a curve of two phases, the EC50 of the
    /// first phase, half way from the top to the plateau between the phases. For a curve with a rise at low doses (flag
    /// `hormetic`), the dose at which it has fallen half way from its top (not its peak) to the bottom. The standard
    /// error is on the log10 scale.
    pub ec50: Estimate,
    /// The position of the EC50.
    pub ec50_position: Position,
    /// The second phase, if there is one.
    pub second: SecondPhase,
    /// The highest viability of a curve with a rise at low doses; NaN for other curves.
    pub peak: Estimate,
    /// The dose of that peak in µM.
    pub peak_um: f64,
    /// The absolute IC50 in µM: the lowest dose at which the curve falls through a viability of 0.5. The standard error
    /// is on the log10 scale. The value is measured only if [`CurveFit::ic50_position`] is [`Position::Within`];
    /// otherwise it is an extrapolation.
    pub ic50: Estimate,
    /// The position of the absolute IC50. `Below` without a value means that every fitted viability is below 0.5.
    pub ic50_position: Position,
    /// The area under the viability curve over log dose from the lowest to the highest tested dose, divided by the
    /// width of that range: 1 without effect, 0 if all cells are dead at every dose.
    pub auc: Estimate,
    /// The viability of the curve at the highest tested dose.
    pub emax: Estimate,
    /// The mean reading at the highest tested dose, without outliers.
    pub emax_observed: f64,
    /// The fraction of the variance of the kept readings that the curve explains.
    pub r2: f64,
    /// The residual standard error, in viability.
    pub residual_standard_error: f64,
    /// The p value of the test of the curve against a constant. A two-sided F test if at least three degrees of freedom
    /// are left, including those borrowed from other curves. Otherwise Mann's exact one-sided test for a fall of the
    /// dose means (Mann 1945), which cannot detect a rising curve. For a constant, the p value of the rejected curve.
    /// NaN with too few doses.
    pub p_flat: f64,
    /// The lower p value of the F tests for a second phase and for a rise at low doses, against a log-logistic curve.
    /// NaN if even a curve through the mean of every dose would not pass, or if the test was not made.
    pub p_phases: f64,
    /// The p value of the lack-of-fit test: an F test of the curve against a separate mean for each nominal dose, with
    /// the variance of replicates as the error. NaN without replicates, or if the curve has as many parameters as there
    /// are doses.
    pub p_lack_of_fit: f64,
    /// The activity area and the drug sensitivity scores.
    pub sensitivity: SensitivityScores,
    /// The doses of the requested effects, in the order of [`crate::CurveParams::effects`].
    pub effect_doses: Vec<EffectDose>,
    /// The number of used readings.
    pub readings: usize,
    /// The number of readings left out as outliers.
    pub outliers: usize,
    /// The number of nominal doses above 0. Doses that differ only by dispensing error count once.
    pub doses: usize,
    /// The lowest and the highest tested dose above 0, in µM.
    pub dose_range: [f64; 2],
    /// Growth-rate metrics, if the divisions of the control were given.
    pub growth: GrowthMetrics,
    /// Warnings to check before using the curve.
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

    /// The viability of the fitted curve at a dose in µM, for any type of curve; `None` with too few doses.
    pub fn at(&self, dose_um: f64) -> Option<f64> {
        self.curve.map(|curve| curve.at(dose_um))
    }

    /// The fitted log-logistic curve; `None` without a fit, for a constant, or for a curve of another shape (see
    /// [`CurveFit::at`]).
    pub fn shape(&self) -> Option<LogLogistic> {
        match self.curve {
            Some(Shape::LogLogistic(curve)) => Some(curve),
            _ => None,
        }
    }
}
