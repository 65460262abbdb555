//! What is registered can be found by its name, and says what it is.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use halfmax::{Config, FAMILIES, FamilyKind, family_named};
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
    assert!(wrong.advice().unwrap().contains("did you mean"), "{wrong:?}");
}
