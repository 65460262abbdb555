//! The naive families.

use std::sync::Arc;

use halfmax_baselines::{FittedNaive, Naive};
use halfmax_core::{AnyModel, Error, FittedModel, Result, StoredModel};
use schemars::Schema;

use super::{Family, FamilyKind, Trial};

/// The naive families, which predict means of the training responses.
pub(super) struct Means(pub(super) Naive);

impl Family for Means {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn summary(&self) -> &'static str {
        match self.0 {
            Naive::GlobalMean => "the mean of all responses",
            Naive::DrugMean => "the mean of the drug's responses",
            Naive::CellMean => "the mean of the cell line's responses",
            Naive::Effects => "the effect of the drug plus that of the cell line",
            Naive::TissueDrugMean => "the mean of the drug's responses in the cell line's tissue",
            Naive::CombinationMean => "the mean of the combination's responses",
        }
    }

    fn kind(&self) -> FamilyKind {
        FamilyKind::Naive
    }

    fn model(&self, table: &toml::Table) -> Result<Arc<dyn AnyModel>> {
        match table.keys().next() {
            None => Ok(Arc::new(self.0)),
            Some(key) => Err(Error::config(format!("unknown field `{key}`: this family has no parameters"))),
        }
    }

    fn schema(&self) -> Option<Schema> {
        None
    }

    fn load(&self, stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
        Ok(Box::new(FittedNaive::from_stored(stored)?))
    }

    fn trials(&self) -> Vec<Trial> {
        match self.0 {
            // The screen of combinations has no tissues.
            Naive::TissueDrugMean => vec![Trial::of_single_drugs("", "")],
            _ => vec![Trial::of_both("", "")],
        }
    }
}
