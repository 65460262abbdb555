//! Forecasts before the work: the memory that the fits of a configuration need, and data that their families reject.

use std::fmt;

use halfmax_core::{
    Error, FeatureBlock, FeatureValues, FitContext, FitSizes, Progress, Result, Silent, TrainView,
};
use serde::Serialize;

use super::available::{Available, size, taken};
use crate::config::Config;
use crate::evaluate::evaluated_models;
use crate::families::ModelSpec;
use crate::screen::PreparedScreen;

/// The use of the models of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Cross-validates all models.
    Evaluate,
    /// Fits the first model to all responses.
    Train,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Evaluate => "evaluate",
            Self::Train => "train",
        })
    }
}

/// The peak memory of a command for one model, including the data.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// The name of the model.
    pub model: String,
    /// The command.
    pub work: Work,
    /// The sizes of the training data, in words.
    pub sizes: String,
    /// In bytes.
    pub bytes: u64,
}

/// The ratio of available memory to estimate below which halfmax warns. Estimates are rarely too low by more.
const MARGIN: f64 = 1.25;

impl Forecast {
    /// The forecasts of all models of a configuration, and the errors of models whose families reject the data.
    ///
    /// # Errors
    /// If the configuration or the data are invalid.
    pub fn all(config: &Config, prepared: &PreparedScreen, work: Work) -> Result<(Vec<Self>, Vec<Error>)> {
        let specs = match work {
            Work::Evaluate => evaluated_models(config, prepared, &std::sync::Arc::default())?,
            Work::Train => config.specs(&std::sync::Arc::default())?.into_iter().take(1).collect(),
        };
        let whole = prepared.everything()?;
        let mut most: Vec<Result<Most>> = specs.iter().map(|_| Ok(Most::default())).collect();
        let mut ask = |place: &str, view: &TrainView| {
            for (spec, most) in specs.iter().zip(&mut most) {
                if let Ok(own) = most {
                    match fit_bytes(spec, (place, view), config, prepared) {
                        Ok(bytes) if own.sizes.is_empty() || bytes > own.bytes => {
                            *own = Most { bytes, sizes: words_of(view) };
                        }
                        Ok(_) => {}
                        Err(error) => *most = Err(error),
                    }
                }
            }
        };
        // Bytes that the command keeps besides its fits, and bytes to score the predictions of a model or to write all predictions.
        let (kept, scored) = match (work, &prepared.folds) {
            (Work::Evaluate, Some(folds)) => {
                let run = match config.split()?.to_run(folds.count())? {
                    Some(run) => run.to_vec(),
                    None => (0..folds.count()).collect(),
                };
                let mut tested = 0;
                for fold in run {
                    let (rows, test) = folds.train_test(&[fold]);
                    tested += test.len();
                    let view = TrainView { rows, screen: whole.screen, features: whole.features.clone() };
                    ask(&format!(", fold {fold}"), &view);
                }
                // Kept: folds and drugs by response, the positions of test responses, predictions of each model. Scoring a model: two lists
                // of all its responses, their order, ranks and sums. Writing predictions: their rows, columns and pages.
                let models = specs.len();
                let written = 180 * (models * tested).min(1 << 20);
                (8 * whole.rows.len() + (8 + 4 * models) * tested, (72 * tested).max(written))
            }
            _ => {
                ask("", &whole);
                // The percentiles of responses, and the distances between entities.
                (12 * whole.rows.len(), 0)
            }
        };
        let besides = loaded(prepared) + kept;
        let (mut forecasts, mut errors) = (Vec::new(), Vec::new());
        for (spec, most) in specs.iter().zip(most) {
            match most {
                Ok(Most { bytes, sizes }) => {
                    let intervals = config.intervals.as_ref().is_some_and(|own| own.includes(&spec.name));
                    // Out-of-fold predictions fit two models at a time.
                    let two = work == Work::Evaluate && (intervals || spec.family == "stack");
                    let fits = if two { 2 * bytes } else { bytes };
                    let bytes = ((besides + fits.max(scored)) as u64).max(taken());
                    forecasts.push(Self { model: spec.name.clone(), work, sizes, bytes });
                }
                Err(error) => errors.push(error),
            }
        }
        Ok((forecasts, errors))
    }
}

/// The fit of a model with the largest need of memory.
#[derive(Default)]
struct Most {
    bytes: usize,
    /// The training data of the fit, in words.
    sizes: String,
}

/// Bytes of a fit to a view, including the positions of the view and the predictions for the rest.
fn fit_bytes(
    spec: &ModelSpec,
    (place, view): (&str, &TrainView),
    config: &Config,
    prepared: &PreparedScreen,
) -> Result<usize> {
    let around = 8 * view.rows.len() + 40 * (prepared.loaded.screen.responses.len() - view.rows.len());
    let memory = |context: &FitContext| spec.model.memory_any(view, context);
    let bytes = prepared.with_context(config.seed, &Silent, None, memory);
    Ok(bytes.map_err(|error| error.with_context(format!("model {:?}{place}", spec.name)))? + around)
}

/// Bytes of the program without data: its code, and the lists of cell lines and genes.
const PROGRAM: usize = 70_000_000;

/// Bytes of the program with its loaded data.
fn loaded(prepared: &PreparedScreen) -> usize {
    let screen = &prepared.loaded.screen;
    let features = |block: &FeatureBlock| {
        let numbers = block.entities() * block.len();
        match &block.values {
            FeatureValues::Real(_) => 4 * numbers,
            FeatureValues::Binary(_) => numbers / 8,
            FeatureValues::Category(_) => 4 * numbers,
        }
    };
    let features: usize = screen.tables.iter().flat_map(|table| table.blocks()).map(features).sum();
    let folds = if prepared.folds.is_some() { 4 } else { 0 };
    let doses = if prepared.loaded.tested_doses.is_some() { 24 } else { 0 };
    let reference = 12 * prepared.loaded.reference_study.as_ref().map_or(0, Vec::len);
    PROGRAM + features + reference + screen.responses.len() * (4 * screen.sides.len() + 4 + folds + doses)
}

/// The sizes of a view in words: "600 cell lines × 6500 drugs, 3900000 responses, 20000 features of a cell line".
fn words_of(view: &TrainView) -> String {
    let FitSizes { responses, entities, widths } = FitSizes::new(view);
    let sort = |side: usize| view.screen.table(side).entity_kind();
    let sides = 0..if view.screen.is_of_combinations() { 2 } else { entities.len() };
    let counts: Vec<String> =
        sides.clone().map(|side| format!("{} {}s", entities[side], sort(side))).collect();
    let features = sides.filter(|side| widths[*side] > 0);
    let features = features.map(|side| format!(", {} features of a {}", widths[side], sort(side)));
    format!("{}, {responses} responses{}", counts.join(" × "), features.collect::<String>())
}

/// Refuses work whose fits need more memory than is available, or whose families reject the data. Warns if the memory may be too small.
///
/// # Errors
/// If the memory is too small or a family rejects the data, for the first such model.
pub fn refuse_too_large(
    config: &Config,
    prepared: &PreparedScreen,
    work: Work,
    progress: &dyn Progress,
) -> Result<()> {
    let (forecasts, errors) = Forecast::all(config, prepared, work)?;
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let Some(available) = Available::now() else { return Ok(()) };
    for forecast in forecasts {
        if forecast.bytes > available.bytes {
            return Err(forecast.too_large(&available));
        }
        if forecast.bytes as f64 * MARGIN > available.bytes as f64 {
            progress.note(&format!("warning: {}; {available}: this may not be enough", forecast.in_words()));
        }
    }
    Ok(())
}

impl Forecast {
    /// The forecast as a sentence.
    pub fn in_words(&self) -> String {
        let Self { model, work, sizes, bytes } = self;
        format!("{work} needs about {} of memory for model {model:?} ({sizes})", size(*bytes))
    }

    /// The error of a forecast beyond the available memory.
    fn too_large(&self, available: &Available) -> Error {
        let all = self.bytes.div_ceil(100_000_000) as f64 / 10.0;
        Error::failed(format!("{}; {available}", self.in_words())).with_help(format!(
            "take fewer features ([[data.cells]] top_variance), fewer drugs, another family (boost needs the least of the \
             families that learn interactions), or a \
             machine with more memory; set the memory limit (`--memory {all:.1}GB`) to continue as if that much were available"
        ))
    }
}

/// The memory needs of the models of a configuration, and the problems.
pub struct MemoryCheck {
    /// The forecasts within the available memory.
    pub forecasts: Vec<Forecast>,
    /// Errors of families that reject the data, or that need more memory than is available.
    pub problem: Option<Error>,
}

/// Checks the memory needs of the models of a configuration, and the data that their families reject.
///
/// # Errors
/// If the configuration or the data are invalid.
pub fn check(config: &Config, prepared: &PreparedScreen) -> Result<MemoryCheck> {
    let mut works = vec![Work::Train];
    if prepared.folds.is_some() {
        works.insert(0, Work::Evaluate);
    }
    let (mut suffices, mut problems, mut advice) = (Vec::new(), Vec::new(), None);
    let available = Available::now();
    for work in works.into_iter().filter(|_| !config.models.is_empty()) {
        let (forecasts, errors) = Forecast::all(config, prepared, work)?;
        for error in errors {
            advice = advice.or_else(|| error.help().map(str::to_owned));
            problems.push(format!("{work}: {error}"));
        }
        for forecast in forecasts {
            let too_large = available.as_ref().filter(|available| forecast.bytes > available.bytes);
            if let Some(available) = too_large {
                let error = forecast.too_large(available);
                advice = advice.or_else(|| error.help().map(str::to_owned));
                problems.push(error.to_string());
            } else {
                suffices.push(forecast);
            }
        }
    }
    let problem = (!problems.is_empty()).then(|| {
        let error = Error::check_failed(problems.join("; "));
        match advice {
            Some(advice) => error.with_help(advice),
            None => error,
        }
    });
    Ok(MemoryCheck { forecasts: suffices, problem })
}
