//! `halfmax synergy` as a user meets it.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod command;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use command::halfmax;

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in:\n{message}");
    }
}

fn rows(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} is {} in {row}", row[key]))
}

/// Two drugs that are independent but for `boost` points where both are given, three replicates; 0 stands for each alone.
fn table(boost: f64) -> String {
    let mut text = String::from("drug_a,drug_b,cell_line,conc_a,conc_b,conc_unit,inhibition\n");
    for a in [0.0, 30.0, 100.0, 300.0, 1000.0] {
        for b in [0.0, 10.0, 30.0, 100.0, 300.0] {
            let viability = 1.0 / (1.0 + a / 200.0) * (0.3 + 0.7 / (1.0 + b / 50.0));
            let together = if a > 0.0 && b > 0.0 { boost } else { 0.0 };
            for error in [-1.0, 0.0, 1.0] {
                let inhibition = 100.0 * (1.0 - viability) + together + error;
                text.push_str(&format!("A,B,A375,{a},{b},nM,{inhibition}\n"));
            }
        }
    }
    text
}

/// A folder with one table.
fn folder(text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("matrix.csv"), text).unwrap();
    folder
}

/// Scores a table with more arguments; the cells, the blocks, and what was said.
fn scored(text: &str, arguments: &[&str]) -> (Vec<Value>, Vec<Value>, String) {
    let folder = folder(text);
    let files = ["synergy", "matrix.csv", "--out", "scores.ndjson", "--summary", "blocks.ndjson"];
    let output = halfmax(folder.path(), &[&files, arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let said = said + &String::from_utf8_lossy(&output.stdout);
    (rows(&folder.path().join("scores.ndjson")), rows(&folder.path().join("blocks.ndjson")), said)
}

/// Scores a table that must be refused with this code, and returns what is said.
fn refused(text: &str, code: i32, arguments: &[&str]) -> String {
    let folder = folder(text);
    let files = ["synergy", "matrix.csv", "--out", "scores.csv", "--summary", "blocks.csv"];
    let output = halfmax(folder.path(), &[&files, arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["matrix.csv"], "a refused table left a file");
    said
}

#[test]
fn synergy_that_was_put_in_is_found() {
    let (cells, blocks, said) = scored(&table(15.0), &[]);
    says(
        &said,
        &["75 readings of 1 block, taken as inhibition-percent", "1 (A with B in A375)", "bliss 15.0 ["],
    );
    assert_eq!(cells.len(), 25);
    for cell in cells.iter().filter(|cell| number(cell, "dose_a_um") > 0.0 && number(cell, "dose_b_um") > 0.0)
    {
        assert!((number(cell, "synergy_bliss") - 15.0).abs() < 1e-6, "{cell}");
        assert!((number(cell, "reference_bliss") + 15.0 - number(cell, "inhibition")).abs() < 1e-6, "{cell}");
        assert!((number(cell, "synergy_zip") - 15.0).abs() < 5.0, "{cell}");
        assert!(number(cell, "synergy_bliss_lower") < 15.0 && number(cell, "synergy_bliss_upper") > 15.0);
        assert_eq!(cell["replicates"], 3);
    }
    let alone = cells.iter().find(|cell| number(cell, "dose_b_um") == 0.0).unwrap();
    assert!(alone["synergy_bliss"].is_null() && alone["reference_hsa"].is_null(), "{alone}");
    assert!(cells.iter().any(|cell| number(cell, "dose_a_um") == 0.3), "nM was not taken for nM");
    assert!((number(&blocks[0], "synergy_bliss") - 15.0).abs() < 1e-6);
    assert!(number(&blocks[0], "window_hsa") >= number(&blocks[0], "synergy_hsa"));
    assert_eq!(number(&blocks[0], "window_hsa_dose_a_um_to"), 1.0);
    let (_, blocks, _) = scored(&table(0.0), &[]);
    let zip = number(&blocks[0], "synergy_zip");
    assert!(zip.abs() < 0.01, "independent drugs have a ZIP score of {zip}");
}

/// What SynergyFinder 3.20 prints of block 1 of its example at 2,500 nM of ispinesib, after a phrase of the description that lies
/// with the data. Baselines are left as they are.
fn printed(description: &str, phrase: &str) -> Vec<String> {
    let (_, after) = description.split_once(phrase).unwrap_or_else(|| panic!("no {phrase:?}"));
    let list: String = after.chars().take_while(|c| c.is_ascii_digit() || " .,-".contains(*c)).collect();
    let numbers: Vec<String> =
        list.split(", ").map(|number| number.trim_matches([' ', ',']).to_owned()).collect();
    assert_eq!(numbers.len(), 5, "{list}");
    numbers
}

fn combinations() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/combinations");
    if !data.is_dir() {
        eprintln!("skipped: {} is not there", data.display());
        return None;
    }
    Some(data)
}

#[test]
fn synergyfinder_is_reproduced() {
    let Some(data) = combinations() else { return };
    let folder = TempDir::new().unwrap();
    let file = data.join("mathews_screening_data.csv");
    let start = ["synergy", file.to_str().unwrap(), "--response", "viability-percent"];
    let arguments = [&start[..], &["--out", "scores.ndjson", "--summary", "blocks.ndjson"]].concat();
    let output = halfmax(folder.path(), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Its four-parameter fit of ibrutinib alone has these plateaus.
    let block = &rows(&folder.path().join("blocks.ndjson"))[0];
    let plateaus = ["inhibition_b_high_dose", "inhibition_b_low_dose"].map(|key| number(block, key));
    assert!((plateaus[0] - 62.3).abs() < 0.06 && (plateaus[1] + 14.9).abs() < 0.06, "{plateaus:?}");
    let rows = rows(&folder.path().join("scores.ndjson"));
    let description = fs::read_to_string(data.join("../README.md")).unwrap();
    let description = description.lines().collect::<Vec<&str>>().join(" ");
    let lists = [
        ("inhibition", ": response "),
        ("reference_hsa", "HSA reference "),
        ("synergy_hsa", "HSA synergy "),
        ("reference_bliss", "Bliss reference "),
        ("synergy_bliss", "Bliss synergy "),
    ];
    let lists = lists.map(|(key, phrase)| (key, printed(&description, phrase)));
    for (at, dose) in printed(&description, "2,500 nM, ibrutinib ").iter().enumerate() {
        let dose = dose.parse::<f64>().unwrap() / 1000.0;
        let same = |row: &&Value| {
            row["block_id"] == "1"
                && number(row, "dose_a_um") == 2.5
                && (number(row, "dose_b_um") / dose - 1.0).abs() < 1e-9
        };
        let row = rows.iter().find(same).unwrap();
        for (key, list) in &lists {
            let printed = &list[at];
            // R leaves trailing zeros out: what is printed is compared to as many digits as it has.
            let digits = printed.split_once('.').map_or(0, |(_, digits)| digits.len());
            let found = format!("{:.digits$}", number(row, key)).parse::<f64>().unwrap();
            assert_eq!(found, printed.parse::<f64>().unwrap(), "{key} at {dose} µM: {row}");
        }
    }
}

#[test]
fn output_is_as_asked_and_does_not_depend_on_threads() {
    let folder = folder(&table(5.0));
    let run = |arguments: &[&str]| halfmax(folder.path(), &[&["synergy", "matrix.csv"], arguments].concat());
    let output = run(&["--out", "scores.parquet", "--json", "--quiet", "--models", "zip,bliss"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&"block".into(), &"synergy".into()));
    assert!((number(&events[0]["synergy"]["bliss"], "mean") - 5.0).abs() < 1e-6, "{}", events[0]);
    assert!(events[0]["synergy"]["hsa"].is_null());
    assert!(fs::read(folder.path().join("scores.parquet")).unwrap().starts_with(b"PAR1"));
    let one = run(&["--out", "-", "--threads", "1"]).stdout;
    assert_eq!(one, run(&["--out", "-", "--threads", "2"]).stdout);
    assert!(one.starts_with(b"block_id,drug_a,drug_b,cell_line,replicates,dose_a_um,dose_b_um,inhibition,"));
    assert_ne!(one, run(&["--out", "-", "--seed", "2"]).stdout);
    let without =
        String::from_utf8(run(&["--out", "-", "--bootstrap", "0", "--models", "hsa"]).stdout).unwrap();
    assert!(without.lines().all(|line| line.starts_with("block_id") || line.ends_with(",,")), "{without}");
}

#[test]
fn a_page_and_svg_files_on_request() {
    // A block with replicates, and one of a drug with itself without them.
    let more = table(-12.0).lines().skip(2).step_by(3).collect::<Vec<_>>().join("\n");
    let text = table(8.0) + &more.replace("A,B,A375", "C,C,<i>MCF7</i>");
    let folder = folder(&text);
    let run = |more: &[&str]| {
        let all = ["synergy", "matrix.csv", "--out", "s.csv", "--html", "page.html", "--svg", "svg"];
        halfmax(folder.path(), &[&all, more].concat())
    };
    let output = run(&[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    says(&said, &["wrote 2 SVG files to svg", "wrote page.html"]);
    let html = fs::read_to_string(folder.path().join("page.html")).unwrap();
    says(
        &html,
        &[
            "All 2 blocks are shown.",
            "C + C · &lt;i&gt;MCF7&lt;/i&gt;",
            "<b>no replicates</b> <b>a drug with itself</b>",
            "by the mean score of ZIP",
            "<dt>mean Bliss</dt><dd>+8.0 <small>",
        ],
    );
    // The block with the stronger synergy comes first.
    assert!(html.find("<h3>A + B").unwrap() < html.find("<h3>C + C").unwrap());
    // Two maps and two landscapes of the response and of each model, less the two of a model without a score.
    assert_eq!(html.matches("<svg class=square").count(), html.matches("<table class=matrix").count());
    assert!(html.matches("<table class=matrix").count() >= 8);
    assert_eq!(html.matches("<svg class=dose").count(), 4);
    // The cell of the highest doses: its reading is in the table.
    let csv = fs::read_to_string(folder.path().join("s.csv")).unwrap();
    assert!(csv.lines().count() == 1 + 2 * 25, "{csv}");
    let viability: f64 = 1.0 / 6.0 * (0.3 + 0.7 / 7.0);
    let highest = format!("<td class=h8 title=\"of 3 readings\">{:.0}", 100.0 * (1.0 - viability) + 8.0);
    says(&html, &[&highest]);
    let mut names: Vec<_> =
        fs::read_dir(folder.path().join("svg")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["A__B__A375__1.svg", "C__C__-i-MCF7--i-__2.svg"]);
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(run(&["--overwrite"]).status.success());
}

#[test]
fn a_baseline_is_taken_off_where_asked() {
    let shifted = |shift: f64| {
        let text = table(0.0);
        let mut lines = text.lines().map(str::to_owned).collect::<Vec<String>>();
        for line in lines.iter_mut().skip(1) {
            let (rest, inhibition) = line.rsplit_once(',').unwrap();
            // What a plate reads whose control is too low by a tenth.
            let inhibition: f64 = inhibition.parse().unwrap();
            *line = format!("{rest},{}", inhibition - shift * (1.0 - inhibition / 100.0));
        }
        lines.join("\n")
    };
    let mean =
        |text: &str, baseline: &str| number(&scored(text, &["--baseline", baseline]).1[0], "synergy_bliss");
    let expected = mean(&shifted(0.0), "none");
    let off = |baseline| (mean(&shifted(10.0), baseline) - expected).abs();
    // The correction is not exact: of a baseline of −10 % it leaves a tenth.
    assert!(off("all") < 0.2 * off("none"), "{} {}", off("all"), off("none"));
}

#[test]
fn sham_combinations_and_doubtful_blocks_are_named() {
    let (_, _, said) = scored(&table(0.0).replace("A,B,", "A,a,"), &[]);
    says(&said, &["blocks of a drug with itself", ": 1"]);
    let small = "drug1,drug2,conc1,conc2,viability\nA,B,0,1,80\nA,B,1,0,90\nA,B,1,1,30\n";
    let (cells, _, said) = scored(small, &[]);
    says(
        &said,
        &[
            "assuming µM; set dose_unit for another unit",
            "1 block lacks the score of a model",
            "three doses",
            "loewe none",
        ],
    );
    assert!((number(&cells[3], "synergy_hsa") - 50.0).abs() < 1e-9 && cells[3]["cell_line"].is_null());
    let (cells, _, said) = scored(small, &["--dose-unit", "nm"]);
    assert!(!said.contains("assuming µM") && number(&cells[3], "dose_a_um") == 0.001);
}

#[test]
fn what_cannot_be_used_is_refused_with_its_place() {
    let with = |row: &str| format!("{}{row}\n", table(0.0));
    says(
        &refused(&with("A,B,A375,-30,10,nM,50"), 3, &[]),
        &["matrix.csv: column \"conc_a\", row 77: \"-30\"", "0 or more", "help:"],
    );
    says(&refused(&with("A,B,A375,30,,nM,50"), 3, &[]), &["\"conc_b\", row 77: empty, expected", "help:"]);
    says(&refused(&with("A,B,A375,30,10,mol,50"), 3, &[]), &["\"conc_unit\", row 77: \"mol\"", "nM"]);
    says(
        &refused(&with("A,B,A375,30,10,uM,50"), 3, &[]),
        &["\"conc_unit\", row 77: \"uM\"", "row 17 of block 1"],
    );
    says(
        &refused(&with("A,B,A375,30,10,nM,5000"), 3, &[]),
        &["\"inhibition\", row 77: \"5000\"", "inhibition-percent"],
    );
    let no_row: String = table(0.0)
        .lines()
        .filter(|line| !line.contains(",A375,0,"))
        .map(|line| format!("{line}\n"))
        .collect();
    says(
        &refused(&no_row, 3, &[]),
        &[
            "matrix.csv: block 1 (A with B in A375)",
            "the second drug was not measured alone",
            "dose 0",
            "help:",
        ],
    );
    says(&refused("drug_a,cell,conc_a\nA,x,1\n", 3, &[]), &["no column of second drugs", "drug_b"]);
    // Where no well is untreated, nothing shows what a response is.
    let response: String = table(0.0)
        .replace("inhibition", "response")
        .lines()
        .filter(|line| !line.contains(",A375,0,0,"))
        .map(|line| format!("{line}\n"))
        .collect();
    says(&refused(&response, 3, &[]), &["viability or inhibition", "--response"]);
    says(
        &refused(&table(0.0), 3, &["--response", "inhibition-fraction"]),
        &["cannot be inhibition-fraction"],
    );
    refused(&table(0.0), 2, &["--models", "hsa,chou"]);
    let folder = folder(&table(0.0));
    let output =
        halfmax(folder.path(), &["synergy", "matrix.csv", "--out", "one.csv", "--summary", "one.csv"]);
    assert_eq!(output.status.code(), Some(2));
    says(&String::from_utf8_lossy(&output.stderr), &["one.csv", "both --out and --summary"]);
    says(&refused(&table(0.0), 2, &["--models", "hsa,hsa"]), &["without repeats"]);
    says(&refused(&table(0.0), 2, &["--bootstrap", "5"]), &["bootstrap = 5"]);
}

/// A matrix of the 2D Hill equation of MuSyC: drug 1 makes drug 2 eight times as potent.
fn musyc_table() -> String {
    let mut text = String::from("drug_a,drug_b,cell_line,conc_a,conc_b,conc_unit,viability\n");
    let doses = [0.0, 0.01, 0.046, 0.22, 1.0, 4.6, 22.0, 100.0];
    for a in doses {
        for b in doses {
            let [u1, u2] = [f64::powf(a / 0.5, 1.2), f64::powf(b / 2.0, 1.5)];
            let [v1, v2] = [u1, f64::powf(8.0 * b / 2.0, 1.5)];
            let shares = [
                2.0 + v1 + v2,
                u1 * (2.0 + v1) + u2 * v1,
                u2 * (2.0 + v2) + u1 * v2,
                (u1 + u2) * v1 * v2 + u2 * v1 + u1 * v2,
            ];
            let all: f64 = shares.iter().sum();
            let viability = (shares[0] + 0.4 * shares[1] + 0.3 * shares[2] + 0.05 * shares[3]) / all;
            for error in [-0.01, 0.01] {
                text.push_str(&format!("A,B,A375,{a},{b},uM,{}\n", 100.0 * (viability + error)));
            }
        }
    }
    text
}

#[test]
fn surfaces_indices_and_sensitivity_are_in_the_tables() {
    let (cells, blocks, said) = scored(&musyc_table(), &["--fits", "musyc,braid,ci,css"]);
    let block = &blocks[0];
    for (name, truth) in
        [("alpha_12", 8.0), ("alpha_21", 1.0), ("beta", 0.25 / 0.7), ("e3", 0.05), ("c2_um", 2.0)]
    {
        let [value, low, high] =
            ["", "_lower", "_upper"].map(|end| number(block, &format!("musyc_{name}{end}")));
        assert!((value - truth).abs() < 0.02 + 0.02 * truth, "{name}: {value}, expected {truth}");
        assert!(low < truth && truth < high, "{name}: {truth} is not in [{low}, {high}]");
    }
    assert_eq!(block["musyc_flags"], "");
    assert!(number(block, "braid_kappa_lower") > 0.0, "{block}");
    assert!(number(block, "ci_loewe") < 1.0 && number(block, "s_max") > 0.0, "{block}");
    says(&said, &["musyc alpha_12 8.0", "braid kappa", "ci_loewe 0.", "css "]);
    for cell in &cells {
        assert!((number(cell, "fitted_musyc") - number(cell, "inhibition")).abs() < 0.3, "{cell}");
        let both = number(cell, "dose_a_um") > 0.0 && number(cell, "dose_b_um") > 0.0;
        for index in ["ci_loewe", "ci_median_effect"] {
            let why = cell[format!("{index}_why_none")].as_str().unwrap();
            assert_eq!(cell[index].is_null(), !both || !why.is_empty(), "{cell}");
        }
    }
    assert!(cells.iter().any(|cell| cell["ci_loewe_why_none"] == "beyond_both"));
}

#[test]
fn fits_need_a_summary_and_say_what_they_lack() {
    let folder = folder(&musyc_table());
    let output = halfmax(folder.path(), &["synergy", "matrix.csv", "--out", "scores.csv", "--fits", "musyc"]);
    assert_eq!(output.status.code(), Some(2));
    says(&String::from_utf8_lossy(&output.stderr), &["fits musyc", "--summary"]);
    // Drug A is left with two doses alone.
    let kept = |row: &&str| !row.contains(",300,") && !row.contains(",30,0,");
    let few: String = table(0.0).lines().filter(kept).map(|row| format!("{row}\n")).collect();
    let (_, blocks, said) = scored(&few, &["--fits", "musyc"]);
    says(&said, &["1 block without a response surface: 1 (", "fewer than three doses"]);
    assert!(blocks[0]["musyc_alpha_12"].is_null());
    says(blocks[0]["musyc_flags"].as_str().unwrap(), &["not_fitted: "]);
}

/// Three drugs over five doses each; `inhibition` by the doses, rows where it is none left out.
fn three_table(blocks: &[&str], inhibition: impl Fn([f64; 3]) -> Option<f64>) -> String {
    let mut text = String::from("block_id,drug1,drug2,drug3,conc1,conc2,conc3,conc_unit,inhibition\n");
    let doses = [0.0, 0.3, 1.2, 4.8, 19.2];
    for block in blocks {
        for cell in 0..125 {
            let [a, b, c] = [cell / 25, cell / 5 % 5, cell % 5].map(|at| doses[at]);
            if let Some(inhibition) = inhibition([a, b, c]) {
                text.push_str(&format!("{block},A,B,C,{a},{b},{c},uM,{inhibition}\n"));
            }
        }
    }
    text
}

/// A drug, itself four times as potent, and itself half as potent: additive by what Loewe means.
fn sham([a, b, c]: [f64; 3]) -> Option<f64> {
    let dose = a + 4.0 * b + 0.5 * c;
    Some(100.0 * dose / (3.0 + dose))
}

#[test]
fn fits_of_three_drugs_are_over_all_or_over_their_pairs() {
    let (cells, blocks, said) =
        scored(&three_table(&["p1", "p2"], sham), &["--fits", "musyc,braid,ci,css", "--bootstrap", "0"]);
    says(
        &said,
        &[
            "2 blocks of three or more drugs: response surfaces (MuSyC, BRAID) describe two drugs",
            "their CSS is the mean over their pairs",
            "musyc for pairs only",
            "ci_loewe 1.00 (64 cells)",
        ],
    );
    assert!(!said.contains("without a response surface") && !said.contains("no pair was measured"), "{said}");
    let named = |id: &str| blocks.iter().find(|row| text(row, "block_id") == id).unwrap();
    let three = named("p2");
    assert_eq!(text(three, "pair_blocks"), "p2:A+B;p2:A+C;p2:B+C");
    let pairs = ["p2:A+B", "p2:A+C", "p2:B+C"].map(named);
    let mean = pairs.iter().map(|row| number(row, "css")).sum::<f64>() / 3.0;
    assert!((number(three, "css") - mean).abs() < 1e-9, "{three}");
    assert_eq!(number(three, "ri_c"), number(pairs[1], "ri_b"));
    assert!(three["s_sum"].is_null() && pairs.iter().all(|row| row["s_sum"].is_number()), "{three}");
    assert!(three["musyc_c1_um"].is_null() && pairs[0]["css_c"].is_null());
    assert!(pairs.iter().all(|row| row["musyc_c1_um"].is_number() && text(row, "pair_blocks").is_empty()));
    says(
        text(three, "musyc_flags"),
        &["not_fitted: MuSyC describes two drugs: see the pairs, blocks p2:A+B,"],
    );
    says(text(three, "braid_flags"), &["not_fitted: BRAID describes two drugs"]);
    assert!((number(three, "median_effect_c_dm_um") - 6.0).abs() < 1e-6, "{three}");
    for row in &cells {
        let given = ["a", "b", "c"]
            .into_iter()
            .filter(|drug| row[format!("dose_{drug}_um")].as_f64().is_some_and(|dose| dose > 0.0))
            .count();
        for index in ["ci_loewe", "ci_median_effect"] {
            assert_eq!(text(row, &format!("{index}_why_none")), "", "{row}");
            match given {
                0 | 1 => assert!(row[index].is_null(), "{row}"),
                _ => {
                    assert!((number(row, index) - 1.0).abs() < 0.01, "{index}: {row}");
                    assert!(number(row, "synergy_loewe").abs() < 0.05, "{row}");
                }
            }
        }
    }
    // Without a pair there are indices all the same, but no CSS.
    let alone_or_all =
        |cell: [f64; 3]| sham(cell).filter(|_| cell.iter().filter(|dose| **dose > 0.0).count() != 2);
    let (_, blocks, said) = scored(&three_table(&["p"], alone_or_all), &["--fits", "musyc,ci,css"]);
    says(&said, &["no pair was measured in 1 of them", "css none"]);
    assert_eq!((blocks.len(), text(&blocks[0], "pair_blocks")), (1, ""));
    says(text(&blocks[0], "musyc_flags"), &["no pair of these drugs was measured"]);
    says(
        text(&blocks[0], "css_flags"),
        &["pair_a_b_not_measured;pair_a_c_not_measured;pair_b_c_not_measured"],
    );
    assert!(blocks[0]["css"].is_null() && (number(&blocks[0], "ci_loewe") - 1.0).abs() < 0.01);
}

#[test]
fn blocks_of_three_drugs_are_drawn_beside_their_pairs() {
    // Independent drugs, of which all three together do more.
    let inhibition = |[a, b, c]: [f64; 3]| {
        let together = if a * b * c > 0.0 { 0.7 } else { 1.0 };
        Some(100.0 - 100.0 * together / (1.0 + a / 2.0) / (1.0 + b) / (1.0 + c / 5.0))
    };
    let text = three_table(&["<p>"], inhibition);
    let folder = folder(&text);
    let arguments = ["synergy", "matrix.csv", "--out", "s.csv", "--bootstrap", "0", "--fits", "ci"];
    let output = halfmax(folder.path(), &[&arguments[..], &["--html", "page.html", "--svg", "svg"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    says(&said, &["wrote 4 SVG files to svg", "wrote page.html"]);
    assert!(!said.contains("left out"), "{said}");
    let html = fs::read_to_string(folder.path().join("page.html")).unwrap();
    says(
        &html,
        &[
            "<h1>Synergy of two and more drugs",
            "All 4 blocks are shown.",
            "<h3>A + B + C</h3><p class=sub>block &lt;p&gt;, 3 drugs</p>",
            "<dt>pairs</dt><dd>blocks &lt;p&gt;:A+B, &lt;p&gt;:A+C, &lt;p&gt;:B+C</dd>",
            "<dt>CI by curves</dt>",
            "Each map shows A with B, at the dose of C above it.",
            "aria-label=\"Synergy by Bliss, percentage points, C 19.2 µM\"",
        ],
    );
    // The strongest synergy comes first, and it is of all three.
    assert!(html.find("<h3>A + B + C").unwrap() < html.find("<h3>A + B<").unwrap());
    let (_, card) = html.split_once("<h3>A + B + C").unwrap();
    let (card, _) = card.split_once("<h3>").unwrap();
    // A map of the response and of each model's scores at each dose of the third drug.
    assert_eq!(card.matches("<table class=matrix").count(), 5 * 5);
    for caption in ["no C", "C 0.3 µM", "C 1.2 µM", "C 4.8 µM", "C 19.2 µM"] {
        assert_eq!(card.matches(&format!("<caption>{caption}</caption>")).count(), 5, "{caption}");
    }
    assert_eq!(card.matches("<svg class=dose").count(), 3, "each drug alone");
    // The highest doses of the first two drugs at one of the third: the cell is the first but four of its table, and has its reading.
    let (_, table) = card.split_once("<caption>C 1.2 µM</caption>").unwrap();
    let (row, _) = table.split_once("<tr><th scope=row>4.8").unwrap();
    let expected = inhibition([19.2, 19.2, 1.2]).unwrap();
    assert!(row.ends_with(&format!(">{expected:.0}")), "{row}, expected {expected}");
    // And its excess over independent drugs.
    let (_, bliss) = card.split_once("Synergy by Bliss, percentage points, C 1.2 µM").unwrap();
    let (_, lowest) = bliss.split_once("<th scope=row>0.3").unwrap();
    let excess = 100.0 * 0.3 / (1.0 + 0.3 / 2.0) / (1.0 + 0.3) / (1.0 + 1.2 / 5.0);
    assert!(
        lowest.starts_with(&format!("<td>0<td class=c-r2>+{excess:.0}")),
        "{}, expected {excess}",
        &lowest[..80]
    );
    let mut names: Vec<_> =
        fs::read_dir(folder.path().join("svg")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["A__B__-p--A+B.svg", "A__B__C__-p.svg", "A__C__-p--A+C.svg", "B__C__-p--B+C.svg"]);
    let svg = fs::read_to_string(folder.path().join("svg").join("A__B__C__-p.svg")).unwrap();
    says(&svg, &["<title>A + B + C</title>", "<title>Inhibition, %, C 4.8 µM</title>", "Synergy by ZIP"]);
    assert_eq!(svg.matches("<title>Synergy by Loewe, percentage points, ").count(), 5);
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

#[test]
fn what_scores_rest_on_is_shown() {
    let (_, blocks, said) = scored(&table(15.0), &[]);
    assert_eq!((text(&blocks[0], "model_a"), text(&blocks[0], "flags_a")), ("four_parameter", ""));
    assert!(number(&blocks[0], "r2_b") > 0.999 && number(&blocks[0], "doses_b") == 4.0);
    assert!(number(&blocks[0], "synergy_bliss_p") < 1e-6 && text(&blocks[0], "flags").is_empty());
    assert!(!said.contains("flagged"), "{said}");
    // Drug b without an effect: where its curve lies is noise.
    let inert: String = table(0.0)
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let cells: Vec<&str> = line.split(',').collect();
            let Ok(a) = cells[3].parse::<f64>() else { return format!("{line}\n") };
            let error = 3.0 * (1.7 * at as f64).sin();
            format!("{},{}\n", cells[..6].join(","), 100.0 * (1.0 - 1.0 / (1.0 + a / 200.0)) + error)
        })
        .collect();
    let (_, blocks, said) = scored(&inert, &[]);
    says(&said, &["1 of 1 block flagged", "loewe_doubtful 1", "zip_doubtful 1"]);
    assert!(text(&blocks[0], "flags_b").contains("flat"), "{}", blocks[0]);
    assert!(text(&blocks[0], "flags").starts_with("loewe_doubtful;zip_doubtful"));
    assert!(text(&blocks[0], "flags_a").is_empty(), "{}", blocks[0]);
}

#[test]
fn drugs_of_two_doses_stand_beside_those_with_curves() {
    let is_few = |line: &&str| {
        let cells: Vec<&str> = line.split(',').collect();
        ["0", "30", "300"].contains(&cells[3]) && ["0", "10", "100"].contains(&cells[4])
    };
    let few: String = table(10.0)
        .lines()
        .filter(is_few)
        .map(|line| format!("{}\n", line.replace("A,B,A375", "D,C,A375")))
        .collect();
    let (_, blocks, said) = scored(&(table(10.0) + &few), &[]);
    says(&said, &["1 block lacks the score of a model", "too_few_doses 1"]);
    let of = |drug: &str| blocks.iter().find(|row| text(row, "drug_b") == drug).unwrap();
    assert!((number(of("C"), "synergy_bliss") - 10.0).abs() < 3.0 && of("C")["synergy_zip"].is_null());
    assert_eq!((text(of("C"), "flags"), text(of("C"), "model_a")), ("too_few_doses", "none"));
    assert!((number(of("B"), "synergy_zip") - 10.0).abs() < 5.0);
}

#[test]
fn cells_are_filled_in_on_request() {
    let gap: String = table(0.0)
        .lines()
        .filter(|line| !line.contains(",300,30,nM"))
        .map(|line| format!("{line}\n"))
        .collect();
    let (cells, blocks, said) = scored(&gap, &[]);
    assert!(cells.iter().all(|cell| cell["imputed"] == 0) && said.contains("missing_cells 1"), "{said}");
    assert!((text(&blocks[0], "flags") == "missing_cells") && number(&blocks[0], "cells_bliss") == 15.0);
    let (cells, blocks, said) = scored(&gap, &["--impute"]);
    says(&said, &["1 cell without a reading filled in, in 1 block"]);
    let filled: Vec<&Value> = cells.iter().filter(|cell| cell["imputed"] == 1).collect();
    assert!(
        filled.len() == 1 && filled[0]["replicates"] == 0 && number(filled[0], "synergy_bliss").abs() < 2.0
    );
    assert_eq!((number(&blocks[0], "imputed_cells"), number(&blocks[0], "cells_bliss")), (1.0, 16.0));
    // What was filled in is no reading when the table is read again.
    let folder = folder(&gap);
    let again = |from: &str, to: &str, more: &[&str]| {
        let arguments = ["synergy", from, "--out", to, "--bootstrap", "0"];
        let output = halfmax(folder.path(), &[&arguments, more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    again("matrix.csv", "filled.csv", &["--impute"]);
    again("matrix.csv", "first.ndjson", &[]);
    let said = again("filled.csv", "second.ndjson", &[]);
    says(&said, &["not measured and left out: 1 row"]);
    let [first, second] = ["first.ndjson", "second.ndjson"].map(|name| rows(&folder.path().join(name)));
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(text(first, "drug_a"), text(second, "drug_a"));
        for key in ["dose_a_um", "dose_b_um", "inhibition", "synergy_bliss"] {
            let close = match (first[key].as_f64(), second[key].as_f64()) {
                (Some(first), Some(second)) => (first - second).abs() < 1e-6,
                (first, second) => first == second,
            };
            assert!(close, "{key}: {first} {second}");
        }
    }
}

#[test]
fn drugs_alone_come_from_a_second_table() {
    let is_alone = |line: &&str| line.contains(",A375,0,") || line.contains(",0,nM");
    let together: String =
        table(15.0).lines().filter(|line| !is_alone(line)).map(|line| format!("{line}\n")).collect();
    let mut alone = String::from("cell_line,drug,dose_um,inhibition\n");
    for line in table(15.0).lines().filter(is_alone) {
        let cells: Vec<&str> = line.split(',').collect();
        let dose = |at: usize| cells[at].parse::<f64>().unwrap() / 1000.0;
        // In the other table a dose is off by a dispenser's error.
        match (dose(3), dose(4)) {
            (0.0, 0.0) => {}
            (a, 0.0) => alone.push_str(&format!("A-375,a,{},{}\n", a * 1.005, cells[6])),
            (_, b) => alone.push_str(&format!("A-375,B,{b},{}\n", cells[6])),
        }
    }
    says(&refused(&together, 3, &[]), &["not measured alone"]);
    let folder = folder(&together);
    fs::write(folder.path().join("alone.csv"), &alone).unwrap();
    let arguments = [
        "synergy",
        "matrix.csv",
        "--single-agents",
        "alone.csv",
        "--out",
        "scores.ndjson",
        "--summary",
        "b.ndjson",
    ];
    let output = halfmax(folder.path(), &arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    says(&said, &["24 readings of drugs alone joined to 1 block", "12 readings of drugs alone within 4 %"]);
    assert!((number(&rows(&folder.path().join("b.ndjson"))[0], "synergy_bliss") - 15.0).abs() < 1e-6);
    fs::write(folder.path().join("alone.csv"), alone.replace("A-375", "HT-29")).unwrap();
    fs::remove_file(folder.path().join("scores.ndjson")).unwrap();
    fs::remove_file(folder.path().join("b.ndjson")).unwrap();
    let output = halfmax(folder.path(), &arguments);
    says(&String::from_utf8_lossy(&output.stderr), &["contains no drug of the blocks", "A in A375", "help:"]);
}
