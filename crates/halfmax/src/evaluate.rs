//! Cross-validation of models beside the naive predictors.

use std::collections::HashSet;
use std::sync::Arc;

use halfmax_baselines::Naive;
use halfmax_core::{Error, Progress, Result, Seed, Target};
use halfmax_data::{Loaded, PredictionColumns, PredictionRow, PredictionWriter, RunFolder};
use halfmax_eval::{
    Ceiling, Evaluation, ModelEvaluation, NamedModel, Prediction, Protocol, SplitKind, TrialLog,
    evaluate_resumable,
};
use serde::Serialize;

use crate::config::Config;
use crate::explain::{ExplainRequest, ModelExplanation, unexplained, write_tables};
use crate::families::ModelSpec;
use crate::memory::{Work, refuse_too_large};
use crate::provenance::{Manifest, write_json, write_provenance};
use crate::report::Reporting;
use crate::run::{RunState, write_training};
use crate::screen::PreparedScreen;
use crate::train::fit_to_all;

/// The models of a configuration, and the naive predictors that suit its data.
///
/// # Errors
/// If the configuration or the data do not allow it, or the user stopped it.
pub fn evaluated_models(
    config: &Config,
    prepared: &PreparedScreen,
    log: &Arc<TrialLog>,
) -> Result<Vec<ModelSpec>> {
    let mut specs = config.specs(log)?;
    for naive in Naive::ALL {
        let tissue = prepared.loaded.screen.table(0).group("tissue").is_some();
        let usable = match naive {
            Naive::TissueDrugMean => tissue,
            Naive::CombinationMean => prepared.loaded.screen.is_of_combinations(),
            _ => true,
        };
        if usable && specs.iter().all(|spec| spec.family != naive.name()) {
            specs.push(ModelSpec::naive(naive));
        }
    }
    Ok(specs)
}

/// Cross-validates the models of a configuration beside the naive predictors.
///
/// # Errors
/// If the configuration or the data do not allow it, or the user stopped it.
pub fn cross_validate(
    config: &Config,
    prepared: &PreparedScreen,
    state: &RunState,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    let split = config.split()?;
    let Some(folds) = &prepared.folds else { return Err(Error::config("the section [split] is missing")) };
    let specs = evaluated_models(config, prepared, &state.trials.log)?;
    let models: Vec<NamedModel> = specs
        .iter()
        .map(|spec| NamedModel { name: spec.name.clone(), family: spec.family.clone(), model: &*spec.model })
        .collect();
    let protocol = Protocol {
        top_variance: prepared.loaded.top_variance.clone(),
        only_folds: split.to_run(folds.count())?.map(<[usize]>::to_vec),
        seed: Seed::new(config.seed),
        intervals: config.intervals.clone(),
        pilot: config.pilot.clone(),
        other_study: prepared.reference_study(),
        positive_above: config.target.positive_above,
        ..Protocol::default()
    };
    progress.phase("evaluating");
    evaluate_resumable(&prepared.loaded.screen, folds, &models, &protocol, progress, state.store())
}

/// `metrics.json`.
#[derive(Serialize)]
pub struct MetricsFile<'a> {
    /// The name of the run.
    pub name: &'a str,
    /// The target.
    pub target: &'a Target,
    /// The kind of split.
    pub split: SplitKind,
    /// The models.
    #[serde(flatten)]
    pub evaluation: &'a Evaluation,
    /// The score of the reference study, if given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<&'a Ceiling>,
    /// The seconds of the epochs in `training.csv`, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub training_seconds: Vec<f64>,
    /// The seconds of the trials in `trials.jsonl`, in its order.
    #[serde(skip_serializing_if = "<[f64]>::is_empty")]
    pub trial_seconds: &'a [f64],
}

/// The results of an evaluation, with further content of its files.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The models and their comparisons.
    pub evaluation: Evaluation,
    /// The score of the reference study as a predictor of the screen; `None` without a reference study.
    pub ceiling: Option<Ceiling>,
    /// Seconds of the trials of a search, in their order; empty without a search.
    pub trial_seconds: Vec<f64>,
}

impl Evaluated {
    /// An evaluation with the ceiling of its screen.
    ///
    /// # Errors
    /// If the reference study measured no pair of the screen.
    pub fn new(prepared: &PreparedScreen, evaluation: Evaluation) -> Result<Self> {
        let asked = prepared.loaded.reference_study.as_ref();
        let screen = &prepared.loaded.screen;
        let ceiling = asked.map(|_| Ceiling::new(screen, &prepared.reference_study(), &evaluation.models));
        Ok(Self { evaluation, ceiling: ceiling.transpose()?, trial_seconds: Vec::new() })
    }

    /// Writes `metrics.json`, `training.csv`, `leaderboard.csv` and `predictions.parquet` into the folder of a run.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &RunFolder, config: &Config, loaded: &Loaded) -> Result<()> {
        let Self { evaluation, ceiling, trial_seconds } = self;
        let ceiling = ceiling.as_ref();
        let (screen, target) = (&loaded.screen, &loaded.target);
        let epochs = evaluation.training.iter().flat_map(|log| &log.epochs);
        // Only this file holds seconds, so the other files are identical when the run is repeated.
        let metrics = MetricsFile {
            name: &config.name,
            target,
            split: evaluation.kind,
            evaluation,
            ceiling,
            training_seconds: epochs.map(|epoch| epoch.seconds).collect(),
            trial_seconds,
        };
        write_json(folder, "metrics.json", &metrics)?;
        write_training(folder, &evaluation.training)?;
        folder.write("leaderboard.csv", evaluation.leaderboard().to_csv(ceiling).as_bytes())?;
        let responses = &screen.responses;
        let (cells, drugs) = (responses.side(0), responses.side(1));
        let second = (responses.sides() > 2).then(|| responses.side(2));
        let has_interval =
            |model: &ModelEvaluation| model.predictions.iter().any(|one| one.interval.is_some());
        let columns = PredictionColumns {
            second_drugs: second.is_some(),
            intervals: evaluation.models.iter().any(has_interval),
        };
        let row = |one: Prediction| PredictionRow {
            cell_line: cells[one.row],
            drug: drugs[one.row],
            drug_b: second.map(|drugs| drugs[one.row]),
            fold: one.fold as u32,
            observed: responses.values()[one.row],
            predicted: one.predicted,
            interval: one.interval,
        };
        let path = folder.path("predictions.parquet");
        let mut writer =
            PredictionWriter::create(path, screen.table(0).ids(), screen.table(1).ids(), columns)?;
        for model in &evaluation.models {
            writer.write(&model.name, model.predictions.iter().map(row))?;
        }
        writer.finish()
    }

    /// Writes `report.html`. With a section `[explain]`, fits the models that it names (else the first model) to all responses and explains
    /// them. The report shows the first of these models; the tables hold all.
    ///
    /// # Errors
    /// If a file cannot be written, or the user stopped it.
    pub fn write_report(
        &self,
        config: &Config,
        prepared: &PreparedScreen,
        state: &RunState,
        folder: &RunFolder,
        progress: &dyn Progress,
    ) -> Result<()> {
        let manifest = Manifest::new("evaluate", config, &prepared.loaded.inputs);
        let loaded = &prepared.loaded;
        let mut reporting = Reporting::new(config, &manifest, loaded)?;
        reporting.add_evaluation(&self.evaluation, self.ceiling.as_ref());
        let associate = config.associate.clone().unwrap_or_default();
        if let Some(params) = &config.explain {
            let specs = config.specs(&state.trials.log)?;
            let named = |name: &String| specs.iter().find(|spec| spec.name == *name);
            let mut chosen: Vec<&ModelSpec> = params.models.iter().filter_map(named).collect();
            let mut met = HashSet::new();
            chosen.retain(|spec| met.insert(&spec.name));
            if chosen.is_empty() {
                chosen.extend(specs.first());
            }
            let mut all = Vec::new();
            for (at, spec) in chosen.into_iter().enumerate() {
                let fitted = fit_to_all(spec, config, prepared, progress)?;
                let model = (spec.name.as_str(), &*fitted);
                if at == 0 {
                    let request =
                        ExplainRequest { name: &spec.name, model: &*fitted, config, loaded, widths: None };
                    match request.explain_into(&mut reporting, progress) {
                        Ok(explained) => all.push(explained),
                        Err(error) => unexplained(error, progress)?,
                    }
                } else {
                    progress.phase("explaining");
                    match ModelExplanation::new(
                        model,
                        loaded,
                        (params, &associate),
                        Seed::new(config.seed),
                        progress,
                    ) {
                        Ok(explained) => all.push(explained),
                        Err(error) => unexplained(error, progress)?,
                    }
                }
            }
            if !all.is_empty() {
                write_tables(&folder.path(""), &all, None)?;
            }
        }
        folder.write("report.html", reporting.html().as_bytes())
    }
}

/// Evaluates a configuration and writes the results into a folder.
///
/// # Errors
/// As [`cross_validate`], or if a file cannot be written.
pub fn evaluate_into(
    config: &Config,
    prepared: &PreparedScreen,
    state: &RunState,
    folder: &RunFolder,
    progress: &dyn Progress,
) -> Result<Evaluated> {
    refuse_too_large(config, prepared, Work::Evaluate, progress)?;
    let evaluation = cross_validate(config, prepared, state, progress)?;
    write_provenance(folder, config, &Manifest::new("evaluate", config, &prepared.loaded.inputs))?;
    state.trials.write(folder)?;
    let evaluated =
        Evaluated { trial_seconds: state.trials.seconds(), ..Evaluated::new(prepared, evaluation)? };
    evaluated.write(folder, config, &prepared.loaded)?;
    Ok(evaluated)
}
