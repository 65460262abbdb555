use std::collections::BTreeMap;

use halfmax_core::{EntityTable, Error, FittedModel, Result, Screen, Target};
use halfmax_data::{
    DrugFeatures, FeatureScale, InputFile, RunFolder, SingleAgentMeasures, scales_of, write_model,
};
use halfmax_eval::{Calibration, TrainingLog, fit_calibrated};
use halfmax_kernel::Applicability;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::explaining::{check_explain, explain_into, unexplained, write_tables};
use crate::forecast::{Work, refuse_too_large};
use crate::reporting::Reporting;
use crate::run::{Manifest, Prepared, write_provenance, write_training};
use crate::terminal::Terminal;
use crate::unfinished::Unfinished;
use crate::{ConfigAndOut, Global};

/// What a model file says besides the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelFacts {
    /// What it predicts. Files of earlier versions have a name, of which [`crate::trained::Trained::read`] makes a target.
    pub target: Target,
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
    /// Where the values of the features of cell lines lay in training; none in a file of a version that did not store it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<FeatureScale>,
    /// SHA-256 of every training file, by its name without its folder; of several files of one name, with blanks between them.
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
    let mut config = global.read_recipe(&args.config, terminal)?;
    config.seed = global.seed.unwrap_or(config.seed);
    let out = args.folder(&config.name, terminal);
    let folder = RunFolder::create(&out)?;
    terminal.removed(folder.removed());
    let prepared = Prepared::new(&config, terminal)?;
    check_explain(&config, &prepared.loaded).map_err(|error| error.at(args.config.display()))?;
    let unfinished = Unfinished::open(&config, &prepared.loaded.inputs, &out, terminal)?;
    let trained = train_into(&config, &prepared, &unfinished, &folder, terminal).and_then(|trained| {
        report(&config, &prepared, &trained, &folder, terminal).map(|()| trained.summary)
    });
    let summary = match trained {
        Ok(summary) => summary,
        Err(error) => {
            unfinished.keep(terminal);
            return Err(error.at(args.config.display()));
        }
    };
    let path = folder.finish_and_remove(unfinished.paths())?;
    let model = path.join("model.halfmax");
    terminal.result("model", &summary, &format!("model written to {}", model.display()))
}

/// Writes `report.html`, with an explanation if the configuration asks for one.
fn report(
    config: &Config,
    prepared: &Prepared,
    trained: &TrainedModel,
    folder: &RunFolder,
    terminal: Terminal,
) -> Result<()> {
    let manifest = Manifest::new("train", config, &prepared.loaded.inputs);
    let screen = &prepared.loaded.screen;
    let mut reporting = Reporting::new(config, &manifest, &prepared.loaded)?;
    let Summary { name, family, .. } = &trained.summary;
    reporting.add_training(name, family);
    if let Some(params) = &config.explain {
        if !params.models.is_empty() && !params.models.contains(name) {
            terminal.note(&format!("explain.models does not name {name:?}, the model that is trained: it is explained all the same"));
        }
        let tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
        let widths = trained.calibration.as_ref().map(|own| own.widths(&tables)).transpose()?;
        let model = (name.as_str(), &*trained.fitted);
        match explain_into(model, (config, &prepared.loaded, widths), &mut reporting, terminal) {
            Ok(explained) => write_tables(&folder.path(""), std::slice::from_ref(&explained), None)?,
            Err(error) => unexplained(error, terminal)?,
        }
    }
    folder.write("report.html", reporting.html().as_bytes())
}

/// A model that was trained, and what is to be said of it.
pub struct TrainedModel {
    /// How wide its prediction intervals are, if they were asked for.
    pub calibration: Option<Calibration>,
    /// The model.
    pub fitted: Box<dyn FittedModel>,
    /// What is to be said.
    pub summary: Summary,
}

/// What was trained.
#[derive(Serialize)]
pub struct Summary {
    pub name: String,
    pub family: String,
    pub responses: usize,
    pub fit_seconds: f64,
}

/// Trains the first model of a configuration into a folder.
pub fn train_into(
    config: &Config,
    prepared: &Prepared,
    unfinished: &Unfinished,
    folder: &RunFolder,
    terminal: Terminal,
) -> Result<TrainedModel> {
    let specs = config.specs(&unfinished.trials.log)?;
    let Some(spec) = specs.first() else {
        return Err(Error::config("there is no [[model]]")
            .help("add one, for example:\n    [[model]]\n    family = \"boost\""));
    };
    if specs.len() > 1 {
        terminal.note(&format!("training the first of {} models, {:?}", specs.len(), spec.name));
    }
    refuse_too_large(config, prepared, Work::Train, terminal)?;
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
        target: prepared.loaded.target.clone(),
        combinations: screen.is_of_combinations(),
        drug_features: config.data.drug_features.clone(),
        percentiles: percentiles(screen),
        all_percentiles: match screen.is_of_combinations() {
            true => quantiles(screen.responses.values().to_vec()),
            false => Vec::new(),
        },
        single_agents: prepared.loaded.single_agents.clone(),
        scales: scales_of(&screen.tables[0], &fitted.space(0)),
        training_files: named_files(&prepared.loaded.inputs),
        intervals: calibration.clone(),
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
    let summary = Summary {
        name: spec.name.clone(),
        family: spec.family.clone(),
        responses: screen.responses.len(),
        fit_seconds,
    };
    Ok(TrainedModel { calibration, fitted, summary })
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

/// The SHA-256 of each file by its name without its folder; those of several files of one name with blanks between them.
fn named_files(inputs: &[InputFile]) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for input in inputs {
        let digests = files.entry(file_name(&input.path)).or_default();
        if !digests.is_empty() {
            digests.push(' ');
        }
        digests.push_str(&input.sha256);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_name_are_all_known() {
        let input = |path: &str, sha256: &str| InputFile {
            path: path.to_owned(),
            sha256: sha256.to_owned(),
            bytes: 1,
            dataset: None,
        };
        let files = named_files(&[input("a/f.csv", "1"), input("b/f.csv", "2"), input("g.csv", "3")]);
        assert_eq!(files, [("f.csv".into(), "1 2".into()), ("g.csv".into(), "3".into())].into());
    }
}
