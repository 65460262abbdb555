//! What the fuzz target of model families once found, and the models that it starts from: each is refused or loaded, and predicts without a panic.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../fuzz/src/families.rs"]
mod families;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn files(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(kind).join("family");
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_was_found_is_refused_or_predicts() {
    for file in files("corpus-found") {
        families::family(&fs::read(file).unwrap());
    }
}

#[test]
fn every_family_is_among_the_models_that_fuzzing_starts_from() {
    let mut found = BTreeSet::new();
    for file in files("seeds") {
        let bytes = fs::read(&file).unwrap();
        families::family(&bytes);
        let model: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        found.insert(model["family"].as_str().unwrap().to_owned());
        assert!(families::loads(&bytes), "{} is not loaded", file.display());
    }
    let expected = [
        "applicability",
        "boost",
        "completion",
        "elastic_net",
        "extra_trees",
        "kernel",
        "knn",
        "pls",
        "random_forest",
        "stack",
    ];
    for family in expected {
        assert!(found.contains(family), "no model of family {family}");
    }
}
