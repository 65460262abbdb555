//! What is registered can be found by its name, and says what it is.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use halfmax::{Config, FAMILIES, FamilyKind, family_named};
use halfmax_core::{CellKind, FEATURE_KINDS, KindValues, ValueSummary};
use halfmax_data::{FORMATS, OutputColumn, TableWriter, read_table, written_endings};
use halfmax_eval::metric::METRICS;
use halfmax_eval::{SPLITS, Screens, SplitKind};

/// Names are words of small letters, no two alike.
fn names<'a>(all: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for name in all {
        let plain =
            name.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_');
        assert!(plain && !name.is_empty(), "{name:?}");
        assert!(names.insert(name), "{name:?} is registered twice");
    }
    names
}

#[test]
fn every_family_is_found_by_its_name_and_builds_a_model_with_its_defaults() {
    for name in names(FAMILIES.iter().map(|family| family.name())) {
        let family = family_named(name).unwrap();
        assert!(family.summary().len() > 10, "{name}");
        assert!(!family.trials().is_empty(), "{name} is not tried by the conformance tests");
        let model = family.model(&toml::Table::new());
        assert_eq!(model.is_ok(), family.kind() != FamilyKind::Blend, "{name}");
        let unknown = family.model(&toml::from_str("no_such_key = 1").unwrap());
        let message = unknown.err().unwrap().to_string();
        assert!(family.kind() == FamilyKind::Blend || message.contains("no_such_key"), "{name}: {message}");
        assert!(family.load(&halfmax_core::StoredModel::default()).is_err(), "{name} loads from nothing");
    }
}

#[test]
fn every_metric_has_a_name_a_heading_and_a_meaning() {
    let all = names(METRICS.iter().map(|metric| metric.name()));
    assert_eq!(all.len(), METRICS.len());
    for metric in METRICS {
        assert!(!metric.label().is_empty() && metric.summary().len() > 10, "{}", metric.name());
    }
    let mut chief: Vec<u8> = METRICS.iter().filter_map(|metric| metric.chief()).collect();
    chief.sort_unstable();
    assert!(chief.iter().copied().eq(1..=chief.len() as u8), "{chief:?}");
}

#[test]
fn every_split_is_read_by_its_name_and_by_its_name_in_full() {
    let spellings = SPLITS.iter().flat_map(|kind| BTreeSet::from([kind.name(), kind.grouping().alias()]));
    names(spellings);
    for kind in SPLITS {
        for name in [kind.name(), kind.grouping().alias()] {
            assert_eq!(SplitKind::named(name), Some(kind));
            let text = format!("[data]\nresponse = \"r.csv\"\n[split]\nkind = \"{name}\"\n");
            assert_eq!(Config::parse(&text, &[]).unwrap().split.unwrap().kind, kind);
        }
        assert!(!kind.grouping().unseen().is_empty());
    }
    assert!(SPLITS.iter().any(|kind| kind.grouping().screens() == Screens::Combinations));
    let wrong = Config::parse("[data]\nresponse = \"r.csv\"\n[split]\nkind = \"lcp\"\n", &[]).unwrap_err();
    assert!(wrong.to_string().contains("unknown variant `lcp`"), "{wrong}");
    assert!(wrong.help().unwrap().contains("did you mean"), "{wrong:?}");
}

#[test]
fn every_feature_kind_is_read_from_a_configuration_and_says_what_it_holds() {
    for name in names(FEATURE_KINDS.iter().map(|kind| kind.name())) {
        let kind = CellKind::named(name).unwrap();
        assert!(!kind.label().is_empty() && kind.summary().len() > 10, "{name}");
        let text =
            format!("[data]\nresponse = \"r.csv\"\n[[data.cells]]\nkind = \"{name}\"\nfile = \"f.csv\"\n");
        assert_eq!(Config::parse(&text, &[]).unwrap().data.cells[0].kind, kind);
        let schema = serde_json::to_string(&schemars::schema_for!(CellKind)).unwrap();
        assert!(schema.contains(&format!("{name:?}")), "{name}: {schema}");
        assert_eq!(
            kind.values() == KindValues::Texts,
            kind.texts().is_some_and(|texts| texts.block == name),
            "{name}"
        );
        assert!(kind.gene_sense().is_some() || !kind.is_named_by_genes(), "{name} says nothing of its genes");
        assert!(!kind.is_shown_by("TP53"), "{name} is shown by the name of any gene");
    }
    let numbers = |values: &[f64]| {
        let mut summary = ValueSummary::default();
        values.iter().for_each(|value| summary.add(*value));
        CellKind::all().rev().find(|kind| kind.fits(&summary))
    };
    for values in [[0.0, 1.0, 1.0], [0.3, 0.7, 0.1], [-4.5, 7.25, 12.0], [10.0, 2000.0, 31.0]] {
        let kind = numbers(&values).map(|kind| kind.values());
        assert!(kind.is_some_and(|kind| kind != KindValues::Texts), "{values:?}");
    }
    let wrong = "[data]\nresponse = \"r.csv\"\n[[data.cells]]\nkind = \"expresion\"\nfile = \"f.csv\"\n";
    let wrong = Config::parse(wrong, &[]).unwrap_err();
    assert!(wrong.to_string().contains("unknown variant `expresion`"), "{wrong}");
    assert!(wrong.help().unwrap().contains("did you mean"), "{wrong:?}");
}

#[test]
fn every_table_format_has_endings_of_its_own_and_reads_what_it_writes() {
    let endings = FORMATS.iter().flat_map(|format| format.endings());
    names(endings.copied());
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        assert!(!format.name().is_empty());
        let known = |ending: &&str| format.endings().contains(ending);
        assert!(format.written_endings().iter().all(known), "{}", format.name());
        assert!(format.endings_in_archives().iter().all(known), "{}", format.name());
        assert!(!format.is_only_written() || !format.written_endings().is_empty(), "{}", format.name());
        for ending in format.written_endings() {
            let path = folder.path().join("table").with_extension(ending);
            let columns = [
                ("cell_line", OutputColumn::Text(&["A549", "MCF-7"])),
                ("auc", OutputColumn::F64(&[0.5, f64::NAN])),
            ];
            let mut writer = TableWriter::create(&path).unwrap();
            writer.write(&columns).unwrap();
            writer.finish().unwrap();
            let mut joined =
                TableWriter::create(folder.path().join("joined").with_extension(ending)).unwrap();
            assert_eq!([joined.append(&path).unwrap(), joined.append(&path).unwrap()], [2, 2], "{ending}");
            joined.finish().unwrap();
            if !format.is_only_written() {
                let table = read_table(folder.path().join("joined").with_extension(ending)).unwrap();
                assert_eq!(
                    (table.rows(), table.names()),
                    (4, ["cell_line", "auc"].map(String::from).as_slice())
                );
            }
        }
        if let Some(ending) = format.written_endings().first() {
            assert!(written_endings().contains(&format!(".{ending}")), "{}", written_endings());
        }
    }
    let unknown = TableWriter::create(folder.path().join("table.docx")).err().unwrap();
    assert!(unknown.help().unwrap().contains(&written_endings()), "{unknown:?}");
}
