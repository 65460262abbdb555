//! Fetched datasets from the command line: a folder of files becomes a dataset, and recipes run on it.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of the real GDSC files, if it is here.
fn gdsc() -> Option<PathBuf> {
    let folder = root().join("../shared/data/gdsc");
    let there = folder.is_dir();
    if !there {
        eprintln!("skipped: {} is not here", folder.display());
    }
    there.then_some(folder)
}

/// Runs halfmax in a folder, with its datasets in `datasets` there.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfmax"));
    command.current_dir(folder).env("HALFMAX_DATA", folder.join("datasets")).env_remove("SSL_CERT_FILE");
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].concat().iter().map(|byte| char::from(*byte)).collect()
}

#[test]
fn a_dataset_that_was_not_fetched_says_how_to() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = root().join("models/gdsc2-kernel.toml");
    let output = run(folder.path(), &["evaluate", recipe.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("dataset \"gdsc2\" is not fetched"), "{}", said(&output));
    assert!(said(&output).contains("help: fetch it (`halfmax data fetch gdsc2`)"), "{}", said(&output));
    assert!(!folder.path().join("runs/gdsc2-kernel").exists());
}

#[test]
fn every_dataset_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["data", "list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let known = [
        "gdsc-core",
        "gdsc1",
        "gdsc2",
        "oneil",
        "gdsc-release",
        "depmap",
        "ctrpv2",
        "almanac",
        "dreval-ctrpv2",
    ];
    assert_eq!(names, known);
    assert!(text.lines().next().unwrap().contains("embedded"));
    assert_eq!(text.matches("not fetched").count(), 8);
    let output = run(folder.path(), &["--json", "data", "list"]);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["licence"].as_str().is_some_and(|text| !text.is_empty()), "{line}");
        assert!(value["state"] == "embedded" || value["state"] == "not_fetched", "{line}");
    }
}

#[test]
fn a_misspelt_dataset_is_refused_before_anything_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["data", "fetch", "gdsc1", "gdcs2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("did you mean \"gdsc2\"?"), "{}", said(&output));
    assert!(!folder.path().join("datasets/gdsc1").exists());
    let output = run(folder.path(), &["data", "fetch", "gdsc1", "--from", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    let output = run(folder.path(), &["data", "fetch", "gdsc-core"]);
    assert!(output.status.success() && said(&output).contains("part of the program"));
}

#[test]
fn every_recipe_reads_and_names_no_folder_of_ours() {
    let mut recipes = 0;
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root().join("models")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") || path.ends_with("Cargo.toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(text.contains("dataset = \"") && !text.contains("shared/"), "{name}");
        let table: toml::Table = toml::from_str(&text).unwrap();
        if let Some(file) = table.get("split").and_then(|split| split.get("file")) {
            assert!(root().join("models").join(file.as_str().unwrap()).is_file(), "{name}");
        }
        // The whole configuration is read before the dataset is looked for.
        let output = run(folder.path(), &["data", "check", path.to_str().unwrap()]);
        let lacks = match name.as_str() {
            "demo.toml" => None,
            "demo-combinations.toml" => Some("simulated_synergy.csv: no such file"),
            _ => Some("is not fetched"),
        };
        assert_eq!(output.status.success(), lacks.is_none(), "{name}: {}", said(&output));
        assert!(said(&output).contains(lacks.unwrap_or("drugs")), "{name}: {}", said(&output));
        recipes += 1;
    }
    assert!(recipes >= 11);
}

#[test]
fn recipes_run_on_a_dataset_from_a_folder() {
    let Some(gdsc) = gdsc() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["data", "fetch", "gdsc2", "--from", gdsc.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output).matches("copied, verified").count(), 8, "{}", said(&output));
    let list = run(folder.path(), &["data", "list"]);
    assert!(said(&list).lines().any(|line| line.starts_with("gdsc2 ") && line.contains(" fetched")));
    // A second dataset of the same files needs neither the folder nor a network.
    let output = run(folder.path(), &["data", "fetch", "gdsc1"]);
    assert!(output.status.success(), "{}", said(&output));

    // The recipe comes with the program.
    let recipe = "models/gdsc2-kernel.toml";
    // A small part of it: one fold, fifty genes.
    let small = [
        "--config-override",
        "split.only_folds=[0]",
        "--config-override",
        "data.cells.0.top_variance=50",
        "--config-override",
        "pilot.responses=[0]",
    ];
    let output = run(folder.path(), &[&["evaluate", recipe], &small[..]].concat());
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("written to runs/gdsc2-kernel"), "{}", said(&output));
    assert!(
        said(&output).contains("wrote models/gdsc2-kernel.toml, a recipe of halfmax"),
        "{}",
        said(&output)
    );
    let manifest = std::fs::read_to_string(folder.path().join("runs/gdsc2-kernel/manifest.json")).unwrap();
    for file in ["gdsc2_response.csv.gz", "gdsc1_response.csv.gz", "expression.parquet", "drugs.csv"] {
        assert!(manifest.contains(&format!("\"dataset:gdsc2/{file}\"")), "{manifest}");
    }
    // On another machine, whose datasets are elsewhere.
    std::fs::rename(folder.path().join("datasets"), folder.path().join("elsewhere")).unwrap();
    let output = run(folder.path(), &["reproduce", "runs/gdsc2-kernel"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let output = run(folder.path(), &["reproduce", "runs/gdsc2-kernel", "--data-dir", "elsewhere"]);
    assert!(output.status.success(), "{}", said(&output));
    // A file that was changed behind the list's back is refused.
    let drugs = folder.path().join("elsewhere/gdsc2/drugs.csv");
    let text = std::fs::read_to_string(&drugs).unwrap();
    std::fs::write(&drugs, text.replacen("TAK1", "TAK2", 1)).unwrap();
    let output = run(folder.path(), &["data", "check", recipe, "--data-dir", "elsewhere"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("the file changed since it was fetched"), "{}", said(&output));
}
