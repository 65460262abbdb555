use std::time::Instant;

use halfmax_core::{CheckpointStore, Progress, Result, Screen};

use crate::tasks::EvaluationPlan;
use crate::{Evaluation, Folds, NamedModel, Protocol};

/// Fits every model on the training part of every fold, predicts the test part and scores it.
///
/// Feature selection sees the training cell lines of a fold only. Every model of a fold is fitted with the
/// same seed. Progress counts hundredths of a fit over all folds and models. No naive predictor is added:
/// list those that the result should be held against.
///
/// Stacks and prediction intervals need predictions for the training part of a fold by models that did not see them. Their
/// inner folds are the evaluation's other folds: a model fitted without folds *i* and *j* serves the training parts of both,
/// so that five folds take ten such fits and not twenty, whatever number of stacks and intervals use them. With two folds
/// only, a stack draws inner folds of its own, and there are no intervals.
///
/// # Errors
/// If two models share a name, the folds do not suit the screen or let an entity cross, a fold has no
/// training or no test response, `top_variance` names a block that the cell lines do not have or that is not
/// of real numbers; an error of a model, after the model's name and the fold; a prediction that is not a
/// finite number; intervals of two folds or of a level that the number of entities does not allow; and if the user stopped
/// it.
pub fn evaluate(
    screen: &Screen,
    folds: &Folds,
    models: &[NamedModel],
    protocol: &Protocol,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    evaluate_resumable(screen, folds, models, protocol, progress, None)
}

/// As [`evaluate`], with fits that keep their states in `checkpoints` and go on from those that are there.
///
/// # Errors
/// As [`evaluate`]; and if a state is of another run, or cannot be read or written.
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
