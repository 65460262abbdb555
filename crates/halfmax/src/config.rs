//! The configuration of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfmax_baselines::Naive;
use halfmax_core::{Error, Result, listed, nearest};
use halfmax_data::{DataConfig, TargetConfig, is_file_name};
use halfmax_eval::{ConformalParams, PilotParams, Split, TrialLog, TuneParams};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::associate::AssociateParams;
use crate::explain::params::{BUILTIN, ExplainParams};
use crate::families::{ModelSpec, Renamed, renamed_parameters};
use crate::suggest::unreadable;

/// The configuration of a run: data, target, split and models.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the run. Default: the name of the configuration file without its ending.
    #[serde(default)]
    pub name: String,
    /// Seed of all random draws, except the draw of folds. Default: 2026.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// The files of the data, or a dataset.
    pub data: DataConfig,
    /// The response to predict.
    #[serde(default)]
    pub target: TargetConfig,
    /// The split into training and test sets. An evaluation needs this section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Prediction intervals. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<ConformalParams>,
    /// The learning curve over pilot measurements. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilot: Option<PilotParams>,
    /// A search for the parameters of a model. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune: Option<TuneParams>,
    /// Explanations of predictions. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<ExplainParams>,
    /// Associations of features of cell lines with responses. Default: tested with the default parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associate: Option<AssociateParams>,
    /// The models. Each is a table with its `family`, an optional `name`, and the parameters of the family.
    #[serde(rename = "model", default)]
    #[schemars(with = "Vec<std::collections::BTreeMap<String, serde_json::Value>>")]
    pub models: Vec<toml::Table>,
    /// Notes on keys with old names. [`PreparedScreen::load`](crate::PreparedScreen::load) reports them.
    #[serde(skip)]
    #[schemars(skip)]
    pub notes: Vec<String>,
}

const fn default_seed() -> u64 {
    2026
}

impl Config {
    /// Reads a configuration, applies `key=value` overrides, and makes its paths absolute.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::config(format!("{place}: cannot be read"))
                .with_source(error)
                .with_help("give the path of a TOML file")
        })?;
        let mut config = Self::parse(&text, overrides).map_err(|error| error.with_context(&place))?;
        let base = std::path::absolute(path).map_err(|error| Error::failed(place).with_source(error))?;
        config.make_absolute(base.parent().unwrap_or(Path::new("/")));
        if config.name.is_empty() {
            config.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        // A run stores the paths of its files. The check comes before the computations.
        if base.to_str().is_none() {
            return Err(Error::config(format!(
                "{}: its path is not text in UTF-8, so a run could not store the places of its files",
                base.display()
            ))
            .with_help("rename the folder or the file"));
        }
        Ok(config)
    }

    /// Parses a configuration and checks its split and models.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self> {
        let mut table: toml::Table = toml::from_str(text).map_err(|error| unreadable(&error, Some(text)))?;
        for one in overrides {
            apply(&mut table, one)?;
        }
        if let Some(data) = table.get("data").and_then(toml::Value::as_table)
            && data.contains_key(REFERENCE_STUDY.old)
            && data.contains_key(REFERENCE_STUDY.new)
        {
            return Err(REFERENCE_STUDY.twice().with_context("[data]"));
        }
        let mut config: Self = if overrides.is_empty() {
            toml::from_str(text).map_err(|error| unreadable(&error, Some(text)))?
        } else {
            table.clone().try_into().map_err(|error| unreadable(&error, None))?
        };
        config.notes = old_names(&table, &config.models)?;
        if let Some(split) = &config.split {
            split.check()?;
        }
        let specs = config.specs(&Arc::default())?;
        if let Some(intervals) = &config.intervals {
            intervals.check()?;
            let names = || specs.iter().map(|spec| spec.name.as_str()).chain(Naive::ALL.map(Naive::name));
            if let Some(wrong) = intervals.models.iter().find(|wrong| names().all(|name| name != *wrong)) {
                let help = nearest(wrong, names()).map(|near| format!("did you mean {near:?}?"));
                return Err(Error::config(format!(
                    "intervals.models names {wrong:?}, which is not a model of the configuration"
                ))
                .with_help(help.unwrap_or_else(|| "give the name of a [[model]]".into())));
            }
        }
        if let Some(explain) = &config.explain {
            explain.check().map_err(|error| error.with_context("[explain]"))?;
            if let Some(wrong) =
                explain.models.iter().find(|wrong| specs.iter().all(|spec| spec.name != **wrong))
            {
                let known = specs.iter().map(|spec| spec.name.as_str());
                let help = nearest(wrong, known).map(|near| format!("did you mean {near:?}?"));
                return Err(Error::config(format!(
                    "explain.models names {wrong:?}, which is not a model of the configuration"
                ))
                .with_help(help.unwrap_or_else(|| "give the name of a [[model]]".into())));
            }
        }
        if let Some(associate) = &config.associate {
            associate.check().map_err(|error| error.with_context("[associate]"))?;
        }
        config.pilot.as_ref().map_or(Ok(()), PilotParams::check)?;
        if let Some(threshold) = config.target.positive_above.filter(|threshold| !threshold.is_finite()) {
            return Err(Error::parameter("target.positive_above", threshold, "a finite number"));
        }
        Ok(config)
    }

    /// The models with checked parameters. A search reads its trials from `log` and adds new trials.
    pub fn specs(&self, log: &Arc<TrialLog>) -> Result<Vec<ModelSpec>> {
        ModelSpec::parse_all(&self.models, self.tune.as_ref(), log)
    }

    /// Puts the model with this name first, so that it is trained.
    ///
    /// # Errors
    /// If no model has that name.
    pub fn put_first(&mut self, name: &str) -> Result<()> {
        let specs = self.specs(&Arc::default())?;
        let Some(at) = specs.iter().position(|spec| spec.name == name) else {
            let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("expected one of {}", listed(&names, 20)),
            };
            return Err(Error::config(format!("no [[model]] is called {name:?}")).with_help(help));
        };
        self.models[..=at].rotate_right(1);
        Ok(())
    }

    /// The split. An evaluation needs it.
    pub fn split(&self) -> Result<&Split> {
        self.split.as_ref().ok_or_else(|| {
            Error::config("the section [split] is missing: expected the kind of split")
                .with_help("add, for unseen cell lines:\n    [split]\n    kind = \"lco\"")
        })
    }

    fn make_absolute(&mut self, base: &Path) {
        for path in self.paths() {
            *path = base.join(&*path);
        }
    }

    /// The configuration with file names instead of paths, for readers with other folders.
    pub fn without_folders(mut self) -> Self {
        for path in self.paths() {
            if let Some(name) = path.file_name() {
                *path = name.into();
            }
        }
        self
    }

    /// Every path in the configuration.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let data = &mut self.data;
        let mut paths: Vec<&mut PathBuf> =
            data.drugs.iter_mut().chain(&mut data.annotation).map(|file| &mut file.file).collect();
        let dataset = data.dataset.is_some();
        let tables = data.response.iter_mut().chain(&mut data.reference_study).chain(&mut data.single_agent);
        paths.extend(tables.map(|file| &mut file.file).filter(|path| !dataset || is_file_name(path)));
        paths.extend(data.cells.iter_mut().filter_map(|cells| cells.file.as_mut()));
        if let Some(split) = &mut self.split {
            paths.extend(split.file.iter_mut().chain(split.rows.iter_mut().flatten()));
        }
        if let Some(explain) = &mut self.explain {
            let own = explain.mechanisms.iter_mut().filter(|path| **path != Path::new(BUILTIN));
            paths.extend(own.chain(&mut explain.gene_sets));
        }
        paths
    }
}

/// The renamed key of `[data]`.
const REFERENCE_STUDY: Renamed = Renamed { old: "replicate", new: "reference_study" };

/// Notes on keys with old names.
fn old_names(table: &toml::Table, models: &[toml::Table]) -> Result<Vec<String>> {
    let data = table.get("data").and_then(toml::Value::as_table);
    let old = data.is_some_and(|data| data.contains_key(REFERENCE_STUDY.old));
    let note = REFERENCE_STUDY.note("[data]");
    Ok(old.then_some(note).into_iter().chain(renamed_parameters(models)?).collect())
}

/// Sets `a.b.c = value`. A number selects an entry of an array: `model.0.rounds=500`.
fn apply(table: &mut toml::Table, one: &str) -> Result<()> {
    let refuse = |why: &str| {
        Error::config(format!("override {one:?} (`--config-override`): {why}"))
            .with_help("write a path and a TOML value: model.0.rounds=500")
    };
    let (key, value) = one.split_once('=').ok_or_else(|| refuse("has no ="))?;
    let value = value.trim();
    // Text that is not a TOML value becomes a string, so split.kind=lco needs no quotes.
    let parsed: toml::Value = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| value.into());
    let steps: Vec<&str> = key.trim().split('.').collect();
    let Some((last, path)) = steps.split_last() else { return Err(refuse("has no key")) };
    let mut at = None::<&mut toml::Value>;
    for step in path {
        let next = match (at, step.parse::<usize>()) {
            (None, _) => table.entry(*step).or_insert_with(|| toml::Table::new().into()),
            (Some(toml::Value::Array(items)), Ok(index)) => {
                items.get_mut(index).ok_or_else(|| refuse("has an index past the end of its list"))?
            }
            (Some(toml::Value::Table(inner)), _) => {
                inner.entry(*step).or_insert_with(|| toml::Table::new().into())
            }
            _ => return Err(refuse("looks for a key in a value that is not a table")),
        };
        at = Some(next);
    }
    let into = match at {
        None => table,
        Some(toml::Value::Table(inner)) => inner,
        Some(_) => return Err(refuse("sets a key of a value that is not a table")),
    };
    into.insert((*last).to_owned(), parsed);
    Ok(())
}
