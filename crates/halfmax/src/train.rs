//! Training: fits a model of a configuration to all responses.

use std::sync::Arc;
use std::time::Instant;

use halfmax_core::{EntityTable, Error, FitContext, Progress, Result};
use halfmax_data::RunFolder;
use halfmax_eval::{TrainingLog, fit_calibrated};
use serde::Serialize;

use crate::bundle::TrainedModel;
use crate::config::Config;
use crate::explain::{ExplainRequest, unexplained, write_tables};
use crate::families::ModelSpec;
use crate::memory::{Work, refuse_too_large};
use crate::provenance::{Manifest, write_provenance};
use crate::report::Reporting;
use crate::run::{RunState, write_training};
use crate::screen::PreparedScreen;

/// A trained model with its summary.
pub struct Training {
    /// The model, with the data that its use needs.
    pub model: TrainedModel,
    /// The summary.
    pub summary: TrainingSummary,
}

/// The summary of a training.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingSummary {
    /// The name of the model.
    pub name: String,
    /// The family.
    pub family: String,
    /// The number of training responses.
    pub responses: usize,
    /// The duration of the fit.
    pub fit_seconds: f64,
}

/// Fits the first model of a configuration to all responses.
///
/// # Errors
/// If the configuration has no model, the data do not suit it, or the user stopped it.
pub fn train(
    config: &Config,
    prepared: &PreparedScreen,
    state: &RunState,
    progress: &dyn Progress,
) -> Result<Training> {
    let specs = config.specs(&state.trials.log)?;
    let Some(spec) = specs.first() else {
        return Err(Error::config("there is no [[model]]")
            .with_help("add one, for example:\n    [[model]]\n    family = \"boost\""));
    };
    if specs.len() > 1 {
        progress.note(&format!("training {:?}, the first of {} models", spec.name, specs.len()));
    }
    refuse_too_large(config, prepared, Work::Train, progress)?;
    progress.phase("training");
    let start = Instant::now();
    let view = prepared.everything()?;
    let intervals = config.intervals.as_ref().filter(|intervals| intervals.includes(&spec.name));
    let (fitted, calibration) =
        prepared.with_context(config.seed, progress, state.store(), |context| match intervals {
            None => Ok((spec.model.fit_any(&view, context)?, None)),
            Some(intervals) => {
                let (fitted, calibration) = fit_calibrated(&*spec.model, &view, context, intervals)?;
                Ok((fitted, Some(calibration)))
            }
        })?;
    let summary = TrainingSummary {
        name: spec.name.clone(),
        family: spec.family.clone(),
        responses: prepared.loaded.screen.responses.len(),
        fit_seconds: start.elapsed().as_secs_f64(),
    };
    let model = TrainedModel::new(Arc::from(fitted), calibration, &view, config, prepared)?;
    Ok(Training { model, summary })
}

/// Trains like [`train`], and writes the model, the training log, the trials of a search and the provenance into the folder of a run.
///
/// # Errors
/// As [`train`], or if a file cannot be written.
pub fn train_into(
    config: &Config,
    prepared: &PreparedScreen,
    state: &RunState,
    folder: &RunFolder,
    progress: &dyn Progress,
) -> Result<Training> {
    let training = train(config, prepared, state, progress)?;
    let Training { model, summary } = &training;
    model.write(folder.path("model.halfmax"))?;
    if let Some(fit) = model.fitted.as_epochwise() {
        let epochs = fit.epochs().to_vec();
        let log = TrainingLog { model: summary.name.clone(), left_out: Vec::new(), epochs };
        write_training(folder, &[log])?;
    }
    state.trials.write(folder)?;
    write_provenance(folder, config, &Manifest::new("train", config, &prepared.loaded.inputs))?;
    Ok(training)
}

/// Writes `report.html` of a training, with an explanation if the configuration asks for one.
///
/// # Errors
/// If a file cannot be written, or the user stopped it.
pub fn write_training_report(
    config: &Config,
    prepared: &PreparedScreen,
    training: &Training,
    folder: &RunFolder,
    progress: &dyn Progress,
) -> Result<()> {
    let manifest = Manifest::new("train", config, &prepared.loaded.inputs);
    let screen = &prepared.loaded.screen;
    let mut reporting = Reporting::new(config, &manifest, &prepared.loaded)?;
    let TrainingSummary { name, family, .. } = &training.summary;
    reporting.add_training(name, family);
    if let Some(params) = &config.explain {
        if !params.models.is_empty() && !params.models.contains(name) {
            progress.note(&format!(
                "explain.models does not name {name:?}, the trained model: it is explained anyway"
            ));
        }
        let tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
        let widths = training.model.facts.intervals.as_ref().map(|own| own.widths(&tables)).transpose()?;
        let model = &*training.model.fitted;
        let request = ExplainRequest { name, model, config, loaded: &prepared.loaded, widths };
        match request.explain_into(&mut reporting, progress) {
            Ok(explained) => write_tables(&folder.path(""), std::slice::from_ref(&explained), None)?,
            Err(error) => unexplained(error, progress)?,
        }
    }
    folder.write("report.html", reporting.html().as_bytes())
}

/// Fits a model of a configuration to all responses, without the data that its use needs.
pub(crate) fn fit_to_all(
    spec: &ModelSpec,
    config: &Config,
    prepared: &PreparedScreen,
    progress: &dyn Progress,
) -> Result<Box<dyn halfmax_core::FittedModel>> {
    progress.phase("training");
    let view = prepared.everything()?;
    let fit = |context: &FitContext| spec.model.fit_any(&view, context);
    prepared.with_context(config.seed, progress, None, fit)
}
