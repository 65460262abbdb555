//! Reads the real data, if available.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use halfmax_data::{
    CellFile, CellKind, DataConfig, FoldSource, TargetConfig, Uncovered, inspect, load, read_folds,
};

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if folder.join("gdsc").is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not there", folder.display());
    None
}

fn gdsc(response: &str, kinds: &[(CellKind, &str)]) -> DataConfig {
    DataConfig {
        response: Some(response.into()),
        drugs: Some("drugs.csv".into()),
        cells: kinds.iter().map(|(kind, file)| CellFile::new(*kind, file)).collect(),
        ..DataConfig::default()
    }
}

#[test]
fn gdsc2_has_the_sizes_it_should() {
    let Some(folder) = folder() else { return };
    let kinds =
        [(CellKind::EXPRESSION, "expression.parquet"), (CellKind::EVENTS, "genomic_features_v17.csv.gz")];
    let start = Instant::now();
    let loaded =
        load(&gdsc("gdsc2_response.csv.gz", &kinds), &TargetConfig::default(), &folder.join("gdsc"), None)
            .unwrap();
    println!("{}took {:.2?}", loaded.report, start.elapsed());
    assert_eq!(loaded.screen.tables[1].len(), 286);
    // Including the 19 lines with different names in the responses and the list of cell lines.
    assert_eq!(loaded.screen.tables[0].len(), 938);
    for table in &loaded.screen.tables {
        for block in table.blocks() {
            println!("{} {} {}", block.kind, block.entities(), block.len());
        }
    }
}

#[test]
fn every_file_is_taken_for_what_it_is() {
    let Some(folder) = folder() else { return };
    let expected = [
        ("gdsc/gdsc1_response.csv.gz", "responses"),
        ("gdsc/gdsc2_response.csv.gz", "responses"),
        ("gdsc/expression.parquet", "expression"),
        ("gdsc/mutation.parquet", "mutation"),
        ("gdsc/copy_number.parquet", "copy_number"),
        ("gdsc/genomic_features_v17.csv.gz", "events"),
        ("gdsc/drugs.csv", "drugs"),
        ("oneil/drugs.csv", "drugs"),
        ("oneil/expression.csv", "expression"),
        ("oneil/synergy_score.csv", "combinations"),
        ("combinations/mathews_screening_data.csv", "dose matrices"),
        ("oneil/single_agent_raw.csv", "readings"),
    ];
    for (file, role) in expected {
        let start = Instant::now();
        let found = inspect(folder.join(file)).unwrap().remove(0);
        println!("{found}\n    ({:.2?})", start.elapsed());
        assert_eq!(found.shape.role, role, "{file}");
    }
    let oneil = inspect(folder.join("oneil/expression.csv")).unwrap().remove(0);
    assert_eq!(oneil.shape.orientation.as_deref(), Some("features × cell lines"));
}

#[test]
fn a_screen_of_combinations_is_read() {
    let Some(folder) = folder() else { return };
    let data = DataConfig {
        response: Some("synergy_score.csv".into()),
        single_agent: Some("single_agent_raw.csv".into()),
        ..DataConfig::default()
    };
    let loaded =
        load(&data, &TargetConfig::default(), &folder.join("oneil"), Some(FoldSource::Column("fold")))
            .unwrap();
    println!("{}", loaded.report);
    let screen = &loaded.screen;
    assert!(screen.is_of_combinations());
    assert_eq!((screen.target.as_str(), screen.responses.len()), ("synergy", 18_270));
    assert_eq!(
        (loaded.report.combinations, screen.table(0).len(), screen.table(1).len()),
        (Some(522), 35, 36)
    );
    let folds = loaded.folds.unwrap();
    assert_eq!(folds.iter().flatten().count(), 18_095);
    // One combination was measured twice in every cell line and is in two folds.
    assert_eq!(loaded.fold_conflicts.len(), 35);
    // 35 cell lines at eight doses.
    assert_eq!(screen.table(1).block("single_agent").unwrap().len(), 280);
}

#[test]
fn fold_files_cover_the_screen() {
    let Some(folder) = folder() else { return };
    let kinds =
        [(CellKind::EXPRESSION, "expression.parquet"), (CellKind::EVENTS, "genomic_features_v17.csv.gz")];
    let data = gdsc("gdsc2_response.csv.gz", &kinds);
    let screen = load(&data, &TargetConfig::default(), &folder.join("gdsc"), None).unwrap().screen;
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("../splits")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        let read = read_folds(&file, &screen, Uncovered::LeaveOut).unwrap();
        println!("{}", read.report);
        // The 19 lines with different names in the responses and the list of cell lines have no fold in older files.
        assert!(read.left_out < screen.responses.len() / 30, "{}", read.report);
        println!("refused: {:?}", read_folds(&file, &screen, Uncovered::Refuse).err().map(|e| e.to_string()));
    }
}

#[test]
fn gene_files_load_beside_each_other() {
    let Some(folder) = folder() else { return };
    let kinds = [
        (CellKind::EXPRESSION, "expression.parquet"),
        (CellKind::MUTATION, "mutation.parquet"),
        (CellKind::COPY_NUMBER, "copy_number.parquet"),
    ];
    let start = Instant::now();
    let loaded =
        load(&gdsc("gdsc1_response.csv.gz", &kinds), &TargetConfig::default(), &folder.join("gdsc"), None)
            .unwrap();
    println!("{}took {:.2?}", loaded.report, start.elapsed());
    assert_eq!(loaded.screen.tables[0].blocks().len(), 3);
    assert!(loaded.screen.tables[0].group("tissue").is_some());
}
