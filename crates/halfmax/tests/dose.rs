//! Curves and synergy as a program in Rust uses them: in memory, and into files.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use halfmax::dose::synergy::{BlockFit, FitOptions, SynergyOutputs, SynergyRequest};
use halfmax::dose::{ColumnValues, CurvesOutputs, CurvesRequest, PictureOutputs, ResultTable};
use halfmax::prelude::*;

fn viability(dose: f64, ic50: f64) -> f64 {
    1.0 / (1.0 + (dose / ic50).powf(1.2))
}

/// Two cell lines with a drug each, without noise.
fn readings(folder: &Path) -> CurvesRequest {
    let mut text = String::from("cell_line,drug,dose_um,viability\n");
    for (cell, ic50) in [("A375", 0.1), ("MCF7", 1.0)] {
        for dose in [0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0] {
            writeln!(text, "{cell},dabrafenib,{dose},{:.4}", viability(dose, ic50)).unwrap();
        }
    }
    fs::write(folder.join("readings.csv"), text).unwrap();
    let pair = "cell_line=A375,MCF7".parse().unwrap();
    CurvesRequest {
        readings: folder.join("readings.csv").into(),
        compare: Some(pair),
        ..CurvesRequest::default()
    }
}

/// Two drugs that act independently, and a third that was measured with both.
fn matrix(folder: &Path) -> SynergyRequest {
    let doses = [0.0, 0.1, 1.0, 10.0];
    let mut text = String::from("drug_a,drug_b,drug_c,dose_a_um,dose_b_um,dose_c_um,inhibition_percent\n");
    for a in doses {
        for b in doses {
            for c in doses {
                let left = viability(a, 1.0) * viability(b, 0.5) * viability(c, 2.0);
                writeln!(text, "A,B,C,{a},{b},{c},{:.4}", 100.0 * (1.0 - left)).unwrap();
            }
        }
    }
    fs::write(folder.join("matrix.csv"), text).unwrap();
    let fits = FitOptions { fits: vec![BlockFit::Ci], ..FitOptions::default() };
    SynergyRequest { readings: folder.join("matrix.csv").into(), fits, ..SynergyRequest::default() }
}

/// A table as the lines of a file of comma-separated values.
fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn header(table: &ResultTable) -> String {
    table.columns().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
}

#[test]
fn curves_in_memory_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let request = readings(folder.path());
    let fitted = request.fit(&Silent).unwrap();
    assert_eq!((fitted.fits.len(), fitted.table.rows(), fitted.summary.curves), (2, 2, 2));
    let ic50 = fitted.table.numbers("ic50_um").unwrap();
    assert!((ic50[0] - 0.1).abs() < 0.01 && (ic50[1] - 1.0).abs() < 0.1, "{ic50:?}");
    assert!(fitted.plates.is_none() && fitted.rates.is_none());
    let compared = fitted.comparisons.unwrap();
    assert_eq!((compared.rows(), fitted.summary.compared), (1, Some(1)));
    let outputs = CurvesOutputs {
        curves: folder.path().join("curves.csv"),
        comparisons: Some(folder.path().join("comparisons.csv")),
        pictures: PictureOutputs { svg: Some(folder.path().join("svg")), ..PictureOutputs::default() },
        ..CurvesOutputs::default()
    };
    let summary = request.write(&outputs, &Silent).unwrap();
    assert_eq!(summary, fitted.summary);
    let written = lines(&outputs.curves);
    assert_eq!((written.len(), written[0].clone()), (3, header(&fitted.table)));
    assert_eq!(lines(&folder.path().join("comparisons.csv"))[0], header(&compared));
    assert_eq!(fs::read_dir(folder.path().join("svg")).unwrap().count(), 2);
    let error = request.write(&outputs, &Silent).unwrap_err();
    assert!(error.to_string().contains("comparisons.csv"), "{error}");
}

#[test]
fn what_is_asked_for_is_checked_before_anything_is_read() {
    let request = CurvesRequest { divisions: Some(-1.0), ..CurvesRequest::default() };
    assert_eq!(request.fit(&Silent).unwrap_err().parameter_name(), Some("divisions"));
    let folder = tempfile::tempdir().unwrap();
    let outputs = CurvesOutputs {
        curves: folder.path().join("curves.csv"),
        rates: Some(folder.path().join("rates.csv")),
        ..CurvesOutputs::default()
    };
    let error = CurvesRequest::default().write(&outputs, &Silent).unwrap_err();
    assert_eq!(error.parameter_name(), Some("rates"));
    let fits = FitOptions { fits: vec![BlockFit::Css], ..FitOptions::default() };
    let request = SynergyRequest { fits, ..SynergyRequest::default() };
    let outputs = SynergyOutputs { cells: folder.path().join("cells.csv"), ..SynergyOutputs::default() };
    assert!(request.write(&outputs, &Silent).unwrap_err().to_string().contains("fits css"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn scores_in_memory_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let request = matrix(folder.path());
    let scored = request.score(&Silent).unwrap();
    let drugs: Vec<usize> = scored.blocks.iter().map(|block| block.drugs.len()).collect();
    assert_eq!((drugs, scored.summary.blocks), (vec![2, 2, 2, 3], 4));
    assert_eq!(scored.blocks[3].pairs.len(), 3);
    assert_eq!((scored.cells.rows(), scored.table.rows()), (3 * 16 + 64, 4));
    let bliss = scored.table.numbers("synergy_bliss").unwrap();
    assert!(bliss.iter().all(|mean| mean.abs() < 0.01), "{bliss:?}");
    let missing = scored.cells.numbers("dose_c_um").unwrap();
    assert!(
        missing[..48].iter().all(|dose| dose.is_nan()) && missing[48..].iter().all(|dose| dose.is_finite())
    );
    let Some(ColumnValues::Counts(replicates)) = scored.cells.column("replicates") else { panic!() };
    assert!(replicates.iter().all(|count| *count == 1));
    let outputs = SynergyOutputs {
        cells: folder.path().join("cells.csv"),
        blocks: Some(folder.path().join("blocks.csv")),
        ..SynergyOutputs::default()
    };
    let mut taken = Vec::new();
    let take = &mut |block: halfmax::dose::synergy::ScoredBlock| {
        taken.push(block.name());
        Ok(())
    };
    let summary = request.write_held(&outputs, take, &Silent).unwrap();
    assert_eq!((summary, taken.len()), (scored.summary, 4));
    for (path, table) in [("cells.csv", &scored.cells), ("blocks.csv", &scored.table)] {
        let written = lines(&folder.path().join(path));
        assert_eq!((written.len(), written[0].clone()), (table.rows() + 1, header(table)), "{path}");
    }
}
