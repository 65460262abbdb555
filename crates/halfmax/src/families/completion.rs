//! The family `completion`.

use std::sync::Arc;

use halfmax_core::{AnyModel, FittedModel, Result, StoredModel};
use halfmax_kernel::{CompletionParams, FittedCompletion};
use schemars::{Schema, schema_for};

use super::{Family, FamilyKind, Renamed, Trial, params};

/// The family that completes the table of responses by a low-rank matrix.
pub(super) struct Completion;

impl Family for Completion {
    fn name(&self) -> &'static str {
        "completion"
    }

    fn summary(&self) -> &'static str {
        "fills the gaps of a screen by a matrix of low rank, without any features; takes pilot measurements"
    }

    fn kind(&self) -> FamilyKind {
        FamilyKind::WithoutFeatures
    }

    fn model(&self, table: &toml::Table) -> Result<Arc<dyn AnyModel>> {
        Ok(Arc::new(params::<CompletionParams>(table)?.check()?))
    }

    fn schema(&self) -> Option<Schema> {
        Some(schema_for!(CompletionParams))
    }

    fn load(&self, stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
        Ok(Box::new(FittedCompletion::from_stored(stored)?))
    }

    fn renamed(&self) -> &'static [Renamed] {
        const {
            &[
                Renamed::new("shrinkage", "nuclear_penalty"),
                Renamed::new("noise", "noise_variance"),
                Renamed::new("iterations", "max_iterations"),
            ]
        }
    }

    fn trials(&self) -> Vec<Trial> {
        vec![Trial::of_single_drugs("", "")]
    }
}
