//! What a response means: one screen in many units gives one ranking, one report and the same directions; what is not known is
//! asked for.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use halfmax_data::{RawTable, read_table};
use tempfile::TempDir;

use command::halfmax;

/// Runs a command that must succeed; what it says on both streams.
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = halfmax(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} failed:\n{errors}");
    errors.into_owned() + &String::from_utf8_lossy(&output.stdout)
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

const CELLS: usize = 60;
/// Drugs, the ln IC50 that each has without ABCB1, and how far ABCB1 raises it.
const DRUGS: [(&str, f64, f64); 11] = [
    ("Paclitaxel", -4.0, 1.6),
    ("Docetaxel", -3.2, 1.1),
    ("Vinblastine", -2.5, 0.6),
    ("SN-38", -1.7, 0.0),
    ("Gefitinib", 1.0, 0.0),
    ("Trametinib", -0.6, 0.0),
    ("Olaparib", 3.4, 0.0),
    ("Venetoclax", 2.0, -0.4),
    ("Palbociclib", 2.8, 0.0),
    ("Erlotinib", 1.6, 0.3),
    ("Lapatinib", 0.3, 0.0),
];
const GENES: [&str; 6] = ["ABCB1", "SLFN11", "EGFR", "BCL2", "MCL1", "ERBB2"];
const FILLERS: usize = 24;
const NEW: [&str; 2] = ["NEW-1", "NEW-2"];

fn noise(a: usize, b: usize) -> f64 {
    let mixed = (a * 7919 + b * 104_729 + a * b * 31) % 10_007;
    mixed as f64 / 5003.5 - 1.0
}

fn expression(lines: &[(String, usize)]) -> String {
    let fillers = (0..FILLERS).map(|gene| format!("FILLER{gene}"));
    let genes: Vec<String> = GENES.iter().map(|gene| (*gene).to_owned()).chain(fillers).collect();
    let row = |(name, cell): &(String, usize)| {
        let values: Vec<String> = (0..genes.len()).map(|gene| format!("{:.4}", noise(*cell, gene))).collect();
        format!("{name},{}\n", values.join(","))
    };
    format!("cell_line,{}\n{}", genes.join(","), lines.iter().map(row).collect::<String>())
}

/// The ln IC50 (µM) of a drug in a cell line.
fn ln_ic50(cell: usize, drug: usize) -> f64 {
    let (_, base, slope) = DRUGS[drug];
    base + slope * noise(cell, 0) + 0.5 * noise(cell, 1 + drug % 5) + 0.2 * noise(cell, 700 + drug)
}

/// The folder of a screen whose responses stand in columns, each made of the ln IC50.
fn screen(columns: &[(&str, &dyn Fn(f64) -> f64)], target: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut response = format!("cell_line,drug,{}\n", names.join(","));
    for cell in 0..CELLS {
        for (drug, (name, ..)) in DRUGS.iter().enumerate() {
            let values: Vec<String> =
                columns.iter().map(|(_, value)| value(ln_ic50(cell, drug)).to_string()).collect();
            response.push_str(&format!("LINE-{cell},{name},{}\n", values.join(",")));
        }
    }
    let lines = (0..CELLS).map(|cell| (format!("LINE-{cell}"), cell)).collect::<Vec<_>>();
    let new: Vec<_> = NEW.iter().zip(100..).map(|(name, cell)| ((*name).to_owned(), cell)).collect();
    let targets = |drug: &str| match drug {
        "Paclitaxel" | "Docetaxel" => "Microtubule stabiliser",
        "Vinblastine" => "Microtubule destabiliser",
        "SN-38" => "TOP1",
        "Gefitinib" | "Erlotinib" | "Lapatinib" => "EGFR",
        "Venetoclax" => "BCL2",
        _ => "",
    };
    let drugs: String = DRUGS.iter().map(|(name, ..)| format!("{name},{}\n", targets(name))).collect();
    let config = format!(
        r#"
[data]
response = "response.csv"
drugs = "drugs.csv"
[[data.cells]]
kind = "expression"
file = "expression.csv"
[target]
{target}
[split]
kind = "lco"
folds = 3
[[model]]
family = "kernel"
"#
    );
    for (name, text) in [
        ("response.csv", response),
        ("expression.csv", expression(&lines)),
        ("new.csv", expression(&new)),
        ("drugs.csv", format!("drug,targets\n{drugs}")),
        ("screen.toml", config),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const MODEL: &str = "run/model.halfmax";
const SCORE: [&str; 6] = ["score", MODEL, "--cells", "new.csv", "--drugs", "drugs.csv"];
const EXPLAIN: [&str; 10] = [
    "explain",
    MODEL,
    "--cells",
    "new.csv",
    "--cell-line",
    "NEW-1",
    "--permutations",
    "200",
    "--out",
    "why/report.html",
];

fn train(folder: &Path) -> String {
    succeeds(folder, &["train", "screen.toml", "--out", "run"])
}

fn column(table: &RawTable, name: &str) -> Vec<String> {
    let at = table.find(&[name]).unwrap_or_else(|| panic!("no column {name}: {:?}", table.names()));
    table.texts(at).unwrap().into_iter().map(Option::unwrap_or_default).collect()
}

/// What a screen leads to.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// The three best drugs of each new cell line.
    top: Vec<[String; 2]>,
    /// All drugs of the first new cell line, the best first.
    order: Vec<String>,
    /// The direction of the leading features of each drug.
    features: BTreeMap<String, String>,
    /// Direction and agreement with the catalogue of each drug's mechanisms.
    mechanisms: BTreeMap<String, String>,
    /// The drugs that the report says to work and to fail, in its order.
    report: Vec<String>,
}

impl Outcome {
    /// Trains, scores and explains; also the predicted IC50s in µM of all cell lines and drugs.
    fn of(folder: &Path) -> (Self, Option<Vec<f64>>) {
        train(folder);
        succeeds(folder, &[&SCORE[..], &["--top", "3", "--out", "top.csv"]].concat());
        succeeds(folder, &[&SCORE[..], &["--out", "all.csv"]].concat());
        succeeds(folder, &[&SCORE[..], &["--top", "11", "--out", "order.csv"]].concat());
        succeeds(folder, &EXPLAIN);
        let read = |name: &str| read_table(folder.join(name)).unwrap();
        let (top, order, all) = (read("top.csv"), read("order.csv"), read("all.csv"));
        let [cells, drugs] = ["cell_line", "drug"].map(|name| column(&top, name));
        let importance = read("why/importance.parquet");
        let [drug, feature, direction, rank] =
            ["drug", "feature", "direction", "rank"].map(|name| column(&importance, name));
        let leading = (0..importance.rows()).filter(|row| rank[*row].parse::<usize>().unwrap() <= 3);
        let features =
            leading.map(|row| (format!("{} {}", drug[row], feature[row]), direction[row].clone())).collect();
        let table = read("why/mechanisms.parquet");
        let [drug, mechanism, direction, agrees] =
            ["drug", "mechanism", "direction", "agrees"].map(|name| column(&table, name));
        let said = |row: usize| {
            (format!("{} {}", drug[row], mechanism[row]), format!("{} {}", direction[row], agrees[row]))
        };
        let ic50 = all.find(&["ic50_um"]).map(|at| all.numbers(at, "").unwrap().to_vec());
        let outcome = Self {
            top: cells.into_iter().zip(drugs).map(|(cell, drug)| [cell, drug]).collect(),
            order: column(&order, "drug")[..DRUGS.len()].to_vec(),
            features,
            mechanisms: (0..table.rows()).map(said).collect(),
            report: named_in_report(&fs::read_to_string(folder.join("why/report.html")).unwrap()),
        };
        (outcome, ic50)
    }
}

/// The drugs of a report's cards, after the heading that each stands under.
fn named_in_report(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    for heading in ["Drugs predicted to work", "Drugs predicted not to work"] {
        let Some((_, after)) = html.split_once(&format!("<h3>{heading}</h3>")) else { continue };
        let own = after.split("<h3>").next().unwrap();
        for card in own.split("<article class=card><h4>").skip(1) {
            let name = card.split("</h4>").next().unwrap();
            let text: String =
                name.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
            found.push(format!("{heading}: {text}"));
        }
    }
    found
}

/// A column's name, its value for an ln IC50 (µM), what `[target]` says of it, and whether scores have an IC50 in µM.
type Way<'a> = (&'a str, &'a dyn Fn(f64) -> f64, &'a str, bool);

#[test]
fn one_screen_written_nine_ways_gives_one_ranking_one_report_and_the_same_directions() {
    const LN10: f64 = std::f64::consts::LN_10;
    let (outcome, ic50) = Outcome::of(screen(&[("LN_IC50", &|ln| ln)], "").path());
    assert_eq!(outcome.features["Paclitaxel ABCB1"], "resistant", "{outcome:?}");
    assert_eq!(outcome.mechanisms["Paclitaxel efflux"], "resistant yes");
    assert_eq!(outcome.order[0], "Paclitaxel", "{outcome:?}");
    assert_eq!(outcome.report.len(), 10, "{outcome:?}");
    let ic50 = ic50.unwrap();
    let ways: [Way; 8] = [
        ("log10_ic50_uM", &|ln| ln / LN10, "", true),
        ("pIC50", &|ln| 6.0 - ln / LN10, "", true),
        ("IC50 (nM)", &|ln| 1000.0 * ln.exp(), "column = \"IC50 (nM)\"\ntransform = \"ln\"", true),
        ("IC50", &f64::exp, "column = \"IC50\"\ntransform = \"log10\"\nunit = \"uM\"", true),
        ("AAC", &|ln| 0.5 - 0.04 * ln, "column = \"AAC\"", false),
        ("AUC", &|ln| 0.5 + 0.04 * ln, "", false),
        ("Z_SCORE", &|ln| (ln - 0.1) / 2.4, "column = \"Z_SCORE\"\nsensitive = \"low\"", false),
        ("response", &|ln| 4.0 - ln, "sensitive = \"high\"", false),
    ];
    for (name, value, target, has_ic50) in ways {
        let target = if target.is_empty() { format!("column = \"{name}\"") } else { target.to_owned() };
        let (other, own_ic50) = Outcome::of(screen(&[(name, value)], &target).path());
        assert_eq!(other, outcome, "{name}");
        assert_eq!(own_ic50.is_some(), has_ic50, "{name}");
        for (own, first) in own_ic50.iter().flatten().zip(&ic50) {
            assert!((own / first - 1.0).abs() < 1e-2, "{name}: {own} µM, {first} µM");
        }
    }
}

#[test]
fn a_direction_that_nothing_says_is_asked_for_where_it_matters() {
    let folder = screen(&[("Z_SCORE", &|ln| ln / 2.4)], "column = \"Z_SCORE\"");
    let folder = folder.path();
    let said = train(folder);
    assert!(said.contains("the sensitive end of Z_SCORE is unknown: set target.sensitive"), "{said}");
    succeeds(folder, &["evaluate", "screen.toml", "--out", "evaluated"]);
    let top = [&SCORE[..], &["--top", "2", "--out", "top.csv"]].concat();
    fails(folder, 2, &top, &["the sensitive end of Z_SCORE is not known", "--sensitive low"]);
    succeeds(folder, &[&SCORE[..], &["--out", "all.csv"]].concat());
    succeeds(folder, &[&top[..], &["--sensitive", "low"]].concat());
    let low = column(&read_table(folder.join("top.csv")).unwrap(), "drug");
    assert_eq!(low[0], "Paclitaxel");
    succeeds(folder, &[&top[..], &["--best", "lowest", "--overwrite"]].concat());
    assert_eq!(column(&read_table(folder.join("top.csv")).unwrap(), "drug"), low);
    fails(folder, 2, &EXPLAIN, &["the sensitive end of Z_SCORE is not known", "--sensitive low"]);
    succeeds(folder, &[&EXPLAIN[..], &["--sensitive", "low"]].concat());
    let config = fs::read_to_string(folder.join("screen.toml")).unwrap() + "[explain]\npermutations = 200\n";
    fs::write(folder.join("explained.toml"), config).unwrap();
    for command in ["train", "evaluate"] {
        fails(folder, 2, &[command, "explained.toml", "--out", "no"], &["set target.sensitive = \"low\""]);
    }
}

#[test]
fn concentrations_are_warned_of_and_their_logarithms_taken() {
    let named = |name: &str, keys: &str| screen(&[(name, &f64::exp)], &format!("column = {name:?}\n{keys}"));
    let check = |folder: &TempDir| succeeds(folder.path(), &["data", "check", "screen.toml"]);
    for name in ["IC50", "IC50 (uM)", "ic50_nM", "ec50", "GI50_um", "Response"] {
        let said = check(&named(name, ""));
        assert!(said.contains("warning") && said.contains("target.transform = \"ln\""), "{name}: {said}");
        for (transform, words) in [("ln", "logarithms of the column's values"), ("none", name)] {
            let said = check(&named(name, &format!("transform = \"{transform}\"")));
            assert!(!said.contains("warning") && said.contains(words), "{name}, {transform}: {said}");
        }
    }
    let folder = named("LN_IC50", "");
    let said = check(&folder);
    assert!(said.contains("these look like IC50 in µM, not their logarithms"), "{said}");
    let already = named("LN_IC50", "transform = \"ln\"");
    let says = ["LN_IC50 is already a logarithm", "target.scale"];
    fails(already.path(), 2, &["train", "screen.toml", "--out", "run"], &says);
    let refused = |folder: TempDir, says: &[&str]| {
        fails(folder.path(), 2, &["data", "check", "screen.toml"], says);
    };
    refused(named("IC50", "transform = \"log2\""), &["log2", "ln", "log10", "none"]);
    refused(named("IC50", "sensitive = \"lo\""), &["`lo`", "low", "high"]);
    refused(named("IC50", "unit = \"furlong\""), &["furlong", "uM", "nM"]);
    refused(named("IC50", "scale = \"cubic\""), &["cubic", "linear", "neg_log10"]);
}

#[test]
fn a_value_without_a_logarithm_is_refused_by_its_row() {
    let folder = screen(&[("IC50_uM", &f64::exp)], "column = \"IC50_uM\"\ntransform = \"ln\"");
    let path = folder.path().join("response.csv");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for value in ["0", "-0.5"] {
        lines[5] = format!("LINE-0,Gefitinib,{value}");
        fs::write(&path, lines.join("\n")).unwrap();
        let says = ["IC50_uM", "row 6", "a number above 0, since target.transform takes its logarithm"];
        fails(folder.path(), 4, &["data", "check", "screen.toml"], &says);
    }
    lines[5] = "LINE-0,Gefitinib,".into();
    fs::write(&path, lines.join("\n")).unwrap();
    let said = succeeds(folder.path(), &["data", "check", "screen.toml"]);
    assert!(said.contains("left out: 1 responses"), "{said}");
}

#[test]
fn measured_responses_are_read_as_those_of_the_training() {
    let folder =
        screen(&[("IC50 (nM)", &|ln| 1000.0 * ln.exp())], "column = \"IC50 (nM)\"\ntransform = \"ln\"");
    let folder = folder.path();
    train(folder);
    let row =
        |drug: usize| format!("NEW-1,{},{}\n", DRUGS[drug].0, 1000.0 * (ln_ic50(100, drug) + 3.0).exp());
    let measured: String = [0, 1, 2, 5, 8].map(row).concat();
    fs::write(folder.join("measured.csv"), format!("cell_line,drug,IC50 (nM)\n{measured}")).unwrap();
    let predicted = |out: &str, more: &[&str]| {
        succeeds(folder, &[&SCORE[..], &["--out", out], more].concat());
        let table = read_table(folder.join(out)).unwrap();
        let at = table.find(&["predicted"]).unwrap();
        table.numbers(at, "").unwrap()[..DRUGS.len()].to_vec()
    };
    let (before, after) = (predicted("a.csv", &[]), predicted("b.csv", &["--responses", "measured.csv"]));
    let rise: f64 = after.iter().zip(&before).map(|(after, before)| after - before).sum::<f64>() / 11.0;
    // Logarithms 3 higher than usual, not thousands of nM.
    assert!((0.2..6.0).contains(&rise), "{rise}");
}

#[test]
fn an_ic50_that_is_infinite_is_left_empty() {
    let keys = "column = \"LN_IC50\"\nscale = \"ln\"\nunit = \"uM\"";
    let folder = screen(&[("LN_IC50", &|ln| 90.0 + ln)], keys);
    train(folder.path());
    succeeds(folder.path(), &[&SCORE[..], &["--out", "all.csv"]].concat());
    let table = read_table(folder.path().join("all.csv")).unwrap();
    let ic50 = table.numbers(table.find(&["ic50_um"]).unwrap(), "").unwrap();
    assert!(ic50.iter().any(|ic50| ic50.is_nan()) && ic50.iter().all(|ic50| !ic50.is_infinite()), "{ic50:?}");
    let text = fs::read_to_string(folder.path().join("all.csv")).unwrap();
    assert!(!text.contains("inf"), "{text}");
}

#[test]
fn a_column_without_a_direction_takes_it_from_one_beside_it() {
    let check = |columns: &[(&str, &dyn Fn(f64) -> f64)], target: &str| {
        succeeds(screen(columns, target).path(), &["data", "check", "screen.toml"])
    };
    let said = check(&[("Z_SCORE", &|ln| ln / 2.0), ("LN_IC50", &|ln| ln)], "column = \"Z_SCORE\"");
    assert!(said.contains(
        "low of Z_SCORE is assumed to be the sensitive end: its rank correlation with LN_IC50 is 1.00"
    ));
    let said = check(&[("AUC", &|ln| 0.5 - 0.04 * ln), ("pIC50", &|ln| 6.0 - ln)], "column = \"AUC\"");
    assert!(said.contains("high of AUC is assumed") && said.contains("higher is more sensitive"), "{said}");
    let said = check(&[("AUC", &|ln| 0.5 + 0.04 * ln)], "column = \"AUC\"");
    assert!(said.contains("is the area under the viability curve, so low is sensitive"), "{said}");
    let said = check(&[("pIC50", &|ln| 6.0 + ln), ("IC50_uM", &f64::exp)], "column = \"pIC50\"");
    assert!(said.contains("has the wrong direction compared with column IC50_uM"), "{said}");
    let said = check(&[("LN_IC50", &|ln| ln), ("AUC", &|ln| 0.5 + 0.04 * ln), ("RMSE", &|_| 0.1)], "");
    assert!(
        said.contains("response: LN_IC50, read as ln IC50 (ln µM), lower is more sensitive; other columns that hold responses: AUC (target.column)"),
        "{said}"
    );
}

#[test]
fn the_output_of_fit_curves_trains_by_its_ln_ic50() {
    let folder = screen(&[("LN_IC50", &|ln| ln)], "");
    let mut readings = String::from("cell_line,drug,dose_um,viability\n");
    for cell in 0..CELLS {
        for (drug, (name, ..)) in DRUGS.iter().enumerate().take(7).skip(3) {
            for dose in [0.004, 0.012, 0.037, 0.11, 0.33, 1.0, 3.0, 9.0, 27.0] {
                let viability = 1.0 / (1.0 + dose / ln_ic50(cell, drug).exp());
                readings.push_str(&format!("LINE-{cell},{name},{dose},{viability:.4}\n"));
            }
        }
    }
    fs::write(folder.path().join("readings.csv"), readings).unwrap();
    succeeds(folder.path(), &["fit-curves", "readings.csv", "--out", "curves.csv"]);
    let curves = read_table(folder.path().join("curves.csv")).unwrap();
    let [ln, um] =
        ["ln_ic50", "ic50_um"].map(|name| curves.numbers(curves.find(&[name]).unwrap(), "").unwrap());
    for (ln, um) in ln.iter().zip(um.iter()) {
        assert!(ln.is_nan() == um.is_nan() && (ln.is_nan() || (ln - um.ln()).abs() < 1e-9), "{ln}, {um}");
    }
    let config = fs::read_to_string(folder.path().join("screen.toml")).unwrap();
    fs::write(folder.path().join("curves.toml"), config.replace("response.csv", "curves.csv")).unwrap();
    let said = succeeds(folder.path(), &["data", "check", "curves.toml"]);
    assert!(said.contains("response: ln_ic50, read as ln IC50 (ln µM)"), "{said}");
    let others =
        said.split("other columns that hold responses: ").nth(1).and_then(|rest| rest.lines().next());
    let others: Vec<&str> = others.unwrap_or_default().split(", ").collect();
    assert!(others.contains(&"auc") && !others.contains(&"log10_ic50_se"), "{said}");
    let measured = um.iter().filter(|um| !um.is_nan()).count();
    assert!(said.contains(&format!("screen: {measured} responses (ln_ic50)")), "{measured}: {said}");
}

#[test]
fn a_run_is_called_after_its_configuration_unless_that_names_it() {
    let folder = screen(&[("LN_IC50", &|ln| ln)], "");
    succeeds(folder.path(), &["evaluate", "screen.toml", "--out", "run"]);
    let metrics = fs::read_to_string(folder.path().join("run/metrics.json")).unwrap();
    assert!(metrics.contains(r#""name": "screen""#), "{metrics}");
    assert!(metrics.contains(r#""sensitive": "low""#) && metrics.contains(r#""unit": "uM""#), "{metrics}");
}
