//! The meaning of response columns, by name and values.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::{End, Scale, Unit};
use halfmax_data::{CellLines, ResponseTable, TargetConfig, Transform, inspect, read_bytes, read_responses};

/// A table of one drug with a column of this name.
fn table(name: &str, values: &[f64]) -> String {
    let rows = values.iter().enumerate().map(|(row, value)| format!("LINE-{row},A,{value}\n"));
    format!("cell_line,drug,{name}\n{}", rows.collect::<String>())
}

fn read(name: &str, values: &[f64], target: &TargetConfig) -> ResponseTable {
    let table = read_bytes("responses.csv", table(name, values).as_bytes()).unwrap();
    let target = TargetConfig { column: Some(name.into()), ..target.clone() };
    read_responses(&table, &CellLines::embedded().unwrap(), &target, None).unwrap()
}

fn words(name: &str, values: &[f64]) -> String {
    read(name, values, &TargetConfig::default()).target.words()
}

#[test]
fn names_and_values_say_what_responses_are() {
    let fractions = [0.2, 0.5, 0.9, 1.0];
    for (name, values, expected) in [
        ("LN_IC50", &[-3.0, 0.1, 4.0][..], "ln IC50 (ln µM), lower is more sensitive"),
        ("lnIC50 (nM)", &[2.0, 7.1, 9.0], "ln IC50 (ln nM), lower is more sensitive"),
        ("pIC50", &[4.1, 5.2, 8.0], "pIC50 (−log10 M), higher is more sensitive"),
        ("pEC50", &[4.1, 5.2, 8.0], "pEC50 (−log10 M), higher is more sensitive"),
        ("-log10(IC50) uM", &[-1.0, 0.2, 2.0], "pIC50 (−log10 µM), higher is more sensitive"),
        ("neg_log_ic50", &[4.1, 5.2, 8.0], "neg log ic50, higher is more sensitive"),
        ("log10_ic50", &[-8.0, -6.5, -5.0], "log10 IC50 (log10 M), lower is more sensitive"),
        ("log10_ic50", &[-1.0, 0.5, 2.0], "log10 IC50, lower is more sensitive"),
        ("log_ic50", &[-1.0, 0.5, 2.0], "log ic50, lower is more sensitive"),
        ("IC50", &[-1.0, 0.5, 2.0], "IC50, lower is more sensitive"),
        ("IC50 [µM]", &[0.01, 0.5, 200.0], "IC50 (µM), lower is more sensitive"),
        ("AUC", &fractions, "AUC, lower is more sensitive"),
        ("AAC", &fractions, "AAC, higher is more sensitive"),
        ("ActArea", &[0.1, 3.0, 7.0], "ActArea, higher is more sensitive"),
        ("DSS", &[0.1, 3.0, 40.0], "DSS, higher is more sensitive"),
        ("inhibition", &fractions, "inhibition, higher is more sensitive"),
        ("viability", &fractions, "viability, lower is more sensitive"),
        ("PERCENTGROWTH", &[-80.0, 20.0, 100.0], "PERCENTGROWTH, lower is more sensitive"),
        ("GRmax", &[-0.5, 0.2, 1.0], "GRmax, lower is more sensitive"),
        ("GR_AOC", &[0.0, 0.2, 1.0], "GR AOC, higher is more sensitive"),
        ("LFC", &[-2.0, 0.2, 1.0], "LFC, lower is more sensitive"),
        ("zscore_auc", &[-2.0, 0.2, 1.0], "zscore auc, lower is more sensitive"),
        ("Z_SCORE", &[-2.0, 0.2, 1.0], "Z SCORE, sensitive end unknown"),
        ("Y", &[-2.0, 0.2, 1.0], "Y, sensitive end unknown"),
        ("CI", &[-2.0, 0.2, 1.0], "CI, sensitive end unknown"),
    ] {
        assert_eq!(words(name, values), expected, "{name} {values:?}");
    }
}

#[test]
fn of_combinations_the_high_end_is_sought_unless_the_quantity_says_otherwise() {
    let lines = CellLines::embedded().unwrap();
    for (name, sensitive) in [
        ("synergy_loewe", End::High),
        ("my_score", End::High),
        ("combination_index", End::Low),
        ("CI", End::Low),
        ("viability", End::Low),
        ("css_ri", End::High),
    ] {
        let text = format!("cell_line,drug_a,drug_b,{name}\nA549,A,B,1.5\nPC-3,A,B,0.5\n");
        let table = read_bytes("t.csv", text.as_bytes()).unwrap();
        let target = TargetConfig { column: Some(name.into()), ..TargetConfig::default() };
        let found = read_responses(&table, &lines, &target, None).unwrap();
        assert_eq!(found.target.sensitive, Some(sensitive), "{name}");
    }
}

#[test]
fn values_that_contradict_a_name_are_warned_of() {
    let decades = [0.004, 0.02, 0.3, 1.1, 2.0, 7.0, 40.0];
    for (name, values, says) in [
        ("LN_IC50", &decades[..], "not their logarithms"),
        ("ln_ec50", &decades, "these look like EC50"),
        ("log10_ic50", &[3.0, 40.0, 1500.0], "not their logarithms"),
        ("pIC50", &[0.1, 2.0, 1500.0], "not their logarithms"),
        ("pIC50", &[-2.0, 0.1, 2.0], "expected about 3 to 10"),
        ("LN_IC50", &[-20.0, -13.0, -9.0], "ln of M"),
        ("LN_IC50", &[-70.0, -13.0, 9.0], "expected about -10 to 15"),
        ("IC50 (uM)", &[-2.0, 0.1, 2.0], "a concentration cannot be negative"),
        ("AUC", &[-0.5, 0.3, 0.9], "expected 0 to 1"),
        ("AUC", &[0.5, 9.3, 14.9], "not divided by the range of doses"),
        ("LN_IC50", &[1.0, 1.0, 1.0], "every value of LN_IC50 is 1"),
        ("Y", &decades, "looks like a concentration"),
    ] {
        let found = read(name, values, &TargetConfig::default());
        assert!(found.warnings.iter().any(|warning| warning.contains(says)), "{name}: {:?}", found.warnings);
        let unit_in_doubt = says.contains("not their logarithms") || says.contains("ln of M");
        assert!(!(unit_in_doubt && found.target.has_ic50_um()), "{name}");
    }
    for (name, values) in [
        ("LN_IC50", &[0.2, 2.0, 3.0, 4.0, 8.0][..]),
        ("pIC50", &[4.0, 5.0, 9.0]),
        ("AUC", &[0.1, 0.5, 1.05]),
        ("Y", &[0.1, 0.5, 1.05]),
    ] {
        assert!(read(name, values, &TargetConfig::default()).warnings.is_empty(), "{name}");
    }
}

#[test]
fn logarithms_are_of_micromolar_where_the_unit_is_known() {
    let values = [100.0, 1000.0, 50_000.0];
    let ln = |name: &str, unit| {
        let target = TargetConfig { transform: Some(Transform::Ln), unit, ..TargetConfig::default() };
        let found = read(name, &values, &target);
        (found.observed.values()[1], found.target.unit, found.target)
    };
    assert_eq!(ln("IC50_nM", None).0, 0.0);
    assert_eq!(ln("IC50", Some(Unit::Nanomolar)).0, 0.0);
    let (value, unit, target) = ln("IC50", None);
    assert_eq!((value, unit), (1000f64.ln(), None));
    assert!(!target.has_ic50_um());
    let (value, unit, target) = ln("IC50_nM", Some(Unit::Molar));
    assert_eq!((value, unit), (1e9f64.ln(), Some(Unit::Micromolar)), "what is said is obeyed");
    // Another table is read in the same way.
    let again = read("IC50_nM", &values, &TargetConfig::like(&target));
    assert_eq!((again.observed.values()[1], &again.target), (value, &target));
}

#[test]
fn what_is_said_of_a_target_stands_in_place_of_what_is_guessed() {
    let said =
        TargetConfig { scale: Some(Scale::Ln), unit: Some(Unit::Micromolar), ..TargetConfig::default() };
    let found = read("log_ic50", &[-1.0, 0.5, 2.0], &said);
    assert_eq!(found.target.words(), "ln IC50 (ln µM), lower is more sensitive");
    let turned = TargetConfig { sensitive: Some(End::High), ..TargetConfig::default() };
    let found = read("LN_IC50", &[-1.0, 0.5, 2.0], &turned);
    assert_eq!(found.target.sensitive, Some(End::High));
    assert!(
        found.warnings[0]
            .contains("target.sensitive = \"high\" is used, although the name LN_IC50 means that low")
    );
    let again = read("LN_IC50", &[-1.0, 0.5, 2.0], &TargetConfig::like(&found.target));
    assert_eq!(again.target.sensitive, Some(End::High));
}

#[test]
fn an_inspection_says_that_a_column_of_concentrations_is_not_a_logarithm() {
    let folder = tempfile::tempdir().unwrap();
    let look = |text: &str| {
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        inspect(&path).unwrap().remove(0).problems.join("\n")
    };
    let linear = table("IC50", &[0.01, 0.5, 3.0, 200.0]);
    assert!(look(&linear).contains("IC50 is not a logarithm, 0.01 to 200"), "{}", look(&linear));
    // They do no harm if another column would be the response.
    let both = "cell_line,drug,LN_IC50,IC50_um,IC50_lower_um\nA549,A,0.1,1.1,0.9\nPC-3,A,-2,0.1,0.05\n";
    assert_eq!(look(both), "");
}
