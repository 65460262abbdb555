//! Readings in the layouts in which laboratories publish them: each comes out as what the file says. Every number is made up, and every
//! expected one follows from it by arithmetic.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

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

fn near(found: &Value, expected: f64, share: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("expected {expected}, found {found}"));
    assert!((found / expected - 1.0).abs() < share, "expected {expected}, found {found}");
}

/// What a command did: its exit code, its rows, and what it said.
struct Ran {
    code: Option<i32>,
    rows: Vec<Value>,
    said: String,
}

/// Runs a command on files, the first of which is its table.
fn ran(command: &str, files: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let all = [&[command, files[0].0, "--out", "out.ndjson"], arguments].concat();
    let output = halfmax(folder.path(), &all);
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Ran { code: output.status.code(), rows: rows(&folder.path().join("out.ndjson")), said }
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a command that must succeed.
fn done(command: &str, files: &[(&str, &str)], arguments: &[&str]) -> (Vec<Value>, String) {
    let ran = ran(command, files, arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    (ran.rows, ran.said)
}

/// What a command said that must refuse its data.
fn refused(command: &str, files: &[(&str, &str)], arguments: &[&str]) -> String {
    let ran = ran(command, files, arguments);
    assert_eq!(ran.code, Some(3), "{}", ran.said);
    assert!(ran.rows.is_empty());
    ran.said
}

fn curve<'a>(rows: &'a [Value], cell_line: &str, drug: &str) -> &'a Value {
    rows.iter()
        .find(|row| row["cell_line"] == cell_line && row["drug"] == drug)
        .unwrap_or_else(|| panic!("no curve of {drug} in {cell_line}: {rows:?}"))
}

const DOSES: [f64; 9] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// The viability at a dose, with an error by which a curve differs from its own formula.
fn left(dose: f64, ic50: f64) -> f64 {
    let error = 0.004 * ((dose.ln() * 10.0).round() as i64).rem_euclid(3) as f64 - 0.004;
    1.0 / (1.0 + dose / ic50) + if dose > 0.0 { error } else { 0.0 }
}

/// Plates as GDSC publishes them: two cell lines on one plate, a plate without blanks, untreated wells without a vehicle.
fn raw_plates() -> String {
    let mut text = String::from("BARCODE,CELL_LINE_NAME,DRUG_ID,TAG,CONC,INTENSITY\n");
    let plates = [(1, "L1", 2.0, 100.0, "NC-1"), (1, "L2", 0.5, 100.0, "NC-1"), (2, "L3", 1.0, 0.0, "NC-0")];
    for (at, (plate, line, ic50, blank, tag)) in plates.into_iter().enumerate() {
        let full = 4000.0 * (at + 1) as f64;
        for share in [0.99, 1.01] {
            text += &format!("{plate},{line},,{tag},,{}\n", blank + full * share);
        }
        if blank > 0.0 {
            text += &format!("{plate},,,B,,{blank}\n");
        }
        text += &format!("{plate},{line},7,PC,10,{blank}\n");
        for dose in DOSES {
            text += &format!("{plate},{line},17,L1-D1-S,{dose},{}\n", blank + full * left(dose, ic50));
        }
    }
    text
}

#[test]
fn raw_plates_are_divided_by_the_controls_of_their_cell_line() {
    let (rows, said) = done("fit-curves", &[("raw.csv", &raw_plates())], &[]);
    says(&said, &["27 readings of 3 curves", "\"INTENSITY\" holds raw signals", "less the mean of 2 blanks"]);
    for (line, ic50) in [("L1", 2.0), ("L2", 0.5), ("L3", 1.0)] {
        near(&curve(&rows, line, "17")["ic50_um"], ic50, 0.05);
    }
    let without: String = raw_plates()
        .lines()
        .filter(|line| !line.starts_with("2,L3,,NC-0"))
        .map(|line| format!("{line}\n"))
        .collect();
    says(&refused("fit-curves", &[("raw.csv", &without)], &[]), &["2, L3: no untreated wells", "--where"]);
    let below = raw_plates().replace("1,,,B,,100\n", "1,,,B,,90000\n");
    says(&refused("fit-curves", &[("raw.csv", &below)], &[]), &["1, L1", "not above its blanks"]);
}

/// Counts with controls beside each reading, as rows, or in tables of their own: 800 cells at the start, 3,200 without a drug.
#[test]
fn counts_with_controls_say_how_often_the_control_divided() {
    let count = |dose: f64| 3200.0 * left(dose, 0.6);
    let list = |row: &dyn Fn(f64) -> String| DOSES.iter().map(|dose| row(*dose)).collect::<String>();
    let beside =
        String::from("cell_line\tagent\tconcentration\tcell_count\tcell_count__ctrl\tcell_count__time0\n")
            + &list(&|dose| format!("L1\tD\t{dose}\t{}\t3200\t800\n", count(dose)));
    let mut as_rows = String::from("cell_line\tagent\ttimepoint\tconcentration\tcell_count\n");
    for (vehicle, time, cells) in [("-", 0, 790), ("-", 0, 810), ("DMSO", 96, 3150), ("untreated", 96, 3250)]
    {
        as_rows += &format!("L1\t{vehicle}\t{time}\t0\t{cells}\n");
    }
    as_rows += &list(&|dose| format!("L1\tD\t96\t{dose}\t{}\n", count(dose)));
    let alone = String::from("cell_line\tagent\tconcentration\tcell_count\n")
        + &list(&|dose| format!("L1\tD\t{dose}\t{}\n", count(dose)));
    let more = [
        ("control.tsv", "cell_line\tcell_count__ctrl\nL1\t3100\nL1\t3300\n"),
        ("zero.tsv", "cell_line\tcell_count__time0\nL1\t800\n"),
    ];
    let flags = ["--control", "control.tsv", "--time-zero", "zero.tsv"];
    let (expected, said) = done("fit-curves", &[("a.tsv", &beside)], &[]);
    says(&said, &["\"cell_count\" holds raw signals: divided by the column \"cell_count__ctrl\""]);
    near(&expected[0]["ic50_um"], 0.6, 0.05);
    let (given, _) = done(
        "fit-curves",
        &[("a.csv", &{
            let list = list(&|dose| format!("L1,D,{dose},{}\n", left(dose, 0.6)));
            format!("cell_line,drug,dose_um,viability\n{list}")
        })],
        &["--divisions", "2"],
    );
    for (rows, _) in [
        done("fit-curves", &[("b.tsv", &as_rows)], &[]),
        done("fit-curves", &[("c.tsv", &alone), more[0], more[1]], &flags),
        (expected, said),
    ] {
        for key in ["ic50_um", "gr50_um", "gr_aoc"] {
            near(&rows[0][key], given[0][key].as_f64().unwrap(), 1e-6);
        }
    }
    let without = refused("fit-curves", &[("c.tsv", &alone)], &[]);
    says(&without, &["L1: no untreated wells", "--control FILE", "--time-zero FILE"]);
}

#[test]
fn a_column_of_kinds_tells_controls_from_treated_wells() {
    let mut text = String::from("plate_id,cell_line,compound,well_type,dose_um,luminescence\n");
    for (kind, signal) in
        [("vehicle", 900.0), ("vehicle", 1100.0), ("positive control", 20.0), ("blank", 0.0)]
    {
        text += &format!("P,L1,,{kind},,{signal}\n");
    }
    for dose in DOSES {
        text += &format!("P,L1,D,compound,{dose},{}\n", 1000.0 * left(dose, 0.2));
    }
    let (rows, said) = done("fit-curves", &[("raw.csv", &text)], &[]);
    near(&curve(&rows, "L1", "D")["ic50_um"], 0.2, 0.05);
    says(&said, &["divided by the mean of 2 untreated wells", "left out: 1"]);
}

#[test]
fn names_of_readings_are_taken_apart() {
    for (name, scale, gone) in [
        ("% Inhibition", 100.0, true),
        ("Viability (%)", 100.0, false),
        ("mean_viability", 1.0, false),
        ("rel. viability", 100.0, false),
        ("Percent Growth", 100.0, false),
        ("fraction surviving", 1.0, false),
        ("cell death (percent of control)", 100.0, true),
    ] {
        let mut text = format!("cell_line,drug,dose_um,{name}\n");
        for dose in DOSES {
            let left = left(dose, 0.7);
            text += &format!("L1,D,{dose},{}\n", scale * if gone { 1.0 - left } else { left });
        }
        let (rows, _) = done("fit-curves", &[("raw.csv", &text)], &[]);
        near(&rows[0]["ic50_um"], 0.7, 0.05);
    }
}

#[test]
fn raw_signals_called_viabilities_are_divided_or_refused() {
    let table = |name: &str, doses: &[f64]| {
        let row = |dose: &f64| format!("L1,D,{dose},{}\n", 70_000.0 * left(*dose, 0.4));
        format!("cell_line,drug,dose_um,{name}\n{}", doses.iter().map(row).collect::<String>())
    };
    let with_control = [&[0.0, 0.0][..], &DOSES].concat();
    let (rows, said) = done("fit-curves", &[("raw.csv", &table("viability", &with_control))], &[]);
    near(&rows[0]["ic50_um"], 0.4, 0.05);
    says(&said, &["is named as a viability, but its numbers are raw signals", "2 untreated wells"]);
    says(
        &refused("fit-curves", &[("raw.csv", &table("inhibition", &with_control))], &[]),
        &["these are raw signals"],
    );
    says(
        &refused("fit-curves", &[("raw.csv", &table("viability", &DOSES))], &[]),
        &["raw signals", "--column signal"],
    );
}

#[test]
fn a_plate_on_another_scale_is_named() {
    let table = |odd: f64| {
        let mut text = String::from("plate,cell_line,drug,dose_um,viability\n");
        for plate in 1..=12 {
            let scale = if plate == 5 { odd } else { 100.0 };
            for dose in DOSES {
                text += &format!("P{plate},L{plate},D,{dose},{}\n", scale * left(dose, 0.4));
            }
        }
        text
    };
    done("fit-curves", &[("raw.csv", &table(100.0))], &[]);
    let said = refused("fit-curves", &[("raw.csv", &table(1.0))], &[]);
    says(&said, &["fractions in", "D in L5", "plate P5", "percentages in the others"]);
    assert!(!said.contains("L4"), "{said}");
    says(&refused("fit-curves", &[("raw.csv", &table(40_000.0))], &[]), &["raw signals in", "D in L5"]);
}

#[test]
fn doses_of_one_nominal_dose_count_once() {
    let mut text = String::from("cell_line,drug,dose_um,viability\n");
    for (dose, left) in [(0.1, 0.95), (1.0, 0.6), (10.0, 0.08)] {
        for error in [0.992, 0.998, 1.003, 1.009] {
            text += &format!("L1,D,{},{}\n", dose * error, left * error);
        }
    }
    let (rows, _) = done("fit-curves", &[("raw.csv", &text)], &[]);
    assert_eq!((&rows[0]["doses"], &rows[0]["flags"]), (&3.into(), &"too_few_doses".into()));
}

#[test]
fn units_are_said_by_a_flag_whatever_their_case() {
    let row = |dose: &f64| format!("L1,D,{},ug/ml,{}\n", dose * 1e3, left(*dose, 0.4));
    let text =
        format!("cell_line,drug,dose,dose_unit,viability\n{}", DOSES.iter().map(row).collect::<String>());
    says(&refused("fit-curves", &[("raw.csv", &text)], &[]), &["mass concentrations", "molar mass"]);
    for (unit, ic50) in [("nM", 0.4), ("NM", 0.4), ("pM", 0.0004), ("mM", 400_000.0), ("µM", 400.0)] {
        let (rows, _) = done("fit-curves", &[("raw.csv", &text)], &["--dose-unit", unit]);
        near(&rows[0]["ic50_um"], ic50, 0.05);
    }
    let mass = ran("fit-curves", &[("raw.csv", &text)], &["--dose-unit", "ug/ml"]);
    assert_eq!(mass.code, Some(2));
    says(&mass.said, &["molar mass"]);
}

#[test]
fn curves_in_one_cell_keep_what_tells_them_apart() {
    let list = |of: &dyn Fn(f64) -> f64| {
        DOSES.iter().map(|dose| of(*dose).to_string()).collect::<Vec<String>>().join(",")
    };
    let doses = list(&|dose| dose);
    let row = |line: &str, time: u32, ic50: f64| {
        format!("{line},D,{time},\"{doses}\",\"{}\"\n", list(&|dose| 100.0 * left(dose, ic50) - 100.0))
    };
    let header = "CCLE Cell Line Name,Compound,time_h,Doses (uM),Activity Data (median)\n";
    let (rows, said) = done(
        "fit-curves",
        &[("c.csv", &format!("{header}{}{}", row("L1", 72, 0.3), row("L2", 72, 3.0)))],
        &[],
    );
    near(&curve(&rows, "L1", "D")["ic50_um"], 0.3, 0.05);
    near(&curve(&rows, "L2", "D")["ic50_um"], 3.0, 0.05);
    says(&said, &["18 readings of 2 curves", "each row holds a whole curve"]);
    let twice = format!("{header}{}{}", row("L1", 24, 3.0), row("L1", 72, 0.3));
    says(
        &refused("fit-curves", &[("c.csv", &twice)], &[]),
        &["\"time_h\" (times)", "1 curve has rows that differ in it"],
    );
}

const A: [f64; 5] = [0.0, 0.04, 0.2, 1.0, 5.0];
const B: [f64; 5] = [0.0, 0.02, 0.1, 0.5, 2.5];

/// The inhibition of two independent drugs, in percent, and eight points more where both are given: the mean Bliss score is 8.
fn inhibition(a: f64, b: f64) -> f64 {
    let together = if a > 0.0 && b > 0.0 { 8.0 } else { 0.0 };
    100.0 * (1.0 - 1.0 / (1.0 + a / 0.9) / (1.0 + b / 0.6)) + together
}

fn matrix(row: &dyn Fn(f64, f64) -> String) -> String {
    A.iter().flat_map(|a| B.iter().map(move |b| row(*a, *b))).collect()
}

/// The mean of a score over the wells of both drugs, of one block.
fn mean(rows: &[Value], score: &str, block: &str) -> f64 {
    let own: Vec<f64> =
        rows.iter().filter(|row| row["block_id"] == block).filter_map(|row| row[score].as_f64()).collect();
    assert!(!own.is_empty(), "no scores of block {block}");
    own.iter().sum::<f64>() / own.len() as f64
}

/// The expected mean of HSA.
fn hsa() -> f64 {
    let cells: Vec<f64> = A[1..]
        .iter()
        .flat_map(|a| {
            B[1..].iter().map(move |b| inhibition(*a, *b) - inhibition(*a, 0.0).max(inhibition(0.0, *b)))
        })
        .collect();
    cells.iter().sum::<f64>() / cells.len() as f64
}

fn expects_hsa(rows: &[Value], block: &str) {
    let found = mean(rows, "synergy_hsa", block);
    assert!((found - hsa()).abs() < 1e-6, "HSA {found}, expected {}", hsa());
}

const HEADER: &str = "drug_a,drug_b,dose_a,dose_b,dose_unit,cell_line,inhibition\n";

#[test]
fn both_orders_and_vehicles_are_one_block() {
    let orders = |a: f64, b: f64| match a {
        0.0 => format!("Y,X,{b},{a},uM,L1,{}\n", inhibition(a, b)),
        _ => format!("X,Y,{a},{b},uM,L1,{}\n", inhibition(a, b)),
    };
    let (rows, said) = done("synergy", &[("m.csv", &format!("{HEADER}{}", matrix(&orders)))], &[]);
    expects_hsa(&rows, "1");
    says(&said, &["of 1 block", "both orders of a pair form one block"]);
    let vehicles = |a: f64, b: f64| {
        let first = if a == 0.0 { "vehicle" } else { "X" };
        let second = if b == 0.0 { "DMSO" } else { "Y" };
        format!("{first},{second},{a},{b},uM,L1,{}\n", inhibition(a, b))
    };
    let (rows, said) = done("synergy", &[("m.csv", &format!("{HEADER}{}", matrix(&vehicles)))], &[]);
    expects_hsa(&rows, "1");
    says(&said, &["\"DMSO\" in column \"drug_b\" is a vehicle", "\"vehicle\" in column \"drug_a\""]);
    let turned = |a: f64, b: f64| format!("Y,X,{b},{a},uM,L1,{}\n", inhibition(a, b) + 2.0);
    let whole = |a: f64, b: f64| format!("X,Y,{a},{b},uM,L1,{}\n", inhibition(a, b));
    let both = format!("{HEADER}{}{}", matrix(&whole), matrix(&turned));
    let (rows, _) = done("synergy", &[("m.csv", &both)], &[]);
    assert!(rows.iter().all(|row| row["replicates"] == 2), "{rows:?}");
    // A column of blocks keeps them apart.
    let named: String = both
        .lines()
        .enumerate()
        .map(
            |(at, line)| {
                if at == 0 { format!("{line},block_id\n") } else { format!("{line},b{}\n", (at - 1) / 25) }
            },
        )
        .collect();
    let (rows, _) = done("synergy", &[("m.csv", &named)], &[]);
    expects_hsa(&rows, "b0");
    expects_hsa(&rows, "b1");
    assert_eq!(rows.len(), 50);
}

/// Growth as the NCI's ALMANAC publishes it: a drug alone has no second drug, and stands once for all its partners.
#[test]
fn a_drug_alone_serves_all_its_partners() {
    let mut text = String::from(
        "COMBODRUGSEQ,NSC1,CONC1,CONCUNIT1,NSC2,CONC2,CONCUNIT2,PERCENTGROWTH,PERCENTGROWTHNOTZ,SCORE,PANEL,CELLNAME\n",
    );
    let mut add = |drugs: [&str; 2], doses: [f64; 2], inhibition: f64| {
        let dose =
            |drug: &str, dose: f64| if drug.is_empty() { ",".into() } else { format!("{:e},M", dose / 1e6) };
        let growth = 100.0 - inhibition;
        let (a, b) = (dose(drugs[0], doses[0]), dose(drugs[1], doses[1]));
        text += &format!("1,{},{a},{},{b},{growth},{growth},,Panel,L1/X\n", drugs[0], drugs[1]);
    };
    for a in &A[1..] {
        add(["11", ""], [*a, 0.0], inhibition(*a, 0.0));
        for b in &B[1..] {
            add(["11", "22"], [*a, *b], inhibition(*a, *b));
            add(["33", "11"], [*b, *a], inhibition(*a, *b));
        }
    }
    for b in &B[1..] {
        add(["22", ""], [*b, 0.0], inhibition(0.0, *b));
        add(["33", ""], [*b, 0.0], inhibition(0.0, *b));
    }
    let (rows, said) = done("synergy", &[("g.csv", &text)], &[]);
    expects_hsa(&rows, "1");
    expects_hsa(&rows, "2");
    says(&said, &["of 2 blocks", "inhibition is 100 - growth", "4 rows of a drug alone"]);
    let doses: Vec<f64> = rows.iter().filter_map(|row| row["dose_a_um"].as_f64()).collect();
    assert!((doses.iter().copied().fold(0.0, f64::max) - 5.0).abs() < 1e-9, "M was not taken for M");
    let (rows, said) = done("fit-curves", &[("g.csv", &text)], &[]);
    assert_eq!(rows.len(), 3);
    says(&said, &["32 rows with a second drug", "left out"]);
}

#[test]
fn a_block_that_cannot_be_scored_is_listed() {
    let row = |block: &str, a: f64, b: f64| format!("{block},X,Y,{a},{b},uM,{}\n", inhibition(a, b));
    let header = "block_id,drug1,drug2,conc1,conc2,conc_unit,inhibition\n";
    let bad = matrix(&|a, b| if b == 0.0 { String::new() } else { row("bad", a, b) });
    let both = format!("{header}{bad}{}", matrix(&|a, b| row("good", a, b)));
    let (rows, said) = done("synergy", &[("m.csv", &both)], &[]);
    expects_hsa(&rows, "good");
    assert!(rows.iter().all(|row| row["block_id"] == "good"));
    says(
        &said,
        &[
            "1 block of 2 cannot be scored and is left out: block bad (X with Y)",
            "first drug was not measured alone",
        ],
    );
    let (_, said) = done("synergy", &[("m.csv", &both)], &["--json"]);
    says(&said, &["\"not_scored\":[{\"block_id\":\"bad\""]);
    says(
        &refused("synergy", &[("m.csv", &format!("{header}{bad}"))], &[]),
        &["block bad", "not measured alone"],
    );
}

#[test]
fn a_third_drug_makes_blocks_of_three() {
    for [drug, dose] in [["drug3", "conc3"], ["drug_c", "dose_c"], ["agent 3", "concentration 3"]] {
        let (first, second) =
            (dose.replace('3', "1").replace("_c", "_a"), dose.replace('3', "2").replace("_c", "_b"));
        let mut text = format!("drug1,drug2,{drug},{first},{second},{dose},inhibition\n");
        for third in [0.0, 1.0] {
            text += &matrix(&|a, b| format!("X,Y,Z,{a},{b},{third},{}\n", inhibition(a, b) + 30.0 * third));
        }
        let (rows, said) = done("synergy", &[("m.csv", &text)], &[]);
        says(&said, &["form 1 block; 3 pairs", "X with Y and Z"]);
        let of = |id: &str| rows.iter().filter(|row| row["block_id"] == id).cloned().collect::<Vec<_>>();
        // The pair where the third drug is absent is what it was without it.
        expects_hsa(&of("1"), "1");
        let three = of("4");
        assert_eq!((three.len(), three[0]["drug_c"].as_str()), (2 * A.len() * B.len(), Some("Z")));
        let together =
            three.iter().find(|row| row["dose_c_um"] == 1.0 && row["dose_a_um"].as_f64() > Some(0.0));
        assert!(together.is_some_and(|row| row["reference_hsa"].as_f64() >= Some(30.0)), "{together:?}");
        let (rows, _) = done("synergy", &[("m.csv", &text)], &["--where", &format!("{dose}=0")]);
        expects_hsa(&rows, "1");
    }
    // A dose without the name of its drug, and a name without its dose, are refused.
    let text = "drug1,drug2,conc1,conc2,conc3,inhibition\nX,Y,0,1,0,5\nX,Y,1,0,1,5\nX,Y,1,1,0,5\n";
    says(&refused("synergy", &[("m.csv", text)], &[]), &["third drug", "conc3", "--where"]);
}

#[test]
fn matrices_without_names_are_read_when_the_pair_is_said() {
    let list = format!("d1,d2,inhibition\n{}", matrix(&|a, b| format!("{a},{b},{}\n", inhibition(a, b))));
    says(
        &refused("synergy", &[("m.csv", &list)], &[]),
        &["--drugs", "--column dose_a=\"d1\" --column dose_b=\"d2\""],
    );
    let flags = ["--drugs", "X,Y", "--column", "dose_a=d1", "--column", "dose_b=d2"];
    expects_hsa(&done("synergy", &[("m.csv", &list)], &flags).0, "1");
    let effect = matrix(&|a, b| format!("{a},{b},{}\n", 1.0 - inhibition(a, b) / 100.0));
    let effect = format!("drug1.conc,drug2.conc,E\n{effect}");
    let (rows, said) = done("synergy", &[("m.csv", &effect)], &["--drugs", "X,Y"]);
    expects_hsa(&rows, "1");
    says(
        &said,
        &["the name \"E\" does not give the unit: read as viability-fraction, judged by the untreated wells"],
    );
    let line = |a: f64| B.iter().map(|b| format!(",{}", inhibition(a, *b))).collect::<String>();
    let edges = B.iter().map(|b| format!(",{b}")).collect::<String>();
    let grid: String = A.iter().map(|a| format!("{a}{}\n", line(*a))).collect();
    let grid = format!("{edges}\n{grid}");
    says(&refused("synergy", &[("m.csv", &grid)], &[]), &["--layout grid"]);
    expects_hsa(&done("synergy", &[("m.csv", &grid)], &["--layout", "grid", "--drugs", "X,Y"]).0, "1");
    let bare: String = A.iter().map(|a| format!("{}\n", &line(*a)[1..])).collect();
    let doses = [
        "--layout",
        "grid",
        "--drugs",
        "X,Y",
        "--doses-a",
        "0,0.04,0.2,1,5",
        "--doses-b",
        "0,0.02,0.1,0.5,2.5",
    ];
    expects_hsa(&done("synergy", &[("m.csv", &bare)], &doses).0, "1");
    says(&refused("synergy", &[("m.csv", &bare)], &doses[..4]), &["--doses-a"]);
}

#[test]
fn times_of_a_matrix_are_not_replicates() {
    let mut text = String::from(
        "drug_row,drug_col,conc_r,conc_c,conc_r_unit,conc_c_unit,cell_line_name,time_h,inhibition\n",
    );
    for time in [24, 72] {
        text += &matrix(&|a, b| {
            format!("X,Y,{a},{b},uM,uM,L1,{time},{}\n", inhibition(a, b) * f64::from(time) / 72.0)
        });
    }
    says(&refused("synergy", &[("m.csv", &text)], &[]), &["\"time_h\" (times)", "25 wells have rows"]);
    expects_hsa(&done("synergy", &[("m.csv", &text)], &["--where", "time_h=72"]).0, "1");
}

#[test]
fn doses_of_a_matrix_may_be_off_by_the_dispenser() {
    let mut at = 0;
    let mut off = |dose: f64| {
        at += 1;
        dose * (1.0 + 0.002 * f64::from(at % 5))
    };
    let mut text = HEADER.to_owned();
    for (a, b) in A.iter().flat_map(|a| B.iter().map(move |b| (*a, *b))) {
        text += &format!("X,Y,{},{},uM,L1,{}\n", off(a), off(b), inhibition(a, b));
    }
    let (rows, said) = done("synergy", &[("m.csv", &text)], &[]);
    expects_hsa(&rows, "1");
    says(&said, &["one nominal dose"]);
    assert_eq!(rows.len(), 25);
}

#[test]
fn lists_with_decimal_commas_are_read_as_they_are_written() {
    let lists = "cell_line\tdrug\tDoses (uM)\tActivity Data (median)\nA549\tErlotinib\t0,1;0,5;1,5;4,5;9,5\t99,5;90,5;70,5;30,5;9,5\nMCF7\tErlotinib\t0,1;0,5;1,5;4,5;9,5\t98,5;91,5;72,5;33,5;8,5\nT47D\tErlotinib\t0,1;0,5;1,5;4,5;9,5\t\n";
    let (curves, said) = done("fit-curves", &[("lists.tsv", lists)], &["--response", "viability-percent"]);
    assert_eq!(curves.len(), 2, "{said}");
    says(&said, &["rows without doses or without readings, left out: 1"]);
    assert!((curves[0]["dose_max_um"].as_f64().unwrap() - 9.5).abs() < 1e-9, "{}", curves[0]);
}

#[test]
fn replicates_in_columns_are_readings_of_their_own() {
    let table = "cell_line,drug,dose,viability_rep1,viability_rep2,viability_rep3\nA,x,0.1,0.99,1.01,1\nA,x,1,0.9,0.92,\nA,x,3,0.6,0.62,0.64\nA,x,10,0.2,0.22,0.18\nA,x,30,0.1,0.08,0.12\n";
    let (curves, said) = done("fit-curves", &[("wells.csv", table)], &[]);
    assert_eq!(curves[0]["readings"], 14, "{said}");
    says(&said, &["\"viability_rep1\", \"viability_rep2\", \"viability_rep3\" hold replicates"]);
    // One that was said is the only one.
    let (curves, said) = done("fit-curves", &[("wells.csv", table)], &["--column", "reading=viability_rep2"]);
    assert_eq!(curves[0]["readings"], 5, "{said}");
    // A column of their mean is the reading.
    let with_mean = table
        .lines()
        .zip(["viability", "1", "0.91", "0.62", "0.2", "0.1"])
        .map(|(row, mean)| format!("{row},{mean}\n"))
        .collect::<String>();
    let (curves, said) = done("fit-curves", &[("means.csv", &with_mean)], &[]);
    assert_eq!(curves[0]["readings"], 5, "{said}");
    says(&said, &["readings come from \"viability\", not from"]);
    // Of two drugs, two columns may be one of each.
    let pairs = "cell_line,drug1,dose1,drug2,dose2,viability1,viability2\nA,x,0,y,0,1,1\nA,x,1,y,0,0.5,0.6\nA,x,0,y,1,0.6,0.5\nA,x,1,y,1,0.3,0.3\n";
    let said = refused("synergy", &[("pairs.csv", pairs)], &[]);
    says(&said, &["could be two replicates, or the readings of each drug alone", "viability_rep1"]);
}

#[test]
fn choosing_a_time_says_that_time_zero_is_left_out() {
    let mut table = "cell_line,drug,dose_uM,timepoint,cell_count\nA,,0,0,100\nA,,0,72,800\n".to_owned();
    for (dose, count) in [(0.1, 790), (1.0, 600), (3.0, 300), (10.0, 120), (30.0, 60)] {
        table += &format!("A,x,{dose},72,{count}\n");
    }
    let (curves, said) = done("fit-curves", &[("counts.csv", &table)], &["--where", "timepoint=72"]);
    says(&said, &["rows at time zero are left out as well"]);
    assert!(curves[0].get("gr_max").is_none(), "{}", curves[0]);
    let (curves, said) = done("fit-curves", &[("counts.csv", &table)], &[]);
    assert!(curves[0]["gr_max"].as_f64().is_some() && !said.contains("time zero are left out"), "{said}");
}

#[test]
fn logarithms_of_doses_are_no_doses() {
    let table =
        "cell_line,drug,log10_dose_nM,viability\nA,x,0,0.99\nA,x,1,0.95\nA,x,2,0.8\nA,x,3,0.3\nA,x,4,0.05\n";
    let said = refused("fit-curves", &[("doses.csv", table)], &["--column", "dose=log10_dose_nM"]);
    says(&said, &["log10_dose_nM", "logarithms of doses"]);
}

#[test]
fn a_file_of_controls_keeps_what_was_said_of_the_columns() {
    let mut wells = String::from("cell_line,drug,dose,sig\n");
    for (dose, signal) in [(0.01, 990), (0.1, 950), (1.0, 800), (10.0, 300), (100.0, 50)] {
        wells += &format!("A,x,{dose},{signal}\n");
    }
    let files = [("raw.csv", wells.as_str()), ("controls.csv", "cell_line,signal\nA,1000\n")];
    let arguments = ["--control", "controls.csv", "--column", "signal=sig"];
    let (curves, said) = done("fit-curves", &files, &arguments);
    assert_eq!(curves.len(), 1, "{said}");
}
