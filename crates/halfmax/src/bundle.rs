//! A trained model with the data that its use needs, and the `.halfmax` file that holds both.

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

/// The facts about a model in its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelFacts {
    /// The target. Files of earlier versions hold only a name, which [`TrainedModel::read`] turns into a target.
    pub target: Target,
    /// Whether the model predicts combinations of two drugs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub combinations: bool,
    /// The parameters of the features of drugs.
    pub drug_features: DrugFeatures,
    /// For each drug, the 0th, 1st … 100th percentile of its training responses. In a model of combinations, these are the responses to all
    /// combinations with the drug.
    pub percentiles: BTreeMap<String, Vec<f32>>,
    /// The same percentiles of all training responses, for a model of combinations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_percentiles: Vec<f32>,
    /// The single-agent responses used in training, for a model of combinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_agents: Option<SingleAgentMeasures>,
    /// The ranges of the features of cell lines in training; empty in a file of a version that did not store them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<FeatureScale>,
    /// SHA-256 of every training file, by its name without its folder. Files with the same name share an entry, separated by blanks.
    pub training_files: BTreeMap<String, String>,
    /// The widths of prediction intervals, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Calibration>,
    /// The description of the training entities, which decides whether other entities are in the domain. Its arrays are among the arrays of
    /// the model, under "applicability/".
    #[serde(default)]
    pub applicability: serde_json::Value,
}

/// The prefix of a model file's arrays of training entities.
const APPLICABILITY: &str = "applicability/";

/// A trained model, with the data that its use needs.
#[derive(Clone)]
pub struct TrainedModel {
    /// The model.
    pub fitted: Arc<dyn FittedModel>,
    /// The further facts of its file.
    pub facts: ModelFacts,
    /// The distances to the training entities; `None` in a file of a version that did not store them.
    pub applicability: Option<Arc<Applicability>>,
}

impl TrainedModel {
    /// Bundles a model that was fitted to a view of a screen.
    ///
    /// # Errors
    /// If the view has no entities for the comparison with others.
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

    /// Writes the model file.
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

    /// Reads a model file.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds a family that this build lacks.
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

/// Reads the facts about a model from the description of its file.
///
/// # Errors
/// If a key is missing or unknown, or a number is impossible.
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

/// The description of a file with a target. If a file of an earlier version holds only a name, the name and the training responses
/// determine the target.
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

/// The last part of a path: a model file names its training files without their folders.
fn file_name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}

/// 101 quantiles of at least one value.
fn quantiles(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    (0..=100usize).map(|p| values[(values.len() - 1) * p / 100]).collect()
}

/// For each drug, 101 quantiles of its responses.
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

/// The SHA-256 of each file, by its name without its folder. Files with the same name share an entry, separated by blanks.
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
