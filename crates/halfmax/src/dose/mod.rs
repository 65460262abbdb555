//! Dose–response curves and the synergy of drug combinations: from readings to tables, pages and pictures.
//!
//! [`CurvesRequest`] fits curves to a table of readings. [`synergy::SynergyRequest`] scores dose matrices. Both return their results in
//! memory, or write them into files. The crate `halfmax-dose` fits one curve or scores one matrix; its types are re-exported here:
//! [`CurveFitter`], [`synergy::SynergyScorer`].

mod comparisons;
mod curves;
mod options;
mod outputs;
mod plates;
mod rates;
pub mod synergy;
mod table;

pub use halfmax_dose::*;

pub use comparisons::{CompareColumn, CurvePair};
pub use curves::{CurvesOutputs, CurvesRequest, CurvesSummary, FittedCurve, FittedCurves};
pub use options::DoseOptions;
pub use outputs::PictureOutputs;
pub use plates::{PlateOptions, PlateSummary, PositionEffectKind};
pub use rates::Times;
pub use table::{ColumnValues, ResultTable};

/// The note on a table that gives no unit for its doses.
const DOSE_UNIT_ASSUMED: &str = "no unit is given for the doses: assuming µM; set dose_unit for another unit";
