//! How well a second measurement of the same pairs predicts the first: an upper limit for models.

use std::collections::HashMap;
use std::fmt;

use halfmax_core::{Error, Result, Screen};
use serde::Serialize;

use crate::{DrugMetrics, ModelEvaluation, ReferenceResponse, Scored};

/// How well a reference study predicts the responses of a screen, over the pairs that both measured. Serialises as the
/// `ceiling` of `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// Number of pairs that both measured.
    pub pairs: usize,
    /// Mean of the Pearson correlations of drugs with at least [`Scored::LEAST_CELLS`] common cell lines.
    pub per_drug_pearson: Option<f64>,
    /// Number of these drugs.
    pub drugs_counted: usize,
    /// Root mean squared difference over all common pairs.
    pub rmse: Option<f64>,
    /// Each drug separately, with each model's result on all test responses of the drug.
    pub drugs: Vec<DrugCeiling>,
    /// For each model, its mean per-drug Pearson over the drugs that are counted here.
    pub models: Vec<ModelOnCeiling>,
}

/// One drug of a [`Ceiling`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DrugCeiling {
    /// The result of the reference study.
    #[serde(flatten)]
    pub reference: DrugMetrics,
    /// The Pearson correlation of every model, by name; `null` if undefined.
    pub models: Vec<(String, Option<f64>)>,
}

/// A model on the drugs of a [`Ceiling`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelOnCeiling {
    /// The model's name.
    pub name: String,
    /// The mean of its drugs' Pearson correlations. A constant prediction counts as 0.
    pub per_drug_pearson: Option<f64>,
}

impl Ceiling {
    /// Compares a reference study with a screen of single drugs, and the models with both.
    ///
    /// # Errors
    /// If the studies have no pair in common.
    pub fn new(screen: &Screen, reference: &[ReferenceResponse], models: &[ModelEvaluation]) -> Result<Self> {
        let second: HashMap<(u32, u32), f32> =
            reference.iter().map(|one| ((one.cell, one.drug), one.value)).collect();
        let responses = &screen.responses;
        let (mut cells, mut drugs, mut first, mut again) = (vec![], vec![], vec![], vec![]);
        for at in 0..responses.len() {
            let (cell, drug) = (responses.side(0)[at], responses.side(1)[at]);
            if let Some(value) = second.get(&(cell, drug)) {
                cells.push(cell);
                drugs.push(drug);
                first.push(responses.values()[at]);
                again.push(*value);
            }
        }
        if first.is_empty() {
            return Err(Error::data(
                "the reference study and the screen have no pair of cell line and drug in common",
            )
            .with_help("use a table with the same names of cell lines and drugs"));
        }
        let scored = Scored::new(&cells, &drugs, &first, &again)?;
        let metrics = scored.metrics();
        let of_drug = scored.per_drug(|drug| screen.table(1).ids()[drug as usize].clone());
        let counted: Vec<&DrugMetrics> =
            of_drug.iter().filter(|drug| drug.n >= Scored::LEAST_CELLS && drug.pearson.is_some()).collect();
        let on_these = |model: &ModelEvaluation| {
            let own: HashMap<&str, Option<f64>> =
                model.per_drug.iter().map(|drug| (drug.drug.as_str(), drug.pearson)).collect();
            let values: Vec<f64> =
                counted.iter().filter_map(|drug| Some(own.get(drug.drug.as_str())?.unwrap_or(0.0))).collect();
            let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
            ModelOnCeiling { name: model.name.clone(), per_drug_pearson: mean }
        };
        let models_on: Vec<ModelOnCeiling> = models.iter().map(on_these).collect();
        let beside = |reference: DrugMetrics| {
            let own = |model: &ModelEvaluation| {
                let found = model.per_drug.iter().find(|drug| drug.drug == reference.drug);
                (model.name.clone(), found.and_then(|drug| drug.pearson))
            };
            DrugCeiling { models: models.iter().map(own).collect(), reference }
        };
        let drugs_counted = counted.len();
        Ok(Self {
            pairs: first.len(),
            per_drug_pearson: metrics.per_drug_pearson(),
            drugs_counted,
            rmse: metrics.rmse(),
            drugs: of_drug.into_iter().map(beside).collect(),
            models: models_on,
        })
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.3}"));
        writeln!(
            f,
            "The reference study, with {} pairs, reaches RMSE {} and, over {} drugs, a mean per-drug Pearson of {}.",
            self.pairs,
            number(self.rmse),
            self.drugs_counted,
            number(self.per_drug_pearson)
        )?;
        let models: Vec<String> = self
            .models
            .iter()
            .map(|model| format!("{} {}", model.name, number(model.per_drug_pearson)))
            .collect();
        writeln!(f, "On those drugs: {}.", models.join(", "))
    }
}
