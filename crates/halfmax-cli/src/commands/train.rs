use std::collections::BTreeMap;

use halfmax_core::{Error, Result, Screen};
use halfmax_data::{DrugFeatures, RunFolder, SingleAgentMeasures, write_model};
use halfmax_eval::{Calibration, TrainingLog, fit_calibrated};
use halfmax_kernel::Applicability;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::run::{Manifest, Prepared, write_provenance, write_training};
use crate::terminal::Terminal;
use crate::unfinished::Unfinished;
use crate::{ConfigAndOut, Global};

/// What a model file says besides the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelFacts {
    /// The measured quantity that it predicts.
    pub target: String,
    /// Whether it predicts combinations of two drugs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub combinations: bool,
    /// How the features of drugs were made.
    pub drug_features: DrugFeatures,
    /// For each drug the 0th, 1st … 100th percentile of its training responses; of a model of combinations, of the responses
    /// to all combinations that it is part of.
    pub percentiles: BTreeMap<String, Vec<f32>>,
    /// The same percentiles of all training responses, of a model of combinations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_percentiles: Vec<f32>,
    /// What it was trained to know of single drugs, of a model of combinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_agents: Option<SingleAgentMeasures>,
    /// SHA-256 of every training file.
    pub training_files: BTreeMap<String, String>,
    /// How wide its prediction intervals are, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Calibration>,
    /// The description of its training entities, by which others are told to be in the domain or not; the arrays are among
    /// the model's, after [`APPLICABILITY`].
    #[serde(default)]
    pub applicability: serde_json::Value,
}

/// What stands before the names of a model file's arrays of training entities.
pub const APPLICABILITY: &str = "applicability/";

/// `halfmax train`.
pub fn train(args: &ConfigAndOut, global: &Global, terminal: Terminal) -> Result<()> {
    let mut config = Config::read(&args.config, &global.overrides)?;
    config.seed = global.seed.unwrap_or(config.seed);
    let folder = RunFolder::create(&args.out)?;
    let prepared = Prepared::new(&config, terminal)?;
    let unfinished = Unfinished::open(&config, &prepared.loaded.inputs, &args.out, terminal)?;
    let summary = match train_into(&config, &prepared, &unfinished, &folder, terminal) {
        Ok(summary) => summary,
        Err(error) => {
            unfinished.keep(terminal);
            return Err(error.at(args.config.display()));
        }
    };
    let path = folder.finish()?;
    unfinished.forget();
    let model = path.join("model.halfmax");
    terminal.result("model", &summary, &format!("model written to {}", model.display()))
}

/// What was trained.
#[derive(Serialize)]
pub struct Summary {
    name: String,
    family: String,
    responses: usize,
    fit_seconds: f64,
}

/// Trains the first model of a configuration into a folder.
pub fn train_into(
    config: &Config,
    prepared: &Prepared,
    unfinished: &Unfinished,
    folder: &RunFolder,
    terminal: Terminal,
) -> Result<Summary> {
    let specs = config.specs(&unfinished.trials.log)?;
    let Some(spec) = specs.first() else {
        return Err(Error::config("there is no [[model]]")
            .help("add one, for example:\n    [[model]]\n    family = \"boost\""));
    };
    if specs.len() > 1 {
        terminal.note(&format!("training the first of {} models, {:?}", specs.len(), spec.name));
    }
    let progress = terminal.progress("training");
    let start = std::time::Instant::now();
    let view = prepared.everything()?;
    let intervals = config.intervals.as_ref().filter(|intervals| intervals.includes(&spec.name));
    let (fitted, calibration) =
        prepared.with_context(config.seed, &progress, unfinished.store(), |context| match intervals {
            None => Ok((spec.model.fit_any(&view, context)?, None)),
            Some(intervals) => {
                let (fitted, calibration) = fit_calibrated(&*spec.model, &view, context, intervals)?;
                Ok((fitted, Some(calibration)))
            }
        })?;
    let fit_seconds = start.elapsed().as_secs_f64();
    let screen = &prepared.loaded.screen;
    let applicability = Applicability::new(&view, &*fitted)?.parts();
    let facts = ModelFacts {
        target: screen.target.clone(),
        combinations: screen.is_of_combinations(),
        drug_features: config.data.drug_features.clone(),
        percentiles: percentiles(screen),
        all_percentiles: match screen.is_of_combinations() {
            true => quantiles(screen.responses.values().to_vec()),
            false => Vec::new(),
        },
        single_agents: prepared.loaded.single_agents.clone(),
        training_files: prepared
            .loaded
            .inputs
            .iter()
            .map(|i| (file_name(&i.path), i.sha256.clone()))
            .collect(),
        intervals: calibration,
        applicability: applicability.description,
    };
    let facts = serde_json::to_value(facts)
        .map_err(|error| Error::failed("the model's description cannot be written").because(error))?;
    let mut parts = fitted.parts();
    let named = |(name, tensor)| (format!("{APPLICABILITY}{name}"), tensor);
    parts.tensors.extend(applicability.tensors.into_iter().map(named));
    write_model(folder.path("model.halfmax"), fitted.family(), &parts, facts)?;
    let epochs = fitted.epochs().to_vec();
    if !epochs.is_empty() {
        let log = TrainingLog { model: spec.name.clone(), left_out: Vec::new(), epochs };
        write_training(folder, &[log])?;
    }
    unfinished.trials.write(folder)?;
    write_provenance(folder, config, &Manifest::new("train", config, &prepared.loaded.inputs))?;
    Ok(Summary {
        name: spec.name.clone(),
        family: spec.family.clone(),
        responses: screen.responses.len(),
        fit_seconds,
    })
}

/// A path's last part: a model file says which files it was trained on, not where they lay.
fn file_name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}

/// 101 quantiles, of at least one value.
fn quantiles(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    (0..=100usize).map(|p| values[(values.len() - 1) * p / 100]).collect()
}

/// For each drug 101 quantiles of its responses.
fn percentiles(screen: &Screen) -> BTreeMap<String, Vec<f32>> {
    let mut by_drug: Vec<Vec<f32>> = vec![Vec::new(); screen.table(1).len()];
    for side in screen.interchangeable(1) {
        for (drug, value) in screen.responses.side(side).iter().zip(screen.responses.values()) {
            by_drug[*drug as usize].push(*value);
        }
    }
    let named = screen.table(1).ids().iter().cloned().zip(by_drug);
    named.filter(|(_, values)| !values.is_empty()).map(|(drug, values)| (drug, quantiles(values))).collect()
}
