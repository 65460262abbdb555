//! What a picture of a curve shows: its readings, those left out among them, the curve, and the band that its readings leave open.

use super::{Basis, CurveFit, CurveFitter, CurveReadings, FittedModel, at_dose, intervals_of, sorted};
use crate::robust::Sorted;
use crate::shape::Theta;

/// A fit with what a picture of it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePicture {
    /// The fit, as [`CurveFitter::fit`] makes it.
    pub fit: CurveFit,
    /// The readings that could be used, by dose.
    pub readings: Vec<DrawnReading>,
    /// The curve and its band, from the lowest to the highest tested dose; empty where nothing was fitted.
    pub band: Vec<BandPoint>,
}

/// A reading, and whether it was used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawnReading {
    /// The dose in µM.
    pub dose_um: f64,
    /// The viability, as a fraction of the control.
    pub viability: f64,
    /// Whether it was left out of the fit as an outlier.
    pub left_out: bool,
}

/// A point of a curve with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandPoint {
    /// The dose in µM.
    pub dose_um: f64,
    /// The viability of the fitted curve.
    pub viability: f64,
    /// The lower end of the interval; NaN where the readings say nothing of it.
    pub lower: f64,
    /// The upper end of the interval; NaN where the readings say nothing of it.
    pub upper: f64,
}

impl CurveFitter {
    /// Fits one curve and follows it at so many doses, evenly spaced in log dose from the lowest to the highest tested one. The band is pointwise: at
    /// each dose it is an interval of the curve (not of a reading) made like every other interval of the fit, by the delta method where the sum of
    /// squares is quadratic that far, else by its profile; at the highest dose it is that of [`CurveFit::emax`].
    ///
    /// ```
    /// use halfmax_dose::{CurveParams, CurveReadings};
    /// let dose_um = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
    /// let viability = [0.99, 1.01, 0.93, 0.77, 0.51, 0.26, 0.12];
    /// let readings = CurveReadings { dose_um: &dose_um, viability: &viability, divisions: None, batch: None };
    /// let picture = CurveParams::default().check()?.picture(&readings, 5);
    /// assert_eq!(picture.band.len(), 5);
    /// let last = picture.band[4];
    /// assert!((last.viability - picture.fit.emax.value).abs() < 1e-12);
    /// assert!(last.lower < last.viability && last.viability < last.upper);
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn picture(&self, readings: &CurveReadings, points: usize) -> CurvePicture {
        let sorted = sorted(readings);
        let (fit, basis) = self.fit_sorted(&sorted, readings.divisions);
        let rest = basis.as_ref().and_then(|basis| basis.rest.as_ref());
        let band = basis.as_ref().map_or_else(Vec::new, |basis| band(&fit, basis, points));
        CurvePicture { readings: drawn(&sorted, rest), fit, band }
    }
}

/// Evenly spaced logarithms of doses; the ends exactly.
fn ln_doses([low, high]: [f64; 2], points: usize) -> impl Iterator<Item = f64> {
    let last = points.saturating_sub(1).max(1);
    (0..points).map(move |at| if at == last { high } else { low + (high - low) * at as f64 / last as f64 })
}

fn band(fit: &CurveFit, basis: &Basis, points: usize) -> Vec<BandPoint> {
    let range = fit.dose_range.map(f64::ln);
    if fit.model == FittedModel::Constant {
        let level = fit.emax;
        let point = |ln_dose: f64| BandPoint {
            dose_um: ln_dose.exp(),
            viability: level.value,
            lower: level.lower,
            upper: level.upper,
        };
        return ln_doses(range, points).map(point).collect();
    }
    let (uncertainty, region) = intervals_of(&basis.kept, &basis.chosen);
    let point = |ln_dose: f64| {
        let (value, gradient) = at_dose(&basis.chosen.theta, ln_dose);
        let function = |theta: &Theta| Some(at_dose(theta, ln_dose));
        let anywhere = [f64::NEG_INFINITY, f64::INFINITY];
        let [lower, upper] = uncertainty.ends(&region, &function, value, &gradient, anywhere);
        BandPoint { dose_um: ln_dose.exp(), viability: value, lower: lower.value(), upper: upper.value() }
    };
    ln_doses(range, points).map(point).collect()
}

/// The readings, with those marked that are not in `rest`; none is missing there without a `rest`.
fn drawn(sorted: &Sorted, rest: Option<&Sorted>) -> Vec<DrawnReading> {
    let of = |readings: &Sorted| -> Vec<(f64, f64)> {
        let places = readings.place.iter().zip(&readings.values);
        places.map(|(place, value)| (readings.ln_doses[*place as usize], *value)).collect()
    };
    let mut kept = rest.map(of);
    let is_kept = |reading: &(f64, f64)| {
        let Some(kept) = &mut kept else { return true };
        // Each of several equal readings is looked for once.
        let found = kept.iter().position(|other| other == reading);
        found.map(|at| kept.swap_remove(at)).is_some()
    };
    let readings = of(sorted);
    let marks: Vec<bool> = readings.iter().map(is_kept).collect();
    let one = |((ln_dose, viability), kept): ((f64, f64), bool)| DrawnReading {
        dose_um: ln_dose.exp(),
        viability,
        left_out: !kept,
    };
    readings.into_iter().zip(marks).map(one).collect()
}
