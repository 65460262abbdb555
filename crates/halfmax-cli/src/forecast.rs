//! How much memory the fits of a configuration need, and what their families do not take: said before the work.

use std::fmt;

use halfmax_core::{Error, FeatureBlock, FeatureValues, FitContext, FitSizes, Result, Silent, TrainView};
use halfmax_eval::Folds;
use serde::Serialize;

use crate::available_memory::{Available, size, taken};
use crate::config::Config;
use crate::registry::ModelSpec;
use crate::run::{Prepared, evaluated_models};
use crate::terminal::Terminal;

/// What a command does with the models of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Cross-validates all of them.
    Evaluate,
    /// Fits the first to all responses.
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

/// How much memory a command needs at its peak because of one model, with the data.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// The model's name.
    pub model: String,
    /// For which command.
    pub work: Work,
    /// What is fitted on, in words.
    pub sizes: String,
    /// In bytes.
    pub bytes: u64,
}

/// Memory that is free as a share of what an estimate says, below which there is a warning: estimates are rarely too low by more.
const MARGIN: f64 = 1.25;

impl Forecast {
    /// The forecasts of all models of a configuration, and the errors of those whose families do not take the data.
    pub fn all(config: &Config, prepared: &Prepared, work: Work) -> Result<(Vec<Self>, Vec<Error>)> {
        let parts = Parts::of(config, prepared, work)?;
        let specs = match work {
            Work::Evaluate => evaluated_models(config, prepared, &std::sync::Arc::default())?,
            Work::Train => config.specs(&std::sync::Arc::default())?.into_iter().take(1).collect(),
        };
        let (mut forecasts, mut errors) = (Vec::new(), Vec::new());
        for spec in &specs {
            match parts.forecast(spec, config, prepared, work) {
                Ok(forecast) => forecasts.push(forecast),
                Err(error) => errors.push(error),
            }
        }
        Ok((forecasts, errors))
    }
}

/// The training parts of a command.
struct Parts<'a> {
    views: Vec<(String, TrainView<'a>)>,
    /// Bytes that the data and the program take.
    loaded: usize,
    /// Bytes that the command keeps besides its fits: of an evaluation, predictions.
    kept: usize,
    /// Bytes that an evaluation takes to score the predictions of a model, or to write those of all.
    scored: usize,
}

impl<'a> Parts<'a> {
    fn of(config: &Config, prepared: &'a Prepared, work: Work) -> Result<Self> {
        let whole = prepared.everything()?;
        let (Work::Evaluate, Some(folds)) = (work, &prepared.folds) else {
            // The percentiles of responses, and how far entities are from one another.
            let kept = 12 * whole.rows.len();
            return Ok(Self {
                loaded: loaded(prepared),
                views: vec![(String::new(), whole)],
                kept,
                scored: 0,
            });
        };
        let run = match config.split()?.to_run(folds.count())? {
            Some(run) => run.to_vec(),
            None => (0..folds.count()).collect(),
        };
        let part = |fold: &usize| (format!(", fold {fold}"), training_part(folds, *fold, &whole));
        let views: Vec<(String, TrainView<'a>)> = run.iter().map(part).collect();
        let tested: usize = run.iter().map(|fold| folds.train_test(&[*fold]).1.len()).sum();
        // Folds and drugs by response, the positions of what is tested, predictions of each model; to score a model two lists of all its
        // responses, their order, ranks and sums; to write predictions their rows, columns and pages.
        let models = config.models.len() + halfmax_baselines::Naive::ALL.len();
        let kept = 8 * whole.rows.len() + (8 + 4 * models) * tested;
        let written = 180 * (models * tested).min(1 << 20);
        Ok(Self { loaded: loaded(prepared), views, kept, scored: (72 * tested).max(written) })
    }

    fn forecast(
        &self,
        spec: &ModelSpec,
        config: &Config,
        prepared: &Prepared,
        work: Work,
    ) -> Result<Forecast> {
        let mut most = (0, String::new());
        for (place, view) in &self.views {
            // Positions of the view, and what is predicted for the rest.
            let around =
                8 * view.rows.len() + 40 * (prepared.loaded.screen.responses.len() - view.rows.len());
            let memory = |context: &FitContext| spec.model.memory_any(view, context);
            let bytes = prepared
                .with_context(config.seed, &Silent, None, memory)
                .map_err(|error| error.at(format!("model {:?}{place}", spec.name)))?;
            if most.1.is_empty() || bytes + around > most.0 {
                most = (bytes + around, words_of(view));
            }
        }
        let intervals = config.intervals.as_ref().is_some_and(|own| own.includes(&spec.name));
        // Out of fold, two are fitted at a time.
        let at_once = if work == Work::Evaluate && (intervals || spec.family == "stack") { 2 } else { 1 };
        let bytes = (self.loaded + self.kept + (at_once * most.0).max(self.scored)) as u64;
        let bytes = bytes.max(taken());
        Ok(Forecast { model: spec.name.clone(), work, sizes: most.1, bytes })
    }
}

/// Bytes that the program takes without data: its code, and the lists of cell lines and genes.
const PROGRAM: usize = 70_000_000;

/// Bytes that the program and its data take once they are loaded.
fn loaded(prepared: &Prepared) -> usize {
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
    let replicate = 12 * prepared.loaded.replicate.as_ref().map_or(0, Vec::len);
    PROGRAM + features + replicate + screen.responses.len() * (4 * screen.sides.len() + 4 + folds + doses)
}

/// The part of a view that is trained on when a fold is left out.
fn training_part<'a>(folds: &Folds, fold: usize, whole: &TrainView<'a>) -> TrainView<'a> {
    TrainView { rows: folds.train_test(&[fold]).0, screen: whole.screen, features: whole.features.clone() }
}

/// The sizes of a view in words: "600 cell lines × 6500 drugs, 3900000 responses, 20000 features of a cell line".
fn words_of(view: &TrainView) -> String {
    let FitSizes { responses, entities, widths } = FitSizes::of(view);
    let sort = |side: usize| view.screen.table(side).sort();
    let sides = 0..if view.screen.is_of_combinations() { 2 } else { entities.len() };
    let counts: Vec<String> =
        sides.clone().map(|side| format!("{} {}s", entities[side], sort(side))).collect();
    let features = sides.filter(|side| widths[*side] > 0);
    let features = features.map(|side| format!(", {} features of a {}", widths[side], sort(side)));
    format!("{}, {responses} responses{}", counts.join(" × "), features.collect::<String>())
}

/// Refuses work whose fits need more memory than there is, or whose families do not take the data. Warns where it may be too little.
///
/// # Errors
/// Of the first such model.
pub fn refuse_too_large(config: &Config, prepared: &Prepared, work: Work, terminal: Terminal) -> Result<()> {
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
            let text = forecast.in_words();
            terminal.note(&format!("warning: {text}, and there are {available}: this may not suffice"));
        }
    }
    Ok(())
}

impl Forecast {
    fn in_words(&self) -> String {
        let Self { model, work, sizes, bytes } = self;
        format!("{work} needs about {} of memory for model {model:?} ({sizes})", size(*bytes))
    }

    /// The error of a forecast beyond what there is.
    fn too_large(&self, available: &Available) -> Error {
        let all = self.bytes.div_ceil(100_000_000) as f64 / 10.0;
        Error::failed(format!("{}, and there are {available}", self.in_words())).help(format!(
            "take fewer features ([[data.cells]] top_variance), fewer drugs, another family (boost takes least of those that learn interactions), or a \
             machine with more memory; --memory {all:.1}GB goes on as if there were so much"
        ))
    }
}

/// Forecasts of less than this are not worth a word.
const WORTH_A_WORD: u64 = 1_000_000_000;

/// Says what the models of a configuration need and what their families do not take.
///
/// # Errors
/// If a family does not take the data, or needs more memory than there is.
pub fn check(config: &Config, prepared: &Prepared, terminal: Terminal) -> Result<()> {
    let mut works = vec![Work::Train];
    if prepared.folds.is_some() {
        works.insert(0, Work::Evaluate);
    }
    let (mut problems, mut advice) = (Vec::new(), None);
    let available = Available::now();
    for work in works.into_iter().filter(|_| !config.models.is_empty()) {
        let (forecasts, errors) = Forecast::all(config, prepared, work)?;
        for error in errors {
            advice = advice.or_else(|| error.advice().map(str::to_owned));
            problems.push(format!("{work}: {error}"));
        }
        for forecast in forecasts {
            let too_large = available.as_ref().filter(|available| forecast.bytes > available.bytes);
            if let Some(available) = too_large {
                let error = forecast.too_large(available);
                advice = advice.or_else(|| error.advice().map(str::to_owned));
                problems.push(error.to_string());
            } else if forecast.bytes >= WORTH_A_WORD || terminal.is_json() {
                terminal.result("memory", &forecast, &format!("memory: {}", forecast.in_words()))?;
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let error = Error::unmet(problems.join("; "));
    Err(match advice {
        Some(advice) => error.help(advice),
        None => error,
    })
}
