//! Evaluates models on the folds of a screen.

use std::time::Instant;

use halfmax_core::{CheckpointStore, Progress, Result, Screen};

use crate::tasks::EvaluationPlan;
use crate::{Evaluation, Folds, NamedModel, Protocol};

/// Fits every model on the training part of every fold, predicts the test part and scores it.
///
/// Feature selection uses only the training cell lines of a fold. All models of a fold are fitted with the same seed.
/// Progress counts hundredths of a fit over all folds and models. Naive predictors are not added: list those to compare with.
///
/// Stacks and prediction intervals need predictions for the training part of a fold from models that did not see it. Their
/// inner folds are the evaluation's other folds. A model fitted without folds *i* and *j* serves the training parts of both.
/// Five folds thus need ten such fits instead of twenty, whatever the number of stacks and intervals. With only two folds, a
/// stack draws its own inner folds, and there are no intervals.
///
/// # Errors
/// If two models share a name, if the folds do not suit the screen or an entity crosses them, or if a fold has no training or
/// no test responses. If `top_variance` names a block that the cell lines do not have, or that does not hold real numbers. If
/// a model fails: the error names the model and the fold. If a prediction is not finite. If there are too few folds or
/// entities for the intervals. If the user stopped the evaluation.
pub fn evaluate(
    screen: &Screen,
    folds: &Folds,
    models: &[NamedModel],
    protocol: &Protocol,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    evaluate_resumable(screen, folds, models, protocol, progress, None)
}

/// As [`evaluate`], but fits save their states in `checkpoints` and resume from saved states.
///
/// # Errors
/// As [`evaluate`]; and if a state belongs to another run, or cannot be read or written.
pub fn evaluate_resumable(
    screen: &Screen,
    folds: &Folds,
    models: &[NamedModel],
    protocol: &Protocol,
    progress: &dyn Progress,
    checkpoints: Option<&dyn CheckpointStore>,
) -> Result<Evaluation> {
    let start = Instant::now();
    let plan = EvaluationPlan::new(screen, folds, models, protocol)?;
    let evaluation = plan.evaluate(progress, checkpoints)?;
    Ok(Evaluation { run_seconds: start.elapsed().as_secs_f64(), ..evaluation })
}
