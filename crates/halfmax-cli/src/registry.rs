//! The model families, by name.

use halfmax_baselines::{FittedNaive, Naive};
use halfmax_boost::{BoostParams, FittedBoost};
use halfmax_core::{AnyModel, Error, FittedModel, Parts, Result, listed};
use halfmax_kernel::{FittedKernel, KernelParams};

use crate::config::{nearest, unreadable};

/// A model of a configuration: its name, its family, and the model with checked parameters.
pub struct ModelSpec {
    /// What it is called in results.
    pub name: String,
    /// Its family.
    pub family: String,
    /// The model.
    pub model: Box<dyn AnyModel>,
}

impl ModelSpec {
    /// From the `number`th `[[model]]` of a configuration.
    pub fn parse(number: usize, table: &toml::Table) -> Result<Self> {
        let mut table = table.clone();
        let mut text = |key: &str| match table.remove(key) {
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
        let model: Box<dyn AnyModel> = match (family.as_str(), Naive::from_name(&family)) {
            (_, Some(naive)) => {
                if let Some(key) = table.keys().next() {
                    return Err(Error::config(format!(
                        "unknown field `{key}`: this family has no parameters"
                    ))
                    .at(place));
                }
                Box::new(naive)
            }
            ("boost", _) => {
                let params: BoostParams =
                    table.try_into().map_err(|error| unreadable(&error, None).at(&place))?;
                Box::new(params.check().map_err(|error| error.at(&place))?)
            }
            ("kernel", _) => {
                let params: KernelParams =
                    table.try_into().map_err(|error| unreadable(&error, None).at(&place))?;
                Box::new(params.check().map_err(|error| error.at(&place))?)
            }
            _ => {
                let known = families();
                let help = match nearest(&family, known.iter().copied()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("expected one of {}", listed(&known, 20)),
                };
                return Err(
                    Error::config(format!("[[model]] {number}: family {family:?} is not known")).help(help)
                );
            }
        };
        Ok(Self { name: name.unwrap_or_else(|| family.clone()), family, model })
    }

    /// A naive predictor.
    pub fn naive(naive: Naive) -> Self {
        Self { name: naive.name().into(), family: naive.name().into(), model: Box::new(naive) }
    }
}

/// The names of all families.
pub fn families() -> Vec<&'static str> {
    ["boost", "kernel"].into_iter().chain(Naive::ALL.into_iter().map(Naive::name)).collect()
}

/// A fitted model of a file.
pub enum Fitted {
    /// Boosted trees.
    Boost(Box<FittedBoost>),
    /// A Kronecker kernel model.
    Kernel(Box<FittedKernel>),
    /// A naive predictor.
    Naive(FittedNaive),
}

impl Fitted {
    /// From its family and parts.
    pub fn from_parts(family: &str, parts: &Parts) -> Result<Self> {
        match family {
            "boost" => Ok(Self::Boost(Box::new(FittedBoost::from_parts(parts)?))),
            "kernel" => Ok(Self::Kernel(Box::new(FittedKernel::from_parts(parts)?))),
            _ if Naive::from_name(family).is_some() => Ok(Self::Naive(FittedNaive::from_parts(parts)?)),
            _ => Err(Error::data(format!(
                "the model is of family {family:?}, which this version does not know"
            ))
            .help("use a newer halfmax")),
        }
    }

    /// The model, whatever its family.
    pub fn model(&self) -> &dyn FittedModel {
        match self {
            Self::Boost(model) => &**model,
            Self::Kernel(model) => &**model,
            Self::Naive(model) => model,
        }
    }
}
