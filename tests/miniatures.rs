//! Small files that are easily misread, each with what is right: read as it means, or refused with the name of what is wrong. The files are
//! beside the repository; without them these tests are skipped.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod command;

use std::path::{Path, PathBuf};

use command::halfmax;
use halfmax_data::read_table;

/// The folder of the files, if it is there.
fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let found = folder.is_dir().then_some(folder);
    if found.is_none() {
        eprintln!("skipped: ../shared/cases is not here");
    }
    found
}

/// What a command printed, on both streams, and its exit code.
struct Said {
    text: String,
    code: i32,
    command: String,
}

fn say(folder: &Path, arguments: &[&str]) -> Said {
    let output = halfmax(folder, arguments);
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(!text.contains("panicked"), "{arguments:?}: {text}");
    Said { text, code: output.status.code().unwrap_or(-1), command: arguments.join(" ") }
}

impl Said {
    #[track_caller]
    fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}: {}", self.command, self.text);
        self
    }

    /// Neither done nor interrupted: refused.
    #[track_caller]
    fn refused(self) -> Self {
        assert!([2, 3, 4].contains(&self.code), "{}: exit code {}: {}", self.command, self.code, self.text);
        self
    }

    #[track_caller]
    fn has(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.text.contains(part), "{}: expected {part:?} in: {}", self.command, self.text);
        }
        self
    }

    #[track_caller]
    fn lacks(self, part: &str) -> Self {
        assert!(!self.text.contains(part), "{}: unexpected {part:?} in: {}", self.command, self.text);
        self
    }
}

fn check(case: &str, name: &str) -> Option<Said> {
    let folder = folder()?.join(case);
    Some(say(&folder, &["data", "check", &format!("{name}.toml")]))
}

fn inspect(case: &str, file: &str) -> Option<Said> {
    let folder = folder()?.join(case);
    Some(say(&folder, &["data", "inspect", file]))
}

/// The curves that are fitted to a file: `(cell line, drug, column → value)`.
struct Curves {
    said: Said,
    table: Option<halfmax_data::RawTable>,
}

fn fit(case: &str, arguments: &[&str]) -> Option<Curves> {
    let folder = folder()?.join(case);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("curves.csv");
    let path = path.to_str().unwrap();
    let said = say(&folder, &[&["fit-curves"], arguments, &["--out", path]].concat());
    let table = (said.code == 0).then(|| read_table(path).unwrap());
    Some(Curves { said, table })
}

impl Curves {
    fn value(&self, row: usize, column: &str) -> f64 {
        let table = self.table.as_ref().unwrap_or_else(|| panic!("{}", self.said.text));
        let at = table.names().iter().position(|name| name == column).unwrap();
        table.numbers(at, "a number").unwrap()[row]
    }

    #[track_caller]
    fn near(&self, row: usize, column: &str, expected: f64, tolerance: f64) {
        let value = self.value(row, column);
        assert!(
            (value / expected - 1.0).abs() < tolerance,
            "{}: {column} {value}, expected {expected}",
            self.said.command
        );
    }

    fn text(&self, row: usize, column: &str) -> String {
        let table = self.table.as_ref().unwrap();
        let at = table.names().iter().position(|name| name == column).unwrap();
        table.texts(at).unwrap()[row].clone().unwrap_or_default()
    }

    fn rows(&self) -> usize {
        self.table.as_ref().map_or(0, halfmax_data::RawTable::rows)
    }
}

fn synergy(case: &str, arguments: &[&str]) -> Option<Said> {
    let folder = folder()?.join(case);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("scores.csv");
    Some(say(&folder, &[&["synergy"], arguments, &["--out", path.to_str().unwrap()]].concat()))
}

macro_rules! or_skip {
    ($given:expr) => {
        match $given {
            Some(given) => given,
            None => return,
        }
    };
}

#[test]
fn directions_and_units_of_responses() {
    for name in ["ic50_um", "ic50_nm", "ic50"] {
        or_skip!(check("R02-ic50-in-um", name)).code(0).has(&["logarithm"]);
    }
    let curves = or_skip!(fit("R03-curves-to-screen", &["readings.csv"]));
    let known = (0..curves.rows()).filter(|row| curves.value(*row, "ln_ic50").is_finite()).count();
    assert_eq!(known, 70);
    or_skip!(fit("R04-wrong-way-round", &["viabilities.csv", "--response", "inhibition-percent"]))
        .said
        .code(3)
        .has(&["untreated wells", "--response viability-percent"]);
    or_skip!(synergy("R04-wrong-way-round", &["matrix.csv", "--response", "inhibition-percent"]))
        .code(3)
        .has(&["untreated wells"]);
    let right = or_skip!(fit("R04-wrong-way-round", &["viabilities.csv", "--response", "viability-percent"]));
    right.near(0, "ic50_um", 0.082, 0.02);
    right.near(1, "ic50_um", 2.59, 0.02);
}

#[test]
fn columns_that_are_no_features() {
    for (name, column) in
        [("unnamed", "\"\""), ("named", "Unnamed: 0"), ("x", "X"), ("filtered_frame", "__index_level_0__")]
    {
        let column = column.trim_matches('"');
        or_skip!(check("C01-row-number-as-gene", name)).code(0).has(&[
            "not features, set aside",
            column,
            "row numbers",
        ]);
    }
    or_skip!(check("C01-row-number-as-gene", "without")).code(0).lacks("set aside");
    or_skip!(inspect("C05-index-as-feature", "cell2index.csv")).code(0).lacks("expression");
    or_skip!(check("C05-index-as-feature", "screen")).refused().has(&["\"index\" (row numbers)"]);
    or_skip!(check("C06-response-as-feature", "wide_as_features"))
        .refused()
        .has(&["Drug_1000_IC50", "responses"]);
    or_skip!(check("C06-response-as-feature", "merged_as_features"))
        .code(0)
        .has(&["\"IC50\", \"AAC\" (responses"]);
}

#[test]
fn units_of_doses() {
    for file in [
        "units.csv",
        "unit.csv",
        "dose_unit.csv",
        "dose_units.csv",
        "conc_units.csv",
        "header_Dose_nM.csv",
        "header_Dose_uM.csv",
        "header_concentration_nM.csv",
        "header_dose_mM.csv",
        "header_conc_M.csv",
        "slash_units.csv",
    ] {
        let curves = or_skip!(fit("C02-unit-passed-over", &[file]));
        curves.near(0, "ic50_um", 0.402, 0.01);
        assert!(!curves.said.text.contains("no unit is given"), "{file}");
    }
    or_skip!(fit("C02-unit-passed-over", &["rank_and_conc.csv"]))
        .said
        .code(3)
        .has(&["\"dose\"", "\"conc_um\""]);
    or_skip!(fit("C02-unit-passed-over", &["rank_and_conc.csv", "--column", "dose=conc_um"]))
        .near(0, "ic50_um", 0.402, 0.01);
}

#[test]
fn columns_that_tell_measurements_apart() {
    let alone = or_skip!(fit("C03-second-drug-and-time", &["second_drug.csv"]));
    alone.near(0, "ic50_um", 4.5, 0.01);
    assert!(alone.said.text.contains("\"drug2\""), "{}", alone.said.text);
    or_skip!(fit("C03-second-drug-and-time", &["time.csv"])).said.code(3).has(&["time_h", "24, 72"]);
    or_skip!(fit("C03-second-drug-and-time", &["time.csv", "--where", "time_h=72"]))
        .near(0, "ic50_um", 0.64, 0.01);
    or_skip!(synergy("C04-pair-number-and-third-drug", &["pair_index.csv"]))
        .code(0)
        .has(&["hsa 6.6, bliss -0.4", "hsa -3.4, bliss -11"]);
    or_skip!(synergy("C04-pair-number-and-third-drug", &["three_drugs.csv"])).code(0).has(&[
        "1:Corvaxel+Nolastat (Corvaxel with Nolastat",
        "hsa 6.6, bliss -0.4",
        "1 (Corvaxel with Nolastat and Ostarubicin",
    ]);
}

#[test]
fn scales_of_readings() {
    for arguments in [&["all_dead.csv"][..], &["all_dead.csv", "--response", "viability-percent"]] {
        let dead = or_skip!(fit("S01-percent-by-name", arguments));
        dead.near(0, "auc", 0.00676, 0.01);
        assert_eq!(dead.text(0, "ic50_position"), "below");
    }
    for file in ["inactive.csv", "inactive_with_active.csv", "inactive_noisy.csv"] {
        or_skip!(fit("S01-percent-by-name", &[file])).near(0, "auc", 1.0, 0.02);
    }
    or_skip!(synergy("S01-percent-by-name", &["inert_matrix.csv"])).code(0).has(&["hsa -0.7, bliss -0.2"]);
    let weak = or_skip!(fit("S01-percent-by-name", &["f5_inhibition_percent_read_as_fraction.csv"]));
    weak.near(0, "auc", 0.995, 0.01);
    assert!(weak.value(0, "ic50_um").is_nan());
    or_skip!(inspect("S02-raw-signal", "raw_viability.csv")).code(0).has(&["raw signal"]);
    or_skip!(fit("S02-raw-signal", &["raw_inhibition.csv"])).said.code(3).has(&["raw signal"]);
    or_skip!(fit("S02-raw-signal", &["raw_luminescence.csv"])).near(0, "ic50_um", 0.28, 0.02);
    or_skip!(inspect("S03-expression-scale", "one_line_in_counts.csv")).code(0).has(&["SNB75"]);
}

/// A model that was trained on one of the cases, and what scoring with it says.
fn trained(case: &Path, config: &str) -> (tempfile::TempDir, PathBuf) {
    let out = tempfile::tempdir().unwrap();
    let run = out.path().join("run");
    say(case, &["train", config, "--out", run.to_str().unwrap()]).code(0);
    let model = run.join("model.halfmax");
    (out, model)
}

#[test]
fn scales_of_features_when_scoring() {
    let case = or_skip!(folder()).join("S03-expression-scale");
    let (out, model) = trained(&case, "screen.toml");
    let scores = out.path().join("scores.csv");
    let score = |cells: &str, more: &[&str]| {
        let arguments = [
            "score",
            model.to_str().unwrap(),
            "--cells",
            cells,
            "--drugs",
            "drugs.csv",
            "--overwrite",
            "--out",
        ];
        say(&case, &[&arguments[..], &[scores.to_str().unwrap()], more].concat())
    };
    score("new_log.csv", &[]).code(0);
    score("new_tpm.csv", &[]).code(3).has(&["expression", "log2(x + 1)"]);
    score("new_z.csv", &[]).code(3).has(&["expression", "z-scores"]);
    score("new_tpm.csv", &["--any-scale"]).code(0);
}

#[test]
fn the_sensitive_end_is_the_same_in_every_unit() {
    let case = or_skip!(folder()).join("R01-higher-is-sensitive");
    for config in ["lnic50.toml", "pic50.toml", "aac.toml"] {
        let (out, model) = trained(&case, config);
        let scores = out.path().join("top.csv");
        let arguments = [
            "score",
            model.to_str().unwrap(),
            "--cells",
            "new.csv",
            "--drugs",
            "drugs.csv",
            "--top",
            "2",
            "--out",
            scores.to_str().unwrap(),
        ];
        say(&case, &arguments).code(0);
        let table = read_table(&scores).unwrap();
        let column = |name: &str| {
            table.texts(table.find(&[name]).unwrap()).unwrap().into_iter().flatten().collect::<Vec<String>>()
        };
        assert_eq!(column("drug"), ["Lumetinib", "Nolastat", "Corvaxel", "Lumetinib"], "{config}");
    }
}

#[test]
fn names_of_cell_lines() {
    or_skip!(inspect("I01-hep3b", "response.csv")).code(0).lacks("HEP3B").has(&["1 not"]);
    for name in ["Model", "model_renamed", "annotations", "ccle_names", "optional"] {
        or_skip!(check("I02-depmap-annotation", name)).code(0).has(&["of 30 cell lines"]);
    }
    or_skip!(check("I03-alias-beats-name", "screen"))
        .code(0)
        .has(&["screen: 8 responses", "of 4 cell lines"]);
    or_skip!(check("I04-annotation-takes-ids-away", "with")).code(0).has(&["of 5 cell lines"]);
    for name in ["cosmic_prefix", "data_prefix", "suffix", "panel_prefix", "x_prefix"] {
        or_skip!(check("I08-prefixed-ids", name)).code(0).has(&["of 10 cell lines"]);
    }
    or_skip!(inspect("I08-prefixed-ids", "float_cosmic.csv")).code(0).has(&["10 known"]);
    or_skip!(inspect("I09-release-names", "response.csv")).code(0).has(&["7 known"]);
}

#[test]
fn names_of_genes_and_drugs() {
    or_skip!(inspect("I05-dates-among-genes", "genes_in_rows.csv")).code(0).has(&["1-Mar"]);
    or_skip!(check("I05-dates-among-genes", "lines_in_rows")).has(&["1-Mar"]);
    or_skip!(check("I05-dates-among-genes", "genes_in_rows")).refused().has(&["1-Mar"]);
    for name in ["drugs", "drugs_name_second"] {
        or_skip!(check("I06-drug-sheet-key", name)).code(0).has(&["of 5 drugs, 5 have a structure"]);
    }
    or_skip!(check("I07-structure-spellings", "screen"))
        .code(0)
        .has(&["4 have a structure"])
        .lacks("cannot be used");
    or_skip!(check("I07-structure-spellings", "smiles_as_names")).code(0).has(&["4 have a structure"]);
    or_skip!(check("I09-release-names", "drugs_dots")).code(0).has(&["Nutlin"]);
    let explained = or_skip!(folder()).join("I10-symbols-with-ids");
    for name in ["symbols_entrez", "entrez"] {
        let out = tempfile::tempdir().unwrap();
        let run = out.path().join("run");
        say(&explained, &["train", &format!("{name}.toml"), "--out", run.to_str().unwrap()]).code(0);
        let (model, report) = (run.join("model.halfmax"), out.path().join("why/report.html"));
        say(
            &explained,
            &["explain", model.to_str().unwrap(), "--permutations", "100", "--out", report.to_str().unwrap()],
        )
        .code(0);
        assert_eq!(read_table(out.path().join("why/mechanisms.parquet")).unwrap().rows(), 96, "{name}");
    }
}

#[test]
fn orientations() {
    let case = or_skip!(folder()).join("O01-genes-called-like-lines");
    let out = tempfile::tempdir().unwrap();
    let run = out.path().join("run");
    say(&case, &["train", "screen.toml", "--out", run.to_str().unwrap()]).code(0);
    let model = run.join("model.halfmax");
    let mut predicted = Vec::new();
    for file in ["patients_in_rows.csv", "genes_in_rows.csv"] {
        let scores = out.path().join(format!("{file}.scores.csv"));
        let arguments = [
            "score",
            model.to_str().unwrap(),
            "--cells",
            file,
            "--drugs",
            "drugs.csv",
            "--out",
            scores.to_str().unwrap(),
        ];
        say(&case, &arguments).code(0);
        let table = read_table(&scores).unwrap();
        assert_eq!(table.rows(), 9);
        predicted.push(table.numbers(table.find(&["predicted"]).unwrap(), "a number").unwrap());
    }
    assert_eq!(predicted[0], predicted[1]);
    or_skip!(inspect("O01-genes-called-like-lines", "patients_in_rows.csv"))
        .code(0)
        .has(&["cell lines × features"]);
    or_skip!(inspect("O01-genes-called-like-lines", "genes_in_rows.csv"))
        .code(0)
        .has(&["features × cell lines"]);
    let joined = or_skip!(check("O02-genes-taken-for-lines", "screen"));
    assert!(joined.code == 0 && joined.text.contains("of 12 cell lines"), "{}", joined.text);
    or_skip!(inspect("O03-numbers-called-like-lines", "numbered_rows.csv")).code(0).lacks("1 known");
    or_skip!(inspect("O03-numbers-called-like-lines", "numbered_columns.csv")).code(0).lacks("3 known");
    or_skip!(inspect("O03-numbers-called-like-lines", "compounds.csv")).code(0).lacks("cell lines: ");
    or_skip!(inspect("O03-numbers-called-like-lines", "lines_called_name.csv")).code(0).lacks("drugs: 3");
    or_skip!(inspect("M03-genes-called-lines", "genes_in_rows.csv")).code(0).has(&["features × cell lines"]);
}

#[test]
fn layouts_of_responses() {
    for (case, names, parts) in [
        ("L01-gdsc-fitted", &["screen"][..], &["screen: 40 responses (LN_IC50)", "DRUG_ID"][..]),
        ("L02-depmap-current", &["expression", "expression_older"], &["of 10 cell lines"]),
        ("L03-prism-wide", &["auc_wide", "curve_parameters"], &["screen: 40 responses"]),
        (
            "L04-ctrp-four-tables",
            &["screen"],
            &["screen: 40 responses (area_under_curve) of 10 cell lines × 4 drugs"],
        ),
        (
            "L06-combination-summary",
            &["summary", "summary_zero"],
            &["screen: 36 responses", "6 combinations of 4 drugs", "left out: 24 responses"],
        ),
        ("L07-rma-matrix", &["screen"], &["of 10 cell lines", "GENE_title"]),
        ("L08-lists-of-mutations", &["mutations_maf", "mutations_txt", "alterations_csv"], &["list of"]),
        ("L09-wide-responses", &["lines_by_drugs", "drugs_by_lines"], &["screen: 40 responses"]),
        ("L09-wide-responses", &["ic50_by_cosmic"], &["screen: 36 responses"]),
        (
            "L10-separators-and-headers",
            &[
                "write_table_txt",
                "write_table_matrix_txt",
                "preamble_csv",
                "semicolons_csv",
                "semicolons_points_csv",
                "tabs_in_csv",
                "old_line_ends_csv",
            ],
            &["screen: 40 responses"],
        ),
        ("L10-separators-and-headers", &["two_header_rows"], &["transcript_id"]),
        ("L11-workbook-and-feather", &["workbook", "feather"], &["screen: 40 responses"]),
        ("L14-curves-in-one-cell", &["screen"], &["screen: 10 responses (ActArea)"]),
        ("L15-other-column-names", &["compound_a_b"], &["screen: 30 responses", "6 combinations", "QA"]),
        (
            "L15-other-column-names",
            &["spaces", "ids", "rows_cols", "score_column"],
            &["screen: 30 responses", "6 combinations"],
        ),
        ("L15-other-column-names", &["inhibitor", "primary_name"], &["screen: 40 responses"]),
        ("L16-structures-in-the-row", &["screen"], &["screen: 40 responses", "of 10 cell lines × 4 drugs"]),
        (
            "L17-long-digit-strings",
            &["fingerprints", "smiles_and_fingerprints", "bits"],
            &["screen: 40 responses"],
        ),
        ("L18-constant-tissue", &["screen"], &["tissue", "every feature is constant"]),
    ] {
        for name in names {
            or_skip!(check(case, name)).code(0).has(parts);
        }
    }
    or_skip!(check("L03-prism-wide", "dose_wide")).refused().has(&["several doses"]);
    or_skip!(check("L08-lists-of-mutations", "somatic_by_model_csv"))
        .refused()
        .has(&["ACH-810000", "Model.csv"]);
    or_skip!(check("L05-almanac", "screen")).refused().has(&["CONC"]);
    or_skip!(check("L10-separators-and-headers", "no_header_csv")).refused().has(&["no header"]);
}

#[test]
fn inspections_say_what_a_file_is() {
    for (case, file, parts) in [
        ("L03-prism-wide", "auc_wide.csv", &["responses", "cell lines × drugs"][..]),
        ("L03-prism-wide", "dose_wide.csv", &["doses"]),
        ("L09-wide-responses", "ic50_by_cosmic.csv", &["responses", "cell lines × drugs"]),
        ("L09-wide-responses", "lines_by_drugs.csv", &["responses", "cell lines × drugs"]),
        ("L09-wide-responses", "drugs_by_lines.csv", &["responses", "drugs × cell lines"]),
        ("L10-separators-and-headers", "no_header.csv", &["40 rows", "no header"]),
        ("L14-curves-in-one-cell", "one_row_a_curve.csv", &["readings"]),
        ("L16-structures-in-the-row", "smiles_and_vector.csv", &["responses", "drugs: 4"]),
        ("L19-gene-sets", "gene_sets.gmt", &["gene sets", "150"]),
        ("M02-inspect-that-does-not-say-why", "pairs_unknown.csv", &["combinations"]),
        ("M02-inspect-that-does-not-say-why", "doses_and_effects.csv", &["lacks"]),
        ("M02-inspect-that-does-not-say-why", "true_and_predicted.csv", &["lacks"]),
        ("Y04-matrix-without-names", "conc_headers.csv", &["lacks"]),
    ] {
        or_skip!(inspect(case, file)).code(0).has(parts);
    }
    or_skip!(inspect("L16-structures-in-the-row", "smiles_and_vector.csv")).lacks("42216077612740673842");
    for file in ["descriptors.csv", "symbol_map.csv"] {
        or_skip!(inspect("M02-inspect-that-does-not-say-why", file))
            .code(0)
            .lacks("cell lines: 0 known")
            .lacks("look like counts");
    }
}

#[test]
fn readings_and_plates() {
    or_skip!(fit("L10-separators-and-headers", &["readings_semicolons.csv"])).near(0, "ic50_um", 0.53, 0.01);
    for arguments in [
        &["a_controls_beside.tsv"][..],
        &["b_controls_as_rows.tsv"],
        &["c_data.tsv", "--control", "c_control.tsv", "--time-zero", "c_time0.tsv"],
    ] {
        let curves = or_skip!(fit("L12-counts-with-controls", arguments));
        curves.near(0, "ic50_um", 0.354, 0.02);
        curves.near(0, "gr50_um", 0.25, 0.04);
    }
    let plates = or_skip!(fit("L13-raw-plates", &["raw_data.csv"]));
    let mut found: Vec<f64> = (0..plates.rows()).map(|row| plates.value(row, "ic50_um")).collect();
    found.sort_by(f64::total_cmp);
    assert_eq!(found.len(), 4, "{}", plates.said.text);
    for (value, expected) in found.iter().zip([0.43, 0.85, 2.3, 4.8]) {
        assert!((value / expected - 1.0).abs() < 0.05, "{found:?}");
    }
    let lists = or_skip!(fit("L14-curves-in-one-cell", &["one_row_a_curve.csv"]));
    lists.near(0, "ic50_um", 0.027, 0.02);
    lists.near(1, "ic50_um", 0.27, 0.02);
}

#[test]
fn curves_whose_readings_say_little() {
    // Second phases and hooks: doses whose replicates agree are no outliers.
    let curves = or_skip!(fit("U01-top-dose-left-out", &["readings.csv"]));
    for row in 0..curves.rows() {
        let (drug, hook) = (curves.text(row, "drug"), curves.text(row, "drug").starts_with("hook"));
        assert_eq!(curves.value(row, "outliers"), 0.0, "{drug}");
        curves.near(row, "emax_observed", if hook { 0.66 } else { 0.105 }, 0.12);
        assert_eq!(curves.text(row, "flags").contains("non_monotone"), hook, "{drug}");
    }
    // A second phase that replicates tell has a model of its own, and 50 % is crossed where it falls; a hook keeps the IC50 of its fall.
    for row in 0..curves.rows() {
        let drug = curves.text(row, "drug");
        let (ic50, flags) = (curves.value(row, "ic50_um"), curves.text(row, "flags"));
        if drug.starts_with("hook") {
            assert!((0.074..0.081).contains(&ic50), "{drug}: {ic50}");
            curves.near(row, "emax", 0.66, 0.03);
        } else if drug != "second_effect_n1" {
            assert_eq!(
                (curves.text(row, "model"), curves.text(row, "ic50_position")),
                ("two_phase".into(), "within".into())
            );
            assert!((10.0..30.0).contains(&ic50) && flags.contains("biphasic"), "{drug}: {ic50} {flags}");
            let [lower, upper] = ["ic50_lower_um", "ic50_upper_um"].map(|end| curves.value(row, end));
            assert!(
                (9.0..ic50).contains(&lower) && (ic50..33.0).contains(&upper),
                "{drug}: {lower} to {upper}"
            );
        }
    }
    for (drug, expected) in
        [("second_effect_n2", 0.104), ("second_effect_n3", 0.104), ("second_effect_n6", 0.100)]
    {
        let row = (0..curves.rows()).find(|row| curves.text(*row, "drug") == drug).unwrap();
        curves.near(row, "emax_observed", expected, 0.01);
    }
    let curves = or_skip!(fit("U02-dispenser-jitter", &["three_doses.csv"]));
    assert_eq!((curves.value(0, "doses"), curves.text(0, "flags")), (3.0, "too_few_doses".to_owned()));
    // Where the sum of squares is flat in the slope, the slope is not the steepest, and the interval is open.
    let curves = or_skip!(fit("U03-steep-curves", &["f1_ridge_hill_at_limit.csv"]));
    assert!(curves.value(0, "hill") < 5.0 && curves.value(0, "ic50_um") > 1.0, "{}", curves.said.text);
    assert!(curves.value(0, "ic50_upper_um").is_nan() || curves.value(0, "ic50_upper_um") > 1.7);
    let curves = or_skip!(fit("U03-steep-curves", &["f3_interval_decades_wide.csv"]));
    curves.near(0, "ic50_lower_um", 0.033, 0.1);
    curves.near(0, "ic50_upper_um", 0.039, 0.1);
    // Four doses with one reading each.
    let curves = or_skip!(fit("U04-four-doses", &["f2_four_doses_flat_below_range.csv"]));
    assert_eq!(curves.text(0, "ic50_position"), "within");
    assert!((0.3..2.0).contains(&curves.value(0, "ic50_um")), "{}", curves.value(0, "ic50_um"));
}

#[test]
fn what_scores_of_matrices_rest_on() {
    // The lower of the two drugs' baselines.
    let said = or_skip!(synergy(
        "Y01-baseline",
        &["f4_baseline.csv", "--response", "viability-percent", "--baseline", "part"]
    ));
    said.code(0).has(&["hsa -5.8"]);
    // A well of a drug alone is missing: no cell of its row has a reference.
    let said = or_skip!(synergy("Y02-missing-single", &["f6_missing_single_other_mean.csv"]));
    said.code(0).has(&["hsa 4.4 (of 12 of 16 cells"]);
    or_skip!(synergy("Y02-missing-single", &["f6_same_complete.csv"])).code(0).has(&["hsa 7.0,"]);
}

#[test]
fn dose_matrices() {
    or_skip!(synergy("L05-almanac", &["combo_growth.csv"])).code(0).has(&["hsa 12.7", "hsa 16.6"]);
    or_skip!(synergy("Y03-one-block-stops-all", &["f7_block_without_single_stops_file.csv"]))
        .code(0)
        .has(&["no_single"]);
    or_skip!(synergy("Y04-matrix-without-names", &["conc_headers.csv"])).refused().has(&["help:"]);
    for file in ["both_orders.csv", "vehicle_as_second.csv"] {
        or_skip!(synergy("Y05-both-orders", &[file])).code(0).has(&["hsa 7.1, bliss 0.1"]);
    }
    or_skip!(synergy("Y05-both-orders", &["two_whole_matrices.csv"])).code(0).has(&["hsa 7.1", "1 block"]);
}

/// Few responses of each drug: intervals hold their own estimates, and are what a jackknife over cell lines says.
#[test]
fn intervals_of_metrics_hold_their_estimates() {
    let Some(folder) = folder() else { return };
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("run");
    let screen = folder.join("V01-interval-without-its-estimate");
    say(&screen, &["evaluate", "screen.toml", "--quiet", "--out", path.to_str().unwrap()]).code(0);
    let metrics = std::fs::read_to_string(path.join("metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
    let jackknife = [
        ("boost", [0.035, 0.132]),
        ("drug_mean", [-0.237, -0.151]),
        ("effects", [-0.220, -0.091]),
        ("elastic_net", [0.233, 0.472]),
    ];
    for (name, right) in jackknife {
        let models = metrics["models"].as_array().unwrap();
        let model = models.iter().find(|model| model["name"] == name).unwrap();
        let estimate = model["metrics"]["r2_within_drug"].as_f64().unwrap();
        let interval = [0, 1].map(|end| model["intervals"]["r2_within_drug"][end].as_f64().unwrap());
        assert!(interval[0] < estimate && estimate < interval[1], "{name}: {estimate} in {interval:?}");
        for (end, right) in interval.iter().zip(right) {
            assert!((end - right).abs() < 0.03, "{name}: {interval:?}, expected near {right}");
        }
    }
}

#[test]
fn text_files_of_all_kinds() {
    for file in [
        "old_line_ends.csv",
        "decimal_comma.csv",
        "comment_first.csv",
        "sep_first.csv",
        "thousands.csv",
        "trailing_columns.csv",
    ] {
        or_skip!(fit("M01-text-files", &[file])).near(0, "ic50_um", 0.73, 0.01);
    }
    for file in ["mass_unit.csv", "mass_unit_empty.csv"] {
        or_skip!(fit("M01-text-files", &[file])).said.code(3).has(&["dose_unit", "help:"]);
    }
    or_skip!(check("M02-inspect-that-does-not-say-why", "percentages")).refused().has(&["expression"]);
    or_skip!(check("M02-inspect-that-does-not-say-why", "repeats")).lacks("ABCB1, ABCB1, ABCB1");
    or_skip!(check("M02-inspect-that-does-not-say-why", "repeated_spelling")).lacks("Corvaxel with Corvaxel");
}
