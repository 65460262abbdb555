//! `halfmax associate` as a user meets it: planted effects in, tables, findings and a report out.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::path::Path;

use halfmax_data::{RawTable, read_table};
use tempfile::TempDir;

use command::halfmax;

const CELLS: usize = 120;
const TISSUES: [&str; 4] = ["skin", "lung", "breast", "blood"];

const CONFIG: &str = r#"
name = "planted"
[data]
response = "response.csv"
reference_study = "second.csv"
drugs = "drugs.csv"
[[data.cells]]
kind = "expression"
file = "expression.csv"
[[data.cells]]
kind = "events"
file = "events.csv"
[target]
column = "LN_IC50"
[associate]
permutations = 200
"#;

/// A number from −1 to 1 that looks random.
fn noise(a: usize, b: usize) -> f64 {
    let mut mixed = (a as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ (b as u64 + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
    mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 29)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Six carriers of a fusion are sensitive to the first drug; cell lines with much ABCB1 resist the second; nothing is planted in the
/// third. The second study repeats the first drug.
fn screen() -> TempDir {
    let folder = TempDir::new().unwrap();
    let carries = |cell: usize| cell % 20 == 3;
    let mut expression = String::from("cell_line,ABCB1,EGFR,TP53,SLFN11,KRAS,MYC,BCL2,CDH1\n");
    let mut events = String::from("cell_line,tissue,BCR-ABL_mut,EGFR_mut,KRAS_mut\n");
    let mut response = String::from("cell_line,drug,LN_IC50\n");
    let mut second = response.clone();
    for cell in 0..CELLS {
        let genes: Vec<String> = (0..8).map(|gene| format!("{:.3}", 6.0 + 2.0 * noise(cell, gene))).collect();
        expression.push_str(&format!("C{cell},{}\n", genes.join(",")));
        let bit = |set: bool| u8::from(set);
        events.push_str(&format!(
            "C{cell},{},{},{},{}\n",
            TISSUES[cell % 4],
            bit(carries(cell)),
            bit(noise(cell, 30) > 0.6),
            bit(noise(cell, 31) > 0.5)
        ));
        let fusion = if carries(cell) { -4.0 } else { 0.0 };
        response.push_str(&format!("C{cell},Imatinib,{:.4}\n", fusion + noise(cell, 40)));
        second.push_str(&format!("C{cell},Imatinib,{:.4}\n", fusion + noise(cell, 50)));
        response.push_str(&format!("C{cell},Paclitaxel,{:.4}\n", 1.5 * noise(cell, 0) + noise(cell, 41)));
        response.push_str(&format!("C{cell},Nothing,{:.4}\n", noise(cell, 42)));
    }
    for (name, text) in [
        ("expression.csv", expression.as_str()),
        ("events.csv", &events),
        ("response.csv", &response),
        ("second.csv", &second),
        ("drugs.csv", "drug,targets\nImatinib,ABL1\nPaclitaxel,TUBB\nNothing,EGFR\n"),
        ("config.toml", CONFIG),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = halfmax(folder, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn table(folder: &Path, name: &str) -> RawTable {
    read_table(folder.join("run").join(name)).unwrap()
}

/// The rows of a table as texts.
fn rows(table: &RawTable, columns: &[&str]) -> Vec<Vec<String>> {
    let texts: Vec<Vec<Option<String>>> = columns
        .iter()
        .map(|name| {
            let at = table.find(&[*name]).unwrap_or_else(|| panic!("no column {name}: {:?}", table.names()));
            table.texts(at).unwrap()
        })
        .collect();
    (0..texts[0].len())
        .map(|row| texts.iter().map(|column| column[row].clone().unwrap_or_default()).collect())
        .collect()
}

#[test]
fn planted_effects_are_the_first_findings() {
    let folder = screen();
    let (code, said, notes) = run(folder.path(), &["associate", "config.toml", "--out", "run"]);
    assert_eq!(code, Some(0), "{notes}");
    assert!(said.contains("written to run"), "{said}");
    assert!(notes.contains("covariates: tissue"), "{notes}");
    assert!(notes.contains("drugs that the reference study also measured: 1 of 3"), "{notes}");
    let found = rows(
        &table(folder.path(), "findings.parquet"),
        &["drug", "evidence_rank", "finding", "direction", "carriers", "support", "replicated"],
    );
    let first = |drug: &str| found.iter().find(|row| row[0] == drug).cloned();
    assert_eq!(first("Imatinib").unwrap()[1..], ["1", "BCR-ABL_mut", "sensitive", "6", "data", "yes"]);
    assert_eq!(first("Paclitaxel").unwrap()[1..], ["1", "ABCB1", "resistant", "", "data", ""]);
    assert!(first("Nothing").is_none(), "{found:?}");
    let report = fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    assert!(report.contains("BCR-ABL carriers (n = 6) are"), "no sentence on the fusion");
    assert!(
        report.contains("EGFR is a target of this drug, but it is not among the findings"),
        "no sentence on EGFR"
    );
    let strongest =
        rows(&table(folder.path(), "associations.parquet"), &["drug", "feature", "permutation_p"]);
    let fusion = strongest.iter().find(|row| row[1] == "BCR-ABL_mut" && row[0] == "Imatinib").unwrap();
    assert!(fusion[2].parse::<f64>().unwrap() < 0.01, "{fusion:?}");
    for name in
        ["categories.parquet", "tissues.parquet", "pairs.parquet", "associations.json", "manifest.json"]
    {
        assert!(folder.path().join("run").join(name).is_file(), "{name}");
    }
}

#[test]
fn wrong_parameters_are_named() {
    let folder = screen();
    for (setting, parts) in [
        ("associate.covariates=[\"tisue\"]", ["no feature \"tisue\"", "did you mean \"tissue\""]),
        ("associate.tissues=[\"skn\"]", ["no cell line has the tissue \"skn\"", "did you mean \"skin\""]),
        ("associate.min_carriers=1", ["min_carriers = 1", "expected 2 to 1000"]),
        ("associate.level=2", ["level = 2", "a number above 0 and below 1"]),
        ("associate.strength=2", ["unknown field `strength`", "strongest"]),
    ] {
        let (code, _, notes) =
            run(folder.path(), &["associate", "config.toml", "--out", "run", "--config-override", setting]);
        assert_eq!(code, Some(2), "{setting}: {notes}");
        parts
            .iter()
            .for_each(|part| assert!(notes.contains(part), "{setting}: expected {part:?} in {notes}"));
        assert!(!folder.path().join("run").exists(), "{setting}");
    }
}

#[test]
fn one_tissue_is_tested_alone() {
    let folder = screen();
    let setting = "associate.tissues=[\"skin\"]";
    let (code, said, notes) =
        run(folder.path(), &["associate", "config.toml", "--out", "run", "--config-override", setting]);
    assert_eq!(code, Some(0), "{notes}");
    assert!(said.contains("30 cell lines"), "{said}");
    // The fusion has no carriers in the skin, and the tissue itself is constant.
    assert!(notes.contains("too few carriers, or too few others"), "{notes}");
}
