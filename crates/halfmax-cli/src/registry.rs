//! The model families, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfmax_baselines::{
    Classical, ElasticNetParams, FittedClassical, FittedNaive, ForestKind, ForestParams, KnnParams, Naive,
    PlsParams,
};
use halfmax_boost::{BoostParams, FittedBoost};
use halfmax_core::{AnyModel, Error, FittedModel, Parts, Result, listed};
use halfmax_eval::{FittedStack, StackParams, TrialLog, TuneParams, Tuned};
use halfmax_kernel::{AnyKernel, CompletionParams, FittedCompletion, KernelParams, kernel_from_parts};
use serde::de::DeserializeOwned;

use crate::config::{nearest, unreadable};

/// A model of a configuration: its name, its family, and the model with checked parameters.
#[derive(Clone)]
pub struct ModelSpec {
    /// What it is called in results.
    pub name: String,
    /// Its family.
    pub family: String,
    /// The model.
    pub model: Arc<dyn AnyModel>,
}

/// One `[[model]]` of a configuration: its name, its family, and its parameters yet to be read.
#[derive(Clone)]
struct Section {
    place: String,
    name: String,
    family: String,
    params: toml::Table,
}

impl ModelSpec {
    /// The `[[model]]`s of a configuration, in their order. A stack may name any of the others.
    /// A model whose parameters are searched looks its trials up in `log` and adds to it.
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
                    .help("give one of them another name: name = \"...\""));
            }
        }
        let single = |section: &Section| match section.family.as_str() {
            "stack" => Ok(None),
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
                None => section.stack(&members)?,
            };
            Ok(Self { name: section.name.clone(), family: section.family.clone(), model })
        };
        sections.iter().zip(&singles).map(spec).collect()
    }

    /// A naive predictor.
    pub fn naive(naive: Naive) -> Self {
        Self { name: naive.name().into(), family: naive.name().into(), model: Arc::new(naive) }
    }
}

/// Which model a search is for.
fn searched(sections: &[Section], tune: &TuneParams) -> Result<usize> {
    let can = |section: &&Section| section.family != "stack" && Naive::from_name(&section.family).is_none();
    let names: Vec<&str> = sections.iter().filter(can).map(|section| section.name.as_str()).collect();
    let name = match (&tune.model, names.as_slice()) {
        (Some(name), _) => name.as_str(),
        (None, [only]) => only,
        (None, _) => {
            return Err(Error::config(format!(
                "tune.model is missing, and there are {} models",
                names.len()
            ))
            .help(format!("name the one whose parameters to search: {}", listed(&names, 20))));
        }
    };
    let found = sections.iter().position(|section| section.name == name && can(&section));
    found.ok_or_else(|| {
        let help = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("expected one of {}", listed(&names, 20)),
        };
        Error::config(format!("tune.model names {name:?}, which has no parameters to search")).help(help)
    })
}

impl Section {
    /// The model with a search for some of its parameters.
    fn tuned(&self, tune: &TuneParams, log: &Arc<TrialLog>) -> Result<Tuned> {
        let section = self.clone();
        let build = move |changed: &BTreeMap<String, serde_json::Value>| {
            let mut own = section.clone();
            for (name, value) in changed {
                let value = toml::Value::try_from(value).map_err(|error| {
                    Error::config(format!("{name} = {value}: is no value of a configuration")).because(error)
                })?;
                own.params.insert(name.clone(), value);
            }
            own.model()
        };
        Tuned::new(&self.name, tune.clone(), Arc::new(build), log.clone())
    }

    fn read(number: usize, table: &toml::Table) -> Result<Self> {
        let mut params = table.clone();
        let mut text = |key: &str| match params.remove(key) {
            None => Ok(None),
            Some(toml::Value::String(value)) => Ok(Some(value)),
            Some(other) => Err(Error::parameter(key, other, "a text").at(format!("[[model]] {number}"))),
        };
        let name = text("name")?;
        let Some(family) = text("family")? else {
            return Err(Error::config(format!("[[model]] {number} has no family"))
                .help(format!("expected one of {}", listed(&families(), 20))));
        };
        let place = format!("[[model]] {number}, family {family:?}");
        if !families().contains(&family.as_str()) {
            let known = families();
            let help = match nearest(&family, known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("expected one of {}", listed(&known, 20)),
            };
            return Err(
                Error::config(format!("[[model]] {number}: family {family:?} is not known")).help(help)
            );
        }
        Ok(Self { place, name: name.unwrap_or_else(|| family.clone()), family, params })
    }

    /// The model, unless it is made of others.
    fn model(&self) -> Result<Arc<dyn AnyModel>> {
        if let Some(naive) = Naive::from_name(&self.family) {
            return match self.params.keys().next() {
                None => Ok(Arc::new(naive)),
                Some(key) => {
                    Err(Error::config(format!("unknown field `{key}`: this family has no parameters"))
                        .at(&self.place))
                }
            };
        }
        if let Some(classical) = Classical::from_name(&self.family) {
            return self.classical(classical).map_err(|error| error.at(&self.place));
        }
        let model: Result<Arc<dyn AnyModel>> = match self.family.as_str() {
            "completion" => self.params::<CompletionParams>()?.check().map(|model| Arc::new(model) as _),
            "kernel" => self.params::<KernelParams>()?.check().map(|model| Arc::new(AnyKernel(model)) as _),
            "neural" => self.neural(),
            _ => self.params::<BoostParams>()?.check().map(|model| Arc::new(model) as _),
        };
        model.map_err(|error| error.at(&self.place))
    }

    #[cfg(feature = "neural")]
    fn neural(&self) -> Result<Arc<dyn AnyModel>> {
        Ok(Arc::new(self.params::<halfmax_neural::NeuralParams>()?.check()?))
    }

    #[cfg(not(feature = "neural"))]
    fn neural(&self) -> Result<Arc<dyn AnyModel>> {
        Err(no_neural())
    }

    fn classical(&self, family: Classical) -> Result<Arc<dyn AnyModel>> {
        Ok(match family {
            Classical::ElasticNet => Arc::new(self.params::<ElasticNetParams>()?.check()?),
            Classical::Pls => Arc::new(self.params::<PlsParams>()?.check()?),
            Classical::Knn => Arc::new(self.params::<KnnParams>()?.check()?),
            Classical::RandomForest => Arc::new(self.params::<ForestParams>()?.check(ForestKind::Random)?),
            Classical::ExtraTrees => Arc::new(self.params::<ForestParams>()?.check(ForestKind::Extra)?),
        })
    }

    fn stack(&self, others: &[(&Self, &Arc<dyn AnyModel>)]) -> Result<Arc<dyn AnyModel>> {
        let params: StackParams = self.params()?;
        let named = |(section, model): (&Self, &Arc<dyn AnyModel>)| (section.name.clone(), model.clone());
        let mut members = Vec::new();
        for name in &params.members {
            let Some(found) = others.iter().find(|(section, _)| section.name == *name) else {
                let names: Vec<&str> = others.iter().map(|(section, _)| section.name.as_str()).collect();
                let help = match nearest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("expected some of {}", listed(&names, 20)),
                };
                return Err(Error::config(format!("members names {name:?}, which is no single model"))
                    .help(help)
                    .at(&self.place));
            };
            members.push(named(*found));
        }
        if params.members.is_empty() {
            let learnt = |(section, _): &&(&Self, _)| Naive::from_name(&section.family).is_none();
            members.extend(others.iter().filter(learnt).map(|other| named(*other)));
        }
        let stack = params.of(members).map_err(|error| error.at(&self.place))?;
        Ok(Arc::new(stack))
    }

    fn params<P: DeserializeOwned>(&self) -> Result<P> {
        self.params.clone().try_into().map_err(|error| unreadable(&error, None).at(&self.place))
    }
}

/// What a build without neural models says of one.
#[cfg(not(feature = "neural"))]
fn no_neural() -> Error {
    Error::config("family \"neural\": this build has no neural models")
        .help("build with them: cargo build --release --features neural")
}

/// The names of all families.
pub fn families() -> Vec<&'static str> {
    let classical = Classical::ALL.into_iter().map(Classical::name);
    let naive = Naive::ALL.into_iter().map(Naive::name);
    ["boost", "completion", "kernel", "neural", "stack"].into_iter().chain(classical).chain(naive).collect()
}

/// A fitted model from its family and parts.
pub fn fitted(family: &str, parts: &Parts) -> Result<Box<dyn FittedModel>> {
    match family {
        "boost" => Ok(Box::new(FittedBoost::from_parts(parts)?)),
        "completion" => Ok(Box::new(FittedCompletion::from_parts(parts)?)),
        "kernel" => kernel_from_parts(parts),
        "stack" => Ok(Box::new(FittedStack::from_parts(parts, fitted)?)),
        #[cfg(feature = "neural")]
        "neural" => Ok(Box::new(halfmax_neural::FittedNeural::from_parts(parts)?)),
        #[cfg(not(feature = "neural"))]
        "neural" => Err(no_neural()),
        _ if Classical::from_name(family).is_some() => Ok(Box::new(FittedClassical::from_parts(parts)?)),
        _ if Naive::from_name(family).is_some() => Ok(Box::new(FittedNaive::from_parts(parts)?)),
        _ => Err(Error::data(format!("the model is of family {family:?}, which this version does not know"))
            .help("use a newer halfmax")),
    }
}
