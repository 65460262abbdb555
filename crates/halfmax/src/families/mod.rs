//! The model families, by name. Each family is a file here and a line in [`FAMILIES`].

mod boost;
mod classical;
mod completion;
mod kernel;
mod naive;
mod neural;
mod renamed;
mod stack;

use std::collections::BTreeMap;
use std::sync::Arc;

use halfmax_baselines::{Classical, Naive};
use halfmax_core::{AnyModel, Error, FittedModel, Result, StoredModel, listed, nearest};
use halfmax_eval::{StackParams, TrialLog, TuneParams, Tuned};
use schemars::Schema;
use serde::de::DeserializeOwned;

pub use self::renamed::Renamed;
use self::renamed::{rename_keys, with_present_names};
use crate::suggest::unreadable;

/// All model families. Configurations, model files, the conformance tests and the reference use this list.
pub static FAMILIES: &[&dyn Family] = &[
    &boost::Boost,
    &completion::Completion,
    &kernel::Kernel,
    &neural::Neural,
    &stack::Blend,
    &classical::OfDrugs(Classical::ElasticNet),
    &classical::OfDrugs(Classical::Pls),
    &classical::OfDrugs(Classical::Knn),
    &classical::OfDrugs(Classical::RandomForest),
    &classical::OfDrugs(Classical::ExtraTrees),
    &naive::Means(Naive::GlobalMean),
    &naive::Means(Naive::DrugMean),
    &naive::Means(Naive::CellMean),
    &naive::Means(Naive::Effects),
    &naive::Means(Naive::TissueDrugMean),
    &naive::Means(Naive::CombinationMean),
];

/// A model family: configures, builds and reads its models.
pub trait Family: Sync {
    /// The name in configurations and model files: "boost".
    fn name(&self) -> &'static str;

    /// A short description.
    fn summary(&self) -> &'static str;

    /// The input of its models.
    fn kind(&self) -> FamilyKind;

    /// A model with the parameters of a table. Missing parameters have their defaults.
    ///
    /// # Errors
    /// If a key is unknown or a value cannot work, or the family blends others.
    fn model(&self, params: &toml::Table) -> Result<Arc<dyn AnyModel>>;

    /// A model that blends the models named in its parameters. Only for [`FamilyKind::Blend`].
    ///
    /// # Errors
    /// If a key is unknown, a value cannot work, or the family does not blend others.
    fn blend(
        &self,
        _params: &toml::Table,
        _others: &dyn Fn(&StackParams) -> Result<Vec<NamedMember>>,
    ) -> Result<Arc<dyn AnyModel>> {
        Err(Error::config(format!("family {:?} does not blend other models", self.name())))
    }

    /// The JSON schema of the parameters; `None` for a family without parameters.
    fn schema(&self) -> Option<Schema>;

    /// Parameters with other names in earlier versions.
    fn renamed(&self) -> &'static [Renamed] {
        &[]
    }

    /// The place of the parameters in the description of a stored model, as a JSON pointer.
    fn stored_params(&self) -> &'static str {
        "/params"
    }

    /// A fitted model from the description and the arrays of its file.
    ///
    /// # Errors
    /// If a part is missing or damaged.
    fn load(&self, stored: &StoredModel) -> Result<Box<dyn FittedModel>>;

    /// Settings that fit small screens quickly, for the conformance tests.
    fn trials(&self) -> Vec<Trial>;
}

/// A model for a blend, with its name.
pub type NamedMember = (String, Arc<dyn AnyModel>);

/// The input of the models of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyKind {
    /// From features.
    Learnt,
    /// From responses alone.
    WithoutFeatures,
    /// From other models.
    Blend,
    /// None: naive means, the yardstick for other models.
    Naive,
}

/// Settings of a small fit.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The name of the settings; empty for the first settings of a family.
    pub name: &'static str,
    /// The parameters for a screen of single drugs, as TOML; `None` if the family rejects screens of single drugs.
    pub single_drugs: Option<&'static str>,
    /// The parameters for a screen of combinations.
    pub combinations: Option<&'static str>,
}

impl Trial {
    const fn of_both(name: &'static str, params: &'static str) -> Self {
        Self { name, single_drugs: Some(params), combinations: Some(params) }
    }

    const fn of_single_drugs(name: &'static str, params: &'static str) -> Self {
        Self { name, single_drugs: Some(params), combinations: None }
    }
}

/// A model of a configuration: its name, its family, and the model with checked parameters.
#[derive(Clone)]
pub struct ModelSpec {
    /// The name in results.
    pub name: String,
    /// The family.
    pub family: String,
    /// The model.
    pub model: Arc<dyn AnyModel>,
}

/// One `[[model]]` of a configuration: its name, its family, and its unread parameters.
#[derive(Clone)]
struct Section {
    place: String,
    name: String,
    family: &'static dyn Family,
    params: toml::Table,
}

impl ModelSpec {
    /// The `[[model]]`s of a configuration, in their order. A stack may name any other model. A search for parameters reads its trials from
    /// `log` and adds new trials.
    pub fn parse_all(
        tables: &[toml::Table],
        tune: Option<&TuneParams>,
        log: &Arc<TrialLog>,
    ) -> Result<Vec<Self>> {
        let sections: Vec<Section> = tables
            .iter()
            .enumerate()
            .map(|(at, table)| Section::read(at + 1, table))
            .collect::<Result<_>>()?;
        for (at, section) in sections.iter().enumerate() {
            if sections[..at].iter().any(|other| other.name == section.name) {
                return Err(Error::config(format!("two models are called {:?}", section.name))
                    .with_help("give one of them another name: name = \"...\""));
            }
        }
        let single = |section: &Section| match section.family.kind() {
            FamilyKind::Blend => Ok(None),
            _ => section.model().map(Some),
        };
        let mut singles: Vec<Option<Arc<dyn AnyModel>>> =
            sections.iter().map(single).collect::<Result<_>>()?;
        if let Some(tune) = tune {
            let at = searched(&sections, tune)?;
            singles[at] = Some(Arc::new(sections[at].tuned(tune, log)?));
        }
        let members: Vec<(&Section, &Arc<dyn AnyModel>)> = sections
            .iter()
            .zip(&singles)
            .filter_map(|(section, model)| Some((section, model.as_ref()?)))
            .collect();
        let spec = |(section, model): (&Section, &Option<Arc<dyn AnyModel>>)| {
            let model = match model {
                Some(model) => model.clone(),
                None => section.blend(&members)?,
            };
            Ok(Self { name: section.name.clone(), family: section.family.name().to_owned(), model })
        };
        sections.iter().zip(&singles).map(spec).collect()
    }

    /// A naive predictor.
    pub fn naive(naive: Naive) -> Self {
        Self { name: naive.name().into(), family: naive.name().into(), model: Arc::new(naive) }
    }
}

/// Notes on parameters with old names in the `[[model]]`s of a configuration.
pub(crate) fn renamed_parameters(tables: &[toml::Table]) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for (number, table) in (1..).zip(tables) {
        let Some(family) = table.get("family").and_then(toml::Value::as_str).and_then(family_named) else {
            continue;
        };
        let found = rename_keys(family, &mut table.clone())?;
        notes.extend(found.iter().map(|renamed| renamed.note(&format!("[[model]] {number}"))));
    }
    Ok(notes)
}

/// The model whose parameters are searched.
fn searched(sections: &[Section], tune: &TuneParams) -> Result<usize> {
    let can = |section: &&Section| {
        matches!(section.family.kind(), FamilyKind::Learnt | FamilyKind::WithoutFeatures)
    };
    let names: Vec<&str> = sections.iter().filter(can).map(|section| section.name.as_str()).collect();
    let name = match (&tune.model, names.as_slice()) {
        (Some(name), _) => name.as_str(),
        (None, [only]) => only,
        (None, _) => {
            return Err(Error::config(format!(
                "tune.model is missing, and there are {} models",
                names.len()
            ))
            .with_help(format!("name the model to search: {}", listed(&names, 20))));
        }
    };
    let found = sections.iter().position(|section| section.name == name && can(&section));
    found.ok_or_else(|| {
        let help = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("expected one of {}", listed(&names, 20)),
        };
        Error::config(format!("tune.model names {name:?}, which has no parameters to search")).with_help(help)
    })
}

impl Section {
    /// The model with a search for some of its parameters.
    fn tuned(&self, tune: &TuneParams, log: &Arc<TrialLog>) -> Result<Tuned> {
        let section = self.clone();
        let mut tune = tune.clone();
        for renamed in self.family.renamed() {
            if let Some(range) = tune.space.remove(renamed.old)
                && tune.space.insert(renamed.new.to_owned(), range).is_some()
            {
                return Err(renamed.twice().with_context("[tune.space]"));
            }
        }
        let build = move |changed: &BTreeMap<String, serde_json::Value>| {
            let mut own = section.clone();
            for (name, value) in changed {
                let value = toml::Value::try_from(value).map_err(|error| {
                    Error::config(format!("{name} = {value}: is not a TOML value")).with_source(error)
                })?;
                own.params.insert(name.clone(), value);
            }
            own.model()
        };
        Tuned::new(&self.name, tune, Arc::new(build), log.clone())
    }

    fn read(number: usize, table: &toml::Table) -> Result<Self> {
        let mut params = table.clone();
        let mut text = |key: &str| match params.remove(key) {
            None => Ok(None),
            Some(toml::Value::String(value)) => Ok(Some(value)),
            Some(other) => {
                Err(Error::parameter(key, other, "a text").with_context(format!("[[model]] {number}")))
            }
        };
        let name = text("name")?;
        let Some(family) = text("family")? else {
            return Err(Error::config(format!("[[model]] {number} has no family"))
                .with_help(format!("expected one of {}", listed(&families(), 20))));
        };
        let place = format!("[[model]] {number}, family {family:?}");
        let Some(own) = family_named(&family) else {
            let known = families();
            let help = match nearest(&family, known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("expected one of {}", listed(&known, 20)),
            };
            return Err(
                Error::config(format!("[[model]] {number}: family {family:?} is not known")).with_help(help)
            );
        };
        rename_keys(own, &mut params).map_err(|error| error.with_context(&place))?;
        Ok(Self { place, name: name.unwrap_or(family), family: own, params })
    }

    /// The model, unless it blends others.
    fn model(&self) -> Result<Arc<dyn AnyModel>> {
        self.family.model(&self.params).map_err(|error| error.with_context(&self.place))
    }

    /// The model that blends others.
    fn blend(&self, others: &[(&Self, &Arc<dyn AnyModel>)]) -> Result<Arc<dyn AnyModel>> {
        let members = |params: &StackParams| {
            let named = |(section, model): (&Self, &Arc<dyn AnyModel>)| (section.name.clone(), model.clone());
            let mut members = Vec::new();
            for name in &params.members {
                let Some(found) = others.iter().find(|(section, _)| section.name == *name) else {
                    let names: Vec<&str> = others.iter().map(|(section, _)| section.name.as_str()).collect();
                    let help = match nearest(name, names.iter().copied()) {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("expected some of {}", listed(&names, 20)),
                    };
                    return Err(Error::config(format!(
                        "members names {name:?}, which is not a single model of the configuration"
                    ))
                    .with_help(help));
                };
                members.push(named(*found));
            }
            if params.members.is_empty() {
                let learnt = |(section, _): &&(&Self, _)| section.family.kind() != FamilyKind::Naive;
                members.extend(others.iter().filter(learnt).map(|other| named(*other)));
            }
            Ok(members)
        };
        self.family.blend(&self.params, &members).map_err(|error| error.with_context(&self.place))
    }
}

/// The parameters of a family from their table.
fn params<P: DeserializeOwned>(table: &toml::Table) -> Result<P> {
    table.clone().try_into().map_err(|error| unreadable(&error, None))
}

/// The family of a name.
pub fn family_named(name: &str) -> Option<&'static dyn Family> {
    FAMILIES.iter().copied().find(|family| family.name() == name)
}

/// The names of all families.
pub fn families() -> Vec<&'static str> {
    FAMILIES.iter().map(|family| family.name()).collect()
}

/// A fitted model from its family and its stored form.
///
/// # Errors
/// If the family is unknown, or the stored form is malformed.
pub fn fitted(family: &str, stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
    let Some(family) = family_named(family) else {
        return Err(Error::data(format!(
            "the model is of family {family:?}, which this version does not know"
        ))
        .with_help("use a newer halfmax"));
    };
    family.load(&with_present_names(family, stored))
}
