//! The classical families: elastic net, partial least squares, nearest neighbours, and forests.

use std::sync::Arc;

use halfmax_baselines::{
    Classical, ElasticNetParams, FittedClassical, ForestKind, ForestParams, KnnParams, PlsParams,
};
use halfmax_core::{AnyModel, FittedModel, Result, StoredModel};
use schemars::{Schema, schema_for};

use super::{Family, FamilyKind, Trial, params};

/// The classical families of linfa and smartcore, with a regression for every drug.
pub(super) struct OfDrugs(pub(super) Classical);

impl Family for OfDrugs {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn summary(&self) -> &'static str {
        match self.0 {
            Classical::ElasticNet => "an elastic net for each drug, or for all drugs together (linfa)",
            Classical::Pls => "partial least squares for each drug (linfa)",
            Classical::Knn => "the mean of the nearest cell lines, for each drug (smartcore)",
            Classical::RandomForest => "a random forest for each drug (smartcore)",
            Classical::ExtraTrees => "extremely randomised trees for each drug (smartcore)",
        }
    }

    fn kind(&self) -> FamilyKind {
        FamilyKind::Learnt
    }

    fn model(&self, table: &toml::Table) -> Result<Arc<dyn AnyModel>> {
        Ok(match self.0 {
            Classical::ElasticNet => Arc::new(params::<ElasticNetParams>(table)?.check()?),
            Classical::Pls => Arc::new(params::<PlsParams>(table)?.check()?),
            Classical::Knn => Arc::new(params::<KnnParams>(table)?.check()?),
            Classical::RandomForest => Arc::new(params::<ForestParams>(table)?.check(ForestKind::Random)?),
            Classical::ExtraTrees => Arc::new(params::<ForestParams>(table)?.check(ForestKind::Extra)?),
        })
    }

    fn schema(&self) -> Option<Schema> {
        Some(match self.0 {
            Classical::ElasticNet => schema_for!(ElasticNetParams),
            Classical::Pls => schema_for!(PlsParams),
            Classical::Knn => schema_for!(KnnParams),
            Classical::RandomForest | Classical::ExtraTrees => schema_for!(ForestParams),
        })
    }

    fn load(&self, stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
        Ok(Box::new(FittedClassical::from_stored(stored)?))
    }

    fn trials(&self) -> Vec<Trial> {
        match self.0 {
            Classical::ElasticNet => vec![
                Trial::of_single_drugs("", ""),
                Trial::of_single_drugs("together", "multi_task = true\npenalty = 0.05"),
            ],
            Classical::Pls => vec![Trial::of_single_drugs("", "")],
            Classical::Knn => vec![
                Trial::of_single_drugs("", ""),
                Trial::of_single_drugs("by distance", "weights = \"distance\""),
            ],
            Classical::RandomForest | Classical::ExtraTrees => {
                vec![Trial::of_single_drugs("", "min_samples_leaf = 2\nfeatures_per_split = 5")]
            }
        }
    }
}
