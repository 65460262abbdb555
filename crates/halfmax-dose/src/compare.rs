//! Compares two curves: the ratio of potencies, and the area between the curves.

use serde::{Deserialize, Serialize};

use crate::curve::{CurveFit, FittedModel, Position};
use crate::distributions::{Quantiles, f_upper_tail};
use crate::estimate::Estimate;

/// The differences between two curves; NaN if unknown. The readings of both curves are assumed independent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The IC50 of the second curve divided by that of the first, if both were measured.
    pub ic50_ratio: Difference,
    /// The EC50 of the second curve divided by that of the first, if both lie within the tested doses.
    pub ec50_ratio: Difference,
    /// The area between the curves, ABC: the average distance of the two viabilities over log dose, in the dose range
    /// that both share, as in PharmacoGx. 0 for two equal curves, at most 1 for viabilities of 0 to 1; noise alone
    /// makes it larger than 0. NaN without shared doses.
    pub abc: f64,
}

/// A ratio with its interval and the p value of whether it is 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The ratio itself.
    pub ratio: f64,
    /// The lower end of its interval, at the confidence level of the fits; NaN if open.
    pub lower: f64,
    /// The upper end of its interval; NaN if open.
    pub upper: f64,
    /// The two-sided p value of a ratio of 1; it is below 1 minus the confidence level if the interval does not contain
    /// 1.
    pub p_value: f64,
}

impl Difference {
    /// An unknown difference.
    pub const NONE: Self = Self { ratio: f64::NAN, lower: f64::NAN, upper: f64::NAN, p_value: f64::NAN };

    /// The ratio of two estimates above 0. Its interval follows from theirs on the log scale (Zou & Donner 2008,
    /// *Statistics in Medicine* 27, 1693), so it may be asymmetric. An end that depends on an open end is open.
    fn of(first: &Estimate, second: &Estimate, freedom: f64, confidence: f64) -> Self {
        let [a, b] = [first, second].map(|of| [of.lower.ln(), of.value.ln(), of.upper.ln()]);
        let difference = b[1] - a[1];
        if difference.is_nan() || confidence.is_nan() {
            return Self::NONE;
        }
        let below = (b[1] - b[0]).hypot(a[2] - a[1]);
        let above = (b[2] - b[1]).hypot(a[1] - a[0]);
        let towards = if difference > 0.0 { below } else { above };
        let t = Quantiles::one(confidence, freedom) * difference / towards;
        Self {
            ratio: difference.exp(),
            lower: (difference - below).exp(),
            upper: (difference + above).exp(),
            p_value: if t.is_finite() { f_upper_tail(t * t, 1.0, freedom) } else { f64::NAN },
        }
    }
}

impl CurveFit {
    /// Compares a curve with a curve of another cell line, drug or condition.
    ///
    /// ```
    /// use halfmax_dose::{CurveParams, CurveReadings, LogLogistic};
    /// let fitter = CurveParams::default().check()?;
    /// let dose_um: Vec<f64> = (0..9).map(|at| 0.01 * 3.0_f64.powi(at)).collect();
    /// let fit = |ec50: f64| {
    ///     let curve = LogLogistic { top: 1.0, bottom: 0.1, ec50, hill: 1.2 };
    ///     let viability: Vec<f64> = dose_um.iter().map(|dose| curve.at(*dose)).collect();
    ///     fitter.fit(&CurveReadings { dose_um: &dose_um, viability: &viability, divisions: None, batch: None })
    /// };
    /// let found = fit(0.1).compare(&fit(0.4));
    /// assert!((found.ec50_ratio.ratio - 4.0).abs() < 0.01);
    /// assert!(found.abc > 0.1);
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn compare(&self, other: &Self) -> Comparison {
        let freedom = (self.freedom() + other.freedom()) as f64;
        let measured = |fit: &Self, position: Position, of: Estimate| match position {
            Position::Within if fit.model != FittedModel::None => of,
            _ => Estimate::NONE,
        };
        // Intervals at two confidence levels cannot be combined.
        let confidence = if self.confidence == other.confidence { self.confidence } else { f64::NAN };
        let ic50 = [self, other].map(|fit| measured(fit, fit.ic50_position, fit.ic50));
        let ec50 = [self, other].map(|fit| measured(fit, fit.ec50_position, fit.ec50));
        Comparison {
            ic50_ratio: Difference::of(&ic50[0], &ic50[1], freedom, confidence),
            ec50_ratio: Difference::of(&ec50[0], &ec50[1], freedom, confidence),
            abc: self.area_between(other),
        }
    }

    /// The residual degrees of freedom of the curve, at least 1.
    fn freedom(&self) -> usize {
        let parameters = match self.model {
            FittedModel::None => 0,
            FittedModel::Constant => 1,
            FittedModel::ThreeParameter => 3,
            FittedModel::FourParameter => 4,
            FittedModel::BrainCousens => 5,
            FittedModel::TwoPhase => 7,
        };
        self.readings.saturating_sub(parameters).max(1)
    }

    fn area_between(&self, other: &Self) -> f64 {
        const POINTS: usize = 1000;
        let low = self.dose_range[0].max(other.dose_range[0]).ln();
        let high = self.dose_range[1].min(other.dose_range[1]).ln();
        let (Some(a), Some(b)) = (self.curve, other.curve) else { return f64::NAN };
        // This includes unknown ends.
        if (high - low).partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
            return f64::NAN;
        }
        let place = |at: usize| (low + (high - low) * (at as f64 + 0.5) / POINTS as f64).exp();
        (0..POINTS).map(|at| (a.at(place(at)) - b.at(place(at))).abs()).sum::<f64>() / POINTS as f64
    }
}
