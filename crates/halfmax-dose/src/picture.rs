//! The data for a picture of a curve: its readings, including outliers, the curve, and its confidence band.

use crate::curve::{CurveFit, CurveReadings};
use crate::estimate::Estimate;
use crate::fitter::{CurveFitter, sorted};
use crate::robust::Sorted;

/// A fit with the data for a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePicture {
    /// The fit, as [`CurveFitter::fit`] makes it.
    pub fit: CurveFit,
    /// The usable readings, by dose.
    pub readings: Vec<DrawnReading>,
    /// The curve and its band, from the lowest to the highest tested dose; empty without a fit.
    pub band: Vec<BandPoint>,
}

/// A reading, with a mark for outliers.
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
    /// The lower end of the interval; NaN if the readings do not bound it.
    pub lower: f64,
    /// The upper end of the interval; NaN if the readings do not bound it.
    pub upper: f64,
}

impl CurveFitter {
    /// Fits one curve and evaluates it at `points` doses, evenly spaced in log dose over the tested range. The band is
    /// pointwise: at each dose it is an interval of the curve (not of a reading). It is computed like every other
    /// interval of the fit: by the delta method if the sum of squares is quadratic that far, else by its profile. At
    /// the highest dose it is the interval of [`CurveFit::emax`].
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
        let mut band = Band::over(&sorted.ln_doses, points);
        let (fit, rest) = self.fit_sorted(&sorted, readings.divisions, &mut band);
        CurvePicture { readings: drawn(&sorted, rest.as_ref()), fit, band: band.points() }
    }
}

/// A curve at some doses, filled in after the fit.
#[derive(Default)]
pub(crate) struct Band {
    ln_doses: Vec<f64>,
    found: Vec<Estimate>,
}

impl Band {
    /// `points` doses, evenly spaced from the first to the last.
    fn over(ln_doses: &[f64], points: usize) -> Self {
        let (Some(low), Some(high)) = (ln_doses.first(), ln_doses.last()) else { return Self::default() };
        let last = points.saturating_sub(1).max(1);
        let place = |at: usize| match at == last {
            true => *high,
            false => low + (high - low) * at as f64 / last as f64,
        };
        Self { ln_doses: (0..points).map(place).collect(), found: Vec::new() }
    }

    /// Evaluates the curve at each ln dose.
    pub fn fill(&mut self, curve: impl Fn(f64) -> Estimate) {
        self.found = self.ln_doses.iter().map(|ln_dose| curve(*ln_dose)).collect();
    }

    /// The points of the band; empty without a fit.
    fn points(self) -> Vec<BandPoint> {
        let point = |(ln_dose, found): (f64, Estimate)| BandPoint {
            dose_um: ln_dose.exp(),
            viability: found.value,
            lower: found.lower,
            upper: found.upper,
        };
        self.ln_doses.into_iter().zip(self.found).map(point).collect()
    }
}

/// The readings; readings that are not in `rest` are marked as left out. Without `rest`, none is marked.
fn drawn(sorted: &Sorted, rest: Option<&Sorted>) -> Vec<DrawnReading> {
    let of = |readings: &Sorted| -> Vec<(f64, f64)> {
        let places = readings.place.iter().zip(&readings.values);
        places.map(|(place, value)| (readings.ln_doses[*place as usize], *value)).collect()
    };
    let mut kept = rest.map(of);
    let is_kept = |reading: &(f64, f64)| {
        let Some(kept) = &mut kept else { return true };
        // Each of several equal readings is matched once.
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
