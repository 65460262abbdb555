//! The parameters of curve fits, and their checks.

use halfmax_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effects::Effect;
use crate::fitter::CurveFitter;

/// The type of curve to fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelChoice {
    /// Three or four parameters, whichever has the lower AICc (Hurvich & Tsai 1989), or a constant if the F test does
    /// not find the curve better.
    #[default]
    Auto,
    /// Three parameters with the top fixed, or a constant if the F test does not find the curve better.
    #[serde(alias = "auto-fixed-top")]
    AutoFixedTop,
    /// Top, bottom, EC50 and Hill slope.
    #[serde(alias = "four-parameter")]
    FourParameter,
    /// Bottom, EC50 and Hill slope; the top is [`CurveParams::fixed_top`].
    #[serde(alias = "three-parameter")]
    ThreeParameter,
}

/// Whether curves with a second phase or a rise at low doses get a separate model, if the data select the curve
/// ([`ModelChoice::Auto`] and [`ModelChoice::AutoFixedTop`]). Flags mark such curves in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Curves {
    /// [`crate::TwoPhase`] or [`crate::BrainCousens`] if an F test finds them better than a log-logistic curve.
    #[default]
    Any,
    /// Log-logistic curves only.
    #[serde(alias = "log-logistic")]
    LogLogistic,
}

/// The treatment of readings that the curve does not explain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outliers {
    /// Outliers are found by M-estimation (Huber's function, then Tukey's biweight, on the scale of the median absolute
    /// residual), left out, and counted.
    #[default]
    #[serde(alias = "leave-out")]
    LeftOut,
    /// All readings are kept: plain least squares.
    #[serde(alias = "keep")]
    Kept,
}

/// The prior of Hill slopes: a normal distribution of ln Hill. If a single dose lies on the slope, the sum of squares
/// is almost flat in the slope, and least squares reports the steep end. The prior then selects a usual slope. It
/// hardly changes a slope that the readings determine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HillPrior {
    /// Learnt from all curves that are fitted together, as in a mixed model. With fewer than twenty curves, a weak
    /// prior: 1.2 within a factor of 2.5.
    #[default]
    Learnt,
    /// No prior, neither on slopes nor on other common properties: each curve is fitted alone by least squares.
    None,
    /// A given prior.
    Given {
        /// The median slope.
        median: f64,
        /// The standard deviation of ln Hill.
        spread: f64,
    },
}

impl HillPrior {
    /// The prior without other information: mean and standard deviation of ln Hill.
    pub(crate) const WEAK: [f64; 2] = [0.182, 0.9];
}

/// How dose–response curves are fitted. Viabilities are fractions of the control: 1 without effect, 0 if all cells are
/// dead.
///
/// ```
/// use halfmax_dose::{CurveParams, CurveReadings};
/// let fitter = CurveParams::default().check()?;
/// let dose_um = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
/// let viability = [0.99, 1.01, 0.93, 0.77, 0.51, 0.26, 0.12];
/// let fit = fitter.fit(&CurveReadings { dose_um: &dose_um, viability: &viability, divisions: None, batch: None });
/// assert!((fit.ic50.value - 1.0).abs() < 0.1);
/// assert!(fit.ic50.lower < 1.0 && 1.0 < fit.ic50.upper);
/// let error = CurveParams { significance: 2.0, ..CurveParams::default() }.check().err().map(|e| e.to_string());
/// assert_eq!(error.as_deref(), Some("significance = 2: expected a number above 0, below 1"));
/// # Ok::<(), halfmax_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CurveParams {
    /// The type of curve.
    pub model: ModelChoice,
    /// Whether curves with a second phase or a rise at low doses get a separate model.
    pub curves: Curves,
    /// Effects whose doses are requested besides the IC50 and the EC50.
    pub effects: Vec<Effect>,
    /// The top of the three-parameter curve, a viability.
    pub fixed_top: f64,
    /// The treatment of outliers.
    pub outliers: Outliers,
    /// The range of the top, in viability.
    pub top: [f64; 2],
    /// The range of the bottom, in viability. 0 means that all cells are dead; an extrapolated curve must not fall
    /// below.
    pub bottom: [f64; 2],
    /// The range of the Hill slope, above 0.
    pub hill: [f64; 2],
    /// The prior of Hill slopes.
    pub hill_prior: HillPrior,
    /// How many decades beyond the tested doses the EC50 may lie.
    pub decades_beyond: f64,
    /// The p value of the F test below which a curve is not a constant.
    pub significance: f64,
    /// The nominal coverage of intervals.
    pub confidence: f64,
}

impl Default for CurveParams {
    fn default() -> Self {
        Self {
            model: ModelChoice::Auto,
            curves: Curves::Any,
            effects: Vec::new(),
            fixed_top: 1.0,
            outliers: Outliers::LeftOut,
            top: [0.0, 2.0],
            bottom: [0.0, 2.0],
            hill: [0.1, 10.0],
            hill_prior: HillPrior::Learnt,
            decades_beyond: 2.0,
            significance: 0.05,
            confidence: 0.95,
        }
    }
}

impl CurveParams {
    /// Checks the parameters and makes a fitter.
    ///
    /// # Errors
    /// If a value is out of its range. The error names the parameter, the value and the allowed range.
    pub fn check(self) -> Result<CurveFitter> {
        for (name, [low, high], least) in
            [("top", self.top, -10.0), ("bottom", self.bottom, -10.0), ("hill", self.hill, 1e-3)]
        {
            if !(low >= least && low < high && high <= 100.0) {
                let expected = format!("a range [low, high] within {least} to 100, low below high");
                return Err(Error::parameter(name, format!("[{low}, {high}]"), &expected));
            }
        }
        if !(self.fixed_top > 0.0 && self.fixed_top <= 10.0) {
            return Err(Error::parameter(
                "fixed_top",
                self.fixed_top,
                "a viability above 0, at most 10 (1 = control)",
            ));
        }
        if let HillPrior::Given { median, spread } = self.hill_prior {
            if !(0.01..=100.0).contains(&median) {
                return Err(Error::parameter("hill_prior.median", median, "a slope of 0.01 to 100"));
            }
            if !(0.01..=10.0).contains(&spread) {
                return Err(Error::parameter(
                    "hill_prior.spread",
                    spread,
                    "a standard deviation of ln Hill, 0.01 to 10",
                ));
            }
        }
        if !(0.0..=6.0).contains(&self.decades_beyond) {
            return Err(Error::parameter("decades_beyond", self.decades_beyond, "0 to 6 decades"));
        }
        if !(self.significance > 0.0 && self.significance < 1.0) {
            return Err(Error::parameter("significance", self.significance, "a number above 0, below 1"));
        }
        self.effects.iter().try_for_each(Effect::check)?;
        check_confidence(self.confidence)?;
        Ok(CurveFitter::new(self))
    }
}

/// Refuses an impossible coverage of intervals.
pub(crate) fn check_confidence(confidence: f64) -> Result<()> {
    if (0.5..=0.999).contains(&confidence) {
        return Ok(());
    }
    Err(Error::parameter("confidence", confidence, "a share of 0.5 to 0.999: 0.95 for intervals of 95 %"))
}
