//! A summary of fitted curves.

use std::fmt;

use halfmax_data::ReadingFacts;
use halfmax_dose::{CurveFit, Flag, Learnt, Position};
use serde::Serialize;

use crate::dose::plates::PlateSummary;

/// A summary of fitted curves. `Display` ends a sentence that begins with the number of curves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CurvesSummary {
    /// The number of curves.
    pub curves: usize,
    /// The number of readings that belong to a curve.
    pub readings: usize,
    /// Rows left out because their dose is 0.
    pub controls_left_out: usize,
    /// Rows left out because a cell line, drug, experiment, dose or reading is missing.
    pub incomplete_left_out: usize,
    /// The unit of the readings, for example `viability-percent`.
    pub response: String,
    /// Curves whose IC50 lies within the tested doses.
    pub ic50_within: usize,
    /// Curves that the readings do not distinguish from a constant.
    pub flat: usize,
    /// Curves with too few doses for a fit.
    pub not_fitted: usize,
    /// Curves with too few readings to tell them from a constant.
    pub too_few_to_tell: usize,
    /// Curves whose IC50 or EC50 the tested doses do not bound.
    pub open_intervals: usize,
    /// Curves with two phases.
    pub biphasic: usize,
    /// Curves with a rise at low doses.
    pub hormetic: usize,
    /// Curves that do not fit their replicates.
    pub lack_of_fit: usize,
    /// The number of compared pairs of curves, if a comparison was requested.
    pub compared: Option<usize>,
    /// The distributions learnt from all curves.
    pub learnt: Learnt,
    /// The quality of the plates, if the readings are raw signals with untreated wells.
    pub plates: Option<PlateSummary>,
}

impl CurvesSummary {
    /// A summary of readings without curves yet.
    pub(super) fn new(readings: &ReadingFacts, learnt: Learnt) -> Self {
        Self {
            readings: readings.readings,
            controls_left_out: readings.controls,
            incomplete_left_out: readings.incomplete,
            response: readings.unit.name().to_owned(),
            learnt,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, fits: &[CurveFit]) {
        let flagged = |flag: Flag| fits.iter().filter(|fit| fit.flags.contains(flag)).count();
        self.curves += fits.len();
        self.ic50_within += fits.iter().filter(|fit| fit.ic50_position == Position::Within).count();
        self.flat += flagged(Flag::Flat);
        self.not_fitted += flagged(Flag::TooFewDoses);
        self.too_few_to_tell += flagged(Flag::TooFewToTell);
        self.open_intervals += flagged(Flag::OpenInterval);
        self.biphasic += flagged(Flag::Biphasic);
        self.hormetic += flagged(Flag::Hormetic);
        self.lack_of_fit += flagged(Flag::LackOfFit);
    }
}

impl fmt::Display for CurvesSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} with an IC50 within the tested doses, {} flat, {} with too few doses",
            self.ic50_within, self.flat, self.not_fitted
        )?;
        for (count, what) in [
            (self.too_few_to_tell, "with too few readings to tell a curve from a constant"),
            (self.open_intervals, "whose IC50 or EC50 the tested doses do not bound"),
            (self.biphasic, "with two phases"),
            (self.hormetic, "with a rise at low doses"),
            (self.lack_of_fit, "that do not fit their replicates"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
