//! A trained model, read from its file.

use std::path::Path;

use halfmax_core::{Error, FittedModel, Parts, Result, unknown_key};
use halfmax_data::{read_model, target_named};
use halfmax_kernel::Applicability;
use serde::Deserialize;
use serde_json::Value;

use crate::commands::train::{APPLICABILITY, ModelFacts};
use crate::registry;
use crate::terminal::Terminal;

/// A model file, taken apart.
pub struct Trained {
    /// The model.
    pub fitted: Box<dyn FittedModel>,
    /// What the file says of it.
    pub facts: ModelFacts,
    /// By what entities are told to be in the domain; none in a file of a version that did not have it.
    pub applicability: Option<Applicability>,
}

impl Trained {
    /// Reads a model file.
    pub fn read(path: &Path, terminal: Terminal) -> Result<Self> {
        let (header, mut parts) = read_model(path)?;
        let place = path.display();
        if header.format_version == 1 {
            terminal.note(&format!(
                "{place}: a model of format 1, written by an earlier version: only its arrays are under a digest, a change of its parameters would not be seen"
            ));
        }
        let facts = facts_of(header.meta).map_err(|error| error.at(&place))?;
        if let Some(intervals) = &facts.intervals {
            intervals.check().map_err(|error| error.at(&place))?;
        }
        let mut domain = Parts { description: facts.applicability.clone(), ..Parts::default() };
        let names: Vec<String> = parts.tensors.keys().cloned().collect();
        for name in names {
            if !domain.description.is_null()
                && let Some(own) = name.strip_prefix(APPLICABILITY)
                && let Some(tensor) = parts.tensors.remove(&name)
            {
                domain.tensors.insert(own.to_owned(), tensor);
            }
        }
        let fitted = registry::fitted(&header.family, &parts).map_err(|error| error.at(&place))?;
        let applicability = match domain.description.is_null() {
            true => None,
            false => Some(Applicability::from_parts(&domain).map_err(|error| error.at(&place))?),
        };
        Ok(Self { fitted, facts, applicability })
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
        |what: String| Error::data(format!("its description is not understood: {what}")).help(help);
    let facts: ModelFacts =
        ModelFacts::deserialize(&meta).map_err(|error| not_understood(error.to_string()).because(error))?;
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
}
