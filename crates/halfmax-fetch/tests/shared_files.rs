//! The real files, if available, have the checksums of the manifests.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use halfmax_data::datasets::{Make, manifest};
use halfmax_fetch::{content_digest, make};

#[test]
fn the_contents_are_those_of_the_manifests() {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    for (name, folder) in [("gdsc1", "gdsc"), ("gdsc2", "gdsc"), ("oneil", "oneil")] {
        let folder = shared.join(folder);
        if !folder.is_dir() {
            eprintln!("skipped {name}: {} is not here", folder.display());
            continue;
        }
        let mut wrong = Vec::new();
        for file in manifest(name).unwrap().unwrap().file {
            let Some(expected) = file.content else { continue };
            let found = content_digest(&folder.join(&file.name)).unwrap();
            if found != expected {
                wrong.push(format!("{} {found}, expected {expected}", file.name));
            }
        }
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn expression_of_oneil_is_made_from_what_was_published() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/oneil");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    }
    let part = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let parts = [part("expression_genes_by_cell.csv"), part("expression_gene_names.csv")];
    let into = tempfile::tempdir().unwrap();
    let path = into.path().join("expression.csv");
    make(Make::GeneRows, &parts, &path).unwrap();
    let files = manifest("oneil").unwrap().unwrap().file;
    let expected = files.into_iter().find(|file| file.name == "expression.csv").unwrap().content;
    assert_eq!(Some(content_digest(&path).unwrap()), expected);
}
