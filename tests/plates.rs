//! From plates to curves: the quality of plates, what the position does, times, and doses in mass per volume. Every number is made up, and every expected
//! one follows from it by arithmetic.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::fmt::Write;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use command::halfmax;

/// What a command did: its exit code, its curves, the rows of a second file, and what it said.
struct Ran {
    code: Option<i32>,
    curves: Vec<Value>,
    more: Vec<Value>,
    said: String,
}

/// Runs `fit-curves` on files, the first of which is its table.
fn fit(files: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let all = [&["fit-curves", files[0].0, "--out", "out.ndjson"], arguments].concat();
    let output = halfmax(folder.path(), &all);
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let rows = |name: &str| {
        let text = fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    Ran { code: output.status.code(), curves: rows("out.ndjson"), more: rows("more.ndjson"), said }
}

fn done(files: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let ran = fit(files, arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    ran
}

fn refused(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let ran = fit(files, arguments);
    assert_eq!(ran.code, Some(3), "{}", ran.said);
    assert!(ran.curves.is_empty());
    ran.said
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in:\n{message}");
    }
}

fn near(found: &Value, expected: f64, tolerance: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("expected {expected}, found {found}"));
    assert!((found - expected).abs() <= tolerance * expected.abs(), "expected {expected}, found {found}");
}

const DOSES: [f64; 9] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// An error that repeats itself: −0.4, 0 or 0.4 %.
fn error(at: usize) -> f64 {
    0.004 * (at * 7 % 3) as f64 - 0.004
}

fn left(dose: f64, ic50: f64) -> f64 {
    1.0 / (1.0 + dose / ic50)
}

const HEADER: &str = "BARCODE,POSITION,CELL_LINE_NAME,DRUG_ID,TAG,CONC,INTENSITY\n";

/// A plate of 96 wells: controls in columns 2 and 11 and in three wells of the edge's rows, blanks and positive controls in the corners; two curves.
/// What the position does to a well's signal is given.
fn plate(barcode: &str, controls: [f64; 2], position: &dyn Fn(u16, u16) -> f64) -> String {
    let mut text = String::new();
    let mut treated = 0;
    for number in 1..=96_u16 {
        let (row, column) = ((number - 1) / 12 + 1, (number - 1) % 12 + 1);
        let at = usize::from(number);
        let (drug, tag, dose, level) = match (row, column) {
            (1 | 8, 1) => (String::new(), "B", String::new(), 0.0),
            (1 | 8, 12) => ("9".into(), "PC-1", "10".into(), 0.02 + error(at)),
            (_, 2 | 11) | (1 | 8, 5..=8) | (3 | 6, 6) => {
                let high = controls[usize::from(at % 4 > 1)];
                (String::new(), "NC-1", String::new(), high + error(at))
            }
            (4 | 5, 3..=10) | (2, 3) | (7, 3) => {
                let (drug, dose) = (17 + treated / 9, DOSES[treated % 9]);
                treated += 1;
                (drug.to_string(), "L1-D1-S", dose.to_string(), left(dose, 0.5) + error(at))
            }
            _ => (String::new(), "UN-USED", String::new(), 0.0),
        };
        let signal = 500.0 + 40_000.0 * level * position(row, column);
        writeln!(text, "{barcode},{number},L1,{drug},{tag},{dose},{signal}").unwrap();
    }
    text
}

#[test]
fn the_quality_of_each_plate_is_written() {
    let even = |_: u16, _: u16| 1.0;
    let text = format!("{HEADER}{}{}", plate("good", [1.0, 1.0], &even), plate("bad", [0.5, 1.5], &even));
    let ran = done(&[("raw.csv", &text)], &["--plates", "more.ndjson"]);
    let [good, bad] = &ran.more[..] else { panic!("two plates: {:?}", ran.more) };
    assert_eq!(
        (&good["plate"], &good["passes"], &good["flags"]),
        (&"good".into(), &"yes".into(), &"".into())
    );
    assert_eq!((&good["blank_wells"], &good["positive_wells"]), (&2.into(), &2.into()));
    assert_eq!(good["low_control"], "positive_control");
    near(&good["blank_mean"], 500.0, 1e-9);
    near(&good["control_mean"], 40_500.0, 0.005);
    assert!(good["z_prime"].as_f64().unwrap() > 0.9, "{good}");
    assert_eq!(bad["passes"], "no");
    let (mean, sd) = (bad["control_mean"].as_f64().unwrap(), bad["control_sd"].as_f64().unwrap());
    let (low, low_sd) = (bad["positive_mean"].as_f64().unwrap(), bad["positive_sd"].as_f64().unwrap());
    near(&bad["control_cv"], sd / (mean - bad["blank_mean"].as_f64().unwrap()), 1e-9);
    near(&bad["z_prime"], 1.0 - 3.0 * (sd + low_sd) / (mean - low), 1e-9);
    near(&bad["ssmd"], (mean - low) / sd.hypot(low_sd), 1e-9);
    near(&bad["signal_window"], (mean - low - 3.0 * (sd + low_sd)) / sd, 1e-9);
    says(
        &ran.said,
        &[
            "2 plates: the median Z' is",
            "1 of 2 plates fail: bad, L1 (Z' 0.17",
            "control CV",
            "drop_failed_plates leaves them out",
        ],
    );
    assert_eq!(ran.curves.len(), 2, "nothing is dropped without request");
}

#[test]
fn plates_that_fail_are_left_out_on_request() {
    let even = |_: u16, _: u16| 1.0;
    let text = format!("{HEADER}{}{}", plate("good", [1.0, 1.0], &even), plate("bad", [0.5, 1.5], &even));
    let all = done(&[("raw.csv", &text)], &[]);
    let some = done(&[("raw.csv", &text)], &["--drop-failed-plates"]);
    assert_eq!((&all.curves[0]["readings"], &some.curves[0]["readings"]), (&18.into(), &9.into()));
    says(&some.said, &["of 1 plate that fail left out (drop_failed_plates)"]);
    let loose = done(
        &[("raw.csv", &text)],
        &["--drop-failed-plates", "--min-z-prime", "-9", "--max-control-cv", "0.9"],
    );
    assert_eq!(loose.curves[0]["readings"], 18);
    let bad = format!("{HEADER}{}", plate("bad", [0.5, 1.5], &even));
    says(&refused(&[("raw.csv", &bad)], &["--drop-failed-plates"]), &["every plate fails", "--min-z-prime"]);
    let viabilities = "cell_line,drug,dose_um,viability\nL1,D,1,0.5\n";
    says(
        &refused(&[("raw.csv", viabilities)], &["--plates", "more.ndjson"]),
        &["no untreated wells with raw signals"],
    );
}

#[test]
fn edge_and_drift_are_named_and_taken_out_on_request() {
    let effect = |row: u16, column: u16| {
        let edge = if row == 1 || row == 8 || column == 1 || column == 12 { 0.7 } else { 1.0 };
        edge * (0.4 * (f64::from(column) - 6.5) / 11.0).exp()
    };
    let text: String = (1..=3).map(|at| plate(&format!("P{at}"), [1.0, 1.0], &effect)).collect();
    let text = format!("{HEADER}{text}");
    let asis = done(&[("raw.csv", &text)], &["--plates", "more.ndjson"]);
    near(&asis.more[0]["edge_effect"], -0.3, 0.03);
    near(&asis.more[0]["column_drift"], 0.4_f64.exp() - 1.0, 0.03);
    assert!(asis.more[0]["edge_p"].as_f64().unwrap() < 1e-6);
    let flags = |ran: &Ran| ran.more[0]["flags"].as_str().unwrap().to_owned();
    assert_eq!(
        (flags(&asis), &asis.more[0]["passes"]),
        ("low_z_prime;high_control_cv;edge_effect;drift".into(), &"no".into())
    );
    says(
        &asis.said,
        &[
            "the edge changes the signal of untreated wells on 3 plates: P1, L1 (edge -30 %",
            "not removed (`--correct edge`)",
        ],
    );
    let corrected = done(&[("raw.csv", &text)], &["--correct", "edge,drift", "--plates", "more.ndjson"]);
    near(&corrected.more[0]["edge_taken_out"], -0.3, 0.03);
    // What a correction takes out no longer fails a plate, and is still said.
    assert_eq!(
        (flags(&corrected), &corrected.more[0]["passes"]),
        ("edge_effect;drift".into(), &"yes".into())
    );
    says(&corrected.said, &["position effects removed from 3 of 3 plates", "removed, as requested"]);
    let off = |ran: &Ran| (ran.curves[0]["ic50_um"].as_f64().unwrap() / 0.5).ln().abs();
    assert!(off(&asis) > 0.15 && off(&corrected) < 0.03, "{} {}", off(&asis), off(&corrected));
}

#[test]
fn nothing_is_corrected_where_nothing_shows() {
    let even = |_: u16, _: u16| 1.0;
    let text = format!("{HEADER}{}", plate("P", [1.0, 1.0], &even));
    let [asis, corrected] =
        [&[][..], &["--correct", "edge,drift"]].map(|arguments| done(&[("raw.csv", &text)], arguments));
    near(&corrected.curves[0]["ic50_um"], asis.curves[0]["ic50_um"].as_f64().unwrap(), 0.01);
    let nowhere = text.replace("POSITION", "NUMBER_OF_SOMETHING");
    says(
        &done(&[("raw.csv", &nowhere)], &["--correct", "edge"]).said,
        &["does not say where wells lie", "well_row and well_column"],
    );
    let wrong = text.replace("POSITION", "well_row").replace("BARCODE", "well_column");
    says(&refused(&[("raw.csv", &wrong)], &[]), &["\"well_row\"", "33", "a row of a plate: A to AF"]);
}

#[test]
fn controls_that_cross_and_signals_below_zero_are_refused() {
    let even = |_: u16, _: u16| 1.0;
    let text = format!("{HEADER}{}", plate("P", [0.01, 0.01], &even));
    says(
        &refused(&[("raw.csv", &text)], &[]),
        &["positive controls lie above the untreated wells on 1 plate", "P, L1", "labels may be swapped"],
    );
    let negative = format!("{HEADER}{}", plate("P", [1.0, 1.0], &even)).replacen(",B,,500", ",B,,-500", 1);
    says(
        &refused(&[("raw.csv", &negative)], &[]),
        &["-500", "a signal, 0 or more", "background was already subtracted"],
    );
}

#[test]
fn one_dose_is_no_curve_and_is_said_to_be() {
    let text = "cell_line,drug,dose_um,viability\nL1,D,1,0.5\nL1,D,1,0.52\nL1,D,1,0.48\n";
    let ran = done(&[("raw.csv", text)], &[]);
    assert_eq!((&ran.curves[0]["flags"], &ran.curves[0]["ic50_um"]), (&"too_few_doses".into(), &Value::Null));
    says(&ran.said, &["1 with too few doses"]);
}

#[test]
fn untreated_wells_say_whether_a_viability_of_one_is_the_control() {
    let table = |control: f64| {
        let mut text = String::from("plate,cell_line,drug,dose_um,viability\n");
        for at in 0..6 {
            writeln!(text, "P,L1,DMSO,0,{}", control + error(at)).unwrap();
        }
        for (at, dose) in DOSES.into_iter().enumerate() {
            writeln!(text, "P,L1,D,{dose},{}", control * left(dose, 0.5) + error(at)).unwrap();
        }
        text
    };
    let right = done(&[("raw.csv", &table(1.0))], &[]);
    says(&right.said, &["6 untreated wells (dose 0), mean 1.000 ± 0.00", "of the control: they"]);
    assert!(!right.said.contains("divided by something else"), "{}", right.said);
    let other = done(&[("raw.csv", &table(1.3))], &[]);
    says(&other.said, &["differ from the control in 1 plate: P, L1 (1.30)", "--column signal=\"viability\""]);
    let mended = done(&[("raw.csv", &table(1.3))], &["--column", "signal=viability"]);
    near(&mended.curves[0]["ic50_um"], 0.5, 0.05);
    near(&mended.curves[0]["top"], 1.0, 0.02);
}

/// Counts of wells that are read every day: the control doubles a day, the drug slows growth to k = 1 / (1 + dose / 0.5) a day.
fn course(times: &[u32], header: &str) -> String {
    let mut text = format!("cell_line,drug,dose_um,{header},well,cell_count\n");
    for (well, dose) in [0.0, 0.0].into_iter().chain(DOSES).enumerate() {
        let drug = if dose == 0.0 { "DMSO" } else { "D" };
        for day in times {
            let count = 1000.0 * (f64::from(*day) / (1.0 + dose / 0.5)).exp2();
            let time = if header == "time_h" { 24 * day } else { *day };
            writeln!(text, "L1,{drug},{dose},{time},A{:02},{count}", well + 1).unwrap();
        }
    }
    text
}

#[test]
fn growth_rates_of_wells_become_curves() {
    for (header, days) in [("time_h", [0, 1, 2, 3]), ("day", [0, 1, 2, 3])] {
        let text = course(&days, header);
        let ran = done(&[("raw.csv", &text)], &["--times", "rate", "--rates", "more.ndjson"]);
        assert_eq!(ran.curves.len(), 1, "{:?}", ran.curves);
        // GR is 2^(1 / (1 + dose / 0.5)) − 1: one half where the exponent is log2(1.5).
        let gr50 = 0.5 * (1.0 / 1.5_f64.log2() - 1.0);
        near(&ran.curves[0]["gr50_um"], gr50, 0.03);
        assert_eq!(ran.more.len(), DOSES.len());
        for (row, dose) in ran.more.iter().zip(DOSES) {
            near(&row["divisions_per_day"], 1.0 / (1.0 + dose / 0.5), 1e-9);
            near(&row["control_divisions_per_day"], 1.0, 1e-9);
            near(&row["gr"], (1.0 / (1.0 + dose / 0.5)).exp2() - 1.0, 1e-9);
            assert!(row["divisions_per_day_se"].as_f64().unwrap() < 1e-9);
            assert_eq!((&row["from_h"], &row["to_h"], &row["times"]), (&0.0.into(), &72.0.into(), &4.into()));
        }
        says(&ran.said, &["9 growth rates of wells over all times"]);
    }
}

#[test]
fn each_time_and_each_interval_have_a_curve() {
    let text = course(&[0, 1, 2, 3], "time_h");
    let refusal = refused(&[("raw.csv", &text)], &[]);
    says(&refusal, &["\"time_h\" (times)", "--times each", "--times rate", "--where"]);
    let each = done(&[("raw.csv", &text)], &["--times", "each"]);
    let hours: Vec<f64> = each.curves.iter().map(|curve| curve["time_h"].as_f64().unwrap()).collect();
    assert_eq!(hours, [24.0, 48.0, 72.0]);
    for (curve, days) in each.curves.iter().zip([1.0, 2.0, 3.0]) {
        // At the highest dose, k = 1 / 61: what is left is 2^((k − 1) days).
        near(&curve["emax_observed"], ((1.0_f64 / 61.0 - 1.0) * days).exp2(), 1e-6);
        near(&curve["gr_max"], (1.0_f64 / 61.0).exp2() - 1.0, 1e-6);
    }
    let interval = done(&[("raw.csv", &text)], &["--times", "interval", "--rates", "more.ndjson"]);
    let hours: Vec<f64> = interval.curves.iter().map(|curve| curve["time_h"].as_f64().unwrap()).collect();
    assert_eq!((hours, interval.more.len()), (vec![24.0, 48.0, 72.0], 3 * DOSES.len()));
    for curve in &interval.curves {
        near(&curve["gr_max"], (1.0_f64 / 61.0).exp2() - 1.0, 1e-6);
    }
}

#[test]
fn rates_need_signals_and_untreated_wells() {
    let viabilities = "cell_line,drug,dose_um,time_h,viability\nL1,D,1,24,0.5\nL1,D,1,48,0.4\n";
    says(&refused(&[("raw.csv", viabilities)], &["--times", "rate"]), &["no raw signals", "--times each"]);
    let without: String = course(&[0, 1], "time_h")
        .lines()
        .filter(|line| !line.contains("DMSO"))
        .map(|line| format!("{line}\n"))
        .collect();
    says(&refused(&[("raw.csv", &without)], &["--times", "rate"]), &["L1: no untreated wells"]);
    let one = course(&[1], "time_h");
    says(&refused(&[("raw.csv", &one)], &["--times", "rate"]), &["no well has signals at two or more times"]);
    let alone =
        fit(&[("raw.csv", &course(&[0, 1], "time_h"))], &["--times", "each", "--rates", "more.ndjson"]);
    assert_eq!(alone.code, Some(2), "{}", alone.said);
}

/// Doses in µg/mL of imatinib mesylate, 589.72 g/mol.
fn masses(unit_in: &str, more: &str, value: &str) -> String {
    let mut text = format!("cell_line,drug,{unit_in},viability{more}\n");
    for (at, dose) in DOSES.iter().enumerate() {
        writeln!(text, "L1,imatinib mesylate,{dose},{}{value}", left(*dose, 0.4) + error(at)).unwrap();
    }
    text
}

#[test]
fn masses_per_volume_become_amounts_by_the_molar_mass() {
    const MESYLATE: &str = "CS(=O)(=O)O.Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1";
    // C30H35N7O4S.
    let mass: f64 = 30.0 * 12.011 + 35.0 * 1.008 + 7.0 * 14.007 + 4.0 * 15.999 + 32.06;
    let expected = 1000.0 * 0.4 / mass;
    let near_expected = |ran: &Ran, factor: f64| near(&ran.curves[0]["ic50_um"], factor * expected, 0.03);
    let smiles = format!(",{MESYLATE}");
    for (column, factor) in
        [("dose (ug/mL)", 1.0), ("dose_ug_ml", 1.0), ("conc [ng/ml]", 1e-3), ("dose_mg_ml", 1e3)]
    {
        let refusal = refused(&[("raw.csv", &masses(column, "", ""))], &[]);
        says(&refusal, &["mass concentrations", "molar mass", "--drugs FILE"]);
        let ran = done(&[("raw.csv", &masses(column, ",smiles", &smiles))], &[]);
        near_expected(&ran, factor);
        says(&ran.said, &["a salt or a solvent, which is weighed with the drug: CS(=O)(=O)O."]);
    }
    let given = done(&[("raw.csv", &masses("dose (ug/mL)", ",molar_mass", ",400"))], &[]);
    near(&given.curves[0]["ic50_um"], 1.0, 0.03);
    let files = [
        ("raw.csv", masses("dose (ug/mL)", "", "")),
        ("drugs.csv", format!("drug,smiles\nImatinib mesylate,{MESYLATE}\n")),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    near_expected(&done(&files, &["--drugs", "drugs.csv"]), 1.0);
    let lacking = masses("dose (ug/mL)", ",molar_mass", ",");
    says(&refused(&[("raw.csv", &lacking)], &[]), &["imatinib mesylate", "molar mass"]);
    let wrong = masses("dose (ug/mL)", ",smiles", ",C*C");
    says(&refused(&[("raw.csv", &wrong)], &[]), &["C*C", "row 2"]);
}

/// Blanks and positive controls must not be taken for untreated wells because their column has a name of its own.
#[test]
fn a_column_of_kinds_under_another_name_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let mut text = String::from("plate,cell_line,drug,dose_um,signal,KIND\n");
    let wells = |kind: &str, signal: usize| {
        (0..4).map(|well| format!("P,L,,,{},{kind}\n", signal + well)).collect::<String>()
    };
    text += &wells("vehicle", 1000);
    for (dose, signal) in [(0.01, 990), (0.1, 900), (1.0, 500), (10.0, 100), (100.0, 20)] {
        text += &format!("P,L,D,{dose},{signal},compound\n");
    }
    // Far from the untreated wells: the table may be read part by part.
    text += &wells("blank", 10);
    fs::write(folder.path().join("kind.csv"), text.replace("KIND", "kind")).unwrap();
    fs::write(folder.path().join("tag.csv"), text.replace("KIND", "tag")).unwrap();
    fs::write(folder.path().join("other.csv"), text.replace("KIND", "what_it_is")).unwrap();
    let fitted = |arguments: &[&str]| {
        let output = halfmax(folder.path(), arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for file in ["kind", "tag"] {
        let (code, said) =
            fitted(&["fit-curves", &format!("{file}.csv"), "--out", &format!("{file}.out.csv")]);
        assert_eq!(code, Some(0), "{said}");
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("kind.out.csv"), read("tag.out.csv"));
    let (code, said) = fitted(&["fit-curves", "other.csv", "--out", "other.out.csv"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("column \"what_it_is\" looks like the kinds of wells"), "{said}");
    assert!(said.contains("--column well_kind=what_it_is"), "{said}");
    let said = ["fit-curves", "other.csv", "--column", "well_kind=what_it_is", "--out", "other.out.csv"];
    assert_eq!(fitted(&said).0, Some(0));
    assert_eq!(read("other.out.csv"), read("tag.out.csv"));
    // What does not contradict drugs and doses is not asked for.
    fs::write(folder.path().join("same.csv"), text.replace("KIND", "what_it_is").replace("blank", "vehicle"))
        .unwrap();
    assert_eq!(fitted(&["fit-curves", "same.csv", "--out", "same.out.csv"]).0, Some(0));
    let unnamed = text.replace("KIND", "what_it_is").replace("vehicle", "well 1");
    fs::write(folder.path().join("unnamed.csv"), unnamed).unwrap();
    assert_eq!(fitted(&["fit-curves", "unnamed.csv", "--out", "unnamed.out.csv"]).0, Some(3));
}
