#![allow(missing_docs, clippy::unwrap_used)]
//! The models that conformance tests fit: the trials of every registered family.

use std::sync::Arc;

use halfmax::{FAMILIES, Family, FamilyKind, ModelSpec, Trial};
use halfmax_core::AnyModel;

/// A model to try, its name ("boost, vectors"), and its family.
#[allow(dead_code)]
pub struct Tried {
    pub name: String,
    pub model: Arc<dyn AnyModel>,
    pub kind: FamilyKind,
}

/// The trials of all families, of single drugs or of combinations.
pub fn trials(params: fn(&Trial) -> Option<&'static str>) -> Vec<Tried> {
    let mut tables = Vec::new();
    for family in FAMILIES.iter().copied() {
        for trial in family.trials() {
            if let Some(params) = params(&trial) {
                tables.push(table(family, &trial, params));
            }
        }
    }
    let specs = ModelSpec::parse_all(&tables, None, &Arc::default()).unwrap();
    let kind = |name: &str| halfmax::family_named(name).unwrap().kind();
    specs
        .into_iter()
        .map(|spec| Tried { kind: kind(&spec.family), name: spec.name, model: spec.model })
        .collect()
}

fn table(family: &dyn Family, trial: &Trial, params: &str) -> toml::Table {
    let mut table: toml::Table = toml::from_str(params).unwrap();
    let name = match trial.name {
        "" => family.name().to_owned(),
        name => format!("{}, {name}", family.name()),
    };
    table.insert("name".into(), name.into());
    table.insert("family".into(), family.name().into());
    table
}
