//! Predicts how cancer cell lines respond to drugs and to combinations of two drugs. Evaluates predictions without leakage, and explains
//! them by mechanisms of resistance.
//!
//! This crate is the complete library: it does all that the `halfmax` command does, without a terminal. It re-exports the crates of its
//! parts as [`core`], [`data`], [`association`], [`eval`], [`boost`], [`kernel`], [`baselines`], [`dose`] and [`mechanisms`].
//!
//! | to | see |
//! |---|---|
//! | write a configuration for some files | [`DraftConfig`] |
//! | read a configuration | [`Config`] |
//! | load and split its data | [`PreparedScreen`] |
//! | compare models | [`cross_validate`] |
//! | train, store and read a model | [`train`], [`TrainedModel`] |
//! | score cell lines, drugs and combinations | [`ScoreRequest`] |
//! | explain a model | [`explain`] |
//! | test features for associations with responses | [`associate`] |
//! | fit dose–response curves | [`dose::CurvesRequest`] |
//! | score the synergy of dose matrices | [`dose::synergy::SynergyRequest`] |

#![warn(missing_docs)]

pub mod associate;
mod bundle;
mod config;
pub mod dose;
mod draft;
mod evaluate;
pub mod explain;
mod families;
pub mod highlights;
pub mod memory;
mod provenance;
pub mod reference;
pub mod report;
mod run;
mod score;
mod screen;
mod sensitive;
mod simulated;
mod suggest;
mod train;

pub use halfmax_association as association;
pub use halfmax_baselines as baselines;
pub use halfmax_boost as boost;
pub use halfmax_core as core;
pub use halfmax_data as data;
pub use halfmax_eval as eval;
pub use halfmax_kernel as kernel;
pub use halfmax_mechanisms as mechanisms;
#[cfg(feature = "neural")]
pub use halfmax_neural as neural;

pub use halfmax_core::{Error, ErrorKind, Result};

pub use bundle::{ModelFacts, TrainedModel};
pub use config::Config;
pub use draft::{DraftConfig, TakenFile};
pub use evaluate::{Evaluated, MetricsFile, cross_validate, evaluate_into, evaluated_models};
pub use families::{
    FAMILIES, Family, FamilyKind, ModelSpec, NamedMember, Renamed, Trial, families, family_named, fitted,
};
pub use provenance::{Input, Machine, Manifest, write_json, write_provenance};
pub use run::{Checkpoints, RunState, Trials, keep, write_training};
pub use score::{ScoreRequest, Scored, Shard, WrittenScores};
pub use screen::PreparedScreen;
pub use sensitive::{Remedy, sensitive_end};
pub use simulated::write_simulated_combinations;
pub use suggest::unreadable;
pub use train::{Training, TrainingSummary, train, train_into, write_training_report};

/// The items that most programs need.
pub mod prelude {
    pub use halfmax_core::{End, Error, ErrorKind, FittedModel, Progress, Result, Silent};
    pub use halfmax_data::TableFile;

    pub use crate::{
        Config, PreparedScreen, RunState, ScoreRequest, Scored, TrainedModel, Training, cross_validate, train,
    };
}
