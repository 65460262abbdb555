//! Honest evaluation of drug-response models: splits without leaks, metrics that a drug-mean predictor cannot win, intervals
//! over entities, and a leaderboard that says which models beat the naive predictors.
//!
//! ```
//! use halfmax_baselines::Naive;
//! use halfmax_core::{EntityTable, Responses, Screen, Side, Silent};
//! use halfmax_eval::{NamedModel, Protocol, Split, SplitKind, evaluate};
//!
//! let cells = EntityTable::new((0..40).map(|cell| format!("cell {cell}")), "cell line")?;
//! let drugs = EntityTable::new(["Paclitaxel", "Erlotinib"], "drug")?;
//! let (cell, drug) = ((0..80).map(|at| at / 2).collect(), (0..80).map(|at| at % 2).collect());
//! let values = (0..80).map(|at| if at % 2 == 0 { -4.0 } else { 3.0 } + (at / 2 % 5) as f32).collect();
//! let responses = Responses::new(vec![cell, drug], values, None)?;
//! let sides = vec![Side::cell_line(0), Side::drug(1)];
//! let screen = Screen::new("LN_IC50", vec![cells, drugs], sides, responses)?;
//!
//! let folds = Split::new(SplitKind::LCO).draw(&screen)?;
//! let naive = [Naive::GlobalMean, Naive::DrugMean];
//! let models: Vec<NamedModel> = naive
//!     .iter()
//!     .map(|model| NamedModel { name: model.to_string(), family: model.to_string(), model })
//!     .collect();
//! let evaluation = evaluate(&screen, &folds, &models, &Protocol::default(), &Silent)?;
//! let board = evaluation.leaderboard();
//! assert_eq!(board.rows[0].name, "drug_mean");
//! assert!(board.rows[0].metrics.r2() > Some(0.8));
//! # Ok::<(), halfmax_core::Error>(())
//! ```

mod bootstrap;
mod ceiling;
mod compare;
mod comparison;
mod conformal;
mod cross_study;
mod detection;
mod draw;
mod evaluate;
mod evaluation;
mod fit_result;
mod fits;
mod fold;
mod folds;
mod inner_folds;
mod leaderboard;
mod merge;
pub mod metric;
mod metrics;
mod moments;
mod part;
mod pilot;
mod plan;
mod pool;
mod predictions;
mod protocol;
mod split;
mod stack;
mod step;
mod tables;
mod tasks;
mod tune;
mod units;

pub use bootstrap::Resample;
pub use ceiling::{Ceiling, DrugCeiling, ModelOnCeiling};
pub use comparison::{Comparison, PairedDifference, Ranks};
pub use conformal::{Calibration, ConformalParams, Coverage, NOMINAL, Widths, fit_calibrated};
pub use cross_study::{CrossStudy, MetricDrop, ReferenceResponse};
pub use detection::Detection;
pub use draw::Draw;
pub use evaluate::{evaluate, evaluate_resumable};
pub use evaluation::{Evaluation, Failure, FoldEvaluation, ModelEvaluation, TrainingLog};
pub use fit_result::{EvaluationTask, FitResult};
pub use folds::{Folds, Validation};
pub use leaderboard::{BeatsNaive, Leaderboard, LeaderboardRow};
pub use metric::{Intervals, Metrics};
pub use metrics::{DrugMetrics, Scored};
pub use pilot::{LearningPoint, PilotParams};
pub use predictions::{Prediction, Predictions};
pub use protocol::{NamedModel, Protocol};
pub use split::{Conflicts, Grouping, SPLITS, Screens, Split, SplitKind};
pub use stack::{FittedStack, Stack, StackParams, StackWeights};
pub use tasks::EvaluationPlan;
pub use tune::{Method, Range, Trial, TrialLog, TuneParams, Tuned};
pub use units::Units;
