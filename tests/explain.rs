//! What predictions rest on, as a user meets it: a model in, a report and tables out.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::path::Path;

use halfmax_data::{RawTable, read_table};
use tempfile::TempDir;

use command::halfmax;

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = halfmax(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with this code, and checks what it says.
fn fails(folder: &Path, code: i32, arguments: &[&str], says: &[&str]) {
    let output = halfmax(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}:\n{errors}");
    for part in says {
        assert!(errors.contains(part), "expected {part:?} in:\n{errors}");
    }
}

const CONFIG: &str = r#"
name = "<b>small</b>"
[data]
response = "response.csv"
drugs = "drugs.csv"
[[data.cells]]
kind = "expression"
file = "expression.csv"
[split]
kind = "lco"
folds = 3
[[model]]
family = "kernel"
"#;

const CELLS: usize = 80;
const HOSTILE: &str = "<script>alert(1)</script>";

fn noise(a: usize, b: usize) -> f64 {
    let mixed = (a * 7919 + b * 104_729 + a * b * 31) % 10_007;
    mixed as f64 / 5003.5 - 1.0
}

/// A screen in which ABCB1 makes resistant to paclitaxel, SLFN11 sensitive to SN-38, and nothing is told of a third drug, which
/// has a hostile name. `name` is what a gene is called.
fn screen(name: impl Fn(&str) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut genes: Vec<String> = ["ABCB1", "ABCC1", "ABCG2", "SLFN11", "ATR"].map(&name).to_vec();
    genes.extend((0..95).map(|gene| name(&format!("FILLER{gene}"))));
    let mut expression = format!("cell_line,{}\n", genes.join(","));
    let mut response = String::from("CELL_LINE_NAME,DRUG_NAME,LN_IC50\n");
    for cell in 0..CELLS {
        let values: Vec<String> = (0..genes.len()).map(|gene| format!("{:.4}", noise(cell, gene))).collect();
        expression.push_str(&format!("LINE-{cell},{}\n", values.join(",")));
        let of = [
            ("Paclitaxel", 2.0 * noise(cell, 0) - 3.0),
            ("SN-38", -1.5 * noise(cell, 3)),
            (HOSTILE, noise(cell, 500)),
        ];
        for (drug, value) in of {
            response.push_str(&format!("LINE-{cell},{drug},{:.4}\n", value + 0.2 * noise(cell, 700)));
        }
    }
    let drugs = format!(
        "drug,targets,target_pathway\nPaclitaxel,Microtubule stabiliser,Mitosis\nSN-38,TOP1,DNA replication\n{HOSTILE},,\n"
    );
    for (name, text) in [("expression.csv", &expression), ("response.csv", &response), ("drugs.csv", &drugs)]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    folder
}

fn trained(name: impl Fn(&str) -> String) -> TempDir {
    let folder = screen(name);
    succeeds(folder.path(), &["train", "config.toml", "--out", "run"]);
    folder
}

const MODEL: &str = "run/model.halfmax";

fn column(table: &RawTable, name: &str) -> Vec<String> {
    let at = table.find(&[name]).unwrap_or_else(|| panic!("no column {name}: {:?}", table.names()));
    table.texts(at).unwrap().into_iter().map(Option::unwrap_or_default).collect()
}

/// Whether a table has columns and no rows, which is refused as input.
fn is_empty(path: &Path) -> bool {
    read_table(path).unwrap_err().to_string().contains("a header but no rows")
}

#[test]
fn a_model_is_explained_by_the_genes_and_mechanisms_that_act() {
    let folder = trained(str::to_owned);
    let arguments =
        ["explain", MODEL, "--out", "why/report.html", "--cell-line", "line 7", "--permutations", "300"];
    fs::create_dir(folder.path().join("why")).unwrap();
    succeeds(folder.path(), &arguments);
    let importance = read_table(folder.path().join("why/importance.parquet")).unwrap();
    assert_eq!(
        importance.names()[..7],
        ["model", "drug", "feature_kind", "feature", "mean_abs", "direction", "rank"]
    );
    let columns = ["drug", "feature", "direction", "rank"].map(|name| column(&importance, name));
    let first = |drug: &str| {
        let at =
            (0..importance.rows()).find(|row| columns[0][*row] == drug && columns[3][*row] == "1").unwrap();
        (columns[1][at].clone(), columns[2][at].clone())
    };
    assert_eq!(first("Paclitaxel"), ("ABCB1".to_owned(), "resistant".to_owned()));
    assert_eq!(first("SN-38"), ("SLFN11".to_owned(), "sensitive".to_owned()));
    let mechanisms = read_table(folder.path().join("why/mechanisms.parquet")).unwrap();
    assert_eq!(
        mechanisms.names()[..9],
        ["model", "drug", "mechanism", "attribution", "direction", "p", "q", "genes", "agrees"]
    );
    let columns =
        ["drug", "mechanism", "direction", "q", "genes", "agrees"].map(|name| column(&mechanisms, name));
    let row = |drug: &str, mechanism: &str| {
        (0..mechanisms.rows()).find(|row| columns[0][*row] == drug && columns[1][*row] == mechanism).unwrap()
    };
    for (drug, mechanism, gene) in
        [("Paclitaxel", "efflux", "ABCB1"), ("SN-38", "replication_stress", "SLFN11")]
    {
        let at = row(drug, mechanism);
        // Less SLFN11 is more of the mechanism, so that both point to resistance.
        assert_eq!((columns[2][at].as_str(), columns[5][at].as_str()), ("resistant", "yes"), "{drug}");
        assert!(columns[3][at].parse::<f64>().unwrap() < 0.05, "{drug}: q {}", columns[3][at]);
        assert!(columns[4][at].starts_with(gene), "{drug}: {}", columns[4][at]);
    }
    let at = row(HOSTILE, "efflux");
    assert!(columns[3][at].parse::<f64>().unwrap() > 0.05, "nothing acts on the third drug");

    let report = fs::read_to_string(folder.path().join("why/report.html")).unwrap();
    for part in [
        "Research use only",
        "LINE7",
        "ABCB1 were",
        "P-glycoprotein",
        "sha-256",
        "over all drugs",
        "&lt;script&gt;alert(1)",
    ] {
        assert!(report.to_lowercase().contains(&part.to_lowercase()), "the report lacks {part:?}");
    }
    assert!(!report.contains(HOSTILE) && !report.contains("<b>small</b>"), "names are escaped");
    assert!(!report.contains(&*folder.path().to_string_lossy()), "the report names the machine's folders");
    // Again: the same bytes; a report that is there is not lost.
    fails(folder.path(), 2, &arguments, &["already exists", "--overwrite"]);
    succeeds(folder.path(), &[&arguments[..], &["--overwrite", "--threads", "1"]].concat());
    assert!(report == fs::read_to_string(folder.path().join("why/report.html")).unwrap());
}

#[test]
fn new_cell_lines_get_pages_too() {
    let folder = trained(str::to_owned);
    let text = fs::read_to_string(folder.path().join("expression.csv")).unwrap();
    let mut lines = text.lines();
    let new =
        format!("{}\n{}\n", lines.next().unwrap(), lines.next().unwrap().replacen("LINE-0", "TUMOUR-1", 1));
    fs::write(folder.path().join("new.csv"), new).unwrap();
    let arguments = ["explain", MODEL, "--out", "new.html", "--cells", "new.csv", "--permutations", "100"];
    succeeds(folder.path(), &arguments);
    let report = fs::read_to_string(folder.path().join("new.html")).unwrap();
    assert!(report.contains("TUMOUR1") && !report.contains("LINE0"));
}

#[test]
fn what_cannot_be_explained_is_told_with_a_way_out() {
    let folder = trained(str::to_owned);
    let place = folder.path();
    let explain = |more: &[&str], says: &[&str], code: i32| {
        let arguments = [&["explain", MODEL, "--out", "no.html"][..], more].concat();
        fails(place, code, &arguments, says);
        for name in ["no.html", "importance.parquet", "mechanisms.parquet"] {
            assert!(!place.join(name).exists(), "{more:?} left {name}");
        }
    };
    explain(&["--cell-line", "LINE-700"], &["\"LINE-700\" is not among the 80", "did you mean"], 2);
    explain(&["--permutations", "5"], &["permutations = 5", "100 to 20000"], 2);
    let catalogue = |text: &str, says: &[&str]| {
        fs::write(place.join("own.toml"), text).unwrap();
        explain(&["--mechanisms", "own.toml"], &[&["own.toml"][..], says].concat(), 2);
    };
    catalogue("[[mechanism]]\nid = \"a\"\nname = \"A\"\nupp = [\"ABCB1\"]", &["unknown field `upp`"]);
    catalogue("[[mechanism]]\nid = \"a\"\nname = \"A\"\nup = [\"ABCB1X\"]", &["ABCB1X", "symbol", "help:"]);
    catalogue("[[mechanism]]\nid = \"a\"\nname = \"A\"", &["has no gene"]);
    explain(&["--mechanisms", "nowhere.toml"], &["nowhere.toml", "cannot be read"], 2);
    let sets = |text: &[u8], says: &[&str], code: i32| {
        fs::write(place.join("own.gmt"), text).unwrap();
        explain(&["--gene-sets", "own.gmt"], &[&["own.gmt"][..], says].concat(), code);
    };
    sets(b"<!DOCTYPE html>", &["web page", ".gmt"], 3);
    sets(b"SET,ABCB1,ABCC1", &["line 1", "no tab"], 3);
    sets(&[0x1f, 0x8b, 0xff], &["not text in UTF-8"], 3);
    explain(&["--gene-sets", "nowhere.gmt"], &["nowhere.gmt", "cannot be read"], 2);
    fs::rename(place.join("run/config.toml"), place.join("elsewhere.toml")).unwrap();
    explain(&[], &["config.toml", "halfmax train"], 2);
}

#[test]
fn further_gene_sets_are_tested_beside_the_catalogue() {
    let folder = trained(str::to_owned);
    let sets =
        "MY_PUMPS\thttps://example.org/set\tABCB1\tABCC1\nFILLERS\tnothing\tFILLER1\tFILLER2\tFILLER3\n";
    fs::write(folder.path().join("own.gmt"), sets).unwrap();
    let arguments = ["explain", MODEL, "--out", "r.html", "--gene-sets", "own.gmt", "--permutations", "300"];
    succeeds(folder.path(), &arguments);
    let mechanisms = read_table(folder.path().join("mechanisms.parquet")).unwrap();
    let columns = ["drug", "mechanism", "p"].map(|name| column(&mechanisms, name));
    let p = |mechanism: &str| {
        let at =
            (0..mechanisms.rows()).find(|at| columns[0][*at] == "Paclitaxel" && columns[1][*at] == mechanism);
        columns[2][at.unwrap()].parse::<f64>().unwrap()
    };
    assert!(p("MY_PUMPS") < 0.01 && p("FILLERS") > 0.05, "{} {}", p("MY_PUMPS"), p("FILLERS"));
}

#[test]
fn features_that_are_no_genes_leave_the_rest_of_the_report() {
    let folder = trained(|gene| {
        format!(
            "probe {}",
            gene.bytes().map(usize::from).sum::<usize>() * 1000
                + gene.len() * 17
                + usize::from(*gene.as_bytes().last().unwrap())
        )
    });
    succeeds(folder.path(), &["explain", MODEL, "--out", "r.html", "--permutations", "100"]);
    let report = fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(report.contains("mechanisms are unavailable"));
    assert!(is_empty(&folder.path().join("mechanisms.parquet")));
    assert!(read_table(folder.path().join("importance.parquet")).unwrap().rows() > 100);
}

#[test]
fn a_family_that_says_nothing_of_its_features_is_judged_by_exchanging_them() {
    let folder = screen(str::to_owned);
    let config = CONFIG.replace("\"kernel\"", "\"knn\"");
    fs::write(folder.path().join("config.toml"), config).unwrap();
    succeeds(folder.path(), &["train", "config.toml", "--out", "run"]);
    succeeds(folder.path(), &["explain", MODEL, "--out", "r.html"]);
    let report = fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(report.contains("ABC transporters") && report.contains("rise of RMSE"));
    assert!(is_empty(&folder.path().join("importance.parquet")));
}

#[test]
fn runs_have_reports_and_explain_models_where_that_is_asked_for() {
    let folder = screen(str::to_owned);
    succeeds(folder.path(), &["evaluate", "config.toml", "--out", "plain"]);
    let report = fs::read_to_string(folder.path().join("plain/report.html")).unwrap();
    assert!(report.contains("within-drug R²") && report.contains("cell lines that no model had seen"));
    assert!(!folder.path().join("plain/importance.parquet").exists());
    let config = format!(
        "{CONFIG}\n[[model]]\nfamily = \"boost\"\nrounds = 20\nmin_leaf_weight = 2\n[explain]\npermutations = 100\n\
         models = [\"boost\", \"kernel\"]\ncell_lines = [\"LINE-3\"]\n"
    );
    fs::write(folder.path().join("config.toml"), &config).unwrap();
    succeeds(folder.path(), &["evaluate", "config.toml", "--out", "explained"]);
    let importance = read_table(folder.path().join("explained/importance.parquet")).unwrap();
    let mut models = column(&importance, "model");
    models.dedup();
    assert_eq!(models, ["boost", "kernel"]);
    let report = fs::read_to_string(folder.path().join("explained/report.html")).unwrap();
    assert!(report.contains("LINE3") && report.contains("Shapley"));
    succeeds(folder.path(), &["reproduce", "explained"]);
    fs::write(folder.path().join("config.toml"), config.replace("\"kernel\"]", "\"kernels\"]")).unwrap();
    fails(
        folder.path(),
        2,
        &["evaluate", "config.toml", "--out", "wrong"],
        &["explain.models names \"kernels\"", "did you mean \"kernel\""],
    );
}
