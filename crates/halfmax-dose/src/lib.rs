//! Dose–response curves and the synergy of drug combinations.
//!
//! [`CurveFitter`] turns readings (dose, viability) into a [`CurveFit`]: IC50, EC50, Emax, Hill slope, area under the
//! viability curve and growth-rate metrics, each with its interval, and [`Flags`] with warnings. [`synergy`] compares
//! the measured effect of two drugs with the expectation of HSA, Bliss, Loewe and ZIP. This crate does no input or
//! output.
//!
//! ```
//! use halfmax_dose::{CurveParams, CurveReadings, Flag};
//! let fitter = CurveParams::default().check()?;
//! let dose_um = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
//! let viability = [1.0, 0.98, 0.97, 0.91, 0.84, 0.71];
//! let fit = fitter.fit(&CurveReadings { dose_um: &dose_um, viability: &viability, divisions: None, batch: None });
//! // The viability never fell to one half: no dose passes for an IC50.
//! assert!(fit.flags.contains(Flag::Ic50AboveRange));
//! # Ok::<(), halfmax_core::Error>(())
//! ```

mod compare;
mod curve;
mod describe;
mod distributions;
mod effects;
mod estimate;
mod fitter;
mod flags;
mod flatness;
mod growth;
mod growth_curve;
mod hormesis;
mod kept;
mod lack_of_fit;
mod learnt;
mod least_squares;
mod model;
mod params;
mod phases;
mod picture;
mod plate_effects;
mod plate_quality;
mod potentiation;
mod profile;
mod robust;
mod sample;
mod shape;
mod starts;
pub mod synergy;
mod time_course;
mod two_phase;

pub use compare::{Comparison, Difference};
pub use curve::{CurveFit, CurveReadings, FittedModel, Position, SecondPhase, Shape};
pub use distributions::{f_upper_tail, t_quantile_95};
pub use effects::{Effect, EffectDose, SensitivityScores};
pub use estimate::Estimate;
pub use fitter::CurveFitter;
pub use flags::{Flag, Flags};
pub use growth::{GrowthMetrics, growth_rate_value};
pub use hormesis::BrainCousens;
pub use learnt::Learnt;
pub use params::{CurveParams, Curves, HillPrior, ModelChoice, Outliers};
pub use picture::{BandPoint, CurvePicture, DrawnReading};
pub use plate_effects::{Corrected, PlateFormat, PositionCorrection, PositionEffect, PositionEffects};
pub use plate_quality::{
    ControlSummary, PlateFlag, PlateLimits, PlateQuality, PlateWell, WellUse, plate_quality,
};
pub use potentiation::Potentiation;
pub use shape::LogLogistic;
pub use time_course::{GrowthRate, growth_rate, growth_rate_inhibition, left_by_rates};
pub use two_phase::TwoPhase;
