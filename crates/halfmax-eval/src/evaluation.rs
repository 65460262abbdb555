//! What an evaluation found.

use std::collections::BTreeMap;

use halfmax_core::Epoch;
use serde::Serialize;

use crate::comparison::Comparison;
use crate::pilot::LearningPoint;
use crate::predictions::Predictions;
use crate::{Coverage, CrossStudy, Detection, DrugMetrics, Intervals, Metrics, SplitKind};

/// What an evaluation found. Serialises as the `models` of `metrics.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// The kind of split.
    #[serde(skip)]
    pub kind: SplitKind,
    /// One result per model, in the order given.
    pub models: Vec<ModelEvaluation>,
    /// Models that failed and may: members of stacks that go on without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failure>,
    /// How they differ.
    pub comparison: Comparison,
    /// What fits reported epoch by epoch, of models that have epochs, in the order of the fits.
    #[serde(skip)]
    pub training: Vec<TrainingLog>,
    /// Seconds that the whole evaluation took. Fits that models share are done once.
    pub run_seconds: f64,
}

/// What one fit reported epoch by epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingLog {
    /// The model's name.
    pub model: String,
    /// The folds that it did not see.
    pub left_out: Vec<usize>,
    /// Its epochs.
    pub epochs: Vec<Epoch>,
}

/// A model that failed where it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The model's name.
    pub name: String,
    /// What went wrong, with the fold.
    pub error: String,
}

/// What an evaluation found for one model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelEvaluation {
    /// The model's name.
    pub name: String,
    /// Its family.
    pub family: String,
    /// Metrics over the test responses of all folds that were run, pooled.
    pub metrics: Metrics,
    /// 95 % intervals of the pooled metrics, by bootstrap over entities.
    pub intervals: Intervals,
    /// The squared error and the detection of positive responses: of a screen of combinations, or where a threshold is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// Seconds of its fits, all folds together. A stack's are those of its members, with those that its weights come from,
    /// though the evaluation does each of those but once, two at a time; fits for intervals are not counted.
    pub fit_seconds: f64,
    /// Seconds spent on predicting, all folds together.
    pub predict_seconds: f64,
    /// Each fold by itself.
    pub folds: Vec<FoldEvaluation>,
    /// What its prediction intervals held of the test responses, for some nominal shares; empty without intervals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<Coverage>,
    /// How much pilot measurements of the entities that are held out help; empty if that was not asked for, the model does
    /// not take any, or the split holds out single pairs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learning_curve: Vec<LearningPoint>,
    /// How it does on another study, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_study: Option<CrossStudy>,
    /// Number of drugs for which it predicts the same for all cell lines of the test sets, of those that have enough of
    /// them for the per-drug Pearson, where each counts as 0.
    pub constant_drugs: usize,
    /// Each drug by itself, over all folds.
    #[serde(skip)]
    pub per_drug: Vec<DrugMetrics>,
    /// The predictions for the test responses, fold by fold.
    #[serde(skip)]
    pub predictions: Predictions,
}

/// What an evaluation found for one model in one fold.
#[derive(Clone, Debug, Serialize)]
pub struct FoldEvaluation {
    /// The fold, counted from 0.
    pub fold: usize,
    /// Metrics over the test responses of the fold.
    pub metrics: Metrics,
    /// Seconds spent on fitting.
    pub fit_seconds: f64,
    /// Seconds spent on predicting.
    pub predict_seconds: f64,
    /// Number of responses trained on.
    pub n_train: usize,
    /// Number of responses tested on.
    pub n_test: usize,
    /// The weights of a stack's members; empty for other models.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
}
