//! The family `boost`.

use std::sync::Arc;

use halfmax_boost::{BoostParams, FittedBoost};
use halfmax_core::{AnyModel, FittedModel, Result, StoredModel};
use schemars::{Schema, schema_for};

use super::{Family, FamilyKind, Renamed, Trial, params};

/// The family of factorised gradient boosting: trees on cell lines and on drugs, with a prediction for each pair of leaves.
pub(super) struct Boost;

impl Family for Boost {
    fn name(&self) -> &'static str {
        "boost"
    }

    fn summary(&self) -> &'static str {
        "gradient-boosted trees on the features of cell lines and drugs, fitted without building the table of pairs"
    }

    fn kind(&self) -> FamilyKind {
        FamilyKind::Learnt
    }

    fn model(&self, table: &toml::Table) -> Result<Arc<dyn AnyModel>> {
        Ok(Arc::new(params::<BoostParams>(table)?.check()?))
    }

    fn schema(&self) -> Option<Schema> {
        Some(schema_for!(BoostParams))
    }

    fn load(&self, stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
        Ok(Box::new(FittedBoost::from_stored(stored)?))
    }

    fn renamed(&self) -> &'static [Renamed] {
        const { &[Renamed::new("known", "seen_again"), Renamed::new("early_stopping_rounds", "patience")] }
    }

    fn trials(&self) -> Vec<Trial> {
        vec![
            Trial {
                name: "",
                single_drugs: Some("rounds = 40\nmin_leaf_weight = 2.0"),
                combinations: Some("rounds = 120\nmin_leaf_weight = 2.0"),
            },
            Trial::of_single_drugs("vectors", "rounds = 40\nmin_leaf_weight = 2.0\ntrees = \"cell_vector\""),
        ]
    }
}
