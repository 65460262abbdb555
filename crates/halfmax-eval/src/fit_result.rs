//! A task of an evaluation and what it came to, as they travel between machines.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fits::Predicted;
use crate::part::name_of;

/// One fit of an evaluation: a model without some folds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationTask {
    /// The number of the model among all models to fit.
    pub(crate) single: usize,
    /// The name of the model.
    pub model: String,
    /// The folds that the model does not see, counted from 0: one, or two for stacks and intervals.
    pub left_out: Vec<usize>,
}

impl fmt::Display for EvaluationTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "model {:?}, {}", self.model, name_of(&self.left_out))
    }
}

/// The result of a task. It can be stored or sent in any serde format that keeps numbers exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitResult {
    /// The task.
    pub task: EvaluationTask,
    /// The fingerprint of the task's evaluation.
    pub(crate) evaluation: u64,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Fitted(Box<Predicted>),
    /// The error of an optional model.
    Failed(String),
}
