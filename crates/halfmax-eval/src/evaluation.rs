//! The results of an evaluation.

use std::collections::BTreeMap;

use halfmax_core::Epoch;
use serde::Serialize;

use crate::comparison::Comparison;
use crate::pilot::LearningPoint;
use crate::predictions::Predictions;
use crate::{Coverage, CrossStudy, Detection, DrugMetrics, Intervals, Metrics, SplitKind};

/// The results of an evaluation. Serialises as the `models` of `metrics.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// The kind of split.
    #[serde(skip)]
    pub kind: SplitKind,
    /// One result per model, in the order given.
    pub models: Vec<ModelEvaluation>,
    /// Models that failed and are optional: members of stacks that continue without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failure>,
    /// How the models differ.
    pub comparison: Comparison,
    /// Reports of the fits, epoch by epoch, for models with epochs. In the order of the fits.
    #[serde(skip)]
    pub training: Vec<TrainingLog>,
    /// Seconds of the whole evaluation. A fit that models share is done once.
    pub run_seconds: f64,
}

/// The epochs of one fit.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingLog {
    /// The model's name.
    pub model: String,
    /// The folds that the fit did not see.
    pub left_out: Vec<usize>,
    /// The epochs of the fit.
    pub epochs: Vec<Epoch>,
}

/// An optional model that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The model's name.
    pub name: String,
    /// The error, with the fold.
    pub error: String,
}

/// The result of an evaluation for one model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelEvaluation {
    /// The model's name.
    pub name: String,
    /// The model's family.
    pub family: String,
    /// Metrics over the test responses of all folds in this run, pooled.
    pub metrics: Metrics,
    /// 95 % intervals of the pooled metrics, by bootstrap over entities.
    pub intervals: Intervals,
    /// The squared error and the detection of positive responses: for a screen of combinations, or with a threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// Seconds of the model's fits, over all folds. For a stack, these are the fits of its members, including the fits for
    /// its weights. The evaluation does each of these only once, two at a time. Fits for intervals are not counted.
    pub fit_seconds: f64,
    /// Seconds of predicting, over all folds.
    pub predict_seconds: f64,
    /// The result of each fold.
    pub folds: Vec<FoldEvaluation>,
    /// The coverage of the prediction intervals on the test responses, for some nominal shares; empty without intervals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<Coverage>,
    /// How much pilot measurements of the held-out entities help. Empty if pilot measurements are not configured, if the
    /// model does not use them, or if the split holds out single pairs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learning_curve: Vec<LearningPoint>,
    /// The result on another study, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_study: Option<CrossStudy>,
    /// Number of drugs for which the model predicts the same value for all test cell lines. Only drugs with enough test
    /// cell lines for the per-drug Pearson are counted; there, each such drug has correlation 0.
    pub constant_drugs: usize,
    /// The metrics of each drug, over all folds.
    #[serde(skip)]
    pub per_drug: Vec<DrugMetrics>,
    /// The predictions for the test responses, fold by fold.
    #[serde(skip)]
    pub predictions: Predictions,
}

/// The result of an evaluation for one model in one fold.
#[derive(Clone, Debug, Serialize)]
pub struct FoldEvaluation {
    /// The fold, counted from 0.
    pub fold: usize,
    /// Metrics over the test responses of the fold.
    pub metrics: Metrics,
    /// Seconds of fitting.
    pub fit_seconds: f64,
    /// Seconds of predicting.
    pub predict_seconds: f64,
    /// Number of training responses.
    pub n_train: usize,
    /// Number of test responses.
    pub n_test: usize,
    /// The weights of a stack's members; empty for other models.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
}
