//! A trained model, read from its file.

use std::path::Path;

use halfmax_core::{Error, FittedModel, Parts, Result};
use halfmax_data::read_model;
use halfmax_kernel::Applicability;

use crate::commands::train::{APPLICABILITY, ModelFacts};
use crate::registry;

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
    pub fn read(path: &Path) -> Result<Self> {
        let (header, mut parts) = read_model(path)?;
        let place = path.display();
        let facts: ModelFacts = serde_json::from_value(header.meta).map_err(|error| {
            Error::data(format!("{place}: its description is not understood")).because(error)
        })?;
        if let Some(intervals) = &facts.intervals {
            intervals.check().map_err(|error| error.at(&place))?;
        }
        let mut domain = Parts { description: facts.applicability.clone(), ..Parts::default() };
        let names: Vec<String> = parts.tensors.keys().cloned().collect();
        for name in names {
            if let Some(own) = name.strip_prefix(APPLICABILITY)
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
