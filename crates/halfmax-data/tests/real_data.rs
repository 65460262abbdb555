//! Reading of the real data, where it is at hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use halfmax_data::{CellFile, CellKind, DataConfig, TargetConfig, inspect, load};

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
        cells: kinds
            .iter()
            .map(|(kind, file)| CellFile { kind: *kind, file: Some(file.into()), top_variance: None })
            .collect(),
        ..DataConfig::default()
    }
}

#[test]
fn gdsc2_has_the_sizes_it_should() {
    let Some(folder) = folder() else { return };
    let kinds =
        [(CellKind::Expression, "expression.parquet"), (CellKind::Events, "genomic_features_v17.csv.gz")];
    let start = Instant::now();
    let loaded =
        load(&gdsc("gdsc2_response.csv.gz", &kinds), &TargetConfig::default(), &folder.join("gdsc"), None).unwrap();
    println!("{}took {:.2?}", loaded.report, start.elapsed());
    assert_eq!(loaded.screen.tables[1].len(), 286);
    assert_eq!(loaded.screen.tables[0].len(), 919);
    for table in &loaded.screen.tables {
        for block in table.blocks() {
            println!("{} {} {}", block.kind, block.entities(), block.len());
        }
    }
}

#[test]
fn every_file_is_taken_for_what_it_is() {
    let Some(folder) = folder() else { return };
    for sub in ["gdsc", "oneil", "combinations"] {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(sub)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files {
            let start = Instant::now();
            match inspect(&file) {
                Ok(found) => println!("{found}\n    ({:.2?})", start.elapsed()),
                Err(error) => println!("ERROR {error}"),
            }
        }
    }
}
