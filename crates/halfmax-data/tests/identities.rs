//! Which cell lines, drugs and genes of different files are the same, and which only look alike.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use halfmax_core::{Domain, Error, Feature, FeatureSpace};
use halfmax_data::{
    CellFile, CellKind, CellLines, DataConfig, DrugFeatures, Loaded, Orientation, TargetConfig, load,
    read_cells_for_scoring, read_drugs,
};

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

    /// Loads `responses.csv` with `annotation.csv`, `drugs.csv` and a file of features, if they exist.
    fn load(&self, kind: CellKind, features: &str) -> Result<Loaded, Error> {
        let there = |name: &str| self.path().join(name).is_file().then(|| name.into());
        let data = DataConfig {
            response: Some("responses.csv".into()),
            annotation: there("annotation.csv"),
            drugs: there("drugs.csv"),
            cells: there(features)
                .map(|file: halfmax_data::TableFile| CellFile::new(kind, file.file))
                .into_iter()
                .collect(),
            ..DataConfig::default()
        };
        load(&data, &TargetConfig::default(), self.path(), None)
    }
}

#[track_caller]
fn says<T>(result: Result<T, Error>, words: &[&str]) {
    let Err(error) = result else { panic!("expected an error that says {words:?}") };
    let text = format!("{error} {}", error.help().unwrap_or_default());
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

fn ids(loaded: &Loaded) -> &[String] {
    loaded.screen.tables[0].ids()
}

/// Responses of these cell lines to one drug.
fn responses(names: &[&str]) -> String {
    let rows = names.iter().enumerate().map(|(at, name)| format!("{name},x,{at}\n"));
    format!("cell_line,drug,AUC\n{}", rows.collect::<String>())
}

fn identify(names: &[&str]) -> (Vec<Option<String>>, String) {
    let names: Vec<Option<String>> = names.iter().map(|name| Some((*name).to_owned())).collect();
    let found = CellLines::embedded().unwrap().identify(&names);
    let notes = found.notes().join("\n");
    (found.ids, notes)
}

#[test]
fn names_of_releases_are_lines_of_the_list() {
    for (name, cosmic) in [
        ("Hep 3B", "1240147"),
        ("HEP3B", "1240147"),
        ("NCI-H2369", "1290808"),
        ("NCI-H2810", "1240137"),
        ("SNU-16", "908446"),
        ("786-O", "905947"),
        ("EoL-1-cell", "906856"),
        ("HL-60(TB)", "905938"),
    ] {
        let (found, _) = identify(&[name, cosmic]);
        assert!(found[0].is_some() && found[0] == found[1], "{name}: {found:?}");
    }
    let embedded = CellLines::embedded().unwrap();
    assert_eq!(embedded.lines().len(), 1001);
    assert_eq!(embedded.with_id("T-T").unwrap().cosmic.as_deref(), Some("1299064"));
}

#[test]
fn prefixes_and_suffixes_are_taken_off_towards_known_lines() {
    let (found, notes) = identify(&[
        "COSMIC_905949",
        "DATA.905940",
        "X697",
        "X786.0",
        "BR:MCF7",
        "A549_LUNG",
        "22RV1_PROSTATE",
        "905938.0",
        "X5637_URINARY_TRACT",
        "MCF7_TAMR",
        "BR:MINE",
        "XMINE",
    ]);
    let shown: Vec<&str> = found.iter().map(|id| id.as_deref().unwrap_or("-")).collect();
    assert_eq!(
        shown,
        [
            "A549", "K562", "697", "7860", "MCF7", "A549", "22RV1", "HL60", "5637", "MCF7TAMR", "BRMINE",
            "XMINE"
        ]
    );
    for note in [
        "COSMIC ids, without their prefix: 2",
        "the X that R",
        "panel: 1",
        "CCLE appends: 3",
        ".0 of a table",
    ] {
        assert!(notes.contains(note), "{notes} lacks {note}");
    }
    // Patient numbers; one happens to be a COSMIC id.
    let (found, _) = identify(&["PAT_905949", "PAT_100001", "PAT_100002"]);
    assert_eq!(found[0].as_deref(), Some("PAT905949"));
}

#[test]
fn unknown_names_that_collide_stay_apart() {
    let folder = Folder::with(&[
        ("responses.csv", &responses(&["P1-12", "P11-2", "P3", "A549", "A-549"])),
        ("e.csv", "cell_line,ABCB1\nP1-12,1\nP11-2,2\nP 3,3\nA549,4\n"),
        ("stripped.csv", "cell_line,ABCB1\nP112,1\nP3,3\nA549,4\n"),
    ]);
    let loaded = folder.load(CellKind::EXPRESSION, "e.csv").unwrap();
    assert_eq!(ids(&loaded), ["A549", "P1-12", "P11-2", "P3"]);
    let report = loaded.report.to_string();
    assert!(report.contains("different cell lines here: P1-12 and P11-2"), "{report}");
    assert!(report.contains(
        "spellings of one cell line, according to the list of cell lines or the annotation: A-549 = A549"
    ));
    let loaded = folder.load(CellKind::EXPRESSION, "stripped.csv").unwrap();
    assert_eq!(ids(&loaded), ["A549", "P3"]);
    assert_eq!(loaded.report.files[1].ambiguous, ["P112"]);
}

#[test]
fn aliases_do_not_beat_names() {
    let folder = Folder::with(&[
        ("responses.csv", &responses(&["CHL-1", "HMCB", "A549", "Mine", "Other"])),
        ("annotation.csv", "cell_line,alias\nCHL1,HMCB\nHMCB,CHL-1\nMine,Other; Third\nOther,Mine\n"),
    ]);
    let loaded = folder.load(CellKind::EXPRESSION, "").unwrap();
    assert_eq!(ids(&loaded), ["A549", "CHL1", "HMCB", "MINE", "OTHER"]);
    let report = loaded.report.to_string();
    assert!(report.contains("already belong to another cell line, not moved: 4"), "{report}");
}

#[test]
fn a_known_cosmic_id_says_which_line_a_row_is_of() {
    let folder = Folder::with(&[
        ("responses.csv", &responses(&["EoL-1-cell", "A549", "K-562"])),
        ("annotation.csv", "cell_line,COSMIC_ID\nEOL1,906856.0\nK-562,905949\nMCF7,999999\nMCF7,905946\n"),
        ("e.csv", "COSMIC_ID,TP53_mut\n906856,1\n905949,0\n905940,1\n"),
    ]);
    let loaded = folder.load(CellKind::EVENTS, "e.csv").unwrap();
    assert_eq!(ids(&loaded), ["A549", "EOL1CELL", "K562"]);
    let report = loaded.report.to_string();
    assert!(
        report.contains("cell lines of one name with different ids, kept separate: 1 (MCF7 (999999, row 4)"),
        "{report}"
    );
    assert!(report.contains("not moved: 1 (K-562)"), "{report}");
}

const MODEL: &str = "ModelID,PatientID,CellLineName,StrippedCellLineName,DepmapModelType,OncotreeLineage,SangerModelID,\
    COSMICID,RRID,CCLEName\n\
    ACH-900001,PT-1,Line One,LINEONE,LUAD,Lung,SIDM90001,,CVCL_X001,LINEONE_LUNG\n\
    ACH-900002,PT-2,Line Two,LINETWO,BRCA,Breast,SIDM90002,,CVCL_X002,LINETWO_BREAST\n\
    ACH-900003,PT-3,A549,A549,LUAD,Lung,SIDM90003,905949.0,CVCL_0023,A549_LUNG\n";

#[test]
fn published_annotations_link_ids_and_names() {
    let sample_info = "DepMap_ID,cell_line_name,stripped_cell_line_name,CCLE_Name,alias,COSMICID,Sanger_Model_ID,RRID,\
        lineage,parent_depmap_id\n\
        ACH-900001,Line One,LINEONE,LINEONE_LUNG,\"L1, L-One\",,SIDM90001,CVCL_X001,lung,ACH-900002\n\
        ACH-900002,Line Two,LINETWO,LINETWO_BREAST,,,SIDM90002,CVCL_X002,breast,\n\
        ACH-900003,,A549,A549_LUNG,,905949.0,SIDM90003,CVCL_0023,lung,\n";
    let model_list = "model_id,sample_id,patient_id,parent_id,model_name,synonyms,tissue,COSMIC_ID,BROAD_ID,CCLE_ID,RRID\n\
        SIDM90001,SIDS1,SIDP1,SIDM90002,Line One,L1;L-One,Lung,,ACH-900001;ACH-900009,LINEONE_LUNG,CVCL_X001\n\
        SIDM90002,SIDS2,SIDP2,,Line Two,,Breast,,ACH-900002,LINETWO_BREAST,CVCL_X002\n\
        SIDM90003,SIDS3,SIDP3,,A549,,Lung,905949,ACH-900003,A549_LUNG,CVCL_0023\n";
    let ids_only = [
        "ACH-900001,ACH-900002,ACH-900003",
        "SIDM90001,SIDM90002,SIDM90003",
        "LINEONE_LUNG,LINETWO_BREAST,A549_LUNG",
    ];
    let rrids = "CVCL_X001,CVCL_X002,CVCL_0023";
    for annotation in [MODEL, sample_info, model_list] {
        for keys in ids_only.into_iter().chain([rrids]) {
            let rows = keys.split(',').zip(1..).map(|(key, at)| format!("{key},{at},{}\n", at * at));
            let features = format!(",ABCB1 (5243),TP53 (7157)\n{}", rows.collect::<String>());
            let folder = Folder::with(&[
                ("responses.csv", &responses(&["Line One", "Line-Two", "A549"])),
                ("annotation.csv", annotation),
                ("e.csv", &features),
            ]);
            let loaded = folder.load(CellKind::EXPRESSION, "e.csv").unwrap();
            assert_eq!(ids(&loaded), ["A549", "LINEONE", "LINETWO"], "{keys}");
            assert_eq!(loaded.screen.tables[0].block("expression").unwrap().names, ["ABCB1", "TP53"]);
        }
    }
    let details = "Sample Name,COSMIC identifier,\"GDSC\nTissue descriptor 1\"\nLine One,9000001,lung\nLine Two,9000002,breast\n";
    let folder = Folder::with(&[
        ("responses.csv", &responses(&["Line One", "Line-Two"])),
        ("annotation.csv", details),
        ("e.csv", "gene,DATA.9000001,DATA.9000002\nABCB1,1,2\nTP53,4,3\n"),
    ]);
    let loaded = folder.load(CellKind::EXPRESSION, "e.csv").unwrap();
    assert_eq!(ids(&loaded), ["LINEONE", "LINETWO"]);
    assert_eq!(loaded.screen.tables[0].group("tissue").unwrap().levels, ["breast", "lung"]);
}

#[test]
fn a_file_of_which_nothing_joins_is_refused() {
    let folder = Folder::with(&[
        ("responses.csv", &responses(&["Line One", "Line Two"])),
        ("e.csv", ",ABCB1,TP53\nACH-900001,1,0\nACH-900002,0,1\n"),
        ("drugs.csv", "drug,smiles\nx,CCO\n"),
    ]);
    says(
        folder.load(CellKind::MUTATION, "e.csv"),
        &["e.csv", "ACH-900001", "DepMap ids", "Line One", "Model.csv", "data.annotation"],
    );
    says(folder.load(CellKind::EXPRESSION, "e.csv"), &["ACH-900001", "Line One", "Model.csv"]);
    fs::write(folder.path().join("drugs.csv"), "drug,smiles\ny,CCO\n").unwrap();
    says(
        folder.load(CellKind::EXPRESSION, ""),
        &["drugs.csv", "1 drugs of the responses (x)", "\"drug\" has y"],
    );
}

#[test]
fn genes_meet_by_their_symbols() {
    let space = |names: &[&str]| FeatureSpace {
        features: names
            .iter()
            .map(|name| Feature { kind: "expression".into(), name: (*name).into(), domain: Domain::Real })
            .collect(),
    };
    let folder = Folder::with(&[
        ("symbols.csv", "cell_line,ABCB1,TP53,KMT2D\np 1,0.5,1.5,2.5\np 2,1.5,0.5,1.5\n"),
        ("ids.csv", "cell_line,(5243),(7157),(8085)\np 1,0.5,1.5,2.5\np 2,1.5,0.5,1.5\n"),
    ]);
    let names = |file: &str, of_model: &[&str]| -> Vec<String> {
        let path = folder.path().join(file);
        let (table, _) = read_cells_for_scoring(&[(&path, None)], Some(&space(of_model)), None).unwrap();
        table.block("expression").unwrap().names.clone()
    };
    assert_eq!(
        names("symbols.csv", &["ABCB1 (5243)", "TP53 (7157)", "MLL2"]),
        ["ABCB1 (5243)", "TP53 (7157)", "MLL2"]
    );
    assert_eq!(names("ids.csv", &["ABCB1", "TP53", "KMT2D"]), ["ABCB1", "TP53", "KMT2D"]);
    assert_eq!(names("ids.csv", &["(5243)", "(7157)"]), ["(5243)", "(7157)", "KMT2D"]);
}

#[test]
fn genes_that_spreadsheets_made_dates_of_are_named_and_never_averaged() {
    let folder = Folder::with(&[
        ("responses.csv", &responses(&["A549", "K-562"])),
        ("once.csv", "gene,A549,K-562\nABCB1,1,2\n1-Mar,3,5\n2-Sep,2,1\n"),
        ("twice.csv", "gene,A549,K-562\nABCB1,1,2\n1-Mar,3,5\n1-Mar,2,1\n"),
    ]);
    let report = folder.load(CellKind::EXPRESSION, "once.csv").unwrap().report.to_string();
    assert!(report.contains("look like dates") && report.contains("2 (1-Mar, 2-Sep)"), "{report}");
    says(
        folder.load(CellKind::EXPRESSION, "twice.csv"),
        &["twice.csv", "1-Mar", "more than once", "symbols"],
    );
}

#[test]
fn both_sides_say_which_way_round_a_table_is() {
    let space = FeatureSpace {
        features: ["ME1", "NOS1", "CHL1", "X9Q", "Y9Q"]
            .iter()
            .map(|name| Feature { kind: "expression".into(), name: (*name).into(), domain: Domain::Real })
            .collect(),
    };
    let folder = Folder::with(&[
        ("rows.csv", ",ME1,NOS1,CHL1,X9Q,Y9Q\nPAT_1,0.1,0.2,0.3,0.4,0.5\nPAT_2,1.1,1.2,1.3,1.4,1.5\n"),
        (
            "columns.csv",
            "gene,PAT_1,PAT_2\nME1,0.1,1.1\nNOS1,0.2,1.2\nCHL1,0.3,1.3\nX9Q,0.4,1.4\nY9Q,0.5,1.5\n",
        ),
        ("either.csv", ",ME1,CHL1\nNOS1,0.5,1.5\nATN1,2.5,3.5\n"),
        ("numbered.csv", ",ABCB1,TP53\n696,0.5,1.5\n697,2.5,3.5\n698,2.5,3.5\n"),
        ("numbered_columns.csv", "Pair,695,696,697,698,5636,5637\nS0,0.5,1,2,3,4,5\nS1,1.5,1,2,3,4,6\n"),
        (
            "described.csv",
            "GENE_SYMBOLS,GENE_title,A549,K-562\nABCB1,a transporter,0.5,1.5\n,none,1,2\nTP53,a factor,2.5,3\n",
        ),
    ]);
    let read = |file: &str, space, set| {
        read_cells_for_scoring(&[(&folder.path().join(file), Some(CellKind::EXPRESSION))], space, set)
    };
    for file in ["rows.csv", "columns.csv"] {
        let (table, _) = read(file, Some(&space), None).unwrap();
        assert_eq!(table.ids(), ["PAT1", "PAT2"], "{file}");
        assert_eq!(table.block("expression").unwrap().len(), 5);
    }
    says(
        read("either.csv", None, None),
        &["orientation is ambiguous", "cell_lines_in_rows", "genes_in_rows"],
    );
    let (table, _) = read("either.csv", None, Some(Orientation::GenesInRows)).unwrap();
    assert_eq!(table.ids(), ["CHL1", "ME1"]);
    says(read("numbered.csv", None, None), &["row numbers", "cell_line"]);
    let (table, _) = read("numbered_columns.csv", None, None).unwrap();
    assert_eq!(table.ids(), ["S0", "S1"], "columns that are numbered are no cell lines");
    let (table, reports) = read("described.csv", None, None).unwrap();
    assert_eq!(table.ids(), ["A549", "K562"]);
    let report = reports[0].to_string();
    assert!(
        report.contains("set aside: \"GENE_title\" (texts)")
            && report.contains("rows without a name in \"GENE_SYMBOLS\", left out: 1"),
        "{report}"
    );
}

#[test]
fn the_column_that_has_the_drugs_names_is_the_key() {
    let combined = "drug_a,drug_b,cell_line,synergy\n9001,9002,A549,1\n9001,9003,A549,2\n";
    for sheet in [
        "name,pubchemid,isosmiles\nOne,9001,CCO\nTwo,9002.0,CCN\nThree,9003,CCC\n",
        "dname,drug\n9001,CC(=O)O\n9002,CC(=O)N\n9003,CC(=O)C\n",
    ] {
        let folder = Folder::with(&[("responses.csv", combined), ("drugs.csv", sheet)]);
        let loaded = folder.load(CellKind::EXPRESSION, "").unwrap();
        let drugs = &loaded.screen.tables[1];
        assert_eq!(drugs.block("fingerprint").unwrap().missing_share(), 0.0);
    }
    let sheet = "drug,synonyms,smiles\nPHA.665752,,CCO\nX17.AAG,,CCN\nNutlin.3a....,,CCC\nBIBW2992,Afatinib; Tovok,CCCO\n";
    let mut names = responses(&["A549"]);
    for drug in ["PHA-665752", "17-AAG", "Nutlin-3a (-)", "Tovok"] {
        names += &format!("A549,{drug},1\n");
    }
    let folder = Folder::with(&[("responses.csv", &names), ("drugs.csv", sheet)]);
    let loaded = folder.load(CellKind::EXPRESSION, "").unwrap();
    let report = loaded.report.to_string();
    assert!(report.contains("R would make: 17-AAG = X17.AAG, PHA-665752 = PHA.665752"), "{report}");
    assert!(report.contains("by a synonym: Tovok = BIBW2992"), "{report}");
    assert!(report.contains("Nutlin.3a.... may be Nutlin-3a (-)"), "{report}");
}

#[test]
fn structures_are_tidied_and_names_may_be_structures() {
    let folder = Folder::with(&[
        (
            "drugs.csv",
            "drug,smiles\na,C/C=C\\\\C(=O)N\nb,CCO; CCN\nc,\"c1ccccc1O, c1ccccc1N\"\nd,CCO\nd,CCO\ne-1,CCO\ne1,CCN\n",
        ),
        ("named.csv", "drug\nc1ccccc1O\nC1CCCCC1O\nCC(=O)N\n"),
    ]);
    let read = |name: &str| read_drugs(folder.path().join(name), &DrugFeatures::default(), None).unwrap();
    let (table, report) = read("drugs.csv");
    assert_eq!(table.ids(), ["a", "b", "c", "d", "e-1", "e1"]);
    assert_eq!(table.block("fingerprint").unwrap().missing_share(), 0.0);
    let report = report.to_string();
    for note in [
        "the first is used: 2 (b, c)",
        "doubled backslashes, read with single ones: 1 (a)",
        "row 6 repeats d of row 5",
        "kept separate: e-1 and e1",
    ] {
        assert!(report.contains(note), "{report} lacks {note}");
    }
    let (table, report) = read("named.csv");
    assert_eq!(table.len(), 3);
    assert_eq!(table.block("fingerprint").unwrap().missing_share(), 0.0);
    assert!(report.to_string().contains("names that are structures, used as such: 3 of 3"), "{report}");
}

#[test]
fn a_constant_tissue_is_left_out() {
    let folder = Folder::with(&[
        ("responses.csv", &responses(&["A549", "MCF7", "K-562"])),
        (
            "events.csv",
            "COSMIC_ID,TISSUE_FACTOR,TP53_mut,KRAS_mut\n905949,unspecified,1,0\n905946,unspecified,0,0\n905940,unspecified,1,1\n",
        ),
        ("constant.csv", "cell_line,ABCB1\nA549,1\nMCF7,1\nK-562,1\n"),
    ]);
    let loaded = folder.load(CellKind::EVENTS, "events.csv").unwrap();
    assert_eq!(loaded.screen.tables[0].blocks().len(), 1);
    let report = loaded.report.to_string();
    assert!(report.contains("no feature of tissue is used: every feature is constant"), "{report}");
    says(folder.load(CellKind::EXPRESSION, "constant.csv"), &["constant.csv", "every feature is constant"]);
}
