//! `halfmax fit-curves` as a user meets it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use command::halfmax;

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in:\n{message}");
    }
}

/// Fits the curves of a table with more arguments; the rows by cell line, drug and experiment, and what was said.
fn curves(table: &str, arguments: &[&str]) -> (BTreeMap<String, Value>, String) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("raw.csv"), table).unwrap();
    let all = [&["fit-curves", "raw.csv", "--out", "curves.ndjson"], arguments].concat();
    let output = halfmax(folder.path(), &all);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let text = fs::read_to_string(folder.path().join("curves.ndjson")).unwrap();
    let rows = text.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let name = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        (format!("{}/{}{}", name("cell_line"), name("drug"), name("experiment")), row)
    });
    (rows.collect(), said)
}

/// The names of the files in a folder, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_page_and_svg_files_on_request() {
    let folder = TempDir::new().unwrap();
    let hostile = table(HEADER, 1.0, |v| v).replace("Inert", "<b>Inert</b>").replace("Weak", "strong");
    fs::write(folder.path().join("raw.csv"), hostile).unwrap();
    let run = |more: &[&str]| {
        let all = [
            &["fit-curves", "raw.csv", "--out", "curves.ndjson", "--html", "page.html", "--svg", "svg"],
            more,
        ];
        halfmax(folder.path(), &all.concat())
    };
    let output = run(&["--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    says(&said, &["wrote 3 SVG files to svg", "wrote page.html"]);
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((facts["html"].as_str(), facts["svg"].as_str()), (Some("page.html"), Some("svg")));
    let html = fs::read_to_string(folder.path().join("page.html")).unwrap();
    says(
        &html,
        &[
            "All 3 curves are shown.",
            "A375 · &lt;b&gt;Inert&lt;/b&gt;",
            "<b>flat</b>",
            "48 readings were taken as viability-fraction",
        ],
    );
    assert_eq!(html.matches("<svg class=dose").count(), 3);
    assert!(
        !html.contains("src=") && !html.contains("http://") && !html.contains("https://"),
        "nothing is loaded"
    );
    // The strong drug's IC50 with its interval, as the table has them.
    let rows = fs::read_to_string(folder.path().join("curves.ndjson")).unwrap();
    let mut rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let row = rows.find(|row| row["drug"] == "Strong").unwrap();
    let digits = |key: &str| format!("{:.3}", number(&row, key)).trim_end_matches('0').to_owned();
    let [ic50, low, high] = ["ic50_um", "ic50_lower_um", "ic50_upper_um"].map(digits);
    let strong = html.split("<h3>A375 · Strong</h3>").nth(1).unwrap().split("<li").next().unwrap();
    let expected = format!("<dt>IC50</dt><dd>{ic50} µM <small>{low} to {high}</small>");
    says(strong, &[&expected, "class=band", "class=mark", "<dt>Readings</dt><dd>16 at 8 doses"]);
    // Two drugs whose names differ in capitals only have two files everywhere.
    let expected = ["A375__-b-Inert--b.svg", "A375__Strong.svg", "A375__strong-2.svg"];
    assert_eq!(names_in(&folder.path().join("svg")), expected);
    let svg = fs::read_to_string(folder.path().join("svg/A375__Strong.svg")).unwrap();
    says(
        &svg,
        &["<svg xmlns=", "A375 · Strong", &format!("IC50 {ic50} µM ({low} to {high})"), "class=\"trace\""],
    );
    // Nothing is replaced unless that is asked for.
    fs::remove_file(folder.path().join("curves.ndjson")).unwrap();
    let refused = run(&[]);
    says(&String::from_utf8_lossy(&refused.stderr), &["page.html: already exists"]);
    fs::remove_file(folder.path().join("page.html")).unwrap();
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(2));
    says(&String::from_utf8_lossy(&refused.stderr), &["svg: the folder exists and is not empty"]);
    assert_eq!(names_in(folder.path()), ["raw.csv", "svg"]);
    assert!(run(&["--overwrite"]).status.success());
}

/// Many curves: the page says which it shows, stays below 10 MB, and the worst fit comes first.
#[test]
fn a_page_of_many_curves_shows_the_worst_and_a_sample() {
    let folder = TempDir::new().unwrap();
    let mut text = format!("{HEADER}\n");
    for curve in 0..2_000_u32 {
        for step in 0..6_u32 {
            let dose = 0.01 * 10.0_f64.powf(f64::from(step) * 0.7);
            let error = 0.01 * f64::from((step * 7 + curve * 3) % 5) - 0.02;
            // One curve is nothing but noise.
            let wild = if curve == 1_234 { f64::from(step % 2) * 1.1 - 0.3 } else { 0.0 };
            text.push_str(&format!("C{curve},D,1,{dose},{}\n", 1.0 / (1.0 + dose / 0.5) + error + wild));
        }
    }
    fs::write(folder.path().join("raw.csv"), text).unwrap();
    let output = halfmax(folder.path(), &["fit-curves", "raw.csv", "--out", "c.parquet", "--html", "c.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let html = fs::read_to_string(folder.path().join("c.html")).unwrap();
    assert!(html.len() < 10_000_000, "{}", html.len());
    says(
        &html,
        &[
            "The page shows 1,500 of 2,000 curves: the 1,200 worst fits, and a random sample of 300 of the others",
        ],
    );
    assert_eq!(html.matches("<svg class=dose").count(), 1_500);
    let first = html.split("<h3>").find_map(|part| part.strip_prefix("C")).unwrap();
    assert!(first.starts_with("1234 "), "{}", &first[..60]);
}

/// Fits the curves of a table that must be refused with this code, and returns what is said.
fn refused(table: &str, code: i32, arguments: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("raw.csv"), table).unwrap();
    let all = [&["fit-curves", "raw.csv", "--out", "curves.csv"], arguments].concat();
    let output = halfmax(folder.path(), &all);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["raw.csv"], "a refused table left a file");
    said
}

/// A strong drug with an IC50 of 0.3 µM, a weak one with 60 µM, and one without effect; doses times `dose_scale`, readings by
/// `reading`; experiments 1 and 2.
fn table(header: &str, dose_scale: f64, reading: fn(f64) -> f64) -> String {
    let mut text = format!("{header}\n");
    for (drug, ic50) in [("Strong", 0.3), ("Weak", 60.0), ("Inert", f64::INFINITY)] {
        for experiment in 1..=2 {
            for step in 0..8 {
                let dose = 0.01 * 10.0_f64.powf(f64::from(step) / 2.0);
                // Small errors, without which a flat curve would be fitted exactly.
                let error = 0.004 * f64::from((step * 7 + experiment * 3) % 5 - 2);
                let value = reading(1.0 / (1.0 + dose / ic50) + error);
                text.push_str(&format!("A375,{drug},{experiment},{},{value}\n", dose * dose_scale));
            }
        }
    }
    text
}

const HEADER: &str = "cell_line,drug,experiment,dose_um,viability";

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} is {}", row[key]))
}

#[test]
fn curves_have_their_values_and_flags() {
    let (rows, said) = curves(&table(HEADER, 1.0, |v| v), &[]);
    says(&said, &["48 readings of 3 curves, taken as viability-fraction"]);
    let strong = &rows["A375/Strong"];
    assert!((number(strong, "ic50_um") / 0.3 - 1.0).abs() < 0.1, "{strong}");
    assert!(number(strong, "ic50_lower_um") < 0.3 && number(strong, "ic50_upper_um") > 0.3, "{strong}");
    assert_eq!(strong["ic50_position"], "within");
    assert_eq!(strong["flags"], "");
    assert_eq!(strong["readings"], 16);
    assert!(strong["ic50_extrapolated_um"].is_null());
    let weak = &rows["A375/Weak"];
    assert!(weak["ic50_um"].is_null() && weak["ic50_upper_um"].is_null(), "{weak}");
    assert!(number(weak, "ic50_extrapolated_um") > 31.0, "{weak}");
    says(weak["flags"].as_str().unwrap(), &["ic50_above_range"]);
    let inert = &rows["A375/Inert"];
    assert_eq!(inert["model"], "constant");
    says(inert["flags"].as_str().unwrap(), &["flat", "no_ic50"]);
    assert!((number(inert, "auc") - 1.0).abs() < 0.02, "{inert}");
}

#[test]
fn units_do_not_matter() {
    let (expected, _) = curves(&table(HEADER, 1.0, |v| v), &[]);
    let ic50 = number(&expected["A375/Strong"], "ic50_um");
    type Case = (&'static str, f64, fn(f64) -> f64, &'static [&'static str]);
    let cases: [Case; 5] = [
        (
            "Channel,Compound,Experiment,Dose,Response",
            1.0,
            |v| 100.0 * (1.0 - v),
            &["--response", "inhibition-percent"],
        ),
        ("cell,compound,plate,conc,inhibition", 1.0, |v| 1.0 - v, &[]),
        ("cell,compound,plate,conc_nM,viability", 1e3, |v| 100.0 * v, &[]),
        ("cell,compound,plate,concentration,viability", 1e-6, |v| v, &["--dose-unit", "m"]),
        ("cell,compound,plate,dose,percent_inhibition", 1e3, |v| 100.0 * (1.0 - v), &["--dose-unit", "nm"]),
    ];
    for (header, scale, reading, arguments) in cases {
        let (rows, _) = curves(&table(header, scale, reading), arguments);
        assert!((number(&rows["A375/Strong"], "ic50_um") / ic50 - 1.0).abs() < 1e-5, "{header}");
    }
}

#[test]
fn experiments_tops_and_divisions_on_request() {
    let text = table(HEADER, 1.0, |v| v);
    let (rows, _) = curves(&text, &["--by", "experiment"]);
    assert_eq!(rows.len(), 6);
    assert_eq!(rows["A375/Strong2"]["readings"], 8);
    let (rows, _) = curves(&text, &["--fixed-top"]);
    assert_eq!(rows["A375/Strong"]["model"], "three_parameter");
    assert_eq!(rows["A375/Strong"]["top"], 1.0);
    assert_eq!(rows["A375/Inert"]["model"], "constant");
    let (rows, _) = curves(&text, &["--divisions", "2"]);
    assert!(number(&rows["A375/Strong"], "gr50_um") > 0.0);
    says(&refused(&text, 2, &["--divisions", "-1"]), &["divisions = -1", "above 0"]);
}

#[test]
fn controls_and_gaps_are_left_out_and_said() {
    let more = "A375,Strong,1,0,0.97\nA375,Strong,1,,0.4\nA375,,1,1,0.4\nA375,Few,1,1,0.4\n";
    let (rows, said) = curves(&(table(HEADER, 1.0, |v| v) + more), &[]);
    says(&said, &["controls, with dose 0, left out of the fits: 1 row\n", "is missing: 2 rows"]);
    assert_eq!(rows["A375/Strong"]["readings"], 16);
    assert_eq!(rows["A375/Few"]["flags"], "too_few_doses");
    assert!(rows["A375/Few"]["ic50_um"].is_null());
}

#[test]
fn bad_input_is_refused_and_named() {
    let text = table(HEADER, 1.0, |v| v);
    let with = |line: &str| format!("{text}{line}\n");
    says(
        &refused(&with("A375,Strong,1,-2.5,0.4"), 3, &[]),
        &["raw.csv: column \"dose_um\", row 50: \"-2.5\"", "0 or more"],
    );
    says(&refused(&with("A375,Strong,1,high,0.4"), 3, &[]), &["\"dose_um\", row 50: \"high\""]);
    says(&refused(&with("A375,Strong,1,inf,0.4"), 3, &[]), &["\"dose_um\", row 50: \"inf\""]);
    says(&refused(&with("A375,Strong,1,1,dead"), 3, &[]), &["\"viability\", row 50: \"dead\""]);
    says(
        &refused("cell_line,drug,viability\nA,B,1\n", 3, &[]),
        &["no column of doses among", "--column dose="],
    );
    says(&refused("cell_line,drug,dose,viability\nA,B,0,1\n", 3, &[]), &["no row has", "dose above 0"]);
    let no_plate = "cell_line,drug,dose,viability\nA,B,1,1\n";
    says(&refused(no_plate, 3, &["--by", "experiment"]), &["no column of experiments"]);
}

#[test]
fn columns_of_units_and_divisions_are_used() {
    let (expected, said) = curves(&table(HEADER, 1.0, |v| v), &["--divisions", "2"]);
    assert!(!said.contains("assuming µM"), "{said}");
    let header = "cell_line,drug,experiment,dose,viability";
    let (_, said) = curves(&table(header, 1.0, |v| v), &[]);
    says(&said, &["no unit is given for the doses: assuming µM", "dose_unit"]);
    // Every other row in nM.
    let mut mixed = String::from("cell_line,drug,experiment,dose,viability,dose_unit,divisions\n");
    for (at, line) in table(header, 1.0, |v| v).lines().skip(1).enumerate() {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        let unit = if at % 2 == 0 { "uM" } else { "nM" };
        if unit == "nM" {
            fields[3] = (1000.0 * fields[3].parse::<f64>().unwrap()).to_string();
        }
        mixed.push_str(&format!("{},{unit},2\n", fields.join(",")));
    }
    let (found, said) = curves(&mixed, &[]);
    assert!(!said.contains("assuming µM"), "{said}");
    for key in ["ic50_um", "gr50_um", "gr_aoc"] {
        let [found, expected] = [&found, &expected].map(|rows| number(&rows["A375/Strong"], key));
        assert!((found / expected - 1.0).abs() < 1e-6, "{key}: {found}, expected {expected}");
    }
    says(&refused(&mixed.replacen(",nM,", ",mol,", 1), 3, &[]), &["\"dose_unit\", row 3: \"mol\"", "nM"]);
    says(&refused(&mixed.replacen("nM,2\n", "nM,3\n", 1), 3, &[]), &["\"divisions\", row 3: \"3\"", "row 2"]);
    says(&refused(&mixed.replacen("uM,2\n", "uM,-1\n", 1), 3, &[]), &["\"divisions\", row 2: \"-1\""]);
}

#[test]
fn doubtful_readings_are_refused() {
    let response = table("cell_line,drug,experiment,dose_um,response", 1.0, |v| v);
    says(&refused(&response, 3, &[]), &["does not say whether it is viability or inhibition", "--response"]);
    let between = table(HEADER, 1.0, |v| 5.0 * v);
    says(&refused(&between, 3, &[]), &["too large for fractions, too small for percentages"]);
    let percent = table(HEADER, 1.0, |v| 100.0 * v);
    says(&refused(&percent, 3, &["--response", "viability-fraction"]), &["cannot be viability-fraction"]);
    let fraction = table(HEADER, 1.0, |v| v);
    let (_, said) = curves(&fraction, &["--response", "viability-percent"]);
    says(&said, &["taken as viability-percent", "looks like fractions", "--response viability-fraction"]);
    refused(&fraction, 2, &["--response", "percent"]);
}

#[test]
fn output_is_as_asked() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("raw.csv"), table(HEADER, 1.0, |v| v)).unwrap();
    let run = |arguments: &[&str]| halfmax(folder.path(), &[&["fit-curves", "raw.csv"], arguments].concat());
    let output = run(&["--out", "curves.parquet", "--json", "--quiet"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&event["event"], &event["curves"], &event["flat"]), (&"curves".into(), &3.into(), &1.into()));
    assert!(fs::read(folder.path().join("curves.parquet")).unwrap().starts_with(b"PAR1"));
    let one = run(&["--out", "-", "--threads", "1"]).stdout;
    assert_eq!(one, run(&["--out", "-", "--threads", "2"]).stdout);
    assert!(one.starts_with(b"cell_line,drug,model,"));
    says(&String::from_utf8_lossy(&run(&["--out", "curves.xlsx"]).stderr), &["unknown file ending"]);
}

/// Readings of a curve at ten doses, three wells each, with small errors.
fn wells(cell: &str, drug: &str, curve: impl Fn(f64) -> f64) -> String {
    let mut text = String::new();
    for step in 0..10 {
        for well in 0..3 {
            let dose = 0.001 * 10.0_f64.powf(f64::from(step) / 2.0);
            let error = 0.006 * f64::from((step * 7 + well * 5) % 11 - 5);
            text.push_str(&format!("{cell},{drug},{dose},{}\n", curve(dose) + error));
        }
    }
    text
}

fn falls(ec50: f64) -> impl Fn(f64) -> f64 {
    move |dose| 1.0 / (1.0 + (dose / ec50).powf(1.5))
}

#[test]
fn second_phases_and_rises_have_models_of_their_own() {
    let two = wells("A375", "Two", |dose| 0.35 * falls(0.01)(dose) + 0.65 * falls(5.0)(dose));
    let rise = wells("A375", "Rise", |dose| (1.0 + 10.0 * dose) / (1.0 + (dose / 0.1).powf(2.5)));
    let table =
        format!("cell_line,drug,dose_um,viability\n{two}{rise}{}", wells("A375", "Plain", falls(0.3)));
    let (rows, _) = curves(&table, &[]);
    let [two, rise, plain] = ["Two", "Rise", "Plain"].map(|drug| &rows[&format!("A375/{drug}")]);
    assert_eq!([&two["model"], &rise["model"]], ["two_phase", "brain_cousens"]);
    assert_eq!([&two["flags"], &rise["flags"], &plain["flags"]], ["biphasic", "non_monotone;hormetic", ""]);
    assert!(
        (number(two, "ec50_2_um") / 5.0).ln().abs() < 0.3 && (number(two, "plateau") - 0.65).abs() < 0.05
    );
    assert!(number(rise, "peak") > 1.2 && (0.01..0.1).contains(&number(rise, "peak_um")));
    assert!(
        plain["plateau"].is_null()
            && plain["peak"].is_null()
            && plain["p_phases"].as_f64().is_none_or(|p| p > 0.01)
    );
    assert!(number(plain, "p_lack_of_fit") > 0.01);
    let (rows, _) = curves(&table, &["--curves", "log-logistic"]);
    let two = &rows["A375/Two"];
    assert!(two["model"] != "two_phase" && two["flags"].as_str().unwrap().contains("biphasic"), "{two}");
}

#[test]
fn doses_of_effects_and_scores_have_columns() {
    let table = table(HEADER, 1.0, |v| v);
    let (rows, _) = curves(&table, &["--icx", "10,99.9", "--ecx", "25", "--grx", "30", "--divisions", "2"]);
    let strong = &rows["A375/Strong"];
    assert!((number(strong, "ic10_um") / 0.0333).ln().abs() < 0.2, "{strong}");
    assert!(number(strong, "ic10_lower_um") < 0.0333 && 0.0333 < number(strong, "ic10_upper_um"));
    assert!((number(strong, "ec25_um") / 0.1).ln().abs() < 0.2, "{strong}");
    assert_eq!((&strong["ec25_position"], &strong["gr30_position"]), (&"within".into(), &"within".into()));
    // Beyond the doses, an extrapolation stands in a column of its own.
    assert!(strong["ic99.9_um"].is_null() && strong["ic99.9_position"] != "within", "{strong}");
    assert!((number(strong, "aac") + number(strong, "auc") - 1.0).abs() < 0.02);
    assert!(number(strong, "dss1") > number(strong, "dss2") && number(&rows["A375/Inert"], "dss3") < 0.5);
    says(&refused(&table, 2, &["--grx", "30"]), &["grx = 30", "divisions"]);
    says(&refused(&table, 2, &["--icx", "50"]), &["--icx", "always written"]);
    says(&refused(&table, 2, &["--ecx", "120"]), &["ecx", "below 100"]);
}

#[test]
fn two_cell_lines_are_compared() {
    let text = ["A375", "MCF7"].map(|cell| {
        let shift = if cell == "A375" { 1.0 } else { 4.0 };
        wells(cell, "Strong", falls(0.1 * shift)) + &wells(cell, "Weak", falls(3000.0))
    });
    let table =
        format!("cell_line,drug,dose_um,viability\n{}{}", text.concat(), wells("A375", "Alone", falls(1.0)));
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("raw.csv"), &table).unwrap();
    let run = |compare: &str| {
        let arguments = [
            "fit-curves",
            "raw.csv",
            "--out",
            "curves.csv",
            "--compare",
            compare,
            "--compare-out",
            "both.ndjson",
        ];
        let output = halfmax(folder.path(), &arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run("cell_line=A375,Nobody");
    assert_eq!(code, Some(2), "{said}");
    says(&said, &["Nobody", "a cell_line of the file"]);
    assert!(!folder.path().join("curves.csv").exists());
    let (code, said) = run("cell_line=A375,MCF7");
    assert_eq!(code, Some(0), "{said}");
    says(&said, &["left out, without a partner: 1 curve"]);
    let text = fs::read_to_string(folder.path().join("both.ndjson")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = |drug: &str| rows.iter().find(|row| row["drug"] == drug).unwrap();
    assert_eq!(rows.len(), 2);
    let strong = row("Strong");
    assert_eq!((&strong["cell_line_a"], &strong["cell_line_b"]), (&"A375".into(), &"MCF7".into()));
    assert!((number(strong, "ic50_ratio") / 4.0).ln().abs() < 0.15 && number(strong, "ic50_ratio_p") < 1e-6);
    assert!(number(strong, "ic50_ratio_lower") < 4.0 && 4.0 < number(strong, "ic50_ratio_upper"));
    // The average distance of curves that are 0.6 decades apart, over 4.5 decades.
    assert!((number(strong, "abc") - 0.602 / 4.5).abs() < 0.02, "{strong}");
    let weak = row("Weak");
    assert!(weak["ic50_ratio"].is_null() && weak["ic50_position_a"] != "within", "{weak}");
}

/// The single-agent readings of O'Neil et al. 2016, where they are there.
#[test]
fn published_screen_is_reproduced() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/oneil");
    let (raw, reference) = (data.join("single_agent_raw.csv"), data.join("single_agent_fits_reference.csv"));
    let Ok(reference) = fs::read_to_string(reference) else {
        eprintln!("skipped: {} is not there", data.display());
        return;
    };
    let folder = TempDir::new().unwrap();
    let raw = raw.to_str().unwrap();
    let arguments = ["fit-curves", raw, "--response", "inhibition-percent", "--out", "curves.ndjson"];
    assert!(halfmax(folder.path(), &arguments).status.success());
    let text = fs::read_to_string(folder.path().join("curves.ndjson")).unwrap();
    let own: BTreeMap<(String, String), f64> = text
        .lines()
        .filter_map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let name = |key: &str| row[key].as_str().unwrap().to_owned();
            row["ic50_um"].as_f64().map(|ic50| ((name("cell_line"), name("drug")), 6.0 - ic50.log10()))
        })
        .collect();
    let mut differences: Vec<f64> = reference
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let own = own.get(&(fields[1].to_owned(), fields[2].to_owned()))?;
            Some((own - fields[11].parse::<f64>().ok()?).abs())
        })
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let median = differences[differences.len() / 2];
    println!("{} pIC50 compared, median difference {median:.3}", differences.len());
    assert!(differences.len() > 500 && median < 0.2, "{} compared, median {median}", differences.len());
}

/// Options in a file, flags above them: intervals of another level, and an error that names the line.
#[test]
fn options_come_from_a_file_and_flags() {
    let text = table(HEADER, 1.0, |v| v);
    let folder = tempfile::tempdir().unwrap();
    let options = folder.path().join("dose.toml");
    let options = options.to_str().unwrap();
    std::fs::write(options, "[curves]\nconfidence = 0.5\nhill = [0.2, 8.0]\n").unwrap();
    let width = |arguments: &[&str]| {
        let (rows, _) = curves(&text, arguments);
        let row = &rows["A375/Strong"];
        number(row, "ic50_upper_um").ln() - number(row, "ic50_lower_um").ln()
    };
    let [usual, narrow, said] =
        [&[][..], &["--options", options], &["--options", options, "--confidence", "0.95"]].map(width);
    assert!(narrow < 0.5 * usual, "{narrow} {usual}");
    assert!((said / usual - 1.0).abs() < 0.05, "{said} {usual}");
    std::fs::write(options, "[curves]\nhills = [0.2, 8.0]\n").unwrap();
    says(&refused(&text, 2, &["--options", options]), &["dose.toml", "line 2", "hills", "hill"]);
    says(&refused(&text, 2, &["--confidence", "95"]), &["confidence = 95", "0.95"]);
}

/// Two files under one name: the later would replace the earlier.
#[test]
fn outputs_and_comparisons_that_cannot_be_are_refused() {
    let text = format!("{}B,Other,1,0.1,0.9\n", table(HEADER, 1.0, |v| v));
    let out = ["--compare", "cell_line=A375,B", "--compare-out"];
    says(
        &refused(&text, 2, &[&out[..], &["curves.csv"]].concat()),
        &["named by both --out and --compare-out"],
    );
    says(&refused(&text, 3, &[&out[..], &["two.csv"]].concat()), &["A375 and B share no drug"]);
}
