//! The family `stack`.

use std::sync::Arc;

use halfmax_core::{AnyModel, Error, FittedModel, Result, StoredModel};
use halfmax_eval::{FittedStack, StackParams};
use schemars::{Schema, schema_for};

use super::{Family, FamilyKind, NamedMember, Trial, params};

/// The family of blends of other models.
pub(super) struct Blend;

impl Family for Blend {
    fn name(&self) -> &'static str {
        "stack"
    }

    fn summary(&self) -> &'static str {
        "a blend of other models of the configuration, with weights from predictions that those models make out of fold"
    }

    fn kind(&self) -> FamilyKind {
        FamilyKind::Blend
    }

    fn model(&self, _table: &toml::Table) -> Result<Arc<dyn AnyModel>> {
        Err(Error::config("a stack blends other models of the configuration"))
    }

    fn blend(
        &self,
        table: &toml::Table,
        others: &dyn Fn(&StackParams) -> Result<Vec<NamedMember>>,
    ) -> Result<Arc<dyn AnyModel>> {
        let params: StackParams = params(table)?;
        let members = others(&params)?;
        Ok(Arc::new(params.with_members(members)?))
    }

    fn schema(&self) -> Option<Schema> {
        Some(schema_for!(StackParams))
    }

    fn load(&self, stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
        Ok(Box::new(FittedStack::from_stored(stored, super::fitted)?))
    }

    fn trials(&self) -> Vec<Trial> {
        vec![
            Trial {
                name: "",
                single_drugs: Some("folds = 2\nmembers = [\"boost\", \"kernel\"]"),
                combinations: Some("folds = 2\nmembers = [\"boost\", \"kernel\"]"),
            },
            Trial {
                name: "equal weights",
                single_drugs: Some("weights = \"equal\"\nmembers = [\"boost\", \"kernel\"]"),
                combinations: None,
            },
        ]
    }
}
