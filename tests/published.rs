//! Tables as they are published, with what is odd in each: the names of their columns, row numbers, blank headers, line breaks in headers,
//! ids, spellings of missing values. The files in `published/` hold made-up numbers in exactly these layouts.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::path::{Path, PathBuf};

use halfmax_data::{RawTable, read_table};
use tempfile::TempDir;

use command::halfmax;

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/published").join(file)
}

/// A folder with these files.
fn folder(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        fs::copy(fixture(file), folder.path().join(file)).unwrap();
    }
    folder
}

/// What a command printed on both streams, and its exit code.
struct Said {
    text: String,
    code: i32,
}

fn say(folder: &TempDir, arguments: &[&str]) -> Said {
    let output = halfmax(folder.path(), arguments);
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(!text.contains("panicked"), "{arguments:?}: {text}");
    Said { text, code: output.status.code().unwrap_or(-1) }
}

impl Said {
    #[track_caller]
    fn has(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.text.contains(part), "expected {part:?} in:\n{}", self.text);
        }
        self
    }

    #[track_caller]
    fn lacks(self, part: &str) -> Self {
        assert!(!self.text.contains(part), "unexpected {part:?} in:\n{}", self.text);
        self
    }
}

#[track_caller]
fn inspect(folder: &TempDir, file: &str) -> Said {
    let said = say(folder, &["data", "inspect", file]);
    assert_eq!(said.code, 0, "{}", said.text);
    said
}

fn configured(folder: &TempDir, config: &str) -> Said {
    fs::write(folder.path().join("screen.toml"), config).unwrap();
    say(folder, &["data", "check", "screen.toml"])
}

/// `data check` of a configuration that must be good.
#[track_caller]
fn check(folder: &TempDir, config: &str) -> Said {
    let said = configured(folder, config);
    assert_eq!(said.code, 0, "{}", said.text);
    said
}

/// `data check` of a configuration that must be refused.
#[track_caller]
fn refuse(folder: &TempDir, config: &str) -> Said {
    let said = configured(folder, config);
    assert!([2, 3, 4].contains(&said.code), "exit code {}: {}", said.code, said.text);
    said
}

/// The tables that `data convert` makes of the configuration that was checked last.
#[track_caller]
fn convert(folder: &TempDir, table: &str) -> RawTable {
    let said = say(folder, &["data", "convert", "screen.toml", "--out", "set"]);
    assert_eq!(said.code, 0, "{}", said.text);
    read_table(folder.path().join("set").join(table)).unwrap()
}

/// The value of a column where others have these texts.
#[track_caller]
fn value(table: &RawTable, column: &str, keys: &[(&str, &str)]) -> f64 {
    let place = |name: &str| {
        let found = table.names().iter().position(|other| other == name);
        found.unwrap_or_else(|| panic!("no column {name} among {:?}", table.names()))
    };
    let texts: Vec<_> = keys.iter().map(|(name, _)| table.texts(place(name)).unwrap()).collect();
    let is = |row: &usize| keys.iter().zip(&texts).all(|((_, key), all)| all[*row].as_deref() == Some(*key));
    let row = (0..table.rows()).find(is).unwrap_or_else(|| panic!("no row {keys:?}"));
    table.numbers(place(column), "a number").unwrap()[row]
}

#[track_caller]
fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-4, "{value}, expected {expected}");
}

/// An archive without compression.
fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let checksum = |bytes: &[u8]| {
        !bytes.iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
        })
    };
    let (mut all, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let mut shared = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        shared.extend(checksum(bytes).to_le_bytes());
        shared.extend((bytes.len() as u32).to_le_bytes().repeat(2));
        shared.extend((name.len() as u16).to_le_bytes());
        shared.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend((all.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        all.extend(b"PK\x03\x04");
        all.extend(&shared);
        all.extend(name.as_bytes());
        all.extend(bytes);
    }
    let start = all.len() as u32;
    let count = (files.len() as u16).to_le_bytes();
    all.extend(&directory);
    all.extend(b"PK\x05\x06\x00\x00\x00\x00");
    all.extend([count, count].concat());
    all.extend((directory.len() as u32).to_le_bytes());
    all.extend(start.to_le_bytes());
    all.extend([0, 0]);
    all
}

/// The rows of a file of comma-separated values, whose texts may hold commas and line breaks.
fn rows_of(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    for letter in text.trim_end().chars() {
        let row = rows.last_mut().unwrap();
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            letter => row.last_mut().unwrap().push(letter),
        }
    }
    rows
}

/// A workbook whose sheets hold these files; numbers are numbers.
fn workbook(folder: &TempDir, name: &str, sheets: &[(&str, &str)]) {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let cell = |text: &String| match text.parse::<f64>() {
        Ok(_) => format!("<c><v>{text}</v></c>"),
        Err(_) if text.is_empty() => "<c/>".to_owned(),
        Err(_) => format!("<c t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>", escape(text)),
    };
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let office = "http://schemas.openxmlformats.org";
    let main = format!("xmlns=\"{office}/spreadsheetml/2006/main\"");
    let mut files = Vec::new();
    let (mut types, mut names, mut links) = (String::new(), String::new(), String::new());
    for (at, (title, file)) in sheets.iter().enumerate() {
        let rows = rows_of(&fs::read_to_string(fixture(file)).unwrap());
        let rows: String = rows
            .iter()
            .map(|row| format!("<row>{}</row>", row.iter().map(cell).collect::<String>()))
            .collect();
        let sheet = format!("{head}<worksheet {main}><sheetData>{rows}</sheetData></worksheet>");
        files.push((format!("xl/worksheets/sheet{at}.xml"), sheet.into_bytes()));
        types += &format!(
            "<Override PartName=\"/xl/worksheets/sheet{at}.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/>"
        );
        names += &format!("<sheet name=\"{title}\" sheetId=\"{}\" r:id=\"r{at}\"/>", at + 1);
        links += &format!(
            "<Relationship Id=\"r{at}\" Type=\"{office}/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet{at}.xml\"/>"
        );
    }
    let relations = format!("{office}/package/2006/relationships");
    for (path, text) in [
        (
            "[Content_Types].xml",
            format!(
                "{head}<Types xmlns=\"{office}/package/2006/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" ContentType=\"application/xml\"/><Override PartName=\"/xl/workbook.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/>{types}</Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "{head}<Relationships xmlns=\"{relations}\"><Relationship Id=\"r\" Type=\"{office}/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "{head}<workbook {main} xmlns:r=\"{office}/officeDocument/2006/relationships\"><sheets>{names}</sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!("{head}<Relationships xmlns=\"{relations}\">{links}</Relationships>"),
        ),
    ] {
        files.push((path.to_owned(), text.into_bytes()));
    }
    fs::write(folder.path().join(name), archive(&files)).unwrap();
}

/// The configuration of a table of responses with more lines.
fn responses(file: &str, more: &str) -> String {
    format!("[data]\nresponse = {file:?}\n{more}")
}

fn cells(kind: &str, file: &str) -> String {
    format!("[[data.cells]]\nkind = {kind:?}\nfile = {file:?}\n")
}

// ---- GDSC

const GDSC: &str = "GDSC2_fitted_dose_response_27Oct23.csv";

#[test]
fn gdsc_fitted_as_text_and_as_a_workbook() {
    let folder = folder(&[GDSC, "expression_by_names.csv", "screened_compounds_rel_8.5.csv"]);
    workbook(&folder, "GDSC2_fitted_dose_response_27Oct23.xlsx", &[("Sheet 1", GDSC)]);
    for file in [GDSC, "GDSC2_fitted_dose_response_27Oct23.xlsx"] {
        inspect(&folder, file).has(&["responses, 48 rows × 19 columns", "10 known, 2 not", "drugs: 4"]);
        let more = "drugs = \"screened_compounds_rel_8.5.csv\"\n".to_owned()
            + &cells("expression", "expression_by_names.csv")
            + "[split]\nkind = \"lto\"\nfolds = 4\n[[model]]\nfamily = \"kernel\"\n";
        check(&folder, &responses(file, &more)).has(&[
            "48 responses (LN_IC50) of 12 cell lines × 4 drugs",
            "TCGA_DESC as tissue",
            "MIN_CONC as lowest_dose",
            "MAX_CONC as highest_dose",
            "assumed to be in µM",
            // SKCM is of no line that the list knows; the other unknown line has no label.
            "cell lines unknown to the lists, with the tissue of this table: 1 (QQDEMO1 as SKCM)",
            "4 targets, 4 a target pathway",
        ]);
        let _ = fs::remove_dir_all(folder.path().join("set"));
        let table = convert(&folder, "responses.parquet");
        let corvaxel = [("cell_line", "A549"), ("drug", "Corvaxel")];
        near(value(&table, "lowest_dose_um", &corvaxel), 0.0001);
        near(value(&table, "highest_dose_um", &corvaxel), 0.1);
        near(value(&table, "LN_IC50", &[("cell_line", "A549"), ("drug", "Lumetinib")]), -4.0);
    }
}

#[test]
fn a_tissue_of_the_responses_takes_the_word_of_the_list() {
    let folder = folder(&["expression_by_names.csv"]);
    let text = fs::read_to_string(fixture(GDSC)).unwrap().replace("SKCM", "COREAD");
    fs::write(folder.path().join("gdsc.csv"), text).unwrap();
    let said = check(&folder, &responses("gdsc.csv", &cells("expression", "expression_by_names.csv")));
    said.has(&["with the tissue of this table: 1 (QQDEMO1 as "]).lacks("QQDEMO1 as COREAD");
}

#[test]
fn gdsc_expression_by_cosmic_id() {
    let folder = folder(&[GDSC, "Cell_line_RMA_proc_basalExp.txt"]);
    inspect(&folder, "Cell_line_RMA_proc_basalExp.txt").has(&[
        "expression",
        "features × cell lines",
        "cell lines: 10 known, 1 not",
        "\"GENE_title\" (texts)",
        "rows without a name in \"GENE_SYMBOLS\", left out: 1",
    ]);
    let more = cells("expression", "Cell_line_RMA_proc_basalExp.txt");
    check(&folder, &responses(GDSC, &more)).has(&[
        "40 responses",
        "10 cell lines × 4 drugs",
        "left out: 2 cell lines",
    ]);
    near(value(&convert(&folder, "expression.parquet"), "TP53", &[("cell_line", "A549")]), 4.0982);
}

#[test]
fn gdsc_cell_lines_details() {
    let folder = folder(&[GDSC]);
    let sheets = [
        ("Cell line details", "Cell_Lines_Details.csv"),
        ("COSMIC tissue classification", "Cell_Lines_Details.tissues.csv"),
    ];
    workbook(&folder, "Cell_Lines_Details.xlsx", &sheets);
    inspect(&folder, "Cell_Lines_Details.xlsx").has(&[
        "[Cell line details]: annotation of cell lines",
        "[COSMIC tissue classification]: annotation of cell lines",
    ]);
    refuse(&folder, &responses(GDSC, "annotation = \"Cell_Lines_Details.xlsx\"\n"))
        .has(&["sheet", "Cell line details"]);
    let more = "annotation = { file = \"Cell_Lines_Details.xlsx\", sheet = \"Cell line details\" }\n";
    check(&folder, &responses(GDSC, more)).has(&[
        "\"GDSC Tissue descriptor 1\" for tissues",
        "\"COSMIC identifier\" for COSMIC ids",
        "48 responses",
    ]);
}

#[test]
fn gdsc_drugs() {
    let folder = folder(&["screened_compounds_rel_8.5.csv"]);
    inspect(&folder, "screened_compounds_rel_8.5.csv").has(&[
        "drugs, 5 rows",
        "DRUG_NAME as drug, TARGET as targets, TARGET_PATHWAY",
        "1 rows repeat the names of an earlier row (Lumetinib)",
    ]);
}

#[test]
fn gdsc_responses_over_all_cancers() {
    let folder = folder(&["PANCANCER_IC.csv", "PANCANCER_IC50_matrix.csv"]);
    check(&folder, &responses("PANCANCER_IC.csv", "[target]\ncolumn = \"IC50\"\n")).has(&[
        "40 responses (IC50)",
        "lower is more sensitive",
        "the kind of logarithm is unknown",
    ]);
    near(
        value(
            &convert(&folder, "responses.parquet"),
            "IC50",
            &[("cell_line", "A549"), ("drug", "Lumetinib")],
        ),
        -4.0,
    );
    inspect(&folder, "PANCANCER_IC50_matrix.csv")
        .has(&["responses, 10 rows × 5 columns (cell lines × drugs)", "drugs: 4"]);
    check(&folder, &responses("PANCANCER_IC50_matrix.csv", "[target]\nscale = \"ln\"\n")).has(&[
        "39 responses",
        "10 cell lines × 4 drugs",
        "a matrix of cell lines × drugs",
    ]);
}

#[test]
fn gdsc_features_over_all_cancers() {
    let folder =
        folder(&["PANCANCER_IC50_matrix.csv", "PANCANCER_Genetic_features.csv", "genomic_features.csv"]);
    inspect(&folder, "genomic_features.csv").has(&["events", "cell lines: 10 known"]);
    inspect(&folder, "PANCANCER_Genetic_features.csv")
        .has(&["events", "a list with one cell line and one feature per row (cell_line_name, genetic_feature), converted to a matrix of \"is_mutated\""]);
    let mut found = Vec::new();
    for file in ["genomic_features.csv", "PANCANCER_Genetic_features.csv"] {
        let _ = fs::remove_dir_all(folder.path().join("set"));
        check(&folder, &responses("PANCANCER_IC50_matrix.csv", &cells("events", file))).has(&["used: 10"]);
        let table = convert(&folder, "events.parquet");
        found.push(["A549", "PC3"].map(|line| value(&table, "TP53_mut", &[("cell_line", line)])));
    }
    assert_eq!(found, [[1.0, 0.0], [1.0, 0.0]]);
}

// ---- DepMap

const PRISM: &str = "secondary-screen-dose-response-curve-parameters.csv";

/// Responses of lines by DepMap ids, each pair once.
fn by_depmap_id(more: &str) -> String {
    format!("[data]\nresponse = {{ file = {PRISM:?}, where = {{ screen_id = \"MTS010\" }} }}\n{more}")
}

#[test]
fn depmap_expression_old_and_current() {
    let old = "OmicsExpressionProteinCodingGenesTPMLogp1.csv";
    let current = "OmicsExpressionTPMLogp1HumanProteinCodingGenes.csv";
    let folder = folder(&[old, current, PRISM, "Model.csv"]);
    inspect(&folder, old)
        .has(&["expression, 10 rows × 9 columns (cell lines × features)", "TP53 (7157) as TP53"]);
    inspect(&folder, current).has(&[
        "expression, 12 rows × 14 columns",
        "profiles that are not the default of their cell line (IsDefaultEntryForModel), left out: 2",
    ]);
    for file in [old, current] {
        let _ = fs::remove_dir_all(folder.path().join("set"));
        let more = "annotation = \"Model.csv\"\n".to_owned() + &cells("expression", file);
        check(&folder, &by_depmap_id(&more)).has(&["40 responses", "10 cell lines × 4 drugs"]);
        // MCF7 has a second profile, with values higher by 1.
        near(value(&convert(&folder, "expression.parquet"), "TP53", &[("cell_line", "MCF7")]), 3.1633);
    }
}

#[test]
fn depmap_matrices_of_mutations_count_alleles() {
    let files = ["OmicsSomaticMutationsMatrixDamaging.csv", "OmicsSomaticMutationsMatrixHotspot.csv"];
    let folder = folder(&[files[0], files[1], PRISM]);
    for file in files {
        inspect(&folder, file)
            .has(&["mutation, 10 rows", "values of 2 (mutations on both alleles) are read as 1"]);
        check(&folder, &by_depmap_id(&cells("mutation", file)))
            .has(&["used: 10", "values of 2 (mutations on both alleles)"]);
    }
    check(&folder, &by_depmap_id(&cells("mutation", files[0])));
    let table = convert(&folder, "mutation.parquet");
    let line = [("cell_line", "ACH000681")];
    assert_eq!(["MYC", "EGFR", "TP53"].map(|gene| value(&table, gene, &line)), [1.0, 1.0, 0.0]);
    let text = fs::read_to_string(fixture(files[0])).unwrap().replacen("2.0", "3.0", 1);
    fs::write(folder.path().join("other.csv"), text).unwrap();
    refuse(&folder, &by_depmap_id(&cells("mutation", "other.csv"))).has(&["expected 0 or 1"]);
}

#[test]
fn depmap_mutations_in_rows() {
    let folder = folder(&["OmicsSomaticMutations.csv", PRISM]);
    inspect(&folder, "OmicsSomaticMutations.csv")
        .has(&["list of mutations, 27 rows", "VariantInfo as variant_class"]);
    check(&folder, &by_depmap_id(&cells("mutation", "OmicsSomaticMutations.csv"))).has(&[
        "a list of 27 mutations",
        "not silent",
        "used: 10",
    ]);
}

#[test]
fn depmap_copy_numbers() {
    let folder = folder(&["OmicsCNGene.csv", PRISM]);
    check(&folder, &by_depmap_id(&cells("copy_number", "OmicsCNGene.csv")))
        .has(&["copy_number, 10 rows", "used: 10"]);
}

#[test]
fn depmap_models() {
    let folder = folder(&["Model.csv", GDSC, PRISM]);
    inspect(&folder, "Model.csv")
        .has(&["annotation of cell lines, 10 rows × 24 columns", "OncotreeLineage as tissue"]);
    check(&folder, &by_depmap_id("annotation = \"Model.csv\"\n"))
        .has(&["40 responses", "\"ModelID\" for DepMap ids"])
        .lacks("without an annotation");
}

#[test]
fn annotations_with_a_few_numbers() {
    let folder = folder(&["sample_info.csv", "model_list.csv"]);
    inspect(&folder, "sample_info.csv").has(&["annotation of cell lines, 10 rows", "lineage as tissue"]);
    inspect(&folder, "model_list.csv").has(&["annotation of cell lines, 10 rows"]).lacks("drugs:");
}

// ---- PRISM

#[test]
fn prism_secondary_curves() {
    let folder = folder(&[PRISM, "Model.csv"]);
    inspect(&folder, PRISM).has(&["responses, 50 rows × 20 columns", "screen_id as study", "drugs: 4"]);
    refuse(&folder, &responses(PRISM, "annotation = \"Model.csv\"\n")).has(&[
        "column \"screen_id\" (studies) distinguishes measurements",
        "where = { \"screen_id\" = \"HTS002\" }",
    ]);
    check(&folder, &by_depmap_id("annotation = \"Model.csv\"\n")).has(&[
        "rows kept by where = ",
        "40 responses (auc)",
        "4 have a structure",
    ]);
}

#[test]
fn prism_primary_matrix_and_its_sheets() {
    let matrix = "primary-screen-replicate-collapsed-logfold-change.csv";
    let treatments = "primary-screen-replicate-collapsed-treatment-info.csv";
    let folder = folder(&[
        matrix,
        treatments,
        "primary-screen-cell-line-info.csv",
        "OmicsExpressionProteinCodingGenesTPMLogp1.csv",
    ]);
    inspect(&folder, matrix).has(&["responses, 10 rows × 5 columns (cell lines × drugs)", "drugs: 4"]);
    inspect(&folder, treatments).has(&["drugs, 4 rows", "target as targets", "smiles"]);
    inspect(&folder, "primary-screen-cell-line-info.csv")
        .has(&["annotation of cell lines", "primary_tissue as tissue"]);
    let more = format!("drugs = {treatments:?}\nannotation = \"primary-screen-cell-line-info.csv\"\n")
        + &cells("expression", "OmicsExpressionProteinCodingGenesTPMLogp1.csv")
        + "[target]\ncolumn = \"log_fold_change\"\n";
    check(&folder, &responses(matrix, &more)).has(&[
        "35 responses (log_fold_change)",
        "9 cell lines × 4 drugs",
        "the columns hold one dose of each drug (2.5 to 2.54)",
        "drugs are found in the column \"broad_id\": 4 of 4",
        "4 have a structure, 4 targets",
        "left out: 1 cell lines, responses but no expression",
    ]);
}

#[test]
fn prism_matrix_of_several_doses_or_screens() {
    let folder = TempDir::new().unwrap();
    let rows = |values: &str| ["A549", "MCF7", "PC-3"].map(|line| format!("{line},{values}\n")).concat();
    let file = folder.path().join("m.csv");
    fs::write(&file, format!(",BRD-K1::2.5::HTS,BRD-K2::2.5::HTS,BRD-K1::2.5::MTS\n{}", rows("0.1,0.2,0.3")))
        .unwrap();
    check(&folder, &responses("m.csv", "[target]\ncolumn = \"lfc\"\n")).has(&[
        "9 responses",
        "3 cell lines × 3 drugs",
        "each column counts as a separate drug",
    ]);
    fs::write(&file, format!(",BRD-K1::2.5::HTS,BRD-K2::2.5::HTS,BRD-K1::10::HTS\n{}", rows("0.1,0.2,0.3")))
        .unwrap();
    refuse(&folder, &responses("m.csv", "")).has(&["readings at several doses"]);
}

#[test]
fn prism_primary_matrix_of_later_releases() {
    let matrix = "Repurposing_Public_24Q2_Extended_Primary_Data_Matrix.csv";
    let folder = folder(&[matrix]);
    inspect(&folder, matrix).has(&["responses, 4 rows × 11 columns (drugs × cell lines)", "drugs: 4"]);
    check(&folder, &responses(matrix, "[target]\ncolumn = \"lfc\"\n"))
        .has(&["40 responses (lfc)", "10 cell lines × 4 drugs"]);
}

// ---- CTRP, CCLE, BeatAML, PharmacoGx

const CTRP: [&str; 4] = [
    "v20.data.curves_post_qc.txt",
    "v20.meta.per_experiment.txt",
    "v20.meta.per_cell_line.txt",
    "v20.meta.per_compound.txt",
];

#[test]
fn ctrp_in_four_tables_and_from_its_archive() {
    let folder = folder(&CTRP);
    let files = |file: &&str| (format!("CTRPv2.0/{file}"), fs::read(fixture(file)).unwrap());
    let mut members: Vec<(String, Vec<u8>)> = CTRP.iter().map(files).collect();
    members.insert(0, ("CTRPv2.0/README.txt".to_owned(), b"made up".to_vec()));
    members.insert(0, ("__MACOSX/CTRPv2.0/._v20.meta.per_compound.txt".to_owned(), b"\x00\x05".to_vec()));
    fs::write(folder.path().join("CTRPv2.0_2015_ctd2_ExpandedDataset.zip"), archive(&members)).unwrap();
    for file in [CTRP[0], "CTRPv2.0_2015_ctd2_ExpandedDataset.zip"] {
        check(&folder, &responses(file, "drugs = \"v20.meta.per_compound.txt\"\n")).has(&[
            "40 responses",
            "10 cell lines × 4 drugs",
            "area_under_curve",
            "4 have a structure",
        ]);
        let _ = fs::remove_dir_all(folder.path().join("set"));
        let table = convert(&folder, "responses.parquet");
        near(value(&table, "area_under_curve", &[("cell_line", "A549"), ("drug", "corvaxel")]), 7.656);
    }
    // A list of experiments holds no features, whatever numbers it has.
    let experiments = "experiment_id\trun_id\tculture_media\tbaseline_signal\tcells_per_well\tgrowth_mode\tmaster_ccl_id\n1\t1\tRPMI001\t11.2\t500\tadherent\t130\n2\t1\tDMEM001\t11.5\t500\tadherent\t569\n3\t2\tRPMI001\t10.8\t500\tsuspension\t682\n";
    fs::write(folder.path().join("v20.meta.per_experiment.txt"), experiments).unwrap();
    inspect(&folder, "v20.meta.per_experiment.txt").has(&["unknown, 3 rows × 7 columns"]).lacks("expression");
    fs::remove_file(folder.path().join(CTRP[3])).unwrap();
    refuse(&folder, &responses(CTRP[0], ""))
        .has(&["master_cpd_id is not in the same folder", "meta.per_compound"]);
}

#[test]
fn ccle_drug_data() {
    let file = "CCLE_NP24.2009_Drug_data_2015.02.24.csv";
    let folder = folder(&[file]);
    check(&folder, &responses(file, "")).has(&[
        "40 responses (ActArea)",
        "10 cell lines × 4 drugs",
        "higher is more sensitive",
    ]);
}

#[test]
fn ccle_expression_and_compounds() {
    let (expression, compounds) =
        ("CCLE_RNAseq_genes_rpkm_20180929.gct", "CCLE_NP24.2009_profiling_2012.02.20.csv");
    let folder = folder(&[expression, compounds, "CCLE_NP24.2009_Drug_data_2015.02.24.csv"]);
    inspect(&folder, expression).has(&[
        "expression, 8 rows",
        "features × cell lines",
        "cell lines: 10 known",
    ]);
    inspect(&folder, compounds).has(&["drugs, 4 rows", "Compound (code or generic name) as drug"]);
    let more = format!("drugs = {compounds:?}\n") + &cells("expression", expression);
    check(&folder, &responses("CCLE_NP24.2009_Drug_data_2015.02.24.csv", &more)).has(&[
        "40 responses (ActArea)",
        "used: 10",
        "4 targets, 4 a target pathway",
    ]);
}

#[test]
fn beataml_samples() {
    let (file, expression) =
        ("beataml_probit_curve_fits_v4_dbgap.txt", "beataml_waves1to4_norm_exp_dbgap.txt");
    let folder = folder(&[file, expression]);
    inspect(&folder, expression).has(&[
        "expression, 8 rows",
        "features × cell lines",
        "ENSG00000141510 as TP53",
    ]);
    let more = cells("expression", expression) + "[target]\ncolumn = \"auc\"\n";
    check(&folder, &responses(file, &more)).has(&[
        "36 responses (auc)",
        "9 cell lines × 4 drugs",
        "the cell line or drug has no name",
    ]);
    let table = convert(&folder, "responses.parquet");
    let drugs = table.texts(1).unwrap();
    assert!(drugs.contains(&Some("17-CVX (Corvaxel)".to_owned())), "{drugs:?}");
}

#[test]
fn pharmacogx_profiles() {
    let folder = folder(&["orcestra_profiles.csv"]);
    check(&folder, &responses("orcestra_profiles.csv", "")).has(&[
        "40 responses (aac_recomputed)",
        "10 cell lines × 4 drugs",
        "higher is more sensitive",
    ]);
}

// ---- combinations

#[test]
fn almanac_growth_in_an_archive() {
    let file = "ComboDrugGrowth_Nov2017.csv";
    let folder = folder(&[file]);
    let member = (file.to_owned(), fs::read(fixture(file)).unwrap());
    fs::write(folder.path().join("ComboDrugGrowth_Nov2017.zip"), archive(&[member])).unwrap();
    inspect(&folder, "ComboDrugGrowth_Nov2017.zip").has(&["dose matrices, 30 rows × 29 columns", "drugs: 2"]);
    let said = say(&folder, &["synergy", "ComboDrugGrowth_Nov2017.zip", "--out", "scores.csv"]);
    assert_eq!(said.code, 0, "{}", said.text);
    let scores = read_table(folder.path().join("scores.csv")).unwrap();
    assert_eq!(scores.rows(), 32, "{}", said.text);
    // The names of its compounds have no header.
    let names = "740\tMethotrexate\n750\tBusulfan\n752\tThioguanine\n3088\tChlorambucil\n";
    fs::write(folder.path().join("ComboCompoundNames_small.txt"), names).unwrap();
    inspect(&folder, "ComboCompoundNames_small.txt").has(&["4 rows × 2 columns", "there is no header row"]);
    // As responses, the rows of a pair are doses and not repeats.
    refuse(&folder, &responses(file, "[target]\ncolumn = \"SCORE\"\n"))
        .has(&["CONC1", "distinguishes measurements"]);
}

#[test]
fn oneil_wells_with_their_replicates_in_columns() {
    let (single, pairs) = ("156849_1_supp_0_w2lh45.csv", "156849_1_supp_1_w2lrww.csv");
    let folder = folder(&[single, pairs]);
    inspect(&folder, single).has(&[
        "readings, 24 rows × 12 columns",
        "viability6 as reading",
        "\"X/X0\" (numbers)",
    ]);
    let said = say(&folder, &["fit-curves", single, "--out", "curves.csv"]);
    assert_eq!(said.code, 0, "{}", said.text);
    said.has(&["120 readings of 4 curves", "\"viability6\" hold replicates"]);
    let curves = read_table(folder.path().join("curves.csv")).unwrap();
    let keys = [("cell_line", "A2058"), ("drug", "5-FU")];
    // Four replicates at the three highest doses, six at the others.
    assert_eq!(value(&curves, "readings", &keys), 30.0);
    let ic50 = value(&curves, "ic50_um", &keys);
    assert!((1.8..2.0).contains(&ic50), "{ic50}");

    inspect(&folder, pairs).has(&["dose matrices, 32 rows × 13 columns"]);
    // The wells of one drug are in the other file.
    let said = say(&folder, &["synergy", pairs, "--out", "none.csv"]);
    assert_eq!(said.code, 3, "{}", said.text);
    said.has(&[
        "128 readings of 2 blocks",
        "at dose 0, only at 0.35, 1.08, 3.25, 10",
        "with dose 0 of the other",
    ]);
    let mut both = fs::read_to_string(fixture(pairs)).unwrap();
    for row in fs::read_to_string(fixture(single)).unwrap().lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let doses = if fields[2] == "5-FU" { [fields[3], "0"] } else { ["0", fields[3]] };
        both += &format!(
            "1,{},5-FU,{},ABT-888,{},,{},,\n",
            fields[1],
            doses[0],
            doses[1],
            fields[4..8].join(",")
        );
    }
    fs::write(folder.path().join("both.csv"), both).unwrap();
    let said = say(&folder, &["synergy", "both.csv", "--out", "scores.csv"]);
    assert_eq!(said.code, 0, "{}", said.text);
    said.has(&["224 readings of 2 blocks"]);
}

#[test]
fn drugcomb_summary() {
    let file = "drugcomb_summary_v_1_5.csv";
    let folder = folder(&[file]);
    check(&folder, &responses(file, "[target]\ncolumn = \"synergy_loewe\"\n")).has(&[
        "36 responses (synergy_loewe)",
        "6 cell lines",
        "24 responses, the second drug is missing",
    ]);
}

#[test]
fn dream_challenge() {
    let file = "ch1_train_combination_and_monoTherapy.csv";
    let folder = folder(&[file]);
    check(&folder, &responses(file, "")).has(&[
        "36 responses (SYNERGY_SCORE)",
        "COMPOUND_A as drug_a",
        "QA judges quality but excludes no rows: -1 in 1 rows, 1 in 35 rows",
    ]);
    let good = format!("[data]\nresponse = {{ file = {file:?}, where = {{ QA = \"1\" }} }}\n");
    check(&folder, &good).has(&["35 responses (SYNERGY_SCORE)"]);
}

#[test]
fn deepsynergy_labels_with_their_folds() {
    let folder = folder(&["labels.csv"]);
    let more = "[split]\nkind = \"leave_combination\"\ncolumn = \"fold\"\n[[model]]\nfamily = \"kernel\"\n";
    check(&folder, &responses("labels.csv", more)).has(&[
        "36 responses (synergy)",
        "6 cell lines",
        "folds: 3",
    ]);
}

// ---- benchmarks

#[test]
fn drevalpy_tables() {
    let folder = folder(&["TOYv1.csv", "TOYv2.csv", "gene_expression.csv"]);
    let more = cells("expression", "gene_expression.csv");
    check(&folder, &responses("TOYv1.csv", &more)).has(&["40 responses (LN_IC50)"]);
    check(&folder, &responses("TOYv2.csv", &more)).has(&[
        "40 responses (LN_IC50_curvecurator)",
        "10 cell lines × 4 drugs",
        "read as ln IC50",
        "AUC_curvecurator",
    ]);
    // Fingerprints have a column for each drug, by the id that the responses have beside its name.
    fs::copy(fixture("pubchem_id_to_demorgan_128_map.csv"), folder.path().join("map.csv")).unwrap();
    let by_id =
        "drugs = \"map.csv\"\ndrug_features = { columns = [\"all\"] }\ncolumns = { drug = \"pubchem_id\" }\n";
    check(&folder, &responses("TOYv1.csv", &(by_id.to_owned() + &more))).has(&[
        "map.csv: drugs, 4 rows × 33 columns",
        "its columns are drugs (4 of 4 of the responses)",
        "missing: 0.0 %",
    ]);
    let merged =
        "cell_line,LN_IC50_curvecurator,TP53,KRAS\nA549,1.5,2.5,3.5\nMCF7,2,3.5,1.5\nPC-3,3,1.5,0.5\n";
    fs::write(folder.path().join("merged.csv"), merged).unwrap();
    check(&folder, &responses("TOYv1.csv", &cells("expression", "merged.csv")))
        .has(&["\"LN_IC50_curvecurator\" (responses to drugs"]);
}

#[test]
fn improve_tables() {
    let folder = folder(&[
        "response.tsv",
        "y_data.tsv",
        "cancer_gene_expression.tsv",
        "drug_SMILES.tsv",
        "drug_ecfp4_nbits512.tsv",
        "CCLE_split_0_train.txt",
        "CCLE_split_0_test.txt",
    ]);
    inspect(&folder, "cancer_gene_expression.tsv").has(&[
        "expression, 10 rows × 9 columns (cell lines × features)",
        "further rows of names below the header, set aside: 2",
        "ENSG00000141510 as TP53",
    ]);
    inspect(&folder, "drug_ecfp4_nbits512.tsv").has(&["drug features, 4 rows"]);
    for file in ["response.tsv", "y_data.tsv"] {
        let more =
            "drugs = \"drug_SMILES.tsv\"\n".to_owned() + &cells("expression", "cancer_gene_expression.tsv");
        check(&folder, &responses(file, &more)).has(&[
            "40 responses (auc)",
            "10 cell lines × 4 drugs",
            "4 have a structure",
        ]);
    }
    let more = "drugs = \"drug_ecfp4_nbits512.tsv\"\ndrug_features = { columns = [\"all\"] }\n".to_owned()
        + &cells("expression", "cancer_gene_expression.tsv")
        + "[split]\nkind = \"lpo\"\nfile = \"CCLE_split_0_train.txt\"\n[[model]]\nfamily = \"kernel\"\n";
    refuse(&folder, &responses("y_data.tsv", &more)).has(&["lists row numbers", "split.rows"]);
    let rows = |files: &str| {
        more.replace("file = \"CCLE_split_0_train.txt\"", &format!("rows = [{files}]\nonly_folds = [0]"))
    };
    let one = "\"CCLE_split_0_test.txt\", \"CCLE_split_0_train.txt\"";
    check(&folder, &responses("y_data.tsv", &rows(one))).has(&["folds: 40 rows by 2 files", "folds: 2"]);
    // The rows are those of the file, also where some of them were chosen.
    let chosen = responses("y_data.tsv", &rows(one)).replace(
        "response = \"y_data.tsv\"",
        "response = { file = \"y_data.tsv\", where = { improve_chem_id = [\"Drug_1001\", \"Drug_1002\"] } }",
    );
    let chosen =
        chosen.replace("drugs = \"drug_ecfp4_nbits512.tsv\"\ndrug_features = { columns = [\"all\"] }\n", "");
    check(&folder, &chosen).has(&["20 responses", "rows not used: 20"]);
    let twice = "\"CCLE_split_0_train.txt\", \"CCLE_split_0_train.txt\"";
    refuse(&folder, &responses("y_data.tsv", &rows(twice))).has(&["line 1: row 1 of", "share no row"]);
}

#[test]
fn a_workbook_of_several_sheets_becomes_a_configuration() {
    let folder = folder(&[]);
    workbook(&folder, "screen.xlsx", &[("responses", "TOYv1.csv"), ("rna", "gene_expression.csv")]);
    let said = say(&folder, &["init", "screen.xlsx", "--out", "screen.toml"]);
    assert_eq!(said.code, 0, "{}", said.text);
    let text = fs::read_to_string(folder.path().join("screen.toml")).unwrap();
    assert!(text.contains("response = { file = \"screen.xlsx\", sheet = \"responses\" }"), "{text}");
    assert!(text.contains("file = \"screen.xlsx\"\nsheet = \"rna\""), "{text}");
    check(&folder, &text).has(&["40 responses (LN_IC50)", "10 cell lines × 4 drugs"]);
}

#[test]
fn coderdata_tables() {
    let folder = folder(&["gdscv2_experiments.tsv", "gdscv2_transcriptomics.csv", "gdscv2_drugs.tsv"]);
    inspect(&folder, "gdscv2_transcriptomics.csv").has(&[
        "expression",
        "converted to a matrix of \"transcriptomics\"",
        "(improve_sample_id, entrez_id)",
    ]);
    refuse(&folder, &responses("gdscv2_experiments.tsv", ""))
        .has(&["column \"dose_response_metric\"", "where = { \"dose_response_metric\" = \"fit_auc\" }"]);
    let one = |metric: &str| {
        format!(
            "[data]\nresponse = {{ file = \"gdscv2_experiments.tsv\", where = {{ dose_response_metric = {metric:?} }} }}\n"
        )
    };
    let more =
        "drugs = \"gdscv2_drugs.tsv\"\n".to_owned() + &cells("expression", "gdscv2_transcriptomics.csv");
    check(&folder, &(one("fit_auc") + &more)).has(&[
        "40 responses",
        "10 cell lines × 4 drugs",
        "4 have a structure",
    ]);
    near(value(&convert(&folder, "expression.parquet"), "TP53", &[("cell_line", "1")]), 4.0982);
}

#[test]
fn tdc_table() {
    let folder = folder(&["gdsc2.tab"]);
    check(&folder, &responses("gdsc2.tab", "")).has(&[
        "40 responses",
        "10 cell lines × 4 drugs",
        "4 have a structure",
    ]);
}

// ---- lists of mutations

const MUTATIONS: [(&str, &str); 4] = [
    ("cell_lines.maf", "Variant_Classification"),
    ("CCLE_mutations.csv", "Variant_Classification"),
    ("mutations_all_20230202.csv", "effect"),
    ("WES_variants.csv", "Classification"),
];

#[test]
fn lists_of_mutations() {
    let folder = folder(&[
        "cell_lines.maf",
        "CCLE_mutations.csv",
        "mutations_all_20230202.csv",
        "WES_variants.csv",
        "lines_by_drugs.csv",
        "Model.csv",
    ]);
    let mut found = Vec::new();
    for (file, class) in MUTATIONS {
        inspect(&folder, file).has(&["list of mutations, 40 rows", class]);
        let more = "annotation = \"Model.csv\"\n".to_owned()
            + &cells("mutation", file)
            + "[target]\ncolumn = \"AUC\"\n";
        check(&folder, &responses("lines_by_drugs.csv", &more))
            .has(&["a list of 40 mutations", "not silent (22 of 40 rows)"]);
        let _ = fs::remove_dir_all(folder.path().join("set"));
        let table = convert(&folder, "mutation.parquet");
        found.push(["TP53", "EGFR"].map(|gene| value(&table, gene, &[("cell_line", "A549")])));
    }
    assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
}

#[test]
fn mutations_by_their_class() {
    let folder = folder(&["cell_lines.maf", "lines_by_drugs.csv"]);
    let truncating = r#"
[[data.cells]]
kind = "mutation"
file = "cell_lines.maf"
where = { Variant_Classification = ["Nonsense_Mutation", "Frame_Shift_Del"] }
[target]
column = "AUC"
"#;
    check(&folder, &responses("lines_by_drugs.csv", truncating)).has(&[
        "rows kept by where = ",
        "a list of 11 mutations",
        "without a chosen row, 0 for every gene: 3",
    ]);
}

// ---- matrices, drug features, gene sets, what is not read

#[test]
fn responses_as_a_matrix_either_way_round() {
    let folder = folder(&["lines_by_drugs.csv", "drugs_by_lines.tsv"]);
    let auc = "[target]\ncolumn = \"AUC\"\n";
    check(&folder, &responses("lines_by_drugs.csv", auc))
        .has(&["40 responses (AUC)", "a matrix of cell lines × drugs"]);
    check(&folder, &responses("drugs_by_lines.tsv", auc))
        .has(&["39 responses (AUC)", "a matrix of drugs × cell lines"]);
    let table = convert(&folder, "responses.parquet");
    near(value(&table, "AUC", &[("cell_line", "A549"), ("drug", "Nolastat (free base)")]), 0.8449);
}

/// The second bit of the first two drugs.
const BITS_1: [f64; 2] = [0.0, 1.0];

#[test]
fn drug_features_of_ones_own() {
    let files = ["drug_bits.csv", "drug_targets_as_columns.csv", "drug_bit_strings.csv"];
    let folder = folder(&[files[0], files[1], files[2], "lines_by_drugs.csv"]);
    for (file, feature) in [(files[0], "bit1"), (files[1], "MAP2K2")] {
        inspect(&folder, file).has(&["drug features, 4 rows", "drugs: 4"]);
        let more = format!(
            "drugs = {file:?}\ndrug_features = {{ columns = [\"all\"] }}\n[target]\ncolumn = \"AUC\"\n"
        );
        check(&folder, &responses("lines_by_drugs.csv", &more)).has(&["40 responses"]);
        let _ = fs::remove_dir_all(folder.path().join("set"));
        let table = convert(&folder, "drugs.parquet");
        let values = ["Lumetinib", "Corvaxel"].map(|drug| value(&table, feature, &[("drug", drug)]));
        assert_eq!(values, if feature == "bit1" { BITS_1 } else { [1.0, 0.0] });
    }
    inspect(&folder, files[2]).has(&["drugs, 4 rows", "strings of bits"]).lacks("fingerprint:");
    let more = format!(
        "drugs = {:?}\ndrug_features = {{ columns = [\"fingerprint\"] }}\n[target]\ncolumn = \"AUC\"\n",
        files[2]
    );
    check(&folder, &responses("lines_by_drugs.csv", &more)).has(&["4 have a structure"]);
}

#[test]
fn gene_sets() {
    inspect(&folder(&["gene_sets.gmt"]), "gene_sets.gmt")
        .has(&["gene sets, 2 rows", "5 of the genes are known symbols"]);
}

#[test]
fn anndata_is_refused_with_what_to_export() {
    let folder = folder(&["lines_by_drugs.csv"]);
    fs::write(folder.path().join("cells.h5ad"), b"\x89HDF\r\n\x1a\nrest").unwrap();
    let more = cells("expression", "cells.h5ad") + "[target]\ncolumn = \"AUC\"\n";
    refuse(&folder, &responses("lines_by_drugs.csv", &more)).has(&["AnnData", "export"]);
}
