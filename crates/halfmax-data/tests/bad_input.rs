//! Errors about input name the file, the place, the value, and how to mend it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use halfmax_core::{Error, ErrorKind};
use halfmax_data::{
    CellFile, CellKind, DataConfig, DrugFeatures, Duplicates, FoldSource, Loaded, TargetConfig, Uncovered,
    inspect, load, read_bytes, read_cells_for_scoring, read_drugs, read_folds, read_table,
};
use proptest::prelude::*;

const RESPONSES: &str = "CELL_LINE_NAME,DRUG_NAME,LN_IC50,fold\n\
    NCI-H226,Erlotinib,1.5,0\nNCI-H226,Torin 2,-0.5,1\nA549,Erlotinib,2.5,0\nA549,torin2,-1.5,1\n";
const EXPRESSION: &str = "cell_line,ABCB1,EGFR,FLAT\nNCIH226,0.5,1.5,7\nA549,-0.5,2.5,7\nMCF7,0,0,7\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(folder.0.path().join(name), text).unwrap();
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn load(&self, kinds: &[(CellKind, &str)], drugs: Option<&str>) -> Result<Loaded, Error> {
        let cells = kinds.iter().map(|(kind, file)| CellFile::new(*kind, file)).collect();
        let data = DataConfig {
            response: Some("responses.csv".into()),
            drugs: drugs.map(Into::into),
            cells,
            ..DataConfig::default()
        };
        load(&data, &TargetConfig::default(), self.path(), Some(FoldSource::Column("fold")))
    }

    /// Responses alone, without folds.
    fn responses(&self) -> Result<Loaded, Error> {
        let data = DataConfig { response: Some("responses.csv".into()), ..DataConfig::default() };
        load(&data, &TargetConfig::default(), self.path(), None)
    }
}

#[track_caller]
fn says<T>(result: Result<T, Error>, words: &[&str]) -> Error {
    let Err(error) = result else { panic!("expected an error that says {words:?}") };
    let text = format!("{error} {}", error.help().unwrap_or_default());
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
    error
}

#[test]
fn a_small_screen_is_joined() {
    let folder = Folder::with(&[
        ("responses.csv", RESPONSES),
        ("expression.csv", EXPRESSION),
        ("drugs.csv", "drug,smiles,targets\nTorin-2,CCO,MTOR\nerlotinib,C1CC,\"EGFR, MTOR\"\n"),
    ]);
    let loaded = folder.load(&[(CellKind::EXPRESSION, "expression.csv")], Some("drugs.csv")).unwrap();
    let [cells, drugs] = &loaded.screen.tables[..] else { panic!("two tables") };
    assert_eq!(cells.ids(), ["A549", "NCIH226"]);
    assert_eq!(drugs.ids(), ["Erlotinib", "Torin 2"]);
    assert_eq!(cells.block("expression").unwrap().names, ["ABCB1", "EGFR"]);
    assert_eq!(loaded.report.files[1].constant, 1);
    assert_eq!(loaded.report.files[1].unmatched, ["MCF7"]);
    assert_eq!(loaded.screen.responses.values(), [2.5, -1.5, 1.5, -0.5]);
    assert_eq!(loaded.folds.unwrap(), [Some(0), Some(1), Some(0), Some(1)]);
    assert_eq!(drugs.block("target").unwrap().names, ["MTOR"]);
    assert!(cells.group("tissue").is_some(), "the annotation gives the tissue");
    let report = loaded.report.files[2].to_string();
    assert!(report.contains("row 3, erlotinib"), "{report}");
    assert_eq!(loaded.inputs.len(), 3);
}

#[test]
fn a_missing_file() {
    says(read_table("nowhere/there.csv"), &["nowhere/there.csv", "no such file"]);
    says(read_table(std::env::temp_dir()), &["is a folder"]);
}

#[test]
fn files_that_are_no_tables() {
    says(read_bytes("a.csv", b""), &["a.csv", "empty"]);
    says(read_bytes("a.csv", b"\n\n"), &["a.csv", "empty"]);
    says(read_bytes("a.csv", b"x,y\n"), &["a.csv", "no rows"]);
    says(read_bytes("a.xlsx", b"PK"), &["a.xlsx", "no rows"]);
    says(read_bytes("a.csv", b"PK\x03\x04aaaa"), &["a.csv", "truncated or damaged"]);
    says(read_bytes("a.csv", &[0x1f, 0x8b, 0, 0]), &["truncated"]);
    says(read_bytes("a.csv.gz", &[0x1f, 0x8b, 8, 0]), &["truncated"]);
    says(read_bytes("a.parquet", b"PAR1aaaaaaaaaaaa"), &["truncated"]);
    says(read_bytes("a.h5ad", b"\x89HDF\r\n\x1a\n0000"), &["HDF5"]);
    says(read_bytes("a.csv", b"<!DOCTYPE html><html></html>"), &["web page"]);
    says(read_bytes("a.csv", b"x,y\n1,\x01\xff\n"), &["row 2", "UTF-8"]);
    says(read_bytes("a.csv", b"x,x\n1,2\n"), &["columns occur twice", "\"x\""]);
}

#[test]
fn files_are_what_their_bytes_say() {
    for (name, bytes) in [
        ("a.csv.gz", &b"x,y\n1,2\n"[..]),
        ("a.parquet", b"x,y\n1,2\n"),
        ("a", b"x;y\n1;2\n"),
        ("a.csv", b"x\ty\n1\t2\n"),
    ] {
        let table = read_bytes(name, bytes).unwrap();
        assert_eq!((table.names().len(), table.rows()), (2, 1), "{name}");
    }
    let latin = read_bytes("a.csv", b"drug,y\nLum\xe9tinib,2\n").unwrap();
    assert_eq!(latin.texts(0).unwrap(), [Some("Lum\u{e9}tinib".to_owned())]);
    assert!(latin.notes()[0].contains("row 2 is not valid UTF-8"), "{:?}", latin.notes());
}

#[test]
fn ragged_rows_and_quotation_marks() {
    says(read_bytes("a.csv", b"x,y\n1,2\n1,2,3\n"), &["row 3 has 3 fields", "header has 2"]);
    says(read_bytes("a.csv", b"x,y\n1,\"2\n"), &["row 2", "never closed"]);
    says(read_bytes("a.csv", b"x,y\n1,\"2\n3,4\n"), &["row 2", "never closed"]);
    let inches = read_bytes("a.csv", b"x,y\n1,2\"\n").unwrap();
    assert_eq!(inches.texts(1).unwrap(), [Some("2\"".to_owned())]);
    let table = read_bytes("a.csv", b"\xEF\xBB\xBFdrug,y\r\n\"a, \"\"b\"\"\",2\r\n").unwrap();
    assert_eq!(table.names(), ["drug", "y"]);
    assert_eq!(table.texts(0).unwrap(), [Some("a, \"b\"".to_owned())]);
}

#[test]
fn text_in_a_numeric_column() {
    let folder = Folder::with(&[("responses.csv", &RESPONSES.replace("2.5", "high"))]);
    says(folder.load(&[], None), &["responses.csv", "LN_IC50", "row 4", "\"high\"", "a number"]);
    let folder = Folder::with(&[
        ("responses.csv", RESPONSES),
        ("e.csv", "cell_line,A,B\nA549,1,2\nMCF7,2,3\nNCI-H226,3,x\n"),
    ]);
    says(folder.load(&[(CellKind::EXPRESSION, "e.csv")], None), &["e.csv", "\"B\"", "row 4", "\"x\""]);
}

#[test]
fn missing_and_infinite_responses() {
    for missing in ["", "NA", "N/A", "NaN", "nan", "null", "None", "#N/A", "-"] {
        let folder = Folder::with(&[("responses.csv", &RESPONSES.replace("2.5", missing))]);
        let loaded = folder.load(&[], None).unwrap();
        assert_eq!(loaded.screen.responses.len(), 3, "{missing:?}");
        assert_eq!(loaded.report.left_out[0].count, 1);
    }
    let folder = Folder::with(&[("responses.csv", &RESPONSES.replace("2.5", "inf"))]);
    says(folder.load(&[], None), &["LN_IC50", "row 4", "\"inf\"", "finite"]);
}

#[test]
fn impossible_features() {
    for (kind, value, expected) in [
        (CellKind::EXPRESSION, "inf", "finite"),
        (CellKind::COPY_NUMBER, "1e6", "copy number"),
        (CellKind::MUTATION, "0.5", "0 or 1"),
    ] {
        let features = format!("cell_line,A\nA549,0\nNCI-H226,{value}\n");
        let folder = Folder::with(&[("responses.csv", RESPONSES), ("f.csv", &features)]);
        says(folder.load(&[(kind, "f.csv")], None), &["f.csv", "\"A\"", "row 3", expected]);
    }
}

#[test]
fn unrecognised_columns() {
    let folder = Folder::with(&[("responses.csv", "who,DRUG_NAME,LN_IC50,fold\nA549,x,1,0\n")]);
    says(folder.load(&[], None), &["who, DRUG_NAME", "cell_line"]);
    let folder = Folder::with(&[("responses.csv", "cell,drug_a,other,synergy\nA549,x,y,1\n")]);
    says(folder.load(&[], None), &["drug_b"]);
    let folder = Folder::with(&[("responses.csv", RESPONSES)]);
    let data = DataConfig { response: Some("responses.csv".into()), ..DataConfig::default() };
    let target = TargetConfig { column: Some("LN_IC5".into()), ..TargetConfig::default() };
    let error =
        says(load(&data, &target, folder.path(), None), &["target.column", "did you mean \"LN_IC50\""]);
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn repeated_measurements() {
    let text = format!("{RESPONSES}A549,Torin-2,-2.5,1\nA549,torin 2,5.5,1\n");
    let folder = Folder::with(&[("responses.csv", &text)]);
    let data = DataConfig { response: Some("responses.csv".into()), ..DataConfig::default() };
    for (duplicates, value) in [(Duplicates::Mean, 0.5), (Duplicates::Median, -1.5)] {
        let target = TargetConfig { duplicates, ..TargetConfig::default() };
        let loaded = load(&data, &target, folder.path(), None).unwrap();
        assert_eq!(loaded.screen.responses.values()[1], value);
    }
    let target = TargetConfig { duplicates: Duplicates::Error, ..TargetConfig::default() };
    says(load(&data, &target, folder.path(), None), &["A549 with Torin 2", "rows 5, 6, 7"]);
    let folder = Folder::with(&[("responses.csv", &text.replace("-2.5,1", "-2.5,0"))]);
    let conflicts = folder.load(&[], None).unwrap().fold_conflicts;
    assert!(
        conflicts[0].contains("A549 with Torin 2 is in different folds in rows 5 and 6"),
        "{conflicts:?}"
    );
}

#[test]
fn a_cell_line_on_two_rows() {
    let features = "cell_line,A\nA549,1\nNCI-H226,2\nNCIH226,3\n";
    let folder = Folder::with(&[("responses.csv", RESPONSES), ("f.csv", features)]);
    says(folder.load(&[(CellKind::EXPRESSION, "f.csv")], None), &["f.csv", "NCIH226 (as NCI-H226, NCIH226)"]);
}

#[test]
fn a_transposed_file_is_turned() {
    let features = "gene,A549,NCIH226\nABCB1,1,2\nEGFR,3,4\n";
    let folder = Folder::with(&[("responses.csv", RESPONSES), ("f.csv", features)]);
    let loaded = folder.load(&[(CellKind::EXPRESSION, "f.csv")], None).unwrap();
    assert_eq!(loaded.report.files[1].shape.orientation.as_deref(), Some("features × cell lines"));
    assert_eq!(loaded.screen.tables[0].block("expression").unwrap().names, ["ABCB1", "EGFR"]);
    let folder = Folder::with(&[("responses.csv", RESPONSES), ("f.csv", "A549,NCIH226\n1,2\n3,4\n")]);
    says(folder.load(&[(CellKind::EXPRESSION, "f.csv")], None), &["no column names the features"]);
}

#[test]
fn a_feature_named_twice() {
    let features = "gene,A549,NCIH226\nABCB1,1,2\nABCB1,3,4\n";
    let folder = Folder::with(&[("responses.csv", RESPONSES), ("f.csv", features)]);
    let loaded = folder.load(&[(CellKind::EXPRESSION, "f.csv")], None).unwrap();
    let halfmax_core::FeatureValues::Real(values) = &loaded.screen.tables[0].blocks()[0].values else {
        panic!()
    };
    assert_eq!(values.column(0).to_vec(), [2.0, 3.0]);
    assert!(loaded.report.to_string().contains("more than once, averaged: 1 (ABCB1)"), "{}", loaded.report);
    let features = features.replace("3,4", "0,1").replace("1,2", "1,0");
    let folder = Folder::with(&[("responses.csv", RESPONSES), ("f.csv", &features)]);
    says(folder.load(&[(CellKind::MUTATION, "f.csv")], None), &["f.csv", "twice: ABCB1", "average"]);
}

#[test]
fn nothing_in_common() {
    let folder = Folder::with(&[("responses.csv", RESPONSES), ("f.csv", "cell_line,A\nMCF7,1\nK562,2\n")]);
    says(
        folder.load(&[(CellKind::EXPRESSION, "f.csv")], None),
        &["responses.csv has 2 (A549, NCI-H226)", "f.csv has 2 (K562, MCF7)", "annotation"],
    );
}

#[test]
fn lines_of_almost_one_name_stay_apart() {
    let responses = "cell_line,drug,AUC\nT-T,x,0.1\nTT,x,0.2\nKM-H2,x,0.3\nKMH-2,x,0.4\nA549,x,0.5\n";
    let folder =
        Folder::with(&[("responses.csv", responses), ("f.csv", "cell_line,A\nTT,1\nKMH2,2\nA549,3\n")]);
    let data = DataConfig { response: Some("responses.csv".into()), ..DataConfig::default() };
    let loaded = load(&data, &TargetConfig::default(), folder.path(), None).unwrap();
    assert_eq!(loaded.screen.tables[0].ids(), ["A549", "KM-H2", "KMH-2", "T-T", "TT"]);
    let data = DataConfig { cells: vec![CellFile::new(CellKind::EXPRESSION, "f.csv")], ..data };
    let loaded = load(&data, &TargetConfig::default(), folder.path(), None).unwrap();
    assert_eq!(loaded.screen.tables[0].ids(), ["A549"]);
    assert_eq!(loaded.report.files[1].ambiguous, ["KMH2", "TT"]);
}

#[test]
fn fold_files() {
    let folder = Folder::with(&[
        ("responses.csv", RESPONSES),
        ("cells.csv", "cell_line,tissue,fold\nA-549,lung,0\nNCI-H226,lung,1\n"),
        ("drugs.csv", "drug,fold\nTORIN2,0\nerlotinib,1\n"),
        ("misspelt.csv", "cell_line,fold\nA-549,0\nNCI-H22,1\n"),
        ("unnumbered.csv", "cell_line,fold\nA-549,0\nNCI-H226,first\n"),
        ("twice.csv", "cell_line,fold\nA-549,0\nA549,1\n"),
        ("headless.csv", "line,part\nA-549,0\n"),
    ]);
    let screen = folder.load(&[], None).unwrap().screen;
    let read = |name: &str, uncovered| read_folds(folder.path().join(name), &screen, uncovered);
    let cells = read("cells.csv", Uncovered::Refuse).unwrap();
    assert_eq!(
        (cells.folds, cells.keys),
        (vec![Some(0), Some(0), Some(1), Some(1)], vec!["cell_line".into()])
    );
    let drugs = read("drugs.csv", Uncovered::Refuse).unwrap();
    assert_eq!(drugs.folds, [Some(1), Some(0), Some(1), Some(0)]);
    says(
        read("misspelt.csv", Uncovered::Refuse),
        &["misspelt.csv", "1 of cell_line", "2 responses", "NCIH226"],
    );
    let left = read("misspelt.csv", Uncovered::LeaveOut).unwrap();
    assert_eq!((left.left_out, left.folds[2]), (2, None));
    says(read("unnumbered.csv", Uncovered::Refuse), &["row 3", "\"first\"", "fold number"]);
    says(read("twice.csv", Uncovered::Refuse), &["row 3", "fold 1", "fold 0"]);
    says(read("headless.csv", Uncovered::Refuse), &["line, part", "fold"]);
}

#[test]
fn drugs_to_score() {
    let folder = Folder::with(&[
        ("drugs.csv", "Name,SMILE\nethanol,CCO\nbroken,C1CC(\n"),
        ("nameless.csv", "thing,smiles\nx,CCO\n"),
    ]);
    let features = DrugFeatures::default();
    let (table, report) = read_drugs(folder.path().join("drugs.csv"), &features, None).unwrap();
    assert_eq!(table.block("fingerprint").unwrap().missing_share(), 0.5);
    assert!(report.to_string().contains("row 3, broken"), "{report}");
    says(read_drugs(folder.path().join("nameless.csv"), &features, None), &["thing, smiles", "DRUG_NAME"]);
    let odd = DrugFeatures { fingerprint_bits: 100, ..features };
    says(read_drugs(folder.path().join("drugs.csv"), &odd, None), &["fingerprint_bits = 100", "512"]);
}

#[test]
fn cell_lines_to_score() {
    let folder = Folder::with(&[
        ("e.csv", "cell_line,A,B\npatient 1,0.5,1\n"),
        ("m.csv", "cell_line,A,B\npatient 1,0,1\npatient 2,1,1\n"),
        ("all.csv", "cell_line,expression/A,mutation/B\npatient 1,0.5,1\n"),
        ("drugs.csv", "drug,smiles\nethanol,CCO\n"),
    ]);
    let place = |name: &str| folder.path().join(name);
    let (table, _) =
        read_cells_for_scoring(&[(&place("e.csv"), None), (&place("m.csv"), None)], None, None).unwrap();
    assert_eq!(table.ids(), ["PATIENT1", "PATIENT2"]);
    assert_eq!(table.block("expression").unwrap().missing_share(), 0.5);
    assert_eq!(table.block("mutation").unwrap().names, ["A", "B"]);
    let (table, _) = read_cells_for_scoring(&[(&place("all.csv"), None)], None, None).unwrap();
    assert_eq!(table.block("mutation").unwrap().names, ["B"]);
    says(
        read_cells_for_scoring(&[(&place("drugs.csv"), None)], None, None),
        &["drugs.csv", "not recognised"],
    );
}

#[test]
fn datasets_and_configurations() {
    let data = DataConfig { dataset: Some("gdsc-cor".into()), ..DataConfig::default() };
    says(load(&data, &TargetConfig::default(), Path::new("."), None), &["did you mean \"gdsc-core\""]);
    says(load(&DataConfig::default(), &TargetConfig::default(), Path::new("."), None), &["data.response"]);
    let data = DataConfig { dataset: Some("gdsc-core".into()), response: Some("gdsc3".into()), ..data };
    says(load(&data, &TargetConfig::default(), Path::new("."), None), &["gdsc3", "gdsc2"]);
    let error = toml::from_str::<DataConfig>("respnse = \"x.csv\"").unwrap_err();
    assert!(error.to_string().contains("respnse"), "{error}");
    let table: DataConfig =
        toml::from_str("dataset = \"gdsc-core\"\n[[cells]]\nkind = \"copy_number\"").unwrap();
    assert_eq!(table.cells[0].kind, CellKind::COPY_NUMBER);
}

#[test]
fn the_embedded_dataset_has_its_sizes() {
    for (response, cells, drugs, pairs) in [(None, 919, 53, 42_885), (Some("gdsc2"), 919, 58, 50_290)] {
        let data = DataConfig {
            dataset: Some("gdsc-core".into()),
            response: response.map(Into::into),
            ..DataConfig::default()
        };
        let loaded = load(&data, &TargetConfig::default(), Path::new("."), None).unwrap();
        let [cell_table, drug_table] = &loaded.screen.tables[..] else { panic!("two tables") };
        assert_eq!((cell_table.len(), drug_table.len()), (cells, drugs));
        assert_eq!(loaded.screen.responses.len(), pairs);
        assert_eq!(cell_table.block("expression").unwrap().len(), 1000);
        assert!(loaded.report.warnings.is_empty(), "{}", loaded.report);
    }
}

#[test]
fn an_inspection_says_what_looks_wrong() {
    let folder = Folder::with(&[
        ("responses.csv", &format!("{}A549,Erlotinib,900,0\n", RESPONSES.replace(",-", ","))),
        ("e.csv", "cell_line,A,B\nTT,1,0.5\nA549,1,1.5\n"),
    ]);
    let found = inspect(folder.path().join("responses.csv")).unwrap().remove(0);
    assert_eq!(found.shape.role, "responses");
    let text = found.to_string();
    assert!(
        text.contains("look like IC50 in µM") && text.contains("repeat the names of an earlier"),
        "{text}"
    );
    let found = inspect(folder.path().join("e.csv")).unwrap().remove(0);
    assert_eq!(found.shape.role, "expression");
    let text = found.to_string();
    assert!(text.contains("TT could be TT or T-T"), "{text}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bytes("a.csv", &bytes);
        let _ = read_bytes("a.tsv", &bytes);
        let _ = read_bytes("a.csv.gz", &bytes);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ab,1\\.\"\n\r\t é-]{0,200}") {
        if let Ok(table) = read_bytes("a.csv", text.as_bytes()) {
            for column in 0..table.names().len() {
                prop_assert_eq!(table.texts(column).unwrap().len(), table.rows());
                let _ = table.numbers(column, "a number");
            }
        }
    }
}

const COMBINATIONS: &str = "cell_line,drug_a_name,drug_b_name,synergy,fold\n\
    A549,Erlotinib,SN-38,10,0\nA549,sn38,Erlotinib,14,0\nA549,MK 1775,SN-38,-3,1\nA549,SN-38,SN-38,50,1\n\
    A549,,SN-38,1,0\nMCF7,SN-38,MK-1775,7,1\n";

#[test]
fn both_orders_of_a_combination_are_one() {
    let folder = Folder::with(&[("responses.csv", COMBINATIONS)]);
    let loaded = folder.load(&[], None).unwrap();
    let responses = &loaded.screen.responses;
    assert_eq!(loaded.screen.table(1).ids(), ["Erlotinib", "MK 1775", "SN-38"]);
    assert_eq!(responses.values(), [12.0, -3.0, 7.0]);
    assert_eq!((responses.side(1), responses.side(2)), (&[0, 1, 1][..], &[2, 2, 2][..]));
    assert_eq!(loaded.folds, Some(vec![Some(0), Some(1), Some(1)]));
    let report = loaded.report.to_string();
    for words in [
        "1 responses, they combine a drug with itself",
        "2 combinations of 3 drugs",
        "the second drug is missing",
    ] {
        assert!(report.contains(words), "{report}");
    }
}

#[test]
fn folds_of_drugs_and_of_combinations() {
    let files = [
        ("responses.csv", COMBINATIONS),
        ("drugs.csv", "drug,fold\nSN38,0\nErlotinib,1\nMK-1775,0\n"),
        ("pairs.csv", "drug_a,drug_b,fold\nSN-38,Erlotinib,1\nMK-1775,SN-38,0\n"),
        ("mixed.csv", "cell_line,drug,fold\nA549,SN-38,0\n"),
    ];
    let folder = Folder::with(&files);
    let screen = folder.load(&[], None).unwrap().screen;
    let read = |name: &str| read_folds(folder.path().join(name), &screen, Uncovered::Refuse);
    let of_drugs = read("drugs.csv").unwrap();
    let expected = vec![vec![Some(1), Some(0)], vec![Some(0), Some(0)], vec![Some(0), Some(0)]];
    assert_eq!(of_drugs.of_members, Some(expected));
    assert_eq!(read("pairs.csv").unwrap().folds, [Some(1), Some(0), Some(0)]);
    says(read("mixed.csv"), &["mixed.csv", "combinations", "drug_b"]);
}

#[test]
fn readings_and_dose_matrices_are_recognised() {
    let folder = Folder::with(&[
        ("raw.csv", "drug,cell_line,dose_um,viability\nSN-38,A549,1,90\nSN-38,A549,1,88\nSN-38,A549,3,20\n"),
        ("doubtful.csv", "drug,cell_line,dose,response\nSN-38,A549,1,90\nSN-38,A549,3,20\n"),
        ("matrix.csv", "drug1,drug2,conc1,conc2,inhibition\nSN-38,Erlotinib,0,1,9\nSN-38,Erlotinib,0,1,40\n"),
    ]);
    let inspected = |name: &str| inspect(folder.path().join(name)).unwrap().remove(0);
    let raw = inspected("raw.csv");
    // Replicates are not repeats.
    assert_eq!((raw.shape.role.as_str(), raw.problems.len()), ("readings", 0), "{raw}");
    let doubtful = inspected("doubtful.csv");
    assert!(doubtful.shape.role == "readings" && doubtful.problems[0].contains("--response"), "{doubtful}");
    let matrix = inspected("matrix.csv");
    assert_eq!((matrix.shape.role.as_str(), matrix.drugs), ("dose matrices", 2), "{matrix}");
}

#[test]
fn single_agents_of_a_screen_of_combinations() {
    let readings = "Compound,Channel,Dose,Response\nSN38,A549,1,10\nSN-38,A549,3,30\nSN-38,A549,1,20\nSN-38,nobody,1,9\n";
    let folder = Folder::with(&[
        ("responses.csv", COMBINATIONS),
        ("readings.csv", readings),
        ("curves.csv", "drug,cell_line,auc,emax\nSN-38,A549,0.5,0.1\nErlotinib,MCF-7,0.7,0.9\n"),
        (
            "numbered.csv",
            "drug,cell_line,pubchem_cid,auc\nSN-38,A549,104842,0.5\nErlotinib,MCF-7,176870,0.7\n",
        ),
        ("strangers.csv", "drug,cell_line,auc\nAspirin,A549,0.5\n"),
        ("text.csv", "drug,cell_line,auc\nSN-38,A549,much\n"),
    ]);
    let with = |file: &str, columns: &[&str]| {
        let data = DataConfig {
            response: Some("responses.csv".into()),
            single_agent: Some(file.into()),
            single_agent_columns: columns.iter().map(ToString::to_string).collect(),
            ..DataConfig::default()
        };
        load(&data, &TargetConfig::default(), folder.path(), None)
    };
    let loaded = with("readings.csv", &[]).unwrap();
    let block = loaded.screen.table(1).block("single_agent").unwrap();
    assert_eq!(block.names, ["A549/dose1", "A549/dose2", "MCF7/dose1", "MCF7/dose2"]);
    let halfmax_core::FeatureValues::Real(values) = &block.values else { panic!("{block:?}") };
    // The mean of 10 and 20, and 30, in units of their standard deviation.
    assert!((values[[2, 1]] / values[[2, 0]] - 2.0).abs() < 1e-6 && values[[0, 0]].is_nan());
    assert_eq!(loaded.screen.table(0).block("single_agent").unwrap().len(), 6);
    let curves = with("curves.csv", &["emax"]).unwrap();
    assert_eq!(curves.screen.table(1).block("single_agent").unwrap().names, ["A549/emax", "MCF7/emax"]);
    // Ids of drugs are numbers but not measures.
    let numbered = with("numbered.csv", &[]).unwrap();
    assert_eq!(numbered.screen.table(1).block("single_agent").unwrap().names, ["A549/auc", "MCF7/auc"]);
    says(with("strangers.csv", &[]), &["strangers.csv", "same names"]);
    says(with("text.csv", &["auc"]), &["text.csv", "\"auc\"", "row 2", "much"]);
    says(with("curves.csv", &["ic50"]), &["single_agent_columns", "ic50", "auc"]);
}

#[test]
fn a_matrix_of_responses_is_not_pooled_over_what_tells_its_rows_apart() {
    for (column, values) in [("study", ["GDSC1", "GDSC2"]), ("time_h", ["24", "72"])] {
        let text = format!(
            "cell_line,{column},Erlotinib,Gefitinib\nA549,{0},1.5,2.5\nA549,{1},3.5,4.5\nMCF7,{0},2.5,1.5\n",
            values[0], values[1]
        );
        let folder = Folder::with(&[("responses.csv", &text)]);
        says(folder.responses(), &["responses.csv", column, values[0], values[1], "rows 2 and 3"]);
    }
}

#[test]
fn repeats_that_differ_are_named_by_their_rows() {
    let text = "cell_line,drug,time_h,LN_IC50\nA549,Erlotinib,,1\nA549,Erlotinib,24,2\nMCF7,Erlotinib,24,1\nMCF7,Erlotinib,72,2\n";
    let folder = Folder::with(&[("responses.csv", text)]);
    says(folder.responses(), &["time_h", "rows 4 and 5 with 24, 72"]);
}

#[test]
fn what_is_said_of_columns_that_no_file_has_is_refused() {
    let folder = Folder::with(&[("responses.csv", RESPONSES)]);
    for (key, name, parts) in [
        ("response", "LN_IC5O", ["columns.response", "LN_IC50"]),
        ("respnse", "LN_IC50", ["columns.respnse", "response"]),
    ] {
        let data = DataConfig {
            response: Some("responses.csv".into()),
            columns: [(key.to_owned(), halfmax_data::Names::One(name.to_owned()))].into(),
            ..DataConfig::default()
        };
        says(load(&data, &TargetConfig::default(), folder.path(), None), &parts);
    }
}
