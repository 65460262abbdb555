//! Synergy of two or more drugs over all combinations of their doses.
//!
//! Effects are inhibitions in percent of the control: 0 without effect, 100 if all cells are dead. A score is the
//! measured inhibition minus the expectation for drugs that do not interact, in percentage points: above 0 is synergy,
//! below 0 antagonism.
//!
//! ```
//! use halfmax_core::Seed;
//! use halfmax_dose::synergy::{DoseMatrix, SynergyModel, SynergyParams};
//!
//! // [dose of drug a, dose of drug b, inhibition in percent]
//! let readings = [[0.0, 0.0, 0.0], [1.0, 0.0, 30.0], [0.0, 1.0, 20.0], [1.0, 1.0, 60.0]];
//! let matrix = DoseMatrix::new(&readings)?;
//! let params = SynergyParams { models: vec![SynergyModel::Hsa, SynergyModel::Bliss], ..SynergyParams::default() };
//! let scores = params.check()?.score(&matrix, Seed::new(1));
//! let bliss = scores.of(SynergyModel::Bliss).unwrap();
//! assert_eq!(bliss.reference[3], 44.0); // 30 + 20 − 30 · 20 / 100
//! assert_eq!(bliss.score[3], 16.0);
//! # Ok::<(), halfmax_core::Error>(())
//! ```
//!
//! Besides these scores, response surfaces ([`fit_musyc`], [`fit_braid`]) describe synergy by parameters with
//! intervals, [`combination_index`] measures the doses that an effect needs, and [`sensitivity`] the effect over all
//! doses. Surfaces need two drugs; the other methods also support more ([`combination_index_of_many`],
//! [`sensitivity_of_many`]).

mod bootstrap;
mod braid;
mod combination_index;
mod flags;
mod hill;
mod lattice;
mod loewe;
mod matrix;
mod musyc;
mod musyc_surface;
mod noise;
mod score;
mod sensitivity;
mod single;
mod surface;
mod surface_fit;
mod surface_interval;
mod zip;

pub use braid::{BraidFit, BraidSurface, MaximalEffect, fit_braid};
pub use combination_index::{
    CombinationIndex, DrugSet, Indices, MedianEffect, NoIndex, combination_index, combination_index_of_many,
};
pub use flags::{BlockFlag, BlockFlags};
pub use hill::{hill_curves, hill_curves_of_many};
pub use loewe::loewe_reference;
pub use matrix::{DoseMatrix, MultiMatrix};
pub use musyc::{Cooperativity, MusycFit, fit_musyc};
pub use musyc_surface::MusycSurface;
pub use score::{
    BlockScores, Missing, ModelScores, Summary, SynergyModel, SynergyParams, SynergyScorer, Window,
};
pub use sensitivity::{Sensitivity, sensitivity, sensitivity_of_many};
pub use single::{Baseline, SingleAgent};
pub use surface_fit::{SurfaceParameter, SurfaceQuality};
