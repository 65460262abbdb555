//! A trained model with what its use needs to know, and the `.halfmax` file that holds both.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use halfmax_core::{
    Error, FittedModel, Progress, Result, Screen, StoredModel, Target, TrainView, unknown_key,
};
use halfmax_data::{
    DrugFeatures, FeatureScale, InputFile, SingleAgentMeasures, read_model, scales_of, target_named,
    write_model,
};
use halfmax_eval::Calibration;
use halfmax_kernel::Applicability;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Config;
use crate::families;
use crate::screen::PreparedScreen;

/// What a model file says besides the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelFacts {
    /// What it predicts. Files of earlier versions have a name, of which [`TrainedModel::read`] makes a target.
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
    /// the model's, after "applicability/".
    #[serde(default)]
    pub applicability: serde_json::Value,
}

/// What stands before the names of a model file's arrays of training entities.
const APPLICABILITY: &str = "applicability/";

/// A trained model, and what its use needs to know.
#[derive(Clone)]
pub struct TrainedModel {
    /// The model.
    pub fitted: Arc<dyn FittedModel>,
    /// What its file says besides.
    pub facts: ModelFacts,
    /// How far entities are from those of the training; none in a file of a version that did not store it.
    pub applicability: Option<Arc<Applicability>>,
}

impl TrainedModel {
    /// A model that was fitted to a view of a screen.
    ///
    /// # Errors
    /// If the view has no entities to compare others with.
    pub fn new(
        fitted: Arc<dyn FittedModel>,
        calibration: Option<Calibration>,
        view: &TrainView,
        config: &Config,
        prepared: &PreparedScreen,
    ) -> Result<Self> {
        let screen = &prepared.loaded.screen;
        let applicability = Applicability::new(view, &*fitted)?;
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
            scales: scales_of(&screen.tables[0], fitted.space(0)),
            training_files: named_files(&prepared.loaded.inputs),
            intervals: calibration,
            applicability: Value::Null,
        };
        Ok(Self { fitted, facts, applicability: Some(Arc::new(applicability)) })
    }

    /// Writes the model's file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut model = self.fitted.stored()?;
        let mut facts = self.facts.clone();
        if let Some(applicability) = &self.applicability {
            let domain = applicability.stored()?;
            facts.applicability = domain.description;
            let named = |(name, tensor)| (format!("{APPLICABILITY}{name}"), tensor);
            model.tensors.extend(domain.tensors.into_iter().map(named));
        }
        let facts = serde_json::to_value(facts)
            .map_err(|error| Error::failed("the model's description cannot be written").with_source(error))?;
        write_model(path, self.fitted.family(), &model, facts)
    }

    /// Reads a model's file.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is of a family that this build does not have.
    pub fn read(path: impl AsRef<Path>, progress: &dyn Progress) -> Result<Self> {
        let path = path.as_ref();
        let (header, mut stored) = read_model(path)?;
        let place = path.display();
        if header.format_version == 1 {
            progress.note(&format!(
                "{place}: a model of format 1, written by an earlier version: its digest covers only the arrays, so a change of \
                 its parameters is not detected"
            ));
        }
        let facts = facts_of(header.meta).map_err(|error| error.with_context(&place))?;
        if let Some(intervals) = &facts.intervals {
            intervals.check().map_err(|error| error.with_context(&place))?;
        }
        let mut domain = StoredModel { description: facts.applicability.clone(), ..StoredModel::default() };
        let names: Vec<String> = stored.tensors.keys().cloned().collect();
        for name in names {
            if !domain.description.is_null()
                && let Some(own) = name.strip_prefix(APPLICABILITY)
                && let Some(tensor) = stored.tensors.remove(&name)
            {
                domain.tensors.insert(own.to_owned(), tensor);
            }
        }
        let fitted = families::fitted(&header.family, &stored).map_err(|error| error.with_context(&place))?;
        let applicability = match domain.description.is_null() {
            true => None,
            false => Some(Arc::new(
                Applicability::from_stored(&domain).map_err(|error| error.with_context(&place))?,
            )),
        };
        Ok(Self { fitted: Arc::from(fitted), facts, applicability })
    }
}

/// What a file says besides the model.
///
/// # Errors
/// If something is missing, not known, or a number that cannot be.
fn facts_of(meta: Value) -> Result<ModelFacts> {
    let help = "copy the file again, or use the version of halfmax that wrote it";
    let meta = with_target(meta);
    let not_understood =
        |what: String| Error::data(format!("its description is not understood: {what}")).with_help(help);
    let facts: ModelFacts = ModelFacts::deserialize(&meta)
        .map_err(|error| not_understood(error.to_string()).with_source(error))?;
    let known = serde_json::to_value(&facts).map_err(|error| not_understood(error.to_string()))?;
    if let Some(key) = unknown_key(&meta, &known) {
        return Err(not_understood(format!("key \"meta.{key}\" is not known")));
    }
    let scales = facts.scales.iter().flat_map(|scale| &scale.quantiles);
    let mut numbers = facts.percentiles.values().flatten().chain(&facts.all_percentiles).chain(scales);
    if numbers.any(|number| !number.is_finite()) {
        return Err(not_understood("a percentile is not a finite number".into()));
    }
    Ok(facts)
}

/// A file's description with a target, where a file of an earlier version has only a name: what that name means beside the
/// training responses.
fn with_target(mut meta: Value) -> Value {
    let Some(name) = meta.get("target").and_then(Value::as_str) else { return meta };
    let combinations = meta.get("combinations").and_then(Value::as_bool).unwrap_or_default();
    let drugs =
        meta.get("percentiles").and_then(Value::as_object).into_iter().flat_map(|drugs| drugs.values());
    let responses: Vec<f64> = drugs.filter_map(Value::as_array).flatten().filter_map(Value::as_f64).collect();
    let target = serde_json::to_value(target_named(name, &responses, combinations));
    if let (Ok(target), Some(facts)) = (target, meta.as_object_mut()) {
        facts.insert("target".into(), target);
    }
    meta
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
    use halfmax_core::{End, Target};
    use serde_json::json;

    use super::*;

    fn target(meta: Value) -> Target {
        serde_json::from_value(with_target(meta)["target"].clone()).unwrap()
    }

    #[test]
    fn a_name_of_an_earlier_version_becomes_a_target() {
        let ln_ic50 = target(json!({"target": "LN_IC50", "percentiles": {"a": [-3.0, 1.0, 4.0]}}));
        assert_eq!((ln_ic50.ic50_um(0.0), ln_ic50.sensitive), (Some(1.0), Some(End::Low)));
        let pic50 = target(json!({"target": "pIC50", "percentiles": {"a": [5.0, 6.0], "b": [7.5]}}));
        assert_eq!((pic50.ic50_um(6.0), pic50.sensitive), (Some(1.0), Some(End::High)));
        let synergy = target(json!({"target": "score", "combinations": true, "percentiles": {}}));
        assert_eq!(synergy.sensitive, Some(End::High));
        assert_eq!(target(json!({"target": "score", "percentiles": {}})).sensitive, None);
    }

    #[test]
    fn a_target_stays_as_it_is() {
        let stored = json!({"target": {"name": "x", "sensitive": "high"}});
        assert_eq!(with_target(stored.clone()), stored);
    }

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
